// Serves the built package and the pages that try it, under the policy that the address asks for.
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
/** What is reachable, by the first words of an address. */
const FOLDERS = { '/js/': 'js/', '/tests/package/toolchains/apps/shared/': 'tests/package/toolchains/apps/shared/', '/tests/package/engines/pages/': 'tests/package/engines/pages/', '/bundles/': 'tests/golden/bundles/' };
export const POLICIES = {
  none: '',
  strict: "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'",
  blocked: "default-src 'none'; script-src 'self'",
};
const IMPORT_MAP = '<script type="importmap">{"imports":{"idb-keyval":"/js/node_modules/idb-keyval/dist/index.js"}}</script>';

/** Starts; `address(policy)` is a page with `globalThis.suite`. */
export async function startSite() {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    if (pathname === '/') {
      const policy = POLICIES[searchParams.get('policy')];
      if (policy) response.setHeader('content-security-policy', policy);
      response.setHeader('content-type', 'text/html');
      response.end(`<!doctype html><meta charset="utf-8"><title>${searchParams.get('policy')}</title>${policy ? '' : IMPORT_MAP}<body><script type="module" src="/tests/package/engines/pages/suite.js"></script>`);
      return;
    }
    const prefix = Object.keys(FOLDERS).find((start) => pathname.startsWith(start));
    const file = prefix && path.join(root, FOLDERS[prefix], path.posix.normalize(`/${pathname.slice(prefix.length)}`));
    if (!file || !existsSync(file)) response.writeHead(404).end();
    else response.setHeader('content-type', 'text/javascript').end(readFileSync(file));
  });
  await new Promise((listening) => { server.listen(0, '127.0.0.1', listening); });
  const origin = `http://127.0.0.1:${server.address().port}`;
  return { address: (policy = 'none') => `${origin}/?policy=${policy}`, close: () => { server.closeAllConnections(); server.close(); } };
}
