// What the wire sees of simulated listeners over weeks, in a headless browser: every request as the browser's network layer names it and as the
// servers receive it. `node tests/wire.mjs --json FILE` with EARS_LISTENERS and EARS_WEEKS runs it at full size.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { executablePath, FLAGS } from './chromium.mjs';
import { makeGateway } from './gateway.mjs';

const root = fileURLToPath(new URL('../', import.meta.url));
/** ISO week in which the listeners begin, counted from Monday 2026-01-05. */
const START = 20;
/** Listeners a call: the page lets go of them in between. */
const BATCH = 25;

/** Every kind of probe, so that each has its part in what leaves. */
function manifest(weeks) {
  const policies = [{ temperature: 0.1 }, { temperature: 0.02, diversity: 0.1 }];
  const shared = (actions) => actions.map((action, i) => ({ ...action, weight: i === 0 ? 65536 - (actions.length - 1) * Math.floor(65536 / actions.length) : Math.floor(65536 / actions.length) }));
  return Buffer.from(JSON.stringify({
    format: 2, epochs: [START, START + weeks], modelVersion: 'wire-1', epsilonIndex: 2, windowMs: 1_800_000,
    probes: [
      { kind: 'card', shelf: 'popular', shelfPosition: 0, cardPosition: 1, questions: ['played_30s', 'how_long'], arms: shared([0, 3, 5].map((i) => ({ card: `popular:${i}` }))) },
      { kind: 'shelf', shelfPosition: 1, questions: ['played_30s'], arms: shared(['fresh', 'focus'].map((shelf) => ({ shelf }))) },
      { kind: 'policy', questions: ['played_30s'], arms: shared(policies.map((policy) => ({ policy }))) },
      { kind: 'training', scale: 0.05, questions: ['played_30s'], arms: shared([1, -1].map((sign) => ({ seed: 7, sign }))) },
      { kind: 'vote', clip: 0.2, questions: ['vote'], arms: shared(policies.map((policy) => ({ policy, block: 'shelves' }))) },
    ],
  }));
}

/** A server that remembers each request as it came: method, path, headers in their order, body. */
async function serve(answer) {
  const seen = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const one = { method: request.method, path: request.url, headers: request.rawHeaders, body: Buffer.concat(chunks) };
      seen.push(one);
      const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'content-type', 'access-control-allow-methods': 'POST', 'access-control-max-age': '7200' };
      if (one.method === 'OPTIONS') response.writeHead(204, cors).end();
      else answer(one, response, cors);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { seen, server, origin: `http://127.0.0.1:${server.address().port}` };
}

/** Runs everything; returns what was seen. */
export async function wire({ listeners, weeks, progress = () => {} }) {
  const gateway = makeGateway();
  const opened = [];
  let served = 0;
  // Every seventh try fails, so that records are sent again.
  const fails = () => ++served % 7 === 0;
  const published = manifest(weeks);
  const app = await serve(({ path: name }, response) => {
    const file = path.posix.normalize(new URL(name, 'http://localhost').pathname);
    if (file === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><meta charset="utf-8"><title>wire</title><link rel="icon" href="data:,">');
    if (file === '/manifest.json') return response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(published);
    if (!/^\/(dist|tests)\//.test(file) || !existsSync(path.join(root, file))) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(path.join(root, file)));
  });
  const collector = await serve((_, response, cors) => response.writeHead(fails() ? 503 : 204, { ...cors, 'set-cookie': 'who=collector' }).end());
  const relay = await serve(({ body }, response, cors) => {
    if (fails()) return response.writeHead(502, cors).end();
    const { message, answer } = gateway.open(body);
    opened.push(message);
    response.writeHead(200, { ...cors, 'content-type': 'message/ohttp-res', 'set-cookie': 'who=relay' }).end(answer(204));
  });
  const { chromium } = await import('playwright-core');
  const profile = mkdtempSync(path.join(os.tmpdir(), 'ears-only-wire-'));
  const context = await chromium.launchPersistentContext(profile, { executablePath, headless: true, args: FLAGS });
  await context.addCookies([collector, relay, app].map(({ origin }) => ({ name: 'who', value: 'listener', url: origin })));
  const asked = [];
  context.on('request', (request) => asked.push({ url: request.url(), method: request.method(), group: current }));
  let current = '';

  const yes = { personalize: true, contribute: true };
  const plain = { url: `${collector.origin}/v1/records`, manifest: `${app.origin}/manifest.json` };
  const hidden = { ...plain, url: 'https://collector.example/v1/records', relay: { url: `${relay.origin}/gateway`, keys: gateway.keys.toString('base64') } };
  const silent = Math.max(2, Math.ceil(listeners / 10));
  const groups = [
    { name: 'through the relay', upload: hidden, consent: yes, count: listeners },
    { name: 'to the collector', upload: plain, consent: yes, count: silent },
    { name: 'without consent', upload: plain, consent: { personalize: true, contribute: false }, count: silent },
    { name: 'without a word on consent', upload: hidden, count: silent },
    { name: 'without personalization', upload: plain, consent: { personalize: false, contribute: true }, count: silent },
    { name: 'with Global Privacy Control', upload: hidden, consent: yes, gpc: true, count: silent },
    { name: 'switched off by the app', upload: plain, consent: yes, allowed: false, count: silent },
  ];
  const found = {};
  for (const { name, count, gpc, ...group } of groups) {
    current = `${name}: loading`;
    const tab = await context.newPage();
    if (gpc) await tab.addInitScript(() => { Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true, configurable: true }); });
    await tab.goto(`${app.origin}/`);
    // Everything that is loaded at any time is loaded before: what comes after is what a listener causes.
    await tab.evaluate("Promise.all(['index', 'contribution', 'wasm-full', 'relay', 'last-order'].map((name) => import(`/dist/${name}.js`)).concat(import('/tests/wire-page.mjs'))).then(() => undefined)");
    current = name;
    const results = [];
    for (let from = 0; from < count; from += BATCH) {
      results.push(...await tab.evaluate(`import('/tests/wire-page.mjs').then(({ simulate }) => simulate(${JSON.stringify({ ...group, start: START, weeks, from, to: Math.min(count, from + BATCH) })}))`));
      progress(`${name}: ${results.length} of ${count} listeners`);
    }
    found[name] = { results, requests: asked.filter((one) => one.group === name) };
    await tab.close();
  }
  await context.close();
  for (const { server } of [app, collector, relay]) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(profile, { recursive: true, force: true });
  return { found, opened, gateway, origins: { app: app.origin, collector: collector.origin, relay: relay.origin }, seen: { app: app.seen, collector: collector.seen, relay: relay.seen } };
}

const distinct = (values) => [...new Set(values)];
const posts = (seen) => seen.filter(({ method }) => method === 'POST');

/** The claims that a run bears out, in the form of docs/results; `pass` says whether each holds. */
export function judge({ found, opened, origins, seen }) {
  const claims = [];
  const claim = (text, value, wanted, pass, numbers = {}) => claims.push({ claim: text, value: String(value), wanted, pass, ...numbers });
  const sending = ['through the relay', 'to the collector'];
  const silent = Object.keys(found).filter((name) => !sending.includes(name));
  const through = posts(seen.relay), direct = posts(seen.collector);
  claim('requests to the relay', through.length, 'at least 1', through.length > 0, { requests: through.length, listeners: found['through the relay'].results.length });
  const list = (values) => values.length > 3 ? `${values.length} different ones` : values.join(' and ');
  const sizes = distinct(through.map(({ body }) => body.length));
  claim('bytes of an encapsulated request', list(sizes), 'one size, at most 320', sizes.length === 1 && sizes[0] <= 320, { bytes: sizes[0] ?? -1 });
  const plain = distinct(direct.map(({ body }) => body.length));
  claim('bytes of a request to the collector itself', list(plain), 'one size, 256', plain.length === 1 && plain[0] === 256, { bytes: plain[0] ?? -1 });
  for (const [name, requests] of [['the relay', through], ['the collector', direct]]) {
    const heads = distinct(requests.map(({ method, path: to, headers }) => JSON.stringify([method, to, headers])));
    claim(`different request lines and headers to ${name}`, heads.length, '1', heads.length === 1, { heads: heads.length });
  }
  const tell = [...seen.relay, ...seen.collector].filter(({ headers }) => headers.some((name, at) => at % 2 === 0 && /^(cookie|referer|authorization)$/i.test(name)));
  claim('requests with a cookie, a referrer or credentials, although cookies were set', tell.length, '0', tell.length === 0);
  for (const name of silent) {
    const { requests, results } = found[name];
    claim(`requests of ${results.length} listeners ${name}`, requests.length, '0', requests.length === 0, { requests: requests.length, listens: results.reduce((sum, { listens }) => sum + listens, 0) });
    const made = results.reduce((sum, { records }) => sum + records.length, 0);
    claim(`records made by listeners ${name}`, made, '0', made === 0);
  }
  const known = { 'through the relay': [origins.app, origins.relay], 'to the collector': [origins.app, origins.collector] };
  const strange = sending.flatMap((name) => found[name].requests.filter(({ url }) => !known[name].includes(new URL(url).origin)));
  claim('requests to any other origin', strange.length, '0', strange.length === 0);
  // Each try of each record is one request, and nothing else is.
  const tries = (name) => found[name].results.flatMap(({ records }) => records).reduce((sum, { attempts }) => sum + attempts, 0);
  const extra = Math.abs(tries('through the relay') - through.length) + Math.abs(tries('to the collector') - direct.length);
  claim('requests that are no try of a record in the outbox', extra, '0', extra === 0);
  const all = sending.flatMap((name) => found[name].results);
  const most = Math.max(...all.map(({ records }) => Math.max(0, ...records.map(({ epoch }) => records.filter((other) => other.epoch > epoch - 4 && other.epoch <= epoch).length))));
  claim('most records of a listener in four weeks', most, 'at most 4', most <= 4, { records: most });
  const weekly = Math.max(...all.map(({ records }) => records.length - new Set(records.map(({ epoch }) => epoch)).size));
  claim('weeks with a second record', weekly, '0', weekly === 0);
  const records = all.flatMap((one) => one.records);
  const nonces = distinct(records.map(({ nonce }) => nonce)).length;
  claim('records whose nonce another has', records.length - nonces, '0', nonces === records.length, { records: records.length });
  const keys = distinct(through.map(({ body }) => body.toString('hex', 7, 39))).length;
  claim('encapsulated requests whose key another has, retries included', through.length - keys, '0', keys === through.length);
  const byNonce = new Map(found['through the relay'].results.flatMap((one) => one.records).map((record) => [record.nonce, record]));
  const wrong = opened.filter(({ content, size, padded, headers }) => {
    const record = byNonce.get(content.toString('hex', 1, 17));
    return content.length !== 33 || content[0] !== 1 || record?.hex !== content.toString('hex', 17) || size !== 256 || !padded || headers !== 0;
  });
  claim('opened messages that hold anything but format, nonce and record', wrong.length, '0', wrong.length === 0 && opened.length > 0, { opened: opened.length });
  const kinds = distinct(records.map(({ kind }) => kind)).sort();
  claim('kinds of probes among the records', kinds.join(', '), 'as measured', true);
  const errors = distinct(Object.values(found).flatMap(({ results }) => results.flatMap((one) => one.errors)).filter((error) => !error.startsWith('send_failed')));
  claim('errors but those of the servers that were made to fail', errors.length === 0 ? 'none' : errors.slice(0, 3).join('; '), 'none', errors.length === 0);
  return claims;
}

/** Size of the run, as the environment has it. */
export const sizeOfRun = () => ({ listeners: Number(process.env.EARS_LISTENERS ?? 5), weeks: Number(process.env.EARS_WEEKS ?? 9) });

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const run = sizeOfRun();
  const began = Date.now();
  const claims = judge(await wire({ ...run, progress: (line) => console.error(line) }));
  for (const { claim, value, wanted, pass } of claims) console.log(`${pass ? 'ok  ' : 'FAIL'} ${claim}: ${value} (wanted: ${wanted})`);
  console.log(`${((Date.now() - began) / 1000).toFixed(0)} s`);
  const at = process.argv.indexOf('--json');
  if (at > 0) writeFileSync(process.argv[at + 1], JSON.stringify({ ...run, claims }));
  process.exit(claims.every(({ pass }) => pass) ? 0 : 1);
}
