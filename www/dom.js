// Elements in one expression. Attributes never carry inline styles: the page's policy refuses them.

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'data') Object.assign(element.dataset, value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

const LIVE = () => document.getElementById('live');

/** Says `text` to a screen reader without moving its focus. */
export function announce(text) {
  const live = LIVE();
  live.textContent = '';
  live.textContent = text;
}

/** A horizontal bar of `share` (0 to 1); a table or a figure beside it carries the number. */
export function bar(share, kind = '') {
  const fill = h('span', { class: 'bar-fill' });
  fill.style.width = `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`;
  return h('span', { class: `bar ${kind}`.trim(), 'aria-hidden': 'true' }, fill);
}

export function percent(probability) {
  if (!Number.isFinite(probability)) return '–';
  if (probability >= 0.9995) return '100 %';
  if (probability < 0.0005) return '< 0.1 %';
  return `${(probability * 100).toFixed(probability < 0.1 ? 1 : 0)} %`;
}

export function figure(value, digits = 3) {
  return Number.isFinite(value) ? value.toFixed(digits).replace('-', '−') : '–';
}

/** Lets the browser draw what is there; where nothing is drawn, as in a tab behind another, it does not wait for long. */
export function drawn() {
  return new Promise((resolve) => {
    const soon = () => setTimeout(resolve);
    const late = setTimeout(resolve, 50);
    requestAnimationFrame(() => {
      clearTimeout(late);
      soon();
    });
  });
}

/** Lets the browser do what waits: long work is done in parts between which this is awaited. */
export function breath() {
  return globalThis.scheduler?.yield?.() ?? new Promise((resolve) => { setTimeout(resolve); });
}
