// What a test asks of a page, in whatever engine it is open.
import { createHome } from '/js/dist/index.js';
import { createObserver } from '/js/dist/observe.js';
import { transcript } from '/tests/package/toolchains/apps/shared/scenario.js';
import { bodies } from './bodies.js';

const PAGE = {
  visible: { shelves: 2, cards: 3 },
  shelves: ['morning', 'fresh', 'focus'].map((id) => ({
    id, title: id, cards: ['a', 'b', 'c', 'd', 'e'].map((letter) => ({ id: `${id}:${letter}`, title: letter, artist: `artist ${letter}` })),
  })),
};
const ids = (page) => page.shelves.map((shelf) => [shelf.id, ...shelf.cards.map((card) => card.id)].join(' '));
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
const frame = () => new Promise((drawn) => { requestAnimationFrame(drawn); });
/** Saves, once this Home is the one that does: on a busy machine the lock may come late. */
async function save(...homes) {
  for (const end = performance.now() + 5000; performance.now() < end; await pause(10)) {
    const results = await Promise.all(homes.map((home) => home.flush()));
    if (results.every(({ saved }) => saved)) return;
  }
  throw new Error('expected to be saved within five seconds');
}
const finish = (home, ...cards) => {
  home.registerCards(cards.map((id) => ({ id, title: id })));
  for (const cardId of cards) home.track({ type: 'finish', cardId, msPlayed: 200_000 });
};

const databases = indexedDB;

/** A Home that tells `errors` of every failure. */
function told(options) {
  const errors = [];
  const home = createHome({ ...options, onError: (error) => errors.push(error.code) });
  return { home, errors };
}

/** What a Home is like after a disturbance: it must rank or give the server's order, quickly, and not throw. */
async function outcome(home, errors) {
  const began = performance.now();
  const { state, reason = null, storage } = await home.ready;
  const ready = performance.now() - began;
  const asked = performance.now();
  const page = home.rankSync(PAGE);
  finish(home, 'morning:a');
  const answered = performance.now() - asked;
  // On a busy machine the lock of the one that writes may come late.
  for (const end = performance.now() + 5000; !home.status.writer && performance.now() < end;) await pause(10);
  const { saved } = await home.flush();
  const events = home.summary().events;
  return { state, reason, storage, source: page.source, complete: ids(page).length === PAGE.shelves.length, saved, events, errors, ready, answered };
}

const DISTURBANCES = {
  async 'IndexedDB is not there'() {
    Object.defineProperty(window, 'indexedDB', { configurable: true, get: () => undefined });
  },
  async 'IndexedDB may not be read'() {
    Object.defineProperty(window, 'indexedDB', { configurable: true, get() { throw new DOMException('denied', 'SecurityError'); } });
  },
  async 'opening throws'() {
    IDBFactory.prototype.open = () => { throw new DOMException('denied', 'SecurityError'); };
  },
  async 'opening hangs'() {
    // Somebody does not make way for somebody else's newer version: whoever comes now waits behind them.
    const open = (version) => new Promise((opened) => {
      const request = indexedDB.open('ears-only', version);
      request.onblocked = () => opened();
      request.onsuccess = () => { if (version === 2) opened(request.result); else request.result.close(); };
    });
    globalThis.stubborn = await open(2);
    await open(3);
  },
  async 'the disk is full'() {
    IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };
  },
  async 'a newer version of the package has been here'() {
    await new Promise((opened, failed) => {
      const request = indexedDB.open('ears-only', 99);
      request.onsuccess = () => { request.result.close(); opened(); };
      request.onerror = () => failed(request.error);
    });
  },
};

globalThis.suite = {
  golden: () => transcript(createHome),
  bodies: (names) => bodies(createHome, names, async (name) => (await fetch(`/bundles/${name}.bundle`)).arrayBuffer()),

  /** A Home where the page's policy may forbid to compile. Nothing is awaited before the first page. */
  async policy() {
    const { home, errors } = told({ storage: 'memory' });
    const began = performance.now();
    const first = home.rankSync(PAGE);
    const answered = performance.now() - began;
    await frame();
    const inFrame = ids(first).join() === ids(PAGE).join();
    const { state, reason = null, message = null } = await home.ready;
    const page = home.rankSync(PAGE);
    return { first: first.source, answered, inFrame, state, reason, message, source: page.source, same: ids(page).join() === ids(PAGE).join(), errors };
  },

  async conformance() {
    const [{ storageConformance }, { openIndexedDb }] = await Promise.all([import('/js/tests/storage-conformance.mjs'), import('/js/build/modules/storage/indexeddb.js')]);
    const failed = [];
    const sealing = { prefix: '', subtle: crypto.subtle, entropy: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)) };
    const cases = [
      ...storageConformance(openIndexedDb, { persistent: true }), ...storageConformance((name) => openIndexedDb(`sealed ${name}`, sealing), { persistent: true }),
    ];
    for (const one of cases) await one.run().catch((thrown) => failed.push(`${one.title}: ${thrown.message}`));
    const home = createHome({ namespace: 'sealed' });
    await home.ready;
    const { encrypted } = home.status;
    await home.close();
    return { cases: cases.length, failed, encrypted };
  },

  /** Three cards, one of them below the fold: which were seen after a second. */
  async seen() {
    document.body.innerHTML = ['a', 'b'].map((id) => `<div id="${id}">${id}</div>`).join('') + '<div style="margin-top:5000px" id="c">c</div>';
    const seen = [];
    const began = performance.now();
    const observe = createObserver({ track: (event) => seen.push({ ...event, after: performance.now() - began }) });
    for (const element of document.body.children) observe(element, { cardId: element.id, shelfId: 's', decisionId: 'd' });
    for (const end = performance.now() + 5000; seen.length < 2 && performance.now() < end;) await pause(20);
    await pause(100);
    return { seen: seen.map(({ cardId }) => cardId), soonest: Math.min(...seen.map(({ after }) => after)) };
  },

  disturbances: () => Object.keys(DISTURBANCES),

  async disturbed(name) {
    await DISTURBANCES[name]();
    const { home, errors } = told({ namespace: 'disturbed' });
    const result = await outcome(home, errors);
    await home.close();
    // Whatever version is left must not be in the way of the next test.
    globalThis.stubborn?.close();
    await pause(50);
    await new Promise((gone) => {
      const request = databases.deleteDatabase('ears-only');
      request.onsuccess = request.onerror = gone;
    });
    return result;
  },

  /** Everything is deleted while a Home has it open. */
  async wiped() {
    const { home, errors } = told({ namespace: 'wiped' });
    await home.ready;
    finish(home, 'morning:a');
    await save(home);
    const deleted = await new Promise((done) => {
      const request = indexedDB.deleteDatabase('ears-only');
      request.onsuccess = () => done(true);
      request.onerror = () => done(false);
      setTimeout(() => done('blocked'), 2000);
    });
    const after = await outcome(home, errors);
    const stored = (await indexedDB.databases?.())?.filter(({ name }) => name === 'ears-only').length ?? 0;
    await home.close();
    const again = createHome({ namespace: 'wiped' });
    const status = await again.ready;
    const { events } = again.summary();
    await again.close();
    return { deleted, stored, ...after, next: status.state, events, heard: after.events };
  },

  /** Another tab brings a newer version of the package while a Home has its storage open. */
  async newer() {
    const { home, errors } = told({ namespace: 'newer' });
    const { state: before } = await home.ready;
    finish(home, 'morning:a');
    await save(home);
    const began = performance.now();
    const opened = await new Promise((done) => {
      const request = indexedDB.open('ears-only', 99);
      request.onsuccess = () => done(request.result);
      request.onerror = () => done({ version: String(request.error) });
      setTimeout(() => done({ version: 'hangs' }), 5000);
    });
    const waited = performance.now() - began;
    const asked = performance.now();
    const { source } = home.rankSync(PAGE);
    finish(home, 'morning:b');
    const answered = performance.now() - asked;
    const { saved } = await home.flush();
    const { state, reason } = home.status;
    const { events } = home.summary();
    const heard = [...errors];
    await home.close();
    const other = told({ namespace: 'newer' });
    const status = await other.home.ready;
    const next = [status.state, status.storage, other.home.rankSync(PAGE).source, ...other.errors];
    await other.home.close();
    opened.close?.();
    await new Promise((gone) => {
      const request = indexedDB.deleteDatabase('ears-only');
      request.onsuccess = request.onerror = gone;
    });
    return { before, opened: opened.version, waited, answered, state, reason, source, saved, events, errors: heard, next };
  },

  /** Three visits, each of which finds a state of nearly 2 MB that nothing can read. */
  async crammed() {
    const database = () => new Promise((resolve) => { indexedDB.open('ears-only').onsuccess = ({ target }) => resolve(target.result); });
    const visits = [];
    let most = 0;
    const first = createHome({ namespace: 'crammed' });
    await first.ready;
    await first.close();
    for (let visit = 0; visit < 3; visit++) {
      const db = await database();
      await new Promise((done) => {
        const transaction = db.transaction('sealed', 'readwrite');
        transaction.objectStore('sealed').put(new Uint8Array(1_999_000).fill(visit + 1), 'crammed/snapshot');
        transaction.oncomplete = done;
      });
      const { home, errors } = told({ namespace: 'crammed' });
      const { state } = await home.ready;
      const events = home.summary().events;
      for (const end = performance.now() + 5000; !home.status.writer && performance.now() < end;) await pause(10);
      home.rankSync(PAGE);
      finish(home, 'morning:a');
      await save(home);
      visits.push([state, events, errors.join(), home.summary().events]);
      await home.close();
      const sizes = await new Promise((done) => { db.transaction('sealed').objectStore('sealed').getAll().onsuccess = ({ target }) => done(target.result.map(({ length }) => length)); });
      most = Math.max(most, sizes.reduce((sum, size) => sum + size, 0));
      db.close();
    }
    return { most, visits };
  },

  /** The compiled core stops in the middle of a page. */
  async trap() {
    const instantiate = WebAssembly.instantiate;
    let stop = false;
    WebAssembly.instantiate = async (...args) => {
      const { exports } = await instantiate(...args);
      const rank = exports.core_rank;
      if (typeof rank !== 'function') throw new Error(`expected an export core_rank, got ${Object.keys(exports)}`);
      return { exports: { ...exports, core_rank: (...words) => { if (stop) { stop = false; throw new WebAssembly.RuntimeError('unreachable'); } return rank(...words); } } };
    };
    const { home, errors } = told({ namespace: 'trap' });
    await home.ready;
    finish(home, 'morning:a', 'morning:b', 'fresh:c');
    await save(home);
    stop = true;
    const during = home.rankSync(PAGE);
    const { state, reason } = home.status;
    for (const end = performance.now() + 5000; home.status.state !== 'ready' && performance.now() < end;) await pause(5);
    const after = home.rankSync(PAGE);
    const result = {
      during: [during.source, during.error?.code, ids(during).join() === ids(PAGE).join()], status: [state, reason],
      after: after.source, healed: home.status.state, events: home.summary().events, errors,
    };
    await home.close();
    return result;
  },

  /** Sign-out: one profile is forgotten, the other is not; closed Homes give the server's order. */
  async signOut() {
    const [parent, child] = ['parent', 'child'].map((namespace) => createHome({ namespace }));
    await Promise.all([parent.ready, child.ready]);
    finish(parent, 'morning:a', 'morning:b');
    finish(child, 'fresh:a');
    await save(parent, child);
    await parent.reset();
    await Promise.all([parent.close(), child.close()]);
    const closed = parent.rankSync(PAGE);
    const counts = [];
    for (const namespace of ['parent', 'child']) {
      const home = createHome({ namespace });
      await home.ready;
      counts.push(home.summary().events);
      await home.close();
    }
    return { counts, closed: [closed.source, closed.error.code], state: parent.status.state };
  },

  /** Closing at any moment of the start: never an error, and the next Home writes. */
  async closing() {
    const found = [];
    for (const ms of [0, 1, 3, 10, 30]) {
      const { home, errors } = told({ namespace: 'closing' });
      if (ms > 0) await pause(ms);
      await home.close();
      const { home: next, errors: more } = told({ namespace: 'closing' });
      const { state } = await next.ready;
      // A busy machine hands the lock on later than a start waits for it.
      for (let tries = 0; !next.status.writer && tries < 200; tries++) await pause(10);
      found.push([state, next.status.writer, home.status.state, errors.length + more.length].join(' '));
      await next.close();
    }
    return found;
  },

  /** The second visit starts while its core is held back: what it shows until then, and what it does not. */
  async lastOrder() {
    const first = createHome({ namespace: 'last' });
    await first.ready;
    const shown = first.rankSync(PAGE);
    await save(first);
    await first.close();
    const compile = WebAssembly.compile;
    let go;
    const held = new Promise((let_go) => { go = let_go; });
    WebAssembly.compile = async (bytes) => { await held; return compile.call(WebAssembly, bytes); };
    const again = createHome({ namespace: 'last', wasm: new URL('/js/dist/core_bg.wasm', location.href) });
    const atOnce = again.rankSync(PAGE).source;
    let last;
    for (const end = performance.now() + 5000; performance.now() < end && last?.source !== 'last'; await pause(1)) last = again.rankSync(PAGE);
    const { state } = again.status;
    const same = (one, other) => JSON.stringify(one.shelves) === JSON.stringify(other.shelves);
    go();
    await again.ready;
    const kept = same(last, shown);
    const next = again.rankSync(PAGE).source;
    await again.reset();
    await again.close();
    const fresh = createHome({ namespace: 'last', wasm: new Uint8Array() });
    await fresh.ready;
    return { atOnce, state, source: last.source, kept, repeats: last.repeats === shown.decisionId, moved: ids(shown).join() !== ids(PAGE).join(), next, afterSignOut: fresh.rankSync(PAGE).source };
  },

  /** For tests with several tabs and with history: the Home stays on `window`. */
  async stay(namespace) {
    const { home, errors } = told({ namespace });
    Object.assign(globalThis, { home, errors });
    globalThis.shows = [];
    addEventListener('pageshow', ({ persisted }) => shows.push(persisted));
    const { state, writer } = await home.ready;
    return { state, writer, events: home.summary().events };
  },
  async rankAndHear(card) {
    const { decisionId } = home.rankSync(PAGE);
    home.track({ type: 'finish', decisionId, cardId: card, msPlayed: 200_000 });
    for (const end = performance.now() + 5000; performance.now() < end;) {
      const other = createHome({ namespace: 'away' });
      await other.ready;
      const { events } = other.summary();
      await other.close();
      if (events > 0) break;
    }
    return suite.summary();
  },
  async summary() {
    const { decisions, events } = home.summary();
    return { decisions, events };
  },

  /** Two Homes of one profile, as two parts of an app make them. */
  async twins() {
    const one = told({ namespace: 'twins' });
    await one.home.ready;
    await save(one.home);
    const two = told({ namespace: 'twins' });
    await two.home.ready;
    const writers = [one.home.status.writer, two.home.status.writer];
    const sources = [one, two].map(({ home }) => home.rankSync(PAGE).source);
    finish(one.home, 'morning:a');
    finish(two.home, 'fresh:a');
    await one.home.close();
    await save(two.home);
    const result = { writers, sources, then: two.home.status.writer, events: two.home.summary().events, errors: [...one.errors, ...two.errors] };
    await two.home.close();
    return result;
  },

  /** What is stored when the page is hidden, a moment after it was ranked and before anything is saved on its own. */
  async hidden() {
    const { home, errors } = told({ namespace: 'hidden' });
    await home.ready;
    for (const end = performance.now() + 5000; !home.status.writer && performance.now() < end;) await pause(10);
    const stored = async () => {
      // Another Home reads what is there.
      const other = createHome({ namespace: 'hidden' });
      await other.ready;
      const { decisions } = other.summary();
      await other.close();
      return decisions;
    };
    await home.flush();
    home.rankSync(PAGE);
    const before = await stored();
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
    delete document.visibilityState;
    let after = 0;
    for (const end = performance.now() + 900; after === before && performance.now() < end;) after = await stored();
    const result = { before, after, source: home.rankSync(PAGE).source, errors };
    await home.close();
    return result;
  },

  hear: async (...cards) => { finish(home, ...cards); await home.flush(); return home.summary().events; },
  now: async () => ({ ...home.status, events: home.summary().events, source: home.rankSync(PAGE).source, errors, shows }),
};
globalThis.loaded = true;
