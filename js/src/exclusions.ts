// What the listener does not want used: checked, told to the core, listed.
import type { Engine } from './engine.js';
import { codeOf, HomeError } from './errors.js';
import type { Excluded, Exclusion } from './types.js';

/** An exclusion with everything said; empty and NaN where nothing was. */
export interface CompleteExclusion { readonly artist: string; readonly cardId: string; readonly at: number }

export const NOTHING_EXCLUDED: Excluded = Object.freeze({ artists: Object.freeze([]), cards: Object.freeze([]) });

/** Throws a `HomeError` for one that names nothing, or both. */
export function completeExclusion(what: Exclusion): CompleteExclusion {
  const { artist = '', cardId = '', at = NaN } = what ?? {};
  if (typeof artist !== 'string' || typeof cardId !== 'string' || (artist === '') === (cardId === '') || typeof at !== 'number') {
    throw new HomeError('bad_exclusion', 'expected { artist } or { cardId } with a name that is not empty, got something else');
  }
  return { artist, cardId, at };
}

/** Takes back, or uses again; returns what the core says. */
export function apply(engine: Engine, type: 'exclude' | 'include', { artist, cardId, at }: CompleteExclusion): number | boolean {
  const run = () => (type === 'exclude' ? engine.core.exclude(artist, cardId, at) : engine.core.include(artist, cardId));
  try {
    return run();
  } catch (thrown) {
    if (codeOf(thrown) !== 'unknown_card') throw thrown;
    // A card of another page or tab: its name is enough.
    engine.registerCards([{ id: cardId }]);
    return run();
  }
}

export function excludedBy({ core, registry }: Engine): Excluded {
  const pairs = core.excluded();
  const cards = pairs.filter((_, place) => place % 2 === 1).filter((handle) => handle !== '');
  return Object.freeze({
    artists: Object.freeze(pairs.filter((_, place) => place % 2 === 0).filter((artist) => artist !== '')),
    cards: Object.freeze(cards.map((handle) => Object.freeze(registry.remembered(Number(handle))))),
  });
}
