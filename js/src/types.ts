/// <reference lib="esnext.disposable" preserve="true" />

import type { HomeError, HomeErrorCode } from './errors.js';

// ---------------------------------------------------------------------------------------------- what the app gives

/**
 * Feature values of a card, in one of two forms: numbers in the order of the model's `given` columns (as many as there
 * are columns, all finite), or an object by column name. By name, a missing column takes the model's default and a name
 * the model does not know is ignored, so that a server can send a feature before a model uses it.
 */
export type Features = Float32Array | readonly number[] | Readonly<Record<string, number | boolean>>;

/** A card as the app has it. Any further field of the app's own type comes back untouched on the ranked card. */
export interface CardInput {
  /** Identity of the card: the same id is the same album, artist, show... in every shelf. Never empty. */
  readonly id: string;
  /** What it is, in the app's words: `'album'`, `'podcast'`, `'playlist'`... */
  readonly kind?: string;
  /** Shown in reasons and in local shelves. */
  readonly title?: string;
  /** Who made it; listening to one card of an artist speaks for the others. */
  readonly artist?: string;
  /** Genre or other family. */
  readonly family?: string;
  /** A vector from the app's own catalogue model; the same length on every card. Must not change in place. */
  readonly embedding?: Float32Array | readonly number[];
  /** Whole length, in milliseconds. */
  readonly durationMs?: number;
  /** Popularity among all listeners, in [0, 1]. */
  readonly popularity?: number;
  /** Values of the model's `given` columns. */
  readonly features?: Features;
  /** A card that must keep its place in its shelf: sponsored, pinned. */
  readonly fixed?: boolean;
}

/** A shelf as the app has it: a titled row of cards. */
export interface ShelfInput<C extends CardInput = CardInput> {
  /** Identity of the shelf; unique on the page. */
  readonly id: string;
  /** What it is: `'popular'`, `'fresh'`, `'made_for_you'`...; the device learns which kinds this listener acts on. */
  readonly kind?: string;
  /** As the app shows it. */
  readonly title?: string;
  /** Used for each of its cards that has none of its own (by name: for each name a card does not give). */
  readonly features?: Features;
  /** A shelf that must keep its place on the page. */
  readonly fixed?: boolean;
  /** At least one, in the server's order. */
  readonly cards: readonly C[];
}

/** A shelf the device builds itself from what was played here. */
export type LocalKind = 'recently_played' | 'heavy_rotation' | 'your_shows' | 'because_you_played';

/** A Home page as the server sent it: at most 200 shelves and 10,000 cards. */
export interface PageInput<S extends ShelfInput = ShelfInput> {
  /** The app's name for the page; not used in ranking. */
  readonly id?: string;
  /** How much is seen without scrolling. Default `{ shelves: 3, cards: 6 }`. */
  readonly visible?: { readonly shelves?: number; readonly cards?: number };
  /** Shelves the device may add: a list of kinds, or `true` for all. Default none. */
  readonly local?: boolean | readonly LocalKind[];
  /**
   * `decisionId` of the page that this one goes on from, for pages that grow while scrolling: its shelves follow conditional on what
   * is shown above, and no local shelf comes twice.
   */
  readonly after?: string;
  /** In the server's order. */
  readonly shelves: readonly S[];
}

/** Values of the model's `context` columns, by name. */
export type Context = Readonly<Record<string, number | boolean>>;

/**
 * What the listener did, or saw. `unhide` and `unskip` take back what hiding a card, or its last skip, did: right after it,
 * everything is as if it had not happened, and a play that was skipped goes on.
 */
export type EventType =
  | 'impression' | 'play' | 'progress' | 'finish' | 'skip' | 'like' | 'follow' | 'hide' | 'unhide' | 'unskip';

/** Something that happened to a card. */
export interface HomeEvent {
  /** What happened. */
  readonly type: EventType;
  /** The card it happened to. */
  readonly cardId: string;
  /** `decisionId` of the ranked page the card was shown on; leave out for a play from elsewhere in the app. */
  readonly decisionId?: string;
  /** The shelf it was shown in; leave out for a play from elsewhere. */
  readonly shelfId?: string;
  /** How long was played so far, in milliseconds; for `progress`, `finish` and `skip`. */
  readonly msPlayed?: number;
  /** When, in milliseconds since the Unix epoch. Default: now. */
  readonly at?: number;
}

/** One line of a listening history from elsewhere. */
export interface HistoryPlay {
  /** When, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** How long, in milliseconds. */
  readonly msPlayed: number;
  /** The catalogue card it belongs to, where the app knows it. */
  readonly cardId?: string;
  /** As the other service names it. */
  readonly title: string;
  /** Who made it. */
  readonly artist?: string;
  /** Genre or other family. */
  readonly family?: string;
  /** What it is, as on cards. */
  readonly kind?: string;
}

/**
 * What not to use: everything by an artist, everything about a card, or, with `at`, the one play of that card that was
 * under way at that time (milliseconds since the Unix epoch; the time of its start or end will do).
 */
export type Exclusion =
  | { readonly artist: string; readonly cardId?: undefined; readonly at?: undefined }
  | { readonly cardId: string; readonly at?: number; readonly artist?: undefined };

/** What is not used until it is included again. */
export interface Excluded {
  /** Names of artists. */
  readonly artists: readonly string[];
  /** Cards, as far as the device knows them. */
  readonly cards: readonly LocalCard[];
}

/** What the listener agreed to. Two separate choices. */
export interface Consent {
  /** Learn from listening on this device and rank with it. Off: the server's order, and nothing is recorded. */
  readonly personalize: boolean;
  /** Let at most one question a week be answered with an anonymized record. Off: nothing is made and nothing is sent. */
  readonly contribute: boolean;
}

// ---------------------------------------------------------------------------------------------------------- options

/** Where a column of the reward model takes its value from. */
export type ColumnSource =
  | 'given' | 'context' | 'popularity' | 'artist_affinity' | 'family_affinity' | 'card_affinity' | 'taste_short'
  | 'taste_long' | 'new_artist' | 'recency' | 'skip_rate' | 'time_of_day' | 'willingness' | 'liked' | 'fatigue'
  | 'is_podcast' | 'is_playlist' | 'duration';

/** Where the weights of the reward model start; all numbers are log-odds unless said otherwise. */
export interface PriorStart {
  /** Log-odds that an average card is played when seen. */
  readonly bias?: number;
  /** In place of `bias`: the chance that an average card is played when seen. The bias lies one deviation below it. */
  readonly baseRate?: number;
  /** Standard deviation of the bias. */
  readonly biasSd?: number;
  /** By column name. */
  readonly mean?: Readonly<Record<string, number>>;
  /** Standard deviations, by column name. */
  readonly sd?: Readonly<Record<string, number>>;
  /** Standard deviation of columns that `sd` does not name. */
  readonly defaultSd?: number;
}

/** How pages are drawn from scores. */
export interface PolicySettings {
  /** Default `plackett_luce`. `fixed` and `popularity` follow no scores. */
  readonly kind?: 'plackett_luce' | 'softmax' | 'epsilon_page' | 'epsilon' | 'squarecb' | 'linucb' | 'thompson'
    | 'explore_then_commit' | 'uniform' | 'fixed' | 'popularity';
  /** Score units in which one card is e times likelier than another. Small is greedy, large is uniform. Default 0.05. */
  readonly temperature?: number;
  /** The same for shelves, in units of log shelf value. Default 0.05. */
  readonly shelfTemperature?: number;
  /** Uniform share of every draw of a shelf, 0 to 1. Default 0.02; 0 for `fixed` and `popularity`. */
  readonly floorShelves?: number;
  /** Uniform share of every draw of a card, 0 to 1. Default as for shelves. */
  readonly floorCards?: number;
  /** For `epsilon` and `epsilon_page`. Default 0.05. */
  readonly epsilon?: number;
  /** For `squarecb`: larger is greedier. Default 100. */
  readonly gamma?: number;
  /** For `linucb` and `thompson`: multiples of a score's standard deviation. Default 1. */
  readonly alpha?: number;
  /** For `explore_then_commit`: number of uniform pages. Default 20. */
  readonly explore?: number;
  /** A card visible in one shelf is not drawn in a shelf below. Default false. */
  readonly showOnce?: boolean;
  /** Score units lost by a card of an artist who is visible above, half of it for the same family. Default 0. */
  readonly diversity?: number;
  /** Score units lost for each nat between the listener's mix of families and the page's. Default 0. */
  readonly calibration?: number;
  /** What the page falls back to. Default `fixed`, the server's order. */
  readonly baseline?: 'fixed' | 'popularity';
  /** Share of pages that are the baseline's, 0 to 0.9: with them the device notices when the policy is worse, and falls back. Default 0. */
  readonly baselineShare?: number;
  /** Chance of falling back although the policy is not worse. Default 0.01. */
  readonly safetyLevel?: number;
  /** Plays for each page that the policy may lose against the baseline. Default 0. */
  readonly safetyMargin?: number;
}

/** A reward model and a policy; unknown keys are refused by name. */
export interface ModelSettings {
  /** Names the model; comes back as `modelVersion`. */
  readonly version: string;
  /** Columns of the feature vector. Default: those of the model that is built in. */
  readonly schema?: {
    readonly columns: readonly {
      readonly name: string;
      readonly source: ColumnSource;
      readonly default?: number;
      /** A smaller value counts as `min`, a larger one as `max`. */
      readonly min?: number;
      readonly max?: number;
    }[];
  };
  /** What is believed before anything was heard here. */
  readonly prior?: PriorStart & {
    /** Days in which half of what was learned is forgotten. Default 60. */
    readonly halfLifeDays?: number;
    /** Up to 16 groups of listeners, weighed by their share; the first outcomes tell to which one this listener belongs. What a
     * group leaves out is as in the prior around it. */
    readonly segments?: readonly (PriorStart & { readonly weight: number })[];
  };
  /** How pages are drawn from scores. */
  readonly policy?: PolicySettings;
  /** Switches everything off: pages keep the server's order with the error `switched_off`, and nothing is learned from them. */
  readonly off?: boolean;
  /** How feedback is read where events leave room for doubt. */
  readonly feedback?: {
    /** What counts as seen on a page whose visible cards the app does not report: `cascade` (default), the cards before a played one;
     * `position`, all visible cards of a page without a play, less and less with their position. */
    readonly unreported?: 'cascade' | 'position';
    /** Chance that the listener looks at the next card of a shelf. Default 0.85. */
    readonly examination?: number;
    /** The same for the next shelf. Default 0.85. */
    readonly shelfExamination?: number;
    /** Milliseconds from seeing a card within which half of the taps come. Default 10,000. */
    readonly tapHalfMs?: number;
    /** By card kind, the shares of plays that last at least 5, 10 and 30 seconds. */
    readonly plays?: Readonly<Record<string, readonly [number, number, number]>>;
  };
}

/** How hard a write must be pressed to disk before its promise resolves. */
export type Durability = 'relaxed' | 'strict';

/**
 * A place to keep bytes. `get` resolves to exactly what the last finished `put` stored, or `undefined`. Every method
 * may reject; a method that does not answer within a second counts as failed.
 */
export interface StorageAdapter {
  /** What was last put under `key`, or `undefined`. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Replaces the value in one step: a reader sees the old bytes or the new ones, never a mixture. */
  put(key: string, bytes: Uint8Array, durability: Durability): Promise<void>;
  /** Removes one value; one that is not there is fine. */
  delete(key: string): Promise<void>;
  /** Deletes every key that starts with `prefix`. */
  clear(prefix: string): Promise<void>;
  /** Frees what is held open. Called once, last. */
  close?(): void;
  /**
   * Set it when several tabs share this storage: the tab that holds the Web Lock of this name is the one that writes.
   * Leave it out for a storage that only this `Home` uses.
   */
  readonly lockName?: string;
}

/** A relay of Oblivious HTTP (RFC 9458): it sees who sends and never what, the gateway behind it what and never who. */
export interface RelayOptions {
  /** Receives one POST of 311 bytes per record and try, as `message/ohttp-req`; another origin has to allow that content type. */
  readonly url: string | URL;
  /**
   * The gateway's key configuration, or a list of them (`application/ohttp-keys`), as bytes or in base64. The app ships it: keys that came
   * through the relay would be the relay's.
   */
  readonly keys: Uint8Array | string;
}

/** Sending of records. Nothing leaves without `consent.contribute`. */
export interface UploadOptions {
  /**
   * Receives one POST of 256 bytes per record: the format (the byte 1), a nonce of 16 bytes, the 16 bytes of the record, then zeros. The
   * nonce is drawn anew for each record and says nothing; a record that is sent twice has it twice, so that it is counted once.
   */
  readonly url?: string | URL;
  /**
   * The published manifest: an address, its bytes, or a function that gets them. Without a manifest no record is made.
   * An address is fetched without cookies and without a referrer, and only once `contribute` is on.
   */
  readonly manifest?: string | URL | Uint8Array | (() => Promise<Uint8Array>);
  /**
   * Sends the same 256 bytes in place of the built-in POST. Resolve once they are delivered; reject to have them tried again later.
   */
  readonly transport?: (body: Uint8Array, record: OutboxRecord) => Promise<void>;
  /**
   * Sends through a relay, encrypted for the gateway that answers for `url` (an https address): 33 bytes of content, the body without its
   * zeros, in a message that is filled up to one size. A module of its own is fetched for it. Ignored where there is a `transport`.
   */
  readonly relay?: RelayOptions;
  /** Global Privacy Control means that no record is made or sent. Default `true`. */
  readonly respectGPC?: boolean;
  /**
   * The app's own signal, asked each time: an opt-out outside the browser, a child's profile, a region. While it returns anything but
   * `true`, or throws, no record is made or sent, whatever was consented to. Left out: the consents and Global Privacy Control decide.
   */
  readonly allowed?: () => boolean;
}

/** Where published bundles come from, and whom to believe. A bundle is a model that was trained elsewhere. */
export interface BundleOptions {
  /**
   * The folder of static files that `ears-lab publish` makes. They are fetched without cookies and without a referrer; a
   * Content-Security-Policy has to name the origin in `connect-src`.
   */
  readonly url: string | URL;
  /**
   * The signed root that the app ships: the text of a `root.json`, or the same as an object. It says which keys may sign; later roots
   * are followed from it. It must not come from the place that the bundles come from.
   */
  readonly root: string | object;
  /** Small letters, digits and hyphens, at most 40. Default `'stable'`. */
  readonly channel?: string;
  /** What was found in order is not looked at again within so many milliseconds; 0 looks at every visit. Default one hour. */
  readonly checkEveryMs?: number;
}

/** All optional. */
export interface HomeOptions {
  /** Settings, or the bytes of a bundle made by `ears-lab`, which may hold a trained body. Default: the model that is built in. */
  readonly model?: ModelSettings | Uint8Array;
  /**
   * Published bundles. Each takes the place of `model` once it has passed every check, from the next visit on or, where no page was ranked
   * yet, at once; `model` serves until then, and when no bundle is of use. What was learned is kept.
   */
  readonly bundle?: BundleOptions;
  /** One per app and profile (a child's profile is its own). Default `'default'`. */
  readonly namespace?: string;
  /** Default `'indexeddb'`, with memory as the fallback. */
  readonly storage?: 'indexeddb' | 'memory' | StorageAdapter;
  /**
   * What the app knows about the listener's choices. A choice left out is the one saved by `setConsent`, else
   * `personalize: true`, `contribute: false`.
   */
  readonly consent?: Partial<Consent>;
  /** Sending of records; nothing is sent without it. Default `false`. */
  readonly upload?: UploadOptions | false;
  /** A copy of the compiled core to use in place of the inlined one, e.g. `ears-only/core_bg.wasm` from your own server. */
  readonly wasm?: BufferSource | WebAssembly.Module | Response | URL;
  /** Makes every draw repeatable: for tests and demos only. A whole number from 0 to 2^53 - 1. */
  readonly seed?: number;
  /** Milliseconds since the Unix epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Writes status changes and errors to the console. */
  readonly debug?: boolean;
  /** Told of every failure. Whatever it throws is ignored. */
  readonly onError?: (error: HomeError) => void;
}

// ----------------------------------------------------------------------------------------------------- what comes back

/** Why a shelf or a card stands where it stands. */
export type ReasonCode =
  | 'server_order' | 'fixed' | 'exploring' | 'because_you_played' | 'played_artist' | 'played_family'
  | 'like_your_taste' | 'popular' | 'new_to_you' | 'recently_played' | 'heavy_rotation' | 'your_shows' | 'liked'
  | 'time_of_day' | 'you_open_this_shelf' | 'model' | 'further_down' | 'hidden_by_you' | 'probe'
  | 'general';

/** A reason for programs and for people. */
export interface Reason {
  /** Stable, for programs. */
  readonly code: ReasonCode;
  /** One short English sentence. */
  readonly text: string;
}

/** What ranking adds to a shelf or a card. */
export interface Placed {
  /** From 0, as displayed. */
  readonly position: number;
  /** Probability of this choice given everything placed before it; 1 where nothing was drawn (fixed, not visible). */
  readonly propensity: number;
  /** Why it stands there. */
  readonly reason: Reason;
}

/** A card as the device knows it from history alone. */
export interface LocalCard {
  /** Identity of the card. */
  readonly id: string;
  /** As the app or the history said. */
  readonly kind?: string;
  /** As the app or the history said. */
  readonly title?: string;
  /** As the app or the history said. */
  readonly artist?: string;
  /** As the app or the history said. */
  readonly family?: string;
  /** Whole length, in milliseconds. */
  readonly durationMs?: number;
  /** Popularity among all listeners, in [0, 1]. */
  readonly popularity?: number;
}

/** The app's own card, plus its place. */
export type RankedCard<C extends CardInput = CardInput> = Readonly<C> & Placed;

/** The app's own shelf, plus its place. */
export type RankedShelf<S extends ShelfInput = ShelfInput> = Readonly<Omit<S, 'cards'>> & Placed & {
  readonly local?: undefined;
  readonly cards: readonly RankedCard<S['cards'][number]>[];
};

/** A shelf built on the device. Its cards are the app's own where the app has given them, else what history knows. */
export interface RankedLocalShelf<C extends CardInput = CardInput> extends Placed {
  /** `local:` and its kind. */
  readonly id: `local:${LocalKind}`;
  /** Which of the shelves the device builds. */
  readonly kind: LocalKind;
  /** In English; an app may show its own words for `kind`. */
  readonly title: string;
  /** Tells it from the app's own shelves. */
  readonly local: true;
  /** In the order to show. */
  readonly cards: readonly ((Readonly<C> | LocalCard) & Placed)[];
}

/** The page in the order to show: plain frozen objects, which later calls never change. */
export interface RankedPage<Shelf = RankedShelf | RankedLocalShelf> {
  /** Give it back with each event of this page. Empty in the server's order and in that of the last visit. */
  readonly decisionId: string;
  /**
   * `'policy'`: ranked here. `'baseline'`: the server's order. `'last'`: the order that the last visit left, of the same shelves with the same
   * cards, because there was no core yet. That order was not drawn now, so it is no decision: `propensity` says how likely it was when it was,
   * `randomized` is false, and what is heard from it counts as listening, not as an outcome of the page.
   */
  readonly source: 'policy' | 'baseline' | 'last';
  /** The draw whose order this is, where `source` is `'last'`: a decision of the last visit, or one made there for this visit and seen by nobody. */
  readonly repeats?: string;
  /** Kind of the policy; `'fixed'` for the server's order. */
  readonly policy: string;
  /** Version of the model that scored it; empty before there is one. */
  readonly modelVersion: string;
  /** Whether anything on the page was drawn at random. */
  readonly randomized: boolean;
  /** Whether this page holds a card placed by a public draw, whose noisy outcome may be contributed. */
  readonly probe: boolean;
  /** Why the page was not ranked, where that was not asked for. */
  readonly error?: { readonly code: HomeErrorCode; readonly message: string };
  /** In the order to show. */
  readonly shelves: readonly Shelf[];
}

/** Why the state is not plainly `ready`. */
export type StatusReason =
  | 'csp' | 'no-wasm' | 'no-simd' | 'server' | 'load' | 'model' | 'storage' | 'panic';

/** How the Home is. */
export interface Status {
  /** `degraded` still ranks where it can: see `reason`. */
  readonly state: 'loading' | 'ready' | 'degraded' | 'closed';
  /**
   * `csp`, `no-wasm`, `no-simd`, `server`, `load`, `model`, `panic`: pages come back in the server's order.
   * `storage`: pages are ranked, but what is learned may be gone after a reload.
   */
  readonly reason?: StatusReason;
  /** The reason in a sentence. */
  readonly message?: string;
  /** Version of the model in use. */
  readonly modelVersion?: string;
  /**
   * What became of what was learned under another model: `head_carried`, it goes on for the columns that mean the same;
   * `head_restarted`, learning starts anew, the history is kept. Absent when all of it is in use.
   */
  readonly learned?: 'head_carried' | 'head_restarted';
  /** Where what is learned is kept; `none` until that is known. */
  readonly storage: 'none' | 'indexeddb' | 'memory' | 'adapter';
  /**
   * Whether the package encrypts what it keeps of the listener: in IndexedDB, on pages of a secure context. An adapter of the app's own is
   * given plain bytes.
   */
  readonly encrypted: boolean;
  /** Whether this tab is the one that saves. Other tabs rank, and take over when it closes. */
  readonly writer: boolean;
}

/** What an import did. */
export interface ImportReport {
  /** Lines read. */
  readonly plays: number;
  /** Lines that became history. */
  readonly accepted: number;
  /** Lines that could not: no time, negative or absurd length, from the future... */
  readonly refused: number;
  /** Accepted lines whose `cardId` was given, that is, belongs to the app's catalogue. */
  readonly matched: number;
}

/** What `flush` did. */
export interface FlushResult {
  /** Impressions whose outcome was learned from. */
  readonly learned: number;
  /** Whether everything learned is on disk now. */
  readonly saved: boolean;
  /** Records delivered. */
  readonly sent: number;
  /** Records still waiting for their time, or for the network. */
  readonly waiting: number;
}

/** Contents of the 16 bytes. */
export interface RecordFields {
  /** Format of the record. */
  readonly version: number;
  /** ISO weeks since Monday 2026-01-05. */
  readonly epoch: number;
  /** First four bytes of the SHA-256 of the manifest, in hex. */
  readonly manifestId: string;
  /** Which slot of the manifest. */
  readonly slot: number;
  /** Place of the slot's shelf on the page, from 0. */
  readonly shelfPosition: number;
  /** Place of the slot's card in its shelf, from 0. */
  readonly cardPosition: number;
  /** Which of the manifest's cards was drawn. */
  readonly arm: number;
  /** Which of the manifest's questions is answered. */
  readonly question: number;
  /** Of 65536: how likely the public draw was to take this arm. */
  readonly propensityNumerator: number;
  /** Which of the fixed privacy levels. */
  readonly epsilonIndex: number;
  /** That level: the answer is told from its opposite by at most e to this power. */
  readonly epsilon: number;
  /** The answer after randomised response. */
  readonly symbol: number;
  /** What was drawn about; with the three below, known while the record's manifest is in force. */
  readonly kind?: 'card' | 'shelf' | 'policy' | 'training' | 'vote';
  /** The question, as the manifest names it: `'played_30s'`, `'how_long'`, `'vote'`. */
  readonly questionName?: string;
  /** How many answers the question has. */
  readonly answers?: number;
  /** What was drawn, in public words: a card, a shelf, a rule. */
  readonly armName?: string;
}

/** One record that waits or has left. */
export interface OutboxRecord {
  /** The 16 bytes, as they leave. */
  readonly bytes: Uint8Array;
  /** The same 16 bytes, as 32 hex digits. */
  readonly hex: string;
  /**
   * The 16 random bytes that leave with them, as 32 hex digits: drawn for this record alone, so that the receiver drops what arrives
   * twice. Empty on a record of an earlier release that was sent without one.
   */
  readonly nonce: string;
  /** What the bytes say. */
  readonly fields: RecordFields;
  /** What it says, in plain words. */
  readonly sentence: string;
  /** `refused`: the receiver answered that it will never take it. */
  readonly state: 'waiting' | 'sent' | 'refused';
  /** Not before this time (milliseconds since the Unix epoch). */
  readonly sendAfter: number;
  /** When it was delivered (milliseconds since the Unix epoch). */
  readonly sentAt?: number;
  /** Deliveries tried so far. */
  readonly attempts: number;
}

/** Where the week's contribution stands. */
export interface Contribution {
  /** Where it stands: off, nothing published, budget spent, waiting for its time, due, being watched, its outcome final, done. */
  readonly state: 'off' | 'no_manifest' | 'spent' | 'scheduled' | 'due' | 'watching' | 'ready' | 'done';
  /** This ISO week, counted from Monday 2026-01-05. */
  readonly epoch?: number;
  /** From when the week's probe may be shown. */
  readonly dueAt?: number;
  /** When the outcome of the running probe is final. */
  readonly readyAt?: number;
  /** When its record may be sent, as the public coin drew it. */
  readonly sendAfter?: number;
  /** When the budget next allows a record. */
  readonly nextAllowedAt?: number;
  /** Privacy budget spent in this period. */
  readonly epsilonSpent: number;
  /** Privacy budget left in this period. */
  readonly epsilonLeft: number;
  /** Privacy budget spent in the year of consent, and left in it; absent where the core does not say. */
  readonly epsilonSpentYear?: number;
  /** Privacy budget left in the year of consent. */
  readonly epsilonLeftYear?: number;
  /** Records ever paid for on this device, by privacy level; absent where the core does not say. */
  readonly recordsEver?: readonly number[];
  /** Absent without a manifest. */
  readonly epsilonPerRecord?: number;
  /** Records made in this period. */
  readonly recordsThisPeriod: number;
}

/** Everything that left, that waits, and the privacy budget. */
export interface OutboxView {
  /** Newest first. */
  readonly records: readonly OutboxRecord[];
  /** The privacy budget of this period. */
  readonly budget: {
    readonly epsilonSpent: number;
    readonly epsilonLeft: number;
    readonly epsilonSpentYear?: number;
    readonly epsilonLeftYear?: number;
    readonly epsilonPerRecord?: number;
    readonly recordsThisPeriod: number;
    readonly nextAllowedAt?: number;
  };
  /**
   * What all records of the ledger disclose together about one fact that holds throughout: with all but a chance of `delta`, odds change
   * by at most e to the power of `epsilon`. Absent where the core does not say.
   */
  readonly disclosure?: { readonly epsilon: number; readonly delta: number };
  /** Where the week's contribution stands. */
  readonly contribution: Contribution;
  /**
   * What keeps records from being made and sent now; absent where they may be. `upload`: the app names no way to send; `consent`: one of
   * the two is missing; `gpc`: Global Privacy Control; `app`: `upload.allowed` says no; `storage`: nothing is kept here; `tab`: another
   * tab does it.
   */
  readonly stoppedBy?: 'upload' | 'consent' | 'gpc' | 'app' | 'storage' | 'tab';
}

/** One feature's part in a score. */
export interface FeatureContribution {
  /** Name of the column. */
  readonly feature: string;
  /** What the column holds for this card. */
  readonly value: number;
  /** What the model gives for each unit of it, in log-odds. */
  readonly weight: number;
  /** Their product. */
  readonly contribution: number;
}

/** The numbers behind a placed card. */
export interface ExplainedCard {
  /** As the app gave it. */
  readonly id: string;
  /** From 0, as displayed. */
  readonly position: number;
  /** Log-odds of being played when seen. */
  readonly score: number;
  /** Standard deviation of the score under what is known by now; absent far down a shelf. */
  readonly sd?: number;
  /** Probability of this choice given everything placed before it. */
  readonly propensity: number;
  /** Why it stands there. */
  readonly reason: Reason;
  /** Whether it is seen without scrolling. */
  readonly visible: boolean;
  /** The five largest, by size; empty far down a shelf. */
  readonly contributions: readonly FeatureContribution[];
}

/** The numbers behind a placed shelf. */
export interface ExplainedShelf {
  /** As the app gave it. */
  readonly id: string;
  /** As the app gave it. */
  readonly kind: string;
  /** From 0, as displayed. */
  readonly position: number;
  /** Chance that something on it is played. */
  readonly score: number;
  /** Log-odds of `score`. */
  readonly logit: number;
  /** Probability of this choice given everything placed before it. */
  readonly propensity: number;
  /** Why it stands there. */
  readonly reason: Reason;
  /** Whether it is seen without scrolling. */
  readonly visible: boolean;
  /** In the order displayed. */
  readonly cards: readonly ExplainedCard[];
}

/** The numbers behind a decision, for engineers. */
export interface Explanation {
  /** The decision that is explained. */
  readonly decisionId: string;
  /** When it was made, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** Kind of the policy that drew it. */
  readonly policy: string;
  /** Version of the model that scored it. */
  readonly modelVersion: string;
  /** Whether anything on the page was drawn at random. */
  readonly randomized: boolean;
  /** In the order displayed. */
  readonly shelves: readonly ExplainedShelf[];
  /** Probability of each candidate to be the first card of the first shelf. */
  readonly marginals: readonly { readonly shelf: string; readonly card: string; readonly probability: number }[];
  /** The same probabilities, in the page's own card order. */
  readonly marginalValues: readonly number[];
}

/** How much is known. */
export interface Summary {
  /** Listening events kept. */
  readonly events: number;
  /** Cards with any history. */
  readonly cards: number;
  /** Decisions in the local log. */
  readonly decisions: number;
  /** Impressions that wait for their outcome. */
  readonly pending: number;
  /** Outcomes learned from. */
  readonly updates: number;
  /** Whether nothing was ever heard here. */
  readonly historyEmpty: boolean;
  /** Cards registered in this page load. */
  readonly registered: number;
}

/** A Home page that is ranked on the listener's device. */
export interface Home {
  /** Resolves once ranking is possible or is known to be impossible. Never rejects: see `status`. */
  readonly ready: Promise<Status>;
  /** Now. A new object for each change. */
  readonly status: Status;

  /**
   * Ranks a page, waiting for `ready` first (two seconds at most). Never rejects: any failure gives the server's order
   * with `error`.
   */
  rank<S extends ShelfInput>(page: PageInput<S> & { readonly local?: false }, context?: Context): Promise<RankedPage<RankedShelf<S>>>;
  /** The same for a page that may hold local shelves. */
  rank<S extends ShelfInput>(page: PageInput<S>, context?: Context): Promise<RankedPage<RankedShelf<S> | RankedLocalShelf<S['cards'][number]>>>;

  /**
   * Ranks a page at once: for use inside a render. Never throws and never waits: before `ready`, and after any failure,
   * it gives the server's order with `error`. Where the last visit's order of this page has been read by then, and the core has not
   * started, it gives that one.
   *
   * Each call is a new decision with its own draw, so keep the result for as long as the view is on screen; calling it
   * again on each render would move cards under the listener's finger.
   */
  rankSync<S extends ShelfInput>(page: PageInput<S> & { readonly local?: false }, context?: Context): RankedPage<RankedShelf<S>>;
  /** The same for a page that may hold local shelves. */
  rankSync<S extends ShelfInput>(page: PageInput<S>, context?: Context): RankedPage<RankedShelf<S> | RankedLocalShelf<S['cards'][number]>>;

  /** The page in the server's order, as every failure gives it: for a first render that must equal the server's. Never throws. */
  serverOrder<S extends ShelfInput>(page: PageInput<S>): RankedPage<RankedShelf<S>>;

  /**
   * Says that something happened. Never throws; an event that makes no sense goes to `onError`. Events from before
   * `ready` are kept (1,000 at most) and used then.
   */
  track(event: HomeEvent): void;

  /** Makes cards known that are not on a page: for plays from elsewhere in the app. Known ids are updated. */
  registerCards(cards: Iterable<CardInput>): void;

  /**
   * Adds a listening history from elsewhere, in pieces small enough to keep the page responsive.
   * Rejects with a `HomeError` when there is no ranking to learn for (`csp`, `not_personalized`...), and with `private` while
   * listening privately.
   */
  importHistory(
    plays: Iterable<HistoryPlay> | AsyncIterable<HistoryPlay>,
    options?: { readonly onProgress?: (progress: { readonly done: number; readonly total?: number }) => void },
  ): Promise<ImportReport>;

  /** The numbers behind one of the last four decisions of this visit. Throws a `HomeError` with code `unknown_decision` for others. */
  explain(decisionId: string): Explanation;
  /**
   * For each card of the page, in the page's own order, the probability to stand first in the first shelf: the
   * `marginalValues` of `explain`, without the rest of it.
   */
  marginals(decisionId: string): Float64Array;

  /** The listener's present choices. */
  readonly consent: Consent;
  /**
   * Changes and saves the listener's choices. Turning `contribute` off also drops the records that wait to be sent; the
   * privacy budget they took stays spent.
   */
  setConsent(consent: Partial<Consent>): Promise<void>;

  /** Whether this Home listens privately. */
  readonly isPrivate: boolean;
  /**
   * Starts or ends private listening, at once. It starts by ending the visit and saving it. Meanwhile pages are ranked with what
   * is known, and nothing is recorded: no decision, no event, no contribution; nor is an event about this time that arrives later.
   * Never saved: it ends with the page, and other tabs are not changed by it.
   */
  setPrivate(on: boolean): void;

  /**
   * Unlearns what came of an artist, a card or one play: what is known becomes what it would be without. An artist or a card is
   * also left out from now on, and still ranked by everything else. Likes and follows of it go, what is hidden stays hidden.
   * Resolves with the number of plays taken back, once that is saved. Plays older than the last 5,000 can no longer be told
   * apart one by one; with the first exclusion they leave all that plays share. Rejects with a `HomeError` where nothing is
   * ranked, or with `bad_exclusion` for an empty name or beyond 1,000 artists or cards.
   */
  exclude(what: Exclusion): Promise<number>;
  /** Uses an artist or a card again, from now on. Resolves with whether it was excluded. */
  include(what: Exclusion): Promise<boolean>;
  /** What is excluded; nothing before `ready`. */
  excluded(): Excluded;

  /** What left, what waits, and the budget. */
  outbox(): Promise<OutboxView>;

  /** Learns from what is finished, saves, makes and sends what is due. */
  flush(): Promise<FlushResult>;

  /**
   * Forgets this namespace: history, what was learned, what is excluded, local log, outbox. The consents stay as they are, and so do the
   * dates of the privacy ledger. Rejects when the storage could not be wiped.
   */
  reset(): Promise<void>;

  /** Everything learned, as bytes: for a native shell that keeps them, or to move to another device. */
  exportState(): Promise<Uint8Array>;
  /** Replaces everything learned. Rejects with a `HomeError` and changes nothing when the bytes are not readable. */
  importState(bytes: Uint8Array): Promise<void>;

  /** How much is known; zeros before `ready`. */
  summary(): Summary;

  /** Calls `listener` after each change of `status`, of the consents, or of what is known. Returns the way to stop. */
  subscribe(listener: () => void): () => void;

  /** Ends the session, saves and lets go of everything. Never rejects. The Home then gives the server's order. */
  close(): Promise<void>;

  /** The same as `close`, where the platform has it. */
  readonly [Symbol.asyncDispose]?: () => Promise<void>;
}
