// Runs inside the browser: ours beside plain JavaScript on the same cards, in turns.
import { createHome } from '/js/dist/index.js';
import { createCatalogue, rankPacked } from '/js/dist/packed.js';
import { makeCards, random } from '/js/bench/cards.mjs';
import { PlainRanker } from '/js/bench/plain.mjs';

const EPSILON = 0.1;

function contestants(n, d) {
  const weights = Float32Array.from({ length: d }, random(7));
  const cards = makeCards(n, d, 1);
  const page = { visible: { shelves: 1, cards: 1 }, shelves: [{ id: 'all', cards }] };
  const names = Array.from({ length: d }, (_, column) => `f${column}`);
  return {
    cards, page, weights,
    home: () => createHome({
      storage: 'memory', seed: 1,
      model: {
        version: 'bench',
        schema: { columns: names.map((name) => ({ name, source: 'given' })) },
        prior: { bias: -0.5, mean: Object.fromEntries(names.map((name, column) => [name, weights[column]])) },
        policy: { kind: 'epsilon_page', epsilon: EPSILON },
      },
    }),
    plain: () => new PlainRanker(weights, -0.5, EPSILON),
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Microseconds per call of each task: rounds in turns, a fresh order in each, so that what disturbs one disturbs all. */
function race(tasks, { rounds, sampleMs }) {
  const state = tasks.map(({ name, run }) => {
    const end = performance.now() + 300;
    let calls = 0;
    const start = performance.now();
    while (performance.now() < end) { run(); calls++; }
    const us = (performance.now() - start) * 1000 / calls;
    return { name, run, repeat: Math.max(1, Math.round(sampleMs * 1000 / us)), samples: [] };
  });
  for (let round = 0; round < rounds; round++) {
    for (let k = 0; k < state.length; k++) {
      const task = state[(k + round) % state.length];
      const start = performance.now();
      for (let i = 0; i < task.repeat; i++) task.run();
      task.samples.push((performance.now() - start) * 1000 / task.repeat);
    }
  }
  return Object.fromEntries(state.map(({ name, samples }) => [name, { best: Math.min(...samples), median: median(samples) }]));
}

/** Warm: order and propensities alone, then whole pages from plain objects to plain objects. */
export async function warm({ n, d, rounds, sampleMs }) {
  const { cards, page, home: makeHome, plain: makePlain } = contestants(n, d);
  const home = makeHome();
  const status = await home.ready;
  if (status.state !== 'ready') throw new Error(`${status.reason}: ${status.message}`);
  const first = home.rankSync(page);
  if (first.source !== 'policy' || new Set(first.shelves[0].cards.map((card) => card.id)).size !== n) throw new Error('ours: not a ranked page');
  const total = home.marginals(first.decisionId).reduce((sum, p) => sum + p, 0);
  if (Math.abs(total - 1) > 1e-9) throw new Error(`ours: propensities sum to ${total}`);
  const plain = makePlain();
  const matrix = plain.pack(cards).slice();
  const packed = {
    catalogue: createCatalogue({
      ids: cards.map(({ id }) => id), titles: cards.map(({ title }) => title), artists: cards.map(({ artist }) => artist), kinds: cards.map(({ kind }) => kind),
    }),
    visible: page.visible, shelves: [{ id: 'all', count: n }], cards: Uint32Array.from(cards, (_, line) => line), features: Float32Array.from(cards.flatMap(({ features }) => [...features])),
  };
  if (rankPacked(home, packed).source !== 'policy') throw new Error('ours, packed: not a ranked page');
  const results = race([
    { name: 'plain, matrix ready, order and propensities', run: () => plain.rank(matrix, n) },
    { name: 'plain, from objects to a page', run: () => plain.page(cards, plain.pack(cards)) },
    { name: 'ours, from objects to a page', run: () => home.rankSync(page) },
    { name: 'ours, from typed arrays to typed arrays', run: () => rankPacked(home, packed) },
    { name: 'ours, from objects to a page, with propensities of all', run: () => home.marginals(home.rankSync(page).decisionId) },
  ], { rounds, sampleMs });
  await home.close();
  return results;
}

/** Cold: from nothing imported yet by this document to ready, and the first call. */
export async function cold({ n, d }) {
  const { cards, page, home: makeHome, plain: makePlain } = contestants(n, d);
  const start = performance.now();
  const home = makeHome();
  await home.ready;
  const ready = performance.now();
  const ranked = home.rankSync(page);
  const end = performance.now();
  if (ranked.source !== 'policy') throw new Error(ranked.error?.message);
  await home.close();
  const plainStart = performance.now();
  const plain = makePlain();
  plain.page(cards, plain.pack(cards));
  return { start: ready - start, first: end - ready, plainFirst: performance.now() - plainStart };
}
