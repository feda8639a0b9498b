//! Which body? Every one is trained on the same log of an exploring policy, goes into a bundle, and runs on the devices of other
//! listeners: with the head that learns, and with the same head held still.

use std::time::Instant;

use ears_only::bundle::{Bundle, BundleSettings, PolicySettings};
use ears_only::features::{Column, Source};
use ears_world::World;
use ears_world::candidates::Candidates;
use ears_world::constants::{DAYS, LISTENERS, VISIBLE_CARDS, VISIBLE_SHELVES};
use ears_world::listener::{Listener, VISITS};
use serde::{Deserialize, Serialize};

use super::units::{Units, each};
use super::{Settings, Stage, baseline, logged};
use crate::arguments::{Long, Seeds};
use crate::bundle;
use crate::error::LabError;
use crate::interval::relative_difference;
use crate::table::Comparison;
use crate::train::fitted;
use crate::train::objective::Objective;
use crate::train::sample::{Quality, Sample};
use crate::train::spread::{self, Spread};
use crate::train::{self, Trained};

/// Seeds of the log that is trained on; of no run.
const TRAINING_SEEDS: std::ops::Range<u64> = 1_001..1_004;
/// Largest inverse propensity that counts: ten times that of a uniform page's first card.
const CLIP: f64 = 2_000.0;
/// The bodies.
const BODIES: [&str; 5] = ["linear", "fm", "trees", "oblivious", "network"];
/// Pages ranked to find the time of one.
const TIMED: usize = 200;

/// Trains every body on an exploring policy's log of the demo world, and runs their bundles beside each other.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    seeds: Seeds,
    /// Listeners of each run.
    #[arg(long, default_value_t = LISTENERS)]
    listeners: u32,
    /// Days of each run, two visits each.
    #[arg(long, default_value_t = DAYS)]
    days: u32,
    /// How rows count in training: naive, ips, snips or mtr.
    #[arg(long, default_value = "ips")]
    objective: String,
    #[command(flatten)]
    long: Long,
}

/// What one bundle did in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Streams of all listeners.
    pub streams: u64,
    /// Those of the last third of the days.
    pub late: u64,
    /// Cards seen at drawn places.
    pub seen: usize,
    /// Mean log-loss of their predicted chances.
    pub log_loss: f64,
    /// Their expected calibration error.
    pub calibration_error: f64,
}

/// One body.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Its name.
    pub body: String,
    /// Its size in words.
    pub size: String,
    /// Bytes of the bundle.
    pub bytes: usize,
    /// Log-loss on the training log's judging listeners.
    pub judged_log_loss: f64,
    /// Expected calibration error there.
    pub judged_calibration_error: f64,
    /// How much listeners differ.
    pub spread: Option<Spread>,
    /// Milliseconds in which a page is ranked, median.
    pub page_ms: f64,
    /// With the head that learns, by run.
    pub learning: Vec<Unit>,
    /// With the head held still, by run.
    pub frozen: Vec<Unit>,
    /// Streams against popularity and with learning against without; `late`, of the last third of the days.
    pub comparisons: Vec<Comparison>,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Seeds of the log.
    pub training_seeds: Vec<u64>,
    /// How rows counted.
    pub objective: String,
    /// Rows of the log.
    pub rows: usize,
    /// Streams of learned popularity by run.
    pub popularity: Vec<u64>,
    /// The bodies.
    pub bodies: Vec<Family>,
}

/// The policy that explores: flatter than the default, with a tenfold floor.
pub(super) fn exploring() -> PolicySettings {
    PolicySettings {
        temperature: 0.5,
        shelf_temperature: 0.3,
        floor_shelves: Some(0.2),
        floor_cards: Some(0.2),
        ..PolicySettings::default()
    }
}

/// Everything that the device derives from history and catalogue.
pub(super) fn columns() -> Vec<Column> {
    [
        Source::Popularity,
        Source::ArtistAffinity,
        Source::FamilyAffinity,
        Source::CardAffinity,
        Source::TasteShort,
        Source::TasteLong,
        Source::NewArtist,
        Source::Recency,
        Source::SkipRate,
        Source::TimeOfDay,
        Source::Willingness,
        Source::Liked,
        Source::Fatigue,
        Source::IsPodcast,
        Source::IsPlaylist,
        Source::Duration,
    ]
    .into_iter()
    .map(|source| Column::new(source.name(), source))
    .collect()
}

/// A model by common sense over the columns above, exploring.
fn logging_bundle() -> Result<Bundle, LabError> {
    let mut settings = BundleSettings { columns: Some(columns()), policy: exploring(), ..BundleSettings::default() };
    settings.prior.mean = [
        ("popularity", 3.0),
        ("artist_affinity", 2.0),
        ("family_affinity", 4.0),
        ("card_affinity", 2.0),
        ("skip_rate", -0.5),
        ("liked", 0.4),
        ("fatigue", -2.0),
    ]
    .map(|(name, mean)| (name.to_owned(), mean))
    .to_vec();
    settings.prior.default_sd = 0.3;
    Ok(Bundle::new(settings)?)
}

/// A trained body as two bundles: its head learns, or is held still.
pub(super) struct Bundles {
    pub(super) trained: Trained,
    pub(super) bytes: Vec<u8>,
    pub(super) learning: Bundle,
    pub(super) frozen: Bundle,
}

impl Bundles {
    pub(super) fn new(log: &train::log::Log, settings: &train::Settings, name: &str, version: &str) -> Result<Self, LabError> {
        let trained = train::train(log, settings, &mut |_, _| ())?;
        let mut draft = trained.draft(name, version);
        let bytes = draft.write()?;
        let learning = bundle::read(&bytes)?.bundle;
        let still = spread::frozen(&trained.body);
        draft.starts = vec![bundle::Start { weight: 1.0, mean: None, spread: bundle::Spread::Each(still.sd) }];
        let frozen = bundle::read(&draft.write()?)?.bundle;
        Ok(Self { trained, bytes, learning, frozen })
    }
}

fn bundles(log: &train::log::Log, body: &str, objective: Objective, threads: usize) -> Result<Bundles, LabError> {
    let settings =
        train::Settings { objective, clip: CLIP, threads, ..train::Settings::new(fitted::Settings::from_name(body, 1)?) };
    Bundles::new(log, &settings, "families", body)
}

/// One bundle on the devices of one run.
pub(super) fn live(stage: &Stage<'_>) -> Result<Unit, LabError> {
    let mut seen = Sample { width: 1, ..Sample::default() };
    let (mut margins, mut streams, mut late) = (Vec::new(), 0, 0);
    for number in 0..stage.settings.listeners {
        let mut listener = Listener::new(stage.world, stage.seed, number);
        let mut device = stage.device(number)?;
        device.import(&listener)?;
        for day in 0..stage.settings.days {
            listener.begin_day(day);
            let page = stage.candidates.page(stage.seed, number, day);
            for visit in 0..VISITS {
                let visit = listener.visit(day, visit);
                let (shown, _) = device.rank(&page, visit.at)?;
                let looks = listener.browse(visit, &shown.items);
                let record = device.ranker.log().find(shown.id);
                for look in looks.iter().filter(|look| look.shelf < VISIBLE_SHELVES && look.position < VISIBLE_CARDS) {
                    let card = record.and_then(|record| record.shelves.get(look.shelf)?.cards.get(look.position));
                    let Some(card) = card else {
                        return Err(LabError::failed("expected every visible card in the device's log"));
                    };
                    margins.push(f64::from(card.score));
                    seen.values.push(0.0);
                    seen.target.push(f64::from(u8::from(look.is_stream())));
                    seen.weight.push(1.0);
                    seen.group.push(number);
                }
                let streamed = looks.iter().filter(|look| look.is_stream()).count() as u64;
                streams += streamed;
                if 3 * day >= 2 * stage.settings.days {
                    late += streamed;
                }
                device.observe(&shown, &looks, |_, _| ())?;
            }
        }
    }
    let quality = Quality::of(&seen, &margins);
    Ok(Unit { streams, late, seen: quality.rows, log_loss: quality.log_loss, calibration_error: quality.calibration_error })
}

/// Median milliseconds of ranking a page on the device of a listener who has used it for some days.
fn page_ms(stage: &Stage<'_>) -> Result<f64, LabError> {
    let mut listener = Listener::new(stage.world, stage.seed, 0);
    let mut device = stage.device(0)?;
    device.import(&listener)?;
    let mut times = Vec::with_capacity(TIMED);
    for day in 0..TIMED as u32 / VISITS {
        listener.begin_day(day);
        let page = stage.candidates.page(stage.seed, 0, day);
        for visit in 0..VISITS {
            let visit = listener.visit(day, visit);
            let start = Instant::now();
            let (shown, _) = device.rank(&page, visit.at)?;
            times.push(start.elapsed().as_secs_f64() * 1_000.0);
            let looks = listener.browse(visit, &shown.items);
            device.observe(&shown, &looks, |_, _| ())?;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times.get(times.len() / 2).copied().unwrap_or(0.0))
}

/// One piece of work: a bundle, by its place, or popularity, in a run.
struct Job<'a> {
    name: String,
    bundle: Option<&'a Bundle>,
    seed: u64,
}

/// What there is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Seeds of the log.
    pub training_seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// Days of each run.
    pub days: u32,
    /// How rows count.
    pub objective: Objective,
    /// Threads.
    pub threads: usize,
}

/// Trains and runs everything; calls `progress` with the number of runs done and of all.
///
/// # Errors
/// When seeds of runs are seeds of the log, there is nothing to run, or training or the core fails.
pub fn run(plan: &Plan, units: &Units, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    if plan.seeds.iter().any(|seed| plan.training_seeds.contains(seed)) {
        return Err(LabError::unreadable(format!(
            "expected runs with other seeds than those of the log, {:?}, found {:?}",
            plan.training_seeds, plan.seeds
        )));
    }
    let base = Settings {
        seeds: plan.training_seeds.clone(),
        listeners: plan.listeners,
        days: plan.days,
        bundle: logging_bundle()?,
        threads: plan.threads,
    };
    let (log, _) = logged::run(&base, &|_, _| ())?;
    let made: Vec<Bundles> =
        BODIES.iter().map(|body| bundles(&log, body, plan.objective, plan.threads)).collect::<Result<_, _>>()?;
    let mut jobs = Vec::new();
    for &seed in &plan.seeds {
        jobs.push(Job { name: "popularity".into(), bundle: None, seed });
        for (body, bundles) in BODIES.iter().zip(&made) {
            jobs.push(Job { name: format!("{body} learning"), bundle: Some(&bundles.learning), seed });
            jobs.push(Job { name: format!("{body} frozen"), bundle: Some(&bundles.frozen), seed });
        }
    }
    let world = World::demo();
    let candidates = Candidates::new(world.catalogue());
    let done = std::sync::atomic::AtomicU64::new(0);
    let results = each(&jobs, plan.threads, |job| {
        let unit = units.unit(&format!("{} {}", job.name, job.seed), || {
            let settings = Settings { bundle: job.bundle.unwrap_or(&base.bundle).clone(), ..base.clone() };
            let stage = Stage { world: &world, candidates: &candidates, seed: job.seed, settings: &settings };
            match job.bundle {
                Some(_) => live(&stage),
                None => {
                    Ok(Unit { streams: baseline::popularity(&stage)?, late: 0, seen: 0, log_loss: 0.0, calibration_error: 0.0 })
                }
            }
        })?;
        progress(1 + done.fetch_add(1, std::sync::atomic::Ordering::Relaxed), jobs.len() as u64);
        Ok(unit)
    })?;
    let of = |name: &str| -> Vec<Unit> {
        jobs.iter().zip(&results).filter(|(job, _)| job.name == name).map(|(_, unit)| unit.clone()).collect()
    };
    let popularity = of("popularity");
    let mut bodies = Vec::new();
    for (body, bundles) in BODIES.iter().zip(&made) {
        let (learning, frozen) = (of(&format!("{body} learning")), of(&format!("{body} frozen")));
        let settings = Settings { bundle: bundles.learning.clone(), ..base.clone() };
        let stage = Stage { world: &world, candidates: &candidates, seed: plan.seeds[0], settings: &settings };
        let compare = |name: &str, a: &[Unit], against: &str, b: &[Unit]| {
            Comparison::new(name, against, relative_difference(&streams(a), &streams(b)))
        };
        let report = &bundles.trained.report;
        bodies.push(Family {
            body: (*body).to_owned(),
            size: report.size.clone(),
            bytes: bundles.bytes.len(),
            judged_log_loss: report.judged.log_loss,
            judged_calibration_error: report.judged.calibration_error,
            spread: report.spread,
            page_ms: page_ms(&stage)?,
            comparisons: vec![
                compare("learning", &learning, "popularity", &popularity),
                compare("frozen", &frozen, "popularity", &popularity),
                compare("learning", &learning, "frozen", &frozen),
                Comparison::new("late", "frozen", relative_difference(&late(&learning), &late(&frozen))),
            ],
            learning,
            frozen,
        });
    }
    Ok(Report {
        format: 1,
        seeds: plan.seeds.clone(),
        training_seeds: plan.training_seeds.clone(),
        objective: plan.objective.name().to_owned(),
        rows: log.rows(),
        popularity: popularity.iter().map(|unit| unit.streams).collect(),
        bodies,
    })
}

fn late(units: &[Unit]) -> Vec<f64> {
    units.iter().map(|unit| unit.late as f64).collect()
}

pub(super) fn streams(units: &[Unit]) -> Vec<f64> {
    units.iter().map(|unit| unit.streams as f64).collect()
}

/// Mean of a number over runs.
fn mean(units: &[Unit], value: impl Fn(&Unit) -> f64) -> f64 {
    units.iter().map(value).sum::<f64>() / units.len().max(1) as f64
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} runs, trained on {} cards of other listeners, objective {}\n\n",
            self.seeds.len(),
            self.rows,
            self.objective
        );
        for family in &self.bodies {
            let loss = |units: &[Unit]| (mean(units, |unit| unit.log_loss), mean(units, |unit| unit.calibration_error));
            let ((a, b), (c, d)) = (loss(&family.learning), loss(&family.frozen));
            text.push_str(&format!(
                "{} ({}), bundle of {} bytes, {:.2} ms a page\n  log-loss {a:.4} and calibration error {b:.4} on its pages; without learning {c:.4} and {d:.4}\n",
                family.body, family.size, family.bytes, family.page_ms
            ));
            for comparison in &family.comparisons {
                text.push_str(&format!("  {}\n", comparison.line()));
            }
        }
        text
    }
}

impl Arguments {
    /// Runs, and prints or writes the report.
    ///
    /// # Errors
    /// As [`run`], or when a file cannot be written.
    pub fn run(&self) -> Result<(), LabError> {
        let plan = Plan {
            seeds: self.seeds.all(10),
            training_seeds: TRAINING_SEEDS.collect(),
            listeners: self.listeners,
            days: self.days,
            objective: Objective::from_name(&self.objective)?,
            threads: self.long.threads.count(),
        };
        let units = self.long.partial.units()?;
        let bar = crate::progress::bar("runs");
        let report = run(&plan, &units, &|done, all| crate::progress::show(&bar, done, all))?;
        bar.finish_and_clear();
        self.long.output.finish(&report, &report.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_trained_shipped_and_run() {
        let plan = Plan {
            seeds: vec![1, 2],
            training_seeds: vec![1_001],
            listeners: 12,
            days: 6,
            objective: Objective::Ips,
            threads: 2,
        };
        let report = run(&plan, &Units::nowhere(), &|_, _| ()).unwrap();
        assert_eq!(report.bodies.len(), BODIES.len());
        for family in &report.bodies {
            assert!(family.bytes > 500 && family.learning.len() == 2 && family.learning[0].seen > 100, "{family:?}");
            assert!(family.learning != family.frozen, "{}: the head learned nothing", family.body);
        }
        assert!(run(&Plan { seeds: vec![1_001], ..plan }, &Units::nowhere(), &|_, _| ()).is_err());
    }
}
