//! Summaries of a column that are made in one pass, in bounded memory, and add up.
//!
//! [`Bins`], [`Distinct`] and [`Repeats`] are functions of the multiset of what they were given, bit for bit: order and the way a
//! data set is cut into parts cannot be seen in them. [`TopValues`] is, too, as long as there are no more values than it has room
//! for, and keeps a stated bound on its counts afterwards. [`Moments`] differ in the last digits, as sums of fractions do.

mod bins;
mod distinct;
mod moments;
mod repeats;
mod top;

pub use bins::{Bin, Bins, aligned};
pub use distinct::Distinct;
pub use moments::{Joint, Moments};
pub use repeats::Repeats;
pub use top::{Counted, TopValues, Value, hash_number};

/// Spreads the bits of a number evenly (Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators": `mix64`,
/// variant 13 of Stafford).
#[must_use]
pub fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests;
