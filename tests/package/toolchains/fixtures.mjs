// The toolchains: what each makes of an app that imports the package, with no settings but an entry and a place to write to.
import assert from 'node:assert/strict';
import { App, golden } from './workshop.mjs';

const module = (file) => `<!doctype html><meta charset="utf-8"><script type="module" src="./${file}"></script>`;
const IMPORT_MAP = '<script type="importmap">{"imports":{"ears-only":"/node_modules/ears-only/dist/index.js"}}</script>';

/** `tools: 'more'`: its tools are too large to be installed for every test. */
export const FIXTURES = [
  { name: 'Vite 8, build', kind: 'plain', run: built },
  { name: 'Vite 8, build, ears-only/url', kind: 'url', run: built },
  { name: 'Vite 8, dev, ears-only/url', kind: 'url', run: (app) => dev(app, app.bin('vite')) },
  { name: 'Vite 8, dev', kind: 'plain', run: (app) => dev(app, app.bin('vite')) },
  {
    name: 'Vite 5, build', kind: 'plain',
    async run(app) {
      await app.run(process.execPath, app.bin('vite-5/bin/vite.js'), 'build');
      return app.opened('dist');
    },
  },
  { name: 'Vite 5, dev', kind: 'plain', run: (app) => dev(app, process.execPath, app.bin('vite-5/bin/vite.js')) },
  { name: 'webpack 5', kind: 'plain', run: webpack },
  { name: 'webpack 5, ears-only/url', kind: 'url', run: webpack },
  {
    name: 'esbuild', kind: 'plain',
    async run(app) {
      await app.run(app.bin('esbuild'), 'main.js', '--bundle', '--format=esm', '--outfile=dist/out.js');
      app.write('dist/index.html', module('out.js'));
      return app.opened('dist');
    },
  },
  {
    name: 'Rollup', kind: 'plain',
    async run(app) {
      await app.run(app.bin('rollup'), 'main.js', '-p', '@rollup/plugin-node-resolve', '--dir', 'dist', '--format', 'es');
      app.write('dist/index.html', module('main.js'));
      return app.opened('dist');
    },
  },
  {
    name: 'script module, no bundler', kind: 'plain',
    run(app) {
      app.write('index.html', `<!doctype html><meta charset="utf-8">${IMPORT_MAP}<script type="module" src="./main.js"></script>`);
      return app.opened('.');
    },
  },
  { name: 'Node, import', kind: 'node', run: (app) => app.printed(process.execPath, 'run.mjs') },
  { name: 'Node, require', kind: 'node', run: (app) => app.printed(process.execPath, 'run.cjs') },
  { name: 'Vitest, node', kind: 'vitest', run: (app) => vitest(app, 'node') },
  { name: 'Vitest, jsdom', kind: 'vitest', run: (app) => vitest(app, 'jsdom') },
  {
    name: 'Edge runtime (Vercel), without compiling', kind: 'edge',
    async run(app) {
      await app.run(app.bin('esbuild'), 'probe.js', '--bundle', '--format=iife', '--global-name=probing', '--outfile=dist/probe.js');
      return app.printed(process.execPath, 'vercel.mjs');
    },
  },
  { name: 'React 19 on Vite', kind: 'react', run: built },
  { name: 'Vue 3 on Vite', kind: 'vue', run: built },
  { name: 'Svelte 5 on Vite', kind: 'svelte', run: built },
  { name: 'Next.js 16, Turbopack', kind: 'next', tools: 'more', run: (app) => next(app, '--turbopack') },
  { name: 'Next.js 16, webpack', kind: 'next', tools: 'more', run: (app) => next(app, '--webpack') },
  {
    name: 'Rolldown', kind: 'plain', tools: 'more',
    async run(app) {
      await app.run(app.bin('rolldown'), 'main.js', '--dir', 'dist', '--format', 'es');
      app.write('dist/index.html', module('main.js'));
      return app.opened('dist');
    },
  },
  { name: 'Parcel 2', kind: 'plain', tools: 'more', run: parcel },
  { name: 'Parcel 2, ears-only/url', kind: 'url', tools: 'more', run: parcel },
  { name: 'React 19 on Parcel', kind: 'react', tools: 'more', run: parcel },
  {
    name: 'Bun, build', kind: 'plain', tools: 'more',
    async run(app) {
      await app.run(app.bin('bun'), 'build', 'main.js', '--outdir', 'dist', '--target', 'browser');
      app.write('dist/index.html', module('main.js'));
      return app.opened('dist');
    },
  },
  { name: 'Bun, run', kind: 'node', tools: 'more', run: (app) => app.printed(app.bin('bun'), 'run', 'run.mjs') },
  {
    name: 'workerd (Cloudflare)', kind: 'edge', tools: 'more',
    async run(app) {
      await app.run(app.bin('../../node_modules/.bin/esbuild'), 'worker.js', '--bundle', '--format=esm', '--outfile=dist/worker.js');
      return app.serving(async (address) => (await fetch(address)).json(), app.bin('workerd'), 'serve', 'config.capnp', '--socket-addr', 'http=127.0.0.1:PORT');
    },
  },
  { name: 'Deno, run', kind: 'node', tools: 'more', run: (app) => app.printed(app.bin('deno'), 'run', '-A', '--node-modules-dir=manual', 'run.mjs') },
];

function dev(app, ...program) {
  return app.serving((address) => app.opened('.', address), ...program, '--host', '127.0.0.1', '--port', 'PORT', '--strictPort');
}

async function webpack(app) {
  await app.run(app.bin('webpack'), '--mode', 'production', '--entry', './main.js', '-o', 'dist');
  app.write('dist/index.html', '<!doctype html><meta charset="utf-8"><script src="./main.js"></script>');
  return app.opened('dist');
}

async function parcel(app) {
  await app.run(app.bin('parcel'), 'build', 'index.html', '--dist-dir', 'dist', '--no-cache', '--public-url', './');
  return app.opened('dist');
}

async function built(app) {
  await app.run(app.bin('vite'), 'build');
  return app.opened('dist');
}

async function vitest(app, environment) {
  await app.run(app.bin('vitest'), 'run', '--environment', environment);
  return JSON.parse(app.read('result.json'));
}

async function next(app, bundler) {
  await app.run(app.bin('next'), 'build', bundler);
  return app.serving(async (address) => {
    const { lines, ...server } = await (await fetch(`${address}server`)).json();
    assert.deepEqual(server, { state: 'degraded', reason: 'server', source: 'baseline', same: true }, 'the route handler gives the server\'s order');
    judge({ lines });
    return app.opened('.', address);
  }, app.bin('next'), 'start', '-H', '127.0.0.1', '-p', 'PORT');
}

/** Fails unless the result is what the native core wrote down, or every check of an adapter holds. */
export function judge(result) {
  if (result.error) throw new Error(result.error);
  if (result.found) {
    const failed = Object.entries(result.found).filter(([, holds]) => holds !== true);
    assert.ok(Object.keys(result.found).length >= 7, 'all checks were made');
    assert.deepEqual(failed, []);
    return;
  }
  const expected = golden(result.lines.length);
  assert.ok(expected.length > 300, 'the golden file has four weeks');
  assert.equal(result.lines.length, expected.length);
  for (const [index, line] of result.lines.entries()) assert.equal(line, expected[index], `line ${index + 1}`);
}

/** Makes the app, runs the toolchain, compares. */
export async function runFixture({ name, kind, tools, run }) {
  judge(await run(new App(name, kind, tools)));
}
