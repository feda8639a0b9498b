// The catalogue: names and genres as facts, and what a server would add to them (popularity, embeddings), made up
// from the names so that it is the same everywhere.
import { generator, hash } from './art.js';

const DIMENSIONS = 16;

const NAMES = ['families', 'artists', 'albums', 'podcasts'];
let texts;

/** Reads the tab-separated files beside this page. */
export async function loadCatalogue() {
  const found = await tables();
  return assemble(Object.fromEntries(NAMES.map((name) => [name, parseTable(found[name])])));
}

/** Their texts by name, fetched once. */
export function tables() {
  texts ??= Promise.all(NAMES.map(async (name) => [name, await table(name)])).then(Object.fromEntries).catch((error) => {
    texts = undefined;
    throw error;
  });
  return texts;
}

async function table(name) {
  const response = await fetch(new URL(`catalogue/${name}.tsv`, document.baseURI));
  if (!response.ok) throw new Error(`expected the catalogue file ${name}.tsv, found status ${response.status}`);
  return response.text();
}

/** Rows of a tab-separated text with a heading line; lines that start with # are remarks. */
export function parseTable(text) {
  const [head, ...lines] = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#')).map((line) => line.replace(/\r$/, '').split('\t'));
  return lines.map((cells) => Object.fromEntries(head.map((name, i) => [name, cells[i] ?? ''])));
}

/** Cards with everything a server knows of them, and the genres and topics they belong to. */
export function assemble({ families, artists, albums, podcasts }) {
  const names = new Map(families.map(({ family, title }) => [family, title]));
  // The families are listed from the widest audience to the narrowest.
  const reach = new Map(['music', 'podcast'].flatMap((kind) => families.filter((row) => row.kind === kind).map(({ family }, i, all) => [family, 1 - 0.6 * (i / all.length)])));
  const rows = new Map(artists.map((row) => [row.artist, row]));
  const vectors = new Map(artists.map(({ artist, family }) => [artist, near(direction(family), `artist:${artist}`, 0.45)]));
  const card = (id, kind, title, genre, embedding, more) => ({ id, kind, title, ...more, genre, family: names.get(genre) ?? genre, popularity: popularity(id, reach.get(genre) ?? 1), embedding });

  const artistCards = artists.map(({ artist, name, family }) => card(`artist:${artist}`, 'artist', name, family, vectors.get(artist), { artist: name }));
  const albumCards = albums.map(({ album, title, artist, year }) => {
    const { name, family } = rows.get(artist);
    return card(`album:${album}`, 'album', title, family, near(vectors.get(artist), `album:${album}`, 0.15), { artist: name, year: Number(year) });
  });
  const podcastCards = podcasts.map(({ podcast, title, publisher, family }) => (
    card(`podcast:${podcast}`, 'podcast', title, family, near(direction(family), `podcast:${podcast}`, 0.35), { artist: publisher })));

  const listed = (kind) => families.filter((row) => row.kind === kind).map(({ family, title }) => ({ id: family, name: title }));
  const genres = listed('music');
  const mixes = genres.map(({ id, name }) => {
    const known = artistCards.filter(({ genre }) => genre === id).sort((a, b) => b.popularity - a.popularity).slice(0, 2);
    return card(`mix:${id}`, 'playlist', `${name.split(/,| and | of /)[0]} mix`, id, direction(id), { line: known.map(({ title }) => title).join(', ') });
  });

  const cards = new Map([...artistCards, ...albumCards, ...podcastCards, ...mixes].map((entry) => [entry.id, entry]));
  return { artists: artistCards, albums: albumCards, podcasts: podcastCards, mixes, genres, topics: listed('podcast'), cards };
}

/** A made-up share of listeners in (0, 1): a few cards are very popular, most are not. */
function popularity(id, reach) {
  return Number((0.02 + 0.96 * reach * generator(hash(`popularity|${id}`))() ** 2.2).toFixed(4));
}

/** A unit vector for a family. */
function direction(family) {
  return unit(gaussians(`family|${family}`));
}

/** `vector`, turned a little in a way of its own. */
function near(vector, name, spread) {
  const noise = unit(gaussians(name));
  return unit(vector.map((value, i) => value + spread * noise[i]));
}

function gaussians(name) {
  const random = generator(hash(name));
  return Array.from({ length: DIMENSIONS }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}

function unit(vector) {
  const length = Math.hypot(...vector);
  return Float32Array.from(vector, (value) => value / length);
}
