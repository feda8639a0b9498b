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
    let (blocks, rest) = values.as_chunks::<16>();
    let mut bits = f32x4::splat(0.0);
    for block in blocks {
        let ([a, b, c, d], _) = block.as_chunks::<4>() else { break };
        bits |= (nothing(a) | nothing(b)) | (nothing(c) | nothing(d));
    }
    bits.to_array().iter().all(|lane| lane.to_bits() == 0) && rest.iter().all(|x| x.is_finite())
}

/// x - x: +0 for a finite x and NaN otherwise, so that any bit tells.
#[inline(always)]
fn nothing(x: &[f32; 4]) -> f32x4 {
    lanes(x) - lanes(x)
}

/// Writes a row: a 1, the values of `given`, and zeros up to its end.
///
/// # Shapes and ranges
/// `row`: longer than `given`.
#[inline(never)]
pub fn lay_row(given: &[f32], row: &mut [f32]) {
    let Some((head, tail)) = row.split_at_mut_checked(given.len() + 1) else { return };
    head[0] = 1.0;
    let ((to, to_rest), (from, from_rest)) = (head[1..].as_chunks_mut::<16>(), given.as_chunks::<16>());
    for (to, from) in to.iter_mut().zip(from) {
        let (([t0, t1, t2, t3], _), ([f0, f1, f2, f3], _)) = (to.as_chunks_mut::<4>(), from.as_chunks::<4>()) else { break };
        (*t0, *t1, *t2, *t3) = (same(f0), same(f1), same(f2), same(f3));
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
    for to in tail {
        *to = 0.0;
    }
}

/// The same bits. Without it the compiler makes a call of the loop that copies memory, which leaves the module and takes twice the time
/// for the few values of a row.
#[inline(always)]
fn same(values: &[f32; 4]) -> [f32; 4] {
    lanes(values).fast_max(lanes(values)).to_array()
}

/// For each row [`dot`] of it and `weights`, with 1 for its first number.
///
/// # Shapes and ranges
/// - `rows`: of each row `weights.len()` numbers, a multiple of four, from one row to the next `pitch`. What has no weight is finite, and so is
///   the first number.
/// - `scores`: one for each row.
#[inline(never)]
pub fn score_rows(rows: &[f32], pitch: usize, weights: &[f32], scores: &mut [f64]) {
    let mut weights = weights.to_vec();
    let Some(first) = weights.first_mut() else { return };
    // What the first number would add, ahead of the others.
    let start = f32x4::new([0.0 + std::mem::take(first), 0.0, 0.0, 0.0]);
    let (width, weights) = (weights.len(), weights.as_chunks::<4>().0);
    debug_assert!(scores.is_empty() || rows.len() >= (scores.len() - 1) * pitch + width, "a row is too short");
    // Four rows at a time: a weight is read once for all of them, and their lanes are folded together.
    for (block, scores) in scores.chunks_mut(4).enumerate() {
        let row = |one: usize| {
            let at = (4 * block + one.min(scores.len() - 1)) * pitch;
            rows.get(at..at + width).unwrap_or_default().as_chunks::<4>().0
        };
        let (mut a, mut b, mut c, mut d) = (start, start, start, start);
        for ((((weight, xa), xb), xc), xd) in weights.iter().zip(row(0)).zip(row(1)).zip(row(2)).zip(row(3)) {
            let weight = lanes(weight);
            a += lanes(xa) * weight;
            b += lanes(xb) * weight;
            c += lanes(xc) * weight;
            d += lanes(xd) * weight;
        }
        for (score, dot) in scores.iter_mut().zip(folded_together([a, b, c, d]).to_array()) {
            *score = f64::from(dot);
        }
    }
}

/// The sums of the lanes of four vectors, each as [`dot`] folds its own.
#[inline(always)]
pub(crate) fn folded_together(sums: [f32x4; 4]) -> f32x4 {
    let [s0, s1, s2, s3] = f32x4::transpose(sums);
    (s0 + s1) + (s2 + s3)
}

/// The first index after 0 whose product is the largest of those above `least`; 0 where none is.
///
/// # Shapes and ranges
/// `weights`: of which each is a number of 32 bits; as many values of the row count.
///
/// # Determinism
/// Products are rounded to `f32`; none may be NaN.
#[must_use]
#[inline(never)]
pub fn largest_product(row: &[f32], weights: &[f64], least: f32) -> u32 {
    let (row, weights) = (row.get(1..).unwrap_or_default(), weights.get(1..).unwrap_or_default());
    let mut best = (least, 0);
    for ((x, weight), at) in row.iter().zip(weights).zip(1..) {
        let product = x * *weight as f32;
        if product > best.0 {
            best = (product, at);
        }
    }
    best.1
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
        for (columns, count) in [(1, 1), (3, 2), (6, 5), (64, 7), (255, 3), (64, 21)] {
            let stride = (columns + 1usize).next_multiple_of(4);
            let given = numbers(columns * count, 11);
            let mut rows = vec![9.0; stride * count];
            for (row, values) in rows.chunks_exact_mut(stride).zip(given.chunks_exact(columns)) {
                lay_row(values, row);
            }
            let mut weights = numbers(columns + 1, 7);
            weights.resize(stride, 0.0);
            let mut scores = vec![0.0; count];
            score_rows(&rows, stride, &weights, &mut scores);
            // As they lie: what stands between them weighs nothing.
            let mut lying = vec![5.0];
            lying.extend_from_slice(&given);
            lying.extend([7.0; 4]);
            let mut same = vec![0.0; count];
            score_rows(&lying, columns, &weights, &mut same);
            assert_eq!(same, scores);
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
                for row in rows.chunks_exact_mut(n) {
                    row[0] = 50.0;
                    // Ties.
                    row[n - 1] = row[n / 2];
                }
                let weights: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
                for row in rows.chunks_exact(n) {
                    let mut want = (0.05, 0);
                    for at in 1..n {
                        let product = row[at] * weights[at] as f32;
                        if product > want.0 {
                            want = (product, at as u32);
                        }
                    }
                    assert_eq!(largest_product(row, &weights, 0.05), want.1, "{n} {seed}");
                }
            }
        }
        assert_eq!(largest_product(&[1.0, 2.0, 1.0, 2.0], &[9.0, 1.0, 2.0, 1.0], 0.05), 1);
        assert_eq!(largest_product(&[1.0, 0.0, 0.0, 0.0], &[9.0, 1.0, 2.0, 1.0], 0.05), 0);
    }
}
