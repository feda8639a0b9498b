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
    const opened = await openStorage('indexeddb', new World().platform(), 'default/');
    assert.equal(opened.kind, 'memory');
    assert.equal(opened.error.code, 'storage_unavailable');
  });

  test('a storage that hangs is given up after a second', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    storage.faults.get = () => 'hang';
    const { adapter, kind } = await openStorage(storage, world.platform(), 'default/');
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
    const { adapter } = await openStorage(storage, world.platform(), 'default/');
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
    const { adapter } = await openStorage(storage, new World().platform(), 'default/');
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
    for (const name of ['consent', 'bundle', 'ledger']) {
      for (const foreign of [new Keys('a').consent, 'bundle/a/state', 'ledger']) assert.ok(!foreign.startsWith(new Keys(name).prefix), `${name} reaches ${foreign}`);
    }
  });
});

/** Everything that lies in a database, by store: `[key, value]`. */
async function dump(name) {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open(name);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const all = {};
  for (const store of database.objectStoreNames) {
    const objects = database.transaction(store).objectStore(store);
    const [keys, values] = await Promise.all(['getAllKeys', 'getAll'].map((method) => new Promise((resolve) => {
      objects[method]().onsuccess = ({ target }) => resolve(target.result);
    })));
    all[store] = keys.map((key, at) => [key, values[at]]);
  }
  database.close();
  return all;
}

/** Puts a value into a store as it is. */
async function plant(name, store, key, value) {
  const database = await new Promise((resolve) => { indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result); });
  await new Promise((resolve) => {
    const transaction = database.transaction(store, 'readwrite');
    if (value === undefined) transaction.objectStore(store).delete(key);
    else transaction.objectStore(store).put(value, key);
    transaction.oncomplete = resolve;
  });
  database.close();
}

const text = (words) => new TextEncoder().encode(words);
const words = (bytes) => new TextDecoder().decode(bytes);
const sealing = (change = {}) => ({
  prefix: 'default/', subtle: crypto.subtle, entropy: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)), ...change,
});
const opened = (name, change) => openIndexedDb(name, sealing(change));
const TITLE = 'Kind of Blue, heard twice';

describe('IndexedDB storage that seals everything', () => {
  for (const { title, run } of storageConformance((name) => openIndexedDb(`sealed ${name}`, sealing({ prefix: '' })), { persistent: true })) test(title, run);
});

describe('what lies in the database', () => {
  test('of the namespace only what is sealed, with a key that nobody can read; beside it, what outlives a wipe', async () => {
    const storage = await opened('dump');
    for (const key of ['default/snapshot', 'default/outbox', 'default/aside/x/1', 'ledger', 'consent/default/', 'bundle/default/state']) {
      await storage.put(key, text(TITLE), 'relaxed');
    }
    storage.close();
    const { bytes, sealed, keys } = await dump('dump');
    assert.deepEqual(bytes.map(([key]) => key), ['bundle/default/state', 'consent/default/', 'ledger']);
    assert.deepEqual(sealed.map(([key]) => key), ['default/aside/x/1', 'default/outbox', 'default/snapshot']);
    for (const [, value] of sealed) assert.ok(!Buffer.from(value).includes('Blue'));
    assert.equal(new Set(sealed.map(([, value]) => Buffer.from(value).toString('hex'))).size, 3, 'the same text looks different each time');
    const [[, { key }]] = keys;
    assert.deepEqual([key.type, key.extractable, key.algorithm.name, key.algorithm.length], ['secret', false, 'AES-GCM', 256]);
    await assert.rejects(crypto.subtle.exportKey('raw', key));
  });

  test('every nonce is new', async () => {
    const storage = await opened('nonces');
    const nonces = new Set();
    for (let i = 0; i < 300; i++) {
      await storage.put('default/a', text('same'), 'relaxed');
      if (i % 30 === 0) nonces.add(Buffer.from((await dump('nonces')).sealed[0][1].subarray(5, 17)).toString('hex'));
    }
    assert.equal(nonces.size, 10);
    storage.close();
    assert.equal((await dump('nonces')).uses[0][1].writes, 300);
  });

  test('a changed byte, another place and another key give something that nothing can read', async () => {
    const storage = await opened('changed');
    await storage.put('default/a', text(TITLE), 'strict');
    await storage.put('default/b', text('another'), 'strict');
    const { sealed: [[, value]] } = await dump('changed');
    for (let at = 0; at < value.length; at++) {
      const broken = value.slice();
      broken[at] ^= 1;
      await plant('changed', 'sealed', 'default/a', broken);
      const found = await storage.get('default/a');
      // The first byte says only what it is.
      if (at === 0) assert.equal(words(found), TITLE);
      else assert.deepEqual([found[0], found.length], [0xe1, value.length], `byte ${at}`);
    }
    await plant('changed', 'sealed', 'default/b', value);
    assert.equal((await storage.get('default/b'))[0], 0xe1, 'moved to another place');
    for (const length of [0, 1, 4, 5, 16, 17, 20]) {
      await plant('changed', 'sealed', 'default/a', value.slice(0, length));
      assert.equal((await storage.get('default/a'))[0], 0xe1, `${length} bytes`);
    }
    storage.close();
  });

  test('what an earlier release stored as it was is read, and sealed with the first write', async () => {
    await new Promise((resolve) => {
      const request = indexedDB.open('earlier', 1);
      request.onupgradeneeded = ({ target }) => {
        const store = target.result.createObjectStore('bytes');
        for (const key of ['default/snapshot', 'default/outbox', 'ledger', 'other/snapshot']) store.put(text(TITLE), key);
      };
      request.onsuccess = ({ target }) => { target.result.close(); resolve(); };
    });
    const storage = await opened('earlier');
    assert.equal(words(await storage.get('default/snapshot')), TITLE);
    assert.deepEqual((await dump('earlier')).sealed, [], 'reading writes nothing');
    await storage.put('default/new', text('new'), 'relaxed');
    await storage.delete('default/new');
    const { bytes, sealed } = await dump('earlier');
    assert.deepEqual(bytes.map(([key]) => key), ['ledger', 'other/snapshot'], 'each namespace when it is opened');
    assert.deepEqual(sealed.map(([key]) => key), ['default/outbox', 'default/snapshot']);
    assert.equal(words(await storage.get('default/outbox')), TITLE);
    storage.close();
  });

  test('a worn-out key is replaced, and everything is sealed anew before it goes', async () => {
    const storage = await opened('worn', { writesPerKey: 5 });
    const ids = new Set();
    for (let i = 0; i < 40; i++) {
      await storage.put(`default/${i % 3}`, text(String(i)), 'relaxed');
      const { keys: [[, key]], uses: [[, uses]] } = await dump('worn');
      ids.add(key.id);
      assert.ok(uses.writes <= 5 + 3, `${uses.writes} writes`);
      for (let j = Math.max(0, i - 2); j <= i; j++) assert.equal(words(await storage.get(`default/${j % 3}`)), String(j));
    }
    assert.ok(ids.size > 4, `${ids.size} keys`);
    await storage.delete('default/none');
    const { keys: [[, key]], sealed } = await dump('worn');
    assert.equal(key.old, undefined);
    for (const [, value] of sealed) assert.equal(Buffer.from(value).readUInt32BE(1), key.id);
    storage.close();
    const again = await opened('worn', { writesPerKey: 5 });
    for (let j = 37; j < 40; j++) assert.equal(words(await again.get(`default/${j % 3}`)), String(j));
    again.close();
  });

  test('a wipe drops the key first: what a crash in between leaves behind cannot be read', async (t) => {
    const storage = await opened('wiped');
    await storage.put('default/snapshot', text(TITLE), 'strict');
    await storage.put('ledger', text('dates'), 'strict');
    const { sealed: [[, left]] } = await dump('wiped');
    const asked = [];
    const original = IDBDatabase.prototype.transaction;
    t.after(() => { IDBDatabase.prototype.transaction = original; });
    let transactions = 0;
    IDBDatabase.prototype.transaction = function (...values) {
      if (transactions++ > 0) throw new DOMException('the machine is off', 'AbortError');
      return original.apply(this, values);
    };
    await assert.rejects(storage.clear('default/'));
    IDBDatabase.prototype.transaction = original;
    storage.close();
    const after = await dump('wiped');
    assert.deepEqual([after.keys, after.uses, after.sealed.length], [[], [], 1]);
    const again = await opened('wiped');
    assert.equal((await again.get('default/snapshot'))[0], 0xe1);
    await again.put('default/outbox', text('new'), 'strict');
    assert.equal(words(await again.get('default/outbox')), 'new');
    assert.equal(Buffer.compare(await again.get('default/snapshot'), left), 0, 'and no new key opens it');
    await again.clear('default/');
    const { sealed, bytes } = await dump('wiped');
    assert.deepEqual([sealed, bytes.map(([key]) => key)], [[], ['ledger']]);
    again.close();
  });

  test('a wipe in another tab: what is written afterwards has a new key', async () => {
    const [one, two] = [await opened('tabs'), await opened('tabs')];
    await one.put('default/a', text('old'), 'strict');
    assert.equal(words(await two.get('default/a')), 'old');
    await two.clear('default/');
    assert.equal(await one.get('default/a'), undefined);
    // What this tab has in hand may be of before the wipe: it is told once, and what it then writes has the new key.
    await assert.rejects(one.put('default/a', text('of before'), 'strict'), /the key was wiped/);
    assert.equal(await two.get('default/a'), undefined);
    await one.put('default/a', text('new'), 'strict');
    assert.equal(words(await two.get('default/a')), 'new');
    await Promise.all([one.put('default/b', text('b'), 'strict'), two.put('default/c', text('c'), 'strict')]);
    assert.equal((await dump('tabs')).keys.length, 1);
    for (const storage of [one, two]) {
      assert.deepEqual([words(await storage.get('default/b')), words(await storage.get('default/c'))], ['b', 'c']);
      storage.close();
    }
  });

  test('a write that was asked for before a wipe does not come after it', async () => {
    const storage = await opened('order');
    const put = storage.put('default/a', text('late'), 'strict');
    await Promise.all([put, storage.clear('default/')]);
    assert.equal(await storage.get('default/a'), undefined);
    storage.close();
  });

  test('without WebCrypto bytes are kept as they are', async () => {
    const storage = await openIndexedDb('insecure');
    await storage.put('default/snapshot', text(TITLE), 'strict');
    storage.close();
    const { bytes, sealed } = await dump('insecure');
    assert.deepEqual([bytes.map(([key]) => key), sealed], [['default/snapshot'], []]);
  });

  test('a key that cannot be made fails the write, and the next one tries again', async () => {
    let broken = true;
    const subtle = new Proxy(crypto.subtle, { get: (target, name) => name === 'generateKey' && broken ? async () => { throw new Error('no keys today'); } : target[name].bind(target) });
    const storage = await opened('keyless', { subtle });
    await assert.rejects(storage.put('default/a', text('a'), 'strict'), /no keys today/);
    assert.deepEqual((await dump('keyless')).bytes, [], 'nothing is written as it is');
    broken = false;
    await storage.put('default/a', text('a'), 'strict');
    assert.equal(words(await storage.get('default/a')), 'a');
    storage.close();
  });
});
