//! The Beta distribution in log-odds, where its density is smooth for every shape.

use super::thompson::Arm;
use crate::math::{exp, ln, ln_gamma, sigmoid};

/// Chance below which a tail is cut off, as its logarithm: 1e-17.
const LN_TAIL: f64 = -39.14;

/// X ~ Beta(alpha, beta), seen as Y = ln(X / (1 - X)).
pub(super) struct Beta {
    alpha: f64,
    beta: f64,
    ln_beta: f64,
}

impl Beta {
    pub(super) fn new(alpha: f64, beta: f64) -> Self {
        Self { alpha, beta, ln_beta: ln_gamma(alpha) + ln_gamma(beta) - ln_gamma(alpha + beta) }
    }
}

impl Arm for Beta {
    fn range(&self) -> (f64, f64) {
        // P(X < x) <= x^alpha / (alpha B) for beta >= 1, and a little more below.
        let reach = |shape: f64| {
            let x = exp(((LN_TAIL + ln(shape) + self.ln_beta) / shape).min(-1e-6));
            ln(x / (1.0 - x)) - 1.0
        };
        (reach(self.alpha), -reach(self.beta))
    }

    fn scale(&self) -> f64 {
        (1.0 / self.alpha + 1.0 / self.beta).sqrt().min(1.2)
    }

    fn density(&self, y: f64) -> f64 {
        exp(self.alpha * ln_sigmoid(y) + self.beta * ln_sigmoid(-y) - self.ln_beta)
    }

    fn tails(&self, y: f64) -> (f64, f64) {
        let x = sigmoid(y);
        let front = self.density(y);
        if x < (self.alpha + 1.0) / (self.alpha + self.beta + 2.0) {
            let below = (front / self.alpha * fraction(self.alpha, self.beta, x)).clamp(0.0, 1.0);
            (below, 1.0 - below)
        } else {
            let above = (front / self.beta * fraction(self.beta, self.alpha, sigmoid(-y))).clamp(0.0, 1.0);
            (1.0 - above, above)
        }
    }
}

fn ln_sigmoid(y: f64) -> f64 {
    if y >= 0.0 { -crate::math::ln_1p(exp(-y)) } else { y - crate::math::ln_1p(exp(y)) }
}

/// The continued fraction of the incomplete beta function, a I_x(a, b) B(a, b) / (x^a (1 - x)^b), by the modified Lentz algorithm.
///
/// # References
/// NIST Digital Library of Mathematical Functions, 8.17.22; W. H. Press et al. (2007), "Numerical Recipes", section 6.4.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let keep = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    // Converges in about sqrt(max(a, b)) steps on this side of the mean.
    for m in 1..20_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        let change = d * c;
        h *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::logit;

    #[test]
    fn distribution_function_in_closed_cases() {
        // Beta(1, b): 1 - (1 - x)^b; Beta(a, 1): x^a; Beta(2, 3): 6 x^2 - 8 x^3 + 3 x^4.
        for x in [1e-6, 0.01, 0.3, 0.5, 0.77, 0.999] {
            let y = logit(x);
            assert!((Beta::new(1.0, 99.0).tails(y).1 - exp(99.0 * crate::math::ln_1p(-x))).abs() < 1e-13);
            assert!((Beta::new(7.5, 1.0).tails(y).0 - exp(7.5 * ln(x))).abs() < 1e-13);
            let want = x * x * (6.0 - 8.0 * x + 3.0 * x * x);
            assert!((Beta::new(2.0, 3.0).tails(y).0 - want).abs() < 1e-13);
            let (below, above) = Beta::new(300.0, 41.0).tails(y);
            assert!((below + above - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn little_lies_outside_the_range() {
        for (a, b) in [(1.0, 99.0), (0.3, 0.7), (500.0, 20_000.0), (40.0, 2.0), (1e6, 1e6)] {
            let beta = Beta::new(a, b);
            let (low, high) = beta.range();
            assert!(beta.tails(low).0 < 1e-16 && beta.tails(high).1 < 1e-16, "{a} {b} {low} {high}");
        }
    }
}
