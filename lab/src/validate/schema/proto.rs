//! The text format of protocol buffers, without knowledge of any message: fields, in order, with values or messages in them.

/// A message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its fields in order; a repeated field comes several times.
    pub fields: Vec<(String, Item)>,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A number or a name, as it stands.
    Word(String),
    /// A text.
    Text(String),
    /// A message.
    Message(Message),
}

impl Message {
    /// Reads a text.
    ///
    /// # Errors
    /// What was expected, with line and column.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let message = reader.message(None)?;
        Ok(message)
    }

    /// Adds a field.
    pub fn push(&mut self, name: &str, item: Item) {
        self.fields.push((name.to_owned(), item));
    }

    /// Takes out all fields with this name.
    pub fn take(&mut self, name: &str) -> Vec<Item> {
        let mut taken = Vec::new();
        let mut kept = Vec::with_capacity(self.fields.len());
        for (field, item) in std::mem::take(&mut self.fields) {
            if field == name { taken.push(item) } else { kept.push((field, item)) }
        }
        self.fields = kept;
        taken
    }

    /// The text, indented by two spaces a level.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, level: usize) {
        let indent = "  ".repeat(level);
        for (name, item) in &self.fields {
            match item {
                Item::Word(word) => text.push_str(&format!("{indent}{name}: {word}\n")),
                Item::Text(value) => text.push_str(&format!("{indent}{name}: {}\n", quoted(value))),
                Item::Message(inner) => {
                    text.push_str(&format!("{indent}{name} {{\n"));
                    inner.write(text, level + 1);
                    text.push_str(&format!("{indent}}}\n"));
                }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() && control.is_ascii() => quoted.push_str(&format!("\\{:03o}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Messages in messages at most.
const MAX_DEPTH: usize = 64;

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    /// Reads fields up to `end`, or to the end of the text.
    fn message(&mut self, end: Option<char>) -> Result<Message, String> {
        self.nested(end, 0)
    }

    fn nested(&mut self, end: Option<char>, depth: usize) -> Result<Message, String> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(&format!("at most {MAX_DEPTH} messages in each other")));
        }
        let mut message = Message::default();
        loop {
            self.skip();
            match (self.peek(), end) {
                (None, None) => return Ok(message),
                (None, Some(end)) => return Err(self.wrong(&format!("a closing {end}"))),
                (Some(found), Some(end)) if found == end => {
                    self.at += end.len_utf8();
                    return Ok(message);
                }
                _ => {}
            }
            let name = self.word("the name of a field")?;
            self.skip();
            let colon = self.eat(':');
            self.skip();
            if self.eat('[') {
                loop {
                    self.skip();
                    if self.eat(']') {
                        break;
                    }
                    let item = self.item(true, depth)?;
                    message.fields.push((name.clone(), item));
                    self.skip();
                    self.eat(',');
                }
            } else {
                let item = self.item(colon, depth)?;
                message.fields.push((name, item));
            }
            self.skip();
            if !self.eat(',') {
                self.eat(';');
            }
        }
    }

    fn item(&mut self, colon: bool, depth: usize) -> Result<Item, String> {
        match self.peek() {
            Some('{') => {
                self.at += 1;
                self.nested(Some('}'), depth + 1).map(Item::Message)
            }
            Some('<') => {
                self.at += 1;
                self.nested(Some('>'), depth + 1).map(Item::Message)
            }
            _ if !colon => Err(self.wrong("a colon or a message")),
            Some('"' | '\'') => self.string().map(Item::Text),
            _ => self.word("a value").map(Item::Word),
        }
    }

    fn word(&mut self, expected: &str) -> Result<String, String> {
        let rest = &self.text[self.at..];
        let length = rest
            .find(|character: char| !(character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | '+' | '/')))
            .unwrap_or(rest.len());
        if length == 0 {
            return Err(self.wrong(expected));
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    /// One text, or several that stand behind each other.
    fn string(&mut self) -> Result<String, String> {
        let mut bytes = Vec::new();
        while let Some(quote @ ('"' | '\'')) = self.peek() {
            self.at += 1;
            loop {
                match self.peek() {
                    None | Some('\n') => return Err(self.wrong("a closing quote")),
                    Some(found) if found == quote => {
                        self.at += 1;
                        break;
                    }
                    Some('\\') => {
                        self.at += 1;
                        self.escape(&mut bytes)?;
                    }
                    Some(other) => {
                        self.at += other.len_utf8();
                        bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
            }
            self.skip();
        }
        String::from_utf8(bytes).map_err(|_| self.wrong("UTF-8 text"))
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), String> {
        let Some(escaped) = self.peek() else { return Err(self.wrong("an escaped character")) };
        let digits = |reader: &Self, radix: u32, most: usize| {
            reader.text[reader.at..].chars().take(most).take_while(|digit| digit.is_digit(radix)).count()
        };
        let (length, radix, skipped) = match escaped {
            '0'..='7' => (digits(self, 8, 3), 8, 0),
            'x' => {
                self.at += 1;
                (digits(self, 16, 2), 16, 0)
            }
            _ => (0, 0, escaped.len_utf8()),
        };
        if radix > 0 {
            let number = u32::from_str_radix(&self.text[self.at..self.at + length], radix);
            let byte = number.ok().and_then(|number| u8::try_from(number).ok());
            bytes.push(byte.ok_or_else(|| self.wrong("a byte in digits"))?);
            self.at += length;
            return Ok(());
        }
        self.at += skipped;
        bytes.push(match escaped {
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            '"' | '\'' | '\\' => escaped as u8,
            _ => return Err(self.wrong("a known escape")),
        });
        Ok(())
    }

    fn skip(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            self.at += rest.len() - rest.trim_start().len();
            if self.peek() != Some('#') {
                return;
            }
            self.at += self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at);
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn wrong(&self, expected: &str) -> String {
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        let found = self.peek().map_or("the end".to_owned(), |character| character.to_string());
        format!("{found} where {expected} should stand (line {line}, column {column})")
    }
}
