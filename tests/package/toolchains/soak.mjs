// Whether memory stays where it is over long lives, in Chromium.
import { App } from './workshop.mjs';

/**
 * Bytes of all JavaScript objects in a heap snapshot. Beside them the heap holds what V8 compiles: it grows for some hundred calls of what an
 * app does once, and would hide a leak or look like one.
 */
function objects(snapshot) {
  const { snapshot: { meta: { node_fields: fields, node_types: [types] } }, nodes } = JSON.parse(snapshot);
  const [type, size] = ['type', 'self_size'].map((name) => fields.indexOf(name));
  let bytes = 0;
  for (let at = 0; at < nodes.length; at += fields.length) if (!['code', 'native', 'hidden'].includes(types[nodes[at + type]])) bytes += nodes[at + size];
  return bytes;
}

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
      const chunks = [];
      const add = ({ chunk }) => chunks.push(chunk);
      devtools.on('HeapProfiler.addHeapSnapshotChunk', add);
      await devtools.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
      devtools.off('HeapProfiler.addHeapSnapshotChunk', add);
      return { heap: usedSize, objects: objects(chunks.join('')), wasm: bytes, cores };
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
    // V8 compiles what makes a Home until some nine hundred were made.
    const made = await between('homes', homes, homes);
    const stored = await tab.evaluate(() => soak.stored());
    return { cycles: ranked, mounts: mounted, homes: made, stored, errors: await tab.evaluate(() => soak.errors) };
  });
}
