//! Quadratic forms x' S x of many rows under one symmetric matrix.

use wide::f64x2;

/// Rows at once: four sums of two lanes hide the latency of the additions.
const ROWS: usize = 8;

/// x' S x of each row x, in 64 bits.
///
/// # Shapes and ranges
/// - `matrix`: S, symmetric, row by row; its width is that of `width`.
/// - `rows`: rows of `stride` values, of which the first `width` count; where a row has fewer, the others are 0.
/// - `forms`: one for each row.
///
/// # Determinism
/// The sum over rows i of S, in index order, of x_i (S_ii x_i + 2 t_i) with t_i = sum over j > i, in index order, of S_ij x_j.
#[inline(never)]
pub fn quadratic_forms(matrix: &[f64], width: usize, rows: &[f32], stride: usize, forms: &mut [f64]) {
    if width == 0 || stride == 0 {
        return forms.fill(0.0);
    }
    let zero = f64x2::splat(0.0);
    // Both lanes at once: of one at a time the small core makes two stores and a load, which wait for each other.
    let matrix: Vec<[f64; 2]> = matrix.iter().map(|s| [*s; 2]).collect();
    let mut columns = vec![[0.0; ROWS]; width.min(stride)];
    for (rows, forms) in rows.chunks(ROWS * stride).zip(forms.chunks_mut(ROWS)) {
        for (at, row) in rows.chunks_exact(stride).enumerate() {
            for (column, x) in columns.iter_mut().zip(row) {
                column[at % ROWS] = f64::from(*x);
            }
        }
        let (mut s0, mut s1, mut s2, mut s3) = (zero, zero, zero, zero);
        for (i, line) in matrix.chunks_exact(width).enumerate() {
            let (mut t0, mut t1, mut t2, mut t3) = (zero, zero, zero, zero);
            let mut entries = line.iter().zip(&columns).skip(i);
            let Some((own, first)) = entries.next() else { break };
            for (s, column) in entries {
                let (s, [x0, x1, x2, x3]) = (f64x2::new(*s), pairs(column));
                t0 += s * x0;
                t1 += s * x1;
                t2 += s * x2;
                t3 += s * x3;
            }
            let (own, [x0, x1, x2, x3]) = (f64x2::new(*own), pairs(first));
            s0 += x0 * (own * x0 + (t0 + t0));
            s1 += x1 * (own * x1 + (t1 + t1));
            s2 += x2 * (own * x2 + (t2 + t2));
            s3 += x3 * (own * x3 + (t3 + t3));
        }
        let sums = [s0, s1, s2, s3].map(f64x2::to_array);
        for (form, sum) in forms.iter_mut().zip(sums.as_flattened()) {
            *form = *sum;
        }
    }
}

#[inline(always)]
fn pairs(column: &[f64; ROWS]) -> [f64x2; ROWS / 2] {
    // Whole pairs, or the compiler puts them together in memory.
    let ([a, b, c, d], _) = column.as_chunks::<2>() else { return [f64x2::splat(0.0); ROWS / 2] };
    [f64x2::new(*a), f64x2::new(*b), f64x2::new(*c), f64x2::new(*d)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::numbers;

    #[test]
    fn values_that_a_row_does_not_have_are_zeros() {
        let (width, stride, count) = (9, 4, 11);
        let matrix: Vec<f64> = (0..width * width).map(|at| 1.0 / f64::from((at / width + at % width + 1) as u32)).collect();
        let rows = numbers(stride * count, 3);
        let whole: Vec<f32> = rows.chunks_exact(stride).flat_map(|row| [row, &[0.0; 8]].concat()).collect();
        let (mut forms, mut want) = (vec![9.0; count], vec![9.0; count]);
        quadratic_forms(&matrix, width, &rows, stride, &mut forms);
        quadratic_forms(&matrix, width, &whole, stride + 8, &mut want);
        assert_eq!(forms, want);
        assert!(forms.iter().all(|form| *form > 0.0), "{forms:?}");
        quadratic_forms(&[], 0, &rows, stride, &mut forms);
        assert_eq!(forms, vec![0.0; count]);
    }

    #[test]
    fn forms_have_the_bits_of_the_written_sum() {
        for (width, stride, count) in [(1, 4, 1), (3, 4, 2), (9, 12, 16), (65, 68, 37)] {
            let rows = numbers(stride * count, 3);
            let mut matrix = vec![0.0; width * width];
            for (at, value) in numbers(width * width, 5).into_iter().enumerate() {
                let (i, j) = (at / width, at % width);
                if i <= j {
                    (matrix[i * width + j], matrix[j * width + i]) = (f64::from(value), f64::from(value));
                }
            }
            let mut forms = vec![9.0; count];
            quadratic_forms(&matrix, width, &rows, stride, &mut forms);
            for (row, form) in rows.chunks_exact(stride).zip(forms) {
                let x: Vec<f64> = row[..width].iter().map(|x| f64::from(*x)).collect();
                let (mut want, mut plain) = (0.0, 0.0);
                for i in 0..width {
                    let mut beyond = 0.0;
                    for j in i + 1..width {
                        beyond += matrix[i * width + j] * x[j];
                    }
                    want += x[i] * (matrix[i * width + i] * x[i] + (beyond + beyond));
                    plain += (0..width).map(|j| x[i] * matrix[i * width + j] * x[j]).sum::<f64>();
                }
                assert_eq!(form.to_bits(), want.to_bits());
                assert!((want - plain).abs() < 1e-12 * width as f64);
            }
        }
    }
}
