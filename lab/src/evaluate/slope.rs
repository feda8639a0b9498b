//! Choosing a parameter, such as where to clip, from the estimates themselves.

use super::interval::Interval;

/// One candidate: its estimate and a confidence interval around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The estimate.
    pub value: f64,
    /// Half the width of its interval.
    pub half_width: f64,
}

impl Candidate {
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
    fn a_wider_and_more_biased_candidate_is_passed_over_not_stopped_at() {
        assert_eq!(of(&[(1.0, 0.5), (9.0, 2.0), (1.1, 0.2)]), Some(2));
        assert_eq!(of(&[(1.0, 0.5), (9.0, f64::INFINITY), (1.1, 0.2)]), Some(2));
    }
}
