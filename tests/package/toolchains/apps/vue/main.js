import { createApp } from 'vue';
import { earsOnly } from 'ears-only/vue';
import App from './App.vue';
import { check, open } from './page.js';

const home = open();
home.ready.then(() => {
  const { rerender, leave, enter, refresh } = createApp(App).use(earsOnly(home)).mount('#root');
  return check({ home, rerender, leave, enter, refresh });
}).then((found) => { globalThis.result = { found }; }, (error) => { globalThis.result = { error: String(error) }; });
