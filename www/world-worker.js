// Runs the demo world away from the page. Started from a blob, so that the page's content security policy holds in here as well; before this text
// stands the packed module. The first message has the tables of the catalogue; each other one is a job.
/* global packed */
const DONE = 0;
const MORE = 1;
const REPORT_MS = 60;
let starting;
let world;

onmessage = async ({ data: { id, tables, job, args } }) => {
  try {
    if (tables) {
      starting = start(tables);
      return;
    }
    world ??= await starting;
    const { value, transfer } = JOBS[job](...args, (progress) => postMessage({ id, progress }));
    postMessage({ id, value }, transfer ?? []);
  } catch (error) {
    postMessage({ id, error: error.message });
  }
};

async function start(tables) {
  const { instance: { exports } } = await WebAssembly.instantiate(packed.bytes(), {});
  const text = new TextEncoder().encode(tables.join('\f'));
  const at = exports.room(text.length);
  new Uint8Array(exports.memory.buffer, at, text.length).set(text);
  return exports;
}

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
