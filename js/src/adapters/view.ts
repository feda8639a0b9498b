// The life of a view: one decision for as long as a page is on screen, whatever a framework renders meanwhile.
import { createObserver } from '../observe.js';
import type { CardInput, Context, Home, PageInput, Placed, RankedPage, ShelfInput } from '../types.js';

/** What an adapter may be told beside the page. */
export interface ViewOptions {
  /** Values of the model's `context` columns, as they are when the page is ranked. */
  readonly context?: Context;
}

/** What is made once for each Home. */
export function perHome<V extends object>(make: (home: Home) => V): (home: Home) => V {
  const made = new WeakMap<Home, V>();
  return (home) => {
    let one = made.get(home);
    if (!one) made.set(home, one = make(home));
    return one;
  };
}

/** The one observer of a Home. */
export const observerOf = perHome(createObserver);

/** What identifies a page on screen, its ids: an object that is made again on each render is still the same page. */
export function outline(page: PageInput): string {
  return JSON.stringify(page, ['id', 'after', 'shelves', 'cards']);
}

/** The same order with what the app now says of its shelves and cards. */
export function renewed(ranked: RankedPage, page: PageInput): RankedPage {
  // A shelf of the device is its own news.
  const byId = <T extends { readonly id: string }>(things: readonly T[]) => new Map<string, T>(things.map((thing) => [thing.id, thing]));
  const shelves = byId<ShelfInput>(page.shelves);
  return {
    ...ranked,
    shelves: ranked.shelves.map((shelf) => {
      const now = shelves.get(shelf.id) ?? shelf as ShelfInput;
      const cards = byId<CardInput>(now.cards);
      return { ...shelf, ...now, cards: (shelf.cards as readonly (CardInput & Placed)[]).map((card) => ({ ...card, ...cards.get(card.id) })) };
    }) as RankedPage['shelves'],
  };
}

/** Takes an element when it appears, and nothing (or `null`) when it is gone. */
export type SeenRef = (element: unknown) => void;

/** Makes, for each card of one decision, the function that watches its element: the same function each time it is asked for. */
export function seenRefs(home: Home, decisionId: string): (shelfId: string, cardId: string) => SeenRef {
  const made: Record<string, SeenRef> = {};
  return (shelfId, cardId) => {
    let current: unknown;
    let stop: (() => void) | undefined;
    return made[JSON.stringify([shelfId, cardId])] ??= (element) => {
      if (element === current) return;
      current = element;
      stop?.();
      if (element) stop = observerOf(home)(element as Element, { decisionId, shelfId, cardId });
    };
  };
}
