// When to save: at once what may be followed by leaving, else soon and in an idle moment; never twice at once.
import type { Platform } from './platform.js';

/** Changes are gathered for this long. */
export const SAVE_AFTER_MS = 1000;
/** An act is saved at once, or so long after the one before it. */
const BETWEEN_ACTS_MS = 250;

export class Saver {
  readonly #platform: Platform;
  readonly #save: () => Promise<boolean>;
  #timer: unknown;
  #last: Promise<boolean> = Promise.resolve(true);
  /** When an act was saved last. */
  #actAt = -Infinity;
  /** Whether the timer is an act's. */
  #acting = false;
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
    if (act) return this.#act();
    if (this.#timer !== undefined) return;
    this.#timer = this.#platform.setTimer(() => this.#platform.whenIdle(() => {
      if (this.#timer !== undefined && !this.#stopped) void this.now();
    }), SAVE_AFTER_MS);
  }

  #act(): void {
    const now = this.#platform.now();
    const wait = this.#actAt + BETWEEN_ACTS_MS - now;
    if (wait <= 0) {
      this.#actAt = now;
      void this.now();
    } else if (!this.#acting) {
      this.#clear();
      this.#acting = true;
      this.#timer = this.#platform.setTimer(() => this.#act(), wait);
    }
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#acting = false;
  }

  /** Saves after the save that is under way. */
  now(): Promise<boolean> {
    this.#clear();
    this.#last = this.#last.then(this.#save);
    return this.#last;
  }

  /** Resolves once nothing is being saved; what was about to be saved is not. */
  async idle(): Promise<void> {
    this.#clear();
    await this.#last;
  }

  /** No further saves on their own. */
  stop(): void {
    this.#stopped = true;
    this.#clear();
  }
}
