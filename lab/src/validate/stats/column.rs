//! One column.

use serde::Serialize;

use super::as_number;
use crate::validate::sketch::{Bins, Distinct, Joint, Moments, TopValues, hash_number, mix};
use crate::validate::source::Cell;

/// What a column holds, as its values say. A column with one text is a column of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// No values.
    Empty,
    /// True and false.
    Bool,
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// Texts.
    Text,
}

impl Kind {
    /// Whether its values are numbers.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Float)
    }
}

/// How fine the statistics of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bins of numbers.
    pub bins: usize,
    /// Values that are counted one by one.
    pub values: usize,
    /// Whether different values are counted beyond those.
    pub distinct: bool,
}

impl Sizes {
    /// For a whole data set.
    pub const WHOLE: Sizes = Sizes { bins: 1024, values: 4096, distinct: true };
    /// For one of many slices.
    pub const SLICE: Sizes = Sizes { bins: 128, values: 128, distinct: false };
}

/// Counts of one column; each field says of what.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnStats {
    sizes: Sizes,
    /// Rows without a value.
    pub missing: u64,
    /// Rows with a value, or a list of any length.
    pub present: u64,
    /// Rows with a list.
    pub lists: u64,
    /// Lists in lists: 1 where there are none.
    pub depth: u8,
    /// Texts and lists of no length.
    pub empty: u64,
    /// Values (items of lists among them) that are true or false.
    pub bools: u64,
    /// Values that are whole numbers.
    pub ints: u64,
    /// Values that are other numbers.
    pub floats: u64,
    /// Values that are texts.
    pub texts: u64,
    /// Items of lists that are null.
    pub nulls: u64,
    /// Numbers that are NaN.
    pub nan: u64,
    /// Numbers that are infinite.
    pub infinite: u64,
    /// Those of them that are below 0.
    pub negative_infinite: u64,
    /// Numbers that are 0.
    pub zeros: u64,
    /// Whole numbers that are multiples of 10.
    pub tens: u64,
    /// Those of 1,000.
    pub thousands: u64,
    /// Other numbers without a fraction.
    pub wholes: u64,
    /// Texts that are not UTF-8.
    pub not_utf8: u64,
    /// Texts that are images: BMP, GIF, JPEG or PNG by their first bytes.
    pub images: u64,
    /// Finite numbers.
    pub moments: Moments,
    /// Their distribution.
    pub bins: Bins,
    /// Bytes of texts.
    pub bytes: Moments,
    /// Values in each list.
    pub lengths: Moments,
    /// The distribution of the bytes of texts, or of the values in each list.
    pub sizes_of_values: Bins,
    /// Truths, whole numbers and texts, and how often they occur.
    pub top: TopValues,
    distinct: Distinct,
    /// The column beside the reward, where both are numbers.
    pub with_reward: Joint,
}

impl ColumnStats {
    /// No rows yet.
    #[must_use]
    pub fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            missing: 0,
            present: 0,
            lists: 0,
            depth: 1,
            empty: 0,
            bools: 0,
            ints: 0,
            floats: 0,
            texts: 0,
            nulls: 0,
            nan: 0,
            infinite: 0,
            negative_infinite: 0,
            zeros: 0,
            tens: 0,
            thousands: 0,
            wholes: 0,
            not_utf8: 0,
            images: 0,
            moments: Moments::new(),
            bins: Bins::new(sizes.bins),
            bytes: Moments::new(),
            lengths: Moments::new(),
            sizes_of_values: Bins::new(sizes.bins / 4),
            top: TopValues::new(sizes.values),
            distinct: Distinct::new(),
            with_reward: Joint::default(),
        }
    }

    /// Adds the cell of a row, beside the reward of the row; returns a hash of the cell.
    #[inline]
    pub fn add(&mut self, cell: &Cell<'_>, reward: Option<f64>) -> u64 {
        match cell {
            Cell::Missing => {
                self.missing += 1;
                return 0x51;
            }
            Cell::List { items, depth } => return self.add_list(items, *depth),
            _ => self.present += 1,
        }
        if let (Some(reward), Some(number)) = (reward, as_number(cell)) {
            self.with_reward.add(number, reward);
        }
        self.value(cell)
    }

    /// Adds `rows` rows without a value.
    pub fn absent(&mut self, rows: u64) {
        self.missing += rows;
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &ColumnStats) {
        self.missing += other.missing;
        self.present += other.present;
        self.lists += other.lists;
        self.depth = self.depth.max(other.depth);
        self.empty += other.empty;
        self.bools += other.bools;
        self.ints += other.ints;
        self.floats += other.floats;
        self.texts += other.texts;
        self.nulls += other.nulls;
        self.nan += other.nan;
        self.infinite += other.infinite;
        self.negative_infinite += other.negative_infinite;
        self.zeros += other.zeros;
        self.tens += other.tens;
        self.thousands += other.thousands;
        self.wholes += other.wholes;
        self.not_utf8 += other.not_utf8;
        self.images += other.images;
        self.moments.merge(&other.moments);
        self.bins.merge(&other.bins);
        self.bytes.merge(&other.bytes);
        self.lengths.merge(&other.lengths);
        self.sizes_of_values.merge(&other.sizes_of_values);
        self.top.merge(&other.top);
        self.distinct.merge(&other.distinct);
        self.with_reward.merge(&other.with_reward);
    }

    /// Rows seen.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.missing + self.present
    }

    /// Values seen, items of lists among them.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.bools + self.ints + self.floats + self.texts
    }

    /// What the column holds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.texts > 0 {
            Kind::Text
        } else if self.floats > 0 {
            Kind::Float
        } else if self.ints > 0 {
            Kind::Int
        } else if self.bools > 0 {
            Kind::Bool
        } else {
            Kind::Empty
        }
    }

    /// How many different values: exact while they are few, else with a standard error of 1.6 %.
    #[must_use]
    pub fn distinct(&self) -> f64 {
        match self.top.distinct() {
            Some(few) if self.floats == 0 => few as f64,
            _ => self.distinct.estimate(),
        }
    }

    fn add_list(&mut self, items: &[Cell<'_>], depth: u8) -> u64 {
        self.present += 1;
        self.lists += 1;
        self.depth = self.depth.max(depth);
        self.empty += u64::from(items.is_empty());
        self.lengths.add(items.len() as f64);
        self.sizes_of_values.add(items.len() as f64, 1);
        let mut hash = u64::from(depth);
        for item in items {
            let item = if *item == Cell::Missing {
                self.nulls += 1;
                0x52
            } else {
                self.value(item)
            };
            hash = mix(hash ^ item);
        }
        hash
    }

    #[inline]
    fn value(&mut self, cell: &Cell<'_>) -> u64 {
        let hash = match *cell {
            Cell::Int(number) => {
                self.ints += 1;
                if number % 10 == 0 {
                    self.tens += 1;
                    self.thousands += u64::from(number % 1000 == 0);
                }
                self.number(number as f64);
                self.top.add_int(number)
            }
            Cell::Float(number) => {
                self.floats += 1;
                if number.is_nan() {
                    self.nan += 1;
                } else if number.is_infinite() {
                    self.infinite += 1;
                    self.negative_infinite += u64::from(number < 0.0);
                } else {
                    self.wholes += u64::from(number == number.trunc());
                    self.number(number);
                }
                hash_number(number)
            }
            Cell::Text(text) => {
                self.texts += 1;
                self.empty += u64::from(text.is_empty());
                self.bytes.add(text.len() as f64);
                self.sizes_of_values.add(text.len() as f64, 1);
                if std::str::from_utf8(text).is_err() {
                    self.not_utf8 += 1;
                }
                self.images += u64::from(is_image(text));
                self.top.add_text(text)
            }
            Cell::Bool(truth) => {
                self.bools += 1;
                self.top.add_bool(truth)
            }
            Cell::Missing | Cell::List { .. } => 0x53,
        };
        if self.sizes.distinct {
            self.distinct.add(hash);
        }
        hash
    }

    #[inline]
    fn number(&mut self, number: f64) {
        self.zeros += u64::from(number == 0.0);
        self.moments.add(number);
        self.bins.add(number, 1);
    }
}

/// Whether bytes begin as an image of a known format does.
fn is_image(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xd8, 0xff, ..]
        | [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..]
        | [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => true,
        // Two letters alone are a word; the length in the header must be the length.
        [b'B', b'M', a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]) as usize == bytes.len(),
        _ => false,
    }
}
