// Like, follow and hide. Each waits a few seconds before it is told to the package, so that undo undoes all of it.
import { announce, h } from './dom.js';
import { recall, remember } from './memory.js';
import { now } from './clock.js';
import { veil } from './shelves.js';

const UNDO_MS = 7000;
const DONE = { like: 'Liked', follow: 'Following', hide: 'Hidden:' };
const KEPT = { like: 'liked', follow: 'followed' };

export function createActions(toast, { track, decisionId, changed }) {
  let waiting;
  const hidden = new Set();

  const marked = (kind, card) => waiting?.kind === kind && waiting.card.id === card.id
    || (kind === 'hide' ? hidden.has(card.id) : recall()[KEPT[kind]].includes(card.id));

  function act(kind, card, shelf) {
    if (waiting?.kind === kind && waiting.card.id === card.id) {
      undo();
      return;
    }
    if (marked(kind, card)) {
      announce(`${DONE[kind]} ${card.title} already`);
      return;
    }
    settle();
    waiting = { kind, card, shelf, at: now(), timer: setTimeout(settle, UNDO_MS) };
    if (kind === 'hide') waiting.unveil = veil(shelf?.id, card.id, undo);
    toast.replaceChildren(h('span', {}, `${DONE[kind]} ${card.title}`), h('button', { type: 'button', class: 'button small', onclick: undo }, 'Undo'));
    toast.hidden = false;
    changed();
  }

  /** Tells the package what still waits for a possible undo. */
  function settle() {
    if (!waiting) return;
    const { kind, card, shelf, at, timer, unveil } = waiting;
    clearTimeout(timer);
    waiting = undefined;
    toast.hidden = true;
    unveil?.(true);
    if (kind === 'hide') hidden.add(card.id);
    else remember({ [KEPT[kind]]: [...recall()[KEPT[kind]], card.id] });
    changed();
    track({ type: kind, cardId: card.id, shelfId: shelf?.id, decisionId, at });
  }

  function undo() {
    if (!waiting) return;
    const { card, timer, unveil } = waiting;
    clearTimeout(timer);
    waiting = undefined;
    toast.hidden = true;
    unveil?.(false);
    changed();
    announce(`Undone: ${card.title}`);
  }

  return { act, marked, settle };
}
