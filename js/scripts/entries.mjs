// The entries beside `.`: each one file that imports the main entry, a framework, or nothing.
import { build } from 'esbuild';

/** Entry by subpath: its module below `build/modules` and `dist`. */
export const ENTRIES = {
  observe: 'observe',
  react: 'adapters/react',
  vue: 'adapters/vue',
  svelte: 'adapters/svelte',
  url: 'url',
  testing: 'testing',
};

/** Builds them from `build/modules` into `dist`. */
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
}
