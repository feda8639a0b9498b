// Packs the package and checks the tarball: publint (strict) and are-the-types-wrong (ESM only).
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ENTRIES } from './entries.mjs';
import { fingerprint } from './notices.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(path.join(os.tmpdir(), 'ears-only-'));
const bin = (name) => path.join(root, 'node_modules/.bin', name);
const run = (command, ...values) => execFileSync(command, values, { cwd: root, stdio: 'inherit' });

/** Packs into a folder of this name; what was packed. */
function pack(name) {
  const into = path.join(folder, name);
  mkdirSync(into);
  const listing = JSON.parse(execFileSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', into], { cwd: root, encoding: 'utf8' }));
  const [packed] = Array.isArray(listing) ? listing : Object.values(listing);
  return { ...packed, tarball: path.join(into, packed.filename) };
}

// The same sources give the same bytes, whenever they are built and packed.
const before = pack('before');
const built = fingerprint(path.join(root, 'dist'));
run(process.execPath, path.join(root, 'scripts/build.mjs'));
if (fingerprint(path.join(root, 'dist')) !== built) throw new Error('dist/ changed when it was built again from the same sources');

// What the types say is written down and documented.
run(process.execPath, path.join(root, 'scripts/api-report.mjs'));

try {
  const packed = pack('after');
  const { tarball } = packed;
  if (!readFileSync(tarball).equals(readFileSync(before.tarball))) throw new Error('the tarball changed when it was packed again from the same sources');
  const files = packed.files.map((file) => file.path).sort();
  const entries = Object.entries(ENTRIES).flatMap(([subpath, name]) => [`${subpath}/package.json`, `dist/${name}.js`, `dist/${name}.d.ts`]);
  for (const needed of [...entries, 'dist/index.js', 'dist/index.js.map', 'dist/index.d.ts', 'dist/core_bg.wasm', 'dist/THIRD-PARTY.txt', 'dist/sbom.cdx.json', 'LICENSE-MIT', 'LICENSE-APACHE', 'README.md']) {
    if (!files.includes(needed)) throw new Error(`${needed} is missing from the package; it holds ${files.join(', ')}`);
  }
  run(bin('publint'), 'run', tarball, '--strict');
  run(bin('attw'), tarball, '--no-definitely-typed', '--profile', 'esm-only', '--exclude-entrypoints', './core_bg.wasm');
  const lock = readFileSync(path.join(root, 'package-lock.json'), 'utf8');
  if (/"resolved"/.test(lock)) throw new Error('package-lock.json names the registry it was made with: run npm install with the .npmrc of this folder');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
