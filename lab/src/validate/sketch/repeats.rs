//! How much of the data is said twice.

use std::collections::BTreeMap;

/// Hashes that are followed exactly.
const CAPACITY: usize = 8192;

/// Counts how often each of a sample of values occurs. Which values are followed depends on their hashes alone.
///
/// # References
/// P. B. Gibbons (2001), "Distinct sampling for highly-accurate answers to distinct values queries and event reports".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// A value is followed when its hash begins with so many zeros.
    level: u32,
    counts: BTreeMap<u64, u64>,
}

impl Repeats {
    /// Adds a value by its hash of 64 even bits.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        if hash.leading_zeros() >= self.level {
            self.follow(hash, 1);
        }
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Repeats) {
        if other.level > self.level {
            self.rise(other.level);
        }
        for (hash, count) in &other.counts {
            if hash.leading_zeros() >= self.level {
                self.follow(*hash, *count);
            }
        }
    }

    /// Among the values followed: how often they occur in all, and how many are different.
    #[must_use]
    pub fn followed(&self) -> (u64, u64) {
        (self.counts.values().sum(), self.counts.len() as u64)
    }

    /// Whether every value was followed.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.level == 0
    }

    fn follow(&mut self, hash: u64, count: u64) {
        *self.counts.entry(hash).or_insert(0) += count;
        while self.counts.len() > CAPACITY {
            self.rise(self.level + 1);
        }
    }

    fn rise(&mut self, level: u32) {
        self.level = level;
        self.counts.retain(|hash, _| hash.leading_zeros() >= level);
    }
}
