//! The public directions along which training probes move a model.
//!
//! A training arm names a seed and a sign; server and devices make the same direction of it, so that no vector is ever sent.

use crate::math::ln;
use crate::random::{Purpose, Seed, unit};

/// The direction of `seed`: one independent standard normal number for each of `columns` columns of the head.
///
/// A device deploys prior mean + scale x sign x direction; the server adds up reward x sign x direction.
///
/// # Determinism
/// The same seed gives the same bits on every target. Longer directions begin with the shorter ones.
///
/// # References
/// G. Marsaglia, T. A. Bray (1964), "A convenient method for generating normal variables", SIAM Review 6(3): the polar method, which
/// takes a logarithm and a square root and no sine.
#[must_use]
pub fn perturbation(seed: u32, columns: usize) -> Vec<f64> {
    let mut rng = Seed::from_number(seed.into()).stream(Purpose::Perturbation, 0);
    let mut direction = Vec::with_capacity(columns + 1);
    while direction.len() < columns {
        let (x, y) = (2.0 * unit(&mut rng) - 1.0, 2.0 * unit(&mut rng) - 1.0);
        let square = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            let scale = (-2.0 * ln(square) / square).sqrt();
            direction.extend([x * scale, y * scale]);
        }
    }
    direction.truncate(columns);
    direction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_fixed_and_prefixes_of_longer_ones() {
        let long = perturbation(7, 9);
        assert_eq!(perturbation(7, 4), long[..4]);
        assert!(perturbation(7, 0).is_empty());
        assert_ne!(perturbation(8, 9), long);
        // From a second implementation, in Python over hashlib. A change here makes devices and servers of different releases disagree.
        let bits: Vec<u64> = perturbation(1, 3).iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, [13_807_860_458_195_021_685, 4_608_792_549_380_324_156, 4_599_701_385_320_915_394]);
    }

    #[test]
    fn numbers_are_standard_normal_and_seeds_independent() {
        let (mut sums, mut along) = ([0.0f64; 4], 0.0f64);
        for seed in 0..500u32 {
            let (a, b) = (perturbation(2 * seed, 40), perturbation(2 * seed + 1, 40));
            for (x, y) in a.iter().zip(&b) {
                for (sum, power) in sums.iter_mut().zip([*x, x * x, x * x * x, x * x * x * x]) {
                    *sum += power;
                }
                along += x * y;
            }
        }
        // 20,000 numbers: moments 0, 1, 0, 3 with standard errors sqrt(1, 2, 15, 96) / 141; six of them, false alarm below 1e-7.
        for (sum, (want, sd)) in sums.iter().zip([(0.0, 1.0), (1.0, 1.5), (0.0, 3.9), (3.0, 9.8)]) {
            let mean = sum / 20_000.0;
            assert!((mean - want).abs() < 6.0 * sd / 141.0, "{mean}, wanted {want}");
        }
        assert!((along / 20_000.0).abs() < 6.0 / 141.0, "{along}");
    }
}
