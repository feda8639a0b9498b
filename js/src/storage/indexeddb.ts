// Storage in IndexedDB: one database per origin, bytes by key. What is about the listener is encrypted with a key that no script can read.
import { promisifyRequest as answered } from 'idb-keyval';
import type { StorageAdapter } from '../types.js';

const DATABASE = 'ears-only';
const VERSION = 2;

/** A sealed value: this byte, the number of its key, a nonce, the text. Nothing that is kept begins so when it is read. */
const SEALED = 0xe1;
const NONCE_AT = 5;
const TEXT_AT = 17;

/** A key, and the ones that it takes the place of until nothing is sealed with them. */
export interface SealingKey {
  /** Drawn, not counted: a key that was wiped is not mistaken for the one after it. */
  readonly id: number;
  readonly key: CryptoKey;
  readonly old?: SealingKey | undefined;
}

/** What each store keeps by a text. */
export interface Values {
  /** As they are: consents, the privacy ledger, published bundles; and everything where there is no WebCrypto. */
  bytes: Uint8Array;
  sealed: Uint8Array<ArrayBuffer>;
  /** By prefix. */
  keys: SealingKey;
  /** By prefix: how often that key sealed. */
  uses: { readonly id: number; readonly writes: number };
}

const STORES = ['bytes', 'sealed', 'keys', 'uses'] as const;

/** The value in a store of this transaction, if there is one. */
export function found<S extends keyof Values>(transaction: IDBTransaction, store: S, key: string): Promise<Values[S] | undefined> {
  return answered(transaction.objectStore(store).get(key) as IDBRequest<Values[S] | undefined>);
}

/** What is encrypted, and with what. */
export interface Sealing {
  /** What begins so is. */
  readonly prefix: string;
  readonly subtle: SubtleCrypto;
  entropy(bytes: number): Uint8Array<ArrayBuffer>;
  readonly writesPerKey?: number;
}

/** A full disk may fail a request or only the commit, and the error of the one that failed says why: all are awaited. */
export const all = (...work: (IDBRequest | IDBTransaction)[]): Promise<unknown> => Promise.all(work.map((one) => answered(one as IDBRequest)));

/** Opens the database of this origin. Without `sealing`, bytes are kept as they are. */
export async function openIndexedDb(name = DATABASE, sealing?: Sealing): Promise<StorageAdapter & { warm(id: string): Promise<unknown> }> {
  let gone = false;
  const opening = indexedDB.open(name, VERSION);
  // Version 1 had the first store alone.
  opening.onupgradeneeded = ({ oldVersion }) => { for (const store of STORES.slice(oldVersion)) opening.result.createObjectStore(store); };
  const db = await answered(opening);
  const close = () => {
    gone = true;
    db.close();
  };
  // Another tab wants a newer version, or a wipe: make way. This Home goes on in memory.
  db.onversionchange = close;
  db.onclose = close;
  const open = () => {
    if (gone) throw new Error('the database was closed');
    return db;
  };
  const begin = (durability: 'relaxed' | 'strict') => open().transaction(STORES, 'readwrite', { durability });
  const below = (prefix: string) => IDBKeyRange.bound(prefix, `${prefix}\uffff`);

  // One after the other: sealing takes its time, and a wipe must not overtake a write.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };

  const isSealed = (id: string) => sealing !== undefined && id.startsWith(sealing.prefix);
  const ring = {
    sealing: sealing!,
    key: undefined as Promise<SealingKey | undefined> | undefined,
    bound: (id: string, nonce: Uint8Array<ArrayBuffer>) => ({ name: 'AES-GCM', iv: nonce, additionalData: new TextEncoder().encode(id) }),
    read: () => {
      const key = ring.key = found(open().transaction('keys'), 'keys', sealing!.prefix);
      // What could not be read once is read again.
      key.catch(() => { ring.key = undefined; });
      return key;
    },
    get, open, begin, below, inTurn, found, answered, all,
  };
  /** Writes, in a chunk of its own: to the first page only reading is needed. */
  const load = () => import('./sealing.js').then(({ sealer }) => sealer(ring));
  let sealer: ReturnType<typeof load> | undefined;
  const warm = async () => {
    try {
      return await (sealer ??= load());
    } catch (thrown) {
      sealer = undefined;
      throw thrown;
    }
  };
  // Read once, beside the first value; whoever needs it waits for it.
  if (sealing) void ring.read();

  async function unsealed(id: string, value: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    const number = new DataView(value.buffer).getUint32(1);
    for (let look = 0; look < 2; look++) {
      for (let one = await ring.key; one; one = one.old) {
        if (one.id === number) {
          return new Uint8Array(await sealing!.subtle.decrypt(ring.bound(id, value.slice(NONCE_AT, TEXT_AT)), one.key, value.subarray(TEXT_AT)));
        }
      }
      // Another tab may have made it.
      void ring.read();
    }
    throw new Error('no such key');
  }

  async function get(id: string): Promise<Uint8Array | undefined> {
    // At one moment: a value that moves from one place to the other is found in one of them.
    const transaction = open().transaction(['bytes', 'sealed']);
    const [plain, sealed] = await Promise.all([
      found(transaction, 'bytes', id) as Promise<unknown>, isSealed(id) ? found(transaction, 'sealed', id) : undefined,
    ]);
    if (sealed) {
      // A key that cannot be read says nothing about the value.
      await (ring.key ?? ring.read());
      try {
        return await unsealed(id, sealed);
      } catch {
        // Given as it is: whoever asked cannot read it either, and keeps it aside.
        sealed[0] = SEALED;
        return sealed.length === 0 ? Uint8Array.of(SEALED) : sealed;
      }
    }
    if (plain !== undefined && !(plain instanceof Uint8Array)) throw new Error('expected bytes, got something else');
    return plain;
  }

  return {
    lockName: name,
    warm: async (id) => isSealed(id) && warm(),
    get,
    async put(id, bytes, durability) {
      if (!isSealed(id)) {
        const transaction = begin(durability);
        await all(transaction.objectStore('bytes').put(bytes, id), transaction);
        return;
      }
      const copy = bytes.slice();
      await inTurn(async () => (await warm())(id, copy, durability));
    },
    delete: (id) => inTurn(async () => {
      const transaction = begin('strict');
      await all(...(['bytes', 'sealed'] as const).map((store) => transaction.objectStore(store).delete(id)), transaction);
    }),
    // The key first: what a crash leaves behind cannot be read.
    clear: (start) => inTurn(async () => {
      for (const stores of [['keys', 'uses'], ['bytes', 'sealed']] as const) {
        const transaction = begin('strict');
        await all(...stores.map((store) => transaction.objectStore(store).delete(below(start))), transaction);
      }
    }),
    close,
  };
}
