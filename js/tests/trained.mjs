// Trained bundles in a headless browser: each is published as a channel, taken by the package, and ranks a page.
// `node tests/trained.mjs FOLDER --json FILE` with every FOLDER/*.bundle; the browser is found by CHROME_PATH.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { startBrowser } from './chromium.mjs';
import { DAY, Publisher } from './publisher.mjs';

const [folder, , json] = process.argv.slice(2);
const T0 = Date.UTC(2026, 10, 23);
const names = readdirSync(folder).filter((name) => name.endsWith('.bundle')).sort();

let publisher;
const site = http.createServer(async (request, response) => {
  const answer = await publisher.answer(request.url);
  response.writeHead(answer.status, { 'access-control-allow-origin': '*', 'cache-control': 'no-store' });
  response.end(Buffer.from(await answer.arrayBuffer()));
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${site.address().port}`;

/** Runs in the page: takes the bundle on the first visit, ranks with it on the second. */
async function visit({ url, root, now, model }) {
  const { createHome } = await import('/dist/index.js');
  const values = new Map();
  const storage = {
    async get(key) { return values.get(key)?.slice(); },
    async put(key, bytes) { values.set(key, bytes.slice()); },
    async delete(key) { values.delete(key); },
    async clear(prefix) { for (const key of [...values.keys()]) if (key.startsWith(prefix)) values.delete(key); },
  };
  const errors = [];
  const open = () => createHome({ storage, bundle: { url, root, checkEveryMs: 0 }, clock: () => now, onError: (error) => errors.push(`${error.code}: ${error.message}`) });
  const first = open();
  await first.ready;
  const deadline = performance.now() + 20_000;
  while (first.status.modelVersion !== model && errors.length === 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  await first.close();
  const home = open();
  await home.ready;
  const card = (i) => ({ id: `card-${i}`, title: `Card ${i}`, artist: `Artist ${i % 7}`, kind: i % 3 === 0 ? 'podcast' : 'album', popularity: (i * 37 % 100) / 100 });
  const page = { visible: { shelves: 2, cards: 3 }, shelves: [0, 1, 2, 3].map((s) => ({ id: `shelf-${s}`, kind: 'genre', title: `Shelf ${s}`, cards: Array.from({ length: 8 }, (_, i) => card(8 * s + i)) })) };
  const ranked = home.rankSync(page);
  const cards = ranked.shelves.flatMap((shelf) => shelf.cards.map((card) => card.id));
  const result = { model: home.status.modelVersion, source: ranked.source, cards: cards.length, different: new Set(cards).size, errors };
  await home.close();
  return result;
}

const browser = await startBrowser();
const bundles = [];
for (const name of names) {
  publisher = new Publisher(T0);
  publisher.release(1, readFileSync(path.join(folder, name)));
  const model = name.replace(/\.bundle$/, '');
  const tab = await browser.open();
  const found = await tab.evaluate(visit, { url, root: publisher.pinned, now: T0 + DAY, model });
  await tab.close();
  const pass = found.model === model && found.source === 'policy' && found.cards === 32 && found.different === 32 && found.errors.length === 0;
  console.log(`${pass ? 'ok  ' : 'FAIL'} ${model}: ${JSON.stringify(found)}`);
  bundles.push({ name: model, pass, ...found });
}
await browser.close();
site.close();
site.closeAllConnections();
if (json) writeFileSync(json, JSON.stringify({ format: 1, bundles }));
