//! Numbers that stand in the file as they are in memory, uncompressed, plain and none missing: read from there, or lent.
//!
//! Page headers are looked at beforehand; a column of which any page is something else is not read here.

use bytes::Bytes;
use parquet::basic::{Compression, Type as Physical};
use parquet::file::metadata::ColumnChunkMetaData;

use super::Column;
use super::plain::{copy, the_only_level, width};

/// What is left of a column chunk.
pub(super) struct Direct {
    chunk: Bytes,
    physical: Physical,
    width: usize,
    /// Where the values of each page start, and how many there are, last page first.
    pages: Vec<(usize, usize)>,
}

impl Direct {
    /// Looks at the pages of a chunk; nothing when one is not plain, so that another reader has to.
    pub(super) fn open(file: &Bytes, chunk: &ColumnChunkMetaData) -> Option<Self> {
        let physical = chunk.column_type();
        let width = width(physical)?;
        let optional = match (chunk.column_descr().max_def_level(), chunk.column_descr().max_rep_level()) {
            (0, 0) => false,
            (1, 0) => true,
            _ => return None,
        };
        if chunk.compression() != Compression::UNCOMPRESSED
            || chunk.dictionary_page_offset().is_some()
            || cfg!(target_endian = "big")
        {
            return None;
        }
        let (start, length) = chunk.byte_range();
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(start.checked_add(length)?).ok()?);
        let bytes = file.get(start..end).map(|_| file.slice(start..end))?;
        let (mut pages, mut rows, mut at) = (Vec::new(), 0usize, 0usize);
        while rows < usize::try_from(chunk.num_values()).ok()? {
            let (page, rest) = PageHead::read(bytes.get(at..)?)?;
            let (start, body) = (bytes.len() - rest.len(), rest.get(..page.bytes)?);
            let levels = levels(optional, page.rows, body)?;
            body.get(levels..)?.get(..page.rows.checked_mul(width)?)?;
            at = start + page.bytes;
            rows += page.rows;
            pages.push((start + levels, page.rows));
        }
        pages.reverse();
        Some(Self { chunk: bytes, physical, width, pages })
    }

    /// Makes `column` the next `count` rows, lent where they may be; says no where there are fewer.
    pub(super) fn read(&mut self, count: usize, lend: bool, column: &mut Column) -> bool {
        column.missing.clear();
        column.lent.clear();
        let lend = lend && self.physical == Physical::DOUBLE;
        // Old values are written over: a column that keeps its length is not filled twice.
        column.values.resize(if lend { 0 } else { count }, 0.0);
        let mut done = 0;
        while done < count {
            let Some((at, left)) = self.pages.last_mut() else { return false };
            let rows = (*left).min(count - done);
            let end = *at + rows * self.width;
            if lend {
                column.lent.push(self.chunk.slice(*at..end));
            } else {
                copy(self.physical, &self.chunk[*at..end], &mut column.values[done..done + rows]);
            }
            (*at, *left) = (end, *left - rows);
            if *left == 0 {
                self.pages.pop();
            }
            done += rows;
        }
        true
    }
}

/// Bytes of the levels with which a page begins, where they say that no row is missing.
fn levels(optional: bool, rows: usize, page: &[u8]) -> Option<usize> {
    if !optional {
        return Some(0);
    }
    let (length, rest) = page.split_first_chunk()?;
    let levels = u32::from_le_bytes(*length) as usize;
    (the_only_level(rest.get(..levels)?, rows) == Some(1)).then_some(length.len() + levels)
}

/// What a page's header says, of a data page with plain values and levels in runs.
struct PageHead {
    bytes: usize,
    rows: usize,
}

impl PageHead {
    /// Reads a header, and gives back what follows it.
    ///
    /// # References
    /// Apache Thrift, "Compact protocol encoding"; Apache Parquet, `parquet.thrift`, `PageHeader` and `DataPageHeader`.
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        const DATA_PAGE: i64 = 0;
        const PLAIN: i64 = 0;
        const RLE: i64 = 3;
        let mut thrift = Thrift(bytes);
        let (mut kind, mut packed, mut data) = (None, None, None);
        let mut last = 0;
        while let Some((field, of)) = thrift.field(last)? {
            last = field;
            match (field, of) {
                (1, Thrift::I32) => kind = Some(thrift.number()?),
                (3, Thrift::I32) => packed = Some(thrift.number()?),
                (5, Thrift::STRUCT) => {
                    let (mut rows, mut encoding, mut levels) = (None, None, None);
                    let mut last = 0;
                    while let Some((field, of)) = thrift.field(last)? {
                        last = field;
                        match (field, of) {
                            (1, Thrift::I32) => rows = Some(thrift.number()?),
                            (2, Thrift::I32) => encoding = Some(thrift.number()?),
                            (3, Thrift::I32) => levels = Some(thrift.number()?),
                            _ => thrift.skip(of, 0)?,
                        }
                    }
                    data = Some((rows?, encoding?, levels?));
                }
                _ => thrift.skip(of, 0)?,
            }
        }
        let (rows, encoding, levels) = data?;
        let fits = kind? == DATA_PAGE && encoding == PLAIN && levels == RLE && rows > 0;
        let of = Self { bytes: usize::try_from(packed?).ok()?, rows: usize::try_from(rows).ok()? };
        fits.then_some((of, thrift.0))
    }
}

/// The compact protocol, as far as page headers use it.
struct Thrift<'a>(&'a [u8]);

impl Thrift<'_> {
    const I32: u8 = 5;
    const STRUCT: u8 = 12;
    /// Deepest nesting that is followed.
    const DEEPEST: u8 = 8;

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn unsigned(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    fn number(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Number and type of the next field; nothing inside at the end of the struct.
    fn field(&mut self, last: i64) -> Option<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        let field = if byte >> 4 == 0 { self.number()? } else { last.checked_add(i64::from(byte >> 4))? };
        Some(Some((field, byte & 0x0f)))
    }

    fn skip(&mut self, of: u8, depth: u8) -> Option<()> {
        match of {
            1 | 2 => Some(()),
            3 => self.pass(1),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let length = self.unsigned()?;
                self.pass(length)
            }
            Self::STRUCT if depth < Self::DEEPEST => {
                let mut last = 0;
                while let Some((field, of)) = self.field(last)? {
                    last = field;
                    self.skip(of, depth + 1)?;
                }
                Some(())
            }
            // Lists and maps do not occur in page headers.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_others_are_left() {
        // DATA_PAGE, 80 bytes either way, { 10 values, PLAIN, RLE, RLE, statistics { null_count 0 } }.
        let head = [
            0x15, 0x00, 0x15, 0xa0, 0x01, 0x15, 0xa0, 0x01, 0x2c, 0x15, 0x14, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x1c, 0x36,
            0x00, 0x00, 0x00, 0x00, 7,
        ];
        let (page, rest) = PageHead::read(&head).unwrap();
        assert_eq!((page.bytes, page.rows, rest), (80, 10, &[7][..]));
        for (at, byte) in [(1, 4), (12, 4), (14, 8), (10, 0), (8, 0x29)] {
            let mut other = head;
            other[at] = byte;
            assert!(PageHead::read(&other).is_none(), "{at}");
        }
        (0..head.len() - 1).for_each(|length| assert!(PageHead::read(&head[..length]).is_none(), "{length}"));
    }
}
