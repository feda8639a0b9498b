// What the wire sees of a few listeners over some weeks; EARS_LISTENERS and EARS_WEEKS make it larger.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasBrowser } from './chromium.mjs';
import { judge, sizeOfRun, wire } from './wire.mjs';

if (hasBrowser()) {
  const run = await wire(sizeOfRun());
  describe('on the wire', () => {
    for (const { claim, value, wanted, pass } of judge(run)) test(`${claim}: ${value} (wanted: ${wanted})`, () => assert.ok(pass));
    test('enough left to judge by', () => {
      const records = run.found['through the relay'].results.flatMap((one) => one.records);
      assert.ok(records.length >= sizeOfRun().listeners, `${records.length} records`);
      assert.ok(records.some(({ attempts }) => attempts > 1), 'some were sent twice');
      assert.ok(run.found['to the collector'].results.some(({ records: some }) => some.length > 0));
    });
  });
  describe('the judge sees', () => {
    const changed = (change) => {
      const copy = { ...run, seen: structuredClone(run.seen), found: structuredClone(run.found), opened: run.opened.map((one) => ({ ...one, content: Buffer.from(one.content) })) };
      for (const server of Object.values(copy.seen)) for (const one of server) one.body = Buffer.from(one.body);
      change(copy);
      return judge(copy).filter(({ pass }) => !pass).map(({ claim }) => claim);
    };
    const first = (copy, server) => copy.seen[server].find(({ method }) => method === 'POST');
    for (const [what, change, claim] of [
      ['a longer request', (copy) => { first(copy, 'relay').body = Buffer.alloc(312); }, /^bytes of an encapsulated/],
      ['a header of its own', (copy) => { first(copy, 'collector').headers.push('X-Profile', 'child'); }, /headers to the collector$/],
      ['a cookie', (copy) => { for (const one of copy.seen.relay) one.headers.push('Cookie', 'who=listener'); }, /cookie/],
      ['a request with Global Privacy Control', (copy) => { copy.found['with Global Privacy Control'].requests.push({ url: copy.origins.app, method: 'GET' }); }, /Global Privacy Control$/],
      ['a third origin', (copy) => { copy.found['through the relay'].requests.push({ url: 'https://tracker.example/', method: 'GET' }); }, /other origin/],
      ['a request that is no try', (copy) => { copy.seen.collector.push(first(copy, 'collector')); }, /no try/],
      ['a message with more in it', (copy) => { copy.opened[0].content = Buffer.concat([copy.opened[0].content, Buffer.of(1)]); }, /anything but/],
      ['a repeated ciphertext', (copy) => { const [a, b] = copy.seen.relay.filter(({ method }) => method === 'POST'); b.body = a.body; }, /key another has/],
    ]) test(what, () => assert.ok(changed(change).some((failed) => claim.test(failed))));
    test('nothing where nothing is wrong', () => assert.deepEqual(changed(() => {}), []));
  });
}
