//! Shapes on the JavaScript side, and the way between them and the domain.

use wasm_bindgen::{JsCast, JsValue};

use crate::error::Error;
use crate::page::{Card, CardKind};
use crate::settings::Value;

/// Separates the fields of a record of strings.
const FIELD: u8 = 0x1f;
/// Ends a record of strings.
const RECORD: u8 = 0x1e;

/// Deepest nesting of settings.
const MAX_DEPTH: usize = 8;

/// Reads a small, cold value. Written out because the general deserialiser brings 20 kB that nothing else needs.
///
/// # Errors
/// `code` for functions, symbols and the like, and for nesting deeper than [`MAX_DEPTH`].
pub(super) fn from_js(value: &JsValue, code: &'static str) -> Result<Value, Error> {
    read(value, code, MAX_DEPTH)
}

fn read(value: &JsValue, code: &'static str, depth: usize) -> Result<Value, Error> {
    if value.is_undefined() || value.is_null() {
        return Ok(Value::Null);
    }
    if let Some(flag) = value.as_bool() {
        return Ok(Value::Flag(flag));
    }
    if let Some(number) = value.as_f64() {
        return Ok(Value::Number(number));
    }
    if let Some(text) = value.as_string() {
        return Ok(Value::Text(text));
    }
    if depth == 0 || !value.is_object() || value.is_function() {
        return Err(Error::settings(code, format!("expected plain data nested at most {MAX_DEPTH} deep, got something else")));
    }
    if js_sys::Array::is_array(value) {
        let mut list = Vec::new();
        for entry in js_sys::Array::from(value).iter() {
            list.push(read(&entry, code, depth - 1)?);
        }
        return Ok(Value::List(list));
    }
    let mut fields = Vec::new();
    for entry in js_sys::Object::entries(value.unchecked_ref()).iter() {
        let pair = js_sys::Array::from(&entry);
        fields.push((pair.get(0).as_string().unwrap_or_default(), read(&pair.get(1), code, depth - 1)?));
    }
    Ok(Value::Map(fields))
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
