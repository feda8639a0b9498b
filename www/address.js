// What the address of the page decides, so that any state can be linked.
//   ?seed=7                    the same draws on every load; with a listener, the run of the demo world they belong to
//   ?listener=3&step=30        the Home of a simulated listener on the morning of that day
//   ?clock=2026-03-02T07:40Z   a clock that stands still and moves only by what is done in the demo
//   ?collector=URL             who receives the records; without it, `collect` beside this page
//   ?model=NAME                what scores the cards, see models.js
//   #TAB                       which tab is open

const query = new URLSearchParams(location.search);

const whole = (name) => {
  const text = query.get(name);
  const number = Number(text);
  return text !== null && text !== '' && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
};

export const seed = whole('seed');

/** Listeners of a run, and the most days that are lived for a link. */
export const LISTENERS = 200;
const MOST_DAYS = 365;

const number = whole('listener');
/** The simulated listener that is looked at, or nothing. */
export const listener = number !== undefined && number < LISTENERS ? number : undefined;
export const step = Math.min(whole('step') ?? 0, MOST_DAYS);
/** The run of the demo world. */
export const world = seed !== undefined && seed < 2 ** 20 ? seed : 1;

export const model = query.get('model') ?? '';

const fixed = Date.parse(query.get('clock') ?? '');
export const fixedClock = Number.isNaN(fixed) ? undefined : fixed;

export const collector = receiver();

function receiver() {
  const beside = new URL('collect', document.baseURI);
  const named = query.get('collector');
  if (!named) return beside;
  try {
    const url = new URL(named, document.baseURI);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : beside;
  } catch {
    return beside;
  }
}

/** This page's address with other parameters; `undefined` takes one away. */
export function addressWith(changes, hash = location.hash) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  url.hash = hash;
  return url;
}
