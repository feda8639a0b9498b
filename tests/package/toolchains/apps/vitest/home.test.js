import { writeFileSync } from 'node:fs';
import { createHome } from 'ears-only';
import { createTestHome } from 'ears-only/testing';
import { expect, test } from 'vitest';
import { transcript } from './scenario.js';

test('ranks as everywhere', async () => {
  const lines = await transcript(createHome);
  writeFileSync('result.json', JSON.stringify({ lines }));
  expect(lines.length).toBeGreaterThan(0);
  // On a busy machine it takes longer than the default of five seconds.
}, 60_000);

test('a Home for tests', async () => {
  const { home } = createTestHome();
  expect((await home.ready).state).toBe('ready');
  await home.close();
});
