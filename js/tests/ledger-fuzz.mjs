// The ledger on its whole way through JavaScript, with the real core: tabs of several profiles over one storage and its locks, crashes at every
// await, failing and lying writes, clocks that jump, keys that are put back. Judged by what was made and by what lay on disk at that moment.
import { setImmediate as immediate } from 'node:timers/promises';
import { HomeRuntime } from '../build/modules/home.js';
import { loadCore } from '../build/modules/load.js';
import { World } from './world.mjs';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 10, 23, 8);
const WINDOW_MS = 1_800_000;
const PERIOD_MS = 28 * DAY;
const week = (at) => Math.floor((at - Date.UTC(2026, 0, 5)) / (7 * DAY));
const PROFILES = ['one', 'one', 'two', 'three'];
const MANIFEST = new TextEncoder().encode(JSON.stringify({
  format: 2, epochs: [0, 400], modelVersion: 'fuzz', epsilonIndex: 2, windowMs: WINDOW_MS,
  probes: [
    { kind: 'card', shelf: 'morning', shelfPosition: 0, cardPosition: 0, questions: ['played_30s'], arms: [{ card: 'a', weight: 32768 }, { card: 'b', weight: 32768 }] },
    { kind: 'shelf', shelfPosition: 0, questions: ['played_30s'], arms: [{ shelf: 'morning', weight: 32768 }, { shelf: 'evening', weight: 32768 }] },
  ],
}));
const PAGE = { shelves: [{ id: 'morning', cards: ['a', 'b', 'c', 'd'].map((id) => ({ id })) }] };

export function seeded(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const never = () => new Promise(() => {});
const same = (a, b) => a !== undefined && b !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at]);

/** One schedule. `planted` breaks the world on purpose, so that a judge who sees nothing is found out. */
export class Schedule {
  disk = new Map();
  earlier = [];
  locks = new Map();
  made = [];
  lives = [];
  lifeOf = new Map();
  tabs = [];
  problems = [];
  errors = [];
  counts = { crashes: 0, faults: 0, jumps: 0, restores: 0, deleted: 0, actions: 0 };

  constructor(seed, planted) {
    this.random = seeded(seed);
    this.seed = seed;
    this.planted = planted;
    this.world = new World();
    this.world.now = START;
    // How rough this one is.
    this.crashy = this.random() < 0.5 ? 0 : 0.02 * this.random();
    this.faulty = this.random() < 0.4 ? 0 : 0.1 * this.random();
  }

  pick(list) { return list[Math.floor(this.random() * list.length)]; }

  /** A tab of a profile; it lives until it crashes or is closed. */
  async open() {
    const tab = { alive: true, profile: this.pick(PROFILES), held: new Set() };
    const platform = this.world.platform();
    platform.lock = (name, held) => this.lock(tab, name, held);
    platform.random = this.random;
    // There before the tab is, so that a schedule takes the same course each time.
    const module = await (await loadCore(undefined, 'full')).instantiate();
    const program = async () => ({ instantiate: async () => ({ create: (...settings) => this.watched(tab, module.create(...settings)) }) });
    tab.home = new HomeRuntime({
      onError: (error) => this.errors.push(error), namespace: tab.profile, storage: this.storage(tab), clock: () => this.world.now, seed: this.seed, consent: { contribute: true },
      upload: { manifest: MANIFEST, transport: async () => { if (this.random() < 0.3) throw new Error('offline'); } },
    }, { platform, loadCore: program });
    this.tabs.push(tab);
    await this.patiently(tab.home.ready);
  }

  /** The end of a tab at this very moment: what it asked for may or may not have happened, and it hears of nothing any more. */
  crash(tab) {
    tab.alive = false;
    this.counts.crashes++;
    this.tabs = this.tabs.filter((other) => other !== tab);
    for (const [name, queue] of this.locks) {
      this.locks.set(name, queue.filter((request) => request.tab !== tab));
      this.grant(name);
    }
  }

  lock(tab, name, held) {
    const queue = this.locks.get(name) ?? [];
    this.locks.set(name, queue);
    const request = { tab, held, given: false };
    queue.push(request);
    this.grant(name);
    return () => { if (!request.given) this.locks.set(name, (this.locks.get(name) ?? []).filter((other) => other !== request)); };
  }

  grant(name) {
    const [head] = this.planted === 'locks for everybody' ? (this.locks.get(name) ?? []).slice(-1) : this.locks.get(name) ?? [];
    if (!head || head.given) return;
    head.given = true;
    queueMicrotask(() => head.tab.alive && head.held({ release: () => { this.locks.set(name, (this.locks.get(name) ?? []).filter((other) => other !== head)); this.grant(name); } }));
  }

  /** The storage of all tabs, as one of them sees it. Every answer is an await at which the tab may end. */
  storage(tab) {
    const step = async (work) => {
      if (!tab.alive) return never();
      await Promise.resolve();
      const fate = this.random();
      if (fate < this.crashy) {
        if (this.random() < 0.5) work();
        this.crash(tab);
        return never();
      }
      if (fate < this.crashy + this.faulty) {
        this.counts.faults++;
        const kind = this.random();
        // Nothing happened; or it did, and the tab hears that it did not; or no answer comes.
        if (kind < 0.4) throw this.random() < 0.5 ? new DOMException('the disk is full', 'QuotaExceededError') : new Error('the disk failed');
        work();
        if (kind < 0.8) throw new Error('the answer was lost');
        return never();
      }
      if (this.random() < 0.3) await immediate();
      if (!tab.alive) return never();
      return work();
    };
    return {
      lockName: 'origin',
      get: (key) => step(() => (this.planted === 'reads of what was before' && key === 'ledger' && this.before ? this.before : this.disk.get(key))?.slice()),
      put: (key, bytes) => { const copy = bytes.slice(); return step(() => { if (key === 'ledger') this.before = this.disk.get(key); if (this.planted !== 'writes that only say so' || key !== 'ledger' || !this.disk.has(key)) this.disk.set(key, copy); }); },
      delete: (key) => step(() => { this.disk.delete(key); }),
      clear: (prefix) => step(() => { for (const key of [...this.disk.keys()]) if (key.startsWith(prefix)) this.disk.delete(key); }),
    };
  }

  /** A core whose debits and records are written down beside what is on disk at that moment. */
  watched(tab, core) {
    let debit;
    // Where the ledger is deleted, a new one begins, unless a tab that has it in mind puts it back: each is judged by itself.
    let life;
    const known = (bytes) => {
      if (bytes !== undefined) this.lifeOf.set(bytes.join(), life);
      return bytes;
    };
    const watches = {
      startLedger: (now) => {
        if (core.ledger() === undefined) life = this.lives.push({ from: now });
        return known(core.startLedger(now));
      },
      restoreLedger: (bytes) => {
        core.restoreLedger(bytes);
        life = this.lifeOf.get(bytes.join());
      },
      ledger: () => known(core.ledger()),
      debit: (now) => {
        const { readyAt } = core.contribution(now);
        const bytes = known(core.debit(now));
        if (bytes !== undefined) debit = { bytes: bytes.slice(), probeAt: readyAt - WINDOW_MS };
        return bytes;
      },
      makeRecord: () => {
        const bytes = core.makeRecord();
        if (!tab.alive) this.problems.push('a record in a tab that is no more');
        if (!same(this.disk.get('ledger'), debit?.bytes)) this.problems.push('a record without its debit on disk');
        this.made.push({ epoch: (bytes[0] & 15) << 8 | bytes[1], probeAt: debit?.probeAt, life });
        debit = undefined;
        return bytes;
      },
    };
    return new Proxy(core, { get: (target, name) => watches[name] ?? (typeof target[name] === 'function' ? target[name].bind(target) : target[name]) });
  }

  /** Lets work end; where a disk hangs, its patience runs out. */
  async patiently(work) {
    let done = false;
    work.then(() => { done = true; }, () => { done = true; });
    for (let turns = 0; !done && turns < 6; turns++) {
      for (let i = 0; !done && i < 30; i++) await immediate();
      if (!done) await this.world.advance(600);
    }
  }

  async act() {
    this.counts.actions++;
    const tab = this.tabs.length > 0 ? this.pick(this.tabs) : undefined;
    if (!tab || (this.tabs.length < 4 && this.random() < 0.08)) return this.open();
    const fate = this.random();
    const { home } = tab;
    if (fate < 0.42) {
      // Some hours later Home is opened; what is shown may be played.
      this.world.now += Math.floor(this.random() * (this.random() < 0.3 ? 9 * DAY : 2 * DAY));
      const { decisionId, shelves } = home.rankSync(PAGE);
      if (this.random() < 0.6) home.track({ type: 'finish', decisionId, shelfId: 'morning', cardId: shelves[0].cards[0].id, msPlayed: 60_000 });
      if (this.random() < 0.7) this.world.now += Math.floor(this.random() * 2 * HOUR);
      return this.random() < 0.2 ? undefined : this.patiently(home.flush());
    }
    if (fate < 0.62) return this.patiently(home.flush());
    if (fate < 0.72) {
      // All at once: each shows its page, each believes that the week is its own, all are ready at the same moment.
      this.world.now += Math.floor(this.random() * 9 * DAY);
      if (this.random() < 0.5) await this.patiently(Promise.all(this.tabs.map((one) => one.home.flush())));
      for (const one of this.tabs) one.home.rankSync(PAGE);
      this.world.now += WINDOW_MS + 1;
      return this.patiently(Promise.all(this.tabs.map((one) => one.home.flush())));
    }
    if (fate < 0.78) {
      this.counts.jumps++;
      // Clocks are set, wrongly and back again.
      const far = this.pick([HOUR, DAY, 8 * DAY, 40 * DAY, 400 * DAY]) * this.random();
      this.world.now = Math.max(START - 100 * DAY, this.world.now + (this.random() < 0.6 ? -far : far));
      return;
    }
    if (fate < 0.83) {
      this.tabs = this.tabs.filter((other) => other !== tab);
      return this.patiently(home.close());
    }
    if (fate < 0.87) return this.crash(tab);
    if (fate < 0.9) return this.patiently(home.setConsent({ contribute: this.random() < 0.7 }));
    if (fate < 0.92) return this.patiently(home.reset());
    if (fate < 0.95) { this.earlier.push(new Map(this.disk)); return; }
    // Keys of an earlier time are put back, some of them; never an older ledger, which no ledger can tell from its own.
    this.counts.restores++;
    const old = this.earlier.length > 0 ? this.pick(this.earlier) : new Map();
    for (const key of new Set([...old.keys(), ...this.disk.keys()])) {
      if (key === 'ledger' || this.random() < 0.5) continue;
      if (old.has(key)) this.disk.set(key, old.get(key)); else this.disk.delete(key);
    }
    if (this.random() < 0.15) {
      this.counts.deleted++;
      if (this.random() < 0.5) this.disk.delete('ledger');
      else if (this.disk.has('ledger')) this.disk.set('ledger', this.disk.get('ledger').subarray(0, Math.floor(this.random() * this.disk.get('ledger').length)));
    }
  }

  /** What must hold of everything that was made. */
  judge() {
    for (const [at, { epoch, probeAt, life }] of this.made.entries()) {
      if (probeAt === undefined) { this.problems.push('a record without a debit'); continue; }
      if (epoch !== week(probeAt)) this.problems.push(`a record of week ${epoch} for a probe of week ${week(probeAt)}`);
      // Of one ledger; where it was deleted, the next one begins fully spent.
      const before = this.made.slice(0, at + 1).filter((other) => other.life === life);
      if (before.slice(0, -1).some((other) => other.epoch === epoch)) this.problems.push(`two records in week ${epoch}`);
      const window = before.filter((other) => other.probeAt > probeAt - PERIOD_MS && other.probeAt <= probeAt).length;
      if (window > 4) this.problems.push(`${window} records in 28 days`);
      const year = before.filter((other) => other.probeAt > probeAt - 365 * DAY && other.probeAt <= probeAt).length;
      if (year > 52) this.problems.push(`${year} records in a year`);
      if (probeAt < this.lives[life - 1].from + PERIOD_MS) this.problems.push('a record of a ledger that is not 28 days old');
    }
  }

  async run(actions) {
    await this.open();
    // The first 28 days are spent whatever happens: most schedules begin after them.
    await this.patiently(this.tabs[0]?.home.flush() ?? Promise.resolve());
    if (this.random() < 0.9) this.world.now += PERIOD_MS + DAY;
    for (let i = 0; i < actions; i++) await this.act();
    for (const tab of [...this.tabs]) this.crash(tab);
    this.judge();
  }
}

/** Worlds broken on purpose. */
export const PLANTED = ['locks for everybody', 'writes that only say so', 'reads of what was before'];

/** Runs schedules `from` to `to`. Returns what was found and how much was tried. */
export async function fuzz({ from = 0, to, actions = 40, planted } = {}) {
  const total = { schedules: 0, records: 0, crashes: 0, faults: 0, jumps: 0, restores: 0, deleted: 0, actions: 0, problems: [] };
  for (let seed = from; seed < to; seed++) {
    const schedule = new Schedule(seed, planted);
    await schedule.run(actions);
    total.schedules++;
    total.records += schedule.made.length;
    for (const [name, count] of Object.entries(schedule.counts)) total[name] += count;
    total.problems.push(...schedule.problems.map((problem) => `schedule ${seed}: ${problem}`));
  }
  return total;
}
