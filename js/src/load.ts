// Gets the compiled core into memory: lazily, once per page, and again for a fresh instance after a trap.
import type { CoreModule, CoreParts, CoreProgram } from './core.js';
import { HomeError } from './errors.js';
import type { glue as Glue } from './glue.js';
import type { HomeOptions } from './types.js';

/** The smallest module there is. Where even this is refused, a Content-Security-Policy is at work. */
const EMPTY_MODULE = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

/** A function that makes a `v128`, drops it and returns. */
const SIMD_MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version
  0x01, 0x04, 0x01, 0x60, 0x00, 0x00, // type () -> ()
  0x03, 0x02, 0x01, 0x00, // one function
  0x0a, 0x09, 0x01, 0x07, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x1a, 0x0b, // i32.const 0, i8x16.splat, drop
]);

/** A compiled core, and what makes the bindings of an instance. */
interface Compiled { readonly module: WebAssembly.Module; readonly glue: typeof Glue }

const inlined = new Map<CoreParts, Promise<Compiled>>();

/** Compiles the core, once per page for the inlined ones; a given one has all parts. */
export async function loadCore(wasm: HomeOptions['wasm'], parts: CoreParts = 'small'): Promise<CoreProgram> {
  if (typeof WebAssembly !== 'object') throw new HomeError('no_wasm', 'WebAssembly is not available here');
  if (!WebAssembly.validate(SIMD_MODULE)) throw new HomeError('no_simd', 'WebAssembly is available without 128-bit SIMD, which is needed');
  try {
    const compiled = await (wasm === undefined ? onceInlined(parts) : given(wasm));
    return { instantiate: () => instantiate(compiled) };
  } catch (thrown) {
    if (wasm === undefined) inlined.delete(parts);
    throw loadError(thrown);
  }
}

async function instantiate({ module, glue }: Compiled): Promise<CoreModule> {
  try {
    const { start, Core } = glue();
    const { memory } = await start(module);
    return {
      create: (model, seed) => {
        const bundle = model instanceof Uint8Array;
        const core = new Core(...tape(bundle ? undefined : model), seed);
        const told = <T>(method: (bytes: Uint8Array, texts: string, numbers: Float64Array) => T) =>
          (bytes: Uint8Array, value: unknown): T => method.call(core, bytes, ...tape(value));
        const room = core.room.bind(core);
        const rank = core.rank.bind(core);
        const made = Object.assign(core, {
          setBundle: told(core.setBundle),
          setManifest: told(core.setManifest),
          room(words: number) {
            // Before the buffer is looked at: the memory may grow.
            const at = room(words);
            return new Float32Array(memory.buffer as ArrayBuffer, at, words);
          },
          rank(now: number, after: string | undefined, all: boolean) {
            const at = rank(now, after, all);
            return new Float64Array(memory.buffer as ArrayBuffer, at);
          },
        });
        if (bundle) made.setBundle(model, headerOf(model));
        return made;
      },
    };
  } catch (thrown) {
    throw loadError(thrown);
  }
}

/**
 * A value as the core reads it: its texts one after another, and its kinds, lengths and numbers in the order of a walk from the root. Nested
 * deeper than eight it is none that the core takes.
 */
function tape(value: unknown): [texts: string, numbers: Float64Array] {
  let texts = '';
  const numbers: number[] = [];
  const say = (text: string): void => {
    numbers.push(text.length);
    // With an end of its own, or half a character here and half of one in the next text would become one.
    texts += text + '\0';
  };
  const walk = (depth: number, one: unknown = null): void => {
    if (one === null) {
      numbers.push(0);
    } else if (typeof one === 'boolean') {
      numbers.push(1, +one);
    } else if (typeof one === 'number') {
      numbers.push(2, one);
    } else if (typeof one === 'string') {
      numbers.push(3);
      say(one);
    } else if (depth === 0 || typeof one !== 'object') {
      numbers.push(6);
    } else if (Array.isArray(one)) {
      const { length } = one;
      numbers.push(4, length);
      for (let at = 0; at < length; at++) walk(depth - 1, one[at]);
    } else {
      const fields = Object.entries(one);
      numbers.push(5, fields.length);
      for (const [name, field] of fields) {
        say(name);
        walk(depth - 1, field);
      }
    }
  };
  walk(8, value);
  return [texts, new Float64Array(numbers)];
}

/** The header of a bundle's bytes; nothing where there is none, which the core then refuses. */
function headerOf(bytes: Uint8Array): unknown {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true);
    return JSON.parse(new TextDecoder().decode(bytes.subarray(16, 16 + length)));
  } catch {
    return undefined;
  }
}

function loadError(thrown: unknown): HomeError {
  if (isBlocked()) {
    return new HomeError('csp', "WebAssembly is blocked: the Content-Security-Policy needs script-src 'wasm-unsafe-eval'", { cause: thrown });
  }
  return new HomeError('load', `the core did not load: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
}

function onceInlined(parts: CoreParts): Promise<Compiled> {
  const compiling = inlined.get(parts) ?? compileInlined(parts);
  inlined.set(parts, compiling);
  return compiling;
}

async function compileInlined(parts: CoreParts): Promise<Compiled> {
  const { bytes, glue } = await (parts === 'small' ? import('./wasm-inline.js') : import('./wasm-full.js'));
  return { module: await WebAssembly.compile(bytes()), glue };
}

async function given(wasm: NonNullable<HomeOptions['wasm']>): Promise<Compiled> {
  const [{ glue }, module] = await Promise.all([import('./glue.js'), compile(wasm)]);
  return { module, glue };
}

async function compile(wasm: NonNullable<HomeOptions['wasm']>): Promise<WebAssembly.Module> {
  if (wasm instanceof WebAssembly.Module) return wasm;
  if (wasm instanceof URL) return compileResponse(await fetch(wasm));
  if (typeof Response === 'function' && wasm instanceof Response) return compileResponse(wasm);
  return WebAssembly.compile(wasm as BufferSource);
}

async function compileResponse(response: Response): Promise<WebAssembly.Module> {
  if (!response.ok) throw new Error(`expected the compiled core, got HTTP status ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

function isBlocked(): boolean {
  try {
    // WebKit compiles what it will not start.
    new WebAssembly.Instance(new WebAssembly.Module(EMPTY_MODULE));
    return false;
  } catch {
    return true;
  }
}
