import { createHome } from 'ears-only/url';
import { transcript } from './scenario.js';

transcript(createHome).then((lines) => {
  const files = performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => new URL(name).pathname.endsWith('.wasm'));
  if (files.length === 0) throw new Error('expected the compiled core as a file of its own, found none fetched');
  globalThis.result = { lines };
}).catch((error) => { globalThis.result = { error: String(error) }; });
