// Packs a compiled module into a classic script, as the package packs its cores: node pack.mjs MODULE SCRIPT. The script makes a global `packed` whose
// `bytes()` is the module.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { inlineModule } from '../../js/scripts/inline.mjs';

const [module, script] = process.argv.slice(2);
const { build } = createRequire(new URL('../../js/package.json', import.meta.url))('esbuild');
await build({
  stdin: { contents: inlineModule(readFileSync(module), 'packed'), resolveDir: fileURLToPath(new URL('../../js/build/modules', import.meta.url)) },
  outfile: script,
  bundle: true,
  format: 'iife',
  globalName: 'packed',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
});
