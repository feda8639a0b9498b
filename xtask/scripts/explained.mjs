// The reference of the package's interface with what its sources say of each part: a report of API Extractor has the declarations alone.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Takes code of declarations, gives it back with the comments of the sources in `js/src`. */
export function explainer(root) {
  // The compiler that the extractor brings: the package's own has no interface for scripts.
  const extractor = createRequire(path.resolve(root, 'js/package.json')).resolve('@microsoft/api-extractor/package.json');
  const ts = createRequire(extractor)('typescript');
  const parsed = (name, text) => ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const nameOf = (node) => node.name?.getText() ?? node.declarationList?.declarations[0]?.name.getText() ?? (ts.isConstructorDeclaration(node) ? 'constructor' : undefined);
  /** Declarations and their parts, each under its path: `Home.rank`. */
  const each = (nodes, above, visit) => {
    for (const node of nodes) {
      const name = nameOf(node);
      if (name === undefined) continue;
      const place = above === '' ? name : `${above}.${name}`;
      visit(node, place);
      const inner = node.members ?? node.type?.members;
      if (inner) each(inner, place, visit);
    }
  };

  const known = new Map();
  const folder = path.join(root, 'js/src');
  for (const name of readdirSync(folder, { recursive: true }).filter((file) => /(?<!\.d)\.tsx?$/.test(file)).sort()) {
    const source = parsed(name, readFileSync(path.join(folder, name), 'utf8'));
    const isExported = (node) => node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword);
    each(source.statements.filter(isExported), '', (node, place) => {
      const comment = node.jsDoc?.at(-1)?.getText();
      if (comment !== undefined && !known.has(place)) known.set(place, comment);
    });
  }

  return (code) => {
    const source = parsed('report.ts', code);
    const comments = [];
    each(source.statements, '', (node, place) => {
      const comment = known.get(place);
      const start = node.getStart(source);
      // Of several on one line none is told apart.
      const before = code.slice(code.lastIndexOf('\n', start - 1) + 1, start);
      if (comment !== undefined && /^\s*$/.test(before)) comments.push({ start, before, comment });
    });
    let explained = code;
    for (const { start, before, comment } of comments.sort((a, b) => b.start - a.start)) {
      const lines = comment.split('\n').map((line, at) => (at === 0 ? line.trim() : `${before} ${line.trim()}`));
      explained = `${explained.slice(0, start)}${lines.join('\n')}\n${before}${explained.slice(start)}`;
    }
    return explained;
  };
}
