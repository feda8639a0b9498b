// Serves the demo as `cargo xtask demo` does: the page, the built package beside it, the catalogue files. Also a
// receiver of records on an origin of its own.
import { createServer } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml', '.tsv': 'text/tab-separated-values', '.wasm': 'application/wasm', '.woff2': 'font/woff2' };

/**
 * Starts the demo on a free port. `edit(path, text)` may change a file on its way out; `prefix` serves it below a path.
 * `built` is a folder that `cargo xtask site` made, to be served as it is. `compress` is what a host would do with what it sends: `br`, `gzip` or nothing, each at its best. `requests` lists what was asked for, `sent()` says how many
 * bytes of bodies were sent for it, each file once, the largest first.
 */
export async function startSite({ edit = (_path, text) => text, prefix = '/', dist = join(ROOT, 'js/dist'), compress, built } = {}) {
  const requests = [];
  const lengths = new Map();
  const packed = new Map();
  const folders = built ? [['', built]] : [['ears-only/', dist], ['catalogue/', join(ROOT, 'world/catalogue')], ['built/', join(ROOT, 'js/build/demo')], ['', join(ROOT, 'www')]];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    requests.push({ method: request.method, path, body: await bodyOf(request) });
    if (request.method === 'POST' && path === `${prefix}collect`) return void response.writeHead(204).end();
    try {
      if (!path.startsWith(prefix)) throw new Error('outside the site');
      const asked = path.slice(prefix.length) || 'index.html';
      const [start, folder] = folders.find(([name]) => asked.startsWith(name));
      const inside = normalize(asked.slice(start.length));
      if (inside.startsWith('..')) throw new Error('outside the folder');
      const bytes = await readFile(join(folder, inside));
      const type = TYPES[extname(inside)] ?? 'application/octet-stream';
      const text = /^text|json|svg/.test(type) ? edit(inside, bytes.toString('utf8')) : bytes;
      // A font is compressed already.
      const how = compress && extname(inside) !== '.woff2' ? compress : undefined;
      if (how && !packed.has(asked)) packed.set(asked, (how === 'br' ? brotliCompressSync : gzipAtBest)(Buffer.from(text)));
      const body = how ? packed.get(asked) : Buffer.from(text);
      lengths.set(asked, body.length);
      response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store', ...(how ? { 'content-encoding': how } : {}) }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  const port = await listen(server);
  const sent = () => {
    const files = [...lengths].sort((a, b) => b[1] - a[1]);
    return { bytes: files.reduce((sum, [, bytes]) => sum + bytes, 0), files };
  };
  return { url: `http://127.0.0.1:${port}${prefix}`, origin: `http://127.0.0.1:${port}`, requests, sent, close: () => closed(server) };
}

/** A receiver on another origin. `received` lists the bodies of its POSTs; `others` everything else. */
export async function startCollector() {
  const received = [];
  const others = [];
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    if (request.method === 'POST') received.push({ body, headers: request.headers, path: request.url });
    else others.push({ method: request.method, path: request.url });
    response.writeHead(204, { 'access-control-allow-origin': '*' }).end();
  });
  const port = await listen(server);
  return { url: `http://127.0.0.1:${port}/collect`, received, others, close: () => closed(server) };
}

const gzipAtBest = (bytes) => gzipSync(bytes, { level: 9 });

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function listen(server) {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
}

function closed(server) {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}
