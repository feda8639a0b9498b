// Whether memory stays where it is over long lives, in Chromium.
import { App } from './workshop.mjs';

/** What the app is asked, each after a warm-up that fills what is bounded, with the memory before and after. */
export async function soak({ warm, cycles, mounts, homes }) {
  const app = new App('soak', 'soak');
  await app.run(app.bin('esbuild'), 'main.js', '--bundle', '--format=esm', '--outfile=dist/out.js', '--define:process.env.NODE_ENV="development"');
  app.write('dist/index.html', app.read('index.html'));
  return app.opened('dist', undefined, async (tab) => {
    const devtools = await tab.context().newCDPSession(tab);
    const measure = async () => {
      for (let i = 0; i < 3; i++) await devtools.send('HeapProfiler.collectGarbage');
      const { usedSize } = await devtools.send('Runtime.getHeapUsage');
      const [bytes, cores] = await tab.evaluate(() => soak.memory());
      return { heap: usedSize, wasm: bytes, cores };
    };
    const ask = async (what, count) => {
      const began = performance.now();
      const answer = await tab.evaluate(([name, number]) => soak[name](number), [what, count]);
      return { answer, seconds: (performance.now() - began) / 1000 };
    };
    const between = async (what, count, warmUp) => {
      await ask(what, warmUp);
      const start = await measure();
      const { answer, seconds } = await ask(what, count);
      return { count, start, end: await measure(), answer, seconds };
    };
    const ranked = await between('cycles', cycles, warm);
    const mounted = await between('mounts', mounts, Math.ceil(mounts / 2));
    const made = await between('homes', homes, Math.ceil(homes / 2));
    const stored = await tab.evaluate(() => soak.stored());
    return { cycles: ranked, mounts: mounted, homes: made, stored, errors: await tab.evaluate(() => soak.errors) };
  });
}
