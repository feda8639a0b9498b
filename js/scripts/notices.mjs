// Who else's work is in dist/: the licence texts (THIRD-PARTY.txt) and a bill of materials (CycloneDX 1.5), from the lock file and the
// sources that were compiled. Nothing in either depends on the machine or the day.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What is compiled into dist, by the crate it starts from. */
const COMPILED = { 'ears-only': 'the compiled core', 'ears-verify': 'verify-inline.js', 'ears-relay': 'relay.js' };

/** The crates compiled into the package, without those that only run at build time. */
function crates(root) {
  const metadata = JSON.parse(execFileSync('cargo', ['metadata', '--format-version', '1', '--filter-platform', 'wasm32-unknown-unknown'], {
    cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'],
  }));
  const packages = new Map(metadata.packages.map((one) => [one.id, one]));
  const edges = new Map(metadata.resolve.nodes.map(({ id, deps }) => [id, deps]));
  const runsAtBuild = (id) => packages.get(id).targets.some(({ kind }) => kind.includes('proc-macro'));
  const found = new Map();
  for (const [name, where] of Object.entries(COMPILED)) {
    const open = metadata.packages.filter((one) => one.name === name && one.source === null).map(({ id }) => id);
    if (open.length !== 1) throw new Error(`expected one crate ${name} in the workspace, got ${open.length}`);
    for (const seen = new Set(); open.length > 0;) {
      const id = open.pop();
      if (seen.has(id)) continue;
      seen.add(id);
      const { source } = packages.get(id);
      if (source !== null) found.set(id, { ...packages.get(id), where: [...(found.get(id)?.where ?? []), where] });
      for (const { pkg, dep_kinds: kinds } of edges.get(id)) if (kinds.some(({ kind }) => kind === null) && !runsAtBuild(pkg)) open.push(pkg);
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

/** The licence texts that come with a package: the MIT one where the licensee may choose, else all. */
function texts(folder, licence) {
  const files = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).sort();
  const mit = /\bMIT\b/.test(licence) && !/\bAND\b/.test(licence) ? files.filter((name) => /mit/i.test(name)) : [];
  return (mit.length > 0 ? mit : files).map((name) => readFileSync(path.join(folder, name), 'utf8').replaceAll('\r\n', '\n').trim());
}

/** `{ notices, bill }`, both as text. */
export function thirdParties(root, js) {
  const idb = JSON.parse(readFileSync(path.join(js, 'node_modules/idb-keyval/package.json'), 'utf8'));
  const compiled = crates(root);
  // After cargo, which writes the lock file where it is missing.
  const lock = readFileSync(path.join(root, 'Cargo.lock'), 'utf8');
  const checksum = ({ name, version }) => new RegExp(`name = "${name}"\\nversion = "${version.replaceAll('.', '\\.').replaceAll('+', '\\+')}"\\nsource = .*\\nchecksum = "([0-9a-f]{64})"`).exec(lock)?.[1];
  const components = [
    { name: idb.name, version: idb.version, license: idb.license, where: ['index.js'], purl: `pkg:npm/${idb.name}@${idb.version}`, folder: path.join(js, 'node_modules/idb-keyval') },
    ...compiled.map((one) => ({
      name: one.name, version: one.version, license: one.license.replaceAll('/', ' OR '), where: one.where, authors: one.authors,
      purl: `pkg:cargo/${one.name}@${one.version}`, folder: path.dirname(one.manifest_path), sha256: checksum(one),
    })),
  ];
  const byText = new Map();
  for (const one of components) {
    const found = texts(one.folder, one.license);
    if (found.length === 0) found.push(`${one.license}, by ${one.authors.join(', ')}. The package carries no licence text.`);
    for (const text of found) byText.set(text, [...(byText.get(text) ?? []), one]);
  }
  const notices = [...byText].map(([text, of]) =>
    `${of.map(({ name, version, license, where }) => `${name} ${version} (${license}) in ${where.join(' and ')}`).join('\n')}\n\n${text}\n`).join(`\n${'-'.repeat(80)}\n\n`);
  const { name, version, license } = JSON.parse(readFileSync(path.join(js, 'package.json'), 'utf8'));
  const bill = {
    bomFormat: 'CycloneDX', specVersion: '1.5', version: 1,
    metadata: { component: { 'bom-ref': `pkg:npm/${name}@${version}`, type: 'library', name, version, licenses: [{ expression: license }], purl: `pkg:npm/${name}@${version}` } },
    components: components.map((one) => ({
      'bom-ref': one.purl, type: 'library', name: one.name, version: one.version, licenses: [{ expression: one.license }], purl: one.purl,
      ...(one.sha256 ? { hashes: [{ alg: 'SHA-256', content: one.sha256 }] } : {}),
    })),
    dependencies: [{ ref: `pkg:npm/${name}@${version}`, dependsOn: components.map(({ purl }) => purl) }],
  };
  return { notices: `dist/ contains, beside this project's own code:\n\n${notices}`, bill: `${JSON.stringify(bill, null, 1)}\n` };
}

/** A hash over names and bytes of everything below a folder. */
export function fingerprint(folder) {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => path.join(one.parentPath, one.name)).sort()) {
    hash.update(`${path.relative(folder, name)}\0`).update(readFileSync(name));
  }
  return hash.digest('hex');
}
