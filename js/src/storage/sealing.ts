// Seals what is stored: AES-GCM with 256 bits, a fresh nonce each time, bound to its place. In a chunk of its own, which shares no code with
// the entry.
import type { promisifyRequest } from 'idb-keyval';
import type { all, found, Sealing, SealingKey } from './indexeddb.js';

/** As in indexeddb.ts. */
const SEALED = 0xe1;
const NONCE_AT = 5;
const TEXT_AT = 17;
/** Of so many random nonces of 96 bits, two are equal with a chance of 2^-57. */
const WRITES_PER_KEY = 2 ** 20;

type Durability = 'relaxed' | 'strict';

/** The database with its key. */
interface Ring {
  readonly sealing: Sealing;
  key: Promise<SealingKey | undefined> | undefined;
  bound(id: string, nonce: Uint8Array<ArrayBuffer>): AesGcmParams;
  /** Reads the key anew. */
  read(): Promise<SealingKey | undefined>;
  get(id: string): Promise<Uint8Array | undefined>;
  open(): IDBDatabase;
  begin(durability: Durability): IDBTransaction;
  below(prefix: string): IDBKeyRange;
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  readonly found: typeof found;
  readonly all: typeof all;
  readonly answered: typeof promisifyRequest;
}

/** What seals a value and writes it, one at a time. */
export function sealer(ring: Ring): (id: string, bytes: Uint8Array<ArrayBuffer>, durability: Durability) => Promise<void> {
  const { found, answered, all } = ring;
  const { prefix, subtle, entropy, writesPerKey = WRITES_PER_KEY } = ring.sealing;
  let tidy = false;
  let wornOut = false;

  /** A new key, where there is none or only `after`. */
  async function newKey(after?: SealingKey): Promise<SealingKey> {
    const made = {
      id: new DataView(entropy(4).buffer).getUint32(0),
      key: await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']),
    };
    const transaction = ring.begin('strict');
    const there = await found(transaction, 'keys', prefix);
    const next = !there ? made : there.id === after?.id ? { ...made, old: there } : there;
    const puts = next === there ? [] : [
      transaction.objectStore('keys').put(next, prefix), transaction.objectStore('uses').put({ id: next.id, writes: 0 }, prefix),
    ];
    await all(...puts, transaction);
    ring.key = Promise.resolve(next);
    return next;
  }

  /** Seals and writes; false where another key has taken this one's place in the meantime. */
  async function write(id: string, bytes: Uint8Array<ArrayBuffer>, durability: Durability): Promise<boolean> {
    const one = await ring.key ?? await newKey();
    const nonce = entropy(TEXT_AT - NONCE_AT);
    const text = new Uint8Array(await subtle.encrypt(ring.bound(id, nonce), one.key, bytes));
    const value = new Uint8Array(TEXT_AT + text.length);
    new DataView(value.buffer).setUint32(1, one.id);
    value[0] = SEALED;
    value.set(nonce, NONCE_AT);
    value.set(text, TEXT_AT);
    const transaction = ring.begin(durability);
    const uses = await found(transaction, 'uses', prefix);
    if (uses?.id !== one.id) {
      void ring.read();
      // Nothing of before a wipe is written after it.
      if (uses === undefined) throw new Error('the key was wiped');
      return false;
    }
    await all(
      transaction.objectStore('sealed').put(value, id), transaction.objectStore('bytes').delete(id),
      transaction.objectStore('uses').put({ id: one.id, writes: uses.writes + 1 }, prefix), transaction,
    );
    if (uses.writes + 1 >= writesPerKey) {
      wornOut = true;
      tidy = false;
    }
    return true;
  }

  /** Takes a new key where this one is worn out, seals with it what is not yet, then drops the others. */
  async function tidyUp(): Promise<void> {
    if (wornOut) await newKey(await ring.key);
    wornOut = false;
    for (const store of (await ring.key)?.old ? ['bytes', 'sealed'] as const : ['bytes'] as const) {
      for (const id of await answered(ring.open().transaction(store).objectStore(store).getAllKeys(ring.below(prefix)))) {
        const value = await ring.get(id as string);
        if (value && value[0] !== SEALED && !await write(id as string, value as Uint8Array<ArrayBuffer>, 'strict')) return;
      }
    }
    const transaction = ring.begin('strict');
    const newest = await found(transaction, 'keys', prefix);
    await all(...(newest?.old ? [transaction.objectStore('keys').put({ ...newest, old: undefined }, prefix)] : []), transaction);
  }

  return async (id, bytes, durability) => {
    for (let tries = 0; !await write(id, bytes, durability); tries++) if (tries > 2) throw new Error('the key was taken away');
    if (!tidy) void ring.inTurn(tidyUp).catch(() => undefined);
    tidy = true;
  };
}
