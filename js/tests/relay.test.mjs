// Through a relay: one size, nothing in common between two tries, and an answer that only the gateway could have given.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fakeProgram } from './fake-core.mjs';
import { makeGateway } from './gateway.mjs';
import { makeHome } from './homes.mjs';
import { FaultyStorage, World } from './world.mjs';

const HOUR = 3_600_000;
const MANIFEST = new TextEncoder().encode(JSON.stringify({ format: 2, epochs: [40, 60] }));
const URL_BEHIND = 'https://collector.example:8443/v1/records?lane=1';

/** A Home with a record that is due, and the gateway behind its relay. */
async function due({ gateway = makeGateway(), keys = gateway.keys, world = new World(), url = URL_BEHIND } = {}) {
  const program = fakeProgram();
  const opened = [];
  const state = { status: 204 };
  world.answer = async (address, { body }) => {
    assert.equal(address, 'https://relay.example/gateway');
    const { message, answer } = gateway.open(body);
    opened.push(message);
    return new Response(answer(state.status));
  };
  const made = makeHome({
    world, storage: new FaultyStorage(), program, consent: { contribute: true },
    upload: { url, manifest: MANIFEST, relay: { url: 'https://relay.example/gateway', keys } },
  });
  await made.home.ready;
  await world.settle();
  for (const core of program.instances) core.probe = 'ready';
  await made.home.flush();
  world.skip(72 * HOUR);
  return { ...made, opened, state, gateway };
}
const stateOf = async ({ home }) => (await home.outbox()).records[0].state;

if (!existsSync(new URL('../build/modules/relay-inline.js', import.meta.url))) console.log('# the package is not built: the tests of the relay are not run');
else describe('through a relay', () => {
  test('the gateway reads format, nonce and record; the relay sees 311 bytes and no name', async () => {
    const c = await due();
    assert.deepEqual((await c.home.flush()).sent, 1);
    const [{ content, ...message }] = c.opened;
    assert.deepEqual(message, { method: 'POST', scheme: 'https', authority: 'collector.example:8443', path: '/v1/records?lane=1', headers: 0, size: 256, padded: true });
    const [record] = (await c.home.outbox()).records;
    assert.equal(content.toString('hex'), `01${record.nonce}${record.hex}`);
    const [{ url, body, signal, ...init }] = c.world.requests;
    assert.equal(body.length, 311);
    assert.ok(!Buffer.from(body).includes(Buffer.from(record.nonce, 'hex')));
    assert.deepEqual(init, {
      method: 'POST', credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store', redirect: 'error', headers: { 'content-type': 'message/ohttp-req' },
    });
    assert.equal(record.state, 'sent');
    await c.home.close();
  });

  test('each try is encrypted anew; inside it is the same record with the same nonce', async () => {
    const c = await due();
    c.state.status = 503;
    await c.home.flush();
    await c.world.advance(40 * HOUR);
    assert.ok(c.opened.length > 5);
    assert.equal(new Set(c.opened.map(({ content }) => content.toString('hex'))).size, 1);
    const bodies = c.world.requests.map(({ body }) => Buffer.from(body));
    assert.ok(bodies.every(({ length }) => length === 311));
    assert.equal(new Set(bodies.map((body) => body.toString('hex', 7, 39))).size, bodies.length, 'each with a key of its own');
    for (let at = 7; at < 311; at++) assert.ok(new Set(bodies.map((body) => body[at])).size > 1, `byte ${at} is always the same`);
    await c.home.close();
  });

  for (const [status, state] of [[200, 'sent'], [204, 'sent'], [400, 'refused'], [404, 'refused'], [408, 'waiting'], [429, 'waiting'], [500, 'waiting'], [503, 'waiting']]) {
    test(`a status of ${status} inside leaves it ${state}`, async () => {
      const c = await due();
      c.state.status = status;
      await c.home.flush();
      assert.equal(await stateOf(c), state);
      await c.home.close();
    });
  }

  for (const [what, answer] of [
    ['refuses', async () => new Response(null, { status: 403 })],
    ['answers with an empty body', async () => new Response(null, { status: 200 })],
    ['makes an answer up', async () => new Response(new Uint8Array(64).fill(7))],
    ['answers endlessly', async () => new Response(new Uint8Array(5000))],
    ['gives the answer to another request', async () => {
      const { encapsulate } = await import('../build/modules/relay.js');
      const gateway = makeGateway();
      const { request } = await encapsulate(gateway.keys, URL_BEHIND, new Uint8Array(33), crypto.getRandomValues(new Uint8Array(32)));
      return new Response(gateway.open(request).answer(204));
    }],
  ]) {
    test(`a relay that ${what} cannot make a record count as delivered or refused`, async () => {
      const c = await due();
      c.world.answer = answer;
      await c.home.flush();
      assert.equal(await stateOf(c), 'waiting');
      assert.deepEqual(c.errors.map(({ code }) => code), ['send_failed']);
      await c.home.close();
    });
  }

  test('an answer whose bytes were changed is none', async () => {
    const c = await due();
    c.world.answer = async (_, { body }) => {
      const answer = c.gateway.open(body).answer(204);
      answer[20] ^= 1;
      return new Response(answer);
    };
    await c.home.flush();
    assert.equal(await stateOf(c), 'waiting');
    await c.home.close();
  });

  for (const [what, options, message] of [
    ['no keys', { keys: new Uint8Array() }, /expected key configurations/],
    ['keys of another kind', { keys: Buffer.concat([makeGateway().keys.subarray(0, -1), Buffer.of(3)]) }, /expected key configurations/],
    ['keys that are no base64', { keys: 'not base64!' }, /cannot be used/],
    ['a public key of zeros', { keys: Buffer.concat([makeGateway().keys.subarray(0, 3), Buffer.alloc(32), makeGateway().keys.subarray(35)]) }, /public key/],
    ['an address without encryption', { url: 'http://collector.example/' }, /expected an https address/],
    ['an address that is none', { url: '/v1' }, /cannot be used/],
    ['an address that is too long', { url: `https://collector.example/${'x'.repeat(190)}` }, /206 bytes/],
  ]) {
    test(`${what}: reported, and nothing leaves`, async () => {
      const c = await due(options);
      await c.home.flush();
      assert.deepEqual(c.world.requests, []);
      assert.equal(await stateOf(c), 'waiting');
      assert.equal(c.errors.at(-1).code, 'relay_invalid');
      assert.match(c.errors.at(-1).message, message);
      await c.home.close();
    });
  }

  test('keys in base64, of either alphabet, and as a list', async () => {
    const gateway = makeGateway(250);
    const list = Buffer.concat([Buffer.of(0, gateway.keys.length), gateway.keys]);
    for (const keys of [gateway.keys.toString('base64'), gateway.keys.toString('base64url'), list]) {
      const c = await due({ gateway, keys });
      assert.equal((await c.home.flush()).sent, 1);
      await c.home.close();
    }
  });

  test('without entropy nothing leaves', async () => {
    const c = await due();
    c.world.entropy = () => { throw new Error('no entropy'); };
    await c.home.flush();
    assert.deepEqual(c.world.requests, []);
    assert.equal(c.errors.at(-1).code, 'relay_invalid');
    await c.home.close();
  });
});
