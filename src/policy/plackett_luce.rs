//! Plackett-Luce: softmax over what remains.

use super::places::Places;
use crate::math::exp;

/// exp(l_a) / sum over open of exp(l).
///
/// The weights exp(l - largest l of the list) are made once for the list; when they have underflowed for everything still open,
/// or the logits depend on what is shown, they are made anew.
///
/// # References
/// R. L. Plackett (1975), "The Analysis of Permutations", Applied Statistics 24(2), 193-202.
pub(super) fn fill(places: &mut Places<'_>, pmf: &mut Vec<f64>) {
    if places.adjusted.is_empty() {
        if places.weights.is_empty() {
            let max = largest(places.logits.iter());
            places.weights = places.logits.iter().map(|l| exp(l - max)).collect();
        }
        pmf.extend(places.open.iter().map(|&i| places.weights[i as usize]));
        if pmf.iter().sum::<f64>() > 1e-200 {
            normalise(pmf);
            return;
        }
        pmf.clear();
        pmf.extend(places.open.iter().map(|&i| places.logits[i as usize]));
    } else {
        pmf.extend_from_slice(&places.adjusted);
    }
    let max = largest(pmf.iter());
    for value in pmf.iter_mut() {
        *value = exp(*value - max);
    }
    normalise(pmf);
}

fn largest<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Divides by the sum.
pub(super) fn normalise(pmf: &mut [f64]) {
    let scale = 1.0 / pmf.iter().sum::<f64>();
    for p in pmf {
        *p *= scale;
    }
}
