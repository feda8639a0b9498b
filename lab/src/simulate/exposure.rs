//! Who gets shown: how a policy spreads impressions over artists.

use serde::{Deserialize, Serialize};

/// How impressions are spread over artists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exposure {
    /// Gini coefficient over all artists: 0 when all are shown equally often, near 1 when one takes everything.
    pub gini: f64,
    /// Share of the impressions that the most shown hundredth of the artists takes.
    pub top_percent: f64,
    /// Share of the impressions by tenth of the artists, the biggest (best known) first.
    pub by_size: Vec<f64>,
}

impl Exposure {
    /// From impressions by artist, artists by falling size.
    ///
    /// # References
    /// C. Gini (1912), in the form sum (2 i - n - 1) x_i / (n sum x) over sorted x.
    #[must_use]
    pub fn new(impressions: &[u32]) -> Self {
        let n = impressions.len();
        let total: f64 = impressions.iter().map(|count| f64::from(*count)).sum();
        if n == 0 || total == 0.0 {
            return Self { gini: 0.0, top_percent: 0.0, by_size: vec![0.0; 10] };
        }
        let mut sorted = impressions.to_vec();
        sorted.sort_unstable();
        let weighted: f64 = (1..=n).zip(&sorted).map(|(i, x)| (2.0 * i as f64 - n as f64 - 1.0) * f64::from(*x)).sum();
        let share = |counts: &[u32]| counts.iter().map(|count| f64::from(*count)).sum::<f64>() / total;
        // Six decimals: what is written to a file and read again is the same number.
        let short = |value: f64| (value * 1e6).round() / 1e6;
        Self {
            gini: short(weighted / (n as f64 * total)),
            top_percent: short(share(&sorted[n - n.div_ceil(100)..])),
            by_size: (0..10).map(|tenth| short(share(&impressions[tenth * n / 10..(tenth + 1) * n / 10]))).collect(),
        }
    }

    /// The mean of several.
    #[must_use]
    pub fn mean(of: &[&Self]) -> Self {
        let count = of.len().max(1) as f64;
        let mean = |value: &dyn Fn(&Self) -> f64| of.iter().map(|e| value(e)).sum::<f64>() / count;
        Self {
            gini: mean(&|e| e.gini),
            top_percent: mean(&|e| e.top_percent),
            by_size: (0..10).map(|tenth| mean(&|e| e.by_size.get(tenth).copied().unwrap_or(0.0))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_and_single_exposure_are_the_ends() {
        let equal = Exposure::new(&[5; 200]);
        assert!(equal.gini.abs() < 1e-12 && (equal.top_percent - 0.01).abs() < 1e-12);
        assert!(equal.by_size.iter().all(|share| (share - 0.1).abs() < 1e-12));
        let mut counts = vec![0; 200];
        counts[30] = 7;
        let single = Exposure::new(&counts);
        assert!((single.gini - 199.0 / 200.0).abs() < 1e-12 && single.top_percent == 1.0 && single.by_size[1] == 1.0);
        assert_eq!(Exposure::new(&[0, 0]).gini, 0.0);
        // 1, 2, 3, 4: (-3 - 2 + 3 + 12) / (4 x 10).
        assert!((Exposure::new(&[4, 3, 2, 1]).gini - 0.25).abs() < 1e-12);
        assert!((Exposure::mean(&[&equal, &single]).gini - 199.0 / 400.0).abs() < 1e-12);
    }
}
