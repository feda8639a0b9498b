//! Sums over columns, quick: eight lanes in a fixed order, on the widest registers that the processor has.
//!
//! The same column gives the same bits on every processor. Two columns do not give the bits of the two joined: a sum that must not depend on
//! how rows are split is an [`ExactSum`](super::exact::ExactSum) from the start.

use std::sync::LazyLock;

use fearless_simd::{Level, dispatch};

/// What the processor can do, asked once.
static LEVEL: LazyLock<Level> = LazyLock::new(Level::new);

/// What the processor can do.
pub fn level() -> Level {
    *LEVEL
}

/// Numbers added side by side.
const LANES: usize = 8;

/// Runs a loop compiled for the processor at hand. What it calls must be inlined.
#[inline(always)]
pub fn wide<T>(run: impl FnOnce() -> T) -> T {
    dispatch!(level(), _simd => run())
}

/// Lanes to one number, in halves.
#[inline(always)]
fn folded(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Sums of `K` columns of one length and of their products, of i <= j at j (j + 1) / 2 + i.
#[must_use]
pub fn moments<const K: usize, const P: usize>(columns: [&[f64]; K]) -> ([f64; K], [f64; P]) {
    debug_assert!(P == K * (K + 1) / 2 && columns.iter().all(|column| column.len() == columns[0].len()));
    wide(
        #[inline(always)]
        || {
            let split = columns.map(|column| column.as_chunks::<LANES>());
            let chunks = split.map(|(chunks, _)| chunks);
            let count = chunks.iter().fold(usize::MAX, |least, chunks| least.min(chunks.len()));
            let chunks = chunks.map(|chunks| &chunks[..count]);
            let (mut sums, mut products) = ([[0.0; LANES]; K], [[0.0; LANES]; P]);
            for i in 0..count {
                let mut at = 0;
                for j in 0..K {
                    let b = &chunks[j][i];
                    for lane in 0..LANES {
                        sums[j][lane] += b[lane];
                    }
                    for of in chunks.iter().take(j + 1) {
                        let a = &of[i];
                        for lane in 0..LANES {
                            products[at][lane] += a[lane] * b[lane];
                        }
                        at += 1;
                    }
                }
            }
            let (mut sums, mut products) = (sums.map(folded), products.map(folded));
            let rests = split.map(|(_, rest)| rest);
            for i in 0..rests[0].len() {
                let mut at = 0;
                for j in 0..K {
                    sums[j] += rests[j][i];
                    for of in rests.iter().take(j + 1) {
                        products[at] += of[i] * rests[j][i];
                        at += 1;
                    }
                }
            }
            (sums, products)
        },
    )
}

/// `out` becomes f(a) row by row.
#[inline(always)]
pub fn map1(out: &mut Vec<f64>, a: &[f64], f: impl Fn(f64) -> f64) {
    out.resize(a.len(), 0.0);
    out.iter_mut().zip(a).for_each(|(out, a)| *out = f(*a));
}

/// `out` becomes f(a, b) row by row.
#[inline(always)]
pub fn map2(out: &mut Vec<f64>, a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) {
    out.resize(a.len(), 0.0);
    out.iter_mut().zip(a).zip(b).for_each(|((out, a), b)| *out = f(*a, *b));
}

/// `out` becomes f(a, b, c) row by row.
#[inline(always)]
pub fn map3(out: &mut Vec<f64>, [a, b, c]: [&[f64]; 3], f: impl Fn(f64, f64, f64) -> f64) {
    out.resize(a.len(), 0.0);
    out.iter_mut().zip(a).zip(b).zip(c).for_each(|(((out, a), b), c)| *out = f(*a, *b, *c));
}

/// `out` becomes f(a, b, c, d) row by row.
#[inline(always)]
pub fn map4(out: &mut Vec<f64>, [a, b, c, d]: [&[f64]; 4], f: impl Fn(f64, f64, f64, f64) -> f64) {
    out.resize(a.len(), 0.0);
    out.iter_mut().zip(a).zip(b).zip(c).zip(d).for_each(|((((out, a), b), c), d)| *out = f(*a, *b, *c, *d));
}

/// Whether `holds` of every number; all are asked.
#[inline(always)]
pub fn all(values: &[f64], holds: impl Fn(f64) -> bool) -> bool {
    wide(
        #[inline(always)]
        || values.iter().fold(true, |all, x| all & holds(*x)),
    )
}

/// Numbers as bytes, where all of them are whole and from 0 to 255; otherwise says no.
pub fn bytes(out: &mut Vec<u8>, values: &[f64]) -> bool {
    /// Adding it moves the whole part of a small number to the lowest bits, and what follows the point away.
    const WHOLE: f64 = (1u64 << 52) as f64;
    out.resize(values.len(), 0);
    wide(
        #[inline(always)]
        || {
            let byte = |all: bool, (out, x): (&mut u8, &f64)| {
                let moved = x + WHOLE;
                *out = moved.to_bits() as u8;
                all & (moved - WHOLE == *x) & (*x >= 0.0) & (*x <= 255.0)
            };
            out.iter_mut().zip(values).fold(true, byte)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_sums_in_the_order_of_the_lanes() {
        let column = |k: u32| (0..1_003u32).map(|i| f64::from(i * 7 % (31 + k)) / 3.0).collect::<Vec<f64>>();
        let (a, b, c) = (column(0), column(1), column(2));
        let lanes = |x: &dyn Fn(usize) -> f64| {
            let mut lanes = [0.0; LANES];
            (0..1_000).for_each(|i| lanes[i % LANES] += x(i));
            (1_000..1_003).fold(folded(lanes), |sum, i| sum + x(i))
        };
        let (sums, products) = moments::<3, 6>([&a, &b, &c]);
        for (k, column) in [&a, &b, &c].into_iter().enumerate() {
            assert_eq!(sums[k].to_bits(), lanes(&|i| column[i]).to_bits());
        }
        for (k, (x, y)) in [(&a, &a), (&a, &b), (&b, &b), (&a, &c), (&b, &c), (&c, &c)].into_iter().enumerate() {
            assert_eq!(products[k].to_bits(), lanes(&|i| x[i] * y[i]).to_bits(), "{k}");
        }
        assert_eq!(moments::<1, 1>([&[]]), ([0.0], [0.0]));
    }

    #[test]
    fn every_number_is_asked() {
        let mut values = vec![0.5; 1_001];
        assert!(all(&values, |x| x < 1.0));
        for at in [0, 500, 1_000] {
            values[at] = f64::NAN;
            assert!(!all(&values, |x| x < 1.0), "{at}");
            values[at] = 0.5;
        }
    }

    #[test]
    fn small_whole_numbers_are_bytes_and_others_are_not() {
        let mut values: Vec<f64> = (0..1_001).map(|i| f64::from(i % 256)).collect();
        let mut out = Vec::new();
        assert!(bytes(&mut out, &values));
        assert!(out.iter().zip(&values).all(|(byte, x)| f64::from(*byte) == *x));
        for at in [0, 500, 1_000] {
            for other in [-1.0, 0.5, 254.999_999_999, 256.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                values[at] = other;
                assert!(!bytes(&mut out, &values), "{other} at {at}");
            }
            values[at] = 7.0;
        }
    }
}
