// The order of the last visit, shown when a page must be on screen before there is a core.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LastOrders, MAX_STORED_BYTES } from '../build/modules/last-order.js';
import { reason } from '../build/modules/reasons.js';
import { CORES, makeHome, outline, samplePage } from './homes.mjs';
import { coded, fakeProgram } from './fake-core.mjs';
import { FaultyStorage, World } from './world.mjs';

/** Nothing on it is fixed: the fake core does not know what that is. */
const somePage = () => {
  const page = samplePage();
  for (const thing of [...page.shelves, ...page.shelves.flatMap(({ cards }) => cards)]) delete thing.fixed;
  return page;
};
const KEY = 'default/orders';
const NOT_READY = { code: 'not_ready', message: 'this Home is still starting' };
const eventually = async (holds) => {
  for (let tries = 0; tries < 500; tries++) {
    if (holds()) return true;
    await new Promise((resolve) => { setImmediate(resolve); });
  }
  return false;
};
/** A core that comes when the test says so. */
function slowCore(program = fakeProgram()) {
  let come;
  let fail;
  const loading = new Promise((resolve, reject) => { come = () => resolve(program); fail = reject; });
  return { loadCore: () => loading, come, fail };
}
/** One visit that ranks `page` and closes; returns what was shown. */
async function visit(options, page = somePage(), during = () => {}) {
  const { home } = makeHome(options);
  await home.ready;
  const ranked = home.rankSync(page);
  await during(home, ranked);
  await home.close();
  return ranked;
}
/** A Home whose storage has been read and whose core is still on its way. */
async function starting(options) {
  const slow = slowCore();
  const made = makeHome({ ...options, loadCore: slow.loadCore });
  await eventually(() => made.home.rankSync(somePage()).source === 'last');
  return { ...made, ...slow };
}
const places = (page) => page.shelves.map((shelf) => [shelf.id, shelf.position, shelf.propensity, shelf.reason.code,
  shelf.cards.map((card) => [card.id, card.position, card.propensity, card.reason.code])]);

for (const core of CORES) describe(`on the ${core} core`, () => {
  test('before the core: the order of the last visit, its places and propensities bit for bit, the app\'s data of today', async () => {
    const storage = new FaultyStorage();
    const before = await visit({ core, storage });
    const { home, come } = await starting({ storage });
    const page = somePage();
    page.shelves[0].cards[0].cover = 'new.jpg';
    const shown = home.rankSync(page);
    assert.deepEqual(outline(shown), outline(before));
    assert.deepEqual(places(shown), places(before));
    assert.deepEqual(
      [shown.source, shown.decisionId, shown.repeats, shown.randomized, shown.probe, shown.policy, shown.modelVersion, shown.error],
      ['last', '', before.decisionId, false, false, before.policy, before.modelVersion, NOT_READY],
    );
    assert.equal(shown.shelves.flatMap(({ cards }) => cards).find(({ id }) => id === 'album:kind-of-blue').cover, 'new.jpg');
    for (const thing of [shown, shown.shelves, ...shown.shelves, ...shown.shelves.flatMap(({ cards }) => [cards, ...cards])]) assert.ok(Object.isFrozen(thing));
    come();
    await home.ready;
    assert.equal(home.rankSync(page).source, 'policy', 'the next view is ranked');
    await home.close();
  });
});

test('what is heard from it is listening, and no outcome of a decision', async () => {
  const storage = new FaultyStorage();
  await visit({ storage });
  const program = fakeProgram();
  const slow = slowCore(program);
  const { home, errors } = makeHome({ storage, loadCore: slow.loadCore });
  await eventually(() => home.rankSync(somePage()).source === 'last');
  const { decisionId, shelves: [shelf] } = home.rankSync(somePage());
  home.track({ type: 'finish', decisionId, shelfId: shelf.id, cardId: shelf.cards[0].id, msPlayed: 60_000 });
  slow.come();
  await home.ready;
  assert.deepEqual(program.instances.at(-1).state.events.map((event) => [event.decisionId, event.cardId]), [['', shelf.cards[0].id]]);
  assert.equal(home.summary().decisions, 1, 'only the one of the last visit');
  assert.deepEqual(errors, []);
  await home.close();
});

test('it is there before the core is, and not only when asked for again: rank waits, a race does not', async () => {
  const storage = new FaultyStorage();
  const world = new World();
  const before = await visit({ storage, world });
  const { home } = await starting({ storage, world });
  const ranking = home.rank(somePage());
  await world.advance(1999);
  assert.equal(await Promise.race([ranking, Promise.resolve('waiting')]), 'waiting');
  await world.advance(10);
  const page = await ranking;
  assert.deepEqual([page.source, outline(page)], ['last', outline(before)]);
});

describe('it is the same page', () => {
  const changes = {
    'in another order of the server': [(page) => { page.shelves.splice(0, 2, page.shelves[1], page.shelves[0]); page.shelves[1].cards.reverse(); }, 'last'],
    'with new titles and other visible places': [(page) => { page.shelves[0].title = 'Evening'; page.visible = { shelves: 1, cards: 1 }; }, 'last'],
    'but for one more card': [(page) => { page.shelves[0].cards.push({ id: 'new' }); }, 'baseline'],
    'but for a card less': [(page) => { page.shelves[0].cards.pop(); }, 'baseline'],
    'but for another card': [(page) => { page.shelves[0].cards[1] = { id: 'other' }; }, 'baseline'],
    'but for a card twice': [(page) => { page.shelves[0].cards[1] = page.shelves[0].cards[0]; }, 'baseline'],
    'but for a shelf less': [(page) => { page.shelves.pop(); }, 'baseline'],
    'but for a card in another shelf': [(page) => { page.shelves[1].cards.push(page.shelves[0].cards.pop()); }, 'baseline'],
    'that is none': [(page) => { delete page.shelves; }, 'baseline'],
    'that throws': [(page) => { Object.defineProperty(page.shelves[0], 'cards', { get() { throw new Error('no'); } }); }, 'baseline'],
  };
  for (const [what, [change, source]] of Object.entries(changes)) {
    test(`${what}: ${source}`, async () => {
      const storage = new FaultyStorage();
      await visit({ storage });
      const { home } = await starting({ storage });
      const page = somePage();
      change(page);
      assert.equal(home.rankSync(page).source, source);
      assert.equal(home.serverOrder(somePage()).source, 'baseline');
    });
  }

  test('what is fixed now stands where the server has it now', async () => {
    const storage = new FaultyStorage();
    const before = await visit({ storage });
    assert.deepEqual(outline(before).map(([id]) => id), ['sponsored', 'fresh', 'morning'], 'the fake core turns everything around');
    const { home } = await starting({ storage });
    const page = somePage();
    page.shelves[0].cards[0].fixed = page.shelves[2].fixed = true;
    const shown = home.rankSync(page);
    assert.deepEqual(outline(shown), [
      ['fresh', ['album:blue-lines', 'album:dummy']], ['morning', ['album:kind-of-blue', 'album:getz-gilberto', 'album:blue-train']],
      ['sponsored', ['album:homework']],
    ]);
    assert.deepEqual(places(shown)[1][4][0], ['album:kind-of-blue', 0, 1, 'fixed']);
    assert.deepEqual(places(shown)[2].slice(2, 4), [1, 'fixed']);
  });

  test('four pages are kept, each in its own order; shelves of the device are not', async () => {
    const storage = new FaultyStorage();
    const page = (name) => ({ local: true, shelves: ['a', 'b'].map((shelf) => ({ id: `${name}:${shelf}`, cards: ['x', 'y', 'z'].map((card) => ({ id: `${name}:${shelf}:${card}` })) })) });
    const { home } = makeHome({ storage });
    await home.ready;
    home.rankSync(page('0'));
    home.track({ type: 'finish', cardId: '0:a:x', msPlayed: 60_000 });
    for (const name of ['0', '1', '2']) home.rankSync(page(name));
    await home.flush();
    for (const name of ['3', '1', '4']) home.rankSync(page(name));
    await home.close();
    const slow = slowCore();
    const { home: next } = makeHome({ storage, loadCore: slow.loadCore });
    assert.ok(await eventually(() => next.rankSync(page('4')).source === 'last'));
    assert.deepEqual(['0', '1', '2', '3', '4'].map((name) => next.rankSync(page(name)).source), ['baseline', 'last', 'last', 'last', 'last']);
    assert.deepEqual(outline(next.rankSync(page('1'))), [['1:b', ['z', 'y', 'x'].map((card) => `1:b:${card}`)], ['1:a', ['z', 'y', 'x'].map((card) => `1:a:${card}`)]]);
  });
});

describe('it is gone', () => {
  /** What is stored after a visit in which `during` happened, and what the next visit shows. */
  async function after(during, options = {}) {
    const storage = new FaultyStorage();
    await visit({ storage, ...options }, somePage(), during);
    const { home } = await starting({ storage });
    await eventually(() => false);
    return [storage.values.has(KEY), home.rankSync(somePage()).source];
  }
  const settled = () => eventually(() => false);

  for (const [what, during] of Object.entries({
    'a card was hidden': (home) => home.track({ type: 'hide', cardId: 'album:dummy' }),
    'a hidden card is wanted again': (home) => home.track({ type: 'unhide', cardId: 'album:dummy' }),
    'a card was excluded': (home) => home.exclude({ cardId: 'album:dummy' }),
    'an artist was excluded': (home) => home.exclude({ artist: 'Portishead' }),
    'an exclusion was taken back': (home) => home.include({ artist: 'Portishead' }),
    'the listener signed out': (home) => home.reset(),
    'the state of elsewhere came': async (home) => home.importState(await home.exportState()),
  })) {
    test(`once ${what}`, async () => {
      assert.deepEqual(await after(during), [false, 'baseline']);
      // Also where it was stored before that.
      assert.deepEqual(await after(async (home) => { await home.flush(); await settled(); await during(home); }), [false, 'baseline']);
    });
  }

  test('once a card was hidden while a save was under way', async () => {
    const storage = new FaultyStorage();
    const { home } = makeHome({ storage });
    await home.ready;
    home.rankSync(somePage());
    let go;
    const held = new Promise((resolve) => { go = resolve; });
    storage.faults.get = (key) => (key.includes('aside') ? held : undefined);
    const saving = home.flush();
    await eventually(() => storage.log.some((line) => line.startsWith('get default/aside')));
    home.track({ type: 'hide', cardId: 'album:dummy' });
    await settled();
    go();
    await saving;
    await home.close();
    assert.ok(!storage.values.has(KEY));
  });

  test('never kept while listening privately; what was kept before stays', async () => {
    assert.deepEqual(await after((home) => home.flush()), [true, 'last']);
    const storage = new FaultyStorage();
    const { home } = makeHome({ storage });
    home.setPrivate(true);
    await home.ready;
    home.rankSync(somePage());
    await home.flush();
    await home.close();
    assert.ok(!storage.values.has(KEY));
  });

  test('never of a page that was shown privately before the core, though the private listening is over when it comes', async () => {
    const storage = new FaultyStorage();
    const slow = slowCore();
    const { home } = makeHome({ storage, loadCore: slow.loadCore });
    home.setPrivate(true);
    home.rankSync(somePage());
    home.setPrivate(false);
    slow.come();
    await home.ready;
    await home.flush();
    await home.close();
    assert.ok(!storage.values.has(KEY));
  });

  test('a card that is hidden before there is a core, or where there will be none; an exclusion there', async () => {
    for (const act of [(home) => home.track({ type: 'hide', cardId: 'album:dummy' }), (home) => home.exclude({ cardId: 'album:dummy' }).catch(() => undefined)]) {
      const storage = new FaultyStorage();
      await visit({ storage });
      const { home, fail } = await starting({ storage });
      fail(coded('csp', 'blocked'));
      await home.ready;
      assert.equal(home.rankSync(somePage()).source, 'last');
      await act(home);
      assert.equal(home.rankSync(somePage()).source, 'baseline');
      await settled();
      assert.ok(!storage.values.has(KEY));
      await home.close();
    }
    const waiting = new FaultyStorage();
    await visit({ storage: waiting });
    const early = await starting({ storage: waiting });
    early.home.track({ type: 'hide', cardId: 'album:dummy' });
    assert.equal(early.home.rankSync(somePage()).source, 'baseline');
    early.come();
    await early.home.ready;
    assert.equal(early.home.summary().events, 1, 'the core hears of it before it draws an order for the next visit');
    await early.home.close();
    const storage = new FaultyStorage();
    await visit({ storage });
    const { home } = makeHome({ storage });
    home.track({ type: 'hide', cardId: 'album:dummy' });
    await home.ready;
    await settled();
    assert.ok(!storage.values.has(KEY), 'hidden before there was a storage');
    await home.close();
  });

  test('a tab that goes on for the one that wrote: what was hidden there is not seen again', async () => {
    const world = new World();
    const storage = Object.assign(new FaultyStorage(), { lockName: 'test' });
    const one = makeHome({ world, storage });
    await one.home.ready;
    const two = makeHome({ world, storage });
    await world.advance(200);
    assert.equal(two.home.status.writer, false);
    two.home.rankSync(somePage());
    one.home.rankSync(somePage());
    one.home.track({ type: 'hide', cardId: 'album:dummy' });
    await one.home.close();
    assert.ok(await eventually(() => two.home.status.writer));
    await world.advance(2000);
    await two.home.flush();
    await settled();
    assert.ok(!storage.values.has(KEY));
    await two.home.close();
  });

  test('a hidden card in a tab that does not write; a wipe and an exclusion that another tab tells of', async () => {
    for (const act of [(home) => home.track({ type: 'hide', cardId: 'album:dummy' }), (home) => home.reset(), (home) => home.exclude({ cardId: 'album:dummy' })]) {
      const world = new World();
      const storage = Object.assign(new FaultyStorage(), { lockName: 'test' });
      const one = makeHome({ world, storage });
      await one.home.ready;
      one.home.rankSync(somePage());
      await one.home.flush();
      assert.ok(storage.values.has(KEY));
      const two = makeHome({ world, storage });
      await world.advance(200);
      assert.equal(two.home.status.writer, false);
      two.home.rankSync(somePage());
      await act(two.home);
      await settled();
      assert.ok(!storage.values.has(KEY));
      await one.home.close();
      await two.home.close();
    }
  });

  test('after a core that stopped: that page is in the server\'s order', async () => {
    const storage = new FaultyStorage();
    await visit({ storage });
    const program = fakeProgram();
    const { home } = makeHome({ storage, program });
    await home.ready;
    program.faults.rank = new Error('unreachable');
    assert.deepEqual([home.rankSync(somePage()).source, home.rankSync(somePage()).source], ['baseline', 'baseline']);
    delete program.faults.rank;
    await home.close();
    assert.equal(home.rankSync(somePage()).source, 'baseline');
  });

  test('without the consent to personalize, stored or given', async () => {
    const storage = new FaultyStorage();
    await visit({ storage });
    const { home } = await starting({ storage, consent: { personalize: true } });
    assert.equal(home.rankSync(somePage()).source, 'last');
    const choosing = home.setConsent({ personalize: false });
    assert.equal(home.rankSync(somePage()).source, 'baseline');
    void choosing;
  });
});

test('a core that never comes, by the policy of the page or for want of a network: the order of the last visit all the same', async () => {
  const storage = new FaultyStorage();
  const before = await visit({ storage });
  const { home, fail } = await starting({ storage });
  fail(coded('csp', 'blocked'));
  const { reason: why } = await home.ready;
  const shown = home.rankSync(somePage());
  assert.deepEqual([why, shown.source, shown.error.code, outline(shown)], ['csp', 'last', 'csp', outline(before)]);
});

test('a core that is always late: each visit begins with the order that the one before left, and nothing of it is a decision', async () => {
  const storage = new FaultyStorage();
  const program = fakeProgram();
  const first = slowCore(program);
  const { home } = makeHome({ storage, loadCore: first.loadCore });
  assert.equal(home.rankSync(somePage()).source, 'baseline');
  home.track({ type: 'play', cardId: 'album:dummy' });
  first.come();
  await home.ready;
  assert.deepEqual([home.summary().decisions, home.summary().events], [0, 1], 'what was heard before counts, what was drawn does not');
  assert.equal(program.instances[0].private, false);
  await home.close();
  const next = await starting({ storage });
  const shown = next.home.rankSync(somePage());
  assert.deepEqual([shown.source, shown.randomized, shown.decisionId, outline(shown).map(([id]) => id)], ['last', false, '', ['sponsored', 'fresh', 'morning']]);
});

test('on the real core nothing else changes by it: no decision, and the draws that follow are the same', { skip: !CORES.includes('real') }, async () => {
  const later = [];
  for (const early of [false, true]) {
    const { home } = makeHome({ core: 'real' });
    if (early) home.rankSync(samplePage());
    home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
    home.registerCards([{ id: 'album:dummy' }]);
    await home.ready;
    assert.deepEqual([home.summary().decisions, home.summary().events], [0, 1]);
    const ranked = home.rankSync(samplePage());
    later.push([ranked.decisionId, places(ranked)]);
    await home.close();
  }
  assert.deepEqual(later[1], later[0]);
});

test('a core that stops at that costs nothing but it', async () => {
  const program = fakeProgram();
  const slow = slowCore(program);
  const { home, errors } = makeHome({ loadCore: slow.loadCore });
  home.rankSync(somePage());
  home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
  program.faults.rank = () => { delete program.faults.rank; return new Error('unreachable'); };
  slow.come();
  await home.ready;
  assert.ok(await eventually(() => home.status.state === 'ready'));
  assert.deepEqual(errors.map(({ code }) => code), ['panic']);
  assert.equal(home.rankSync(somePage()).source, 'policy');
  await home.close();
});

test('whoever waits for a core that fails at once is shown it too', async () => {
  const storage = new FaultyStorage();
  await visit({ storage });
  const { home } = makeHome({ storage, loadCore: async () => { throw coded('no_simd', 'too old'); } });
  assert.equal((await home.ready).reason, 'no-simd');
  assert.equal(home.rankSync(somePage()).source, 'last');
});

test('the page of a public draw is not shown again; the one before it is', async () => {
  const storage = new FaultyStorage();
  const program = fakeProgram();
  const { home } = makeHome({ storage, program });
  await home.ready;
  const before = home.rankSync(somePage());
  const core = program.instances.at(-1);
  const { rank } = core;
  core.rank = (...values) => rank(...values).with(5, 1);
  assert.equal(home.rankSync(somePage()).probe, true);
  await home.close();
  const next = await starting({ storage });
  assert.equal(next.home.rankSync(somePage()).repeats, before.decisionId);
});

describe('what is stored', () => {
  const ranked = (count, name = 'x') => ({
    decisionId: name, policy: 'p', modelVersion: 'm',
    shelves: [{ id: name, propensity: 1, reason: reason('general'), cards: Array.from({ length: count }, (_, i) => ({ id: `${name}:${i}`, propensity: 1 / 3, reason: reason('further_down') })) }],
  });
  const page = (count, name = 'x') => ({ shelves: [{ id: name, cards: Array.from({ length: count }, (_, i) => ({ id: `${name}:${i}` })) }] });

  test('at most 256 kB, the newest pages first; with a snapshot at most 2 MB', () => {
    const orders = new LastOrders();
    assert.equal(orders.keep([], 0), undefined);
    const small = orders.keep([ranked(10, 'a')], 0);
    assert.ok(small.length < 1000);
    const large = orders.keep([ranked(4000, 'b')], 0);
    assert.ok(large.length > 100_000 && large.length <= 256_000, `${large.length} bytes`);
    assert.equal(orders.keep([], MAX_STORED_BYTES - 256_000), undefined, 'nothing changed, and it still fits');
    const both = orders.keep([ranked(4000, 'c')], 0);
    const read = new LastOrders(both);
    assert.ok(both.length <= 256_000);
    assert.deepEqual(['a', 'b', 'c'].map((name) => read.again(page(name === 'a' ? 10 : 4000, name), NOT_READY, reason)?.source), [undefined, undefined, 'last']);
    assert.equal(orders.keep([ranked(10_000, 'd')], 0).length, 0, 'too large by itself');
    assert.equal(orders.keep([ranked(10, 'e')], MAX_STORED_BYTES - 50).length, 0);
    assert.ok(orders.keep([ranked(10, 'e')], MAX_STORED_BYTES - 1000).length > 0);
    assert.equal(orders.keep([], MAX_STORED_BYTES).length, 0, 'the snapshot grew');
  });

  test('a snapshot that takes the room takes it from the orders', async () => {
    const storage = new FaultyStorage();
    const program = fakeProgram();
    const { home } = makeHome({ storage, program });
    await home.ready;
    home.rankSync(somePage());
    await home.flush();
    assert.ok(storage.values.has(KEY));
    const core = program.instances.at(-1);
    const { snapshot } = core;
    core.snapshot = () => new Uint8Array(MAX_STORED_BYTES - 10);
    await home.flush();
    assert.ok(!storage.values.has(KEY));
    core.snapshot = snapshot;
    await home.close();
  });

  test('of what could not be read the last one is kept aside, for as long as all together are at most 2 MB', async () => {
    const storage = new FaultyStorage();
    const total = () => [...storage.values.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    const aside = () => storage.values.get('default/aside/snapshot');
    for (const size of [1_000_000, 1_200_000]) {
      storage.values.set('default/snapshot', new Uint8Array(size).fill(7));
      await visit({ storage });
      assert.equal(aside().length, size);
      assert.ok(total() <= MAX_STORED_BYTES);
    }
    const program = fakeProgram();
    const { home } = makeHome({ storage, program });
    await home.ready;
    const core = program.instances.at(-1);
    const { snapshot } = core;
    core.snapshot = () => new Uint8Array(700_000);
    home.rankSync(somePage());
    await home.flush();
    assert.ok(aside() && storage.values.has(KEY));
    core.snapshot = () => new Uint8Array(900_000);
    home.rankSync(somePage());
    await home.flush();
    assert.ok(!aside() && storage.values.has(KEY) && total() <= MAX_STORED_BYTES, 'it gives way to what can be read');
    core.snapshot = snapshot;
    await home.close();
  });

  for (const [what, text] of Object.entries({
    nothing: '', 'no JSON': '{', 'another format': '{"format":2,"orders":[]}', 'no list': '{"format":1,"orders":7}',
    'a list of something else': '{"format":1,"orders":[{"shelves":[[1,2,3]]}]}', null: 'null',
  })) {
    test(`${what} counts as none, and is replaced`, async () => {
      const orders = new LastOrders(new TextEncoder().encode(text));
      assert.equal(orders.again(page(3), NOT_READY, reason), undefined);
      assert.equal(new LastOrders(orders.keep([ranked(3)], 0)).again(page(3), NOT_READY, reason).source, 'last');
    });
  }

  test('a storage that does not take it costs nothing but it', async () => {
    const storage = new FaultyStorage();
    storage.faults.put = (key) => { if (key === KEY) return new DOMException('no room', 'QuotaExceededError'); };
    const { home, errors } = makeHome({ storage });
    await home.ready;
    home.rankSync(somePage());
    assert.equal((await home.flush()).saved, true);
    assert.deepEqual([home.status.state, errors], ['ready', []]);
    await home.close();
  });
});
