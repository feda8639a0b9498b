// What one would write by hand.
import { PlainRanker } from '../../plain.mjs';

export function start({ weights, bias, epsilon }) {
  const ranker = new PlainRanker(weights, bias, epsilon);
  return { rank: (cards) => ranker.page(cards, ranker.pack(cards)) };
}
