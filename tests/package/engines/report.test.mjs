// The page that `ears-lab validate --html` writes, opened from the disk: whole without a network, the gravest finding first, usable by keyboard.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ENGINES, start } from './engines.mjs';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const ROWS = 3000;

/** 100 columns, a third of them texts; two rows in five are premium unless they are left out. */
function csv(seed, premium) {
  let state = seed;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  const names = Array.from({ length: 99 }, (_, i) => `feature_${String(i).padStart(2, '0')}`);
  const lines = [['tier', ...names].join(',')];
  for (let row = 0; row < ROWS; row += 1) {
    const paid = random() < 0.4;
    const cells = names.map((_, i) => [() => (random() * 100 + (paid ? 20 : 0)).toFixed(3), () => `artist number ${Math.floor(random() * 300)}`, () => Math.floor(random() * 1000)][i % 3]());
    if (premium || !paid) lines.push([paid ? 'premium' : 'free', ...cells].join(','));
  }
  return `${lines.join('\n')}\n`;
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'ears-only-report-'));
const report = path.join(folder, 'report.html');

before(() => {
  writeFileSync(path.join(folder, 'train.csv'), csv(7, false));
  writeFileSync(path.join(folder, 'eval.csv'), csv(11, true));
  const lab = ['run', '--release', '--quiet', '--bin', 'ears-lab', '--manifest-path', 'lab/Cargo.toml', '--'];
  const asked = ['validate', path.join(folder, 'train.csv'), '--against', path.join(folder, 'eval.csv'), '--slice', 'tier', '--html', report];
  const ran = spawnSync('cargo', [...lab, ...asked], { cwd: ROOT, encoding: 'utf8' });
  assert.equal(ran.status, 2, ran.stdout + ran.stderr);
  assert.match(ran.stdout, /slice tier=premium is missing from train \(expected about (39|40|41) %\)/);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('100 columns of two data sets take less than 500 kB', () => {
  assert.ok(readFileSync(report).length < 500_000, `${readFileSync(report).length} bytes`);
});

for (const name of ['Chromium', 'Firefox']) {
  const skip = ENGINES[name] || process.env.ENGINES_REQUIRED === 'all' ? false : `${name} is not installed`;
  describe(`the report in ${name}`, { skip }, () => {
    let engine;
    let tab;
    before(async () => {
      engine = await start(name);
      tab = await engine.open(pathToFileURL(report).href);
    });
    after(() => engine?.close());

    test('nothing but the file is asked for', async () => {
      // A data: address asks nobody; Firefox has fonts of its own there.
      const asked = tab.asked().filter((address) => address !== pathToFileURL(report).href && !address.startsWith('data:'));
      assert.deepEqual(asked, []);
      // The same ears hear a page that does ask.
      const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
      await new Promise((done) => { server.once('listening', done); });
      const outside = `http://127.0.0.1:${server.address().port}/pixel.png`;
      const page = path.join(folder, 'asks.html');
      writeFileSync(page, `<!doctype html><img src="${outside}">`);
      const other = await engine.open(pathToFileURL(page).href);
      assert.ok(other.asked().includes(outside), other.asked().join(' '));
      await other.close();
      server.close();
    });

    test('the gravest finding and its column come first', async () => {
      const first = await tab.ask(`document.querySelector('.findings li').innerText`);
      assert.match(first, /error[\s\S]*slice tier=premium is missing from train/);
      assert.equal(await tab.ask(`document.querySelector('#cards article h3').firstChild.textContent.trim()`), 'tier');
      assert.equal(await tab.ask(`document.querySelectorAll('#cards article').length`), 100);
      assert.match(await tab.ask('document.title'), /^1 error: train\.csv$/);
    });

    test('the keyboard reaches the findings, the search and the columns', async () => {
      await tab.press('Tab');
      assert.equal(await tab.ask(`document.activeElement.className`), 'skip');
      await tab.press('Enter');
      assert.equal(await tab.ask('location.hash'), '#findings');
      await tab.press('/');
      assert.equal(await tab.ask(`document.activeElement.id`), 'search');
      for (const key of 'feature_42') await tab.press(key);
      const shown = () => tab.ask(`[...document.querySelectorAll('#cards article')].filter((card) => card.checkVisibility()).map((card) => card.dataset.name).join()`);
      assert.equal(await shown(), 'feature_42');
      assert.equal(await tab.ask(`document.getElementById('shown').textContent`), '1 of 100 columns');
      // The link of a finding shows its column, hidden or not.
      await tab.ask(`document.querySelector('.findings li a').focus()`);
      await tab.press('Enter');
      await tab.ask(`new Promise((done) => { const look = () => document.querySelector('article:target')?.checkVisibility() ? done() : setTimeout(look, 10); look(); })`);
      assert.equal(await tab.ask(`document.querySelector('article:target').dataset.name`), 'tier');
      assert.equal(await tab.ask(`document.getElementById('search').value`), '');
    });

    test('both themes can be read, and nothing is wider than a phone', async () => {
      const contrast = `(() => {
        const light = (colour) => { const [r, g, b] = colour.match(/\\d+/g).map((part) => { const x = part / 255; return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const paper = light(getComputedStyle(document.body).backgroundColor);
        const ratio = (element) => { const ink = light(getComputedStyle(element).color); return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05); };
        return Math.min(...[...document.querySelectorAll('p, th, td, code, a, button, .badge, summary')].map(ratio));
      })()`;
      const paper = await tab.ask('getComputedStyle(document.body).backgroundColor');
      assert.ok(await tab.ask(contrast) >= 4.5, `contrast ${await tab.ask(contrast)}`);
      await tab.ask(`document.getElementById('theme').click()`);
      assert.notEqual(await tab.ask('getComputedStyle(document.body).backgroundColor'), paper);
      assert.ok(await tab.ask(contrast) >= 4.5, `contrast ${await tab.ask(contrast)}`);
      await tab.resize(390, 844);
      assert.ok(await tab.ask('innerWidth === 390 && document.documentElement.scrollWidth <= innerWidth'));
    });

    test('every control and every picture has a name', async () => {
      const nameless = await tab.ask(`[...document.querySelectorAll('svg, input, select, button, section, article')].filter((element) => {
        const by = element.getAttribute('aria-labelledby');
        const name = element.getAttribute('aria-label') || (by && document.getElementById(by)?.textContent) || element.labels?.[0]?.textContent || element.querySelector('h2')?.textContent || (element.tagName === 'BUTTON' && element.textContent);
        return !name?.trim();
      }).map((element) => element.outerHTML.slice(0, 80))`);
      assert.deepEqual(nameless, []);
    });
  });
}
