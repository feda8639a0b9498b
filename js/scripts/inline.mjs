// The compiled core as printable text, which no bundler can take for anything but a string. How the text is read: `unpack/` in the sources.
import { readFileSync } from 'node:fs';
import { unpack } from '../build/modules/unpack.js';

const STREAMS = 14;
/** Begin a byte of two characters. */
const PREFIXES = [33, 34];
/** Stand for no byte of their own: the prefixes, the quote, the backslash. */
const RESERVED = [...PREFIXES, 39, 92];
/** Characters that stand for bytes, in order. */
const CHARACTERS = Array.from({ length: 95 }, (_, index) => 32 + index).filter((code) => !RESERVED.includes(code));

const wasm = (name) => readFileSync(new URL(`../build/wasm/${name}.wasm`, import.meta.url));

/**
 * A module that gives the bytes of `module`; see src/unpack.ts. The name keeps the copies of the reader apart: a chunk that shared it
 * would wait for a second file.
 */
export function inlineModule(module, name) {
  const unpacker = wasm('unpack').toString('hex');
  const text = apart(module).map(textOf).join('');
  // Numbers in a module may be written longer than they need be; such a module would come back changed.
  if (Buffer.compare(unpack(text, module.length, unpacker), module) !== 0) throw new Error('expected the streams to give the module, got other bytes');
  return `import { unpack } from './unpack.js?${name}';
export function bytes() {
  return unpack('${text}', ${module.length}, '${unpacker}');
}
`;
}

/** The streams of a module, each as bytes. */
function apart(module) {
  const { memory, room, apart: take } = new WebAssembly.Instance(new WebAssembly.Module(wasm('apart'))).exports;
  const bytes = new Uint8Array(memory.buffer, room());
  return Array.from({ length: STREAMS }, (_, stream) => {
    bytes.set(module);
    const start = (1 + stream) * module.length;
    return bytes.slice(start, start + take(module.length, stream));
  });
}

/** A number below 16 as one character. */
const digit = (value) => String.fromCharCode(48 + value);

/** One stream. The most frequent bytes are one character each, in their order, so that numbers near each other stay so. */
function textOf(stream) {
  const counts = new Uint32Array(256);
  for (const byte of stream) counts[byte]++;
  const singles = [...counts.keys()].filter((byte) => counts[byte] > 0).sort((a, b) => counts[b] - counts[a] || a - b).slice(0, CHARACTERS.length);
  const others = [...counts.keys()].filter((byte) => !singles.includes(byte));
  const character = (index) => String.fromCharCode(CHARACTERS[index]);
  const text = [];
  singles.sort((a, b) => a - b).forEach((byte, index) => { text[byte] = character(index); });
  others.forEach((byte, index) => {
    text[byte] = String.fromCharCode(PREFIXES[Math.floor(index / CHARACTERS.length)]) + character(index % CHARACTERS.length);
  });
  let head = '';
  for (let byte = 0; byte < 256; byte += 4) head += digit([0, 1, 2, 3].reduce((bits, bit) => bits + (singles.includes(byte + bit) ? 1 << bit : 0), 0));
  const body = Array.from(stream, (byte) => text[byte]).join('');
  return head + [0, 4, 8, 12, 16, 20].map((shift) => digit(body.length >> shift & 15)).join('') + body;
}
