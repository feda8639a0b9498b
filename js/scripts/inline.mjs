// The compiled core as printable text, which no bundler can take for anything but a string.
import { brotliCompressSync } from 'node:zlib';
import { CHARACTERS, placed, PREFIXES, STREAMS, unpack, walk } from '../build/modules/wasm-streams.js';

/**
 * A module that gives the bytes of `module`; see src/wasm-streams.ts. The name keeps the copies of the reader apart: a chunk that
 * shared it would wait for a second file.
 */
export function inlineModule(module, name) {
  const streams = apart(module).map((stream) => shorter(textOf(stream, 0), textOf(stream, 1)));
  // Numbers in a module may be written longer than they need be; such a module would come back changed.
  let back;
  try { back = unpack(streams, module.length); } catch { back = new Uint8Array(); }
  if (Buffer.compare(back, module) !== 0) throw new Error('expected the streams to give the module, got other bytes');
  return `import { unpack } from './wasm-streams.js?${name}';
const streams = [
${streams.map(([singles, keeps, text]) => `  ['${singles}', ${keeps}, '${text}'],\n`).join('')}];
export function bytes() {
  return unpack(streams, ${module.length});
}
`;
}

/** The streams of a module, each a list of bytes. */
export function apart(module) {
  const streams = Array.from({ length: STREAMS }, () => []);
  let at = 0;
  const read = () => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = module[at++];
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  walk({
    more: () => at < module.length,
    byte(stream) {
      streams[stream].push(module[at]);
      return module[at++];
    },
    coded(stream, code) {
      const value = read();
      let rest = code(value);
      for (; rest > 127; rest = Math.floor(rest / 128)) streams[stream].push(rest % 128 + 128);
      streams[stream].push(rest);
      return value;
    },
    sized(body) {
      read();
      body();
    },
  });
  return streams;
}

function shorter(one, other) {
  const size = ([, , text]) => brotliCompressSync(text).length;
  return size(one) <= size(other) ? one : other;
}

/**
 * The most frequent bytes are one character each: in their order, so that numbers near each other stay so, or themselves where they
 * are characters, so that text stays text.
 */
function textOf(stream, keeps) {
  const counts = new Uint32Array(256);
  for (const byte of stream) counts[byte]++;
  const used = [...counts.keys()].filter((byte) => counts[byte] > 0).sort((a, b) => counts[b] - counts[a] || a - b);
  const singles = used.slice(0, CHARACTERS.length).sort((a, b) => a - b);
  const text = [];
  const character = (index) => String.fromCharCode(CHARACTERS[index]);
  placed(singles, keeps === 1).forEach((byte, index) => { if (byte !== undefined) text[byte] = character(index); });
  [...counts.keys()].filter((byte) => !singles.includes(byte)).forEach((byte, index) => {
    text[byte] = String.fromCharCode(PREFIXES[Math.floor(index / CHARACTERS.length)]) + character(index % CHARACTERS.length);
  });
  let mask = '';
  for (let byte = 0; byte < 256; byte += 4) {
    mask += [0, 1, 2, 3].reduce((digit, bit) => digit + (singles.includes(byte + bit) ? 1 << bit : 0), 0).toString(16);
  }
  return [mask, keeps, stream.map((byte) => text[byte]).join('')];
}
