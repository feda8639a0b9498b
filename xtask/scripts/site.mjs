// Makes the documentation: `node site.mjs REPOSITORY OUT`. One page for each text, with a list of all, a search that runs in the browser, and a page of results
// made from docs/results. Every link and every image must lead somewhere; a broken one is an error. Plain files with relative links, for any static host.
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import MiniSearch from 'minisearch';
import { Marked } from 'marked';
import { explainer } from './explained.mjs';

const [root, out] = process.argv.slice(2);

const SECTIONS = [
  ['Start', ['README.md', 'docs/guides/README.md', 'docs/faq.md']],
  ['Guides', ['docs/guides/plain-page.md', 'docs/guides/react.md', 'docs/guides/vue.md', 'docs/guides/svelte.md', 'docs/guides/packed.md', 'docs/guides/server-rendering.md', 'docs/guides/webviews.md', 'docs/guides/csp.md', 'docs/guides/consent.md', 'docs/guides/testing.md', 'docs/guides/migrating.md']],
  ['Concepts', ['docs/bandits.md', 'docs/evaluation.md', 'docs/privacy.md', 'docs/worlds.md', 'docs/design.md', 'docs/performance.md']],
  ['Formats and tools', ['docs/models.md', 'docs/training.md', 'docs/validation.md', 'docs/logs.md', 'docs/bundle.md', 'docs/delivery.md', 'docs/collector.md']],
];
const TITLES = { 'README.md': 'Ears Only', 'docs/guides/README.md': 'Which guide?', 'docs/bandits.md': 'Bandits and propensities', 'docs/evaluation.md': 'Counterfactual evaluation', 'docs/privacy.md': 'Privacy' };

const read = (file) => readFileSync(path.join(root, file), 'utf8');
const escape = (text) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);
const slug = (text) => text.toLowerCase().replace(/<[^>]*>/g, '').replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');

// Texts that no section names come last, so that a new one is never lost.
const listed = new Set(SECTIONS.flatMap(([, files]) => files));
const others = ['docs', 'docs/guides'].flatMap((folder) => readdirSync(path.join(root, folder)).filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`)).filter((file) => !listed.has(file));
if (others.length > 0) SECTIONS.push(['More', others]);

/** Where a text's page goes, from the top of the site. */
const placeOf = (file) => (file === 'README.md' ? 'index.html' : file.replace(/^docs\//, '').replace(/README\.md$/, 'index.md').replace(/\.md$/, '.html'));
const pages = new Map();
for (const [section, files] of SECTIONS) {
  for (const file of files) {
    if (!existsSync(path.join(root, file))) throw new Error(`expected ${file}, which the list of the documentation names`);
    pages.set(file, { file, section, place: placeOf(file), text: read(file) });
  }
}
const explain = explainer(root);
pages.set('results', { file: 'results', section: 'Reference', place: 'results.html', text: results() });
for (const name of readdirSync(path.join(root, 'js/api')).filter((name) => name.endsWith('.api.md')).sort()) {
  const part = name.replace('.api.md', '');
  pages.set(`js/api/${name}`, { file: `js/api/${name}`, section: 'Reference', place: `api/${part}.html`, text: api(part, read(`js/api/${name}`)) });
}

const problems = [];
const documents = [];
for (const page of pages.values()) render(page);
for (const page of pages.values()) resolve(page);
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

mkdirSync(out, { recursive: true });
for (const page of pages.values()) {
  const file = path.join(out, page.place);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, framed(page));
}
const search = new MiniSearch({ fields: ['title', 'heading', 'text'], storeFields: ['title', 'heading', 'place'] });
search.addAll(documents);
writeFileSync(path.join(out, 'search.json'), JSON.stringify(search));
const own = path.join(root, 'xtask/site');
for (const name of readdirSync(own)) copyFileSync(path.join(own, name), path.join(out, name));
copyFileSync(path.join(root, 'xtask/node_modules/minisearch/dist/es/index.js'), path.join(out, 'minisearch.js'));
mkdirSync(path.join(out, 'font'), { recursive: true });
for (const name of readdirSync(path.join(root, 'www/font'))) copyFileSync(path.join(root, 'www/font', name), path.join(out, 'font', name));
copyFileSync(path.join(root, 'www/icon.svg'), path.join(out, 'icon.svg'));
for (const name of readdirSync(path.join(root, 'docs/results')).filter((name) => /\.(json|svg)$/.test(name))) {
  mkdirSync(path.join(out, 'results'), { recursive: true });
  copyFileSync(path.join(root, 'docs/results', name), path.join(out, 'results', name));
}
copyFileSync(path.join(root, 'docs/bundle.schema.json'), path.join(out, 'bundle.schema.json'));
console.log(`${pages.size} pages in ${out}`);

function render(page) {
  page.links = [];
  page.anchors = new Set();
  page.headings = [];
  let heading = '';
  let part = [];
  const flush = () => {
    const text = part.join(' ').replace(/\s+/g, ' ').trim();
    if (text) documents.push({ id: documents.length, title: page.title ?? '', heading, place: page.place + (heading ? `#${slug(heading)}` : ''), text });
    part = [];
  };
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth }) {
        const text = this.parser.parseInline(tokens);
        const bare = text.replace(/<[^>]*>/g, '');
        let id = slug(bare);
        for (let turn = 1; page.anchors.has(id); turn += 1) id = `${slug(bare)}-${turn}`;
        page.anchors.add(id);
        if (depth === 1) page.title ??= TITLES[page.file] ?? bare;
        if (depth === 2) page.headings.push({ id, text: bare });
        return `<h${depth} id="${id}">${text}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens);
        if (/^[a-z]+:/i.test(href)) return `<a href="${escape(href)}" rel="noreferrer">${text}</a>`;
        page.links.push(href);
        const to = target(page, href);
        return to === undefined ? `<span class="source" title="${escape(href)}">${text}</span>` : `<a href="${escape(to)}">${text}</a>`;
      },
      image({ href, text }) {
        const to = target(page, href);
        // Whether the file is there, `resolve` says.
        if (to === undefined) problems.push(`${page.file}: expected an image of docs/results, found ${href}`);
        else page.links.push(href);
        return `<img src="${escape(to ?? '')}" alt="${escape(text)}" loading="lazy">`;
      },
      table({ header, rows }) {
        const cells = (row, name) => row.map((cell) => `<${name}>${this.parser.parseInline(cell.tokens)}</${name}>`).join('');
        return `<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead><tr>${cells(header, 'th')}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')}</tbody></table></div>\n`;
      },
      code({ text }) {
        return `<pre tabindex="0"><code>${escape(text)}</code></pre>\n`;
      },
    },
  });
  // The markers of quoted numbers are comments; a browser shows none, the search should not either.
  const text = page.text.replace(/<!--.*?-->/gs, '');
  page.title = TITLES[page.file] ?? /^# (.*)$/m.exec(text)?.[1] ?? page.file;
  for (const token of marked.lexer(text)) {
    if (token.type === 'heading') {
      flush();
      heading = token.depth === 1 ? '' : token.text.replace(/[`*]/g, '');
    } else if (token.type !== 'space') {
      part.push(token.raw);
    }
  }
  flush();
  page.html = marked.parse(text);
}

/** The address of a link's page, from the page that it stands on; nothing for a file that is no page. */
function target(page, href) {
  const [name, anchor] = href.split('#');
  if (name === '') return href;
  const file = path.posix.normalize(path.posix.join(path.posix.dirname(page.file), name));
  const found = pages.get(file) ?? pages.get(path.posix.join(file, 'README.md'));
  const to = found?.place ?? (/^docs\/(results\/[\w-]+\.(json|svg)|bundle\.schema\.json)$/.test(file) ? file.replace('docs/', '') : undefined);
  return to === undefined ? undefined : path.posix.relative(path.posix.dirname(page.place), to) + (anchor ? `#${anchor}` : '');
}

function resolve(page) {
  for (const href of page.links) {
    const [name, anchor] = href.split('#');
    const file = name === '' ? page.file : path.posix.normalize(path.posix.join(path.posix.dirname(page.file), name));
    const found = pages.get(file) ?? pages.get(path.posix.join(file, 'README.md'));
    if (!found && !existsSync(path.join(root, file))) problems.push(`${page.file}: ${href} leads nowhere`);
    else if (found && anchor && !found.anchors.has(anchor)) problems.push(`${page.file}: ${href}: no such heading in ${found.file}`);
  }
}

function results() {
  const folder = path.join(root, 'docs/results');
  const parts = ['# Results', '', 'What was measured, and what was wanted. Each table is a file that its command writes; the other pages quote it, and a check compares them.', ''];
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.json')).sort()) {
    const { command, date, claims, ...record } = JSON.parse(readFileSync(path.join(folder, name), 'utf8'));
    const cell = (text) => String(text).replace(/\|/g, '\\|').replace(/</g, '&lt;').replace(/\n/g, ' ');
    parts.push(`## ${record.name}`, '', `\`${command}\`, ${date}. The file: [${name}](docs/results/${name}).`, '', '| claim | value | wanted | |', '|---|---|---|---|', ...claims.map(({ claim, value, wanted, pass }) => `| ${cell(claim)} | ${cell(value)} | ${cell(wanted)} | ${pass ? 'yes' : 'no'} |`), '');
  }
  return parts.join('\n');
}

function api(part, text) {
  const code = /```ts\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const name = part === 'index' ? 'ears-only' : `ears-only/${part}`;
  return `# ${name}\n\nAll that \`${name}\` exports, as the check of the package's interface keeps it.\n\n\`\`\`ts\n${explain(code.replace(/^\/\/ @.*\n/gm, '').replace(/\n{3,}/g, '\n\n').trim())}\n\`\`\`\n`;
}

function framed(page) {
  const up = (to) => path.posix.relative(path.posix.dirname(page.place), to) || path.posix.basename(to);
  const list = [...new Set([...pages.values()].map(({ section }) => section))].map((section) => `<h2>${escape(section)}</h2><ul>${[...pages.values()].filter((other) => other.section === section)
    .map((other) => `<li><a href="${up(other.place)}"${other === page ? ' aria-current="page"' : ''}>${escape(other.title)}</a></li>`).join('')}</ul>`).join('');
  const toc = page.headings.length < 3 ? '' : `<nav class="toc" aria-label="On this page"><h2>On this page</h2><ul>${page.headings.map(({ id, text }) => `<li><a href="#${id}">${text}</a></li>`).join('')}</ul></nav>`;
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="referrer" content="no-referrer">
  <title>${escape(page.title)}${page.file === 'README.md' ? '' : ' · Ears Only'}</title>
  <link rel="icon" href="${up('icon.svg')}" type="image/svg+xml">
  <link rel="stylesheet" href="${up('site.css')}">
  <script type="module" src="${up('site.js')}"></script>
</head>
<body data-top="${up('index.html').replace('index.html', '')}">
  <a class="skip-link" href="#text">Skip to the text</a>
  <header class="top">
    <a class="brand" href="${up('index.html')}"><img src="${up('icon.svg')}" width="28" height="28" alt=""> Ears Only</a>
    <a class="demo" href="${up('../index.html')}">Demo</a>
    <div class="search"><label class="visually-hidden" for="search">Search the documentation</label><input id="search" type="search" placeholder="Search" autocomplete="off" aria-controls="found"><ul id="found" hidden></ul></div>
  </header>
  <div class="frame">
    <details class="list" open><summary>All pages</summary><nav aria-label="All pages">${list}</nav></details>
    <main id="text" tabindex="-1">
${page.html}
    </main>
    ${toc}
  </div>
</body>
</html>
`;
}
