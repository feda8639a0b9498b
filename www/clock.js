// The demo's clock: real time plus what was fast-forwarded, or the still clock named in the address.
// The demo world lives in UTC.
import { fixedClock, listener } from './address.js';
import { recall, remember } from './memory.js';

export const DAY = 86_400_000;

let base = fixedClock;

/** Lets the clock stand at `ms` until it is moved: where a simulated listener's visit begins. */
export function setClock(ms) {
  base = ms;
}

export function now() {
  return (base ?? Date.now()) + recall().clockMs;
}

export function moveClock(ms) {
  remember({ clockMs: recall().clockMs + ms });
}

export function greeting() {
  const hour = listener === undefined ? new Date(now()).getHours() : new Date(now()).getUTCHours();
  if (hour < 5) return 'Still up?';
  if (hour < 12) return 'Good morning';
  if (hour < 18) return 'Good afternoon';
  return 'Good evening';
}

const DATE = { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' };
const MOMENT = { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' };
const formats = new Map();

/** Made when it is first needed: the first one takes as long as drawing a page. */
function format(ms, parts) {
  if (!formats.has(parts)) formats.set(parts, new Intl.DateTimeFormat('en-GB', parts));
  return formats.get(parts).format(ms);
}

export const formatDate = (ms) => format(ms, DATE);
export const formatMoment = (ms) => format(ms, MOMENT);
