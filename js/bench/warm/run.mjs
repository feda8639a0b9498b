// Ours beside well-written plain JavaScript and the libraries a team would take, in one headless Chromium, in turns; the bodies also in Firefox.
//   node bench/warm/run.mjs [--json FILE] [--only NAME,NAME] [--rounds N] [--sample-ms N] [--cold N] [--pages N] [--other DIST]
// --other times another build of the package beside this one. The browser is found by CHROME_PATH, else at /usr/bin/chromium. On a busy
// machine read the ratios of the best rounds.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { ENGINES, start } from '../../../tests/package/engines/engines.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const option = (name, fallback) => { const at = process.argv.indexOf(`--${name}`); return at < 0 ? fallback : process.argv[at + 1]; };
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];
const CARDS = 1000;
const FEATURES = 64;
/** A slow phone beside this machine. */
const SLOWER = 6;
const SLOW = `${SLOWER} times slower processor`;
/** Milliseconds from a Home that is ready to its first page, for apps whose server answers later. */
const PAUSE_MS = 300;
/** Microseconds of one frame at 60 in a second. */
const FRAME = 16_700;

const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const other = option('other') && path.resolve(option('other'));
const server = http.createServer((request, response) => {
  const name = path.posix.normalize(new URL(request.url, 'http://localhost').pathname);
  const file = ['/js/dist/', '/js/bench/', '/js/build/bare.wasm'].some((place) => name.startsWith(place)) ? path.join(root, name.slice(4))
    : other && name.startsWith('/other/') ? path.join(other, name.slice(7)) : undefined;
  try {
    const body = name === '/' ? '<!doctype html><meta charset="utf-8"><title>bench</title>' : readFileSync(file);
    response.writeHead(200, {
      'content-type': TYPES[path.extname(name)] ?? 'text/html',
      // Isolated from other origins, a page has a clock of 5 microseconds, not of 100.
      'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp',
    }).end(body);
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

const times = {};
const ratios = {};
/** What the machine does at most, with its unit, and the parts of that which a page uses. */
const rates = {};
const shares = {};
const memory = {};
const notes = [];
/** Its version, or why nothing was timed in it. */
let firefox = 'not asked for';
const timing = { rounds: Number(option('rounds', 61)), sampleMs: Number(option('sample-ms', 1.5)) };
const only = option('only')?.split(',');

async function inPage(name, settings, slower = 1) {
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(address);
  if (slower > 1) {
    const session = await browser.newCDPSession(page);
    await session.send('Emulation.setCPUThrottlingRate', { rate: slower });
  }
  try {
    return await page.evaluate(async ([what, value]) => (await import('/js/bench/warm/page.js'))[what](value), [name, settings]);
  } finally {
    await page.close();
  }
}

/** Keeps the times of one race under a name of its own. */
function keep(prefix, raced) {
  for (const [name, time] of Object.entries(raced)) times[`${prefix}: ${name}`] = time;
}

/** How many times the bare kernel's time `ours` takes. */
function overBare(kind, ours, most) {
  const [a, bare] = [times[ours], times['linear: bare kernel, matrix ready']];
  if (a && bare) ratios[`${kind} over the bare kernel`] = { best: a.best / bare.best, median: a.median / bare.median, atMost: most };
}

/** How many times faster `ours` is than `theirs`. */
function faster(claim, ours, theirs, gate, aim) {
  const [a, b] = [times[ours], times[theirs]];
  if (a && b) ratios[claim] = { best: b.best / a.best, median: b.median / a.median, atLeast: gate, aim };
}

const gated = (name, atMost, aim) => { if (times[name]) Object.assign(times[name], { atMost, aim }); };
const size = { n: CARDS, d: FEATURES, other: Boolean(other), ...timing };

const RUNS = {
  async linear() {
    keep('linear', await inPage('warm', { ...size, bare: true }));
    overBare('linear body', 'linear: ours, from typed arrays', 2);
    faster('linear body, order and propensities, warm: faster than plain', 'linear: ours, from typed arrays', 'linear: plain, matrix ready', 2, 4.4);
    faster('the same from objects to objects: faster than plain', 'linear: ours, from objects', 'linear: plain, from objects');
    gated('linear: ours, from objects', 1_000, 500);
  },
  async posterior() {
    keep('posterior variance', await inPage('posterior', size));
    faster('posterior variance, full 64 x 64: faster than plain', 'posterior variance: ours, from typed arrays', 'posterior variance: plain, matrix ready', 5, 7);
    overBare('posterior variance', 'posterior variance: ours, from typed arrays');
  },
  async bodies() {
    for (const [kind, gate, aim] of [['network', 7, 10], ['trees', 5, 8], ['oblivious trees', 20, 40]]) {
      keep(kind, await inPage('body', { ...size, kind }));
      faster(`${kind}: faster than plain`, `${kind}: ours, from typed arrays`, `${kind}: plain, matrix ready`, gate, aim);
      overBare(kind, `${kind}: ours, from typed arrays`);
    }
  },
  async machine() {
    const { times: raced, atOnce } = await inPage('machine', size);
    const call = raced.calls;
    times['one call into a module that does nothing'] = { best: call.best / atOnce.calls, median: call.median / atOnce.calls };
    const most = (name, count, unit, time) => { rates[name] = { best: count / time.best, median: count / time.median, unit }; };
    most('most products a microsecond, Chromium', atOnce.products, '', raced.products);
    most('most products a microsecond in 64 bits, Chromium', atOnce.wideProducts, '', raced['wide products']);
    // Read and written, 4 bytes a number, a thousand bytes a microsecond are a gigabyte a second.
    most('copy of a page into the module, Chromium', 2 * 4 * CARDS * FEATURES / 1_000, 'GB/s read and written', raced['copy of a page']);
    // The least that a page takes here: its copy into the module, or its products at the most a microsecond, whichever is longer. Levels of
    // trees count as products: a comparison and what keeps its outcome are two operations on lanes, as a product and its addition are.
    const width = FEATURES + 1;
    for (const [kind, products, wide] of [
      ['linear', CARDS * width], ['posterior variance', CARDS * width * (width + 1) / 2, true],
      ['network', CARDS * (FEATURES * 32 + 32)], ['oblivious trees', CARDS * 100 * 5],
    ]) {
      const ours = times[`${kind}: ours, from typed arrays`];
      if (!ours) continue;
      const rate = rates[wide ? 'most products a microsecond in 64 bits, Chromium' : 'most products a microsecond, Chromium'].best;
      const least = Math.max(raced['copy of a page'].best, products / rate);
      shares[`share of what the machine allows, whole page in Chromium: ${kind}`] = { best: least / ours.best, median: least / ours.median, atMost: 1 };
    }
  },
  async thompson() {
    keep('thompson', await inPage('sampling', size));
    gated('thompson: ours, from typed arrays, propensities of the visible places', 3_000, 1_000);
  },
  async learning() {
    for (const [kind, d, gate, aim] of [['full', FEATURES, 50, 10], ['diagonal', 3 * FEATURES, 0.3, 0.1]]) {
      const raced = await inPage('learning', { ...size, d });
      keep(`learning, ${kind}`, raced);
      const all = raced['ours, a page of 60 outcomes'], none = raced['ours, the same page without outcomes'];
      const one = `learning, ${kind}: ours, one outcome, amortised`;
      times[one] = { best: (all.best - none.best) / 60, median: (all.median - none.median) / 60 };
      gated(one, gate, aim);
    }
  },
  async history() {
    keep('history', await inPage('history', { ...size, plays: 10_000 }));
    const whole = times['history: ours, from registered cards'], bare = times['history: ours, from registered cards, one column'];
    times['history: ours, features of 1,000 cards'] = { best: whole.best - bare.best, median: whole.median - bare.median, atMost: 750, aim: 150 };
  },
  async sizes() {
    for (const n of [10, 100, 10_000]) {
      keep(`${n} cards`, await inPage('warm', { ...size, n }));
      if (n <= 100) faster(`${n} cards: time of plain over ours`, `${n} cards: ours, from typed arrays`, `${n} cards: plain, matrix ready`, 1 / 3);
    }
    gated('10000 cards: ours, from typed arrays', 1_200, 500);
  },
  async cold() {
    const colds = [];
    const paused = [];
    for (let i = 0; i < Number(option('cold', 7)); i++) {
      colds.push(await inPage('cold', size));
      paused.push(await inPage('cold', { ...size, pause: PAUSE_MS }));
    }
    const spread = (key, rounds = colds) => {
      const values = rounds.map((one) => one[key]).sort((a, b) => a - b);
      return { best: values[0] * 1000, median: values[values.length >> 1] * 1000 };
    };
    times['load: ours, createHome to ready'] = spread('start');
    times['load: ours, first page'] = { ...spread('first'), atMost: 1_500, aim: 600 };
    times['load: ours, first page after a pause'] = spread('first', paused);
    times['load: ours, second page'] = spread('second');
    times['load: plain, first page'] = spread('plainFirst');
    faster('first page after load: faster than plain', 'load: ours, first page', 'load: plain, first page');
  },
  async slow() {
    // The browser slows a page by pausing it, every fifth of a millisecond where it gets a processor for that. A short round fits between
    // two pauses: rounds are long, and medians count.
    const long = { ...size, other: false, rounds: Math.min(size.rounds, 21), sampleMs: 8 * size.sampleMs, warmMs: 1_000 };
    const suite = [
      [SLOW, 'warm', {}], [`${SLOW}, network`, 'body', { kind: 'network' }], [`${SLOW}, trees`, 'body', { kind: 'trees' }],
      [`${SLOW}, oblivious trees`, 'body', { kind: 'oblivious trees' }], [`${SLOW}, thompson`, 'sampling', {}],
      [`${SLOW}, history`, 'history', { plays: 10_000 }],
    ];
    for (const [name, what, more] of suite) {
      const raced = await inPage(what, { ...long, ...more }, SLOWER);
      for (const [task, time] of Object.entries(raced)) {
        times[`${name}: ${task}`] = { ...time, by: 'median', ...(task.startsWith('ours') ? { atMost: FRAME } : {}) };
      }
    }
    const [slow, usual] = [times[`${SLOW}: plain, matrix ready`], times['linear: plain, matrix ready']];
    if (usual) ratios[`${SLOW}: how many times slower plain JavaScript was`] = { best: slow.best / usual.best, median: slow.median / usual.median, by: 'median' };
  },
  async memory() {
    const pages = Number(option('pages', 100_000));
    const at = await inPage('memory', { ...size, pages });
    for (const [count, bytes] of Object.entries(at)) memory[`memory of the module after ${count} pages`] = bytes;
    memory[`memory of the module after ${pages} pages`] = { bytes: at[pages], atMost: 4 * 2 ** 20, aim: 1.5 * 2 ** 20 };
    for (const [name, value] of Object.entries(memory)) if (typeof value === 'number') memory[name] = { bytes: value };
  },
  async growth() {
    // The points that are timed natively (`examples/work.rs`).
    for (const [axis, points, at] of [
      ['cards', [10, 100, 1_000, 10_000], (n) => ({ n })], ['features', [8, 16, 32, 64, 128, 256], (d) => ({ d })],
      ['history', [0, 1_000, 5_000, 20_000, 100_000], (plays) => ({ plays, d: 0, shelves: 50 })],
      ['trees', [10, 100, 1_000], (count) => ({ count })], ['shelves', [1, 10, 50, 200], (shelves) => ({ shelves })],
    ]) {
      for (const point of points) {
        memory[`memory of the module, ${axis} ${point}`] = { bytes: await inPage('grown', { n: CARDS, d: FEATURES, pages: 20, ...at(point) }) };
      }
    }
  },
  async firefox() {
    const missing = !ENGINES.Firefox ? 'no Firefox is here'
      : existsSync(path.join(root, '../tests/package/engines/node_modules')) ? undefined : 'what drives it is not installed: npm ci in tests/package/engines';
    if (missing) {
      firefox = `nothing was timed in it: ${missing}`;
      return void notes.push(`Firefox: ${firefox}`);
    }
    const engine = await start('Firefox', { askMs: 600_000 });
    const there = async (what, settings) => {
      const tab = await engine.open(address);
      try {
        return await tab.ask(`import('/js/bench/warm/page.js').then((page) => page.${what}(${JSON.stringify(settings)}))`);
      } finally {
        await tab.close();
      }
    };
    try {
      firefox = engine.version.replace(/^firefox\//i, '');
      for (const [kind, what, more] of [
        ['linear', 'warm', { bare: true }], ['posterior variance', 'posterior', {}], ['network', 'body', { kind: 'network' }],
        ['trees', 'body', { kind: 'trees' }], ['oblivious trees', 'body', { kind: 'oblivious trees' }],
      ]) {
        keep(`firefox: ${kind}`, await there(what, { ...size, other: false, ...more }));
        const theirs = (from) => `firefox: ${kind}: plain, ${from}`;
        faster(`firefox: ${kind}: faster than plain`, `firefox: ${kind}: ours, from typed arrays`, theirs('matrix ready'));
        faster(`firefox: ${kind}, from objects to objects: faster than plain`, `firefox: ${kind}: ours, from objects`, theirs('from objects'));
      }
    } finally {
      await engine.close();
    }
  },
  async peers() {
    if (!existsSync(path.join(root, 'bench/warm/node_modules'))) return void notes.push('the peers are not installed: npm ci in js/bench/warm');
    for (const [kind, gate, aim] of [['linear'], ['network', 2, 2.8]]) {
      const { times: raced, problems } = await inPage('beside', { ...size, kind });
      keep(`peers, ${kind}`, raced);
      for (const [name, problem] of Object.entries(problems)) notes.push(`${name} did not run: ${problem}`);
      for (const peer of ['tfjs cpu', 'tfjs wasm', 'onnxruntime-web']) {
        const wanted = peer === 'onnxruntime-web' ? [gate, aim] : [];
        faster(`${kind}: faster than ${peer}`, `peers, ${kind}: ours, from typed arrays`, `peers, ${kind}: ${peer}, matrix ready`, ...wanted);
      }
    }
  },
};

try {
  const loadBefore = os.loadavg()[0];
  for (const [name, run] of Object.entries(RUNS)) if (!only || only.includes(name)) await run();
  const report = {
    format: 1, name: 'bench', date: new Date().toISOString(), browser: browser.browser()?.version() ?? (await versionOf()), firefox,
    cards: CARDS, features: FEATURES, unit: 'microseconds', cores: os.cpus().length, loadBefore, loadAfter: os.loadavg()[0],
    times, ratios, rates, shares, memory, notes,
  };
  const shown = (value) => value >= 100 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
  const line = (name, best, middle, gate) => console.log(`${name.padEnd(78)}${best.padStart(10)}${middle.padStart(10)}  ${gate}`);
  console.log(`${CARDS} cards x ${FEATURES} features, microseconds; load ${loadBefore.toFixed(1)} to ${report.loadAfter.toFixed(1)}\n`);
  line('', 'best', 'median', '');
  const verdict = ({ best, median, atMost, atLeast, by }) => {
    const counts = by === 'median' ? median : best;
    if (atMost) return `${by ?? 'best'} at most ${shown(atMost)}: ${counts <= atMost ? 'ok' : 'MISSED'}`;
    return atLeast ? `${by ?? 'best'} at least ${shown(atLeast)}: ${counts >= atLeast ? 'ok' : 'MISSED'}` : '';
  };
  for (const [name, row] of [times, ratios, rates, shares].flatMap(Object.entries)) line(name, shown(row.best), shown(row.median), verdict(row));
  for (const [name, { bytes, atMost }] of Object.entries(memory)) line(name, `${(bytes / 2 ** 20).toFixed(2)} MB`, '', atMost ? `at most ${atMost / 2 ** 20} MB: ${bytes <= atMost ? 'ok' : 'MISSED'}` : '');
  for (const note of notes) console.log(note);
  if (option('json')) writeFileSync(option('json'), `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}

async function versionOf() {
  const page = await browser.newPage();
  const agent = await page.evaluate(() => navigator.userAgent);
  await page.close();
  return /Chrome\/([\d.]+)/.exec(agent)?.[1] ?? agent;
}
