// Homes for tests: on the small fake core and, once the package is built, on the real one.
import { existsSync } from 'node:fs';
import { HomeRuntime } from '../build/modules/home.js';
import { memoryStorage } from '../build/modules/storage/memory.js';
import { fakeProgram } from './fake-core.mjs';
import { World } from './world.mjs';

const built = existsSync(new URL('../build/modules/glue.js', import.meta.url));
const real = built ? await import('../build/modules/load.js') : undefined;

/** Which cores the suites run on. */
export const CORES = real ? ['fake', 'real'] : ['fake'];

/** A model with the fake core's columns. */
export const MODEL = {
  version: 'test-1',
  schema: { columns: [
    { name: 'tempo', source: 'given', default: 0.25 }, { name: 'energy', source: 'given', default: 0.25 },
    { name: 'weekend', source: 'context', default: 0.5 },
  ] },
  prior: { bias: -2, mean: { tempo: 0.5, energy: -0.5 } },
};

/** Makes a Home; `program` has the fake core's faults, `errors` what `onError` was told. */
export function makeHome({ core = 'fake', world = new World(), program, loadCore, ...options } = {}) {
  const errors = [];
  const fake = program ?? fakeProgram();
  const platform = world.platform();
  const home = new HomeRuntime({
    storage: memoryStorage(), clock: () => world.now, onError: (error) => errors.push(error),
    ...(core === 'real' ? { model: MODEL, seed: 7 } : {}), ...options,
  }, { platform, loadCore: loadCore ?? (core === 'real' ? real.loadCore : async () => fake) });
  return { home, errors, world, platform, program: fake };
}

/** A page an app could have: three shelves of real-looking cards, each object its own. */
export function samplePage(change = {}) {
  const card = (id, title, artist, more = {}) => ({ id, title, artist, kind: 'album', cover: `${id}.jpg`, ...more });
  return {
    visible: { shelves: 2, cards: 2 },
    shelves: [
      { id: 'morning', kind: 'made_for_you', title: 'Morning commute', cards: [
        card('album:kind-of-blue', 'Kind of Blue', 'Miles Davis', { features: [0.1, 0.2] }),
        card('album:blue-train', 'Blue Train', 'John Coltrane', { features: new Float32Array([0.3, 0.4]) }),
        card('album:getz-gilberto', 'Getz/Gilberto', 'Stan Getz', { features: { tempo: 0.5 } }),
      ] },
      { id: 'fresh', kind: 'fresh', title: 'Fresh this week', cards: [
        card('album:dummy', 'Dummy', 'Portishead'), card('album:blue-lines', 'Blue Lines', 'Massive Attack'),
      ] },
      { id: 'sponsored', title: 'A word from', fixed: true, cards: [card('album:homework', 'Homework', 'Daft Punk', { fixed: true })] },
    ],
    ...change,
  };
}

/** Ids in order: `[[shelf, [card, ...]], ...]`. */
export const outline = (page) => page.shelves.map((shelf) => [shelf.id, shelf.cards.map((card) => card.id)]);
