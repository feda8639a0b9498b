// Every block of code in docs/guides, and the README's way from an empty folder to a page of one's own, as they stand there.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { App, browserPath, finish } from './workshop.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
const skip = browserPath ? false : 'no Chromium was found';
const PAGE = '<!doctype html><meta charset="utf-8"><title>starting</title><div id="root"></div>';
/** IndexedDB for Node, of the package's own tests. */
const INDEXED_DB = path.join(root, 'js/node_modules/fake-indexeddb/auto/index.mjs');

/** The blocks of a text: `{ language, name, code }`, the name being what follows the language. */
const blocks = (file) => [...readFileSync(path.join(root, file), 'utf8').matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)]
  .map(([, language, name, code]) => ({ language, name, code }));

const ran = new Set();
/** An app with the files of a guide. */
function guide(name, kind = 'guide') {
  ran.add(`${name}.md`);
  const app = new App(`guide ${name}`, kind);
  for (const { name: file, code } of blocks(`docs/guides/${name}.md`)) if (/\.\w+$/.test(file)) app.write(file, code);
  return app;
}

/** What the guide's blocks without a name print, as one module in Node with IndexedDB. */
async function printed(name, prepare = () => {}) {
  const app = guide(name);
  app.write('run.mjs', blocks(`docs/guides/${name}.md`).filter(({ language, name: file }) => language === 'js' && !file).map(({ code }) => code).join('\n'));
  prepare(app);
  return (await app.run(process.execPath, '--import', INDEXED_DB, 'run.mjs')).trim().split('\n');
}

/** In a tab: plays everything of one artist's cards twice, loads the page again, and says what stands there. */
async function playAndReload(tab, titles) {
  const state = () => tab.evaluate(() => document.querySelector('[data-state]')?.dataset.state);
  await tab.waitForFunction(() => document.querySelector('main section button, section button'));
  const before = await tab.evaluate(() => [...document.querySelectorAll('section button')].map(({ textContent, title }) => [textContent.trim(), title]));
  for (let visit = 0; visit < 3; visit++) {
    for (const title of titles) await tab.evaluate((text) => [...document.querySelectorAll('section button')].find(({ textContent }) => textContent.trim() === text).click(), title);
    await tab.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')); });
    await tab.waitForTimeout(1300);
    await tab.reload();
    await tab.waitForFunction(() => document.querySelector('section button'));
  }
  const after = await tab.evaluate(() => [...document.querySelectorAll('section button')].map(({ textContent, title }) => [textContent.trim(), title]));
  return { before, after, state: await state() };
}

describe('the guides', () => {
  after(finish);

  for (const [name, plugin] of [['react', 'react'], ['vue', 'vue'], ['svelte', 'svelte']]) {
    test(`${name}.md: an app that learns`, { skip }, async () => {
      const app = guide(name);
      cpSync(path.join(app.folder, '../../apps', plugin, 'vite.config.js'), path.join(app.folder, 'vite.config.js'));
      app.write('index.html', `${PAGE}<script type="module" src="/src/main.${name === 'react' ? 'jsx' : 'js'}"></script>`);
      await app.run(app.bin('vite'), 'build');
      const { before, after: then, state } = await app.opened('dist', undefined, (tab) => playAndReload(tab, ['Kind of Blue']), 'section button');
      assert.equal(state, 'ready');
      assert.deepEqual(before.map(([title]) => title).sort(), then.map(([title]) => title).sort(), 'the same cards');
      assert.ok(then.some(([, reason]) => /play/i.test(reason)), `no card is there because of what was played: ${JSON.stringify(then)}`);
    });
  }

  test('plain-page.md: no bundler', { skip }, async () => {
    const app = guide('plain-page');
    const { before, state } = await app.opened('.', undefined, (tab) => playAndReload(tab, ['Kind of Blue']), 'section button');
    assert.deepEqual([before.length, state], [3, 'ready']);
  });

  test('csp.md: under its policy and without the word', { skip }, async () => {
    const app = guide('csp');
    const [{ code: header }] = blocks('docs/guides/csp.md').filter(({ name }) => name === 'header');
    const [, policy] = /^Content-Security-Policy: (.*)$/m.exec(header);
    app.write('main.js', app.read('blocked.js'));
    app.write('index.html', `${PAGE}<script type="module" src="./out.js"></script>`);
    await app.run(app.bin('esbuild'), 'main.js', '--bundle', '--format=esm', '--splitting', '--entry-names=out', '--outdir=dist');
    app.write('dist/index.html', app.read('index.html'));
    for (const [value, title] of [[policy, 'ready undefined'], ["default-src 'none'; script-src 'self'", 'degraded csp']]) {
      const found = await app.opened('dist', undefined, async (tab) => {
        await tab.waitForFunction(() => document.title !== 'starting');
        return tab.title();
      }, 'body', { 'content-security-policy': value });
      assert.equal(found, title, value);
    }
  });

  test('testing.md: its tests pass', async () => {
    const app = guide('testing');
    assert.match(await app.run(app.bin('vitest'), 'run', 'home.test.js'), /3 passed/);
  });

  test('server-rendering.md: the order on a server, and the same markup on both sides', { skip }, async () => {
    const app = guide('server-rendering');
    assert.equal((await app.run(process.execPath, 'order-on-a-server.js')).trim(), 'baseline server x y');
    const bundle = ['--bundle', '--format=esm', '--jsx=automatic', '--define:process.env.NODE_ENV="development"'];
    await app.run(app.bin('esbuild'), 'server.jsx', ...bundle, '--platform=node', '--packages=external', '--outfile=server.mjs');
    await app.run(app.bin('esbuild'), 'client.jsx', ...bundle, '--outfile=dist/client.js');
    app.write('print.mjs', "import { html } from './server.mjs';\nconsole.log(html());\n");
    const html = (await app.run(process.execPath, 'print.mjs')).trim();
    assert.match(html, /^<main data-source="baseline"><p>a<\/p>.*<p>f<\/p><\/main>$/);
    app.write('dist/index.html', `<!doctype html><meta charset="utf-8"><div id="root">${html}</div><script type="module" src="./client.js"></script>`);
    const { said, text } = await app.opened('dist', undefined, async (tab) => {
      const lines = [];
      tab.on('console', (message) => { if (['error', 'warning'].includes(message.type())) lines.push(message.text()); });
      await tab.reload();
      await tab.waitForFunction(() => Object.keys(document.querySelector('main') ?? {}).some((key) => key.startsWith('__react')));
      await tab.waitForTimeout(200);
      return { said: lines, text: await tab.evaluate(() => document.querySelector('#root').innerHTML) };
    }, 'main');
    assert.deepEqual(said.filter((line) => !line.includes('favicon')), []);
    assert.equal(text, html, 'hydration kept the order');
  });

  test('consent.md: what it prints', async () => {
    assert.deepEqual(await printed('consent'), [
      '{ personalize: true, contribute: true }', 'baseline', 'app', '0 0', 'true', "0 [ 'Nina Simone' ]", '0',
    ].map((line) => line));
  });

  test('webviews.md: a storage of a native shell', async () => {
    const lines = await printed('webviews', (app) => {
      app.write('node_modules/@capacitor/preferences/package.json', '{ "name": "@capacitor/preferences", "type": "module", "exports": "./index.js" }');
      app.write('node_modules/@capacitor/preferences/index.js', `const values = new Map();
export const Preferences = {
  get: async ({ key }) => ({ value: values.get(key) ?? null }),
  set: async ({ key, value }) => { values.set(key, value); },
  remove: async ({ key }) => { values.delete(key); },
  keys: async () => ({ keys: [...values.keys()] }),
};
`);
    });
    assert.deepEqual(lines, ['ready adapter 1']);
  });

  test('README.md: the order of the last visit without a core', async () => {
    assert.deepEqual(await printed('README'), ['last true true true']);
  });

  test('packed.md: what it prints', async () => {
    assert.deepEqual(await printed('packed'), ['policy 0,1 0,1,2,3,4 1']);
  });

  test('migrating.md: what it prints', async () => {
    assert.deepEqual(await printed('migrating'), ['3 true', 'kind-of-blue homework moon-safari']);
  });

  test('every guide with code was run', () => {
    const guides = readdirSync(path.join(root, 'docs/guides')).filter((file) => blocks(`docs/guides/${file}`).some(({ language }) => language !== 'text'));
    assert.ok(guides.length >= 10);
    assert.deepEqual(guides.filter((file) => !ran.has(file)), skip ? guides.filter((file) => !ran.has(file)) : []);
  });
});

test('the README, from an empty folder to a page of one\'s own in React', { skip }, async () => {
  const section = readFileSync(path.join(root, 'README.md'), 'utf8').split('### In a React app')[1].split(/\n\| call/)[0];
  const parts = [...section.matchAll(/^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)].map(([, language, name, code]) => ({ language, name, code }));
  const app = new App('new app', 'guide');
  app.empty();
  const shell = parts.filter(({ language }) => language === 'sh').flatMap(({ code }) => code.trim().split('\n'));
  assert.equal(shell.at(-1), 'npm run dev');
  for (const line of shell.slice(0, -1)) {
    if (line.startsWith('cd ')) app.enter(line.slice(3));
    else await app.run('sh', '-c', line);
  }
  for (const { name, code } of parts) if (name) app.write(name, code);
  const found = await app.serving((address) => app.opened('.', address, (tab) => playAndReload(tab, ['Kind of Blue', 'Bitches Brew']), 'section button'), 'npm', 'run', 'dev', '--', '--host', '127.0.0.1', '--port', 'PORT', '--strictPort');
  assert.equal(found.after.length, 6);
  assert.ok(found.after.some(([, reason]) => reason === 'You play Miles Davis'), JSON.stringify(found.after));
  await finish();
});
