// What the bytes of a module are: `node parts.mjs MODULE`, JSON. The module has its functions' names; a function that was inlined counts
// where it went.
import { readFileSync } from 'node:fs';
import binaryen from '../node_modules/binaryen/index.js';

const IMPORTS = { 2: 'imports', 7: 'exports', 11: 'data' };
const CODE = 10;
const OWN = 'ears_only';
const STANDARD = ['core', 'alloc', 'std', 'compiler_builtins', '__rustc', 'memchr', 'hashbrown'];

const bytes = readFileSync(process.argv[2]);
const module = binaryen.readBinary(bytes);
const names = [];
for (let index = 0; index < module.getNumFunctions(); index++) {
  const info = binaryen.getFunctionInfo(module.getFunctionByIndex(index));
  if (!info.module) names.push(info.name);
}

let at = 8;
const number = () => {
  for (let value = 0, unit = 1; ; unit *= 128) {
    const byte = bytes[at++];
    value += (byte & 127) * unit;
    if (byte < 128) return value;
  }
};
const parts = {};
const largest = [];
const add = (part, size) => { parts[part] = (parts[part] ?? 0) + size; };
while (at < bytes.length) {
  const start = at;
  const section = bytes[at++];
  const size = number();
  const end = at + size;
  // Names are not in what ships.
  if (section !== CODE) { if (section !== 0) add(IMPORTS[section] ?? 'types, tables and the rest', end - start); }
  else for (let index = 0, count = number(); index < count; index++) {
    const began = at;
    const body = number();
    at += body;
    const name = plain(names[index]);
    add(partOf(name), at - began);
    largest.push({ name, bytes: at - began });
  }
  at = end;
}
largest.sort((a, b) => b.bytes - a.bytes);
console.log(JSON.stringify({ parts, largest: largest.slice(0, 20) }));

/** Without escapes and hashes. */
function plain(name) {
  return name.replace(/\\([0-9a-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16))).replace(/\[[0-9a-f]{8,}\]/g, '').replace(/::h[0-9a-f]{16}$/, '');
}

/** The crate a function is of, or the module of ours; a method of a trait is its type's. */
function partOf(name) {
  const [, crate, inner] = /^[<&*( ]*(?:mut |const |dyn )*\[?([a-z_]\w*)::(?:([a-z_]\w*)::)?/.exec(name) ?? [];
  if (crate === OWN) return inner ? `our ${inner}` : 'our exports';
  // What JavaScript calls, with all that is only called from there.
  if (crate === undefined) return /^core_\w+/.test(name) ? `call ${/^core_(\w+)/.exec(name)[1]}` : 'glue';
  return STANDARD.includes(crate) ? 'standard library' : crate;
}
