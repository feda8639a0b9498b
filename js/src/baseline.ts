// The page as the server ordered it: what comes back whenever ranking is off or failed.
import type { HomeError } from './errors.js';
import { reason } from './reasons.js';
import type { RankedPage, RankedShelf } from './types.js';

/** The same page in the same order, frozen. Never throws, whatever `page` is. */
export function baseline(page: unknown, modelVersion: string, error?: HomeError): RankedPage<RankedShelf> {
  return Object.freeze({
    decisionId: '',
    source: 'baseline',
    policy: 'fixed',
    modelVersion,
    randomized: false,
    probe: false,
    ...(error ? { error: Object.freeze({ code: error.code, message: error.message }) } : {}),
    shelves: Object.freeze(list(page, 'shelves').map(shelfAt)) as readonly RankedShelf[],
  });
}

function shelfAt(shelf: unknown, position: number): unknown {
  return place(shelf, position, { cards: Object.freeze(list(shelf, 'cards').map((card, at) => place(card, at))) });
}

function place(thing: unknown, position: number, more?: object): unknown {
  return Object.freeze({ ...copy(thing), ...more, position, propensity: 1, reason: reason('server_order') });
}

function copy(thing: unknown): object {
  try {
    return typeof thing === 'object' && thing !== null ? { ...thing } : {};
  } catch {
    return {};
  }
}

function list(owner: unknown, key: 'shelves' | 'cards'): unknown[] {
  try {
    const value = (owner as Record<string, unknown> | null | undefined)?.[key];
    return Array.isArray(value) ? [...value] : [];
  } catch {
    return [];
  }
}
