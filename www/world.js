// The demo world: simulated listeners with a known truth, in a worker. Loaded when it is first asked for.
import { tables } from './catalogue.js';

let parts;
let worker;
let jobs = new Map();
let count = 0;

/** Ended before it was done. */
export class Cancelled extends Error {}

/** What the first `many` listeners of a seed like, by the truth of their world. */
export const portraits = (seed, many) => ask('portraits', [seed, many]);

/** A listener's life until the morning of `day`: its days, the page that is sent then, and what the device has stored. */
export const life = (seed, listener, day, options) => ask('life', [seed, listener, day], options);

/** A month of many listeners under each policy. `signal` ends it early, `onProgress` gets the figures so far. */
export const month = (seed, { listeners = 200, days = 30, ...options } = {}) => ask('month', [seed, listeners, days], options);

/** Attacks on what `listeners` listeners would upload. `onProgress` gets how many have lived their week. */
export const attack = (listeners, options) => ask('attack', [listeners], options);

async function ask(job, args, { onProgress, signal } = {}) {
  await ready();
  if (signal?.aborted) throw new Cancelled('cancelled');
  return new Promise((resolve, reject) => {
    const id = count += 1;
    jobs.set(id, { resolve, reject, onProgress });
    signal?.addEventListener('abort', () => {
      if (jobs.has(id)) stop(new Cancelled('cancelled'));
    }, { once: true });
    worker.postMessage({ id, job, args });
  });
}

async function ready() {
  parts ??= Promise.all([tables(), ...['built/world.js', 'world-worker.js'].map((name) => fetch(new URL(name, document.baseURI)).then(checked).then((response) => response.text()))]);
  const [texts, packed, source] = await parts.catch((error) => {
    parts = undefined;
    throw error;
  });
  if (worker) return;
  // From a blob the worker inherits the policy of the page; from a file of its own it would have none.
  const url = URL.createObjectURL(new Blob([packed, source], { type: 'text/javascript' }));
  worker = new Worker(url);
  worker.addEventListener('message', ({ data }) => settle(data));
  worker.addEventListener('error', (event) => stop(new Error(event.message || 'the worker stopped')));
  worker.postMessage({ tables: ['families', 'artists', 'albums', 'podcasts'].map((name) => texts[name]) });
}

function checked(response) {
  if (!response.ok) throw new Error(`expected ${new URL(response.url).pathname}, found status ${response.status}`);
  return response;
}

function settle({ id, progress, value, error }) {
  const job = jobs.get(id);
  if (!job) return;
  if (progress !== undefined) {
    job.onProgress?.(progress);
    return;
  }
  jobs.delete(id);
  if (error !== undefined) job.reject(new Error(error));
  else job.resolve(value);
}

/** Ends the worker and all that it was doing. */
function stop(reason) {
  worker?.terminate();
  worker = undefined;
  const left = jobs;
  jobs = new Map();
  for (const { reject } of left.values()) reject(reason);
}
