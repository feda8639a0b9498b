//! Numbers drawn by name instead of in sequence, so that every policy meets the same luck.
//!
//! A draw is a function of a key (seed, listener, day, card, what for): two policies that show the same card on the same visit see
//! the same outcome (common random numbers), in whatever order they come to it.

use ears_only::math::{exp, ln};

/// What a draw is for; draws for different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// The public side: popularity, embeddings.
    Catalogue = 1,
    /// Which cards a page holds.
    Candidates,
    /// Hidden factors and qualities of cards.
    Truth,
    /// What a listener likes.
    Taste,
    /// How a taste drifts.
    Drift,
    /// When a visit takes place and how far it goes.
    Visit,
    /// Whether a card that is seen is played.
    Play,
    /// How long it is played.
    Length,
    /// The history before the first visit.
    History,
}

/// A key; add parts with [`Key::with`].
///
/// # Determinism
/// 64-bit integer arithmetic only: the same bits everywhere.
///
/// # References
/// The mixing step is the finaliser of `SplitMix64`: G. L. Steele, D. Lea, C. H. Flood (2014), "Fast splittable pseudorandom
/// number generators", OOPSLA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// The key of all draws for one purpose under `seed`.
    #[must_use]
    pub fn new(seed: u64, draw: Draw) -> Self {
        Self(mix(seed)).with(draw as u64)
    }

    /// The key with one more part.
    #[must_use]
    pub fn with(self, part: u64) -> Self {
        Self(mix(self.0 ^ mix(part.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// A uniform number in (0, 1).
    #[must_use]
    pub fn unit(self) -> f64 {
        const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
        ((mix(self.0) >> 11) as f64 + 0.5) * SCALE
    }

    /// A uniform whole number below `bound`; 0 for bound 0. The bias is below bound / 2^64.
    #[must_use]
    pub fn below(self, bound: usize) -> usize {
        ((u128::from(mix(self.0)) * bound as u128) >> 64) as usize
    }

    /// A standard normal number.
    ///
    /// # References
    /// G. Marsaglia and T. A. Bray (1964), "A convenient method for generating normal variables", SIAM Review 6(3): the polar
    /// method, which needs no sine.
    #[must_use]
    pub fn normal(self) -> f64 {
        let mut at = self;
        loop {
            at = at.with(1);
            let x = 2.0 * at.unit() - 1.0;
            let y = 2.0 * at.with(2).unit() - 1.0;
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * ln(square) / square).sqrt();
            }
        }
    }

    /// A Gamma number of `shape` below 1 and scale 1.
    ///
    /// # References
    /// J. H. Ahrens and U. Dieter (1974), "Computer methods for sampling from gamma, beta, poisson and bionomial distributions",
    /// Computing 12, algorithm GS.
    #[must_use]
    pub fn small_gamma(self, shape: f64) -> f64 {
        let b = 1.0 + shape / std::f64::consts::E;
        let mut at = self;
        loop {
            at = at.with(3);
            let p = b * at.unit();
            let u = at.with(4).unit();
            if p <= 1.0 {
                let x = exp(ln(p) / shape);
                if u <= exp(-x) {
                    return x;
                }
            } else {
                let x = -ln((b - p) / shape);
                if ln(u) <= (shape - 1.0) * ln(x) {
                    return x;
                }
            }
        }
    }

    /// A Dirichlet draw of `count` shares with one concentration below 1.
    #[must_use]
    pub fn dirichlet(self, concentration: f64, count: usize) -> Vec<f64> {
        let draws: Vec<f64> = (0..count).map(|i| self.with(i as u64).small_gamma(concentration)).collect();
        let sum: f64 = draws.iter().sum();
        draws.into_iter().map(|draw| if sum > 0.0 { draw / sum } else { 1.0 / count as f64 }).collect()
    }

    /// How often something with chance `next` goes on: 0 with chance 1 - next.
    #[must_use]
    pub fn steps(self, next: f64) -> usize {
        (ln(self.unit()) / ln(next)) as usize
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The first `count` of a random order of `items`.
#[must_use]
pub fn sample(items: &[u32], count: usize, key: Key) -> Vec<u32> {
    let mut open = items.to_vec();
    let count = count.min(open.len());
    for i in 0..count {
        let pick = i + key.with(i as u64).below(open.len() - i);
        open.swap(i, pick);
    }
    open.truncate(count);
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(count: u64, of: impl Fn(Key) -> f64) -> f64 {
        (0..count).map(|i| of(Key::new(5, Draw::Taste).with(i))).sum::<f64>() / count as f64
    }

    // Each bound is five standard errors of a mean of 40,000: a false alarm once in two million.
    #[test]
    fn draws_have_their_means_and_variances() {
        assert!((mean(40_000, Key::unit) - 0.5).abs() < 5.0 * 0.289 / 200.0);
        assert!(mean(40_000, Key::normal).abs() < 5.0 / 200.0);
        assert!((mean(40_000, |k| k.normal() * k.normal()) - 1.0).abs() < 5.0 * 1.415 / 200.0);
        assert!((mean(40_000, |k| k.small_gamma(0.2)) - 0.2).abs() < 5.0 * 0.448 / 200.0);
        assert!((mean(40_000, |k| k.steps(0.7) as f64) - 0.7 / 0.3).abs() < 5.0 * 2.79 / 200.0);
        assert!((mean(40_000, |k| k.below(5) as f64) - 2.0).abs() < 5.0 * 1.415 / 200.0);
    }

    #[test]
    fn keys_are_apart_and_stable() {
        let key = Key::new(1, Draw::Play);
        assert_eq!(key.with(3).unit(), key.with(3).unit());
        assert_ne!(key.with(3), key.with(4));
        assert_ne!(Key::new(1, Draw::Visit).with(3), key.with(3));
        assert_ne!(key.with(3).with(4), key.with(4).with(3));
        let shares = key.dirichlet(0.2, 21);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn samples_are_distinct() {
        let items: Vec<u32> = (0..30).collect();
        let mut found = sample(&items, 12, Key::new(1, Draw::Candidates));
        assert_eq!(found.len(), 12);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 12);
        assert_eq!(sample(&items, 40, Key::new(1, Draw::Candidates)).len(), 30);
    }
}
