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

  test('what was heard is there after a reload; a second tab ranks, and takes over when the first one closes', async () => {
    const first = await open();
    const listened = await run(first, `async ({ createHome, page }) => {
      const home = createHome();
      const { state, storage, writer } = await home.ready;
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
    assert.deepEqual(fetched, ['/dist/import-history.js', '/dist/contribution.js']);
    await tab.evaluate('home.close()');
    await tab.close();
  });

  test('made, closed and made again at once: the second Home writes', async () => {
    const tab = await open();
    const result = await run(tab, `async ({ createHome }) => {
      const first = createHome({ namespace: 'strict' });
      first.close();
      const second = createHome({ namespace: 'strict' });
      const { state, writer } = await second.ready;
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
