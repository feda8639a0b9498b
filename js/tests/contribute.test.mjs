// What may leave, and in which order: probe, debit, ledger on disk, record, outbox, and only then, much later, the wire.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fakeProgram } from './fake-core.mjs';
import { makeHome, samplePage } from './homes.mjs';
import { FaultyStorage, World } from './world.mjs';

const HOUR = 3_600_000;
const MANIFEST = new TextEncoder().encode(JSON.stringify({ format: 2, epochs: [40, 60] }));
const RECORD = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const HEX = '0102030405060708090a0b0c0d0e0f10';

/** A Home that agreed to contribute; one log for the core and the storage. */
function contributing({ world = new World(), storage = new FaultyStorage(), faults = {}, upload = {}, ...options } = {}) {
  const program = fakeProgram(faults, storage.log);
  const consent = 'consent' in options ? options.consent : { contribute: true };
  const made = makeHome({
    world, storage, program, ...options, consent,
    upload: { url: 'https://collector.example/v1', manifest: MANIFEST, ...upload },
  });
  return { ...made, storage };
}

/** Makes the outcome of the week's probe known, as listening would. */
function outcomeIsReady({ program }) { for (const core of program.instances) core.probe = 'ready'; }

const steps = (log) => log.filter((line) => /^(debit|makeRecord|put ledger|put default\/outbox)/.test(line));

describe('making a record', () => {
  test('the order of the steps is fixed', async () => {
    const c = contributing();
    await c.home.ready;
    await c.home.flush();
    outcomeIsReady(c);
    c.storage.log.length = 0;
    await c.home.flush();
    assert.deepEqual(steps(c.storage.log), ['debit', 'put ledger strict', 'makeRecord', 'put default/outbox strict']);
    assert.deepEqual([...c.storage.values.get('ledger')], [0x4c, 1]);
    const { records, budget, contribution } = await c.home.outbox();
    assert.equal(records.length, 1);
    const [{ sentence, nonce, ...record }] = records;
    assert.match(nonce, /^[0-9a-f]{32}$/);
    assert.deepEqual(record, {
      bytes: RECORD, hex: HEX, state: 'waiting', sendAfter: c.world.now + 48 * HOUR, attempts: 0,
      fields: { version: 1, epoch: 46, manifestId: 'a1b2c3d4', slot: 0, shelfPosition: 1, cardPosition: 0, arm: 7, question: 0, propensityNumerator: 8192, epsilonIndex: 2, epsilon: 1, symbol: 1 },
    });
    assert.equal(sentence, 'In the week of 2026-11-23, a public draw (chance 13 %) put card 7 of a published list in place 1 of shelf 2. '
      + 'To question 0 about it, the record answers “yes”. A coin was flipped first: 27 % of the time this answer is a lie.');
    assert.deepEqual(budget, { epsilonSpent: 1, epsilonLeft: 3, epsilonPerRecord: 1, recordsThisPeriod: 1 });
    assert.equal(contribution.state, 'spent');
    await c.home.flush();
    assert.equal((await c.home.outbox()).records.length, 1, 'one outcome, one record');
    await c.home.close();
  });

  test('the ledger begins before anything else, and is read where there is one', async () => {
    const c = contributing();
    await c.home.ready;
    await c.world.settle();
    assert.deepEqual([...c.storage.values.get('ledger')], [0x4c, 0]);
    assert.ok(c.storage.log.includes('put ledger strict'));
    await c.home.close();
    const spent = contributing({ storage: new FaultyStorage({ ledger: Uint8Array.of(0x4c, 1) }) });
    await spent.home.ready;
    await spent.world.settle();
    outcomeIsReady(spent);
    await spent.home.flush();
    assert.equal((await spent.home.outbox()).records.length, 0);
    await spent.home.close();
  });

  // A failure at each step: what is on disk afterwards must never show a record that was not paid for, nor two for one.
  const failures = {
    'reading the ledger': { storage: { get: (key) => key === 'ledger' ? new Error('broken') : undefined } },
    'the debit': { core: { debit: new Error('trap') } },
    'saving the ledger': { storage: { put: (key) => key.startsWith('ledger') ? new Error('broken') : undefined } },
    'saving the ledger, by a full disk': { storage: { put: (key) => key.startsWith('ledger') ? new DOMException('full', 'QuotaExceededError') : undefined } },
    'saving the ledger, by hanging': { storage: { put: (key) => key.startsWith('ledger') ? 'hang' : undefined } },
    'making the record': { core: { makeRecord: new WebAssembly.RuntimeError('unreachable') } },
    'storing the record': { storage: { put: (key) => key.startsWith('default/outbox') ? new Error('broken') : undefined } },
  };
  for (const [step, { storage: storageFaults = {}, core: coreFaults = {} }] of Object.entries(failures)) {
    test(`${step} fails: no record that was not paid for, none paid twice`, async () => {
      const c = contributing();
      await c.home.ready;
      await c.world.settle();
      outcomeIsReady(c);
      Object.assign(c.storage.faults, storageFaults);
      Object.assign(c.program.faults, coreFaults);
      c.storage.log.length = 0;
      const flushed = c.home.flush();
      await c.world.advance(3000);
      await flushed;
      const done = steps(c.storage.log);
      const ledgerSaved = c.storage.values.get('ledger')[1] === 1;
      if (done.includes('makeRecord')) assert.ok(ledgerSaved, 'a record is made only after the debit is on disk');
      assert.ok(!c.storage.values.has('default/outbox'));
      assert.deepEqual((await c.home.outbox()).records, [], 'nor is it shown as if it waited');
      assert.ok(c.errors.length > 0);
      // Everything works again: later attempts, and a new visit, make at most one record in all.
      for (const fault of Object.keys(c.storage.faults)) delete c.storage.faults[fault];
      for (const fault of Object.keys(c.program.faults)) delete c.program.faults[fault];
      await c.world.settle();
      for (let i = 0; i < 3; i++) {
        outcomeIsReady(c);
        await c.home.flush();
      }
      await c.home.close();
      const next = contributing({ storage: c.storage, world: c.world });
      await next.home.ready;
      await c.world.settle();
      outcomeIsReady(next);
      await next.home.flush();
      const { records } = await next.home.outbox();
      assert.ok(records.length <= 1, `${records.length} records`);
      assert.equal(c.storage.values.get('ledger')[1], 1, 'spent once');
      if (ledgerSaved) assert.equal(records.length, 0, 'what was paid for and lost stays lost');
      await next.home.close();
    });
  }

  test('a crash after any write: the debits on disk are never fewer than the records', async () => {
    for (let crashAfter = 0; crashAfter < 12; crashAfter++) {
      const storage = new FaultyStorage();
      for (let visit = 0; visit < 3; visit++) {
        const c = contributing({ storage });
        let writes = 0;
        if (visit === 0) storage.faults.put = () => writes++ >= crashAfter ? new Error('the machine is off') : undefined;
        else storage.faults = {};
        await c.home.ready;
        await c.world.settle();
        outcomeIsReady(c);
        await c.home.flush();
        const onDisk = storage.values.get('default/outbox');
        const records = onDisk ? JSON.parse(new TextDecoder().decode(onDisk)).records.length : 0;
        assert.ok((storage.values.get('ledger')?.[1] ?? 0) >= records);
        assert.ok(records <= 1);
        // A crash: no close.
      }
    }
  });

  test('a corrupt ledger is left alone and nothing is made', async () => {
    const storage = new FaultyStorage({ ledger: Uint8Array.of(0) });
    const c = contributing({ storage });
    await c.home.ready;
    await c.world.settle();
    outcomeIsReady(c);
    await c.home.flush();
    assert.ok(c.errors.some((error) => error.code === 'ledger_corrupt'));
    assert.deepEqual([...storage.values.get('ledger')], [0]);
    assert.ok(!c.storage.log.includes('debit'));
    assert.equal(c.home.status.state, 'ready', 'ranking is not concerned');
    await c.home.close();
  });

  test('a ledger that is deleted while the page is open is not put back from memory: nothing is made until the next page', async () => {
    const c = contributing();
    await c.home.ready;
    await c.world.settle();
    c.storage.values.delete('ledger');
    outcomeIsReady(c);
    await c.home.flush();
    assert.ok(!c.storage.log.includes('debit'));
    assert.ok(!c.storage.values.has('ledger'));
    assert.ok(c.errors.some(({ message }) => /ledger is gone/.test(message)));
    await c.home.close();
    assert.ok(!c.storage.values.has('ledger'));
    const next = contributing({ storage: c.storage, world: c.world });
    await next.home.ready;
    await c.world.settle();
    assert.ok(c.storage.values.has('ledger'));
    await next.home.close();
  });

  test('the coin of the week is saved on leaving', async () => {
    const c = contributing();
    await c.home.ready;
    await c.world.settle();
    c.program.instances[0].ledgerBytes = Uint8Array.of(0x4c, 0, 9);
    await c.home.close();
    assert.deepEqual([...c.storage.values.get('ledger')], [0x4c, 0, 9]);
  });

  test('two namespaces of one origin spend from one ledger', async () => {
    const world = new World();
    const storage = Object.assign(new FaultyStorage(), { lockName: 'origin' });
    const one = contributing({ world, storage, namespace: 'one' });
    const two = contributing({ world, storage, namespace: 'two' });
    await Promise.all([one.home.ready, two.home.ready]);
    await world.settle();
    outcomeIsReady(one);
    outcomeIsReady(two);
    await Promise.all([one.home.flush(), two.home.flush()]);
    const total = (await one.home.outbox()).records.length + (await two.home.outbox()).records.length;
    assert.equal(total, 1);
    await one.home.close();
    await two.home.close();
  });

  test('a shared storage without locks makes nothing', async () => {
    const world = new World();
    world.hasLocks = false;
    const c = contributing({ world, storage: Object.assign(new FaultyStorage(), { lockName: 'origin' }) });
    await c.home.ready;
    await world.settle();
    outcomeIsReady(c);
    await c.home.flush();
    assert.ok(!c.storage.values.has('ledger'));
    assert.ok(c.errors.some((error) => error.code === 'contribution_failed'));
    await c.home.close();
  });

  test('a slow save of the week\'s coin cannot undo a debit', async () => {
    const c = contributing();
    await c.home.ready;
    await c.world.settle();
    const [core] = c.program.instances;
    core.ledgerBytes = Uint8Array.of(0x4c, 0, 7);
    const spent = [];
    const set = c.storage.values.set.bind(c.storage.values);
    c.storage.values.set = (key, bytes) => { if (key === 'ledger') spent.push(bytes[1]); return set(key, bytes); };
    let finish;
    c.storage.faults.put = (key) => key.startsWith('ledger') && finish === undefined ? new Promise((resolve) => { finish = resolve; }) : undefined;
    c.platform.events.hidden();
    await c.world.settle();
    outcomeIsReady(c);
    const flushed = c.home.flush();
    await c.world.settle();
    finish();
    await flushed;
    assert.deepEqual(spent, [0, 1]);
    assert.equal((await c.home.outbox()).records.length, 1);
    await c.home.close();
  });

  test('a tab that does not write makes nothing', async () => {
    const world = new World();
    const storage = Object.assign(new FaultyStorage(), { lockName: 'origin' });
    const writer = contributing({ world, storage });
    await writer.home.ready;
    const reader = contributing({ world, storage });
    await world.advance(200);
    outcomeIsReady(reader);
    await reader.home.flush();
    assert.equal((await reader.home.outbox()).records.length, 0);
    assert.equal(reader.program.instances[0].consent.contribute, false);
    await reader.home.close();
    await writer.home.close();
  });
});

describe('sending a record', () => {
  async function withRecord(options) {
    const c = contributing(options);
    await c.home.ready;
    await c.world.settle();
    outcomeIsReady(c);
    await c.home.flush();
    assert.equal((await c.home.outbox()).records.length, 1);
    return c;
  }

  test('one POST of 256 bytes, a day or more later, with nothing that says who sent it', async () => {
    const c = await withRecord();
    await c.world.advance(47 * HOUR);
    assert.deepEqual(c.world.requests, []);
    await c.world.advance(2 * HOUR);
    assert.equal(c.world.requests.length, 1);
    const { url, body, signal, ...init } = c.world.requests[0];
    assert.equal(url, 'https://collector.example/v1');
    assert.deepEqual(init, { method: 'POST', credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store', redirect: 'error' });
    assert.equal(body.length, 256);
    const [record] = (await c.home.outbox()).records;
    assert.equal(body[0], 1);
    assert.equal(Buffer.from(body.subarray(1, 17)).toString('hex'), record.nonce);
    assert.deepEqual(body.subarray(17, 33), RECORD);
    assert.ok(body.subarray(33).every((byte) => byte === 0));
    assert.deepEqual([record.state, record.attempts], ['sent', 1]);
    assert.ok(record.sentAt >= record.sendAfter);
    await c.world.advance(30 * 24 * HOUR);
    assert.equal(c.world.requests.length, 1);
    await c.home.close();
  });

  test('the nonce is drawn for the record, not from the seed, and kept through retries and visits', async () => {
    const nonces = new Set();
    for (let i = 0; i < 20; i++) {
      const c = await withRecord({ seed: 1 });
      c.world.answer = async () => new Response(null, { status: 503 });
      await c.world.advance(60 * HOUR);
      await c.home.close();
      const next = contributing({ world: c.world, storage: c.storage, seed: 1 });
      await next.home.ready;
      await next.home.flush();
      await c.world.advance(60 * HOUR);
      assert.ok(c.world.requests.length > 3);
      const sent = new Set(c.world.requests.map(({ body }) => Buffer.from(body).toString('hex')));
      assert.equal(sent.size, 1, 'each try sends the same bytes');
      nonces.add([...sent][0].slice(2, 34));
      await next.home.close();
    }
    assert.equal(nonces.size, 20);
  });

  test('without entropy nothing is spent, made or sent', async () => {
    const world = new World();
    world.entropy = () => { throw new Error('no entropy'); };
    const c = contributing({ world });
    await c.home.ready;
    await world.settle();
    outcomeIsReady(c);
    await c.home.flush();
    assert.ok(!c.storage.log.includes('debit'));
    assert.ok(c.errors.some(({ code }) => code === 'contribution_failed'));
    assert.deepEqual((await c.home.outbox()).records, []);
    await c.home.close();
  });

  test('a record of an earlier release gets its nonce before its first try, and keeps it', async () => {
    const c = await withRecord();
    await c.home.close();
    const stored = JSON.parse(new TextDecoder().decode(c.storage.values.get('default/outbox')));
    delete stored.records[0].nonce;
    c.storage.values.set('default/outbox', new TextEncoder().encode(JSON.stringify(stored)));
    c.world.skip(72 * HOUR);
    c.world.answer = async () => new Response(null, { status: 503 });
    const next = contributing({ world: c.world, storage: c.storage });
    await next.home.ready;
    await c.world.settle();
    await c.world.advance(HOUR);
    const sent = new Set(c.world.requests.map(({ body }) => Buffer.from(body).toString('hex')));
    assert.ok(c.world.requests.length > 1);
    assert.equal(sent.size, 1);
    assert.match([...sent][0], new RegExp(`^01(?!0{32})[0-9a-f]{32}${HEX}0+$`));
    await next.home.close();
  });

  test('a record waits for the next visit', async () => {
    const c = await withRecord();
    await c.home.close();
    c.world.skip(10 * 24 * HOUR);
    const next = contributing({ world: c.world, storage: c.storage });
    await next.home.ready;
    await c.world.settle();
    assert.equal(c.world.requests.length, 1);
    await next.home.close();
  });

  test('flush sends what is due, also when only the clock of the app moved', async () => {
    const c = await withRecord();
    assert.deepEqual(await c.home.flush(), { learned: 0, saved: true, sent: 0, waiting: 1 });
    c.world.skip(72 * HOUR);
    assert.deepEqual(await c.home.flush(), { learned: 0, saved: true, sent: 1, waiting: 0 });
    await c.home.close();
  });

  test('the delay is uniform between 24 and 72 hours, and repeatable with a seed', async () => {
    const { sendingDelay } = await import('../build/modules/transport.js');
    const { seededRandom } = await import('../build/modules/seed.js');
    assert.equal(sendingDelay(0), 24 * HOUR);
    assert.equal(sendingDelay(1 - 2 ** -32), 72 * HOUR - 1);
    const a = seededRandom(42), b = seededRandom(42);
    const draws = Array.from({ length: 10_000 }, () => a());
    assert.deepEqual(draws.slice(0, 100), Array.from({ length: 100 }, () => b()));
    // Mean of 10,000 uniform draws: standard error 0.0029; 5 of them is a false alarm in 1.7 million.
    assert.ok(Math.abs(draws.reduce((sum, x) => sum + x) / 10_000 - 0.5) < 0.0145);
    assert.ok(draws.every((x) => x >= 0 && x < 1));
    const times = new Set();
    for (const seed of [1, 1, 2]) times.add((await (await withRecord({ seed })).home.outbox()).records[0].sendAfter);
    assert.equal(times.size, 2);
  });

  test('a failure is tried again, later and later, and not for ever', async () => {
    const c = await withRecord();
    c.world.answer = async () => { throw new TypeError('network'); };
    await c.world.advance(50 * HOUR);
    const first = c.world.requests.length;
    assert.ok(first > 5 && first < 20, `${first} tries in two hours`);
    await c.world.advance(6 * 24 * HOUR);
    const later = c.world.requests.length - first;
    assert.ok(later < 60, `${later} tries in six days`);
    assert.equal((await c.home.outbox()).records[0].state, 'waiting');
    await c.world.advance(2 * 24 * HOUR);
    assert.equal((await c.home.outbox()).records[0].state, 'refused');
    const all = c.world.requests.length;
    await c.world.advance(30 * 24 * HOUR);
    assert.equal(c.world.requests.length, all);
    await c.home.close();
  });

  for (const [status, state] of [[204, 'sent'], [200, 'sent'], [400, 'refused'], [404, 'refused'], [413, 'refused'], [408, 'waiting'], [429, 'waiting'], [500, 'waiting'], [503, 'waiting']]) {
    test(`an answer of ${status} leaves it ${state}`, async () => {
      const c = await withRecord();
      c.world.answer = async () => new Response(null, { status });
      c.world.skip(72 * HOUR);
      await c.home.flush();
      assert.equal((await c.home.outbox()).records[0].state, state);
      await c.home.close();
    });
  }

  test('a transport of the app\'s own replaces the POST', async () => {
    const calls = [];
    const c = await withRecord({ upload: { transport: async (body, record) => { calls.push([body.length, record.hex, record.attempts]); } } });
    c.world.skip(72 * HOUR);
    await c.home.flush();
    assert.deepEqual(calls, [[256, HEX, 1]]);
    assert.deepEqual(c.world.requests, []);
    assert.equal((await c.home.outbox()).records[0].state, 'sent');
    await c.home.close();
  });

  test('an outbox that cannot be read is put aside', async () => {
    const storage = new FaultyStorage({ 'default/outbox': Uint8Array.of(1, 2) });
    const c = contributing({ storage });
    assert.equal((await c.home.ready).state, 'ready');
    assert.deepEqual(c.errors.map((error) => error.code), ['outbox_corrupt']);
    assert.deepEqual([...storage.values.get('default/aside/outbox')], [1, 2]);
    await c.home.close();
  });

  test('another tab sees what the writer made', async () => {
    const world = new World();
    const storage = Object.assign(new FaultyStorage(), { lockName: 'origin' });
    const writer = contributing({ world, storage });
    await writer.home.ready;
    const reader = contributing({ world, storage });
    await world.advance(200);
    outcomeIsReady(writer);
    await writer.home.flush();
    assert.equal((await reader.home.outbox()).records.length, 1);
    await reader.home.close();
    await writer.home.close();
  });

  test('without an address and without a transport it waits in the outbox', async () => {
    const c = await withRecord({ upload: { url: undefined } });
    c.world.skip(100 * HOUR);
    await c.home.flush();
    assert.equal((await c.home.outbox()).records[0].state, 'waiting');
    await c.home.close();
  });

  test('an attempt that cannot be stored is not made', async () => {
    const c = await withRecord();
    c.world.skip(72 * HOUR);
    c.storage.faults.put = (key) => key.startsWith('default/outbox') ? new Error('broken') : undefined;
    await c.home.flush();
    assert.deepEqual(c.world.requests, []);
    await c.home.close();
  });

  test('an attempt is on disk before it is made, so a crash cannot make it try without a pause', async () => {
    const c = await withRecord();
    c.world.answer = () => new Promise(() => {});
    c.world.skip(72 * HOUR);
    void c.home.flush();
    await c.world.settle();
    assert.equal(c.world.requests.length, 1);
    const next = contributing({ world: c.world, storage: c.storage });
    await next.home.ready;
    await next.home.flush();
    assert.equal(c.world.requests.length, 1, 'the pause is kept');
    await next.home.close();
  });
});

describe('the manifest', () => {
  const from = async (manifest, answer) => {
    const world = new World();
    if (answer) world.answer = answer;
    const c = contributing({ world, upload: { manifest } });
    await c.home.ready;
    await world.settle();
    return c;
  };

  test('from an address, without cookies and without a referrer', async () => {
    const c = await from('https://static.example/manifest.json', async () => new Response(MANIFEST));
    assert.deepEqual(c.world.requests, [{ url: 'https://static.example/manifest.json', credentials: 'omit', referrerPolicy: 'no-referrer' }]);
    assert.equal((await c.home.outbox()).contribution.state, 'watching');
    await c.home.close();
  });

  test('from a function', async () => {
    const c = await from(async () => MANIFEST);
    assert.equal((await c.home.outbox()).contribution.state, 'watching');
    await c.home.close();
  });

  test('none: nothing is made', async () => {
    const c = await from(undefined);
    assert.equal((await c.home.outbox()).contribution.state, 'no_manifest');
    await c.home.close();
  });

  for (const [what, manifest, answer, code] of [
    ['missing', 'https://static.example/m.json', async () => new Response('', { status: 404 }), 'manifest_unavailable'],
    ['unreachable', 'https://static.example/m.json', async () => { throw new TypeError('network'); }, 'manifest_unavailable'],
    ['no JSON', new TextEncoder().encode('<html>'), undefined, 'manifest_unavailable'],
    ['no UTF-8', Uint8Array.of(0xff, 0xfe), undefined, 'manifest_unavailable'],
    ['refused by the core', new TextEncoder().encode('{"format":1}'), undefined, 'manifest_invalid'],
  ]) {
    test(`${what}: reported, ranking goes on, asked for again only after a pause`, async () => {
      const c = await from(manifest, answer);
      assert.deepEqual(c.errors.map((error) => error.code), [code]);
      assert.equal(c.home.rankSync(samplePage()).source, 'policy');
      c.platform.events.hidden();
      await c.world.settle();
      assert.equal(c.errors.length, 1);
      await c.home.flush();
      assert.equal(c.errors.length, 2, 'flush asks at once');
      await c.home.close();
    });
  }
});

/** The rows of the table in docs/guides/consent.md, each word of its cells spelt out. */
function consentTable() {
  const text = readFileSync(new URL('../../docs/guides/consent.md', import.meta.url), 'utf8');
  const [, ...rows] = text.split('\n').filter((line) => /^\| (personalize|yes|no) /.test(line)).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
  const either = (cell) => cell === 'any' ? ['yes', 'no'] : [cell];
  const ALLOWED = { 'left out or true': [undefined, () => true], 'false or throws': [() => false, () => { throw new Error('not known yet'); }, () => 'yes', () => undefined] };
  ALLOWED.any = Object.values(ALLOWED).flat();
  const WIPES = ['never', 'before it is made', 'before it is sent', 'after it is sent'];
  return rows.map(([personalize, contribute, gpc, allowed, wiped, ...expected]) => ({
    row: [personalize, contribute, gpc, allowed, wiped].join(' | '), expected,
    cells: either(personalize).flatMap((p) => either(contribute).flatMap((c) => either(gpc).flatMap((g) => ALLOWED[allowed].flatMap((a) =>
      (wiped === 'any' ? WIPES : [wiped]).map((w) => ({ personalize: p === 'yes', contribute: c === 'yes', gpc: g === 'yes', allowed: a, wiped: w })))))),
  }));
}

describe('the table in the guide on consent', () => {
  const table = consentTable();
  test('has a row for every case, and none twice', () => {
    const keys = table.flatMap(({ cells }) => cells.map((cell) => JSON.stringify([cell.personalize, cell.contribute, cell.gpc, String(cell.allowed), cell.wiped])));
    assert.equal(keys.length, 2 * 2 * 2 * 6 * 4);
    assert.equal(new Set(keys).size, keys.length);
  });
  for (const { row, cells, expected: [sent, ledger, shown, stoppedBy] } of table) {
    test(row, async () => {
      for (const { personalize, contribute, gpc, allowed, wiped } of cells) {
        const world = new World();
        world.gpc = gpc;
        const c = contributing({ world, consent: { personalize, contribute }, upload: allowed ? { allowed } : {} });
        await c.home.ready;
        await world.settle();
        if (wiped === 'before it is made') await c.home.reset();
        else outcomeIsReady(c);
        await c.home.flush();
        if (wiped === 'before it is sent') await c.home.reset();
        world.skip(72 * HOUR);
        await c.home.flush();
        if (wiped === 'after it is sent') await c.home.reset();
        const view = await c.home.outbox();
        const where = JSON.stringify({ personalize, contribute, gpc, allowed: String(allowed), wiped });
        assert.equal(world.requests.length, Number(sent), where);
        assert.deepEqual(c.storage.values.get('ledger')?.[1], { none: undefined, begun: 0, spent: 1 }[ledger], where);
        assert.deepEqual(view.records.map(({ state }) => state), shown === '1 sent' ? ['sent'] : [], where);
        assert.equal(view.stoppedBy ?? '', stoppedBy, where);
        assert.equal(c.storage.values.has('default/outbox'), shown === '1 sent', where);
        assert.equal(c.program.instances[0].consent.contribute, stoppedBy === '', where);
        await c.home.close();
      }
    });
  }
});

describe('signals that come later', () => {
  for (const [what, raise, lower] of [
    ['Global Privacy Control', (c) => { c.world.gpc = true; }, (c) => { c.world.gpc = false; }],
    ['the flag of the app', (c) => { c.allowed = false; }, (c) => { c.allowed = true; }],
  ]) {
    test(`${what} stops a record that waits until the signal is gone, and the core hears of it with the next page`, async () => {
      const state = { allowed: true };
      const c = contributing({ upload: { allowed: () => state.allowed } });
      Object.defineProperty(c, 'allowed', { set(value) { state.allowed = value; } });
      await c.home.ready;
      await c.world.settle();
      outcomeIsReady(c);
      await c.home.flush();
      raise(c);
      c.home.rankSync(samplePage());
      assert.equal(c.program.instances[0].consent.contribute, false);
      await c.world.advance(100 * HOUR);
      await c.home.flush();
      assert.deepEqual(c.world.requests, []);
      assert.equal((await c.home.outbox()).records[0].state, 'waiting');
      lower(c);
      c.home.rankSync(samplePage());
      assert.equal(c.program.instances[0].consent.contribute, true);
      await c.home.flush();
      assert.equal(c.world.requests.length, 1);
      await c.home.close();
    });

    test(`${what} while an attempt is being stored: it is not made`, async () => {
      const state = { allowed: true };
      const c = contributing({ upload: { allowed: () => state.allowed } });
      Object.defineProperty(c, 'allowed', { set(value) { state.allowed = value; } });
      await c.home.ready;
      await c.world.settle();
      outcomeIsReady(c);
      await c.home.flush();
      c.world.skip(72 * HOUR);
      c.storage.faults.put = (key) => { if (key.startsWith('default/outbox')) raise(c); };
      await c.home.flush();
      assert.deepEqual(c.world.requests, []);
      await c.home.close();
    });
  }

  test('a wipe while the outbox is being stored leaves none', async () => {
    const c = contributing();
    await c.home.ready;
    await c.world.settle();
    outcomeIsReady(c);
    let finish;
    c.storage.faults.put = (key) => key.startsWith('default/outbox') ? new Promise((resolve) => { finish = resolve; }) : undefined;
    const flushed = c.home.flush();
    await c.world.settle();
    assert.ok(finish);
    const wiped = c.home.reset();
    await c.world.settle();
    finish();
    await Promise.all([flushed, wiped]);
    assert.ok(!c.storage.values.has('default/outbox'));
    assert.deepEqual((await c.home.outbox()).records, []);
    assert.equal(c.storage.values.get('ledger')[1], 1, 'the ledger is kept');
    await c.home.close();
  });
});

describe('two consents', () => {
  for (const personalize of [true, false]) for (const contribute of [true, false]) for (const gpc of [true, false]) for (const respectGPC of [true, false]) {
    const leaves = personalize && contribute && !(gpc && respectGPC);
    test(`personalize ${personalize}, contribute ${contribute}, GPC ${gpc}, respected ${respectGPC}: ${leaves ? 'one record' : 'nothing'} leaves`, async () => {
      const world = new World();
      world.gpc = gpc;
      const c = contributing({ world, consent: { personalize, contribute }, upload: { respectGPC, manifest: 'https://static.example/m.json' } });
      world.answer = async (url) => new Response(url.endsWith('m.json') ? MANIFEST : null);
      await c.home.ready;
      await world.settle();
      const ranked = c.home.rankSync(samplePage());
      assert.equal(ranked.source, personalize ? 'policy' : 'baseline');
      assert.equal(ranked.error, undefined);
      c.home.track({ type: 'play', cardId: 'album:dummy' });
      assert.equal(c.home.summary().events, personalize ? 1 : 0);
      outcomeIsReady(c);
      await c.home.flush();
      world.skip(72 * HOUR);
      await c.home.flush();
      assert.deepEqual(world.requests.map((request) => request.url), leaves ? ['https://static.example/m.json', 'https://collector.example/v1'] : []);
      assert.equal(c.storage.values.has('ledger'), leaves);
      assert.deepEqual(c.program.instances[0].consent, { personalize, contribute: leaves });
      await c.home.close();
    });
  }

  test('contribute is off unless somebody said yes', async () => {
    for (const consent of [undefined, {}, { contribute: 'yes' }, { contribute: 1 }]) {
      const c = contributing({ consent });
      await c.home.ready;
      assert.equal(c.home.consent.contribute, false);
      await c.home.close();
    }
  });

  test('choices are kept; what the app says wins; what cannot be read is two times no', async () => {
    const storage = new FaultyStorage();
    const c = contributing({ storage, consent: undefined });
    await c.home.setConsent({ contribute: true });
    assert.ok(storage.log.includes('put consent/default/ strict'));
    await c.home.close();
    const again = contributing({ storage, consent: undefined });
    await again.home.ready;
    assert.deepEqual(again.home.consent, { personalize: true, contribute: true });
    await again.home.close();
    const told = contributing({ storage, consent: { contribute: false } });
    await told.home.ready;
    assert.deepEqual(told.home.consent, { personalize: true, contribute: false });
    await told.home.close();
    for (const bytes of [Uint8Array.of(1), new TextEncoder().encode('{"format":1,"personalize":1,"contribute":true}')]) {
      storage.values.set('consent/default/', bytes);
      const odd = contributing({ storage, consent: undefined });
      await odd.home.ready;
      assert.deepEqual(odd.home.consent, { personalize: false, contribute: false });
      await odd.home.close();
    }
  });

  test('withdrawing drops what waits, keeps what left, and the budget stays spent', async () => {
    const c = contributing();
    await c.home.ready;
    await c.world.settle();
    outcomeIsReady(c);
    await c.home.flush();
    await c.home.setConsent({ contribute: false });
    c.world.skip(100 * HOUR);
    await c.home.flush();
    assert.deepEqual(c.world.requests, []);
    assert.deepEqual((await c.home.outbox()).records, []);
    assert.equal(c.storage.values.get('ledger')[1], 1);
    await c.home.setConsent({ contribute: true });
    outcomeIsReady(c);
    await c.home.flush();
    assert.deepEqual((await c.home.outbox()).records, [], 'saying yes again opens no new budget');
    await c.home.close();
  });

  test('withdrawn while the ledger is being saved: no record is made', async () => {
    const c = contributing();
    await c.home.ready;
    await c.world.settle();
    outcomeIsReady(c);
    let withdrawn;
    c.storage.faults.put = (key) => { if (key.startsWith('ledger')) withdrawn = c.home.setConsent({ contribute: false }); };
    await c.home.flush();
    await withdrawn;
    assert.ok(!c.storage.log.includes('makeRecord'));
    await c.home.close();
  });

  test('a choice made before ready is the one that holds', async () => {
    const storage = new FaultyStorage();
    const c = contributing({ storage, consent: undefined });
    const chosen = c.home.setConsent({ personalize: false });
    assert.equal(c.home.rankSync(samplePage()).error, undefined);
    await chosen;
    assert.equal(c.home.consent.personalize, false);
    assert.equal(c.home.rankSync(samplePage()).source, 'baseline');
    await assert.rejects(c.home.importHistory([{ at: 1, msPlayed: 1, title: 'x' }]), { code: 'not_personalized' });
    await c.home.close();
  });

  test('a choice made before ready leaves the other one as it was saved', async () => {
    const storage = new FaultyStorage({ 'consent/default/': new TextEncoder().encode('{"format":1,"personalize":false,"contribute":true}') });
    const c = contributing({ storage, consent: undefined });
    await c.home.setConsent({ contribute: false });
    assert.deepEqual(c.home.consent, { personalize: false, contribute: false });
    assert.equal(new TextDecoder().decode(storage.values.get('consent/default/')), '{"format":1,"personalize":false,"contribute":false}');
    await c.home.close();
  });

  test('a storage that fell back to memory contributes nothing', async () => {
    const storage = new FaultyStorage();
    storage.faults.get = () => new Error('broken');
    const c = contributing({ storage });
    await c.home.ready;
    await c.world.settle();
    outcomeIsReady(c);
    await c.home.flush();
    assert.ok(!c.storage.log.includes('debit'));
    await c.home.close();
  });

  test('upload false, or left out: contribute has no effect', async () => {
    for (const upload of [false, undefined]) {
      const { home, program } = makeHome({ consent: { contribute: true }, upload });
      await home.ready;
      assert.equal(program.instances[0].consent.contribute, false);
      assert.equal((await home.outbox()).contribution.state, 'off');
      await home.close();
    }
  });
});
