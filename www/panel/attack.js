// The audit's attacks, run here: on ordinary logs of a bandit, and on the records that leave a device.
import { announce, bar, h } from '../dom.js';
import { Cancelled, attack } from '../world.js';

const LISTENERS = 100;

const ATTACKS = {
  who: {
    label: 'Who is who?',
    how: 'Everybody uploads twice on one evening. The attacker pairs the uploads that are nearest to each other.',
    said: ({ hits, of }) => `${hits} of ${of} listeners found`,
  },
  later: {
    label: 'And a day later?',
    how: 'The same, with another day of listening between the two uploads.',
    said: ({ hits, of }) => `${hits} of ${of} listeners found`,
  },
  favourite: {
    label: 'What do they like best?',
    how: 'The attacker knows the favourite genre of half of the listeners, and guesses that of the others.',
    said: ({ hits, of }) => `${hits} of ${of} favourites guessed`,
  },
  played: {
    label: 'One record with a name on it',
    how: 'The worst case: the attacker holds one upload, knows whose it is, and asks whether the card was played. They believe what the record says.',
    said: ({ hits, of }) => `right in ${(100 * hits / of).toFixed(1)} %`,
  },
};

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

export function createAttack(root) {
  let chosen = 'who';
  let outcome;
  let stopping;
  const how = h('p', { class: 'hint attack-how' });
  const choices = h('fieldset', { class: 'choices' }, h('legend', { class: 'visually-hidden' }, 'Attack'),
    Object.entries(ATTACKS).map(([name, { label }]) => h('label', {}, h('input', { type: 'radio', name: 'attack', value: name, checked: name === chosen, onchange: () => {
      chosen = name;
      draw();
      if (!outcome) void start();
    } }), h('span', {}, label))));
  const run = h('button', { type: 'button', class: 'button accent', id: 'attack-run', onclick: () => start() }, 'Attack');
  const cancel = h('button', { type: 'button', class: 'button', id: 'attack-cancel', hidden: true, onclick: () => stopping?.abort() }, 'Cancel');
  const progress = h('progress', { id: 'attack-progress', max: LISTENERS, value: 0, 'aria-label': 'Listeners who have lived their week' });
  const state = h('p', { class: 'hint', id: 'attack-state', role: 'status' }, `${LISTENERS} listeners of the demo world live a week first, then upload both ways.`);
  const blank = (title) => h('section', { class: 'side' }, h('h4', {}, title), h('p', { class: 'side-figure' }, '?'), bar(0), h('p', { class: 'hint' }, 'not attacked yet'));
  const results = h('div', { class: 'versus', id: 'attack-results' });
  const seen = h('div', {});

  root.append(
    h('h3', {}, 'Break the promise'),
    h('p', { class: 'hint' }, 'To judge a new ranking later, a bandit logs how likely each card was. Such a log is a fingerprint of what one likes. Pick an attack, and see it work on that, and on what leaves a device here.'),
    choices,
    how,
    h('div', { class: 'button-row' }, run, cancel),
    progress,
    state,
    results,
    h('details', {}, h('summary', {}, 'What the attacker holds of one listener'), seen),
    h('p', { class: 'hint' }, 'The code is the audit’s (cargo xtask audit), compiled for the browser; it runs the shipped ranker and the shipped randomiser. Nothing here was computed before.'),
  );
  draw();

  async function start() {
    if (stopping) return;
    stopping = new AbortController();
    run.hidden = true;
    cancel.hidden = false;
    outcome = undefined;
    draw();
    try {
      outcome = await attack(LISTENERS, { signal: stopping.signal, onProgress: (done) => {
        progress.value = done;
        state.textContent = `${done} of ${LISTENERS} listeners have lived their week.`;
      } });
      progress.value = LISTENERS;
      state.textContent = `${LISTENERS} listeners lived a week and uploaded both ways.`;
      const { logs, records } = sides();
      announce(`Ordinary logs: ${logs}. Our records: ${records}.`);
    } catch (error) {
      progress.value = 0;
      state.textContent = error instanceof Cancelled ? 'Cancelled.' : `The attack broke off: ${error.message}`;
    } finally {
      stopping = undefined;
      cancel.hidden = true;
      run.hidden = false;
    }
    draw();
  }

  function sides() {
    const { said } = ATTACKS[chosen];
    if (chosen === 'played') return { logs: 'written down in the log', records: said(outcome.played) };
    return { logs: said(outcome[chosen].logs), records: said(outcome[chosen].records) };
  }

  function draw() {
    how.textContent = ATTACKS[chosen].how;
    results.replaceChildren(...(outcome ? [
      side('logs', 'Ordinary propensity log'),
      side('records', 'Records of this package'),
    ] : [blank('Ordinary propensity log'), blank('Records of this package')]));
    seen.replaceChildren(...(outcome ? sample(outcome.sample) : [h('p', { class: 'hint' }, 'Run an attack first.')]));
  }

  function side(which, title) {
    const played = chosen === 'played';
    const score = played ? outcome.played : outcome[chosen][which];
    const chance = played ? 0.5 : outcome[chosen].chance;
    if (played && which === 'logs') {
      return h('section', { class: 'side broken' }, h('h4', {}, title), h('p', { class: 'side-figure' }, 'In words'), bar(1), h('p', { class: 'hint' }, 'it states what was played'));
    }
    const share = score.hits / score.of;
    // Twice the chance and three more than expected: beyond luck.
    const broken = !played && share > 2 * chance && score.hits > chance * score.of + 3 * Math.sqrt(chance * score.of);
    const note = played ? `${percent(0.5)} by a coin. More than a quarter of all answers are lies, so one record never proves anything` : `${percent(chance)} by guessing`;
    return h('section', { class: `side ${broken ? 'broken' : 'safe'}`, data: { side: which, hits: score.hits, of: score.of, chance: String(chance) } },
      h('h4', {}, title), h('p', { class: 'side-figure' }, percent(share)), bar(share), h('p', {}, ATTACKS[chosen].said(score)), h('p', { class: 'hint' }, note));
  }
  return {};
}

function sample({ cards, chances, symbols, record }) {
  const hex = record.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return [
    h('h4', {}, 'In an ordinary log: 48 exact chances'),
    h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Chances in an ordinary log' }, h('table', { class: 'fields' },
      h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Card'), h('th', { scope: 'col' }, 'Chance'))),
      h('tbody', {}, cards.map((card, i) => h('tr', {}, h('th', { scope: 'row' }, card), h('td', { class: 'number' }, String(chances[i]))))))),
    h('h4', {}, 'In two of our records'),
    h('p', {}, `The noisy answers ${symbols.join(' and ')}. All else is public. A record looks like this:`),
    h('p', {}, h('code', {}, hex)),
  ];
}
