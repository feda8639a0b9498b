// React 18 and 19: a Home in context, a page that is ranked once for each view, cards that report when they were seen.
import {
  createContext, createElement, useContext, useEffect, useMemo, useReducer, useSyncExternalStore, type ReactElement, type ReactNode,
} from 'react';
import type { Home, PageInput, RankedLocalShelf, RankedPage, RankedShelf, ShelfInput, Status } from '../types.js';
import { outline, perHome, renewed, seenRefs, type ViewOptions } from './view.js';

export type { ViewOptions } from './view.js';

/** A ranked page on screen. */
export type RankedView<P> = P & {
  /** Draws a new order, for a button or a pull that asks for one. */
  refresh(): void;
  /** For the `ref` of the element that shows a card: reports an impression once half of it was on screen for a second. */
  seen(shelfId: string, cardId: string): (element: Element | null) => void;
};

const Context = createContext<Home | undefined>(undefined);
/** Decisions of the views on screen, and of renders that React has not finished: a second render draws nothing new. */
const decidedBy = perHome(() => new Map<string, RankedPage>());
const STARTING: Status = { state: 'loading', storage: 'none', encrypted: false, writer: false };
const never = () => () => {};

/** Lends a `Home` to everything below. It is never closed here: make it outside the components, close it at sign-out. */
export function HomeProvider({ home, children }: { readonly home: Home; readonly children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: home }, children);
}

/** The `Home` of the nearest `HomeProvider`. Throws where there is none. */
export function useHome(): Home {
  const home = useContext(Context);
  if (!home) throw new Error('no <HomeProvider> above');
  return home;
}

/** The status of the `Home`, kept up to date. */
export function useStatus(): Status {
  const home = useHome();
  return useSyncExternalStore(home.subscribe, () => home.status, () => STARTING);
}

/**
 * Ranks a page once, when it first appears, and keeps that order until the component is gone, the page has other shelves or
 * cards, or `refresh` is called. While the Home still starts, the order is that of the last visit if it showed the same page; else, on a server,
 * and where a server's markup is hydrated, it is the server's. The next view is ranked.
 */
export function useRankedPage<S extends ShelfInput>(page: PageInput<S> & { readonly local?: false }, options?: ViewOptions): RankedView<RankedPage<RankedShelf<S>>>;
/** The same for a page that may hold local shelves. */
export function useRankedPage<S extends ShelfInput>(page: PageInput<S>, options?: ViewOptions): RankedView<RankedPage<RankedShelf<S> | RankedLocalShelf<S['cards'][number]>>>;
export function useRankedPage(page: PageInput, options?: ViewOptions): RankedView<RankedPage<never>> {
  const home = useHome();
  const [turn, refresh] = useReducer((n: number) => n + 1, 0);
  const hydrating = useSyncExternalStore(never, () => false, () => true);
  const key = useMemo(() => turn + outline(page), [turn, page]);
  const views = decidedBy(home);
  const decision = useMemo(() => {
    const ranked = views.get(key) ?? (hydrating ? home.serverOrder(page) : home.rankSync(page, options?.context));
    // The server's order is no decision: a render that was put off may find a Home that is ready by then.
    if (ranked.decisionId) views.set(key, ranked);
    return ranked;
  }, [views, key]);
  useEffect(() => {
    views.set(key, decision);
    return () => { views.delete(key); };
  }, [views, key, decision]);
  const seen = useMemo(() => seenRefs(home, decision.decisionId), [home, decision]);
  return useMemo(() => ({ ...renewed(decision, page) as RankedPage<never>, refresh, seen }), [page, seen]);
}
