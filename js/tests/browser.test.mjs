// The built package in a real browser: IndexedDB, locks between tabs, Content-Security-Policy.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { hasBrowser, startBrowser } from './chromium.mjs';

const PAGE = {
  local: ['recently_played'],
  shelves: [
    { id: 'morning', kind: 'made_for_you', title: 'Morning commute', cards: ['a', 'b', 'c', 'd'].map((id) => ({ id, title: id.toUpperCase(), artist: `Artist ${id}` })) },
    { id: 'fresh', title: 'Fresh this week', cards: [{ id: 'e' }, { id: 'f' }] },
  ],
};

if (hasBrowser()) describe('in the browser', () => {
  let browser;
  before(async () => { browser = await startBrowser(); });
  after(() => browser?.close());
  const open = () => browser.open();
  /** Runs the text of a function in the tab, with the package and a page. */
  const run = (tab, work) => tab.evaluate(
    `import('/dist/index.js').then(({ createHome }) => (${work})({ createHome, page: ${JSON.stringify(PAGE)} }))`,
  );

  test('the IndexedDB adapter conforms', async () => {
    const tab = await open();
    const failures = await tab.evaluate(async () => {
      const { storageConformance } = await import('/tests/storage-conformance.mjs');
      const { openIndexedDb } = await import('/build/modules/storage/indexeddb.js');
      const failed = [];
      for (const one of storageConformance(openIndexedDb, { persistent: true })) {
        await one.run().catch((thrown) => failed.push(`${one.title}: ${thrown.message}`));
      }
      return failed;
    });
    assert.deepEqual(failures, []);
    await tab.close();
  });

  test('the IndexedDB adapter conforms when it seals', async () => {
    const tab = await open();
    const failures = await tab.evaluate(async () => {
      const { storageConformance } = await import('/tests/storage-conformance.mjs');
      const { openIndexedDb } = await import('/build/modules/storage/indexeddb.js');
      const sealing = { prefix: '', subtle: crypto.subtle, entropy: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)) };
      const failed = [];
      for (const one of storageConformance((name) => openIndexedDb(`sealed ${name}`, sealing), { persistent: true })) {
        await one.run().catch((thrown) => failed.push(`${one.title}: ${thrown.message}`));
      }
      return failed;
    });
    assert.deepEqual(failures, []);
    await tab.close();
  });

  test('a dump of the database holds nothing of the catalogue, and a wipe leaves no key', async () => {
    const tab = await open();
    const result = await run(tab, `async ({ createHome }) => {
      const cards = Array.from({ length: 40 }, (_, i) => ({ id: 'album:' + (7919 * (i + 1)).toString(36), title: 'Nocturne No. ' + (i + 1) + ' in B minor', artist: 'Pianist Number ' + (i % 7), family: 'nocturnes-' + (i % 3) }));
      const options = { namespace: 'dump', consent: { contribute: true }, upload: { url: '/nowhere' } };
      const dump = async () => {
        const database = await new Promise((resolve) => { indexedDB.open('ears-only').onsuccess = ({ target }) => resolve(target.result); });
        const found = {};
        for (const store of database.objectStoreNames) {
          const objects = database.transaction(store).objectStore(store);
          const ask = (method) => new Promise((resolve) => { objects[method]().onsuccess = ({ target }) => resolve(target.result); });
          found[store] = (await ask('getAllKeys')).map((key) => String(key));
          for (const value of await ask('getAll')) if (value instanceof Uint8Array) found[store].push(Array.from(value, (byte) => String.fromCharCode(byte)).join(''));
        }
        database.close();
        return found;
      };
      const home = createHome(options);
      await home.ready;
      // On a busy machine the lock may come later.
      for (let tries = 0; tries < 200 && !home.status.writer; tries++) await new Promise((resolve) => setTimeout(resolve, 25));
      const { decisionId } = home.rankSync({ shelves: [{ id: 'night', title: 'Music for the night', cards }] });
      for (const { id: cardId } of cards) home.track({ type: 'finish', decisionId, shelfId: 'night', cardId, msPlayed: 200000 });
      await home.flush();
      await home.exclude({ artist: 'Pianist Number 3' });
      const words = [...cards.flatMap(({ id, title, artist, family }) => [id, title, artist, family]), 'night', 'Music for the night'];
      const snapshot = Array.from(await home.exportState(), (byte) => String.fromCharCode(byte)).join('');
      const inSnapshot = words.filter((word) => snapshot.includes(word)).length;
      const before = await dump();
      const everything = JSON.stringify(before);
      const leaked = words.filter((word) => everything.includes(word));
      await home.close();
      const again = createHome(options);
      await again.ready;
      const { events } = again.summary();
      await again.reset();
      const after = await dump();
      await again.close();
      const of = (found) => Object.fromEntries(Object.entries(found).map(([store, all]) => [store, all.filter((text) => /^(dump\\/|consent\\/dump|ledger)/.test(text))]));
      return { inSnapshot, leaked, encrypted: home.status.encrypted, events, before: of(before), after: of(after) };
    }`);
    assert.ok(result.inSnapshot > 100, `the words are in the state: ${result.inSnapshot}`);
    assert.deepEqual(result.leaked, []);
    assert.equal(result.encrypted, true);
    assert.equal(result.events, 34, 'and are read again: all but six plays of an artist who is excluded');
    assert.deepEqual(result.before, { bytes: ['ledger'], sealed: ['dump/snapshot'], keys: ['dump/'], uses: ['dump/'] });
    assert.deepEqual(result.after, { bytes: ['ledger'], sealed: [], keys: [], uses: [] });
    await tab.close();
  });

  test('what was heard is there after a reload; a second tab ranks, and takes over when the first one closes', async () => {
    const first = await open();
    const listened = await run(first, `async ({ createHome, page }) => {
      const home = createHome();
      await home.ready;
      // On a busy machine the lock may come later.
      for (let tries = 0; tries < 200 && !home.status.writer; tries++) await new Promise((resolve) => setTimeout(resolve, 25));
      const { state, storage, writer } = home.status;
      const ranked = home.rankSync(page);
      for (const cardId of ['a', 'b', 'c']) home.track({ type: 'finish', cardId, decisionId: ranked.decisionId, shelfId: 'morning', msPlayed: 60000 });
      const { saved } = await home.flush();
      return { state, storage, writer, source: ranked.source, saved, events: home.summary().events };
    }`);
    assert.deepEqual(listened, { state: 'ready', storage: 'indexeddb', writer: true, source: 'policy', saved: true, events: 3 });
    const second = await open();
    const reading = await run(second, `async ({ createHome, page }) => {
      const home = window.home = createHome();
      const { state, writer } = await home.ready;
      const ranked = home.rankSync(page);
      home.track({ type: 'finish', cardId: 'e', msPlayed: 60000 });
      return { state, writer, local: ranked.shelves.find((shelf) => shelf.local)?.cards.length };
    }`);
    assert.deepEqual(reading, { state: 'ready', writer: false, local: 3 });
    await first.close();
    await second.waitForFunction('home.status.writer');
    assert.deepEqual(await second.evaluate('home.flush().then(({ saved }) => [saved, home.summary().events])'), [true, 4]);
    await second.reload();
    const reloaded = await run(second, `async ({ createHome }) => {
      const home = createHome();
      await home.ready;
      const { events } = home.summary();
      await home.reset();
      return [events, home.summary().events];
    }`);
    assert.deepEqual(reloaded, [4, 0]);
    await second.close();
  });

  test('to the first ranked page the browser fetches what the limit on the size counts, and nothing else', async () => {
    const counted = JSON.parse(readFileSync(new URL('../ranking-files.json', import.meta.url), 'utf8')).files;
    const tab = await open();
    const fetched = [];
    tab.on('request', (request) => fetched.push(new URL(request.url()).pathname));
    const ranked = await run(tab, `async ({ createHome, page }) => {
      const home = window.home = createHome({ namespace: 'size' });
      await home.ready;
      return (await home.rank(page)).source;
    }`);
    assert.equal(ranked, 'policy');
    assert.deepEqual(fetched, counted.map((name) => `/dist/${name}`));
    // And the others come when they are asked for.
    fetched.length = 0;
    assert.equal((await tab.evaluate("home.importHistory([{ at: 1, msPlayed: 60000, title: 'Blue in Green' }])")).plays, 1);
    assert.equal(await tab.evaluate('home.outbox().then(({ records }) => records.length)'), 0);
    assert.deepEqual(fetched, ['/dist/import-history.js', '/dist/sealing.js', '/dist/last-order.js', '/dist/contribution.js']);
    await tab.evaluate('home.close()');
    await tab.close();
  });

  test('made, closed and made again at once: the second Home writes', async () => {
    const tab = await open();
    const result = await run(tab, `async ({ createHome }) => {
      const first = createHome({ namespace: 'strict' });
      first.close();
      const second = createHome({ namespace: 'strict' });
      await second.ready;
      // On a busy machine the lock may come later.
      for (let tries = 0; tries < 200 && !second.status.writer; tries++) await new Promise((resolve) => setTimeout(resolve, 25));
      const { state, writer } = second.status;
      await second.close();
      return [state, writer, first.status.state];
    }`);
    assert.deepEqual(result, ['ready', true, 'closed']);
    await tab.close();
  });

  for (const [csp, expected] of [
    ["script-src 'self' 'unsafe-inline'", ['degraded', 'csp', 'baseline', 'csp']],
    ["default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'", ['ready', null, 'policy', null]],
  ]) {
    test(`under the policy ${csp}: ${expected[0]}`, async () => {
      browser.policy = csp;
      const tab = await open();
      const result = await run(tab, `async ({ createHome, page }) => {
        const home = createHome({ namespace: 'csp' });
        const status = await home.ready;
        const ranked = home.rankSync(page);
        await home.close();
        return [status.state, status.reason ?? null, ranked.source, ranked.error?.code ?? null];
      }`);
      browser.policy = undefined;
      assert.deepEqual(result, expected);
      await tab.close();
    });
  }
});
