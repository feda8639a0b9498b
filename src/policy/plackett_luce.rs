//! Plackett-Luce with a floor: softmax over what remains, mixed with the uniform.

use crate::math::exp;

/// (1 - floor) exp(l_a) / sum over open of exp(l) + floor / n.
///
/// `weights` are exp(logit - largest logit of the list), made once; when they have underflowed for everything still open, they
/// are made anew from the logits.
pub(super) fn fill(floor: f64, logits: &[f64], weights: &[f64], open: &[u32], pmf: &mut Vec<f64>) {
    let n = open.len() as f64;
    let sum: f64 = open.iter().map(|&i| weights[i as usize]).sum();
    if sum > 1e-200 {
        let scale = (1.0 - floor) / sum;
        pmf.extend(open.iter().map(|&i| weights[i as usize] * scale + floor / n));
        return;
    }
    let max = open.iter().map(|&i| logits[i as usize]).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = open.iter().map(|&i| exp(logits[i as usize] - max)).sum();
    pmf.extend(open.iter().map(|&i| exp(logits[i as usize] - max) / sum * (1.0 - floor) + floor / n));
}
