// The page as typed arrays, for apps whose server sends them: no object is made for a card, neither on the way in nor on the way back.
import { ENTRY, FIELD, type Core, type CoreExplanation } from './core.js';
import type { Engine } from './engine.js';
import { HomeError } from './index.js';
import { PACKED, type PackedWay } from './packed-way.js';
import { begun, FIXED, MAX_CARDS, MAX_SHELVES, written } from './packer.js';
import { reason } from './reasons.js';
import { checkId, text, UNREGISTERED, type Registry } from './registry.js';
import { CARD_WORDS, decisionId, HEADER_WORDS, POLICY, SHELF_WORDS } from './rehydrate.js';
import type { Context, Home, PageInput, RankedLocalShelf, RankedPage, Reason, ShelfInput } from './types.js';

/** Cards as columns, one line for each: what `CardInput` says of it. Where a list is given, it has as many entries as `ids`. */
export interface CatalogueInput {
  /** Identity of each card, unique. */
  readonly ids: readonly string[];
  /** As the app shows them; an empty string says nothing. */
  readonly titles?: readonly string[];
  /** Who made them. */
  readonly artists?: readonly string[];
  /** Genres or other families. */
  readonly families?: readonly string[];
  /** What they are: `'track'`, `'podcast'`... */
  readonly kinds?: readonly string[];
  /** Whole lengths in milliseconds; NaN says nothing. */
  readonly durationsMs?: ArrayLike<number>;
  /** Popularity among all listeners, in [0, 1]; NaN says nothing. */
  readonly popularities?: ArrayLike<number>;
  /** Vectors of the app's own catalogue model, line after line: a multiple of `ids.length` numbers. */
  readonly embeddings?: Float32Array;
}

/** Cards that pages name by number. Make it once for what the app knows of its cards, use it with any `Home`. */
export interface Catalogue {
  /** Identity of each card. */
  readonly ids: readonly string[];
}

/** A shelf without its cards. */
export interface PackedShelf extends Omit<ShelfInput, 'cards' | 'features'> {
  /** How many of the page's cards are its: at least one. */
  readonly count: number;
}

/** A Home page as typed arrays: at most 200 shelves and 10,000 cards. The arrays may be views of one buffer. */
export interface PackedPage extends Pick<PageInput, 'visible' | 'local' | 'after'> {
  /** What `cards` counts in. */
  readonly catalogue: Catalogue;
  /** In the server's order. */
  readonly shelves: readonly PackedShelf[];
  /** Lines of the catalogue, those of the first shelf first, each shelf in the server's order. A place is an index into this list. */
  readonly cards: Uint32Array | Uint16Array;
  /** One row for each place: a value for each `given` column of the model, in its order. Default: the columns' defaults. */
  readonly features?: Float32Array;
  /** One for each place: 1 for a card that must keep it. Default: none. */
  readonly fixed?: Uint8Array;
}

/** A ranked page as typed arrays, made for this call. */
export interface PackedRanking extends Omit<RankedPage<never>, 'source' | 'repeats' | 'shelves'> {
  /** `'policy'`: ranked here. `'baseline'`: the server's order. */
  readonly source: 'policy' | 'baseline';
  /** In the order to show: indices into the page's `shelves`; `-1 - i` for shelf `i` of `local`. */
  readonly shelves: Int32Array;
  /** The shelf at each position, given everything placed before it. */
  readonly shelfPropensities: Float64Array;
  /** In the order to show: places, which are indices into the page's `cards`. Those of the shelf at position `p` are `starts[p]` to `starts[p + 1]`. */
  readonly cards: Uint32Array;
  /** The card at the same index of `cards`, given everything placed before it. */
  readonly propensities: Float64Array;
  /** Where each shelf's cards begin in `cards`; one more than there are shelves. A shelf of the device has none there. */
  readonly starts: Uint32Array;
  /** The shelves that the device made, cards and all: they are few. */
  readonly local: readonly RankedLocalShelf[];
}

/** A catalogue of cards. Throws a `HomeError` where a list is too short or an id cannot be one. */
export function createCatalogue(input: CatalogueInput): Catalogue {
  return new Lines(input);
}

/**
 * Ranks a page at once, as `home.rankSync` does: the same decision, bit for bit, as the same page of objects would get from this Home. Never
 * throws and never waits; before `ready`, and after any failure, the server's order with `error`. Each call is a new decision.
 */
export function rankPacked(home: Home, page: PackedPage, context?: Context): PackedRanking {
  const rank: PackedWay[typeof PACKED] = (engine, now, given, utcOffsetMinutes) => {
    checked(page);
    const lines = page.catalogue as Lines;
    const shelves = page.shelves.map((shelf) => engine.registry.shelf(shelf as unknown as ShelfInput));
    registered(engine.registry);
    if (now === undefined) return void lines.register(engine, page.cards);
    const pack = (): boolean => written(
      (length) => engine.core.room(length), (room) => packed(page, engine, room, lines.handles(engine), shelves, given, utcOffsetMinutes!),
    );
    if (!pack()) {
      lines.register(engine, page.cards);
      // Else the core would rank what is left of the page before.
      if (!pack()) throw new HomeError('page_invalid', 'expected cards that stay as they are, got others');
    }
    return read(page.cards.length, engine, engine.ranked(page, now, false));
  };
  // It has its name already: to name it by a symbol takes a third of a microsecond.
  const way: PackedWay = { [PACKED]: rank };
  const ranked = home.rankSync(way as unknown as PageInput, context) as unknown as PackedRanking | RankedPage;
  return ranked.source === 'policy' ? ranked as PackedRanking : serverOrder(ranked as RankedPage, page);
}

/**
 * Why the shelf at `position` stands there, or, with `at`, the card at that index of `cards`. Of cards that were not drawn the device tells while
 * the ranking is one of the last four, as `home.explain` does; later nothing stands out.
 */
export function reasonAt(ranking: PackedRanking, position: number, at?: number): Reason {
  return (ranking as Partial<Told> | undefined)?.[TOLD]?.(position, at) ?? reason('server_order');
}

/** What tells a ranking's reasons, in the ranking itself: an entry of a weak map would take a microsecond, and as much of the collector. */
const TOLD = Symbol('told');
interface Told { readonly [TOLD]: (position: number, at?: number) => Reason }

class Lines implements Catalogue {
  readonly ids: readonly string[];
  readonly #input: CatalogueInput;
  readonly #size: number;
  /** What each core knows a line as, for as long as its handles are worth something. */
  readonly #handles = new WeakMap<object, Int32Array>();

  constructor(input: CatalogueInput) {
    const { ids } = input;
    for (const name of ['titles', 'artists', 'families', 'kinds', 'durationsMs', 'popularities'] as const) {
      const length = input[name]?.length ?? ids.length;
      if (length !== ids.length) throw new HomeError('page_invalid', `expected ${ids.length} ${name}, got ${length}`);
    }
    this.#size = (input.embeddings?.length ?? 0) / ids.length;
    if (ids.length > 0 && !Number.isInteger(this.#size)) {
      throw new HomeError('page_invalid', `expected embeddings of a multiple of ${ids.length} numbers, got ${input.embeddings?.length}`);
    }
    for (const id of ids) {
      try { checkId('card', id); } catch (thrown) { throw new HomeError('id_invalid', (thrown as Error).message); }
    }
    if (new Set(ids).size !== ids.length) throw new HomeError('duplicate_card', `expected ${ids.length} ids that differ, got ${new Set(ids).size}`);
    this.ids = ids;
    this.#input = input;
  }

  /** Handles by line, `UNREGISTERED` or below where the core does not know of it. */
  handles({ registry }: Engine): Int32Array {
    let known = this.#handles.get(registry.epoch);
    if (!known) this.#handles.set(registry.epoch, known = new Int32Array(this.ids.length).fill(UNREGISTERED));
    return known;
  }

  /** Makes lines known to the core, which learns of each once. */
  register(engine: Engine, cards: PackedPage['cards']): void {
    const known = this.handles(engine);
    const missing = new Set<number>();
    for (const line of cards) {
      if (!(line in known)) throw new HomeError('page_invalid', `expected a line of the catalogue, below ${known.length}, got ${line}`);
      if (known[line] === UNREGISTERED) missing.add(line);
    }
    if (missing.size > 0) this.#register(engine.core, known, [...missing]);
  }

  #register(core: Core, known: Int32Array, missing: readonly number[]): void {
    const { titles, artists, families, kinds, durationsMs, popularities, embeddings } = this.#input;
    const size = this.#size;
    const numbers = new Float32Array(missing.length * (3 + size));
    let strings = '';
    missing.forEach((line, i) => {
      strings += this.ids[line] + FIELD + text(titles?.[line]) + FIELD + text(artists?.[line]) + FIELD + text(families?.[line]) + FIELD + text(kinds?.[line]) + ENTRY;
      numbers.set([said(durationsMs?.[line]), said(popularities?.[line]), size], i * (3 + size));
      if (embeddings) numbers.set(embeddings.subarray(line * size, (line + 1) * size), i * (3 + size) + 3);
    });
    core.registerCards(strings, numbers).forEach((handle, i) => { known[missing[i]!] = handle; });
  }
}

/** A number, or what says that there is none. */
function said(value: number | undefined): number {
  return value === undefined || Number.isNaN(value) ? -1 : value;
}

function registered(registry: Registry): void {
  try {
    registry.register();
  } catch (thrown) {
    registry.dropPending();
    throw thrown;
  }
}

/** Throws a `HomeError` for a page whose arrays do not fit together. */
function checked({ catalogue, shelves, cards, fixed }: PackedPage): void {
  const count = shelves.reduce((sum, shelf) => sum + shelf.count, 0);
  if (!(catalogue instanceof Lines)) throw new HomeError('page_invalid', 'expected a catalogue made by createCatalogue');
  if (shelves.length === 0) throw new HomeError('page_empty', 'a page needs at least one shelf, got none');
  if (shelves.length > MAX_SHELVES) throw new HomeError('page_too_large', `a page holds at most ${MAX_SHELVES} shelves, got ${shelves.length}`);
  if (cards.length > MAX_CARDS) throw new HomeError('page_too_large', `a page holds at most ${MAX_CARDS} cards, got ${cards.length}`);
  if (!shelves.every((shelf) => Number.isInteger(shelf.count) && shelf.count > 0)) throw new HomeError('shelf_empty', 'a shelf needs at least one card, got none');
  if (count !== cards.length) throw new HomeError('page_invalid', `expected ${count} cards, the sum of the shelves' counts, got ${cards.length}`);
  if (fixed && fixed.length !== count) throw new HomeError('page_invalid', `expected ${count} entries in fixed, got ${fixed.length}`);
}

/** Writes the page as the core reads it; whether all its cards are known. */
function packed(
  page: PackedPage, { columns }: Engine, room: Core['room'], handles: Int32Array, shelves: readonly { readonly handle: number }[],
  context: Context | undefined, utcOffsetMinutes: number,
): boolean {
  const { cards, features, fixed } = page;
  const G = columns.given.length;
  if (features && features.length !== cards.length * G) {
    throw new HomeError('column_count', `expected ${G} feature values per card, ${cards.length * G} in all, got ${features.length}`);
  }
  const { words, shelvesAt, cardsAt, featuresAt } = begun(room, columns, shelves.length, cards.length, page, context, utcOffsetMinutes);
  for (let s = 0, at = shelvesAt; s < shelves.length; s++) {
    words[at++] = shelves[s]!.handle;
    words[at++] = page.shelves[s]!.count;
    words[at++] = page.shelves[s]!.fixed ? FIXED : 0;
    words[at++] = 0;
  }
  for (let place = 0, at = cardsAt; place < cards.length; place++) {
    const handle = handles[cards[place]!]!;
    // Also beyond the catalogue.
    if (!(handle >= 0)) return false;
    words[at++] = handle;
    words[at++] = fixed?.[place] ? FIXED : 0;
  }
  if (features) words.set(features, featuresAt);
  else for (let place = 0; place < cards.length; place++) words.set(columns.givenDefaults, featuresAt + place * G);
  return true;
}

const NO_SHELVES: readonly RankedLocalShelf[] = Object.freeze([]);

/** What the core answers, in columns. It is asked for nothing before all is read: its memory may grow then. */
function read(places: number, engine: Engine, words: Float64Array): PackedRanking {
  const count = words[1]!;
  const shelves = new Int32Array(count);
  const shelfPropensities = new Float64Array(count);
  const starts = new Uint32Array(count + 1);
  const cards = new Uint32Array(places);
  const propensities = new Float64Array(places).fill(1);
  const id = decisionId(words[3]!, words[4]!);
  const probe = words[5] === 1;
  const randomized = words[6] === 1;
  const policy = words[POLICY]!;
  /** Code and argument of each reason: a shelf's, then those of its cards that are told of. */
  const reasons: number[] = [];
  /** Where those of each shelf begin. */
  const from: number[] = [];
  const local: (() => RankedLocalShelf)[] = [];
  const { core, registry, rehydrator } = engine;
  let next = 0;
  let word = HEADER_WORDS + SHELF_WORDS * count;
  for (let position = 0, at = HEADER_WORDS; position < count; position++, at += SHELF_WORDS) {
    const source = words[at]!;
    const propensity = words[at + 1]!;
    const code = words[at + 2]!;
    const argument = words[at + 3]!;
    const size = words[at + 4]!;
    const end = word + size + CARD_WORDS * words[at + 5]!;
    shelfPropensities[position] = propensity;
    starts[position] = next;
    from[position] = reasons.length;
    reasons.push(code, argument);
    for (let told = word + size; told < end; told += CARD_WORDS) reasons.push(words[told + 1]!, words[told + 2]!);
    if (source < 0) {
      shelves[position] = -1 - local.length;
      const part = words.slice(word, end);
      local.push(() => rehydrator.localShelf(part, 0, size, -1 - source, argument, { position, propensity, reason: rehydrator.reason(code, argument) }));
    } else {
      shelves[position] = source;
      for (let i = next, told = word + size; told < end; told += CARD_WORDS) propensities[i++] = words[told]!;
      // A copy between types of numbers takes twice the time of a loop.
      for (let i = 0; i < size; i++) cards[next++] = words[word + i]!;
    }
    word = end;
  }
  starts[count] = next;
  const { epoch } = registry;
  let explained: CoreExplanation | undefined;
  const tell: Told[typeof TOLD] = (position, index) => {
    const at = from[position]! + (index === undefined ? 0 : 2 * (1 + index - starts[position]!));
    if (at >= (from[position + 1] ?? reasons.length)) {
      try {
        explained ??= core.explain(registry.epoch === epoch ? id : '');
        const card = explained.shelves[position]!.cards[index! - starts[position]!]!;
        return rehydrator.reason(card.reason, card.argument);
      } catch {
        return reason('general');
      }
    }
    // A handle of before says nothing now: the sentence then names nobody.
    return rehydrator.reason(reasons[at]!, registry.epoch === epoch ? reasons[at + 1]! : null);
  };
  const ranking: PackedRanking & Told = {
    decisionId: id,
    source: 'policy',
    policy: engine.policy(policy),
    modelVersion: engine.modelVersion,
    randomized,
    probe,
    shelves, shelfPropensities, cards, propensities, starts,
    local: local.length > 0 ? Object.freeze(local.map((make) => make())) : NO_SHELVES,
    [TOLD]: tell,
  };
  return Object.freeze(ranking);
}

/** The page in the server's order. Never throws, whatever `page` is. */
function serverOrder({ shelves: _, repeats: __, ...rest }: RankedPage, page: PackedPage): PackedRanking {
  let counts: number[] = [];
  try {
    counts = page.shelves.map(({ count }) => count);
    if (counts.reduce((sum, count) => sum + count, 0) !== page.cards.length || counts.some((count) => count < 0)) counts = [];
  } catch { counts = []; }
  const starts = new Uint32Array(counts.length + 1);
  counts.forEach((count, s) => { starts[s + 1] = starts[s]! + count; });
  const places = starts[counts.length]!;
  return Object.freeze({
    ...rest,
    source: 'baseline',
    shelves: Int32Array.from(counts, (_count, s) => s),
    shelfPropensities: new Float64Array(counts.length).fill(1),
    cards: Uint32Array.from({ length: places }, (_place, i) => i),
    propensities: new Float64Array(places).fill(1),
    starts,
    local: NO_SHELVES,
  });
}
