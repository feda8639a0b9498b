//! Universal Binary JSON as XGBoost writes it, for `serde`.
//!
//! Draft 12 of the format: big-endian numbers, `[` and `{` with optional `$` (type) and `#` (count). High-precision numbers (`H`) and
//! typed objects are refused.

use std::fmt;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};

/// Arrays and objects within one another; more is refused.
const MAX_NESTING: u32 = 64;

/// Reads one value, which must be the whole of `bytes`.
///
/// # Errors
/// What is wrong and at which byte.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    let mut reader = Reader { bytes, at: 0, nesting: 0 };
    let value = T::deserialize(Typed { reader: &mut reader, marker: None })?;
    if reader.at == bytes.len() { Ok(value) } else { Err(reader.wrong("the end", "more bytes")) }
}

/// What is wrong.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    nesting: u32,
}

impl<'de> Reader<'de> {
    #[cold]
    fn wrong(&self, expected: &str, found: impl fmt::Display) -> Error {
        Error(format!("byte {}: expected {expected}, found {found}", self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8], Error> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return Err(self.wrong("more bytes", "the end"));
        };
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    /// A whole number whose marker has been read; nothing for other markers.
    fn whole(&mut self, marker: u8) -> Result<Option<i64>, Error> {
        Ok(Some(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    fn count(&mut self) -> Result<usize, Error> {
        let marker = self.byte()?;
        match self.whole(marker)? {
            Some(count) => usize::try_from(count).map_err(|_| self.wrong("a count", count)),
            None => Err(self.wrong("a count", shown(marker))),
        }
    }

    fn text(&mut self) -> Result<&'de str, Error> {
        let length = self.count()?;
        let at = self.at;
        std::str::from_utf8(self.take(length)?).map_err(|_| Error(format!("byte {at}: expected UTF-8 text, found other bytes")))
    }

    /// Runs `read` one level deeper.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.nesting == MAX_NESTING {
            return Err(self.wrong(&format!("at most {MAX_NESTING} levels"), "more"));
        }
        self.nesting += 1;
        let value = read(self)?;
        self.nesting -= 1;
        Ok(value)
    }
}

fn shown(marker: u8) -> String {
    format!("\"{}\"", char::from(marker).escape_default())
}

/// A value whose marker may have been said before, as in a typed array.
struct Typed<'r, 'de> {
    reader: &'r mut Reader<'de>,
    marker: Option<u8>,
}

impl<'de> de::Deserializer<'de> for Typed<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let reader = self.reader;
        let marker = match self.marker {
            Some(marker) => marker,
            None => reader.byte()?,
        };
        if let Some(number) = reader.whole(marker)? {
            return visitor.visit_i64(number);
        }
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'd' => visitor.visit_f32(f32::from_be_bytes(reader.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(reader.array()?)),
            b'C' => visitor.visit_char(char::from(reader.byte()?)),
            b'S' => visitor.visit_borrowed_str(reader.text()?),
            b'[' => reader.nested(|reader| {
                let (marker, left) = head(reader)?;
                visitor.visit_seq(Items { reader, marker, left })
            }),
            b'{' => reader.nested(|reader| {
                if reader.peek() == Some(b'$') {
                    return Err(reader.wrong("an object without a type", "a typed object"));
                }
                let (_, left) = head(reader)?;
                visitor.visit_map(Entries { reader, left })
            }),
            other => Err(reader.wrong("a value", shown(other))),
        }
    }

    /// Whatever stands there is some; null is none.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.marker.is_none() && self.reader.peek() == Some(b'Z') {
            self.reader.byte()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// `$type#count` of an array or an object, as far as it stands there.
fn head(reader: &mut Reader<'_>) -> Result<(Option<u8>, Option<usize>), Error> {
    let mut marker = None;
    if reader.peek() == Some(b'$') {
        reader.byte()?;
        let typed = reader.byte()?;
        // Values without bytes would let a short file stand for a long array.
        if !b"iUIlLdDCS".contains(&typed) {
            return Err(reader.wrong("an array of numbers or texts", shown(typed)));
        }
        marker = Some(typed);
    }
    if reader.peek() == Some(b'#') {
        reader.byte()?;
        return Ok((marker, Some(reader.count()?)));
    }
    match marker {
        None => Ok((None, None)),
        Some(_) => Err(reader.wrong("\"#\" after a type", "none")),
    }
}

struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    marker: Option<u8>,
    /// Values left, where the array said how many it has.
    left: Option<usize>,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if ended(self.reader, &mut self.left, b']')? {
            return Ok(None);
        }
        seed.deserialize(Typed { reader: self.reader, marker: self.marker }).map(Some)
    }
}

struct Entries<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: Option<usize>,
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if ended(self.reader, &mut self.left, b'}')? {
            return Ok(None);
        }
        let key = self.reader.text()?;
        seed.deserialize(StrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(Typed { reader: self.reader, marker: None })
    }
}

/// Whether a container ends here; counts down or takes the closing mark.
fn ended(reader: &mut Reader<'_>, left: &mut Option<usize>, closing: u8) -> Result<bool, Error> {
    match left {
        Some(0) => Ok(true),
        Some(left) => {
            *left -= 1;
            Ok(false)
        }
        None if reader.peek() == Some(closing) => {
            reader.byte()?;
            Ok(true)
        }
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        name: String,
        values: Vec<f32>,
        wholes: Vec<i64>,
        #[serde(default)]
        flag: Option<bool>,
    }

    #[test]
    fn typed_counted_and_closed_containers() {
        let mut bytes = b"{U\x04nameSi\x02ab".to_vec();
        bytes.extend(b"i\x06values[$d#i\x02");
        bytes.extend(1.5f32.to_be_bytes());
        bytes.extend((-2.0f32).to_be_bytes());
        bytes.extend(b"i\x06wholes[#i\x02i\xffI\x01\x00i\x04skip{i\x01a[TF]}i\x04flagZ}");
        let read: Sample = from_slice(&bytes).unwrap();
        let expected = Sample { name: "ab".to_owned(), values: vec![1.5, -2.0], wholes: vec![-1, 256], flag: None };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_byte() {
        let cases: [(&[u8], &str); 7] = [
            (b"", "byte 0: expected more bytes, found the end"),
            (b"[i\x01", "expected more bytes"),
            (b"[$Z#l\x7f\xff\xff\xff", "expected an array of numbers or texts, found \"Z\""),
            (b"[$i]", "expected \"#\" after a type"),
            (b"[]]", "byte 2: expected the end, found more bytes"),
            (b"[#i\xff", "expected a count, found -1"),
            (b"[Si\x02\xff\xfe]", "expected UTF-8 text"),
        ];
        for (bytes, expected) in cases {
            let error = from_slice::<Vec<i64>>(bytes).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let deep = [b'['; 100];
        assert!(from_slice::<de::IgnoredAny>(&deep).unwrap_err().to_string().contains("at most 64 levels"));
    }
}
