// Writes listening histories in the format of Spotify's extended streaming history, and zips them.
import { deflateRawSync } from 'node:zlib';

/** Rows as the export has them: `count` plays, oldest first, the last one ended at `until`. */
export function exportRows({ count, until, entries, seed = 1, spacingMs = 1_800_000 }) {
  const random = mulberry32(seed);
  return Array.from({ length: count }, (_, i) => {
    const entry = entries[Math.floor(random() ** 1.6 * entries.length)];
    const skipped = random() < 0.15;
    const ts = new Date(until - (count - 1 - i) * spacingMs - Math.floor(random() * 600_000)).toISOString().replace(/\.\d+Z$/, 'Z');
    return row({ ts, skipped, ms: skipped ? 4_000 + Math.floor(random() * 20_000) : 150_000 + Math.floor(random() * 120_000), ...entry });
  });
}

function row({ ts, ms, skipped, artist = null, album = null, show = null }) {
  return {
    ts,
    platform: 'web_player',
    ms_played: ms,
    master_metadata_track_name: artist && `${album ?? artist}, a track`,
    master_metadata_album_artist_name: artist,
    master_metadata_album_album_name: artist && (album ?? artist),
    spotify_track_uri: null,
    episode_name: show && 'An episode',
    episode_show_name: show,
    spotify_episode_uri: null,
    reason_start: 'clickrow',
    reason_end: skipped ? 'fwdbtn' : 'trackdone',
    shuffle: false,
    skipped,
    offline: false,
    incognito_mode: false,
  };
}

/** A zip of `{ name: text }`, deflated. */
export function zip(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const nameBytes = Buffer.from(name);
    const raw = Buffer.from(text);
    const packed = deflateRawSync(raw);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(20, 4);
    head.writeUInt16LE(8, 8);
    head.writeUInt32LE(packed.length, 18);
    head.writeUInt32LE(raw.length, 22);
    head.writeUInt16LE(nameBytes.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(raw.length, 24);
    entry.writeUInt16LE(nameBytes.length, 28);
    entry.writeUInt32LE(offset, 42);
    parts.push(head, nameBytes, packed);
    directory.push(entry, nameBytes);
    offset += head.length + nameBytes.length + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
