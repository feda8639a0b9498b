// What the tests and the measurements of the demo do in Chromium alike: a visit that touches every tab, and what it took.
import assert from 'node:assert/strict';

export const TABS = ['why', 'learning', 'left', 'attack', 'order', 'history', 'models', 'reset'];

/** Given to a page before its own scripts: every layout shift, and what moved. */
export function watchShifts() {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) window.shifts.push({ value, from: sources.map(({ node }) => `${node?.nodeName}.${node?.className} ${node?.textContent.slice(0, 40)}`) });
  }).observe({ type: 'layout-shift', buffered: true });
}

/** Milliseconds of processor time of each task of a page's main thread in a trace of `toplevel`: what else runs on the machine does not count. */
export function tasksOf(trace) {
  const { traceEvents } = JSON.parse(trace.toString('utf8'));
  const main = new Set(traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`));
  assert.ok(main.size > 0, 'the trace has a main thread');
  const tasks = traceEvents.filter(({ name, pid, tid }) => name.endsWith('RunTask') && main.has(`${pid} ${tid}`)).map(({ tdur }) => (tdur ?? 0) / 1000);
  assert.ok(tasks.length > 100 && tasks.some((ms) => ms > 0), 'the trace has tasks with processor time');
  return tasks;
}

/** Uses what the page has, in one visit, up to a fresh start. */
export async function walk(page) {
  await page.click('#private-button');
  await page.click('#private-button');
  await page.click('#theme');
  await page.click('#theme');
  await page.click('#theme');
  for (const kind of ['Like', 'Follow', 'Hide']) {
    await page.hover('.shelf:nth-child(1) .card:nth-child(2)');
    await page.click('.shelf:nth-child(1) .card:nth-child(2) .more');
    await page.click(`[role=menuitem]:has-text("${kind}")`);
    await page.click('#toast button');
  }
  await page.click('.shelf:nth-child(1) .card:nth-child(1) .play');
  await page.click('#skip');
  await page.click('#toast button');
  await page.click('#listen');
  for (const tab of TABS) {
    await page.click(`#tab-${tab}`);
    await page.waitForTimeout(100);
  }
  await page.click('#tab-order');
  for (const value of await page.$$eval('#order-of option', (options) => options.slice(0, 4).map((option) => option.value))) await page.selectOption('#order-of', value);
  await page.selectOption('#order-with', 'popular');
  await page.click('#tab-why');
  await page.click('.shelf:nth-child(2) .card:nth-child(1) .play');
  await page.click('#why-exclude');
  await page.click('#toast button');
  await page.click('#tab-left');
  await page.click('[data-days="1"]');
  await page.waitForSelector('#pane-left:not([aria-busy])');
  await page.click('#tab-reset');
  await page.click('#forget');
  await page.click('.confirm button:last-child');
  await page.waitForTimeout(700);
}

/** Opens every tab, goes 30 days ahead and opens them again: all that a visit fetches. */
export async function fetchAll(page) {
  for (const tab of TABS) await page.click(`#tab-${tab}`);
  await Promise.all([page.waitForEvent('load'), page.click('#forward')]);
  await page.waitForSelector('html[data-source] .shelf');
  await page.waitForFunction(() => document.getElementById('month-progress').value > 0);
  for (const tab of TABS) await page.click(`#tab-${tab}`);
}
