//! What an impression is worth before its outcome is known: how long plays last, and how long listeners wait before they tap.

use crate::error::Error;
use crate::feedback::ATTRIBUTION_WINDOW_MS;
use crate::history::LISTEN_MS;
use crate::math::decay;

/// Lengths of play at which a [`PlayCurve`] says how many plays are left, in milliseconds; straight lines in between.
pub const CURVE_AT_MS: [u32; 3] = [5_000, 10_000, LISTEN_MS];

/// Plays that the curve counts for beside the listener's own.
pub const CURVE_PLAYS: f64 = 20.0;

/// Shares of plays that last at least 5, 10 and 30 seconds: a survival curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayCurve([f64; 3]);

impl Default for PlayCurve {
    /// 24.14 % of plays are given up within 5 s, 28.97 % within 10 s and 35.05 % within 30 s (P. Lamere 2014, "The Skip",
    /// musicmachinery.com, from billions of plays).
    fn default() -> Self {
        Self([0.758_6, 0.710_3, 0.649_5])
    }
}

impl PlayCurve {
    /// A curve through these shares at [`CURVE_AT_MS`].
    ///
    /// # Errors
    /// `bad_feedback` unless there are three in (0, 1], none above the one before.
    pub fn new(shares: &[f64]) -> Result<Self, Error> {
        match *shares {
            [a, b, c] if a <= 1.0 && b <= a && c <= b && c > 0.0 => Ok(Self([a, b, c])),
            _ => Err(Error::settings(
                "bad_feedback",
                format!("a play curve must be three shares that fall from 1 and stay above 0, got {} or others", shares.len()),
            )),
        }
    }

    /// Share of plays that last at least `ms`; that at 30 s for everything longer.
    #[must_use]
    pub fn share(&self, ms: u32) -> f64 {
        let (mut from, mut share) = (0, 1.0);
        for (at, next) in CURVE_AT_MS.into_iter().zip(self.0) {
            if ms <= at {
                return share + (next - share) * f64::from(ms - from) / f64::from(at - from);
            }
            (from, share) = (at, next);
        }
        share
    }

    /// Chance that a play which has lasted `played_ms` lasts 30 s: P(T >= 30 s | T >= t).
    ///
    /// The curve counts as [`CURVE_PLAYS`] plays beside the listener's own: with n of them, n_t at least as long as t and n_30 at
    /// least 30 s, (20 S(30 s) + n_30) / (20 S(t) + n_t). Every play has ended, so this is the Kaplan-Meier estimate without
    /// censoring.
    ///
    /// - `recent`: lengths of the listener's latest plays of this kind, in milliseconds.
    ///
    /// # References
    /// E. L. Kaplan and P. Meier (1958), "Nonparametric estimation from incomplete observations", Journal of the American
    /// Statistical Association 53(282), 457-481.
    #[must_use]
    pub fn lasts(&self, played_ms: u32, recent: &[u32]) -> f64 {
        let played_ms = played_ms.min(LISTEN_MS);
        let (mut whole, mut still) = (CURVE_PLAYS * self.share(LISTEN_MS), CURVE_PLAYS * self.share(played_ms));
        for &ms in recent {
            whole += f64::from(u8::from(ms >= LISTEN_MS));
            still += f64::from(u8::from(ms >= played_ms));
        }
        whole / still
    }
}

/// F(e): of the taps that come within the attribution window, the share that has come within `age_ms` of the impression; exponential
/// with half of them by `half_ms`.
///
/// # References
/// O. Chapelle (2014), "Modeling delayed feedback in display advertising", KDD: exponential delay; here cut at the window.
#[must_use]
pub fn tapped_by(age_ms: i64, half_ms: f64) -> f64 {
    let by = |ms: i64| 1.0 - decay(ms as f64, half_ms);
    by(age_ms.min(ATTRIBUTION_WINDOW_MS)) / by(ATTRIBUTION_WINDOW_MS)
}

/// What a card seen and not yet tapped is still worth: P(reward | no tap so far) = p (1 - F) / (1 - p F).
///
/// - `p`: chance of a reward when it was seen.
/// - `f`: share of taps that would have come by now, [`tapped_by`].
#[must_use]
pub fn waiting_value(p: f64, f: f64) -> f64 {
    p * (1.0 - f) / (1.0 - p * f).max(1e-12)
}

/// Reward and weight with which a card seen and not yet tapped counts: (p value, F) with the [`waiting_value`].
///
/// The likelihood of no tap so far is 1 - p F. In log-odds its slope is value - p, that of an outcome with the value as its reward;
/// its curvature is that of F outcomes rather than one, because early on nothing is known yet. Weight F with reward p value has
/// both: F (p value - p) = value - p. At F = 0 it is nothing, at F = 1 a whole outcome without a reward.
#[must_use]
pub fn waiting(p: f64, f: f64) -> (f64, f64) {
    (p * waiting_value(p, f), f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{ln, logit, sigmoid};

    #[test]
    fn hand_computed_shares() {
        let curve = PlayCurve::new(&[0.8, 0.7, 0.5]).unwrap();
        for (ms, want) in [(0, 1.0), (2_500, 0.9), (5_000, 0.8), (7_500, 0.75), (20_000, 0.6), (30_000, 0.5), (90_000, 0.5)] {
            assert!((curve.share(ms) - want).abs() < 1e-12, "{ms}: {}", curve.share(ms));
        }
        assert!((curve.lasts(20_000, &[]) - 0.5 / 0.6).abs() < 1e-12);
        assert_eq!(curve.lasts(30_000, &[]), 1.0);
        assert_eq!(curve.lasts(u32::MAX, &[1_000; 9]), 1.0);
        // 20 plays of the curve, of which 12 last 20 s and 10 last 30 s, and four of one's own, of which 3 and 2 do.
        assert!((curve.lasts(20_000, &[1_000, 25_000, 40_000, 200_000]) - 12.0 / 15.0).abs() < 1e-12);
    }

    #[test]
    fn curves_that_rise_or_end_are_refused() {
        assert_eq!(PlayCurve::new(&[0.8, 0.7]).unwrap_err().code(), "bad_feedback");
        for bad in [[0.5, 0.6, 0.4], [1.1, 0.6, 0.4], [0.5, 0.4, 0.0], [f64::NAN, 0.4, 0.2]] {
            assert_eq!(PlayCurve::new(&bad).unwrap_err().code(), "bad_feedback");
        }
        assert!(PlayCurve::new(&[1.0; 3]).is_ok());
    }

    #[test]
    fn hand_computed_waiting() {
        // Half of the taps come within 10 s, nearly all within the window of 1,800 s.
        assert_eq!(tapped_by(0, 10_000.0), 0.0);
        assert!((tapped_by(10_000, 10_000.0) - 0.5).abs() < 1e-12);
        assert!((tapped_by(20_000, 10_000.0) - 0.75).abs() < 1e-12);
        assert_eq!(tapped_by(ATTRIBUTION_WINDOW_MS, 10_000.0), 1.0);
        assert_eq!((tapped_by(0, 0.0), tapped_by(1, 0.0)), (0.0, 1.0));

        assert!((tapped_by(ATTRIBUTION_WINDOW_MS / 2, 1e12) - 0.5).abs() < 1e-3);
        // 0.2 (1 - 0.5) / (1 - 0.1) = 1 / 9.
        assert!((waiting_value(0.2, 0.5) - 1.0 / 9.0).abs() < 1e-12);
        assert_eq!(waiting_value(0.2, 0.0), 0.2);
        assert_eq!(waiting_value(0.2, 1.0), 0.0);
        assert_eq!(waiting(0.2, 0.0).1, 0.0);
        assert_eq!(waiting(0.2, 1.0), (0.0, 1.0));
    }

    #[test]
    fn waiting_has_the_slope_of_no_tap_so_far() {
        for (p, f) in [(0.05, 0.3), (0.4, 0.5), (0.9, 0.95)] {
            let z = logit(p);
            let step = 1e-5;
            let log_likelihood = |z: f64| ln(1.0 - sigmoid(z) * f);
            let slope = (log_likelihood(z + step) - log_likelihood(z - step)) / (2.0 * step);
            let (reward, weight) = waiting(p, f);
            assert!((weight * (reward - p) - slope).abs() < 1e-8);
            assert!((waiting_value(p, f) - p - slope).abs() < 1e-8);
            assert!(reward > 0.0 && reward < p && weight > 0.0 && weight < 1.0);
        }
    }
}
