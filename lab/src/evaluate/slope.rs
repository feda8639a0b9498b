//! Choosing a parameter, such as where to clip, from the estimates themselves.

use std::fmt;
use std::str::FromStr;

use super::estimator::Estimator;
use super::interval::{self, Interval};

/// Estimators that differ by a parameter alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// [`Estimator::ClippedIps`].
    ClippedIps,
    /// [`Estimator::Ncis`].
    Ncis,
    /// [`Estimator::SwitchDr`].
    SwitchDr,
    /// [`Estimator::ShrunkDr`].
    ShrunkDr,
    /// [`Estimator::SubGaussianIps`].
    SubGaussianIps,
    /// [`Estimator::SubGaussianDr`].
    SubGaussianDr,
}

/// Limits of weights that are tried, least biased first.
const LIMITS: [f64; 8] = [f64::INFINITY, 1_000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0];
/// The same for optimistic shrinkage, whose largest weight is half the root of its parameter.
const SHRINKAGES: [f64; 9] = [f64::INFINITY, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1.0, 0.0];
/// The same for sub-Gaussian weights, of which the largest is one over the parameter.
const SHARES: [f64; 8] = [0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0];

impl Family {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::ClippedIps, Self::Ncis, Self::SwitchDr, Self::ShrunkDr, Self::SubGaussianIps, Self::SubGaussianDr];

    /// The members that are tried, least biased first.
    #[must_use]
    pub fn grid(self) -> Vec<Estimator> {
        match self {
            Self::ClippedIps => LIMITS.map(Estimator::ClippedIps).to_vec(),
            Self::Ncis => LIMITS.map(Estimator::Ncis).to_vec(),
            Self::SwitchDr => LIMITS.into_iter().chain([0.0]).map(Estimator::SwitchDr).collect(),
            Self::ShrunkDr => SHRINKAGES.map(Estimator::ShrunkDr).to_vec(),
            Self::SubGaussianIps => SHARES.map(Estimator::SubGaussianIps).to_vec(),
            Self::SubGaussianDr => SHARES.map(Estimator::SubGaussianDr).to_vec(),
        }
    }

    /// The name before the parameter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClippedIps => "CIPS",
            Self::Ncis => "NCIS",
            Self::SwitchDr => "SwitchDR",
            Self::ShrunkDr => "DRos",
            Self::SubGaussianIps => "SGIPS",
            Self::SubGaussianDr => "SGDR",
        }
    }
}

/// An estimator as it is asked for, written as [`Estimator`] is, or with `slope` in place of the parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// With the parameter that it has.
    Fixed(Estimator),
    /// With the parameter that [`choose`] picks from the family's grid.
    Chosen(Family),
}

impl Asked {
    /// The estimators that have to be added up.
    #[must_use]
    pub fn estimators(self) -> Vec<Estimator> {
        match self {
            Self::Fixed(estimator) => vec![estimator],
            Self::Chosen(family) => family.grid(),
        }
    }

    /// The estimators of several, each once, in order.
    #[must_use]
    pub fn all(asked: &[Self]) -> Vec<Estimator> {
        let mut all: Vec<Estimator> = Vec::new();
        for estimator in asked.iter().flat_map(|asked| asked.estimators()) {
            if !all.contains(&estimator) {
                all.push(estimator);
            }
        }
        all
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(estimator) => estimator.fmt(f),
            Self::Chosen(family) => write!(f, "{}(slope)", family.name()),
        }
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(name) = text.strip_suffix("(slope)") else { return text.parse().map(Self::Fixed) };
        Family::ALL.into_iter().find(|family| family.name() == name).map(Self::Chosen).ok_or_else(|| {
            let known = Family::ALL.map(Family::name).join(", ");
            format!("expected (slope) after one of {known}, which have a parameter to choose, got {text}")
        })
    }
}

/// One candidate: its estimate and a confidence interval around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The estimate.
    pub value: f64,
    /// Half the width of its interval.
    pub half_width: f64,
}

impl Candidate {
    /// From an estimate and its normal interval.
    #[must_use]
    pub fn of(estimate: &super::estimator::Estimate) -> Self {
        Self::new(estimate.value, interval::normal(estimate))
    }

    /// From an estimate and its interval.
    #[must_use]
    pub fn new(value: f64, interval: Interval) -> Self {
        Self { value, half_width: 0.5 * (interval.high - interval.low) }
    }
}

/// Chooses among candidates sorted by bias, least biased first: the index of the one to use; nothing without candidates.
///
/// Going from the least biased to the most, a candidate is accepted while its estimate agrees, within widths, with every one accepted before: its
/// bias then cannot be much larger than their noise. Widths need not fall along the way: a candidate that is both more biased and wider than
/// one before it can only lose, and is passed over.
///
/// # References
/// Y. Su, P. Srinath, A. Krishnamurthy (2020), "Adaptive estimator selection for off-policy evaluation", ICML, section 3 (SLOPE: accepted while
/// |v_i - v_j| <= width_i + (sqrt(6) - 1) width_j for all j before i); G. Tucker and J. Lee (2021), "Improved estimator selection for off-policy
/// evaluation", ICML workshop on RL theory (SLOPE++: only the order of bias is needed).
#[must_use]
pub fn choose(candidates: &[Candidate]) -> Option<usize> {
    let factor = libm::sqrt(6.0) - 1.0;
    let mut accepted: Vec<usize> = Vec::new();
    for (i, candidate) in candidates.iter().enumerate() {
        let known = candidate.value.is_finite() && candidate.half_width.is_finite();
        let narrowest = accepted.last().map_or(f64::INFINITY, |last| candidates[*last].half_width);
        if !known || candidate.half_width > narrowest {
            continue;
        }
        let agrees = |j: &usize| {
            let before = candidates[*j];
            (candidate.value - before.value).abs() <= candidate.half_width + factor * before.half_width
        };
        if !accepted.iter().all(agrees) {
            break;
        }
        accepted.push(i);
    }
    accepted.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(candidates: &[(f64, f64)]) -> Option<usize> {
        let candidates: Vec<Candidate> =
            candidates.iter().map(|(value, half_width)| Candidate { value: *value, half_width: *half_width }).collect();
        choose(&candidates)
    }

    #[test]
    fn stops_where_bias_shows() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(f64::NAN, 1.0)]), None);
        assert_eq!(of(&[(1.0, 1.0), (1.1, 0.5), (1.0, 0.1)]), Some(2));
        // 3 is beyond 0.1 + 1.449 * 1 from the first.
        assert_eq!(of(&[(1.0, 1.0), (1.1, 0.5), (3.0, 0.1)]), Some(1));
        // Agrees with the first, and not with the second: 1.9 - 1.1 > 0.1 + 1.449 * 0.4.
        assert_eq!(of(&[(1.0, 1.0), (1.1, 0.4), (1.9, 0.1)]), Some(1));
    }

    #[test]
    fn families_are_read_as_they_are_written_and_begin_without_bias() {
        for family in Family::ALL {
            let asked = Asked::Chosen(family);
            assert_eq!(asked.to_string().parse(), Ok(asked));
            let grid = family.grid();
            // NCIS normalises: its end is SNIPS.
            assert!(grid[0].is_unbiased() || grid[0] == Estimator::Ncis(f64::INFINITY), "{}", grid[0]);
            assert!(grid.iter().all(|estimator| estimator.to_string().starts_with(&format!("{}(", family.name()))));
            assert_eq!(Asked::all(&[asked, Asked::Fixed(grid[2]), Asked::Fixed(Estimator::Ips)]).len(), grid.len() + 1);
        }
        assert_eq!("DR".parse(), Ok(Asked::Fixed(Estimator::DoublyRobust)));
        for wrong in ["DR(slope)", "switch(slope)", "(slope)"] {
            assert!(wrong.parse::<Asked>().unwrap_err().starts_with("expected (slope) after one of CIPS"), "{wrong}");
        }
    }

    #[test]
    fn a_wider_and_more_biased_candidate_is_passed_over_not_stopped_at() {
        assert_eq!(of(&[(1.0, 0.5), (9.0, 2.0), (1.1, 0.2)]), Some(2));
        assert_eq!(of(&[(1.0, 0.5), (9.0, f64::INFINITY), (1.1, 0.2)]), Some(2));
    }
}
