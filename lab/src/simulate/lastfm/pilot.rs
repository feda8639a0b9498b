//! A bundle from a pilot: other listeners meet uniform pages for a month, and what they played fits the prior that devices start from.
//!
//! This is what an operator does before a release: the built-in prior is written by hand for any catalogue, a bundle's is fitted to
//! the app's own. The pilot's listeners and halves are none of the run's, and nothing but what they saw and played is used. Pages
//! are uniform, so that outcomes need no weights.
//!
//! The mean of the prior is that of one head that learns from everybody. Its spread, how much listeners differ, is the one under
//! which heads that start from that mean predict each outcome best before they learn it (Dawid 1984, "Present position and
//! potential developments: the prequential approach").

use ears_only::bundle::{BundleSettings, FeedbackSettings, PolicyKind, PolicySettings, PriorSettings};
use ears_only::features::{Column, Source};
use ears_only::math::{ln, sigmoid};
use ears_only::model::{Head, HeadPrior};

use super::constants::SHELF_LOGIT;
use super::device::Core;
use super::home::{CandidateShelf, Home};
use super::listener::{Cell, Listener, VISITS, base_logit};
use super::opponents::{Moment, Policy};
use super::{Data, World};
use crate::error::LabError;
use crate::simulate::lastfm::truth::Truth;

/// How large a pilot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Listeners, none of them of the run; all that are left where there are fewer.
    pub listeners: u32,
    /// Days.
    pub days: u32,
}

/// As many listeners as a run has, for a month.
pub const SIZE: Size = Size { listeners: 200, days: 30 };
/// Set apart from the seeds of runs.
const PILOT: u64 = 0x7069_6c6f_7400_0000;
/// Spreads that are tried, in log-odds: of the bias, and of every other weight.
const BIAS_SPREADS: [f64; 4] = [0.1, 0.2, 0.4, 0.8];
const SPREADS: [f64; 5] = [0.03, 0.1, 0.2, 0.4, 0.8];
/// Spread of the head that learns from everybody.
const EVERYBODY: f64 = 3.0;

/// One outcome: feature row and reward.
type Outcome = (Vec<f32>, f32);

/// The columns: what the device derives, and what the app says of a card in public: its popularity as a logarithm, and the kind of
/// shelf.
#[must_use]
pub fn columns() -> Vec<Column> {
    let column = |name: &str, source| Column::new(name, source);
    let mut columns = vec![
        column("popularity", Source::Popularity),
        column("artist_affinity", Source::ArtistAffinity),
        column("family_affinity", Source::FamilyAffinity),
        column("card_affinity", Source::CardAffinity),
        column("taste_short", Source::TasteShort),
        column("taste_long", Source::TasteLong),
        column("new_artist", Source::NewArtist),
        column("recency", Source::Recency),
        column("skip_rate", Source::SkipRate),
        column("fatigue", Source::Fatigue),
        column("is_playlist", Source::IsPlaylist),
        column("log_popularity", Source::Given),
    ];
    columns.extend(SHELF_LOGIT.iter().map(|(kind, _)| column(kind, Source::Given)));
    columns
}

/// Values of the given columns of a page, one row for each card.
#[must_use]
pub fn given(home: &Home, page: &[CandidateShelf]) -> (usize, Vec<f32>) {
    let mut values = Vec::new();
    for shelf in page {
        for &card in &shelf.cards {
            values.push((ln(home.card_popularity(card) + 1e-3) / 5.0) as f32);
            values.extend((0..SHELF_LOGIT.len()).map(|kind| if kind == shelf.kind { 1.0f32 } else { 0.0 }));
        }
    }
    (1 + SHELF_LOGIT.len(), values)
}

/// The world of a pilot beside `world`.
///
/// # Errors
/// When nobody is left for it.
pub fn world<'a>(data: &'a Data, truth: &'a Truth, world: &World<'_>, size: Size) -> Result<World<'a>, LabError> {
    let others = World::beside(data, truth, size.listeners, world.seed ^ PILOT, &world.halves.run);
    if others.halves.run.is_empty() {
        return Err(LabError::unreadable("expected listeners beside those of the run for a pilot, got none".to_owned()));
    }
    Ok(others)
}

/// The bundle that a pilot beside `world` makes for a cell of the grid; drawn as `policy` says.
///
/// # Errors
/// When nobody is left for the pilot, or the core refuses a page or an event.
pub fn bundle(
    data: &Data,
    truth: &Truth,
    world: &World<'_>,
    cell: Cell,
    policy: PolicySettings,
    size: Size,
) -> Result<BundleSettings, LabError> {
    let others = self::world(data, truth, world, size)?;
    let count = others.halves.run.len() as u32;
    let base = base_logit(&others, cell);
    let uniform = BundleSettings {
        version: Some("pilot".into()),
        columns: Some(columns()),
        policy: PolicySettings { kind: PolicyKind::Uniform, ..policy },
        ..BundleSettings::default()
    };
    let mut core = Core::new(&others.home, uniform, others.seed, count as usize);
    let mut listeners: Vec<Listener<'_>> = (0..count).map(|number| Listener::new(&others, cell, base, number)).collect();
    // How often a listener who plays nothing goes on to the next card of the shelf.
    let (mut went_on, mut chances) = (0u32, 1u32);
    for day in 0..size.days {
        for listener in &mut listeners {
            listener.begin_day(day);
            if day < listener.first_day() {
                continue;
            }
            let page = others.home.page(listener.number(), day);
            for visit in 0..VISITS {
                let visit = listener.visit(day, visit);
                let placed = core.place(&Moment { listener, visit, page: &page })?;
                let looks = listener.browse(visit, &page, &placed);
                core.observe(listener.number(), visit, &page, &looks)?;
                for (look, next) in looks.iter().zip(looks.iter().skip(1).map(Some).chain([None])) {
                    if !look.is_stream() {
                        chances += 1;
                        went_on += u32::from(next.is_some_and(|next| next.shelf == look.shelf));
                    }
                }
            }
        }
    }
    let outcomes: Vec<Vec<Outcome>> = core.lessons();
    let mean = everybody(&outcomes)?;
    let (bias_sd, default_sd) = spread(&mean, &outcomes)?;
    let named = columns().into_iter().map(|column| column.name).zip(mean.iter().skip(1).copied());
    Ok(BundleSettings {
        version: Some("pilot".into()),
        columns: Some(columns()),
        prior: PriorSettings { bias: mean[0], bias_sd, mean: named.collect(), default_sd, ..PriorSettings::default() },
        policy,
        feedback: FeedbackSettings { examination: f64::from(went_on) / f64::from(chances), ..FeedbackSettings::default() },
        ..BundleSettings::default()
    })
}

fn head(mean: Vec<f64>, sd: &[f64]) -> Result<Head, LabError> {
    let stride = mean.len().next_multiple_of(4);
    Ok(Head::new(HeadPrior::new(mean, sd, f64::INFINITY)?, stride))
}

/// Weights that fit all outcomes together.
fn everybody(outcomes: &[Vec<Outcome>]) -> Result<Vec<f64>, LabError> {
    let width = columns().len() + 1;
    let mut head = head(vec![0.0; width], &vec![EVERYBODY; width])?;
    for (row, reward) in outcomes.iter().flatten() {
        head.learn(row, f64::from(*reward));
    }
    Ok(head.mean().to_vec())
}

/// Spreads of the bias and of the other weights under which listeners' outcomes are predicted best one by one.
fn spread(mean: &[f64], outcomes: &[Vec<Outcome>]) -> Result<(f64, f64), LabError> {
    let mut best = (f64::NEG_INFINITY, (BIAS_SPREADS[0], SPREADS[0]));
    for bias in BIAS_SPREADS {
        for other in SPREADS {
            let mut sd = vec![other; mean.len()];
            sd[0] = bias;
            let start = head(mean.to_vec(), &sd)?;
            let mut likelihood = 0.0;
            for listener in outcomes {
                let mut head = start.clone();
                for (row, reward) in listener {
                    // The chance averaged over the posterior (MacKay 1992, equation for the moderated output).
                    let (score, sd) = (head.score(row), head.score_sd(row));
                    let chance = sigmoid(score / (1.0 + std::f64::consts::PI * sd * sd / 8.0).sqrt());
                    likelihood += ln(if *reward > 0.5 { chance } else { 1.0 - chance }.max(1e-12));
                    head.learn(row, f64::from(*reward));
                }
            }
            if likelihood > best.0 {
                best = (likelihood, (bias, other));
            }
        }
    }
    Ok(best.1)
}
