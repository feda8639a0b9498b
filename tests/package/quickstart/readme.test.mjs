// Runs the quick start of README.md as it stands there, in an empty folder with the packed package installed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const npm = (args, cwd) => execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8' });

/** The code blocks of a language, in the order of the text. */
function blocks(markdown, language) {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]);
}

test('the quick start of the README runs as written and ends in a ranked page', () => {
  const [code] = blocks(readFileSync(path.join(root, 'README.md'), 'utf8'), 'js');
  assert.ok(code, 'README.md has a js block');
  assert.ok(code.trimEnd().split('\n').length <= 30, 'and it is short');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quickstart-'));
  try {
    npm(['pack', '--pack-destination', folder], path.join(root, 'js'));
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    npm(['install', `./${tarball}`], folder);
    writeFileSync(path.join(folder, 'home.mjs'), code);
    const output = execFileSync(process.execPath, ['home.mjs'], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
    for (const title of ['Morning commute', 'Fresh finds', 'Kind of Blue', 'Blue Train']) assert.match(output, new RegExp(title));
    // Three cards of one shelf and two of the other, each with its propensity; something was drawn at random.
    const propensities = [...output.matchAll(/ (\d\.\d\d) /g)].map((match) => Number(match[1]));
    assert.equal(propensities.length, 5);
    assert.ok(propensities.every((propensity) => propensity > 0 && propensity <= 1));
    assert.ok(propensities.some((propensity) => propensity < 1));
    assert.match(output, /^0 records have left$/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
