// The entries beside `.`: each one file that imports the main entry, a framework, or nothing.
import { build } from 'esbuild';
import { mkdirSync, writeFileSync } from 'node:fs';

/** Entry by subpath: its module below `build/modules` and `dist`. */
export const ENTRIES = {
  observe: 'observe',
  react: 'adapters/react',
  vue: 'adapters/vue',
  svelte: 'adapters/svelte',
  packed: 'packed',
  url: 'url',
  testing: 'testing',
  transparency: 'transparency',
};

/**
 * Builds them from `build/modules` into `dist`, and for each a folder of its name that leads there: Parcel and TypeScript's older
 * module resolution do not read `exports`.
 */
export async function buildEntries(at) {
  await build({
    entryPoints: Object.values(ENTRIES).map((name) => at('build/modules', `${name}.js`)),
    outbase: at('build/modules'),
    outdir: at('dist'),
    bundle: true,
    // One copy of the main entry, whichever way an app comes to it.
    external: ['./index.js', 'react', 'vue'],
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  for (const [subpath, name] of Object.entries(ENTRIES)) {
    mkdirSync(at(subpath), { recursive: true });
    writeFileSync(at(subpath, 'package.json'), `${JSON.stringify({ type: 'module', main: `../dist/${name}.js`, types: `../dist/${name}.d.ts` }, null, 2)}\n`);
  }
}
