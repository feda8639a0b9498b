// The demo world on the page: the same numbers as the lab's, the same page as the simulation's, attacks that work on what they should work on.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { findBrowser, launch } from './browser.mjs';
import { startSite } from './site.mjs';

const executable = findBrowser();
const skip = executable ? false : 'no Chromium was found: install one, or name it in CHROME_PATH';
const lab = process.env.EARS_LAB;

let browser;
let site;

before(async () => {
  if (!skip) [browser, site] = await Promise.all([launch(executable), startSite()]);
});

after(async () => {
  await browser?.close();
  await site?.close();
});

async function open(t, query, { script, viewport = { width: 1440, height: 900 } } = {}) {
  const context = await browser.newContext({ viewport, reducedMotion: 'reduce' });
  t.after(() => context.close());
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  if (script) await page.addInitScript(script);
  await page.goto(`${site.url}${query}`);
  await page.waitForSelector('html[data-source] .shelf');
  return { page, errors };
}

/** What the module itself says of a listener's morning. */
const story = (page, seed, listener, day) => page.evaluate(async ([...args]) => {
  const { life } = await import('./world.js');
  const { order, at, days } = await life(...args);
  return { order, at, days };
}, [seed, listener, day]);

const orderOf = (page) => page.$$eval('.shelf', (shelves) => shelves.map((shelf) => [shelf.dataset.shelf, [...shelf.querySelectorAll('.card')].map((card) => card.dataset.card)]));

test('a month gives the lift of `ears-lab simulate` for the same seed, to the last bit', { skip: skip || (lab ? false : 'EARS_LAB does not name the lab') }, async (t) => {
  const seed = 3;
  const { page, errors } = await open(t, `?seed=${seed}&listener=1&step=0#learning`);
  await page.click('#month-run');
  await page.waitForSelector('.headline[data-relative]:not([data-relative=""])', { timeout: 300_000 });
  const report = JSON.parse(execFileSync(lab, ['simulate', '--world', 'demo', '--seeds', '1', '--first-seed', String(seed), '--json', '-'], { encoding: 'utf8' }));
  const said = await page.evaluate(() => ({
    popularity: document.querySelector('.headline').dataset.relative,
    ...Object.fromEntries([...document.querySelectorAll('[data-against]')].map(({ dataset }) => [dataset.against, dataset.relative])),
    gap: document.querySelector('[data-gap]').dataset.gap,
  }));
  const of = (against) => String(report.comparisons.find(({ policy, against: other }) => policy === 'ears' && other === against).relative);
  assert.deepEqual(said, { popularity: of('popularity'), server: of('server'), random: of('random'), oracle: of('oracle'), gap: String(report.oracle_gap_closed) });
  const shown = await page.textContent('.headline');
  assert.equal(shown, `+${(100 * Number(said.popularity)).toFixed(1)} %`);
  const rows = await page.$$eval('#pane-learning details table:first-of-type tbody', ([body]) => [...body.rows].at(-1).textContent);
  for (const name of ['oracle', 'ears', 'server', 'popularity', 'random']) assert.ok(rows.includes(report.policies[name].streams[0].toLocaleString('en')), `${name} in ${rows}`);
  assert.deepEqual(errors, []);
});

test('the Home of a listener is the page that the simulation comes to, ranked by the package', { skip }, async (t) => {
  for (const [seed, listener, day] of [[1, 3, 30], [7, 12, 5], [2, 0, 0]]) {
    const { page, errors } = await open(t, `?seed=${seed}&listener=${listener}&step=${day}`);
    assert.equal(await page.getAttribute('html', 'data-source'), 'policy');
    const { order } = await story(page, seed, listener, day);
    assert.equal(order.length, 16);
    assert.deepEqual(await orderOf(page), order);
    assert.deepEqual(errors, []);
  }
});

test('the fast-forward leads 30 days on, the address says all, and the month runs by itself', { skip }, async (t) => {
  const { page } = await open(t, '?seed=5&listener=2&step=4');
  const before = await orderOf(page);
  await Promise.all([page.waitForEvent('load'), page.click('#forward')]);
  await page.waitForSelector('html[data-source] .shelf');
  const { searchParams, hash } = new URL(page.url());
  assert.deepEqual([...['seed', 'listener', 'step'].map((name) => searchParams.get(name)), hash], ['5', '2', '34', '#learning']);
  assert.equal(await page.textContent('#visit'), 'Day 34');
  assert.notDeepEqual(await orderOf(page), before);
  await page.waitForFunction(() => document.getElementById('month-progress').value > 0);
  await page.click('#month-cancel');
  await page.waitForSelector('#month-run:not([hidden])');
  assert.equal(await page.textContent('.headline'), '?');
  // The same address, the same page.
  const order = await orderOf(page);
  await page.reload();
  await page.waitForSelector('html[data-source] .shelf');
  assert.deepEqual(await orderOf(page), order);
});

test('a long life can be cancelled while it is lived', { skip }, async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(`${site.url}?seed=1&listener=4&step=365`);
  await page.click('#cancel-days');
  await page.waitForSelector('html[data-source] .shelf');
  assert.equal(new URL(page.url()).searchParams.get('step'), '0');
  assert.equal(await page.textContent('#visit'), 'Day 0');
});

test('attacks find everybody in ordinary logs and nobody in our records', { skip }, async (t) => {
  const { page, errors } = await open(t, '?seed=1#attack');
  await page.click('#attack-run');
  await page.waitForSelector('.side[data-side="logs"]', { timeout: 120_000 });
  const side = (name) => page.$eval(`.side[data-side="${name}"]`, ({ dataset, className }) => ({ hits: Number(dataset.hits), of: Number(dataset.of), chance: Number(dataset.chance), broken: className.includes('broken') }));
  const found = {};
  for (const name of ['who', 'later', 'favourite']) {
    await page.check(`input[value="${name}"]`, { force: true });
    found[name] = { logs: await side('logs'), records: await side('records') };
  }
  assert.ok(found.who.logs.hits >= 97 && found.who.logs.of === 100, JSON.stringify(found));
  assert.ok(found.later.logs.hits >= 50, JSON.stringify(found));
  for (const { logs, records } of Object.values(found)) {
    assert.ok(logs.broken && !records.broken, JSON.stringify(found));
    assert.ok(logs.hits > 3 * records.hits, JSON.stringify(found));
  }
  await page.check('input[value="played"]', { force: true });
  const played = await side('records');
  // e / (1 + e) of them, within five standard deviations of 20,000.
  assert.ok(Math.abs(played.hits / played.of - Math.E / (1 + Math.E)) < 0.016, JSON.stringify(played));
  assert.deepEqual(errors, []);
});

test('every model and policy ranks the page, and says what it costs', { skip }, async (t) => {
  const { page, errors } = await open(t, '?seed=1#models');
  await page.click('#measure');
  await page.waitForSelector('#models-state:has-text("Median")', { timeout: 120_000 });
  const times = await page.$$eval('.models tbody tr', (rows) => rows.map((row) => row.cells[1].textContent));
  assert.ok(times.length >= 10);
  for (const time of times) assert.ok(Number(time) >= 0 && Number(time) < 50, time);
  for (const name of ['trees', 'network', 'fm', 'linear', 'squarecb']) {
    const other = await open(t, `?seed=1&model=${name}`);
    assert.equal(await other.page.getAttribute('html', 'data-source'), 'policy', name);
    assert.match(await other.page.textContent('#why-facts'), new RegExp(`demo-${name}`));
    assert.deepEqual(other.errors, []);
  }
  assert.deepEqual(errors, []);
});
