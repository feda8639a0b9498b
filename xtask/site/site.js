// The search of the documentation. The index is fetched when the field is first used.
import MiniSearch from './minisearch.js';

const MOST = 8;
const field = document.getElementById('search');
const found = document.getElementById('found');
const top = document.body.dataset.top;
let index;

// On a small screen the list of pages is closed at first.
if (matchMedia('(max-width: 899px)').matches) document.querySelector('.list').open = false;

field.addEventListener('focus', load);
field.addEventListener('input', draw);
field.addEventListener('keydown', (event) => {
  if (event.key === 'ArrowDown' && !found.hidden) {
    event.preventDefault();
    found.querySelector('a')?.focus();
  }
});
found.addEventListener('keydown', (event) => {
  const links = [...found.querySelectorAll('a')];
  const to = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  (links[links.indexOf(document.activeElement) + to] ?? field).focus();
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') found.hidden = true;
  if (event.key === '/' && document.activeElement === document.body) {
    event.preventDefault();
    field.focus();
  }
});

function load() {
  index ??= fetch(new URL('search.json', import.meta.url)).then((response) => response.text())
    .then((text) => MiniSearch.loadJSON(text, { fields: ['title', 'heading', 'text'], storeFields: ['title', 'heading', 'place'] }));
  return index;
}

async function draw() {
  const asked = field.value.trim();
  const search = await load();
  if (asked !== field.value.trim()) return;
  const hits = asked.length < 2 ? [] : search.search(asked, { prefix: true, fuzzy: 0.15, boost: { title: 3, heading: 2 } }).slice(0, MOST);
  found.hidden = asked.length < 2;
  found.replaceChildren(...(hits.length > 0 ? hits.map(entry) : [Object.assign(document.createElement('li'), { textContent: 'Nothing found.' })]));
}

function entry({ title, heading, place }) {
  const item = document.createElement('li');
  const link = Object.assign(document.createElement('a'), { href: `${top}${place}` });
  link.append(Object.assign(document.createElement('strong'), { textContent: title }), heading);
  item.append(link);
  return item;
}
