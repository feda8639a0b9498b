//! One listener's trial: which artists become history, which are hidden, and among which strangers.

use std::collections::BTreeSet;

use ears_only::random::{Purpose, Seed, below};
use rand_core::Rng;

/// Strangers beside each hidden favourite.
pub const STRANGERS: usize = 4;

/// What one listener's page is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// (artist, plays) that the device gets to know.
    pub history: Vec<(u32, u32)>,
    /// Artists held back; a good page shows them.
    pub hidden: BTreeSet<u32>,
    /// The hidden artists and their strangers, in random order.
    pub page: Vec<u32>,
}

impl Trial {
    /// Splits a listener's artists in two at random, and surrounds each hidden one by the [`STRANGERS`] nearest artists in
    /// `by_rank` that the listener never played and that are not yet on the page.
    ///
    /// - `by_rank`: all artists by falling play count; `rank_of` its inverse.
    ///
    /// # Determinism
    /// Everything follows from `seed` and `listener`.
    #[must_use]
    pub fn new(plays: &[(u32, u32)], by_rank: &[u32], rank_of: &[u32], seed: u64, listener: usize) -> Self {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, listener as u64);
        let mut shuffled = plays.to_vec();
        shuffle(&mut shuffled, &mut rng);
        let hidden_plays = shuffled.split_off(shuffled.len().div_ceil(2));
        let mut taken: BTreeSet<u32> = plays.iter().map(|(artist, _)| *artist).collect();
        let mut page = Vec::with_capacity(hidden_plays.len() * (STRANGERS + 1));
        for &(artist, _) in &hidden_plays {
            page.push(artist);
            let (mut above, mut below) = (rank_of[artist as usize] as usize, rank_of[artist as usize] as usize + 1);
            let mut found = 0;
            // The nearest rank first; at equal distance the more played one.
            while found < STRANGERS && (above > 0 || below < by_rank.len()) {
                let rank = rank_of[artist as usize] as usize;
                let up = above > 0 && (below >= by_rank.len() || rank - (above - 1) <= below - rank);
                let candidate = if up { by_rank[above - 1] } else { by_rank[below] };
                if up {
                    above -= 1;
                } else {
                    below += 1;
                }
                if taken.insert(candidate) {
                    page.push(candidate);
                    found += 1;
                }
            }
        }
        shuffle(&mut page, &mut rng);
        Self { history: shuffled, hidden: hidden_plays.into_iter().map(|(artist, _)| artist).collect(), page }
    }
}

/// Fisher and Yates.
pub(super) fn shuffle<T, R: Rng + ?Sized>(items: &mut [T], rng: &mut R) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(rng, i as u32 + 1) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_half_among_the_nearest_strangers() {
        let by_rank: Vec<u32> = (0..100).collect();
        let plays: Vec<(u32, u32)> = [10, 40, 70, 90].map(|artist| (artist, 5)).to_vec();
        let trial = Trial::new(&plays, &by_rank, &by_rank, 1, 0);
        assert_eq!((trial.history.len(), trial.hidden.len(), trial.page.len()), (2, 2, 10));
        for hidden in &trial.hidden {
            for near in [hidden - 2, hidden - 1, *hidden, hidden + 1, hidden + 2] {
                assert!(trial.page.contains(&near), "{near} near {hidden}");
            }
        }
        assert!(trial.history.iter().all(|(artist, _)| !trial.page.contains(artist)));
        assert_eq!(trial, Trial::new(&plays, &by_rank, &by_rank, 1, 0));
        assert_ne!(trial, Trial::new(&plays, &by_rank, &by_rank, 2, 0));
    }

    #[test]
    fn strangers_are_distinct_where_favourites_are_neighbours() {
        let by_rank: Vec<u32> = (0..12).collect();
        let plays: Vec<(u32, u32)> = [0, 1, 2, 3].map(|artist| (artist, 5)).to_vec();
        let trial = Trial::new(&plays, &by_rank, &by_rank, 3, 0);
        let distinct: BTreeSet<u32> = trial.page.iter().copied().collect();
        assert_eq!(distinct.len(), trial.page.len());
        assert_eq!(trial.page.len(), 10);
    }
}
