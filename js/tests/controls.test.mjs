// The listener's controls: private listening, "don't use this", undo.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CORES, makeHome, outline, samplePage } from './homes.mjs';
import { FaultyStorage, World } from './world.mjs';

const KEY = 'default/snapshot';
const finish = (cardId, more = {}) => ({ type: 'finish', cardId, msPlayed: 60_000, ...more });

/** A Home that has shown its page and heard one play. */
async function started(options) {
  const made = makeHome(options);
  await made.home.ready;
  const page = made.home.rankSync(samplePage());
  made.home.track(finish('album:dummy'));
  return { ...made, page };
}

for (const core of CORES) {
  describe(`controls, on the ${core} core`, () => {
    test('private listening ranks and records nothing, and ends with the page', async () => {
      const world = new World();
      const storage = new FaultyStorage();
      const { home, errors } = await started({ core, world, storage });
      let heard = 0;
      home.subscribe(() => { heard++; });
      home.setPrivate(true);
      await world.settle();
      assert.ok(home.isPrivate && heard > 0);
      assert.ok(storage.values.has(KEY), 'what came before is saved');
      const before = await home.exportState();
      const { decisions, events } = home.summary();
      const shown = home.rankSync(samplePage());
      assert.equal(shown.source, 'policy');
      for (const type of ['impression', 'play', 'finish', 'like', 'hide']) {
        home.track({ type, cardId: 'album:blue-lines', decisionId: shown.decisionId, shelfId: 'fresh', ...(type === 'finish' ? { msPlayed: 60_000 } : {}) });
      }
      await assert.rejects(home.importHistory([{ at: world.now, msPlayed: 60_000, title: 'So What' }]), { code: 'private' });
      await home.flush();
      assert.equal(home.summary().events, events);
      if (core === 'real') {
        assert.equal(home.summary().decisions, decisions);
        assert.deepEqual(await home.exportState(), before, 'not one byte more');
        assert.equal(home.explain(shown.decisionId).decisionId, shown.decisionId, 'the page on screen can be explained');
        world.now += 3_600_000;
        home.setPrivate(false);
        home.track(finish('album:blue-lines', { decisionId: shown.decisionId }));
        home.track(finish('album:blue-lines', { at: world.now - 1000 }));
        assert.deepEqual(await home.exportState(), before, 'what arrives late is dropped');
        home.track(finish('album:blue-lines', { msPlayed: 31_000, at: (world.now += 60_000) }));
        assert.equal(home.summary().events, events + 1);
        home.setPrivate(true);
      }
      await home.close();
      const next = makeHome({ core, world, storage });
      await next.home.ready;
      assert.equal(next.home.isPrivate, false);
      await next.home.close();
      assert.deepEqual([...errors, ...next.errors], []);
    });

    test('private from the first moment: nothing is kept for later', async () => {
      const { home } = makeHome({ core });
      home.track(finish('album:dummy'));
      home.setPrivate(true);
      home.track(finish('album:blue-lines'));
      home.registerCards(samplePage().shelves[1].cards);
      await home.ready;
      home.track(finish('album:blue-lines'));
      assert.equal(home.summary().events, 1, 'the one before');
      await home.close();
    });

    test('what is excluded is taken back, left out, listed and remembered', async () => {
      const world = new World();
      const storage = new FaultyStorage();
      const { home, errors } = await started({ core, world, storage });
      home.track(finish('album:blue-lines'));
      home.track(finish('album:blue-lines', { at: world.now - 600_000 }));
      assert.deepEqual(home.excluded(), { artists: [], cards: [] });
      assert.equal(await home.exclude({ artist: 'Massive Attack' }), 2);
      assert.equal(home.summary().events, 1);
      assert.equal(await home.exclude({ cardId: 'album:homework' }), 0);
      assert.equal(await home.exclude({ cardId: 'album:of-another-tab' }), 0);
      const { artists, cards } = home.excluded();
      assert.deepEqual(artists, ['Massive Attack']);
      assert.deepEqual(cards.map(({ id, title }) => [id, title]), [['album:homework', 'Homework'], ['album:of-another-tab', undefined]]);
      await home.close();
      const second = makeHome({ core, world, storage });
      assert.deepEqual(second.home.excluded(), { artists: [], cards: [] }, 'nothing before ready');
      await second.home.ready;
      assert.deepEqual(second.home.excluded().artists, ['Massive Attack']);
      assert.equal(await second.home.include({ artist: 'Massive Attack' }), true);
      assert.equal(await second.home.include({ artist: 'Massive Attack' }), false);
      await second.home.reset();
      assert.deepEqual(second.home.excluded(), { artists: [], cards: [] });
      for (const bad of [{}, { artist: '' }, { artist: 'Can', cardId: 'album:1' }, undefined, { cardId: 'album:1', at: '3' }]) {
        await assert.rejects(second.home.exclude(bad), { code: 'bad_exclusion' });
      }
      await second.home.close();
      assert.deepEqual([...errors, ...second.errors], []);
    });

    test('one play is taken back, the next one counts', async () => {
      const { home, world } = await started({ core });
      const at = world.now - 900_000;
      home.track(finish('album:blue-lines', { at }));
      home.track(finish('album:blue-lines', { at: at + 300_000 }));
      assert.equal(await home.exclude({ cardId: 'album:blue-lines', at }), 1);
      assert.equal(home.summary().events, 2);
      assert.deepEqual(home.excluded().cards, []);
      await home.close();
    });
  });
}

describe('undo, on the real core', { skip: !CORES.includes('real') && 'the package is not built' }, () => {
  test('a hide and a skip that are undone leave no byte', async () => {
    const { home, page, world, errors } = await started({ core: 'real' });
    const [shelf] = page.shelves;
    const about = { decisionId: page.decisionId, shelfId: shelf.id, cardId: shelf.cards[0].id };
    home.track({ type: 'impression', ...about });
    home.track({ type: 'play', ...about });
    const before = await home.exportState();
    for (const [done, undo] of [[{ type: 'hide' }, 'unhide'], [{ type: 'skip', msPlayed: 4000 }, 'unskip']]) {
      world.now += 4000;
      home.track({ ...done, ...about });
      assert.notDeepEqual(await home.exportState(), before);
      home.track({ type: undo, cardId: about.cardId });
      assert.deepEqual(await home.exportState(), before);
    }
    const hiddenLast = outline(home.rankSync(samplePage())).map(([, cards]) => cards.at(-1));
    assert.ok(hiddenLast.length > 0);
    await home.close();
    assert.deepEqual(errors, []);
  });
});

describe('two Homes of one profile', () => {
  test('what one tab excludes is taken back in the others, and saved by the writer', async () => {
    const world = new World();
    const storage = Object.assign(new FaultyStorage(), { lockName: 'test' });
    const one = await started({ world, storage });
    one.home.track(finish('album:blue-lines'));
    const two = makeHome({ world, storage });
    await world.advance(200);
    await two.home.exclude({ artist: 'Massive Attack' });
    assert.deepEqual(one.home.excluded().artists, ['Massive Attack']);
    assert.equal(one.home.summary().events, 1);
    two.home.rankSync(samplePage());
    two.home.track(finish('album:dummy', { at: world.now - 5 }));
    await two.home.exclude({ cardId: 'album:dummy', at: world.now - 5 });
    await one.home.close();
    await world.settle();
    assert.equal(two.home.status.writer, true);
    assert.equal(two.home.summary().events, 1, 'the play taken back does not come back with the takeover');
    await two.home.include({ artist: 'Massive Attack' });
    await two.home.close();
    assert.deepEqual([...one.errors, ...two.errors], []);
  });

  test('a tab that takes over while it listens privately adds what it heard before, and goes on privately', async () => {
    const world = new World();
    const storage = Object.assign(new FaultyStorage(), { lockName: 'test' });
    const one = await started({ world, storage });
    const two = makeHome({ world, storage });
    await world.advance(200);
    two.home.rankSync(samplePage());
    two.home.track(finish('album:blue-lines'));
    two.home.setPrivate(true);
    assert.equal(one.home.isPrivate, false);
    await one.home.close();
    await world.settle();
    assert.equal(two.home.summary().events, 2);
    assert.equal(two.program.instances[0].private, true);
    await two.home.close();
  });
});
