// Runs the JavaScript of docs/bandits.md and docs/privacy.md as it stands there; what it prints stands there too.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, run, skip, text } from './installed.mjs';

for (const [name, lines] of [['docs/bandits.md', 6], ['docs/privacy.md', 5]]) test(`the example of ${name} prints what the page says`, { skip }, async () => {
  const page = text(name);
  const [code, ...more] = blocks(page, 'js');
  assert.ok(code && more.length === 0, `${name} has one js block`);
  const [output] = blocks(page.slice(page.indexOf(code)), 'text');
  const expected = output.trimEnd().split('\n');
  assert.equal(expected.length, lines);
  assert.deepEqual(await run(code, (_, index) => index === expected.length - 1), expected);
});
