//! The audit's attacks, live: on what listeners of the demo world would give away by ordinary logs of a bandit, and by the records that
//! leave a device here. Everything is computed when it is asked for.

use ears_audit::attack::{Guesser, Press, Uploads, Victim, asked_items, found, gap, log_gap, logged_items, uploads, victim};
use ears_audit::subject::SYMBOL;
use ears_only::error::Error;
use ears_only::math::ln;
use serde::Serialize;

use crate::world;

/// Records that the attack on one record reads, half of them with a yes.
const RECORDS: u32 = 20_000;

/// Hits of an attack, of so many tries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Right guesses.
    pub hits: u32,
    /// Tries.
    pub of: u32,
}

/// One attack on both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Attack {
    /// On ordinary logs.
    pub logs: Score,
    /// On our records.
    pub records: Score,
    /// The share that a guess without either gets right.
    pub chance: f64,
}

/// What the attacks came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Which two uploads come from one listener?
    pub who: Attack,
    /// The same with a day of listening between the two.
    pub later: Attack,
    /// What do they like best?
    pub favourite: Attack,
    /// Was a card played, from one of our records with a name on it? An ordinary log says so in words.
    pub played: Score,
    /// The first listener's chances of the first cards in an ordinary log, and the symbols of their records: what the attacker sees.
    pub sample: Sample,
}

/// What the attacker sees of one listener.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Titles of the cards.
    pub cards: Vec<String>,
    /// Their chances.
    pub chances: Vec<f64>,
    /// Symbols of two records.
    pub symbols: [u64; 2],
    /// A record with a yes, as it leaves: 16 bytes.
    pub record: Vec<u8>,
}

/// Attacks under way.
pub struct Bench {
    listeners: u32,
    arms: Vec<u32>,
    seen: Vec<Uploads>,
    victims: Vec<Victim>,
}

impl Bench {
    /// Attacks on the first `listeners` listeners of the demo world; at least two.
    #[must_use]
    pub fn new(listeners: u32) -> Self {
        Self { listeners: listeners.max(2), arms: asked_items(world()), seen: Vec::new(), victims: Vec::new() }
    }

    /// Listeners who have lived their week.
    #[must_use]
    pub fn done(&self) -> u32 {
        self.seen.len() as u32
    }

    /// One more listener lives a week; the outcome once all have.
    ///
    /// # Errors
    /// When the core refuses a page, an event or a record.
    pub fn step(&mut self) -> Result<Option<Outcome>, Error> {
        if self.done() < self.listeners {
            let number = self.done();
            self.victims.push(victim(world(), &self.arms, number)?);
            self.seen.push(uploads(world(), number)?);
        }
        if self.done() < self.listeners { Ok(None) } else { self.outcome().map(Some) }
    }

    fn outcome(&self) -> Result<Outcome, Error> {
        let all = &self.seen;
        let size = all.len();
        let count = |distance: &dyn Fn(usize, usize) -> f64| Score {
            hits: (0..size).filter(|victim| found(size, distance, *victim)).count() as u32,
            of: size as u32,
        };
        let chance = 1.0 / size as f64;
        // Of the first record of each, and their second or third.
        let records = |other: usize| count(&|a, b| if all[a].ours[0] == all[b].ours[other] { 0.0 } else { 1.0 });
        let who = Attack { logs: count(&|a, b| gap(&all[a].chances[0], &all[b].chances[1])), records: records(1), chance };
        let later = Attack { logs: count(&|a, b| log_gap(&all[a].chances[0], &all[b].chances[2])), records: records(2), chance };
        let (sample, played) = self.one_record()?;
        Ok(Outcome { who, later, favourite: self.favourite(), played, sample })
    }

    /// Guesses the favourite family of the second half; the attacker knows that of the first.
    fn favourite(&self) -> Attack {
        let half = self.victims.len() / 2;
        let families = world().catalogue().families().len();
        let guesser = Guesser::learned(families, self.arms.len(), &self.victims[..half]);
        let others = half..self.victims.len();
        let of = others.len() as u32;
        let right = |guess: &dyn Fn(usize) -> usize| {
            others.clone().filter(|listener| guess(*listener) == self.victims[*listener].0).count() as u32
        };
        let by_logs = |listener: usize| self.by_chances(listener, families);
        let prior = guesser.guess(&[]);
        Attack {
            logs: Score { hits: right(&by_logs), of },
            records: Score { hits: right(&|listener| guesser.guess(&self.victims[listener].1)), of },
            chance: f64::from(right(&|_| prior)) / f64::from(of),
        }
    }

    /// The family whose logged cards stand furthest above their mean log-chance over all listeners.
    fn by_chances(&self, listener: usize, families: usize) -> usize {
        let items = logged_items(world());
        let mut sums = vec![(0.0, 0.0); families];
        for (place, item) in items.iter().enumerate() {
            let of = |uploads: &Uploads| uploads.chances[0].get(place).map_or(0.0, |chance| ln(*chance));
            let mean = self.seen.iter().map(of).sum::<f64>() / self.seen.len() as f64;
            let family = world().catalogue().items()[*item as usize].family as usize;
            sums[family].0 += of(&self.seen[listener]) - mean;
            sums[family].1 += 1.0;
        }
        let score = |family: &usize| {
            let (sum, count) = sums[*family];
            if count == 0.0 { f64::NEG_INFINITY } else { sum / count }
        };
        (0..families).max_by(|a, b| score(a).total_cmp(&score(b))).unwrap_or(0)
    }

    /// Reads single records: the best guess is the symbol itself.
    fn one_record(&self) -> Result<(Sample, Score), Error> {
        let mut press = Press::new(31)?;
        let mut hits = 0;
        let mut record = [0; 16];
        for number in 0..RECORDS {
            let played = number % 2 == 0;
            let bytes = press.record(played)?;
            hits += u32::from((SYMBOL.of(&bytes) == 1) == played);
            if played {
                record = bytes;
            }
        }
        let first = &self.seen[0];
        let items = world().catalogue().items();
        let sample = Sample {
            cards: logged_items(world()).iter().map(|item| items[*item as usize].card.title.clone()).collect(),
            chances: first.chances[0].clone(),
            symbols: [first.ours[0], first.ours[1]],
            record: record.to_vec(),
        };
        Ok((sample, Score { hits, of: RECORDS }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_give_listeners_away_and_records_do_not() {
        let mut bench = Bench::new(60);
        let outcome = loop {
            if let Some(outcome) = bench.step().unwrap() {
                break outcome;
            }
        };
        assert_eq!(outcome.who.logs.of, 60);
        assert!(outcome.who.logs.hits >= 57, "{outcome:?}");
        assert!(outcome.later.logs.hits >= 20, "{outcome:?}");
        // Expected hits: 1 of 60; more than 7 happen once in 10^5 runs (Poisson).
        assert!(outcome.who.records.hits <= 7, "{outcome:?}");
        assert!(outcome.later.records.hits <= 7, "{outcome:?}");
        // The record after the day is one of its own.
        assert!(bench.seen.iter().any(|uploads| uploads.ours[2] != uploads.ours[1]));
        // e / (1 + e) of single records are read rightly, within 5 standard deviations of 0.0031.
        let share = f64::from(outcome.played.hits) / f64::from(RECORDS);
        assert!((share - 0.7311).abs() < 0.016, "{share}");
    }
}
