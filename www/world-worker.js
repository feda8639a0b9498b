// Runs the demo world away from the page. Started from a blob, so that the page's content security policy holds in here as well. The page sends the
// compiled module first; then each message is a job.
const DONE = 0;
const MORE = 1;
const REPORT_MS = 60;
let starting;
let world;

onmessage = async ({ data: { id, module, job, args } }) => {
  try {
    if (module) {
      starting = WebAssembly.instantiate(module, {});
      return;
    }
    world ??= (await starting).exports;
    const { value, transfer } = JOBS[job](...args, (progress) => postMessage({ id, progress }));
    postMessage({ id, value }, transfer ?? []);
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};

const bytes = () => new Uint8Array(world.memory.buffer, world.answer(), world.answer_length());
const text = () => JSON.parse(new TextDecoder().decode(bytes()));

function call(name, ...args) {
  const code = world[name](...args);
  if (code !== DONE && code !== MORE) throw new Error(`${name}: ${text()}`);
  return code === MORE;
}

/** Calls `step` until it says that nothing is left, and reports now and then. */
function through(step, report) {
  let last = 0;
  for (let more = true; more;) {
    more = call(step);
    if (more && performance.now() - last > REPORT_MS) {
      report(text());
      last = performance.now();
    }
  }
  return text();
}

const JOBS = {
  portraits(seed, count) {
    call('portraits', seed, count);
    return { value: text() };
  },
  life(seed, number, day, report) {
    call('life_begin', seed, number, day);
    through('life_step', report);
    call('life_snapshot');
    const snapshot = bytes().slice();
    call('life_end');
    return { value: { ...text(), snapshot }, transfer: [snapshot.buffer] };
  },
  month(seed, listeners, days, report) {
    call('month_begin', seed, listeners, days);
    return { value: through('month_step', report) };
  },
  attack(listeners, report) {
    call('attack_begin', listeners);
    const [, outcome] = through('attack_step', ([done]) => report(done));
    return { value: outcome };
  },
};
