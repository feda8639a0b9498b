// The demo in each engine that is installed: every tab and what it does. Playwright's own browsers would be others than the installed ones.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startSite } from '../../e2e/site.mjs';
import { ENGINES, start } from './engines.mjs';

const TABS = ['why', 'learning', 'left', 'attack', 'order', 'history', 'models', 'reset'];

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

    test('every tab, with an attack and a play, and nothing broken', async () => {
      const tab = await engine.open(`${site.url}?seed=1`);
      await tab.ask(until('() => document.documentElement.dataset.source && document.querySelector(".shelf") && 1'));
      await tab.ask('globalThis.broken = [], addEventListener("error", (event) => broken.push(event.message)), addEventListener("unhandledrejection", (event) => broken.push(String(event.reason))), 1');
      assert.equal(await tab.ask('document.documentElement.dataset.source'), 'policy');
      if (await tab.ask('innerWidth < 1100')) await tab.ask('(document.getElementById("open-panel").click(), 1)');
      for (const pane of TABS) {
        const { visible, text } = await tab.ask(`(document.getElementById("tab-${pane}").click(), new Promise((done) => setTimeout(() => { const pane = document.getElementById("pane-${pane}"); done({ visible: !pane.hidden && pane.getBoundingClientRect().height > 100, text: pane.innerText.length }); }, 120)))`);
        assert.ok(visible && text > 80, `${pane}: ${visible} ${text}`);
      }
      await tab.ask('(document.querySelector(".shelf .play").click(), 1)');
      assert.equal(await tab.ask('!!document.getElementById("listen")'), true);
      await tab.ask('(document.getElementById("listen").click(), document.getElementById("tab-attack").click(), document.getElementById("attack-run").click(), 1)');
      const { logs, records } = await tab.ask(until('() => document.querySelector("[data-side=logs]") && { logs: document.querySelector("[data-side=logs]").dataset.hits, records: document.querySelector("[data-side=records]").dataset.hits }'));
      assert.ok(Number(logs) >= 97, logs);
      assert.ok(Number(records) <= 9, records);
      const { wide, broken } = await tab.ask('({ wide: document.documentElement.scrollWidth > innerWidth, broken })');
      assert.deepEqual([wide, broken], [false, []]);
      await tab.close();
    });
  });
}
