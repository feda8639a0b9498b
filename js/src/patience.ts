// Waiting for a limited time.
import type { Platform } from './platform.js';

const STEPS = 4;

/**
 * Calls `enough` after `ms`, in four steps: on a page that was busy for seconds, one long-overdue timer would come before
 * the answers that arrived meanwhile. Returns the way to stop.
 */
export function afterPatience(platform: Platform, ms: number, enough: () => void): () => void {
  let timer: unknown;
  const wait = (left: number) => {
    timer = platform.setTimer(() => left > 1 ? wait(left - 1) : enough(), ms / STEPS);
  };
  wait(STEPS);
  return () => platform.clearTimer(timer);
}
