// Forgetting everything, and carrying it elsewhere.
import { h } from '../dom.js';
import { forget } from '../memory.js';
import { pair } from './why.js';

export function createReset(root, { home }) {
  const facts = h('dl', { class: 'numbers' });
  const unused = h('ul', { class: 'request-list', id: 'unused' });
  const message = h('p', { class: 'hint', role: 'status' });
  const ask = h('button', { type: 'button', class: 'button danger', id: 'forget', onclick: () => confirm(true) }, 'Forget everything');
  const sure = h('div', { class: 'confirm', hidden: true },
    h('p', {}, 'All plays, likes and what was learned from them will be gone from this device. This cannot be undone.'),
    h('div', { class: 'button-row' },
      h('button', { type: 'button', class: 'button danger', id: 'forget-sure', onclick: () => wipe() }, 'Yes, forget'),
      h('button', { type: 'button', class: 'button', onclick: () => confirm(false) }, 'Keep it')));

  root.append(
    h('h3', {}, 'What this device knows'),
    facts,
    h('p', { class: 'hint' }, 'All of it lies in this browser’s own storage. There is no account and no copy elsewhere.'),
    h('h3', {}, 'Not used'),
    h('p', { class: 'hint' }, 'Artists you said not to use, from the menu of a card. What was learned from them is unlearned.'),
    unused,
    h('h3', {}, 'All of it'),
    h('div', { class: 'button-row' },
      h('button', { type: 'button', class: 'button', id: 'save-copy', onclick: () => saveCopy() }, 'Save a copy'),
      ask),
    h('div', { class: 'reserve' }, sure),
    message,
    h('h3', {}, 'What stays'),
    h('p', { class: 'hint' }, 'Your two consents, and the dates of the privacy budget: so forgetting never earns a second record in one week.'),
  );

  function confirm(open) {
    sure.hidden = !open;
    ask.hidden = open;
    (open ? sure.querySelector('button') : ask).focus();
  }

  async function wipe() {
    try {
      await home.reset();
      forget();
      await home.close();
      location.reload();
    } catch (error) {
      confirm(false);
      message.textContent = `Not everything could be forgotten: ${error.message}`;
    }
  }

  async function saveCopy() {
    try {
      const url = URL.createObjectURL(new Blob([await home.exportState()], { type: 'application/octet-stream' }));
      h('a', { href: url, download: 'ears-only-state.bin' }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
      message.textContent = 'The copy is saved where your browser keeps downloads.';
    } catch (error) {
      message.textContent = `No copy could be made: ${error.message}`;
    }
  }

  function listUnused() {
    const { artists } = home.excluded();
    unused.replaceChildren(...(artists.length === 0 ? [h('li', {}, 'None.')] : artists.map((artist) => h('li', {}, `${artist} `,
      h('button', { type: 'button', class: 'button small', data: { artist }, onclick: () => home.include({ artist }).then(listUnused) }, 'Use again')))));
  }

  return {
    show() {
      listUnused();
      const { events, cards, decisions, updates } = home.summary();
      facts.replaceChildren(
        pair('Listening events', String(events)), pair('Cards with a history', String(cards)),
        pair('Pages decided here', String(decisions)), pair('Outcomes learned from', String(updates)));
    },
  };
}
