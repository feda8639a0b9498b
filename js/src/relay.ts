// Oblivious HTTP (RFC 9458) for one record: the relay sees who and never what, the gateway what and never who. With the compiled client, in a
// chunk of its own, for apps that name a relay.
import { bytes } from './relay-inline.js';

interface Client {
  readonly memory: WebAssembly.Memory;
  input(): number;
  room(): number;
  encapsulate(keys: number, authority: number, path: number): number;
  open(length: number): number;
}

/** Bytes of entropy for one request. */
export const ENTROPY_BYTES = 32;

/** By the client's number: what is wrong. The first three lie with the app and stay so. */
const PROBLEMS: Readonly<Record<number, string>> = {
  '-1': 'the keys and the address are too long',
  '-2': 'expected key configurations (RFC 9458, section 3) of which one has DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM',
  '-3': 'the address of the collector is too long: host and path may have 206 bytes',
  '-4': 'the public key in the key configuration is none',
  '-5': 'the answer is not one to this request',
  '-6': 'the answer holds no response',
};

/** A request for the relay, and what reads its answer: the status of the response in it. */
export interface Encapsulated {
  readonly request: Uint8Array<ArrayBuffer>;
  open(answer: Uint8Array): number;
}

let compiled: Promise<WebAssembly.Module> | undefined;

/**
 * Encapsulates a POST of `content` to `url`. With an instance of its own, so that nothing of one request is there for the next. Throws
 * where keys or address cannot be used.
 */
export async function encapsulate(keys: Uint8Array | string, url: string | URL, content: Uint8Array, entropy: Uint8Array): Promise<Encapsulated> {
  const target = new URL(url);
  if (target.protocol !== 'https:') throw new Error(`expected an https address behind the relay, got ${target.protocol}`);
  const parts = [entropy, content, bytesOf(keys), ...[target.host, target.pathname + target.search].map((text) => new TextEncoder().encode(text))];
  // Refused once is not refused for ever: the page's policy may differ in another document.
  compiled ??= WebAssembly.compile(bytes());
  compiled.catch(() => { compiled = undefined; });
  const client = (await WebAssembly.instantiate(await compiled)).exports as unknown as Client;
  const room = () => new Uint8Array(client.memory.buffer, client.input(), client.room());
  if (parts.reduce((sum, part) => sum + part.length, 0) > client.room()) throw new Error(PROBLEMS[-1]);
  let at = 0;
  for (const part of parts) {
    room().set(part, at);
    at += part.length;
  }
  const length = checked(client.encapsulate(...parts.slice(2).map((part) => part.length) as [number, number, number]));
  return {
    request: room().slice(0, length),
    open(answer) {
      if (answer.length > client.room()) throw new Error(`expected an answer of at most ${client.room()} bytes, got ${answer.length}`);
      room().set(answer);
      return checked(client.open(answer.length));
    },
  };
}

function checked(result: number): number {
  if (result < 0) throw new Error(PROBLEMS[result]);
  return result;
}

/** Keys as bytes; as text they are in base64, of either alphabet. */
function bytesOf(keys: Uint8Array | string): Uint8Array {
  if (typeof keys !== 'string') return keys;
  return Uint8Array.from(atob(keys.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0));
}
