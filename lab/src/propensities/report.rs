//! `check-propensities`: both tests on every policy that may log, in every world.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::subjects::{Arms, Named, arms, carousel, core, policies};
use super::{Bets, FALSE_ALARM, PREFIXES, TARGETS, Watch, chi_square_bound};
use crate::error::LabError;
use crate::simulate::carousel::world::World as Carousel;
use crate::simulate::units::each;
use crate::simulate::{self, kuairand, lastfm, movielens};

/// Share of uniform pages that nobody states, planted to see both tests find it.
pub const PLANTED: f64 = 0.02;
/// The policy in which it is planted.
const PLANTED_IN: &str = "greedy with a floor";
/// Pages it is given.
const PLANTED_PAGES: u64 = 50_000;

/// One policy in one world.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Of the world.
    pub world: String,
    /// Of the policy.
    pub policy: String,
    /// Pages drawn.
    pub pages: u64,
    /// Mean weight of the target uniform on prefixes of 1, 2 and 3 places.
    pub mean_weights: Vec<f64>,
    /// ln of the largest capital of a bettor against mean weight 1, over prefixes and targets.
    pub evidence: f64,
    /// Chi-square of the first card, drawn against stated.
    pub chi_square: f64,
    /// Its degrees of freedom.
    pub freedom: usize,
    /// Whether the weights raise an alarm.
    pub weights_alarm: bool,
    /// Whether chi-square does.
    pub chi_square_alarm: bool,
    /// Whether an error was planted.
    pub planted: bool,
}

impl Row {
    fn new(world: &str, policy: &str, watch: &Watch, tests: usize, planted: bool) -> Result<Self, LabError> {
        let alarm = FALSE_ALARM / tests as f64;
        let (chi_square, freedom) = watch.chi().statistic()?;
        let evidence = watch.bets().iter().flatten().map(Bets::evidence).fold(f64::NEG_INFINITY, f64::max);
        Ok(Self {
            world: world.to_owned(),
            policy: policy.to_owned(),
            pages: watch.pages(),
            mean_weights: watch.bets().iter().map(|bets| bets[0].mean()).collect(),
            evidence,
            chi_square,
            freedom,
            weights_alarm: evidence > -libm::log(alarm),
            chi_square_alarm: freedom > 0 && chi_square > chi_square_bound(freedom, alarm),
            planted,
        })
    }

    /// Silent where nothing was planted, found by both tests where something was.
    #[must_use]
    pub fn passes(&self) -> bool {
        (self.weights_alarm, self.chi_square_alarm) == (self.planted, self.planted)
    }
}

/// All rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Chance of any false alarm.
    pub false_alarm: f64,
    /// Every policy in every world, and the planted error last.
    pub rows: Vec<Row>,
    /// Policies that may not log, with their worlds.
    pub refused: Vec<String>,
}

impl Report {
    /// Whether every row is as it should be.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.rows.iter().all(Row::passes)
    }

    /// As text.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from(
            "world      policy                                    pages   mean weight of uniform   evidence  chi-square (freedom)\n",
        );
        for row in &self.rows {
            let means: Vec<String> = row.mean_weights.iter().map(|mean| format!("{mean:.3}")).collect();
            let verdict = match (row.passes(), row.planted) {
                (true, false) => "",
                (true, true) => "  planted error found by both",
                (false, false) => "  ALARM",
                (false, true) => "  PLANTED ERROR MISSED",
            };
            let _ = writeln!(
                text,
                "{:<10} {:<38} {:>8}   {:<22} {:>9.1}  {:>8.1} ({}){verdict}",
                row.world,
                row.policy,
                row.pages,
                means.join(" "),
                row.evidence,
                row.chi_square,
                row.freedom
            );
        }
        let _ = writeln!(
            text,
            "\nalarms wanted: none but the planted one; chance of a false one, all together: {:.0e}",
            self.false_alarm
        );
        text
    }
}

enum Job<'a> {
    Core(&'a str, usize, &'a Named),
    Arms(&'a Arms),
    Planted(&'a Arms),
}

/// A carousel of 24 playlists for 40 users with two features, playlists of rising appeal.
fn small_carousel() -> Result<Carousel, LabError> {
    let features = (0..80u8).map(|i| f32::from(i % 7) / 7.0).collect();
    let weights: Vec<f64> =
        (0..24u8).flat_map(|i| [f64::from(i % 5) / 5.0, f64::from(i % 3) / 3.0, f64::from(i) / 8.0 - 5.0]).collect();
    Carousel::new(features, 2, (0..40).map(|user| user % 4).collect(), &weights)
}

/// Runs both tests.
///
/// - `data`: where the data of the worlds lie; without it the demo world and the planted error alone.
/// - `pages`: of each policy in each world; of Thompson sampling a twentieth.
///
/// # Errors
/// When data are missing or the core refuses something.
pub fn run(data: Option<&Path>, pages: u64, threads: usize, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    if pages == 0 {
        return Err(LabError::unreadable("expected at least one page, got 0"));
    }
    let (policies, arms) = (policies(), arms());
    let worlds = data.map(Worlds::read).transpose()?;
    let mut lists = vec![("demo", simulate::LONGEST_LIST)];
    if let Some(worlds) = &worlds {
        lists.push(("lastfm", lastfm::constants::CARDS));
        lists.push(("movielens", worlds.movielens.longest_list()));
        lists.push(("kuairand", kuairand::replay::PAGE));
    }
    let (mut jobs, mut refused) = (Vec::new(), Vec::new());
    for (world, largest) in lists {
        for named in &policies {
            if named.may_log(largest) {
                jobs.push(Job::Core(world, largest, named));
            } else {
                refused.push(format!("{world}: {}", named.name));
            }
        }
    }
    if let Some(worlds) = &worlds {
        for arms in &arms {
            if arms.may_log(worlds.carousel.public().playlists) {
                jobs.push(Job::Arms(arms));
            } else {
                refused.push(format!("carousel: {}", arms.name));
            }
        }
    }
    jobs.extend(arms.iter().filter(|arms| arms.name == PLANTED_IN).map(Job::Planted));
    let tests = jobs.len() * (PREFIXES * TARGETS.len() + 1);
    let done = std::sync::atomic::AtomicU64::new(0);
    let rows = each(&jobs, threads, |job| {
        let row = match job {
            Job::Core(world, largest, named) => {
                let watch = core(named, *largest, pages, |model, told| match (&worlds, *world) {
                    (Some(worlds), "lastfm") => lastfm::device::watched(&worlds.lastfm, &worlds.truth, &model, told),
                    (Some(worlds), "movielens") => movielens::watched(&worlds.movielens, &model, told),
                    (Some(worlds), "kuairand") => kuairand::replay::watched(&worlds.kuairand, &model, told),
                    _ => simulate::watched(ears_only::bundle::Bundle::new(model)?, told),
                })?;
                Row::new(world, &named.name, &watch, tests, false)
            }
            Job::Arms(arms) => {
                let Some(worlds) = &worlds else { return Err(LabError::failed("expected the carousel's data, got none")) };
                Row::new("carousel", arms.name, &carousel(&worlds.carousel, arms, pages, 1, 0.0)?, tests, false)
            }
            Job::Planted(arms) => {
                let watch = carousel(&small_carousel()?, arms, PLANTED_PAGES, 1, PLANTED)?;
                let name = format!("{}, {:.0} % unstated", arms.name, PLANTED * 100.0);
                Row::new("small", &name, &watch, tests, true)
            }
        };
        progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, jobs.len() as u64);
        row
    })?;
    Ok(Report { format: 1, false_alarm: FALSE_ALARM, rows, refused })
}

/// The data of all worlds but the demo's.
struct Worlds {
    lastfm: lastfm::Data,
    truth: lastfm::truth::Truth,
    movielens: movielens::Data,
    kuairand: kuairand::replay::Data,
    carousel: Carousel,
}

impl Worlds {
    fn read(data: &Path) -> Result<Self, LabError> {
        let lastfm = lastfm::Data::read(data)?;
        Ok(Self {
            truth: lastfm::truth::Truth::new(&lastfm.counts, lastfm::TRUTH_SEED),
            lastfm,
            movielens: movielens::Data::read(data)?,
            kuairand: kuairand::replay::Data::read(data)?,
            carousel: Carousel::read(data)?,
        })
    }
}
