// A sample of the long lives that `cargo xtask prove package` runs in full.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { soak } from './soak.mjs';
import { browserPath, finish } from './workshop.mjs';

after(finish);

test('pages, mounts under StrictMode and Homes leave nothing behind', { skip: browserPath ? false : 'no Chromium was found' }, async () => {
  const { cycles, mounts, homes, stored, errors } = await soak({ warm: 6_000, cycles: 2_000, mounts: 300, homes: 60 });
  assert.deepEqual(errors, []);
  assert.equal(cycles.answer.decisions, 200, 'the log is bounded');
  assert.ok(cycles.end.wasm <= 16e6, `the compiled core holds ${cycles.end.wasm} bytes`);
  for (const [what, { start, end }] of Object.entries({ cycles, mounts, homes })) {
    assert.ok(end.heap <= 1.05 * start.heap, `${what}: the heap went from ${start.heap} to ${end.heap} bytes`);
    assert.ok(end.objects <= 1.02 * start.objects, `${what}: the objects went from ${start.objects} to ${end.objects} bytes`);
    assert.equal(end.cores, 1, `${what}: one compiled core is held`);
  }
  const bytes = Object.values(stored).reduce((sum, one) => sum + one, 0);
  assert.ok(bytes > 10_000 && bytes <= 2e6, `${bytes} bytes are stored`);
});
