// The packed package installed in an empty folder, and code from a text run as a module of a page in headless Chromium.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const npm = (args, cwd) => execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8' });
const browser = [process.env.CHROME_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => file && existsSync(file));
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

/** Why a test that needs a browser is not run, or false. */
export const skip = browser ? false : 'no Chromium was found';

/** A text of the project. */
export const text = (name) => readFileSync(path.join(root, name), 'utf8');

/** The code blocks of a language, in the order of the text. */
export function blocks(markdown, language) {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]);
}

/** What the module prints in a page whose import map finds the installed package, until `isLast` says so of a line or an error comes. */
async function printed(folder, isLast) {
  const page = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="importmap">{"imports":{"ears-only":"/node_modules/ears-only/dist/index.js"}}</script>
<script type="module" src="/home.mjs"></script>`;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const file = path.join(folder, path.normalize(pathname));
    if (pathname === '/') response.setHeader('content-type', 'text/html').end(page);
    else if (existsSync(file)) response.setHeader('content-type', 'text/javascript').end(readFileSync(file));
    else response.writeHead(404).end();
  });
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  const { chromium } = createRequire(path.join(root, 'js/package.json'))('playwright-core');
  const running = await chromium.launch({ executablePath: browser, headless: true, args: FLAGS });
  try {
    const tab = await running.newPage();
    const lines = [];
    tab.on('console', (message) => lines.push(message.text()));
    tab.on('pageerror', (error) => lines.push(`error: ${error.message}`));
    await tab.goto(`http://127.0.0.1:${server.address().port}/`);
    const end = Date.now() + 30_000;
    while (!lines.some((line, index) => isLast(line, index) || line.startsWith('error')) && Date.now() < end) await tab.waitForTimeout(20);
    return lines;
  } finally {
    await running.close();
    server.close();
  }
}

/** The lines that `code` prints where the packed package is installed; see `printed`. */
export async function run(code, isLast) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quickstart-'));
  try {
    npm(['pack', '--pack-destination', folder], path.join(root, 'js'));
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    npm(['install', `./${tarball}`], folder);
    writeFileSync(path.join(folder, 'home.mjs'), code);
    return await printed(folder, isLast);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
