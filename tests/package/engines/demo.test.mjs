// The demo in each engine that is installed: every tab and what it does. Playwright's own browsers would be others than the installed ones.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LISTEN, walkAll } from '../../e2e/controls.mjs';
import { startCollector, startSite } from '../../e2e/site.mjs';
import { ENGINES, start } from './engines.mjs';

/** In the page: waits until `look` finds something. */
const until = (look) => `new Promise((done, fail) => { const from = Date.now(); const turn = () => { let found; try { found = (${look})(); } catch {} if (found) done(found); else if (Date.now() - from > 50_000) fail(new Error(${JSON.stringify(look)})); else setTimeout(turn, 20); }; turn(); })`;

for (const [name, found] of Object.entries(ENGINES)) {
  const skip = found || process.env.ENGINES_REQUIRED === 'all' ? false : `${name} is not installed`;
  describe(`the demo in ${name}`, { skip }, () => {
    let engine;
    let site;
    before(async () => {
      site = await startSite();
      engine = await start(name);
    });
    after(async () => {
      await engine?.close();
      await site?.close();
    });

    test('a listener\'s Home is the page that the simulation comes to, on the tenth day', async () => {
      const tab = await engine.open(`${site.url}?seed=1&listener=3&step=10`);
      await tab.ask(until('() => document.documentElement.dataset.source && document.querySelector(".shelf") && 1'));
      const { shown, order } = await tab.ask(`import('./world.js').then(({ life }) => life(1, 3, 10)).then(({ order }) => ({ order, shown: [...document.querySelectorAll('.shelf')].map((shelf) => [shelf.dataset.shelf, [...shelf.querySelectorAll('.card')].map((card) => card.dataset.card)]) }))`);
      assert.equal(shown.length, 16);
      assert.deepEqual(shown, order);
      await tab.close();
    });

    test('every tab and every control, used one by one: nothing breaks, nothing is wider than the window, nothing leaves the site', async () => {
      const collector = await startCollector();
      const watched = await startSite({ edit: (path, text) => (path === 'policy.js' ? `${LISTEN}${text}` : text) });
      try {
        const tab = await engine.open('about:blank');
        const { seen, left, broken, wide } = await walkAll(tab, watched, collector);
        assert.ok(seen.length > 80, `${seen.length} controls: ${seen.join('; ')}`);
        assert.deepEqual({ left, broken, wide }, { left: [], broken: [], wide: [] });
        await tab.close();
      } finally {
        await Promise.all([watched.close(), collector.close()]);
      }
    });
  });
}
