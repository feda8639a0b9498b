// Runs the quick start of README.md as it stands there: the packed package installed in an empty folder, the code as a module of a
// page in headless Chromium.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const npm = (args, cwd) => execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8' });
const browser = [process.env.CHROME_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => file && existsSync(file));
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];

/** The code blocks of a language, in the order of the text. */
function blocks(markdown, language) {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]);
}

/** What the module prints in a page whose import map finds the installed package. */
async function run(folder) {
  const page = `<!doctype html><meta charset="utf-8"><script type="importmap">{"imports":{"ears-only":"/node_modules/ears-only/dist/index.js"}}</script>
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
    while (!lines.some((line) => /records have left|^error/.test(line)) && Date.now() < end) await tab.waitForTimeout(20);
    return lines.join('\n');
  } finally {
    await running.close();
    server.close();
  }
}

test('the quick start of the README runs as written and ends in a ranked page', { skip: browser ? false : 'no Chromium was found' }, async () => {
  const [code] = blocks(readFileSync(path.join(root, 'README.md'), 'utf8'), 'js');
  assert.ok(code, 'README.md has a js block');
  assert.ok(code.trimEnd().split('\n').length <= 27, 'and it is short');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quickstart-'));
  try {
    npm(['pack', '--pack-destination', folder], path.join(root, 'js'));
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    npm(['install', `./${tarball}`], folder);
    writeFileSync(path.join(folder, 'home.mjs'), code);
    const output = await run(folder);
    for (const title of ['Morning commute', 'Fresh finds', 'Kind of Blue', 'Blue Train']) assert.match(output, new RegExp(title));
    // Three cards of one shelf and two of the other, each with its propensity; something was drawn at random.
    const propensities = [...output.matchAll(/ (\d\.\d\d) /g)].map((match) => Number(match[1]));
    assert.equal(propensities.length, 5, output);
    assert.ok(propensities.every((propensity) => propensity > 0 && propensity <= 1));
    assert.ok(propensities.some((propensity) => propensity < 1));
    assert.match(output, /^0 records have left$/m);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
