// One visit: load, rank, insert the shelves once, then listen to what the listener does.
import './policy.js';
import { collector, seed } from './address.js';
import { createActions } from './actions.js';
import { loadCatalogue } from './catalogue.js';
import { greeting, now } from './clock.js';
import { announce, h } from './dom.js';
import { recall, remember } from './memory.js';
import { createMenu } from './menu.js';
import { createPanel } from './panel.js';
import { createPlayer } from './player.js';
import { watchRequests } from './requests.js';
import { buildPage } from './server.js';
import { render, visibleRange, watchImpressions } from './shelves.js';

/** A page that is not ranked by then comes in server order. */
const PATIENCE_MS = 3000;
/** A published question that is not here by then waits for the next visit. */
const QUESTION_PATIENCE_MS = 400;
const LOCAL_SHELVES = ['recently_played', 'heavy_rotation', 'your_shows', 'because_you_played'];

const byId = (id) => document.getElementById(id);

const requests = watchRequests();
byId('greeting').textContent = greeting();

visit().catch((error) => {
  byId('shelves').removeAttribute('aria-busy');
  notice(`The page could not be built: ${error.message}`);
});

async function visit() {
  const [{ createHome }, catalogue] = await Promise.all([import('./ears-only/index.js'), loadCatalogue()]);
  remember({ visits: recall().visits + 1 });

  const home = createHome({
    namespace: 'demo',
    clock: now,
    upload: { url: collector.href, manifest: new URL('manifest.json', document.baseURI) },
    ...(seed === undefined ? {} : { seed }),
  });

  const page = { ...buildPage(catalogue), visible: visibleRange(), local: LOCAL_SHELVES };
  const ranked = withCatalogue(await inTime(order(home, page), () => home.rankSync(page)), catalogue);
  const track = (event) => home.track(event);

  let player;
  const actions = createActions(byId('toast'), { home, decisionId: ranked.decisionId, changed: () => player?.refresh() });
  const panel = createPanel({ home, page, ranked, catalogue, collector, requests, leave });
  const menu = createMenu({ ...actions, why: panel.why });
  player = createPlayer(byId('player'), { track, ...actions });

  const shelves = byId('shelves');
  shelves.append(render(ranked, {
    play: (card, shelf) => {
      player.play(card, shelf, ranked.decisionId);
      panel.select(shelf, card);
    },
    menu,
    why: panel.why,
  }));
  shelves.removeAttribute('aria-busy');
  describe(home, ranked);
  home.subscribe(() => describePrivate(home, ranked));
  watchImpressions(shelves, (shelfId, cardId) => track({ type: 'impression', decisionId: ranked.decisionId, shelfId, cardId, at: now() }));

  addEventListener('pagehide', () => {
    player.stop();
    actions.settle();
  }, { capture: true });
  byId('next-visit').addEventListener('click', () => leave());

  /** Ends this visit and begins another, the only way an order changes; `tab` is the one to show then. */
  async function leave(tab) {
    player.stop();
    byId('next-visit').disabled = true;
    await actions.settle();
    await home.close();
    if (tab) history.replaceState(history.state, '', `#${tab}`);
    location.reload();
  }
}

async function order(home, page) {
  await home.ready;
  // Where the listener contributes, the published question has to be here before the page is drawn.
  if (home.consent.contribute) await Promise.race([home.flush(), new Promise((resolve) => { setTimeout(resolve, QUESTION_PATIENCE_MS); })]);
  return home.rank(page);
}

function describe(home, ranked) {
  const { status } = home;
  const root = document.documentElement;
  Object.assign(root.dataset, { source: ranked.source, state: status.state, reason: status.reason ?? '', decision: ranked.decisionId ?? '' });
  const { visits } = recall();
  byId('visit').textContent = `Visit ${visits}`;
  if (ranked.source === 'baseline') {
    byId('lede').textContent = 'The server’s order, as everybody gets it.';
    notice(explainBaseline(home, ranked));
  } else {
    const played = ranked.shelves.some(({ local }) => local);
    byId('lede').textContent = played ? 'Ordered on this device, from what was played on this device.'
      : home.summary().historyEmpty ? 'Nothing is known about you. Play something, then come back.'
      : 'You have looked around, and played nothing yet.';
  }
  announce(`Home is ready: ${ranked.shelves.length} shelves`);
}

/** While listening privately the page says so, in place of where its order comes from. */
function describePrivate(home, ranked) {
  const { dataset } = document.documentElement;
  if (home.isPrivate === (dataset.private === 'on')) return;
  dataset.private = home.isPrivate ? 'on' : 'off';
  if (home.isPrivate) byId('lede').textContent = 'Listening privately: nothing you do is recorded.';
  else describe(home, ranked);
}

function explainBaseline(home, ranked) {
  const { reason, message } = home.status;
  const causes = {
    csp: 'This page’s content security policy does not allow WebAssembly (csp), so nothing is ranked here.',
    'no-wasm': 'This browser has no WebAssembly (no-wasm), so nothing is ranked here.',
  };
  if (!home.consent.personalize) return 'You switched personalizing off, under “Left this device”.';
  const code = ranked.error?.code ?? reason ?? 'unknown';
  return causes[reason] ?? `Nothing was ranked (${code}): ${ranked.error?.message ?? message ?? 'no further detail'}.`;
}

function notice(text) {
  byId('notice').replaceChildren(h('strong', {}, 'Server order. '), text);
  byId('notice').hidden = false;
}

/** The page as the policy ordered it, each card with what the catalogue knows of it. */
function withCatalogue(ranked, catalogue) {
  const known = (card) => ({ ...catalogue.cards.get(card.id), ...card });
  return { ...ranked, shelves: ranked.shelves.map((shelf) => ({ ...shelf, cards: shelf.cards.map(known) })) };
}

function inTime(promise, instead) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(instead()), PATIENCE_MS);
    promise.then((value) => {
      clearTimeout(timer);
      resolve(value);
    }, () => {
      clearTimeout(timer);
      resolve(instead());
    });
  });
}
