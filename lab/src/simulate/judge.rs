//! One policy against several others over the same seeds: intervals, wins, and p-values corrected for their number.

use ears_world::chance::{Draw, Key};
use serde::Serialize;

use crate::interval::relative_difference;
use crate::table::Comparison;

/// A comparison with its wins and p-value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Relative difference with its interval.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// Seeds on which the policy was strictly better.
    pub wins: usize,
    /// Chance of a mean difference at least this large when signs are coins, both sides.
    pub p: f64,
    /// The same, corrected for the number of comparisons (Holm).
    pub p_holm: f64,
}

impl Judged {
    /// The line that reports it.
    #[must_use]
    pub fn line(&self, seeds: usize) -> String {
        format!("{}   wins {} of {seeds}, p (Holm) {:.1e}", self.comparison.line(), self.wins, self.p_holm)
    }
}

/// Compares `policy` with each of `others`, one number for each seed.
#[must_use]
pub fn judge(name: &str, policy: &[f64], others: &[(&str, &[f64])]) -> Vec<Judged> {
    let mut judged: Vec<Judged> = others
        .iter()
        .map(|(against, other)| {
            let differences: Vec<f64> = policy.iter().zip(*other).map(|(a, b)| a - b).collect();
            let p = sign_flip(&differences);
            Judged {
                comparison: Comparison::new(name, against, relative_difference(policy, other)),
                wins: differences.iter().filter(|d| **d > 0.0).count(),
                p,
                p_holm: p,
            }
        })
        .collect();
    // Holm (1979), "A simple sequentially rejective multiple test procedure": the i-th smallest of m times m - i + 1, rising.
    let mut order: Vec<usize> = (0..judged.len()).collect();
    order.sort_by(|a, b| judged[*a].p.total_cmp(&judged[*b].p));
    let mut least: f64 = 0.0;
    for (place, &index) in order.iter().enumerate() {
        least = least.max(judged[index].p * (judged.len() - place) as f64).min(1.0);
        judged[index].p_holm = least;
    }
    judged
}

/// Largest number of differences for which all signs are tried.
const EXACT: usize = 20;
/// Draws of signs beyond it.
const DRAWS: u64 = 100_000;

/// Two-sided p-value of a mean of paired differences: the share of sign patterns that give a sum at least as far from 0.
///
/// # References
/// R. A. Fisher (1935), "The Design of Experiments", section 21. Exact up to 20 differences, by draws under a fixed key beyond.
fn sign_flip(differences: &[f64]) -> f64 {
    let n = differences.len();
    let far = differences.iter().sum::<f64>().abs() * (1.0 - 1e-12);
    let is_far = |negative: u64| {
        let sum: f64 = differences.iter().enumerate().map(|(i, d)| if negative >> i & 1 == 1 { -d } else { *d }).sum();
        sum.abs() >= far
    };
    if n <= EXACT {
        // A pattern and its opposite are equally far: half of them suffice.
        let half = 1u64 << n.saturating_sub(1);
        (0..half).filter(|pattern| is_far(*pattern)).count() as f64 / half as f64
    } else {
        let key = Key::new(7, Draw::Play);
        let flipped = |draw: u64| {
            let sum: f64 =
                (0u64..).zip(differences).map(|(i, d)| if key.with(draw).with(i).unit() < 0.5 { -d } else { *d }).sum();
            sum.abs() >= far
        };
        (1 + (0..DRAWS).filter(|draw| flipped(*draw)).count()) as f64 / (1 + DRAWS) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_all_agree_are_as_rare_as_they_can_be() {
        assert!((sign_flip(&[1.0; 10]) - 2.0 / 1024.0).abs() < 1e-15);
        assert_eq!(sign_flip(&[1.0, -1.0]), 1.0);
        assert!(sign_flip(&[1.0; 30]) < 1e-4);
        assert!(sign_flip(&(0..30).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect::<Vec<_>>()) > 0.9);
    }

    #[test]
    fn holm_multiplies_the_smallest_most() {
        let policy = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
        let worse: Vec<f64> = policy.iter().map(|v| v - 1.0).collect();
        let mixed = [11.0, 10.0, 13.0, 12.0, 15.0, 14.0];
        let judged = judge("a", &policy, &[("mixed", &mixed), ("worse", &worse)]);
        assert_eq!(judged[1].wins, 6);
        assert!((judged[1].p - 2.0 / 64.0).abs() < 1e-15 && (judged[1].p_holm - 4.0 / 64.0).abs() < 1e-15);
        assert_eq!((judged[0].wins, judged[0].p, judged[0].p_holm), (3, 1.0, 1.0));
    }
}
