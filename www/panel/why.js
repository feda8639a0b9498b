// Why each shelf, and the chosen card, stands where it stands.
import { bar, figure, h, percent } from '../dom.js';
import { whatIf } from '../whatif.js';

const FEATURES = {
  bias: 'Starting point', popularity: 'Popular with everybody', artist_affinity: 'This artist, played here', family_affinity: 'This genre, played here',
  card_affinity: 'This very card, played here', taste_short: 'Near your recent taste', taste_long: 'Near your long-term taste',
  new_artist: 'An artist new to you', recency: 'Played a short while ago', skip_rate: 'Skipped before', time_of_day: 'Played at this hour',
  willingness: 'You open shelves of this kind', liked: 'Liked or followed', fatigue: 'Shown often, not played', is_podcast: 'A podcast', is_playlist: 'A mix', duration: 'Length',
};

const FIRST_CARDS = 3;
const POLICIES = { plackett_luce: 'Plackett–Luce', fixed: 'Fixed order', popularity: 'Popularity', epsilon_page: 'Epsilon-greedy' };

export function createWhy(root, { home, page, ranked, explanation, act }) {
  const first = firstChances(explanation);
  const largest = Math.max(1e-9, ...first.values());
  const detail = h('div', { class: 'detail', 'aria-live': 'polite', tabindex: '0', role: 'group', 'aria-label': 'The chosen shelf or card' });
  const shelves = new Map((explanation?.shelves ?? []).map((shelf) => [shelf.id, shelf]));
  /** The shelf whose what-ifs are not worked out yet. */
  let open;
  let working = new AbortController();
  const titles = new Map(ranked.shelves.map((shelf) => [shelf.id, shelf]));

  root.append(
    h('p', { class: 'hint', id: 'why-facts' }, [POLICIES[ranked.policy] ?? ranked.policy, `model ${ranked.modelVersion || 'none'}`, ranked.randomized ? 'drawn at random' : 'nothing drawn', ranked.probe && 'with a public draw'].filter(Boolean).join(' · ')),
    detail,
    h('h3', {}, 'Shelves, top to bottom'),
    h('p', { class: 'hint' }, explanation
      ? 'With the chance each had to come first. Choose one for its numbers.'
      : 'The page is in the server’s order, so there is nothing to explain: everybody gets this order.'),
    h('ol', { class: 'why-list' }, ranked.shelves.map((shelf) => {
      const chance = first.get(shelf.id) ?? Number.NaN;
      return h('li', {}, h('button', { type: 'button', class: 'why-shelf', data: { shelf: shelf.id, first: Number.isFinite(chance) ? chance : '' }, onclick: () => select(shelf) },
        h('span', { class: 'why-position' }, String(shelf.position + 1)),
        h('span', { class: 'why-title' }, shelf.title),
        h('span', { class: 'why-chance' }, explanation ? percent(chance) : ''),
        h('span', { class: 'why-reason' }, shelf.reason.text),
        explanation && bar(chance / largest)));
    })),
  );
  select(ranked.shelves[0]);

  function select(shelf, card) {
    if (!shelf) return;
    working.abort();
    open = undefined;
    for (const button of root.querySelectorAll('.why-shelf')) button.toggleAttribute('data-selected', button.dataset.shelf === shelf.id);
    const numbers = shelves.get(shelf.id);
    const place = titles.get(shelf.id) ?? shelf;
    detail.replaceChildren(...(card ? cardDetail(card, numbers, place) : shelfDetail(place, numbers)));
    void workOut();
  }

  /** Fills in what would change the shelf, once somebody looks and nothing more urgent is to be done. */
  async function workOut() {
    if (!open || !root.checkVisibility({ visibilityProperty: true })) return;
    const { shelf, numbers, cells } = open;
    open = undefined;
    working = new AbortController();
    const { signal } = working;
    await idle();
    if (signal.aborted) return;
    const done = new Set();
    try {
      await whatIf({ home, page, shelfId: shelf.id, cardId: numbers.cards[0].id, signal, tell: (name, found) => {
        done.add(name);
        cells[name]?.value.replaceChildren(found ? figure(found.value) : 'not here');
        cells[name]?.place.replaceChildren(found ? String(found.place) : '–');
      } });
    } catch {
      // What is missing is said below.
    }
    for (const [name, { value }] of Object.entries(cells)) if (!done.has(name) && !signal.aborted) value.replaceChildren('unknown');
  }

  function shelfDetail(shelf, numbers) {
    return [
      h('p', { class: 'detail-kind' }, `Shelf ${shelf.position + 1} of ${ranked.shelves.length}`),
      h('h3', {}, shelf.title),
      h('p', { class: 'detail-reason' }, shelf.reason.text),
      h('dl', { class: 'numbers' },
        pair('Shelf value', figure(numbers?.score), 'chance of a play on it'),
        pair('Logit', figure(numbers?.logit)),
        pair('Propensity', percent(shelf.propensity), 'given the shelves above it'),
        pair('Comes first', percent(first.get(shelf.id) ?? Number.NaN))),
      h('table', { class: 'contributions' },
        h('caption', {}, 'Its first cards, and the chance each had in its place'),
        h('colgroup', {}, h('col'), h('col', { class: 'col-bar' }), h('col', { class: 'col-figure' })),
        h('thead', { class: 'visually-hidden' }, h('tr', {}, ...['Card', 'Propensity', 'In figures'].map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, shelf.cards.slice(0, FIRST_CARDS).map((card) => h('tr', {},
          h('th', { scope: 'row' }, h('span', {}, card.title), h('small', {}, card.reason.text)),
          h('td', {}, bar(card.propensity)),
          h('td', { class: 'number' }, percent(card.propensity)))))),
      ...(numbers?.cards.length > 0 ? shelfChanges(shelf, numbers) : []),
    ];
  }

  /** Where the value alone would put the shelf, how far the next one is, and what else would happen if something happened. */
  function shelfChanges(shelf, numbers) {
    const others = explanation.shelves;
    const place = others.filter(({ score }) => score > numbers.score).length + 1;
    const drawn = numbers.position + 1;
    const above = others.filter(({ logit }) => logit > numbers.logit).sort((a, b) => a.logit - b.logit)[0];
    const top = shelf.cards.find(({ id }) => id === numbers.cards[0].id)?.title ?? numbers.cards[0].id;
    const cells = {};
    const row = (name, label) => {
      const { value, place: at } = cells[name] = { value: h('td', { class: 'number', data: { value: name } }, '…'), place: h('td', { class: 'number', data: { place: name } }, '…') };
      return h('tr', {}, h('th', { scope: 'row' }, label), value, at);
    };
    open = { shelf, numbers, cells };
    return [h('div', { class: 'changes' },
      h('h4', {}, 'What would change it'),
      h('ul', {},
        h('li', {}, place === drawn ? `By its value alone it stands at place ${place} as well.`
          : numbers.visible ? `By its value alone it would stand at place ${place}. The draw put it at ${drawn}: the page explores.`
          : `By its value alone it would stand at place ${place}. It stands at ${drawn}, since shelves above it were drawn.`),
        above && h('li', {}, `A logit higher by ${figure(above.logit - numbers.logit, 2)} would lift it past ${titles.get(above.id)?.title ?? above.id}.`)),
      h('table', { class: 'what-if' },
        h('caption', {}, `Ranked anew by copies of this device. Its first card is ${top}.`),
        h('colgroup', {}, h('col'), h('col', { class: 'col-figure' }), h('col', { class: 'col-figure' })),
        h('thead', {}, h('tr', {}, ['If', 'Value', 'Place'].map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {},
          row('now', 'nothing more happens'), row('played', 'you play that card for 3 minutes'), row('skipped', 'you skip it after 5 seconds'),
          row('hidden', 'you hide it'), row('gone', 'the server does not send it'))))];
  }

  function cardDetail(card, shelfNumbers, shelf) {
    const numbers = shelfNumbers?.cards.find(({ id }) => id === card.id);
    const contributions = numbers?.contributions ?? [];
    const widest = Math.max(1e-9, ...contributions.map(({ contribution }) => Math.abs(contribution)));
    return [
      h('p', { class: 'detail-kind' }, `Card ${(card.position ?? 0) + 1} in ${shelf.title}`),
      h('h3', {}, card.title),
      h('p', { class: 'detail-reason' }, card.reason?.text ?? ''),
      h('dl', { class: 'numbers' },
        pair('Score', numbers ? `${figure(numbers.score, 2)} ± ${figure(numbers.sd, 2)}` : '–'),
        pair('Propensity', percent(card.propensity), numbers?.visible === false ? 'not drawn: further along the shelf' : 'given the cards before it')),
      contributions.length > 0 && h('table', { class: 'contributions' },
        h('caption', {}, 'What made the score'),
        h('colgroup', {}, h('col'), h('col', { class: 'col-bar' }), h('col', { class: 'col-figure' })),
        h('thead', { class: 'visually-hidden' }, h('tr', {}, ...['Feature', 'Contribution', 'Value times weight'].map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, contributions.map(({ feature, value, weight, contribution }) => h('tr', {},
          h('th', { scope: 'row' }, h('span', {}, FEATURES[feature] ?? feature), h('small', {}, `${figure(value, 2)} × ${figure(weight, 2)}`)),
          h('td', {}, bar(Math.abs(contribution) / widest, contribution < 0 ? 'minus' : 'plus')),
          h('td', { class: 'number' }, figure(contribution, 2)))))),
      numbers && changes(card, numbers, shelfNumbers, shelf),
    ].filter(Boolean);
  }

  /** What the score alone would do, and what the place hangs on. */
  function changes(card, numbers, shelfNumbers, shelf) {
    const scores = shelfNumbers.cards.map(({ score }) => score);
    const place = (score) => scores.filter((other) => other > score).length + 1;
    const drawn = numbers.position + 1;
    const [largest] = [...numbers.contributions].filter(({ feature, contribution }) => feature !== 'bias' && contribution !== 0).sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
    const above = shelfNumbers.cards.filter(({ score }) => score > numbers.score).sort((a, b) => a.score - b.score)[0];
    const title = (id) => shelf.cards.find((other) => other.id === id)?.title ?? id;
    const without = largest && place(numbers.score - largest.contribution) - (largest.contribution < 0 ? 0 : 1);
    return h('div', { class: 'changes' },
      h('h4', {}, 'What would change it'),
      h('ul', {},
        h('li', {}, numbers.visible && place(numbers.score) !== drawn ? `By its score alone it would stand at place ${place(numbers.score)}. The draw put it at ${drawn}: the page explores.` : `By its score alone it stands at place ${place(numbers.score)} as well.`),
        above && h('li', {}, `${figure(above.score - numbers.score, 2)} more would lift it past ${title(above.id)}.`),
        largest && h('li', {}, `Without “${FEATURES[largest.feature] ?? largest.feature}” its score would be ${figure(numbers.score - largest.contribution, 2)}: place ${Math.max(1, without)}.`)),
      card.artist && act && h('button', { type: 'button', class: 'button small', id: 'why-exclude', onclick: () => act('exclude', card, shelf) }, `Don’t use ${card.artist}`));
  }

  return { select, show: () => void workOut() };
}

/** Waits until the browser has nothing better to do; where it does not tell, half a second. */
function idle() {
  return new Promise((resolve) => {
    if (globalThis.requestIdleCallback) requestIdleCallback(resolve, { timeout: 2000 });
    else setTimeout(resolve, 500);
  });
}

/** For each shelf, the chance that it comes first: its cards' chances to be the first card, added up. */
export function firstChances(explanation) {
  const chances = new Map();
  for (const { shelf, probability } of explanation?.marginals ?? []) chances.set(shelf, (chances.get(shelf) ?? 0) + probability);
  return chances;
}

export function pair(term, value, note) {
  return h('div', {}, h('dt', {}, term), h('dd', {}, value, note && h('small', {}, note)));
}
