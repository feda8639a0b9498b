// What is behind the page: tabs over the same visit.
import { breath } from './dom.js';
import { createAttack } from './panel/attack.js';
import { createHistory } from './panel/history.js';
import { createLearning } from './panel/learning.js';
import { createLeft } from './panel/left.js';
import { createModels } from './panel/models.js';
import { createOrder } from './panel/order.js';
import { createReset } from './panel/reset.js';
import { createWhy } from './panel/why.js';

const byId = (id) => document.getElementById(id);
const wide = matchMedia('(min-width: 1100px)');

const PARTS = { why: createWhy, learning: createLearning, left: createLeft, attack: createAttack, order: createOrder, history: createHistory, models: createModels, reset: createReset };
const names = Object.keys(PARTS);

/** Fills the tabs, one after the other. */
export async function createPanel(visit) {
  const explanation = explain(visit);
  const parts = {};
  for (const name of names) {
    await breath();
    parts[name] = PARTS[name](byId(`pane-${name}`), { ...visit, explanation });
  }
  const tab = (name) => byId(`tab-${name}`);
  let shown;
  let opener;

  function show(name) {
    shown = name;
    for (const other of names) {
      const on = other === name;
      tab(other).setAttribute('aria-selected', String(on));
      tab(other).tabIndex = on ? 0 : -1;
      byId(`pane-${other}`).hidden = !on;
    }
    history.replaceState(history.state, '', `#${name}`);
    parts[name].show?.();
  }

  function open(name = shown) {
    opener = document.activeElement;
    document.body.classList.add('panel-open');
    byId('open-panel').setAttribute('aria-expanded', 'true');
    fence();
    show(name);
    if (!wide.matches) tab(name).focus();
  }

  function close() {
    document.body.classList.remove('panel-open');
    byId('open-panel').setAttribute('aria-expanded', 'false');
    fence();
    opener?.focus?.();
  }

  // On a small screen the panel covers the page, so what is covered cannot be reached.
  function fence() {
    const covered = document.body.classList.contains('panel-open') && !wide.matches;
    for (const element of [byId('home'), document.querySelector('.top'), byId('player')]) element.inert = covered;
  }

  for (const name of names) {
    tab(name).addEventListener('click', () => show(name));
    tab(name).addEventListener('keydown', (event) => {
      const at = names.indexOf(name);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = names[(to + names.length) % names.length];
      show(next);
      tab(next).focus();
    });
  }
  byId('open-panel').addEventListener('click', () => open());
  byId('close-panel').addEventListener('click', close);
  byId('panel').addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !wide.matches) close();
  });
  wide.addEventListener('change', fence);

  const asked = location.hash.slice(1);
  show(names.includes(asked) ? asked : 'why');

  return {
    /** Opens the explanation of a shelf, or of a card in it. */
    why(shelf, card) {
      parts.why.select(shelf, card);
      open('why');
    },
    /** Selects a card for the explanation without opening anything. */
    select: (shelf, card) => parts.why.select(shelf, card),
  };
}

/** The numbers behind the page, or nothing where the page is in server order. */
function explain({ home, ranked }) {
  try {
    return ranked.decisionId ? home.explain(ranked.decisionId) : undefined;
  } catch {
    return undefined;
  }
}
