// What counts as seen, in a real browser: layout and scrolling are real, only the second is the test's.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { hasBrowser, startBrowser } from './chromium.mjs';

if (hasBrowser()) describe('what was seen', () => {
  let browser;
  let tab;
  before(async () => { browser = await startBrowser(); });
  after(() => browser?.close());
  // Four cards of 100 pixels; the window shows 250.
  beforeEach(async () => {
    await tab?.close();
    tab = await browser.open();
    await tab.setViewportSize({ width: 400, height: 250 });
    // Time stands still but for the test.
    await tab.clock.install({ time: 0 });
    await tab.clock.pauseAt(60_000);
    await tab.evaluate(async () => {
      document.body.style.margin = '0';
      document.body.innerHTML = ['a', 'b', 'c', 'd'].map((id) => `<div id="${id}" style="height:100px"></div>`).join('');
      const { createObserver } = await import('/dist/observe.js');
      window.heard = [];
      window.observe = createObserver({ track: (event) => heard.push(event) });
      window.stops = {};
      window.watch = (id, decisionId = 'd1') => { stops[id] = observe(document.getElementById(id), { decisionId, shelfId: 's', cardId: id }); };
      // What an observer made now is told, the one under test has been told too.
      window.told = () => new Promise((resolve) => new IntersectionObserver(resolve).observe(document.body));
      for (const id of ['a', 'b', 'c', 'd']) watch(id);
      await told();
    });
  });

  const later = (ms) => tab.clock.runFor(ms);
  const heard = () => tab.evaluate(() => heard.map(({ cardId }) => cardId));
  const scrollTo = (y) => tab.evaluate(async (top) => { scrollTo(0, top); await told(); await told(); }, y);
  const hide = (hidden) => tab.evaluate((on) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => on });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);

  test('half a card for a second, not less; the event names card, shelf and decision', async () => {
    await later(999);
    assert.deepEqual(await heard(), []);
    await later(1);
    assert.deepEqual(await heard(), ['a', 'b', 'c'], 'c is on screen by half');
    assert.deepEqual(await tab.evaluate(() => heard[0]), { type: 'impression', decisionId: 'd1', shelfId: 's', cardId: 'a' });
    await later(5000);
    assert.equal((await heard()).length, 3, 'once each');
  });

  test('a card that goes and comes back starts again', async () => {
    await later(900);
    await scrollTo(150);
    await later(900);
    assert.deepEqual(await heard(), ['b', 'c'], 'they stayed by half, a left');
    await later(100);
    assert.deepEqual(await heard(), ['b', 'c', 'd']);
    await scrollTo(0);
    await later(999);
    assert.equal((await heard()).length, 3);
    await later(1);
    assert.deepEqual((await heard()).at(-1), 'a');
  });

  test('a tab that is put away sees nothing', async () => {
    await later(500);
    await hide(true);
    await later(10_000);
    assert.deepEqual(await heard(), []);
    await hide(false);
    await later(999);
    assert.deepEqual(await heard(), []);
    await later(1);
    assert.deepEqual(await heard(), ['a', 'b', 'c']);
  });

  test('stopped, removed and replaced elements', async () => {
    await tab.evaluate(async () => {
      stops.a();
      document.getElementById('b').remove();
      await told();
      await told();
    });
    await later(1000);
    assert.deepEqual(await heard(), ['c', 'd'], 'b is gone and the others moved up');
    // The same element shows another card from now on; the old way to stop is no more.
    await tab.evaluate(async () => {
      const old = stops.c;
      watch('c', 'd2');
      old();
      await told();
    });
    await later(1000);
    assert.deepEqual(await tab.evaluate(() => heard.at(-1)), { type: 'impression', decisionId: 'd2', shelfId: 's', cardId: 'c' });
  });

  test('an element made again for the same card of the same decision is not counted again', async () => {
    await later(1000);
    await tab.evaluate(async () => {
      for (const id of ['a', 'b']) document.getElementById(id).replaceWith(Object.assign(document.createElement('div'), { id, style: 'height:100px' }));
      watch('a');
      watch('b', 'd2');
      await told();
    });
    await later(1000);
    assert.deepEqual(await heard(), ['a', 'b', 'c', 'b'], 'b stands on another page now');
  });

  test('without IntersectionObserver nothing is reported and nothing fails', async () => {
    await tab.evaluate(async () => {
      const { createObserver } = await import('/dist/observe.js');
      const Real = IntersectionObserver;
      delete window.IntersectionObserver;
      const stop = createObserver({ track: () => heard.push({ cardId: 'never' }) })(document.getElementById('a'), { cardId: 'a' });
      window.IntersectionObserver = Real;
      stop();
    });
    await later(1000);
    assert.ok(!(await heard()).includes('never'));
  });
});
