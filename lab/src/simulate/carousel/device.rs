//! Ours, on the device: every listener learns alone, from the shipped prior and the own pages, and nothing is shared.
//!
//! Nothing tells playlists apart on such a device (this world describes users, not playlists), so each has a posterior of its own:
//! log-odds from N(m, s^2) with what this listener streamed. Drawn as in [`super::pooled`].

use std::collections::BTreeMap;

use ears_only::math::sigmoid;
use rand_pcg::Pcg32;

use super::policy::{Policy, Rule};
use super::top::Top;
use super::world::{Public, Slate};

/// Mean and variance of the log-odds of Beta(1, 99), the pessimistic prior: digamma(1) - digamma(99), trigamma(1) + trigamma(99).
const PRIOR: (f64, f64) = (-5.167_3, 1.655_1);
/// Standard deviations of the draws for each of the posterior, as in pooled mode.
const SPREAD: f64 = 0.5;
/// Newton steps to a posterior's mode.
const STEPS: usize = 30;

/// A card that a listener has seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    playlist: u16,
    streamed: u16,
    seen: u16,
}

/// One listener's memory for each user.
pub(super) struct OnDevice {
    playlists: usize,
    /// By user, playlists ascending.
    memory: Vec<Vec<Seen>>,
    /// Mean and standard deviation of the draw after so many streams and looks.
    known: BTreeMap<(u16, u16), (f64, f64)>,
    rng: Pcg32,
}

impl OnDevice {
    pub(super) fn new(public: Public<'_>, rng: Pcg32) -> Self {
        let known = BTreeMap::from([((0, 0), posterior(0, 0))]);
        Self { playlists: public.playlists, memory: vec![Vec::new(); public.segment_of.len()], known, rng }
    }
}

impl Policy for OnDevice {
    fn show(&mut self, visitors: &[u32]) -> Vec<Slate> {
        let fresh = posterior(0, 0);
        let mut pages = Vec::with_capacity(visitors.len());
        for user in visitors {
            let mut memory = self.memory[*user as usize].iter().peekable();
            let mut top = Top::default();
            for playlist in 0..self.playlists as u16 {
                let seen = memory.next_if(|card| card.playlist == playlist);
                let known = seen.and_then(|card| self.known.get(&(card.streamed, card.seen)));
                let (mean, sd) = *known.unwrap_or(&fresh);
                top.draw(playlist, mean, sd, &mut self.rng);
            }
            pages.push(top.slate());
        }
        pages
    }

    fn learn(&mut self, visitors: &[u32], slates: &[Slate], streams: &[Option<usize>]) {
        for ((user, slate), stream) in visitors.iter().zip(slates).zip(streams) {
            let memory = &mut self.memory[*user as usize];
            for (position, playlist) in slate.iter().enumerate().take(Rule::AllSeen.seen(*stream)) {
                let at = memory.binary_search_by_key(playlist, |card| card.playlist).unwrap_or_else(|at| {
                    memory.insert(at, Seen { playlist: *playlist, streamed: 0, seen: 0 });
                    at
                });
                let card = &mut memory[at];
                card.seen += 1;
                card.streamed += u16::from(*stream == Some(position));
                self.known.entry((card.streamed, card.seen)).or_insert_with(|| posterior(card.streamed, card.seen));
            }
        }
    }
}

/// Mean and standard deviation of a draw: Laplace's approximation around the mode.
fn posterior(streamed: u16, seen: u16) -> (f64, f64) {
    let (mean, variance) = PRIOR;
    let (streamed, seen) = (f64::from(streamed), f64::from(seen));
    let mut at = mean;
    for _ in 0..STEPS {
        let chance = sigmoid(at);
        let slope = streamed - seen * chance - (at - mean) / variance;
        let step = slope * variance / (1.0 + variance * seen * chance * (1.0 - chance));
        at += step.clamp(-1.0, 1.0);
    }
    let chance = sigmoid(at);
    (at, SPREAD * (variance / (1.0 + variance * seen * chance * (1.0 - chance))).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::world::SLOTS;
    use super::super::world::tests::small;
    use super::*;
    use ears_only::random::{Purpose, Seed};

    #[test]
    fn the_posterior_is_the_mode_and_follows_the_evidence() {
        for (streamed, seen) in [(0, 1), (1, 1), (3, 10), (40, 40), (0, 1_000)] {
            let (mode, sd) = posterior(streamed, seen);
            let slope = f64::from(streamed) - f64::from(seen) * sigmoid(mode) - (mode - PRIOR.0) / PRIOR.1;
            assert!(slope.abs() < 1e-9 && sd > 0.0, "{streamed} {seen} {slope}");
        }
        assert!(posterior(1, 1).0 > posterior(0, 0).0 && posterior(0, 5).0 < posterior(0, 0).0);
    }

    #[test]
    fn nothing_learned_from_one_listener_reaches_another() {
        let world = small();
        let start = || OnDevice::new(world.public(), Seed::from_number(3).stream(Purpose::Rank, 0));
        let (mut alone, mut beside) = (start(), start());
        let slate: Slate = std::array::from_fn(|slot| slot as u16);
        beside.learn(&[1; 40], &[slate; 40], &[Some(SLOTS - 1); 40]);
        assert_eq!(alone.show(&[0, 2, 3]), beside.show(&[0, 2, 3]));
        assert!(beside.show(&[1; 10]).iter().flatten().any(|playlist| *playlist == 11));
    }
}
