// Every kind of model and policy on this very page: switch between them, and see what each costs in this browser.
import { addressWith } from '../address.js';
import { copyOf } from '../copy.js';
import { announce, h } from '../dom.js';
import { MODELS, chosen, modelOptions } from '../models.js';

const TURNS = 30;

export function createModels(root, { home, page, requests }) {
  const state = h('p', { class: 'hint', id: 'models-state', role: 'status' }, `Each ranks this page ${TURNS} times, with what this device knows.`);
  const measure = h('button', { type: 'button', class: 'button accent', id: 'measure', onclick: () => start() }, 'Measure all');
  const loaded = h('dl', { class: 'numbers' });
  const rows = new Map(Object.entries(MODELS).map(([name, { label, about }]) => [name, {
    time: h('td', { class: 'number' }, '–'), size: h('td', { class: 'number' }, '–'),
    head: h('th', { scope: 'row' },
      name === chosen ? h('span', { class: 'model-name' }, label, ' ', h('small', { class: 'badge' }, 'in use'))
        : h('a', { class: 'model-name', href: addressWith({ model: name || undefined }, '#models').href, data: { model: name } }, label),
      h('small', {}, about)),
  }]));

  root.append(
    h('h3', {}, 'One package, many models'),
    h('p', { class: 'hint' }, 'A bundle brings the model, the head learns on top of it. Choose one, and the page is ranked with it.'),
    h('table', { class: 'models' },
      h('caption', { class: 'visually-hidden' }, 'Models and policies'),
      h('thead', {}, h('tr', {}, ...['Model or policy', 'ms a page', 'Bytes'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {}, [...rows.values()].map(({ head, time, size }) => h('tr', {}, head, time, size)))),
    h('div', { class: 'button-row' }, measure),
    state,
    h('h3', {}, 'Loaded so far'),
    loaded,
    h('p', { class: 'hint' }, 'As the browser counts it, on this server, which compresses nothing. Sizes after compression are among the results in the documentation.'),
  );

  async function start() {
    measure.disabled = true;
    try {
      const known = await home.exportState();
      const cards = page.shelves.reduce((sum, shelf) => sum + shelf.cards.length, 0);
      for (const [name, { label }] of Object.entries(MODELS)) {
        state.textContent = `${label}…`;
        const { model, bytes } = await modelOptions(name);
        const other = await copyOf(known, name, model);
        const times = [];
        for (let turn = 0; turn < TURNS; turn += 1) {
          await new Promise((resolve) => { setTimeout(resolve); });
          const from = performance.now();
          const { source } = other.rankSync({ ...page, local: false });
          times.push(performance.now() - from);
          if (source !== 'policy') throw new Error(`${label}: expected a ranked page, found the server’s order`);
        }
        await other.close();
        const { time, size } = rows.get(name);
        times.sort((a, b) => a - b);
        time.textContent = times[TURNS / 2].toFixed(1);
        size.textContent = bytes === 0 ? 'none' : bytes.toLocaleString('en');
      }
      state.textContent = `Median of ${TURNS} pages of ${cards} cards. Clocks of browsers are coarse.`;
      announce('All models are measured');
    } catch (error) {
      state.textContent = `The measurement broke off: ${error.message}`;
    } finally {
      measure.disabled = false;
    }
  }

  return {
    show() {
      const kinds = { package: /ears-only\//, 'demo world': /built\/world/, charts: /built\/uplot/, catalogue: /catalogue\//, models: /models\//, fonts: /font\// };
      const sums = new Map([...Object.keys(kinds), 'the page itself'].map((name) => [name, 0]));
      for (const { url, size } of requests.list) {
        const name = Object.keys(kinds).find((kind) => kinds[kind].test(url.pathname)) ?? 'the page itself';
        sums.set(name, sums.get(name) + size);
      }
      loaded.replaceChildren(...[...sums].map(([name, bytes]) => h('div', {}, h('dt', {}, name), h('dd', {}, `${(bytes / 1000).toFixed(0)} kB`))));
    },
  };
}
