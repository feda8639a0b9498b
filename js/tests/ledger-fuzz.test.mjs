// Schedules of crashes, tabs, clocks, failing disks and keys put back: the caps hold, and no record is made without its debit on disk.
// EARS_SCHEDULES makes it more.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';

const SCHEDULES = Number(process.env.EARS_SCHEDULES ?? 500);
const PARTS = 5;

if (!existsSync(new URL('../build/modules/glue.js', import.meta.url))) console.log('# the package is not built: the ledger is not fuzzed');
else {
  const { fuzz, PLANTED } = await import('./ledger-fuzz.mjs');
  describe('the ledger under fire', () => {
    for (let part = 0; part < PARTS; part++) {
      const [from, to] = [part, part + 1].map((one) => Math.floor(SCHEDULES * one / PARTS));
      test(`schedules ${from} to ${to}`, async (t) => {
        const { problems, ...counts } = await fuzz({ from, to });
        t.diagnostic(JSON.stringify(counts));
        assert.deepEqual(problems.slice(0, 5), []);
        // Enough happened for that to mean something.
        assert.ok(counts.records > counts.schedules && counts.crashes > counts.schedules && counts.jumps > counts.schedules && counts.restores > counts.schedules && counts.faults > counts.schedules, JSON.stringify(counts));
      });
    }
    for (const planted of PLANTED) {
      test(`sees ${planted}`, async () => assert.ok((await fuzz({ to: 60, planted })).problems.length > 0));
    }
  });
}
