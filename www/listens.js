// Histories of other services, as rows of the shape that Spotify's have: ListenBrainz (JSON lines) and Last.fm (CSV).

/** Both list what was heard to the end or nearly, and say seldom how long it is. */
const USUAL_MS = 210_000;

/** Rows of a text in one of the two forms, or nothing when it is neither. */
export function listensOf(text) {
  const start = text.trimStart();
  return start.startsWith('{') ? listenBrainz(start) : start.startsWith('[') ? undefined : lastFm(start);
}

function listenBrainz(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '').map((line) => {
    try {
      return JSON.parse(line);
    } catch {
      return undefined;
    }
  });
  if (!lines.some((line) => line?.track_metadata && line.listened_at !== undefined)) return undefined;
  return lines.map((line) => {
    const { artist_name: artist, release_name: album, additional_info: more } = line?.track_metadata ?? {};
    const ms = Number(more?.duration_ms ?? more?.duration * 1000);
    return row(Number(line?.listened_at) * 1000, artist, album, ms);
  });
}

/** With a heading that names columns (`uts`, `artist`, `album`), or without: artist, album, track, time. */
function lastFm(text) {
  const lines = cells(text);
  const head = lines[0]?.map((cell) => cell.trim().toLowerCase()) ?? [];
  if (head.includes('artist') && (head.includes('uts') || head.includes('utc_time') || head.includes('date'))) {
    const of = (line, name) => (head.includes(name) ? line[head.indexOf(name)] : undefined);
    return lines.slice(1).map((line) => {
      const uts = Number(of(line, 'uts'));
      return row(uts > 0 ? uts * 1000 : Date.parse(`${of(line, 'utc_time') ?? of(line, 'date')} UTC`), of(line, 'artist'), of(line, 'album'));
    });
  }
  const time = (line) => Date.parse(`${line[3]} UTC`);
  if (!lines.slice(0, 5).some((line) => line.length === 4 && Number.isFinite(time(line)))) return undefined;
  return lines.map((line) => row(time(line), line[0], line[1]));
}

function row(at, artist, album, ms) {
  return {
    ts: Number.isFinite(at) ? new Date(at).toISOString() : undefined,
    ms_played: ms > 0 ? Math.min(ms, 3_600_000) : USUAL_MS,
    master_metadata_album_artist_name: artist ?? '',
    master_metadata_album_album_name: album ?? '',
  };
}

/** Comma-separated values: quotes, doubled quotes and line breaks within them (RFC 4180). */
function cells(text) {
  const lines = [];
  let line = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n|$)/g)) {
    line.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ',') continue;
    if (line.length > 1 || line[0] !== '') lines.push(line);
    line = [];
  }
  return lines;
}
