import { open } from './page.js';

import.meta.hot?.data.home?.close();
export const home = open({ storage: undefined, namespace: 'hot' });
if (import.meta.hot) import.meta.hot.data.home = home;
globalThis.homes = [...(globalThis.homes ?? []), home];
