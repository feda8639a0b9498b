// The few signs the page uses, drawn with the colour of the text around them.

const SVG = 'http://www.w3.org/2000/svg';
const PATHS = {
  like: 'M10 16.5S3 12.6 3 7.9A3.9 3.9 0 0 1 10 5.6 3.9 3.9 0 0 1 17 7.9c0 4.7-7 8.6-7 8.6Z',
  follow: 'M10 4v12M4 10h12',
  followed: 'm4 10.5 4 4 8-9',
  hide: 'm5 5 10 10M15 5 5 15',
  unused: 'M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM4.8 4.8l10.4 10.4',
  why: 'M7.4 7.5A2.7 2.7 0 1 1 11 10c-.7.3-1 .8-1 1.6M10 14.6v.1M10 18a8 8 0 1 0 0-16 8 8 0 0 0 0 16Z',
  auto: 'M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15ZM10 2.5v15M13.5 4v12M16.5 7v6',
  light: 'M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM10 2v1.5M10 16.5V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M4.300 15.700l1.100-1.100M14.600 5.400l1.100-1.100',
  dark: 'M16.500 11.800A7 7 0 0 1 8.200 3.500a7 7 0 1 0 8.300 8.300Z',
  private: 'M3 9.500h14M5.500 9.500 7 4.500h6l1.500 5M6.500 15.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM13.500 15.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM8.500 13c1-.6 2-.6 3 0',
  forward: 'm4 5 6 5-6 5zM10 5l6 5-6 5z',
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
