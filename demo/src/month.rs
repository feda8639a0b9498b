//! A month of many listeners, in parts, so that a page can show how far it is and stop.

use ears_only::bundle::Bundle;
use ears_only::error::Error;
use ears_only::ranker::RankedPage;
use ears_world::baseline::{Appeal, Popularity};
use ears_world::constants::{VISIBLE_CARDS, VISIBLE_SHELVES};
use ears_world::run::Run;
use serde::Serialize;

/// Streams of each day, by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Streams {
    /// The shipped core.
    pub ears: Vec<u64>,
    /// Uniform pages.
    pub random: Vec<u64>,
    /// The best fixed order.
    pub server: Vec<u64>,
    /// Learned popularity.
    pub popularity: Vec<u64>,
    /// The best possible by the truth.
    pub oracle: Vec<u64>,
}

/// (policy - against) / against, of streams.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its name.
    pub policy: &'static str,
    /// What it is compared with.
    pub against: &'static str,
    /// The relative difference.
    pub relative: f64,
}

/// What a month has come to so far. Streams hold the listeners that are done; the differences are there when all are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Parts that are done.
    pub done: u32,
    /// All parts.
    pub parts: u32,
    /// Listeners that are done.
    pub listeners: u32,
    /// Streams by day.
    pub streams: Streams,
    /// For each day, the share of visible places with something else than what scores highest.
    pub explored: Vec<f64>,
    /// As in a report of `ears-lab simulate`.
    pub comparisons: Vec<Difference>,
    /// (ears - popularity) / (oracle - popularity).
    pub oracle_gap_closed: Option<f64>,
}

/// A month under way.
pub struct Month {
    run: Run<'static>,
    bundle: Bundle,
    popularity: Popularity<'static>,
    appeal: Option<Appeal>,
    /// Streams by day of each listener under learned popularity: it needs all of them at once.
    popular: Vec<Vec<u64>>,
    streams: Streams,
    /// Places with something else than the best, and all, by day.
    explored: Vec<(u64, u64)>,
    done: u32,
}

impl Month {
    /// A run before its first part.
    #[must_use]
    pub fn new(run: Run<'static>, bundle: Bundle) -> Self {
        let days = run.days as usize;
        let none = vec![0; days];
        let streams =
            Streams { ears: none.clone(), random: none.clone(), server: none.clone(), popularity: none.clone(), oracle: none };
        let explored = vec![(0, 0); days];
        Self { run, bundle, popularity: Popularity::new(run), appeal: None, popular: Vec::new(), streams, explored, done: 0 }
    }

    /// Parts: the days of learned popularity, then each listener.
    fn parts(&self) -> u32 {
        self.run.days + self.run.listeners
    }

    /// Does one part; whether there is more.
    ///
    /// # Errors
    /// When the core refuses a page or an event.
    pub fn step(&mut self) -> Result<bool, Error> {
        if self.done < self.run.days {
            self.popular.push(self.popularity.live()?);
        } else if self.done < self.parts() {
            self.listener(self.done - self.run.days)?;
        }
        self.done = (self.done + 1).min(self.parts());
        Ok(self.done < self.parts())
    }

    fn listener(&mut self, number: u32) -> Result<(), Error> {
        let Self { run, bundle, appeal, popular, streams, explored, .. } = self;
        let mut pages = 0;
        let ears = run.ears(bundle, number, &mut |_, ranked| {
            if let Some((other, all)) = explored.get_mut(pages / ears_world::listener::VISITS as usize) {
                let (o, a) = places(ranked);
                *other += o;
                *all += a;
            }
            pages += 1;
            true
        })?;
        let appeal = appeal.get_or_insert_with(|| run.appeal());
        let popularity = popular.iter().map(|day| day.get(number as usize).copied().unwrap_or(0)).collect();
        for (sums, days) in [
            (&mut streams.ears, ears),
            (&mut streams.random, run.random(number)?),
            (&mut streams.server, run.server(appeal, number)?),
            (&mut streams.popularity, popularity),
            (&mut streams.oracle, run.oracle(number)?),
        ] {
            sums.iter_mut().zip(days).for_each(|(sum, day)| *sum += day);
        }
        Ok(())
    }

    /// What it has come to so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let Streams { ears, random, server, popularity, oracle } = &self.streams;
        let finished = self.done == self.parts();
        let compare = |policy, one: &[u64], against, other: &[u64]| {
            let (one, other) = (total(one), total(other));
            Difference { policy, against, relative: (one - other) / other }
        };
        Figures {
            done: self.done,
            parts: self.parts(),
            listeners: self.done.saturating_sub(self.run.days),
            streams: self.streams.clone(),
            explored: self.explored.iter().map(|(other, all)| *other as f64 / (*all).max(1) as f64).collect(),
            comparisons: if finished {
                vec![
                    compare("ears", ears, "popularity", popularity),
                    compare("ears", ears, "server", server),
                    compare("ears", ears, "random", random),
                    compare("ears", ears, "oracle", oracle),
                    compare("popularity", popularity, "random", random),
                    compare("server", server, "random", random),
                    compare("oracle", oracle, "popularity", popularity),
                ]
            } else {
                Vec::new()
            },
            oracle_gap_closed: finished.then(|| (total(ears) - total(popularity)) / (total(oracle) - total(popularity))),
        }
    }
}

fn total(days: &[u64]) -> f64 {
    days.iter().sum::<u64>() as f64
}

/// Visible places of a page: those with something else than what scores highest of what was left, and all. A place on a shelf counts the
/// cards, a place on the page the shelves.
#[must_use]
pub fn places(ranked: &RankedPage) -> (u64, u64) {
    let beaten = |scores: &[f64], place: usize| scores.iter().skip(place + 1).any(|score| *score > scores[place]);
    let values: Vec<f64> = ranked.shelves.iter().map(|shelf| shelf.value).collect();
    let (mut other, mut all) = (0, 0);
    for (position, shelf) in ranked.shelves.iter().enumerate().take(VISIBLE_SHELVES) {
        other += u64::from(beaten(&values, position));
        let scores: Vec<f64> = ranked.cards[shelf.cards.clone()].iter().map(|card| card.score).collect();
        let visible = scores.len().min(VISIBLE_CARDS);
        other += (0..visible).filter(|place| beaten(&scores, *place)).count() as u64;
        all += 1 + visible as u64;
    }
    (other, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(seed: u64) -> Figures {
        let mut month = Month::new(crate::run(seed, 4, 3), crate::bundle().unwrap());
        while month.step().unwrap() {
            assert!(month.figures().comparisons.is_empty());
        }
        month.figures()
    }

    #[test]
    fn parts_add_up_to_the_run() {
        let figures = month(3);
        assert_eq!((figures.done, figures.parts, figures.listeners), (7, 7, 4));
        let run = crate::run(3, 4, 3);
        let bundle = crate::bundle().unwrap();
        let sum = |of: &dyn Fn(u32) -> Vec<u64>| (0..4).map(|number| of(number).iter().sum::<u64>()).sum::<u64>();
        assert_eq!(figures.streams.ears.iter().sum::<u64>(), sum(&|number| run.ears(&bundle, number, &mut |_, _| true).unwrap()));
        assert_eq!(figures.streams.oracle.iter().sum::<u64>(), sum(&|number| run.oracle(number).unwrap()));
        assert!(figures.streams.oracle.iter().sum::<u64>() > figures.streams.random.iter().sum::<u64>());
        assert!(figures.explored.iter().all(|share| (0.0..1.0).contains(share) && *share > 0.0));
    }

    #[test]
    fn a_month_repeats_itself_and_another_seed_is_another() {
        assert_eq!(month(5), month(5));
        assert_ne!(month(5).streams, month(6).streams);
    }
}
