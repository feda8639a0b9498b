//! Small mathematics with the same bits on every target.
//!
//! `exp` and `ln` of the standard library differ in the last bits between wasm32 and x86-64; `libm`'s do not. The rest of the
//! core calls the functions here, and a lint forbids the others.

pub use ears_kernels::{dot, falling};

/// e^x.
#[must_use]
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// 2^x for x <= 0; whole powers are exact, and below 2^-1022 it is 0.
///
/// By e^x, which other code needs anyway: a library's own 2^x comes with a table of 4 kB that does not compress.
#[must_use]
pub fn exp2_negative(x: f64) -> f64 {
    let whole = x.round_ties_even();
    if !(-1022.0..=0.0).contains(&whole) {
        return 0.0;
    }
    exp((x - whole) * std::f64::consts::LN_2) * two_to(whole as i32)
}

/// 2^power, exact, for powers within [-1022, 1023].
#[must_use]
pub fn two_to(power: i32) -> f64 {
    f64::from_bits(((1_023 + power) as u64) << 52)
}

/// Natural logarithm.
#[must_use]
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// ln(1 + x).
#[must_use]
pub fn ln_1p(x: f64) -> f64 {
    libm::log1p(x)
}

/// ln of the gamma function of a positive number.
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// Complementary error function.
#[must_use]
pub fn erfc(x: f64) -> f64 {
    libm::erfc(x)
}

/// Hyperbolic tangent.
#[must_use]
pub fn tanh(x: f64) -> f64 {
    libm::tanh(x)
}

/// Logistic function 1 / (1 + e^-x), without overflow.
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + exp(-x))
    } else {
        let e = exp(x);
        e / (1.0 + e)
    }
}

/// ln(p / (1 - p)); `p` is kept within [1e-9, 1 - 1e-9].
#[must_use]
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    ln(p / (1.0 - p))
}

/// What is left of one unit after `elapsed_ms` when half of it goes every `half_life_ms`.
///
/// # Shapes and ranges
/// In [0, 1], 0 after more than 1,022 half-lives; a negative elapsed time counts as 0. An infinite half-life gives 1.
#[must_use]
pub fn decay(elapsed_ms: f64, half_life_ms: f64) -> f64 {
    if elapsed_ms <= 0.0 { 1.0 } else { exp2_negative(-elapsed_ms / half_life_ms) }
}

/// ln of the sum of e^x, without overflow; minus infinity for no values.
#[must_use]
pub fn log_sum_exp(values: &[f64]) -> f64 {
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY {
        return max;
    }
    max + ln(values.iter().map(|v| exp(v - max)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoid_and_logit_are_inverse_and_do_not_overflow() {
        for x in [-15.0, -1.0, 0.0, 0.3, 12.0] {
            assert!((logit(sigmoid(x)) - x).abs() < 1e-6);
        }
        assert_eq!(sigmoid(-1e6), 0.0);
        assert_eq!(sigmoid(1e6), 1.0);
    }

    #[test]
    fn log_sum_exp_is_stable() {
        assert!((log_sum_exp(&[1e4, 1e4]) - (1e4 + ln(2.0))).abs() < 1e-9);
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
    }

    #[test]
    fn powers_of_two_are_near_the_true_ones() {
        let mut worst = 0.0f64;
        for i in 0..100_000u32 {
            let x = -f64::from(i) * 0.0107;
            let want = libm::exp2(x);
            if want > f64::MIN_POSITIVE {
                worst = worst.max((exp2_negative(x) / want - 1.0).abs());
            }
        }
        // Three roundings, and an argument below 0.35 whose own rounding counts for half.
        assert!(worst < 4.0 * f64::EPSILON, "{worst}");
        assert_eq!([exp2_negative(-3.0), exp2_negative(-1022.0), exp2_negative(-2e9)], [0.125, f64::MIN_POSITIVE, 0.0]);
        assert_eq!(exp2_negative(-0.0), 1.0);
    }

    #[test]
    fn decay_halves() {
        assert_eq!(decay(0.0, 5.0), 1.0);
        assert_eq!(decay(-3.0, 5.0), 1.0);
        assert_eq!(decay(10.0, 5.0), 0.25);
        assert_eq!(decay(10.0, f64::INFINITY), 1.0);
    }
}
