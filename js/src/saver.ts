// When to save: at once what may be followed by leaving, else soon and in an idle moment; never twice at once.
import type { Platform } from './platform.js';

/** Changes are gathered for this long. */
export const SAVE_AFTER_MS = 1000;
/** An act is saved at once, unless something was saved so shortly before. */
const BETWEEN_ACTS_MS = 250;

export class Saver {
  readonly #platform: Platform;
  readonly #save: () => Promise<boolean>;
  #timer: unknown;
  #last: Promise<boolean> = Promise.resolve(true);
  #lastAt = -Infinity;
  #stopped = false;

  /** `save` says whether everything is saved; it must not reject. */
  constructor(platform: Platform, save: () => Promise<boolean>) {
    this.#platform = platform;
    this.#save = save;
  }

  /**
   * Something changed. After an act of the listener a page may be left for another one, and what is sealed cannot be stored while it goes: such
   * a change is saved at once.
   */
  touch(act = false): void {
    if (this.#stopped) return;
    if (act && this.#platform.now() >= this.#lastAt + BETWEEN_ACTS_MS) {
      void this.now();
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = this.#platform.setTimer(() => this.#platform.whenIdle(() => {
      if (this.#timer !== undefined && !this.#stopped) void this.now();
    }), SAVE_AFTER_MS);
  }

  /** Saves after the save that is under way. */
  now(): Promise<boolean> {
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#lastAt = this.#platform.now();
    this.#last = this.#last.then(this.#save);
    return this.#last;
  }

  /** Resolves once nothing is being saved; what was about to be saved is not. */
  async idle(): Promise<void> {
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    this.#timer = undefined;
    await this.#last;
  }

  /** No further saves on their own. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
