// Runs the quick start of README.md as it stands there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blocks, run, skip, text } from './installed.mjs';

test('the quick start of the README runs as written and ends in a ranked page', { skip }, async () => {
  const [code] = blocks(text('README.md'), 'js');
  assert.ok(code, 'README.md has a js block');
  assert.ok(code.trimEnd().split('\n').length <= 27, 'and it is short');
  const output = (await run(code, (line) => line.includes('records have left'))).join('\n');
  for (const title of ['Morning commute', 'Fresh finds', 'Kind of Blue', 'Blue Train']) assert.match(output, new RegExp(title));
  // Three cards of one shelf and two of the other, each with its propensity; something was drawn at random.
  const propensities = [...output.matchAll(/ (\d\.\d\d) /g)].map((match) => Number(match[1]));
  assert.equal(propensities.length, 5, output);
  assert.ok(propensities.every((propensity) => propensity > 0 && propensity <= 1));
  assert.ok(propensities.some((propensity) => propensity < 1));
  assert.match(output, /^0 records have left$/m);
});
