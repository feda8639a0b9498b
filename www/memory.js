// The few things the demo itself remembers. What the listener did lives in the package's own storage.
// `clock` outlives "forget everything": the privacy ledger keeps its dates, and a clock moved back would close it.
// The Home of a simulated listener remembers nothing: its address says all.
import { listener } from './address.js';

const KEY = 'ears-only-demo';
const FRESH = { clockMs: 0, visits: 0, liked: [], followed: [] };
const kept = listener === undefined;

let state = { ...FRESH, ...(kept ? read() : {}) };

export function recall() {
  return state;
}

export function remember(changes) {
  state = { ...state, ...changes };
  if (!kept) return;
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Storage is refused here: the demo then forgets at the next load, as the listener asked.
  }
}

export function forget() {
  const { clockMs } = state;
  state = { ...FRESH, clockMs };
  if (!kept) return;
  try {
    localStorage.removeItem(KEY);
    if (clockMs !== 0) localStorage.setItem(KEY, JSON.stringify({ clockMs }));
  } catch {
    // Nothing was stored.
  }
}

function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return stored && typeof stored === 'object' ? stored : {};
  } catch {
    return {};
  }
}
