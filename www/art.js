// Cover art drawn from a card's id: the same id gives the same picture, and a genre keeps its own hues.

const cache = new Map();

/** The picture of a card: `url` of an SVG, and the `ink` in which letters can be read on it. */
export function cover(card) {
  const key = `${card.id}|${card.family ?? ''}`;
  let picture = cache.get(key);
  if (!picture) {
    const { svg, ink } = draw(card);
    picture = { url: `data:image/svg+xml,${encodeURIComponent(svg)}`, ink };
    cache.set(key, picture);
  }
  return picture;
}

/** Up to two letters that stand on a picture. */
export function initials(name = '') {
  const words = name.replace(/^(the|a|an)\s+/i, '').split(/[\s\-–/&+,.:]+/).filter(Boolean);
  if (words.length === 0) return '';
  const letters = words.length === 1 ? [...words[0]].slice(0, 2) : [[...words[0]][0], [...words[1]][0]];
  return letters.join('').toLocaleUpperCase('en');
}

function draw(card) {
  const random = generator(hash(card.id));
  const hue = hueOf(card.family || card.artist || card.id) + (random() - 0.5) * 64;
  const kind = card.kind ?? '';
  const palette = paletteOf(hue, random, kind === 'playlist');
  const motif = kind === 'artist' ? pick([portrait, halo, halves], random)
    : kind === 'podcast' ? pick([voice, speech, grille, orbit, pages], random)
    : kind === 'playlist' ? glow
    : pick([rings, bars, horizon, quarters, waves, halftone, arcs, planes], random);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240">${motif(palette.map(css), random)}</svg>`;
  const under = palette[kind === 'artist' ? 1 : 0];
  return { svg, ink: css([under[0] > 0.6 ? 0.22 : 0.97, 0.03, under[2]]) };
}

// One paper, one ink, two accents: few colours, well apart in lightness.
function paletteOf(hue, random, dark) {
  const far = hue + (random() < 0.5 ? 150 + random() * 50 : 40 + random() * 30);
  const schemes = [
    [[0.30, 0.07, hue], [0.72, 0.13, hue], [0.86, 0.08, far], [0.52, 0.14, hue - 18]],
    [[0.88, 0.06, hue], [0.48, 0.13, hue], [0.68, 0.15, far], [0.30, 0.06, hue]],
    [[0.58, 0.13, hue], [0.90, 0.05, hue + 20], [0.34, 0.09, hue - 14], [0.76, 0.13, far]],
    [[0.24, 0.04, far], [0.66, 0.16, hue], [0.90, 0.04, hue], [0.46, 0.12, hue]],
    [[0.80, 0.10, hue], [0.28, 0.07, far], [0.95, 0.03, hue], [0.58, 0.15, hue - 24]],
  ];
  return dark ? pick([schemes[0], schemes[3]], random) : pick(schemes, random);
}

const css = ([lightness, chroma, hue]) => `oklch(${lightness} ${chroma} ${(((hue % 360) + 360) % 360).toFixed(1)})`;

const paper = (color) => `<rect width="240" height="240" fill="${color}"/>`;
const disc = (x, y, r, color, more = '') => `<circle cx="${f(x)}" cy="${f(y)}" r="${f(r)}" fill="${color}" ${more}/>`;
const f = (value) => value.toFixed(1);

function portrait([a, b, c, d], random) {
  const x = 120 + (random() - 0.5) * 26;
  const y = 120 + (random() - 0.5) * 26;
  const around = random() * Math.PI * 2;
  const turn = Math.floor(random() * 360);
  return `<defs><linearGradient id="g" gradientTransform="rotate(${turn} .5 .5)"><stop stop-color="${a}"/><stop offset="1" stop-color="${d}"/></linearGradient></defs>`
    + '<rect width="240" height="240" fill="url(#g)"/>'
    + disc(120 + Math.cos(around) * 92, 120 + Math.sin(around) * 92, 30 + random() * 34, c)
    + disc(x, y, 70 + random() * 16, b);
}

function halo([a, b, c, d], random) {
  const turn = Math.floor(random() * 360);
  const arc = 120 + random() * 200;
  return paper(a) + disc(120, 120, 72, b)
    + `<circle cx="120" cy="120" r="94" fill="none" stroke="${c}" stroke-width="13" stroke-dasharray="${f((arc / 360) * 590.6)} 600" transform="rotate(${turn} 120 120)"/>`
    + `<circle cx="120" cy="120" r="113" fill="none" stroke="${d}" stroke-width="9"/>`;
}

function halves([a, b, c, d], random) {
  const turn = Math.floor(random() * 360);
  const edge = 90 + random() * 60;
  return paper(a) + `<g transform="rotate(${turn} 120 120)"><rect x="-80" y="${f(edge)}" width="400" height="300" fill="${d}"/><rect x="-80" y="${f(edge - 16)}" width="400" height="16" fill="${c}"/></g>`
    + disc(120, 120, 74, b);
}

function rings([a, b, c], random) {
  const x = random() < 0.5 ? 40 + random() * 60 : 150 + random() * 60;
  const y = random() < 0.5 ? 40 + random() * 60 : 150 + random() * 60;
  let out = paper(a);
  for (let r = 190, i = 0; r > 14; r -= 26, i += 1) out += disc(x, y, r, i % 2 ? a : b);
  return out + disc(x, y, 12, c);
}

function bars([a, b, c, d], random) {
  let out = '';
  const turn = pick([0, 90, 45, -45], random);
  for (let x = -60; x < 300;) {
    const width = 8 + random() * 40;
    out += `<rect x="${f(x)}" y="-80" width="${f(width)}" height="400" fill="${pick([b, c, d, a], random)}"/>`;
    x += width + 4 + random() * 14;
  }
  return `${paper(a)}<g transform="rotate(${turn} 120 120)">${out}</g>`;
}

function horizon([a, b, c, d], random) {
  const y = 130 + random() * 50;
  let out = paper(a) + disc(70 + random() * 100, y - 20 - random() * 30, 46 + random() * 24, b);
  out += `<rect y="${f(y)}" width="240" height="240" fill="${d}"/>`;
  for (let line = y + 10, gap = 6; line < 240; line += gap, gap *= 1.35) out += `<rect y="${f(line)}" width="240" height="2.5" fill="${c}"/>`;
  return out;
}

function quarters([a, b, c, d], random) {
  const n = random() < 0.5 ? 2 : 3;
  const size = 240 / n;
  let out = paper(a);
  for (let row = 0; row < n; row += 1) {
    for (let column = 0; column < n; column += 1) {
      const turn = Math.floor(random() * 4) * 90;
      const x = column * size;
      const y = row * size;
      out += `<g transform="translate(${f(x)} ${f(y)}) rotate(${turn} ${f(size / 2)} ${f(size / 2)})"><rect width="${f(size + 0.5)}" height="${f(size + 0.5)}" fill="${pick([a, a, d], random)}"/>`
        + `<path d="M0 0H${f(size)}A${f(size)} ${f(size)} 0 0 1 0 ${f(size)}Z" fill="${pick([b, c, b], random)}"/></g>`;
    }
  }
  return out;
}

function waves([a, b, c, d], random) {
  let out = paper(a);
  const step = 30 + random() * 14;
  const swing = 10 + random() * 18;
  const phase = random() * 120;
  for (let y = 60 + random() * 40, i = 0; y < 260; y += step, i += 1) {
    let path = `M-130 ${f(y)}`;
    for (let x = -130; x < 370; x += 60) path += `q15 ${f(-swing)} 30 0t30 0`;
    out += `<path transform="translate(${f(((phase * (i + 1)) % 120) - 60)} 0)" d="${path}V260H-130Z" fill="${[b, d, c, b, d, c, b][i % 7]}"/>`;
  }
  return out;
}

function halftone([a, b, c], random) {
  let out = paper(a);
  const angle = random() * Math.PI * 2;
  for (let row = 0; row < 9; row += 1) {
    for (let column = 0; column < 9; column += 1) {
      const x = 15 + column * 26.3;
      const y = 15 + row * 26.3;
      const along = ((x - 120) * Math.cos(angle) + (y - 120) * Math.sin(angle)) / 150;
      out += disc(x, y, Math.max(1.2, 7 + along * 8), (row + column) % 7 === 0 ? c : b);
    }
  }
  return out;
}

function arcs([a, b, c, d], random) {
  let out = paper(a);
  const x = pick([0, 120, 240], random);
  const colors = [b, c, d, a];
  for (let r = 210, i = 0; r > 20; r -= 34, i += 1) out += disc(x, 240, r, colors[i % 4]);
  return out;
}

function planes([a, b, c, d], random) {
  const x = 60 + random() * 60;
  const y = 60 + random() * 60;
  return `${paper(a)}<rect x="${f(x)}" y="0" width="${f(240 - x)}" height="${f(y + 60)}" fill="${b}"/>`
    + `<rect x="0" y="${f(y + 60)}" width="${f(x + 50)}" height="240" fill="${d}"/>`
    + disc(x + 20, y + 60, 40 + random() * 22, c);
}

function voice([a, b, c], random) {
  let out = paper(a);
  for (let i = 0; i < 9; i += 1) {
    const height = 30 + random() * 130 * Math.sin(((i + 0.5) / 9) * Math.PI);
    out += `<rect x="${f(20 + i * 22.5)}" y="${f(120 - height / 2)}" width="13" height="${f(height)}" rx="6.5" fill="${i % 4 === 1 ? c : b}"/>`;
  }
  return out;
}

function speech([a, b, c, d], random) {
  const y = 40 + random() * 30;
  return `${paper(a)}<path d="M36 ${f(y)}h130a26 26 0 0 1 26 26v44a26 26 0 0 1-26 26h-78l-34 34v-34h-18z" fill="${b}"/>`
    + disc(176, 186, 34 + random() * 16, c) + disc(176, 186, 12, d);
}

function grille([a, b, c], random) {
  let out = paper(a) + disc(120, 110, 84, b);
  for (let y = 46; y < 180; y += 16) out += `<rect x="30" y="${y}" width="180" height="5" fill="${a}"/>`;
  return out + `<rect x="112" y="190" width="16" height="60" rx="6" fill="${random() < 0.5 ? c : b}"/>`;
}

function orbit([a, b, c, d], random) {
  let out = paper(a);
  for (const r of [96, 68, 40]) out += `<circle cx="150" cy="96" r="${r}" fill="none" stroke="${b}" stroke-width="5"/>`;
  for (const [r, color] of [[96, c], [68, d], [40, c]]) {
    const angle = random() * Math.PI * 2;
    out += disc(150 + r * Math.cos(angle), 96 + r * Math.sin(angle), 13, color);
  }
  return out + disc(150, 96, 15, b);
}

function pages([a, b, c, d], random) {
  let out = paper(a);
  for (const [i, color] of [d, c, b].entries()) {
    out += `<rect x="74" y="34" width="104" height="140" rx="10" fill="${color}" transform="rotate(${f((2 - i) * (9 + random() * 5) - 6)} 126 174)"/>`;
  }
  return out + [62, 84, 106].map((y) => `<rect x="96" y="${y}" width="${y === 106 ? 36 : 60}" height="7" rx="3.5" fill="${a}" transform="rotate(-6 126 174)"/>`).join('');
}

function glow([a, b, c, d], random) {
  const spot = (color, id) => `<radialGradient id="${id}" cx="${f(random())}" cy="${f(random())}" r=".75"><stop stop-color="${color}"/><stop offset="1" stop-color="${color}" stop-opacity="0"/></radialGradient>`;
  return `<defs>${spot(b, 'p')}${spot(c, 'q')}${spot(d, 'r')}</defs>${paper(a)}${['p', 'q', 'r'].map((id) => `<rect width="240" height="240" fill="url(#${id})"/>`).join('')}`;
}

function hueOf(name) {
  return (hash(name) % 1000) * 0.36;
}

function pick(list, random) {
  return list[Math.floor(random() * list.length)];
}

/** FNV-1a over UTF-16 code units, 32 bits. */
export function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value ^= value >>> 15;
  return Math.imul(value, 0x2c1b3c6d) >>> 0;
}

/** mulberry32: numbers in [0, 1) from a 32-bit seed. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
