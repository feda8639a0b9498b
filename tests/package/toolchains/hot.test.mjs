// Modules that are replaced under a page, as a development server does it.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { App, browserPath, finish } from './workshop.mjs';

after(finish);

test('hot reload: a component that changes keeps the order; a module that makes the Home leaves one that writes', { skip: browserPath ? false : 'no Chromium was found' }, async () => {
  const app = new App('hot', 'hot');
  const edit = (name, from, to) => {
    const text = app.read(name);
    assert.equal(text.split(from).length, 2, `expected "${from}" once in ${name}`);
    app.write(name, text.replace(from, to));
  };
  const seen = (tab) => tab.evaluate(() => ({
    cards: [...document.querySelectorAll('[data-card]')].map((card) => card.dataset.card),
    heading: document.querySelector('h1').textContent,
    lives,
    states: homes.map(({ status }) => `${status.state}${status.writer ? ', writes' : ''}`),
    decisions: homes.at(-1).summary().decisions,
  }));
  await app.serving((address) => app.opened('.', address, async (tab) => {
    await tab.waitForFunction(() => document.querySelector('[data-card]') && homes.at(-1).status.writer);
    const first = await seen(tab);
    assert.deepEqual([first.lives, first.heading, first.states], [1, 'before', ['ready, writes']]);

    edit('App.jsx', '<h1>before</h1>', '<h1>after</h1>');
    await tab.waitForFunction(() => document.querySelector('h1').textContent === 'after');
    assert.deepEqual(await seen(tab), { ...first, heading: 'after' }, 'the same Home, the same order, no other decision');

    edit('home.js', "namespace: 'hot'", "namespace: 'hot', onError: undefined");
    await tab.waitForFunction(() => homes.length === 2 && homes[0].status.state === 'closed' && homes[1].status.writer && document.querySelector('[data-card]'));
    const last = await seen(tab);
    assert.deepEqual([last.lives, last.heading, last.states], [1, 'after', ['closed', 'ready, writes']]);
    assert.deepEqual([...last.cards].sort(), [...first.cards].sort());
  }, 'h1'), app.bin('vite'), '--host', '127.0.0.1', '--port', 'PORT', '--strictPort');
});
