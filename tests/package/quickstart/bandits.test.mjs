// Runs the JavaScript of docs/bandits.md as it stands there; what it prints stands there too.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, run, skip, text } from './installed.mjs';

test('the example of docs/bandits.md prints what the page says', { skip }, async () => {
  const page = text('docs/bandits.md');
  const [code, ...more] = blocks(page, 'js');
  assert.ok(code && more.length === 0, 'docs/bandits.md has one js block');
  const [output] = blocks(page.slice(page.indexOf(code)), 'text');
  const expected = output.trimEnd().split('\n');
  assert.ok(expected.length > 5);
  assert.deepEqual(await run(code, (_, index) => index === expected.length - 1), expected);
});
