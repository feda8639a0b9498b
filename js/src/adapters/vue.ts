// Vue 3: a Home for the app, a page that is ranked once for each view, cards that report when they were seen.
import { getCurrentInstance, inject, onScopeDispose, shallowRef, toValue, watch, type InjectionKey, type MaybeRefOrGetter, type Plugin, type ShallowRef } from 'vue';
import type { Home, PageInput, RankedLocalShelf, RankedPage, RankedShelf, ShelfInput, Status } from '../types.js';
import { outline, renewed, seenRefs, type SeenRef, type ViewOptions } from './view.js';

export type { SeenRef, ViewOptions } from './view.js';

/** A ranked page on screen. */
export interface RankedView<P> {
  /** The page in the order to show. */
  readonly ranked: Readonly<ShallowRef<P>>;
  /** Draws a new order, for a button or a pull that asks for one. */
  refresh(): void;
  /** For the `:ref` of the element that shows a card: reports an impression once half of it was on screen for a second. */
  seen(shelfId: string, cardId: string): SeenRef;
}

const KEY: InjectionKey<Home> = Symbol('ears-only');

/** Lends a `Home` to the app: `app.use(earsOnly(home))`. It is never closed here. */
export function earsOnly(home: Home): Plugin {
  return { install(app) { app.provide(KEY, home); } };
}

/** The `Home` of the app. Throws where there is none. */
export function useHome(): Home {
  const home = inject(KEY, undefined);
  if (!home) throw new Error('no app.use(earsOnly(home)) before this component');
  return home;
}

/** The status of the `Home`, kept up to date. */
export function useStatus(): Readonly<ShallowRef<Status>> {
  const home = useHome();
  const status = shallowRef(home.status);
  onScopeDispose(home.subscribe(() => { status.value = home.status; }));
  return status;
}

/**
 * Ranks a page once, when it first appears, and keeps that order until the component is gone, the page has other shelves or
 * cards, or `refresh` is called. While the Home still starts, the order is that of the last visit if it showed the same page; else, on a server,
 * and where a server's markup is hydrated, it is the server's. The next view is ranked.
 */
export function useRankedPage<S extends ShelfInput>(page: MaybeRefOrGetter<PageInput<S> & { readonly local?: false }>, options?: ViewOptions): RankedView<RankedPage<RankedShelf<S>>>;
/** The same for a page that may hold local shelves. */
export function useRankedPage<S extends ShelfInput>(page: MaybeRefOrGetter<PageInput<S>>, options?: ViewOptions): RankedView<RankedPage<RankedShelf<S> | RankedLocalShelf<S['cards'][number]>>>;
export function useRankedPage(page: MaybeRefOrGetter<PageInput>, options?: ViewOptions): RankedView<RankedPage<never>> {
  const home = useHome();
  const hydrating = !!getCurrentInstance()?.vnode.el;
  let key: string;
  let decision: RankedPage;
  let refs: RankedView<RankedPage>['seen'];
  const decide = (input: PageInput, ranked: RankedPage): RankedPage => {
    key = outline(input);
    refs = seenRefs(home, ranked.decisionId);
    return decision = ranked;
  };
  const rank = (input: PageInput) => decide(input, home.rankSync(input, options?.context));
  const first = toValue(page);
  const shown = shallowRef(hydrating ? decide(first, home.serverOrder(first)) : rank(first));
  watch(() => toValue(page), (now) => { shown.value = outline(now) === key ? renewed(decision, now) : rank(now); });
  return {
    ranked: shown as ShallowRef<RankedPage<never>>,
    refresh() { shown.value = rank(toValue(page)); },
    seen: (shelfId, cardId) => refs(shelfId, cardId),
  };
}
