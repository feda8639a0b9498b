// What would change a shelf: the same page ranked anew by copies of this device, each of which something else happened to.
import { now } from './clock.js';
import { copyOf } from './copy.js';
import { breath } from './dom.js';
import { chosen, modelOptions } from './models.js';

/** As long as the demo's button plays. */
const LISTEN_MS = 180_000;

/** What may happen to a shelf: a name, and what it does to the copy or to the page. `top` is the card that stands first on it. */
const CASES = {
  now: {},
  played: { happens: (copy, told) => copy.track({ ...told, type: 'finish', msPlayed: LISTEN_MS }) },
  skipped: { happens: (copy, told) => copy.track({ ...told, type: 'skip', msPlayed: 5000 }) },
  hidden: { happens: (copy, told) => copy.track({ ...told, type: 'hide' }) },
  gone: { sent: (page, shelfId, cardId) => ({ ...page, shelves: page.shelves.map((shelf) => (shelf.id === shelfId ? { ...shelf, cards: shelf.cards.filter(({ id }) => id !== cardId) } : shelf)) }) },
};

/** Each step by itself, so that nothing the listener does waits for more than one. */
async function apart(step) {
  await breath();
  return step();
}

/**
 * Calls `tell(name, { value, place })` for each of `CASES`: the shelf's chance that something on it is played (0 to 1), and its place by that alone,
 * from 1; nothing where the shelf would not be on the page. `signal` ends it early.
 */
export async function whatIf({ home, page, shelfId, cardId, tell, signal }) {
  const [known, { model }] = await Promise.all([home.exportState(), modelOptions(chosen)]);
  for (const [name, { happens, sent = (same) => same }] of Object.entries(CASES)) {
    await breath();
    if (signal.aborted) return;
    const copy = await copyOf(known, name, model);
    try {
      let ranked = await apart(() => copy.rankSync(sent(page, shelfId, cardId)));
      if (happens) {
        await apart(() => happens(copy, { cardId, shelfId, decisionId: ranked.decisionId, at: now() }));
        ranked = await apart(() => copy.rankSync(page));
      }
      const { shelves } = await apart(() => copy.explain(ranked.decisionId));
      const own = shelves.find(({ id }) => id === shelfId);
      if (signal.aborted) return;
      tell(name, own && { value: own.score, place: shelves.filter(({ score }) => score > own.score).length + 1 });
    } finally {
      await copy.close();
    }
  }
}
