// Bundles from `ears-lab publish` to a real browser, over HTTP from another origin, with every kind of attack in between. EARS_LAB is the
// program; the browser is found by CHROME_PATH, else at /usr/bin/chromium. Without one of them there is nothing here to run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sha256, signed } from './publisher.mjs';

const lab = process.env.EARS_LAB;
const executablePath = process.env.CHROME_PATH ?? '/usr/bin/chromium';
const root = fileURLToPath(new URL('../', import.meta.url));
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
];
const DAY = 86_400_000;
/** When everything was published. */
const T0 = Date.UTC(2026, 10, 23);
const HTML = '<!doctype html><meta charset="utf-8"><title>test</title>';

/** Small bundles of the project, one of each body; the version of each is `example-NAME`. */
const bundleOf = (name) => readFileSync(new URL(`../../tests/golden/bundles/${name}.bundle`, import.meta.url));
/** A bundle whose first golden score has another last bit, and the checksum to it. */
function tampered(bytes) {
  const body = Buffer.from(bytes.subarray(0, -32));
  const length = body.readUInt32LE(12);
  const { sections } = JSON.parse(body.toString('utf8', 16, 16 + length));
  body[Math.ceil((16 + length) / 8) * 8 + sections.goldenScores.offset] ^= 1;
  return Buffer.concat([body, Buffer.from(sha256(body), 'hex')]);
}

/** A folder that `ears-lab publish` fills. */
class Desk {
  constructor() {
    this.path = mkdtempSync(path.join(os.tmpdir(), 'ears-only-delivery-'));
    for (const name of ['root-1', 'root-2', 'bundle', 'channel', 'stolen', 'bundle-2']) this.lab('keygen', this.at(name));
  }
  at(...names) { return path.join(this.path, ...names); }
  lab(...words) { return execFileSync(lab, words, { encoding: 'utf8' }); }
  /** A private key of the desk, for what the program would not sign. */
  key(name) {
    const secret = createPrivateKey(readFileSync(this.at(name)));
    const bytes = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32);
    return { bytes, keyid: sha256(bytes), sign: (message) => sign(null, message, secret) };
  }
  root(site, at, ...more) {
    mkdirSync(this.at(site), { recursive: true });
    return this.lab('publish', 'root', this.at(site), '--at', String(at), '--sign', this.at('root-1'), '--sign', this.at('root-2'), ...more);
  }
  firstRoot(site) {
    return this.root(site, T0, ...['root-1', 'root-2'].flatMap((name) => ['--root-key', this.at(`${name}.pub`)]), '--root-threshold', '2',
      '--bundle-key', this.at('bundle.pub'), '--channel-key', this.at('channel.pub'));
  }
  bundle(site, name, at, { bundleKey = 'bundle', channelKey = 'channel', more = [] } = {}) {
    writeFileSync(this.at('bundle.bin'), bundleOf(name));
    return this.lab('publish', 'bundle', this.at(site), this.at('bundle.bin'), '--at', String(at),
      '--bundle-key', this.at(bundleKey), '--channel-key', this.at(channelKey), ...more);
  }
  /** The folder as a host serves it. */
  files(site) { return new Map(readdirSync(this.at(site)).map((name) => [name, readFileSync(this.at(site, name))])); }
  copy(from, to) { cpSync(this.at(from), this.at(to), { recursive: true }); }
}

if (!lab || !existsSync(executablePath)) {
  console.log(`# ${lab ? `no browser at ${executablePath}: set CHROME_PATH` : 'EARS_LAB is not set'}: the delivery tests in the browser are not run`);
} else describe('bundles made by ears-lab in the browser', () => {
  const desk = new Desk();
  const profile = desk.at('profile');
  let context;
  let origin;
  let host;
  let scripts = [];
  let files = new Map();
  let seen = [];
  const app = http.createServer((request, response) => {
    const name = path.posix.normalize(new URL(request.url, 'http://localhost').pathname);
    const allowed = /^\/dist\//.test(name) && existsSync(path.join(root, name));
    scripts.push(name);
    const policy = `default-src 'none'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; connect-src ${host}`;
    const headers = { 'content-type': name.endsWith('js') ? 'text/javascript' : 'text/html', 'content-security-policy': policy };
    if (name !== '/' && !allowed) response.writeHead(404).end();
    else response.writeHead(200, headers).end(name === '/' ? HTML : readFileSync(path.join(root, name)));
  });
  const site = http.createServer((request, response) => {
    const name = request.url.slice(1);
    seen.push({ name, cookie: request.headers.cookie, referer: request.headers.referer });
    const file = files.get(name);
    const headers = { 'access-control-allow-origin': '*', 'cache-control': 'no-store' };
    if (typeof file === 'function') file(response, headers);
    else if (file === undefined) response.writeHead(404, headers).end();
    else response.writeHead(200, headers).end(file);
  });

  before(async () => {
    const { chromium } = await import('playwright-core');
    for (const server of [app, site]) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${app.address().port}/`;
    host = `http://127.0.0.1:${site.address().port}`;
    context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args: FLAGS });
    await context.addCookies([{ name: 'who', value: 'listener', url: host }]);
    desk.firstRoot('one');
    desk.bundle('one', 'linear', T0 + 1);
    desk.copy('one', 'two');
    desk.bundle('two', 'trees', T0 + 2);
  });
  after(async () => {
    await context?.close();
    for (const server of [app, site]) {
      server.close();
      server.closeAllConnections();
    }
    rmSync(desk.path, { recursive: true, force: true });
  });

  /**
   * One visit at a time of the device's clock: ranks a page unless told not to, waits for a code, or for a model, or for a file to be fetched, and
   * leaves. Returns which model served, from where the page came and which codes were reported.
   */
  const visit = async ({ now = T0 + DAY, rank = true, until = 'codes.length > 0', pinned, hurry = 0, prepare = '' } = {}) => {
    seen = [];
    scripts = [];
    const tab = await context.newPage();
    if (hurry) await tab.clock.install();
    await tab.goto(origin);
    await tab.evaluate(`(async () => {
      ${prepare}
      const { createHome } = await import('/dist/index.js');
      window.codes = [];
      window.home = createHome({
        bundle: { url: ${JSON.stringify(host)}, root: ${JSON.stringify(pinned ?? desk.files('one').get('root.json').toString())}, checkEveryMs: 0 },
        clock: () => ${now}, onError: (error) => { codes.push(error.code); console.log(error.code, error.message); },
      });
      await home.ready;
      window.model = home.status.modelVersion;
      window.source = ${rank} && home.rankSync({ shelves: [{ id: 'a', cards: [{ id: 'x' }, { id: 'y' }] }] }).source;
    })()`);
    if (hurry) {
      while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      await tab.clock.fastForward(hurry);
    }
    // The policy of the page allows no function from a text, which `waitForFunction` makes.
    const deadline = Date.now() + 20_000;
    while (!await tab.evaluate(until) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
    const result = await tab.evaluate('({ model, source, codes, then: home.status.modelVersion })');
    await tab.evaluate('home.close()');
    await tab.close();
    return result;
  };
  const kept = 'home.status.modelVersion === "example-trees"';

  test('a first visit takes the bundle before anything was ranked, a later one at its start', async () => {
    files = desk.files('one');
    const first = await visit({ rank: false, until: 'home.status.modelVersion === "example-linear"' });
    assert.deepEqual(first, { model: 'built-in-1', source: false, codes: [], then: 'example-linear' });
    assert.deepEqual(seen.map(({ name }) => name.replace(/^[0-9a-f]{64}/, 'SHA')), ['root.json', 'channel-stable.json', 'SHA.stable-1.sig.json', 'SHA.bundle']);
    for (const { cookie, referer } of seen) assert.deepEqual([cookie, referer], [undefined, undefined], 'nobody is named');
    assert.ok(!scripts.some((name) => name.includes('verify-inline')), 'this browser verifies by itself');
    files = desk.files('two');
    const second = await visit({ rank: false, until: kept });
    assert.deepEqual(second, { model: 'example-linear', source: false, codes: [], then: 'example-trees' });
    const third = await visit({ until: kept });
    assert.deepEqual(third, { model: 'example-trees', source: 'policy', codes: [], then: 'example-trees' });
  });

  test('without Ed25519 in the browser, the wasm verifier says the same', async () => {
    files = desk.files('two');
    const prepare = "Object.defineProperty(crypto, 'subtle', { value: undefined });";
    assert.deepEqual((await visit({ until: kept, prepare })).model, 'example-trees');
    assert.ok(scripts.some((name) => name.includes('verify-inline')));
    files = desk.files('two').set('channel-stable.json', signed('channel', {}, [desk.key('stolen')]));
    assert.deepEqual((await visit({ prepare })).codes, ['bundle_signature']);
  });

  /** `[what, code, how the folder looks then, more for the visit]`, all on the one device that has bundle 2. */
  const attacks = [
    ['rollback: the folder of yesterday', 'bundle_rollback', () => desk.files('one')],
    ['freeze: the channel file has expired', 'bundle_expired', () => desk.files('two'), { now: T0 + 8 * DAY }],
    ['freeze: and the clock is set back', 'bundle_clock', () => desk.files('two'), { now: T0 - 8 * DAY }],
    ['fast-forward: files from next year', 'bundle_clock', () => make('ahead', (to) => desk.bundle(to, 'network', T0 + 300 * DAY))],
    ['fast-forward: a sequence far ahead', 'bundle_fast_forward', () => desk.files('two').set('channel-stable.json', signed('channel', {
      format: 1, channel: 'stable', created: T0 + 3, expires: T0 + 7 * DAY, minSequence: 0, rolloutPermille: 1000,
      sequence: 2 ** 52, sha256: '0'.repeat(64), size: 9,
    }, [desk.key('channel')]))],
    ['mix and match: the signature of another release', 'bundle_mixed', () => {
      const made = make('mixed', (to) => desk.bundle(to, 'network', T0 + 3));
      return made.set(ending(made, '.stable-3.sig.json'), made.get(ending(made, '.stable-2.sig.json')));
    }],
    ['mix and match: the bytes of another bundle', 'bundle_hash', () => {
      const made = make('mixed-bytes', (to) => desk.bundle(to, 'network', T0 + 3));
      return made.set(`${sha256(bundleOf('network'))}.bundle`, tampered(bundleOf('network')));
    }],
    ['wrong key: a folder of somebody else', 'bundle_signature', () => {
      mkdirSync(desk.at('foreign'), { recursive: true });
      desk.lab('publish', 'root', desk.at('foreign'), '--at', String(T0), '--sign', desk.at('stolen'),
        ...['root', 'bundle', 'channel'].flatMap((role) => [`--${role}-key`, desk.at('stolen.pub')]));
      desk.bundle('foreign', 'network', T0 + 3, { bundleKey: 'stolen', channelKey: 'stolen' });
      return new Map([...desk.files('foreign'), ['root.json', desk.files('two').get('root.json')]]);
    }],
    ['wrong key: a root of somebody else', 'bundle_signature', () => {
      // Its second root, so that it is the next one for the device.
      desk.lab('publish', 'root', desk.at('foreign'), '--at', String(T0), '--sign', desk.at('stolen'));
      return desk.files('foreign');
    }],
    ['other channel: its file under our name', 'bundle_foreign', () => {
      const made = make('beta', (to) => desk.bundle(to, 'network', T0 + 3, { more: ['--channel', 'beta'] }));
      return made.set('channel-stable.json', made.get('channel-beta.json'));
    }],
    ['huge counts', 'bundle_malformed', () => {
      const made = desk.files('two');
      const envelope = JSON.parse(made.get('channel-stable.json'));
      return made.set('channel-stable.json', JSON.stringify({ ...envelope, signatures: Array(300).fill(envelope.signatures[0]) }));
    }],
    ['expired root', 'bundle_root_expired', () => make('old-root', (to) => desk.root(to, T0, '--days', '0'))],
    ['truncated: the channel file', 'bundle_malformed', () => {
      const made = desk.files('two');
      return made.set('channel-stable.json', made.get('channel-stable.json').subarray(0, 200));
    }],
    ['truncated: the bundle', 'bundle_size', () => {
      const made = make('short', (to) => desk.bundle(to, 'network', T0 + 3));
      const name = `${sha256(bundleOf('network'))}.bundle`;
      return made.set(name, made.get(name).subarray(0, -1));
    }],
    ['endless body', 'bundle_size', () => desk.files('two').set('root.json', (response, headers) => {
      response.writeHead(200, headers);
      const more = () => { while (!response.destroyed && response.write(Buffer.alloc(65_536, 32))); };
      response.on('drain', more);
      more();
    })],
    ['slow server', 'bundle_timeout', () => desk.files('two').set('channel-stable.json', () => {}), { hurry: 20_000 }],
    ['an error page in place of JSON', 'bundle_malformed', () => desk.files('two').set('channel-stable.json', (response, headers) =>
      response.writeHead(200, { ...headers, 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>'))],
    ['a redirect', 'bundle_fetch', () => desk.files('two').set('root.json', (response, headers) =>
      response.writeHead(302, { ...headers, location: '/elsewhere.json' }).end())],
    ['the folder is gone', 'bundle_fetch', () => new Map()],
    ['a bundle whose golden vectors do not come out', 'bundle_refused', () => {
      const bytes = tampered(bundleOf('network'));
      const release = { sequence: 3, sha256: sha256(bytes), size: bytes.length };
      const common = { format: 1, channel: 'stable', created: T0 + 3, expires: T0 + 7 * DAY, ...release };
      return desk.files('two').set(`${release.sha256}.bundle`, bytes)
        .set(`${release.sha256}.stable-3.sig.json`, signed('bundle', common, [desk.key('bundle')]))
        .set('channel-stable.json', signed('channel', { ...common, minSequence: 0, rolloutPermille: 1000 }, [desk.key('channel')]));
    }],
    ['the kill switch above what is offered', 'bundle_killed', () => make('killed-canary', (to) => {
      desk.bundle(to, 'network', T0 + 3);
      desk.lab('publish', 'channel', desk.at(to), '--channel-key', desk.at('channel'), '--min-sequence', '4', '--at', String(T0 + 4));
    }), { last: true }],
  ];
  const make = (name, change) => {
    desk.copy('two', name);
    change(name);
    return desk.files(name);
  };
  const ending = (made, end) => [...made.keys()].find((name) => name.endsWith(end));

  for (const [what, code, folder, { last = false, ...more } = {}] of attacks) {
    test(`${what}: ${code}, and the last good bundle serves`, async () => {
      files = folder();
      const { model, source, codes, then } = await visit(more);
      assert.deepEqual([model, source, then], ['example-trees', 'policy', 'example-trees']);
      assert.ok(codes.length > 0 && codes.every((one) => one === code), `expected ${code}, found ${codes}`);
      if (last) return;
      files = desk.files('two');
      const next = await visit({ until: kept });
      assert.deepEqual([next.model, next.source], ['example-trees', 'policy']);
    });
  }

  test('revoked key: after a new root, what the old keys sign is refused; what the new ones sign is taken', async () => {
    desk.copy('two', 'three');
    desk.root('three', T0 + 5, '--bundle-key', desk.at('bundle-2.pub'));
    desk.bundle('three', 'network', T0 + 5, { bundleKey: 'bundle-2' });
    desk.copy('two', 'stolen-site');
    desk.bundle('stolen-site', 'factorization', T0 + 6);
    files = new Map([...desk.files('stolen-site'), ...desk.files('three'), ['channel-stable.json', desk.files('stolen-site').get('channel-stable.json')]]);
    const refused = await visit({ until: 'codes.includes("bundle_signature")' });
    assert.deepEqual([...new Set(refused.codes)].sort(), ['bundle_killed', 'bundle_signature']);
    assert.equal(refused.source, 'policy');
    files = desk.files('three');
    await desk.lab('publish', 'channel', desk.at('three'), '--channel-key', desk.at('channel'), '--at', String(T0 + 7));
    files = desk.files('three');
    const taken = await visit({ rank: false, until: 'home.status.modelVersion === "example-network"' });
    assert.equal(taken.then, 'example-network');
    assert.equal((await visit({ until: 'home.status.modelVersion === "example-network"' })).model, 'example-network');
  });
});
