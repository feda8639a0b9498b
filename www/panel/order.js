// The server's order, or that of the most popular, beside this device's: for the shelves or for the cards of one shelf.
import { h } from '../dom.js';

export function createOrder(root, { page, ranked }) {
  const choice = h('select', { id: 'order-of', onchange: () => draw() },
    h('option', { value: '' }, 'All shelves'),
    page.shelves.map((shelf) => h('option', { value: shelf.id }, shelf.title)));
  const against = h('select', { id: 'order-with', onchange: () => draw() }, h('option', { value: 'server' }, 'Server order'), h('option', { value: 'popular' }, 'Most popular'));
  const columns = h('div', { class: 'columns' });
  const sentence = h('p', { class: 'hint' });
  let shelfId = '';

  root.append(
    h('h3', {}, 'What the server sent, and what you see'),
    h('p', { class: 'hint' }, 'The server sends everybody the same page. Only the order on the right was made here, from what stays here.'),
    h('div', { class: 'columns' },
      h('label', { class: 'field', for: 'order-of' }, 'Compare ', choice),
      h('label', { class: 'field', for: 'order-with' }, 'with ', against)),
    sentence,
    columns,
  );

  function draw() {
    shelfId = choice.value;
    const sent = shelfId ? page.shelves.find(({ id }) => id === shelfId)?.cards ?? [] : page.shelves;
    const popular = against.value === 'popular';
    const from = popular ? [...sent].sort((a, b) => popularity(b) - popularity(a)) : sent;
    const name = popular ? 'Most popular' : 'Server';
    const to = shelfId ? ranked.shelves.find(({ id }) => id === shelfId)?.cards ?? [] : ranked.shelves;
    const place = new Map(from.map(({ id }, index) => [id, index]));
    const moved = to.filter(({ id, position }) => place.get(id) !== position).length;
    sentence.textContent = moved === 0 ? `Nothing stands elsewhere: this is that order.` : `${moved} of ${to.length} stand elsewhere than ${popular ? 'popularity alone would put them' : 'the server put them'}.`;
    columns.replaceChildren(
      h('section', { 'aria-label': name }, h('h4', {}, name), h('ol', {}, from.map((entry) => h('li', {}, h('span', {}, entry.title ?? entry.id))))),
      h('section', { 'aria-label': 'Order on this device' }, h('h4', {}, 'This device'), h('ol', {}, to.map((entry) => {
        const before = place.get(entry.id);
        return h('li', { class: before === undefined ? 'is-new' : '' }, h('span', {}, entry.title ?? entry.id), move(before, entry.position));
      }))),
    );
  }

  draw();
  return {};
}

/** Of a card as the catalogue says; of a shelf, the mean of its cards. */
function popularity({ popularity: own, cards }) {
  return cards ? cards.reduce((sum, card) => sum + (card.popularity ?? 0), 0) / cards.length : own ?? 0;
}

function move(before, after) {
  if (before === undefined) return h('small', { class: 'move new' }, 'local');
  const by = before - after;
  if (by === 0) return h('small', { class: 'move' }, '·', h('span', { class: 'visually-hidden' }, ' not moved'));
  return h('small', { class: `move ${by > 0 ? 'up' : 'down'}` }, h('span', { 'aria-hidden': 'true' }, by > 0 ? '▲' : '▼'), h('span', { class: 'visually-hidden' }, by > 0 ? 'up by ' : 'down by '), String(Math.abs(by)));
}
