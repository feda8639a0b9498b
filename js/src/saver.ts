// When to save: soon after a change, in an idle moment, and never twice at once.
import type { Platform } from './platform.js';

/** Changes are gathered for this long. */
export const SAVE_AFTER_MS = 1000;

export class Saver {
  readonly #platform: Platform;
  readonly #save: () => Promise<boolean>;
  #timer: unknown;
  #last: Promise<boolean> = Promise.resolve(true);
  #stopped = false;

  /** `save` says whether everything is saved; it must not reject. */
  constructor(platform: Platform, save: () => Promise<boolean>) {
    this.#platform = platform;
    this.#save = save;
  }

  /** Something changed. */
  touch(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = this.#platform.setTimer(() => this.#platform.whenIdle(() => {
      if (this.#timer !== undefined && !this.#stopped) void this.now();
    }), SAVE_AFTER_MS);
  }

  /** Saves after the save that is under way. */
  now(): Promise<boolean> {
    if (this.#timer !== undefined) this.#platform.clearTimer(this.#timer);
    this.#timer = undefined;
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
