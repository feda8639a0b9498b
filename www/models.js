// What the demo can rank with: bundles of every kind of model, and other policies over the built-in one.
import { model } from './address.js';

export const MODELS = {
  '': { label: 'Built-in linear model', about: 'Written by hand; Plackett–Luce with a floor.' },
  linear: { label: 'Linear model', about: 'Trained on a log of the demo world.', bundle: true },
  fm: { label: 'Factorization machine', about: 'Trained on the same log.', bundle: true },
  trees: { label: 'Boosted trees', about: 'Trained on the same log.', bundle: true },
  network: { label: 'Neural network', about: '16 hidden units, trained on the same log.', bundle: true },
  softmax: { label: 'Softmax', about: 'As the built-in policy, in chances in place of log-odds.', policy: { kind: 'softmax' } },
  epsilon: { label: 'Epsilon-greedy page', about: 'One page in five is drawn uniformly.', policy: { kind: 'epsilon_page', epsilon: 0.2 } },
  squarecb: { label: 'SquareCB', about: 'Inverse gap weighting.', policy: { kind: 'squarecb' } },
  linucb: { label: 'LinUCB', about: 'Optimistic: tries what is uncertain; draws by its floor only.', policy: { kind: 'linucb' } },
  thompson: { label: 'Thompson sampling', about: 'Each card draws a score as uncertain as it is known, and the page is ranked by them.', policy: { kind: 'thompson' } },
  uniform: { label: 'Uniform', about: 'Every page is as likely as any other.', policy: { kind: 'uniform' } },
  popularity: { label: 'Most popular', about: 'Everybody’s order.', policy: { kind: 'popularity' } },
};

/** The one that the address names. */
export const chosen = Object.hasOwn(MODELS, model) ? model : '';

/** What `createHome` takes as its model, and how many bytes were fetched for it. */
export async function modelOptions(name) {
  const { bundle, policy } = MODELS[name];
  if (policy) return { model: { version: `demo-${name}`, policy }, bytes: 0 };
  if (!bundle) return { bytes: 0 };
  const response = await fetch(new URL(`models/${name}.bundle`, import.meta.url));
  if (!response.ok) throw new Error(`expected the bundle ${name}, found status ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { model: bytes, bytes: bytes.length };
}
