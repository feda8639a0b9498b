//! Sums that do not depend on the order of what is added, nor on how it was split over threads, files or machines.
//!
//! Floating-point addition rounds, so two orders give two answers. [`ExactSum`] first rounds each addend to a fixed grid of 2^-62 (numbers
//! of 2^41 and more are kept whole) and then adds integers, which commute. The one rounding that is left is a function of the addend alone.

use std::fmt;

/// Addends below this magnitude are rounded to the grid; others are added whole.
const LARGE: f64 = (1u64 << 41) as f64;
/// 1.5 * 2^42: adding it rounds to multiples of 2^-10.
const COARSE: f64 = 1.5 * (1u64 << 42) as f64;
/// 1.5 * 2^-10: adding it rounds to multiples of 2^-62, the grid.
const FINE: f64 = 1.5 / 1024.0;
/// Steps of the grid in 1.
const STEPS: f64 = (1u64 << 62) as f64;
/// Beyond this many steps the whole part moves to [`Large`], so that it cannot overflow.
const FULL: u128 = 1 << 120;
/// Chunks of [`Large`]: 31 that addends reach, and two above them for the sum.
const CHUNKS: usize = 33;
/// Bits of the grid below the first chunk of [`Large`], whose unit is 2^-11.
const LOW_BITS: u32 = 51;

/// A sum of any number of `f64`, the same bits in any order.
///
/// Each addend is rounded to a multiple of 2^-62 (about 2.2e-19), to nearest, ties to even; magnitudes from 2^41 are not rounded. The rest is
/// exact, and [`value`](Self::value) rounds once.
///
/// # References
/// R. M. Neal (2015), "Fast exact summation using small and large superaccumulators", arXiv:1505.05571, for the chunks of large
/// numbers; J. Demmel and H. D. Nguyen (2015), "Parallel reproducible summation", IEEE Transactions on Computers 64(7), for rounding
/// to bins before adding.
#[derive(Clone, Default, PartialEq)]
pub struct ExactSum {
    /// In steps of 2^-62.
    steps: i128,
    /// Numbers too large for the grid.
    large: Option<Box<Large>>,
    /// Sum of infinities and numbers that are none.
    special: f64,
}

/// Chunks of 32 bits, chunk i in units of 2^(32 i - 11); each has 42 bits of room before it can overflow.
#[derive(Clone, PartialEq)]
struct Large([i128; CHUNKS]);

impl Default for Large {
    fn default() -> Self {
        Self([0; CHUNKS])
    }
}

impl fmt::Debug for ExactSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.value())
    }
}

/// `x` in steps of the grid, for |x| < 2^41.
fn steps_of(x: f64) -> i128 {
    let coarse = x + COARSE;
    // Exact: both are multiples of the unit of x's last place, and the difference is small.
    let rest = x - (coarse - COARSE);
    let units = |shifted: f64, shift: f64| shifted.to_bits().wrapping_sub(shift.to_bits()) as i64;
    (i128::from(units(coarse, COARSE)) << 52) + i128::from(units(rest + FINE, FINE))
}

impl ExactSum {
    /// Adds one number.
    pub fn add(&mut self, x: f64) {
        if x.abs() < LARGE {
            self.add_steps(steps_of(x));
        } else if x.is_finite() {
            self.add_large(x);
        } else {
            self.special += x;
        }
    }

    /// Adds all numbers of a slice: the same bits as one by one, several times faster.
    pub fn add_all(&mut self, values: &[f64]) {
        // 2^11 numbers of up to 2^51 units each cannot overflow 63 bits.
        for chunk in values.chunks(1 << 11) {
            let (mut coarse_units, mut fine_units, mut fits) = (0i64, 0i64, true);
            for &x in chunk {
                fits &= x.abs() < LARGE;
                let coarse = x + COARSE;
                let rest = x - (coarse - COARSE);
                coarse_units = coarse_units.wrapping_add(coarse.to_bits() as i64);
                fine_units = fine_units.wrapping_add((rest + FINE).to_bits() as i64);
            }
            if fits {
                let of = |units: i64, shift: f64| units.wrapping_sub((shift.to_bits() as i64).wrapping_mul(chunk.len() as i64));
                self.add_steps((i128::from(of(coarse_units, COARSE)) << 52) + i128::from(of(fine_units, FINE)));
            } else {
                chunk.iter().for_each(|x| self.add(*x));
            }
        }
    }

    /// Adds all products of two slices of one length, each rounded to `f64` first.
    pub fn add_rounded_products(&mut self, a: &[f64], b: &[f64]) {
        let mut products = [0.0; 256];
        for (a, b) in a.chunks(256).zip(b.chunks(256)) {
            for ((product, a), b) in products.iter_mut().zip(a).zip(b) {
                *product = a * b;
            }
            self.add_all(&products[..a.len().min(b.len())]);
        }
    }

    /// Adds all products of two slices of one length: the same bits as [`add_product`](Self::add_product) one by one.
    pub fn add_products(&mut self, a: &[f64], b: &[f64]) {
        let (mut products, mut errors) = ([0.0; 256], [0.0; 256]);
        for (a, b) in a.chunks(256).zip(b.chunks(256)) {
            let n = a.len().min(b.len());
            let mut plain = true;
            for i in 0..n {
                // Within these limits no half overflows, no error is lost, and none needs a test of its own.
                plain &= a[i].abs() < LARGE && b[i].abs() < LARGE;
                (products[i], errors[i]) = dekker(a[i], b[i]);
            }
            if plain {
                self.add_all(&products[..n]);
                self.add_all(&errors[..n]);
            } else {
                (0..n).for_each(|i| self.add_product(a[i], b[i]));
            }
        }
    }

    /// Adds a * b without the rounding of the product, as long as neither is beyond 2^900.
    pub fn add_product(&mut self, a: f64, b: f64) {
        let (product, error) = two_product(a, b);
        self.add(product);
        if error != 0.0 && error.is_finite() {
            self.add(error);
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.add_steps(other.steps);
        self.special += other.special;
        if let Some(other) = &other.large {
            let large = self.large.get_or_insert_default();
            large.carry();
            for (chunk, more) in large.0.iter_mut().zip(&other.0) {
                *chunk += more;
            }
            large.carry();
        }
    }

    fn add_steps(&mut self, steps: i128) {
        self.steps += steps;
        if self.steps.unsigned_abs() >= FULL {
            let large = self.large.get_or_insert_default();
            large.carry();
            large.0[0] += self.steps >> LOW_BITS;
            large.carry();
            self.steps &= (1 << LOW_BITS) - 1;
        }
    }

    fn add_large(&mut self, x: f64) {
        let bits = x.to_bits();
        // Finite and at least 2^41: the exponent is between 41 and 1023, so the last place is at least 2^-11.
        let place = ((bits >> 52) & 0x7ff) as usize + 11 - 1075;
        let magnitude = i128::from((bits & ((1 << 52) - 1)) | (1 << 52)) << (place % 32);
        let large = self.large.get_or_insert_default();
        large.0[place / 32] += if x < 0.0 { -magnitude } else { magnitude };
        // A chunk holds up to 2^42 addends of up to 2^85; carried long before.
        if large.0[place / 32].unsigned_abs() > 1 << 120 {
            large.carry();
        }
    }

    /// The sum, rounded once to the nearest `f64`.
    #[must_use]
    pub fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        let Some(large) = &self.large else { return self.steps as f64 / STEPS };
        let mut chunks = large.as_ref().clone();
        chunks.0[0] += self.steps >> LOW_BITS;
        let mut low = self.steps & ((1 << LOW_BITS) - 1);
        chunks.carry();
        let negative = chunks.0[CHUNKS - 1] < 0;
        if negative {
            for chunk in &mut chunks.0 {
                *chunk = -*chunk;
            }
            chunks.0[0] += -low >> LOW_BITS;
            low = -low & ((1 << LOW_BITS) - 1);
            chunks.carry();
        }
        let magnitude = rounded(&chunks.0, low as u64);
        if negative { -magnitude } else { magnitude }
    }

    /// The sum as a number and what is left of it after rounding: twice the precision of [`value`](Self::value).
    #[must_use]
    pub fn double(&self) -> Double {
        let high = self.value();
        if !high.is_finite() {
            return Double::from(high);
        }
        let mut rest = self.clone();
        rest.add(-high);
        Double { high, low: rest.value() }
    }
}

impl Large {
    /// Brings every chunk but the last into [0, 2^32).
    fn carry(&mut self) {
        for i in 0..self.0.len() - 1 {
            let carried = self.0[i] >> 32;
            self.0[i] -= carried << 32;
            self.0[i + 1] += carried;
        }
    }
}

/// The nearest `f64` to carried chunks that are not negative, with `low` steps of 2^-62 below them.
fn rounded(chunks: &[i128; CHUNKS], low: u64) -> f64 {
    let Some(top) = chunks.iter().rposition(|chunk| *chunk != 0) else { return low as f64 / STEPS };
    if top < 2 {
        // At most 64 + 51 bits: the cast rounds correctly.
        let whole = (chunks[1] << 32 | chunks[0]) << LOW_BITS | i128::from(low);
        return whole as f64 / STEPS;
    }
    // Three chunks hold at least 65 bits; what is below them only breaks ties.
    let mut whole = (chunks[top] << 32 | chunks[top - 1]) << 32 | chunks[top - 2];
    if low != 0 || chunks[..top - 2].iter().any(|chunk| *chunk != 0) {
        whole |= 1;
    }
    libm::scalbn(whole as f64, 32 * (top as i32 - 2) - 11)
}

/// a * b, and what rounding took from it.
///
/// # References
/// T. J. Dekker (1971), "A floating-point technique for extending the available precision", Numerische Mathematik 18, section 5.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    /// Beyond it the halves overflow.
    const LIMIT: f64 = 1e270;
    let product = a * b;
    if a.abs() > LIMIT || b.abs() > LIMIT || !product.is_finite() {
        return (product, 0.0);
    }
    dekker(a, b)
}

fn dekker(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    let halves = |x: f64| {
        let shifted = 134_217_729.0 * x;
        let high = shifted - (shifted - x);
        (high, x - high)
    };
    let ((ah, al), (bh, bl)) = (halves(a), halves(b));
    (product, ((ah * bh - product) + ah * bl + al * bh) + al * bl)
}

/// A number of twice the precision: high + low, |low| at most half a last place of high.
///
/// # References
/// Y. Hida, X. S. Li, D. H. Bailey (2001), "Algorithms for quad-double precision floating point arithmetic", ARITH-15.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Double {
    high: f64,
    low: f64,
}

impl From<f64> for Double {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl Double {
    /// The nearest `f64`.
    #[must_use]
    pub fn value(self) -> f64 {
        self.high
    }

    /// self + other.
    #[must_use]
    pub fn plus(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let (sum, error) = two_sum(self.high, other.high);
        let (low, rest) = two_sum(self.low, other.low);
        let first = quick(sum, error + low);
        quick(first.high, first.low + rest)
    }

    /// self - other.
    #[must_use]
    pub fn minus(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.plus(Self { high: -other.high, low: -other.low })
    }

    /// self * other.
    #[must_use]
    pub fn times(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let (product, error) = two_product(self.high, other.high);
        quick(product, error + (self.high * other.low + self.low * other.high))
    }

    /// self / other.
    #[must_use]
    pub fn over(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let first = self.high / other.high;
        if !first.is_finite() {
            return Self::from(first);
        }
        let rest = self.minus(other.times(first));
        let second = rest.high / other.high;
        let third = rest.minus(other.times(second)).high / other.high;
        let sum = quick(first, second);
        quick(sum.high, sum.low + third)
    }
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// high + low with high not the smaller; infinities and numbers that are none pass through.
fn quick(high: f64, low: f64) -> Double {
    let sum = high + low;
    if !sum.is_finite() {
        return Double::from(sum);
    }
    Double { high: sum, low: low - (sum - high) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::random::{Purpose, Seed, below, unit};

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|x| sum.add(*x));
        sum
    }

    /// Numbers of all sizes, from 2^-50 to 2^`top`.
    fn numbers(seed: u64, top: u32) -> Vec<f64> {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 0);
        let one = |_| (unit(&mut rng) - 0.5) * libm::exp2(f64::from(below(&mut rng, top + 50)) - 50.0);
        (0..2_000).map(one).collect()
    }

    #[test]
    fn plain_numbers_add_up() {
        assert_eq!(sum(&[]).value(), 0.0);
        assert_eq!(sum(&[0.5, 0.25, -1.0]).value(), -0.25);
        assert_eq!(sum(&[1e16, 1.0, -1e16]).value(), 1.0);
        assert_eq!(sum(&[1e300, 1.0, -1e300]).value(), 1.0);
        assert_eq!(sum(&[-1e300, 0.1, 1e300]).value(), 0.1);
        assert_eq!(sum(&[f64::MAX, -f64::MAX]).value(), 0.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]).value(), f64::INFINITY);
        assert_eq!(sum(&[-f64::MAX]).value(), -f64::MAX);
        for power in -1..1000 {
            let x = libm::scalbn(-1.234_567_890_123_456_7, power);
            assert_eq!(sum(&[x]).value(), x, "2^{power}");
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        assert!(sum(&[1.0, f64::NAN]).value().is_nan());
        assert_eq!(sum(&[1.0, f64::INFINITY]).value(), f64::INFINITY);
        assert!(sum(&[f64::NEG_INFINITY, f64::INFINITY]).value().is_nan());
    }

    #[test]
    fn any_order_and_any_split_gives_the_same_bits() {
        for top in [1, 30, 60, 200, 900] {
            let values = numbers(u64::from(top), top);
            let whole = sum(&values);
            let mut backwards = values.clone();
            backwards.reverse();
            let mut by_size = values.clone();
            by_size.sort_by(f64::total_cmp);
            let mut merged = ExactSum::default();
            for part in by_size.chunks(37).rev() {
                merged.merge(&sum(part));
            }
            for other in [sum(&backwards), sum(&by_size), merged] {
                assert_eq!(whole.value().to_bits(), other.value().to_bits(), "2^{top}");
                assert_eq!(whole.double(), other.double());
            }
            let mut at_once = ExactSum::default();
            at_once.add_all(&values);
            assert_eq!(at_once.value().to_bits(), whole.value().to_bits());
            let (mut one_by_one, mut at_once) = (ExactSum::default(), ExactSum::default());
            values.iter().zip(&backwards).for_each(|(a, b)| one_by_one.add_product(*a, *b));
            at_once.add_products(&values, &backwards);
            // Of 2^900 the products overflow, to no number in both.
            assert_eq!(one_by_one.double().value().to_bits(), at_once.double().value().to_bits());
            // A number and its opposite leave nothing.
            let mut none = whole.clone();
            values.iter().for_each(|x| none.add(-x));
            assert_eq!(none.value(), 0.0);
        }
    }

    #[test]
    fn the_sum_is_nearer_than_plain_addition() {
        // Integers of 2^-40 up to 2^50: i128 knows the truth.
        let mut rng = Seed::from_number(3).stream(Purpose::Host, 0);
        let whole: Vec<i64> = (0..5_000).map(|_| (unit(&mut rng) * 9e15) as i64 - (unit(&mut rng) * 8e15) as i64).collect();
        let values: Vec<f64> = whole.iter().map(|n| *n as f64 / (1u64 << 40) as f64).collect();
        let truth = whole.iter().map(|n| i128::from(*n)).sum::<i128>() as f64 / (1u64 << 40) as f64;
        assert_eq!(sum(&values).value(), truth);
    }

    #[test]
    fn overfull_sums_move_on() {
        let x = libm::scalbn(1.0, 40) + 0.5;
        let mut sum = ExactSum::default();
        sum.add(x);
        // Doubled 60 times: far beyond the room of the grid.
        for _ in 0..60 {
            let same = sum.clone();
            sum.merge(&same);
        }
        assert_eq!(sum.value(), libm::scalbn(x, 60));
        let mut none = sum.clone();
        let mut other = ExactSum::default();
        other.add(-libm::scalbn(x, 60));
        none.merge(&other);
        assert_eq!(none.value(), 0.0);
    }

    #[test]
    fn products_are_not_rounded() {
        let mut sum = ExactSum::default();
        for _ in 0..1_000 {
            sum.add_product(0.1, 0.1);
        }
        // 0.1 is 0.1000000000000000055511151231257827: its square has the error 1.11e-18 and 0.01 one of its own; their
        // difference shows only where the product keeps its low half.
        let square = Double::from(0.1).times(0.1);
        let expected = square.times(1_000.0);
        // Two roundings to the grid each time: at most 2.2e-16 in all. Without its low half it would be off by 8.9e-16.
        assert!((sum.double().minus(expected)).value().abs() < 3e-16, "{sum:?}");
        assert!((sum.double().minus(Double::from(0.1 * 0.1).times(1_000.0))).value().abs() > 5e-16);
    }

    #[test]
    fn doubles_keep_twice_the_digits() {
        let third = Double::from(1.0).over(3.0);
        assert_eq!(third.times(3.0).minus(1.0).value(), 0.0);
        assert!((third.high - 1.0 / 3.0).abs() < 1e-16 && third.low != 0.0);
        assert_eq!(Double::from(1.0).over(0.0).value(), f64::INFINITY);
        assert!(Double::from(0.0).over(0.0).value().is_nan());
        let tiny = Double::from(1.0).plus(1e-25);
        assert_eq!(tiny.minus(1.0).value(), 1e-25);
    }
}
