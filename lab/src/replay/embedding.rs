//! Artist embeddings from who plays what: a truncated singular value decomposition, deterministic.

use ears_only::math::{exp, ln, ln_1p};
use ears_only::random::{Purpose, Seed, unit};

/// Dimensions of the embedding.
pub const DIMENSIONS: usize = 48;
/// Columns carried beyond the ones kept, so that the last ones kept are accurate.
const OVERSAMPLE: usize = 12;
/// Rounds of subspace iteration; the error falls with the (2 x rounds)-th power of the ratio of singular values.
const ROUNDS: usize = 6;
/// Weight of an artist's share of all plays: (plays)^-SMOOTHING tames the popular ones without lifting the rarest on top.
const SMOOTHING: f64 = 0.4;

/// Embeddings of artists 0..`artists`; all zeros for an artist whom nobody of `listeners` plays.
///
/// The matrix holds ln(1 + plays), each row scaled to length 1 and each column divided by (column sum)^0.4; its leading right
/// singular vectors, scaled by the square root of the singular values, are the embedding.
///
/// # Shapes and ranges
/// [`DIMENSIONS`] numbers for each artist, artist after artist.
///
/// # Determinism
/// One thread, sums in index order, start from one fixed stream.
///
/// # References
/// N. Halko, P. G. Martinsson, J. A. Tropp (2011), "Finding structure with randomness", SIAM Review 53(2), algorithm 4.4
/// (randomized subspace iteration).
#[must_use]
pub fn of_artists(listeners: &[&[(u32, u32)]], artists: usize) -> Vec<f32> {
    let rows = weighted(listeners, artists);
    let width = (DIMENSIONS + OVERSAMPLE).min(listeners.len()).min(artists);
    let mut rng = Seed::from_number(17).stream(Purpose::Host, 0);
    let mut left = Columns::new(rows.len(), width);
    for value in &mut left.values {
        *value = unit(&mut rng) - 0.5;
    }
    left.orthonormalise();
    let mut right = Columns::new(artists, width);
    for _ in 0..ROUNDS {
        right.transposed_product(&rows, &left);
        left.product(&rows, &right);
        left.orthonormalise();
    }
    right.transposed_product(&rows, &left);
    // right = A' Q = V S W'; its Gram matrix is W S^2 W'.
    let (squares, rotation) = symmetric_eigen(right.gram(), width);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| squares[*b].total_cmp(&squares[*a]).then(a.cmp(b)));
    let mut embedding = vec![0.0; artists * DIMENSIONS];
    for (dimension, &column) in order.iter().take(DIMENSIONS).enumerate() {
        // V S^(1/2) = (right W) S^(-1/2).
        let scale = squares[column].max(1e-12).sqrt().sqrt();
        for artist in 0..artists {
            let row = &right.values[artist * width..(artist + 1) * width];
            let value: f64 = row.iter().enumerate().map(|(k, v)| v * rotation[k * width + column]).sum();
            embedding[artist * DIMENSIONS + dimension] = (value / scale) as f32;
        }
    }
    embedding
}

fn weighted(listeners: &[&[(u32, u32)]], artists: usize) -> Vec<Vec<(u32, f64)>> {
    let mut sums = vec![0.0; artists];
    let mut rows: Vec<Vec<(u32, f64)>> = listeners
        .iter()
        .map(|plays| {
            let row: Vec<(u32, f64)> = plays.iter().map(|&(artist, count)| (artist, ln_1p(f64::from(count)))).collect();
            let length = row.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
            row.into_iter().map(|(artist, w)| (artist, w / length)).collect()
        })
        .collect();
    for (artist, weight) in rows.iter().flatten() {
        sums[*artist as usize] += weight;
    }
    for (artist, weight) in rows.iter_mut().flatten() {
        *weight *= exp(-SMOOTHING * ln(sums[*artist as usize]));
    }
    rows
}

/// A tall matrix, stored row after row.
struct Columns {
    width: usize,
    values: Vec<f64>,
}

impl Columns {
    fn new(rows: usize, width: usize) -> Self {
        Self { width, values: vec![0.0; rows * width] }
    }

    /// self = A other.
    fn product(&mut self, a: &[Vec<(u32, f64)>], other: &Self) {
        let width = self.width;
        for (row, out) in a.iter().zip(self.values.chunks_exact_mut(width)) {
            out.fill(0.0);
            for &(column, weight) in row {
                let from = &other.values[column as usize * width..][..width];
                for (o, f) in out.iter_mut().zip(from) {
                    *o += weight * f;
                }
            }
        }
    }

    /// self = A' other.
    fn transposed_product(&mut self, a: &[Vec<(u32, f64)>], other: &Self) {
        let width = self.width;
        self.values.fill(0.0);
        for (row, from) in a.iter().zip(other.values.chunks_exact(width)) {
            for &(column, weight) in row {
                let out = &mut self.values[column as usize * width..][..width];
                for (o, f) in out.iter_mut().zip(from) {
                    *o += weight * f;
                }
            }
        }
    }

    /// Modified Gram-Schmidt, twice: once leaves errors of the size of the condition number.
    fn orthonormalise(&mut self) {
        let width = self.width;
        for _ in 0..2 {
            for k in 0..width {
                for j in 0..k {
                    let along: f64 = self.values.chunks_exact(width).map(|row| row[j] * row[k]).sum();
                    for row in self.values.chunks_exact_mut(width) {
                        row[k] -= along * row[j];
                    }
                }
                let length = self.values.chunks_exact(width).map(|row| row[k] * row[k]).sum::<f64>().sqrt();
                let scale = if length > 1e-300 { 1.0 / length } else { 0.0 };
                for row in self.values.chunks_exact_mut(width) {
                    row[k] *= scale;
                }
            }
        }
    }

    /// self' self.
    fn gram(&self) -> Vec<f64> {
        let width = self.width;
        let mut gram = vec![0.0; width * width];
        for row in self.values.chunks_exact(width) {
            for i in 0..width {
                for j in 0..width {
                    gram[i * width + j] += row[i] * row[j];
                }
            }
        }
        gram
    }
}

/// Eigenvalues, and eigenvectors in the columns of a row-major matrix, by cyclic Jacobi rotations (Golub and Van Loan, "Matrix
/// Computations", algorithm 8.4.3).
fn symmetric_eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    for i in 0..n {
        vectors[i * n + i] = 1.0;
    }
    for _ in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j] * a[i * n + j]).sum();
        let on: f64 = (0..n).map(|i| a[i * n + i] * a[i * n + i]).sum();
        if off <= 1e-28 * on {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let tau = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = if tau >= 0.0 { 1.0 } else { -1.0 } / (tau.abs() + (1.0 + tau * tau).sqrt());
                let c = 1.0 / (1.0 + t * t).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    a[k * n + p] = c * x - s * y;
                    a[k * n + q] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    a[p * n + k] = c * x - s * y;
                    a[q * n + k] = s * x + c * y;
                }
                for k in 0..n {
                    let (x, y) = (vectors[k * n + p], vectors[k * n + q]);
                    vectors[k * n + p] = c * x - s * y;
                    vectors[k * n + q] = s * x + c * y;
                }
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_rebuild_a_known_matrix() {
        let a = vec![2.0, 1.0, 0.0, 1.0, 3.0, 1.0, 0.0, 1.0, 4.0];
        let (values, vectors) = symmetric_eigen(a.clone(), 3);
        for i in 0..3 {
            for j in 0..3 {
                let sum: f64 = (0..3).map(|k| vectors[i * 3 + k] * values[k] * vectors[j * 3 + k]).sum();
                assert!((sum - a[i * 3 + j]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn artists_played_together_lie_together_and_unplayed_ones_nowhere() {
        // Two circles of listeners: artists 0-3 and artists 4-7; artist 8 is played by nobody.
        let listeners: Vec<Vec<(u32, u32)>> = (0..40u32)
            .map(|u| (0..4).filter(|a| (u / 2 + a) % 5 != 0).map(|a| (a + 4 * (u % 2), 10 + u + a)).collect())
            .collect();
        let rows: Vec<&[(u32, u32)]> = listeners.iter().map(Vec::as_slice).collect();
        let embedding = of_artists(&rows, 9);
        let of = |artist: usize| &embedding[artist * DIMENSIONS..(artist + 1) * DIMENSIONS];
        let product = |a: usize, b: usize| of(a).iter().zip(of(b)).map(|(x, y)| x * y).sum::<f32>();
        assert!(product(0, 1) > 0.1 && product(4, 5) > 0.1);
        assert!(product(0, 4).abs() < 1e-5 && product(1, 6).abs() < 1e-5);
        assert!(of(8).iter().all(|v| *v == 0.0));
        assert_eq!(embedding, of_artists(&rows, 9));
    }
}
