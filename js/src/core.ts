// What the package needs of the compiled core. The class itself is generated; nothing of it leaves the package.
import { codeOf, HomeError, toHomeError } from './errors.js';
import type { Contribution, ExplainedCard, ExplainedShelf, Explanation, HomeOptions, RecordFields, Summary } from './types.js';

/** What is absent crosses the boundary as `null`. */
type OrNull<T> = { [K in keyof T]: undefined extends T[K] ? T[K] | null : T[K] };
interface CoreReason { reason: number; argument: number | null }
type CoreCard = Omit<ExplainedCard, 'reason' | 'sd'> & CoreReason & { sd: number | null };
type CoreShelf = Omit<ExplainedShelf, 'reason' | 'cards'> & CoreReason & { cards: CoreCard[] };
export type CoreExplanation = Omit<Explanation, 'shelves'> & { shelves: CoreShelf[] };

/** The exported class of the compiled core. Every method may throw an `Error` with a stable string `code`. */
export interface Core {
  /**
   * Goes on with another model: the bundle's bytes, and its header read as JSON. Nothing changes where it throws. Says what became of
   * what was learned: nothing, `head_carried` or `head_restarted`.
   */
  setBundle(bytes: Uint8Array, header: unknown): string;
  configuration(): [modelVersion: string, given: string[], givenDefaults: number[], context: string[], contextDefaults: number[]];
  /** Name of the policy with this number. */
  policyName(number: number): string;
  registerCards(strings: string, numbers: Float32Array): Uint32Array;
  registerShelves(strings: string): Uint32Array;
  card(handle: number): {
    id: string; title?: string; artist?: string; family?: string; kind?: string; durationMs?: number; popularity?: number;
  };
  /** Room for a page of so many words, to be written whole before `rank`. Valid until the next call. */
  room(words: number): Float32Array<ArrayBuffer>;
  /**
   * The page as words (`rehydrate.ts`), with all its cards told of or only those that were drawn. More may stand behind them. Valid until the
   * next call.
   */
  rank(now: number, after: string | undefined, all: boolean): Float64Array;
  explain(decisionId: string): CoreExplanation;
  marginals(decisionId: string): Float64Array;
  observe(
    type: string, decisionId: string, shelfId: string, cardId: string, msPlayed: number, at: number, now: number,
  ): void;
  observeMany(strings: string, numbers: Float64Array, now: number): Uint32Array;
  settle(now: number): number;
  endSession(now: number): number;
  summary(): Summary;
  snapshot(): Uint8Array;
  /** Says what became of what was learned, as `setBundle` does. */
  restore(bytes: Uint8Array): string;
  reset(): void;
  setPrivate(on: boolean, now: number): void;
  /** Pages are drawn that nobody will see. */
  setUnseen(on: boolean): void;
  /** `cardId` is empty for an artist, `at` is NaN unless it is about one play. */
  exclude(artist: string, cardId: string, at: number): number;
  include(artist: string, cardId: string): boolean;
  /** Artist and card handle in turn, one of them empty. */
  excluded(): string[];
  /** Paused: no probe starts and none is paid for, and what runs goes on. */
  setConsent(personalize: boolean, contribute: boolean, paused: boolean): void;
  setManifest(bytes: Uint8Array, parsed: unknown): void;
  ledger(): Uint8Array | undefined;
  restoreLedger(bytes: Uint8Array): void;
  startLedger(now: number): Uint8Array;
  contribution(now: number): OrNull<Contribution>;
  debit(now: number): Uint8Array | undefined;
  makeRecord(): Uint8Array;
  describeRecord(bytes: Uint8Array): OrNull<RecordFields>;
  /** Epsilon of all records together, exactly, at `delta`. */
  disclosure?(delta: number): number | undefined;
  free(): void;
}

/** One instance of the compiled module. */
export interface CoreModule {
  create(settings: unknown, seed: Uint8Array | undefined): Core;
}

/** The compiled module, ready for as many instances as are needed. */
export interface CoreProgram {
  instantiate(): Promise<CoreModule>;
}

/** Gets the compiled core. Rejects with a `HomeError`. */
export type LoadCore = (wasm: HomeOptions['wasm'], parts: CoreParts) => Promise<CoreProgram>;

/** `small` ranks and learns; `full` takes published bundles and contributes as well. */
export type CoreParts = 'small' | 'full';

/**
 * The same core with every failure as a `HomeError`. An error without a code is a trap: the instance is not touched
 * again, and `trapped` is told once.
 */
export function guardedCore(core: Core, trapped: (error: HomeError) => void): Core {
  let trap: HomeError | undefined;
  const methods = core as unknown as Record<string, (...values: unknown[]) => unknown>;
  const guarded: typeof methods = {};
  // Not a proxy, which makes a function of each call.
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(core))) {
    guarded[name] = (...values) => {
      if (trap) throw trap;
      try {
        return methods[name]!(...values);
      } catch (thrown) {
        const code = codeOf(thrown);
        if (code !== undefined) throw toHomeError(thrown, code);
        trap = new HomeError('panic', `the core stopped: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
        trapped(trap);
        throw trap;
      }
    };
  }
  return guarded as unknown as Core;
}

/** Between the fields of one entry of a string table. */
export const FIELD = '\x1f';
/** After each entry of a string table. */
export const ENTRY = '\x1e';
