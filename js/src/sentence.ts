// What a record says, in words for the person it is about.
import type { RecordFields } from './types.js';

/** Monday of epoch 0: 2026-01-05, UTC. */
const FIRST_MONDAY = Date.UTC(2026, 0, 5);
const WEEK_MS = 7 * 24 * 3_600_000;

/** Answers to `how_long`, in the order of their symbols. */
const HOW_LONG = ['not at all', 'under 30 seconds', 'at least 30 seconds', 'to the end'];

/** Three or four plain sentences, with every number that matters. Less is said where the record's manifest is no longer known. */
export function recordSentence(fields: RecordFields): string {
  const monday = new Date(FIRST_MONDAY + fields.epoch * WEEK_MS).toISOString().slice(0, 10);
  const drawn = `In the week of ${monday}, a public draw (chance ${percent(fields.propensityNumerator / 65536)}) ${happened(fields)}`;
  return `${drawn} To ${question(fields)}, the record answers “${answer(fields)}”. ${noise(fields)}`;
}

/** What the draw did. */
function happened({ kind, arm, armName, shelfPosition, cardPosition }: RecordFields): string {
  const published = (what: string, list: string) => armName === undefined ? `${what} ${arm} of a published list` : `${list} “${armName}”`;
  switch (kind) {
    case 'shelf': return `put ${published('shelf', 'the shelf')} in place ${shelfPosition + 1} of the page.`;
    case 'policy': return `had a page ordered by ${published('rule', 'the published rule')}.`;
    case 'training': return `moved the rule that orders the page by ${published('step', 'the published step')}.`;
    case 'vote': return `asked how ${published('rule', 'the published rule')} would have done with what was shown and played here that week.`;
    default: return `put ${published('card', 'the card')} in place ${cardPosition + 1} of shelf ${shelfPosition + 1}.`;
  }
}

function question({ kind, question: number, questionName }: RecordFields): string {
  if (questionName === 'how_long') return '“How long was it played?”';
  if (questionName === 'vote') return '“Would it have done better?”';
  if (questionName !== 'played_30s') return `question ${number} about it`;
  const what = kind === 'shelf' ? 'something on it' : kind === 'policy' || kind === 'training' ? 'something on that page' : 'it';
  return `“Was ${what} played for at least 30 seconds?”`;
}

function answer({ questionName, symbol, answers = 2 }: RecordFields): string {
  if (questionName === 'how_long') return HOW_LONG[symbol] ?? String(symbol);
  return answers === 2 ? symbol === 1 ? 'yes' : 'no' : `${symbol} of 0 to ${answers - 1}`;
}

/** Randomised response over K answers says another than the true one with chance (K - 1) / (e^epsilon + K - 1). */
function noise({ kind, questionName, answers = questionName === 'how_long' ? HOW_LONG.length : 2, epsilon }: RecordFields): string {
  const lie = percent((answers - 1) / (Math.exp(epsilon) + answers - 1));
  const rounded = kind === 'vote' ? 'The device’s estimate was first rounded to yes or no by chance. ' : '';
  return answers === 2
    ? `${rounded}A coin was flipped first: ${lie} of the time this answer is a lie.`
    : `Chance had its say first: ${lie} of the time this answer is a lie, and each wrong answer is as likely as another.`;
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
