// The Home itself: shelves and cards, built once per visit in their final order and never moved afterwards.
import { cover, initials } from './art.js';
import { breath, h } from './dom.js';
import { icon } from './icons.js';

const SEEN_SHARE = 0.5;
const SEEN_MS = 1000;
/** Shelves made before the browser gets its turn, once those that are seen first are there. */
const SHELVES_AT_ONCE = 4;
/** What has its pictures from the start; others get theirs when they come near. */
const SHELVES_AT_START = 4;
const CARDS_AT_START = 9;
const NEAR = '700px 500px';
const PICTURES_AT_ONCE = 6;

/** How many shelves and cards a listener sees before scrolling, which is what the policy draws with care. */
export function visibleRange() {
  const room = document.getElementById('shelves').clientWidth;
  const card = matchMedia('(max-width: 719px)').matches ? 148 : 182;
  return { shelves: 3, cards: Math.max(2, Math.min(8, Math.round(room / card))) };
}

/** All shelves of a ranked page as one fragment, in display order. */
export async function render(ranked, context) {
  const fragment = document.createDocumentFragment();
  for (const [index, shelf] of ranked.shelves.entries()) {
    if (index < SHELVES_AT_START || index % SHELVES_AT_ONCE === 0) await breath();
    fragment.append(shelfElement(shelf, index < SHELVES_AT_START ? CARDS_AT_START : 0, context));
  }
  return fragment;
}

const pictures = new WeakMap();
let coming = [];
const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    coming.push(target);
  }
  if (coming.length > 0) void drawSome();
}, { rootMargin: NEAR });

/** Gives pictures to the cards that came near, a few at a time. */
async function drawSome() {
  const images = coming;
  coming = [];
  for (const [index, image] of images.entries()) {
    if (index % PICTURES_AT_ONCE === 0) await breath();
    image.src = pictures.get(image);
  }
}

function shelfElement(shelf, drawn, context) {
  const heading = `shelf-${shelf.id.replace(/[^\w-]/g, '-')}`;
  return h('section', { class: 'shelf', 'aria-labelledby': heading, data: { shelf: shelf.id, kind: shelf.kind ?? '', propensity: shelf.propensity } },
    h('header', { class: 'shelf-head' },
      h('h2', { id: heading }, shelf.title ?? shelf.id),
      h('button', { type: 'button', class: 'reason', title: 'Why this shelf stands here', onclick: () => context.why(shelf) },
        shelf.local && h('span', { class: 'badge' }, 'Made on this device'),
        h('span', {}, shelf.reason?.text ?? ''))),
    h('ul', { class: 'row', tabindex: '-1' }, shelf.cards.map((card, index) => cardElement(card, shelf, index < drawn, context))));
}

function cardElement(card, shelf, drawn, context) {
  const title = card.title ?? card.id;
  const line = subtitle(card);
  const menu = h('button', { type: 'button', class: 'more', 'aria-label': `More for ${title}`, 'aria-haspopup': 'menu', onclick: (event) => context.menu(card, shelf, event.currentTarget) },
    icon('more'));
  return h('li', { class: 'card', data: { card: card.id, kind: card.kind ?? '', propensity: card.propensity } },
    h('button', { type: 'button', class: 'play', 'aria-label': `Play ${title}${line.by ? ` by ${line.by}` : ''}`, onclick: () => context.play(card, shelf) },
      artElement(card, drawn),
      h('span', { class: 'play-mark', 'aria-hidden': 'true' })),
    h('div', { class: 'card-text' },
      h('span', { class: 'card-title', title }, title),
      menu,
      h('span', { class: 'card-line' }, line.text)));
}

/** The cover of a card; one that is not `drawn` gets its picture when it comes near. */
export function artElement(card, drawn = true) {
  const letters = card.kind === 'artist' || card.kind === 'podcast' ? initials(card.title)
    : card.kind === 'playlist' ? card.title : '';
  const { url, ink } = cover(card);
  // Decoration, so it is no text of the button: the style sheet writes it.
  const written = letters && h('span', { class: 'letters', data: { letters } });
  if (written) written.style.color = ink;
  const image = h('img', { src: drawn && url, alt: '', width: 160, height: 160, decoding: 'async', draggable: 'false' });
  if (!drawn) {
    pictures.set(image, url);
    near.observe(image);
  }
  return h('span', { class: 'art', data: { kind: card.kind ?? '' }, 'aria-hidden': 'true' },
    image,
    written);
}

export function subtitle(card) {
  const by = card.kind === 'artist' ? '' : card.artist ?? '';
  const names = { artist: 'Artist', album: 'Album', podcast: 'Podcast', playlist: 'Mix' };
  const text = card.line ?? (card.kind === 'artist' ? names.artist : by || names[card.kind] || '');
  return { by, text };
}

/** Calls `seen(shelfId, cardId)` once per card that was at least half visible for a second. */
export function watchImpressions(root, seen) {
  const timers = new Map();
  const observer = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio } of entries) {
      if (intersectionRatio >= SEEN_SHARE && !document.hidden) {
        if (timers.has(target)) continue;
        timers.set(target, setTimeout(() => {
          observer.unobserve(target);
          timers.delete(target);
          seen(target.closest('.shelf').dataset.shelf, target.dataset.card);
        }, SEEN_MS));
      } else {
        clearTimeout(timers.get(target));
        timers.delete(target);
      }
    }
  }, { threshold: [0, SEEN_SHARE], rootMargin: '-64px 0px -84px 0px' });
  for (const card of root.querySelectorAll('.card')) observer.observe(card);
}

/** Puts a placeholder of the same size in a hidden card's place; nothing around it moves. */
export function veil(shelfId, cardId, undo) {
  const card = cardElementOf(shelfId, cardId);
  if (!card) return () => {};
  const note = h('div', { class: 'veil' }, h('span', {}, 'Hidden'), h('button', { type: 'button', class: 'button small', onclick: undo }, 'Undo'));
  card.classList.add('hidden-card');
  for (const part of card.children) part.inert = true;
  card.append(note);
  return (kept) => {
    if (kept) {
      note.querySelector('button')?.remove();
      return;
    }
    note.remove();
    card.classList.remove('hidden-card');
    for (const part of card.children) part.inert = false;
    card.querySelector('.play').focus();
  };
}

export function markPlaying(card, shelf) {
  for (const element of document.querySelectorAll('.card.playing')) element.classList.remove('playing');
  if (card) cardElementOf(shelf?.id, card.id)?.classList.add('playing');
}

/** Where a card stands on the page now, if it does. */
export function cardElementOf(shelfId, cardId) {
  return document.querySelector(`.shelf[data-shelf="${CSS.escape(shelfId ?? '')}"] .card[data-card="${CSS.escape(cardId)}"]`);
}
