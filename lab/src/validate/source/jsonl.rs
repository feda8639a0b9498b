//! JSON lines: one object a line. Objects inside are columns of their own, `outer.inner`.

use std::collections::HashMap;
use std::io::BufRead;
use std::ops::Range;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Cell, Lines, MAX_COLUMNS, Reading, TakeRow, check_utf8};
use crate::error::LabError;

/// How deep objects and lists may stand in each other.
const MAX_DEPTH: u8 = 16;

pub fn read(path: &Path, start: usize, bytes: impl BufRead, take: &mut TakeRow<'_>) -> Result<(), LabError> {
    let mut lines = Lines::new(bytes, start);
    let mut line = Vec::new();
    let mut row = Record::default();
    while lines.read(path, &mut line)? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // JSON is UTF-8; there is no telling what other bytes in it would mean.
        check_utf8(Reading::default(), &line).map_err(|what| lines.error(path, "UTF-8 text", &what))?;
        row.clear();
        let mut json = serde_json::Deserializer::from_slice(&line);
        let done = Object { row: &mut row, path: String::new(), depth: 0 }.deserialize(&mut json).and_then(|()| json.end());
        if let Err(error) = done {
            let what = error.to_string();
            let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
            return Err(lines.error(path, "one JSON object a line", &format!("{what} at column {}", error.column())));
        }
        row.give(take)?;
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Held {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Range<usize>),
    List(Range<usize>, u8),
}

/// One row, owned: texts stand in `bytes`, items of lists in `items`.
#[derive(Default)]
struct Record {
    columns: Vec<String>,
    places: HashMap<String, usize>,
    cells: Vec<Held>,
    set: Vec<bool>,
    items: Vec<Held>,
    bytes: Vec<u8>,
}

impl Record {
    fn clear(&mut self) {
        self.cells.fill(Held::Missing);
        self.set.fill(false);
        self.items.clear();
        self.bytes.clear();
    }

    fn set<E: Error>(&mut self, column: &str, cell: Held) -> Result<(), E> {
        let place = match self.places.get(column) {
            Some(place) => *place,
            None => {
                if self.columns.len() == MAX_COLUMNS {
                    return Err(E::custom(format!("more than {MAX_COLUMNS} columns")));
                }
                self.places.insert(column.to_owned(), self.columns.len());
                self.columns.push(column.to_owned());
                self.cells.push(Held::Missing);
                self.set.push(false);
                self.columns.len() - 1
            }
        };
        if std::mem::replace(&mut self.set[place], true) {
            return Err(E::custom(format!("the name {column} twice")));
        }
        self.cells[place] = cell;
        Ok(())
    }

    fn give(&self, take: &mut TakeRow<'_>) -> Result<(), LabError> {
        let one = |held: &Held| match held {
            Held::Bool(truth) => Cell::Bool(*truth),
            Held::Int(number) => Cell::Int(*number),
            Held::Float(number) => Cell::Float(*number),
            Held::Text(range) => Cell::Text(&self.bytes[range.clone()]),
            Held::Missing | Held::List(..) => Cell::Missing,
        };
        let items: Vec<Cell<'_>> = self.items.iter().map(one).collect();
        let cells: Vec<Cell<'_>> = self
            .cells
            .iter()
            .map(|held| match held {
                Held::List(range, depth) => Cell::List { items: &items[range.clone()], depth: *depth },
                other => one(other),
            })
            .collect();
        take(&self.columns, &cells)
    }
}

/// An object whose names go behind `path`.
struct Object<'r> {
    row: &'r mut Record,
    path: String,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.depth > MAX_DEPTH {
            return Err(A::Error::custom(format!("objects more than {MAX_DEPTH} deep")));
        }
        while let Some(name) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let column = if self.path.is_empty() { name.into_owned() } else { format!("{}.{name}", self.path) };
            map.next_value_seed(Field { row: self.row, column, depth: self.depth })?;
        }
        Ok(())
    }
}

/// The value of one name.
struct Field<'r> {
    row: &'r mut Record,
    column: String,
    depth: u8,
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.row.set(&self.column, Held::Missing)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.row.set(&self.column, Held::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.row.set(&self.column, Held::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.row.set(&self.column, unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.row.set(&self.column, Held::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let held = self.row.keep(text);
        self.row.set(&self.column, held)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        Object { row: self.row, path: self.column, depth: self.depth + 1 }.visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let start = self.row.items.len();
        let mut depth = 1;
        while let Some(inner) = seq.next_element_seed(Item { row: self.row, column: &self.column, depth: 1 })? {
            depth = depth.max(inner);
        }
        let range = start..self.row.items.len();
        self.row.set(&self.column, Held::List(range, depth))
    }
}

impl Record {
    fn keep(&mut self, text: &str) -> Held {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        Held::Text(start..self.bytes.len())
    }
}

fn unsigned(number: u64) -> Held {
    i64::try_from(number).map_or(Held::Float(number as f64), Held::Int)
}

/// An item of a list; returns how deep lists stand in it.
struct Item<'r, 'c> {
    row: &'r mut Record,
    column: &'c str,
    depth: u8,
}

impl Item<'_, '_> {
    fn push<E>(self, held: Held) -> Result<u8, E> {
        self.row.items.push(held);
        Ok(self.depth)
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = u8;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<u8, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_> {
    type Value = u8;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a number, a text or a list of these in the list {}", self.column)
    }

    fn visit_unit<E: Error>(self) -> Result<u8, E> {
        self.push(Held::Missing)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<u8, E> {
        self.push(Held::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<u8, E> {
        self.push(Held::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u8, E> {
        self.push(unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<u8, E> {
        self.push(Held::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u8, E> {
        let held = self.row.keep(text);
        self.push(held)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<u8, A::Error> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(A::Error::custom(format!("lists more than {MAX_DEPTH} deep")));
        }
        let mut deepest = depth;
        while let Some(inner) = seq.next_element_seed(Item { row: self.row, column: self.column, depth })? {
            deepest = deepest.max(inner);
        }
        Ok(deepest)
    }
}
