//! Pages that can be read without decoding: plain numbers in which no row is missing, and pages in which every row is.
//!
//! Everything else goes to the column reader of the `parquet` crate, from the page where it begins.

use bytes::Bytes;
use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescPtr;

/// A flat column's pages, as far as they are plain.
pub(super) struct Plain {
    column: ColumnDescPtr,
    pages: Box<dyn PageReader>,
    /// Values of the page that is being read, not yet taken; empty for missing rows.
    values: Bytes,
    /// Rows of it, not yet taken.
    left: usize,
    missing: bool,
}

/// What comes next.
pub(super) enum Next {
    /// Numbers, one for each row, in the file's type.
    Values(Bytes),
    /// So many rows without a value.
    Missing(usize),
    /// Something else, from here on.
    Other(Box<ColumnReader>),
    /// Nothing.
    End,
}

impl Plain {
    pub(super) fn new(column: ColumnDescPtr, pages: Box<dyn PageReader>) -> Self {
        Self { column, pages, values: Bytes::new(), left: 0, missing: false }
    }

    /// The next rows, at most `count`, after which they are taken. After [`Next::Other`] there is nothing.
    pub(super) fn next(&mut self, count: usize) -> Result<Next, ParquetError> {
        while self.left == 0 {
            let Some(page) = self.pages.get_next_page()? else { return Ok(Next::End) };
            match self.open(&page) {
                Some((rows, values)) => {
                    (self.left, self.missing, self.values) = (rows, values.is_none(), values.unwrap_or_default())
                }
                None => {
                    let rest = std::mem::replace(&mut self.pages, Box::new(Nothing));
                    let resumed = Resumed { first: Some(page), rest };
                    return Ok(Next::Other(Box::new(get_column_reader(self.column.clone(), Box::new(resumed)))));
                }
            }
        }
        let rows = count.min(self.left);
        self.left -= rows;
        if self.missing {
            return Ok(Next::Missing(rows));
        }
        Ok(Next::Values(self.values.split_to(rows * width(self.column.physical_type()).unwrap_or(0))))
    }

    /// Rows of a page and its values, where they are plain and none is missing, or no values, where all are.
    fn open(&self, page: &Page) -> Option<(usize, Option<Bytes>)> {
        let (rows, levels, values, encoding) = match page {
            Page::DataPage { buf, num_values, encoding, def_level_encoding, .. } => {
                if self.column.max_def_level() == 0 {
                    (*num_values as usize, Bytes::new(), buf.clone(), *encoding)
                } else {
                    let length = u32::from_le_bytes(buf.get(..4)?.try_into().ok()?) as usize;
                    let rest = buf.slice(4..);
                    if *def_level_encoding != Encoding::RLE || length > rest.len() {
                        return None;
                    }
                    (*num_values as usize, rest.slice(..length), rest.slice(length..), *encoding)
                }
            }
            Page::DataPageV2 { buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len: 0, .. } => {
                let length = *def_levels_byte_len as usize;
                if length > buf.len() {
                    return None;
                }
                (*num_values as usize, buf.slice(..length), buf.slice(length..), *encoding)
            }
            _ => return None,
        };
        let level = match self.column.max_def_level() {
            0 => 1,
            1 => the_only_level(&levels, rows)?,
            _ => return None,
        };
        if level == 0 {
            return Some((rows, None));
        }
        let bytes = rows.checked_mul(width(self.column.physical_type())?)?;
        (encoding == Encoding::PLAIN && values.len() >= bytes).then(|| (rows, Some(values.slice(..bytes))))
    }
}

/// Bytes of a number; nothing for types that are not read here.
pub(super) fn width(physical: Physical) -> Option<usize> {
    match physical {
        Physical::DOUBLE | Physical::INT64 => Some(8),
        Physical::FLOAT | Physical::INT32 => Some(4),
        _ => None,
    }
}

/// Plain numbers as `f64`, as many as there is room for.
pub(super) fn copy(physical: Physical, bytes: &[u8], values: &mut [f64]) {
    let (eights, _) = bytes.as_chunks::<8>();
    let (fours, _) = bytes.as_chunks::<4>();
    match physical {
        Physical::DOUBLE => values.iter_mut().zip(eights).for_each(|(to, x)| *to = f64::from_le_bytes(*x)),
        Physical::INT64 => values.iter_mut().zip(eights).for_each(|(to, x)| *to = i64::from_le_bytes(*x) as f64),
        Physical::FLOAT => values.iter_mut().zip(fours).for_each(|(to, x)| *to = f64::from(f32::from_le_bytes(*x))),
        _ => values.iter_mut().zip(fours).for_each(|(to, x)| *to = f64::from(i32::from_le_bytes(*x))),
    }
}

/// The level, 0 or 1, that all of so many rows share; nothing when they differ or the bytes are not levels.
///
/// # References
/// Apache Parquet, "Encodings", run length encoding / bit-packing hybrid, of width 1.
pub(super) fn the_only_level(mut bytes: &[u8], rows: usize) -> Option<u8> {
    let (mut done, mut only) = (0usize, None);
    while done < rows {
        let (mut header, mut shift) = (0u64, 0);
        loop {
            let (byte, rest) = bytes.split_first()?;
            bytes = rest;
            header |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let count = usize::try_from(header >> 1).ok()?;
        let level = if header & 1 == 0 {
            let (byte, rest) = bytes.split_first()?;
            bytes = rest;
            done = done.checked_add(count)?;
            *byte
        } else {
            // Groups of eight; the last may hold more than there are rows.
            let packed = bytes.get(..count)?;
            bytes = bytes.get(count..)?;
            let level = packed.first()? & 1;
            let start = done;
            done = done.checked_add(count.checked_mul(8)?)?;
            let same = |i: usize| packed[i / 8] >> (i % 8) & 1 == level;
            if !(0..rows.min(done).checked_sub(start)?).all(same) {
                return None;
            }
            level
        };
        if level > 1 || count == 0 || only.is_some_and(|only| only != level) {
            return None;
        }
        only = Some(level);
    }
    only
}

/// Pages of which the first was taken out already.
struct Resumed {
    first: Option<Page>,
    rest: Box<dyn PageReader>,
}

impl Iterator for Resumed {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Resumed {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        match self.first.take() {
            Some(page) => Ok(Some(page)),
            None => self.rest.get_next_page(),
        }
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        let Some(page) = &self.first else { return self.rest.peek_next_page() };
        let rows = Some(page.num_values() as usize);
        let is_dict = page.is_dictionary_page();
        let rows = rows.filter(|_| !is_dict);
        Ok(Some(PageMetadata { num_rows: rows, num_levels: rows, is_dict }))
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        match self.first.take() {
            Some(_) => Ok(()),
            None => self.rest.skip_next_page(),
        }
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        if self.first.is_some() { Ok(true) } else { self.rest.at_record_boundary() }
    }
}

/// No pages.
struct Nothing;

impl Iterator for Nothing {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl PageReader for Nothing {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        Ok(None)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        Ok(None)
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::the_only_level;

    #[test]
    fn levels_that_are_all_alike() {
        // A run of 300 ones: header 600 in two bytes. Packed: 2 groups of eight, of which 11 rows count.
        assert_eq!(the_only_level(&[0xd8, 0x04, 1], 300), Some(1));
        assert_eq!(the_only_level(&[0xd8, 0x04, 0], 300), Some(0));
        assert_eq!(the_only_level(&[0x05, 0xff, 0x07], 11), Some(1));
        assert_eq!(the_only_level(&[0x05, 0xff, 0x03], 11), None);
        assert_eq!(the_only_level(&[0x06, 1, 0x03, 0xff], 11), Some(1));
        assert_eq!(the_only_level(&[0x06, 1, 0x03, 0x00], 11), None);
    }

    #[test]
    fn what_are_no_levels_is_left_to_the_decoder() {
        for bytes in [&[][..], &[0x00, 1], &[0xff; 12], &[0x06, 2], &[0x06], &[0x05, 0xff]] {
            assert_eq!(the_only_level(bytes, 11), None, "{bytes:?}");
        }
    }
}
