//! Diversity and calibration along the page: logits that depend on what is shown above, so that conditionals stay exact.

use super::places::Places;
use crate::math::ln;
use crate::slate::Candidates;

/// Similarity of two cards of one family by different artists; the same artist counts 1.
const SAME_FAMILY: f64 = 0.5;

/// Share of the wanted mix in the mix it is compared with, so that the divergence stays finite (Steck 2018, equation 7).
const SMOOTHING: f64 = 0.01;

/// l(a | shown) = l(a) - diversity max_b sim(a, b) - calibration KL(wanted || mix of shown and a), over the visible cards b above.
///
/// # References
/// J. Carbonell and J. Goldstein (1998), "The Use of MMR, Diversity-Based Reranking", SIGIR; H. Steck (2018), "Calibrated
/// Recommendations", RecSys, equation 4. Here as logits of a randomised policy instead of a greedy choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Along {
    /// Logit lost by a card of an artist who is visible already, >= 0; half of it for the same family. 0 does nothing.
    pub diversity: f64,
    /// Logit lost for each nat between the wanted mix of families and the page's, >= 0. 0 does nothing.
    pub calibration: f64,
    /// (family, share) that the listener's history has; shares sum to 1.
    pub wanted: Vec<(u32, f64)>,
}

impl Along {
    fn divergence(&self, candidates: &Candidates, shown: &[u32], family: u32) -> f64 {
        let size = shown.len() as f64 + 1.0;
        self.wanted
            .iter()
            .map(|&(wanted, share)| {
                let above = shown.iter().filter(|at| candidates.family[**at as usize] == wanted).count() as f64;
                let count = above + if family == wanted { 1.0 } else { 0.0 };
                share * ln(share / ((1.0 - SMOOTHING) * count / size + SMOOTHING * share))
            })
            .sum()
    }
}

/// Writes the adjusted logits of a shelf's open cards for the next place.
pub(super) fn adjust(candidates: &Candidates, shown: &[u32], cards: &mut Places<'_>) {
    let along = &candidates.along;
    cards.adjusted.clear();
    let calibrates = along.calibration > 0.0 && !along.wanted.is_empty();
    if (along.diversity <= 0.0 && !calibrates) || candidates.family.is_empty() {
        return;
    }
    let start = cards.start;
    let similarity = |at: usize| {
        let same = |of: &[u32], other: u32| of[at] != 0 && of[at] == of[other as usize];
        if shown.iter().any(|other| same(&candidates.artist, *other)) {
            1.0
        } else if shown.iter().any(|other| same(&candidates.family, *other)) {
            SAME_FAMILY
        } else {
            0.0
        }
    };
    // One divergence for each family on the shelf.
    let mut known: Vec<(u32, f64)> = Vec::new();
    for &index in &cards.open {
        let at = start + index as usize;
        let mut logit = cards.logits[index as usize] - along.diversity * similarity(at);
        if calibrates {
            let family = candidates.family[at];
            let divergence = known.iter().find(|entry| entry.0 == family).map(|entry| entry.1).unwrap_or_else(|| {
                let divergence = along.divergence(candidates, shown, family);
                known.push((family, divergence));
                divergence
            });
            logit -= along.calibration * divergence;
        }
        cards.adjusted.push(logit);
    }
}
