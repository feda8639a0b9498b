import { mount } from 'svelte';
import App from './App.svelte';
import { check, open } from './page.js';

const home = open();
const act = {};
home.ready.then(() => {
  mount(App, { target: document.getElementById('root'), props: { home, act } });
  return check({ home, ...act, refresh: () => act.refresh() });
}).then((found) => { globalThis.result = { found }; }, (error) => { globalThis.result = { error: String(error) }; });
