// Ours beside well-written plain JavaScript, in one headless Chromium: warm, from objects, and the first call after load.
//   node bench/browser.mjs [--json FILE] [--rounds N] [--sample-ms N] [--cold N]
// The browser is found by CHROME_PATH, else at /usr/bin/chromium. On a busy machine read the ratios of the best rounds.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const option = (name, fallback) => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? fallback : process.argv[at + 1]; };
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];
const CARDS = 1000;
const FEATURES = 64;
const PLAIN = 'plain, from objects to a page';
const PLAIN_BARE = 'plain, matrix ready, order and propensities';
const OURS = 'ours, from objects to a page';
const PACKED = 'ours, from typed arrays to typed arrays';

const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript' };
const server = http.createServer((request, response) => {
  const name = path.posix.normalize(new URL(request.url, 'http://localhost').pathname);
  const file = name.startsWith('/js/dist/') || name.startsWith('/js/bench/') ? path.join(root, name.slice(4)) : undefined;
  try {
    const body = name === '/' ? '<!doctype html><meta charset="utf-8"><title>bench</title>' : readFileSync(file);
    response.writeHead(200, { 'content-type': TYPES[path.extname(name)] ?? 'text/html' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}/`;
const profile = mkdtempSync(path.join(os.tmpdir(), 'ears-only-bench-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROME_PATH ?? '/usr/bin/chromium', headless: true, args: FLAGS,
});

try {
  const inPage = async (name, settings) => {
    const page = await browser.newPage();
    page.setDefaultTimeout(300_000);
    await page.goto(address);
    const result = await page.evaluate(async ([what, value]) => (await import('/js/bench/page.js'))[what](value), [name, settings]);
    await page.close();
    return result;
  };
  const size = { n: CARDS, d: FEATURES };
  const loadBefore = os.loadavg()[0];
  const warm = await inPage('warm', { ...size, rounds: Number(option('rounds', 41)), sampleMs: Number(option('sample-ms', 8)) });
  const colds = [];
  for (let i = 0; i < Number(option('cold', 7)); i++) colds.push(await inPage('cold', size));
  const spread = (key) => {
    const values = colds.map((one) => one[key]).sort((a, b) => a - b);
    return { best: values[0] * 1000, median: values[values.length >> 1] * 1000 };
  };
  const times = {
    ...warm,
    'ours, createHome to ready': spread('start'), 'ours, first page after load': spread('first'), 'plain, first page after load': spread('plainFirst'),
  };
  const ratio = (a, b) => ({ best: times[a].best / times[b].best, median: times[a].median / times[b].median });
  const ratios = { 'ours / plain, from objects to a page': ratio(OURS, PLAIN), 'ours from objects / plain with the matrix ready': ratio(OURS, PLAIN_BARE), 'ours, typed arrays / objects': ratio(PACKED, OURS) };
  const report = {
    format: 1, name: 'bench', date: new Date().toISOString(), browser: browser.browser()?.version() ?? (await inPageAgent()),
    cards: CARDS, features: FEATURES, unit: 'microseconds', cores: os.cpus().length, loadBefore, loadAfter: os.loadavg()[0], times, ratios,
  };
  console.log(`${CARDS} cards x ${FEATURES} features, microseconds\n`);
  console.log(`${''.padEnd(58)}${'best'.padStart(10)}${'median'.padStart(10)}`);
  for (const [name, { best, median }] of Object.entries(times)) console.log(`${name.padEnd(58)}${best.toFixed(0).padStart(10)}${median.toFixed(0).padStart(10)}`);
  console.log('');
  for (const [name, { best, median }] of Object.entries(ratios)) console.log(`${name.padEnd(58)}${best.toFixed(2).padStart(10)}${median.toFixed(2).padStart(10)}`);
  if (option('json')) writeFileSync(option('json'), `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}

async function inPageAgent() {
  const page = await browser.newPage();
  const agent = await page.evaluate(() => navigator.userAgent);
  await page.close();
  return /Chrome\/([\d.]+)/.exec(agent)?.[1] ?? agent;
}
