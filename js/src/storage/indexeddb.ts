// Storage in IndexedDB: one database per origin, one object store, bytes by key.
import { openDB, type DBSchema } from 'idb';
import type { StorageAdapter } from '../types.js';

const DATABASE = 'ears-only';
const VERSION = 1;

interface Schema extends DBSchema {
  bytes: { key: string; value: Uint8Array };
}

/** Opens the database of this origin. */
export async function openIndexedDb(name = DATABASE): Promise<StorageAdapter> {
  let gone = false;
  const db = await openDB<Schema>(name, VERSION, {
    upgrade(database) { database.createObjectStore('bytes'); },
    // Another tab wants a newer version, or a wipe: make way. This Home goes on in memory.
    blocking() { gone = true; db.close(); },
    terminated() { gone = true; },
  });

  const begin = (durability: 'relaxed' | 'strict') => {
    if (gone) throw new Error('the database was closed');
    return db.transaction('bytes', 'readwrite', { durability });
  };

  return {
    lockName: name,
    async get(key) {
      if (gone) throw new Error('the database was closed');
      const value: unknown = await db.get('bytes', key);
      if (value !== undefined && !(value instanceof Uint8Array)) throw new Error('expected bytes, got something else');
      return value;
    },
    // A full disk may fail the request or only the commit, so both are awaited.
    async put(key, bytes, durability) {
      const transaction = begin(durability);
      await Promise.all([transaction.store.put(bytes, key), transaction.done]);
    },
    async delete(key) {
      const transaction = begin('strict');
      await Promise.all([transaction.store.delete(key), transaction.done]);
    },
    async clear(prefix) {
      const transaction = begin('strict');
      await Promise.all([transaction.store.delete(IDBKeyRange.bound(prefix, `${prefix}\uffff`)), transaction.done]);
    },
    close() { gone = true; db.close(); },
  };
}
