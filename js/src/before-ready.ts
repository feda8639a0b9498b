// What an app does before there is a core: kept, within bounds, and used once there is one.
import { HomeError } from './errors.js';
import type { CompleteEvent } from './events.js';
import type { CardInput, PageInput } from './types.js';

export const MAX_EVENTS = 1000;
/** Pages that are remembered of those that were shown; older ones are forgotten. */
export const MAX_PAGES = 4;

export class BeforeReady {
  pages: PageInput[] = [];
  /** Those of them that may leave an order for the next visit. */
  unseen: PageInput[] = [];
  cards: CardInput[] = [];
  events: CompleteEvent[] = [];
  #complained = false;

  page(page: PageInput, isPrivate: boolean): void {
    this.pages = [...this.pages, page].slice(-MAX_PAGES);
    if (!isPrivate) this.unseen = [...this.unseen, page].slice(-MAX_PAGES);
  }

  /** Throws the first time that there are too many. */
  event(event: CompleteEvent): void {
    if (this.events.length < MAX_EVENTS) {
      this.events.push(event);
    } else if (!this.#complained) {
      this.#complained = true;
      throw new HomeError('queue_full', `expected at most ${MAX_EVENTS} events before ready, got more; the others are dropped`);
    }
  }

  /** What the listener did and saw; cards are the app's catalogue and stay. */
  forgetListener(): void {
    this.pages = this.unseen = [];
    this.events = [];
  }

  forget(): void {
    this.forgetListener();
    this.cards = [];
  }
}
