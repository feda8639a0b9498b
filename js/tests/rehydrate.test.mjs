import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseline } from '../build/modules/baseline.js';
import { HomeError } from '../build/modules/errors.js';
import { REASON_CODES } from '../build/modules/reasons.js';
import { Registry } from '../build/modules/registry.js';
import { decisionId, Rehydrator } from '../build/modules/rehydrate.js';
import { fakeProgram } from './fake-core.mjs';
import { outline, samplePage } from './homes.mjs';

async function rehydrator(page) {
  const core = (await fakeProgram().instantiate()).create();
  const registry = new Registry(core);
  for (const shelf of page.shelves) for (const card of shelf.cards) registry.card(card);
  registry.register();
  return { core, registry, rehydrator: new Rehydrator(registry, ['tempo', 'vocal_energy'], 'm-1') };
}

/** Sponsored shelf first, then a local shelf grown from Dummy, then two of the morning's cards. */
const WORDS = [
  2, 3, 46, 0x00ab, 0xffffffff, 1, 1, 0,
  2, 1, 1, -1, 1, 1,
  -4, 0.25, 3, 3, 2, 2,
  0, 0.75, 14, -1, 2, 2,
  5, 1, 1, -1,
  3, 4, 0.5, 3, 3, 1, 16, -1,
  2, 0, 0.125, 4, 2, 0.5, 15, 1,
];

test('result words become the app\'s own objects in their new order', async () => {
  const page = samplePage();
  const { rehydrator: r } = await rehydrator(page);
  const ranked = r.page(Float64Array.from(WORDS), page, 'plackett_luce');
  assert.deepEqual(outline(ranked), [
    ['sponsored', ['album:homework']],
    ['local:because_you_played', ['album:dummy', 'album:blue-lines']],
    ['morning', ['album:getz-gilberto', 'album:kind-of-blue']],
  ]);
  const { shelves, ...head } = ranked;
  assert.deepEqual(head, {
    decisionId: '000000abffffffff', source: 'policy', policy: 'plackett_luce', modelVersion: 'm-1', randomized: true, probe: true,
  });
  const [sponsored, local, morning] = shelves;
  assert.equal(sponsored.fixed, true);
  assert.equal(local.title, 'Because you played Dummy');
  assert.equal(local.kind, 'because_you_played');
  assert.equal(local.local, true);
  assert.deepEqual(local.reason, { code: 'because_you_played', text: 'Because you played Dummy' });
  assert.equal(local.cards[0].cover, 'album:dummy.jpg', 'local shelves show the app\'s own cards');
  assert.deepEqual(morning.cards[0], {
    id: 'album:getz-gilberto', title: 'Getz/Gilberto', artist: 'Stan Getz', kind: 'album', cover: 'album:getz-gilberto.jpg',
    features: { tempo: 0.5 }, position: 0, propensity: 0.125, reason: { code: 'played_artist', text: 'You play Stan Getz' },
  });
  assert.equal(morning.cards[1].reason.text, 'A good match: vocal energy');
  assert.equal(morning.position, 2);
  assert.equal(morning.propensity, 0.75);
});

test('everything is frozen, reasons are shared, the page that came in is untouched', async () => {
  const page = samplePage();
  const before = structuredClone(page);
  const { rehydrator: r } = await rehydrator(page);
  const first = r.page(Float64Array.from(WORDS), page, 'plackett_luce');
  const again = r.page(Float64Array.from(WORDS), page, 'plackett_luce');
  assert.deepEqual(page, before);
  for (const thing of [first, first.shelves, ...first.shelves, ...first.shelves.flatMap((s) => [s.cards, s.reason, ...s.cards, ...s.cards.map((c) => c.reason)])]) {
    assert.ok(Object.isFrozen(thing));
  }
  assert.equal(first.shelves[2].cards[0].reason, again.shelves[2].cards[0].reason);
  assert.equal(first.shelves[0].reason, again.shelves[0].reason);
  assert.doesNotThrow(() => structuredClone(first));
});

test('a reason follows a changed title', async () => {
  const page = samplePage();
  const { rehydrator: r, registry } = await rehydrator(page);
  r.page(Float64Array.from(WORDS), page, 'plackett_luce');
  registry.card({ ...page.shelves[1].cards[0], title: 'Dummy (1994)' });
  registry.register();
  assert.equal(r.page(Float64Array.from(WORDS), page, 'plackett_luce').shelves[1].title, 'Because you played Dummy (1994)');
});

test('a card that only history knows comes from the core', async () => {
  const page = samplePage();
  const { rehydrator: r, core } = await rehydrator(page);
  core.cards[40] = { id: 'track:41', title: 'Roads', artist: 'Portishead', family: '', kind: undefined };
  const words = [2, 1, 18, 0, 1, 0, 0, 0, -1, 1, 9, -1, 1, 1, 40, 1, 9, -1];
  assert.deepEqual(r.page(Float64Array.from(words), page, 'plackett_luce').shelves[0].cards[0], {
    id: 'track:41', title: 'Roads', artist: 'Portishead', position: 0, propensity: 1,
    reason: { code: 'recently_played', text: 'You played this recently' },
  });
});

test('words of another format are refused', async () => {
  const page = samplePage();
  const { rehydrator: r } = await rehydrator(page);
  assert.throws(() => r.page(Float64Array.from([1, ...WORDS.slice(1)]), page, 'plackett_luce'), { code: 'panic' });
  assert.throws(() => r.page(Float64Array.from(WORDS.slice(0, -1)), page, 'plackett_luce'), { code: 'panic' });
});

test('the twenty reasons keep their numbers', () => {
  assert.deepEqual(REASON_CODES.map((code, number) => `${number} ${code}`), [
    '0 server_order', '1 fixed', '2 exploring', '3 because_you_played', '4 played_artist', '5 played_family',
    '6 like_your_taste', '7 popular', '8 new_to_you', '9 recently_played', '10 heavy_rotation', '11 your_shows', '12 liked',
    '13 time_of_day', '14 you_open_this_shelf', '15 model', '16 further_down', '17 hidden_by_you', '18 probe', '19 general',
  ]);
});

test('decision ids are 16 hex digits', () => {
  assert.equal(decisionId(0, 0), '0000000000000000');
  assert.equal(decisionId(0xfedcba98, 0x76543210), 'fedcba9876543210');
});

test('the baseline is the server\'s order, whatever comes in', () => {
  const page = samplePage();
  const plain = baseline(page, 'm-1', new HomeError('not_ready', 'still starting'));
  assert.deepEqual(outline(plain), outline(page));
  assert.deepEqual(plain.error, { code: 'not_ready', message: 'still starting' });
  assert.equal(plain.decisionId, '');
  assert.equal(plain.shelves[1].cards[1].position, 1);
  assert.ok(Object.isFrozen(plain.shelves[1].cards[1]));
  assert.equal('error' in baseline(page, ''), false);
  const explosive = { get shelves() { throw new Error('boom'); } };
  for (const odd of [undefined, null, 3, 'page', [], {}, { shelves: 3 }, { shelves: [null, 1, { cards: 'x' }, { cards: [null] }] }, explosive]) {
    assert.equal(baseline(odd, '').source, 'baseline');
  }
});
