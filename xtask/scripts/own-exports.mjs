// Takes away every export but the named functions and the memory: `node own-exports.mjs MODULE NAME...`, in place, before wasm-opt, which then
// drops what only the others called. Custom sections go too: what the glue would have been made from is a third of the module. What would ask the host for something becomes a trap: the module is given nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from '../node_modules/binaryen/index.js';

const [file, ...names] = process.argv.slice(2);
const wanted = new Set([...names, 'memory']);
const module = binaryen.readBinary(readFileSync(file));
const exported = Array.from({ length: module.getNumExports() }, (_, index) => binaryen.getExportInfo(module.getExportByIndex(index)).name);
const missing = [...wanted].filter((name) => !exported.includes(name));
if (missing.length > 0) throw new Error(`expected the exports ${missing.join(', ')} in ${file}, found ${exported.length} others`);
for (const name of exported) if (!wanted.has(name)) module.removeExport(name);

const imported = Array.from({ length: module.getNumFunctions() }, (_, index) => binaryen.getFunctionInfo(module.getFunctionByIndex(index)))
  .filter(({ module: from }) => from !== '');
for (const { name, params, results } of imported) {
  module.removeFunction(name);
  module.addFunction(name, params, results, [], module.unreachable());
}
writeFileSync(file, withoutCustomSections(module.emitBinary()));
const left = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(file)));
if (left.length > 0) throw new Error(`expected no imports in ${file}, found ${left.map(({ module: from, name }) => `${from}.${name}`).join(', ')}`);

/** The binary without its sections of kind 0, which no engine reads. */
function withoutCustomSections(bytes) {
  const kept = [bytes.slice(0, 8)];
  for (let at = 8; at < bytes.length;) {
    let [end, length] = [at + 1, 0];
    for (let shift = 0, more = true; more; shift += 7) {
      length |= (bytes[end] & 127) << shift;
      more = (bytes[end] & 128) !== 0;
      end += 1;
    }
    if (bytes[at] !== 0) kept.push(bytes.slice(at, end + length));
    at = end + length;
  }
  return Buffer.concat(kept);
}
