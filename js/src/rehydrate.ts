// Result words become the app's own objects in their new order, with place, propensity and reason: frozen.
//
// Words: 0 format, 1 shelves, 2 words, 3 and 4 decision id, 5 probe, 6 randomized, 7 policy; per shelf [source,
// propensity, reason, argument, cards, how many first ones are told of]; then for each shelf, in display order, the source of each card, and
// [propensity, reason, argument] of those told of.
import { HomeError } from './errors.js';
import { LOCAL_KINDS, localTitle } from './local-shelves.js';
import { reason, reasonAbout, REASON_CODES, type ReasonSubject } from './reasons.js';
import type { CardEntry, Registry } from './registry.js';
import type { CardInput, LocalCard, PageInput, Placed, RankedLocalShelf, RankedPage, RankedShelf, Reason } from './types.js';

export const RESULT_FORMAT = 2;
export const HEADER_WORDS = 8;
export const SHELF_WORDS = 6;
export const CARD_WORDS = 3;
/** Place of the number of words in all. */
export const LENGTH = 2;
/** Place of the number of the policy that drew the page. */
export const POLICY = 7;
const NO_ARGUMENT = -1;
const MODEL = REASON_CODES.indexOf('model');

export class Rehydrator {
  readonly #registry: Registry;
  readonly #columns: readonly string[];
  readonly #modelVersion: string;
  #reasons = new Map<number, Reason>();
  #revision = -1;

  constructor(registry: Registry, columns: readonly string[], modelVersion: string) {
    this.#registry = registry;
    this.#columns = columns;
    this.#modelVersion = modelVersion;
  }

  /** The ranked page that `words` describe, drawn by `policy`. */
  page(words: Float64Array, page: PageInput, policy: string): RankedPage {
    const shelfCount = words[1]!;
    if (words[0] !== RESULT_FORMAT || words.length !== words[LENGTH]) {
      throw new HomeError('panic', `expected result format ${RESULT_FORMAT}, got ${words[0]} with ${words.length} words`);
    }
    this.#refresh();
    const candidates = flat(page);
    const shelves: (RankedShelf | RankedLocalShelf)[] = [];
    let cardAt = HEADER_WORDS + SHELF_WORDS * shelfCount;
    for (let position = 0; position < shelfCount; position++) {
      const at = HEADER_WORDS + SHELF_WORDS * position;
      const source = words[at]!;
      const count = words[at + 4]!;
      const placed = { position, propensity: words[at + 1]!, reason: this.#reason(words[at + 2]!, words[at + 3]!) };
      if (source >= 0) {
        shelves.push(Object.freeze({
          ...page.shelves[source]!, cards: this.#cards(words, cardAt, count, candidates), ...placed,
        }));
      } else {
        shelves.push(this.localShelf(words, cardAt, count, -1 - source, words[at + 3]!, placed));
      }
      cardAt += (1 + CARD_WORDS) * count;
    }
    return Object.freeze({
      decisionId: decisionId(words[3]!, words[4]!),
      source: 'policy',
      policy,
      modelVersion: this.#modelVersion,
      randomized: words[6] === 1,
      probe: words[5] === 1,
      shelves: Object.freeze(shelves),
    });
  }

  /** One reason, as `explain` names it. */
  reason(code: number, argument: number | null): Reason {
    this.#refresh();
    return this.#reason(code, argument ?? NO_ARGUMENT);
  }

  /** Sentences name titles, and titles may have changed. */
  #refresh(): void {
    if (this.#revision === this.#registry.revision) return;
    this.#reasons.clear();
    this.#revision = this.#registry.revision;
  }

  #cards(words: Float64Array, from: number, count: number, candidates: readonly CardInput[]): readonly (CardInput & Placed)[] {
    const cards = new Array<CardInput & Placed>(count);
    for (let position = 0, at = from + count; position < count; position++, at += CARD_WORDS) {
      cards[position] = Object.freeze({
        ...candidates[words[from + position]!]!,
        position,
        propensity: words[at]!,
        reason: this.#reason(words[at + 1]!, words[at + 2]!),
      });
    }
    return Object.freeze(cards);
  }

  /** A shelf of the device, its cards from word `from`. */
  localShelf(words: Float64Array, from: number, count: number, bit: number, about: number, placed: Placed): RankedLocalShelf {
    const kind = LOCAL_KINDS[bit]!;
    const cards: ((CardInput | LocalCard) & Placed)[] = [];
    for (let position = 0, at = from + count; position < count; position++, at += CARD_WORDS) {
      const known = this.#registry.byHandle(words[from + position]!)!;
      cards.push(Object.freeze({
        ...('handle' in known ? known.card : known),
        position,
        propensity: words[at]!,
        reason: this.#reason(words[at + 1]!, words[at + 2]!),
      }));
    }
    return Object.freeze({
      id: `local:${kind}` as const,
      kind,
      title: localTitle(kind, this.#subject(about)),
      local: true,
      cards: Object.freeze(cards),
      ...placed,
    });
  }

  #reason(code: number, argument: number): Reason {
    const name = REASON_CODES[code] ?? 'general';
    if (argument === NO_ARGUMENT) return reason(name);
    const key = code * 0x1_0000_0000 + argument;
    let found = this.#reasons.get(key);
    if (found === undefined) {
      found = code === MODEL
        ? reasonAbout(name, undefined, this.#columns[argument])
        : reasonAbout(name, this.#subject(argument));
      this.#reasons.set(key, found);
    }
    return found;
  }

  #subject(handle: number): ReasonSubject | undefined {
    return handle === NO_ARGUMENT ? undefined : this.#registry.byHandle(handle) as CardEntry | LocalCard | undefined;
  }
}

/** The id as the app sees it: 16 hex digits. */
export function decisionId(high: number, low: number): string {
  return (BigInt(high) << 32n | BigInt(low)).toString(16).padStart(16, '0');
}

function flat(page: PageInput): readonly CardInput[] {
  if (page.shelves.length === 1) return page.shelves[0]!.cards;
  const cards: CardInput[] = [];
  for (const shelf of page.shelves) for (const card of shelf.cards) cards.push(card);
  return cards;
}
