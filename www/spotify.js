// Reads exported histories of Spotify, ListenBrainz and Last.fm: their files, or the zip they come in.
import { listensOf } from './listens.js';
import { readZip, ZipError } from './zip.js';

const HISTORY_FILE = /(^|\/)((Streaming_History_\w*|endsong_\d+)[^/]*\.json|listens\/.*\.jsonl)$/i;
const EXTRAS = /\s*[([-][^)\]]*\b(deluxe|remaster(ed)?|edition|version|anniversary|expanded|bonus|mono|stereo)\b[^)\]]*[)\]]?\s*$/i;

/** How many names a report lists. */
const NAMED = 12;

/** A file that is not what it should be. The message says what was expected and what was found. */
export class ExportError extends Error {
  name = 'ExportError';
}

/** All plays of the chosen files, oldest first. Nothing is imported from any file unless all of them can be read. */
export async function readExport(files, onFile = () => {}) {
  const documents = [];
  for (const file of files) documents.push(...await documentsOf(file));
  const plays = [];
  let unreadable = 0;
  for (const [index, { name, text }] of documents.entries()) {
    onFile({ name, index, count: documents.length });
    for (const row of rowsOf(name, await read(name, text))) {
      const play = playOf(row);
      if (play) plays.push(play);
      else unreadable += 1;
    }
  }
  if (plays.length === 0) throw new ExportError(`expected plays with a time and a name, found none in ${names(files)}`);
  plays.sort((a, b) => a.at - b.at);
  return { plays, unreadable };
}

async function documentsOf(file) {
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  const zipped = start[0] === 0x50 && start[1] === 0x4b;
  if (!zipped && !/\.zip$/i.test(file.name)) return [{ name: file.name, text: () => file.text() }];
  let entries;
  try {
    entries = await readZip(file);
  } catch (error) {
    throw error instanceof ZipError ? new ExportError(`${file.name}: ${error.message}`) : error;
  }
  const histories = entries.filter(({ name }) => HISTORY_FILE.test(name));
  if (histories.length === 0) {
    const found = entries.length === 0 ? 'an empty zip' : `${entries.length} other files, such as ${entries[0].name}`;
    throw new ExportError(`${file.name}: expected files named Streaming_History_Audio_….json in the zip, found ${found}`);
  }
  return histories;
}

async function read(name, text) {
  let content;
  try {
    content = await text();
  } catch (error) {
    throw new ExportError(`${name}: ${error instanceof ZipError ? error.message : 'expected a readable file, found one the browser cannot open'}`);
  }
  const listens = listensOf(content);
  if (listens) return listens;
  try {
    return JSON.parse(content);
  } catch {
    const found = content.trim() === '' ? 'an empty file' : `text that is no complete JSON (${content.length.toLocaleString('en')} characters)`;
    throw new ExportError(`${name}: expected a JSON list of plays, found ${found}`);
  }
}

function rowsOf(name, value) {
  if (!Array.isArray(value)) throw new ExportError(`${name}: expected a JSON list of plays, found ${value === null ? 'null' : `one ${typeof value}`}`);
  const first = value.find((row) => row && typeof row === 'object');
  if (value.length > 0 && !(first && 'ts' in first && 'ms_played' in first)) {
    if (first && 'endTime' in first) throw new ExportError(`${name}: expected the extended streaming history, found the short one of the account data; Spotify sends the extended one on request`);
    const keys = first ? Object.keys(first).slice(0, 4).join(', ') || 'nothing' : 'no objects';
    throw new ExportError(`${name}: expected plays with “ts” and “ms_played”, found ${keys}`);
  }
  return value;
}

function playOf(row) {
  const at = Date.parse(row?.ts);
  const msPlayed = row?.ms_played;
  if (!Number.isFinite(at) || !Number.isFinite(msPlayed) || msPlayed < 0) return undefined;
  if (row.episode_show_name) return { at, msPlayed, show: String(row.episode_show_name) };
  if (!row.master_metadata_album_artist_name) return undefined;
  return { at, msPlayed, artist: String(row.master_metadata_album_artist_name), album: row.master_metadata_album_album_name ? String(row.master_metadata_album_album_name) : '' };
}

/** Lines of history for the package: what the catalogue has as its cards, the rest by name. */
export function matchPlays(plays, catalogue) {
  const artists = new Map();
  const albums = new Map();
  const shows = new Map();
  for (const card of catalogue.cards.values()) {
    if (card.kind === 'artist') artists.set(plain(card.title), card);
    else if (card.kind === 'album') albums.set(albumKey(card.artist, card.title), card);
    else if (card.kind === 'podcast') shows.set(plain(card.title), card);
  }
  const outside = new Map();
  const inside = new Map();
  const count = (names, name) => names.set(name, (names.get(name) ?? 0) + 1);
  const lines = plays.map(({ at, msPlayed, show, artist, album }) => {
    const card = show ? shows.get(plain(show)) : albums.get(albumKey(artist, album)) ?? artists.get(plain(artist));
    if (card) count(inside, card.title);
    if (card) return { at, msPlayed, cardId: card.id, title: card.title, artist: card.artist, family: card.family, kind: card.kind };
    count(outside, show ?? artist);
    return show ? { at, msPlayed, title: show, kind: 'podcast' } : { at, msPlayed, title: artist, artist, kind: 'artist' };
  });
  const most = (names) => [...names].sort((a, b) => b[1] - a[1]).slice(0, NAMED);
  return { lines, outside: outside.size, names: { inside: most(inside), outside: most(outside) } };
}

const albumKey = (artist, album) => `${plain(artist)}|${plain(album.replace(EXTRAS, ''))}`;

/** A name as it is compared: no case, accents, punctuation or leading article. */
function plain(name) {
  const bare = name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/&/g, ' and ').replace(/[^\p{L}\p{N}]+/gu, ' ').trim();
  return bare.replace(/^the (?=.)/, '') || name.trim().toLowerCase();
}

function names(files) {
  return [...files].map(({ name }) => name).join(', ');
}
