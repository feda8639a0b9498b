// Ed25519 and SHA-256: the browser's own, or a small wasm module where it has none.

/** What the verification of published files rests on. */
export interface Checks {
  /** Whether `signature` (64 bytes) is the Ed25519 signature of `message` by `key` (32 bytes). */
  verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
  sha256(bytes: Uint8Array): Promise<Uint8Array>;
}

/** RFC 8032, section 7.1, test 1: what the browser must verify before its Ed25519 is used. */
const PROBE_KEY = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const PROBE_SIGNATURE = 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b';

/**
 * The browser's checks, or those of the lazily loaded module: where Ed25519 is missing (Chrome before 137, Firefox before 129, Safari
 * before 17), and on pages without a secure context, which have no WebCrypto at all.
 */
export async function findChecks(subtle: SubtleCrypto | undefined): Promise<Checks> {
  return await nativeChecks(subtle) ?? await wasmChecks();
}

async function nativeChecks(subtle: SubtleCrypto | undefined): Promise<Checks | undefined> {
  if (subtle === undefined) return undefined;
  const verify = async (key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> => {
    const imported = await subtle.importKey('raw', own(key), 'Ed25519', false, ['verify']);
    return subtle.verify('Ed25519', imported, own(signature), own(message));
  };
  try {
    if (!await verify(fromHex(PROBE_KEY), new Uint8Array(), fromHex(PROBE_SIGNATURE))) return undefined;
  } catch {
    return undefined;
  }
  return {
    // A key that is no point of the curve cannot be imported: it verifies nothing.
    verify: (key, message, signature) => verify(key, message, signature).catch(() => false),
    sha256: async (bytes) => new Uint8Array(await subtle.digest('SHA-256', own(bytes))),
  };
}

interface Verifier {
  readonly memory: WebAssembly.Memory;
  /** Where the module reads from. */
  input(): number;
  /** How many bytes fit there. */
  room(): number;
  /** Key, signature and message stand in a row; the length is the message's. 1 when they belong together. */
  verify(length: number): number;
  start(): void;
  update(length: number): void;
  /** The digest then stands in the first 32 bytes. */
  finish(): void;
}

/** The checks of the wasm module. */
export async function wasmChecks(): Promise<Checks> {
  const { bytes } = await import('./verify-inline.js');
  const { instance } = await WebAssembly.instantiate(bytes());
  const verifier = instance.exports as unknown as Verifier;
  const at = (length: number) => new Uint8Array(verifier.memory.buffer, verifier.input(), length);
  const room = verifier.room();
  return {
    async verify(key, message, signature) {
      if (key.length !== 32 || signature.length !== 64 || 96 + message.length > room) return false;
      const input = at(96 + message.length);
      input.set(key);
      input.set(signature, 32);
      input.set(message, 96);
      return verifier.verify(message.length) === 1;
    },
    async sha256(bytes) {
      verifier.start();
      for (let from = 0; from < bytes.length; from += room) {
        const part = bytes.subarray(from, from + room);
        at(part.length).set(part);
        verifier.update(part.length);
      }
      verifier.finish();
      return at(32).slice();
    },
  };
}

/** The type that WebCrypto asks for: none of ours is shared between threads. */
function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> { return bytes as Uint8Array<ArrayBuffer>; }

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
