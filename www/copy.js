// Copies of this device, to try something on: kept nowhere, and nothing is sent from them, whatever was agreed.
import { collector } from './address.js';
import { now } from './clock.js';
import { breath } from './dom.js';

/** A Home in memory that knows what `known` says, with the core that is here already. */
export async function copyOf(known, name, model) {
  const { createHome } = await import('./ears-only/index.js');
  const copy = createHome({ namespace: `copy-${name}`, storage: 'memory', clock: now, seed: 1, upload: { url: collector.href, allowed: () => false }, ...(model ? { model } : {}) });
  await copy.ready;
  await breath();
  await copy.importState(known);
  return copy;
}
