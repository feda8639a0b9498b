// Builds dist/: one entry, the lazy chunks (the compiled core, small and full; published bundles, for apps that ask for them; the verifier, for browsers without
// Ed25519; the relay's client, for apps that name a relay), the type declarations. Needs build/wasm, which `cargo xtask build` makes.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildEntries, ENTRIES } from './entries.mjs';
import { thirdParties } from './notices.mjs';
import { minify } from 'terser';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => path.join(root, ...parts);
const wasm = at('build/wasm/core_bg.wasm');
const bindings = at('build/wasm/core.js');
const verifier = at('build/wasm/verify.wasm');
const relay = at('build/wasm/relay.wasm');
const unpackers = [at('build/wasm/unpack.wasm'), at('build/wasm/apart.wasm')];
const small = at('build/wasm/small/core_bg.wasm');
const smallBindings = at('build/wasm/small/core.js');
for (const file of [wasm, bindings, small, smallBindings, verifier, relay, ...unpackers]) {
  if (!existsSync(file)) {
    console.error(`${path.relative(root, file)} is missing: run \`cargo xtask build\` first`);
    process.exit(1);
  }
}

rmSync(at('build/modules'), { recursive: true, force: true });
rmSync(at('dist'), { recursive: true, force: true });
mkdirSync(at('dist'), { recursive: true });
const require = createRequire(import.meta.url);
execFileSync(process.execPath, [path.join(path.dirname(require.resolve('typescript/package.json')), 'bin/tsc')], { cwd: root, stdio: 'inherit' });

// After the compiler, since it uses what the package uses.
const { inlineModule } = await import('./inline.mjs');
const core = slimmed(readFileSync(wasm), readFileSync(bindings, 'utf8'));
const glue = await glueModule(core.glue);
writeFileSync(at('build/modules/glue.js'), glue);
// Each core has its bindings with it, in one file: they name what it imports.
writeFileSync(at('build/modules/wasm-full.js'), inlineModule(core.module, 'full') + glue);
const smallCore = slimmed(readFileSync(small), readFileSync(smallBindings, 'utf8'));
writeFileSync(at('build/modules/wasm-inline.js'), inlineModule(smallCore.module, 'small') + await glueModule(smallCore.glue));
writeFileSync(at('build/modules/verify-inline.js'), inlineModule(readFileSync(verifier), 'verify'));
writeFileSync(at('build/modules/relay-inline.js'), inlineModule(readFileSync(relay), 'relay'));

await build({
  entryPoints: [at('build/modules/index.js')],
  outdir: at('dist'),
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  sourcemap: true,
  sourcesContent: true,
  chunkNames: '[name]',
  legalComments: 'none',
  logLevel: 'warning',
});
// A map of a chunk with a compiled module would only repeat its text.
for (const name of readdirSync(at('dist'))) {
  if (!/^(wasm-.*|.*-inline|relay)\.js$/.test(name)) continue;
  rmSync(at('dist', `${name}.map`), { force: true });
  writeFileSync(at('dist', name), readFileSync(at('dist', name), 'utf8').replace(/\/\/# sourceMappingURL=.*\n?$/, ''));
}
await buildEntries(at);
await squeezed();
const declared = new Set();
for (const name of ['index', ...Object.values(ENTRIES)]) copyDeclarations(`${name}.d.ts`, declared);
writeFileSync(at('dist/core_bg.wasm'), core.module);
const { notices, bill } = thirdParties(at('..'), root);
writeFileSync(at('dist/THIRD-PARTY.txt'), notices);
writeFileSync(at('dist/sbom.cdx.json'), bill);
for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) if (existsSync(at('..', name))) copyFileSync(at('..', name), at(name));

/** Minifies what was bundled once more: after compression the second minifier leaves 4 % less of the first one's scripts. */
async function squeezed() {
  for (const name of readdirSync(at('dist'), { recursive: true })) {
    if (!name.endsWith('.js')) continue;
    const map = existsSync(at('dist', `${name}.map`)) && at('dist', `${name}.map`);
    const result = await minify(readFileSync(at('dist', name), 'utf8'), {
      module: true, ecma: 2022, compress: { ecma: 2022, passes: 2 },
      ...(map ? { sourceMap: { content: readFileSync(map, 'utf8'), url: path.basename(map), includeSources: true } } : {}),
    });
    writeFileSync(at('dist', name), result.code);
    if (map) writeFileSync(map, result.map);
  }
}

/**
 * The generated bindings keep their instance in module variables; inside a function, each call has its own. What they
 * bring for fetching and compiling falls away: the package does that itself.
 */
async function glueModule(source) {
  writeFileSync(at('build/modules/bindings.js'), `${trimmed(source)}
export async function start(module) {
  return __wbg_finalize_init(await WebAssembly.instantiate(module, __wbg_get_imports()), module);
}
`);
  const { outputFiles: [{ text }] } = await build({
    stdin: { contents: "export { Core, start } from './bindings.js';", resolveDir: at('build/modules') },
    bundle: true, format: 'esm', target: 'es2022', write: false, legalComments: 'none', logLevel: 'warning',
  });
  const body = text.replace(/export \{\s*Core,\s*start\s*\};\s*$/, 'return { Core, start };');
  if (body === text) throw new Error('expected the bindings to end with their exports');
  return `export function glue() {\n${body}\n}\n`;
}

/**
 * Leaves out of the bindings what is only there for others: text goes to the core by the browser's encoder at once, where a loop over
 * its characters would run before it is optimised; all browsers that run the core have `encodeInto`; and nobody outside sees the class.
 */
function trimmed(source) {
  const edits = [
    [/function passStringToWasm0\(arg, malloc, realloc\) \{\n +if \(realloc === undefined\) \{\n([\s\S]*?return ptr;\n) +\}\n[\s\S]*?\n\}\n/, 'function passStringToWasm0(arg, malloc) {\n$1}\n'],
    [/, wasm\.__wbindgen_realloc\)/g, ')'],
    [/if \(!\('encodeInto' in cachedTextEncoder\)\) \{[\s\S]*?\n\}\n/, ''],
    [/if \(Symbol\.dispose\) .*\n/g, ''],
    [/^ +wasm(Instance|Module) = .*\n/gm, ''],
  ];
  return edits.reduce((text, [pattern, put]) => {
    if (text.search(pattern) < 0) throw new Error(`expected ${pattern} in the bindings: has wasm-bindgen new ones?`);
    return text.replace(pattern, put);
  }, source);
}

/**
 * Gives the functions that the module imports names of one or two letters, in the module and in its bindings: the
 * generated ones end in hashes, which do not compress.
 */
function slimmed(module, glue) {
  const IMPORTS = 2;
  const names = new Map();
  const sections = [];
  const reader = { at: 8 };
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = module[reader.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  const bytesOf = (value) => value < 128 ? [value] : [(value & 127) | 128, ...bytesOf(Math.floor(value / 128))];
  while (reader.at < module.length) {
    const start = reader.at;
    const id = module[reader.at++];
    const size = number();
    const end = reader.at + size;
    if (id === IMPORTS) {
      const count = number();
      const body = bytesOf(count);
      for (let i = 0; i < count; i++) {
        const from = reader.at;
        const moduleLength = number();
        reader.at += moduleLength;
        body.push(...module.subarray(from, reader.at));
        const length = number();
        const name = module.toString('utf8', reader.at, reader.at += length);
        const kind = module[reader.at++];
        if (kind !== 0) throw new Error(`expected imported functions only, got kind ${kind} for ${name}`);
        const type = number();
        if (!names.has(name)) names.set(name, `i${names.size.toString(36)}`);
        const short = Buffer.from(names.get(name));
        body.push(...bytesOf(short.length), ...short, kind, ...bytesOf(type));
      }
      sections.push(Buffer.from([id, ...bytesOf(body.length), ...body]));
    } else {
      sections.push(module.subarray(start, end));
    }
    reader.at = end;
  }
  const renamed = glue.replace(/\b__wb[a-z]+_\w+(?=: function)/g, (name) => names.get(name) ?? name);
  for (const name of names.keys()) if (new RegExp(`\\b${name}: function`).test(renamed)) throw new Error(`${name} keeps its name in the bindings`);
  return { module: Buffer.concat([module.subarray(0, 8), ...sections]), glue: renamed };
}

/** Copies a declaration file and those it refers to; the others are nobody's business. */
function copyDeclarations(name, done) {
  if (done.has(name)) return;
  done.add(name);
  const text = readFileSync(at('build/modules', name), 'utf8').replace(/\/\/# sourceMappingURL=.*\n?$/, '');
  mkdirSync(path.dirname(at('dist', name)), { recursive: true });
  writeFileSync(at('dist', name), text);
  for (const [, reference] of text.matchAll(/from '(\.[^']+)\.js'/g)) {
    copyDeclarations(path.join(path.dirname(name), `${reference}.d.ts`), done);
  }
}
