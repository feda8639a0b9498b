// The package with the compiled core as a file of its own, which a browser can cache and compile while it arrives. Needs a
// bundler that knows `new URL(..., import.meta.url)`, or none, and `connect-src 'self'` in a Content-Security-Policy.
import { createHome as create } from './index.js';
import type { Home, HomeOptions } from './types.js';

/** Makes a Home like `createHome` of `ears-only`, but fetches `core_bg.wasm` from beside this module. */
export function createHome(options: HomeOptions = {}): Home {
  return create({ wasm: new URL('./core_bg.wasm', import.meta.url), ...options });
}

export { HomeError } from './index.js';
export type { HomeErrorCode } from './errors.js';
export type * from './types.js';
