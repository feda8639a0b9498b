// A page of ordinary objects becomes words in the memory of the core.
//
// Words: 0 format, 1 shelves S, 2 cards C, 3 given columns G, 4 visible shelves, 5 visible cards, 6 local shelf mask,
// 7 context columns K, 8 minutes to add to UTC, 9-15 zero; K context values; S times [shelf, cards, flags, 0];
// C times [card, flags]; zeros up to a multiple of four; C x G features by row.
import type { Core } from './core.js';
import { HomeError } from './errors.js';
import { localMask } from './local-shelves.js';
import type { CardEntry, Registry } from './registry.js';
import type { Context, Features, PageInput, ShelfInput } from './types.js';

export const PAGE_FORMAT = 1;
export const HEADER_WORDS = 16;
export const FIXED = 1;
export const MAX_SHELVES = 200;
export const MAX_CARDS = 10_000;
export const DEFAULT_VISIBLE = { shelves: 3, cards: 6 } as const;

/** What the packer asks of the model, read once. */
export interface Columns {
  readonly given: readonly string[];
  readonly givenDefaults: Float32Array;
  readonly context: readonly string[];
  readonly contextDefaults: Float32Array;
}

export function columnsOf([, given, givenDefaults, context, contextDefaults]: ReturnType<Core['configuration']>): Columns {
  return { given, givenDefaults: Float32Array.from(givenDefaults), context, contextDefaults: Float32Array.from(contextDefaults) };
}

export class Packer {
  readonly #columns: Columns;
  readonly #registry: Registry;
  readonly #room: Core['room'];
  #entries: CardEntry[] = [];
  #shelves: { handle: number }[] = [];
  /** A row of defaults with the shelf's own values, for shelves that have features by name. */
  readonly #row: Float32Array;

  constructor(columns: Columns, registry: Registry, room: Core['room']) {
    this.#columns = columns;
    this.#registry = registry;
    this.#room = room;
    this.#row = new Float32Array(columns.given.length);
  }

  /** The page as words. Valid until the next call. Throws a `HomeError` for a page that cannot be packed. */
  pack(page: PageInput, context: Context | undefined, utcOffsetMinutes: number): Float32Array {
    const cards = countCards(page.shelves);
    this.#lookUp(page.shelves);
    return written(this.#room, (room) => this.#fill(room, page, cards, context, utcOffsetMinutes));
  }

  #fill(room: Core['room'], page: PageInput, cards: number, context: Context | undefined, utcOffsetMinutes: number): Float32Array {
    const shelves = page.shelves;
    const G = this.#columns.given.length;
    const { words, shelvesAt, cardsAt, featuresAt } = begun(room, this.#columns, shelves.length, cards, page, context, utcOffsetMinutes);

    let flat = 0;
    for (let s = 0; s < shelves.length; s++) {
      const shelf = shelves[s]!;
      const at = shelvesAt + 4 * s;
      words[at] = this.#shelves[s]!.handle;
      words[at + 1] = shelf.cards.length;
      words[at + 2] = shelf.fixed ? FIXED : 0;
      words[at + 3] = 0;
      const base = this.#shelfRow(shelf);
      for (const card of shelf.cards) {
        words[cardsAt + 2 * flat] = this.#entries[flat]!.handle;
        words[cardsAt + 2 * flat + 1] = card.fixed ? FIXED : 0;
        const features = card.features;
        const row = featuresAt + flat * G;
        if (features === undefined) words.set(base, row);
        else this.#write(words, row, features, base);
        flat++;
      }
    }
    return words;
  }

  /** Makes the cards and shelves of a page known without ranking it. */
  register(page: PageInput): void {
    countCards(page.shelves);
    this.#lookUp(page.shelves);
  }

  #lookUp(shelves: readonly ShelfInput[]): void {
    const registry = this.#registry;
    const entries = this.#entries;
    try {
      let flat = 0;
      for (let s = 0; s < shelves.length; s++) {
        this.#shelves[s] = registry.shelf(shelves[s]!);
        for (const card of shelves[s]!.cards) {
          entries[flat] = registry.card(card, entries[flat]);
          flat++;
        }
      }
      entries.length = flat;
      registry.register();
    } catch (thrown) {
      registry.dropPending();
      throw thrown;
    }
  }

  /** What a card of this shelf starts from. */
  #shelfRow(shelf: ShelfInput): Float32Array {
    if (shelf.features === undefined) return this.#columns.givenDefaults;
    this.#write(this.#row, 0, shelf.features, this.#columns.givenDefaults);
    return this.#row;
  }

  #write(into: Float32Array, at: number, features: Features, base: Float32Array): void {
    const names = this.#columns.given;
    if (features instanceof Float32Array || Array.isArray(features)) {
      if (features.length !== names.length) {
        throw new HomeError('column_count', `expected ${names.length} feature values per card, got ${features.length}`);
      }
      into.set(features, at);
      return;
    }
    if (typeof features !== 'object' || features === null) {
      throw new HomeError('column_count', `features must be numbers or an object by column name, got ${typeof features}`);
    }
    const named = features as Readonly<Record<string, unknown>>;
    for (let column = 0; column < names.length; column++) {
      into[at + column] = numberOf(named[names[column]!], names[column]!) ?? base[column]!;
    }
  }
}

/**
 * What `write` returns, which writes into the room it asks for. Values of the app may be getters that call this package: where the memory grew
 * meanwhile, the room was taken away, and what was written is lost.
 */
export function written<T>(room: Core['room'], write: (room: Core['room']) => T): T {
  let words!: Float32Array<ArrayBuffer>;
  const result = write((length) => (words = room(length)));
  if (!words.length) throw new HomeError('page_invalid', 'the page changed while it was read');
  return result;
}

/** Words for a page, with what stands before its shelves; and where its other parts begin. */
export function begun(
  room: Core['room'], columns: Columns, shelves: number, cards: number, page: Pick<PageInput, 'visible' | 'local'>,
  context: Context | undefined, utcOffsetMinutes: number,
): { words: Float32Array<ArrayBuffer>; shelvesAt: number; cardsAt: number; featuresAt: number } {
  const { given, context: names, contextDefaults } = columns;
  const K = names.length;
  const shelvesAt = HEADER_WORDS + K;
  const cardsAt = shelvesAt + 4 * shelves;
  const unpadded = cardsAt + 2 * cards;
  const featuresAt = (unpadded + 3) & ~3;
  const words = room(featuresAt + cards * given.length);
  words[0] = PAGE_FORMAT;
  words[1] = shelves;
  words[2] = cards;
  words[3] = given.length;
  words[4] = page.visible?.shelves ?? DEFAULT_VISIBLE.shelves;
  words[5] = page.visible?.cards ?? DEFAULT_VISIBLE.cards;
  words[6] = localMask(page.local);
  words[7] = K;
  words[8] = utcOffsetMinutes;
  words.fill(0, 9, HEADER_WORDS);
  for (let k = 0; k < K; k++) words[HEADER_WORDS + k] = numberOf(context?.[names[k]!], names[k]!) ?? contextDefaults[k]!;
  words.fill(0, unpadded, featuresAt);
  return { words, shelvesAt, cardsAt, featuresAt };
}

/** Checks the outline of a page and its size before anything is made of it. */
function countCards(shelves: unknown): number {
  if (!Array.isArray(shelves)) throw new HomeError('page_invalid', `page.shelves must be an array, got ${typeof shelves}`);
  if (shelves.length === 0) throw new HomeError('page_empty', 'a page needs at least one shelf, got none');
  if (shelves.length > MAX_SHELVES) {
    throw new HomeError('page_too_large', `a page holds at most ${MAX_SHELVES} shelves, got ${shelves.length}`);
  }
  let cards = 0;
  for (const shelf of shelves as readonly (ShelfInput | null | undefined)[]) {
    if (!Array.isArray(shelf?.cards)) throw new HomeError('page_invalid', `shelf.cards must be an array, got ${typeof shelf?.cards}`);
    if (shelf.cards.length === 0) throw new HomeError('shelf_empty', 'a shelf needs at least one card, got none');
    cards += shelf.cards.length;
  }
  if (cards > MAX_CARDS) throw new HomeError('page_too_large', `a page holds at most ${MAX_CARDS} cards, got ${cards}`);
  return cards;
}

/** A number, or nothing where nothing was given. */
function numberOf(value: unknown, name: string): number | undefined {
  if (typeof value === 'number') return value;
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new HomeError('not_finite', `${name} must be a number or a boolean, got ${typeof value}`);
}
