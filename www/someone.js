// The Home of a simulated listener: what the server sends them, and what their device has learned by a day.
import { life } from './world.js';

/** What the demo world's listeners see without scrolling. */
export const VISIBLE = { shelves: 3, cards: 4 };

export async function loadListener(seed, listener, day, options) {
  const story = await life(seed, listener, day, options);
  const page = story.page.map((shelf) => ({ ...shelf, cards: shelf.cards.map(sent) }));
  const cards = new Map(page.flatMap((shelf) => shelf.cards).map((card) => [card.id, card]));
  const list = (kind) => [...cards.values()].filter((card) => card.kind === kind);
  return { story: { ...story, page }, catalogue: { cards, artists: list('artist'), albums: list('album'), podcasts: list('podcast') } };
}

/** A card without what it does not have, and with its embedding as the package takes it. */
function sent({ genre, year, embedding, artist, ...card }) {
  return { ...card, genre, embedding: Float32Array.from(embedding), ...(year ? { year } : {}), ...(artist ? { artist } : {}) };
}
