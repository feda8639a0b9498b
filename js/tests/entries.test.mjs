// The entries beside the main one: what they bring along, what they weigh, what they do.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { createHome, HomeError } from 'ears-only';
import { createTestHome, fakeClock, memoryStorage, recordedTransport } from 'ears-only/testing';
import { hasBrowser, startBrowser } from './chromium.mjs';
import { outline } from './homes.mjs';
import { ENTRIES } from '../scripts/entries.mjs';

const root = new URL('../', import.meta.url);
const text = (name) => readFileSync(new URL(name, root), 'utf8');
const DAY = 24 * 3_600_000;
const PAGE = {
  visible: { shelves: 2, cards: 3 },
  shelves: ['morning', 'fresh', 'focus'].map((id) => ({
    id, title: id, cards: ['a', 'b', 'c', 'd', 'e'].map((letter) => ({ id: `${id}:${letter}`, artist: letter, family: id, cover: `${letter}.jpg` })),
  })),
};

describe('the files', () => {
  const exported = JSON.parse(text('package.json')).exports;

  for (const [subpath, name] of Object.entries(ENTRIES)) {
    test(`ears-only/${subpath}`, () => {
      assert.deepEqual(exported[`./${subpath}`], { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` });
      const code = text(`dist/${name}.js`);
      const imports = [...code.matchAll(/\b(?:from|import)\s*\(?\s*["'`]([^"'`]+)["'`]/g)].map((match) => match[1]);
      const allowed = { react: ['react'], vue: ['vue'], packed: ['./index.js'], url: ['./index.js'], testing: ['./index.js'] };
      assert.deepEqual([...new Set(imports)], allowed[subpath] ?? []);
      if (name.startsWith('adapters/')) {
        const bytes = brotliCompressSync(code).length;
        assert.ok(bytes <= 1000, `${subpath} weighs ${bytes} bytes`);
      }
    });
  }

  test('every subpath is listed, and nothing else', () => {
    assert.deepEqual(Object.keys(exported), ['.', ...Object.keys(ENTRIES).map((subpath) => `./${subpath}`), './core_bg.wasm', './package.json']);
  });
});

describe('for the tests of an app', () => {
  test('a test Home ranks for real in Node, and repeatably', async () => {
    const orders = [];
    for (const seed of [undefined, undefined, 2]) {
      const { home, errors } = createTestHome(seed === undefined ? {} : { seed });
      assert.deepEqual([(await home.ready).state, home.status.storage], ['ready', 'adapter']);
      const ranked = home.rankSync(PAGE);
      assert.equal(ranked.source, 'policy');
      orders.push([ranked.decisionId, outline(ranked)]);
      await home.close();
      assert.deepEqual(errors, []);
    }
    assert.deepEqual(orders[0], orders[1]);
    assert.notDeepEqual(orders[0], orders[2]);
  });

  test('the clock moves when the test says so, and the storage brings the listener back', async () => {
    const clock = fakeClock(Date.UTC(2026, 5, 1));
    const storage = memoryStorage();
    const first = createTestHome({ clock, storage });
    await first.home.ready;
    first.home.rankSync(PAGE);
    for (const letter of ['a', 'b', 'c']) first.home.track({ type: 'finish', cardId: `morning:${letter}`, msPlayed: 200_000 });
    assert.equal(clock.now(), Date.UTC(2026, 5, 1));
    await first.home.close();
    clock.advance(DAY);
    const { home } = createTestHome({ clock, storage });
    await home.ready;
    assert.equal(home.summary().events, 3);
    const [local] = home.rankSync({ ...PAGE, local: ['recently_played'] }).shelves.filter((shelf) => shelf.local);
    assert.equal(local.cards.length, 3);
    await home.close();
  });

  test('errors are gathered, and the app is told too', async () => {
    const told = [];
    const { home, errors } = createTestHome({ onError: (error) => told.push(error.code) });
    await home.ready;
    home.track({ type: 'listen', cardId: 'x' });
    assert.ok(errors[0] instanceof HomeError, 'one class of errors, whichever entry it comes from');
    assert.deepEqual([errors.map(({ code }) => code), told], [['event_invalid'], ['event_invalid']]);
    await home.close();
  });

  test('records are remembered in place of being sent, and fail on demand', async () => {
    const clock = fakeClock(Date.UTC(2026, 10, 23, 8));
    const week = Math.floor((clock.now() - Date.UTC(2026, 0, 5)) / (7 * DAY));
    const manifest = new TextEncoder().encode(JSON.stringify({
      format: 2, epochs: [week, week + 20], modelVersion: 'built-in', epsilonIndex: 2, windowMs: 1_800_000,
      probes: [{ kind: 'card', shelf: 'morning', shelfPosition: 0, cardPosition: 0, questions: ['played_30s'], arms: ['a', 'b'].map((letter) => ({ card: `morning:${letter}`, weight: 32768 })) }],
    }));
    const { home, network, errors } = createTestHome({ clock, consent: { contribute: true }, upload: { manifest } });
    await home.ready;
    await home.flush();
    clock.advance(27 * DAY);
    for (let hours = 0; hours < 24 * 16; hours++) {
      clock.advance(DAY / 24);
      if (home.rankSync(PAGE).probe) break;
    }
    clock.advance(31 * 60_000);
    assert.equal((await home.flush()).waiting, 1);
    network.fail(new Error('no network'));
    clock.advance(3 * DAY + 1);
    assert.equal((await home.flush()).sent, 0);
    network.fail();
    clock.advance(DAY);
    assert.equal((await home.flush()).sent, 1);
    assert.deepEqual([network.sent.length, network.sent[0].body.length, network.sent[0].record.bytes.length], [1, 256, 16]);
    assert.deepEqual(errors.filter(({ code }) => code !== 'send_failed'), []);
    await home.close();
  });

  test('a transport works with a Home of its own', async () => {
    const { transport, sent, fail } = recordedTransport();
    await transport(new Uint8Array(256), { hex: '00' });
    fail(new Error('offline'));
    await assert.rejects(transport(new Uint8Array(256), { hex: '01' }), /offline/);
    assert.deepEqual(sent.map(({ record }) => record.hex), ['00']);
    const home = createHome({ storage: 'memory', upload: { transport } });
    assert.equal((await home.ready).state, 'ready');
    await home.close();
  });
});

describe('the server\'s order on request', () => {
  test('the app\'s own fields, frozen, whatever the state', async () => {
    const { home } = createTestHome();
    for (const when of ['starting', 'ready', 'closed']) {
      const page = home.serverOrder(PAGE);
      assert.deepEqual(outline(page), outline(PAGE), when);
      assert.deepEqual([page.source, page.decisionId, page.error, page.shelves[0].cards[0].cover], ['baseline', '', undefined, 'a.jpg']);
      assert.ok(Object.isFrozen(page) && Object.isFrozen(page.shelves[0].cards[0]));
      await (when === 'starting' ? home.ready : home.close());
    }
    assert.deepEqual(home.serverOrder(null).shelves, []);
  });
});

if (hasBrowser()) describe('in the browser', () => {
  let browser;
  before(async () => { browser = await startBrowser(); });
  after(() => browser?.close());

  test('ears-only/url fetches the compiled core as a file, and not its text', async () => {
    const tab = await browser.open();
    const fetched = [];
    tab.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    const [state, source] = await tab.evaluate(async (page) => {
      const { createHome: create, HomeError: Same } = await import('/dist/url.js');
      const main = await import('/dist/index.js');
      if (Same !== main.HomeError) throw new Error('two copies of the package');
      const home = create({ storage: 'memory' });
      const status = await home.ready;
      return [status.state, home.rankSync(page).source];
    }, PAGE);
    assert.deepEqual([state, source], ['ready', 'policy']);
    assert.ok(fetched.includes('/dist/core_bg.wasm'));
    assert.ok(!fetched.some((name) => name.includes('wasm-inline')));
    await tab.close();
  });

  test('where that file is missing, the page keeps the server\'s order and the status says why', async () => {
    const tab = await browser.open();
    await tab.route('**/core_bg.wasm', (route) => route.fulfill({ status: 404, body: '' }));
    const result = await tab.evaluate(async (page) => {
      const { createHome: create } = await import('/dist/url.js');
      const home = create({ storage: 'memory' });
      const { state, reason, message } = await home.ready;
      return [state, reason, message, home.rankSync(page).source];
    }, PAGE);
    assert.deepEqual(result, ['degraded', 'load', 'the core did not load: expected the compiled core, got HTTP status 404', 'baseline']);
    await tab.close();
  });
});
