// Runs in the page of the wire test: listeners with histories of their own live through weeks, all in one document, under a clock of their own.
import { createHome } from '/dist/index.js';

const DAY = 24 * 3_600_000;
const FIRST_MONDAY = Date.UTC(2026, 0, 5);
const SHELVES = ['popular', 'fresh', 'focus'];
const CARDS = 8;

/** Uniform in [0, 1), from a seed: what a listener does, never what the package draws. */
function behaviour(seed) {
  let state = seed * 0x9e3779b9 >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A storage that keeps what `memoryStorage` of the package keeps. */
function storage() {
  const values = new Map();
  return {
    async get(key) { return values.get(key)?.slice(); },
    async put(key, bytes) { values.set(key, bytes.slice()); },
    async delete(key) { values.delete(key); },
    async clear(prefix) { for (const key of [...values.keys()]) if (key.startsWith(prefix)) values.delete(key); },
  };
}

const page = () => ({
  visible: { shelves: 3, cards: 4 },
  shelves: SHELVES.map((shelf) => ({ id: shelf, kind: shelf, title: shelf, cards: Array.from({ length: CARDS }, (_, i) => ({ id: `${shelf}:${i}`, title: `${shelf} ${i}`, artist: `artist ${i % 3}` })) })),
});

/** One listener: opens Home on some days at an hour of their own, listens as they like, some to nothing at all. Returns what was made of it. */
async function listener({ index, weeks, start, upload, consent }) {
  const random = behaviour(index + 1);
  const eagerness = random() < 0.1 ? 0 : random();
  const faithful = 0.3 + 0.5 * random();
  const hour = 6 + Math.floor(16 * random());
  const kept = storage();
  const begin = FIRST_MONDAY + start * 7 * DAY;
  let now = begin;
  const errors = [];
  let records = [];
  let listens = 0;
  for (let week = 0; week < weeks; week++) {
    // A new visit each week, so that everything passes through the storage.
    const home = createHome({ storage: kept, clock: () => now, consent, upload, onError: (error) => errors.push(`${error.code}: ${error.message}`) });
    await home.ready;
    for (let day = 0; day < 7; day++) {
      if (random() > faithful) continue;
      now = begin + (7 * week + day) * DAY + hour * 3_600_000 + Math.floor(random() * 3_600_000);
      await home.flush();
      const ranked = home.rankSync(page());
      for (const shelf of ranked.shelves) {
        for (const card of shelf.cards.slice(0, 4)) {
          home.track({ type: 'impression', decisionId: ranked.decisionId, shelfId: shelf.id, cardId: card.id });
          if (random() < eagerness * 0.4) {
            listens++;
            home.track({ type: random() < 0.7 ? 'finish' : 'skip', decisionId: ranked.decisionId, shelfId: shelf.id, cardId: card.id, msPlayed: Math.floor(random() * 240_000) });
          }
        }
      }
      now += 40 * 60_000;
    }
    await home.flush();
    ({ records } = await home.outbox());
    await home.close();
  }
  return { records: records.map(({ hex, nonce, state, attempts, fields: { epoch, kind } }) => ({ hex, nonce, state, attempts, epoch, kind })), errors, listens };
}

/** Listeners `from` to `to` of a group, a few at a time. */
export async function simulate({ from, to, ...group }) {
  const results = [];
  const upload = group.upload && { ...group.upload, ...(group.allowed === undefined ? {} : { allowed: () => group.allowed }) };
  let next = from;
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (next < to) {
      const index = next++;
      results.push(await listener({ ...group, upload, index }));
    }
  }));
  return results;
}
