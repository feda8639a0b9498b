// Svelte 4 and 5: stores and an action; nothing of Svelte is imported.
import type { Home, PageInput, RankedLocalShelf, RankedPage, RankedShelf, ShelfInput, Status } from '../types.js';
import { observerOf, outline, renewed, type ViewOptions as Options } from './view.js';

/** What the adapter may be told beside the page. */
export interface ViewOptions extends Options {
  /** The server's markup is being hydrated: begin with the server's order. */
  readonly hydrating?: boolean;
}

/** A store as Svelte reads it with `$`. */
export interface Readable<T> {
  /** Calls `run` with the value now and with each later one. Returns the way to stop. */
  subscribe(run: (value: T) => void): () => void;
}

/** Names the card that an element shows. */
export interface Shown {
  /** The shelf it stands in. */
  readonly shelfId: string;
  /** Identity of the card. */
  readonly cardId: string;
}

/** A ranked page on screen. */
export interface RankedView<P, I> extends Readable<P> {
  /** Another page, or the same one with other data: only other shelves or cards are ranked anew. */
  set(page: I): void;
  /** Draws a new order, for a button or a pull that asks for one. */
  refresh(): void;
  /** For `use:seen` on the element that shows a card: reports an impression once half of it was on screen for a second. */
  seen(element: Element, shown: Shown): { update(shown: Shown): void; destroy(): void };
}

/** The status of a `Home`, kept up to date. */
export function status(home: Home): Readable<Status> {
  return {
    subscribe(run) {
      run(home.status);
      return home.subscribe(() => run(home.status));
    },
  };
}

/**
 * Ranks a page once and keeps that order until `set` brings other shelves or cards, or `refresh` is called: make one for each view.
 * While the Home still starts, the order is that of the last visit if it showed the same page; else, on a server, and where a server's
 * markup is hydrated, it is the server's. The next view is ranked.
 */
export function rankedPage<S extends ShelfInput>(home: Home, page: PageInput<S> & { readonly local?: false }, options?: ViewOptions): RankedView<RankedPage<RankedShelf<S>>, PageInput<S>>;
/** The same for a page that may hold local shelves. */
export function rankedPage<S extends ShelfInput>(home: Home, page: PageInput<S>, options?: ViewOptions): RankedView<RankedPage<RankedShelf<S> | RankedLocalShelf<S['cards'][number]>>, PageInput<S>>;
export function rankedPage(home: Home, page: PageInput, options?: ViewOptions): RankedView<RankedPage<never>, never> {
  const readers = new Set<(value: RankedPage<never>) => void>();
  const rank = () => home.rankSync(page, options?.context);
  let decision = options?.hydrating ? home.serverOrder(page) : rank();
  let shown = decision;
  const show = (value: RankedPage): void => {
    shown = value;
    for (const run of readers) run(value as RankedPage<never>);
  };
  return {
    subscribe(run) {
      readers.add(run);
      run(shown as RankedPage<never>);
      return () => { readers.delete(run); };
    },
    set(next: PageInput) {
      const same = outline(page) === outline(next);
      page = next;
      show(same ? renewed(decision, page) : decision = rank());
    },
    refresh() { show(decision = rank()); },
    seen(element, first) {
      let stop: () => void;
      const update = (card: Shown): void => { stop = observerOf(home)(element, { decisionId: decision.decisionId, ...card }); };
      update(first);
      return { update, destroy: () => stop() };
    },
  };
}
