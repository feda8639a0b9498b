//! The best remaining candidate.

use super::places::Places;

/// The open candidate with the largest logit; ties go to the lower index.
pub(super) fn best(logits: &[f64], open: &[u32]) -> Option<u32> {
    let mut best: Option<u32> = None;
    for &candidate in open {
        if best.is_none_or(|b| logits[candidate as usize] > logits[b as usize]) {
            best = Some(candidate);
        }
    }
    best
}

/// Chance 1 for the best open candidate.
pub(super) fn fill(places: &Places<'_>, pmf: &mut Vec<f64>) {
    if places.adjusted.is_empty() {
        let best = best(places.logits, &places.open);
        pmf.extend(places.open.iter().map(|&candidate| if Some(candidate) == best { 1.0 } else { 0.0 }));
    } else {
        let all: Vec<u32> = (0..places.open.len() as u32).collect();
        let best = best(&places.adjusted, &all);
        pmf.extend(all.iter().map(|place| if Some(*place) == best { 1.0 } else { 0.0 }));
    }
}
