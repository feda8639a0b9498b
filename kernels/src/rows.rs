//! Rows of features: laid out, scored, and looked through for what counts most.

use wide::f32x4;

pub(crate) fn lanes(block: &[f32; 4]) -> f32x4 {
    f32x4::new(*block)
}

/// Dot product of two slices of equal length.
///
/// # Determinism
/// Four lanes, each summed in index order, then (lane 0 + lane 1) + (lane 2 + lane 3); the last 0 to 3 elements are added one by one.
#[must_use]
#[inline(never)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let ((a, a_rest), (b, b_rest)) = (a[..n].as_chunks::<4>(), b[..n].as_chunks::<4>());
    let mut sum = f32x4::splat(0.0);
    for (x, y) in a.iter().zip(b) {
        sum += lanes(x) * lanes(y);
    }
    let mut total = folded(sum);
    for (x, y) in a_rest.iter().zip(b_rest) {
        total += x * y;
    }
    total
}

fn folded(sum: f32x4) -> f32 {
    let [s0, s1, s2, s3] = sum.to_array();
    (s0 + s1) + (s2 + s3)
}

/// Whether every value is a finite number.
#[must_use]
#[inline(never)]
pub fn all_finite(values: &[f32]) -> bool {
    // x - x is +0 for a finite x and NaN otherwise: any bit tells.
    let (blocks, rest) = values.as_chunks::<4>();
    let mut bits = f32x4::splat(0.0);
    for block in blocks {
        bits |= lanes(block) - lanes(block);
    }
    bits.to_array().iter().all(|lane| lane.to_bits() == 0) && rest.iter().all(|x| x.is_finite())
}

/// Writes rows of a 1, `columns` values of `given`, and zeros up to `stride`.
///
/// # Shapes and ranges
/// `rows`: whole rows; `stride` is a multiple of four and larger than `columns`. As many rows are written as both sides have.
#[inline(never)]
pub fn lay_rows(given: &[f32], columns: usize, rows: &mut [f32], stride: usize) {
    if columns == 0 || columns >= stride {
        return;
    }
    for (row, values) in rows.chunks_exact_mut(stride).zip(given.chunks_exact(columns)) {
        let (head, tail) = row.split_at_mut(columns + 1);
        head[0] = 1.0;
        let ((to, to_rest), (from, from_rest)) = (head[1..].as_chunks_mut::<4>(), values.as_chunks::<4>());
        for (to, from) in to.iter_mut().zip(from) {
            // The same bits. Without it the compiler makes a call of the loop that copies memory, which leaves the module and takes
            // twice the time for the few values of a row.
            *to = lanes(from).fast_max(lanes(from)).to_array();
        }
        for (to, from) in to_rest.iter_mut().zip(from_rest) {
            *to = *from;
        }
        for to in tail {
            *to = 0.0;
        }
    }
}

/// For each row [`dot`] of it and `weights`; and the first index after 0 whose product is the largest of those above `least`, 0 where none
/// is.
///
/// # Shapes and ranges
/// - `rows`: rows of `weights.len()` values, a multiple of four.
/// - `scores`, `largest`: one for each row.
///
/// # Determinism
/// Products are rounded to `f32`; none may be NaN.
#[inline(never)]
pub fn score_rows(rows: &[f32], weights: &[f32], least: f32, scores: &mut [f64], largest: &mut [u32]) {
    let (weights, _) = weights.as_chunks::<4>();
    let (blocks, _) = rows.as_chunks::<4>();
    let Some((first_weight, weights)) = weights.split_first() else { return };
    let width = weights.len() + 1;
    // Two rows at a time hide the latency of sums and comparisons; an odd last one is its own pair.
    for ((rows, scores), largest) in blocks.chunks(2 * width).zip(scores.chunks_mut(2)).zip(largest.chunks_mut(2)) {
        let (one, other) = if rows.len() == 2 * width { rows.split_at(width) } else { (rows, rows) };
        let (Some((one_first, one)), Some((other_first, other))) = (one.split_first(), other.split_first()) else { return };
        let (mut a, mut b) = (Tally::new(one_first, first_weight, least), Tally::new(other_first, first_weight, least));
        let (mut block, next) = (f32x4::splat(0.0), f32x4::splat(1.0));
        for ((x, y), weight) in one.iter().zip(other).zip(weights) {
            block += next;
            let weight = lanes(weight);
            a.add(lanes(x) * weight, block);
            b.add(lanes(y) * weight, block);
        }
        for ((score, largest), tally) in scores.iter_mut().zip(largest).zip([a, b]) {
            *score = f64::from(folded(tally.sum));
            *largest = tally.largest(least);
        }
    }
}

/// The products of one row so far.
#[derive(Clone, Copy)]
struct Tally {
    sum: f32x4,
    /// The largest of each lane.
    most: f32x4,
    /// Which block it is in.
    place: f32x4,
}

impl Tally {
    #[inline(always)]
    fn new(x: &[f32; 4], weight: &[f32; 4], least: f32) -> Self {
        let products = lanes(x) * lanes(weight);
        let [_, p1, p2, p3] = products.to_array();
        let most = f32x4::new([least, p1, p2, p3]).fast_max(f32x4::splat(least));
        // As a sum that starts at 0 has it.
        Self { sum: f32x4::splat(0.0) + products, most, place: f32x4::splat(0.0) }
    }

    #[inline(always)]
    fn add(&mut self, products: f32x4, block: f32x4) {
        self.sum += products;
        let larger = products.simd_gt(self.most);
        self.most = self.most.fast_max(products);
        self.place = larger.select(block, self.place);
    }

    fn largest(&self, least: f32) -> u32 {
        let mut best = (least, 0);
        for (lane, (value, block)) in self.most.to_array().into_iter().zip(self.place.to_array()).enumerate() {
            let at = 4 * block as u32 + lane as u32;
            if value > best.0 || (value == best.0 && value > least && at < best.1) {
                best = (value, at);
            }
        }
        best.1
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Repeatable numbers within -1 and 1.
    pub(crate) fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    fn plain_dot(a: &[f32], b: &[f32]) -> f32 {
        let mut lanes = [0f32; 4];
        let whole = a.len() / 4 * 4;
        for i in 0..whole {
            lanes[i % 4] += a[i] * b[i];
        }
        let mut total = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        for i in whole..a.len() {
            total += a[i] * b[i];
        }
        total
    }

    #[test]
    fn dot_has_the_written_order() {
        for n in 0..40 {
            let (a, b) = (numbers(n, 3), numbers(n, 5));
            assert_eq!(dot(&a, &b).to_bits(), plain_dot(&a, &b).to_bits(), "{n}");
        }
    }

    #[test]
    fn rows_are_laid_and_scored_as_one_by_one() {
        for (columns, count) in [(1, 1), (3, 2), (6, 5), (64, 7), (255, 3)] {
            let stride = (columns + 1usize).next_multiple_of(4);
            let given = numbers(columns * count, 11);
            let mut rows = vec![9.0; stride * count];
            lay_rows(&given, columns, &mut rows, stride);
            let mut weights = numbers(columns + 1, 7);
            weights.resize(stride, 0.0);
            let mut scores = vec![0.0; count];
            score_rows(&rows, &weights, 0.0, &mut scores, &mut vec![0; count]);
            for (at, row) in rows.chunks_exact(stride).enumerate() {
                assert_eq!(row[0], 1.0);
                assert_eq!(row[1..=columns], given[at * columns..(at + 1) * columns]);
                assert!(row[columns + 1..].iter().all(|x| *x == 0.0));
                assert_eq!(scores[at].to_bits(), f64::from(plain_dot(row, &weights)).to_bits());
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_found_anywhere() {
        for n in 0..20 {
            let mut values = vec![f32::MAX; n];
            assert!(all_finite(&values));
            for at in 0..n {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    values[at] = bad;
                    assert!(!all_finite(&values), "{bad} at {at} of {n}");
                }
                values[at] = f32::MIN;
            }
        }
    }

    #[test]
    fn the_largest_product_is_the_first_of_the_largest() {
        for n in [4, 8, 12, 68] {
            for seed in 0..20 {
                let (mut rows, weights) = (numbers(3 * n, seed), numbers(n, seed + 100));
                let mut found = [9; 3];
                for row in rows.chunks_exact_mut(n) {
                    row[0] = 50.0;
                    // Ties.
                    row[n - 1] = row[n / 2];
                }
                score_rows(&rows, &weights, 0.05, &mut [0.0; 3], &mut found);
                for (row, found) in rows.chunks_exact(n).zip(found) {
                    let mut want = (0.05, 0);
                    for at in 1..n {
                        let product = row[at] * weights[at];
                        if product > want.0 {
                            want = (product, at as u32);
                        }
                    }
                    assert_eq!(found, want.1, "{n} {seed}");
                }
            }
        }
        let mut found = [7];
        score_rows(&[1.0, 2.0, 1.0, 2.0], &[9.0, 1.0, 2.0, 1.0], 0.05, &mut [0.0], &mut found);
        assert_eq!(found, [1]);
        score_rows(&[1.0, 0.0, 0.0, 0.0], &[9.0, 1.0, 2.0, 1.0], 0.05, &mut [0.0], &mut found);
        assert_eq!(found, [0]);
    }
}
