// Makes every panic a bare trap: `node quiet-panics.mjs MODULE [--names]`, in place, before wasm-opt; with the functions' names if wanted.
//
// A panic in the browser prints nothing and traps; the package sees the trap and shows that page in the server's order.
// The message that is put together first is read by nobody. Where the stable compiler can only be asked to abort after
// the message, the functions that begin a panic become `unreachable` here; wasm-opt then drops their arguments at each
// call. The checks themselves stay: what trapped before traps now. Paths and lines of the source, which only panics
// read, become zeros.
import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from '../node_modules/binaryen/index.js';

const DATA = 11;
/** Start of a panic in the standard library, without the hashes of crates. */
const PANICS = new RegExp([
  '^core::panicking::',
  '^core::(option|result|cell|slice|str)::.*(_failed|_fail|panic_already_\\w+)$',
  '^alloc::(raw_vec::(handle_error|capacity_overflow)|alloc::handle_alloc_error)$',
  '^std::(panicking|sys::backtrace|alloc::rust_oom)',
  '^__rustc::(rust_begin_unwind|rust_panic|__rust_alloc_error_handler)$',
  '::assert_failed$',
  'Fallibility>::capacity_overflow$',
].join('|'));
/** Writing for developers: only messages of panics and logs want it, never those of errors. */
const DEBUG = / as core::fmt::Debug>::fmt$|^<?core::fmt::builders::/;
/** Without this one the standard library has new names, and the list above wants a look. */
const NEEDED = 'core::panicking::panic_fmt';
/** Files of the standard library, of crates and of this one. */
const PATHS = /(?:\/rustc\/[0-9a-f]{40}\/library\/|\/rust\/deps\/|\/[\w./@-]*?\/registry\/src\/[\w.-]+\/|src\/)[\w./-]*?\.rs/g;

const [file, names] = process.argv.slice(2);
binaryen.setDebugInfo(names === '--names');
const module = binaryen.readBinary(withoutLocations(readFileSync(file)));
const quieted = [];
for (let index = 0; index < module.getNumFunctions(); index++) {
  const reference = module.getFunctionByIndex(index);
  const name = plain(binaryen.getFunctionInfo(reference).name);
  if (!PANICS.test(name) && !DEBUG.test(name)) continue;
  binaryen.Function.setBody(reference, module.unreachable());
  quieted.push(name);
}
if (!quieted.includes(NEEDED)) throw new Error(`expected a function ${NEEDED} in ${file}, found none: has the compiler new names?`);
writeFileSync(file, module.emitBinary());

/** A function's name without escapes and hashes. wasm-bindgen leaves paths behind; the compiler's own symbols are taken apart. */
function plain(name) {
  if (name.startsWith('_R')) return path(name.replaceAll(/Cs[0-9A-Za-z]+_/g, ''));
  return name.replace(/\\([0-9a-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16))).replace(/\[[0-9a-f]{8,}\]/g, '');
}

/** The identifiers of a symbol (v0 mangling: each after its length), joined as a path. */
function path(symbol) {
  const parts = [];
  for (let at = 0; at < symbol.length;) {
    const length = /^(\d+)_?/.exec(symbol.slice(at));
    if (length === null) {
      at++;
    } else {
      at += length[0].length;
      parts.push(symbol.slice(at, at += Number(length[1])));
    }
  }
  return parts.join('::');
}

/** The module with zeros for each `core::panic::Location` (address of a path, its length, line, column) and its path. */
function withoutLocations(module) {
  const segments = dataSegments(module);
  const paths = new Map();
  for (const { address, from, to } of segments) {
    for (const { index, 0: path } of module.toString('latin1', from, to).matchAll(PATHS)) paths.set(address + index, path.length);
  }
  const zeros = [];
  for (const { address, from, to } of segments) {
    for (let at = from + (-address & 3); at + 16 <= to; at += 4) {
      if (paths.get(module.readUInt32LE(at)) === module.readUInt32LE(at + 4)) zeros.push([at, at + 16]);
    }
    for (const [start, length] of paths) {
      if (start >= address && start < address + to - from) zeros.push([from + start - address, from + start - address + length]);
    }
  }
  for (const [from, to] of zeros) module.fill(0, from, to);
  return module;
}

/** Where each data segment lies: its address in memory, its bytes in the file. */
function dataSegments(module) {
  const reader = { at: 8 };
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = module[reader.at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (reader.at < module.length) {
    const id = module[reader.at++];
    const size = number();
    if (id !== DATA) {
      reader.at += size;
      continue;
    }
    return Array.from({ length: number() }, () => {
      if (module[reader.at++] !== 0 || module[reader.at++] !== 0x41) throw new Error('expected data at constant addresses');
      const address = number();
      if (module[reader.at++] !== 0x0b) throw new Error('expected the end of an address');
      const length = number();
      const from = reader.at;
      reader.at += length;
      return { address, from, to: from + length };
    });
  }
  return [];
}
