// From the import to the first ranked page, in one headless Chromium: ours beside plain JavaScript, TensorFlow.js (wasm) and ONNX Runtime Web.
//   node bench/cold/run.mjs [--json FILE] [--rounds N] [--cache FOLDER] [--only NAME,NAME]
// Each app is bundled as apps are, served compressed, and loaded in a new browser context with nothing cached; rounds are interleaved, and
// each round takes the apps in another order. The browser is found by CHROME_PATH, else at /usr/bin/chromium.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress } from 'node:zlib';
import { chromium } from 'playwright-core';
import { makeCards, random } from '../cards.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const option = (name, fallback) => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? fallback : process.argv[at + 1]; };
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];
const CARDS = 1000;
const FEATURES = 64;
const BIAS = -0.5;
const EPSILON = 0.1;
/** Each app, and the files that it fetches beside its bundle. */
const APPS = {
  ours: [],
  'ours-memory': [],
  plain: [],
  'tfjs-wasm': ['@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm'],
  'onnxruntime-web': ['onnxruntime-web/dist/ort-wasm-simd-threaded.wasm'],
};
/** The connection: none between browser and server; or a slower one. */
const NETWORKS = {
  loopback: undefined,
  '10 Mbit/s, 40 ms': { offline: false, latency: 40, downloadThroughput: 1.25e6, uploadThroughput: 1.25e6 },
};
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

// ------------------------------------------------------------------------------------------------------------------- the files

const cache = path.resolve(option('cache', path.join(os.tmpdir(), 'ears-only-cold-start')));
mkdirSync(cache, { recursive: true });

/** Compressed as a static host would; the largest take a minute, so they are kept. */
async function compressed(bytes) {
  const file = path.join(cache, `${createHash('sha256').update(bytes).digest('hex')}.br`);
  if (!existsSync(file)) writeFileSync(file, await promisify(brotliCompress)(bytes));
  return readFileSync(file);
}

const files = new Map();
const names = option('only')?.split(',') ?? Object.keys(APPS);
for (const name of names) {
  const { outputFiles } = await build({
    entryPoints: [path.join(here, `apps/${name}.js`)], outdir: path.join(here, 'out'),
    bundle: true, splitting: true, minify: true, format: 'esm', platform: 'browser', write: false, logLevel: 'error',
    external: ['fs', 'path', 'os', 'util', 'crypto', 'perf_hooks', 'worker_threads', 'node:*', 'module'],
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  for (const { path: file, contents } of outputFiles) files.set(`/${name}/${path.relative(path.join(here, 'out'), file)}`, await compressed(contents));
  for (const file of APPS[name]) files.set(`/${name}/${path.basename(file)}`, await compressed(readFileSync(path.join(here, 'node_modules', file))));
}

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  const body = files.get(pathname);
  if (pathname === '/') response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><meta charset="utf-8"><title>cold start</title>');
  else if (body) response.writeHead(200, { 'content-type': TYPES[path.extname(pathname)], 'content-encoding': 'br', 'content-length': body.length, 'cache-control': 'no-store' }).end(body);
  else response.writeHead(404).end();
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}/`;

// ------------------------------------------------------------------------------------------------------------------- one start

/** Runs in the page. Everything that an app would have anyway is made before the clock starts. */
function prepare({ cards, weights, bias, epsilon }) {
  const own = cards.map((card) => ({ ...card, features: Float32Array.from(card.features) }));
  const model = { weights: Float32Array.from(weights), bias, epsilon };
  const longTasks = [];
  const watch = new PerformanceObserver((list) => longTasks.push(...list.getEntries()));
  watch.observe({ type: 'longtask' });
  globalThis.start = async (url) => {
    const began = performance.now();
    const app = await import(url);
    const imported = performance.now();
    const ranker = await app.start(model);
    const ready = performance.now();
    const first = await ranker.rank(own);
    const ended = performance.now();
    // Long tasks are told after they end.
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    longTasks.push(...watch.takeRecords());
    const resources = performance.getEntriesByType('resource').filter(({ startTime }) => startTime >= began);
    return {
      ids: first.map(({ id }) => id),
      import: imported - began, start: ready - imported, rank: ended - ready, total: ended - began,
      requests: resources.length, bytes: resources.reduce((sum, one) => sum + one.encodedBodySize, 0),
      longest: Math.max(0, ...longTasks.map(({ duration }) => duration)),
    };
  };
}

/** Seconds that the main thread and the whole process have worked. */
async function worked(cdp) {
  const { metrics } = await cdp.send('Performance.getMetrics');
  const value = (name) => metrics.find((one) => one.name === name)?.value ?? NaN;
  return { main: value('TaskDuration'), script: value('ScriptDuration'), process: value('ProcessTime') };
}

const data = {
  cards: makeCards(CARDS, FEATURES, 1).map((card) => ({ ...card, features: [...card.features] })),
  weights: [...Float32Array.from({ length: FEATURES }, random(7))], bias: BIAS, epsilon: EPSILON,
};

async function coldStart(browser, name, network) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(address);
    const cdp = await context.newCDPSession(page);
    await cdp.send('Performance.enable');
    if (network) {
      await cdp.send('Network.enable');
      await cdp.send('Network.emulateNetworkConditions', network);
    }
    await page.evaluate(prepare, data);
    const before = await worked(cdp);
    const { ids, ...one } = await page.evaluate((url) => globalThis.start(url), `/${name}/${name}.js`);
    const after = await worked(cdp);
    if (errors.length > 0) throw new Error(`${name}: ${errors.join('; ')}`);
    for (const key of Object.keys(before)) one[key] = (after[key] - before[key]) * 1000;
    return { ids, ...one };
  } finally {
    await context.close();
  }
}

/**
 * What importing alone does: the file is fetched and compiled ahead, then only evaluated. Whatever could be work is counted: each call of
 * what a page offers for it.
 */
async function importAlone(browser) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(address);
    return await page.evaluate(async ([url, weights]) => {
      const link = Object.assign(document.createElement('link'), { rel: 'modulepreload', href: url });
      await new Promise((resolve, reject) => { Object.assign(link, { onload: resolve, onerror: reject }); document.head.append(link); });
      const requests = performance.getEntriesByType('resource').length;
      const later = globalThis.setTimeout.bind(globalThis);
      const calls = [];
      const watch = (object, path) => {
        for (const name of Object.getOwnPropertyNames(object)) {
          const own = Object.getOwnPropertyDescriptor(object, name);
          if (!own.configurable || typeof own.value !== 'function') continue;
          Object.defineProperty(object, name, { ...own, value: new Proxy(own.value, {
            apply: (target, self, values) => { calls.push(`${path}${name}`); return Reflect.apply(target, self, values); },
            construct: (target, values, made) => { calls.push(`new ${path}${name}`); return Reflect.construct(target, values, made); },
          }) });
        }
      };
      watch(WebAssembly, 'WebAssembly.');
      for (const type of [IDBFactory, Storage, CacheStorage, LockManager, Crypto, SubtleCrypto, EventTarget, Navigator]) watch(type.prototype, `${type.name}.`);
      for (const name of ['fetch', 'setTimeout', 'setInterval', 'requestIdleCallback', 'requestAnimationFrame', 'queueMicrotask', 'XMLHttpRequest', 'Worker', 'BroadcastChannel', 'Request', 'Response', 'DecompressionStream', 'TextDecoder']) {
        const target = globalThis[name];
        globalThis[name] = new Proxy(target, {
          apply: (of, self, values) => { calls.push(name); return Reflect.apply(of, self, values); },
          construct: (of, values) => { calls.push(`new ${name}`); return new of(...values); },
        });
      }
      const began = performance.now();
      const app = await import(url);
      const ms = performance.now() - began;
      // What it might have put off.
      await new Promise((resolve) => { later(resolve, 50); });
      const atImport = [...calls];
      const further = performance.getEntriesByType('resource').length - requests;
      await app.start({ weights, bias: 0, epsilon: 0.1 });
      for (const sign of ['WebAssembly.compile', 'IDBFactory.open', 'setTimeout']) {
        if (!calls.includes(sign)) throw new Error(`expected the start to be seen to call ${sign}, got ${calls.join(', ')}`);
      }
      return { ms, calls: atImport, requests: further };
    }, ['/ours/ours.js', data.weights]);
  } finally {
    await context.close();
  }
}

// ------------------------------------------------------------------------------------------------------------------- the rounds

const profile = mkdtempSync(path.join(os.tmpdir(), 'ears-only-cold-'));
const browser = await chromium.launch({ executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium', headless: true, args: FLAGS });
try {
  const rounds = Number(option('rounds', 7));
  const loadBefore = os.loadavg()[0];
  const samples = {};
  let order;
  for (let round = 0; round < rounds; round++) {
    for (const [network, conditions] of Object.entries(NETWORKS)) {
      for (let k = 0; k < names.length; k++) {
        const name = names[(k + round) % names.length];
        const { ids, ...one } = await coldStart(browser, name, conditions);
        // All rank the same cards by the same weights: but for the drawn card on top, the orders are equal.
        const [drawn, ...rest] = ids;
        order ??= { drawn, rest };
        const same = (list) => list.filter((id) => id !== drawn && id !== order.drawn).join();
        if (ids.length !== CARDS || same(rest) !== same(order.rest)) throw new Error(`${name} ranks in another order`);
        ((samples[network] ??= {})[name] ??= []).push(one);
      }
    }
  }
  const imports = [];
  if (names.includes('ours')) for (let round = 0; round < rounds; round++) imports.push(await importAlone(browser));

  const spread = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    return { best: sorted[0], median: sorted[sorted.length >> 1] };
  };
  const apps = {};
  for (const [network, byName] of Object.entries(samples)) {
    apps[network] = {};
    for (const [name, all] of Object.entries(byName)) {
      apps[network][name] = Object.fromEntries(Object.keys(all[0]).map((key) => [key, spread(all.map((one) => one[key]))]));
    }
  }
  const versions = Object.fromEntries(['@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-wasm', 'onnxruntime-web'].map((name) =>
    [name, JSON.parse(readFileSync(path.join(here, 'node_modules', name, 'package.json'), 'utf8')).version]));
  const report = {
    format: 1, name: 'cold-start', browser: browser.version(), cards: CARDS, features: FEATURES, rounds, versions, cores: os.cpus().length,
    loadBefore, loadAfter: os.loadavg()[0], apps,
    import: imports.length > 0 ? { ms: spread(imports.map(({ ms }) => ms)), calls: [...new Set(imports.flatMap(({ calls }) => calls))], requests: Math.max(...imports.map(({ requests }) => requests)) } : undefined,
  };
  const column = ({ best, median }) => `${best.toFixed(1)} (${median.toFixed(1)})`.padStart(20);
  for (const [network, byName] of Object.entries(apps)) {
    console.log(`\n${network}: milliseconds, best (median) of ${rounds} rounds\n${''.padEnd(18)}${['first page', 'import', 'start', 'rank', 'main thread', 'longest task', 'process'].map((title) => title.padStart(20)).join('')}${'kB'.padStart(10)}`);
    for (const [name, row] of Object.entries(byName)) {
      console.log(`${name.padEnd(18)}${['total', 'import', 'start', 'rank', 'main', 'longest', 'process'].map((key) => column(row[key])).join('')}${(row.bytes.best / 1000).toFixed(1).padStart(10)}`);
    }
  }
  console.log('\nimport alone:', JSON.stringify(report.import));
  if (option('json')) writeFileSync(option('json'), `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
