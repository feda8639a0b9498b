// A platform whose time, locks and tabs are in the hands of a test.
import { setImmediate as immediate } from 'node:timers/promises';

/** What several Homes of one test share: time, locks, channels. */
export class World {
  now = Date.UTC(2026, 10, 23, 12);
  timers = [];
  locks = new Map();
  channels = new Map();
  gpc = false;
  requests = [];
  answer = async () => new Response(null, { status: 204 });
  hasLocks = true;
  isServer = false;
  indexedDB = undefined;
  seed = 1;
  subtle = globalThis.crypto.subtle;
  draw = () => 0.5;
  entropy = (bytes) => globalThis.crypto.getRandomValues(new Uint8Array(bytes));

  platform() {
    const world = this;
    const events = {};
    return {
      events,
      get isServer() { return world.isServer; },
      get indexedDB() { return world.indexedDB; },
      get subtle() { return world.subtle; },
      now: () => world.now,
      utcOffsetMinutes: () => 60,
      async fetch(input, init) {
        world.requests.push({ url: String(input), ...init });
        return world.answer(String(input), init);
      },
      random: () => world.draw(),
      entropy: (bytes) => world.entropy(bytes),
      globalPrivacyControl: () => world.gpc,
      setTimer(run, ms) {
        const timer = { run, at: world.now + ms };
        world.timers.push(timer);
        return timer;
      },
      clearTimer(timer) { world.timers = world.timers.filter((other) => other !== timer); },
      whenIdle: (run) => run(),
      yieldToPage: () => immediate(),
      lock(name, held) {
        if (!world.hasLocks) return undefined;
        const queue = world.locks.get(name) ?? [];
        world.locks.set(name, queue);
        const request = {};
        const next = () => {
          const head = queue[0];
          if (!head || head.given) return;
          head.given = true;
          queueMicrotask(() => head.held({ release: () => { queue.splice(queue.indexOf(head), 1); next(); } }));
        };
        Object.assign(request, { held, given: false });
        queue.push(request);
        next();
        return () => { if (!request.given) queue.splice(queue.indexOf(request), 1); };
      },
      channel(name, receive) {
        const members = world.channels.get(name) ?? new Set();
        world.channels.set(name, members);
        const member = { receive };
        members.add(member);
        return {
          send: (message) => { for (const other of members) if (other !== member) other.receive(structuredClone(message)); },
          close: () => members.delete(member),
        };
      },
      onPageEvents(handlers) { Object.assign(events, handlers); return () => { for (const key of Object.keys(events)) delete events[key]; }; },
      log() {},
    };
  }

  /** Lets everything that is due happen, then moves the clock, timer by timer. */
  async advance(ms) {
    const end = this.now + ms;
    await this.settle();
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.now = Math.max(this.now, due.at);
      this.timers = this.timers.filter((timer) => timer !== due);
      due.run();
      await this.settle();
    }
    this.now = end;
  }

  /** Lets pending promises and the database in memory finish. */
  async settle() { for (let i = 0; i < 12; i++) await immediate(); }

  /** Moves the clock alone, as a demo does. */
  skip(ms) { this.now += ms; }
}

/** A storage in memory that counts, and fails on demand: `faults[method] = (key) => error | 'hang' | undefined`, or
 * a promise of one of them. */
export class FaultyStorage {
  values = new Map();
  faults = {};
  log = [];

  constructor(values = {}) { for (const [key, bytes] of Object.entries(values)) this.values.set(key, bytes); }

  async #do(method, key, work) {
    this.log.push(`${method} ${key}`);
    const fault = await this.faults[method]?.(key);
    if (fault === 'hang') return new Promise(() => {});
    if (fault) throw fault;
    return work();
  }
  get(key) { return this.#do('get', key, () => this.values.get(key)?.slice()); }
  put(key, bytes, durability) { return this.#do('put', `${key} ${durability}`, () => { this.values.set(key, bytes.slice()); }); }
  delete(key) { return this.#do('delete', key, () => { this.values.delete(key); }); }
  clear(prefix) {
    return this.#do('clear', prefix, () => { for (const key of [...this.values.keys()]) if (key.startsWith(prefix)) this.values.delete(key); });
  }
}
