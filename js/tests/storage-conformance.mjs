// What every storage adapter must do. Run by the memory adapter and by the IndexedDB adapter; no imports, so that a
// browser can run it too. `open(name)` opens the storage of that name; the same name twice sees the same data when
// `persistent`.
export function storageConformance(open, { persistent }) {
  const bytes = (...values) => Uint8Array.from(values);
  const equal = (found, expected, what) => {
    const a = found && [...found].join();
    const b = expected && [...expected].join();
    if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
  };
  const cases = {
    async 'a key that was never written is undefined'(s) {
      equal(await s.get('nothing'), undefined, 'get');
    },
    async 'get gives what the last put stored'(s) {
      await s.put('a', bytes(1, 2, 3), 'relaxed');
      await s.put('a', bytes(4), 'strict');
      equal(await s.get('a'), bytes(4), 'get');
    },
    async 'an empty value is a value'(s) {
      await s.put('empty', bytes(), 'strict');
      equal(await s.get('empty'), bytes(), 'get');
    },
    async 'two megabytes come back whole'(s) {
      const large = Uint8Array.from({ length: 2 << 20 }, (_, i) => (i * 31) & 255);
      await s.put('large', large, 'relaxed');
      const found = await s.get('large');
      if (found.length !== large.length || !found.every((value, i) => value === large[i])) throw new Error('large value changed');
    },
    async 'stored bytes do not follow the buffer they came from'(s) {
      const buffer = new Uint8Array(8).fill(7);
      const view = buffer.subarray(2, 4);
      const stored = s.put('view', view, 'strict');
      await stored;
      buffer.fill(9);
      const found = await s.get('view');
      equal(found, bytes(7, 7), 'get');
      found.fill(1);
      equal(await s.get('view'), bytes(7, 7), 'get again');
    },
    async 'delete forgets one key, and a missing one quietly'(s) {
      await s.put('a', bytes(1), 'relaxed');
      await s.put('b', bytes(2), 'relaxed');
      await s.delete('a');
      await s.delete('a');
      equal(await s.get('a'), undefined, 'a');
      equal(await s.get('b'), bytes(2), 'b');
    },
    async 'clear forgets a prefix and nothing else'(s) {
      for (const key of ['p/', 'p/a', 'p/ÿ', 'p/\uffee', 'p', 'q/a', 'o/p/a', 'p0']) await s.put(key, bytes(1), 'relaxed');
      await s.clear('p/');
      for (const key of ['p/', 'p/a', 'p/ÿ', 'p/\uffee']) equal(await s.get(key), undefined, key);
      for (const key of ['p', 'q/a', 'o/p/a', 'p0']) equal(await s.get(key), bytes(1), key);
    },
    async 'writes end in the order they were asked for'(s) {
      await Promise.all([1, 2, 3, 4].map((value) => s.put('order', bytes(value), 'relaxed')));
      equal(await s.get('order'), bytes(4), 'get');
    },
  };
  if (persistent) {
    cases['what was written is there after closing and opening'] = async (s, name) => {
      await s.put('kept', bytes(1, 2), 'strict');
      s.close();
      const again = await open(name);
      equal(await again.get('kept'), bytes(1, 2), 'get');
      again.close();
    };
    cases['a closed storage rejects instead of hanging'] = async (s) => {
      s.close();
      for (const work of [() => s.get('a'), () => s.put('a', bytes(1), 'strict'), () => s.delete('a'), () => s.clear('a')]) {
        let rejected = false;
        await work().catch(() => { rejected = true; });
        if (!rejected) throw new Error('expected a rejection');
      }
    };
  }
  return Object.entries(cases).map(([title, run], index) => ({
    title,
    async run() {
      const name = `conformance-${index}`;
      const storage = await open(name);
      await run(storage, name);
      storage.close?.();
    },
  }));
}
