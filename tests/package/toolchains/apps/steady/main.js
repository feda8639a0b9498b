// A Home on screen, by React and without a framework: what moves, what stands, and how many decisions there are. The test acts on it.
import { createElement, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createHome } from 'ears-only';
import { createObserver } from 'ears-only/observe';
import { HomeProvider, useRankedPage } from 'ears-only/react';
import { ids, page, shown } from './page.js';

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
const frames = (count) => (count ? new Promise((drawn) => { requestAnimationFrame(drawn); }).then(() => frames(count - 1)) : undefined);
const root = () => document.getElementById('root');

/** Everything that moved without being asked to, added up as the browser does, and how often. */
const shifts = [];
const note = (entries) => { for (const { value } of entries) shifts.push(value); };
const watch = new PerformanceObserver((list) => note(list.getEntries()));
watch.observe({ type: 'layout-shift', buffered: true });

/** The next page's cards, as a server sends them while the listener scrolls. */
const more = { shelves: [{ id: 'below', title: 'Further down', cards: Array.from({ length: 6 }, (_, i) => ({ id: `below-${i}`, title: `Below ${'m'.repeat(i)}`, artist: `Artist ${i}` })) }] };
const wide = { ...page, shelves: page.shelves.map((shelf) => ({ ...shelf, cards: shelf.cards.map((card, i) => ({ ...card, title: card.title + ' '.repeat(3 * i) })) })) };

/** A core that does not come before it is let go. */
let letGo = () => {};
function slow() {
  const compile = WebAssembly.compile;
  const held = new Promise((go) => { letGo = go; });
  WebAssembly.compile = async (bytes) => { await held; return compile.call(WebAssembly, bytes); };
}

const acts = {};
function Shelves({ input, start }) {
  const view = useRankedPage(input);
  acts.views.add(view.decisionId);
  acts.sources.push(view.source);
  return view.shelves.map((shelf) => createElement('section', { key: shelf.id }, createElement('h2', null, shelf.title),
    shelf.cards.map((card) => createElement('button', { key: card.id, 'data-card': card.id, ref: view.seen(shelf.id, card.id) }, card.title)),
    start));
}
function App({ home }) {
  const [mark, setMark] = useState(0);
  const [grown, setGrown] = useState(false);
  acts.rerender = () => setMark((n) => n + 1);
  acts.grow = () => setGrown(true);
  // The page is another object each time.
  return createElement(HomeProvider, { home }, createElement(Shelves, { input: { ...wide, mark } }),
    grown && createElement(Shelves, { input: { ...more, after: acts.last() } }));
}

const ways = {
  react(home) {
    createRoot(root()).render(createElement(StrictMode, null, createElement(App, { home })));
  },
  plain(home) {
    const observe = createObserver(home);
    const append = (input) => {
      const ranked = home.rankSync(input);
      acts.views.add(ranked.decisionId);
      acts.sources.push(ranked.source);
      for (const shelf of ranked.shelves) {
        const section = document.createElement('section');
        section.append(Object.assign(document.createElement('h2'), { textContent: shelf.title }));
        for (const card of shelf.cards) {
          const button = Object.assign(document.createElement('button'), { textContent: card.title });
          button.dataset.card = card.id;
          observe(button, { decisionId: ranked.decisionId, shelfId: shelf.id, cardId: card.id });
          section.append(button);
        }
        root().append(section);
      }
    };
    append(wide);
    Object.assign(acts, { rerender() {}, grow: () => append({ ...more, after: acts.last() }) });
  },
  /** What nobody should do: the page is ranked anew as soon as that is possible. The check must see it. */
  careless(home) {
    ways.plain(home);
    home.ready.then(() => {
      // What is taken out and put in again does not count as moved, so as little as possible is.
      const put = (parent, child, at) => { if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at]); };
      for (const { title, cards, position } of home.rankSync(wide).shelves) {
        const section = [...document.querySelectorAll('section')].find(({ firstChild }) => firstChild.textContent === title);
        put(root(), section, position);
        for (const card of cards) put(section, section.querySelector(`[data-card="${card.id}"]`), 1 + card.position);
      }
    });
  },
};

globalThis.steady = {
  ids, shown, shifts,
  /** Ranks once and leaves that order behind. */
  async before(namespace) {
    const home = createHome({ namespace });
    await home.ready;
    while (!home.status.writer) await pause(10);
    const ranked = home.rankSync(wide);
    await home.close();
    return ids(ranked);
  },
  /** Shows the page, once its `source` would be the one named where the core is held back until `ready` is asked for. */
  async open(way, namespace, held) {
    if (held) slow();
    Object.assign(acts, { views: new Set(), sources: [], last: () => [...acts.views].filter(Boolean).at(-1) });
    this.home = createHome({ namespace });
    if (held) for (const end = Date.now() + 5000; Date.now() < end && this.home.rankSync(wide).source !== held; await pause(10));
    else await this.home.ready;
    ways[way](this.home);
    await frames(3);
    return this.now();
  },
  async ready() {
    letGo();
    await this.home.ready;
    await frames(3);
    return this.now();
  },
  /** All that could tempt an order to change. */
  async live() {
    const { home } = this;
    for (let round = 0; round < 10; round++) {
      for (const cardId of shown().slice(-4)) home.track({ type: 'finish', cardId, msPlayed: 200_000 });
      acts.rerender();
      await frames(1);
    }
    await home.flush();
    await home.setConsent({ contribute: true });
    await home.exclude({ artist: 'Artist 1' });
    home.setPrivate(true);
    acts.rerender();
    await frames(2);
    home.setPrivate(false);
    await frames(3);
    return this.now();
  },
  async grow() {
    acts.grow();
    await frames(3);
    return this.now();
  },
  async now() {
    // The browser tells of shifts in its own time.
    await pause(100);
    note(watch.takeRecords());
    const boxes = [...document.querySelectorAll('[data-card]')].map((element) => [element.getBoundingClientRect(), element]);
    const byEye = boxes.toSorted(([a], [b]) => a.top - b.top || a.left - b.left).map(([, element]) => element.dataset.card);
    return {
      cards: shown(), byEye, sources: [...new Set(acts.sources)], decisions: this.home.summary().decisions, views: [...acts.views].filter(Boolean).length,
      shift: shifts.reduce((sum, value) => sum + value, 0),
    };
  },
};
globalThis.result = {};
