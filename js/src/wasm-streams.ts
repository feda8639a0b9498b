// A wasm module taken apart into streams of like with like: all operations, all indices of locals, all offsets. HTTP
// compression, which looks a few bytes back, makes a tenth less of them than of the module itself.
//
// One walk over the code does both directions: the build's `Tape` reads a module and writes streams, the one here reads
// the streams and writes the module. So the two cannot disagree about where an operation ends.

const REST = 0, DATA = 1, LOCALS = 2, OP = 3, LABEL = 4, CALL = 5, LOCAL = 6, ALIGN = 7, OFFSET = 8, INT = 9, LONG = 10, FLOAT = 11, OTHER = 12;
/** How many streams there are. */
export const STREAMS = 13;

const CODE_SECTION = 10;
const DATA_SECTION = 11;
/** Operations with a second number begin with 0xfb to 0xff; it is added to 256, 512, ... */
const FIRST_PREFIX = 0xfb;
const SATURATING = 0x100;
const VECTOR = 0x200;

/** What the walk goes along: a module that is read or one that is written. */
export interface Tape {
  /** Whether there is a further section. */
  more(): boolean;
  /** The next byte, which lies in this stream. */
  byte(stream: number): number;
  /** The next number; in the stream it stands as `code(number)`, `number(code)` is the way back. */
  coded(stream: number, code: (value: number) => number, number: (code: number) => number): number;
  /** A function: its size, then what `walk` goes over. The size is in no stream. */
  sized(walk: () => void): void;
}

/** Walks over a whole module. */
export function walk(tape: Tape): void {
  const number = (stream: number): number => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = tape.byte(stream);
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  const bytes = (stream: number, count: number): void => { while (count-- > 0) tape.byte(stream); };
  /** Operations mostly use the alignment they used last. */
  const alignments: number[] = [];
  const address = (op: number): void => {
    const last = alignments[op];
    alignments[op] = tape.coded(ALIGN, (value) => value === last ? 0 : value + 1, (code) => code === 0 ? last! : code - 1);
    number(OFFSET);
  };

  const body = (): void => {
    for (let groups = number(LOCALS); groups > 0; groups--) {
      number(LOCALS);
      tape.byte(LOCALS);
    }
    /** Latest first; locals used lately are used again. */
    const order: number[] = [];
    const rankOf = (local: number): number => {
      fill(local);
      return order.indexOf(local);
    };
    const fill = (most: number): void => { for (let next = order.length; next <= most; next++) order.push(next); };
    for (let depth = 1; depth > 0;) {
      let op = tape.byte(OP);
      if (op > FIRST_PREFIX) op = 256 * (op - FIRST_PREFIX) + number(OP);
      if (op >= 2 && op <= 4) { depth++; number(OTHER); } // block, loop, if
      else if (op === 11) depth--; // end
      else if (op === 12 || op === 13) number(LABEL); // br, br_if
      else if (op === 14) for (let labels = number(LABEL); labels >= 0; labels--) number(LABEL); // br_table
      else if (op === 16) number(CALL);
      else if (op === 17) { number(OTHER); number(OTHER); } // call_indirect
      else if (op === 28) bytes(OTHER, number(OTHER)); // select with a type
      else if (op >= 32 && op <= 34) { // local.get, local.set, local.tee
        const local = tape.coded(LOCAL, rankOf, (rank) => { fill(rank); return order[rank]!; });
        order.splice(order.indexOf(local), 1);
        order.unshift(local);
      } else if (op >= 40 && op <= 62) address(op); // loads and stores
      else if (op >= 35 && op <= 38 || op === 63 || op === 64 || op >= 0xd0 && op <= 0xd2) { if (op !== 0xd1) number(OTHER); } // globals, tables, memory, references
      else if (op === 65) number(INT);
      else if (op === 66) number(LONG);
      else if (op === 67) bytes(FLOAT, 4);
      else if (op === 68) bytes(FLOAT, 8);
      else if (op >= VECTOR) {
        const vector = op - VECTOR;
        if (vector < 12 || vector >= 84 && vector <= 93) address(op);
        if (vector === 12 || vector === 13) bytes(OTHER, 16);
        if (vector >= 21 && vector <= 34 || vector >= 84 && vector <= 91) tape.byte(OTHER);
      } else if (op >= SATURATING + 8) { // bulk memory and tables
        number(OTHER);
        if (op <= SATURATING + 14 && op % 2 === 0) number(OTHER);
      }
    }
  };

  bytes(REST, 8);
  while (tape.more()) {
    const section = tape.byte(REST);
    const size = number(REST);
    if (section !== CODE_SECTION) bytes(section === DATA_SECTION ? DATA : REST, size);
    else for (let functions = number(REST); functions > 0; functions--) tape.sized(body);
  }
}

/** Begin a byte of two characters. */
export const PREFIXES = [33, 34];
/** Stand for no byte of their own: the prefixes, the quote, the backslash. */
const RESERVED = [...PREFIXES, 39, 92];
/** Characters that stand for bytes, in order. */
export const CHARACTERS: readonly number[] = Array.from({ length: 95 }, (_, index) => 32 + index).filter((code) => !RESERVED.includes(code));

/**
 * One stream as text: `singles` (4 bits in each hex digit, the lowest first) names the bytes of one character each, `keeps` says
 * whether such a byte stands for itself where it can. Of the others, number n stands as the prefix n / 91 and character n % 91.
 */
export type StreamText = readonly [singles: string, keeps: 0 | 1, text: string];

/** The bytes that the characters stand for, at the places of the characters. */
export function placed(singles: readonly number[], keeps: boolean): (number | undefined)[] {
  const kept = keeps ? singles.filter((byte) => CHARACTERS.includes(byte)) : [];
  const rest = singles.filter((byte) => !kept.includes(byte));
  return CHARACTERS.map((code) => kept.includes(code) ? code : rest.shift());
}

/** The module whose streams these are. */
export function unpack(streams: readonly StreamText[], length: number): Uint8Array<ArrayBuffer> {
  const tapes = streams.map(reader);
  const bytes = new Uint8Array(length);
  let at = 0;
  const write = (value: number): void => {
    for (; value > 127; value = Math.floor(value / 128)) bytes[at++] = value % 128 + 128;
    bytes[at++] = value;
  };
  walk({
    more: () => at < length,
    byte: (stream) => bytes[at++] = tapes[stream]!(),
    coded(stream, _, number) {
      let code = 0;
      for (let unit = 1, byte = 128; byte > 127; unit *= 128) {
        byte = tapes[stream]!();
        code += (byte & 127) * unit;
      }
      const value = number(code);
      write(value);
      return value;
    },
    sized(walkBody) {
      const start = at;
      walkBody();
      const code = bytes.slice(start, at);
      at = start;
      write(code.length);
      bytes.set(code, at);
      at += code.length;
    },
  });
  return bytes;
}

/** Gives the bytes of a stream, one at each call. */
function reader([singles, keeps, text]: StreamText): () => number {
  const isSingle = (_: unknown, byte: number): boolean => (parseInt(singles[byte >> 2]!, 16) >> (byte & 3) & 1) === 1;
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  const others = all.filter((_, byte) => !isSingle(_, byte));
  const alone = placed(all.filter(isSingle), keeps === 1);
  const place: number[] = [];
  CHARACTERS.forEach((code, index) => { place[code] = index; });
  let at = 0;
  return () => {
    if (at >= text.length) throw new Error('a stream ends early');
    const code = text.charCodeAt(at++);
    const prefix = PREFIXES.indexOf(code);
    return prefix < 0 ? alone[place[code]!]! : others[CHARACTERS.length * prefix + place[text.charCodeAt(at++)]!]!;
  };
}
