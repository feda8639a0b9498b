//! Epsilon on the page: one coin for the whole page, not one for each place.

use super::{Prefix, greedy};

/// Conditionals of the mixture (1 - epsilon) greedy page + epsilon uniform page.
///
/// With U the chance of the prefix under uniform draws, n open candidates, and the prefix greedy so far:
/// P(a) = ((1 - epsilon) 1[a is greedy] + epsilon U / n) / ((1 - epsilon) + epsilon U). Once the prefix has left the greedy
/// page, the page is the uniform one: 1 / n.
pub(super) fn fill(epsilon: f64, prefix: Prefix, logits: &[f64], open: &[u32], pmf: &mut Vec<f64>) {
    let n = open.len() as f64;
    if !prefix.greedy {
        pmf.extend(open.iter().map(|_| 1.0 / n));
        return;
    }
    let best = greedy::best(logits, open);
    let greedy = 1.0 - epsilon;
    let uniform = epsilon * prefix.uniform;
    let total = greedy + uniform;
    if total <= 0.0 {
        // Epsilon is 1 and the prefix chance has underflowed: the page is uniform.
        pmf.extend(open.iter().map(|_| 1.0 / n));
        return;
    }
    pmf.extend(open.iter().map(|&candidate| {
        let is_best = if Some(candidate) == best { greedy } else { 0.0 };
        (is_best + uniform / n) / total
    }));
}
