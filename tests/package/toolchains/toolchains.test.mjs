// Each toolchain that is quick to install: the package installed as an app does, no settings, the golden order.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { FIXTURES, judge, runFixture } from './fixtures.mjs';
import { browserPath, finish, golden } from './workshop.mjs';

after(finish);
for (const fixture of FIXTURES.filter(({ tools }) => tools !== 'more')) {
  const skip = !browserPath && !['node', 'vitest', 'edge'].includes(fixture.kind) ? 'no Chromium was found' : false;
  test(fixture.name, { skip }, () => runFixture(fixture));
}

test('what differs from the golden order by one bit is not let through', () => {
  const lines = golden(311);
  judge({ lines });
  const last = lines[300].at(-1) === '0' ? '1' : '0';
  assert.throws(() => judge({ lines: lines.with(300, lines[300].slice(0, -1) + last) }), /line 301/);
  assert.throws(() => judge({ lines: lines.slice(0, 200) }), /four weeks/);
  assert.throws(() => judge({ error: 'nothing came' }), /nothing came/);
  assert.throws(() => judge({ found: { 'one decision for one view': true } }), /all checks/);
});
