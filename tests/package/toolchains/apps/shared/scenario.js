// The golden listener (tests/scenario.rs) through the package's public interface: what it prints is compared, bit for bit, with what
// the native core wrote down. Runs wherever the package does.

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const FAMILIES = ['jazz', 'techno', 'folk', 'news'];
/** Visits before the scenario's first public draw, which needs a consent to contribute. */
const VISITS = 29;
/** Day 0: a Monday. */
const START = Date.UTC(2026, 0, 5) + 30 * 7 * DAY_MS;
/** A reason as the native core's `Debug` names it. */
const named = (code) => code.replace(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase());

/** The machine's clock must stand two hours before UTC's (`TZ=Etc/GMT-2`). */
export function page() {
  const card = (i, fixed) => {
    const family = i % FAMILIES.length;
    return {
      id: `card-${i}`, title: `Title ${i}`, artist: `Artist ${i % 17}`, family: FAMILIES[family], kind: family === 3 ? 'podcast' : 'album',
      durationMs: 180_000 + 1_000 * i, popularity: Math.fround((i * 37 % 100) / 100), fixed,
      embedding: Float32Array.from([1 - Math.fround(0.3) * family, Math.fround(0.3) * family, Math.fround(0.01) * (i % 7), 0.5 - Math.fround(0.1) * family]),
    };
  };
  const shelves = Array.from({ length: 6 }, (_, s) => ({
    id: `shelf-${s}`, kind: ['popular', 'fresh', 'editorial'][s % 3], fixed: s === 4,
    cards: Array.from({ length: 10 }, (__, c) => card(10 * s + c, s === 2 && c === 1)),
  }));
  shelves.push({ id: 'again', kind: 'made_for_you', cards: [card(3, false), card(25, false)] });
  return { visible: { shelves: 3, cards: 4 }, local: true, shelves };
}

const view = new DataView(new ArrayBuffer(8));
const bits = (value) => {
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
};

/** The lines of one decision, as the native scenario writes them. */
function lines(home, ranked, input) {
  const { shelves } = home.explain(ranked.decisionId);
  const out = [`decision ${ranked.decisionId} randomized ${ranked.randomized} probe ${ranked.probe}`];
  ranked.shelves.forEach((shelf, s) => {
    const name = shelf.local ? shelf.kind : `page ${input.shelves.findIndex(({ id }) => id === shelf.id)}`;
    const cards = shelf.cards.slice(0, 5).map((card, c) => ` ${card.id} ${bits(card.propensity)} ${bits(shelves[s].cards[c].score)}`).join('');
    out.push(`${name} ${bits(shelf.propensity)} ${bits(shelves[s].score)} ${named(shelf.reason.code)}:${cards}`);
  });
  return out;
}

/** The listener sees the first three shelves, plays jazz, skips techno, likes and hides now and then. */
function listen(home, ranked, visit, clock) {
  const track = (type, cardId, msPlayed) => home.track({ type, cardId, decisionId: ranked.decisionId, at: clock.now, ...(msPlayed ? { msPlayed } : {}) });
  clock.now += 1_000;
  for (const shelf of ranked.shelves.slice(0, 3)) for (const { id } of shelf.cards.slice(0, 4)) {
    clock.now += 2_000;
    track('impression', id);
    const number = Number(id.slice('card-'.length));
    const family = FAMILIES[number % FAMILIES.length];
    if (family === 'jazz' && (number + visit) % 3 === 0) {
      track('play', id);
      clock.now += 3 * MINUTE_MS;
      track('finish', id, 170_000);
    } else if (family === 'techno' && (number + visit) % 4 === 0) {
      track('play', id);
      clock.now += 5_000;
      track('skip', id, 5_000);
    } else if (visit % 9 === 4 && family === 'folk') {
      track('like', id);
    } else if (visit % 11 === 6 && family === 'news') {
      track('hide', id);
    }
  }
}

/** Four weeks of one listener, one line for each decision and shelf. Every visit reads what the one before has stored. */
export async function transcript(createHome) {
  const stored = new Map();
  const storage = {
    async get(key) { return stored.get(key)?.slice(); },
    async put(key, bytes) { stored.set(key, bytes.slice()); },
    async delete(key) { stored.delete(key); },
    async clear() { stored.clear(); },
  };
  const clock = { now: START };
  const errors = [];
  const out = [];
  for (let visit = 0; visit < VISITS; visit++) {
    clock.now = START + visit * DAY_MS + (7 + visit % 13) * HOUR_MS;
    const began = clock.now;
    const home = createHome({ storage, seed: 20_260_105, clock: () => clock.now, onError: (error) => errors.push(error) });
    const { state, reason, message } = await home.ready;
    if (state !== 'ready') throw new Error(`expected a Home that is ready, got ${state}: ${reason}, ${message}`);
    const input = page();
    const ranked = home.rankSync(input);
    out.push(...lines(home, ranked, input));
    listen(home, ranked, visit, clock);
    clock.now = began + 40 * MINUTE_MS;
    await home.close();
  }
  if (errors.length > 0) throw new Error(`expected no error, got ${errors.map(({ code, message }) => `${code}: ${message}`).join('; ')}`);
  return out;
}
