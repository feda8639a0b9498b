// The public types of each entry as api/NAME.api.md, where reviews see what changes. Fails when they differ; `--write` writes them.
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ENTRIES } from './entries.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const write = process.argv.includes('--write');
mkdirSync(path.join(root, 'api'), { recursive: true });

/** What the extractor may say without harm: it reads ES modules' declarations, and these texts are for people, not for its own documents. */
const QUIET = { logLevel: ExtractorLogLevel.None };
let different = 0;
for (const [entry, module] of Object.entries({ index: 'index', ...ENTRIES })) {
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: path.join(root, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: path.join(root, 'dist', `${module}.d.ts`),
      compiler: { overrideTsconfig: {
        compilerOptions: { target: 'es2022', module: 'nodenext', moduleResolution: 'nodenext', lib: ['es2022', 'dom'], types: [], strict: true, skipLibCheck: true },
        files: [path.join(root, 'dist', `${module}.d.ts`)],
      } },
      apiReport: { enabled: true, reportFolder: path.join(root, 'api'), reportTempFolder: path.join(root, 'build/api'), reportFileName: `${entry}.api.md` },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: { extractorMessageReporting: { default: QUIET }, tsdocMessageReporting: { default: QUIET }, compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } } },
    },
  });
  const said = [];
  const result = Extractor.invoke(config, {
    localBuild: write,
    messageCallback(message) {
      message.handled = true;
      if (message.logLevel === ExtractorLogLevel.Error) said.push(message.text);
    },
  });
  if (said.length > 0) throw new Error(`${entry}: ${said.join('\n')}`);
  const silent = [...readFileSync(path.join(root, 'build/api', `${entry}.api.md`), 'utf8').matchAll(/\(undocumented\)\n(.*)/g)].map(([, line]) => line.trim());
  if (silent.length > 0) throw new Error(`${entry}: without a doc comment: ${silent.join(' ')}`);
  if (result.apiReportChanged && !write) {
    different++;
    console.error(`api/${entry}.api.md no longer says what dist/${module}.d.ts says`);
  }
}
if (different > 0) {
  console.error('look at the difference, and write it down with: npm run api -- --write');
  process.exit(1);
}
