//! Who takes part, and which half of their artists is known.

use ears_world::chance::{Draw, Key, sample};

use super::constants::NEW_LISTENERS;
use crate::replay::lastfm::PlayCounts;

/// One half of everybody's plays.
pub type Half = Vec<Vec<(u32, u32)>>;

/// Everybody's plays in two halves.
#[derive(Clone, Debug, PartialEq)]
pub struct Halves {
    /// What is known of each listener of the data; nothing of the new ones of the run.
    pub known: Half,
    /// The artists nobody is told.
    pub hidden: Half,
    /// The listeners of the run, as numbers in the data.
    pub run: Vec<u32>,
    /// Whether they are new.
    pub new: Vec<bool>,
}

impl Halves {
    /// Draws the run's listeners, none of `others`, and everybody's halves.
    ///
    /// A listener's artists are sorted by plays and taken in pairs; of each pair a coin makes one known and the other hidden, so
    /// that both halves are played equally.
    #[must_use]
    pub fn new(counts: &PlayCounts, listeners: u32, seed: u64, others: &[u32]) -> Self {
        let key = Key::new(seed, Draw::History);
        let all: Vec<u32> = (0..counts.listeners.len() as u32).filter(|listener| !others.contains(listener)).collect();
        let run = sample(&all, listeners as usize, key.with(1));
        let new: Vec<bool> = run.iter().map(|listener| key.with(2).with(u64::from(*listener)).unit() < NEW_LISTENERS).collect();
        let mut halves = Self { known: Vec::new(), hidden: Vec::new(), run, new };
        for (listener, plays) in (0u64..).zip(&counts.listeners) {
            let mut sorted = plays.clone();
            sorted.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
            let (mut known, mut hidden) = (Vec::new(), Vec::new());
            for (pair, artists) in (0u64..).zip(sorted.chunks(2)) {
                let first = usize::from(key.with(3).with(listener).with(pair).unit() < 0.5);
                for (at, artist) in artists.iter().enumerate() {
                    if at == first { &mut known } else { &mut hidden }.push(*artist);
                }
            }
            halves.known.push(known);
            halves.hidden.push(hidden);
        }
        for (listener, _) in halves.run.iter().zip(&halves.new).filter(|(_, new)| **new) {
            halves.known[*listener as usize].clear();
        }
        halves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_share_nothing_and_new_listeners_are_unknown() {
        let listeners: Half = (0..50u32).map(|u| (0..20).map(|a| (a, 1 + (a * 7 + u) % 13)).collect()).collect();
        let counts = PlayCounts { listeners, artists: vec![String::new(); 20] };
        let halves = Halves::new(&counts, 30, 4, &[]);
        assert_eq!(halves.run.len(), 30);
        assert!(halves.new.iter().any(|new| *new) && !halves.new.iter().all(|new| *new));
        for (listener, (known, hidden)) in (0u32..).zip(halves.known.iter().zip(&halves.hidden)) {
            assert_eq!(hidden.len(), 10);
            assert!(known.iter().all(|(artist, _)| hidden.iter().all(|(other, _)| other != artist)));
            let place = halves.run.iter().position(|l| *l == listener);
            let new = place.is_some_and(|place| halves.new[place]);
            assert_eq!(known.len(), if new { 0 } else { 10 });
        }
        assert_eq!(halves, Halves::new(&counts, 30, 4, &[]));
    }
}
