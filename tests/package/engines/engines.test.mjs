// The same questions to each engine that is installed. `ENGINES_REQUIRED=all` makes a missing one a failure.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { ENGINES, start } from './engines.mjs';
import { bodies } from './pages/bodies.js';
import { startSite } from './site.mjs';
import { createHome } from '../../../js/dist/index.js';

const GOLDEN = readFileSync(new URL('../../golden/v1/decisions.txt', import.meta.url), 'utf8').split('\n').filter((line) => !/^(record|snapshot|weights)/.test(line));
const FRAME_MS = 1000 / 60;
const BODIES = ['factorization', 'linear', 'network-int8', 'network', 'plain', 'trees'];
// As the engines are told.
process.env.TZ = 'Etc/GMT-2';
const NODE_BODIES = bodies(createHome, BODIES, (name) => readFileSync(new URL(`../../golden/bundles/${name}.bundle`, import.meta.url)));

for (const [name, found] of Object.entries(ENGINES)) {
  const skip = found || process.env.ENGINES_REQUIRED === 'all' ? false : `${name} is not installed`;
  describe(name, { skip }, () => {
    let engine;
    let site;
    before(async () => {
      site = await startSite();
      engine = await start(name);
    });
    after(async () => {
      await engine?.close();
      site.close();
    });

    /** The answers of a fresh tab, one after the other. */
    const ask = async (policy, ...expressions) => {
      const tab = await open(policy);
      const answers = [];
      for (const expression of expressions) answers.push(await tab.ask(expression));
      await tab.close();
      return answers.length === 1 ? answers[0] : answers;
    };
    const open = async (policy) => {
      const tab = await engine.open(site.address(policy));
      assert.equal(await tab.ask('new Promise((done) => { const look = () => globalThis.loaded ? done(true) : setTimeout(look, 5); look(); })'), true);
      return tab;
    };

    test('the golden decisions, bit for bit, under default-src none and wasm-unsafe-eval', async () => {
      const lines = await ask('strict', 'suite.golden()');
      assert.ok(lines.length > 300);
      assert.deepEqual(lines, GOLDEN.slice(0, lines.length));
    });

    test('published models of every body, bit for bit what Node makes of them', async () => {
      const lines = await ask('none', `suite.bodies(${JSON.stringify(BODIES)})`);
      assert.ok(lines.length > 100, `${lines.length} lines`);
      assert.deepEqual(lines, await NODE_BODIES);
    });

    test('with the least policy pages are ranked', async () => {
      const { state, reason, source, errors } = await ask('strict', 'suite.policy()');
      assert.deepEqual([state, reason, source, errors], ['ready', null, 'policy', []]);
    });

    test('with wasm blocked: the server\'s order within one frame, and the status says why', async () => {
      const { answered, message, ...others } = await ask('blocked', 'suite.policy()');
      assert.deepEqual(others, { first: 'baseline', inFrame: true, state: 'degraded', reason: 'csp', source: 'baseline', same: true, errors: ['csp'] });
      assert.ok(answered < FRAME_MS, `the page came after ${answered} ms`);
      assert.match(message, /wasm-unsafe-eval/);
    });

    test('the storage conforms, plain and sealed', async () => {
      const { cases, failed, encrypted } = await ask('none', 'suite.conformance()');
      assert.ok(cases > 10);
      assert.deepEqual(failed, []);
      assert.equal(encrypted, true, 'and what is kept of the listener is encrypted');
    });

    test('half a card for a second is seen, what is below is not', async () => {
      const { seen, soonest } = await ask('none', 'suite.seen()');
      assert.deepEqual(seen.sort(), ['a', 'b']);
      assert.ok(soonest >= 999, `seen after ${soonest} ms`);
    });

    for (const [disturbance, expected] of Object.entries({
      'IndexedDB is not there': 'storage_unavailable',
      'IndexedDB may not be read': 'storage_unavailable',
      'opening throws': 'storage_unavailable',
      'opening hangs': 'storage_timeout',
      'the disk is full': 'storage_full',
      'a newer version of the package has been here': 'storage_unavailable',
    })) {
      test(`${disturbance}: pages are ranked, nothing throws, nothing waits over a second`, async () => {
        const { ready, answered, ...others } = await ask('none', `suite.disturbed(${JSON.stringify(disturbance)})`);
        const storage = disturbance === 'the disk is full' ? 'indexeddb' : 'memory';
        const state = disturbance === 'the disk is full' ? { state: 'ready', reason: null } : { state: 'degraded', reason: 'storage' };
        assert.deepEqual(others, { ...state, storage, source: 'policy', complete: true, saved: false, events: 1, errors: [expected] });
        assert.ok(ready < 2000, `ready after ${ready} ms`);
        assert.ok(answered < 1000, `a page and an event took ${answered} ms`);
      });
    }

    test('everything is deleted in the middle of a visit: the visit goes on, the next one starts anew', async () => {
      const { ready, answered, ...others } = await ask('none', 'suite.wiped()');
      assert.deepEqual(others, {
        deleted: true, stored: 0, state: 'ready', reason: null, storage: 'indexeddb', source: 'policy', complete: true, saved: false,
        heard: 2, errors: ['storage_failed'], next: 'ready', events: 0,
      });
      assert.ok(answered < 1000);
    });

    test('a newer version of the package opens beside this one: it is let in at once, and pages are ranked', async () => {
      const { waited, answered, ...others } = await ask('none', 'suite.newer()');
      assert.deepEqual(others, {
        before: 'ready', opened: 99, state: 'degraded', reason: 'storage', source: 'policy', saved: false, events: 2, errors: ['storage_failed'],
        next: ['degraded', 'memory', 'policy', 'storage_unavailable'],
      });
      assert.ok(waited < 1000, `the newer one waited ${waited} ms`);
      assert.ok(answered < 1000, `a page and an event took ${answered} ms`);
    });

    test('a state that cannot be read, again and again: 2 MB in all, and the next state is kept', async () => {
      const { most, visits } = await ask('none', 'suite.crammed()');
      assert.ok(most <= 2e6, `${most} bytes are stored`);
      assert.deepEqual(visits, Array(3).fill(['ready', 0, 'snapshot_corrupt', 1]));
    });

    test('a core that stops costs one page, heals from the last snapshot, and is reported once', async () => {
      const found = await ask('none', 'suite.trap()');
      assert.deepEqual(found, {
        during: ['baseline', 'panic', true], status: ['degraded', 'panic'], after: 'policy', healed: 'ready', events: 3, errors: ['panic'],
      });
    });

    test('before the core is there: the order of the last visit, to the last bit; none after signing out', async () => {
      assert.deepEqual(await ask('none', 'suite.lastOrder()'), {
        atOnce: 'baseline', state: 'loading', source: 'last', kept: true, repeats: true, moved: true, next: 'policy', afterSignOut: 'baseline',
      });
    });

    test('signing out forgets one profile and leaves the other', async () => {
      assert.deepEqual(await ask('none', 'suite.signOut()'), { counts: [0, 1], closed: ['baseline', 'closed'], state: 'closed' });
    });

    test('closing during the start', async () => {
      assert.deepEqual(await ask('none', 'suite.closing()'), Array(5).fill('ready true closed 0'));
    });

    test('of two tabs one writes; the other ranks, and takes over with what it heard', async () => {
      const first = await open();
      const second = await open();
      assert.deepEqual(await first.ask('suite.stay("tabs")'), { state: 'ready', writer: true, events: 0 });
      assert.equal(await first.ask('suite.hear("morning:a", "morning:b")'), 2);
      assert.deepEqual(await second.ask('suite.stay("tabs")'), { state: 'ready', writer: false, events: 2 });
      assert.equal(await second.ask('suite.hear("fresh:a")'), 3);
      await first.close();
      await second.ask('new Promise((done) => { const look = () => home.status.writer ? done() : setTimeout(look, 10); look(); })');
      assert.equal((await second.ask('suite.now()')).events, 3);
      await second.ask('home.flush().then(() => home.close())');
      await second.close();
      assert.equal((await ask('none', 'suite.stay("tabs")')).events, 3);
    });

    test('a page that is left and come back to has its history, and ranks', async () => {
      const tab = await open();
      await tab.ask('suite.stay("history")');
      assert.equal(await tab.ask('suite.hear("morning:a", "morning:b")'), 2);
      await tab.goto(site.address('strict'));
      await tab.back();
      // From the back/forward cache the Home is still there; else the page is loaded again.
      const kept = await tab.ask('Promise.resolve(typeof home === "object")');
      if (!kept) {
        await tab.ask('new Promise((done) => { const look = () => globalThis.loaded ? done(true) : setTimeout(look, 5); look(); })');
        await tab.ask('suite.stay("history")');
      }
      const { state, events, source, errors } = await tab.ask('suite.now()');
      assert.deepEqual([state, events, source], ['ready', 2, 'policy']);
      // WebKit breaks off what a page is writing when it is put away; the next write brings it all.
      assert.deepEqual(errors.filter((code) => !kept || code !== 'storage_failed'), []);
      assert.equal(await tab.ask('suite.hear("fresh:a")'), 3);
      assert.equal(await tab.ask('home.flush().then(({ saved }) => home.close().then(() => saved))'), true);
      await tab.close();
      assert.equal((await ask('none', 'suite.stay("history")')).events, 3);
    });

    test('a page that is put away has saved, keeps nobody from writing, and decides nothing when it is back', async () => {
      const tab = await open();
      await tab.ask('suite.stay("away")');
      await tab.ask('new Promise((done) => { const look = () => home.status.writer ? done() : setTimeout(look, 10); look(); })');
      await tab.ask('home.flush()');
      await tab.ask('new Promise((done) => { setTimeout(done, 300); })');
      // Heard, saved on its own, and left for another page.
      assert.deepEqual(await tab.ask('suite.rankAndHear("morning:a")'), { decisions: 1, events: 1 });
      await tab.goto(site.address('strict'));
      const other = await open();
      assert.equal((await other.ask('suite.stay("away")')).events, 1, 'what was heard was saved');
      await other.ask('new Promise((done) => { const look = () => home.status.writer ? done() : setTimeout(look, 10); look(); })');
      assert.equal(await other.ask('suite.hear("fresh:a")'), 2);
      await other.close();
      await tab.back();
      // Who was in the way was dropped from the cache; then the page is loaded again.
      const kept = await tab.ask('Promise.resolve(typeof home === "object")');
      if (!kept) {
        await tab.ask('new Promise((done) => { const look = () => globalThis.loaded ? done(true) : setTimeout(look, 5); look(); })');
        assert.equal((await tab.ask('suite.stay("away")')).events, 2);
      }
      assert.equal((await tab.ask('suite.summary()')).decisions, 1, 'the one of before');
      await tab.close();
    });

    test('of two Homes of one profile on one page one writes, and closing it gives the other its turn', async () => {
      assert.deepEqual(await ask('none', 'suite.twins()'), { writers: [true, false], sources: ['policy', 'policy'], then: true, events: 2, errors: [] });
    });

    test('a page that is hidden saves at once, and its visit goes on', async () => {
      assert.deepEqual(await ask('none', 'suite.hidden()'), { before: 0, after: 1, source: 'policy', errors: [] });
    });
  });
}
