// Events as they come from the app: checked before anything is done with them.
import { HomeError } from './errors.js';
import type { EventType, HomeEvent } from './types.js';

const TYPES: readonly EventType[] = [
  'impression', 'play', 'progress', 'finish', 'skip', 'like', 'follow', 'hide', 'unhide', 'unskip',
];

/** An event with everything said. */
export interface CompleteEvent {
  readonly type: EventType;
  readonly decisionId: string;
  readonly shelfId: string;
  readonly cardId: string;
  /** NaN where nothing was said. */
  readonly msPlayed: number;
  readonly at: number;
}

/** The event with its time; throws a `HomeError` for one that makes no sense in itself. */
export function completeEvent(event: HomeEvent, now: number): CompleteEvent {
  if (typeof event !== 'object' || event === null) throw invalid('an event must be an object', typeof event);
  if (!TYPES.includes(event.type)) throw invalid(`type must be one of ${TYPES.join(', ')}`, String(event.type));
  if (typeof event.cardId !== 'string' || event.cardId === '') throw invalid('cardId must be a non-empty string', typeof event.cardId);
  return {
    type: event.type,
    decisionId: optionalText(event.decisionId, 'decisionId'),
    shelfId: optionalText(event.shelfId, 'shelfId'),
    cardId: event.cardId,
    msPlayed: event.msPlayed === undefined ? NaN : finite(event.msPlayed, 'msPlayed'),
    at: event.at === undefined ? now : finite(event.at, 'at'),
  };
}

function optionalText(value: unknown, name: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw invalid(`${name} must be a string`, typeof value);
  return value;
}

function finite(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(`${name} must be a finite number`, String(value));
  return value;
}

function invalid(expected: string, found: string): HomeError {
  return new HomeError('event_invalid', `${expected}, got ${found}`);
}
