// Makes an app in a folder of its own, with the packed package installed by npm, and opens what a toolchain makes of it.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, '../../..');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];
const PATIENCE_MS = 240_000;

/** The zone of the golden listener, and nothing that phones home. */
const ENV = { ...process.env, TZ: 'Etc/GMT-2', NO_COLOR: '1', NEXT_TELEMETRY_DISABLED: '1', PARCEL_WORKERS: '2', CI: '1', NODE_OPTIONS: '', FORCE_COLOR: '0', npm_config_yes: 'true' };

export const browserPath = [process.env.CHROME_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => file && existsSync(file));

/** The lines the native core wrote down, as many as the scenario makes here. */
export function golden(count) {
  const lines = readFileSync(path.join(root, 'tests/golden/v1/decisions.txt'), 'utf8').split('\n');
  return lines.filter((line) => !/^(record|snapshot|weights)/.test(line)).slice(0, count);
}

let browser;
/** The one browser of a run. */
async function chromium() {
  const { chromium: engine } = createRequire(path.join(root, 'js/package.json'))('playwright-core');
  return browser ??= await engine.launch({ executablePath: browserPath, headless: true, args: FLAGS, env: ENV });
}

/** Ends what a run has started. */
export async function finish() {
  await browser?.close();
  browser = undefined;
}

let installed;
/** A folder with the packed package, as npm installs it into an empty project. */
function installation() {
  if (installed) return installed;
  const folder = path.join(here, '.apps/empty');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const npm = (args, cwd) => execFileSync('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, encoding: 'utf8' });
  npm(['pack', '--pack-destination', folder], path.join(root, 'js'));
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  npm(['install', '--install-links', '--omit=peer', `./${tarball}`], folder);
  return installed = folder;
}

/** An app of the sources in `apps/KIND`, in a fresh folder below the one that has its tools. */
export class App {
  constructor(name, kind, tools) {
    this.tools = tools === 'more' ? path.join(here, 'more') : here;
    this.folder = path.join(this.tools, '.apps', name.replaceAll(/\W+/g, '-'));
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
    for (const source of kind === 'guide' ? [] : ['shared', kind]) cpSync(path.join(here, 'apps', source), this.folder, { recursive: true });
    const empty = installation();
    cpSync(path.join(empty, 'node_modules'), path.join(this.folder, 'node_modules'), { recursive: true });
    const dependencies = { 'ears-only': '*', ...(kind === 'react' ? { react: '^19.0.0', 'react-dom': '^19.0.0' } : {}) };
    this.write('package.json', JSON.stringify({ name: 'app', private: true, type: 'module', dependencies }));
  }

  write(name, text) {
    mkdirSync(path.dirname(path.join(this.folder, name)), { recursive: true });
    writeFileSync(path.join(this.folder, name), text);
  }

  /** Leaves nothing in the folder, and the packed package beside it. */
  empty() {
    rmSync(this.folder, { recursive: true });
    mkdirSync(this.folder, { recursive: true });
    const folder = installation();
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.tgz'))) cpSync(path.join(folder, name), path.join(this.folder, name));
  }

  /** Goes on in a folder of the app. */
  enter(name) { this.folder = path.join(this.folder, name); }

  read(name) { return readFileSync(path.join(this.folder, name), 'utf8'); }

  /** The file of an installed tool. */
  bin(name) { return path.join(this.tools, 'node_modules', name.includes('/') ? name : `.bin/${name}`); }

  /** Runs a program to its end and returns what it printed; its words are the error when it fails. */
  run(program, ...args) {
    return new Promise((resolve, reject) => {
      execFile(program, args, { cwd: this.folder, env: ENV, encoding: 'utf8', timeout: PATIENCE_MS, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
        if (error) reject(new Error(`${path.basename(program)} ${args.join(' ')}: ${`${stdout}\n${stderr}\n${error.signal ?? error.code}`.trim().slice(-2000)}`));
        else resolve(stdout);
      });
    });
  }

  /** Runs a program that prints a result as its last line. */
  async printed(program, ...args) {
    return JSON.parse((await this.run(program, ...args)).trim().split('\n').at(-1));
  }

  /**
   * What a page says, served from `folder` of the app with `headers`, or by a server at `address`; or what `use` makes of its tab once it has
   * said it, or once there is an element that `sign` selects.
   */
  async opened(folder, address, use, sign, headers = {}) {
    if (address) return resultOf(address, use, sign);
    const base = path.join(this.folder, folder);
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url, 'http://localhost');
      const file = path.join(base, path.normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname));
      if (existsSync(file)) response.writeHead(200, { 'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream', ...headers }).end(readFileSync(file));
      else response.writeHead(404).end();
    });
    await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
    try {
      return await resultOf(`http://127.0.0.1:${server.address().port}/`, use, sign);
    } finally {
      server.close();
    }
  }

  /** Starts a server program, calls `use` with its address once it answers, and ends it. */
  async serving(use, program, ...args) {
    const port = await freePort();
    const server = spawn(program, args.map((arg) => arg.replace('PORT', port)), { cwd: this.folder, env: ENV, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let said = '';
    for (const stream of [server.stdout, server.stderr]) stream.on('data', (data) => { said += data; });
    const gone = new Promise((resolve) => { server.on('exit', resolve); });
    const address = `http://127.0.0.1:${port}/`;
    try {
      for (const end = Date.now() + 60_000; ;) {
        if (await fetch(address).then(() => true, () => false)) break;
        if (server.exitCode !== null || Date.now() > end) throw new Error(`expected a server on port ${port}; it said ${said.slice(-1000)}`);
        await new Promise((again) => { setTimeout(again, 100); });
      }
      return await use(address);
    } finally {
      try { process.kill(-server.pid); } catch { server.kill(); }
      await gone;
    }
  }
}

/** What a page leaves in `globalThis.result`, or why it does not. */
async function resultOf(address, use = (tab) => tab.evaluate(() => globalThis.result), sign) {
  const tab = await (await chromium()).newPage();
  const problems = [];
  tab.on('pageerror', (error) => problems.push(error.message));
  tab.on('response', (response) => { if (response.status() >= 400 && !response.url().endsWith('favicon.ico')) problems.push(`${response.status()} ${response.url()}`); });
  try {
    await tab.goto(address, { timeout: 60_000 });
    await tab.waitForFunction((selector) => (selector ? document.querySelector(selector) : globalThis.result), sign, { timeout: 60_000 });
    return await use(tab);
  } catch (error) {
    throw new Error([...problems, error.message].join('\n').slice(0, 2000));
  } finally {
    await tab.close();
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
