// Plugs the built package into a bench that compares rankers: one shelf of N cards with D given features, epsilon-greedy
// on the page, one place visible. `rank` does what an app does once per page view: packs plain objects, ranks, reads back.
import { createHome } from './dist/index.js';

const EPSILON = 0.1;
const SHELF = 'bench';
const MAX_TAUGHT = 64;

export default {
  name: 'ours-logistic-epsilon',
  family: 'ours',

  async init({ d }) {
    const { w, bias } = trainedWeights(d);
    const names = Array.from({ length: d }, (_, column) => `f${column}`);
    this.home = createHome({
      storage: 'memory',
      seed: 99,
      model: {
        version: 'bench',
        schema: { columns: names.map((name) => ({ name, source: 'given' })) },
        prior: { bias, mean: Object.fromEntries(names.map((name, column) => [name, w[column]])) },
        policy: { kind: 'epsilon_page', epsilon: EPSILON },
      },
      onError: (error) => { this.error = error; },
    });
    const status = await this.home.ready;
    if (status.state !== 'ready') throw new Error(`${status.reason}: ${status.message}`);
  },

  prepare(page) {
    const cards = page.ids.map((id, index) => ({ id, index, features: page.x.subarray(index * page.d, (index + 1) * page.d) }));
    return { visible: { shelves: 1, cards: 1 }, shelves: [{ id: SHELF, cards }] };
  },

  rank(page) {
    const ranked = this.home.rankSync(page);
    this.taught = new Set();
    if (ranked.source !== 'policy') throw new Error(ranked.error?.message ?? 'the page came back in the server\'s order');
    this.decisionId = ranked.decisionId;
    const pmf = this.home.marginals(ranked.decisionId);
    const cards = ranked.shelves[0].cards;
    const order = new Uint32Array(cards.length);
    for (let position = 0; position < order.length; position++) order[position] = cards[position].index;
    return { chosen: order[0], p: pmf[order[0]], pmf, order };
  },

  /** A decision teaches each of its cards once, and at most 64 of them: then the page is ranked again. */
  learn(page, index, p, reward) {
    if (this.taught.has(index) || this.taught.size >= MAX_TAUGHT) this.rank(page);
    this.taught.add(index);
    const event = { decisionId: this.decisionId, shelfId: SHELF, cardId: page.shelves[0].cards[index].id };
    this.home.track({ ...event, type: 'impression' });
    this.home.track({ ...event, type: 'finish', msPlayed: reward ? 180_000 : 1_000 });
  },

  async save() { return this.home.exportState(); },

  dispose() { return this.home.close(); },
};

/** Weights that "a server trained", by the bench's own formula: normal draws from mulberry32. */
function trainedWeights(d, seed = 7) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const w = new Float32Array(d);
  for (let column = 0; column < d; column++) w[column] = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { w, bias: -0.5 };
}
