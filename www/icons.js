// The few signs the page uses, drawn with the colour of the text around them.

const SVG = 'http://www.w3.org/2000/svg';
const PATHS = {
  like: 'M10 16.5S3 12.6 3 7.9A3.9 3.9 0 0 1 10 5.6 3.9 3.9 0 0 1 17 7.9c0 4.7-7 8.6-7 8.6Z',
  follow: 'M10 4v12M4 10h12',
  followed: 'm4 10.5 4 4 8-9',
  hide: 'm5 5 10 10M15 5 5 15',
  unused: 'M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM4.8 4.8l10.4 10.4',
  why: 'M7.4 7.5A2.7 2.7 0 1 1 11 10c-.7.3-1 .8-1 1.6M10 14.6v.1M10 18a8 8 0 1 0 0-16 8 8 0 0 0 0 16Z',
  more: 'M4.5 10h.01M10 10h.01M15.5 10h.01',
};

export function icon(name, filled = false) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  for (const [key, value] of Object.entries({ viewBox: '0 0 20 20', width: '20', height: '20', class: 'icon', 'aria-hidden': 'true' })) svg.setAttribute(key, value);
  for (const [key, value] of Object.entries({ d: PATHS[name], fill: filled ? 'currentColor' : 'none', stroke: 'currentColor', 'stroke-width': name === 'more' ? '2.6' : '1.7', 'stroke-linecap': 'round', 'stroke-linejoin': 'round' })) path.setAttribute(key, value);
  svg.append(path);
  return svg;
}
