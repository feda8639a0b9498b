// The documentation as a visitor has it: every page on a phone and on a desk, in both themes, the search by keyboard.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findBrowser, launch } from './browser.mjs';
import { startSite } from './site.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const executable = findBrowser();
const skip = executable ? false : 'no Chromium was found: install one, or name it in CHROME_PATH';

let folder;
let browser;
let site;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(path.join(os.tmpdir(), 'ears-only-docs-'));
  execFileSync(process.execPath, [path.join(ROOT, 'xtask/scripts/site.mjs'), ROOT, path.join(folder, 'docs')], { stdio: 'inherit' });
  [browser, site] = await Promise.all([launch(executable), startSite({ built: folder })]);
});
after(async () => {
  await browser?.close();
  await site?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function open(t, place, options) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
  t.after(() => context.close());
  const page = await context.newPage();
  const broken = [];
  page.on('pageerror', (error) => broken.push(error.message));
  context.on('request', (request) => { if (!request.url().startsWith(site.origin)) broken.push(request.url()); });
  await page.goto(`${site.url}docs/${place}`);
  return { page, broken };
}

/** Every page that the list of all pages names. */
const allPages = (page) => page.$$eval('.list a', (links) => links.map((link) => link.href));

for (const [screen, viewport, colorScheme] of [['390 px, dark', { width: 390, height: 844 }, 'dark'], ['1440 px, light', { width: 1440, height: 900 }, 'light']]) {
  test(`every page at ${screen}: nothing wider than the window, no serious finding of axe, nothing from elsewhere`, { skip }, async (t) => {
    const { page, broken } = await open(t, 'index.html', { viewport, colorScheme, bypassCSP: true });
    const addresses = await allPages(page);
    assert.ok(addresses.length > 30, `${addresses.length} pages`);
    for (const address of addresses) {
      await page.goto(address);
      const { wide, headings } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth > innerWidth, headings: document.querySelectorAll('h1').length }));
      assert.deepEqual({ address, wide, headings }, { address, wide: false, headings: 1 });
      await page.addScriptTag({ content: AXE });
      const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'] })).violations
        .filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 160)}`));
      assert.deepEqual(found, [], address);
    }
    assert.deepEqual(broken, []);
  });
}

test('the search is used by keyboard, and leads to the place', { skip }, async (t) => {
  const { page, broken } = await open(t, 'faq.html', { viewport: { width: 1440, height: 900 } });
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
  await page.keyboard.type('propensity');
  await page.waitForSelector('#found a');
  const hits = await page.$$eval('#found a', (links) => links.map((link) => link.getAttribute('href')));
  assert.ok(hits.length > 2);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await Promise.all([page.waitForURL(new URL(hits[0], page.url()).href), page.keyboard.press('Enter')]);
  assert.match(await page.textContent('main'), /propensit/i);
  await page.fill('#search', 'qqqqzzzz');
  await page.waitForFunction(() => document.querySelector('#found').textContent === 'Nothing found.');
  await page.keyboard.press('Escape');
  assert.equal(await page.isVisible('#found'), false);
  assert.deepEqual(broken, []);
});

test('the first tab stop skips to the text', { skip }, async (t) => {
  const { page } = await open(t, 'privacy.html', { viewport: { width: 390, height: 844 } });
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip-link');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'text');
});
