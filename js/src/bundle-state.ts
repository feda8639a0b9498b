// What the device keeps of published files: the root it trusts, how far it has come, and two bundles.
import { toHex } from './bundle-checks.js';
import type { Platform } from './platform.js';

/** Two places for bytes, taken in turn. */
export type Place = 'a' | 'b';

/** A bundle that passed every check. */
export interface Slot {
  readonly place: Place;
  readonly sequence: number;
  readonly sha256: string;
  /** It has ranked a page here. */
  readonly proven: boolean;
  /** Visits begun with it and not known to have gone well. */
  readonly tries: number;
}

export interface State {
  readonly channel: string;
  /** Drawn once; decides which releases this device takes early, and never leaves it. */
  readonly salt: string;
  /** The newest trusted root, as served. */
  readonly root: string;
  /** When the newest channel file was signed. */
  readonly created: number;
  /** The newest time in a file that was rightly signed. */
  readonly newest: number;
  readonly minSequence: number;
  /** The highest sequence of an accepted bundle. */
  readonly highest: number;
  /** When everything was last found in order. */
  readonly checkedAt: number;
  readonly current?: Slot | undefined;
  /** The last bundle that ranked pages, for when the current one fails. */
  readonly good?: Slot | undefined;
  /** SHA-256 of bundles that stopped the core. */
  readonly bad: readonly string[];
}

/** A device that has seen nothing yet. */
export function freshState(channel: string, root: string, platform: Platform): State {
  const salt = new Uint8Array(16);
  const view = new DataView(salt.buffer);
  for (let at = 0; at < 16; at += 4) view.setUint32(at, Math.floor(platform.random() * 0x1_0000_0000));
  return { channel, salt: toHex(salt), root, created: 0, newest: 0, minSequence: 0, highest: 0, checkedAt: 0, bad: [] };
}

export function encodeState(state: State): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ format: 1, ...state }));
}

/** What was kept, or nothing where that cannot be read. */
export function decodeState(bytes: Uint8Array): State | undefined {
  try {
    const { format, ...state } = JSON.parse(new TextDecoder().decode(bytes)) as State & { format: unknown };
    const numbers = [state.created, state.newest, state.minSequence, state.highest, state.checkedAt];
    const slots = [state.current, state.good];
    return format === 1 && numbers.every(Number.isSafeInteger) && typeof state.channel === 'string' && /^[0-9a-f]{32}$/.test(state.salt)
      && typeof state.root === 'string' && Array.isArray(state.bad) && slots.every((slot) => slot === undefined || isSlot(slot))
      ? state : undefined;
  } catch {
    return undefined;
  }
}

function isSlot(slot: Slot): boolean {
  return (slot.place === 'a' || slot.place === 'b') && Number.isSafeInteger(slot.sequence) && typeof slot.sha256 === 'string'
    && typeof slot.proven === 'boolean' && Number.isSafeInteger(slot.tries);
}

/** A bundle with the file that vouches for it. */
export interface Signed {
  readonly signature: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Length of the signature file, the file, the bundle: one value, so that the two are never of different releases. */
export function encodeSigned({ signature, bytes }: Signed): Uint8Array {
  const all = new Uint8Array(4 + signature.length + bytes.length);
  new DataView(all.buffer).setUint32(0, signature.length, true);
  all.set(signature, 4);
  all.set(bytes, 4 + signature.length);
  return all;
}

export function decodeSigned(all: Uint8Array): Signed | undefined {
  if (all.length < 4) return undefined;
  const end = 4 + new DataView(all.buffer, all.byteOffset).getUint32(0, true);
  return end > all.length ? undefined : { signature: all.slice(4, end), bytes: all.slice(end) };
}
