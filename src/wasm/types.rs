//! Shapes on the JavaScript side, and the way between them and the domain.

use crate::error::Error;
use crate::page::{Card, CardKind};
use crate::settings::Value;

/// Separates the fields of a record of strings.
const FIELD: u8 = 0x1f;
/// Ends a record of strings.
const RECORD: u8 = 0x1e;

/// A small, cold value as the host tells it (`tape` in `js/src/load.ts`): its kinds and numbers in the order of a walk from the root, and
/// its texts one after another. One call brings it over, where a call for each part of it takes milliseconds before it is compiled.
struct Tape<'a> {
    texts: &'a str,
    numbers: std::slice::Iter<'a, f64>,
    code: &'static str,
}

/// Reads a value from its tape.
///
/// # Errors
/// `code` for functions, symbols and the like, and for nesting deeper than the host follows.
pub(super) fn from_tape(texts: &str, numbers: &[f64], code: &'static str) -> Result<Value, Error> {
    Tape { texts, numbers: numbers.iter(), code }.value()
}

impl Tape<'_> {
    /// The next number; where there are no more, the kind of nothing and the length of an empty list.
    fn number(&mut self) -> f64 {
        self.numbers.next().copied().unwrap_or_default()
    }

    /// The next text, as long as JavaScript counts it.
    fn text(&mut self) -> String {
        let mut left = self.number() as usize;
        let mut end = 0;
        for unit in self.texts.chars() {
            if left == 0 {
                break;
            }
            left = left.saturating_sub(unit.len_utf16());
            end += unit.len_utf8();
        }
        let (text, rest) = self.texts.split_at_checked(end).unwrap_or_default();
        // What ends it is no part of it.
        self.texts = rest.get(1..).unwrap_or_default();
        text.to_owned()
    }

    fn value(&mut self) -> Result<Value, Error> {
        Ok(match self.number() as u8 {
            0 => Value::Null,
            1 => Value::Flag(self.number() != 0.0),
            2 => Value::Number(self.number()),
            3 => Value::Text(self.text()),
            4 => {
                let mut list = Vec::new();
                for _ in 0..self.number() as usize {
                    list.push(self.value()?);
                }
                Value::List(list)
            }
            5 => {
                let mut fields = Vec::new();
                for _ in 0..self.number() as usize {
                    fields.push((self.text(), self.value()?));
                }
                Value::Map(fields)
            }
            _ => return Err(Error::settings(self.code, "expected plain data nested at most 8 deep, got something else")),
        })
    }
}

/// Splits records of `fields` strings each; the strings of all records in one list.
pub(super) fn records(text: &str, fields: usize) -> Result<Vec<&str>, Error> {
    let mut strings = Vec::new();
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte == FIELD || byte == RECORD {
            strings.push(text.get(start..at).unwrap_or_default());
            start = at + 1;
            if byte == RECORD && strings.len() % fields != 0 {
                return Err(Error::page(
                    "page_format",
                    format!("expected {fields} fields in a record, got {}", strings.len() % fields),
                ));
            }
        }
    }
    if start != text.len() || strings.len() % fields != 0 {
        return Err(Error::page("page_format", "expected the mark of a record's end, found none"));
    }
    Ok(strings)
}

/// Cards from strings (id, title, artist, family, kind of each) and numbers (length in ms or -1, popularity or -1, size of the
/// embedding, the embedding).
pub(super) fn cards(strings: &str, numbers: &[f32]) -> Result<Vec<Card>, Error> {
    let short = || Error::page("page_format", "expected three numbers and an embedding for each card, got fewer");
    let mut rest = numbers;
    let mut take = |count: usize| -> Result<&[f32], Error> {
        let (taken, left) = rest.split_at_checked(count).ok_or_else(short)?;
        rest = left;
        Ok(taken)
    };
    let mut cards = Vec::new();
    for card in records(strings, 5)?.chunks_exact(5) {
        let [id, title, artist, family, kind] = [card[0], card[1], card[2], card[3], card[4]];
        let [duration, popularity, size] = *take(3)? else { return Err(short()) };
        cards.push(Card {
            id: id.to_owned(),
            title: title.to_owned(),
            artist: artist.to_owned(),
            family: family.to_owned(),
            kind: CardKind::from_name(kind),
            duration_ms: (duration >= 0.0).then_some(duration as u32),
            popularity: (popularity >= 0.0 || popularity.is_nan()).then_some(popularity),
            embedding: take(size as usize)?.to_vec(),
        });
    }
    Ok(cards)
}
