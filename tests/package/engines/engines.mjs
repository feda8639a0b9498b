// Three engines behind one small interface: `open(address)` gives a tab, `tab.ask(expression)` the value of a promise as JSON, `tab.click(selector)`
// and `tab.press(key)` are a pointer and a keyboard as the engine makes them.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';

const CHROMIUM_FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];
/** The zone of the golden listener. */
const ENV = { ...process.env, TZ: 'Etc/GMT-2' };
const ASK_MS = 60_000;
/** Keys as WebDriver writes them. */
const KEYS = { Tab: '\uE004', Enter: '\uE007', Escape: '\uE00C', End: '\uE010', Home: '\uE011', ArrowLeft: '\uE012', ArrowUp: '\uE013', ArrowRight: '\uE014', ArrowDown: '\uE015' };

const firstOf = (...files) => files.find((file) => file && existsSync(file));
const MINI_BROWSER = firstOf('/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser', '/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1/MiniBrowser');

/** Where each engine is, if it is here. */
export const ENGINES = {
  Chromium: firstOf(process.env.CHROME_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'),
  Firefox: firstOf(process.env.FIREFOX_PATH, '/usr/bin/firefox-esr', '/usr/bin/firefox'),
  WebKitGTK: firstOf('/usr/bin/WebKitWebDriver') && firstOf('/usr/bin/Xvfb') && MINI_BROWSER,
};

/** Starts an engine with an empty profile; an answer may take `askMs`. */
export function start(name, { askMs = ASK_MS } = {}) {
  return name === 'WebKitGTK' ? startWebKit(askMs) : startPuppeteer(name, askMs);
}

/** Chromium over its own protocol, Firefox over WebDriver BiDi: both as they are installed. */
async function startPuppeteer(name, askMs) {
  const { default: puppeteer } = await import('puppeteer-core');
  const profile = mkdtempSync(path.join(os.tmpdir(), 'ears-only-engine-'));
  const browser = await puppeteer.launch({
    browser: name === 'Firefox' ? 'firefox' : 'chrome', executablePath: ENGINES[name], headless: true, userDataDir: profile, env: ENV,
    protocolTimeout: askMs, args: name === 'Firefox' ? [] : CHROMIUM_FLAGS,
  });
  return {
    version: await browser.version(),
    async open(address) {
      const page = await browser.newPage();
      const asked = [];
      page.on('request', (request) => asked.push(request.url()));
      await page.goto(address, { waitUntil: 'load' });
      return {
        asked: () => asked,
        press: (key) => page.keyboard.press(key),
        click: (selector) => page.click(selector),
        resize: (width, height) => page.setViewport({ width, height }),
        ask: (expression) => page.evaluate(expression),
        goto: (to) => page.goto(to, { waitUntil: 'load' }),
        back: () => page.goBack({ waitUntil: 'load' }),
        close: () => page.close(),
      };
    },
    async close() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** WebKitGTK's MiniBrowser over WebDriver, on a screen of its own. */
async function startWebKit(askMs) {
  const port = await freePort();
  const display = `:${90 + port % 900}`;
  const screen = spawn('Xvfb', [display, '-screen', '0', '1600x1000x24', '-nolisten', 'tcp'], { stdio: 'ignore' });
  const driver = spawn('WebKitWebDriver', [`--port=${port}`], { stdio: 'ignore', env: { ...ENV, DISPLAY: display } });
  const call = async (method, route, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${route}`, { method, headers: { 'content-type': 'application/json' }, ...(body ? { body: JSON.stringify(body) } : {}) });
    const { value } = await response.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const end = async () => {
    for (const one of [driver, screen]) {
      const gone = new Promise((resolve) => { one.on('exit', resolve); });
      if (one.exitCode === null && one.kill()) await gone;
    }
  };
  try {
    for (let i = 0; i < 100 && !await fetch(`http://127.0.0.1:${port}/status`).then(() => true, () => false); i++) await pause(100);
    const { sessionId, capabilities } = await call('POST', '/session', {
      capabilities: { alwaysMatch: { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': { binary: ENGINES.WebKitGTK, args: ['--automation'] } } },
    });
    const session = `/session/${sessionId}`;
    await call('POST', `${session}/timeouts`, { script: askMs, pageLoad: askMs });
    // The window of the session stays: closing the last one would end it, and another one is opened from it.
    const first = await call('GET', `${session}/window`);
    return {
      version: `${capabilities.browserName} ${capabilities.browserVersion}`,
      async open(address) {
        await call('POST', `${session}/window`, { handle: first });
        const { handle } = await call('POST', `${session}/window/new`, { type: 'window' });
        const here = (work) => async (...values) => {
          await call('POST', `${session}/window`, { handle });
          return work(...values);
        };
        const goto = here((url) => call('POST', `${session}/url`, { url }));
        await goto(address);
        return {
          goto,
          back: here(() => call('POST', `${session}/back`, {})),
          // A script that evaluates text would fall to the page's policy, so the text is the script.
          ask: here(async (expression) => {
            const answer = await call('POST', `${session}/execute/async`, {
              script: `const done = arguments[0]; Promise.resolve(${expression}).then((value) => done({ value }), (error) => done({ error: String(error) }));`, args: [],
            });
            if (answer.error) throw new Error(answer.error);
            return answer.value;
          }),
          click: here(async (selector) => {
            const found = await call('POST', `${session}/element`, { using: 'css selector', value: selector });
            await call('POST', `${session}/element/${Object.values(found)[0]}/click`, {});
          }),
          press: here((key) => {
            const value = KEYS[key] ?? key;
            return call('POST', `${session}/actions`, { actions: [{ type: 'key', id: 'keyboard', actions: [{ type: 'keyDown', value }, { type: 'keyUp', value }] }] });
          }),
          /** The size of the window with its frame; there may be a smallest one. */
          resize: here((width, height) => call('POST', `${session}/window/rect`, { width, height })),
          close: here(() => call('DELETE', `${session}/window`)),
        };
      },
      async close() {
        await call('DELETE', session).catch(() => {});
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
