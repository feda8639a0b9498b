// Runs every toolchain, or with `--only TEXT` those whose name contains it, and says how each went. `--json FILE` writes that down, with the
// bytes of the adapters and the memory of long lives.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { FIXTURES, runFixture } from './fixtures.mjs';
import { soak } from './soak.mjs';
import { finish } from './workshop.mjs';

const { values: { only = '', json } } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'string' } } });
const fixtures = [];
for (const fixture of FIXTURES.filter(({ name }) => name.includes(only))) {
  const began = performance.now();
  let problem = null;
  try {
    await runFixture(fixture);
  } catch (error) {
    problem = error.message;
  }
  const seconds = Math.round(performance.now() - began) / 1000;
  fixtures.push({ name: fixture.name, problem, seconds });
  console.log(`${problem === null ? 'ok    ' : 'FAILED'} ${seconds.toFixed(1).padStart(6)} s  ${fixture.name}${problem === null ? '' : `\n${problem}`}`);
}
const lives = only === '' ? await soak({ warm: 20_000, cycles: 100_000, mounts: 1_000, homes: 1_000 }) : undefined;
if (lives) console.log(JSON.stringify(lives));
await finish();
const adapters = ['react', 'vue', 'svelte'].map((name) => {
  const code = readFileSync(new URL(`../../../js/dist/adapters/${name}.js`, import.meta.url));
  return { name, brotli: brotliCompressSync(code).length };
});
if (json) writeFileSync(json, JSON.stringify({ format: 1, fixtures, adapters, lives }));
else process.exitCode = fixtures.every(({ problem }) => problem === null) ? 0 : 1;
