// A walk that uses every control of the demo, one by one, with the pointer of whatever engine it is given, and sees what each one does. What is
// to be used is found on the page: a control that no step touches is in the answer.
import assert from 'node:assert/strict';

const TABS = ['why', 'learning', 'left', 'attack', 'order', 'history', 'models', 'reset'];
const WAIT_MS = 240_000;

/** Put before the page's own scripts: errors and refusals, kept over the pages of one tab. */
export const LISTEN = `{
  const kept = JSON.parse(sessionStorage.getItem('broken') ?? '[]');
  const note = (text) => { kept.push(text); sessionStorage.setItem('broken', JSON.stringify(kept)); };
  addEventListener('error', (event) => note(event.message));
  addEventListener('unhandledrejection', (event) => note(String(event.reason)));
  addEventListener('securitypolicyviolation', (event) => note(event.violatedDirective + ' ' + event.blockedURI));
}
`;

/** In the page: what is to be used, each kind of control once. Cards and shelves are many, and alike. */
const CONTROLS = `(() => {
  const plain = ['button', 'small', 'accent', 'quiet', 'danger', 'round'];
  const name = (element) => {
    const { id, dataset, value, type } = element;
    const own = id || [...element.classList].find((part) => !plain.includes(part));
    const known = dataset.model ?? dataset.listener ?? dataset.days ?? (type === 'radio' ? value : undefined);
    const text = (element.title || element.textContent).trim().replace(/^(Don’t use|Use) (?!again|a ).*/, '$1').replace(/\\s+/g, ' ');
    const place = (element.closest('[role=tabpanel]') ?? element.closest('[id]:not(button, a, input)'))?.id;
    return [place, own ?? text, known].filter((part) => part !== undefined).join(' ');
  };
  globalThis.nameOf = name;
  return [...new Set([...document.querySelectorAll('a[href], button, input, select, summary')].filter((element) => !element.disabled && element.checkVisibility()).map(name))];
})()`;

/**
 * Walks. `tab` is a tab of an engine (`open`, `ask`, `click`, `resize`), `site` serves the demo and `collector` another origin.
 * Returns the controls that were seen, those that were left, what broke, and where a page was wider than its window.
 */
export async function walkAll(tab, site, collector) {
  const seen = new Set();
  const used = new Set();
  const wide = [];
  let step = 'the start';

  const ask = (expression) => tab.ask(expression);
  const quoted = (text) => JSON.stringify(text);
  const until = async (look, what = look) => {
    let last;
    for (const end = Date.now() + WAIT_MS; Date.now() < end;) {
      try {
        last = await ask(`(${look}) ? 1 : 0`);
        if (last === 1) return;
      } catch (error) {
        // The page is just being left.
        last = error.message;
      }
      await new Promise((again) => { setTimeout(again, 30); });
    }
    assert.fail(`${step}: expected ${what}, found ${last}`);
  };
  const look = async () => {
    for (const name of await ask(CONTROLS)) seen.add(name);
    if (await ask('document.documentElement.scrollWidth > innerWidth')) wide.push(step);
  };
  const use = async (selector) => {
    step = selector;
    await look();
    used.add(await ask(`(globalThis.nameOf)(document.querySelector(${quoted(selector)}) ?? document.body)`));
    await tab.click(selector).catch((error) => assert.fail(`${selector}: ${error.message}`));
  };
  /** Uses a control; `then` has to hold afterwards. */
  const click = async (selector, then) => {
    await use(selector);
    if (then) await until(then);
    await look();
  };
  const marked = () => ask('(document.documentElement.dataset.old = 1)');
  const ready = () => until('!document.documentElement.dataset.old && document.documentElement.dataset.source && document.querySelector(".shelf")', 'a page');
  /** Uses a control that leads to another page. */
  const leave = async (selector) => {
    await marked();
    await use(selector);
    await ready();
    await look();
  };
  const go = async (query) => {
    step = query;
    await tab.goto('about:blank');
    await tab.goto(`${site.url}${query}`);
    await ready();
    await look();
  };
  const choose = async (selector, value) => {
    step = `${selector} ${value}`;
    used.add(await ask(`(globalThis.nameOf)(document.querySelector(${quoted(selector)}))`));
    await ask(`(() => { const choice = document.querySelector(${quoted(selector)}); choice.value = ${quoted(value)}; choice.dispatchEvent(new Event('change', { bubbles: true })); return 1; })()`);
  };
  const tabTo = (name) => click(`#tab-${name}`, `!document.getElementById("pane-${name}").hidden && document.getElementById("pane-${name}").innerText.length > 80`);
  const text = (selector) => ask(`document.querySelector(${quoted(selector)}).textContent`);
  const undone = () => click('#toast button', 'document.getElementById("toast").hidden');
  const first = '.shelf:nth-child(1)';
  const card = `${first} .card:nth-child(2)`;
  const item = (number) => `#card-menu [role=menuitem]:nth-child(${number})`;
  const menu = () => click(`${card} .more`, 'document.querySelector("#card-menu:popover-open [role=menuitem]")');

  const start = `?seed=7&clock=2026-11-23T08:00:00Z&collector=${encodeURIComponent(collector.url)}`;
  await tab.resize(1440, 900);
  await go(start);
  assert.equal(await ask('document.documentElement.dataset.source'), 'policy');

  // The head of the page.
  await ask('document.querySelector(".skip-link").focus() ?? 1');
  step = 'skip link';
  used.add(await ask('nameOf(document.querySelector(".skip-link"))'));
  await tab.press('Enter');
  await until('document.activeElement.id === "home"');
  await click('#private-button', 'document.getElementById("private-button").ariaPressed === "true" && document.getElementById("lede").textContent.startsWith("Listening privately")');
  await click('#private-button', 'document.getElementById("private-button").ariaPressed === "false"');
  for (const theme of ['light', 'dark', 'auto']) await click('#theme', `document.documentElement.dataset.theme === "${theme}"`);

  // A card, its menu, the player.
  await click(`${first} .card:nth-child(1) .play`, 'document.getElementById("listen")');
  for (const kind of ['Like', 'Follow', 'Hide']) {
    await click(`.controls [title="${kind}"]`, '!document.getElementById("toast").hidden');
    await undone();
  }
  await click('#skip', '!document.getElementById("listen")');
  await click('#toast button', 'document.getElementById("listen")');
  await click('#listen', '!document.getElementById("listen")');
  for (const number of [1, 2]) {
    await menu();
    await click(item(number), '!document.getElementById("toast").hidden');
    await undone();
  }
  await menu();
  await click(item(3), `document.querySelector(${quoted(`${card} .veil button`)})`);
  await click(`${card} .veil button`, `!document.querySelector(${quoted(`${card} .veil`)})`);
  await menu();
  if (await ask('document.querySelectorAll("#card-menu [role=menuitem]").length === 5')) {
    await click(item(4), '!document.getElementById("toast").hidden');
    await undone();
    await menu();
  }
  await click('#card-menu [role=menuitem]:last-child', '!document.getElementById("pane-why").hidden && document.querySelector("#pane-why .detail-kind").textContent.startsWith("Card 2 in")');
  await click(`${first} .reason`, 'document.querySelector("#pane-why .detail-kind").textContent.startsWith("Shelf 1 of")');

  // Why.
  await tabTo('why');
  await click('.why-list li:nth-child(3) .why-shelf', 'document.querySelector("#pane-why .detail-kind").textContent.startsWith("Shelf 3 of")');
  await until('document.querySelector("#pane-why .changes li")');
  await ask('(document.querySelector(".card[data-kind=album]").scrollIntoView({ block: "center" }), 1)');
  await click('.card[data-kind=album] .play', 'document.getElementById("why-exclude")');
  await click('#why-exclude', '!document.getElementById("toast").hidden');
  await undone();
  await click('#listen');

  // Order.
  await tabTo('order');
  for (const value of await ask('[...document.querySelectorAll("#order-of option")].map(({ value }) => value)')) {
    await choose('#order-of', value);
    assert.ok(await ask('document.querySelectorAll("#pane-order .columns ol").length === 2 && document.querySelectorAll("#pane-order .columns ol:last-of-type li").length > 1'), step);
  }
  await choose('#order-with', 'popular');
  assert.match(await text('#pane-order'), /Most popular/);

  // Left this device. A budget begins spent, so that agreeing alone sends nothing.
  await tabTo('left');
  const still = 'document.querySelector("#pane-left:not([aria-busy]) [data-contribution]")';
  await click('#consent-personalize', `!document.getElementById("consent-personalize").checked && ${still}`);
  await click('#consent-personalize', `document.getElementById("consent-personalize").checked && ${still}`);
  await click('#consent-contribute', 'document.querySelector("[data-contribution=spent]")');
  for (const days of [1, 7, 29]) {
    const clock = await text('#demo-clock');
    await click(`#pane-left [data-days="${days}"]`, `${still} && document.getElementById("demo-clock").textContent !== ${quoted(clock)}`);
  }
  await click('#consent-contribute', 'document.querySelector("[data-contribution=off]")');
  await click('#pane-left #private', 'document.documentElement.dataset.private === "on"');
  await click('#pane-left #private', 'document.documentElement.dataset.private === "off"');
  await click('#pane-left details:last-of-type summary', 'document.querySelector("#pane-left details:last-of-type").open');
  await leave('#ahead');

  // History.
  await tabTo('history');
  await click('#sample-history', 'document.querySelector("#import-report .big")?.dataset.accepted === "300"');
  await click('#import-report summary', 'document.querySelector("#import-report details").open');
  step = 'a file';
  used.add(await ask('nameOf(document.getElementById("history-files"))'));
  await ask(`(() => {
    const files = new DataTransfer();
    files.items.add(new File(['{"listened_at": 1700000000, "track_metadata": {"artist_name": "Somebody", "track_name": "One"}}'], 'listens.jsonl'));
    const input = document.getElementById('history-files');
    input.files = files.files;
    input.dispatchEvent(new Event('change'));
    return 1;
  })()`);
  await until('document.querySelector("#import-report .big")?.dataset.accepted === "1"');
  await leave('#see-new-page');
  assert.equal(await ask('!document.getElementById("pane-order").hidden'), true);

  // Attack.
  await tabTo('attack');
  await click('#attack-run', '!document.getElementById("attack-cancel").hidden');
  await click('#attack-cancel', '!document.getElementById("attack-run").hidden');
  await click('#attack-run', 'document.querySelector("[data-side=logs]")');
  const [logs, records] = await ask('["logs", "records"].map((side) => Number(document.querySelector(`[data-side=${side}]`).dataset.hits))');
  assert.ok(logs >= 97 && records <= 9, `${logs} ${records}`);
  await click('#pane-attack summary', 'document.querySelector("#pane-attack details").open');
  for (const name of await ask('[...document.querySelectorAll("input[name=attack]")].map(({ value }) => value)')) {
    used.add(await ask(`nameOf(document.querySelector('input[value="${name}"]'))`));
    step = name;
    await tab.click(`label:has(> input[value="${name}"])`);
    await until(`document.querySelector('input[value="${name}"]').checked`);
  }

  // Learning.
  await tabTo('learning');
  await click('#month-run', '!document.getElementById("month-cancel").hidden');
  await click('#month-cancel', '!document.getElementById("month-run").hidden');
  await click('#month-run', 'document.querySelector(".headline").dataset.relative !== "" && document.querySelectorAll("#pane-learning canvas").length >= 3');
  await click('#pane-learning summary', 'document.querySelector("#pane-learning details").open && document.querySelectorAll("#pane-learning tbody tr").length >= 90');

  // Models: measured, and each in its turn.
  await tabTo('models');
  await click('#measure', 'document.getElementById("models-state").textContent.startsWith("Median")');
  for (const name of await ask('[...document.querySelectorAll("a[data-model]")].map(({ dataset }) => dataset.model)')) {
    await leave(`a[data-model="${name}"]`);
    assert.equal(await ask('document.documentElement.dataset.source'), 'policy', name);
    assert.ok(!await ask(`document.querySelector('a[data-model="${name}"]')`), name);
  }
  await leave('a[data-model=""]');

  // Whose Home it is.
  for (const listener of [1, 2, 3, 4, 5, 6, '']) {
    // The row scrolls, and WebKit's driver brings nothing into view sideways.
    await ask(`document.querySelector('.person[data-listener="${listener}"]').scrollIntoView({ block: 'nearest', inline: 'center' }) ?? 1`);
    await leave(`.person[data-listener="${listener}"]`);
    assert.equal(await ask('document.documentElement.dataset.source'), 'policy');
    assert.match(await text('#visit'), listener === '' ? /^Visit / : /^Day 0$/);
  }
  await leave('#forward');
  assert.equal(await text('#visit'), 'Day 30');
  // On a quick machine the month is over before the pointer is there: then it is begun again.
  const over = '!document.getElementById("month-run").hidden';
  for (let stopped = false, tries = 1; !stopped; tries++) {
    await until(`document.getElementById("month-progress").value > 0 || ${over}`);
    stopped = await use('#month-cancel').then(() => true, (error) => {
      if (tries === 10) throw error;
      return false;
    });
    if (!stopped) {
      await until(over);
      await use('#month-run');
    }
  }
  await until(over);
  await look();
  await leave('#next-visit');
  assert.equal(await text('#visit'), 'Day 31');
  step = 'a year';
  await tab.goto('about:blank');
  await tab.goto(`${site.url}?seed=1&listener=4&step=365`);
  await until('document.getElementById("cancel-days")');
  await look();
  await use('#cancel-days');
  await until('document.querySelector(".shelf") && document.getElementById("visit").textContent === "Day 0"');

  // Reset.
  await go(start);
  await click('.card[data-kind=album] .play', 'document.getElementById("why-exclude")');
  await click('#why-exclude', '!document.getElementById("toast").hidden');
  await leave('#next-visit');
  await tabTo('reset');
  await click('#unused button', 'document.getElementById("unused").textContent === "None."');
  await click('#save-copy', 'document.getElementById("pane-reset").textContent.includes("The copy is saved")');
  await click('#forget', '!document.querySelector(".confirm").hidden');
  await click('.confirm button:last-child', 'document.querySelector(".confirm").hidden');
  await click('#forget', '!document.querySelector(".confirm").hidden');
  await leave('#forget-sure');
  assert.match(await text('#lede'), /^Nothing is known about you/);

  // What the page says it asked for is what was asked of the site, now or earlier in this walk, since WebKit keeps what it read; the sign in the tab
  // bar is asked for by the browser.
  await tabTo('left');
  await click('#pane-left details:last-of-type summary', 'document.querySelector("#pane-left details:last-of-type").open');
  // What is fetched when something is first saved may come late.
  for (let last = -1; last !== site.requests.length;) {
    last = site.requests.length;
    await new Promise((later) => { setTimeout(later, 1500); });
  }
  const earlier = new Set(site.requests.splice(0).map(({ path }) => path));
  await marked();
  await ask('(location.reload(), 1)');
  await ready();
  await tabTo('left');
  await click('#pane-left details:last-of-type summary', 'document.querySelector("#pane-left details:last-of-type").open');
  await until('document.querySelector(".request-list li")');
  const own = (paths) => [...new Set(paths)].filter((path) => path !== '/' && path !== '/icon.svg' && path !== '/favicon.ico').sort();
  let listed;
  let recorded;
  // The list is a moment behind.
  for (const end = Date.now() + 10_000; ;) {
    recorded = own(site.requests.map(({ path }) => path));
    await new Promise((later) => { setTimeout(later, 600); });
    listed = await ask('[...document.querySelectorAll("#pane-left .request-list li span")].map(({ textContent }) => textContent)');
    if (Date.now() > end || recorded.every((path) => listed.includes(path))) break;
  }
  assert.deepEqual(recorded.filter((path) => !listed.includes(path)), [], 'all that was recorded is listed');
  assert.deepEqual(own(listed).filter((path) => !recorded.includes(path) && !earlier.has(path)), [], 'all that is listed was recorded');
  assert.deepEqual([collector.received, collector.others], [[], []], 'nothing left the site');

  // A phone: the panel covers the page.
  await tab.resize(390, 844);
  await until('innerWidth < 1100');
  // The panel slides away first.
  await until('(() => { const { left, top, width, height } = document.getElementById("open-panel").getBoundingClientRect(); return document.elementFromPoint(left + width / 2, top + height / 2)?.closest("#open-panel"); })()');
  await click('#open-panel', 'document.body.classList.contains("panel-open") && document.getElementById("home").inert');
  for (const name of TABS) await tabTo(name);
  await click('#close-panel', '!document.getElementById("home").inert');
  await tab.resize(1440, 900);

  // The documentation is beside the page on a host: `cargo xtask site` refuses a link that leads nowhere.
  used.add(await ask('nameOf(document.querySelector("a.docs"))'));
  assert.equal(await ask('document.querySelector("a.docs").getAttribute("href")'), 'docs/index.html');

  // The last one: nothing is fetched any more.
  await tabTo('left');
  await click('#offline', 'document.getElementById("offline").disabled');
  assert.equal(await ask('fetch("manifest.json").then(() => "answered", () => "refused")'), 'refused');
  const broken = JSON.parse(await ask('sessionStorage.getItem("broken") ?? "[]"')).filter((text) => !/^connect-src .*manifest\.json/.test(text));
  return { seen: [...seen].sort(), left: [...seen].filter((name) => !used.has(name)).sort(), broken, wide };
}
