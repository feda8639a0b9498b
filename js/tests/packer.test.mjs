import assert from 'node:assert/strict';
import { test } from 'node:test';
import { columnsOf, Packer } from '../build/modules/packer.js';
import { Registry } from '../build/modules/registry.js';
import { fakeProgram } from './fake-core.mjs';
import { samplePage } from './homes.mjs';

async function packer() {
  const program = fakeProgram();
  const core = (await program.instantiate()).create();
  const registry = new Registry(core);
  return { core, log: program.log, registry, packer: new Packer(columnsOf(core.configuration()), registry, (words) => core.room(words)) };
}

const f = Math.fround;

test('a page is packed as documented, word for word', async () => {
  const { packer: p } = await packer();
  const words = p.pack(samplePage({ local: ['recently_played', 'because_you_played'] }), { weekend: true }, 120);
  assert.deepEqual([...words], [
    1, 3, 6, 2, 2, 2, 9, 1, 120, 0, 0, 0, 0, 0, 0, 0,
    1, // weekend
    0, 3, 0, 0, 1, 2, 0, 0, 2, 1, 1, 0, // shelves
    0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 1, // cards
    0, 0, 0, // 41 words so far; features start at a multiple of four
    f(0.1), f(0.2), f(0.3), f(0.4), 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25,
  ]);
  assert.equal((words.length - 12) % 4, 0);
});

test('defaults: three shelves of six cards visible, no local shelf, the default context', async () => {
  const { packer: p } = await packer();
  const { visible, ...page } = samplePage();
  assert.deepEqual([...p.pack(page, undefined, -60).subarray(4, 17)], [3, 6, 0, 1, -60, 0, 0, 0, 0, 0, 0, 0, 0.5]);
});

test('the buffer is reused and nothing of an earlier page stays in it', async () => {
  const { packer: p } = await packer();
  const page = samplePage();
  page.shelves[1].fixed = true;
  const first = p.pack(page, undefined, 0);
  assert.equal(first[23], 1, 'where the smaller page has its padding');
  const buffer = first.buffer;
  const small = { shelves: [{ id: 'one', cards: [{ id: 'a' }] }] };
  const words = p.pack(small, undefined, 0);
  assert.equal(words.buffer, buffer);
  assert.deepEqual([...words.subarray(16)], [0.5, 3, 1, 0, 0, 6, 0, 0, 0.25, 0.25]);
});

test('a value of the app that lets the memory grow takes no word away: the page is refused', async () => {
  const { packer: p, core } = await packer();
  const want = [...p.pack(samplePage({ shelves: samplePage().shelves }), { weekend: true }, 0)];
  let grown = 0;
  const refused = [];
  const grow = (value) => {
    const copy = core.words.slice();
    structuredClone(core.words.buffer, { transfer: [core.words.buffer] });
    core.words = copy;
    grown++;
    return value;
  };
  const places = {
    context: () => [samplePage(), { get weekend() { return grow(true); } }],
    visible: () => { const page = samplePage(); return [{ ...page, get visible() { return grow(page.visible); } }]; },
    shelf: (page = samplePage()) => [Object.defineProperty(page, 'shelves', { value: page.shelves.map((shelf) => ({ ...shelf, get fixed() { return grow(shelf.fixed); } })) })],
    card: (page = samplePage()) => { for (const shelf of page.shelves) shelf.cards = shelf.cards.map((card) => ({ ...card, get fixed() { return grow(card.fixed); } })); return [page]; },
    features: (page = samplePage()) => { for (const shelf of page.shelves) shelf.cards = shelf.cards.map((card) => ({ ...card, get features() { return grow(card.features); } })); return [page]; },
  };
  for (const [place, make] of Object.entries(places)) {
    const [page, context = { weekend: true }] = make();
    grown = 0;
    try {
      p.pack(page, context, 0);
      assert.deepEqual([...core.words], want, `what the core ranks: ${place}`);
    } catch (thrown) {
      if (thrown.code === 'ERR_ASSERTION') throw thrown;
      refused.push(place);
    }
    assert.ok(grown > 0, place);
  }
  assert.ok(refused.includes('features'), `refused: ${refused}`);
});

test('a page larger than the buffer makes it grow', async () => {
  const { packer: p } = await packer();
  const cards = Array.from({ length: 5000 }, (_, i) => ({ id: `c${i}`, features: [i, -i] }));
  const words = p.pack({ shelves: [{ id: 'all', cards }] }, undefined, 0);
  assert.equal(words.at(-1), -4999);
});

test('features of a shelf hold for its cards, by name or as a row', async () => {
  const { packer: p } = await packer();
  const page = { shelves: [
    { id: 'named', features: { energy: 0.75 }, cards: [{ id: 'a' }, { id: 'b', features: { tempo: 0.5, unknown: 9 } }] },
    { id: 'row', features: [3, 4], cards: [{ id: 'c' }, { id: 'd', features: [5, 6] }] },
  ] };
  assert.deepEqual([...p.pack(page, undefined, 0).subarray(-8)], [0.25, 0.75, 0.5, 0.75, 3, 4, 5, 6]);
});

test('metadata crosses once, and again only when it changed', async () => {
  const { packer: p, core, log } = await packer();
  const registrations = () => log.filter((name) => name === 'registerCards').length;
  const page = samplePage();
  p.pack(page, undefined, 0);
  p.pack(page, undefined, 0);
  p.pack(structuredClone(page), undefined, 0);
  assert.equal(registrations(), 1);
  page.shelves[0].cards[0].title = 'Kind of Blue (Legacy Edition)';
  p.pack(page, undefined, 0);
  assert.equal(registrations(), 2);
  assert.equal(core.cards[0].title, 'Kind of Blue (Legacy Edition)');
  p.pack(page, undefined, 0);
  assert.equal(registrations(), 2);
  assert.equal(core.cards.length, 6);
});

test('the same card in two shelves is one card; a field left out keeps what is known', async () => {
  const { packer: p, core, log } = await packer();
  const page = { shelves: [
    { id: 'a', cards: [{ id: 'x', title: 'Dummy', artist: 'Portishead', embedding: [1, 2], durationMs: 5, popularity: 0.5 }] },
    { id: 'b', cards: [{ id: 'x' }] },
  ] };
  for (let i = 0; i < 3; i++) p.pack(page, undefined, 0);
  assert.equal(log.filter((name) => name === 'registerCards').length, 1);
  assert.deepEqual(core.cards, [{ id: 'x', title: 'Dummy', artist: 'Portishead', family: '', kind: '', durationMs: 5, popularity: 0.5, embedding: [1, 2] }]);
});

test('separators in names cannot break the string table', async () => {
  const { packer: p, core } = await packer();
  p.pack({ shelves: [{ id: 's', title: 'a\x1eb', cards: [{ id: 'x', title: 'one\x1ftwo', artist: 'é\x1e' }] }] }, undefined, 0);
  assert.equal(core.cards[0].title, 'one two');
  assert.equal(core.cards[0].artist, 'é ');
  assert.equal(core.shelves[0].title, 'a b');
});

for (const [name, page, code] of [
  ['no page', undefined, undefined],
  ['shelves that are no array', { shelves: 'x' }, 'page_invalid'],
  ['no shelf', { shelves: [] }, 'page_empty'],
  ['an empty shelf', { shelves: [{ id: 'a', cards: [] }] }, 'shelf_empty'],
  ['a shelf without cards', { shelves: [{ id: 'a' }] }, 'page_invalid'],
  ['201 shelves', { shelves: Array.from({ length: 201 }, (_, i) => ({ id: `s${i}`, cards: [{ id: 'a' }] })) }, 'page_too_large'],
  ['10,001 cards', { shelves: [{ id: 'a', cards: Array.from({ length: 10_001 }, (_, i) => ({ id: `c${i}` })) }] }, 'page_too_large'],
  ['a numeric id', { shelves: [{ id: 'a', cards: [{ id: 7 }] }] }, 'id_invalid'],
  ['an empty id', { shelves: [{ id: 'a', cards: [{ id: '' }] }] }, 'id_invalid'],
  ['a separator in an id', { shelves: [{ id: 'a', cards: [{ id: 'a\x1fb' }] }] }, 'id_invalid'],
  ['a shelf without id', { shelves: [{ cards: [{ id: 'a' }] }] }, 'id_invalid'],
  ['too few features', { shelves: [{ id: 'a', cards: [{ id: 'a', features: [1] }] }] }, 'column_count'],
  ['too many features', { shelves: [{ id: 'a', cards: [{ id: 'a', features: new Float32Array(3) }] }] }, 'column_count'],
  ['features that are a number', { shelves: [{ id: 'a', cards: [{ id: 'a', features: 3 }] }] }, 'column_count'],
  ['a feature that is text', { shelves: [{ id: 'a', cards: [{ id: 'a', features: { tempo: 'fast' } }] }] }, 'not_finite'],
]) {
  test(`refuses ${name}, and packs the next page`, async () => {
    const { packer: p } = await packer();
    assert.throws(() => p.pack(page, undefined, 0), code ? { code } : TypeError);
    assert.equal(p.pack(samplePage(), undefined, 0)[2], 6);
  });
}
