// How a page of typed arrays passes through a Home: it brings what packs it and what reads its result. See packed.ts.
import type { Engine } from './engine.js';
import type { Context } from './types.js';

/** The same in every copy of the package. */
export const PACKED: unique symbol = Symbol.for('ears-only/packed') as never;

/** A page that is ranked in its own way; without a time, only its cards are made known. */
export interface PackedWay {
  readonly [PACKED]: (engine: Engine, now?: number, context?: Context, utcOffsetMinutes?: number) => unknown;
}
