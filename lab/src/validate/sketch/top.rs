//! The values of a column and how often each occurs.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use twox_hash::XxHash3_64;

use super::mix;

/// Bytes of a text that are kept for display; what is counted is the whole text.
const SHOWN: usize = 120;

/// A value that can be counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text, cut after 120 bytes.
    Text(Box<str>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(truth) => truth.fmt(f),
            Value::Int(number) => number.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

/// A value and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The value.
    pub value: Value,
    /// A lower bound of its count, exact as long as [`TopValues::error`] is 0.
    pub count: u64,
}

/// Counts values while there are at most `capacity` of them, and the frequent ones beyond.
///
/// # References
/// P. K. Agarwal and others (2012), "Mergeable summaries", section 3: the summary of Misra and Gries, which adds up. No count falls short by
/// more than [`TopValues::error`], which is at most 2 n / `capacity`. Whole numbers are not followed further once they are too
/// many: their bins say more.
#[derive(Clone, Debug)]
pub struct TopValues {
    capacity: usize,
    error: u64,
    counts: HashMap<u64, Counted, BuildHasherDefault<Given>>,
}

impl TopValues {
    /// No values yet; room for `capacity` of them.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, error: 0, counts: HashMap::default() }
    }

    /// Adds a text and returns its hash.
    #[inline]
    pub fn add_text(&mut self, text: &[u8]) -> u64 {
        let hash = hash_text(text);
        self.add(hash, || Value::Text(shown(text)));
        hash
    }

    /// Adds a whole number and returns its hash.
    #[inline]
    pub fn add_int(&mut self, number: i64) -> u64 {
        let hash = hash_number(number as f64);
        if self.error == 0 {
            self.add(hash, || Value::Int(number));
        }
        hash
    }

    /// Adds a truth and returns its hash.
    pub fn add_bool(&mut self, truth: bool) -> u64 {
        let hash = mix(u64::from(truth) + 0x0b00);
        self.add(hash, || Value::Bool(truth));
        hash
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &TopValues) {
        self.error += other.error;
        for (hash, theirs) in &other.counts {
            self.counts.entry(*hash).and_modify(|ours| ours.count += theirs.count).or_insert_with(|| theirs.clone());
        }
        if self.error > 0 {
            self.counts.retain(|_, counted| !matches!(counted.value, Value::Int(_)));
        }
        if self.counts.len() > self.capacity {
            self.prune();
        }
    }

    /// By how much a count may fall short.
    #[must_use]
    pub fn error(&self) -> u64 {
        self.error
    }

    /// How many different values there are, while that is known.
    #[must_use]
    pub fn distinct(&self) -> Option<usize> {
        (self.error == 0).then_some(self.counts.len())
    }

    /// All values held, the most frequent first, equal ones in their order.
    #[must_use]
    pub fn sorted(&self) -> Vec<Counted> {
        let mut all: Vec<Counted> = self.counts.values().cloned().collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        all
    }

    #[inline]
    fn add(&mut self, hash: u64, value: impl FnOnce() -> Value) {
        if let Some(held) = self.counts.get_mut(&hash) {
            held.count += 1;
            return;
        }
        self.counts.insert(hash, Counted { value: value(), count: 1 });
        if self.counts.len() > self.capacity {
            self.prune();
        }
    }

    /// Takes from every count what the one in the middle has, and drops what is left with nothing.
    fn prune(&mut self) {
        if self.error == 0 {
            self.counts.retain(|_, counted| !matches!(counted.value, Value::Int(_)));
        }
        let mut counts: Vec<u64> = self.counts.values().map(|counted| counted.count).collect();
        let middle = self.capacity / 2;
        let taken = if counts.len() > middle { *counts.select_nth_unstable_by(middle, |a, b| b.cmp(a)).1 } else { 0 };
        self.error = (self.error + taken).max(1);
        self.counts.retain(|_, counted| {
            counted.count = counted.count.saturating_sub(taken);
            counted.count > 0
        });
    }
}

impl PartialEq for TopValues {
    fn eq(&self, other: &Self) -> bool {
        self.error == other.error && self.sorted() == other.sorted()
    }
}

/// The hash of a text.
#[inline]
#[must_use]
pub fn hash_text(text: &[u8]) -> u64 {
    XxHash3_64::oneshot(text)
}

/// The hash of a number; whole ones have the hash of the fraction that equals them.
#[inline]
#[must_use]
pub fn hash_number(number: f64) -> u64 {
    mix(number.to_bits())
}

fn shown(text: &[u8]) -> Box<str> {
    let cut = &text[..text.len().min(SHOWN)];
    let mut shown = String::from_utf8_lossy(cut).into_owned();
    if cut.len() < text.len() {
        shown.truncate(shown.trim_end_matches('\u{fffd}').len());
        shown.push('…');
    }
    shown.into_boxed_str()
}

/// The keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_text(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
