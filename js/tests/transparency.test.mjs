// The view of what left: its words, its bytes, and the element in a browser.
import axe from 'axe-core';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { recordSentence } from '../build/modules/sentence.js';
import { fieldsOf } from '../build/modules/transparency/layout.js';
import { bodyOf } from '../build/modules/transport.js';
import { hasBrowser, startBrowser } from './chromium.mjs';
import { everyKind, recordOf } from './transparency-home.mjs';

const record = (change, fields = {}) => recordOf(change, { fields }, () => '');

describe('the sentence of a record', () => {
  const WEEK = 'In the week of 2026-11-23, a public draw (chance 13 %) ';
  const LIE = 'A coin was flipped first: 27 % of the time this answer is a lie.';
  for (const [what, change, fields, expected] of [
    ['a card', { symbol: 1, card: 1 }, { kind: 'card', questionName: 'played_30s', answers: 2, armName: 'album:blue-train' },
      `${WEEK}put the card “album:blue-train” in place 2 of shelf 2. To “Was it played for at least 30 seconds?”, the record answers “yes”. ${LIE}`],
    ['a card, and how long', { symbol: 3, card: 1 }, { kind: 'card', questionName: 'how_long', answers: 4, armName: 'album:blue-train' },
      `${WEEK}put the card “album:blue-train” in place 2 of shelf 2. To “How long was it played?”, the record answers “to the end”. Chance had its say first: 52 % of the time this answer is a lie, and each wrong answer is as likely as another.`],
    ['a shelf', { symbol: 0 }, { kind: 'shelf', questionName: 'played_30s', answers: 2, armName: 'popular' },
      `${WEEK}put the shelf “popular” in place 2 of the page. To “Was something on it played for at least 30 seconds?”, the record answers “no”. ${LIE}`],
    ['a rule', { symbol: 0 }, { kind: 'policy', questionName: 'played_30s', answers: 2, armName: 'warmer-1' },
      `${WEEK}had a page ordered by the published rule “warmer-1”. To “Was something on that page played for at least 30 seconds?”, the record answers “no”. ${LIE}`],
    ['a step of training', { symbol: 1 }, { kind: 'training', questionName: 'played_30s', answers: 2 },
      `${WEEK}moved the rule that orders the page by step 3 of a published list. To “Was something on that page played for at least 30 seconds?”, the record answers “yes”. ${LIE}`],
    ['a vote', { symbol: 1 }, { kind: 'vote', questionName: 'vote', answers: 2, armName: 'shelves-2' },
      `${WEEK}asked how the published rule “shelves-2” would have done with what was shown and played here that week. To “Would it have done better?”, the record answers “yes”. The device’s estimate was first rounded to yes or no by chance. ${LIE}`],
    ['nothing known of its manifest', { symbol: 1, arm: 7 }, {},
      `${WEEK}put card 7 of a published list in place 1 of shelf 2. To question 0 about it, the record answers “yes”. ${LIE}`],
    ['a question of a later release', { symbol: 5 }, { kind: 'card', questionName: 'mood', answers: 8 },
      `${WEEK}put card 3 of a published list in place 1 of shelf 2. To question 0 about it, the record answers “5 of 0 to 7”. Chance had its say first: 72 % of the time this answer is a lie, and each wrong answer is as likely as another.`],
  ]) test(what, () => assert.equal(recordSentence(record(change, fields).fields), expected));
});

describe('the bytes, field by field', () => {
  test('are those of the body, without a gap', () => {
    for (const one of [...everyKind(() => ''), record({ epoch: 4095, slot: 15, shelf: 31, card: 31, arm: 1023, question: 63, propensity: 65535, symbol: 63 })]) {
      const fields = fieldsOf(one);
      const bits = fields.map(({ name, shown }) => {
        if (name === 'zeros') return '0'.repeat(8 * 223);
        return ['format', 'nonce', 'manifest'].includes(name) || (name === 'propensity' && shown.length === 4)
          ? [...shown].map((digit) => parseInt(digit, 16).toString(2).padStart(4, '0')).join('') : shown;
      }).join('');
      const body = bodyOf(Buffer.from(one.nonce, 'hex'), one.bytes);
      assert.equal(bits, Array.from(body, (byte) => byte.toString(2).padStart(8, '0')).join(''));
      const value = (name) => Number(fields.find((field) => field.name === name).value);
      const { fields: said } = one;
      assert.deepEqual(
        ['version', 'epoch', 'slot', 'shelfPosition', 'cardPosition', 'arm', 'question', 'propensity', 'level', 'symbol'].map(value).slice(1, 8),
        one.fields.arm === 1023 ? [4095, 15, 31, 31, 1023, 63, 65535]
          : [said.epoch, said.slot, said.shelfPosition, said.cardPosition, said.arm, said.question, said.propensityNumerator]);
      assert.equal(fields[0].place, '0');
      assert.equal(fields.at(-1).place, '33–255');
    }
  });
});

if (hasBrowser()) describe('<ears-only-transparency>', () => {
  let browser;
  before(async () => { browser = await startBrowser(); });
  after(() => browser?.close());

  /** A tab with the element, shown for a Home that is made up; `root` is its shadow root. */
  async function shown({ width = 800, scheme = 'light', policy, view = {}, prepare = '', disclosure = '{ epsilon: 5.62, delta: 1e-6 }' } = {}) {
    browser.policy = policy;
    const tab = await browser.open();
    browser.policy = undefined;
    await tab.setViewportSize({ width, height: 900 });
    await tab.emulateMedia({ colorScheme: scheme });
    await tab.evaluate(`(async () => {
      document.documentElement.lang = 'en';
      document.title = 'Privacy';
      const [{ defineTransparency }, { everyKind, shownHome }, { recordSentence }] = await Promise.all([import('/dist/transparency.js'), import('/tests/transparency-home.mjs'), import('/build/modules/sentence.js')]);
      defineTransparency();
      defineTransparency();
      const main = document.createElement('main');
      const heading = document.createElement('h1');
      heading.textContent = 'Settings';
      const element = window.element = document.createElement('ears-only-transparency');
      main.append(heading, element);
      document.body.append(main);
      window.home = shownHome(everyKind(recordSentence), { disclosure: ${disclosure}, ...${JSON.stringify(view)} });
      ${prepare}
      element.home = home;
      await element.refresh();
      window.root = element.shadowRoot;
    })()`);
    return tab;
  }
  const said = (tab, part) => tab.evaluate(`[...root.querySelectorAll('[part~="${part}"]')].map((one) => one.textContent.trim())`);
  const accessible = async (tab) => {
    await tab.evaluate(axe.source);
    const { violations, passes } = await tab.evaluate("axe.run(document, { resultTypes: ['violations', 'passes'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })");
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)]), []);
    assert.ok(passes.some(({ id }) => id === 'color-contrast') && passes.some(({ id, nodes }) => id === 'label' && nodes.length >= 2), 'the rules were run');
  };

  for (const scheme of ['light', 'dark']) for (const width of [390, 1440]) {
    test(`has no violation axe can find, ${scheme}, ${width} pixels wide, with bytes open and while it asks`, async () => {
      const tab = await shown({ width, scheme });
      await tab.evaluate("for (const one of root.querySelectorAll('details')) one.open = true");
      await accessible(tab);
      assert.ok(await tab.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out');
      await tab.evaluate("root.querySelector('button.danger').click()");
      await accessible(tab);
      await tab.close();
    });
  }

  test('shows every record, byte for byte, with its sentence', async () => {
    const tab = await shown();
    const records = everyKind(recordSentence);
    assert.deepEqual(await said(tab, 'hex'), records.map(({ nonce, hex }) => `${`01${nonce}${hex}`.match(/../g).join(' ')} then 223 zeros`));
    const articles = await tab.evaluate("[...root.querySelectorAll('article')].map((one) => [one.dataset.state, one.children[1].textContent])");
    assert.deepEqual(articles, records.map(({ state, sentence }) => [state, sentence]));
    assert.equal(await tab.evaluate("root.querySelectorAll('details')[0].querySelectorAll('tbody tr').length"), 15);
    assert.match((await said(tab, 'budget'))[0], /In 28 daysε 3 spent, 1 leftIn a yearε 6 spent, 46 left.*power of 5\.62/);
    assert.equal(await tab.evaluate("root.querySelectorAll('[part~=limits] li').length"), 6);
    await tab.close();
  });

  test('what the core does not say is left out, and the sum of the records listed stands for it', async () => {
    const tab = await shown({ disclosure: 'undefined', view: { budget: { epsilonSpent: 3, epsilonLeft: 1, recordsThisPeriod: 3 } } });
    const [budget] = await said(tab, 'budget');
    assert.ok(!budget.includes('In a year'));
    assert.match(budget, /The 6 records below.*power of 6\./);
    await tab.close();
  });

  test('the keyboard is enough: choose, look, take along, wipe', async () => {
    const tab = await shown();
    const focused = () => tab.evaluate("(root.activeElement?.labels?.[0] ?? root.activeElement)?.textContent ?? ''");
    const until = async (words) => {
      for (let presses = 0; presses < 60; presses++) {
        if ((await focused()).startsWith(words)) return;
        await tab.keyboard.press('Tab');
      }
      assert.fail(`the focus never came to ${words}`);
    };
    await until('Contribute');
    await tab.keyboard.press('Space');
    await tab.waitForFunction("home.log.length === 1 && root.querySelector('[role=status]').textContent !== ''");
    assert.deepEqual(await tab.evaluate('home.log'), [['setConsent', { contribute: false }]]);
    assert.equal(await tab.evaluate("root.querySelector('.hidden[role=status]').textContent"), 'Contribute one noisy answer a week: off.');
    assert.match(await focused(), /^Contribute/, 'the focus stays where it was');
    await until('Every byte');
    await tab.keyboard.press('Enter');
    assert.ok(await tab.evaluate("root.querySelector('details').open"));
    await tab.evaluate('home.tell()');
    await tab.waitForTimeout(200);
    assert.ok(await tab.evaluate("root.querySelector('details').open"), 'and stays open');
    await until('Download');
    const [download] = await Promise.all([tab.waitForEvent('download'), tab.keyboard.press('Enter')]);
    assert.equal(download.suggestedFilename(), 'what-left-this-device.json');
    const file = JSON.parse(readFileSync(await download.path(), 'utf8'));
    assert.deepEqual([file.format, file.consent, file.records.length, file.outbox.budget.epsilonSpentYear], [1, { personalize: true, contribute: false }, 6, 6]);
    assert.deepEqual(file.records.map(({ hex, nonce, sentence }) => [hex, nonce, sentence]), everyKind(recordSentence).map(({ hex, nonce, sentence }) => [hex, nonce, sentence]));
    await until('Forget everything');
    await tab.keyboard.press('Enter');
    assert.equal(await focused(), 'Keep', 'the harmless answer is the first');
    await tab.keyboard.press('Escape');
    assert.match(await focused(), /^Forget everything/);
    assert.equal(await tab.evaluate('home.log.length'), 1);
    await tab.keyboard.press('Enter');
    await tab.keyboard.press('Tab');
    await tab.keyboard.press('Enter');
    await tab.waitForFunction("home.log.length === 2 && root.querySelectorAll('article').length === 0");
    assert.equal(await tab.evaluate("root.querySelector('.hidden[role=status]').textContent"), 'Forgotten.');
    await tab.close();
  });

  test('an app saves the file its own way', async () => {
    const tab = await shown();
    const detail = await tab.evaluate(`new Promise((resolve) => {
      document.addEventListener('ears-only-export', (event) => { event.preventDefault(); resolve(event.detail); });
      root.querySelector('[part~=export]').click();
    })`);
    assert.equal(detail.records.length, 6);
    await tab.close();
  });

  for (const stoppedBy of ['upload', 'consent', 'gpc', 'app', 'storage', 'tab']) {
    test(`says that nothing leaves, and why: ${stoppedBy}`, async () => {
      const tab = await shown({ view: { stoppedBy } });
      const [status] = await said(tab, 'status');
      assert.ok(status.length > 20 && !status.includes('undefined'));
      assert.equal(await tab.evaluate("root.querySelector('[part=status]').dataset.stoppedBy"), stoppedBy);
      await tab.close();
    });
  }

  test('every state of the week has words', async () => {
    const tab = await shown();
    for (const state of ['off', 'no_manifest', 'spent', 'scheduled', 'due', 'watching', 'ready', 'done']) {
      await tab.evaluate(`home.view = { ...home.view, contribution: { state: '${state}' } }; element.refresh()`);
      const [status] = await said(tab, 'status');
      assert.ok(status.length > 20 && !status.includes('undefined'), state);
    }
    await tab.close();
  });

  test('in the app\'s own words and language', async () => {
    const tab = await shown({ prepare: `document.documentElement.lang = 'de';
      element.texts = { title: 'Was dieses Gerät verlässt', sent: (when) => 'Gesendet am ' + when, sentence: ({ fields }) => 'Antwort ' + fields.symbol };` });
    assert.deepEqual(await said(tab, 'title'), ['Was dieses Gerät verlässt']);
    const [, second] = await tab.evaluate("[...root.querySelectorAll('article')].map((one) => [one.children[0].textContent, one.children[1].textContent])");
    assert.match(second[0], /^Gesendet am 19\. November 2026/);
    assert.equal(second[1], 'Antwort 2');
    await tab.close();
  });

  test('under a strict Content-Security-Policy it looks the same, and it asks nobody', async () => {
    const styled = "getComputedStyle(root.querySelector('article')).borderTopWidth + getComputedStyle(root.querySelector('.base')).maxWidth";
    const free = await shown();
    const expected = await free.evaluate(styled);
    await free.close();
    const tab = await shown({ policy: "default-src 'none'; script-src 'self'" });
    assert.equal(await tab.evaluate(styled), expected);
    const requests = [];
    tab.on('request', (request) => requests.push(request.url()));
    await tab.evaluate('element.refresh()');
    assert.deepEqual(requests, []);
    await tab.close();
  });

  test('colours and forms are the app\'s to set', async () => {
    const tab = await shown({ prepare: "element.setAttribute('theme', 'dark'); element.style.setProperty('--ears-accent', 'rgb(1, 2, 3)');" });
    assert.equal(await tab.evaluate("getComputedStyle(root.querySelector('.fill')).fill"), 'rgb(1, 2, 3)');
    assert.equal(await tab.evaluate('getComputedStyle(element).backgroundColor'), 'rgb(20, 22, 26)');
    await tab.close();
  });

  test('moves nothing where the listener wants no motion', async () => {
    const tab = await shown();
    const duration = "getComputedStyle(root.querySelector('input'), '::before').transitionDuration";
    assert.equal(await tab.evaluate(duration), '0.15s');
    await tab.emulateMedia({ reducedMotion: 'reduce' });
    assert.equal(await tab.evaluate(duration), '0s');
    await tab.close();
  });

  test('lets go when it is taken off the page; a Home that fails is said to', async () => {
    const tab = await shown();
    assert.equal(await tab.evaluate('home.listeners.size'), 1);
    await tab.evaluate("home.outbox = async () => { throw new Error('no storage'); }; element.refresh()");
    assert.deepEqual(await said(tab, 'problem'), ['That did not work. Nothing was lost; try again.']);
    await tab.evaluate('element.remove()');
    assert.equal(await tab.evaluate('home.listeners.size'), 0);
    await tab.evaluate('document.body.append(element); element.home = undefined');
    assert.match(await tab.evaluate('root.textContent'), /Looking up/);
    await tab.close();
  });

  test('with a Home of the package', async () => {
    const tab = await browser.open();
    const result = await tab.evaluate(`(async () => {
      const [{ defineTransparency }, { createHome }] = await Promise.all([import('/dist/transparency.js'), import('/dist/index.js')]);
      defineTransparency();
      const element = document.createElement('ears-only-transparency');
      document.body.append(element);
      const home = createHome({ namespace: 'transparency', upload: { url: '/nowhere' } });
      element.home = home;
      await home.ready;
      await element.refresh();
      const [, contribute] = element.shadowRoot.querySelectorAll('input');
      const before = [contribute.checked, element.shadowRoot.querySelector('[part=status]').dataset.stoppedBy];
      contribute.click();
      await new Promise((resolve) => setTimeout(resolve, 500));
      const after = [home.consent.contribute, element.shadowRoot.querySelector('[part=status]').dataset.stoppedBy];
      await home.close();
      return { before, after };
    })()`);
    assert.deepEqual(result, { before: [false, 'consent'], after: [true, ''] });
    await tab.close();
  });
});

test('importing the element does nothing on a server', async () => {
  const { defineTransparency } = await import('ears-only/transparency');
  assert.equal(typeof defineTransparency, 'function');
});
