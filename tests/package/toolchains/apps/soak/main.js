// Long lives in short time: many pages ranked and heard, many mounts, many Homes. The test reads memory between them.
import { createElement, StrictMode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { createHome } from 'ears-only';
import { HomeProvider, useRankedPage } from 'ears-only/react';
import { page, shown } from './page.js';

const MINUTE_MS = 60_000;
/** Memories of the compiled core, as long as anything holds them. */
let memories = [];
const instantiate = WebAssembly.instantiate;
WebAssembly.instantiate = async (...args) => {
  const made = await instantiate(...args);
  // What is gone is not remembered: that would be a leak of the test's own.
  memories = memories.filter((one) => one.deref());
  memories.push(new WeakRef((made.instance ?? made).exports.memory));
  return made;
};
const held = () => memories.map((one) => one.deref()).filter(Boolean);

let now = Date.UTC(2026, 0, 5);
const errors = [];
const open = (namespace) => createHome({ namespace, seed: 1, clock: () => now, onError: (error) => errors.push(`${error.code}: ${error.message}`) });
const breathe = () => new Promise((rest) => { setTimeout(rest, 0); });

function Shelves() {
  const { shelves, seen } = useRankedPage(page);
  return shelves.map((shelf) => createElement('section', { key: shelf.id },
    shelf.cards.map((card) => createElement('span', { key: card.id, 'data-card': card.id, ref: seen(shelf.id, card.id) }, card.title))));
}

globalThis.soak = {
  home: open('soak'),
  errors,
  /** Bytes of all compiled cores that are held, and how many those are. */
  memory: () => [held().reduce((sum, memory) => sum + memory.buffer.byteLength, 0), held().length],
  /** A page, what was seen of it and one play: a minute and more each. */
  async cycles(count) {
    const { home } = this;
    for (let i = 0; i < count; i++) {
      now += MINUTE_MS;
      const ranked = home.rankSync(page);
      if (ranked.source !== 'policy') throw new Error(`cycle ${i}: ${ranked.error?.code} ${ranked.error?.message}`);
      for (const shelf of ranked.shelves.slice(0, 2)) for (const card of shelf.cards.slice(0, 4)) {
        home.track({ type: 'impression', decisionId: ranked.decisionId, shelfId: shelf.id, cardId: card.id });
      }
      const { id: shelfId, cards } = ranked.shelves[i % 2];
      const event = { decisionId: ranked.decisionId, shelfId, cardId: cards[i % cards.length].id };
      home.track({ type: 'play', ...event });
      now += 3 * MINUTE_MS;
      home.track({ type: i % 3 ? 'finish' : 'skip', ...event, msPlayed: i % 3 ? 180_000 : 4_000 });
      if (i % 100 === 99) await breathe();
    }
    await home.flush();
    return home.summary();
  },
  /** Mounts and takes away the page under StrictMode. */
  async mounts(count) {
    for (let i = 0; i < count; i++) {
      const root = createRoot(document.getElementById('root'));
      flushSync(() => root.render(createElement(StrictMode, null, createElement(HomeProvider, { home: this.home }, createElement(Shelves)))));
      if (shown().length === 0) throw new Error('nothing is shown');
      root.unmount();
      if (i % 50 === 49) await breathe();
    }
  },
  /** Makes, closes and makes Homes, as effects under StrictMode do; the second one of each pair ranks. */
  async homes(count) {
    for (let i = 0; i < count; i++) {
      const first = open('strict');
      const closed = first.close();
      const second = open('strict');
      const { state } = await second.ready;
      if (state !== 'ready' || second.rankSync(page).source !== 'policy') throw new Error(`the second Home of pair ${i} is ${state}`);
      await Promise.all([closed, second.close()]);
    }
  },
  /** Bytes that are stored, by key. */
  async stored() {
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open('ears-only');
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const names = ['bytes', 'sealed'];
    const transaction = database.transaction(names);
    const requests = names.flatMap((name) => [transaction.objectStore(name).getAllKeys(), transaction.objectStore(name).getAll()]);
    const [plainKeys, plain, sealedKeys, sealed] = await Promise.all(requests.map((request) => new Promise((resolve) => { request.onsuccess = () => resolve(request.result); })));
    database.close();
    const values = [...plain, ...sealed];
    return Object.fromEntries([...plainKeys, ...sealedKeys].map((key, i) => [key, values[i].length]));
  },
};
soak.home.ready.then(() => { globalThis.result = {}; });
