//! Protocol buffers as bytes: fields of one message, borrowed from the file.
//!
//! Own code, since a decoder that builds the whole model first takes some hundred times the size of a hostile file.

use super::ImportError;

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'b> {
    /// A varint.
    Number(u64),
    /// Four bytes.
    Four([u8; 4]),
    /// Eight bytes.
    Eight([u8; 8]),
    /// A text, a message or packed numbers.
    Bytes(&'b [u8]),
}

/// The fields of a message, in order, until one is broken.
pub struct Fields<'b>(&'b [u8]);

/// Reads the fields of `message`.
#[must_use]
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields(message)
}

#[cold]
fn broken(found: &str) -> ImportError {
    ImportError::broken("ONNX", "protocol buffers", found)
}

impl<'b> Fields<'b> {
    fn field(&mut self) -> Result<(u32, Value<'b>), ImportError> {
        let key = varint(&mut self.0)?;
        let tag = u32::try_from(key >> 3).ok().filter(|tag| *tag > 0).ok_or_else(|| broken("a field without a number"))?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => Value::Eight(taken(&mut self.0)?),
            2 => {
                let length = varint(&mut self.0)?;
                let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
                let (bytes, rest) = split.ok_or_else(|| broken("a field longer than its message"))?;
                self.0 = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Four(taken(&mut self.0)?),
            _ => return Err(broken("a group or an unknown kind of field")),
        };
        Ok((tag, value))
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u32, Value<'b>), ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn taken<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], ImportError> {
    let (taken, rest) = bytes.split_first_chunk::<N>().ok_or_else(|| broken("a field cut short"))?;
    *bytes = rest;
    Ok(*taken)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ImportError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = taken(bytes)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(broken("a number of more than 64 bits"))
}

impl<'b> Value<'b> {
    /// A text, a message or bytes.
    pub fn bytes(self) -> Result<&'b [u8], ImportError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(broken("a number where a text or a message should be")),
        }
    }

    /// A text.
    pub fn text(self) -> Result<&'b str, ImportError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| broken("a text that is not UTF-8"))
    }

    /// A whole number.
    pub fn number(self) -> Result<i64, ImportError> {
        match self {
            Self::Number(number) => Ok(number.cast_signed()),
            _ => Err(broken("no whole number where one should be")),
        }
    }

    /// A 32-bit number.
    pub fn float(self) -> Result<f32, ImportError> {
        match self {
            Self::Four(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(broken("no 32-bit number where one should be")),
        }
    }

    /// Adds whole numbers, packed or alone.
    pub fn add_numbers(self, to: &mut Vec<i64>) -> Result<(), ImportError> {
        match self {
            Self::Bytes(mut bytes) => {
                while !bytes.is_empty() {
                    to.push(varint(&mut bytes)?.cast_signed());
                }
            }
            alone => to.push(alone.number()?),
        }
        Ok(())
    }

    /// Adds 32-bit numbers, packed or alone.
    pub fn add_floats(self, to: &mut Vec<f32>) -> Result<(), ImportError> {
        match self {
            Self::Bytes(bytes) => {
                let (numbers, rest) = bytes.as_chunks();
                if !rest.is_empty() {
                    return Err(broken("32-bit numbers cut short"));
                }
                to.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            }
            alone => to.push(alone.float()?),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f, 0x22, 2, 1, 0x7f];
        let read: Vec<_> = fields(&bytes).map(Result::unwrap).collect();
        assert_eq!(read[0], (1, Value::Number(150)));
        assert_eq!(read[1].1.text().unwrap(), "hi");
        assert_eq!(read[2].1.float().unwrap(), 1.0);
        let mut numbers = Vec::new();
        read[3].1.add_numbers(&mut numbers).unwrap();
        read[0].1.add_numbers(&mut numbers).unwrap();
        assert_eq!(numbers, [1, 127, 150]);
    }

    #[test]
    fn broken_bytes_end_the_fields_with_an_error() {
        for (bytes, expected) in [
            (&[0x08_u8][..], "cut short"),
            (&[0x12, 5, 1], "longer than its message"),
            (&[0x0b], "a group"),
            (&[0x00, 1], "without a number"),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "more than 64 bits"),
        ] {
            let error = fields(bytes).find_map(Result::err).unwrap().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(fields(bytes).count() <= 2);
        }
    }
}
