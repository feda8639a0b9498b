// From the package to `ears-lab collect`, over HTTP: what devices send is what the collector takes, itself and behind a relay. EARS_LAB is the
// program.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createHome } from 'ears-only';
import { memoryStorage } from 'ears-only/testing';

const lab = process.env.EARS_LAB;
const HOUR = 3_600_000;
const WEEK = 7 * 24 * HOUR;
const START = Date.UTC(2026, 10, 23, 8);
const week = (at) => Math.floor((at - Date.UTC(2026, 0, 5)) / WEEK);

if (!lab) console.log('# EARS_LAB is not set: the tests with the collector are not run');
else describe('records and the collector', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'ears-only-collect-'));
  const manifest = Buffer.from(JSON.stringify({
    format: 2, epochs: [week(START), week(START) + 20], modelVersion: 'built-in', epsilonIndex: 2, windowMs: 1_800_000,
    probes: [{ kind: 'card', shelf: 'morning', shelfPosition: 0, cardPosition: 0, questions: ['played_30s', 'how_long'], arms: ['a', 'b', 'c', 'd'].map((card) => ({ card, weight: 16384 })) }],
  }));
  let program;
  let origin;
  let keys;
  let made;

  /** The bodies that one device would send, from its first records on. */
  async function bodies(count) {
    let now = START;
    const all = [];
    const home = createHome({
      storage: memoryStorage(), clock: () => now, consent: { contribute: true }, upload: { manifest, transport: async (body) => { all.push(body.slice()); } },
    });
    await home.ready;
    await home.flush();
    for (now += 28 * 24 * HOUR; all.length < count && now < START + 20 * WEEK; now += 5 * HOUR) {
      const { decisionId, shelves: [{ id: shelfId, cards: [card] }] } = home.rankSync({ shelves: [{ id: 'morning', cards: ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id })) }] });
      home.track({ type: 'finish', decisionId, shelfId, cardId: card.id, msPlayed: 60_000 });
      await home.flush();
    }
    await home.close();
    return all;
  }
  const epochOf = (body) => (body[17] & 15) << 8 | body[18];
  const report = () => JSON.parse(readFileSync(path.join(folder, 'out/report.json'), 'utf8'));
  const post = async (body) => {
    const answer = await fetch(`${origin}/records`, { method: 'POST', body });
    return [answer.status, await answer.text()];
  };

  before(async () => {
    made = (await bodies(2)).slice(0, 2);
    assert.equal(made.length, 2);
    writeFileSync(path.join(folder, 'manifest.json'), manifest);
    program = spawn(lab, ['collect', '--manifest', path.join(folder, 'manifest.json'), '--listen', '127.0.0.1:0', '--ohttp-key', path.join(folder, 'key'),
      '--epoch', String(epochOf(made[1])), '--out', path.join(folder, 'out')], { stdio: ['ignore', 'pipe', 'inherit'] });
    origin = await new Promise((resolve, reject) => {
      let text = '';
      program.once('exit', (code) => reject(new Error(`the collector ended with ${code}: ${text}`)));
      program.stdout.on('data', (chunk) => {
        const [, address] = /listening: (\S+)\/records/.exec(text += chunk) ?? [];
        if (address) resolve(address);
      });
    });
    keys = new Uint8Array(await (await fetch(`${origin}/ohttp-keys`)).arrayBuffer());
  });
  after(() => {
    program?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  test('a body is taken, once however often it comes', async () => {
    assert.deepEqual(await post(made[0]), [204, '']);
    assert.deepEqual(await post(made[0]), [204, '']);
    const { taken, repeated } = report();
    assert.deepEqual([taken, repeated], [1, 1]);
  });

  test('any byte of it that means something is checked', async () => {
    const changed = (at, bit = 1) => Object.assign(made[0].slice(), { [at]: made[0][at] ^ bit });
    for (const [at, what] of [[0, 'the format'], [17, 'the version or the week'], [20, 'the manifest'], [23, 'the probe'], [27, 'the propensity'], [32, 'the zeros of the record'], [40, 'the zeros'], [255, 'the last zero']]) {
      const [status, code] = await post(changed(at, at === 23 ? 0x10 : 1));
      assert.equal(status, 400, `${what}: ${code}`);
      assert.match(code, /^[a-z_]+$/);
    }
    assert.equal((await post(made[0].subarray(0, 33)))[0], 400, 'without its zeros only behind a relay');
  });

  test('a record through the relay is opened, taken and answered; the same again is a repetition', async () => {
    const { encapsulate } = await import('../build/modules/relay.js');
    const before = report();
    for (let tries = 0; tries < 2; tries++) {
      const { request, open } = await encapsulate(keys, 'https://collector.example/records', made[1].subarray(0, 33), crypto.getRandomValues(new Uint8Array(32)));
      assert.equal(request.length, 311);
      const answer = await fetch(`${origin}/gateway`, { method: 'POST', body: request, headers: { 'content-type': 'message/ohttp-req' } });
      assert.equal(answer.status, 200);
      assert.equal(open(new Uint8Array(await answer.arrayBuffer())), 204);
    }
    const { taken, repeated } = report();
    assert.deepEqual([taken - before.taken, repeated - before.repeated], [1, 1]);
    const { request, open } = await encapsulate(keys, 'https://collector.example/records', new Uint8Array(33), crypto.getRandomValues(new Uint8Array(32)));
    const refused = await fetch(`${origin}/gateway`, { method: 'POST', body: request });
    assert.equal(open(new Uint8Array(await refused.arrayBuffer())), 400, 'a refusal comes inside the answer');
  });
});
