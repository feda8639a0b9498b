// The server's order beside this device's, for the shelves or for the cards of one shelf.
import { h } from '../dom.js';

export function createOrder(root, { page, ranked }) {
  const choice = h('select', { id: 'order-of', onchange: () => draw() },
    h('option', { value: '' }, 'All shelves'),
    page.shelves.map((shelf) => h('option', { value: shelf.id }, shelf.title)));
  const columns = h('div', { class: 'columns' });
  const sentence = h('p', { class: 'hint' });
  let shelfId = '';

  root.append(
    h('h3', {}, 'What the server sent, and what you see'),
    h('p', { class: 'hint' }, 'The server sends everybody the same page. Only the order on the right was made here, from what stays here.'),
    h('label', { class: 'field', for: 'order-of' }, 'Compare ', choice),
    sentence,
    columns,
  );

  function draw() {
    shelfId = choice.value;
    const from = shelfId ? page.shelves.find(({ id }) => id === shelfId)?.cards ?? [] : page.shelves;
    const to = shelfId ? ranked.shelves.find(({ id }) => id === shelfId)?.cards ?? [] : ranked.shelves;
    const place = new Map(from.map(({ id }, index) => [id, index]));
    const moved = to.filter(({ id, position }) => place.get(id) !== position).length;
    sentence.textContent = moved === 0 ? 'Nothing stands elsewhere: this is the server’s order.' : `${moved} of ${to.length} stand elsewhere than the server put them.`;
    columns.replaceChildren(
      h('section', { 'aria-label': 'Server order' }, h('h4', {}, 'Server'), h('ol', {}, from.map((entry) => h('li', {}, h('span', {}, entry.title ?? entry.id))))),
      h('section', { 'aria-label': 'Order on this device' }, h('h4', {}, 'This device'), h('ol', {}, to.map((entry) => {
        const before = place.get(entry.id);
        return h('li', { class: before === undefined ? 'is-new' : '' }, h('span', {}, entry.title ?? entry.id), move(before, entry.position));
      }))),
    );
  }

  draw();
  return {};
}

function move(before, after) {
  if (before === undefined) return h('small', { class: 'move new' }, 'local');
  const by = before - after;
  if (by === 0) return h('small', { class: 'move' }, '·', h('span', { class: 'visually-hidden' }, ' not moved'));
  return h('small', { class: `move ${by > 0 ? 'up' : 'down'}` }, h('span', { 'aria-hidden': 'true' }, by > 0 ? '▲' : '▼'), h('span', { class: 'visually-hidden' }, by > 0 ? 'up by ' : 'down by '), String(Math.abs(by)));
}
