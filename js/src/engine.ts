// The core with what JavaScript keeps around it: who is who, how a page is packed and how a result is read.
import type { Core } from './core.js';
import { HomeError } from './errors.js';
import type { CompleteEvent } from './events.js';
import { PACKED, type PackedWay } from './packed-way.js';
import { columnsOf, Packer, type Columns } from './packer.js';
import { Registry } from './registry.js';
import { LENGTH, POLICY, Rehydrator } from './rehydrate.js';
import type { CardInput, Context, Explanation, PageInput, RankedPage } from './types.js';

export class Engine {
  core: Core;
  readonly registry: Registry;
  modelVersion!: string;
  columns!: Columns;
  #packer!: Packer;
  rehydrator!: Rehydrator;
  readonly #policies: string[] = [];
  /** A page is being ranked. */
  #busy = false;

  constructor(core: Core) {
    this.core = core;
    this.registry = new Registry(core);
    this.#useModel();
  }

  #useModel(): void {
    const configuration = this.core.configuration();
    this.modelVersion = configuration[0];
    this.columns = columnsOf(configuration);
    this.#packer = new Packer(this.columns, this.registry, (words) => this.core.room(words));
    this.rehydrator = new Rehydrator(this.registry, this.columns.given, this.modelVersion);
  }

  rank(page: PageInput & Partial<PackedWay>, context: Context | undefined, now: number, utcOffsetMinutes: number): RankedPage {
    // A getter of the app's may ask for another page while its own is read, and both would be written to one place.
    if (this.#busy) throw new HomeError('page_invalid', 'expected one page at a time, got two');
    this.#busy = true;
    try {
      if (page[PACKED]) return page[PACKED](this, now, context, utcOffsetMinutes) as RankedPage;
      this.#packer.pack(page, context, utcOffsetMinutes);
      const answer = this.ranked(page, now, true);
      // A copy: while it is read the core is asked for names, and its memory may grow.
      const words = answer.slice(0, answer[LENGTH]);
      return this.rehydrator.page(words, page, this.policy(words[POLICY]!));
    } finally {
      this.#busy = false;
    }
  }

  /** Ranks what was packed. Valid until the next call of the core. */
  ranked(page: Pick<PageInput, 'after'>, now: number, all: boolean): Float64Array {
    return this.core.rank(now, page.after === undefined ? undefined : String(page.after), all);
  }

  /** Name of the policy with this number. */
  policy(number: number): string {
    return this.#policies[number] ??= this.core.policyName(number);
  }

  /** Makes the cards of a page known that was shown without being ranked. */
  registerPage(page: PageInput & Partial<PackedWay>): void {
    if (page[PACKED]) page[PACKED](this);
    else this.#packer.register(page);
  }

  registerCards(cards: Iterable<CardInput>): void {
    try {
      for (const card of cards) this.registry.card(card);
      this.registry.register();
    } catch (thrown) {
      this.registry.dropPending();
      throw thrown;
    }
  }

  observe(event: CompleteEvent, now: number): void {
    this.core.observe(event.type, event.decisionId, event.shelfId, event.cardId, event.msPlayed, event.at, now);
  }

  explain(decisionId: string): Explanation {
    const { shelves, ...head } = this.core.explain(decisionId);
    return {
      ...head,
      shelves: shelves.map(({ reason, argument, cards, ...shelf }) => ({
        ...shelf,
        reason: this.rehydrator.reason(reason, argument),
        cards: cards.map(({ reason: why, argument: about, sd, ...card }) => ({
          ...card, ...(sd === null ? {} : { sd }), reason: this.rehydrator.reason(why, about),
        })),
      })),
    };
  }

  /** Goes on with another core, or with the same one after its state or its model was replaced. */
  moveTo(core: Core): void {
    this.core = core;
    this.registry.moveTo(core);
    this.#useModel();
  }
}
