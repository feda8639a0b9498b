// Published bundles: taken, kept, gone back from; and every attack on the way to them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findChecks } from '../build/modules/bundle-checks.js';
import { checkSigned, readChannel, readEnvelope, readRoot, readStatement } from '../build/modules/bundle-trust.js';
import { Bundles } from '../build/modules/bundle.js';
import { fakeProgram } from './fake-core.mjs';
import { makeHome, samplePage } from './homes.mjs';
import { canonical, DAY, fakeBundle, keyOf, Publisher, rootPayload, sha256, signed } from './publisher.mjs';
import { FaultyStorage, World } from './world.mjs';

/** Looks for a newer bundle that are under way, the latest last: WebCrypto answers when it likes. */
const looks = [];
const { look } = Bundles.prototype;
Bundles.prototype.look = function () {
  looks.push(look.call(this));
  return looks.at(-1);
};

const URL = 'https://models.example/home';
const HOUR = 3_600_000;

/** A device, its storage and its clock, and a publisher. */
class Device {
  world = new World();
  storage = new FaultyStorage();
  publisher = new Publisher(this.world.now);
  options = {};
  faults = {};

  constructor() { this.world.answer = (url, init) => this.publisher.answer(url, init); }

  get state() { return JSON.parse(Buffer.from(this.storage.values.get('bundle/default/state') ?? '{}').toString()); }

  /** Later, for both. */
  later(ms = HOUR) { this.world.now += ms; this.publisher.now += ms; }

  async open(more = {}) {
    const { world, storage } = this;
    const made = makeHome({
      world, storage, program: fakeProgram(this.faults), bundle: { url: URL, root: this.publisher.pinned, checkEveryMs: 0, ...this.options }, ...more,
    });
    await made.home.ready;
    return made;
  }

  /** Until the latest look is over; with time passing, where somebody waits for it. */
  async looked(waitMs = 0) {
    let over = false;
    void looks.at(-1).then(() => { over = true; });
    while (!over) await (waitMs > 0 ? this.world.advance(waitMs) : this.world.settle());
    await this.world.settle();
  }

  /** Until a core that stopped has been replaced. */
  async ready(home) {
    for (let round = 0; home.status.state !== 'ready' && round < 10_000; round++) await this.world.settle();
    await this.world.settle();
    assert.equal(home.status.state, 'ready');
  }

  /** One visit: ranks a page, looks for a newer bundle, closes. Returns what served and what was reported. */
  async visit({ rank = true, waitMs = 0, pages = 1 } = {}) {
    this.world.requests = [];
    const { home, errors } = await this.open();
    const sources = [];
    const rankOnce = () => {
      const page = home.rankSync(samplePage());
      assert.deepEqual(page.shelves.flatMap((shelf) => shelf.cards).length, 6, 'a page always comes back whole');
      sources.push(page.source);
    };
    const model = home.status.modelVersion;
    if (rank) rankOnce();
    await this.looked(waitMs);
    const then = home.status.modelVersion;
    for (let more = 1; more < pages; more++) {
      await this.ready(home);
      rankOnce();
    }
    if (pages > 1) await this.ready(home);
    const last = home.status.modelVersion;
    await home.close();
    const codes = errors.map((error) => error.code);
    return { model, then, last, sources, codes, errors, files: this.world.requests.map(({ url }) => url.slice(URL.length + 1)) };
  }
}

/** A device whose bundle 5 has ranked pages, with bundle 4 behind it. */
async function settled() {
  const device = new Device();
  for (const sequence of [4, 5]) {
    device.publisher.release(sequence);
    await device.visit();
    device.later();
  }
  const { model, codes } = await device.visit();
  assert.deepEqual([model, codes], ['model-5', []]);
  device.later();
  return device;
}

describe('published bundles', () => {
  test('the first one serves from the next visit on once a page was ranked, else at once', async () => {
    const device = new Device();
    device.publisher.release(1);
    const first = await device.visit();
    assert.deepEqual([first.model, first.then, first.codes], ['fake-1', 'fake-1', []]);
    assert.deepEqual((await device.visit()).model, 'model-1');
    const other = new Device();
    other.publisher.release(1);
    const early = await other.visit({ rank: false });
    assert.deepEqual([early.model, early.then, early.codes], ['fake-1', 'model-1', []]);
  });

  test('files are fetched without credentials and without a referrer, and only what is new', async () => {
    const device = new Device();
    const { sha256: hash } = device.publisher.release(1);
    await device.visit();
    assert.equal(device.world.requests.length, 4);
    for (const request of device.world.requests) {
      const { url, credentials, referrerPolicy, redirect, method, body, headers } = request;
      assert.ok(url.startsWith(`${URL}/`));
      assert.deepEqual([credentials, referrerPolicy, redirect, method, body, headers], ['omit', 'no-referrer', 'error', undefined, undefined, undefined]);
    }
    const files = ['root.json', 'channel-stable.json', `${hash}.stable-1.sig.json`, `${hash}.bundle`];
    assert.deepEqual(device.world.requests.map(({ url }) => url.slice(URL.length + 1)), files);
    assert.deepEqual((await device.visit()).files, files.slice(0, 2));
  });

  test('what was found in order is not looked at again within the hour', async () => {
    const device = new Device();
    device.options.checkEveryMs = undefined;
    device.publisher.release(1);
    await device.visit();
    assert.deepEqual((await device.visit()).files, []);
    device.later(HOUR);
    assert.equal((await device.visit()).files.length, 2);
    device.world.now -= 10 * DAY;
    assert.equal((await device.visit()).files.length, 2, 'a clock set back does not stop it');
  });

  test('what was learned stays, and columns are those of the bundle', async () => {
    const device = new Device();
    device.publisher.release(1, fakeBundle({ version: 'wide', columns: ['tempo', 'energy', 'mood'] }));
    const { home, program } = await device.open();
    home.registerCards(samplePage().shelves[0].cards);
    home.track({ type: 'finish', cardId: 'album:kind-of-blue', msPlayed: 60_000 });
    await device.looked();
    assert.equal(home.status.modelVersion, 'wide');
    const page = samplePage();
    for (const shelf of page.shelves) for (const card of shelf.cards) delete card.features;
    page.shelves[0].features = { mood: 0.5 };
    assert.equal(home.rankSync(page).source, 'policy');
    assert.equal(program.instances[0].lastPage[3], 3, 'three given columns are packed');
    assert.equal(home.summary().events, 1);
    await home.close();
    const again = await device.open();
    assert.equal(again.home.summary().events, 1);
    assert.equal(again.home.status.modelVersion, 'wide');
    await again.home.close();
  });

  test('without the option nothing is fetched and nothing kept', async () => {
    const device = new Device();
    const { home } = await device.open({ bundle: undefined });
    home.rankSync(samplePage());
    await home.close();
    assert.deepEqual(device.world.requests, []);
    assert.deepEqual([...device.storage.values.keys()].filter((key) => key.startsWith('bundle')), []);
  });

  test('a tab that does not write takes what is stored and fetches nothing', async () => {
    const device = await settled();
    Object.defineProperty(device.storage, 'lockName', { value: 'shared' });
    const first = await device.open();
    await device.looked();
    device.world.requests = [];
    const before = device.storage.log.filter((line) => line.startsWith('put bundle')).length;
    const opening = makeHome({ world: device.world, storage: device.storage, program: fakeProgram(), bundle: { url: URL, root: device.publisher.pinned, checkEveryMs: 0 } });
    await device.world.advance(200);
    await opening.home.ready;
    assert.deepEqual([opening.home.status.writer, opening.home.status.modelVersion], [false, 'model-5']);
    assert.equal(opening.home.rankSync(samplePage()).source, 'policy');
    await device.world.settle();
    assert.deepEqual(device.world.requests, []);
    assert.equal(device.storage.log.filter((line) => line.startsWith('put bundle')).length, before);
    // Its turn comes: it goes on from what the other one has come to, and looks.
    device.publisher.release(6);
    await first.home.close();
    const salt = 'f'.repeat(32);
    device.storage.values.set('bundle/default/state', new TextEncoder().encode(JSON.stringify({ ...device.state, salt })));
    const count = looks.length;
    for (let round = 0; looks.length === count && round < 1000; round++) await device.world.settle();
    await device.looked();
    assert.equal(opening.home.status.writer, true);
    assert.deepEqual([device.state.salt, device.state.current.sequence, device.state.good.sequence], [salt, 6, 5]);
    await opening.home.close();
  });

  test('with a core that takes no bundles, the built-in model serves and the bundle is not blamed', async () => {
    const device = new Device();
    device.faults.setBundle = new TypeError('wasm.core_setBundle is not a function');
    device.publisher.release(1);
    const { codes, sources } = await device.visit();
    assert.deepEqual([codes, sources, device.state.bad], [['bundle_refused'], ['policy'], []]);
    delete device.faults.setBundle;
    await device.visit();
    assert.equal((await device.visit()).model, 'model-1');
  });

  test('forgetting the listener keeps the bundle', async () => {
    const device = await settled();
    const { home } = await device.open();
    await home.reset();
    await home.close();
    assert.equal((await device.visit()).model, 'model-5');
  });

  test('an emergency goes back to old bytes under a higher sequence, without fetching them again', async () => {
    const device = await settled();
    device.publisher.release(6, fakeBundle({ version: 'model-4' }));
    const { files, codes } = await device.visit();
    assert.deepEqual(codes, []);
    assert.equal(files.filter((name) => name.endsWith('.bundle')).length, 0);
    assert.equal((await device.visit()).model, 'model-4');
    assert.equal(device.state.highest, 6);
  });

  test('the verifier in wasm finds the same', async () => {
    const device = await settled();
    device.world.subtle = undefined;
    device.publisher.release(6);
    const { model, codes } = await device.visit();
    assert.deepEqual([model, codes], ['model-5', []]);
    assert.equal((await device.visit()).model, 'model-6');
    device.publisher.release(7, undefined, { keys: [keyOf('nobody')] });
    assert.deepEqual((await device.visit()).codes, ['bundle_signature']);
  });
});

describe('healing', () => {
  /** A device that has taken bundle 6, which fails as told; bundle 5 is good. */
  const withBad = async (trap) => {
    const device = await settled();
    device.publisher.release(6, fakeBundle({ version: 'model-6', trap }));
    assert.deepEqual((await device.visit()).codes, []);
    assert.equal(device.state.current.sequence, 6);
    return device;
  };

  test('a page more on the old bundle proves nothing of the new one', async () => {
    const device = await settled();
    device.publisher.release(6);
    await device.visit({ pages: 3 });
    const { current, good } = device.state;
    assert.deepEqual([current.sequence, current.proven, good.sequence], [6, false, 5]);
    await device.visit();
    assert.equal(device.state.current.proven, true);
  });

  test('a bundle that stops the core while ranking costs one page; the last good one serves the next, and from then on', async () => {
    const device = await withBad('rank');
    const { model, last, sources, codes } = await device.visit({ pages: 3 });
    assert.deepEqual([model, last, sources], ['model-6', 'model-5', ['baseline', 'policy', 'policy']]);
    assert.deepEqual(codes.sort(), ['bundle_trapped', 'panic']);
    const next = await device.visit();
    assert.deepEqual([next.model, next.sources, next.codes], ['model-5', ['policy'], []]);
    assert.ok(!next.files.some((name) => name.endsWith('.bundle')), 'it is not fetched again');
    assert.equal(device.state.highest, 6);
    device.publisher.release(7);
    await device.visit();
    assert.equal((await device.visit()).model, 'model-7');
  });

  for (const trap of ['observe', 'registerCards', 'rank']) {
    test(`a bundle that stops the core in ${trap}: a page comes back, the last good one serves`, async () => {
      const device = await withBad(trap);
      device.world.requests = [];
      const { home, errors } = await device.open();
      home.registerCards(samplePage().shelves[0].cards);
      home.track({ type: 'finish', cardId: 'album:kind-of-blue', msPlayed: 60_000 });
      for (let page = 0; page < 3; page++) {
        assert.equal(home.rankSync(samplePage()).shelves.length, 3);
        await device.ready(home);
      }
      assert.ok(errors.some(({ code }) => code === 'bundle_trapped'), String(errors));
      assert.equal(home.rankSync(samplePage()).source, 'policy');
      assert.equal(home.status.modelVersion, 'model-5');
      await home.close();
    });
  }

  test('without a good one the built-in model serves', async () => {
    const device = new Device();
    device.publisher.release(1, fakeBundle({ version: 'model-1', trap: 'rank' }));
    await device.visit();
    const { model, last, sources } = await device.visit({ pages: 2 });
    assert.deepEqual([model, last, sources], ['model-1', 'fake-1', ['baseline', 'policy']]);
    assert.equal((await device.visit()).model, 'fake-1');
  });

  test('a bundle that used to work gets a second chance, and no third in one visit', async () => {
    const device = await settled();
    const crash = () => { throw new Error('unreachable'); };
    device.faults.rank = crash;
    const { home, errors } = await device.open();
    const rank = async () => {
      const { source } = home.rankSync(samplePage());
      await device.ready(home);
      return [source, home.status.modelVersion];
    };
    assert.deepEqual(await rank(), ['baseline', 'model-5']);
    assert.deepEqual(await rank(), ['baseline', 'model-4']);
    delete device.faults.rank;
    assert.deepEqual(await rank(), ['policy', 'model-4']);
    assert.deepEqual(errors.map(({ code }) => code).sort(), ['bundle_trapped', 'panic', 'panic']);
    await home.close();
  });

  test('a bundle that hangs the page is given up after two visits that never came back', async () => {
    const device = await settled();
    device.publisher.release(6);
    await device.visit();
    for (const model of ['model-6', 'model-6', 'model-5']) {
      const { home, errors } = await device.open();
      assert.equal(home.status.modelVersion, model);
      assert.equal(errors.some(({ code }) => code === 'bundle_trapped'), model === 'model-5');
      // The page is killed here: nothing is said, nothing is closed.
      await device.looked();
    }
  });

  test('visits that end without a page to rank count for nothing', async () => {
    const device = await settled();
    device.publisher.release(6);
    await device.visit();
    for (let visit = 0; visit < 5; visit++) assert.deepEqual((await device.visit({ rank: false })).model, 'model-6');
  });

  test('damaged bytes in the storage: the good slot serves, and the current one is fetched again', async () => {
    const device = await settled();
    const key = `bundle/default/${device.state.current.place}`;
    for (const damage of [(bytes) => bytes.fill(0, 0, 4), (bytes) => bytes.fill(255, 0, 4), (bytes) => bytes.fill(bytes.at(-1) ^ 1, -1), () => new Uint8Array(2)]) {
      device.storage.values.set(key, damage(device.storage.values.get(key)));
      const { model, codes, sources } = await device.visit();
      assert.deepEqual([model, sources, codes.length], ['model-4', ['policy'], 1]);
      assert.match(codes[0], /^bundle_(hash|malformed|signature)$/);
      assert.equal((await device.visit()).model, 'model-5');
    }
    device.storage.values.delete(key);
    assert.equal((await device.visit()).model, 'model-4');
  });

  test('a state that cannot be read: the built-in model, said once, and then as on a new device', async () => {
    for (const damaged of ['{', '[]', '{"format":1}', '{"format":9}', '']) {
      const device = await settled();
      device.storage.values.set('bundle/default/state', new TextEncoder().encode(damaged));
      const { model, codes, sources } = await device.visit();
      assert.deepEqual([model, codes, sources], ['fake-1', ['bundle_state_corrupt'], ['policy']]);
      assert.equal((await device.visit()).model, 'model-5');
    }
  });

  test('a storage that fails costs the bundle of one visit, and nothing that is kept', async () => {
    const device = await settled();
    device.storage.faults.get = (key) => /bundle.*[ab]$/.test(key) ? new Error('disk') : undefined;
    const { model, sources, codes } = await device.visit();
    assert.deepEqual([model, sources, codes[0]], ['fake-1', ['policy'], 'storage_failed']);
    device.storage.faults = {};
    assert.equal((await device.visit()).model, 'model-5');
    device.publisher.release(6);
    device.storage.faults.put = (key) => /bundle/.test(key) ? new DOMException('full', 'QuotaExceededError') : undefined;
    const full = await device.visit();
    assert.deepEqual([full.model, full.then, new Set(full.codes)], ['model-5', 'model-5', new Set(['storage_full'])]);
    device.storage.faults = {};
    assert.equal((await device.visit()).model, 'model-5');
    assert.equal((await device.visit()).model, 'model-6');
  });

  test('a wrong root from the app: said, and the built-in model serves', async () => {
    for (const root of ['', '{}', '<!doctype html>', null, 7, JSON.stringify({ payloadType: 'x', payload: '', signatures: [] })]) {
      const device = new Device();
      device.options.root = root;
      const { model, sources, codes, files } = await device.visit();
      assert.deepEqual([model, sources, codes, files], ['fake-1', ['policy'], ['bundle_malformed'], []]);
    }
  });
});

describe('root rotation', () => {
  test('a device follows from the root it knows to the newest, one by one, each signed by the one before', async () => {
    const device = await settled();
    const { publisher } = device;
    for (let step = 1; step <= 5; step++) publisher.rotate({ root: [1, 2, 3].map((n) => keyOf(`root-${step}-${n}`)), channel: [keyOf(`channel-${step}`)] });
    publisher.release(6);
    const { files, codes } = await device.visit();
    assert.deepEqual(codes, []);
    assert.deepEqual(files.slice(0, 5), ['root.json', '2.root.json', '3.root.json', '4.root.json', '5.root.json']);
    assert.equal((await device.visit()).model, 'model-6');
    assert.deepEqual((await device.visit()).files, ['root.json', 'channel-stable.json']);
  });

  test('an expired root in between is only passed through', async () => {
    const device = await settled();
    device.publisher.root({ expires: device.world.now + 1 });
    device.later();
    device.publisher.root();
    device.publisher.release(6);
    assert.deepEqual((await device.visit()).codes, []);
  });

  test('an app that ships a later root needs no chain', async () => {
    const device = await settled();
    const { publisher } = device;
    const other = [keyOf('new-1'), keyOf('new-2')];
    publisher.roles = { root: other, bundle: other, channel: other };
    publisher.root({}, other);
    publisher.release(6);
    assert.deepEqual((await device.visit()).codes, ['bundle_signature']);
    publisher.pinned = publisher.files.get('root.json').toString();
    const { model, codes } = await device.visit();
    assert.deepEqual([model, codes[0]], ['fake-1', 'bundle_signature'], 'what the old keys vouched for is left');
    assert.equal((await device.visit()).model, 'model-6');
  });

  test('a revoked channel key: what it drove too far is forgotten', async () => {
    const device = await settled();
    const { publisher } = device;
    publisher.now += 20 * HOUR;
    publisher.offer({ sequence: 5, sha256: '0'.repeat(64), size: 1, minSequence: 900_000 });
    publisher.now -= 20 * HOUR;
    assert.deepEqual((await device.visit()).codes, ['bundle_killed']);
    assert.equal((await device.visit()).model, 'fake-1');
    device.later(60_000);
    publisher.rotate({ channel: [keyOf('channel-2')] });
    publisher.release(6);
    assert.deepEqual((await device.visit()).codes, []);
    assert.equal((await device.visit()).model, 'model-6');
  });

  test('a revoked bundle key: its bundles are left, and sequences start again', async () => {
    const device = await settled();
    device.publisher.release(900_000);
    await device.visit();
    device.publisher.rotate({ bundle: [keyOf('bundle-2')] });
    device.publisher.release(7);
    assert.deepEqual((await device.visit()).codes, []);
    const { model, codes } = await device.visit();
    assert.deepEqual([model, codes], ['model-7', []]);
  });
});

describe('canary', () => {
  test('the salt is drawn once, stays, and chooses the share that was asked for', async () => {
    let chosen = 0;
    for (let index = 0; index < 200; index++) {
      const device = new Device();
      device.world.draw = () => Number(`0x${sha256(`${index}/${Math.floor(device.drawn = (device.drawn ?? 0) + 1)}`).slice(0, 8)}`) / 2 ** 32;
      device.publisher.release(1);
      await device.visit();
      const { salt } = device.state;
      device.publisher.release(2, undefined, { rolloutPermille: 250 });
      const { codes } = await device.visit();
      assert.deepEqual(codes, []);
      // The rule, written once more.
      const digest = sha256(Buffer.concat([Buffer.from(salt, 'hex'), Buffer.from('0000000000000002', 'hex')]));
      assert.equal(device.state.highest === 2, Number(`0x${digest.slice(0, 8)}`) % 1000 < 250);
      assert.equal(device.state.salt, salt);
      assert.match(salt, /^[0-9a-f]{32}$/);
      chosen += device.state.highest === 2;
      for (const { url } of device.world.requests) assert.ok(!url.includes(salt));
    }
    // 50 expected, standard deviation 6.1; the salts are fixed.
    assert.ok(chosen > 30 && chosen < 70, String(chosen));
  });

  test('devices outside the rollout take what is offered to the others, and everyone follows in the end', async () => {
    const device = new Device();
    const others = device.publisher.release(4);
    device.publisher.release(5, undefined, { rolloutPermille: 0, others });
    assert.deepEqual((await device.visit({ rank: false })).then, 'model-4');
    device.publisher.release(5);
    await device.visit();
    assert.equal((await device.visit()).model, 'model-5');
    device.publisher.release(5, undefined, { rolloutPermille: 0, others });
    const { model, codes } = await device.visit();
    assert.deepEqual([model, codes], ['model-5', []], 'whoever has it keeps it');
  });
});

// ------------------------------------------------------------------------------------------------------------- attacks

const html = () => new Response('<!doctype html><title>Sign in to the hotel</title>', { headers: { 'content-type': 'text/html' } });
const endless = () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) }));
const silent = () => new Promise(() => {});
const stalled = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }));
const bundleName = (device, sequence) => `${sha256(fakeBundle({ version: `model-${sequence}` }))}.bundle`;
const rewrite = (publisher, name, change) => publisher.files.set(name, change(publisher.files.get(name)));

/** What an attacker between device and host, or one with a stolen key, may serve; `[what, code, how]`. */
export const ATTACKS = [
  ['rollback: an old channel file again', 'bundle_rollback', ({ publisher, old }) => publisher.files.set('channel-stable.json', old.channel)],
  ['rollback: a new channel file that names an old bundle', 'bundle_rollback', ({ publisher }) => publisher.release(4)],
  ['rollback: an old root', 'bundle_rollback', async (device) => {
    const { publisher } = device;
    const old = publisher.files.get('root.json');
    publisher.rotate({ bundle: [...publisher.roles.bundle, keyOf('bundle-2')] });
    assert.deepEqual((await device.visit()).codes, []);
    publisher.files.set('root.json', old);
  }],
  ['freeze: the channel file has expired', 'bundle_expired', (device) => device.later(8 * DAY)],
  ['freeze: the channel file has expired, and the clock is set back', 'bundle_clock', (device) => { device.world.now -= 2 * DAY; }],
  ['fast-forward: a sequence far ahead', 'bundle_fast_forward', ({ publisher }) => publisher.release(2 ** 53 - 1)],
  ['fast-forward: a channel file from the future', 'bundle_clock', ({ publisher }) => {
    publisher.now += 400 * DAY;
    publisher.release(6);
    publisher.now -= 400 * DAY;
  }],
  ['fast-forward: the signature of a bundle from the future', 'bundle_clock', ({ publisher, world }) =>
    publisher.release(6, undefined, { statement: { created: world.now + 400 * DAY, expires: world.now + 500 * DAY } })],
  ['mix and match: the signature of another release', 'bundle_mixed', ({ publisher }) => {
    const { sha256: hash } = publisher.release(6);
    publisher.files.set(`${hash}.stable-6.sig.json`, publisher.files.get(`${sha256(fakeBundle({ version: 'model-5' }))}.stable-5.sig.json`));
  }],
  ['mix and match: the root in place of the channel file', 'bundle_mixed', ({ publisher }) =>
    publisher.files.set('channel-stable.json', publisher.files.get('root.json'))],
  ['mix and match: another bundle under the same sequence', 'bundle_mixed', ({ publisher }) => publisher.release(5, fakeBundle({ version: 'other' }))],
  ['mix and match: a size that is not the signed one', 'bundle_mixed', ({ publisher }) => publisher.offer({ ...publisher.release(6), size: 7_000_000 })],
  ['mix and match: the bytes of another bundle of the same size', 'bundle_hash', (device) => {
    device.publisher.release(6);
    device.publisher.files.set(bundleName(device, 6), fakeBundle({ version: 'model-9' }));
  }],
  ['one byte of the bundle changed', 'bundle_hash', (device) => {
    device.publisher.release(6);
    rewrite(device.publisher, bundleName(device, 6), (bytes) => Buffer.from(bytes).fill(bytes[20] ^ 1, 20, 21));
  }],
  ['mix and match: a bundle made for a later sequence', 'bundle_mixed', ({ publisher }) =>
    publisher.release(6, fakeBundle({ version: 'model-6', sequence: 7 }))],
  ['wrong key: the channel file', 'bundle_signature', ({ publisher }) => publisher.release(6, undefined, { channelKeys: [keyOf('nobody')] })],
  ['wrong key: the bundle', 'bundle_signature', ({ publisher }) => publisher.release(6, undefined, { keys: [keyOf('nobody')] })],
  ['wrong key: the channel key signs a bundle', 'bundle_signature', ({ publisher }) => publisher.release(6, undefined, { keys: publisher.roles.channel })],
  ['wrong key: another key under the id of the right one', 'bundle_signature', ({ publisher }) =>
    publisher.release(6, undefined, { keys: [{ ...keyOf('nobody'), keyid: publisher.roles.bundle[0].keyid }] })],
  ['a signed file changed after signing', 'bundle_signature', ({ publisher }) => rewrite(publisher, 'channel-stable.json', (bytes) => {
    const envelope = JSON.parse(bytes);
    const payload = JSON.parse(Buffer.from(envelope.payload, 'base64'));
    return Buffer.from(canonical({ ...envelope, payload: Buffer.from(canonical({ ...payload, rolloutPermille: 999 })).toString('base64') }));
  })],
  ['no signature at all', 'bundle_signature', ({ publisher }) => publisher.release(6, undefined, { channelKeys: [] })],
  ['revoked key: the channel', 'bundle_signature', ({ publisher }) => {
    const stolen = publisher.roles.channel;
    publisher.rotate({ channel: [keyOf('channel-2')] });
    publisher.release(6, undefined, { channelKeys: stolen });
  }],
  ['revoked key: the bundle', 'bundle_signature', async (device) => {
    const { publisher } = device;
    const stolen = publisher.roles.bundle;
    publisher.rotate({ bundle: [keyOf('bundle-2')] });
    // What is good is signed again with the new key.
    publisher.release(5);
    assert.deepEqual((await device.visit()).codes, []);
    device.later();
    publisher.release(6, undefined, { keys: stolen });
  }],
  ['a root that the trusted root keys did not sign', 'bundle_signature', ({ publisher }) => {
    const nobody = [keyOf('nobody-1'), keyOf('nobody-2')];
    publisher.roles = { root: nobody, bundle: nobody, channel: nobody };
    publisher.root();
  }],
  ['a root that too few of the root keys signed', 'bundle_signature', ({ publisher }) => publisher.root({}, publisher.roles.root.slice(0, 1))],
  ['a root that one root key signed twice', 'bundle_signature', ({ publisher }) =>
    publisher.root({}, [publisher.roles.root[0], publisher.roles.root[0]])],
  ['a root that only the new root keys signed', 'bundle_signature', ({ publisher }) => {
    publisher.roles = { ...publisher.roles, root: [keyOf('root-4'), keyOf('root-5')] };
    publisher.root();
  }],
  ['a root that only the old root keys signed', 'bundle_signature', ({ publisher }) => {
    const old = publisher.roles.root;
    publisher.roles = { ...publisher.roles, root: [keyOf('root-4'), keyOf('root-5')] };
    publisher.root({}, old);
  }],
  ['a root that leaves out a version', 'bundle_mixed', ({ publisher }) => {
    publisher.version++;
    publisher.files.set('2.root.json', publisher.root());
  }],
  ['expired root', 'bundle_root_expired', ({ publisher, world }) => publisher.root({ created: world.now - 2, expires: world.now - 1 })],
  ['expired signature of the bundle', 'bundle_expired', ({ publisher, world }) =>
    publisher.release(6, undefined, { statement: { created: world.now - 2, expires: world.now - 1 } })],
  ['a bundle that says itself that it has expired', 'bundle_expired', ({ publisher, world }) =>
    publisher.release(6, fakeBundle({ version: 'model-6', expires: world.now - 1 }))],
  ['other channel: its file under the name of ours', 'bundle_foreign', ({ publisher }) => publisher.release(6, undefined, { channel: 'beta', file: 'stable' })],
  ['other channel: its bundle in ours', 'bundle_foreign', ({ publisher }) => publisher.release(6, undefined, { statement: { channel: 'beta' } })],
  ['the kill switch above what is offered', 'bundle_killed', ({ publisher }) => publisher.release(6, undefined, { minSequence: 7 }), { kills: true }],
  ['huge counts: 300 signatures', 'bundle_malformed', ({ publisher }) => rewrite(publisher, 'channel-stable.json', (bytes) => {
    const envelope = JSON.parse(bytes);
    return Buffer.from(canonical({ ...envelope, signatures: Array(300).fill(envelope.signatures[0]) }));
  })],
  ['huge counts: 400 keys', 'bundle_malformed', ({ publisher }) => publisher.root({ raw: {
    keys: Object.fromEntries(Array.from({ length: 400 }, (_, index) => [sha256(String(index)), Buffer.alloc(32, index).toString('base64')])),
  } })],
  ['huge counts: a threshold beyond the keys', 'bundle_malformed', ({ publisher }) => publisher.root({ raw: {
    roles: { ...rootPayload({ created: 0, roles: publisher.roles }).roles, root: { keyids: [publisher.roles.root[0].keyid], threshold: 1e15 } },
  } })],
  ['huge counts: a threshold of nothing', 'bundle_malformed', ({ publisher }) => publisher.root({ raw: {
    roles: { ...rootPayload({ created: 0, roles: publisher.roles }).roles, channel: { keyids: [], threshold: 0 } },
  } })],
  ['a key under an id of its own choice', 'bundle_malformed', ({ publisher }) => publisher.root({ raw: {
    keys: { ['0'.repeat(64)]: publisher.roles.root[0].bytes.toString('base64') },
  } })],
  ['huge lengths: a bundle of a terabyte', 'bundle_malformed', ({ publisher }) => publisher.offer({ sequence: 6, sha256: '0'.repeat(64), size: 1e12 })],
  ['huge lengths: a header longer than the bundle', 'bundle_malformed', ({ publisher }) => {
    const bytes = Buffer.from(fakeBundle({ version: 'x' }));
    bytes.writeUInt32LE(0xffff_ffff, 12);
    publisher.release(6, bytes);
  }],
  ['a root with a version far ahead', 'bundle_fetch', ({ publisher }) => {
    publisher.version = 2 ** 53 - 2;
    publisher.root();
  }],
  ['a number that is none', 'bundle_malformed', ({ publisher }) => publisher.offer({ sequence: 6.5, sha256: '0'.repeat(64), size: 1 })],
  ['another format', 'bundle_malformed', ({ publisher }) => publisher.release(6, undefined, { format: 2 })],
  ['a payload that is no JSON', 'bundle_malformed', ({ publisher }) =>
    publisher.files.set('channel-stable.json', signed('channel', '{"format":', publisher.roles.channel))],
  ['truncated: the channel file', 'bundle_malformed', ({ publisher }) => rewrite(publisher, 'channel-stable.json', (bytes) => bytes.subarray(0, 100))],
  ['truncated: the bundle', 'bundle_size', (device) => {
    device.publisher.release(6);
    rewrite(device.publisher, bundleName(device, 6), (bytes) => bytes.subarray(0, -1));
  }],
  ['oversized: the bundle', 'bundle_size', (device) => {
    device.publisher.release(6);
    rewrite(device.publisher, bundleName(device, 6), (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]));
  }],
  ['oversized: the root', 'bundle_size', ({ publisher }) => publisher.files.set('root.json', Buffer.alloc(70_000, 32))],
  ['endless body: the channel file', 'bundle_size', ({ publisher }) => publisher.files.set('channel-stable.json', endless)],
  ['endless body: the bundle', 'bundle_size', (device) => {
    device.publisher.release(6);
    device.publisher.files.set(bundleName(device, 6), endless);
  }],
  ['slow server: no answer', 'bundle_timeout', ({ publisher }) => publisher.files.set('root.json', silent), { waitMs: 15_000 }],
  ['slow server: a body that stops', 'bundle_timeout', (device) => {
    device.publisher.release(6);
    device.publisher.files.set(bundleName(device, 6), stalled);
  }, { waitMs: 120_000 }],
  ['an error page in place of the root', 'bundle_malformed', ({ publisher }) => publisher.files.set('root.json', html)],
  ['an error page in place of the channel file', 'bundle_malformed', ({ publisher }) => publisher.files.set('channel-stable.json', html)],
  ['an error page in place of the bundle', 'bundle_size', (device) => {
    device.publisher.release(6, fakeBundle({ version: 'model-6' }, 100));
    for (const name of device.publisher.files.keys()) if (name.endsWith('.bundle')) device.publisher.files.set(name, html);
  }],
  ['the channel file is gone', 'bundle_fetch', ({ publisher }) => publisher.files.delete('channel-stable.json')],
  ['no network', 'bundle_fetch', ({ publisher }) => publisher.files.set('root.json', () => Promise.reject(new TypeError('Failed to fetch')))],
  ['a bundle that the core refuses', 'bundle_refused', ({ publisher }) => publisher.release(6, fakeBundle({ version: 'x', refuse: 'bad_body' }))],
  ['a bundle that stops the core as it is set', 'bundle_trapped', ({ publisher }) => publisher.release(6, fakeBundle({ version: 'x', trap: 'setBundle' }))],
  ['a bundle that stops the core as its columns are read', 'bundle_trapped', ({ publisher }) =>
    publisher.release(6, fakeBundle({ version: 'x', trap: 'configuration' }))],
  ['a bundle that stops the core as what was learned is brought in', 'bundle_trapped', ({ publisher }) =>
    publisher.release(6, fakeBundle({ version: 'x', trap: 'restore' }))],
];

describe('signed files', () => {
  test('with any byte changed, or cut off anywhere, they are refused with a code, or say the same', async () => {
    const publisher = new Publisher(Date.UTC(2026, 10, 23));
    publisher.root({}, publisher.roles.root.slice(0, 2));
    publisher.release(1);
    const checks = await findChecks(globalThis.crypto.subtle);
    const root = await readRoot(checks, readEnvelope(publisher.files.get('root.json'), 'the root'));
    const names = ['root.json', 'channel-stable.json', [...publisher.files.keys()].find((name) => name.endsWith('.sig.json'))];
    let refused = 0;
    let same = 0;
    for (const [name, role, read] of [[names[0], 'root', (envelope) => readRoot(checks, envelope)], [names[1], 'channel', readChannel], [names[2], 'bundle', readStatement]]) {
      const good = publisher.files.get(name);
      const said = JSON.stringify(await read(readEnvelope(good, name)));
      const open = async (bytes) => {
        try {
          const envelope = readEnvelope(bytes, name);
          await checkSigned(checks, root, role, envelope, name);
          assert.equal(JSON.stringify(await read(envelope)), said);
          same++;
        } catch (thrown) {
          assert.match(String(thrown.code), /^bundle_(malformed|signature|mixed)$/, String(thrown.stack));
          refused++;
        }
      };
      for (let at = 0; at < good.length; at++) {
        for (const flip of [1, 0x20, 0x80]) {
          const bytes = Buffer.from(good);
          bytes[at] ^= flip;
          await open(bytes);
        }
        if (at % 4 === 0) await open(good.subarray(0, at));
      }
    }
    // Bits at the end of base64 that stand for nothing may change.
    assert.ok(refused > 9_000 && same < 10, `${refused} refused, ${same} said the same`);
  });
});

describe('attacks', () => {
  for (const [what, code, attack, { waitMs = 0, kills = false } = {}] of ATTACKS) {
    test(`${what}: ${code}`, async () => {
      const device = await settled();
      device.old = { channel: device.publisher.files.get('channel-stable.json') };
      // Something newer than the old files, so that they are old.
      device.publisher.offer({ sequence: 5, sha256: sha256(fakeBundle({ version: 'model-5' })), size: fakeBundle({ version: 'model-5' }).length });
      await device.visit();
      device.later(60_000);
      await attack(device);
      const before = device.state;
      const { model, then, sources, codes, errors } = await device.visit({ waitMs });
      assert.ok(codes.length > 0 && codes.every((one) => one === code), `expected ${code}, found ${errors.map((error) => `${error.code}: ${error.message}`)}`);
      assert.deepEqual([model, then, sources], ['model-5', 'model-5', ['policy']], 'the last good bundle serves');
      const { highest, current, good, root } = device.state;
      assert.deepEqual({ highest, current, good }, { highest: before.highest, current: before.current, good: before.good });
      if (!/revoked/.test(what)) assert.equal(root, before.root, 'nothing is trusted that did not pass');
      // The next visit, offline: still the last good one.
      device.world.answer = async () => { throw new TypeError('Failed to fetch'); };
      device.world.now = Math.max(device.world.now, device.publisher.now);
      assert.equal((await device.visit()).model, kills ? 'fake-1' : 'model-5');
      // And the way back: no attack leaves anything behind that an honest publisher cannot go past.
      const honest = new Publisher(Math.max(device.world.now, device.publisher.now) + HOUR);
      device.world.now = honest.now;
      device.world.answer = honest.answer;
      while (honest.version < 9) honest.root();
      honest.release(8);
      const last = await device.visit();
      assert.deepEqual(last.codes, [], String(last.errors[0]?.message));
      assert.equal((await device.visit()).model, 'model-8');
    });
  }
});
