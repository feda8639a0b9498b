// Like, follow, hide, "don't use this", skip, and their undo. What the package can take back itself is told at once; the rest waits
// a few seconds, so that undo undoes all of it.
import { announce, h } from './dom.js';
import { recall, remember } from './memory.js';
import { now } from './clock.js';
import { veil } from './shelves.js';

const UNDO_MS = 7000;
const DONE = { like: 'Liked', follow: 'Following', hide: 'Hidden:', exclude: 'Not used from now on:', skip: 'Skipped' };
const KEPT = { like: 'liked', follow: 'followed' };
const TAKEN_BACK = { hide: 'unhide', skip: 'unskip' };

export function createActions(toast, { home, decisionId, changed }) {
  let waiting;
  const hidden = new Set();

  const marked = (kind, card) => waiting?.kind === kind && waiting.card.id === card.id
    || (kind === 'hide' ? hidden.has(card.id)
      : kind === 'exclude' ? home.excluded().artists.includes(card.artist)
      : recall()[KEPT[kind]].includes(card.id));

  function act(kind, card, shelf) {
    if (waiting?.kind === kind && waiting.card.id === card.id) {
      undo();
      return;
    }
    if (marked(kind, card)) {
      if (kind === 'exclude') home.include({ artist: card.artist }).then(changed);
      announce(kind === 'exclude' ? `${card.artist} is used again` : `${DONE[kind]} ${card.title} already`);
      return;
    }
    offer({ kind, card, shelf }, kind === 'exclude' ? card.artist : card.title);
    if (kind === 'hide') {
      hidden.add(card.id);
      waiting.unveil = veil(shelf?.id, card.id, undo);
      tell(waiting);
    }
    changed();
  }

  /** After a skip: `resume` goes on with the play. */
  const skipped = (card, resume) => offer({ kind: 'skip', card, resume }, card.title);

  function offer(what, name) {
    settle();
    waiting = { ...what, at: now(), timer: setTimeout(settle, UNDO_MS) };
    toast.replaceChildren(h('span', {}, `${DONE[what.kind]} ${name}`), h('button', { type: 'button', class: 'button small', onclick: undo }, 'Undo'));
    toast.hidden = false;
  }

  const tell = ({ kind, card, shelf, at }) => home.track({ type: kind, cardId: card.id, shelfId: shelf?.id, decisionId, at });

  /** Too late for undo: tells the package what still waits. */
  function settle() {
    if (!waiting) return undefined;
    const done = end();
    done.unveil?.(true);
    if (done.kind === 'exclude') return home.exclude({ artist: done.card.artist }).then(changed, (error) => announce(error.message));
    if (KEPT[done.kind]) {
      remember({ [KEPT[done.kind]]: [...recall()[KEPT[done.kind]], done.card.id] });
      tell(done);
    }
    changed();
    return undefined;
  }

  function undo() {
    if (!waiting) return;
    const { kind, card, unveil, resume } = end();
    if (TAKEN_BACK[kind]) home.track({ type: TAKEN_BACK[kind], cardId: card.id, at: now() });
    if (kind === 'hide') hidden.delete(card.id);
    unveil?.(false);
    changed();
    announce(`Undone: ${card.title}`);
    resume?.();
  }

  function end() {
    const done = waiting;
    clearTimeout(done.timer);
    waiting = undefined;
    toast.hidden = true;
    return done;
  }

  return { act, marked, settle, skipped };
}
