// A headless Chromium and a server for it. The browser is found by CHROME_PATH, else at /usr/bin/chromium.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const executablePath = process.env.CHROME_PATH ?? '/usr/bin/chromium';
const root = fileURLToPath(new URL('../', import.meta.url));
export const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];
const HTML = '<!doctype html><meta charset="utf-8"><title>test</title><script type="importmap">{"imports":{"idb-keyval":"/node_modules/idb-keyval/dist/index.js"}}</script>';

/** Whether there is a browser; says so where there is none. */
export function hasBrowser() {
  if (existsSync(executablePath)) return true;
  console.log(`# no browser at ${executablePath}: set CHROME_PATH to run the browser tests of the package`);
  return false;
}

/** A browser whose tabs open a page that can import the package and its modules. `policy` is the Content-Security-Policy. */
export async function startBrowser() {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'ears-only-test-'));
  const browser = { policy: undefined };
  const server = http.createServer((request, response) => {
    const name = path.posix.normalize(new URL(request.url, 'http://localhost').pathname);
    const allowed = /^\/(dist|build\/modules|tests|node_modules\/idb-keyval)\//.test(name) && existsSync(path.join(root, name));
    const headers = { 'content-type': name.endsWith('js') ? 'text/javascript' : 'text/html', ...(browser.policy ? { 'content-security-policy': browser.policy } : {}) };
    if (name !== '/' && !allowed) response.writeHead(404).end();
    else response.writeHead(200, headers).end(name === '/' ? HTML : readFileSync(path.join(root, name)));
  });
  const { chromium } = await import('playwright-core');
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args: FLAGS });
  return Object.assign(browser, {
    context,
    async open() {
      const tab = await context.newPage();
      await tab.goto(`http://127.0.0.1:${server.address().port}/`);
      return tab;
    },
    async close() {
      await context.close();
      server.close();
      rmSync(profile, { recursive: true, force: true });
    },
  });
}
