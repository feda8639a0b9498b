// Where bytes are kept: which adapter, what its keys are called, and how long it may take to answer.
import { HomeError } from './errors.js';
import { afterPatience } from './patience.js';
import type { Platform } from './platform.js';
import { openIndexedDb } from './storage/indexeddb.js';
import { memoryStorage } from './storage/memory.js';
import type { HomeOptions, Status, StorageAdapter } from './types.js';

/** A storage that has not answered by then counts as failed. */
export const STORAGE_DEADLINE_MS = 1000;
/** And for a part of the package that the storage needs. */
const FETCH_MS = 10_000;

/** Keys of one namespace. */
export class Keys {
  readonly prefix: string;

  constructor(namespace: string) {
    // A namespace called as one of the places beside it would reach into the others.
    const name = encodeURIComponent(namespace);
    this.prefix = name === 'consent' || name === 'bundle' ? `${name}%/` : `${name}/`;
  }

  get snapshot(): string { return `${this.prefix}snapshot`; }
  get outbox(): string { return `${this.prefix}outbox`; }
  get orders(): string { return `${this.prefix}orders`; }
  /** Outside the prefix: a wipe forgets what was learned, not what was agreed to. */
  get consent(): string { return `consent/${this.prefix}`; }
  /** Where a snapshot or an outbox goes that could not be read: the last one. */
  aside(what: 'snapshot' | 'outbox'): string { return `${this.prefix}aside/${what}`; }
}

export interface OpenedStorage {
  readonly adapter: StorageAdapter;
  readonly kind: Status['storage'];
  /** Whether what it keeps of the listener is encrypted. */
  readonly encrypted?: boolean;
  /** Why this is not the storage that was asked for. */
  readonly error?: HomeError;
}

/** The storage the options ask for, or memory when it cannot be had in time. What begins with `prefix` is encrypted where the package keeps it. */
export async function openStorage(options: HomeOptions['storage'], platform: Platform, prefix: string): Promise<OpenedStorage> {
  if (options === 'memory') return { adapter: memoryStorage(), kind: 'memory' };
  if (typeof options === 'object') return { adapter: withDeadline(options, platform), kind: 'adapter' };
  try {
    if (platform.indexedDB === undefined) throw new HomeError('storage_unavailable', 'IndexedDB is not available here');
    const { subtle } = platform;
    const opening = openIndexedDb(undefined, subtle && { prefix, subtle, entropy: platform.entropy });
    // A database that opens too late is closed again, or it would block the next version of itself.
    const adapter = await deadline(platform, 'opening', opening, STORAGE_DEADLINE_MS, () => { void opening.then((one) => one.close?.(), () => undefined); });
    return { adapter: withDeadline(adapter, platform), kind: 'indexeddb', encrypted: subtle !== undefined };
  } catch (thrown) {
    return { adapter: memoryStorage(), kind: 'memory', error: storageError(thrown, 'storage_unavailable') };
  }
}

/**
 * The same storage with a limit on every answer and every failure as a `HomeError`. While an answer is overdue, states are not handed to it,
 * of which there will be later ones; consents, ledgers and wipes are, and take effect when it comes back.
 */
function withDeadline(adapter: StorageAdapter & { warm?(key: string): Promise<unknown> }, platform: Platform): StorageAdapter {
  let overdue = 0;
  const limit = async <T>(what: string, run: () => Promise<T>, ms = STORAGE_DEADLINE_MS): Promise<T> => {
    try {
      const work = run();
      return await deadline(platform, what, work, ms, () => {
        overdue++;
        const settled = () => { overdue--; };
        work.then(settled, settled);
      });
    } catch (thrown) {
      throw storageError(thrown, 'storage_failed');
    }
  };
  return {
    get: (key) => limit('reading', () => adapter.get(key)),
    async put(key, bytes, durability) {
      // What has to be fetched for it may take longer.
      await limit('preparing', async () => adapter.warm?.(key), FETCH_MS);
      if (overdue && durability === 'relaxed') throw late('writing', STORAGE_DEADLINE_MS);
      return limit('writing', () => adapter.put(key, bytes, durability));
    },
    delete: (key) => limit('deleting', () => adapter.delete(key)),
    clear: (prefix) => limit('clearing', () => adapter.clear(prefix)),
    close: () => adapter.close?.(),
    ...(adapter.lockName === undefined ? {} : { lockName: adapter.lockName }),
  };
}

const late = (what: string, ms: number) => new HomeError('storage_timeout', `${what} the storage took longer than ${ms} ms`);

/** The answer, or a `storage_timeout` after `ms`; then `over` is called. */
function deadline<T>(platform: Platform, what: string, work: Promise<T>, ms: number, over?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = afterPatience(platform, ms, () => {
      over?.();
      reject(late(what, ms));
    });
    work.then(resolve, reject).finally(stop);
  });
}

function storageError(thrown: unknown, code: 'storage_failed' | 'storage_unavailable'): HomeError {
  if (thrown instanceof HomeError) return thrown;
  const name = (thrown as { name?: unknown } | undefined)?.name;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return name === 'QuotaExceededError'
    ? new HomeError('storage_full', `the storage is full: ${message}`, { cause: thrown })
    : new HomeError(code, `the storage failed: ${message}`, { cause: thrown });
}
