// What is kept over visits, and what happens when the storage misbehaves.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CORES, makeHome, samplePage } from './homes.mjs';
import { FaultyStorage, World } from './world.mjs';

const KEY = 'default/snapshot';

async function listen(home) {
  await home.ready;
  home.rankSync(samplePage());
  home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
}

for (const core of CORES) {
  describe(`keeping, on the ${core} core`, () => {
    test('history is there on the next visit', async () => {
      const world = new World();
      const storage = new FaultyStorage();
      const first = makeHome({ core, world, storage });
      await listen(first.home);
      await first.home.close();
      const second = makeHome({ core, world, storage });
      assert.equal((await second.home.ready).state, 'ready');
      assert.equal(second.home.summary().events, 1);
      await second.home.close();
      assert.deepEqual([...first.errors, ...second.errors], []);
    });

    test('namespaces are profiles: each has its own history', async () => {
      const storage = new FaultyStorage();
      const parent = makeHome({ core, storage, namespace: 'parent' });
      await listen(parent.home);
      await parent.home.close();
      const child = makeHome({ core, storage, namespace: 'child' });
      await child.home.ready;
      assert.equal(child.home.summary().events, 0);
      await child.home.reset();
      await child.home.close();
      assert.ok(storage.values.has('parent/snapshot'));
    });

    test('a corrupt or truncated snapshot is kept aside, reported, and not lost', async () => {
      const world = new World();
      const storage = new FaultyStorage();
      const first = makeHome({ core, world, storage });
      await listen(first.home);
      await first.home.close();
      const whole = storage.values.get(KEY);
      for (const broken of [whole.subarray(0, whole.length >> 1), Uint8Array.of(9, 9, 9), new Uint8Array()]) {
        storage.values = new Map([[KEY, broken]]);
        const { home, errors } = makeHome({ core, world, storage });
        assert.equal((await home.ready).state, 'ready');
        assert.deepEqual(errors.map((error) => error.code), ['snapshot_corrupt']);
        assert.equal(home.rankSync(samplePage()).source, 'policy');
        await listen(home);
        await home.close();
        assert.deepEqual(storage.values.get('default/aside/snapshot'), broken.slice());
        assert.ok(storage.values.get(KEY).length > 3, 'the new history is saved');
      }
    });

    test('wiping forgets every key of the namespace, and neither the ledger nor the consents', async () => {
      const storage = new FaultyStorage({ ledger: Uint8Array.of(0x4c, 0), 'default/aside/snapshot': Uint8Array.of(1), 'other/snapshot': Uint8Array.of(1) });
      const { home } = makeHome({ core, storage });
      await listen(home);
      await home.setConsent({ personalize: true });
      await home.flush();
      assert.ok(storage.values.has(KEY));
      await home.reset();
      assert.deepEqual([...storage.values.keys()].sort(), ['consent/default/', 'ledger', 'other/snapshot']);
      await home.close();
    });
  });
}

describe('a newer snapshot', () => {
  test('is kept aside for the newer package', async () => {
    const newer = new TextEncoder().encode('{"version":2}');
    const storage = new FaultyStorage({ [KEY]: newer });
    const { home, errors, world } = makeHome({ storage });
    await listen(home);
    await home.close();
    assert.deepEqual(errors.map((error) => error.code), ['snapshot_newer']);
    assert.deepEqual(storage.values.get('default/aside/snapshot'), newer);
  });

  test('that cannot be kept aside is never written over', async () => {
    const newer = new TextEncoder().encode('{"version":2}');
    const storage = new FaultyStorage({ [KEY]: newer });
    storage.faults.put = (key) => key.includes('/aside/') ? new DOMException('no room', 'QuotaExceededError') : undefined;
    const { home, errors } = makeHome({ storage });
    await listen(home);
    assert.deepEqual([home.status.state, home.status.reason], ['degraded', 'storage']);
    assert.equal((await home.flush()).saved, false);
    await home.close();
    assert.deepEqual(errors.map((error) => error.code), ['snapshot_newer', 'storage_full']);
    assert.deepEqual(storage.values.get(KEY), newer);
  });
});

describe('a storage that misbehaves', () => {
  test('rejects when read: ranked from memory, nothing stored is touched', async () => {
    const storage = new FaultyStorage({ [KEY]: Uint8Array.of(1) });
    storage.faults.get = () => new Error('broken');
    const { home, errors } = makeHome({ storage });
    await listen(home);
    const { state, reason, storage: kind } = home.status;
    assert.deepEqual([state, reason, kind], ['degraded', 'storage', 'memory']);
    assert.equal(home.rankSync(samplePage()).source, 'policy');
    assert.equal(home.summary().events, 1);
    assert.equal((await home.flush()).saved, false);
    await home.close();
    assert.deepEqual(errors.map((error) => error.code), ['storage_failed']);
    assert.deepEqual([...storage.values], [[KEY, Uint8Array.of(1)]]);
    assert.ok(storage.log.every((line) => line.startsWith('get ')));
  });

  test('hangs when read: ranked from memory after one second', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    storage.faults.get = () => 'hang';
    const { home, errors } = makeHome({ world, storage });
    const page = samplePage();
    assert.equal(home.rankSync(page).source, 'baseline');
    const ranked = home.rank(page);
    await world.advance(1000);
    assert.equal((await ranked).source, 'policy');
    assert.equal(home.status.reason, 'storage');
    assert.deepEqual(errors.map((error) => error.code), ['storage_timeout']);
    await home.close();
  });

  test('runs full: ranking goes on, the old snapshot stays, a later save mends it', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    const { home, errors } = makeHome({ world, storage });
    await listen(home);
    await home.flush();
    const old = storage.values.get(KEY);
    storage.faults.put = () => new DOMException('no room', 'QuotaExceededError');
    home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
    assert.equal((await home.flush()).saved, false);
    assert.equal((await home.flush()).saved, false);
    assert.deepEqual([home.status.state, home.status.reason], ['degraded', 'storage']);
    assert.deepEqual(errors.map((error) => error.code), ['storage_full'], 'told once');
    assert.equal(storage.values.get(KEY), old);
    assert.equal(home.rankSync(samplePage()).source, 'policy');
    storage.faults = {};
    assert.equal((await home.flush()).saved, true);
    assert.equal(home.status.state, 'ready');
    await home.close();
  });

  test('hangs when written: degraded, and closing does not hang', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    const { home, errors } = makeHome({ world, storage });
    await listen(home);
    storage.faults.put = () => 'hang';
    const closed = home.close();
    // A second for what is being saved; the last state does not wait for a storage that hangs.
    await world.advance(1000);
    await closed;
    assert.deepEqual(errors.map((error) => error.code), ['storage_timeout']);
  });

  test('answers late: no state waits until then, what is agreed to and wiped is handed on, and then it is used again', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    const { home } = makeHome({ world, storage });
    await listen(home);
    const answers = [];
    storage.faults.put = () => new Promise((resolve) => { answers.push(resolve); });
    const slow = home.flush();
    await world.advance(1000);
    assert.equal((await slow).saved, false);
    const asked = storage.log.length;
    assert.equal((await home.flush()).saved, false, 'at once');
    assert.equal(storage.log.length, asked, 'not even asked');
    const agreed = home.setConsent({ personalize: false, contribute: false });
    await world.advance(0);
    assert.ok(storage.log.slice(asked).some((line) => line.startsWith('put consent/')), 'a consent is');
    storage.faults = {};
    for (const answer of answers) answer();
    await agreed.catch(() => undefined);
    assert.ok([...storage.values.keys()].some((key) => key.startsWith('consent/')), 'and is stored');
    await home.setConsent({ personalize: true, contribute: false });
    await world.advance(0);
    assert.equal((await home.flush()).saved, true);
    await home.close();
  });

  test('cannot be wiped: reset says so', async () => {
    const storage = new FaultyStorage();
    const { home } = makeHome({ storage });
    await listen(home);
    storage.faults.clear = () => new Error('broken');
    await assert.rejects(home.reset(), { code: 'storage_failed' });
    assert.equal(home.summary().events, 0, 'what is in memory is forgotten all the same');
    await home.close();
  });

  test('throws at once instead of rejecting', async () => {
    const storage = new FaultyStorage();
    storage.get = () => { throw new Error('not even a promise'); };
    const { home } = makeHome({ storage });
    assert.equal((await home.ready).reason, 'storage');
    await home.close();
  });
});

describe('when it is saved', () => {
  test('a second after what was seen, at once after an act, once for many acts', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    const { home } = makeHome({ world, storage });
    await home.ready;
    home.rankSync(samplePage());
    const saves = () => storage.log.filter((line) => line === `put ${KEY} relaxed`).length;
    const stored = () => JSON.parse(new TextDecoder().decode(storage.values.get(KEY))).events.length;
    home.track({ type: 'impression', cardId: 'album:dummy' });
    await world.advance(999);
    assert.equal(saves(), 0);
    await world.advance(1);
    assert.deepEqual([saves(), stored()], [1, 1]);
    await world.advance(60_000);
    assert.equal(saves(), 1);
    home.track({ type: 'play', cardId: 'album:dummy' });
    await world.settle();
    assert.deepEqual([saves(), stored()], [2, 2], 'the page may be left now');
    await world.advance(249);
    for (let i = 0; i < 10; i++) home.track({ type: 'play', cardId: 'album:dummy' });
    await world.settle();
    assert.equal(saves(), 2);
    await world.advance(1);
    assert.deepEqual([saves(), stored()], [3, 12]);
    await world.advance(60_000);
    assert.equal(saves(), 3);
    await home.close();
  });

  test('never two saves at once, and the last one has everything', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    const { home, platform } = makeHome({ world, storage });
    await listen(home);
    let open = 0;
    let most = 0;
    storage.faults.put = async () => {
      most = Math.max(most, ++open);
      await world.settle();
      open--;
    };
    platform.events.hidden();
    home.track({ type: 'play', cardId: 'album:dummy' });
    platform.events.hidden();
    await home.flush();
    assert.equal(most, 1);
    assert.equal(JSON.parse(new TextDecoder().decode(storage.values.get(KEY))).events.length, 2);
    await home.close();
  });

  test('a save under way does not come back after a wipe', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    const { home, platform } = makeHome({ world, storage });
    await listen(home);
    storage.faults.put = () => world.settle();
    platform.events.hidden();
    await home.reset();
    await world.settle();
    assert.ok(!storage.values.has(KEY));
    storage.faults = {};
    await home.close();
  });

  test('at once when the page is hidden, and the session ends when it is gone', async () => {
    const world = new World();
    const storage = new FaultyStorage();
    const { home, platform, program } = makeHome({ world, storage });
    await listen(home);
    platform.events.hidden();
    await world.settle();
    assert.ok(storage.values.has(KEY));
    assert.ok(!program.log.includes('endSession'));
    platform.events.gone();
    assert.ok(program.log.includes('endSession'));
    await home.close();
    assert.deepEqual(platform.events, {});
  });

  test('closing ends the session, saves, frees the core, and happens once', async () => {
    const storage = new FaultyStorage();
    const { home, program } = makeHome({ storage });
    await listen(home);
    await Promise.all([home.close(), home.close()]);
    assert.deepEqual(program.log.slice(-3), ['endSession', 'snapshot', 'free']);
    assert.equal(home.status.state, 'closed');
    home.track({ type: 'play', cardId: 'album:dummy' });
    assert.equal(home.rankSync(samplePage()).error.code, 'closed');
    assert.equal(home.summary().events, 0);
    await home.flush();
    assert.equal(program.log.at(-1), 'free');
  });
});

describe('two Homes of one profile', () => {
  const shared = () => Object.assign(new FaultyStorage(), { lockName: 'test' });

  test('one writes, the other ranks and takes over with what it heard', async () => {
    const world = new World();
    const storage = shared();
    const one = makeHome({ world, storage });
    await listen(one.home);
    const two = makeHome({ world, storage });
    await world.advance(200);
    assert.deepEqual([one.home.status.writer, two.home.status.writer, two.home.status.state], [true, false, 'ready']);
    two.home.rankSync(samplePage());
    two.home.track({ type: 'finish', cardId: 'album:blue-lines', msPlayed: 45_000 });
    assert.equal((await two.home.flush()).saved, false);
    assert.equal(JSON.parse(new TextDecoder().decode(storage.values.get(KEY))).events.length, 1, 'what the writer heard');
    await one.home.close();
    await world.settle();
    assert.equal(two.home.status.writer, true);
    assert.equal(two.home.summary().events, 2, 'one from each');
    assert.equal((await two.home.flush()).saved, true);
    assert.equal(two.home.rankSync(samplePage()).source, 'policy');
    await two.home.close();
    assert.deepEqual([...one.errors, ...two.errors], []);
  });

  test('a wipe while a tab becomes the writer: what it had read of before is not used, nor saved', async () => {
    const world = new World();
    const storage = shared();
    const one = makeHome({ world, storage });
    await listen(one.home);
    const two = makeHome({ world, storage });
    await world.advance(200);
    two.home.rankSync(samplePage());
    two.home.track({ type: 'finish', cardId: 'album:dummy', msPlayed: 60_000 });
    let go;
    let read = false;
    const held = new Promise((resolve) => { go = resolve; });
    storage.get = async (key) => {
      const value = storage.values.get(key)?.slice();
      if (key === KEY) { read = true; await held; }
      return value;
    };
    await one.home.close();
    for (let tries = 0; tries < 100 && !read; tries++) await world.settle();
    assert.ok(read && !two.home.status.writer, 'it reads what the writer left');
    const wiping = two.home.reset();
    await world.settle();
    go();
    await wiping;
    await world.settle();
    assert.deepEqual([two.home.status.writer, two.home.summary().events], [true, 0]);
    await two.home.close();
    assert.equal(JSON.parse(new TextDecoder().decode(storage.values.get(KEY))).events.length, 0);
  });

  test('made, closed and made again, as StrictMode does: the second one writes', async () => {
    const world = new World();
    const storage = shared();
    const first = makeHome({ world, storage });
    const closing = first.home.close();
    const second = makeHome({ world, storage });
    await closing;
    const status = await second.home.ready;
    assert.deepEqual([status.state, status.writer], ['ready', true]);
    assert.equal((await first.home.ready).state, 'closed');
    await second.home.close();
    assert.ok(first.program.instances.every((core) => core.freed));
  });

  test('closing during any step of the start leaves nothing open', async () => {
    for (let steps = 0; steps < 30; steps++) {
      const world = new World();
      const storage = shared();
      let opened = 0;
      storage.close = () => { opened--; };
      const { home, errors, program, platform } = makeHome({ world, storage });
      opened++;
      for (let i = 0; i < steps; i++) await undefined;
      await home.close();
      await world.settle();
      assert.equal(home.status.state, 'closed');
      assert.equal(opened, 0, `storage closed after ${steps} steps`);
      assert.deepEqual([...world.locks.values()].flat(), [], `locks let go after ${steps} steps`);
      assert.ok([...world.channels.values()].every((members) => members.size === 0));
      assert.ok(program.instances.every((core) => core.freed));
      assert.deepEqual(platform.events, {});
      assert.deepEqual(errors, []);
    }
  });

  test('a reset or a choice in one tab holds in the others', async () => {
    const world = new World();
    const storage = shared();
    const one = makeHome({ world, storage });
    await listen(one.home);
    const two = makeHome({ world, storage });
    await world.advance(200);
    await two.home.reset();
    assert.equal(one.home.summary().events, 0);
    await two.home.setConsent({ personalize: false });
    assert.equal(one.home.rankSync(samplePage()).source, 'baseline');
    await two.home.close();
    await one.home.close();
  });

  test('where there are no locks, each writes', async () => {
    const world = new World();
    world.hasLocks = false;
    const { home } = makeHome({ world, storage: shared() });
    assert.equal((await home.ready).writer, true);
    await home.close();
  });
});

test('subscribers hear of changes until they stop', async () => {
  const { home } = makeHome();
  let calls = 0;
  const stop = home.subscribe(() => calls++);
  await home.ready;
  assert.ok(calls > 0);
  home.rankSync(samplePage());
  const before = calls;
  home.track({ type: 'play', cardId: 'album:dummy' });
  assert.equal(calls, before + 1);
  stop();
  home.track({ type: 'play', cardId: 'album:dummy' });
  assert.equal(calls, before + 1);
  await home.close();
});

test('methods work when taken off the Home', async () => {
  const { home } = makeHome();
  const { rankSync, track, ready, close, summary } = home;
  await ready;
  assert.equal(rankSync(samplePage()).source, 'policy');
  track({ type: 'play', cardId: 'album:dummy' });
  assert.equal(summary().events, 1);
  await close();
  if (Symbol.asyncDispose) assert.equal(typeof home[Symbol.asyncDispose], 'function');
});
