// Cards and shelves by id: what the core knows them as. Metadata crosses the boundary once, and again when it changed.
import { ENTRY, FIELD, type Core } from './core.js';
import { HomeError } from './errors.js';
import type { CardInput, HistoryPlay, LocalCard, ShelfInput } from './types.js';

/** A card the core knows. The values are copies: an app may change its object in place. */
export interface CardEntry {
  handle: number;
  card: CardInput;
  kind: string;
  title: string;
  artist: string;
  family: string;
  durationMs: number;
  popularity: number;
  embedding: Float32Array | readonly number[] | undefined;
}

interface ShelfEntry { handle: number; id: string; kind: string; title: string }

/** No handle yet, or metadata that changed. */
export const UNREGISTERED = -1;

export class Registry {
  #core: Core;
  readonly #cards = new Map<string, CardEntry>();
  readonly #byHandle: (CardEntry | undefined)[] = [];
  readonly #shelves = new Map<string, ShelfEntry>();
  #pending: CardEntry[] = [];
  #pendingShelves: ShelfEntry[] = [];
  /** Grows with each registration, so that what was derived from metadata can be dropped. */
  revision = 0;
  /** Another object once handles of before are worth nothing. */
  epoch = {};

  constructor(core: Core) { this.#core = core; }

  /** What is known of a handle: the app's own card, or what history remembers. */
  byHandle(handle: number): CardEntry | LocalCard | undefined {
    const known = this.#byHandle[handle];
    if (known) return known;
    return handle >= 0 ? this.remembered(handle) : undefined;
  }

  /** What the core knows of a card. */
  remembered(handle: number): LocalCard { return withoutEmpty(this.#core.card(handle)); }

  /**
   * The entry of a card, its handle `UNREGISTERED` when `register` must be called before use. A metadata field that is left out keeps what is
   * known. `last` is a guess: what stood in its place before.
   */
  card(card: CardInput, last?: CardEntry): CardEntry {
    if (last?.card === card && same(last, card)) return last;
    const id = card.id;
    let entry = this.#cards.get(id);
    if (entry === undefined) {
      entry = {
        handle: UNREGISTERED, card, kind: '', title: '', artist: '', family: '', durationMs: -1, popularity: -1,
        embedding: undefined,
      };
      checkId('card', id);
      take(entry, card);
      this.#cards.set(id, entry);
      this.#pending.push(entry);
    } else if (!same(entry, card)) {
      take(entry, card);
      if (entry.handle !== UNREGISTERED) {
        entry.handle = UNREGISTERED;
        this.#pending.push(entry);
      }
    }
    entry.card = card;
    return entry;
  }

  /** Handle of a shelf, or `UNREGISTERED`. */
  shelf(shelf: ShelfInput): { handle: number } {
    const kind = text(shelf.kind);
    const title = text(shelf.title);
    let entry = this.#shelves.get(shelf.id);
    if (entry !== undefined && entry.kind === kind && entry.title === title) return entry;
    if (entry === undefined) {
      checkId('shelf', shelf.id);
      entry = { handle: UNREGISTERED, id: shelf.id, kind, title };
      this.#shelves.set(shelf.id, entry);
      this.#pendingShelves.push(entry);
    } else {
      entry.kind = kind;
      entry.title = title;
      if (entry.handle !== UNREGISTERED) {
        entry.handle = UNREGISTERED;
        this.#pendingShelves.push(entry);
      }
    }
    return entry;
  }

  /** Registers a card of an imported history line, unless its id is known. */
  play(id: string, play: HistoryPlay): void {
    if (this.#cards.has(id)) return;
    this.card({
      id,
      title: play.title,
      ...(play.artist === undefined ? {} : { artist: play.artist }),
      ...(play.family === undefined ? {} : { family: play.family }),
      ...(play.kind === undefined ? {} : { kind: play.kind }),
    });
  }

  /** Sends what is new or changed across. */
  register(): void {
    if (this.#pending.length > 0) {
      const entries = this.#pending;
      const handles = this.#core.registerCards(cardStrings(entries), cardNumbers(entries));
      this.#pending = [];
      entries.forEach((entry, i) => {
        entry.handle = handles[i]!;
        this.#byHandle[entry.handle] = entry;
      });
      this.revision++;
    }
    if (this.#pendingShelves.length > 0) {
      const entries = this.#pendingShelves;
      const handles = this.#core.registerShelves(
        entries.map((shelf) => shelf.id + FIELD + shelf.kind + FIELD + shelf.title + ENTRY).join(''),
      );
      this.#pendingShelves = [];
      entries.forEach((entry, i) => { entry.handle = handles[i]!; });
    }
  }

  /** Forgets what was asked for but refused, so that one bad card does not spoil the next page. */
  dropPending(): void {
    for (const entry of this.#pending) this.#cards.delete(entry.card.id);
    for (const entry of this.#pendingShelves) this.#shelves.delete(entry.id);
    this.#pending = [];
    this.#pendingShelves = [];
  }

  /** Forgets every card and shelf. */
  clear(): void {
    for (const entry of this.#cards.values()) entry.handle = UNREGISTERED;
    this.#cards.clear();
    this.#shelves.clear();
    this.#byHandle.length = 0;
    this.#pending = [];
    this.#pendingShelves = [];
    this.revision++;
    this.epoch = {};
  }

  /** Registers everything again, with a new core or with one whose state was replaced. */
  moveTo(core: Core): void {
    this.#core = core;
    this.epoch = {};
    this.#byHandle.length = 0;
    this.#pending = [...this.#cards.values()];
    this.#pendingShelves = [...this.#shelves.values()];
    for (const entry of this.#pending) entry.handle = UNREGISTERED;
    for (const entry of this.#pendingShelves) entry.handle = UNREGISTERED;
    this.register();
  }
}

function same(entry: CardEntry, card: CardInput): boolean {
  return entry.handle !== UNREGISTERED
    && (card.title === undefined || card.title === entry.title)
    && (card.artist === undefined || card.artist === entry.artist)
    && (card.family === undefined || card.family === entry.family)
    && (card.kind === undefined || card.kind === entry.kind)
    && (card.popularity === undefined || card.popularity === entry.popularity)
    && (card.durationMs === undefined || card.durationMs === entry.durationMs)
    && (card.embedding === undefined || card.embedding === entry.embedding || sameNumbers(card.embedding, entry.embedding))
    && card.id === entry.card.id;
}

function take(entry: CardEntry, card: CardInput): void {
  if (card.title !== undefined) entry.title = card.title;
  if (card.artist !== undefined) entry.artist = card.artist;
  if (card.family !== undefined) entry.family = card.family;
  if (card.kind !== undefined) entry.kind = card.kind;
  if (card.popularity !== undefined) entry.popularity = card.popularity;
  if (card.durationMs !== undefined) entry.durationMs = card.durationMs;
  if (card.embedding !== undefined) entry.embedding = card.embedding;
}

function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number> | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function checkId(what: string, id: unknown): asserts id is string {
  if (typeof id !== 'string' || id === '') {
    throw new HomeError('id_invalid', `${what} id must be a non-empty string, got ${id === '' ? 'an empty one' : typeof id}`);
  }
  if (SEPARATORS.test(id)) throw new HomeError('id_invalid', `${what} id must hold no control characters 1e and 1f`);
}

const SEPARATORS = /[\x1e\x1f]/;
const ALL_SEPARATORS = /[\x1e\x1f]/g;

/** A name as it crosses: always a string, never a separator. */
export function text(value: unknown): string {
  if (typeof value !== 'string') return '';
  return SEPARATORS.test(value) ? value.replace(ALL_SEPARATORS, ' ') : value;
}

function cardStrings(entries: readonly CardEntry[]): string {
  return entries.map((entry) => entry.card.id + FIELD + text(entry.title) + FIELD + text(entry.artist) + FIELD + text(entry.family)
    + FIELD + text(entry.kind) + ENTRY).join('');
}

function cardNumbers(entries: readonly CardEntry[]): Float32Array {
  let length = 0;
  for (const entry of entries) length += 3 + (entry.embedding?.length ?? 0);
  const numbers = new Float32Array(length);
  let at = 0;
  for (const entry of entries) {
    numbers[at++] = entry.durationMs;
    numbers[at++] = entry.popularity;
    const size = entry.embedding?.length ?? 0;
    numbers[at++] = size;
    if (entry.embedding) numbers.set(entry.embedding, at);
    at += size;
  }
  return numbers;
}

function withoutEmpty(card: ReturnType<Core['card']>): LocalCard {
  return Object.fromEntries(Object.entries(card).filter(([, value]) => value !== undefined && value !== '')) as unknown as LocalCard;
}
