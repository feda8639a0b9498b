// Pages as typed arrays: the same decisions as pages of objects, to the last bit.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { HomeError } from 'ears-only';
import { createCatalogue, rankPacked, reasonAt } from 'ears-only/packed';
import { createTestHome, memoryStorage } from 'ears-only/testing';
import { MODEL } from './homes.mjs';

const built = existsSync(new URL('../dist/packed.js', import.meta.url));
const DAY = 24 * 3_600_000;
const FAMILIES = ['jazz', 'techno', 'folk', 'news'];
const N = 120;

const card = (i) => ({
  id: `card-${i}`, title: i % 9 ? `Title ${i}` : '', artist: `Artist ${i % 17}`, family: FAMILIES[i % 4], kind: i % 4 === 3 ? 'podcast' : 'album',
  ...(i % 5 ? { durationMs: 180_000 + 1_000 * i } : {}), ...(i % 3 ? { popularity: Math.fround((i * 37 % 100) / 100) } : {}),
  embedding: Float32Array.from([1 - 0.3 * (i % 4), 0.3 * (i % 4), 0.01 * (i % 7), 0.5]),
});
const catalogueOf = () => createCatalogue({
  ids: Array.from({ length: N }, (_, i) => card(i).id),
  titles: Array.from({ length: N }, (_, i) => card(i).title),
  artists: Array.from({ length: N }, (_, i) => card(i).artist),
  families: Array.from({ length: N }, (_, i) => card(i).family),
  kinds: Array.from({ length: N }, (_, i) => card(i).kind),
  durationsMs: Float64Array.from({ length: N }, (_, i) => card(i).durationMs ?? NaN),
  popularities: Float32Array.from({ length: N }, (_, i) => card(i).popularity ?? NaN),
  embeddings: Float32Array.from(Array.from({ length: N }, (_, i) => [...card(i).embedding]).flat()),
});

/** The same page both ways: six shelves of the catalogue's cards, some of them twice on the page, some fixed. */
function pages(visit, catalogue, change = {}) {
  const shelves = Array.from({ length: 6 }, (_, s) => ({ id: `shelf-${s}`, kind: ['popular', 'fresh', 'editorial'][s % 3], title: `Shelf ${s}`, fixed: s === 4, count: 5 + s }));
  const cards = Uint32Array.from(shelves.flatMap(({ count }, s) => Array.from({ length: count }, (_, c) => (visit * 7 + s * 11 + c * 3) % N)));
  const features = Float32Array.from({ length: cards.length * 2 }, (_, i) => ((i * 31 + visit) % 17) / 17);
  const fixed = Uint8Array.from(cards, (_, place) => Number(place === 3));
  const page = { visible: { shelves: 3, cards: 4 }, local: true, ...change };
  let place = 0;
  const objects = {
    ...page,
    shelves: shelves.map(({ count, ...shelf }) => ({
      ...shelf,
      cards: Array.from({ length: count }, () => ({ ...card(cards[place]), features: features.slice(2 * place, 2 * place + 2), fixed: Boolean(fixed[place++]) })),
    })),
  };
  return { objects, packed: { ...page, catalogue, shelves, cards, features, fixed } };
}

const bits = (value) => new BigUint64Array(Float64Array.of(value).buffer)[0];
/** What both ways must agree on. */
const ofObjects = ({ shelves, ...head }, input) => ({
  head: [head.decisionId, head.source, head.policy, head.modelVersion, head.randomized, head.probe],
  shelves: shelves.map((shelf) => [shelf.id, bits(shelf.propensity), shelf.reason, shelf.cards.map((one) => [one.id, bits(one.propensity), one.reason])]),
  count: input.shelves.length,
});
const ofArrays = (ranking, { catalogue, cards, shelves }) => ({
  head: [ranking.decisionId, ranking.source, ranking.policy, ranking.modelVersion, ranking.randomized, ranking.probe],
  shelves: Array.from(ranking.shelves, (which, position) => {
    const ids = which < 0
      ? ranking.local[-1 - which].cards.map((one) => [one.id, bits(one.propensity), one.reason])
      : Array.from({ length: ranking.starts[position + 1] - ranking.starts[position] }, (_, i) => ranking.starts[position] + i)
        .map((at) => [catalogue.ids[cards[ranking.cards[at]]], bits(ranking.propensities[at]), reasonAt(ranking, position, at)]);
    return [which < 0 ? ranking.local[-1 - which].id : shelves[which].id, bits(ranking.shelfPropensities[position]), reasonAt(ranking, position), ids];
  }),
  count: shelves.length,
});

describe('ears-only/packed', { skip: built ? false : 'the package is not built' }, () => {
  test('a month of one listener, told both ways: pages, propensities, reasons and what is learned are the same bits', async () => {
    const catalogue = catalogueOf();
    const one = createTestHome({ model: MODEL, seed: 11 });
    const other = createTestHome({ model: MODEL, seed: 11 });
    await Promise.all([one.home.ready, other.home.ready]);
    let local = 0;
    for (let visit = 0; visit < 30; visit++) {
      const { objects, packed } = pages(visit, catalogue);
      const context = { weekend: visit % 7 > 4 };
      const first = one.home.rankSync(objects, context);
      const second = rankPacked(other.home, packed, context);
      assert.deepEqual(ofArrays(second, packed), ofObjects(first, objects), `visit ${visit}`);
      assert.deepEqual(other.home.explain(second.decisionId), one.home.explain(first.decisionId));
      local += second.local.length;
      // What follows on the same page, conditional on what stands above it.
      const more = pages(visit + 3, catalogue, { after: first.decisionId });
      assert.deepEqual(ofArrays(rankPacked(other.home, more.packed), more.packed), ofObjects(one.home.rankSync(more.objects), more.objects));
      for (const home of [one, other]) {
        home.clock.advance(1000);
        for (const shelf of first.shelves.slice(0, 3)) for (const { id } of shelf.cards.slice(0, 4)) {
          const event = { decisionId: first.decisionId, shelfId: shelf.id, cardId: id };
          home.home.track({ type: 'impression', ...event });
          if (FAMILIES[Number(id.slice(5)) % 4] === 'jazz') home.home.track({ type: 'finish', ...event, msPlayed: 100_000 });
        }
        home.clock.advance(DAY);
        await home.home.flush();
      }
    }
    assert.ok(local > 10, `${local} shelves of the device`);
    assert.deepEqual(await other.home.exportState(), await one.home.exportState());
    assert.deepEqual([one.errors, other.errors], [[], []]);
    await Promise.all([one.home.close(), other.home.close()]);
  });

  test('pages of any size in turns: every card is ranked and explained by its own features, whatever lay in the memory before', async () => {
    const columns = ['a', 'b', 'c', 'd', 'e'];
    const weights = [0.5, -0.25, 0, 1, -0.75];
    const model = {
      version: 'given', schema: { columns: columns.map((name) => ({ name, source: 'given' })) },
      prior: { bias: -1, mean: Object.fromEntries(columns.map((name, i) => [name, weights[i]])), halfLifeDays: 1e6 },
    };
    const { home, clock, errors } = createTestHome({ model, seed: 5 });
    await home.ready;
    const catalogue = catalogueOf();
    const open = [];
    let local = 0;
    for (const [visit, size] of [60, 3, 117, 1, 40, 118, 7, 90, 2, 118, 33, 4].entries()) {
      const cards = Uint32Array.from({ length: size }, (_, i) => (i + 5 * visit) % N);
      const features = Float32Array.from({ length: size * 5 }, (_, i) => ((i * 31 + 7 * visit) % 97) / 97 - 0.5);
      // Shelves of the device are written row by row; the others lie where the page put them.
      const page = { visible: { shelves: 1, cards: 2 }, local: visit % 3 === 2, catalogue, shelves: [{ id: 'all', count: size }], cards, features };
      const ranked = rankPacked(home, page);
      assert.equal(ranked.source, 'policy', ranked.error?.message);
      local += ranked.local.length;
      open.push({ id: ranked.decisionId, rows: new Map(Array.from(cards, (line, i) => [catalogue.ids[line], features.subarray(5 * i, 5 * i + 5)])) });
      for (const { id, rows } of open.slice(-4)) {
        const { cards: explained } = home.explain(id).shelves.find((shelf) => shelf.id === 'all');
        assert.equal(explained.length, rows.size);
        for (const { id: card, score, contributions } of explained) {
          const row = rows.get(card);
          assert.ok(Math.abs(score - row.reduce((sum, x, i) => sum + x * weights[i], -1)) < 1e-6, `${card} of ${size}`);
          for (const { feature, value } of contributions) assert.equal(value, row[columns.indexOf(feature)]);
        }
      }
      // History for the shelves of the device, outside of any page, so that no weight moves.
      home.track({ type: 'finish', cardId: catalogue.ids[cards[0]], msPlayed: 100_000 });
      clock.advance(1000);
    }
    assert.ok(local > 0);
    assert.deepEqual(errors, []);
    await home.close();
  });

  test('features and catalogue may be views of one buffer, and are not changed', async () => {
    const { home } = createTestHome({ model: MODEL });
    await home.ready;
    const { packed } = pages(0, catalogueOf());
    const buffer = new ArrayBuffer(4 * packed.cards.length + 4 * packed.features.length);
    const cards = new Uint32Array(buffer, 0, packed.cards.length);
    const features = new Float32Array(buffer, 4 * packed.cards.length);
    cards.set(packed.cards);
    features.set(packed.features);
    const before = buffer.slice(0);
    const ranking = rankPacked(home, { ...packed, cards, features });
    assert.equal(ranking.source, 'policy');
    assert.deepEqual(buffer, before);
    assert.deepEqual([...ranking.cards].sort((a, b) => a - b), [...packed.cards.keys()], 'every place once');
    const kept = ranking.cards.slice();
    rankPacked(home, pages(5, packed.catalogue).packed);
    assert.deepEqual(ranking.cards, kept, 'a result is its own');
    await home.close();
  });

  test('one catalogue for two Homes, after a sign-out, after an import and after a core that stopped', async () => {
    const catalogue = catalogueOf();
    const instantiate = WebAssembly.instantiate;
    let stop = false;
    WebAssembly.instantiate = async (...args) => {
      const { exports } = await instantiate(...args);
      return { exports: { ...exports, core_rank: (...words) => { if (stop) { stop = false; throw new WebAssembly.RuntimeError('unreachable'); } return exports.core_rank(...words); } } };
    };
    try {
      const a = createTestHome({ model: MODEL, seed: 3 });
      const b = createTestHome({ model: MODEL, seed: 3 });
      const check = (visit) => {
        const { objects, packed } = pages(visit, catalogue);
        assert.deepEqual(ofArrays(rankPacked(b.home, packed), packed), ofObjects(a.home.rankSync(objects), objects));
      };
      await Promise.all([a.home.ready, b.home.ready]);
      check(0);
      check(1);
      await Promise.all([a, b].map(({ home }) => home.reset()));
      check(2);
      const state = await a.home.exportState();
      check(3);
      await Promise.all([a, b].map(({ home }) => home.importState(state)));
      check(4);
      for (const one of [a, b]) {
        stop = true;
        const { objects, packed } = pages(5, catalogue);
        const broken = one === a ? a.home.rankSync(objects) : rankPacked(b.home, packed);
        assert.deepEqual([broken.source, broken.error.code], ['baseline', 'panic']);
        while (one.home.status.state !== 'ready') await new Promise((resolve) => { setTimeout(resolve, 5); });
      }
      check(6);
      await Promise.all([a.home.close(), b.home.close()]);
    } finally {
      WebAssembly.instantiate = instantiate;
    }
  });

  test('a core whose memory grows with every call answers the same', async () => {
    const instantiate = WebAssembly.instantiate;
    let grows = false;
    WebAssembly.instantiate = async (...args) => {
      const { exports } = await instantiate(...args);
      const growing = (call) => (...words) => { if (grows) exports.memory.grow(1); return call(...words); };
      return { exports: Object.fromEntries(Object.entries(exports).map(([name, one]) => [name, /^core_/.test(name) ? growing(one) : one])) };
    };
    try {
      const first = createTestHome({ model: MODEL, seed: 5 });
      await first.home.ready;
      for (let visit = 0; visit < 4; visit++) {
        const { decisionId, shelves } = first.home.rankSync(pages(visit, catalogueOf()).objects);
        for (const { id } of shelves[0].cards.slice(0, 4)) first.home.track({ type: 'finish', decisionId, cardId: id, msPlayed: 100_000 });
        first.clock.advance(DAY);
        await first.home.flush();
      }
      const state = await first.home.exportState();
      const kinds = new Set();
      const told = [];
      for (grows of [false, true]) {
        // Cards of the device's shelves that only the core knows: it is asked for them while an answer is read.
        const { home, errors } = createTestHome({ model: MODEL, seed: 6 });
        await home.ready;
        await home.importState(state);
        const { objects, packed } = pages(9, catalogueOf());
        await home.registerCards(objects.shelves[0].cards);
        home.track({ type: 'finish', cardId: objects.shelves[0].cards[0].id, msPlayed: 100_000 });
        const ranked = home.rankSync(objects);
        const arrays = rankPacked(home, packed);
        for (const shelf of ranked.shelves.filter(({ local }) => local)) kinds.add(shelf.kind);
        assert.deepEqual([ranked.source, arrays.source, errors], ['policy', 'policy', []]);
        told.push([ofObjects(ranked, objects), ofArrays(arrays, packed)]);
        await home.close();
      }
      assert.ok(kinds.size > 0, 'shelves of the device');
      assert.deepEqual(told[1], told[0]);
      await first.home.close();
    } finally {
      WebAssembly.instantiate = instantiate;
    }
  });

  test('before ready and after the end: the server\'s order, and events of then count', async () => {
    const storage = memoryStorage();
    const catalogue = catalogueOf();
    const { home, errors } = createTestHome({ model: MODEL, storage });
    const { packed } = pages(0, catalogue);
    const early = rankPacked(home, packed);
    assert.deepEqual([early.source, early.error.code, early.decisionId, early.policy, early.randomized], ['baseline', 'not_ready', '', 'fixed', false]);
    assert.deepEqual([...early.shelves], [0, 1, 2, 3, 4, 5]);
    assert.deepEqual([...early.starts], [0, 5, 11, 18, 26, 35, 45]);
    assert.deepEqual([[...early.cards], [...new Set(early.propensities)], early.local], [[...packed.cards.keys()], [1], []]);
    assert.deepEqual([reasonAt(early, 0).code, reasonAt(early, 0, 3).code], ['server_order', 'server_order']);
    home.track({ type: 'finish', cardId: catalogue.ids[packed.cards[0]], msPlayed: 60_000 });
    await home.ready;
    assert.deepEqual([home.summary().events, errors], [1, []]);
    await home.flush();
    await home.close();
    assert.equal(rankPacked(home, packed).error.code, 'closed');
  });

  test('an order of typed arrays is none that is shown again, and does not keep others from it', async () => {
    const storage = memoryStorage();
    const { home, errors } = createTestHome({ model: MODEL, storage });
    await home.ready;
    const { objects, packed } = pages(0, catalogueOf(), { local: false });
    home.rankSync(objects);
    rankPacked(home, packed);
    await home.close();
    assert.ok(await storage.get('default/orders'));
    const next = createTestHome({ model: MODEL, storage, wasm: new Uint8Array() });
    await next.home.ready;
    assert.deepEqual([next.home.rankSync(objects).source, rankPacked(next.home, packed).source, errors], ['last', 'baseline', []]);
  });

  test('what cannot be a page comes back in the server\'s order, with a code, and spoils nothing', async () => {
    const { home } = createTestHome({ model: MODEL });
    await home.ready;
    const catalogue = catalogueOf();
    const good = () => pages(0, catalogue).packed;
    const bad = {
      page_invalid: [
        null, {}, { ...good(), catalogue: { ids: catalogue.ids } }, { ...good(), cards: good().cards.slice(1) }, { ...good(), fixed: new Uint8Array(3) },
        { ...good(), cards: good().cards.map((line, i) => (i === 9 ? N : line)) },
      ],
      page_empty: [{ ...good(), shelves: [], cards: new Uint32Array() }],
      shelf_empty: [{ ...good(), shelves: good().shelves.map((shelf, s) => ({ ...shelf, count: s === 1 ? 0 : shelf.count })) }],
      page_too_large: [{ ...good(), shelves: [{ id: 'x', count: 10_001 }], cards: new Uint32Array(10_001) }],
      column_count: [{ ...good(), features: new Float32Array(7) }],
      duplicate_shelf: [{ ...good(), shelves: good().shelves.map((shelf) => ({ ...shelf, id: 'same', count: shelf.count })) }],
      duplicate_card: [{ ...good(), cards: good().cards.map((line, i, all) => (i === 1 ? all[0] : line)) }],
      not_finite: [{ ...good(), features: good().features.map((value, i) => (i === 5 ? NaN : value)) }],
      visible_range: [{ ...good(), visible: { shelves: 0 } }],
      unknown_decision: [{ ...good(), after: '0123456789abcdef' }],
    };
    for (const [code, all] of Object.entries(bad)) {
      for (const [index, page] of all.entries()) {
        const ranking = rankPacked(home, page);
        assert.deepEqual([ranking.source, ranking.error.code], ['baseline', code], `${code} ${index}`);
        assert.equal(ranking.starts.length, ranking.shelves.length + 1);
        assert.equal(rankPacked(home, good()).source, 'policy');
      }
    }
    await home.close();
  });

  test('a line that is none is refused after a good page, which is not ranked in its place', async () => {
    const { home } = createTestHome({ model: MODEL });
    await home.ready;
    const catalogue = catalogueOf();
    const good = () => pages(0, catalogue).packed;
    assert.equal(rankPacked(home, good()).source, 'policy');
    const decisions = home.summary().decisions;
    const lists = [-1, 1.5, NaN, N, undefined].map((bad) => Array.from(good().cards, (line, i) => (i === 9 ? bad : line)));
    lists.push(Object.assign(lists[4].slice(), { 9: 0 }));
    delete lists[5][9];
    // Another line each time one looks: unknown, known, unknown.
    let looks = 0;
    lists.push(new Proxy(good().cards.slice(), {
      get: (cards, name) => (name === '9' ? [N, cards[9], N][looks++ % 3] : typeof cards[name] === 'function' ? Array.prototype[name] : cards[name]),
    }));
    lists.push(Int32Array.from(good().cards, (line, i) => (i === 9 ? -1 : line)));
    for (const [index, cards] of lists.entries()) {
      const ranking = rankPacked(home, { ...good(), cards });
      assert.deepEqual([ranking.source, ranking.error?.code], ['baseline', 'page_invalid'], `list ${index}`);
    }
    assert.equal(home.summary().decisions, decisions);
    assert.equal(rankPacked(home, good()).source, 'policy');
    await home.close();
  });

  test('a catalogue whose lists do not fit is refused at once', () => {
    const cases = [
      [{ ids: ['a', 'b'], titles: ['A'] }, 'page_invalid', 'expected 2 titles, got 1'],
      [{ ids: ['a', 'b'], embeddings: new Float32Array(3) }, 'page_invalid', 'expected embeddings of a multiple of 2 numbers, got 3'],
      [{ ids: ['a', ''] }, 'id_invalid', 'card id must be a non-empty string, got an empty one'],
      [{ ids: ['a', 7] }, 'id_invalid', 'card id must be a non-empty string, got number'],
      [{ ids: ['a', 'b', 'a'] }, 'duplicate_card', 'expected 3 ids that differ, got 2'],
    ];
    for (const [input, code, message] of cases) {
      assert.throws(() => createCatalogue(input), (error) => error instanceof HomeError && error.code === code && error.message === message);
    }
    assert.deepEqual(createCatalogue({ ids: [] }).ids, []);
  });
});
