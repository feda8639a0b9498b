import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { guardedCore } from '../build/modules/core.js';
import { HomeError } from '../build/modules/errors.js';
import { coded, fakeProgram } from './fake-core.mjs';
import { CORES, makeHome, MODEL, outline, samplePage } from './homes.mjs';
import { FaultyStorage, World } from './world.mjs';

const inServerOrder = (page, input, code) => {
  assert.equal(page.source, 'baseline');
  assert.equal(page.error?.code, code);
  assert.equal(typeof page.error.message, 'string');
  assert.deepEqual(outline(page), outline(input));
  assert.equal(page.randomized, false);
};

for (const core of CORES) {
  describe(`ranking on the ${core} core`, () => {
    test('before ready it is the server\'s order, afterwards the policy\'s', async () => {
      const { home, errors } = makeHome({ core });
      const page = samplePage();
      assert.equal(home.status.state, 'loading');
      inServerOrder(home.rankSync(page), page, 'not_ready');
      const status = await home.ready;
      assert.equal(status.state, 'ready');
      const ranked = home.rankSync(page);
      assert.equal(ranked.source, 'policy');
      assert.match(ranked.decisionId, /^[0-9a-f]{16}$/);
      assert.equal(ranked.error, undefined);
      assert.deepEqual(outline(ranked).map(([, cards]) => [...cards].sort()).flat().sort(), outline(page).map(([, cards]) => cards).flat().sort());
      assert.deepEqual(errors, []);
      await home.close();
    });

    test('rank waits for ready', async () => {
      const { home } = makeHome({ core });
      assert.equal((await home.rank(samplePage())).source, 'policy');
      await home.close();
    });

    test('each call is a decision of its own, and an earlier page stays as it was', async () => {
      const { home } = makeHome({ core });
      await home.ready;
      const page = samplePage();
      const first = home.rankSync(page);
      const before = JSON.stringify(first);
      const second = home.rankSync(page);
      assert.notEqual(first.decisionId, second.decisionId);
      assert.equal(JSON.stringify(first), before);
      assert.ok(Object.isFrozen(first.shelves[0].cards[0]));
      await home.close();
    });

    test('a page that grows says what it goes on from', async () => {
      const { home } = makeHome({ core });
      await home.ready;
      const [upper, lower] = [samplePage(), samplePage()];
      const first = home.rankSync({ ...upper, shelves: upper.shelves.slice(0, 1) });
      const next = home.rankSync({ ...lower, after: first.decisionId, shelves: lower.shelves.slice(1) });
      assert.equal(next.source, 'policy');
      assert.notEqual(next.decisionId, first.decisionId);
      const lost = home.rankSync({ ...lower, after: '0123456789abcdef' });
      if (core !== 'fake') inServerOrder(lost, lower, 'unknown_decision');
      await home.close();
    });

    const bad = {
      'no page at all': [undefined, 'page_invalid'],
      'a page that is a string': ['page', 'page_invalid'],
      'no shelf': [{ shelves: [] }, 'page_empty'],
      'an empty shelf': [{ shelves: [{ id: 'a', cards: [] }] }, 'shelf_empty'],
      'the same shelf twice': [{ shelves: [{ id: 'a', cards: [{ id: 'x' }] }, { id: 'a', cards: [{ id: 'y' }] }] }, 'duplicate_shelf'],
      'the same card twice in a shelf': [{ shelves: [{ id: 'a', cards: [{ id: 'x' }, { id: 'x' }] }] }, 'duplicate_card'],
      'a NaN feature': [{ shelves: [{ id: 'a', cards: [{ id: 'x', features: [NaN, 1] }] }] }, 'not_finite'],
      'an infinite feature': [{ shelves: [{ id: 'a', cards: [{ id: 'x', features: { tempo: 1e300 } }] }] }, 'not_finite'],
      'too few columns': [{ shelves: [{ id: 'a', cards: [{ id: 'x', features: [1] }] }] }, 'column_count'],
      '10,001 cards': [{ shelves: [{ id: 'a', cards: Array.from({ length: 10_001 }, (_, i) => ({ id: `c${i}` })) }] }, 'page_too_large'],
      '201 shelves': [{ shelves: Array.from({ length: 201 }, (_, i) => ({ id: `s${i}`, cards: [{ id: 'x' }] })) }, 'page_too_large'],
      'nothing visible': [{ visible: { shelves: 0, cards: 1 }, shelves: [{ id: 'a', cards: [{ id: 'x' }] }] }, 'visible_range'],
      'a card without id': [{ shelves: [{ id: 'a', cards: [{ title: 'Dummy' }] }] }, 'id_invalid'],
      'a getter that throws': [{ shelves: [{ id: 'a', get cards() { throw new Error('boom'); } }] }, 'page_invalid'],
    };
    for (const [name, [page, code]] of Object.entries(bad)) {
      test(`${name}: the server's order, ${code}, and the next page is ranked`, async () => {
        const { home, errors } = makeHome({ core });
        await home.ready;
        const result = home.rankSync(page);
        assert.equal(result.source, 'baseline');
        assert.equal(result.error.code, code);
        if (Array.isArray(page?.shelves) && code !== 'page_invalid') {
          assert.deepEqual(outline(result), outline(page));
        }
        assert.deepEqual(errors.map((error) => [error instanceof HomeError, error.code]), [[true, code]]);
        assert.equal(home.rankSync(samplePage()).source, 'policy');
        assert.equal((await home.rank(page)).error.code, code);
        await home.close();
      });
    }

    test('a page asked for from within a value of another has the server\'s order, and the outer one is ranked', async () => {
      const [one, other] = [makeHome({ core }), makeHome({ core })];
      await Promise.all([one.home.ready, other.home.ready]);
      const page = samplePage();
      let inner;
      const small = { shelves: samplePage().shelves.slice(1, 2) };
      Object.defineProperty(page.shelves[0].cards[1], 'fixed', { enumerable: true, get() { inner ??= one.home.rankSync(small); return false; } });
      const outer = one.home.rankSync(page);
      inServerOrder(inner, small, 'page_invalid');
      assert.deepEqual(one.errors.map(({ code }) => code), ['page_invalid']);
      const plain = other.home.rankSync(samplePage());
      const drawn = (ranked) => ranked.shelves.map((shelf) => [shelf.id, shelf.propensity, shelf.cards.map(({ id, propensity, reason }) => [id, propensity, reason])]);
      assert.deepEqual([outer.decisionId, outer.source, drawn(outer)], [plain.decisionId, 'policy', drawn(plain)]);
      assert.equal(one.home.rankSync(samplePage()).source, 'policy');
      await Promise.all([one.home.close(), other.home.close()]);
    });

    if (core === 'fake') test('a page is said to be drawn by what drew it, whatever drew the pages before', async () => {
      const { home, program } = makeHome({ core });
      await home.ready;
      const names = [1, 0, 1].map((number) => {
        program.instances.at(-1).policy = number;
        return home.rankSync(samplePage()).policy;
      });
      assert.deepEqual(names, ['softmax', 'plackett_luce', 'softmax']);
      await home.close();
    });

    if (core === 'real') test('each policy has its name', async () => {
      for (const kind of ['plackett_luce', 'softmax', 'epsilon_page', 'epsilon', 'squarecb', 'linucb', 'thompson', 'explore_then_commit', 'uniform', 'fixed', 'popularity']) {
        const { home } = makeHome({ core, model: { ...MODEL, policy: { kind } } });
        await home.ready;
        const { decisionId, policy } = home.rankSync(samplePage());
        assert.deepEqual([policy, home.explain(decisionId).policy], [kind, kind]);
        await home.close();
      }
    });

    if (core === 'real') test('fixed shelves and cards keep their place', async () => {
      const { home } = makeHome({ core, seed: 3 });
      await home.ready;
      for (let i = 0; i < 50; i++) {
        const ranked = home.rankSync(samplePage());
        assert.equal(ranked.shelves[2].id, 'sponsored');
        assert.deepEqual(ranked.shelves[2].reason.code, 'fixed');
        assert.equal(ranked.shelves[2].propensity, 1);
      }
      await home.close();
    });

    test('events: good ones are kept, bad ones are reported, none throws', async () => {
      const { home, errors, world } = makeHome({ core });
      await home.ready;
      const page = home.rankSync(samplePage());
      const shelfId = page.shelves[0].id;
      const cardId = page.shelves[0].cards[0].id;
      home.track({ type: 'impression', decisionId: page.decisionId, shelfId, cardId });
      home.track({ type: 'play', decisionId: page.decisionId, shelfId, cardId });
      world.skip(40_000);
      home.track({ type: 'finish', decisionId: page.decisionId, shelfId, cardId, msPlayed: 40_000 });
      assert.deepEqual(errors, []);
      assert.ok(home.summary().events >= 1);
      for (const event of [
        undefined, null, 7, {}, { type: 'listen', cardId }, { type: 'play' }, { type: 'play', cardId: 5 }, { type: 'play', cardId: '' },
        { type: 'play', cardId, at: NaN }, { type: 'play', cardId, at: 'now' }, { type: 'finish', cardId, msPlayed: Infinity },
        { type: 'play', cardId, decisionId: 5 },
      ]) home.track(event);
      assert.deepEqual([...new Set(errors.map((error) => error.code))], ['event_invalid']);
      assert.equal(errors.length, 12);
      errors.length = 0;
      home.track({ type: 'play', cardId: 'album:never-seen' });
      home.track({ type: 'play', cardId, at: world.now + 90 * 86_400_000 });
      home.track({ type: 'finish', cardId, msPlayed: -1 });
      home.track({ type: 'finish', cardId, msPlayed: 1e12 });
      assert.equal(errors.length, 4);
      assert.equal(errors[0].code, 'unknown_card');
      for (const error of errors) assert.match(error.code, /^[a-z_]+$/);
      await home.close();
    });

    test('what happened before ready counts: pages, cards and events', async () => {
      const { home, errors } = makeHome({ core });
      home.rankSync(samplePage());
      home.registerCards([{ id: 'track:roads', title: 'Roads', artist: 'Portishead' }]);
      home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
      home.track({ type: 'finish', cardId: 'track:roads', msPlayed: 60_000 });
      home.track({ type: 'finish', cardId: 'album:blue-lines', msPlayed: 60_000 });
      await home.ready;
      assert.deepEqual(errors, []);
      assert.equal(home.summary().events, 3);
      const ranked = home.rankSync(samplePage({ local: ['recently_played'] }));
      const local = ranked.shelves.find((shelf) => shelf.local);
      assert.equal(local?.id, 'local:recently_played');
      assert.equal(local.cards.find((card) => card.id === 'album:dummy').cover, 'album:dummy.jpg');
      await home.close();
    });

    test('explain knows its decisions and refuses others', async () => {
      const { home } = makeHome({ core });
      assert.throws(() => home.explain('0'), { code: 'not_ready' });
      await home.ready;
      const { decisionId } = home.rankSync(samplePage());
      assert.equal(home.explain(decisionId).decisionId, decisionId);
      assert.throws(() => home.explain('ffffffffffffffff'), { name: 'HomeError', code: 'unknown_decision' });
      await home.close();
    });

    test('a bad model: degraded, pages in the server\'s order', async () => {
      const { home, errors } = makeHome({ core, model: { version: 'x', policy: { kind: 'nonsense' } } });
      const status = await home.ready;
      assert.equal(status.state, 'degraded');
      assert.equal(status.reason, 'model');
      assert.equal(errors.length, 1);
      const page = samplePage();
      inServerOrder(home.rankSync(page), page, errors[0].code);
      await home.close();
    });

    test('a bad seed is a bad model', async () => {
      const { home } = makeHome({ core, seed: -1 });
      assert.equal((await home.ready).reason, 'model');
      await home.close();
    });

    test('a page comes back in the listener\'s own words after reset, as if new', async () => {
      const fresh = makeHome({ core });
      await fresh.home.ready;
      const { home } = makeHome({ core });
      await home.ready;
      const page = samplePage();
      home.rankSync(page);
      home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 200_000 });
      home.track({ type: 'like', cardId: 'album:dummy' });
      await home.reset();
      assert.equal(home.summary().events, 0);
      assert.deepEqual(home.rankSync(page), fresh.home.rankSync(page));
      await home.close();
      await fresh.home.close();
    });

    test('state moves to another device, and bad bytes change nothing', async () => {
      const one = makeHome({ core });
      await one.home.ready;
      one.home.rankSync(samplePage());
      one.home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 200_000 });
      const bytes = await one.home.exportState();
      const two = makeHome({ core });
      await two.home.importState(bytes);
      assert.equal(two.home.summary().events, 1);
      for (const bad of [new Uint8Array(), Uint8Array.of(1, 2, 3), bytes.subarray(0, bytes.length - 3)]) {
        await assert.rejects(two.home.importState(bad), (error) => error instanceof HomeError && error.code.startsWith('snapshot'));
      }
      assert.equal(two.home.summary().events, 1);
      assert.equal(two.home.rankSync(samplePage()).source, 'policy');
      await one.home.close();
      await two.home.close();
    });

    test('an import adds history in pieces, with progress, and counts what it refused', async () => {
      const { home, world } = makeHome({ core });
      const start = world.now - 40 * 86_400_000;
      const plays = Array.from({ length: 1203 }, (_, i) => ({
        at: start + i * 600_000, msPlayed: 180_000, title: `Track ${i % 40}`, artist: `Artist ${i % 7}`, kind: 'track',
        ...(i % 3 === 0 ? { cardId: 'album:dummy' } : {}),
      }));
      plays[10] = { at: NaN, msPlayed: 1, title: 'x' };
      plays[11] = { at: start, msPlayed: 180_000, title: '' };
      plays[12] = null;
      plays[13] = { at: world.now + 90 * 86_400_000, msPlayed: 1000, title: 'Future' };
      plays[14] = { at: start, msPlayed: -5, title: 'Negative' };
      const progress = [];
      const report = await home.importHistory(plays, { onProgress: (step) => progress.push(step) });
      assert.deepEqual(progress, [{ done: 500, total: 1203 }, { done: 1000, total: 1203 }, { done: 1203, total: 1203 }]);
      assert.deepEqual(report, { plays: 1203, accepted: 1198, refused: 5, matched: 400 });
      assert.equal(home.summary().historyEmpty, false);
      async function* stream() { yield* plays.slice(20, 30); }
      assert.equal((await home.importHistory(stream())).accepted, 10);
      await home.close();
    });
  });
}

describe('where ranking cannot be had', () => {
  for (const [code, reason] of [['csp', 'csp'], ['no_wasm', 'no-wasm'], ['no_simd', 'no-simd'], ['load', 'load']]) {
    test(`${code}: degraded, server's order, events ignored`, async () => {
      const { home, errors } = makeHome({ loadCore: async () => { throw new HomeError(code, 'for a reason'); } });
      home.track({ type: 'play', cardId: 'album:dummy' });
      const status = await home.ready;
      assert.equal(status.state, 'degraded');
      assert.equal(status.reason, reason);
      const page = samplePage();
      inServerOrder(home.rankSync(page), page, code);
      inServerOrder(await home.rank(page), page, code);
      home.track({ type: 'play', cardId: 'album:dummy' });
      home.registerCards([{ id: 'a' }]);
      await assert.rejects(home.importHistory([]), { code });
      await assert.rejects(home.exportState(), { code });
      assert.equal(home.summary().events, 0);
      assert.deepEqual(errors.map((error) => error.code), [code]);
      await home.close();
      assert.equal(home.status.state, 'closed');
    });
  }

  test('a server: nothing is loaded, nothing is reported', async () => {
    const world = new World();
    world.isServer = true;
    let loads = 0;
    const { home, errors } = makeHome({ world, storage: 'indexeddb', loadCore: async () => { loads++; } });
    const status = await home.ready;
    assert.deepEqual([status.state, status.reason, loads, errors.length], ['degraded', 'server', 0, 0]);
    const page = samplePage();
    inServerOrder(home.rankSync(page), page, 'server');
    await home.close();
  });

  test('a core that never arrives: rank gives up waiting after two seconds', async () => {
    const { home, world } = makeHome({ loadCore: () => new Promise(() => {}) });
    const page = samplePage();
    const ranked = home.rank(page);
    await world.advance(2000);
    inServerOrder(await ranked, page, 'not_ready');
    const closed = home.close();
    await world.advance(2000);
    await closed;
    inServerOrder(home.rankSync(page), page, 'closed');
  });

  test('onError and subscribers that throw do no harm', async () => {
    const { home } = makeHome({ onError: () => { throw new Error('app bug'); } });
    home.subscribe(() => { throw new Error('app bug'); });
    await home.ready;
    assert.equal(home.rankSync({ shelves: [] }).error.code, 'page_empty');
    await home.close();
  });

  test('1,000 events are kept before ready, then one complaint', async () => {
    const { home, errors } = makeHome();
    home.rankSync(samplePage());
    for (let i = 0; i < 1005; i++) home.track({ type: 'play', cardId: 'album:dummy' });
    assert.deepEqual(errors.map((error) => error.code), ['queue_full']);
    await home.ready;
    assert.equal(home.summary().events, 1000);
    await home.close();
  });

  test('a trap costs one page: the core is replaced, its snapshot reloaded, its cards known again', async () => {
    const world = new World();
    const program = fakeProgram();
    const { home, errors } = makeHome({ world, program });
    await home.ready;
    const page = samplePage();
    home.rankSync(page);
    home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
    await home.flush();
    program.faults.rank = () => { delete program.faults.rank; return new WebAssembly.RuntimeError('unreachable'); };
    const hit = home.rankSync(page);
    inServerOrder(hit, page, 'panic');
    assert.equal(home.status.reason, 'panic');
    home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 61_000 });
    await world.settle();
    assert.equal(home.status.state, 'ready');
    assert.equal(program.instances.length, 2);
    assert.equal(home.summary().events, 2, 'one from the snapshot, one from meanwhile');
    assert.equal(home.rankSync(page).source, 'policy');
    assert.deepEqual(errors.map((error) => error.code), ['panic']);
    await home.close();
  });

  test('a wipe while the core is being replaced holds', async () => {
    const world = new World();
    const program = fakeProgram();
    const storage = new FaultyStorage();
    const { home } = makeHome({ world, program, storage });
    await home.ready;
    home.rankSync(samplePage());
    home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
    await home.flush();
    program.faults.rank = () => { delete program.faults.rank; return new WebAssembly.RuntimeError('unreachable'); };
    home.rankSync(samplePage());
    await home.reset();
    await world.settle();
    assert.equal(home.status.state, 'ready');
    assert.equal(home.summary().events, 0);
    await home.close();
  });

  test('a core that always traps is given up, and never blocks the page', async () => {
    const world = new World();
    const program = fakeProgram({ rank: () => new WebAssembly.RuntimeError('unreachable') });
    const { home, errors } = makeHome({ world, program });
    await home.ready;
    const page = samplePage();
    for (let i = 0; i < 20; i++) {
      inServerOrder(home.rankSync(page), page, 'panic');
      await world.settle();
    }
    assert.equal(errors.length, 6);
    assert.equal(program.instances.length, 6);
    await home.close();
  });

  test('a snapshot on which the core traps is put aside', async () => {
    const world = new World();
    const program = fakeProgram({ restore: () => { delete program.faults.restore; return new WebAssembly.RuntimeError('unreachable'); } });
    const storage = new FaultyStorage({ 'default/snapshot': Uint8Array.of(1, 2) });
    const { home } = makeHome({ world, program, storage });
    assert.equal((await home.ready).state, 'ready');
    assert.deepEqual([...storage.values.get('default/aside/snapshot')], [1, 2]);
    assert.equal(home.rankSync(samplePage()).source, 'policy');
    await home.close();
  });

  test('a core that stopped is not touched again', async () => {
    const log = [];
    const core = (await fakeProgram({ rank: () => new WebAssembly.RuntimeError('unreachable') }, log).instantiate()).create();
    const traps = [];
    const guarded = guardedCore(core, (error) => traps.push(error.code));
    assert.equal(guarded.configuration()[0], 'fake-1');
    assert.throws(() => guarded.rank(0, '', true), { name: 'HomeError', code: 'panic' });
    assert.throws(() => guarded.configuration(), { code: 'panic' });
    assert.deepEqual(log, ['configuration', 'rank']);
    assert.deepEqual(traps, ['panic']);
  });

  test('a core error without a code is a trap, one with a code is not', async () => {
    const program = fakeProgram({ rank: coded('some_new_code', 'expected this, got that') });
    const { home } = makeHome({ program });
    await home.ready;
    assert.deepEqual(home.rankSync(samplePage()).error, { code: 'some_new_code', message: 'expected this, got that' });
    assert.equal(home.status.state, 'ready');
    await home.close();
  });
});
