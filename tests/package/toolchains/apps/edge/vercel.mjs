// The package in runtimes without a listener, each a context of its own: the answers of all, one JSON line.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { EdgeVM } from '@edge-runtime/vm';

const code = readFileSync(new URL('./dist/probe.js', import.meta.url), 'utf8');
const found = {};
const add = (name, answers) => { for (const [what, answer] of Object.entries(answers)) found[`${name}: ${what}`] = answer; };
const blocked = `for (const name of ['compile', 'compileStreaming', 'instantiate', 'instantiateStreaming', 'validate', 'Module', 'Instance']) {
  if (name in WebAssembly) WebAssembly[name] = function () { throw new WebAssembly.CompileError('Wasm code generation disallowed by embedder'); };
}`;

/** In Vercel's runtime, as it is and with what its production forbids. */
for (const [name, before, options] of [['as it is', '', '{}'], ['no compiling', blocked, '{}'], ['no compiling, and told to rank', blocked, "{ storage: 'memory' }"], ['no WebAssembly', 'delete globalThis.WebAssembly', "{ storage: 'memory' }"]]) {
  const edge = new EdgeVM();
  edge.evaluate(`${before};\n${code}`);
  add(`edge-runtime, ${name}`, await edge.evaluate(`probing.probe(${options})`));
}
/** In a bare context: no timers but these, no fetch, no crypto. */
for (const [name, before, options, globals] of [
  ['no WebAssembly', 'delete globalThis.WebAssembly', "{ storage: 'memory' }", {}],
  ['no compiling', blocked, "{ storage: 'memory' }", {}],
  ['a worker\'s names', '', '{}', { WorkerGlobalScope: class {} }],
]) {
  const context = vm.createContext({ setTimeout, clearTimeout, console, URL, TextEncoder, TextDecoder, ...globals });
  vm.runInContext(`${before};\n${code}`, context);
  add(`bare context, ${name}`, await vm.runInContext(`probing.probe(${options})`, context));
}
console.log(JSON.stringify({ found }));
