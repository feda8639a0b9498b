// The package `ears-only`: ranks a Home page on the listener's device. Importing it does nothing.
import { HomeRuntime } from './home.js';
import { loadCore } from './load.js';
import { currentPlatform } from './platform.js';
import type { Home, HomeOptions } from './types.js';

/**
 * Makes a Home. Returns at once, also on a server; everything else happens in the background, see `Home.ready`.
 *
 * Make one per profile and keep it for the life of the page. Two at a time are fine (as React's StrictMode makes them):
 * the second one ranks, and writes once the first one is closed.
 */
export function createHome(options: HomeOptions = {}): Home {
  return new HomeRuntime(options, { platform: currentPlatform(), loadCore });
}

export { HomeError } from './errors.js';
export type { HomeErrorCode } from './errors.js';
export type * from './types.js';
