//! Fully connected layers, for many rows at once.

use crate::rows::{dot, folded_together, lanes};
use wide::f32x4;

/// Writes [`dot`] of each row and the weights of each unit, plus the unit's bias.
///
/// # Shapes and ranges
/// - `rows`: rows of `inputs` values, one after another.
/// - `weights`: as many values for each unit; `bias`: one for each unit.
/// - `out`: for each row one value for each unit.
#[inline(never)]
pub fn dense(rows: &[f32], inputs: usize, weights: &[f32], bias: &[f32], out: &mut [f32]) {
    let units = bias.len();
    if inputs == 0 || units == 0 {
        return;
    }
    let mut pairs = rows.chunks_exact(2 * inputs);
    let mut outs = out.chunks_exact_mut(2 * units);
    for (rows, out) in (&mut pairs).zip(&mut outs) {
        let (first, second) = rows.split_at(inputs);
        let (one, other) = out.split_at_mut(units);
        two_rows(first, second, weights, bias, one, other);
    }
    for (row, out) in pairs.remainder().chunks_exact(inputs).zip(outs.into_remainder().chunks_exact_mut(units)) {
        for ((out, weights), bias) in out.iter_mut().zip(weights.chunks_exact(inputs)).zip(bias) {
            *out = dot(weights, row) + bias;
        }
    }
}

/// Four units at a time: each weight is read once for both rows, and the four sums of four lanes are folded together.
fn two_rows(first: &[f32], second: &[f32], weights: &[f32], bias: &[f32], one: &mut [f32], other: &mut [f32]) {
    let inputs = first.len();
    let ((x, x_rest), (y, y_rest)) = (first.as_chunks::<4>(), second.as_chunks::<4>());
    let (quads, _) = bias.as_chunks::<4>();
    let done = 4 * quads.len();
    let (ones, ones_rest) = one.as_chunks_mut::<4>();
    let (others, others_rest) = other.as_chunks_mut::<4>();
    for (((bias, weights), one), other) in quads.iter().zip(weights.chunks_exact(4 * inputs)).zip(ones).zip(others) {
        let (a, rest) = weights.split_at(inputs);
        let (b, rest) = rest.split_at(inputs);
        let (c, d) = rest.split_at(inputs);
        let ((a4, _), (b4, _), (c4, _), (d4, _)) =
            (a.as_chunks::<4>(), b.as_chunks::<4>(), c.as_chunks::<4>(), d.as_chunks::<4>());
        let zero = f32x4::splat(0.0);
        let (mut xa, mut xb, mut xc, mut xd) = (zero, zero, zero, zero);
        let (mut ya, mut yb, mut yc, mut yd) = (zero, zero, zero, zero);
        for (((((x, y), a), b), c), d) in x.iter().zip(y).zip(a4).zip(b4).zip(c4).zip(d4) {
            let (x, y) = (lanes(x), lanes(y));
            let (a, b, c, d) = (lanes(a), lanes(b), lanes(c), lanes(d));
            xa += a * x;
            xb += b * x;
            xc += c * x;
            xd += d * x;
            ya += a * y;
            yb += b * y;
            yc += c * y;
            yd += d * y;
        }
        let (mut at_x, mut at_y) = (folded_together([xa, xb, xc, xd]), folded_together([ya, yb, yc, yd]));
        if !x_rest.is_empty() {
            for (at, (x, y)) in x_rest.iter().zip(y_rest).enumerate() {
                let at = inputs / 4 * 4 + at;
                let weights = f32x4::new([a[at], b[at], c[at], d[at]]);
                at_x += weights * f32x4::splat(*x);
                at_y += weights * f32x4::splat(*y);
            }
        }
        *one = (at_x + lanes(bias)).to_array();
        *other = (at_y + lanes(bias)).to_array();
    }
    for (at, weights) in weights.chunks_exact(inputs).enumerate().skip(done) {
        if let (Some(one), Some(other)) = (ones_rest.get_mut(at - done), others_rest.get_mut(at - done)) {
            *one = dot(weights, first) + bias[at];
            *other = dot(weights, second) + bias[at];
        }
    }
}

/// Writes `inputs` values of each of `count` rows, from its second one on and kept within -`most` and `most`, one row behind the other; none is NaN.
///
/// - `pitch`: numbers from one row to the next.
#[inline(never)]
pub fn gather(rows: &[f32], pitch: usize, count: usize, inputs: usize, most: f32, into: &mut Vec<f32>) {
    into.resize(count * inputs, 0.0);
    if inputs == 0 {
        return;
    }
    let (high, low) = (f32x4::splat(most), f32x4::splat(-most));
    for (at, into) in into.chunks_exact_mut(inputs).enumerate() {
        let row = rows.get(at * pitch + 1..=at * pitch + inputs).unwrap_or_default();
        let ((to, to_rest), (from, from_rest)) = (into.as_chunks_mut::<4>(), row.as_chunks::<4>());
        for (to, from) in to.iter_mut().zip(from) {
            *to = lanes(from).fast_min(high).fast_max(low).to_array();
        }
        for (to, from) in to_rest.iter_mut().zip(from_rest) {
            *to = from.min(most).max(-most);
        }
    }
}

/// Writes 0 for what is not above it, and `most` for what is above that.
#[inline(never)]
pub fn rectify(values: &mut [f32], most: f32) {
    let (blocks, rest) = values.as_chunks_mut::<4>();
    for block in blocks {
        let x = lanes(block);
        *block = (x.simd_gt(f32x4::splat(0.0)) & x.fast_min(f32x4::splat(most))).to_array();
    }
    for value in rest {
        *value = if *value > 0.0 { if *value < most { *value } else { most } } else { 0.0 };
    }
}

/// Adds to each sum the products of its row and the weights, one after another in 64 bits.
///
/// # Shapes and ranges
/// `rows`: rows of as many values as there are weights, one for each sum.
#[inline(never)]
pub fn add_products(rows: &[f32], weights: &[f64], sums: &mut [f64]) {
    let inputs = weights.len();
    if inputs == 0 {
        return;
    }
    // Four rows at a time hide the latency of the additions.
    let mut fours = rows.chunks_exact(4 * inputs);
    let (quads, rest) = sums.as_chunks_mut::<4>();
    for (rows, sums) in (&mut fours).zip(quads) {
        let (a, others) = rows.split_at(inputs);
        let (b, others) = others.split_at(inputs);
        let (c, d) = others.split_at(inputs);
        let [mut s0, mut s1, mut s2, mut s3] = *sums;
        for ((((weight, a), b), c), d) in weights.iter().zip(a).zip(b).zip(c).zip(d) {
            s0 += weight * f64::from(*a);
            s1 += weight * f64::from(*b);
            s2 += weight * f64::from(*c);
            s3 += weight * f64::from(*d);
        }
        *sums = [s0, s1, s2, s3];
    }
    for (row, sum) in fours.remainder().chunks_exact(inputs).zip(rest) {
        for (weight, x) in weights.iter().zip(row) {
            *sum += weight * f64::from(*x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::numbers;

    #[test]
    fn a_layer_has_the_bits_of_single_dots() {
        for (inputs, units) in [(1, 1), (3, 5), (4, 4), (6, 9), (64, 32), (67, 6)] {
            for count in [0, 1, 2, 5] {
                let (rows, weights, bias) = (numbers(inputs * count, 1), numbers(inputs * units, 2), numbers(units, 3));
                let mut out = vec![0.0; units * count];
                dense(&rows, inputs, &weights, &bias, &mut out);
                for (row, out) in rows.chunks_exact(inputs).zip(out.chunks_exact(units)) {
                    for ((weights, bias), out) in weights.chunks_exact(inputs).zip(&bias).zip(out) {
                        assert_eq!((dot(weights, row) + bias).to_bits(), out.to_bits(), "{inputs} {units} {count}");
                    }
                }
            }
        }
    }

    #[test]
    fn columns_are_gathered_within_limits() {
        let mut into = vec![9.0];
        gather(&[1.0, 0.5, -7.0, 0.0, 1.0, 3.0, f32::INFINITY, 0.0], 4, 2, 2, 2.0, &mut into);
        assert_eq!(into, [0.5, -2.0, 2.0, 2.0]);
    }

    #[test]
    fn what_is_below_zero_becomes_zero() {
        let mut values = [-1.0, -0.0, 0.5, 3.0, 2.0, f32::NAN];
        rectify(&mut values, 2.0);
        assert_eq!(values.map(f32::to_bits), [0.0f32, 0.0, 0.5, 2.0, 2.0, 0.0].map(f32::to_bits));
    }

    #[test]
    fn products_are_added_in_order() {
        for count in 0..7 {
            let (rows, weights) = (numbers(9 * count, 4), numbers(9, 5));
            let weights: Vec<f64> = weights.iter().map(|w| f64::from(*w)).collect();
            let mut sums = vec![0.5; count];
            add_products(&rows, &weights, &mut sums);
            for (row, sum) in rows.chunks_exact(9).zip(sums) {
                let want = row.iter().zip(&weights).fold(0.5, |sum, (x, weight)| sum + weight * f64::from(*x));
                assert_eq!(sum.to_bits(), want.to_bits());
            }
        }
    }
}
