//! What listeners like: factors of everybody's plays, hidden halves included. No policy sees any of it.

use ears_only::math::ln_1p;
use ears_world::chance::{Draw, Key};

use super::constants::{AFFINITY_SAMPLE, MIN_LISTENERS, TRUTH_CONFIDENCE, TRUTH_RANK, TRUTH_RIDGE, TRUTH_ROUNDS};
use crate::interval::normal_quantile;
use crate::replay::lastfm::PlayCounts;

/// Knots of the map from products of factors to normal scores.
const KNOTS: usize = 1_000;

/// A point in the space of the truth.
pub type Factors = [f64; TRUTH_RANK];

/// Factors of all listeners and artists of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// One for each listener.
    pub listeners: Vec<Factors>,
    /// One for each artist.
    pub artists: Vec<Factors>,
    /// Their mean over listeners.
    pub mean: Factors,
}

impl Truth {
    /// Factorises everybody's plays. Artists with fewer listeners than [`MIN_LISTENERS`] stand on no card and are left out: they
    /// keep factors of 0.
    ///
    /// # Determinism
    /// One thread; the start is drawn under `seed`, sums in index order.
    ///
    /// # References
    /// Y. Hu, Y. Koren, C. Volinsky (2008), "Collaborative filtering for implicit feedback datasets", ICDM, equations (4) and (5).
    #[must_use]
    pub fn new(counts: &PlayCounts, seed: u64) -> Self {
        let mut of_listener: Vec<Vec<(u32, f64)>> = Vec::with_capacity(counts.listeners.len());
        let mut players = vec![0u32; counts.artists.len()];
        for (artist, _) in counts.listeners.iter().flatten() {
            players[*artist as usize] += 1;
        }
        let kept: Vec<u32> = (0..counts.artists.len() as u32).filter(|a| players[*a as usize] >= MIN_LISTENERS).collect();
        let mut place = vec![usize::MAX; counts.artists.len()];
        for (at, artist) in kept.iter().enumerate() {
            place[*artist as usize] = at;
        }
        let mut of_artist: Vec<Vec<(u32, f64)>> = vec![Vec::new(); kept.len()];
        for (listener, plays) in (0u32..).zip(&counts.listeners) {
            let plays: Vec<(u32, u32)> =
                plays.iter().map(|&(artist, count)| (place[artist as usize] as u32, count)).filter(|p| p.0 != u32::MAX).collect();
            let extra = |count: u32| TRUTH_CONFIDENCE * ln_1p(f64::from(count));
            of_listener.push(plays.iter().map(|&(artist, count)| (artist, extra(count))).collect());
            for &(artist, count) in &plays {
                of_artist[artist as usize].push((listener, extra(count)));
            }
        }
        let key = Key::new(seed, Draw::Truth);
        let start = |artist: &u32| std::array::from_fn(|k| 0.1 * key.with(u64::from(*artist)).with(k as u64).normal());
        let mut solved: Vec<Factors> = kept.iter().map(start).collect();
        let mut listeners = Vec::new();
        for _ in 0..TRUTH_ROUNDS {
            listeners = solve(&of_listener, &solved);
            solved = solve(&of_artist, &listeners);
        }
        let mut artists = vec![[0.0; TRUTH_RANK]; counts.artists.len()];
        for (artist, factors) in kept.iter().zip(solved) {
            artists[*artist as usize] = factors;
        }
        let count = listeners.len().max(1) as f64;
        let mean = std::array::from_fn(|k| listeners.iter().map(|f: &Factors| f[k]).sum::<f64>() / count);
        Self { listeners, artists, mean }
    }
}

/// For each row the minimiser of sum c (1[played] - x.y)^2 + ridge |x|^2, with c = 1 + extra where played, 1 elsewhere.
fn solve(rows: &[Vec<(u32, f64)>], others: &[Factors]) -> Vec<Factors> {
    let mut gram = [[0.0; TRUTH_RANK]; TRUTH_RANK];
    for y in others {
        for i in 0..TRUTH_RANK {
            for j in 0..=i {
                gram[i][j] += y[i] * y[j];
            }
        }
    }
    for (i, row) in gram.iter_mut().enumerate() {
        row[i] += TRUTH_RIDGE;
    }
    rows.iter()
        .map(|row| {
            let mut a = gram;
            let mut b = [0.0; TRUTH_RANK];
            for &(other, extra) in row {
                let y = &others[other as usize];
                for i in 0..TRUTH_RANK {
                    let scaled = extra * y[i];
                    for j in 0..=i {
                        a[i][j] += scaled * y[j];
                    }
                    b[i] += (1.0 + extra) * y[i];
                }
            }
            cholesky_solve(&mut a, b)
        })
        .collect()
}

/// Solves a x = b for a positive definite `a` given by its lower half (Golub and Van Loan, "Matrix Computations", algorithm
/// 4.2.1), which it overwrites.
fn cholesky_solve(a: &mut [Factors; TRUTH_RANK], mut b: Factors) -> Factors {
    for i in 0..TRUTH_RANK {
        for j in 0..=i {
            let sum = a[i][j] - a[i][..j].iter().zip(&a[j][..j]).map(|(x, y)| x * y).sum::<f64>();
            // The ridge keeps the diagonal away from 0.
            a[i][j] = if i == j { sum.max(1e-12).sqrt() } else { sum / a[j][j] };
        }
        for k in 0..i {
            b[i] -= a[i][k] * b[k];
        }
        b[i] /= a[i][i];
    }
    for i in (0..TRUTH_RANK).rev() {
        for k in i + 1..TRUTH_RANK {
            b[i] -= a[k][i] * b[k];
        }
        b[i] /= a[i][i];
    }
    b
}

/// Scalar product.
#[must_use]
pub fn product(a: &Factors, b: &Factors) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// From products of factors to affinity: normal scores, so that one unit is one standard deviation and there are no outliers.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    products: Vec<f64>,
    scores: Vec<f64>,
}

impl Scale {
    /// Measures pairs of a listener and one of `artists`.
    #[must_use]
    pub fn new(truth: &Truth, artists: &[u32], seed: u64) -> Self {
        let key = Key::new(seed, Draw::Truth).with(u64::MAX);
        let mut sample: Vec<f64> = (0..AFFINITY_SAMPLE as u64)
            .map(|i| {
                let listener = key.with(1).with(i).below(truth.listeners.len());
                let artist = artists[key.with(2).with(i).below(artists.len())];
                product(&truth.listeners[listener], &truth.artists[artist as usize])
            })
            .collect();
        sample.sort_by(f64::total_cmp);
        let at = |knot: usize| (knot as f64 + 0.5) / KNOTS as f64;
        Self {
            products: (0..KNOTS).map(|knot| sample[(at(knot) * sample.len() as f64) as usize]).collect(),
            scores: (0..KNOTS).map(|knot| normal_quantile(at(knot))).collect(),
        }
    }

    /// The normal score of a product; between knots by straight line, flat beyond the ends (3.3 standard deviations).
    #[must_use]
    pub fn affinity(&self, product: f64) -> f64 {
        let above = self.products.partition_point(|known| *known <= product);
        let (Some(below), true) = (above.checked_sub(1), above < self.products.len()) else {
            return self.scores[above.min(self.scores.len() - 1)];
        };
        let span = self.products[above] - self.products[below];
        let share = if span > 0.0 { (product - self.products[below]) / span } else { 0.0 };
        self.scores[below] + share * (self.scores[above] - self.scores[below])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cholesky_solves() {
        let mut a = [[0.0; TRUTH_RANK]; TRUTH_RANK];
        let x: Factors = std::array::from_fn(|i| (i * 7 % 11) as f64 - 5.0);
        let full = |i: usize, j: usize| if i == j { 40.0 } else { 1.0 / (1.0 + (i + j) as f64) };
        for (i, row) in a.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate().take(i + 1) {
                *value = full(i, j);
            }
        }
        let b = std::array::from_fn(|i| (0..TRUTH_RANK).map(|j| full(i, j) * x[j]).sum());
        let found = cholesky_solve(&mut a, b);
        assert!(found.iter().zip(&x).all(|(f, w)| (f - w).abs() < 1e-10));
    }

    #[test]
    fn factors_tell_circles_apart_and_affinity_is_standard() {
        let listeners: Vec<Vec<(u32, u32)>> = (0..60u32)
            .map(|u| (0..40u32).filter(|a| (a * 7 + u * 3) % 5 < 2).map(|a| (a + 40 * (u % 2), 1 + (a * u) % 90)).collect())
            .collect();
        let counts = PlayCounts { listeners, artists: vec![String::new(); 80] };
        let truth = Truth::new(&counts, 1);
        let mean = |u: usize, from: usize| {
            (from..from + 40).map(|a| product(&truth.listeners[u], &truth.artists[a])).sum::<f64>() / 40.0
        };
        assert!(mean(0, 0) > mean(0, 40) + 0.2 && mean(1, 40) > mean(1, 0) + 0.2);
        let scale = Scale::new(&truth, &(0..80).collect::<Vec<u32>>(), 1);
        let all: Vec<f64> =
            truth.listeners.iter().flat_map(|u| truth.artists.iter().map(|a| scale.affinity(product(u, a)))).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let square = all.iter().map(|z| z * z).sum::<f64>() / all.len() as f64;
        // 4,800 pairs, all of them about 40 times in the sample: the map is nearly exact.
        assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.1, "{mean} {square}");
        assert!(scale.affinity(-1e9) < -3.0 && scale.affinity(1e9) > 3.0);
        assert_eq!(truth, Truth::new(&counts, 1));
        assert_ne!(truth, Truth::new(&counts, 2));
    }
}
