// Takes pictures of the demo: node tests/e2e/screenshots.mjs OUTDIR
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findBrowser, launch } from './browser.mjs';
import { startSite } from './site.mjs';

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node tests/e2e/screenshots.mjs OUTDIR');
  process.exit(64);
}
if (!findBrowser()) {
  console.error('no Chromium was found: install one, or name it in CHROME_PATH');
  process.exit(69);
}
mkdirSync(folder, { recursive: true });
const site = await startSite();
const browser = await launch();

for (const [size, width, height] of [['desktop', 1440, 900], ['phone', 390, 844]]) {
  for (const colorScheme of ['light', 'dark']) {
    const phone = size === 'phone';
    const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: 'reduce', isMobile: phone, hasTouch: phone });
    const page = await context.newPage();
    const shot = (name) => page.screenshot({ path: join(folder, `${size}-${colorScheme}-${name}.png`) });
    const ready = () => page.waitForSelector('html[data-source] .shelf');
    await page.goto(`${site.url}?seed=9&clock=2026-11-23T08:00Z`);
    await ready();
    await shot('1-first-visit');
    if (phone) await page.click('#open-panel');
    await page.click('#tab-history');
    await page.click('#sample-history');
    await page.waitForSelector('#import-report .big');
    await shot('2-history');
    await Promise.all([page.waitForEvent('load'), page.click('#see-new-page')]);
    await ready();
    await shot('3-next-visit');
    await page.click('.shelf:nth-child(2) .card:nth-child(1) .play');
    await shot('4-playing');
    if (phone) await page.click('#open-panel');
    for (const [number, tab] of [[5, 'why'], [6, 'order'], [7, 'left'], [8, 'reset']]) {
      await page.click(`#tab-${tab}`);
      await page.waitForTimeout(300);
      await shot(`${number}-${tab}`);
    }
    // The weekly record: from one step to the next, until it is made.
    await page.click('#tab-left');
    await page.check('#consent-contribute');
    await page.waitForSelector('[data-contribution="spent"]');
    for (let step = 0; step < 12 && await page.locator('.record').count() === 0; step += 1) {
      const visit = await page.textContent('#visit');
      const leaves = await page.textContent('#ahead') === 'Next visit';
      await page.click('#ahead');
      if (leaves) {
        await page.waitForFunction((old) => document.documentElement.dataset.source && document.getElementById('visit').textContent !== old, visit);
        await page.waitForTimeout(2500);
        if (phone) await page.click('#open-panel');
      }
      await page.waitForSelector('#pane-left:not([aria-busy]) [data-contribution]');
    }
    await page.locator('.record').scrollIntoViewIfNeeded();
    await shot('9-record');
    // A simulated listener after a month, with what learning was worth, an attack and the models.
    await page.goto(`${site.url}?seed=1&listener=3&step=30`);
    await ready();
    await shot('10-listener');
    if (phone) await page.click('#open-panel');
    await page.click('#tab-learning');
    await page.waitForSelector('.headline[data-relative^="0."]', { timeout: 300_000 });
    await shot('11-learning');
    await page.locator('.chart').nth(1).scrollIntoViewIfNeeded();
    await page.waitForTimeout(200);
    await shot('12-charts');
    await page.click('#tab-attack');
    await page.click('#attack-run');
    await page.waitForSelector('.side.broken', { timeout: 120_000 });
    await page.locator('#attack-results').scrollIntoViewIfNeeded();
    await shot('13-attack');
    await page.click('#tab-models');
    await page.click('#measure');
    await page.waitForSelector('#models-state:has-text("Median")', { timeout: 120_000 });
    await page.evaluate(() => document.querySelector('.models').scrollIntoView());
    await shot('14-models');
    await context.close();
  }
}
await browser.close();
await site.close();
