// What left this device, byte for byte, what waits, and the switches that decide about it.
import { DAY, formatDate, formatMoment, moveClock, now } from '../clock.js';
import { announce, bar, figure, h } from '../dom.js';
import { cutOff } from '../policy.js';

// Layout of the 16 bytes: name, bits, and what decides the value.
const FIELDS = [
  ['version', 4, 'the package'], ['epoch', 12, 'the calendar'], ['manifestId', 32, 'the published manifest'], ['slot', 4, 'the public draw'],
  ['shelfPosition', 5, 'the manifest'], ['cardPosition', 5, 'the manifest'], ['arm', 10, 'the public draw'], ['question', 6, 'the public draw'],
  ['propensityNumerator', 16, 'the manifest'], ['epsilonIndex', 3, 'the manifest'], ['symbol', 6, 'your answer, after a random flip'], ['zero', 25, 'always zero'],
];
const NAMES = {
  version: 'Version', epoch: 'Week', manifestId: 'Manifest', slot: 'Probe', shelfPosition: 'Shelf position', cardPosition: 'Card position', arm: 'Arm',
  question: 'Question', propensityNumerator: 'Propensity', epsilonIndex: 'Privacy level', symbol: 'Noisy answer', zero: 'Padding',
};
const MINUTE = 60_000;
const SVG = 'http://www.w3.org/2000/svg';

export function createLeft(root, { home, catalogue, collector, requests, leave }) {
  const state = h('div', { class: 'left-state' });
  const records = h('div', { class: 'records' });
  const count = h('p', { class: 'status-line' });
  const urls = h('ul', { class: 'request-list' });
  const clock = h('p', { class: 'hint', id: 'demo-clock' });

  const boxes = {};
  const toggle = (name, label, text) => {
    const box = boxes[name] = h('input', { type: 'checkbox', role: 'switch', id: `consent-${name}`, 'aria-describedby': `consent-${name}-text`, onchange: async () => {
      await home.setConsent({ [name]: box.checked });
      await refresh();
      announce(`${label}: ${box.checked ? 'on' : 'off'}`);
    } });
    return h('div', { class: 'switch' }, box, h('label', { for: `consent-${name}` }, label), h('p', { id: `consent-${name}-text` }, text));
  };
  const step = (days) => h('button', { type: 'button', class: 'button small', data: { days }, onclick: () => advance(days * DAY) }, `+ ${days} ${days === 1 ? 'day' : 'days'}`);

  let next = {};
  const ahead = h('button', { type: 'button', class: 'button small accent', id: 'ahead', onclick: () => (next.at === undefined ? leave() : advance(Math.max(0, next.at - now()) + MINUTE)) });

  root.append(
    h('h3', {}, 'Your two choices'),
    toggle('personalize', 'Personalize on this device', 'Learns from what you play, here. Nothing leaves. Off: everybody’s order, and nothing is recorded.'),
    toggle('contribute', 'Contribute one noisy bit a week', 'Is asked at most one question a week, four in 28 days; each answer is one 16-byte record. Its one private bit is flipped at random, so that it is never proof of what you did.'),
    navigator.globalPrivacyControl ? h('p', { class: 'hint strong' }, 'Your browser asks sites not to share your data (Global Privacy Control). So nothing is sent, whatever the switch says.') : '',
    state,
    h('h3', {}, 'This visit'),
    h('div', { class: 'switch' },
      h('input', { type: 'checkbox', role: 'switch', id: 'private', 'aria-describedby': 'private-text', onchange: ({ target }) => {
        home.setPrivate(target.checked);
        announce(`Listen privately: ${target.checked ? 'on' : 'off'}`);
      } }),
      h('label', { for: 'private' }, 'Listen privately'),
      h('p', { id: 'private-text' }, 'What is known orders the page, and nothing is recorded. Ends with the visit.')),
    h('h3', {}, 'Demo clock'),
    clock,
    h('div', { class: 'button-row' }, step(1), step(7), step(29), ahead),
    h('h3', {}, 'Cut off'),
    h('div', { class: 'switch' },
      h('input', { type: 'checkbox', role: 'switch', id: 'offline', 'aria-describedby': 'offline-text', onchange: ({ target }) => {
        cutOff();
        target.disabled = true;
        announce('This page is cut off until it is loaded again');
      } }),
      h('label', { for: 'offline' }, 'Refuse every request'),
      h('p', { id: 'offline-text' }, 'The browser itself refuses all that this page would ask for, until it is loaded again. Ranking and learning go on.')),
    h('h3', {}, 'Records'),
    records,
    h('h3', {}, 'Requests this page has sent'),
    count,
    h('details', {}, h('summary', {}, 'Show them'), urls),
    h('p', { class: 'hint' }, `Records go to ${collector.href}. The browser refuses this page every other address outside it.`),
  );

  let manifest;
  async function advance(ms) {
    root.setAttribute('aria-busy', 'true');
    try {
      moveClock(ms);
      await home.flush();
      await refresh();
    } finally {
      root.removeAttribute('aria-busy');
    }
    announce(`The clock stands at ${formatMoment(now())}`);
  }

  async function refresh() {
    const view = await home.outbox();
    if (view.records.length > 0) manifest ??= await fetch(new URL('../manifest.json', import.meta.url)).then((response) => response.json()).catch(() => undefined);
    for (const [name, box] of Object.entries(boxes)) box.checked = home.consent[name];
    next = nextStep(view);
    ahead.textContent = next.label;
    drawState(view);
    drawRecords(view);
    drawRequests();
    clock.textContent = `${formatMoment(now())}. A device waits 28 days from its first consent before its first question, so that clearing the browser earns no new budget. Move the clock to see it.`;
  }

  function drawState({ budget, contribution, disclosure }) {
    const total = budget.epsilonSpent + budget.epsilonLeft;
    state.replaceChildren(...[
      h('p', { class: 'status-line', data: { contribution: contribution.state } }, sentence(contribution)),
      total > 0 && h('div', { class: 'budget' },
        h('span', {}, 'Privacy budget, 28 days'),
        h('span', { class: 'number' }, `ε ${figure(budget.epsilonSpent, 2)} spent · ${figure(budget.epsilonLeft, 2)} left`),
        bar(budget.epsilonSpent / total, 'budget-bar')),
      disclosure?.epsilon > 0 && h('p', { class: 'hint disclosed' }, `All records so far together disclose at most ε\u00A0${figure(disclosure.epsilon, 2)}, but for a chance of one in ${Math.round(1 / disclosure.delta).toLocaleString('en')}.`),
    ].filter(Boolean));
  }

  let drawn;
  function drawRecords({ records: list }) {
    const key = JSON.stringify([list, manifest !== undefined]);
    if (key === drawn) return;
    drawn = key;
    records.replaceChildren(...(list.length === 0
      ? [h('p', { class: 'empty' }, 'No record was ever made on this device.')]
      : list.map((record) => recordElement(record, collector, cardOf(record)))));
  }

  /** Title of the card a record asks about, while the manifest that published it is still the one served. */
  const cardOf = ({ fields }) => catalogue.cards.get(manifest?.probes[fields.slot]?.arms[fields.arm]?.card)?.title;

  function drawRequests() {
    const list = requests.list;
    const away = list.filter(({ url }) => url.origin !== location.origin);
    count.dataset.away = away.length;
    count.textContent = `${away.length === 0 ? 'None' : away.length} of ${list.length} requests left this site (${location.host}).`;
    urls.replaceChildren(...[...list].reverse().map(({ url, by }) => h('li', { class: url.origin === location.origin ? '' : 'away' },
      h('span', {}, url.origin === location.origin ? url.pathname : url.href), h('small', {}, by))));
  }

  let queued = 0;
  const soon = () => {
    clearTimeout(queued);
    queued = setTimeout(() => {
      if (!root.hidden) refresh();
    }, 250);
  };
  home.subscribe(soon);
  requests.subscribe(soon);
  // Filled before it is first looked at, so that nothing shifts then.
  void refresh();
  return { show: () => refresh() };
}

function recordElement(record, collector, asked) {
  const { hex, fields, state } = record;
  const when = state === 'sent' ? `Sent ${formatMoment(record.sentAt)}`
    : state === 'refused' ? 'The receiver will not take it'
    : `Waits, to be sent after ${formatMoment(record.sendAfter)}`;
  return h('article', { class: 'record', data: { state, hex } },
    h('p', { class: `record-state ${state}` }, when),
    h('p', {}, record.sentence),
    h('code', { class: 'hex', 'aria-label': 'The 16 bytes' }, hex.match(/../g).map((byte) => h('span', {}, byte))),
    strip(),
    h('details', {}, h('summary', {}, 'Every field'),
      h('table', { class: 'fields' },
        h('thead', {}, h('tr', {}, ['Field', 'Bits', 'Value', 'Decided by'].map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, FIELDS.map(([name, bits, by]) => h('tr', { class: name === 'symbol' ? 'private' : '' },
          h('th', { scope: 'row' }, NAMES[name]), h('td', { class: 'number' }, String(bits)), h('td', {}, valueOf(name, fields, asked)), h('td', {}, by)))))),
    h('p', { class: 'hint' }, `To ${collector.host}, in a body of 256 bytes: a format byte, 16 random bytes drawn for this record alone, these 16, then zeros. No cookie, no name, no address of yours in it.`),
  );
}

function valueOf(name, fields, asked) {
  if (name === 'arm' && asked) return `${fields.arm}: ${asked}`;
  if (name === 'zero') return '0';
  if (name === 'propensityNumerator') return `${fields[name]} / 65536`;
  if (name === 'epsilonIndex') return `${fields[name]} (ε ${fields.epsilon})`;
  if (name === 'epoch') return `${fields[name]} (from ${formatDate(Date.UTC(2026, 0, 5) + fields.epoch * 7 * DAY)})`;
  return String(fields[name]);
}

/** 128 cells, one per bit: only the answer's depend on the listener. */
function strip() {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 256 15');
  svg.setAttribute('class', 'strip');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', '128 bits: 122 are public or always zero, 6 carry the noisy answer');
  let bit = 0;
  for (const [name, bits] of FIELDS) {
    for (let end = bit + bits; bit < end; bit += 1) {
      const cell = document.createElementNS(SVG, 'rect');
      cell.setAttribute('x', String((bit % 64) * 4));
      cell.setAttribute('y', String(Math.floor(bit / 64) * 8));
      cell.setAttribute('width', '3');
      cell.setAttribute('height', '7');
      cell.setAttribute('class', name === 'symbol' ? 'cell private' : name === 'zero' ? 'cell zero' : 'cell');
      svg.append(cell);
    }
  }
  return svg;
}

/** What the weekly record waits for: a moment to jump to, or else the next visit. */
function nextStep({ records, contribution: { state, dueAt, readyAt, nextAllowedAt } }) {
  const waiting = records.filter((record) => record.state === 'waiting').map(({ sendAfter }) => sendAfter);
  if (waiting.length > 0) return { at: Math.min(...waiting), label: 'Jump to its sending' };
  if (state === 'watching' && readyAt) return { at: readyAt, label: 'Jump to the outcome' };
  if (state === 'scheduled' && dueAt) return { at: dueAt, label: 'Jump to the question' };
  if ((state === 'spent' || state === 'done') && nextAllowedAt > now()) return { at: nextAllowedAt, label: 'Jump to the next record' };
  return { label: 'Next visit' };
}

function sentence({ state, dueAt, nextAllowedAt }) {
  switch (state) {
    case 'off': return 'You contribute nothing. No record is made and none is sent.';
    case 'no_manifest': return 'No question is published for this week, so no record is made.';
    case 'spent': return nextAllowedAt > now() ? `The budget is spent. The next record may be made from ${formatDate(nextAllowedAt)}.` : 'This week’s budget is spent.';
    case 'scheduled': return dueAt ? `This week’s question comes on a visit after ${formatMoment(dueAt)}.` : 'This week’s question is scheduled.';
    case 'due': return 'This week’s question comes on your next visit: a public draw will place one card.';
    case 'watching': return 'This page holds one card placed by a public draw. Whether you play it becomes one noisy bit.';
    case 'ready': return 'The outcome is known. The budget is debited first, then the record is made.';
    case 'done': return nextAllowedAt > now() ? `This week’s record is made. The next may follow from ${formatDate(nextAllowedAt)}.` : 'This week’s record is made.';
    default: return state;
  }
}
