//! What the usual four estimators add up, slice by slice, in one walk over the rows as they stand.
//!
//! Rows are weighed four at a time and added one by one, each to the sums of its slice. Every sum runs in the order of its rows, so its bits do not
//! depend on the processor.

use fearless_simd::prelude::*;
use fearless_simd::{dispatch, f64x4, f64x8, u8x32};

use super::lanes::level;
use super::weights::{BINS, bin};
use crate::logs::parquet::Stored;

/// Rows weighed side by side.
const LANES: usize = 4;
/// Rows weighed before their weights are counted.
const CHUNK: usize = 64;

/// A column, stretch after stretch, wherever each stands.
pub type Stretches<'a> = &'a [&'a [Stored]];

/// Columns of one length.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'a> {
    /// P(logged action) under the logging policy.
    pub propensity: Stretches<'a>,
    /// Rewards r.
    pub reward: Stretches<'a>,
    /// Predicted rewards q of the logged actions.
    pub predicted: Stretches<'a>,
    /// P(logged action) under the target policy.
    pub chance: Stretches<'a>,
    /// Predicted rewards d of the target policy.
    pub expected: Stretches<'a>,
}

/// Sums over the rows of a slice, with weight w = chance / propensity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
// All moments are one cache line.
#[repr(align(64))]
pub struct Usual {
    /// Of w, of w r, of d + w (r - q), and of the same with weights above the limit taken as 0; then of their squares.
    pub moments: [f64; 8],
    /// Of w r times w.
    pub product: f64,
    /// The largest weight.
    pub largest: f64,
    /// Weights of 0.
    pub zeros: u64,
    /// Weights by [`bin`].
    pub histogram: [u32; BINS],
}

impl Usual {
    /// Nothing yet, where the largest weight met so far is known.
    #[must_use]
    pub fn after(largest: f64) -> Self {
        Self { largest, ..Self::default() }
    }

    /// Rows added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.histogram.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Adds rows to `slices`, each where its code says. `slices` has one more than there are codes, for the rows that fill up the last chunk.
///
/// Says whether every propensity is in (0, 1], every chance in [0, 1], every other number finite, and the sums too; where it says no, they are of no
/// use unless the rows were checked before.
#[must_use]
pub fn add(codes: &[u16], rows: Logged<'_>, limit: f64, slices: &mut [Usual]) -> bool {
    dispatch!(level(), simd => walk(simd, codes, rows, limit, slices))
}

#[inline(always)]
fn walk<S: Simd>(simd: S, codes: &[u16], rows: Logged<'_>, limit: f64, slices: &mut [Usual]) -> bool {
    let Some(last) = slices.len().checked_sub(1) else { return false };
    // Only a larger weight than this can be the largest of its slice.
    let floor = slices[..last].iter().fold(f64::INFINITY, |least, slice| least.min(slice.largest));
    let mut walk = Walk {
        limit: f64x4::splat(simd, limit),
        floor,
        least_propensity: f64x4::splat(simd, f64::INFINITY),
        largest_chance: f64x4::splat(simd, 0.0),
        least_weight: f64::INFINITY,
    };
    let columns = [rows.propensity, rows.reward, rows.predicted, rows.chance, rows.expected];
    let mut later = columns.map(|column| column.iter().copied());
    let mut current: [&[Stored]; 5] = [&[]; 5];
    let mut codes = codes;
    while !codes.is_empty() {
        for (current, later) in current.iter_mut().zip(&mut later) {
            while current.is_empty() {
                let Some(next) = later.next() else { return false };
                *current = next;
            }
        }
        let count = current.iter().fold(codes.len(), |least, column| least.min(column.len()));
        let (now, after) = codes.split_at(count);
        let columns = current.map(|column| &column[..count]);
        walk.stretch(simd, now, columns, slices);
        current = current.map(|column| &column[count..]);
        codes = after;
    }
    // What is no number, or infinite, makes d + w (r - q) so.
    let in_range = walk.least_propensity.reduce_min() > 0.0 && walk.largest_chance.reduce_max() <= 1.0;
    in_range && walk.least_weight >= 0.0 && slices[..last].iter().all(|slice| slice.moments[2].is_finite())
}

/// What is left of a column, filled up.
#[inline(always)]
fn filled<T: Copy>(left: &[T], with: T) -> [T; CHUNK] {
    let mut chunk = [with; CHUNK];
    chunk.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
    chunk
}

struct Walk<S: Simd> {
    limit: f64x4<S>,
    floor: f64,
    least_propensity: f64x4<S>,
    /// Of propensities and chances.
    largest_chance: f64x4<S>,
    least_weight: f64,
}

impl<S: Simd> Walk<S> {
    /// Rows that stand together in every column.
    #[inline(always)]
    fn stretch(&mut self, simd: S, codes: &[u16], columns: [&[Stored]; 5], slices: &mut [Usual]) {
        let (codes, codes_left) = codes.as_chunks::<CHUNK>();
        let [propensity, reward, predicted, chance, expected] = columns.map(|column| column.as_chunks::<CHUNK>());
        let whole = propensity.0.iter().zip(reward.0).zip(predicted.0).zip(chance.0).zip(expected.0);
        for (codes, ((((propensity, reward), predicted), chance), expected)) in codes.iter().zip(whole) {
            self.chunk(simd, codes, [propensity, reward, predicted, chance, expected], slices);
        }
        if !codes_left.is_empty() {
            let codes = filled(codes_left, (slices.len() - 1) as u16);
            let propensity = filled(propensity.1, 1.0f64.to_ne_bytes());
            let [reward, predicted, chance, expected] =
                [reward, predicted, chance, expected].map(|column| filled(column.1, 0.0f64.to_ne_bytes()));
            self.chunk(simd, &codes, [&propensity, &reward, &predicted, &chance, &expected], slices);
        }
    }

    #[inline(always)]
    fn chunk(&mut self, simd: S, codes: &[u16; CHUNK], columns: [&[Stored; CHUNK]; 5], slices: &mut [Usual]) {
        let zero = f64x4::splat(simd, 0.0);
        let (mut least, mut most) = (f64x4::splat(simd, f64::INFINITY), zero);
        let mut weights = [0.0; CHUNK];
        for (i, (codes, weights)) in codes.as_chunks::<LANES>().0.iter().zip(weights.as_chunks_mut::<LANES>().0).enumerate() {
            let four = |column: &[Stored; CHUNK]| {
                f64x4::from_bytes(u8x32::from_slice(simd, column[LANES * i..LANES * (i + 1)].as_flattened()))
            };
            let [p, r, q, chance, d] = columns.map(four);
            let w = chance / p;
            w.store_slice(weights);
            (least, most) = (least.min(w), most.max(w));
            self.least_propensity = self.least_propensity.min(p);
            self.largest_chance = self.largest_chance.max(chance.max(p));
            let (wr, c) = (w * r, r - q);
            let (dr, switched) = (d + w * c, d + w.simd_le(self.limit).select(w, zero) * c);
            let product: [f64; LANES] = (wr * w).into();
            // Columns to rows.
            let (first, second) = simd.interleave_f64x4(w, wr);
            let (third, fourth) = simd.interleave_f64x4(dr, switched);
            let ((a, b), (c, d)) = (first.split(), second.split());
            let ((e, f), (g, h)) = (third.split(), fourth.split());
            let terms: [f64x4<S>; LANES] = [a.combine(e), b.combine(f), c.combine(g), d.combine(h)];
            for ((code, terms), product) in codes.iter().zip(terms).zip(product) {
                let slice = &mut slices[usize::from(*code)];
                (f64x8::from_slice(simd, &slice.moments) + terms.combine(terms * terms)).store_slice(&mut slice.moments);
                slice.product += product;
            }
        }
        let mut bins = [0u8; CHUNK];
        bins.iter_mut().zip(&weights).for_each(|(at, weight)| *at = bin(*weight) as u8);
        for (code, bin) in codes.iter().zip(&bins) {
            slices[usize::from(*code)].histogram[usize::from(*bin) % BINS] += 1;
        }
        let least = least.reduce_min();
        self.least_weight = self.least_weight.min(least);
        if least == 0.0 || most.reduce_max() > self.floor {
            for (code, weight) in codes.iter().zip(&weights) {
                let slice = &mut slices[usize::from(*code)];
                slice.largest = slice.largest.max(*weight);
                slice.zeros += u64::from(*weight == 0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: f64 = 5.0;

    fn columns(rows: u32) -> [Vec<f64>; 5] {
        let column = |k: u32, step: f64| (0..rows).map(|i| f64::from(i * (7 + k) % (31 + k)) / step).collect::<Vec<f64>>();
        let propensity = column(0, 40.0).into_iter().map(|x| x + 0.025).collect();
        [propensity, column(1, 3.0), column(2, 7.0), column(3, 50.0), column(4, 9.0)]
    }

    /// The sums of columns cut into stretches of these lengths.
    fn sums(codes: &[u16], columns: &[Vec<f64>; 5], lengths: [usize; 5], slices: &mut [Usual]) -> bool {
        let cut = |k: usize| bytemuck::cast_slice::<f64, Stored>(&columns[k]).chunks(lengths[k]).collect::<Vec<_>>();
        let [propensity, reward, predicted, chance, expected] = &[0, 1, 2, 3, 4].map(cut);
        add(codes, Logged { propensity, reward, predicted, chance, expected }, LIMIT, slices)
    }

    const WHOLE: [usize; 5] = [usize::MAX; 5];

    #[test]
    fn every_slice_has_the_bits_of_its_rows_one_by_one() {
        for rows in [0, 1, 64, 1_003] {
            let columns = columns(rows);
            let codes: Vec<u16> = (0..rows).map(|i| (i * 7 % 11 % 3) as u16).collect();
            let mut expected = [Usual::default(); 3];
            for (i, code) in codes.iter().enumerate() {
                let [p, r, q, chance, d] = [0, 1, 2, 3, 4].map(|k: usize| columns[k][i]);
                let w = chance / p;
                let terms = [w, w * r, d + w * (r - q), d + if w <= LIMIT { w } else { 0.0 } * (r - q)];
                let slice = &mut expected[usize::from(*code)];
                let (sums, squares) = slice.moments.split_at_mut(4);
                sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
                squares.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term * term);
                slice.product += w * r * w;
                slice.largest = slice.largest.max(w);
                slice.zeros += u64::from(w == 0.0);
                slice.histogram[bin(w)] += 1;
            }
            for lengths in [WHOLE, [100; 5], [1, 64, 65, 300, usize::MAX]] {
                let mut slices = [Usual::default(); 4];
                assert!(sums(&codes, &columns, lengths, &mut slices), "{rows}");
                assert_eq!(slices[..3], expected, "{rows} {lengths:?}");
                assert_eq!(slices.iter().take(3).map(Usual::rows).sum::<u64>(), u64::from(rows));
            }
            assert!(rows < 1_000 || expected.iter().all(|slice| slice.largest > LIMIT && slice.zeros > 0));
        }
    }

    #[test]
    fn a_wrong_number_is_noticed_wherever_it_stands() {
        let fine = columns(1_003);
        let codes = vec![0; 1_003];
        for at in [0, 500, 1_002] {
            for (column, wrong) in [
                (0, vec![0.0, -0.5, 1.5, f64::NAN, f64::INFINITY]),
                (1, vec![f64::NAN, f64::INFINITY]),
                (2, vec![f64::NAN, f64::NEG_INFINITY]),
                (3, vec![-1e-9, 1.5, f64::NAN, f64::INFINITY]),
                (4, vec![f64::NAN, f64::INFINITY]),
            ] {
                for wrong in wrong {
                    let mut columns = fine.clone();
                    columns[column][at] = wrong;
                    let mut slices = [Usual::default(); 2];
                    assert!(!sums(&codes, &columns, WHOLE, &mut slices), "{wrong} in column {column}, row {at}");
                }
            }
        }
    }

    #[test]
    fn columns_that_end_before_their_rows_are_refused() {
        let mut columns = columns(100);
        columns[3].pop();
        assert!(!sums(&[0; 100], &columns, WHOLE, &mut [Usual::default(); 2]));
    }

    #[test]
    fn the_largest_weight_so_far_is_kept_and_passed() {
        let columns = columns(1_003);
        let codes: Vec<u16> = (0..1_003).map(|i| i % 2).collect();
        let largest = |from: f64| {
            let mut slices = [Usual::after(from); 3];
            assert!(sums(&codes, &columns, WHOLE, &mut slices));
            [slices[0].largest, slices[1].largest]
        };
        let found = largest(0.0);
        assert!(found[0] > LIMIT && found[1] > LIMIT);
        assert_eq!((largest(1.0), largest(1e6)), (found, [1e6; 2]));
    }
}
