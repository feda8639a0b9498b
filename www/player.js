// A player without sound: what is "played" moves the demo's clock.
import { moveClock, now } from './clock.js';
import { announce, h } from './dom.js';
import { icon } from './icons.js';
import { artElement, cardElementOf, markPlaying, subtitle } from './shelves.js';

const LISTEN_MS = 180_000;
const LABELS = { like: 'Like', follow: 'Follow', hide: 'Hide' };
const SHORTEST_LISTEN_MS = 30_000;

/** `track` receives listening events; `act(kind, card, shelf)` likes, follows or hides; `skipped(card, resume)` offers to undo. */
export function createPlayer(root, { track, act, marked, skipped }) {
  let current;
  let timer = 0;
  let toggles = [];

  const draw = () => {
    root.replaceChildren(...(current ? playing() : [idle()]));
    root.classList.toggle('is-idle', !current);
  };

  function idle() {
    return h('p', { class: 'player-idle' }, 'Nothing is playing. Pick a card: the demo has no sound, its clock plays for you.');
  }

  function playing() {
    const { card } = current;
    const line = subtitle(card);
    toggles = ['like', 'follow', 'hide'].map((kind) => {
      const button = h('button', { type: 'button', class: 'round', 'aria-label': `${LABELS[kind]} ${card.title}`, title: LABELS[kind], onclick: () => act(kind, card, current.shelf) });
      const update = () => {
        const on = marked(kind, card);
        button.setAttribute('aria-pressed', String(on));
        button.replaceChildren(icon(kind === 'follow' && on ? 'followed' : kind, kind === 'like' && on));
      };
      update();
      return { button, update };
    });
    return [
      h('div', { class: 'now' }, artElement(card),
        h('div', { class: 'now-text' }, h('strong', {}, card.title), h('span', {}, line.by || line.text))),
      h('div', { class: 'progress' },
        h('span', { class: 'time', id: 'elapsed' }, '0:00'),
        h('progress', { id: 'track-progress', max: lengthOf(card), value: 0, 'aria-label': 'Played' }),
        h('span', { class: 'time' }, clock(lengthOf(card)))),
      h('div', { class: 'controls' },
        h('button', { type: 'button', class: 'button accent', id: 'listen', onclick: () => listen() },
          'Listen 3 min', h('span', { class: 'wide' }, 'utes')),
        h('button', { type: 'button', class: 'button', id: 'skip', onclick: () => skip() }, 'Skip'),
        toggles.map(({ button }) => button)),
    ];
  }

  const elapsed = () => (current ? Math.max(0, now() - current.startedAt) : 0);

  function tick() {
    const position = Math.min(elapsed(), lengthOf(current.card));
    document.getElementById('elapsed').textContent = clock(position);
    document.getElementById('track-progress').value = position;
    if (position >= lengthOf(current.card)) finish(position);
  }

  function emit(type, msPlayed) {
    const { card, shelf, decisionId } = current;
    track({ type, cardId: card.id, shelfId: shelf?.id, decisionId, msPlayed, at: now() });
  }

  function play(card, shelf, decisionId) {
    if (current) stop();
    start({ card, shelf, decisionId, startedAt: now() });
    emit('play');
  }

  function start(next) {
    current = next;
    const { card, shelf } = current;
    draw();
    markPlaying(card, shelf);
    timer = setInterval(tick, 1000);
    const by = subtitle(card).by;
    announce(`Playing ${card.title}${by ? ` by ${by}` : ''}`);
  }

  function end(text) {
    clearInterval(timer);
    const { card, shelf } = current;
    const focused = root.contains(document.activeElement);
    current = undefined;
    markPlaying();
    draw();
    if (focused) cardElementOf(shelf?.id, card.id)?.querySelector('.play').focus({ preventScroll: true });
    if (text) announce(text);
  }

  function finish(msPlayed) {
    const title = current.card.title;
    emit('finish', Math.round(msPlayed));
    end(`Played ${clock(msPlayed)} of ${title}`);
  }

  function listen() {
    const left = LISTEN_MS - elapsed();
    if (left > 0) moveClock(left);
    finish(Math.max(LISTEN_MS, elapsed()));
  }

  function skip() {
    const left = current;
    emit('skip', Math.round(elapsed()));
    end(`Skipped ${left.card.title}`);
    skipped(left.card, () => {
      if (current) stop();
      start(left);
    });
  }

  /** Ends what is playing, as when another card is started or the page is left. */
  function stop() {
    if (!current) return;
    const msPlayed = Math.round(elapsed());
    emit(msPlayed >= SHORTEST_LISTEN_MS ? 'finish' : 'skip', msPlayed);
    end();
  }

  draw();
  /** Shows again what is liked, followed and hidden. */
  function refresh() {
    if (current) for (const { update } of toggles) update();
  }

  return { play, stop, refresh };
}

function lengthOf(card) {
  return card.durationMs ?? (card.kind === 'podcast' ? 1_800_000 : 210_000);
}

function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
