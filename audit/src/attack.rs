//! Attacks: what somebody who has the records, and knows more than they should, can find out. Every record comes from the shipped
//! randomiser; the attacker knows all that is public.

use crate::finding::Finding;
use crate::fixture::{manifest_of, roomy_ledger, week};
use crate::statistics::{at_least, at_most, auc, auc_error};
use crate::subject::{Shipped, Subject, Words, permit};
use ears_only::clock::HOUR_MS;
use ears_only::error::Error;
use ears_only::privacy::{Coin, Epsilon, Manifest, epoch_of, randomise};
use ears_world::chance::{Draw, Key};
use rayon::prelude::*;
use std::collections::BTreeMap;

mod world;

pub use world::{
    Guesser, Uploads, Victim, asked_items, found, gap, identity, log_gap, logged_items, reconstruction, uploads, victim,
};

/// Standard deviations that chance is given before an attack counts as a success; one false alarm in 30,000.
const SPREAD: f64 = 4.0;

/// Makes records of answers.
pub struct Press {
    manifest: Manifest,
    coin: Words,
    flip: Words,
}

impl Press {
    /// A press with draws of its own.
    ///
    /// # Errors
    /// When the core refuses the manifest.
    pub fn new(seed: u64) -> Result<Self, Error> {
        Ok(Self { manifest: manifest_of(2, 2)?, coin: Words::new(2 * seed), flip: Words::new(2 * seed + 1) })
    }

    /// The record of an answer: what the attacker sees.
    ///
    /// # Errors
    /// When the core refuses a step on the way.
    pub fn record(&mut self, answer: bool) -> Result<[u8; 16], Error> {
        let at = week(0).plus_ms(HOUR_MS);
        let epoch = epoch_of(at).unwrap_or(0);
        let coin = Coin::toss(&self.manifest, epoch, &mut self.coin)?;
        let permit = permit(&roomy_ledger(), &self.manifest, epoch, at)?;
        Shipped.release(answer.into(), permit, &self.manifest, &coin, &mut self.flip)
    }
}

/// Scores what is seen by how much likelier it was among positives than among negatives, as learned from others.
struct Learned<T: Ord>(BTreeMap<T, f64>);

impl<T: Ord + Copy> Learned<T> {
    fn from(positive: &[T], negative: &[T]) -> Self {
        let mut counts: BTreeMap<T, (f64, f64)> = BTreeMap::new();
        positive.iter().for_each(|seen| counts.entry(*seen).or_insert((0.5, 0.5)).0 += 1.0);
        negative.iter().for_each(|seen| counts.entry(*seen).or_insert((0.5, 0.5)).1 += 1.0);
        let size = negative.len() as f64 / positive.len() as f64;
        Self(counts.into_iter().map(|(seen, (yes, no))| (seen, libm::log(size * yes / no))).collect())
    }

    fn scores(&self, seen: &[T]) -> Vec<f64> {
        seen.iter().map(|seen| self.0.get(seen).copied().unwrap_or(0.0)).collect()
    }
}

/// Trains the best classifier on the first half and measures it on the second.
fn best<T: Ord + Copy>(positive: &[T], negative: &[T]) -> (f64, Vec<f64>, Vec<f64>) {
    let (half, other) = (positive.len() / 2, negative.len() / 2);
    let learned = Learned::from(&positive[..half], &negative[..other]);
    let (yes, no) = (learned.scores(&positive[half..]), learned.scores(&negative[other..]));
    (auc(&yes, &no), yes, no)
}

/// A listener's chance to play what is probed: mean 0.3, standard deviation 0.2 over listeners. Key -> chance: the sum of 4 uniforms
/// has the wanted spread after scaling and stays in range after clipping.
fn taste(key: Key) -> f64 {
    let sum: f64 = (0..4).map(|part| key.with(part).unit()).sum();
    (0.3 + 0.2 * (sum - 2.0) * 3f64.sqrt()).clamp(0.0, 1.0)
}

fn pressed<T: Send>(count: u64, make: impl Fn(&mut Press, u64) -> Result<T, Error> + Sync) -> Result<Vec<T>, Error> {
    const CHUNK: u64 = 50_000;
    let chunks: Vec<Vec<T>> = (0..count.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut press = Press::new(chunk + 77)?;
            (chunk * CHUNK..((chunk + 1) * CHUNK).min(count)).map(|number| make(&mut press, number)).collect()
        })
        .collect::<Result<_, _>>()?;
    Ok(chunks.into_iter().flatten().collect())
}

/// Which of two pairs of records comes from one listener?
#[must_use]
pub fn linkability(full: bool) -> Finding {
    const NAME: &str = "linkability";
    const PROMISE: &str = "finding two records of one listener is hardly better than tossing a coin";
    let pairs = if full { 4_000_000 } else { 400_000 };
    let drawn = pressed(pairs, |press, number| {
        let own = Key::new(number, Draw::Taste);
        let stranger = Key::new(number + (1 << 40), Draw::Taste);
        let plays = |key: Key, turn: u64| key.with(100 + turn).unit() < taste(key);
        let first = press.record(plays(own, 0))?;
        let again = press.record(plays(own, 1))?;
        let other = press.record(plays(stranger, 0))?;
        let symbol = |record: &[u8; 16]| crate::subject::SYMBOL.of(record);
        Ok(((symbol(&first), symbol(&again)), (symbol(&first), symbol(&other))))
    });
    let drawn = match drawn {
        Ok(drawn) => drawn,
        Err(problem) => return Finding::broken(NAME, PROMISE, &problem.to_string()),
    };
    let (same, different): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
    let (area, yes, no) = best(&same, &different);
    let error = auc_error(area, yes.len(), no.len());
    let allowed = if full { 0.0 } else { SPREAD * error };
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{pairs} pairs of records, best classifier trained on half of them, tastes spread by 0.2 around 0.3"),
        result: format!("area under the curve {area:.4} (0.5 is chance), at most 0.51 wanted"),
        pass: area <= 0.51 + allowed,
        numbers: vec![("auc".into(), area), ("standard error".into(), error), ("pairs".into(), pairs as f64)],
    }
}

/// One record with a name on it: was the answer yes?
#[must_use]
pub fn membership(full: bool) -> Finding {
    const NAME: &str = "one named record";
    const PROMISE: &str = "even a record with a name on it leaves what you did in doubt";
    let count: u64 = if full { 2_000_000 } else { 200_000 };
    let drawn = pressed(count, |press, _| Ok((press.record(true)?, press.record(false)?)));
    let drawn = match drawn {
        Ok(drawn) => drawn,
        Err(problem) => return Finding::broken(NAME, PROMISE, &problem.to_string()),
    };
    let (played, not): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
    // The attacker sees all 128 bits.
    let (area, yes, no) = best(&played, &not);
    // At 1 % of false alarms: flags scores from the top, and a random part of the ties at the border.
    let mut scores = no.clone();
    scores.sort_by(|a, b| b.total_cmp(a));
    let border = scores[no.len() / 100];
    let above = |scores: &[f64]| scores.iter().filter(|score| **score > border).count() as f64;
    let tied = |scores: &[f64]| scores.iter().filter(|score| **score == border).count() as f64;
    let share = (0.01 * no.len() as f64 - above(&no)) / tied(&no);
    let hits = above(&yes) + share * tied(&yes);
    let rate = hits / yes.len() as f64;
    let trials = yes.len() as u64;
    let (low, high) = (at_least(hits as u64, trials, 0.025), at_most(hits as u64, trials, 0.025));
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{count} records of each answer, all 128 bits, best classifier, 1 % false alarms"),
        result: format!(
            "finds {:.2} % [{:.2}, {:.2}] at 1 % false alarms, at most 2.72 % wanted; area {area:.3}",
            100.0 * rate,
            100.0 * low,
            100.0 * high
        ),
        // e / 100, within the interval's width.
        pass: rate - 0.0272 <= (high - low) / 2.0 * SPREAD / 1.96,
        numbers: vec![("rate".into(), rate), ("low".into(), low), ("high".into(), high), ("auc".into(), area)],
    }
}

/// A shuffled batch of 10,000 records: is the listener among those who answered yes?
#[must_use]
pub fn shuffle(full: bool) -> Finding {
    const NAME: &str = "shuffled batch";
    const PROMISE: &str = "in a released batch a single answer cannot be seen";
    const BATCH: u32 = 10_000;
    let batches: u64 = if full { 100_000 } else { 4_000 };
    let Some(epsilon) = Epsilon::from_index(2) else { return Finding::broken(NAME, PROMISE, "no epsilon") };
    let counted: Result<Vec<(f64, f64)>, Error> = (0..batches)
        .into_par_iter()
        .map(|batch| {
            let mut words = Words::new(batch | 1 << 50);
            let mut with = |answer: u8| -> Result<f64, Error> {
                let mut ones = u32::from(randomise(answer, 2, epsilon, &mut words)?);
                // Three in ten of the others have played.
                for other in 1..BATCH {
                    ones += u32::from(randomise(u8::from(other * 10 < 3 * BATCH), 2, epsilon, &mut words)?);
                }
                Ok(f64::from(ones))
            };
            Ok((with(1)?, with(0)?))
        })
        .collect();
    let (yes, no): (Vec<f64>, Vec<f64>) = match counted {
        Ok(counted) => counted.into_iter().unzip(),
        Err(problem) => return Finding::broken(NAME, PROMISE, &problem.to_string()),
    };
    // The attacker knows all that is public and sees the number of ones, which is all that a shuffled batch says.
    let area = auc(&yes, &no);
    let error = auc_error(area, yes.len(), no.len()) / 3f64.sqrt();
    let allowed = if full { 0.0 } else { SPREAD * error };
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{batches} batches of {BATCH} records with the listener's yes, and as many with a no"),
        result: format!("area under the curve {area:.4} (0.5 is chance), at most 0.51 wanted"),
        pass: area <= 0.51 + allowed,
        numbers: vec![("auc".into(), area), ("standard error".into(), error), ("batches".into(), batches as f64)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_on_the_truth_succeeds() {
        // The same classifier on answers without a flip links listeners and reads answers.
        let (yes, no): (Vec<u64>, Vec<u64>) = (0..40_000u64).map(|n| (u64::from(n % 10 < 7), u64::from(n % 10 < 3))).unzip();
        assert!(best(&yes, &no).0 > 0.69);
    }

    #[test]
    fn tastes_have_the_spread_that_is_said() {
        let all: Vec<f64> = (0..20_000).map(|number| taste(Key::new(number, Draw::Taste))).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let sd = (all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / all.len() as f64).sqrt();
        assert!((mean - 0.3).abs() < 0.02 && (sd - 0.2).abs() < 0.03, "{mean} {sd}");
    }
}
