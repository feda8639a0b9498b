//! Settings as they come from outside: JSON-like values, read field by field with errors that name the path.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, shown};

/// A JSON-like value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing: null or undefined.
    #[default]
    Null,
    /// True or false.
    Flag(bool),
    /// Any number.
    Number(f64),
    /// Text.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object, in the order of its keys.
    Map(Vec<(String, Value)>),
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("plain data")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key()? {
            fields.push((key, map.next_value()?));
        }
        Ok(Value::Map(fields))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyValue)
    }
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Flag(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

/// A value with the path that leads to it and the code of its errors.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    value: &'a Value,
    path: &'a str,
    code: &'static str,
}

impl<'a> Field<'a> {
    pub(crate) fn root(value: &'a Value, path: &'a str, code: &'static str) -> Self {
        Self { value, path, code }
    }

    fn expected(&self, what: &str) -> Error {
        Error::settings(self.code, format!("{} must be {what}, got {}", self.path, self.value.kind()))
    }

    pub(crate) fn is_null(&self) -> bool {
        *self.value == Value::Null
    }

    /// The fields of an object; refuses keys that are not `known`.
    pub(crate) fn object(&self, known: &[&str]) -> Result<&'a [(String, Value)], Error> {
        let fields = self.entries()?;
        match fields.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(fields),
            Some((key, _)) => Err(Error::settings(
                self.code,
                format!("{} may hold {}, got \"{}\"", self.path, known.join(", "), key.chars().take(40).collect::<String>()),
            )),
        }
    }

    /// The fields of an object with any keys.
    pub(crate) fn entries(&self) -> Result<&'a [(String, Value)], Error> {
        match self.value {
            Value::Map(fields) => Ok(fields),
            _ => Err(self.expected("an object")),
        }
    }

    pub(crate) fn number(&self) -> Result<f64, Error> {
        match self.value {
            Value::Number(number) => Ok(*number),
            _ => Err(self.expected("a number")),
        }
    }

    /// A whole number from 0 to `most`.
    pub(crate) fn whole(&self, most: u32) -> Result<u32, Error> {
        let number = self.number()?;
        if number >= 0.0 && number <= f64::from(most) && number == number.trunc() {
            Ok(number as u32)
        } else {
            Err(Error::settings(
                self.code,
                format!("{} must be a whole number from 0 to {most}, got {}", self.path, shown(number)),
            ))
        }
    }

    pub(crate) fn flag(&self) -> Result<bool, Error> {
        match self.value {
            Value::Flag(flag) => Ok(*flag),
            _ => Err(self.expected("true or false")),
        }
    }

    pub(crate) fn text(&self) -> Result<&'a str, Error> {
        match self.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.expected("text")),
        }
    }

    /// Reads each entry of a list.
    pub(crate) fn list<T>(&self, mut read: impl FnMut(Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let Value::List(values) = self.value else { return Err(self.expected("a list")) };
        let mut list = Vec::with_capacity(values.len());
        for value in values {
            list.push(read(Field { value, ..*self })?);
        }
        Ok(list)
    }
}

/// The field called `name`; a missing one reads as nothing.
pub(crate) fn field<'a>(fields: &'a [(String, Value)], name: &'a str, code: &'static str) -> Field<'a> {
    const NOTHING: &Value = &Value::Null;
    let value = fields.iter().find(|(key, _)| key == name).map_or(NOTHING, |(_, value)| value);
    Field { value, path: name, code }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reads_json() {
        let value = read(r#"{"a": [1, -2.5, null], "b": "x", "c": true}"#);
        let root = Field::root(&value, "it", "bad_it");
        let fields = root.object(&["a", "b", "c"]).unwrap();
        let list = field(fields, "a", "bad_it").list(|entry| if entry.is_null() { Ok(0.0) } else { entry.number() });
        assert_eq!(list.unwrap(), [1.0, -2.5, 0.0]);
        assert_eq!(field(fields, "b", "bad_it").text().unwrap(), "x");
        assert!(field(fields, "c", "bad_it").flag().unwrap());
        assert!(field(fields, "d", "bad_it").is_null());
    }

    #[test]
    fn errors_name_path_expected_and_found() {
        let value = read(r#"{"a": "x", "b": 1.5}"#);
        let root = Field::root(&value, "model", "bad_it");
        let fields = root.entries().unwrap();
        let message = |error: Error| error.message().to_owned();
        assert_eq!(message(root.object(&["a"]).unwrap_err()), "model may hold a, got \"b\"");
        assert_eq!(message(field(fields, "a", "bad_it").number().unwrap_err()), "a must be a number, got text");
        assert_eq!(message(field(fields, "b", "bad_it").whole(9).unwrap_err()), "b must be a whole number from 0 to 9, got 1.5");
        assert_eq!(field(fields, "b", "bad_it").flag().unwrap_err().code(), "bad_it");
    }
}
