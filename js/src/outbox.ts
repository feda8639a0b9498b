// Records that wait or have left, kept so that the listener can see every byte.
import { recordSentence } from './sentence.js';
import type { Core } from './core.js';
import type { Contribution, OutboxRecord, OutboxView, RecordFields, StorageAdapter } from './types.js';

/** Records shown after they left. */
const KEPT = 100;

/** One record as it is stored. */
export interface OutboxEntry {
  readonly hex: string;
  /** Missing on records of before there were nonces, until they are tried. */
  nonce?: string;
  readonly fields: RecordFields;
  state: OutboxRecord['state'];
  readonly sendAfter: number;
  sentAt?: number;
  attempts: number;
  /** First the time of sending, then a pause after each failure. */
  nextTryAt: number;
}

export class Outbox {
  readonly #storage: StorageAdapter;
  readonly #key: string;
  #entries: OutboxEntry[] = [];
  #saving: Promise<unknown> = Promise.resolve();

  constructor(storage: StorageAdapter, key: string) {
    this.#storage = storage;
    this.#key = key;
  }

  /** Reads what was stored. Resolves to the bytes that make no sense, where there are such. */
  async load(): Promise<Uint8Array | undefined> {
    const bytes = await this.#storage.get(this.#key);
    const parsed = bytes === undefined ? [] : parse(bytes);
    this.#entries = parsed ?? [];
    return parsed ? undefined : bytes;
  }

  /** Oldest first. */
  get entries(): readonly OutboxEntry[] { return this.#entries; }

  get waiting(): OutboxEntry[] { return this.#entries.filter((entry) => entry.state === 'waiting'); }

  /** Stores a new record; it is in the outbox only once it is on disk. */
  async add(nonce: Uint8Array, bytes: Uint8Array, fields: RecordFields, sendAfter: number): Promise<void> {
    const entry: OutboxEntry = { hex: toHex(bytes), nonce: toHex(nonce), fields, state: 'waiting', sendAfter, attempts: 0, nextTryAt: sendAfter };
    this.#entries = [...this.#entries, entry].slice(-KEPT);
    try {
      await this.save();
    } catch (thrown) {
      this.#entries = this.#entries.filter((other) => other !== entry);
      throw thrown;
    }
  }

  /** Stores the present state of the entries. */
  save(): Promise<void> {
    const text = JSON.stringify({ format: 1, records: this.#entries });
    const saving = this.#entries.length === 0
      ? this.#storage.delete(this.#key) : this.#storage.put(this.#key, new TextEncoder().encode(text), 'strict');
    this.#saving = Promise.all([this.#saving, saving.catch(() => undefined)]);
    return saving;
  }

  /** Resolves once no save is under way. */
  async saved(): Promise<void> { await this.#saving; }

  /** Drops what has not left. */
  async dropWaiting(): Promise<void> {
    if (this.waiting.length === 0) return;
    this.#entries = this.#entries.filter((entry) => entry.state !== 'waiting');
    await this.save();
  }

  /** Forgets everything in memory; the storage is wiped elsewhere. */
  forget(): void { this.#entries = []; }

  /** For the listener, newest first. */
  view(): OutboxRecord[] { return this.#entries.map(recordOf).reverse(); }
}

export function recordOf(entry: OutboxEntry): OutboxRecord {
  return Object.freeze({
    bytes: fromHex(entry.hex),
    hex: entry.hex,
    nonce: entry.nonce ?? '',
    fields: Object.freeze({ ...entry.fields }),
    sentence: recordSentence(entry.fields),
    state: entry.state,
    sendAfter: entry.sendAfter,
    ...(entry.sentAt === undefined ? {} : { sentAt: entry.sentAt }),
    attempts: entry.attempts,
  });
}

/** What the listener sees: the records, newest first, and where the week stands. */
export function outboxView(
  records: readonly OutboxRecord[], state: ReturnType<Core['contribution']> | undefined, stoppedBy: OutboxView['stoppedBy'],
  disclosure: OutboxView['disclosure'],
): OutboxView {
  const contribution = present<Contribution>(state ?? NOTHING);
  const { epsilonSpent, epsilonLeft, epsilonSpentYear, epsilonLeftYear, epsilonPerRecord, recordsThisPeriod, nextAllowedAt } = contribution;
  const budget = present<OutboxView['budget']>({
    epsilonSpent, epsilonLeft, epsilonSpentYear, epsilonLeftYear, epsilonPerRecord, recordsThisPeriod, nextAllowedAt,
  });
  return present<OutboxView>({ records: Object.freeze(records), budget, disclosure, contribution, stoppedBy });
}

/** The same, frozen, without what is not there. */
export function present<T extends object>(of: { [K in keyof T]?: T[K] | null | undefined }): T {
  return Object.freeze(Object.fromEntries(Object.entries(of).filter(([, value]) => value !== null && value !== undefined))) as T;
}

const NOTHING: Contribution = { state: 'off', epsilonSpent: 0, epsilonLeft: 0, recordsThisPeriod: 0 };

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function parse(bytes: Uint8Array): OutboxEntry[] | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes)) as { format?: unknown; records?: unknown };
    return value.format === 1 && Array.isArray(value.records) ? value.records as OutboxEntry[] : undefined;
  } catch {
    return undefined;
  }
}
