// One tab of a profile writes; the others rank and wait for their turn.
import type { HeldLock, Platform } from './platform.js';

/** How long a start waits for a lock that another tab may be letting go of. */
const PATIENCE_MS = 100;

export class Writer {
  #held: HeldLock | undefined;
  #giveUp: (() => void) | undefined;
  #released = false;
  /** Whether this tab may write. */
  active = false;

  /**
   * Asks to be the writer; resolves once it is known whether this tab starts as one. `promoted` is called when its turn
   * comes later, and must set `active` when it is done. Without a lock name, or where locks do not exist, every Home
   * writes.
   */
  async request(platform: Platform, lockName: string | undefined, promoted: () => void): Promise<void> {
    if (lockName === undefined) {
      this.active = true;
      return;
    }
    await new Promise<void>((decided) => {
      let waiting = true;
      const timer = platform.setTimer(() => { waiting = false; decided(); }, PATIENCE_MS);
      this.#giveUp = platform.lock(lockName, (held) => {
        if (this.#released) return held.release();
        this.#held = held;
        platform.clearTimer(timer);
        if (!waiting) return promoted();
        this.active = true;
        decided();
      });
      if (this.#giveUp === undefined) {
        this.active = true;
        platform.clearTimer(timer);
        decided();
      }
    });
  }

  /** Lets the next tab write. */
  release(): void {
    this.#released = true;
    this.active = false;
    if (this.#held) this.#held.release();
    else this.#giveUp?.();
  }
}
