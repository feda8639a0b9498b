// The package as it is shipped, through its own name. Needs `npm run build`.
import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ENTRIES } from '../scripts/entries.mjs';
import { MODEL, outline, samplePage } from './homes.mjs';
import { Publisher } from './publisher.mjs';
import { FaultyStorage } from './world.mjs';

const root = new URL('../', import.meta.url);
const { createHome, HomeError, ...others } = await import('ears-only');
const node = (code, ...flags) => execFileSync(process.execPath, [...flags, '--input-type=module', '-e', code], { cwd: fileURLToPath(root), encoding: 'utf8' }).trim();

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('the files', () => {
  test('one entry, lazy chunks, no bare imports', () => {
    const others = Object.values(ENTRIES).map((name) => `${name}.js`);
    const scripts = readdirSync(new URL('dist/', root)).filter((name) => name.endsWith('.js') && !others.includes(name));
    const chunks = ['bundle.js', 'contribution.js', 'glue.js', 'import-history.js', 'last-order.js', 'sealing.js', 'wasm-full.js', 'wasm-inline.js'];
    assert.deepEqual(scripts.sort(), [...chunks, 'index.js', 'relay.js', 'verify-inline.js'].sort());
    const imported = { 'index.js': chunks.map((name) => `./${name}`), 'bundle.js': ['./verify-inline.js'], 'contribution.js': ['./relay.js'] };
    for (const name of scripts) {
      const text = readFileSync(new URL(`dist/${name}`, root), 'utf8');
      const imports = [...text.matchAll(/(?<!\.)\b(?:from|import)\s*\(?\s*["'`]([^"'`]+)["'`]/g)].map((match) => match[1]);
      assert.deepEqual(imports.sort(), imported[name] ?? []);
      assert.ok(!/\beval\(|new Function|import\.meta/.test(text.slice(0, 100_000)));
    }
    for (const name of ['wasm-inline.js', 'wasm-full.js', 'verify-inline.js', 'relay.js']) {
      assert.ok(!/[^\x20-\x7e\n]/.test(readFileSync(new URL(`dist/${name}`, root), 'latin1')), 'the chunk is printable ASCII');
    }
  });

  test('the text in the chunk is the module', async () => {
    const { bytes } = await import('../dist/wasm-full.js');
    assert.ok(Buffer.compare(bytes(), readFileSync(new URL('dist/core_bg.wasm', root))) === 0);
  });

  test('the small core ranks, learns and keeps as the full one does, to the last bit', async () => {
    const full = readFileSync(new URL('dist/core_bg.wasm', root));
    const clock = () => 1_800_000_000_000;
    const homes = [undefined, full].map((wasm) => createHome({ storage: 'memory', model: MODEL, seed: 7, clock, ...(wasm ? { wasm } : {}) }));
    const results = [];
    for (const home of homes) {
      assert.equal((await home.ready).state, 'ready');
      const pages = [];
      for (let visit = 0; visit < 5; visit++) {
        const page = home.rankSync(samplePage());
        assert.equal(page.source, 'policy');
        pages.push(page, home.explain(page.decisionId));
        const [shelf] = page.shelves;
        home.track({ type: 'finish', cardId: shelf.cards[0].id, shelfId: shelf.id, decisionId: page.decisionId, msPlayed: 60_000 });
        await home.flush();
      }
      results.push({ pages, state: await home.exportState() });
    }
    assert.deepEqual(results[0], results[1]);
    // And each goes on from what the other kept.
    for (const [home, { state }] of [[homes[0], results[1]], [homes[1], results[0]]]) {
      await home.importState(state);
      assert.deepEqual(await home.exportState(), state);
      await home.close();
    }
  });

  test('settings arrive as they are, and what is none is refused by name', async () => {
    const schema = { columns: [{ name: 'a', source: 'given' }] };
    const nested = (depth) => depth === 0 ? 1 : { deeper: nested(depth - 1) };
    const circle = {};
    circle.circle = circle;
    const refused = (got) => `model may hold version, schema, prior, policy, feedback, off, got "${got}"`;
    const plain = 'expected plain data nested at most 8 deep, got something else';
    for (const [model, message] of [
      // Half a character at the end of one text and half of one at the start of the next are two halves.
      [{ version: 'v\ud83d', '\ude00b': 1, schema }, refused('\ufffdb')],
      [{ version: 'v', 'b\u{1f600}': 1, schema }, refused('b\u{1f600}')],
      [{ version: 'v', schema, prior: circle }, plain],
      [{ version: 'v', schema, prior: nested(9) }, plain],
      [{ version: 'v', schema, prior: { mean: 1n } }, plain],
      [{ version: 'v', schema, prior: () => 1 }, plain],
      [{ version: 'v', schema, prior: Symbol('x') }, plain],
    ]) {
      const home = createHome({ storage: 'memory', model });
      const status = await home.ready;
      assert.deepEqual([status.reason, status.message], ['model', message]);
      await home.close();
    }
    const home = createHome({ storage: 'memory', model: { version: 'v\ud83d', schema: { columns: [...schema.columns, { name: '\ude00', source: 'given' }] } } });
    await home.ready;
    const [shelf] = samplePage().shelves;
    const page = { shelves: [{ id: shelf.id, cards: shelf.cards.map(({ id }) => ({ id, features: { a: 0.5 } })) }] };
    assert.deepEqual([home.rankSync(page).source, home.rankSync(page).modelVersion], ['policy', 'v\ufffd']);
    await home.close();
  });

  test('a module that would not come back byte for byte is refused by the build', async () => {
    const { inlineModule } = await import('../scripts/inline.mjs');
    const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    // One function of no locals: i32.const 0, i8x16.splat, v128.store8_lane 0 8 3 behind it, br_table of two labels, end.
    const code = [0, 0x41, 0, 0x41, 0, 0xfd, 0x0f, 0xfd, 0x58, 0, 8, 3, 0x41, 0, 0x0e, 1, 0, 0, 0x0b];
    const section = (size) => Uint8Array.from([...magic, 10, code.length + 1 + size.length, 1, ...size, ...code]);
    assert.match(inlineModule(section([code.length])), /, 31, '0061736d/);
    assert.throws(() => inlineModule(section([code.length | 128, 0])), /expected the streams to give the module/);
  });

  test('nothing names the machine it was built on', () => {
    for (const name of readdirSync(new URL('dist/', root), { recursive: true }).filter((file) => file.includes('.'))) {
      const text = readFileSync(new URL(`dist/${name}`, root), 'latin1');
      assert.doesNotMatch(text, /\/registry\/src\/|crates\.io|\/rustc\/[0-9a-f]{8}|file:\/\/\/|\/home\/\w+\//, name);
      assert.ok(!text.includes(fileURLToPath(root)), name);
    }
  });

  test('the entry exports createHome and HomeError', () => {
    assert.deepEqual(Object.keys(others), []);
    assert.equal(typeof createHome, 'function');
    assert.ok(new HomeError('csp', 'x') instanceof Error);
  });

  test('declarations hide what is internal', () => {
    const declared = readdirSync(new URL('dist/', root), { recursive: true }).filter((name) => name.endsWith('.d.ts')).sort();
    assert.deepEqual(declared, [
      'adapters/react.d.ts', 'adapters/svelte.d.ts', 'adapters/view.d.ts', 'adapters/vue.d.ts', 'errors.d.ts', 'index.d.ts',
      'observe.d.ts', 'packed.d.ts', 'storage/memory.d.ts', 'testing.d.ts', 'transparency.d.ts', 'transparency/layout.d.ts', 'transparency/texts.d.ts', 'types.d.ts', 'url.d.ts',
    ]);
  });

  test('the licences of what is bundled are there, and the bill of materials names the same', () => {
    const notices = readFileSync(new URL('dist/THIRD-PARTY.txt', root), 'utf8');
    assert.match(notices, /idb-keyval [\s\S]*Apache License/);
    assert.match(notices, /curve25519-dalek [\s\S]*Redistributions in binary form/);
    const bill = JSON.parse(readFileSync(new URL('dist/sbom.cdx.json', root), 'utf8'));
    assert.equal(bill.bomFormat, 'CycloneDX');
    const names = bill.components.map(({ name }) => name);
    for (const name of ['idb-keyval', 'libm', 'nalgebra', 'rlsf', 'sha2', 'wasm-bindgen', 'ed25519-dalek']) assert.ok(names.includes(name), name);
    for (const name of ['syn', 'proc-macro2', 'ears-only', 'clap']) assert.ok(!names.includes(name), name);
    for (const { name, version, licenses: [{ expression }], hashes, purl } of bill.components) {
      assert.ok(notices.includes(`${name} ${version} (${expression})`), name);
      assert.match(expression, /\b(MIT|Apache-2\.0|ISC|BSD-3-Clause|Zlib)\b/);
      assert.ok(purl.startsWith('pkg:npm/') || /^[0-9a-f]{64}$/.test(hashes[0].content), name);
    }
  });
});

describe('importing', () => {
  test('does nothing: no global is read or made, nothing is loaded', () => {
    const output = node(`
      const before = Object.getOwnPropertyNames(globalThis).length;
      const touched = [];
      for (const name of ['fetch', 'WebAssembly', 'indexedDB', 'navigator', 'document', 'setTimeout', 'BroadcastChannel']) {
        const value = globalThis[name];
        Object.defineProperty(globalThis, name, { configurable: true, get() { touched.push(name); return value; } });
      }
      const names = Object.getOwnPropertyNames(globalThis).length;
      await import('ears-only');
      console.log(JSON.stringify({ touched, made: Object.getOwnPropertyNames(globalThis).length - names }));
    `);
    assert.deepEqual(JSON.parse(output), { touched: [], made: 0 });
  });

  test('works on a server: the server\'s order, no wasm, and the process ends', () => {
    const output = node(`
      import { createHome } from 'ears-only';
      const home = createHome();
      const page = { shelves: [{ id: 'a', cards: [{ id: 'x' }, { id: 'y' }] }] };
      const early = home.rankSync(page);
      const status = await home.ready;
      const late = home.rankSync(page);
      console.log(JSON.stringify([early.error.code, status.state, status.reason, late.error.code, late.shelves[0].cards.map((card) => card.id)]));
    `);
    assert.deepEqual(JSON.parse(output), ['not_ready', 'degraded', 'server', 'server', ['x', 'y']]);
  });

  test('without WebAssembly: degraded, no-wasm', () => {
    const output = node(`
      delete globalThis.WebAssembly;
      const { createHome } = await import('ears-only');
      const home = createHome({ storage: 'memory' });
      console.log(JSON.stringify([(await home.ready).reason, home.rankSync({ shelves: [{ id: 'a', cards: [{ id: 'x' }] }] }).error.code]));
    `);
    assert.deepEqual(JSON.parse(output), ['no-wasm', 'no_wasm']);
  });

  test('without SIMD: degraded, no-simd', () => {
    const output = node(`
      WebAssembly.validate = () => false;
      const { createHome } = await import('ears-only');
      console.log((await createHome({ storage: 'memory' }).ready).reason);
    `);
    assert.equal(output, 'no-simd');
  });

  test('where a policy forbids to compile: degraded, csp', () => {
    const output = node(`
      const refuse = () => { throw new WebAssembly.CompileError('blocked'); };
      WebAssembly.compile = async () => refuse();
      WebAssembly.Module = class { constructor() { refuse(); } };
      const { createHome } = await import('ears-only');
      const home = createHome({ storage: 'memory' });
      const status = await home.ready;
      console.log(JSON.stringify([status.state, status.reason, home.rankSync({ shelves: [{ id: 'a', cards: [{ id: 'x' }] }] }).error.code]));
    `);
    assert.deepEqual(JSON.parse(output), ['degraded', 'csp', 'csp']);
  });
});

describe('the core from elsewhere', () => {
  const bytes = readFileSync(new URL('dist/core_bg.wasm', root));
  for (const [what, make] of [
    ['bytes', async () => bytes],
    ['a compiled module', () => WebAssembly.compile(bytes)],
    ['a response', async () => new Response(bytes)],
  ]) {
    test(what, async () => {
      const home = createHome({ storage: 'memory', wasm: await make() });
      assert.equal((await home.ready).state, 'ready');
      assert.equal(home.rankSync(samplePage({ shelves: [{ id: 'a', cards: [{ id: 'x' }] }] })).source, 'policy');
      await home.close();
    });
  }

  test('something else: degraded, load', async () => {
    for (const wasm of [new Uint8Array([1, 2, 3]), new Response('<html>'), new Response('', { status: 404 })]) {
      const home = createHome({ storage: 'memory', wasm });
      assert.equal((await home.ready).reason, 'load');
      await home.close();
    }
  });
});

/** The page without features: the model that is built in has no columns for them. */
const plainPage = (change) => {
  const page = samplePage(change);
  return { ...page, shelves: page.shelves.map((shelf) => ({ ...shelf, cards: shelf.cards.map(({ features, ...card }) => card) })) };
};

describe('a bundle given as bytes', () => {
  const bundle = (name) => new Uint8Array(readFileSync(new URL(`../tests/golden/bundles/${name}.bundle`, root)));
  const open = async (model, errors = []) => {
    const home = createHome({ model, storage: 'memory', seed: 3, clock: () => Date.UTC(2026, 10, 23), onError: (error) => errors.push(error.code) });
    return { home, status: await home.ready };
  };

  test('every body ranks, explains and learns', async () => {
    for (const name of ['plain', 'linear', 'factorization', 'trees', 'network', 'network-int8']) {
      const { home, status } = await open(bundle(name));
      assert.deepEqual([status.state, status.modelVersion, status.learned], ['ready', `example-${name}`, undefined]);
      const page = samplePage();
      const ranked = home.rankSync(page, { weekday: 2 });
      assert.equal(ranked.source, 'policy');
      const { decisionId, shelves: [first] } = ranked;
      const before = home.explain(decisionId).shelves[0].cards[0].score;
      home.track({ type: 'finish', decisionId, shelfId: first.id, cardId: first.cards[0].id, msPlayed: 240_000 });
      const again = home.explain(home.rankSync(page, { weekday: 2 }).decisionId);
      const after = again.shelves.flatMap((shelf) => shelf.cards).find((card) => card.id === first.cards[0].id).score;
      assert.ok(after > before, `${name}: ${before} to ${after}`);
      assert.equal(home.summary().updates, 1);
      await home.close();
    }
  });

  test('a value may be missing where the model takes it, and nowhere else', async () => {
    const missing = { ...samplePage(), shelves: [{ id: 's', cards: [{ id: 'a', features: [NaN, 0.5] }, { id: 'b', features: {} }] }] };
    const trees = await open(bundle('trees'));
    assert.equal(trees.home.rankSync(missing).source, 'policy');
    await trees.home.close();
    const linear = await open(bundle('linear'));
    assert.equal(linear.home.rankSync(missing).error.code, 'not_finite');
    await linear.home.close();
  });

  test('bytes that are no good bundle leave the server order and say why', async () => {
    const broken = bundle('network');
    broken[700] ^= 1;
    for (const model of [broken, new Uint8Array(3), new Uint8Array(2_000), bundle('trees').subarray(0, 1_000)]) {
      const errors = [];
      const { home, status } = await open(model, errors);
      assert.deepEqual([status.state, status.reason, errors], ['degraded', 'model', ['bundle_corrupt']]);
      assert.equal(home.rankSync(samplePage()).source, 'baseline');
      await home.close();
    }
  });

  test('status says what became of what was learned under another model', async () => {
    const { home } = await open(bundle('linear'));
    const { decisionId, shelves: [first] } = home.rankSync(samplePage());
    home.track({ type: 'finish', decisionId, shelfId: first.id, cardId: first.cards[0].id, msPlayed: 240_000 });
    const state = await home.exportState();
    await home.close();
    for (const [name, learned] of [['linear', undefined], ['factorization', 'head_carried'], ['trees', 'head_restarted']]) {
      const next = await open(bundle(name));
      await next.home.importState(state);
      assert.deepEqual([next.home.status.learned, next.home.summary().events], [learned, 1], name);
      await next.home.close();
    }
  });
});

describe('the whole loop, on IndexedDB', () => {
  test('the quick start: rank, track, come back, and the history is there', async () => {
    const page = plainPage({ local: ['recently_played'] });
    const home = createHome({ namespace: 'loop', seed: 1 });
    assert.deepEqual((({ state, storage, writer }) => ({ state, storage, writer }))(await home.ready), { state: 'ready', storage: 'indexeddb', writer: true });
    const ranked = home.rankSync(page);
    for (const shelf of page.shelves) for (const card of shelf.cards.slice(0, 2)) {
      home.track({ type: 'finish', decisionId: ranked.decisionId, shelfId: shelf.id, cardId: card.id, msPlayed: 200_000 });
    }
    const before = home.summary();
    assert.equal(before.events, 5);
    await home.close();
    const again = createHome({ namespace: 'loop', seed: 1 });
    await again.ready;
    assert.equal(again.summary().events, 5);
    const next = again.rankSync(page);
    const local = next.shelves.find((shelf) => shelf.local);
    assert.equal(local.title, 'Recently played');
    assert.equal(local.cards.length, 5);
    assert.equal(local.cards.find((card) => card.id === 'album:dummy').title, 'Dummy');
    await again.reset();
    assert.equal(again.summary().events, 0);
    await again.close();
  });

  test('a seed makes pages repeatable, and without one they differ', async () => {
    const pages = async (seed) => {
      const home = createHome({ storage: 'memory', ...(seed === undefined ? {} : { seed }), clock: () => Date.UTC(2026, 10, 23) });
      await home.ready;
      const result = Array.from({ length: 5 }, () => home.rankSync(plainPage()));
      await home.close();
      return result.map((page) => [page.decisionId, outline(page), page.shelves.map((shelf) => shelf.propensity)]);
    };
    assert.deepEqual(await pages(5), await pages(5));
    assert.notDeepEqual(await pages(5), await pages(6));
    assert.notDeepEqual(await pages(), await pages());
  });

  test('explain and marginals agree and sum to 1', async () => {
    const home = createHome({ storage: 'memory', seed: 1 });
    await home.ready;
    const page = plainPage();
    const { decisionId, shelves } = home.rankSync(page);
    const explanation = home.explain(decisionId);
    const marginals = home.marginals(decisionId);
    assert.deepEqual([...marginals], [...explanation.marginalValues]);
    assert.ok(Math.abs(explanation.marginals.reduce((sum, one) => sum + one.probability, 0) - 1) < 1e-12);
    assert.deepEqual(explanation.shelves.map((shelf) => [shelf.id, shelf.propensity, shelf.reason]), shelves.map((shelf) => [shelf.id, shelf.propensity, shelf.reason]));
    assert.deepEqual(explanation.shelves[0].cards[0].reason, shelves[0].cards[0].reason);
    await home.close();
  });

  test('one record, from the consent to the wire', async () => {
    let now = Date.UTC(2026, 10, 23, 8);
    const week = Math.floor((now - Date.UTC(2026, 0, 5)) / (7 * DAY));
    const manifest = new TextEncoder().encode(JSON.stringify({
      format: 2, epochs: [week, week + 20], modelVersion: 'built-in', epsilonIndex: 2, windowMs: 1_800_000,
      probes: [{ kind: 'card', shelf: 'morning', shelfPosition: 0, cardPosition: 0, questions: ['played_30s'], arms: [{ card: 'album:kind-of-blue', weight: 32768 }, { card: 'album:blue-train', weight: 32768 }] }],
    }));
    const delivered = [];
    const failures = [];
    const storage = new FaultyStorage();
    const open = () => createHome({
      storage, seed: 4, clock: () => now, consent: { contribute: true }, onError: (error) => failures.push(error),
      upload: { manifest, transport: async (body, record) => { delivered.push([body, record]); } },
    });
    const state = async (home) => (await home.outbox()).contribution.state;
    let home = open();
    await home.ready;
    await home.flush();
    assert.equal(await state(home), 'spent', 'a new ledger starts fully spent');
    now += 27 * DAY;
    assert.equal(home.rankSync(plainPage()).probe, false);
    // After 28 days: some hour of a following week is due.
    let probe;
    for (let hours = 0; hours < 24 * 16 && !probe; hours++) {
      now += HOUR;
      const ranked = home.rankSync(plainPage());
      if (ranked.probe) probe = ranked;
      // The same week's coin survives a reload.
      if (hours % 50 === 49) {
        await home.close();
        home = open();
        await home.ready;
        await home.flush();
      }
    }
    assert.ok(probe, 'a probe was shown');
    const { shelves: [{ id, cards: [card] }] } = probe;
    assert.equal(id, 'morning');
    assert.equal(card.reason.code, 'probe');
    assert.equal(await state(home), 'watching');
    home.track({ type: 'finish', decisionId: probe.decisionId, shelfId: id, cardId: card.id, msPlayed: 240_000 });
    now += 31 * 60_000;
    const { waiting, sent } = await home.flush();
    assert.deepEqual([waiting, sent, delivered.length], [1, 0, 0]);
    const { records: [record], budget, disclosure } = await home.outbox();
    // One record: all of its epsilon, at any delta this small. Four of the year are those that a new ledger begins with.
    assert.ok(Math.abs(disclosure.epsilon - 1) < 1e-4 && disclosure.delta === 1e-6, JSON.stringify(disclosure));
    assert.ok(budget.epsilonSpentYear >= 1 && budget.epsilonSpentYear + budget.epsilonLeftYear === 52, JSON.stringify(budget));
    assert.deepEqual([record.fields.kind, record.fields.questionName, record.fields.answers], ['card', 'played_30s', 2]);
    assert.equal(record.bytes.length, 16);
    assert.equal(record.fields.propensityNumerator, 32768);
    assert.equal(record.fields.epsilon, 1);
    assert.equal(record.fields.epoch, Math.floor((now - Date.UTC(2026, 0, 5)) / (7 * DAY)));
    assert.match(record.sentence, /chance 50 %\) put the card “album:(kind-of-blue|blue-train)” in place 1 of shelf 1\..*27 % of the time this answer is a lie/);
    assert.ok(record.sendAfter - now > 22 * HOUR && record.sendAfter - now < 73 * HOUR);
    assert.equal(budget.recordsThisPeriod >= 1, true);
    await home.close();
    home = open();
    await home.ready;
    now += 73 * HOUR;
    await home.flush();
    assert.equal(delivered.length, 1);
    assert.equal(delivered[0][0].length, 256);
    assert.deepEqual(delivered[0][0].subarray(17, 33), record.bytes);
    assert.equal((await home.outbox()).records[0].state, 'sent');
    await home.flush();
    assert.equal(delivered.length, 1);
    await home.close();
    assert.deepEqual(failures, []);
  });
});

test('the example of the README runs as it stands', () => {
  const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync(new URL('README.md', root), 'utf8'));
  const output = node(`import 'fake-indexeddb/auto';\n${example}\nconsole.log(home.summary().events); await home.close();`);
  const lines = output.split('\n');
  assert.equal(lines.length, 3);
  assert.ok(lines.some((line) => line.startsWith('Morning commute')) && lines.some((line) => line.startsWith('Fresh this week')));
  assert.equal(lines.at(-1), '1');
});

test('the example of docs/delivery.md asks for what was published there', async () => {
  const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync(new URL('../docs/delivery.md', root), 'utf8'));
  const folder = new URL('build/delivery/', root);
  mkdirSync(folder, { recursive: true });
  try {
    writeFileSync(new URL('root.json', folder), new Publisher(Date.now()).pinned);
    const [imports, code] = [example.match(/^import .*$/gm).join('\n'), example.replace(/^import .*$/gm, '')];
    writeFileSync(new URL('app.mjs', folder), `import 'fake-indexeddb/auto';
${imports}
const asked = [];
globalThis.fetch = async (url) => { asked.push(String(url)); return new Response('', { status: 404 }); };
${code}
await home.ready;
for (let turn = 0; asked.length === 0 && turn < 200; turn++) await new Promise((go) => { setTimeout(go, 10); });
console.log(home.status.state, asked[0]);
await home.close();
`);
    const output = execFileSync(process.execPath, [fileURLToPath(new URL('app.mjs', folder))], { cwd: fileURLToPath(root), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    assert.match(output.trim(), /^ready https:\/\/models\.example\/home\/(root|channel-stable)\.json$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the bench adapter keeps the contract of the bench', async () => {
  const { default: adapter } = await import('../bench-adapter.mjs');
  const n = 200, d = 32;
  const x = Float32Array.from({ length: n * d }, (_, i) => Math.sin(i * 12.9898) / Math.sqrt(d));
  const own = Object.create(adapter);
  await own.init({ d, n });
  const handle = own.prepare({ n, d, seed: 1, x, ids: Array.from({ length: n }, (_, i) => `card:1:${i}`), rewards: new Uint8Array(n) });
  for (let i = 0; i < 100; i++) {
    const { chosen, p, pmf, order } = own.rank(handle);
    assert.equal(new Set(order).size, n);
    assert.equal(order[0], chosen);
    assert.equal(pmf[chosen], p);
    assert.ok(Math.abs(pmf.reduce((sum, q) => sum + q, 0) - 1) < 1e-9);
  }
  const before = own.home.summary().updates;
  for (let i = 0; i < 100; i++) own.learn(handle, (7 * i) % n, 0.5, i % 2);
  assert.equal(own.home.summary().updates - before, 100);
  assert.equal(own.error, undefined);
  assert.ok((await own.save()).length > 0);
  await own.dispose();
});
