//! The best remaining candidate, always.

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
pub(super) fn fill(logits: &[f64], open: &[u32], pmf: &mut Vec<f64>) {
    let best = best(logits, open);
    pmf.extend(open.iter().map(|&candidate| if Some(candidate) == best { 1.0 } else { 0.0 }));
}
