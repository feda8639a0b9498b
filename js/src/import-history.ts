// A listening history from elsewhere, line by line, in pieces that leave the page responsive. In a chunk of its own, which
// shares no code with the entry: most listeners never need it.
import type { Engine } from './engine.js';
import type { HistoryPlay, ImportReport } from './types.js';

/** The separators of string tables, as in core.ts. */
const FIELD = '\x1f';
const ENTRY = '\x1e';

/** Plays per piece. */
export const CHUNK = 500;

export interface ImportHost {
  /** The engine of this moment: it may have been replaced since the last piece. Throws when there is none. */
  engine(): Engine;
  now(): number;
  breathe(): Promise<void>;
}

export async function importHistory(
  plays: Iterable<HistoryPlay> | AsyncIterable<HistoryPlay>,
  onProgress: ((progress: { done: number; total?: number }) => void) | undefined,
  host: ImportHost,
): Promise<ImportReport> {
  const total = Array.isArray(plays) ? { total: plays.length } : {};
  const report = { plays: 0, accepted: 0, refused: 0, matched: 0 };
  let chunk: HistoryPlay[] = [];
  const finishChunk = async () => {
    importChunk(chunk, report, host);
    chunk = [];
    onProgress?.({ done: report.plays, ...total });
    await host.breathe();
  };
  for await (const play of plays) {
    chunk.push(play);
    if (chunk.length === CHUNK) await finishChunk();
  }
  if (chunk.length > 0 || report.plays === 0) await finishChunk();
  return report;
}

function importChunk(chunk: readonly HistoryPlay[], report: { plays: number; accepted: number; refused: number; matched: number }, host: ImportHost): void {
  const { core, registry } = host.engine();
  let strings = '';
  const numbers = new Float64Array(2 * chunk.length);
  const matched: boolean[] = [];
  for (const play of chunk) {
    report.plays++;
    if (!isPlay(play)) {
      report.refused++;
      continue;
    }
    const id = play.cardId ?? localId(play);
    registry.play(id, play);
    numbers[2 * matched.length] = play.msPlayed;
    numbers[2 * matched.length + 1] = play.at;
    strings += `finish${FIELD}${id}${ENTRY}`;
    matched.push(play.cardId !== undefined);
  }
  if (matched.length === 0) return;
  try {
    registry.register();
  } catch (thrown) {
    registry.dropPending();
    throw thrown;
  }
  const refused = new Set(core.observeMany(strings, numbers.subarray(0, 2 * matched.length), host.now()));
  report.refused += refused.size;
  report.accepted += matched.length - refused.size;
  matched.forEach((isMatched, index) => { if (isMatched && !refused.has(index)) report.matched++; });
}

function isPlay(play: unknown): play is HistoryPlay {
  if (typeof play !== 'object' || play === null) return false;
  const { at, msPlayed, cardId, title } = play as Partial<HistoryPlay>;
  return Number.isFinite(at) && Number.isFinite(msPlayed)
    && (cardId === undefined ? typeof title === 'string' && title !== '' : typeof cardId === 'string' && ID.test(cardId));
}

/** Not empty, and without the separators of the boundary. */
const ID = /^[^\x1e\x1f]+$/;

/** The same id for the same thing, so that the plays of one track add up. 53 bits: two of 20,000 collide once in 45 million imports. */
function localId(play: HistoryPlay): string {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (const character of `${play.kind ?? ''}${FIELD}${play.artist ?? ''}${FIELD}${play.title}`.toLowerCase()) {
    const code = character.codePointAt(0)!;
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return `local:${(0x1_0000_0000 * (0x1fffff & low) + (high >>> 0)).toString(16).padStart(14, '0')}`;
}

