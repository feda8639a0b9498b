// What learning is worth: a month of the demo world under this core and under what it is compared with.
import { world } from '../address.js';
import { chartTable, createChart, summed } from '../chart.js';
import { announce, h } from '../dom.js';
import { Cancelled, month } from '../world.js';

const LISTENERS = 200;
const NAMES = { ears: 'This device', oracle: 'Oracle', server: 'Best fixed order', popularity: 'Popularity', random: 'Random' };
const KEY = `ears-only-month-${world}`;

const signed = (share) => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)} %`;
const share = (value) => `${(100 * value).toFixed(0)} %`;
const grouped = (value) => value.toLocaleString('en');

export function createLearning(root, { story }) {
  const headline = h('p', { class: 'headline' });
  const sentence = h('p', { class: 'hint' });
  const others = h('dl', { class: 'numbers' });
  const progress = h('progress', { id: 'month-progress', max: 1, value: 0, 'aria-label': 'The month' });
  const state = h('p', { class: 'hint', id: 'month-state', role: 'status' });
  const run = h('button', { type: 'button', class: 'button accent', id: 'month-run', onclick: () => start() }, `Run ${LISTENERS} listeners`);
  const cancel = h('button', { type: 'button', class: 'button', id: 'month-cancel', hidden: true, onclick: () => stopping?.abort() }, 'Cancel');
  const streams = createChart({ label: 'Streams up to each day, by policy. The table below has the numbers.', format: grouped, from: 0 });
  const regret = createChart({ label: 'Streams that the oracle had more, up to each day, by policy. The table below has the numbers.', format: grouped, from: 0 });
  const explored = createChart({ label: 'Share of visible places that explore, by day. The table below has the numbers.', format: share, from: 0 });
  const certainty = story && story.days.length > 1 && createChart({ label: 'Mean standard deviation of this listener’s scores, by day. The table below has the numbers.', format: (value) => value.toFixed(2), from: 0 });
  const tables = h('div', {});
  const charts = h('div', {});
  let stopping;
  let figures = recalled();

  root.append(
    h('h3', {}, 'Does it pay?'),
    headline,
    sentence,
    others,
    h('div', { class: 'month-run' }, h('div', { class: 'button-row' }, run, cancel), progress, state),
    charts,
  );
  charts.append(
    h('h3', {}, 'Streams over time'),
    streams.box,
    h('h3', {}, 'Regret'),
    h('p', { class: 'hint' }, 'Streams that the oracle had more. It knows every listener’s true chances, so nothing can beat it for long.'),
    regret.box,
    h('h3', {}, 'Exploration'),
    h('p', { class: 'hint' }, 'Share of visible places that hold something else than what scores highest.'),
    explored.box,
    ...(certainty ? [
      h('h3', {}, `Listener ${story.portrait.number} becomes known`),
      h('p', { class: 'hint' }, 'Mean standard deviation of the scores on their page: it shrinks as the device learns.'),
      certainty.box] : []),
    h('details', {}, h('summary', {}, 'The numbers as tables'), tables),
  );
  draw();

  async function start() {
    stopping = new AbortController();
    run.hidden = true;
    cancel.hidden = false;
    try {
      figures = await month(world, { listeners: LISTENERS, signal: stopping.signal, onProgress: (so) => {
        figures = so;
        progress.max = so.parts;
        progress.value = so.done;
        state.textContent = so.listeners === 0 ? 'What is popular is learned first, from all listeners.' : `${so.listeners} of ${LISTENERS} listeners have lived their month.`;
        draw();
      } });
      keep(figures);
      announce(`The month is over: ${headline.textContent} ${sentence.textContent}`);
    } catch (error) {
      figures = undefined;
      if (!(error instanceof Cancelled)) state.textContent = `The month broke off: ${error.message}`;
    } finally {
      stopping = undefined;
      cancel.hidden = true;
      run.hidden = false;
    }
    draw();
    if (!figures) {
      progress.value = 0;
      state.textContent ||= 'Cancelled.';
    }
  }

  function draw() {
    const complete = figures?.comparisons.length > 0;
    const against = (name) => figures?.comparisons.find(({ policy, against: other }) => policy === 'ears' && other === name)?.relative;
    charts.hidden = !figures;
    headline.textContent = complete ? signed(against('popularity')) : stopping ? '…' : '?';
    headline.dataset.relative = complete ? String(against('popularity')) : '';
    sentence.textContent = complete
      ? `more streams than learned popularity: ${LISTENERS} simulated listeners, 30 days, two visits a day, seed ${world}. Computed here, in this tab; ears-lab simulate gives the same number for the same seed, to the last bit.`
      : `How many more streams than learned popularity? ${LISTENERS} simulated listeners live 30 days in this tab, once under each policy, with the same luck.`;
    others.replaceChildren(...['server', 'random', 'oracle'].map((name) => h('div', {}, h('dt', {}, `against ${NAMES[name].toLowerCase()}`),
      h('dd', { data: { against: name, relative: complete ? String(against(name)) : '' } }, complete ? signed(against(name)) : '–'))),
    h('div', {}, h('dt', {}, 'way to the oracle'), h('dd', { data: { gap: complete ? String(figures.oracle_gap_closed) : '' } }, complete ? share(figures.oracle_gap_closed) : '–', h('small', {}, 'from popularity'))));
    run.textContent = complete ? 'Run it again' : `Run ${LISTENERS} listeners`;
    if (complete) {
      progress.max = 1;
      progress.value = 1;
      state.textContent = `${grouped(figures.streams.ears.reduce((a, b) => a + b, 0))} streams in ${grouped(LISTENERS * 60)} visits.`;
    }
    lines();
  }

  function lines() {
    if (root.hidden || !figures) return;
    const empty = Array.from({ length: 30 }, () => 0);
    const of = (name) => figures.streams[name] ?? empty;
    const series = (make, names) => names.map((name) => ({ name, label: NAMES[name], values: make(name) }));
    const over = series((name) => summed(of(name)), ['oracle', 'ears', 'server', 'popularity', 'random']);
    const lost = series((name) => summed(of(name).map((value, day) => of('oracle')[day] - value)), ['random', 'popularity', 'server', 'ears']);
    const share_ = [{ name: 'ears', label: 'This device', values: figures.explored ?? empty }];
    void streams.draw(over);
    void regret.draw(lost);
    void explored.draw(share_);
    const sds = certainty && [{ name: 'ears', label: 'Standard deviation', values: story.days.map(({ sd }) => sd) }];
    if (certainty) void certainty.draw(sds);
    tables.replaceChildren(
      h('h4', {}, 'Streams up to each day'), chartTable('Streams up to each day, by policy', over, grouped),
      h('h4', {}, 'Regret up to each day'), chartTable('Regret up to each day, by policy', lost, grouped),
      h('h4', {}, 'Exploration'), chartTable('Share of places that explore', share_, (value) => `${(100 * value).toFixed(1)} %`),
      ...(certainty ? [h('h4', {}, 'Certainty'), chartTable('Mean standard deviation of scores', sds, (value) => value.toFixed(3))] : []));
  }

  return {
    show() {
      lines();
      // Who was sent here by the fast-forward wants to see the month.
      if (story && story.days.length >= 30 && !figures && !stopping) void start();
    },
  };
}

function recalled() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

function keep(figures) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(figures));
  } catch {
    // It is computed again.
  }
}
