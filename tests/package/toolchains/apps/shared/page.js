// The page of the framework apps, and what a Home of the same seed makes of it without a framework.
import { createHome } from 'ears-only';

export const page = {
  visible: { shelves: 2, cards: 4 },
  shelves: [
    ['morning', 'Morning commute', ['Kind of Blue', 'Blue Train', 'Dummy', 'Mezzanine', 'Moon Safari']],
    ['fresh', 'Fresh finds', ['Untrue', 'Homework', 'Discovery', 'Selected Ambient Works']],
    ['focus', 'Deep focus', ['Music for Airports', 'Another Green World', 'Substrata']],
  ].map(([id, title, titles]) => ({
    id, title, cards: titles.map((name, index) => ({ id: `${id}-${index}`, title: name, artist: `Artist ${index}`, popularity: (index * 7 % 10) / 10 })),
  })),
};

export const open = (options) => createHome({ storage: 'memory', seed: 7, clock: () => Date.UTC(2026, 5, 1, 9), ...options });

/** What is on screen, card by card. */
export const shown = (root = document) => [...root.querySelectorAll('[data-card]')].map((element) => element.dataset.card);

/** Card ids of a page, in order. */
export const ids = (ranked) => ranked.shelves.flatMap((shelf) => shelf.cards.map((card) => card.id));

const later = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** Resolves once `holds` does; rejects after five seconds. */
export async function until(what, holds) {
  for (const end = Date.now() + 5000; Date.now() < end; await later(20)) if (holds()) return;
  throw new Error(`expected ${what} within five seconds`);
}

/**
 * What every adapter must do, whatever the framework. `app` has the Home, and ways to render again with new data of the same cards, to
 * ask for a new order, to take the page away and to bring it back.
 */
export async function check({ home, rerender, refresh, leave, enter }) {
  const found = {};
  const expected = open();
  await expected.ready;
  const first = shown();
  found['the order of a Home without a framework'] = String(first) === String(ids(expected.rankSync(page)));
  found['not the order of the server'] = String(first) !== String(ids(page));
  found['one decision for one view'] = home.summary().decisions === 1;
  await rerender();
  await until('new titles', () => document.querySelector('[data-card]').textContent.endsWith('*'));
  found['new data, same order'] = String(shown()) === String(first);
  found['still one decision'] = home.summary().decisions === 1;
  const impressions = [];
  const track = home.track;
  home.track = (event) => { impressions.push(event); track(event); };
  await until('impressions', () => impressions.length >= first.length);
  found['every card was seen once'] = String(impressions.map(({ cardId }) => cardId).sort()) === String([...first].sort())
    && impressions.every(({ type, shelfId, decisionId }) => type === 'impression' && shelfId && decisionId);
  await refresh();
  await until('a second decision', () => home.summary().decisions === 2);
  const second = ids(expected.rankSync(page));
  await until('the new order', () => String(shown()) === String(second));
  found['a new order on request'] = true;
  await leave();
  await until('an empty page', () => shown().length === 0);
  await enter();
  await until('the page', () => shown().length === first.length);
  found['a new view is a new decision'] = home.summary().decisions === 3;
  return found;
}
