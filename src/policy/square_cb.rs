//! SquareCB: inverse gap weighting.

use super::places::Places;

/// 1 / (n + gamma (f_best - f_a)) for all but the best of the n that remain; the best takes the rest.
///
/// # Shapes and ranges
/// Logits hold predicted rewards within [0, 1]; what lies outside counts as the nearer end.
///
/// # References
/// D. J. Foster and A. Rakhlin (2020), "Beyond UCB: Optimal and Efficient Contextual Bandits with Regression Oracles", ICML,
/// algorithm 1; N. Abe and P. M. Long (1999). Here once for each place, without replacement.
pub(super) fn fill(gamma: f64, places: &Places<'_>, pmf: &mut Vec<f64>) {
    let n = places.open.len() as f64;
    let reward = |candidate: u32| places.logits[candidate as usize].clamp(0.0, 1.0);
    let best = super::greedy::best(places.logits, &places.open);
    let most = best.map_or(0.0, reward);
    let mut rest = 1.0;
    let mut place = 0;
    for (at, &candidate) in places.open.iter().enumerate() {
        let p = 1.0 / (n + gamma * (most - reward(candidate)));
        if Some(candidate) == best {
            place = at;
        } else {
            rest -= p;
        }
        pmf.push(p);
    }
    if let Some(p) = pmf.get_mut(place) {
        *p = rest;
    }
}
