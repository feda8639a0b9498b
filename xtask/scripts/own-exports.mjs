// Takes away every export but the named functions and the memory: `node own-exports.mjs MODULE NAME...`, in place, before wasm-opt, which then
// drops what only the others called. What would ask the host for something becomes a trap: the module is given nothing.
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
writeFileSync(file, module.emitBinary());
const left = WebAssembly.Module.imports(new WebAssembly.Module(readFileSync(file)));
if (left.length > 0) throw new Error(`expected no imports in ${file}, found ${left.map(({ module: from, name }) => `${from}.${name}`).join(', ')}`);
