// Runs what the texts say to type for `ears-lab`, as it stands there, in a folder with small files of the names they use. EARS_LAB is the program.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { blocks, text } from './installed.mjs';

const lab = process.env.EARS_LAB;
const skip = lab ? false : 'EARS_LAB does not name the lab';
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const WEEK = 7 * 86_400_000;

const folders = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** An empty folder: files in it, and what a shell there prints, where `ears-lab` is found. */
function desk(files = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'ears-lab-texts-'));
  folders.push(folder);
  const at = (name) => path.join(folder, name);
  for (const [name, content] of Object.entries(files)) writeFileSync(at(name), content);
  const env = { ...process.env, PATH: `${path.dirname(lab ?? '')}${path.delimiter}${process.env.PATH}` };
  return {
    at, env, folder,
    read: (name) => readFileSync(at(name), 'utf8'),
    /** Runs lines until one fails; `codes` are those that do not count as failing. */
    shell(lines, codes = [0]) {
      const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', lines], { cwd: folder, env, encoding: 'utf8' });
      assert.ok(codes.includes(status), `${lines}\nexit code ${status}: ${stdout}${stderr}`);
      return stdout;
    },
  };
}

/** People, two in five of them premium unless they are left out. */
const people = (premium) => ['tier,age', ...Array.from({ length: 3000 }, (_, i) => (i % 5 < 2 ? 'premium' : 'free')).flatMap((tier, i) => (premium || tier === 'free' ? [`${tier},${20 + (i * 7919) % 40}`] : []))].join('\n');

test('docs/delivery.md: keys, a root, a bundle and a channel, published', { skip }, () => {
  const here = desk();
  copyFileSync(path.join(ROOT, 'www/models/linear.bundle'), here.at('model.bundle'));
  const [code, ...more] = blocks(text('docs/delivery.md'), 'sh');
  assert.ok(code && more.length === 0);
  here.shell(code);
  for (const file of ['root.json', '1.root.json', 'channel-stable.json']) assert.ok(existsSync(here.at(`site/${file}`)), file);
  const { payload } = JSON.parse(here.read('site/channel-stable.json'));
  assert.equal(JSON.parse(Buffer.from(payload, 'base64')).rolloutPermille, 1000);
});

test('docs/logs.md: from and to other systems, with the mapping that stands there', { skip }, () => {
  const page = text('docs/logs.md');
  const [mapping] = blocks(page, 'json');
  const { action, position, propensity, reward, words } = JSON.parse(mapping.split('\n```')[0]);
  const lines = [[action, position, propensity, reward, words.ctx_age].join(','), ...Array.from({ length: 400 }, (_, i) => [i % 5, 1 + i % 3, 0.2, Number(i % 7 === 0), i % 2 ? 'old' : 'young'].join(','))];
  const here = desk({ 'mapping.json': mapping, 'clicks.csv': `${lines.join('\n')}\n` });
  assert.match(here.shell(blocks(page, 'sh')[0]), /from-vw\.parquet: 400 rows/);
  const value = (log) => JSON.parse(here.shell(`ears-lab evaluate ${log} --policy logging --json -`)).policies[0].all.estimates[0].value;
  const truth = 58 / 400;
  for (const log of ['log.parquet', 'from-obp.parquet']) assert.ok(Math.abs(value(log) - truth) < 1e-9, `${log}: ${value(log)}, not ${truth}`);
  assert.equal(here.read('log.csv').trim().split('\n').length, 401);
});

test('docs/models.md: the architecture of safetensors', { skip }, () => {
  const [architecture] = blocks(text('docs/models.md'), 'json');
  const tensors = { '0.weight': [3, 2], '0.bias': [3], '2.weight': [1, 3], '2.bias': [1] };
  const header = {};
  let end = 0;
  for (const [name, shape] of Object.entries(tensors)) {
    const bytes = 4 * shape.reduce((a, b) => a * b, 1);
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end += bytes] };
  }
  const head = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  const numbers = Float32Array.from({ length: end / 4 }, (_, i) => Math.sin(i));
  const here = desk({ 'arch.json': architecture, 'net.safetensors': Buffer.concat([length, head, Buffer.from(numbers.buffer)]) });
  here.shell('ears-lab convert net.safetensors --arch arch.json -o net.bundle');
  assert.match(here.shell('ears-lab inspect net.bundle'), /tempo[\s\S]*energy/);
});

test('docs/validation.md: a missing slice, a known finding, schemas', { skip }, () => {
  const page = text('docs/validation.md');
  const here = desk({ 'train.csv': people(false), 'eval.csv': people(true), 'today.csv': people(false) });
  const [[command, ...shown]] = blocks(page, 'console').map((block) => block.trimEnd().split('\n'));
  const said = here.shell(command.replace(/^\$ /, ''), [2]);
  assert.ok(shown.length > 0);
  for (const line of shown) assert.ok(said.includes(line), `${line}\nis not in\n${said}`);
  assert.ok(existsSync(here.at('report.html')));

  // Until its day is over the finding is no alarm; what comes after that is said too.
  const [known] = blocks(page, 'toml');
  writeFileSync(here.at('known.toml'), known.replace(/^until = .*$/m, 'until = "2999-12-31"'));
  here.shell('ears-lab validate train.csv --against eval.csv --suppress known.toml');
  writeFileSync(here.at('known.toml'), known.replace(/^until = .*$/m, 'until = "2020-01-01"'));
  here.shell('ears-lab validate train.csv --against eval.csv --suppress known.toml', [2]);

  const [schemas] = blocks(page, 'sh');
  here.shell('ears-lab validate train.csv --infer-schema old.toml && ears-lab validate eval.csv --infer-schema new.toml && ears-lab schema convert old.toml schema.pbtxt');
  const lines = schemas.trim().split('\n');
  assert.equal(lines.length, 4);
  for (const line of lines) here.shell(line, line.includes('schema diff') ? [1] : [0]);
});

test('www/models/README.md: a small log, and every model from it', { skip }, () => {
  const [code] = blocks(text('www/models/README.md'), 'sh');
  const here = desk();
  // As it stands it takes a hundred listeners.
  here.shell(code.replace('--seeds 2', '--seeds 1').replace('--listeners 100', '--listeners 20'));
  for (const name of ['linear', 'fm', 'trees', 'network']) assert.match(here.shell(`ears-lab inspect ${name}.bundle`), new RegExp(`demo-${name}`));
});

test('docs/collector.md: a collector that listens, bodies from a file, an estimate', { skip }, async () => {
  const manifest = JSON.stringify({ format: 2, epochs: [0, 4095], modelVersion: 'demo-1', epsilonIndex: 2, windowMs: 1_800_000, probes: [{ kind: 'policy', questions: ['played_30s'], arms: [{ name: 'now', policy: {}, weight: 32768 }, { name: 'next', policy: { temperature: 0.1 }, weight: 32768 }] }] });
  // Last week's records, a cell of a thousand for each arm: it is released at the week's end.
  const epoch = Math.floor((Date.now() - Date.UTC(2026, 0, 5)) / WEEK) - 1;
  const id = createHash('sha256').update(manifest).digest().readUInt32BE();
  const record = (arm, symbol) => {
    const fields = [[1, 4], [epoch, 12], [id, 32], [0, 4], [0, 5], [0, 5], [arm, 10], [0, 6], [32768, 16], [2, 3], [symbol, 6], [0, 25]];
    return fields.reduce((bits, [value, width]) => (bits << BigInt(width)) | BigInt(value), 0n);
  };
  const bodies = Array.from({ length: 2400 }, (_, number) => {
    const body = Buffer.alloc(256);
    body[0] = 1;
    body.writeUInt32BE(number, 1);
    body.writeUInt32BE(7, 13);
    Buffer.from(record(number % 2, Number(number % 10 < 4)).toString(16).padStart(32, '0'), 'hex').copy(body, 17);
    return body;
  });
  const here = desk({ 'manifest.json': manifest, 'bodies.bin': Buffer.concat(bodies) });
  const [listens, ...others] = blocks(text('docs/collector.md'), 'sh')[0].trim().split('\n');
  assert.equal(others.length, 2);
  const collector = spawn('sh', ['-c', `exec ${listens.replace('127.0.0.1:8080', '127.0.0.1:0').replace('collected', 'listening')}`], { cwd: here.folder, env: here.env });
  try {
    const line = await new Promise((resolve, reject) => {
      collector.stdout.on('data', (data) => { if (String(data).includes('listening: ')) resolve(String(data)); });
      collector.on('exit', (code) => reject(new Error(`the collector ended with ${code}`)));
    });
    const address = /listening: (\S+?)\/?(records)?\s/.exec(line)[1];
    const { status } = await fetch(new URL('/records', address), { method: 'POST', body: bodies[0] });
    assert.equal(status, 204);
  } finally {
    collector.removeAllListeners('exit');
    collector.kill();
  }
  assert.match(here.shell(others.join('\n')), /next/);
});
