// The package as an app uses it: with what it keeps between visits.
import { createHome } from '../../../dist/index.js';

/** A Home with a model of one weight for each feature; `storage` as in its options. */
export async function homeFor({ weights, bias, epsilon }, storage) {
  const names = Array.from(weights, (_, column) => `f${column}`);
  const home = createHome({
    ...(storage ? { storage } : {}), seed: 1,
    model: {
      version: 'bench',
      schema: { columns: names.map((name) => ({ name, source: 'given' })) },
      prior: { bias, mean: Object.fromEntries(names.map((name, column) => [name, weights[column]])) },
      policy: { kind: 'epsilon_page', epsilon },
    },
  });
  const status = await home.ready;
  if (status.state !== 'ready') throw new Error(`${status.reason}: ${status.message}`);
  return {
    rank(cards) {
      const { source, shelves } = home.rankSync({ visible: { shelves: 1, cards: 1 }, shelves: [{ id: 'all', cards }] });
      if (source !== 'policy') throw new Error(`expected a ranked page, got ${source}`);
      return shelves[0].cards;
    },
  };
}

export const start = (model) => homeFor(model);
