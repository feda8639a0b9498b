import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openIndexedDb } from '../build/modules/storage/indexeddb.js';
import { memoryStorage } from '../build/modules/storage/memory.js';
import { Keys, openStorage } from '../build/modules/storage.js';
import { storageConformance } from './storage-conformance.mjs';
import { FaultyStorage, World } from './world.mjs';

describe('memory storage', () => {
  for (const { title, run } of storageConformance(async () => memoryStorage(), { persistent: false })) test(title, run);
});

describe('IndexedDB storage', () => {
  for (const { title, run } of storageConformance(openIndexedDb, { persistent: true })) test(title, run);

  test('the durability that was asked for reaches the database', async (t) => {
    const storage = await openIndexedDb('durability');
    const asked = [];
    const original = IDBDatabase.prototype.transaction;
    t.after(() => { IDBDatabase.prototype.transaction = original; storage.close(); });
    IDBDatabase.prototype.transaction = function (stores, mode, options) { asked.push(options?.durability); return original.call(this, stores, mode, options); };
    await storage.put('a', Uint8Array.of(1), 'relaxed');
    await storage.put('a', Uint8Array.of(1), 'strict');
    assert.deepEqual(asked, ['relaxed', 'strict']);
  });

  test('makes way for another version of itself', async () => {
    const storage = await openIndexedDb('upgraded');
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase('upgraded');
      request.onsuccess = resolve;
      request.onerror = reject;
    });
    await assert.rejects(storage.get('a'), /closed/);
  });

  test('something else under a key is an error, not an absence', async () => {
    const storage = await openIndexedDb('foreign');
    const database = await new Promise((resolve) => { const request = indexedDB.open('foreign'); request.onsuccess = () => resolve(request.result); });
    await new Promise((resolve) => { const t = database.transaction('bytes', 'readwrite'); t.objectStore('bytes').put('text', 'a'); t.oncomplete = resolve; });
    database.close();
    await assert.rejects(storage.get('a'), /expected bytes/);
    storage.close();
  });
});

describe('opening', () => {
  test('without IndexedDB it is memory, and says why', async () => {
    const opened = await openStorage('indexeddb', new World().platform());
    assert.equal(opened.kind, 'memory');
    assert.equal(opened.error.code, 'storage_unavailable');
  });

  test('a storage that hangs is given up after a second', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    storage.faults.get = () => 'hang';
    const { adapter, kind } = await openStorage(storage, world.platform());
    assert.equal(kind, 'adapter');
    const reading = assert.rejects(adapter.get('a'), { code: 'storage_timeout' });
    await world.advance(999);
    await world.advance(1);
    await reading;
  });

  test('a page that was busy does not count as a storage that was slow', async () => {
    const world = new World();
    const storage = new FaultyStorage({ a: Uint8Array.of(7) });
    let answer;
    storage.faults.get = () => new Promise((resolve) => { answer = resolve; });
    const { adapter } = await openStorage(storage, world.platform());
    const reading = adapter.get('a');
    // The page was blocked for five seconds; then the overdue timer comes first, the answer right after it.
    world.now += 5000;
    const [overdue] = world.timers.splice(0, 1);
    overdue.run();
    answer();
    assert.deepEqual([...await reading], [7]);
  });

  test('failures have stable codes', async () => {
    const storage = new FaultyStorage();
    const { adapter } = await openStorage(storage, new World().platform());
    storage.faults.put = () => new DOMException('no room', 'QuotaExceededError');
    await assert.rejects(adapter.put('a', Uint8Array.of(1), 'relaxed'), { code: 'storage_full' });
    storage.faults.put = () => new Error('disk on fire');
    await assert.rejects(adapter.put('a', Uint8Array.of(1), 'relaxed'), { code: 'storage_failed' });
    storage.faults.get = () => { throw new Error('even when it throws at once'); };
    await assert.rejects(adapter.get('a'), { code: 'storage_failed' });
  });

  test('namespaces cannot reach into one another', () => {
    assert.equal(new Keys('a').prefix, 'a/');
    assert.equal(new Keys('a/b').prefix, 'a%2Fb/');
    assert.ok(!new Keys('a').consent.startsWith(new Keys('a').prefix));
  });
});
