// What a record says, in words for the person it is about.
import type { RecordFields } from './types.js';

/** Monday of epoch 0: 2026-01-05, UTC. */
const FIRST_MONDAY = Date.UTC(2026, 0, 5);
const WEEK_MS = 7 * 24 * 3_600_000;

/** Two or three plain sentences, with every number that matters. */
export function recordSentence(fields: RecordFields): string {
  const monday = new Date(FIRST_MONDAY + fields.epoch * WEEK_MS).toISOString().slice(0, 10);
  const share = percent(fields.propensityNumerator / 65536);
  const lie = percent(1 / (1 + Math.exp(fields.epsilon)));
  return `In the week of ${monday}, a public draw (chance ${share}) put card ${fields.arm} of a published list in place `
    + `${fields.cardPosition + 1} of shelf ${fields.shelfPosition + 1}. `
    + `To question ${fields.question} about it, the record answers “${fields.symbol === 1 ? 'yes' : 'no'}”. `
    + `A coin was flipped first: ${lie} of the time this answer is a lie.`;
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
