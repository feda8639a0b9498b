// Type tests of the adapters and the other entries: what an app gives comes back with its own types.
import type { CardInput, Home, HomeError, LocalCard, Placed, RankedPage, ShelfInput, Status } from 'ears-only';
import { createObserver, type Observe } from 'ears-only/observe';
import { HomeProvider, useHome as useReactHome, useRankedPage as useReactPage, useStatus as useReactStatus } from 'ears-only/react';
import { rankedPage, status } from 'ears-only/svelte';
import { createTestHome, type SentRecord } from 'ears-only/testing';
import { createHome } from 'ears-only/url';
import { earsOnly, useHome as useVueHome, useRankedPage as useVuePage, useStatus as useVueStatus } from 'ears-only/vue';
import type { ReactElement } from 'react';
import { createElement } from 'react';
import { createApp, ref, type ShallowRef } from 'vue';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._proof: Equal<A, B> extends true ? [] : [never]): void {}

interface AlbumCard extends CardInput { cover: string }
interface AlbumShelf extends ShelfInput<AlbumCard> { subtitle: string }
declare const shelves: AlbumShelf[];
const home: Home = createHome();

// The observer.
const observe: Observe = createObserver(home);
same<ReturnType<typeof observe>, () => void>();
observe(document.body, { cardId: 'x', shelfId: 's', decisionId: 'd' });
// @ts-expect-error
observe(document.body, { shelfId: 's' });

// React.
createElement(HomeProvider, { home }, 'below');
// @ts-expect-error
createElement(HomeProvider, {});
export function Shelves(): ReactElement {
  same<ReturnType<typeof useReactHome>, Home>();
  same<ReturnType<typeof useReactStatus>, Status>();
  const view = useReactPage({ shelves }, { context: { weekend: true } });
  same<typeof view.decisionId, string>();
  const shelf = view.shelves[0]!;
  same<typeof shelf.subtitle, string>();
  same<(typeof shelf.cards)[0]['cover'], string>();
  // @ts-expect-error
  shelf.cards[0]!.cover = 'other.jpg';
  const withLocal = useReactPage({ shelves, local: true }).shelves[0]!;
  if (withLocal.local) same<(typeof withLocal.cards)[0], (Readonly<AlbumCard> | LocalCard) & Placed>();
  else same<typeof withLocal.subtitle, string>();
  return createElement('button', { ref: view.seen(shelf.id, 'x'), onClick: view.refresh });
}

// Vue.
createApp({}).use(earsOnly(home));
const page = ref({ shelves });
same<ReturnType<typeof useVueHome>, Home>();
same<ReturnType<typeof useVueStatus>['value'], Status>();
const vue = useVuePage(() => ({ shelves }));
same<(typeof vue.ranked.value.shelves)[0]['subtitle'], string>();
useVuePage(page, { context: { weekend: true } }).refresh();
vue.seen('s', 'x')(null);
// @ts-expect-error
useVuePage({ shelves: 1 });
export type Shallow = ShallowRef<RankedPage>;

// Svelte.
status(home).subscribe(({ state }) => { same<typeof state, Status['state']>(); });
const view = rankedPage(home, { shelves }, { hydrating: true });
view.subscribe((ranked) => { same<(typeof ranked.shelves)[0]['subtitle'], string>(); });
view.set({ shelves });
view.seen(document.body, { shelfId: 's', cardId: 'x' }).update({ shelfId: 's', cardId: 'y' });
// @ts-expect-error
view.set({ shelves: [{ id: 'a', cards: [{ id: 'x' }] }] });

// Tests of an app.
const { clock, network, errors } = createTestHome({ seed: 3 });
same<typeof errors, readonly HomeError[]>();
same<typeof network.sent, readonly SentRecord[]>();
clock.advance(1000);
// @ts-expect-error
createTestHome({ clock: () => 0 });

// The view of what left.
import { defineTransparency, type TransparencyElement, type TransparencyExport, type TransparencyTexts } from 'ears-only/transparency';
defineTransparency();
defineTransparency('my-transparency');
declare const left: TransparencyElement;
left.home = undefined;
left.texts = { title: 'Was dieses Gerät verlässt', sent: (when) => `Gesendet ${when}` } satisfies Partial<TransparencyTexts>;
left.addEventListener('ears-only-export', (event) => (event as CustomEvent<TransparencyExport>).detail.records.length);
// @ts-expect-error
left.texts = { headline: 'x' };
