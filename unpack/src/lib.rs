//! A wasm module taken apart into streams of like with like, and put together again: all operations, all indices of locals, all offsets.
//! HTTP compression, which looks a few bytes back, makes a tenth less of them than of the module itself.
//!
//! One walk over the code does both directions, so that the two cannot disagree about where an operation ends. The build goes from the
//! module to the streams; the browser comes back, in a module of its own, which is ready at once where a script would first have to be
//! optimised. The module imports nothing. The page writes at [`room`] and calls; there is one page and one thread.

use std::sync::atomic::{AtomicU8, Ordering};

/// How many streams there are.
pub const STREAMS: usize = 14;
// In the order that compresses best of those tried.
const LABEL: usize = 0;
const CALL: usize = 1;
const ALIGN: usize = 2;
const OP: usize = 3;
const REST: usize = 4;
const OFFSET: usize = 5;
const INT: usize = 6;
const DATA: usize = 7;
const LONG: usize = 8;
const FLOAT: usize = 9;
const OTHER: usize = 10;
const SET: usize = 11;
const LOCALS: usize = 12;
const LOCAL: usize = 13;

/// Room for the text and the module behind it; for the build, for a module and its streams.
#[cfg(not(feature = "apart"))]
const ROOM: usize = 1 << 20;
#[cfg(feature = "apart")]
const ROOM: usize = 1 << 23;
/// Most locals of one function.
const MOST_LOCALS: usize = 4096;

const CODE_SECTION: usize = 10;
const DATA_SECTION: usize = 11;
/// Operations with a second number begin with 0xfb to 0xff; it is added to 256, 512, ...
const FIRST_PREFIX: usize = 0xfb;
const VECTOR: usize = 0x200;
/// More than any operation.
const OPERATIONS: usize = 0x800;

// What follows an operation.
const PLAIN: u8 = 0;
const BLOCK: u8 = 1;
const END: u8 = 2;
const BRANCH: u8 = 3;
const TABLE: u8 = 4;
const FUNCTION: u8 = 5;
const INDEX: u8 = 6;
const INDICES: u8 = 7;
const TYPES: u8 = 8;
const READ: u8 = 9;
const ADDRESS: u8 = 10;
const INTEGER: u8 = 11;
const LONG_INTEGER: u8 = 12;
const SINGLE: u8 = 13;
const DOUBLE: u8 = 14;
const LANES: u8 = 15;
const LANE: u8 = 16;
const ADDRESS_LANE: u8 = 17;
const WRITTEN: u8 = 18;

/// By operation; a table, since a chain of comparisons becomes a larger one.
static KINDS: [u8; VECTOR + 94] = kinds();

const fn kinds() -> [u8; VECTOR + 94] {
    let mut kinds = [PLAIN; VECTOR + 94];
    let mut op = 0;
    while op < kinds.len() {
        kinds[op] = match op {
            2..=4 => BLOCK,
            11 => END,
            12 | 13 => BRANCH,
            14 => TABLE,
            16 => FUNCTION,
            // call_indirect
            17 => INDICES,
            // select with types
            28 => TYPES,
            // local.get; local.set, local.tee
            32 => READ,
            33 | 34 => WRITTEN,
            // globals, tables, memory, references
            35..=38 | 63 | 64 | 0xd0 | 0xd2 => INDEX,
            40..=62 => ADDRESS,
            65 => INTEGER,
            66 => LONG_INTEGER,
            67 => SINGLE,
            68 => DOUBLE,
            // bulk memory and tables
            0x108 | 0x10a | 0x10c | 0x10e => INDICES,
            0x109 | 0x10b | 0x10d | 0x10f..=0x1ff => INDEX,
            0x200..=0x20b | 0x25c | 0x25d => ADDRESS,
            0x20c | 0x20d => LANES,
            0x215..=0x222 => LANE,
            0x254..=0x25b => ADDRESS_LANE,
            _ => PLAIN,
        };
        op += 1;
    }
    kinds
}

/// Characters that stand for bytes: from the space to the tilde, but for the two prefixes of a byte of two characters, the exclamation
/// mark and the quotation mark, and for the apostrophe and the backslash.
fn stands(code: usize) -> bool {
    matches!(code, 32 | 35..=38 | 40..=91 | 93..=126)
}

/// Atomics, since JavaScript writes here between two calls.
static MEMORY: [AtomicU8; ROOM] = [const { AtomicU8::new(0) }; ROOM];

/// Places outside wrap around: no check, no message, and a text that the build did not make gives a module that is refused.
fn get(at: usize) -> u8 {
    MEMORY[at % ROOM].load(Ordering::Relaxed)
}

fn put(at: usize, byte: u8) {
    MEMORY[at % ROOM].store(byte, Ordering::Relaxed);
}

/// Where the page writes to.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn room() -> *const u8 {
    MEMORY.as_ptr().cast()
}

/// Puts the module of `length` bytes together from the text of `text` bytes in the room, right behind it.
///
/// The text holds each stream in turn: 64 digits that say which bytes are one character each, 4 of them in a digit, the lowest first; 6
/// digits with the number of characters, the lowest first; the characters. A digit is the zero or one of the 15 characters behind it. The
/// bytes of one character take the characters in order; the others take them after the first prefix, then after the second.
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn together(text: usize, length: usize) {
    let mut streams = [0; STREAMS];
    let mut at = 0;
    for stream in &mut streams {
        let head = at;
        at += HEAD;
        *stream = at;
        for digit in 0..6 {
            at += digit_at(head + 64 + digit) << (4 * digit);
        }
        bytes_of(head, at);
    }
    Walk::<true>::new(streams, text, text + length).all();
}

/// Takes the module of `length` bytes in the room apart; returns the length of one stream, which begins at (1 + `stream`) `length`.
#[cfg(feature = "apart")]
#[expect(unsafe_code, reason = "an exported name")]
#[unsafe(no_mangle)]
pub extern "C" fn apart(length: usize, stream: usize) -> usize {
    let mut walk = Walk::<false>::new(std::array::from_fn(|stream| (1 + stream) * length), 0, length);
    walk.all();
    walk.streams[stream] - (1 + stream) * length
}

/// What stands before a stream's characters.
const HEAD: usize = 70;

fn digit_at(at: usize) -> usize {
    usize::from(get(at) % 16)
}

/// Makes bytes of a stream's characters, in place: what is written never overtakes what is read.
#[inline(never)]
fn bytes_of(head: usize, end: usize) {
    // By character, after no prefix, the first, the second: the bytes of one character in their order, then the others.
    let mut table = [0_u8; 3 * 128];
    let mut next = 0;
    for (place, byte) in table.iter_mut().enumerate() {
        let alone = usize::from(place < 128);
        if place == 128 {
            next = 0;
        }
        if stands(place % 128) {
            while next < 256 && digit_at(head + next / 4) >> (next % 4) & 1 != alone {
                next += 1;
            }
            *byte = next as u8;
            next += 1;
        }
    }
    let mut from = head + HEAD;
    let mut to = from;
    while from < end {
        let mut place = usize::from(get(from));
        from += 1;
        if place == 33 || place == 34 {
            place = 128 * (place - 32) + usize::from(get(from));
            from += 1;
        }
        put(to, table.get(place).copied().unwrap_or(0));
        to += 1;
    }
}

/// Goes over a module: from the streams to the module if `TOGETHER`, else the other way.
struct Walk<const TOGETHER: bool> {
    /// How far each stream is read or written.
    streams: [usize; STREAMS],
    module: usize,
    /// Where the module ends.
    end: usize,
    /// The locals of a function, latest first: those used lately are used again. So far as they were needed.
    order: [u16; MOST_LOCALS],
    known: usize,
    /// The last alignment of each operation, mostly used again; none is 255.
    alignments: [u8; OPERATIONS],
}

impl<const TOGETHER: bool> Walk<TOGETHER> {
    #[inline(never)]
    fn new(streams: [usize; STREAMS], module: usize, end: usize) -> Self {
        Walk { streams, module, end, order: [0; MOST_LOCALS], known: 0, alignments: [255; OPERATIONS] }
    }

    fn read(&mut self, stream: usize) -> u8 {
        let at = if TOGETHER { &mut self.streams[stream] } else { &mut self.module };
        *at += 1;
        get(*at - 1)
    }

    fn write(&mut self, stream: usize, byte: u8) {
        let at = if TOGETHER { &mut self.module } else { &mut self.streams[stream] };
        *at += 1;
        put(*at - 1, byte);
    }

    fn byte(&mut self, stream: usize) -> usize {
        let byte = self.read(stream);
        self.write(stream, byte);
        usize::from(byte)
    }

    fn bytes(&mut self, stream: usize, count: usize) {
        for _ in 0..count {
            self.byte(stream);
        }
    }

    /// A number that is copied as it stands; what is longer than 32 bits is only copied.
    fn number(&mut self, stream: usize) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte(stream);
            value |= (byte & 127).wrapping_shl(shift);
            shift += 7;
            if byte < 128 {
                return value;
            }
        }
    }

    #[inline(never)]
    fn read_number(&mut self, stream: usize) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = usize::from(self.read(stream));
            value |= (byte & 127) << shift;
            shift += 7;
            if byte < 128 || shift > 14 {
                return value;
            }
        }
    }

    fn write_number(&mut self, stream: usize, mut value: usize) {
        while value > 127 {
            self.write(stream, value as u8 | 128);
            value >>= 7;
        }
        self.write(stream, value as u8);
    }

    #[inline(never)]
    fn all(&mut self) {
        self.bytes(REST, 8);
        while self.module < self.end {
            let section = self.byte(REST);
            let size = self.number(REST);
            if section == CODE_SECTION {
                for _ in 0..self.number(REST) {
                    self.function();
                }
            } else {
                self.bytes(if section == DATA_SECTION { DATA } else { REST }, size);
            }
        }
    }

    /// A function. Its size is in no stream: the body moves up when it is known.
    #[inline(never)]
    fn function(&mut self) {
        if !TOGETHER {
            let (mut shift, mut byte) = (0, 128);
            while byte > 127 && shift < 35 {
                byte = get(self.module);
                self.module += 1;
                shift += 7;
            }
        }
        let start = self.module;
        self.body();
        if TOGETHER {
            let end = self.module;
            self.module = start;
            let width = if end - start < 128 {
                1
            } else if end - start < 1 << 14 {
                2
            } else {
                3
            };
            for at in (start..end).rev() {
                put(at + width, get(at));
            }
            self.write_number(REST, end - start);
            self.module = end + width;
        }
    }

    #[inline(never)]
    fn body(&mut self) {
        for _ in 0..self.number(LOCALS) {
            self.number(LOCALS);
            self.byte(LOCALS);
        }
        self.known = 0;
        let mut depth = 1_u32;
        while depth > 0 && self.module < self.end {
            let mut op = self.byte(OP);
            if op > FIRST_PREFIX {
                op = 256 * (op - FIRST_PREFIX) + self.number(OP);
            }
            match KINDS.get(op).copied().unwrap_or(PLAIN) {
                BLOCK => {
                    depth += 1;
                    self.number(OTHER);
                }
                END => depth -= 1,
                BRANCH => _ = self.number(LABEL),
                TABLE => {
                    for _ in 0..=self.number(LABEL) {
                        self.number(LABEL);
                    }
                }
                FUNCTION => _ = self.number(CALL),
                INDEX => _ = self.number(OTHER),
                INDICES => {
                    self.number(OTHER);
                    self.number(OTHER);
                }
                TYPES => {
                    let types = self.number(OTHER);
                    self.bytes(OTHER, types);
                }
                READ => self.local(LOCAL),
                WRITTEN => self.local(SET),
                ADDRESS => self.address(op),
                INTEGER => _ = self.number(INT),
                LONG_INTEGER => _ = self.number(LONG),
                SINGLE => self.bytes(FLOAT, 4),
                DOUBLE => self.bytes(FLOAT, 8),
                LANES => self.bytes(OTHER, 16),
                LANE => _ = self.byte(OTHER),
                ADDRESS_LANE => {
                    self.address(op);
                    self.byte(OTHER);
                }
                _ => {}
            }
        }
    }

    /// In the stream stands how many other locals were used since.
    #[inline(never)]
    fn local(&mut self, stream: usize) {
        let code = self.read_number(stream);
        while self.known <= code {
            self.order[self.known % MOST_LOCALS] = self.known as u16;
            self.known += 1;
        }
        let local = if TOGETHER { self.order[code % MOST_LOCALS] } else { code as u16 };
        let (mut rank, mut moved) = (0, local);
        loop {
            std::mem::swap(&mut self.order[rank % MOST_LOCALS], &mut moved);
            if moved == local {
                break;
            }
            rank += 1;
        }
        self.write_number(stream, if TOGETHER { usize::from(local) } else { rank });
    }

    /// In the stream an alignment is 0 when it is the last one, and else one more than itself.
    fn address(&mut self, op: usize) {
        let code = self.read(ALIGN);
        let last = self.alignments[op % OPERATIONS];
        let other = match (TOGETHER, code) {
            (true, 0) => last,
            (true, _) => code - 1,
            (false, _) if code == last => 0,
            (false, _) => code + 1,
        };
        self.alignments[op % OPERATIONS] = if TOGETHER { other } else { code };
        self.write(ALIGN, other);
        self.number(OFFSET);
    }
}

#[cfg(all(test, feature = "apart"))]
mod tests {
    use super::*;

    /// A module with one function of every kind of operation that the core has, and data.
    fn module() -> Vec<u8> {
        let mut body = vec![1, 2, 0x7f];
        for op in [
            &[0x02, 0x40][..],                           // block
            &[0x20, 0, 0x21, 1, 0x22, 0, 0x20, 1],       // locals
            &[0x28, 2, 0x90, 1, 0x28, 2, 4, 0x28, 0, 4], // loads of two alignments
            &[0x41, 0xff, 0xff, 0x7f, 0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
            &[0x43, 1, 2, 3, 4, 0x44, 1, 2, 3, 4, 5, 6, 7, 8],       // constants
            &[0x0e, 1, 0, 1, 0x0c, 0, 0x0d, 0, 0x10, 3, 0x11, 1, 0], // branches, calls
            &[0x23, 0, 0x24, 0, 0x3f, 0, 0x40, 0, 0xd0, 0x70, 0xd1, 0xd2, 0, 0x1c, 1, 0x7f],
            &[0xfc, 0, 0xfc, 8, 0, 0, 0xfc, 9, 0, 0xfc, 10, 0, 0, 0xfc, 11, 0, 0xfc, 17, 0],
            &[0xfd, 0, 4, 0, 0xfd, 11, 4, 0, 0xfd, 12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            &[0xfd, 0x15, 7, 0xfd, 0x58, 0, 8, 3, 0xfd, 0x5c, 2, 0, 0xfd, 0xe4, 1],
            &[0x0b, 0x0b],
        ] {
            body.extend_from_slice(op);
        }
        let mut module = vec![0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
        let size = body.len() as u8;
        assert!(size > 127, "a size of two bytes");
        module.extend([CODE_SECTION as u8, 1 + 2 + size, 1, 1, size | 128, 1]);
        // The section's size takes two bytes as well.
        module[9] = (3 + size) | 128;
        module.extend(body);
        module.extend([DATA_SECTION as u8, 4, b'd', b'a', b't', b'a']);
        module
    }

    /// One stream as text; the bytes below 91 are one character each.
    fn text_of(stream: &[u8]) -> Vec<u8> {
        let characters: Vec<u8> = (0..128).filter(|&code| stands(code)).map(|code| code as u8).collect();
        assert_eq!(characters.len(), 91);
        let mut text: Vec<u8> =
            (0..64).map(|digit| b'0' + [15, 7, 0][usize::from(digit >= 22) + usize::from(digit >= 23)]).collect();
        let mut body = Vec::new();
        for &byte in stream {
            let place = usize::from(byte);
            if place >= 91 {
                body.push(b'!' + ((place - 91) / 91) as u8);
            }
            body.push(characters[place % 91]);
        }
        text.extend((0..6).map(|digit| b'0' + (body.len() >> (4 * digit) & 15) as u8));
        text.extend(body);
        text
    }

    /// One test, since the room is one.
    #[test]
    fn a_module_comes_back() {
        let module = module();
        let mut text = Vec::new();
        for stream in 0..STREAMS {
            for (at, &byte) in module.iter().enumerate() {
                put(at, byte);
            }
            let length = apart(module.len(), stream);
            let bytes: Vec<u8> = (0..length).map(|at| get((1 + stream) * module.len() + at)).collect();
            assert!(!bytes.is_empty(), "stream {stream} has something");
            text.extend(text_of(&bytes));
        }
        for at in 0..1 << 14 {
            put(at, text.get(at).copied().unwrap_or(0));
        }
        together(text.len(), module.len());
        let back: Vec<u8> = (0..module.len()).map(|at| get(text.len() + at)).collect();
        assert_eq!(back, module);
        // What nobody made ends too.
        for at in 0..4096 {
            put(at, 0xfb);
        }
        together(4096, 4096);
    }
}
