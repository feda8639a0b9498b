// Type tests on the declarations as shipped: this file must compile, and each marked line must not.
import { createHome, HomeError } from 'ears-only';
import { createCatalogue, rankPacked, reasonAt, type PackedRanking } from 'ears-only/packed';
import type {
  BundleOptions, CardInput, Consent, Excluded, Explanation, FlushResult, Home, HomeOptions, ImportReport, LocalCard, OutboxView, Placed, RankedPage,
  Reason, ReasonCode, ShelfInput, Status, StorageAdapter, Summary,
} from 'ears-only';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._proof: Equal<A, B> extends true ? [] : [never]): void {}

interface AlbumCard extends CardInput { cover: string; year: number }
interface AlbumShelf extends ShelfInput<AlbumCard> { subtitle: string }

declare const shelves: AlbumShelf[];
const home = createHome();
same<typeof home, Home>();

// The app's own fields come back, with a place.
const ranked = home.rankSync({ shelves });
const shelf = ranked.shelves[0]!;
same<typeof shelf.subtitle, string>();
same<typeof shelf.position, number>();
same<typeof shelf.propensity, number>();
same<typeof shelf.reason, Reason>();
const card = shelf.cards[0]!;
same<typeof card.cover, string>();
same<typeof card.year, number>();
same<typeof card.position, number>();
same<typeof card.reason.code, ReasonCode>();
same<typeof ranked.source, 'policy' | 'baseline' | 'last'>();

// Nothing of a result can be written.
// @ts-expect-error
card.position = 3;
// @ts-expect-error
card.cover = 'other.jpg';
// @ts-expect-error
ranked.shelves.push(shelf);

// With local shelves, the cards may be ones that only history knows.
const withLocal = home.rankSync({ shelves, local: true });
for (const one of withLocal.shelves) {
  if (one.local) {
    same<typeof one.title, string>();
    const known = one.cards[0]!;
    same<typeof known, (Readonly<AlbumCard> | LocalCard) & Placed>();
    // @ts-expect-error
    known.cover.length;
  } else {
    same<typeof one.subtitle, string>();
    one.cards[0]!.cover.length;
  }
}
home.rankSync({ shelves, local: ['recently_played', 'your_shows'], visible: { shelves: 4 } }, { weekend: true });
// @ts-expect-error
home.rankSync({ shelves, local: ['recently'] });
// @ts-expect-error
home.rankSync({});
// @ts-expect-error
home.rankSync({ shelves: [{ cards: [] }] });

// Literal objects work without a type of their own; features come in three forms.
const literal = await home.rank({
  shelves: [{ id: 'a', cards: [
    { id: 'x', features: { tempo: 1, live: true }, badge: 'new' },
    { id: 'y', features: [1, 2], badge: '' },
    { id: 'z', features: new Float32Array(2), badge: '' },
  ] }],
});
same<(typeof literal.shelves)[0]['cards'][0]['badge'], string>();
// @ts-expect-error
home.rankSync({ shelves: [{ id: 'a', cards: [{ id: 'x', features: { tempo: 'fast' } }] }] });
// @ts-expect-error
home.rankSync({ shelves: [{ id: 'a', cards: [{ id: 7 }] }] });

// Events.
home.track({ type: 'play', cardId: 'x' });
home.track({ type: 'finish', cardId: 'x', decisionId: ranked.decisionId, shelfId: 'a', msPlayed: 1, at: 2 });
// @ts-expect-error
home.track({ type: 'listen', cardId: 'x' });
// @ts-expect-error
home.track({ type: 'play' });

// The rest of the surface.
same<typeof home.ready, Promise<Status>>();
same<ReturnType<Home['flush']>, Promise<FlushResult>>();
same<ReturnType<Home['outbox']>, Promise<OutboxView>>();
same<ReturnType<Home['explain']>, Explanation>();
same<ReturnType<Home['summary']>, Summary>();
same<ReturnType<Home['importHistory']>, Promise<ImportReport>>();
same<ReturnType<Home['exportState']>, Promise<Uint8Array>>();
same<Parameters<Home['setConsent']>[0], Partial<Consent>>();
same<ReturnType<Home['subscribe']>, () => void>();
same<typeof home.status.state, 'loading' | 'ready' | 'degraded' | 'closed'>();
async function* plays() { yield { at: 0, msPlayed: 1, title: 'Roads' }; }
await home.importHistory(plays(), { onProgress: ({ done, total }) => done + (total ?? 0) });
await home.importHistory([{ at: 0, msPlayed: 1, title: 'Roads', artist: 'Portishead', cardId: 'track:roads' }]);

// Options.
const storage: StorageAdapter = {
  async get() { return undefined; },
  async put() {},
  async delete() {},
  async clear() {},
};
const options: HomeOptions = {
  storage, seed: 1, clock: () => 0, namespace: 'child', consent: { contribute: true }, debug: true,
  onError: (error) => { same<typeof error, HomeError>(); },
  upload: { url: 'https://collector.example', manifest: new URL('https://static.example/m.json'), transport: async (body, record) => { body.length + record.hex.length; } },
  model: { version: 'm', schema: { columns: [{ name: 'tempo', source: 'given' }] }, policy: { kind: 'epsilon_page', epsilon: 0.1 } },
  wasm: new URL('https://static.example/core_bg.wasm'),
};
createHome(options);
createHome({ upload: false, storage: 'memory' });
createHome({ model: new Uint8Array(8) });
// @ts-expect-error
createHome({ model: 'a bundle' });
// @ts-expect-error
createHome({ storage: 'localstorage' });
// @ts-expect-error
createHome({ model: { version: 'm', policy: { kind: 'ucb' } } });
// @ts-expect-error
createHome({ consent: { marketing: true } });

const error: Error = new HomeError('csp', 'x');
if (error instanceof HomeError) error.code satisfies string;
export type Page = RankedPage;

// What is not used is an artist, a card, or one play of a card.
void home.exclude({ artist: 'Nina Simone' });
void home.exclude({ cardId: 'album:1', at: 1_700_000_000_000 });
// @ts-expect-error
void home.exclude({ artist: 'Nina Simone', at: 1 });
// @ts-expect-error
void home.exclude({});
same<ReturnType<typeof home.excluded>, Excluded>();
same<typeof home.isPrivate, boolean>();
home.track({ type: 'unhide', cardId: 'album:1' });

// Published bundles: the root is the file itself, as text or imported as JSON.
createHome({ bundle: { url: 'https://models.example/home', root: '{"payload":""}' } });
createHome({ bundle: { url: new URL('https://models.example/home'), root: { payload: '' }, channel: 'beta', checkEveryMs: 0 } });
// @ts-expect-error
createHome({ bundle: { url: 'https://models.example/home' } });
same<BundleOptions['root'], string | object>();

// Pages as typed arrays.
const catalogue = createCatalogue({ ids: ['a', 'b'], titles: ['A', 'B'], popularities: Float32Array.of(0.5, NaN) });
const arrays = rankPacked(home, { catalogue, shelves: [{ id: 's', count: 2 }], cards: Uint16Array.of(0, 1) });
same<typeof arrays, PackedRanking>();
same<typeof arrays.cards, Uint32Array<ArrayBufferLike>>();
same<typeof arrays.source, 'policy' | 'baseline'>();
same<ReturnType<typeof reasonAt>, Reason>();
// @ts-expect-error objects are for home.rankSync
rankPacked(home, { shelves: [{ id: 's', cards: [{ id: 'a' }] }] });
// @ts-expect-error no object stands for a card
rankPacked(home, { catalogue, shelves: [{ id: 's', count: 2 }], cards: [{ id: 'a' }, { id: 'b' }] });
// @ts-expect-error a result is not for writing
arrays.decisionId = '';
