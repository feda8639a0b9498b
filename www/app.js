// One visit: load, rank, insert the shelves once, then listen to what the listener does.
import './policy.js';
import { addressWith, collector, listener, seed, step, world } from './address.js';
import { createActions } from './actions.js';
import { loadCatalogue } from './catalogue.js';
import { greeting, now, setClock } from './clock.js';
import { announce, breath, drawn, h } from './dom.js';
import { recall, remember } from './memory.js';
import { icon } from './icons.js';
import { createMenu } from './menu.js';
import { chosen, modelOptions } from './models.js';
import { createPanel } from './panel.js';
import { createPeople, createWaiting } from './people.js';
import { createPlayer } from './player.js';
import { watchRequests } from './requests.js';
import { buildPage } from './server.js';
import { render, visibleRange, watchImpressions } from './shelves.js';
import { VISIBLE, loadListener } from './someone.js';
import { themeButton } from './theme.js';
import { Cancelled } from './world.js';

/** A page that is not ranked by then comes in server order. */
const PATIENCE_MS = 3000;
/** A published question that is not here by then waits for the next visit. */
const QUESTION_PATIENCE_MS = 400;
const LOCAL_SHELVES = ['recently_played', 'heavy_rotation', 'your_shows', 'because_you_played'];

const byId = (id) => document.getElementById(id);

const requests = watchRequests();
createPeople(byId('people'));
byId('top-tools').append(themeButton());
if (listener === undefined) byId('greeting').textContent = greeting();

visit().catch((error) => {
  byId('shelves').removeAttribute('aria-busy');
  notice(`The page could not be built: ${error.message}`);
});

async function visit() {
  const [{ createHome }, someone] = await Promise.all([import('./ears-only/index.js'), listener === undefined ? undefined : daysGoBy()]);
  const catalogue = someone?.catalogue ?? await loadCatalogue();
  remember({ visits: recall().visits + 1 });
  const upload = { url: collector.href, manifest: new URL('manifest.json', document.baseURI) };
  const { model } = await modelOptions(chosen);
  const home = createHome(someone
    // The listener's draws: with them the page is the one that the simulation comes to.
    ? { namespace: 'someone', storage: 'memory', clock: now, seed: world * 2 ** 32 + listener, upload, model }
    : { namespace: 'demo', clock: now, upload, model, ...(seed === undefined ? {} : { seed }) });
  if (someone) {
    await home.ready;
    await home.importState(someone.story.snapshot);
  }

  const page = someone ? { shelves: someone.story.page, visible: VISIBLE } : { ...buildPage(catalogue), visible: visibleRange(), local: LOCAL_SHELVES };
  const ranked = withCatalogue(await inTime(order(home, page), () => home.rankSync(page)), catalogue);
  await breath();
  const track = (event) => home.track(event);

  let player;
  const actions = createActions(byId('toast'), { home, decisionId: ranked.decisionId, changed: () => player?.refresh() });
  await breath();
  const panel = await createPanel({ home, page, act: actions.act, ranked, catalogue, collector, requests, leave, story: someone?.story });
  const menu = createMenu({ ...actions, why: panel.why });
  player = createPlayer(byId('player'), { track, ...actions });

  const shelves = byId('shelves');
  // What is beside the shelves is drawn first: one thing after the other keeps each short.
  await drawn();
  shelves.append(await render(ranked, {
    play: (card, shelf) => {
      player.play(card, shelf, ranked.decisionId);
      panel.select(shelf, card);
    },
    menu,
    why: panel.why,
  }));
  shelves.removeAttribute('aria-busy');
  performance.mark('ranked');
  describe(home, ranked, someone?.story);
  home.subscribe(() => describePrivate(home, ranked, someone?.story));
  watchImpressions(shelves, (shelfId, cardId) => track({ type: 'impression', decisionId: ranked.decisionId, shelfId, cardId, at: now() }));

  addEventListener('pagehide', () => {
    player.stop();
    actions.settle();
  }, { capture: true });
  byId('next-visit').addEventListener('click', () => leave());
  byId('top-tools').append(privateButton(home));

  /** Ends this visit and begins another, the only way an order changes; `tab` is the one to show then. */
  async function leave(tab) {
    player.stop();
    byId('next-visit').disabled = true;
    await actions.settle();
    await home.close();
    if (tab) history.replaceState(history.state, '', `#${tab}`);
    if (listener === undefined) location.reload();
    else location.assign(addressWith({ step: step + 1 }));
  }
}

/** The days of the listener whose Home this is. */
async function daysGoBy() {
  const stop = new AbortController();
  const waiting = createWaiting(byId('shelves'), () => stop.abort());
  try {
    const story = await loadListener(world, listener, step, { signal: stop.signal, onProgress: waiting.day });
    setClock(story.story.at);
    byId('greeting').textContent = greeting();
    return story;
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    location.assign(addressWith({ step: 0 }, ''));
    return new Promise(() => {});
  } finally {
    waiting.done();
  }
}

/** Switches private listening on and off, as the switch under “Left this device” does. */
function privateButton(home) {
  const button = h('button', { type: 'button', class: 'round', id: 'private-button', title: 'Listen privately', 'aria-label': 'Listen privately', onclick: () => {
    home.setPrivate(!home.isPrivate);
    draw();
    announce(`Listen privately: ${home.isPrivate ? 'on' : 'off'}`);
  } }, icon('private'));
  const draw = () => button.setAttribute('aria-pressed', String(home.isPrivate));
  home.subscribe(draw);
  draw();
  return button;
}

async function order(home, page) {
  await home.ready;
  // Where the listener contributes, the published question has to be here before the page is drawn.
  if (home.consent.contribute) await Promise.race([home.flush(), new Promise((resolve) => { setTimeout(resolve, QUESTION_PATIENCE_MS); })]);
  return home.rank(page);
}

function describe(home, ranked, story) {
  const { status } = home;
  const root = document.documentElement;
  Object.assign(root.dataset, { source: ranked.source, state: status.state, reason: status.reason ?? '', decision: ranked.decisionId ?? '' });
  const { visits } = recall();
  byId('visit').textContent = story ? `Day ${step}` : `Visit ${visits}`;
  if (story) byId('next-visit').textContent = 'Next day';
  if (ranked.source !== 'policy') {
    const last = ranked.source === 'last';
    byId('lede').textContent = last ? 'The order of your last visit.' : 'The server’s order, as everybody gets it.';
    notice(explainBaseline(home, ranked), last ? 'Last order. ' : undefined);
  } else if (story) {
    const { portrait: { likes, history }, days } = story;
    const streams = days.reduce((sum, { ears }) => sum + ears, 0);
    byId('lede').textContent = `Likes ${likes.join(', ')}: the device was never told. ${step === 0 ? (history === 0 ? 'New here.' : `Comes with ${history} plays.`) : `${streams} plays in ${step} ${step === 1 ? 'day' : 'days'}.`}`;
  } else {
    const played = ranked.shelves.some(({ local }) => local);
    byId('lede').textContent = played ? 'Ordered on this device, from what was played on this device.'
      : home.summary().historyEmpty ? 'Nothing is known about you. Play something, then come back.'
      : 'You have looked around, and played nothing yet.';
  }
  announce(`Home is ready: ${ranked.shelves.length} shelves`);
}

/** While listening privately the page says so, in place of where its order comes from. */
function describePrivate(home, ranked, story) {
  const { dataset } = document.documentElement;
  if (home.isPrivate === (dataset.private === 'on')) return;
  dataset.private = home.isPrivate ? 'on' : 'off';
  if (home.isPrivate) byId('lede').textContent = 'Listening privately: nothing you do is recorded.';
  else describe(home, ranked, story);
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

function notice(text, what = 'Server order. ') {
  byId('notice').replaceChildren(h('strong', {}, what), text);
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
