// Lines over days: uPlot, loaded when the first chart is drawn. Beside each chart a table says the same.
import { h } from './dom.js';

let library;

async function load() {
  library ??= Promise.all([
    import('./built/uplot.js'),
    new Promise((resolve, reject) => {
      const link = h('link', { rel: 'stylesheet', href: new URL('built/uplot.css', import.meta.url).href, onload: resolve, onerror: () => reject(new Error('expected built/uplot.css')) });
      document.head.append(link);
    }),
  ]).then(([{ default: Plot }]) => Plot);
  return library;
}

const HEIGHT = 190;
const DASHES = { random: [2, 4], popularity: [7, 4], server: [10, 3, 2, 3], oracle: [] };

/**
 * A chart of `series` (`{ name, label, values }`, a value for each day) over days 1, 2 and on. `format` writes a value; `label` says to a screen
 * reader what the chart shows. The place keeps its height from the start.
 */
export function createChart({ label, format = String, from }) {
  const place = h('div', { class: 'chart', role: 'img', 'aria-label': label });
  const legend = h('ul', { class: 'legend' });
  const box = h('figure', { class: 'figure' }, legend, place);
  let plot;
  let shown = [];

  const ink = (name) => {
    place.style.color = `var(--${name})`;
    return getComputedStyle(place).color;
  };

  async function draw(series = shown) {
    shown = series;
    legend.replaceChildren(...series.map(({ name, label: text }) => h('li', { data: { series: name } }, text)));
    const Plot = await load();
    if (series !== shown || place.clientWidth === 0) return;
    plot?.destroy();
    const axis = { stroke: ink('muted'), grid: { stroke: ink('line'), width: 1 }, ticks: { show: false }, font: '12px Figtree, system-ui, sans-serif' };
    plot = new Plot({
      width: place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(from ?? low, low), high === low ? high + 1 : high * 1.04] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : '')), size: 28 }, { ...axis, values: (_, ticks) => ticks.map(format), size: 54 }],
      series: [{}, ...series.map(({ name, label: text }) => ({ label: text, stroke: ink(`line-${name}`), width: name === 'ears' ? 3 : 2, dash: DASHES[name] ?? [], points: { show: false } }))],
    }, [series[0].values.map((_, day) => day + 1), ...series.map(({ values }) => values)], place);
  }

  const again = () => {
    if (shown.length > 0) void draw();
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === width || place.clientWidth === 0) return;
    width = place.clientWidth;
    again();
  }).observe(place);
  return { box, draw };
}

/** The same as a table: a row for each of `days`, a column for each series. */
export function chartTable(caption, series, format = String) {
  const days = series[0]?.values.length ?? 0;
  return h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': caption }, h('table', { class: 'fields' },
    h('caption', { class: 'visually-hidden' }, caption),
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Day'), series.map(({ label }) => h('th', { scope: 'col' }, label)))),
    h('tbody', {}, Array.from({ length: days }, (_, day) => h('tr', {}, h('th', { scope: 'row' }, String(day + 1)), series.map(({ values }) => h('td', { class: 'number' }, format(values[day]))))))));
}

/** Sums up to each day. */
export function summed(values) {
  let sum = 0;
  return values.map((value) => sum += value);
}
