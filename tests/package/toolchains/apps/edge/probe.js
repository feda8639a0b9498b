// What a runtime that has no listener, and perhaps no WebAssembly, gets of the package: the server's order, whatever is called. Each answer is
// true or says what came instead.
import { createHome } from 'ears-only';
import { createObserver } from 'ears-only/observe';
import { createCatalogue, rankPacked } from 'ears-only/packed';

const PAGE = {
  local: true,
  shelves: [{ id: 'morning', title: 'Morning', cards: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] }, { id: 'fresh', title: 'Fresh', cards: [{ id: 'd' }, { id: 'e' }] }],
};
const ids = (page) => page.shelves.map((shelf) => [shelf.id, ...shelf.cards.map(({ id }) => id)].join(' ')).join();

async function holds(run) {
  try {
    return await run();
  } catch (thrown) {
    return `threw ${thrown}`;
  }
}

/** Everything that may be called, on a Home that `options` make. */
export async function probe(options = {}) {
  const errors = [];
  const found = {};
  const check = async (what, run) => { found[what] = await holds(run); };
  let home;
  await check('createHome', () => { home = createHome({ ...options, onError: (error) => errors.push(error.code) }); return true; });
  if (!home) return found;
  const inOrder = (page) => (ids(page) === ids(PAGE) && page.source === 'baseline') || `${page.source}: ${ids(page)}`;
  await check('rankSync at once', () => inOrder(home.rankSync(PAGE)));
  await check('rank', async () => inOrder(await home.rank(PAGE)));
  await check('ready says why', async () => { const { state, reason } = await home.ready; return (state === 'degraded' && Boolean(reason)) || `${state} ${reason}`; });
  await check('rankSync after ready', () => inOrder(home.rankSync(PAGE)));
  await check('serverOrder', () => inOrder(home.serverOrder(PAGE)));
  await check('rankPacked', () => {
    const { source, cards } = rankPacked(home, { catalogue: createCatalogue({ ids: ['a', 'b', 'c'] }), shelves: [{ id: 'morning', count: 3 }], cards: Uint32Array.of(0, 1, 2) });
    return (source === 'baseline' && String(cards) === '0,1,2') || `${source} ${cards}`;
  });
  await check('track, registerCards, setPrivate, subscribe', () => {
    home.track({ type: 'finish', cardId: 'a', msPlayed: 60_000 });
    home.registerCards([{ id: 'z' }]);
    home.setPrivate(true);
    home.setPrivate(false);
    home.subscribe(() => {})();
    createObserver(home);
    return home.summary().events === 0 && home.excluded().cards.length === 0;
  });
  await check('setConsent, outbox, flush, reset', async () => {
    await home.setConsent({ personalize: true, contribute: false });
    const { records } = await home.outbox();
    const { sent, learned } = await home.flush();
    await home.reset();
    return records.length === 0 && sent === 0 && learned === 0;
  });
  await check('close', async () => { await home.close(); return home.status.state === 'closed'; });
  await check('rank after the end', async () => inOrder(await home.rank(PAGE)));
  found['told at most once'] = errors.length <= 1 || errors.join();
  return found;
}
