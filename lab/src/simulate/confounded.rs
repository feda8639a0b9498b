//! Does counterfactual training pay? A log in which what was shown tells of what is not in the log.
//!
//! The ranker that made the log knew, from elsewhere, how much each listener cares for each podcast: a number that the app gave with each
//! card, which the devices of tomorrow will not have. It showed podcasts to those who play them and hid them from the others, with known
//! chances. In its log podcasts are played often; for a listener drawn at random they are not. A model fitted to the rows as they come
//! believes the log; rows weighted by inverse propensities say what a podcast is worth to everybody.
//!
//! Each body is trained on the log with each objective and runs on the devices of other listeners, all with the same luck. Decisions of the
//! log are the first card of the page's first shelf, with all cards of the shelf as candidates and the features that the device had when
//! it ranked. Of places further down the core says the chance given what stands above, which the ranker chose by what it knew: weighed by
//! that alone they would not say what a uniform policy earns there.

use std::path::PathBuf;

use ears_only::bundle::{Bundle, BundleSettings};
use ears_only::context::Context;
use ears_only::features::{Column, FeatureMaker, FeatureSchema, Source};
use ears_only::math::logit;
use ears_only::page::CardKind;
use ears_world::World;
use ears_world::candidates::{CandidateShelf, Candidates};
use ears_world::listener::{Listener, Look, VISITS};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::device::Device;
use super::families::{Bundles, Unit, columns, exploring, live, streams};
use super::units::{Units, each};
use super::{Settings, Stage, baseline};
use crate::arguments::{Long, Seeds};
use crate::error::LabError;
use crate::interval::relative_difference;
use crate::table::Comparison;
use crate::train;
use crate::train::fitted;
use crate::train::gradient::Found;
use crate::train::log::{Log, Slices};
use crate::train::objective::Objective;

/// Seeds of the log that is trained on; of no run.
const TRAINING_SEEDS: std::ops::Range<u64> = 2_001..2_004;
/// Largest inverse propensity that counts: ten times that of a uniform page's first card.
const CLIP: f64 = 2_000.0;
/// The column that only the ranker of the log had.
const KNEW: &str = "knew";
/// Log-odds of a listener to whom podcasts are worth as much as the rest; what the ranker knew is counted from there.
const USUAL: f64 = -3.2;
/// What the ranker knew is kept within this, and its weight in the ranker's score.
const MOST: f64 = 3.0;
const WEIGHT: f64 = 1.5;
/// Bodies and the objectives that each is trained with; the first is what the others are compared with.
const PLAN: [(&str, &[&str]); 3] = [
    ("linear", &["naive", "ips", "snips", "dr", "poem", "banditnet"]),
    ("trees", &["naive", "ips", "snips", "dr"]),
    ("network", &["naive", "ips", "snips", "dr", "poem", "banditnet"]),
];

/// Trains bodies naively and counterfactually on the log of a ranker that knew more than they do, and runs them on other devices.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    seeds: Seeds,
    /// Listeners of each run.
    #[arg(long, default_value_t = 100)]
    listeners: u32,
    /// Listeners of each of the log's three seeds. Default: as many as a run has.
    #[arg(long)]
    log_listeners: Option<u32>,
    /// Days of each run and of the log, two visits each.
    #[arg(long, default_value_t = 30)]
    days: u32,
    /// Folder in which the bundles are kept, BODY-OBJECTIVE.bundle.
    #[arg(long)]
    bundles: Option<PathBuf>,
    /// Writes the log as a table, to train from by hand.
    #[arg(long)]
    log: Option<PathBuf>,
    #[command(flatten)]
    long: Long,
}

/// A body trained with an objective.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Arm {
    /// The body.
    pub body: String,
    /// The objective.
    pub objective: String,
    /// Chance of a stream that the model expects of a podcast in the page's first place: mean over the judging rows, weighted as the
    /// objective weighs them.
    pub podcast: f64,
    /// Kish's effective sample size of the rows.
    pub effective_size: f64,
    /// What the ranking earns by the log, where that is what was trained.
    pub ranking: Option<Found>,
    /// With the head that learns, by run.
    pub learning: Vec<Unit>,
    /// With the head held still, by run.
    pub frozen: Vec<Unit>,
    /// Streams of both kinds over those of the same body trained naively; none for the naive one.
    pub over_naive: Vec<Comparison>,
    /// Streams of both kinds over those of the regression that the ranking started from, `snips`; of the rankings only.
    pub over_regression: Vec<Comparison>,
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
    /// Decisions of the log.
    pub decisions: usize,
    /// Rate of rewards of podcasts in the log, as it came and with rows weighted by inverse propensities.
    pub podcast_rates: [f64; 2],
    /// The same of everything else.
    pub other_rates: [f64; 2],
    /// Streams of learned popularity by run.
    pub popularity: Vec<u64>,
    /// What was trained.
    pub arms: Vec<Arm>,
}

/// A model by common sense that also hears what the ranker knew, exploring.
fn logging_bundle() -> Result<Bundle, LabError> {
    let mut columns = columns();
    columns.push(Column { min: -MOST as f32, max: MOST as f32, ..Column::new(KNEW, Source::Given) });
    let mut settings = BundleSettings { columns: Some(columns), policy: exploring(), ..BundleSettings::default() };
    settings.prior.mean = [
        ("popularity", 1.0),
        ("artist_affinity", 1.0),
        ("family_affinity", 2.0),
        ("card_affinity", 1.0),
        ("fatigue", -1.0),
        (KNEW, WEIGHT),
    ]
    .map(|(name, mean)| (name.to_owned(), mean))
    .to_vec();
    settings.prior.default_sd = 0.01;
    Ok(Bundle::new(settings)?)
}

/// What the ranker knew of a page's cards.
fn knew(world: &World, listener: &Listener<'_>, page: &[CandidateShelf], at: ears_only::clock::Timestamp) -> Vec<f32> {
    let items = world.catalogue().items();
    let of = |&item: &u32| match items[item as usize].card.kind {
        CardKind::Podcast => (logit(listener.true_chance(item, at)) - USUAL).clamp(-MOST, MOST) as f32,
        _ => 0.0,
    };
    page.iter().flat_map(|shelf| &shelf.cards).map(of).collect()
}

/// One decision of the log: the candidates' features, the shown card first; its propensity given the shelf, that of the shelf at the top,
/// and the reward.
struct Row {
    features: Vec<f32>,
    cards: usize,
    propensity: f64,
    of_shelf: f64,
    reward: f64,
    podcast: bool,
}

/// Whether a look is a decision of the log: the one place whose chance depends on nothing placed before it.
fn decides(look: &Look) -> bool {
    look.shelf == 0 && look.position == 0
}

/// The log of one listener's device.
fn listen(stage: &Stage<'_>, schema: &FeatureSchema, number: u32) -> Result<Vec<Row>, LabError> {
    let mut listener = Listener::new(stage.world, stage.seed, number);
    let mut device = stage.device(number)?;
    device.import(&listener)?;
    let mut rows = Vec::new();
    for day in 0..stage.settings.days {
        listener.begin_day(day);
        let page = stage.candidates.page(stage.seed, number, day);
        for visit in 0..VISITS {
            let visit = listener.visit(day, visit);
            let given = knew(stage.world, &listener, &page, visit.at);
            let before = features(schema, &mut device, &page, visit.at)?;
            let (shown, ranked) = device.rank_given(&page, given, visit.at)?;
            let looks = listener.browse(visit, &shown.items);
            for look in looks.iter().filter(|look| decides(look)) {
                let (Some(shelf), Some(placed)) = (ranked.shelves.get(look.shelf), shown.shelves.get(look.shelf)) else {
                    return Err(LabError::failed("expected every shelf that was looked at on the page, found one that is not"));
                };
                let card = &ranked.cards[shelf.cards.clone()][0];
                let Some((_, of_shelf)) = before.iter().find(|(handle, _)| handle == placed) else {
                    return Err(LabError::failed("expected the shelf among the candidates, found none"));
                };
                let cards = page.iter().find(|shelf| shelf.cards.contains(&look.item)).map_or(&[][..], |shelf| &shelf.cards);
                let Some(chosen) = cards.iter().position(|item| *item == look.item) else {
                    return Err(LabError::failed("expected the card on its shelf, found none"));
                };
                let width = schema.width() - 1;
                let of = |at: usize| &of_shelf[at * width..(at + 1) * width];
                let order = [chosen].into_iter().chain((0..cards.len()).filter(|at| *at != chosen));
                rows.push(Row {
                    features: order.flat_map(|at| of(at).iter().copied()).collect(),
                    cards: cards.len(),
                    propensity: card.propensity,
                    of_shelf: shelf.propensity,
                    reward: f64::from(u8::from(look.is_stream())),
                    podcast: stage.world.catalogue().items()[look.item as usize].card.kind == CardKind::Podcast,
                });
            }
            device.observe(&shown, &looks, |_, _| ())?;
        }
    }
    Ok(rows)
}

/// The features of all candidates, shelf by shelf, as the device has them before it ranks.
fn features(
    schema: &FeatureSchema,
    device: &mut Device,
    page: &[CandidateShelf],
    at: ears_only::clock::Timestamp,
) -> Result<Vec<(ears_only::page::ShelfHandle, Vec<f32>)>, LabError> {
    let mut handles = Vec::with_capacity(page.len());
    for shelf in page {
        handles.push(device.ranker.catalogue_mut().register_shelf(&shelf.id, shelf.kind, &shelf.title)?);
    }
    let context = Context::new(at, 0, Vec::new());
    let catalogue = device.ranker.catalogue();
    let maker = FeatureMaker::new(schema, device.ranker.history(), catalogue, &context);
    let mut row = vec![0.0; schema.stride()];
    let mut all = Vec::with_capacity(page.len());
    for (shelf, handle) in page.iter().zip(handles) {
        let mut values = Vec::with_capacity(shelf.cards.len() * (schema.width() - 1));
        for &item in &shelf.cards {
            maker.write(device.cards[item as usize], catalogue.kind_of(handle), &[], &mut row);
            values.extend_from_slice(&row[1..schema.width()]);
        }
        all.push((handle, values));
    }
    Ok(all)
}

/// The log, without what the ranker knew.
fn log(base: &Settings, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Log, LabError> {
    let world = World::demo();
    let candidates = Candidates::new(world.catalogue());
    let schema = FeatureSchema::new(columns())?;
    let jobs: Vec<(u64, u32)> =
        base.seeds.iter().flat_map(|seed| (0..base.listeners).map(move |number| (*seed, number))).collect();
    let done = std::sync::atomic::AtomicU64::new(0);
    let made = each(&jobs, base.threads, |&(seed, number)| {
        let stage = Stage { world: &world, candidates: &candidates, seed, settings: base };
        let rows = listen(&stage, &schema, number)?;
        progress(1 + done.fetch_add(1, std::sync::atomic::Ordering::Relaxed), jobs.len() as u64);
        Ok(rows)
    })?;
    let mut log = Log { columns: columns(), ..Log::default() };
    let mut kinds = Slices { name: "shown".into(), labels: vec!["podcast".into(), "other".into()], of: Vec::new() };
    let mut decision = 0;
    for (listener, rows) in (0u32..).zip(made) {
        for row in rows {
            log.values.extend(&row.features);
            for card in 0..row.cards {
                let shown = card == 0;
                log.reward.push(if shown { row.reward } else { f64::NAN });
                log.propensity.push(if shown { row.propensity } else { 1.0 });
                log.decision_propensity.push(row.of_shelf);
                log.weight.push(1.0);
                log.listener.push(listener);
                log.decision.push(decision);
                kinds.of.push(u32::from(!row.podcast));
            }
            decision += 1;
        }
    }
    log.slices = vec![kinds];
    Ok(log)
}

/// Rate of rewards as the log came and by inverse propensities, of podcasts or of everything else.
fn rates(log: &Log, podcasts: bool) -> [f64; 2] {
    let of = log.slices.first().map_or(&[][..], |slices| &slices.of);
    let shown = (0..log.rows()).filter(|row| !log.reward[*row].is_nan() && (of[*row] == 0) == podcasts);
    let (mut plain, mut weighted) = ((0.0, 0.0), (0.0, 0.0));
    for row in shown {
        let weight = 1.0 / log.chance(row);
        plain = (plain.0 + log.reward[row], plain.1 + 1.0);
        weighted = (weighted.0 + weight * log.reward[row], weighted.1 + weight);
    }
    [plain.0 / f64::max(plain.1, 1.0), weighted.0 / f64::max(weighted.1, 1e-12)]
}

/// What there is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seeds of the runs.
    pub seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// Listeners of each seed of the log.
    pub log_listeners: u32,
    /// Days of each.
    pub days: u32,
    /// Threads.
    pub threads: usize,
}

/// One run to make: of learned popularity where there is no bundle.
struct Job<'a> {
    name: String,
    /// With the bytes that its training wrote.
    bundle: Option<(&'a Bundle, &'a [u8])>,
    seed: u64,
}

impl Job<'_> {
    /// The name of the unit: it belongs to the bundle that was run; another training, another unit.
    fn unit(&self, plan: &Plan) -> String {
        let mut unit = format!("{}, {} listeners, {} days", self.name, plan.listeners, plan.days);
        if let Some((_, bytes)) = self.bundle {
            unit.push_str(", bundle ");
            Sha256::digest(bytes).iter().for_each(|byte| unit.push_str(&format!("{byte:02x}")));
        }
        unit
    }
}

/// Takes the log, or the bytes of a bundle under its name.
pub type Keep<'a> = dyn FnMut(Option<&Log>, &str, &[u8]) -> Result<(), LabError> + 'a;

/// Makes the log, trains and runs everything; calls `progress` with the number of units done and of all. `keep` is handed the log, and the
/// bundle of every body and objective under its name.
///
/// # Errors
/// When seeds of runs are seeds of the log, there is nothing to run, or training or the core fails.
pub fn run(plan: &Plan, units: &Units, keep: &mut Keep<'_>, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    if plan.seeds.is_empty() || plan.seeds.iter().any(|seed| TRAINING_SEEDS.contains(seed)) {
        return Err(LabError::unreadable(format!(
            "expected runs with other seeds than those of the log, {TRAINING_SEEDS:?}, found {:?}",
            plan.seeds
        )));
    }
    let base = Settings {
        seeds: TRAINING_SEEDS.collect(),
        listeners: plan.listeners,
        days: plan.days,
        bundle: logging_bundle()?,
        threads: plan.threads,
    };
    let log = log(&Settings { listeners: plan.log_listeners, ..base.clone() }, &|_, _| ())?;
    keep(Some(&log), "", &[])?;
    let arms: Vec<(&str, &str)> =
        PLAN.iter().flat_map(|(body, objectives)| objectives.iter().map(move |objective| (*body, *objective))).collect();
    let all = (arms.len() * (1 + plan.seeds.len()) + plan.seeds.len()) as u64;
    let done = std::sync::atomic::AtomicU64::new(0);
    let tick = || progress(1 + done.fetch_add(1, std::sync::atomic::Ordering::Relaxed), all);
    let mut made = Vec::new();
    for (body, objective) in &arms {
        let settings = train::Settings {
            objective: Objective::from_name(objective)?,
            clip: CLIP,
            threads: plan.threads,
            ..train::Settings::new(fitted::Settings::from_name(body, 1)?)
        };
        let bundles = Bundles::new(&log, &settings, "confounded", &format!("{body}-{objective}"))?;
        keep(None, &format!("{body}-{objective}"), &bundles.bytes)?;
        tick();
        made.push(bundles);
    }
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for &seed in &plan.seeds {
        jobs.push(Job { name: format!("popularity {seed}"), bundle: None, seed });
        for ((body, objective), bundles) in arms.iter().zip(&made) {
            for (head, bundle) in [("learning", &bundles.learning), ("frozen", &bundles.frozen)] {
                let bundle = Some((bundle, &bundles.bytes[..]));
                jobs.push(Job { name: format!("{body} {objective} {head} {seed}"), bundle, seed });
            }
        }
    }
    let world = World::demo();
    let candidates = Candidates::new(world.catalogue());
    let results = each(&jobs, plan.threads, |job| {
        let unit = units.unit(&job.unit(plan), || {
            let settings = Settings { bundle: job.bundle.map_or(&base.bundle, |(bundle, _)| bundle).clone(), ..base.clone() };
            let stage = Stage { world: &world, candidates: &candidates, seed: job.seed, settings: &settings };
            match job.bundle {
                Some(_) => live(&stage),
                None => {
                    Ok(Unit { streams: baseline::popularity(&stage)?, late: 0, seen: 0, log_loss: 0.0, calibration_error: 0.0 })
                }
            }
        })?;
        if !job.name.contains("frozen") {
            tick();
        }
        Ok(unit)
    })?;
    let of = |name: &str| -> Vec<Unit> {
        let wanted = |job: &Job<'_>| job.name == format!("{name} {}", job.seed);
        jobs.iter().zip(&results).filter(|(job, _)| wanted(job)).map(|(_, unit)| unit.clone()).collect()
    };
    let over = |body: &str, objective: &str, other: &str| {
        ["learning", "frozen"]
            .map(|head| {
                let units = |objective: &str| streams(&of(&format!("{body} {objective} {head}")));
                Comparison::new(head, other, relative_difference(&units(objective), &units(other)))
            })
            .to_vec()
    };
    let mut report = Report {
        format: 1,
        seeds: plan.seeds.clone(),
        training_seeds: TRAINING_SEEDS.collect(),
        decisions: log.reward.iter().filter(|reward| !reward.is_nan()).count(),
        podcast_rates: rates(&log, true),
        other_rates: rates(&log, false),
        popularity: of("popularity").iter().map(|unit| unit.streams).collect(),
        arms: Vec::new(),
    };
    for ((body, objective), bundles) in arms.iter().zip(&made) {
        let ranks = Objective::from_name(objective)?.ranks();
        let trained = &bundles.trained.report;
        let podcast =
            trained.groups.iter().find(|group| group.group == "podcast").map_or(f64::NAN, |group| group.quality.predicted);
        report.arms.push(Arm {
            body: (*body).to_owned(),
            objective: (*objective).to_owned(),
            podcast,
            effective_size: trained.effective_size,
            ranking: trained.ranking.clone(),
            learning: of(&format!("{body} {objective} learning")),
            frozen: of(&format!("{body} {objective} frozen")),
            over_naive: if *objective == "naive" { Vec::new() } else { over(body, objective, "naive") },
            over_regression: if ranks { over(body, objective, "snips") } else { Vec::new() },
        });
    }
    Ok(report)
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let [podcasts, others] = [self.podcast_rates, self.other_rates];
        let mut text = format!(
            "{} runs, trained on {} decisions of other listeners\nrewards of podcasts in the log {:.4}, by inverse propensities {:.4}; of the rest {:.4} and {:.4}\n\n",
            self.seeds.len(),
            self.decisions,
            podcasts[0],
            podcasts[1],
            others[0],
            others[1]
        );
        let mean = |units: &[Unit]| streams(units).iter().sum::<f64>() / units.len().max(1) as f64;
        for arm in &self.arms {
            text.push_str(&format!(
                "{} {}: streams {:.1}, without learning {:.1}; expects podcasts at {:.4}; effective rows {:.0}\n",
                arm.body,
                arm.objective,
                mean(&arm.learning),
                mean(&arm.frozen),
                arm.podcast,
                arm.effective_size
            ));
            for comparison in arm.over_naive.iter().chain(&arm.over_regression) {
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
            listeners: self.listeners,
            log_listeners: self.log_listeners.unwrap_or(self.listeners),
            days: self.days,
            threads: self.long.threads.count(),
        };
        let units = self.long.partial.units()?;
        let bar = crate::progress::bar("models and runs");
        let mut keep = |log: Option<&Log>, name: &str, bytes: &[u8]| -> Result<(), LabError> {
            match (log, &self.log, &self.bundles) {
                (Some(log), Some(path), _) => log.write(path),
                (None, _, Some(folder)) => {
                    std::fs::create_dir_all(folder).map_err(|error| LabError::file(folder, "a folder to write in", error))?;
                    let file = folder.join(format!("{name}.bundle"));
                    std::fs::write(&file, bytes).map_err(|error| LabError::file(&file, "a writable file", error))
                }
                _ => Ok(()),
            }
        };
        let report = run(&plan, &units, &mut keep, &|done, all| crate::progress::show(&bar, done, all))?;
        bar.finish_and_clear();
        self.long.output.finish(&report, &report.table())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::page::{conditionals, each as each_page};
    use ears_only::page::Visible;
    use ears_only::policy::{PagePolicy, Rule};

    /// Every page of three shelves, with its chance: the expectation of a log.
    #[test]
    fn what_a_uniform_policy_earns_is_told_by_the_decisions_of_the_log_and_not_by_places_further_down() {
        let cards = [2usize, 3, 1];
        // The ranker shows what it knows to be played.
        let reward = [vec![0.9, 0.1], vec![0.05, 0.3, 0.02], vec![0.5]];
        let shelf_logits = vec![1.5, -0.5, 0.0];
        let card_logits = [vec![2.0, -1.0], vec![0.0, 1.0, -1.0], vec![0.0]];
        let visible = Visible { shelves: 3, cards: 1 };
        let candidates = ears_only::slate::Candidates::free(shelf_logits, &card_logits, visible);
        let policy = PagePolicy::of(Rule::plackett_luce(0.2, 0.2)).checked().unwrap();
        let uniform = |shelf: u32| 1.0 / (3.0 * cards[shelf as usize] as f64);
        // One who has streamed looks no further.
        let looked = |pages: &[(u32, u32)], place: usize| -> f64 {
            pages[..place].iter().map(|(shelf, card)| 1.0 - reward[*shelf as usize][*card as usize]).product()
        };
        let (mut whole, mut found, mut wrong, mut truth) = (0.0, 0.0, 0.0, [0.0; 3]);
        each_page(&candidates, &mut |page| {
            let said = conditionals(policy, &candidates, page)?;
            let chance: f64 = said.shelves.iter().chain(said.cards.iter().flatten()).product();
            let stands: Vec<(u32, u32)> = page.shelves.iter().zip(&page.cards).map(|(shelf, cards)| (*shelf, cards[0])).collect();
            let of_uniform: f64 =
                stands.iter().enumerate().map(|(place, (shelf, _))| 3.0 * uniform(*shelf) / (3 - place) as f64).product();
            whole += chance;
            for (place, (shelf, card)) in stands.iter().enumerate() {
                let earned = looked(&stands, place) * reward[*shelf as usize][*card as usize];
                truth[place] += of_uniform * earned;
                let weighed = chance * earned / (said.shelves[place] * said.cards[place][0]);
                let at = ears_only::clock::Timestamp::clamped(0);
                if decides(&Look { shelf: place, position: 0, item: 0, at, played_ms: None }) {
                    found += weighed * uniform(*shelf);
                } else if place == 1 {
                    wrong += weighed * 3.0 * uniform(*shelf) / 2.0;
                }
            }
            Ok(())
        })
        .unwrap();
        assert!((whole - 1.0).abs() < 1e-12);
        assert!((found - truth[0]).abs() < 1e-12, "{found} {}", truth[0]);
        // The second place, weighed by its chance given the first.
        assert!((wrong / truth[1] - 1.0).abs() > 0.1, "{wrong} {}", truth[1]);
    }

    #[test]
    fn a_log_has_one_decision_a_visit_at_most_and_its_chances_are_at_least_those_of_the_floor() {
        let base = Settings { seeds: vec![2_001], listeners: 3, days: 4, bundle: logging_bundle().unwrap(), threads: 2 };
        let log = log(&base, &|_, _| ()).unwrap();
        let shown: Vec<usize> = (0..log.rows()).filter(|row| !log.reward[*row].is_nan()).collect();
        assert!(!shown.is_empty() && shown.len() <= 3 * 4 * VISITS as usize, "{}", shown.len());
        let floor = 0.2 / ears_world::constants::SHELVES as f64;
        for row in shown {
            assert!(log.decision_propensity[row] >= floor - 1e-12 && log.decision_propensity[row] <= 1.0);
            let cards = log.decision.iter().filter(|decision| **decision == log.decision[row]).count();
            assert!(log.propensity[row] >= 0.2 / cards as f64 - 1e-12, "{}", log.propensity[row]);
        }
    }

    #[test]
    fn a_unit_belongs_to_its_bundle() {
        let plan = Plan { seeds: vec![1], listeners: 2, log_listeners: 2, days: 3, threads: 1 };
        let bundle = logging_bundle().unwrap();
        let unit = |bytes| Job { name: "linear ips frozen 1".into(), bundle: Some((&bundle, bytes)), seed: 1 }.unit(&plan);
        assert_eq!(unit(b"a"), unit(b"a"));
        assert_ne!(unit(b"a"), unit(b"b"));
    }
}
