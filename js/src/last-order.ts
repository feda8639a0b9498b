// The orders of the last visit: what is shown of a page that must be on screen before there is a core. In a chunk of its own, which shares no
// code with the entry: a first visit has none, and the first ranked page does not wait for it.
import type { HomeError } from './errors.js';
import type { Keys } from './storage.js';
import type { CardInput, PageInput, Placed, RankedPage, RankedShelf, Reason, ReasonCode, ShelfInput, StorageAdapter } from './types.js';

/** Pages whose order is kept; older ones go. */
const MAX_PAGES = 4;
/** Most bytes that all of them take; also no more than the snapshots leave of `MAX_STORED_BYTES`. */
const MAX_BYTES = 256_000;
/** Most bytes of a snapshot, one kept aside and the orders together. */
export const MAX_STORED_BYTES = 2_000_000;
const FORMAT = 1;

/** Id, propensity and reason of one thing, in the order it was shown. */
type Line = readonly [id: string, propensity: number, reason: ReasonCode];
interface Order {
  readonly decisionId: string;
  readonly policy: string;
  readonly modelVersion: string;
  readonly shelves: readonly (readonly [...Line, cards: readonly Line[]])[];
}
type Thing = { readonly id: string; readonly fixed?: boolean };

export class LastOrders {
  /** They are not to be stored any more. */
  dropped = false;
  #orders: readonly Order[] = [];
  #bytes = 0;

  /** Of stored bytes; what cannot be read is as good as none. */
  constructor(bytes?: Uint8Array) {
    try {
      const { format, orders } = JSON.parse(new TextDecoder().decode(bytes)) as { format: unknown; orders: Order[] };
      if (format !== FORMAT) return;
      // Throws for what is no order.
      orders.forEach(outline);
      this.#orders = orders;
      this.#bytes = bytes!.length;
    } catch { return; }
  }

  /**
   * The page as it was shown last time, or nothing where none of the kept orders has the same shelves with the same cards. Shelves of the
   * device are left out: their cards are not known without the core. Never throws, whatever `page` is.
   */
  again(page: PageInput, error: HomeError, reason: (code: ReasonCode) => Reason): RankedPage<RankedShelf> | undefined {
    for (const order of this.#orders) {
      try {
        const shelves = arranged(page.shelves, order.shelves, (shelf: ShelfInput, [,,, lines], place) => {
          const cards = arranged(shelf.cards, lines, (card: CardInput, _, at) => Object.freeze({ ...card, ...at }), reason);
          return cards && Object.freeze({ ...shelf, cards: Object.freeze(cards), ...place }) as RankedShelf;
        }, reason);
        if (shelves) {
          return Object.freeze({
            decisionId: '',
            repeats: order.decisionId,
            source: 'last',
            policy: order.policy,
            modelVersion: order.modelVersion,
            randomized: false,
            probe: false,
            error: Object.freeze({ code: error.code, message: error.message }),
            shelves: Object.freeze(shelves),
          });
        }
      } catch { continue; }
    }
    return undefined;
  }

  /** Stores what was shown since beside a snapshot of so many bytes. What could not be read and lies aside gives way to what can. */
  async save(storage: StorageAdapter, keys: Keys, shown: readonly RankedPage[], snapshotBytes: number): Promise<void> {
    const asides = [keys.aside('snapshot'), keys.aside('outbox')];
    let others = snapshotBytes;
    for (const aside of asides) others += (await storage.get(aside))?.length ?? 0;
    if (others > MAX_STORED_BYTES) {
      for (const aside of asides) await storage.delete(aside);
      others = snapshotBytes;
    }
    const bytes = this.keep(shown, others);
    if (!bytes || this.dropped) return;
    if (bytes.length) await storage.put(keys.orders, bytes, 'relaxed');
    // A storage of the app's may have taken the two in the other order.
    if (bytes.length === 0 || this.dropped) await storage.delete(keys.orders);
  }

  /**
   * Adds what was shown since, the newest last, and gives the bytes to store beside so many others: nothing where nothing changed, empty where
   * nothing fits.
   */
  keep(shown: readonly RankedPage[], otherBytes: number): Uint8Array | undefined {
    const room = Math.min(MAX_BYTES, MAX_STORED_BYTES - otherBytes);
    if (shown.length === 0 && this.#bytes <= room) return undefined;
    for (const page of shown) {
      // A page of typed arrays keeps no order.
      if (!Array.isArray(page.shelves)) continue;
      const order = orderOf(page);
      this.#orders = [order, ...this.#orders.filter((other) => outline(other) !== outline(order))].slice(0, MAX_PAGES);
    }
    let bytes = new Uint8Array();
    do {
      bytes = new TextEncoder().encode(JSON.stringify({ format: FORMAT, orders: this.#orders }));
      if (bytes.length <= room) break;
      this.#orders = this.#orders.slice(0, -1);
    } while (this.#orders.length > 0);
    if (this.#orders.length === 0) bytes = new Uint8Array();
    this.#bytes = bytes.length;
    return bytes;
  }
}

function orderOf({ decisionId, policy, modelVersion, shelves }: RankedPage): Order {
  const line = ({ id, propensity, reason }: Placed & { readonly id: string }): Line => [id, propensity, reason.code];
  return {
    decisionId, policy, modelVersion,
    shelves: shelves.filter((shelf) => !('local' in shelf)).map((shelf) => [...line(shelf), shelf.cards.map(line)]),
  };
}

/** What makes two orders orders of one page: the ids, whatever their places. */
function outline({ shelves }: Order): string {
  return JSON.stringify(shelves.map(([id,,, cards]) => [id, cards.map(([card]) => card).sort()]).sort());
}

/** The things in the order of `lines`, those that are fixed where they are now; nothing where they are not the same things. */
function arranged<T extends Thing, L extends readonly [...Line, ...unknown[]], R>(
  things: readonly T[], lines: readonly L[], make: (thing: T, line: L, place: Placed) => R | undefined, reason: (code: ReasonCode) => Reason,
): R[] | undefined {
  const byId = new Map(things.map((thing) => [thing.id, thing]));
  if (byId.size !== lines.length || things.length !== lines.length) return undefined;
  const lineOf = new Map(lines.map((line) => [line[0], line]));
  const free = lines.filter(([id]) => !byId.get(id)?.fixed);
  let next = 0;
  const made: R[] = [];
  for (let position = 0; position < things.length; position++) {
    const here = things[position]!;
    const line = here.fixed ? lineOf.get(here.id) : free[next++];
    const thing = line && byId.get(line[0]);
    const one = thing && make(thing, line, here.fixed
      ? { position, propensity: 1, reason: reason('fixed') }
      : { position, propensity: line[1], reason: reason(line[2]) });
    if (one === undefined) return undefined;
    made.push(one);
  }
  return made;
}
