// What ranks is compiled in the pauses before the first page. Each document does that once, so that the order of these tests counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeProgram } from './fake-core.mjs';
import { CORES, makeHome, outline, samplePage } from './homes.mjs';
import { FaultyStorage, World } from './world.mjs';

/** A world whose pauses come when a test says so. */
class Pausing extends World {
  waiting = [];

  platform() { return Object.assign(super.platform(), { whenIdle: (run) => { this.waiting.push(run); } }); }

  async pause() {
    for (const run of this.waiting.splice(0)) run();
    await this.settle();
  }

  /** As many pauses as anybody waits for. */
  async rest() { while (this.waiting.length > 0) await this.pause(); }
}

/** A Home on a core whose instances are counted. */
async function counted(options = {}) {
  const world = new Pausing();
  const core = CORES.at(-1);
  const { loadCore } = core === 'real' ? await import('../build/modules/load.js') : { loadCore: async () => fakeProgram() };
  const count = { instances: 0, news: 0 };
  const storage = new FaultyStorage();
  const made = makeHome({
    core, world, storage, ...options,
    loadCore: async (...values) => {
      const program = await loadCore(...values);
      return { instantiate: () => { count.instances++; return program.instantiate(); } };
    },
  });
  made.home.subscribe(() => count.news++);
  return { ...made, world, storage, count };
}

test('a page that waits for its core is ranked before anything is warmed up, and then nothing has to be', async () => {
  const { home, world, count, errors } = await counted();
  const page = await home.rank(samplePage());
  assert.equal(page.source, 'policy');
  assert.equal(count.instances, 1);
  await world.rest();
  assert.equal(count.instances, 1);
  assert.deepEqual(errors, []);
  await home.close();
});

for (const [what, options, before] of [
  ['a private page', {}, async (home) => { home.setPrivate(true); assert.equal(home.rankSync(samplePage()).source, 'policy'); }],
  ['a page whose order was saved', {}, async (home) => { home.rankSync(samplePage()); await home.exportState(); }],
  ['no consent', { consent: { personalize: false } }, async (home) => { home.rankSync(samplePage()); }],
]) {
  test(`after ${what} nothing is warmed up`, async () => {
    const { home, world, count, errors } = await counted(options);
    await home.ready;
    await before(home);
    await world.rest();
    assert.ok(count.instances <= 1, `${count.instances} instances`);
    assert.deepEqual(errors, []);
    await home.close();
  });
}

test('a Home that is closed before the first pause warms nothing up', async () => {
  const { home, world, count, errors } = await counted();
  await home.ready;
  await home.close();
  await world.rest();
  assert.equal(count.instances, 1);
  assert.deepEqual(errors, []);
});

test('a Home that was warmed up is as it was: nothing said, nothing stored, the same state, the same draws', async () => {
  const warm = await counted();
  await warm.home.ready;
  const news = warm.count.news;
  const done = [...warm.storage.log];
  await warm.world.rest();
  assert.equal(warm.count.instances, 2, 'a core of its own');
  assert.equal(warm.count.news, news);
  assert.deepEqual(warm.storage.log, done);
  assert.deepEqual(warm.errors, []);

  const cold = await counted();
  await cold.home.ready;
  assert.deepEqual(warm.home.summary(), cold.home.summary());
  assert.deepEqual(await warm.home.exportState(), await cold.home.exportState());
  for (let visit = 0; visit < 3; visit++) {
    const [a, b] = [warm, cold].map(({ home }) => home.rankSync(samplePage()));
    assert.equal(a.source, 'policy');
    assert.deepEqual(a, b);
  }
  assert.deepEqual(await warm.home.exportState(), await cold.home.exportState());

  await cold.world.rest();
  assert.equal(cold.count.instances, 1, 'once for each document');
  await Promise.all([warm.home.close(), cold.home.close()]);
  assert.deepEqual([...warm.storage.values], [...cold.storage.values]);
});

/** What has not been warmed up in this document yet. */
let documents = 0;
const fresh = async () => (await import(`../build/modules/warm-up.js?${documents++}`)).warmUp;

const ranks = ({ log }) => log.filter((name) => name === 'rank').length;

test('each page is ranked in a pause of its own, until it is of no use', async () => {
  const warmUp = await fresh();
  const world = new Pausing();
  const program = fakeProgram();
  let useless = false;
  const warmed = warmUp(world.platform(), program, undefined, () => useless);
  for (let page = 0; page < 3; page++) {
    assert.equal(ranks(program), page);
    await world.pause();
  }
  useless = true;
  await world.rest();
  await warmed;
  assert.equal(ranks(program), 3);
});

test('one that was of no use leaves it to the next', async () => {
  const warmUp = await fresh();
  const world = new Pausing();
  const program = fakeProgram();
  await Promise.all([warmUp(world.platform(), program, undefined, () => true), world.rest()]);
  assert.equal(program.instances.length, 0);
  const two = [1, 2].map(() => warmUp(world.platform(), program, undefined, () => false));
  await world.rest();
  await Promise.all(two);
  assert.equal(program.instances.length, 1);
});

test('a failure is nobody\'s', async () => {
  const broken = {
    instance: { instantiate: async () => { throw new Error('no memory'); } },
    model: { instantiate: async () => ({ create() { throw new Error('bad model'); } }) },
    trap: fakeProgram({ rank: new WebAssembly.RuntimeError('unreachable') }),
  };
  for (const [what, program] of Object.entries(broken)) {
    const warmUp = await fresh();
    const world = new Pausing();
    const warmed = warmUp(world.platform(), program, undefined, () => false);
    await world.rest();
    assert.equal(await warmed, undefined, what);
  }
  const { home } = makeHome({ world: new Pausing() });
  assert.deepEqual(outline(await home.rank(samplePage())).flat(2).sort(), outline(samplePage()).flat(2).sort());
  await home.close();
});

test('of a bundle only the built-in model is warmed up', async () => {
  const warmUp = await fresh();
  const world = new Pausing();
  const program = fakeProgram();
  const warmed = warmUp(world.platform(), program, new Uint8Array(64), () => false);
  await world.rest();
  await warmed;
  assert.equal(program.instances[0].settings, undefined);
  assert.ok(ranks(program) > 1);
});
