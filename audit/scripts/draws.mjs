// Draws records from the wasm module of the built package and counts what is seen of them, for the black-box audit.
//
//   node audit/scripts/draws.mjs --package js/dist --manifests audit/manifests --draws N --out FILE
//
// Each draw is a device's whole week through the module's own interface: ledger restored, Home ranked, the probe's card played or
// not, budget debited, record made. Coin and flip take their bytes from crypto.getRandomValues, as in a browser.
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const WEEK = 7 * 86_400_000;
const FIRST_EPOCH = 1_767_571_200_000;
/** Epoch 60, as in the native checks; the last hour of that week, when every coin is due. */
const NOW = FIRST_EPOCH + 61 * WEEK - 3_600_000;
const FIELD = '\x1f';
const ENTRY = '\x1e';
/** As few as the manifests' arms allow, and one more on a shelf of its own: a short page ranks fast. */
const CARDS = 5;
const PROBE = 18;
/** Cores are made anew after so many draws: a device with a history of its own, and one without. */
const DRAWS_PER_CORE = 2_000;
/** What is reported of a play, by answer: of 2 answers, and of 4 about a card of 180 seconds. */
const PLAYS = { 2: [0, 45_000], 4: [0, 10_000, 45_000, 175_000] };

async function main() {
  const options = Object.fromEntries(process.argv.slice(2).join(' ').split('--').filter(Boolean).map((pair) => pair.trim().split(/\s+/)));
  const draws = Number(options.draws);
  if (!(draws >= 1) || !options.out || !options.package || !options.manifests) {
    console.error('expected --package DIR --manifests DIR --draws N --out FILE');
    process.exit(2);
  }
  const started = performance.now();
  const results = [];
  for (const answers of [2, 4]) {
    for (const epsilonIndex of [0, 1, 2]) {
      // The claim of closeness is about one bit at the default epsilon; elsewhere a twentieth of the draws shows that epsilon holds.
      const count = epsilonIndex === 2 && answers === 2 ? draws : Math.ceil(draws / 20);
      results.push(await drawn({ ...options, answers, epsilonIndex, count }));
    }
  }
  const seconds = (performance.now() - started) / 1000;
  const total = results.flatMap(({ groups }) => groups).flatMap(({ seen }) => seen).reduce((sum, row) => sum + row[4], 0);
  const making = await timed(options);
  writeFileSync(options.out, JSON.stringify({ format: 1, seconds, total, microsecondsPerRecord: making, draws: results }));
  console.log(`${total} draws from the wasm module in ${seconds.toFixed(1)} s`);
}

/** Microseconds of debiting and making one record, the median of 2,000. */
async function timed(options) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...options, answers: 2, epsilonIndex: 2, count: 0, timed: 2_000 } });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Splits one case among as many workers as there are processors, and adds up their counts. */
async function drawn(job) {
  const workers = Math.min(availableParallelism(), 8);
  const parts = await Promise.all(Array.from({ length: workers }, (_, part) => new Promise((resolve, reject) => {
    const count = Math.floor(job.count / workers) + (part < job.count % workers ? 1 : 0);
    const worker = new Worker(new URL(import.meta.url), { workerData: { ...job, count } });
    worker.once('message', resolve);
    worker.once('error', reject);
  })));
  const groups = parts[0].map(({ name, answer }, at) => {
    const counts = new Map();
    for (const part of parts) for (const [key, count] of part[at].counts) counts.set(key, (counts.get(key) ?? 0) + count);
    return { name, answer, nothing: 0, seen: [...counts].map(([key, count]) => [...unkeyed(key), count]) };
  });
  return { epsilonIndex: job.epsilonIndex, answers: job.answers, groups };
}

async function work() {
  const { package: folder, manifests, answers, epsilonIndex, count } = workerData;
  const { bytes, glue } = await import(pathToFileURL(path.resolve(folder, 'wasm-full.js')));
  const module = await WebAssembly.compile(bytes());
  const { Core, start } = glue();
  const { memory } = await start(module);
  const text = readFileSync(path.join(manifests, answers === 2 ? 'bit.json' : 'four.json'), 'utf8').replace('"EPSILON"', epsilonIndex);
  const manifest = { bytes: new TextEncoder().encode(text), parsed: JSON.parse(text) };
  if (workerData.timed) {
    const device = new Device(Core, memory, manifest, false);
    const times = Array.from({ length: workerData.timed }, () => { device.record(45_000); return device.took; });
    parentPort.postMessage(1000 * times.sort((a, b) => a - b)[times.length >> 1]);
    return;
  }
  const groups = [];
  for (const hides of [false, true]) for (let answer = 0; answer < answers; answer++) groups.push({ hides, answer, counts: new Map() });
  for (const [at, group] of groups.entries()) {
    const share = Math.floor(count / groups.length) + (at < count % groups.length ? 1 : 0);
    for (let done = 0; done < share; done += DRAWS_PER_CORE) {
      const device = new Device(Core, memory, manifest, group.hides);
      for (let i = done; i < Math.min(share, done + DRAWS_PER_CORE); i++) {
        const key = keyed(device.record(PLAYS[answers][group.answer]));
        group.counts.set(key, (group.counts.get(key) ?? 0) + 1);
      }
      device.core.free();
    }
  }
  parentPort.postMessage(groups.map(({ hides, answer, counts }) => ({
    name: `${hides ? 'a listener who has hidden a card' : 'a new listener'} who would answer ${answer}`,
    // What is hidden counts as not played: among all draws of this listener the answers differ.
    answer: hides && answer > 0 ? undefined : answer,
    counts: [...counts],
  })));
}

/** What JSON holds, as the module reads it (`tape` in js/src/load.ts). */
function tape(value) {
  let texts = '';
  const numbers = [];
  const say = (text) => {
    numbers.push(text.length);
    texts += `${text}\0`;
  };
  const walk = (one) => {
    if (one === null) numbers.push(0);
    else if (typeof one === 'boolean') numbers.push(1, Number(one));
    else if (typeof one === 'number') numbers.push(2, one);
    else if (typeof one === 'string') {
      numbers.push(3);
      say(one);
    } else if (Array.isArray(one)) {
      numbers.push(4, one.length);
      one.forEach(walk);
    } else {
      numbers.push(5, Object.keys(one).length);
      for (const [name, field] of Object.entries(one)) {
        say(name);
        walk(field);
      }
    }
  };
  walk(value);
  return [texts, new Float64Array(numbers)];
}

class Device {
  constructor(Core, memory, manifest, hides) {
    const core = this.core = new Core(...tape(null), undefined);
    this.memory = memory;
    const names = Array.from({ length: CARDS }, (_, i) => i);
    const handles = core.registerCards(
      names.map((i) => [`card-${i}`, `Title ${i}`, `Artist ${i}`, 'jazz', 'album'].join(FIELD) + ENTRY).join(''),
      Float32Array.from(names.flatMap(() => [180_000, 0.5, 0])),
    );
    const shelves = core.registerShelves(['shelf-0', 'shelf-1'].map((id) => [id, 'popular', ''].join(FIELD) + ENTRY).join(''));
    core.setConsent(true, true);
    core.setManifest(manifest.bytes, ...tape(manifest.parsed));
    this.ledger = core.startLedger(NOW - 5 * WEEK).slice();
    if (hides) {
      core.observe('hide', '', '', 'card-1', NaN, NOW - 86_400_000, NOW - 86_400_000);
      for (let i = 0; i < 5; i++) core.observe('finish', '', '', `card-${i}`, 170_000, NOW - (i + 2) * 3_600_000, NOW - 3_600_000);
    }
    const half = CARDS - 1;
    const page = new Float32Array((16 + 8 + 2 * CARDS + 3) & ~3);
    page.set([1, 2, CARDS, 0, 1, 1, 0, 0, 0]);
    page.set([shelves[0], half, 0, 0, shelves[1], CARDS - half, 0, 0], 16);
    names.forEach((i) => page.set([handles[i], 0], 24 + 2 * i));
    this.page = page;
  }

  /** What the core answers to the page: a copy. */
  rank() {
    const { core, memory, page } = this;
    const room = core.room(page.length);
    new Float32Array(memory.buffer, room, page.length).set(page);
    const at = core.rank(NOW, '', true);
    return new Float64Array(memory.buffer, at, new Float64Array(memory.buffer, at, 3)[2]).slice();
  }

  /** One record of a device that has this week before it; the probe's card was played for `ms`. */
  record(ms) {
    const { core } = this;
    core.restoreLedger(this.ledger);
    const words = this.rank();
    if (words[5] !== 1) throw new Error('expected a visit with the probe');
    if (ms > 0) {
      const card = placed(words);
      if (card >= 0) {
        const decision = words[3].toString(16).padStart(8, '0') + words[4].toString(16).padStart(8, '0');
        core.observe('finish', decision, '', `card-${card}`, ms, NOW + ms + 1_000, NOW + ms + 1_000);
      }
    }
    const started = performance.now();
    if (core.debit(NOW + 31 * 60_000) === undefined) throw new Error('expected a debit');
    const record = core.makeRecord();
    this.took = performance.now() - started;
    return record;
  }
}

/** Index of the card that the probe has placed, or -1 where it could not be. */
function placed(words) {
  const shelves = words[1];
  let first = 8 + 6 * shelves;
  for (let position = 0; position < shelves; position++) {
    const [cards, told] = words.subarray(8 + 6 * position + 4);
    for (let i = 0; i < told; i++) if (words[first + cards + 3 * i + 1] === PROBE) return words[first + i];
    first += cards + 3 * told;
  }
  return -1;
}

/** Slot, arm, question and symbol of a record as one number. */
function keyed(record) {
  const slot = record[6] >> 4;
  const arm = ((record[7] & 3) << 8 | record[8]) & 1023;
  const question = record[9] >> 2;
  const symbol = ((record[12] & 127) >> 1) & 63;
  return ((slot * 1024 + arm) * 64 + question) * 64 + symbol;
}

function unkeyed(key) {
  return [Math.floor(key / (1024 * 4096)), Math.floor(key / 4096) % 1024, Math.floor(key / 64) % 64, key % 64];
}

if (isMainThread) await main();
else await work();
