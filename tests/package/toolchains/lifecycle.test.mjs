// What a listener sees over the life of a page, in Chromium: an order stands while it is on screen.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { App, browserPath, finish } from './workshop.mjs';

describe('an order stands', { skip: browserPath ? false : 'no Chromium was found' }, () => {
  let app;
  before(async () => {
    app = new App('steady', 'steady');
    await app.run(app.bin('esbuild'), 'main.js', '--bundle', '--splitting', '--format=esm', '--entry-names=out', '--outdir=dist', '--define:process.env.NODE_ENV="development"');
    app.write('dist/index.html', app.read('index.html'));
  });
  after(finish);
  /** Works in a fresh tab on a fresh namespace. */
  const inTab = (work) => app.opened('dist', undefined, async (tab) => {
    await tab.setViewportSize({ width: 900, height: 700 });
    return work(tab, (name, ...values) => tab.evaluate(([method, given]) => steady[method](...given), [name, values]));
  });
  /** Nothing moved since `start`, in the elements' order as on screen. */
  const stands = (now, start) => {
    assert.deepEqual(now.cards.slice(0, start.cards.length), start.cards);
    assert.deepEqual(now.byEye, now.cards, 'the order of the elements is the order on screen');
    assert.equal(now.shift, 0, `the layout shifted by ${now.shift}`);
  };

  for (const way of ['react', 'plain']) {
    test(`${way}: ranked before the first paint; nothing moves it, and what follows below is one more decision`, async () => {
      await inTab(async (tab, ask) => {
        const start = await ask('open', way, way);
        assert.deepEqual([start.sources, start.decisions, start.views], [['policy'], 1, 1]);
        stands(start, start);
        // Under a pointer that is down, and with the focus on a card.
        const target = start.cards[2];
        const box = await tab.locator(`[data-card="${target}"]`).boundingBox();
        await tab.mouse.move(box.x + 5, box.y + 5);
        await tab.mouse.down();
        await tab.evaluate((id) => { globalThis.focused = document.querySelector(`[data-card="${id}"]`); focused.focus(); }, target);
        const lived = await ask('live');
        stands(lived, start);
        assert.deepEqual([lived.decisions, lived.views], [1, 1]);
        assert.equal(await tab.evaluate(([x, y]) => document.elementFromPoint(x, y) === focused && document.activeElement === focused, [box.x + 5, box.y + 5]), true);
        await tab.mouse.up();
        const grown = await ask('grow');
        stands(grown, start);
        assert.equal(grown.cards.length, start.cards.length + 6);
        assert.deepEqual([grown.decisions, grown.views, grown.sources], [2, 2, ['policy']]);
      });
    });

    test(`${way}: on screen before the core is there, in the server's order; it stays`, async () => {
      await inTab(async (tab, ask) => {
        const start = await ask('open', way, `${way}-first`, 'baseline');
        assert.deepEqual([start.sources, start.decisions], [['baseline'], 0]);
        assert.equal(await tab.evaluate(() => steady.home.status.state), 'loading');
        stands(await ask('ready'), start);
        const lived = await ask('live');
        stands(lived, start);
        assert.deepEqual([lived.decisions, lived.views], [0, 0]);
      });
    });

    test(`${way}: on screen before the core is there, in the order of the last visit; it stays, and the next one is new`, async () => {
      await inTab(async (tab, ask) => {
        const last = await ask('before', `${way}-last`);
        // Another visit: the compiled core is not there yet.
        await tab.reload();
        await tab.waitForFunction(() => globalThis.result);
        const start = await ask('open', way, `${way}-last`, 'last');
        assert.deepEqual([start.cards, start.sources, start.decisions], [last, ['last'], 0]);
        stands(await ask('ready'), start);
        const lived = await ask('live');
        stands(lived, start);
        assert.deepEqual([lived.decisions, lived.sources], [1, ['last']], 'the one of the last visit');
      });
    });
  }

  test('a page that is ranked again on screen would be seen to move', async () => {
    await inTab(async (tab, ask) => {
      const start = await ask('open', 'careless', 'careless', 'baseline');
      const moved = await ask('ready');
      assert.notDeepEqual(moved.cards, start.cards);
      assert.ok(moved.shift > 0, 'and the measure sees it');
    });
  });
});
