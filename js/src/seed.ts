// One number makes every draw repeatable.
import { HomeError } from './errors.js';

/** The 32 bytes the core starts from: the number as 64 bits, low byte first, then zeros. */
export function seedBytes(seed: number): Uint8Array {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new HomeError('model', `seed must be a whole number from 0 to 2^53 - 1, got ${seed}`);
  }
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(seed), true);
  return bytes;
}

/** Uniform draws in [0, 1) for the sending delays of a seeded Home (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = (seed ^ (seed / 0x1_0000_0000)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
