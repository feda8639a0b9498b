// Runs inside the browser: ours beside plain JavaScript and the peers on the same cards, in turns.
import { bundleOf, linearModel, networkModel, random, treesModel } from '/js/bench/warm/models.mjs';
import { learner, linear, linUcb, network, PlainRanker, thompson, trees } from '/js/bench/warm/plain.mjs';

const EPSILON = 0.1;
const EPSILON_PAGE = { kind: 'epsilon_page', epsilon: EPSILON };
const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

function makeCards(n, d, seed = 1) {
  const { normal } = random(seed);
  return Array.from({ length: n }, (_, index) => ({
    id: `album:${index}`, index, title: `Album ${index}`, artist: `Artist ${index % 97}`, family: `family ${index % 13}`, kind: 'album',
    cover: `/covers/${index}.jpg`, features: Float32Array.from({ length: d }, () => normal() / Math.sqrt(d)),
  }));
}

const onePage = (cards) => ({ visible: { shelves: 1, cards: 1 }, shelves: [{ id: 'all', cards }] });

/** A Home page: shelves of twenty cards, three of them and six cards of each visible. */
const homePage = (cards) => ({
  shelves: Array.from({ length: Math.ceil(cards.length / 20) }, (_, shelf) => ({ id: `shelf:${shelf}`, cards: cards.slice(20 * shelf, 20 * shelf + 20) })),
});

const settings = ({ d, weights, bias }, policy, more = {}) => ({
  version: 'bench',
  schema: { columns: Array.from(weights, (_, column) => ({ name: `f${column}`, source: 'given' })) },
  prior: { bias, mean: Object.fromEntries(Array.from(weights, (weight, column) => [`f${column}`, weight])), ...more },
  policy,
});

/** The built packages that are timed: this one, and another build of it where one was named. */
const packages = (other) => [['ours', '/js/dist'], ...(other ? [['ours, the other build', '/other']] : [])];

async function homeOf(folder, model, options = {}) {
  const { createHome } = await import(`${folder}/index.js`);
  const home = createHome({ storage: 'memory', seed: 1, model, ...options });
  const status = await home.ready;
  if (status.state !== 'ready') throw new Error(`${status.reason}: ${status.message}`);
  return home;
}

/** The same page as typed arrays, ranked by `ears-only/packed`; nothing where a build has no such entry. */
async function packedRun(folder, home, page, d) {
  const entry = await import(`${folder}/packed.js`).catch(() => undefined);
  if (!entry) return [];
  const cards = page.shelves.flatMap((shelf) => shelf.cards);
  const features = new Float32Array(cards.length * d);
  cards.forEach((card, at) => features.set(card.features, at * d));
  const packed = {
    catalogue: entry.createCatalogue({
      ids: cards.map(({ id }) => id), titles: cards.map(({ title }) => title), artists: cards.map(({ artist }) => artist),
      families: cards.map(({ family }) => family), kinds: cards.map(({ kind }) => kind),
    }),
    ...(page.visible ? { visible: page.visible } : {}),
    shelves: page.shelves.map((shelf) => ({ id: shelf.id, count: shelf.cards.length })),
    cards: Uint32Array.from(cards, (_, line) => line),
    features,
  };
  const ranked = entry.rankPacked(home, packed);
  if (ranked.source !== 'policy' || new Set(ranked.cards).size !== cards.length) throw new Error('not a ranked page of typed arrays');
  return [{ name: 'typed arrays', run: () => entry.rankPacked(home, packed) }];
}

/** A page of objects, and the same of typed arrays where there is a way for them. */
async function both(name, folder, home, page, d) {
  const typed = await packedRun(folder, home, page, d);
  return [{ name: `${name}, from objects`, run: () => home.rankSync(page) }, ...typed.map(({ run }) => ({ name: `${name}, from typed arrays`, run }))];
}

/** Ranks a page once and checks that it is one. */
function checked(home, page) {
  const ranked = home.rankSync(page);
  const wanted = page.shelves.reduce((sum, shelf) => sum + shelf.cards.length, 0);
  const cards = ranked.shelves.flatMap((shelf) => shelf.cards);
  if (ranked.source !== 'policy' || new Set(cards.map((card) => card.id)).size !== wanted) {
    throw new Error(`not a ranked page: ${ranked.error?.message}`);
  }
  return ranked;
}

/** Microseconds per call of each task: rounds in turns, a fresh order in each, so that what disturbs one disturbs all. */
async function race(tasks, { rounds, sampleMs, warmMs = 250 }) {
  const once = async (run, repeat) => {
    const start = performance.now();
    for (let i = 0; i < repeat; i++) {
      const result = run();
      if (result instanceof Promise) await result;
    }
    return (performance.now() - start) * 1000 / repeat;
  };
  const state = [];
  for (const { name, run } of tasks) {
    const end = performance.now() + warmMs;
    while (performance.now() < end) await once(run, 1);
    // The clock is coarse: as many calls as it takes to see them.
    let calls = 1;
    let us = await once(run, calls);
    while (us * calls < 2_000) us = await once(run, calls *= 4);
    state.push({ name, run, repeat: Math.max(1, Math.round(sampleMs * 1000 / us)), samples: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (let k = 0; k < state.length; k++) {
      const task = state[(k + round) % state.length];
      task.samples.push(await once(task.run, task.repeat));
    }
  }
  return Object.fromEntries(state.map(({ name, samples }) => [name, { best: Math.min(...samples), median: median(samples) }]));
}

/** The module that does the least that a page could cost, and the most that the machine does. */
async function bareModule(n, d) {
  const { instance: { exports } } = await WebAssembly.instantiate(await (await fetch('/js/build/bare.wasm')).arrayBuffer());
  exports.room(n, d);
  const at = (Kind, pointer, length) => new Kind(exports.memory.buffer, pointer, length);
  return {
    exports, weights: at(Float32Array, exports.weights(), d), features: at(Float32Array, exports.features(), n * d),
    order: at(Uint32Array, exports.order(), n), propensities: at(Float64Array, exports.propensities(), n),
  };
}

/** Copies the features in, scores, orders, draws and gives propensities, in one call; checked against plain JavaScript's order. */
async function bareKernel(model, plain, matrix, n) {
  const { exports, weights, features, order, propensities } = await bareModule(n, model.d);
  weights.set(model.weights);
  const run = () => {
    features.set(matrix);
    return propensities[exports.page(EPSILON, Math.random())];
  };
  features.set(matrix);
  exports.page(EPSILON, 1 - EPSILON);
  plain.score(matrix, n, plain.scores);
  const scores = Array.from(order, (card) => plain.scores[card]);
  const total = propensities.reduce((sum, p) => sum + p, 0);
  if (new Set(order).size !== n || scores.some((score, at) => at > 0 && score > scores[at - 1] + 1e-4) || Math.abs(total - 1) > 1e-9) {
    throw new Error('the bare kernel ranks otherwise than plain JavaScript');
  }
  return { name: 'bare kernel, matrix ready', run };
}

/** Units of work of one run of each, for what the machine does at most. */
const ROUNDS = 1_000;
const AT_ONCE = { calls: 1_000, products: 48 * ROUNDS, wideProducts: 24 * ROUNDS };

/** What a call into a module costs, and what the machine does at most inside of one. */
export async function machine({ n, d, ...timing }) {
  const { exports, features } = await bareModule(n, d);
  const matrix = new Float32Array(n * d).map((_, at) => at % 7);
  const raced = await race([
    { name: 'calls', run: () => { let sum = 0; for (let i = 0; i < AT_ONCE.calls; i++) sum += exports.call(); return sum; } },
    { name: 'products', run: () => exports.products(ROUNDS, 0.75) },
    { name: 'wide products', run: () => exports.wide_products(ROUNDS, 0.75) },
    { name: 'copy of a page', run: () => features.set(matrix) },
  ], timing);
  return { times: raced, atOnce: AT_ONCE };
}

/** A linear model, from a matrix and from objects; where `bare` says so, beside the least that a page could cost. */
export async function warm({ n, d, other, bare, ...timing }) {
  const model = linearModel(d);
  const cards = makeCards(n, d);
  const page = onePage(cards);
  const plain = new PlainRanker(d, linear(model), EPSILON);
  const matrix = plain.pack(cards).slice();
  const tasks = [
    { name: 'plain, matrix ready', run: () => plain.rank(matrix, n) },
    { name: 'plain, from objects', run: () => plain.page(cards, plain.pack(cards)) },
    ...(bare ? [await bareKernel(model, plain, matrix, n)] : []),
  ];
  for (const [name, folder] of packages(other)) {
    const home = await homeOf(folder, settings(model, EPSILON_PAGE));
    const first = checked(home, page);
    const total = home.marginals(first.decisionId).reduce((sum, p) => sum + p, 0);
    if (Math.abs(total - 1) > 1e-9) throw new Error(`propensities sum to ${total}`);
    tasks.push(...await both(name, folder, home, page, d));
    tasks.push({ name: `${name}, from objects, and all chances to stand first`, run: () => home.marginals(home.rankSync(page).decisionId) });
  }
  return race(tasks, timing);
}

/** A body that was trained elsewhere, beside plain JavaScript with the matrix ready. */
export async function body({ n, d, kind, other, ...timing }) {
  const model = kind === 'network' ? networkModel(d) : treesModel(d, { oblivious: kind === 'oblivious trees' });
  const cards = makeCards(n, d);
  const page = onePage(cards);
  const plain = new PlainRanker(d, kind === 'network' ? network(model) : trees(model), EPSILON);
  const matrix = plain.pack(cards).slice();
  const want = new Float32Array(n);
  plain.score(matrix, n, want);
  const tasks = [{ name: 'plain, matrix ready', run: () => plain.rank(matrix, n) }];
  for (const [name, folder] of packages(other)) {
    const home = await homeOf(folder, await bundleOf(model, EPSILON_PAGE));
    const ranked = checked(home, page);
    const scores = ranked.shelves[0].cards.slice(1).map((card) => want[card.index]);
    if (scores.some((score, at) => at > 0 && score > scores[at - 1] + 1e-4)) throw new Error(`${name}: another order than plain JavaScript's`);
    tasks.push(...await both(name, folder, home, page, d));
  }
  return race(tasks, timing);
}

/** Scores with their standard deviations under a full covariance. */
export async function posterior({ n, d, other, ...timing }) {
  const model = linearModel(d);
  const cards = makeCards(n, d);
  const page = onePage(cards);
  const plain = new PlainRanker(d, linUcb(model, 0.5), 0);
  const matrix = plain.pack(cards).slice();
  const tasks = [{ name: 'plain, matrix ready', run: () => plain.rank(matrix, n) }];
  for (const [name, folder] of packages(other)) {
    const home = await homeOf(folder, settings(model, { kind: 'linucb', alpha: 0.5 }));
    checked(home, page);
    tasks.push(...await both(name, folder, home, page, d));
  }
  return race(tasks, timing);
}

/** Thompson sampling: propensities of all visible places, from posteriors that overlap; beside it plain draws for the first place alone. */
export async function sampling({ n, d, other, ...timing }) {
  const model = linearModel(d);
  for (let column = 0; column < d; column++) model.weights[column] *= 0.1;
  const cards = makeCards(n, d);
  const { normal } = random(5);
  const plain = new PlainRanker(d, linear(model), 0);
  const matrix = plain.pack(cards).slice();
  plain.rank(matrix, n);
  const draw = thompson(Float64Array.from(plain.scores), new Float64Array(n).fill(0.3), 100, normal);
  const tasks = [{ name: 'plain, 100 draws for the first place', run: draw }];
  const sds = Object.fromEntries(Array.from({ length: d }, (_, column) => [`f${column}`, 0.3]));
  for (const [name, folder] of packages(other)) {
    const page = homePage(cards);
    const home = await homeOf(folder, settings(model, { kind: 'thompson' }, { sd: sds }));
    const ranked = checked(home, page);
    if (!ranked.shelves[0].cards.slice(0, 6).every((card) => card.propensity > 0 && card.propensity < 1)) throw new Error('expected draws at every visible place');
    tasks.push(...(await both(name, folder, home, page, d)).map(({ name: which, run }) => ({ name: `${which}, propensities of the visible places`, run })));
  }
  return race(tasks, timing);
}

/** Features made on the device: cards that are known, a history of `plays` plays. */
export async function history({ n, plays, other, ...timing }) {
  const cards = makeCards(n, 0).map(({ features, ...card }, index) => {
    const { normal } = random(index + 1);
    return { ...card, popularity: index % 100 / 100, durationMs: 200_000, embedding: Float32Array.from({ length: 32 }, () => normal()) };
  });
  const page = homePage(cards);
  const tasks = [];
  for (const [name, folder] of packages(other)) {
    const home = await homeOf(folder, undefined, { clock: () => NOW });
    home.registerCards(cards);
    const { uniform } = random(3);
    const past = Array.from({ length: plays }, (_, play) => {
      const card = cards[Math.floor(uniform() * uniform() * n)];
      return { at: NOW - (plays - play) * 60_000 * 30, msPlayed: uniform() < 0.2 ? 5_000 : 180_000, cardId: card.id, title: card.title, artist: card.artist };
    });
    await home.importHistory(past);
    checked(home, page);
    tasks.push({ name: `${name}, from registered cards`, run: () => home.rankSync(page) });
    const bare = await homeOf(folder, { version: 'bare', schema: { columns: [{ name: 'popularity', source: 'popularity' }] } }, { clock: () => NOW });
    bare.registerCards(cards);
    checked(bare, page);
    tasks.push({ name: `${name}, from registered cards, one column`, run: () => bare.rankSync(page) });
  }
  return race(tasks, timing);
}

/** Outcomes, each with what brings it: an impression and a play of 30 seconds, then the end of the visit that makes them final. */
export async function learning({ d, other, ...timing }) {
  const full = d < 128;
  const model = linearModel(d);
  const cards = makeCards(60, d);
  const page = onePage(cards);
  page.visible = { shelves: 1, cards: 60 };
  const rows = new Float32Array(cards.length * d);
  cards.forEach((card, at) => rows.set(card.features, at * d));
  const learn = learner(d, full);
  let next = 0;
  const tasks = [{ name: 'plain, one outcome', run: () => learn(rows, (next = (next + 1) % cards.length) * d, next & 1) }];
  for (const [name, folder] of packages(other)) {
    let now = NOW;
    const home = await homeOf(folder, settings(model, EPSILON_PAGE), { clock: () => now });
    checked(home, page);
    tasks.push({
      name: `${name}, a page of 60 outcomes`,
      run: () => {
        const { decisionId } = home.rankSync(page);
        for (const { id } of cards) home.track({ type: 'impression', decisionId, shelfId: 'all', cardId: id });
        now += DAY / 12;
        home.rankSync(page);
      },
    });
    tasks.push({ name: `${name}, the same page without outcomes`, run: () => { home.rankSync(page); now += DAY / 12; home.rankSync(page); } });
  }
  return race(tasks, timing);
}

/** The other libraries score; the plain chooser orders. */
export async function beside({ n, d, kind, ...timing }) {
  const { peers } = await import('/js/bench/warm/peers.mjs');
  const model = kind === 'network' ? networkModel(d) : linearModel(d);
  const cards = makeCards(n, d);
  const page = onePage(cards);
  const plain = new PlainRanker(d, kind === 'network' ? network(model) : linear(model), EPSILON);
  const matrix = plain.pack(cards).slice();
  const want = new Float32Array(n);
  plain.score(matrix, n, want);
  const tasks = [{ name: 'plain, matrix ready', run: () => plain.rank(matrix, n) }];
  const problems = {};
  for (const { name, score, problem } of await peers(model)) {
    if (problem) { problems[name] = problem; continue; }
    const got = await score(matrix, n);
    if (got.length !== n || want.some((value, at) => Math.abs(value - got[at]) > 1e-4)) throw new Error(`${name}: other scores than plain JavaScript's`);
    const chooser = new PlainRanker(d, () => undefined, EPSILON);
    chooser.rank(matrix, n);
    const finish = (scores) => { chooser.scores.set(scores); chooser.choose(); };
    tasks.push({
      name: `${name}, matrix ready`,
      run: () => {
        const scores = score(matrix, n);
        return scores instanceof Promise ? scores.then(finish) : finish(scores);
      },
    });
  }
  const home = await homeOf('/js/dist', kind === 'network' ? await bundleOf(model, EPSILON_PAGE) : settings(model, EPSILON_PAGE));
  checked(home, page);
  tasks.push(...await both('ours', '/js/dist', home, page, d));
  return { times: await race(tasks, timing), problems };
}

/** Cold: from nothing imported yet by this document to ready, and the first call, at once or after a pause of so many milliseconds. */
export async function cold({ n, d, pause = 0 }) {
  const model = linearModel(d);
  const cards = makeCards(n, d);
  const page = onePage(cards);
  const start = performance.now();
  const home = await homeOf('/js/dist', settings(model, EPSILON_PAGE));
  const ready = performance.now();
  if (pause > 0) await new Promise((resolve) => { setTimeout(resolve, pause); });
  const called = performance.now();
  const ranked = home.rankSync(page);
  const end = performance.now();
  if (ranked.source !== 'policy') throw new Error(ranked.error?.message);
  const second = performance.now();
  home.rankSync(page);
  const secondEnd = performance.now();
  await home.close();
  const plainStart = performance.now();
  const plain = new PlainRanker(d, linear(model), EPSILON);
  plain.page(cards, plain.pack(cards));
  return { start: ready - start, first: end - called, second: secondEnd - second, plainFirst: performance.now() - plainStart };
}

/** What `make` returns, and the memory of the module that it loads meanwhile. */
async function withMemory(make) {
  let memoryOf = () => 0;
  const { instantiate } = WebAssembly;
  WebAssembly.instantiate = async (...values) => {
    const made = await instantiate(...values);
    const { exports } = made.instance ?? made;
    if (exports?.memory) memoryOf = () => exports.memory.buffer.byteLength;
    return made;
  };
  try {
    return { home: await make(), memoryOf: () => memoryOf() };
  } finally {
    WebAssembly.instantiate = instantiate;
  }
}

/** Memory of the module before and after many pages. */
export async function memory({ n, d, pages }) {
  const { home, memoryOf } = await withMemory(() => homeOf('/js/dist', settings(linearModel(d), EPSILON_PAGE)));
  const page = onePage(makeCards(n, d));
  const at = {};
  for (let count = 1; count <= pages; count++) {
    home.rankSync(page);
    if (count === 10 || count === pages >> 1 || count === pages) at[count] = memoryOf();
  }
  await home.close();
  return at;
}

/** Memory of the module after some pages of a size: `n` cards in `shelves` shelves, `d` features, `count` trees, or `plays` plays. */
export async function grown({ n, d, shelves = 1, count, plays, pages }) {
  const model = async () => {
    if (plays !== undefined) return undefined;
    return count ? bundleOf(treesModel(d, { trees: count }), EPSILON_PAGE) : settings(linearModel(d), EPSILON_PAGE);
  };
  const { home, memoryOf } = await withMemory(async () => homeOf('/js/dist', await model(), { clock: () => NOW }));
  const cards = makeCards(n, d).map((card, index) => {
    if (plays === undefined) return card;
    const { normal } = random(index + 1);
    const { features, ...known } = card;
    return { ...known, popularity: index % 100 / 100, durationMs: 200_000, embedding: Float32Array.from({ length: 32 }, () => normal()) };
  });
  if (plays !== undefined) {
    home.registerCards(cards);
    if (plays > 0) {
      await home.importHistory(Array.from({ length: plays }, (_, play) => {
        const { id, title, artist } = cards[play * 7_919 % n];
        return { at: NOW - (plays - play) * 60_000, msPlayed: 180_000, cardId: id, title, artist };
      }));
    }
  }
  const each = Math.ceil(n / shelves);
  const page = {
    ...(shelves === 1 ? { visible: { shelves: 1, cards: 1 } } : {}),
    shelves: Array.from({ length: shelves }, (_, shelf) => ({ id: `shelf:${shelf}`, cards: cards.slice(each * shelf, each * shelf + each) })),
  };
  checked(home, page);
  for (let k = 1; k < pages; k++) home.rankSync(page);
  const bytes = memoryOf();
  await home.close();
  if (bytes === 0) throw new Error('the memory of the module was not seen');
  return bytes;
}
