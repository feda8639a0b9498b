//! KuaiRand: real impressions in their real time, replayed: how good is the reward model, and what does ranking by it bring?
//!
//! A listener's impressions are taken in the order of their times, [`PAGE`] to a page: one shelf, in the order in which they were really
//! shown. The core ranks the page; then it is told what really happened, at the real times: each card was seen, most were played, and
//! a play ends when it really ended. What is still playing when the next page comes is pending there, as it was in reality. Since
//! every card of a page was seen, the reward of any order is known exactly.
//!
//! Rewards: `r30`, a play of 30 seconds; and by length, `r_dur` = r30 (0.5 + 0.5 c) with c the share of the card that was played (where
//! its length is unknown, 1 - exp(-seconds / 180)), 0 for less than 5 seconds. Counted is the sum over the first [`TOP`] cards.
//!
//! Quality of the reward model: before an outcome is known its chance is read from the score; log-loss and calibration are those of
//! these predictions. Beside it: the rate of all other listeners, for everything; and that rate by tenth of length.
//!
//! The core receives id, share of other listeners' impressions that became r30, an embedding from other listeners' long plays, and
//! lengths. Listeners fall into [`FOLDS`] folds; what one is given comes from the others. The data hold liked and hated impressions
//! only: rates in it say nothing about the feed they come from. All constants were fixed before a policy ran here.

use std::collections::BTreeMap;
use std::path::Path;

use ears_only::bundle::{Bundle, BundleSettings};
use ears_only::clock::Timestamp;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::history::LISTEN_MS;
use ears_only::math::{exp, ln, sigmoid};
use ears_only::page::{Card, CardHandle, Page, Visible};
use ears_only::random::Seed;
use ears_only::ranker::Ranker;
use ears_world::chance::{Draw, Key, sample};
use serde::{Deserialize, Serialize};

use super::HEADER;
use crate::data::{find, lines};
use crate::error::LabError;
use crate::propensities::subjects::Told;
use crate::replay::embedding;
use crate::simulate::judge::{Judged, judge};
use crate::simulate::units;

/// Impressions of a page.
pub const PAGE: usize = 6;
/// Cards whose rewards count.
pub const TOP: usize = 2;
/// Groups of listeners; what one is given is learned from the others.
pub const FOLDS: usize = 5;
/// Impressions with which an item's rate is drawn towards the mean of all.
const SHRINK: f64 = 20.0;
/// A play of less is no play (5 s).
const QUICK_MS: u32 = 5_000;

/// A real impression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impression {
    /// Number of the item.
    pub item: u32,
    /// When, in milliseconds.
    pub at: i64,
    /// Milliseconds played.
    pub played_ms: u32,
    /// Length; 0 when unknown.
    pub duration_ms: u32,
}

impl Impression {
    fn r30(&self) -> f64 {
        f64::from(u8::from(self.played_ms >= LISTEN_MS))
    }

    fn r_dur(&self) -> f64 {
        if self.played_ms < QUICK_MS {
            return 0.0;
        }
        let played = f64::from(self.played_ms);
        let complete = match self.duration_ms {
            0 => 1.0 - exp(-played / 180_000.0),
            duration => (played / f64::from(duration)).min(1.0),
        };
        self.r30() * (0.5 + 0.5 * complete)
    }
}

/// Impressions of each listener in order of time.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// By listener.
    pub listeners: Vec<Vec<Impression>>,
    /// Number of items.
    pub items: usize,
}

impl Data {
    /// Reads the events found under `data`.
    ///
    /// # Errors
    /// When the file is missing, cannot be read or holds something else.
    pub fn read(data: &Path) -> Result<Self, LabError> {
        let mut listeners: BTreeMap<u64, Vec<Impression>> = BTreeMap::new();
        let mut items: BTreeMap<u64, u32> = BTreeMap::new();
        lines(&find(data, "events.csv.gz")?, HEADER, |line| {
            let fields: Vec<&str> = line.split(',').collect();
            if fields.len() != 12 {
                return None;
            }
            let next = items.len() as u32;
            let item = *items.entry(fields[1].parse().ok()?).or_insert(next);
            listeners.entry(fields[0].parse().ok()?).or_default().push(Impression {
                item,
                at: fields[2].parse().ok()?,
                played_ms: fields[8].parse().ok()?,
                duration_ms: fields[9].parse().ok()?,
            });
            Some(())
        })?;
        let mut listeners: Vec<Vec<Impression>> = listeners.into_values().collect();
        for impressions in &mut listeners {
            impressions.sort_by_key(|impression| (impression.at, impression.item));
            // An item shown twice within a page could not be told apart; the later one goes.
            let mut last: BTreeMap<u32, usize> = BTreeMap::new();
            let mut kept = Vec::with_capacity(impressions.len());
            for impression in impressions.iter() {
                if last.get(&impression.item).is_none_or(|place| kept.len() - place >= PAGE) {
                    last.insert(impression.item, kept.len());
                    kept.push(*impression);
                }
            }
            *impressions = kept;
        }
        Ok(Self { listeners, items: items.len() })
    }
}

/// What a fold is given, from the other folds.
struct Given {
    base: f64,
    rates: Vec<f64>,
    embeddings: Vec<f32>,
    /// Upper ends of the tenths of length, and the rate of each.
    lengths: Vec<u32>,
    by_length: Vec<f64>,
}

impl Given {
    fn learn(data: &Data, fold: usize) -> Self {
        let others = || data.listeners.iter().enumerate().filter(|(listener, _)| listener % FOLDS != fold).map(|(_, all)| all);
        let mut counts = vec![(0.0, 0.0); data.items];
        let mut all = (0.0, 0.0);
        let mut known: Vec<u32> = Vec::new();
        for impression in others().flatten() {
            for (plays, seen) in [&mut counts[impression.item as usize], &mut all] {
                *plays += impression.r30();
                *seen += 1.0;
            }
            known.push(impression.duration_ms);
        }
        let base = all.0 / f64::max(all.1, 1.0);
        known.sort_unstable();
        let lengths: Vec<u32> = (1..10).map(|tenth| known.get(tenth * known.len() / 10).copied().unwrap_or(0)).collect();
        let mut tenths = [(0.0, 0.0); 10];
        for impression in others().flatten() {
            let (plays, seen) = &mut tenths[tenth(&lengths, impression.duration_ms)];
            *plays += impression.r30();
            *seen += 1.0;
        }
        let rows: Vec<Vec<(u32, u32)>> = others()
            .map(|impressions| {
                let mut long: Vec<u32> = impressions.iter().filter(|i| i.played_ms >= LISTEN_MS).map(|i| i.item).collect();
                long.sort_unstable();
                long.dedup();
                long.into_iter().map(|item| (item, 1)).collect()
            })
            .collect();
        let rows: Vec<&[(u32, u32)]> = rows.iter().map(Vec::as_slice).collect();
        let shrunk = |(plays, seen): &(f64, f64)| (plays + SHRINK * base) / (seen + SHRINK);
        Self {
            base,
            rates: counts.iter().map(shrunk).collect(),
            embeddings: embedding::of_artists(&rows, data.items),
            by_length: tenths.iter().map(shrunk).collect(),
            lengths,
        }
    }

    fn card(&self, impression: &Impression) -> Card {
        let from = impression.item as usize * embedding::DIMENSIONS;
        let embedding = &self.embeddings[from..from + embedding::DIMENSIONS];
        let known = embedding.iter().any(|v| *v != 0.0);
        Card {
            id: format!("item:{}", impression.item),
            duration_ms: (impression.duration_ms > 0).then_some(impression.duration_ms),
            popularity: Some(self.rates[impression.item as usize] as f32),
            embedding: if known { embedding.to_vec() } else { Vec::new() },
            ..Card::default()
        }
    }
}

/// The tenth of length that a card belongs to.
fn tenth(lengths: &[u32], duration_ms: u32) -> usize {
    lengths.partition_point(|end| *end <= duration_ms)
}

/// Rewards of the first cards, summed over a listener's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rewards {
    /// Plays of 30 seconds.
    pub r30: f64,
    /// The same by length.
    pub r_dur: f64,
}

impl Rewards {
    fn add(&mut self, top: impl Iterator<Item = Impression>) {
        for impression in top.take(TOP) {
            self.r30 += impression.r30();
            self.r_dur += impression.r_dur();
        }
    }
}

/// A prediction and its outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Predicted {
    ears: f64,
    base: f64,
    by_length: f64,
    tenth: usize,
    r30: f64,
}

/// One listener's replay.
struct Replayed {
    ears: Rewards,
    popularity: Rewards,
    random: Rewards,
    shown: Rewards,
    oracle: Rewards,
    pages: u64,
    /// Pages at which something was still playing.
    pending: u64,
    predicted: Vec<Predicted>,
}

/// Ranks pages of all listeners until `told` has seen enough.
///
/// # Errors
/// When nobody has a page of impressions, or the core refuses something.
pub fn watched(data: &Data, model: &BundleSettings, told: Told<'_>) -> Result<(), LabError> {
    let given = Given::learn(data, 0);
    if !data.listeners.iter().any(|impressions| impressions.len() >= PAGE) {
        return Err(LabError::unreadable(format!("expected a listener with at least {PAGE} impressions, got none")));
    }
    let mut more = true;
    for round in 0.. {
        for (listener, impressions) in data.listeners.iter().enumerate() {
            replay(&given, impressions, (round << 32) | listener as u64, model, &mut |ranker, ranked| {
                more = told(ranker, ranked);
                more
            })?;
            if !more {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One listener's impressions under a model; `told` of every page, false stops.
fn replay(
    given: &Given,
    impressions: &[Impression],
    listener: u64,
    model: &BundleSettings,
    told: Told<'_>,
) -> Result<Replayed, LabError> {
    let mut ranker = Ranker::seeded(Bundle::new(model.clone())?, Seed::from_number(listener))?;
    let shelf = ranker.catalogue_mut().register_shelf("feed", "feed", "Feed")?;
    let mut cards: BTreeMap<u32, CardHandle> = BTreeMap::new();
    // What has begun and not yet been told: time, order of arrival, event.
    let mut due: Vec<(i64, usize, ListeningEvent)> = Vec::new();
    let mut arrived = 0;
    let none = Rewards::default();
    let mut found = Replayed {
        ears: none,
        popularity: none,
        random: none,
        shown: none,
        oracle: none,
        pages: 0,
        pending: 0,
        predicted: Vec::new(),
    };
    for page in impressions.chunks_exact(PAGE) {
        let now = page[0].at;
        tell(&mut ranker, &mut due, now)?;
        found.pages += 1;
        found.pending += u64::from(!due.is_empty());
        let mut builder = Page::builder(Visible { shelves: 1, cards: PAGE });
        builder.shelf(shelf, false);
        for impression in page {
            let card = ranker.catalogue_mut().register(given.card(impression))?;
            cards.insert(impression.item, card);
            builder.card(card, false);
        }
        let ranked = ranker.rank(&builder.build()?, Timestamp::clamped(now))?;
        if !told(&ranker, &ranked) {
            break;
        }
        let mut order = Vec::with_capacity(PAGE);
        for card in &ranked.cards {
            let Some(at) = card.index else { continue };
            let impression = page[at];
            let tenth = tenth(&given.lengths, impression.duration_ms);
            found.predicted.push(Predicted {
                ears: sigmoid(card.score),
                base: given.base,
                by_length: given.by_length[tenth],
                tenth,
                r30: impression.r30(),
            });
            order.push(impression);
        }
        found.ears.add(order.into_iter());
        let by = |value: &dyn Fn(&Impression) -> f64| {
            let mut sorted = page.to_vec();
            sorted.sort_by(|a, b| value(b).total_cmp(&value(a)));
            sorted
        };
        found.popularity.add(by(&|i| given.rates[i.item as usize]).into_iter());
        found.oracle.add(by(&|i| i.r30() + i.r_dur()).into_iter());
        found.shown.add(page.iter().copied());
        let key = Key::new(1, Draw::Candidates).with(listener).with(found.pages);
        let places: Vec<u32> = (0..PAGE as u32).collect();
        found.random.add(sample(&places, PAGE, key).into_iter().map(|place| page[place as usize]));
        for impression in page {
            let (card, at) = (cards[&impression.item], Timestamp::clamped(impression.at));
            let event =
                |kind, ms_played, at| ListeningEvent { kind, decision: Some(ranked.id), shelf: Some(shelf), card, ms_played, at };
            let mut arrive = |event: ListeningEvent| {
                arrived += 1;
                due.push((event.at.ms(), arrived, event));
            };
            arrive(event(EventKind::Impression, None, at));
            if impression.played_ms > 0 {
                let kind = if impression.r30() > 0.0 { EventKind::Finish } else { EventKind::Skip };
                arrive(event(kind, Some(impression.played_ms), at.plus_ms(i64::from(impression.played_ms))));
            }
        }
    }
    Ok(found)
}

/// Tells everything that has happened by `now`, in order of time.
fn tell(ranker: &mut Ranker, due: &mut Vec<(i64, usize, ListeningEvent)>, now: i64) -> Result<(), LabError> {
    due.sort_by_key(|(at, arrived, _)| (*at, *arrived));
    let over = due.partition_point(|(at, ..)| *at <= now);
    for (_, _, event) in due.drain(..over) {
        match ranker.observe(&event, event.at) {
            // A play may outlast the log; the history has it.
            Err(error) if error.code() == "unknown_decision" => {}
            other => other?,
        }
    }
    Ok(())
}

/// The rewards of one policy.
type OfPolicy = fn(&Replayed) -> Rewards;

/// Quality of predictions of r30.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Whose.
    pub model: String,
    /// Mean of -ln(predicted chance of what happened).
    pub log_loss: f64,
    /// By tenth of the predictions: mean prediction, share of r30.
    pub calibration: Vec<(f64, f64)>,
    /// Mean distance of the two, each tenth weighing the same.
    pub calibration_error: f64,
    /// By tenth of length, shortest first: mean prediction, share of r30.
    pub by_length: Vec<(f64, f64)>,
}

fn quality(name: &str, predicted: &[Predicted], of: impl Fn(&Predicted) -> f64) -> Quality {
    let mut pairs: Vec<(f64, f64)> = predicted.iter().map(|p| (of(p).clamp(1e-6, 1.0 - 1e-6), p.r30)).collect();
    let log_loss = pairs.iter().map(|(p, y)| -(y * ln(*p) + (1.0 - y) * ln(1.0 - p))).sum::<f64>() / pairs.len().max(1) as f64;
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |pairs: &[(f64, f64)]| {
        let count = pairs.len().max(1) as f64;
        (pairs.iter().map(|p| p.0).sum::<f64>() / count, pairs.iter().map(|p| p.1).sum::<f64>() / count)
    };
    let calibration: Vec<(f64, f64)> =
        (0..10).map(|tenth| mean(&pairs[tenth * pairs.len() / 10..(tenth + 1) * pairs.len() / 10])).collect();
    let by_length = (0..10)
        .map(|tenth| mean(&predicted.iter().filter(|p| p.tenth == tenth).map(|p| (of(p), p.r30)).collect::<Vec<_>>()))
        .collect();
    let calibration_error = calibration.iter().map(|(p, y)| (p - y).abs()).sum::<f64>() / 10.0;
    Quality { model: name.to_owned(), log_loss, calibration, calibration_error, by_length }
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// kuairand.
    pub world: String,
    /// None: the data leave nothing to draw.
    pub seeds: Vec<u64>,
    /// Listeners with at least one page.
    pub listeners: usize,
    /// Pages.
    pub pages: u64,
    /// Share of the pages that came while something was still playing.
    pub pending: f64,
    /// Reward of the first cards by policy, mean over pages.
    pub rewards: BTreeMap<String, Rewards>,
    /// The core against the others by r30, paired by listener.
    pub comparisons: Vec<Judged>,
    /// The same by r_dur.
    pub comparisons_by_length: Vec<Judged>,
    /// Predictions of r30: the core's, the rate of all others, that rate by length.
    pub quality: Vec<Quality>,
}

/// Replays everybody.
///
/// # Errors
/// When there is nobody to replay, or the core refuses something.
pub fn run(
    data: &Data,
    model: &BundleSettings,
    threads: usize,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Report, LabError> {
    if !data.listeners.iter().any(|impressions| impressions.len() >= PAGE) {
        return Err(LabError::unreadable(format!("expected a listener with at least {PAGE} impressions, got none")));
    }
    let folds: Vec<usize> = (0..FOLDS).collect();
    let done = std::sync::atomic::AtomicU64::new(0);
    let runs = units::each(&folds, threads, |&fold| {
        let given = Given::learn(data, fold);
        let own = data.listeners.iter().enumerate().filter(|(l, all)| l % FOLDS == fold && all.len() >= PAGE);
        let replayed: Result<Vec<Replayed>, LabError> =
            own.map(|(l, all)| replay(&given, all, l as u64, model, &mut |_, _| true)).collect();
        progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, FOLDS as u64);
        replayed
    })?;
    let all: Vec<Replayed> = runs.into_iter().flatten().collect();
    let pages: u64 = all.iter().map(|r| r.pages).sum();
    let policies: [(&str, OfPolicy); 5] = [
        ("ears", |r| r.ears),
        ("popularity", |r| r.popularity),
        ("random", |r| r.random),
        ("as_shown", |r| r.shown),
        ("oracle", |r| r.oracle),
    ];
    let judged = |value: fn(Rewards) -> f64| {
        let columns: Vec<Vec<f64>> = policies.iter().map(|(_, of)| all.iter().map(|r| value(of(r))).collect()).collect();
        let others: Vec<(&str, &[f64])> = policies.iter().zip(&columns).skip(1).map(|(p, c)| (p.0, c.as_slice())).collect();
        judge("ears", &columns[0], &others)
    };
    let mean = |of: OfPolicy| Rewards {
        r30: all.iter().map(|r| of(r).r30).sum::<f64>() / pages.max(1) as f64,
        r_dur: all.iter().map(|r| of(r).r_dur).sum::<f64>() / pages.max(1) as f64,
    };
    let predicted: Vec<Predicted> = all.iter().flat_map(|r| r.predicted.iter().copied()).collect();
    Ok(Report {
        format: 1,
        world: "kuairand".into(),
        seeds: Vec::new(),
        listeners: all.len(),
        pages,
        pending: all.iter().map(|r| r.pending).sum::<u64>() as f64 / pages.max(1) as f64,
        rewards: policies.iter().map(|(name, of)| ((*name).to_owned(), mean(*of))).collect(),
        comparisons: judged(|r| r.r30),
        comparisons_by_length: judged(|r| r.r_dur),
        quality: vec![
            quality("ears", &predicted, |p| p.ears),
            quality("rate of all others", &predicted, |p| p.base),
            quality("rate of all others by length", &predicted, |p| p.by_length),
        ],
    })
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} listeners, {} pages of {PAGE}, {:.0} % of them while something was still playing\n\nreward of the first {TOP} cards, \
             mean{:>12}{:>9}\n",
            self.listeners,
            self.pages,
            100.0 * self.pending,
            "r30",
            "r_dur"
        );
        for (name, rewards) in &self.rewards {
            text.push_str(&format!("  {name:<32}{:>10.3}{:>9.3}\n", rewards.r30, rewards.r_dur));
        }
        for (what, all) in [("r30", &self.comparisons), ("r_dur", &self.comparisons_by_length)] {
            text.push_str(&format!("\n{what}, relative difference, paired 95 % interval over listeners\n"));
            for judged in all {
                text.push_str(&format!("  {}\n", judged.line(self.listeners)));
            }
        }
        text.push_str("\npredictions of r30\n");
        for quality in &self.quality {
            text.push_str(&format!(
                "  {:<30} log-loss {:.4}, calibration error {:.3}\n",
                quality.model, quality.log_loss, quality.calibration_error
            ));
        }
        let shown = |pairs: &[(f64, f64)]| {
            pairs.iter().map(|(p, y)| format!("{:.0}/{:.0}", 100.0 * p, 100.0 * y)).collect::<Vec<_>>().join("  ")
        };
        if let Some(ears) = self.quality.first() {
            text.push_str(&format!(
                "\nthe core, predicted/happened in %\n  by tenth of prediction  {}\n  by tenth of length      {}\n",
                shown(&ears.calibration),
                shown(&ears.by_length)
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items below 20 are played long by even listeners, the others by odd ones.
    fn data() -> Data {
        let listeners = (0..40u32).map(|l| {
            let one = |i: u32| {
                let item = (i * 7 + l * 3) % 40;
                let long = (item < 20) == (l % 2 == 0);
                Impression {
                    item,
                    at: 1_600_000_000_000 + i64::from(i) * 20_000,
                    played_ms: if long { 60_000 } else { 2_000 + i * 100 },
                    duration_ms: if i.is_multiple_of(9) { 0 } else { 20_000 + 3_000 * item },
                }
            };
            (0..39).map(one).collect()
        });
        Data { listeners: listeners.collect(), items: 40 }
    }

    #[test]
    fn the_core_learns_what_a_listener_plays_long_and_repeats_itself() {
        let report = run(&data(), &BundleSettings::default(), 1, &|_, _| ()).unwrap();
        assert_eq!(report, run(&data(), &BundleSettings::default(), 3, &|_, _| ()).unwrap());
        assert_eq!((report.listeners, report.pages), (40, 240));
        assert!(report.rewards["ears"].r30 > report.rewards["random"].r30 + 0.2, "{:?}", report.rewards);
        assert!(report.rewards["oracle"].r30 >= report.rewards["ears"].r30);
        // A play of a minute at the end of a page lasts into the next one, which begins 20 seconds later.
        assert!(report.pending > 0.3, "{}", report.pending);
        assert!(run(&Data::default(), &BundleSettings::default(), 1, &|_, _| ()).is_err());
    }

    #[test]
    fn rewards_by_length() {
        let one = |played_ms, duration_ms| Impression { item: 0, at: 0, played_ms, duration_ms };
        assert_eq!(one(4_999, 5_000).r_dur(), 0.0);
        assert_eq!(one(29_999, 30_000).r_dur(), 0.0);
        assert_eq!((one(30_000, 60_000).r30(), one(30_000, 60_000).r_dur()), (1.0, 0.75));
        assert_eq!(one(90_000, 60_000).r_dur(), 1.0);
        assert!((one(180_000, 0).r_dur() - (0.5 + 0.5 * (1.0 - exp(-1.0)))).abs() < 1e-15);
    }

    #[test]
    fn quality_of_known_predictions() {
        let one = |ears, r30| Predicted { ears, base: 0.5, by_length: 0.5, tenth: 3, r30 };
        let predicted: Vec<Predicted> = (0..100).map(|i| one(if i < 50 { 0.2 } else { 0.8 }, f64::from(i % 5 / 4))).collect();
        let found = quality("ears", &predicted, |p| p.ears);
        // One in five happens in both halves.
        let want = 0.5 * (-(0.2 * ln(0.2) + 0.8 * ln(0.8)) - (0.2 * ln(0.8) + 0.8 * ln(0.2)));
        assert!((found.log_loss - want).abs() < 1e-12);
        assert!((found.calibration_error - 0.3).abs() < 1e-12, "{found:?}");
        assert!((found.by_length[3].0 - 0.5).abs() < 1e-12 && (found.by_length[3].1 - 0.2).abs() < 1e-12);
    }
}
