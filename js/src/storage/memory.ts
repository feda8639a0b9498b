// Storage that lasts as long as the page.
import type { StorageAdapter } from '../types.js';

/** Keeps copies, so that later changes to a buffer do not reach what was stored. */
export function memoryStorage(): StorageAdapter {
  const values = new Map<string, Uint8Array>();
  return {
    async get(key) { return values.get(key)?.slice(); },
    async put(key, bytes) { values.set(key, bytes.slice()); },
    async delete(key) { values.delete(key); },
    async clear(prefix) {
      for (const key of [...values.keys()]) if (key.startsWith(prefix)) values.delete(key);
    },
  };
}
