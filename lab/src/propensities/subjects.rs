//! Policies in worlds: what draws the pages.

use ears_only::bundle::{BundleSettings, PolicyKind, PolicySettings};
use ears_only::page::Visible;
use ears_only::policy::arms::{BetaPrior, Counts, explore_then_commit, kl_ucb};
use ears_only::policy::thompson::Posterior;
use ears_only::policy::{Floors, LoggingPolicy, PagePolicy, Policy, Rule};
use ears_only::random::{Purpose, Seed, below, unit};
use ears_only::ranker::{RankedPage, Ranker, ShelfSource};
use ears_only::slate::{Candidates, Slate};

use super::{Filled, PREFIXES, Watch};
use crate::error::LabError;
use crate::simulate::carousel::world::{INITIAL, World};

/// Uniform share of every policy that needs one before it may log.
const FLOOR: f64 = 0.1;
/// Rate of the epsilon policies.
const EPSILON: f64 = 0.2;
/// Share of the baseline's pages beside a policy.
const BASELINE_SHARE: f64 = 0.2;
/// Thompson sampling integrates anew for every place; it gets this part of the pages.
const SLOW: u64 = 20;

/// Is told of every ranked page; false stops.
pub type Told<'a> = &'a mut dyn FnMut(&Ranker, &RankedPage) -> bool;

/// A named policy of the core.
pub struct Named {
    /// Its name in reports.
    pub name: String,
    /// Its settings.
    pub settings: PolicySettings,
}

/// Every kind that a bundle can ask for, as it may log, and what can be put beside them.
#[must_use]
pub fn policies() -> Vec<Named> {
    let floors =
        PolicySettings { floor_shelves: Some(FLOOR), floor_cards: Some(FLOOR), epsilon: EPSILON, ..PolicySettings::default() };
    let mut all: Vec<Named> = PolicyKind::ALL
        .into_iter()
        .map(|kind| Named { name: kind.name().to_owned(), settings: PolicySettings { kind, ..floors } })
        .collect();
    let along = PolicySettings { diversity: 0.05, calibration: 0.05, ..floors };
    all.push(Named { name: "plackett_luce, diverse and calibrated".to_owned(), settings: along });
    let beside = PolicySettings { baseline_share: BASELINE_SHARE, ..floors };
    all.push(Named { name: "plackett_luce beside the baseline".to_owned(), settings: beside });
    all
}

impl Named {
    /// Whether the policy may log on lists of up to `largest` candidates. Epsilon on the page may not: the longer a page has been the
    /// greedy one, the less likely it is to leave it, without a bound.
    #[must_use]
    pub fn may_log(&self, largest: usize) -> bool {
        LoggingPolicy::new(self.settings.policy(u64::MAX), largest).is_ok()
    }
}

impl Arms {
    /// The same for the carousel's policies.
    #[must_use]
    pub fn may_log(&self, largest: usize) -> bool {
        LoggingPolicy::new(self.policy, largest).is_ok()
    }
}

/// Pages of the core under one policy, until `pages` are seen.
///
/// - `largest`: candidates of the longest list of the world.
/// - `world`: ranks pages for its listeners, telling of each, until it is told to stop.
///
/// # Errors
/// When the policy may not log, or the world refuses something.
pub fn core(
    named: &Named,
    largest: usize,
    pages: u64,
    world: impl FnOnce(BundleSettings, Told<'_>) -> Result<(), LabError>,
) -> Result<Watch, LabError> {
    let wanted = if named.settings.kind == PolicyKind::Thompson { (pages / SLOW).max(1) } else { pages };
    // Explore-then-commit is uniform first; what comes later has the smaller conditionals.
    let policy = LoggingPolicy::new(named.settings.policy(u64::MAX), largest)?;
    let mut watch = Watch::new(policy.get().smallest_conditional(largest));
    let mut failed = None;
    let model = BundleSettings { policy: named.settings, ..BundleSettings::default() };
    world(model, &mut |ranker, ranked| {
        match ranker.marginals(ranked.id) {
            Ok(marginals) => {
                let drawn = ranked.cards.first().and_then(|card| card.index).unwrap_or(usize::MAX);
                watch.page(&places(ranked), &marginals, drawn);
            }
            Err(error) => failed = Some(error),
        }
        failed.is_none() && watch.pages() < wanted
    })?;
    failed.map_or(Ok(watch), |error| Err(error.into()))
}

/// The first places with a choice, candidates in the order of the page as it came.
fn places(ranked: &RankedPage) -> Vec<Filled> {
    let mut places = Vec::new();
    let mut add = |mut candidates: Vec<(usize, f64)>, chosen: usize, propensity: f64| {
        if candidates.len() > 1 && places.len() < PREFIXES {
            candidates.sort_unstable_by_key(|candidate| candidate.0);
            let at = candidates.iter().position(|candidate| candidate.0 == chosen).unwrap_or(0);
            places.push(Filled { scores: candidates.iter().map(|candidate| candidate.1).collect(), chosen: at, propensity });
        }
    };
    let index = |source: ShelfSource| if let ShelfSource::Page(index) = source { index } else { usize::MAX };
    let Some(first) = ranked.shelves.first() else { return places };
    add(ranked.shelves.iter().map(|shelf| (index(shelf.source), shelf.value)).collect(), index(first.source), first.propensity);
    let cards = &ranked.cards[first.cards.clone()];
    for (place, card) in cards.iter().enumerate().take(PREFIXES) {
        let open = cards[place..].iter().map(|card| (card.index.unwrap_or(usize::MAX), card.score)).collect();
        add(open, card.index.unwrap_or(usize::MAX), card.propensity);
    }
    places
}

/// A policy over counted arms.
pub struct Arms {
    /// Its name in reports.
    pub name: &'static str,
    policy: PagePolicy,
    /// Logit and spread of an arm after so many pages of its segment.
    index: fn(Counts, f64) -> (f64, f64),
    /// Thompson sampling.
    slow: bool,
}

fn mean(counts: Counts) -> f64 {
    BetaPrior::PESSIMISTIC.posterior(counts).0
}

/// The policies of the carousel: arms are playlists, counted by segment.
#[must_use]
pub fn arms() -> Vec<Arms> {
    let floors = Floors::both(FLOOR);
    let arms = |name, policy, index| Arms { name, policy, index, slow: false };
    let greedy = PagePolicy::of(Rule::Greedy(floors));
    let thompson = |posterior| PagePolicy::of(Rule::Thompson { posterior, floors });
    let by_mean: fn(Counts, f64) -> (f64, f64) = |counts, _| (mean(counts), 0.0);
    let beta: fn(Counts, f64) -> (f64, f64) = |counts, _| BetaPrior::PESSIMISTIC.posterior(counts);
    let normal: fn(Counts, f64) -> (f64, f64) = |counts, _| {
        let (m, trials) = BetaPrior::PESSIMISTIC.posterior(counts);
        (m, (m * (1.0 - m) / (trials + 1.0)).sqrt())
    };
    vec![
        arms("uniform", PagePolicy::of(Rule::uniform()), by_mean),
        arms("plackett_luce", PagePolicy::of(Rule::plackett_luce(FLOOR, FLOOR)), |counts, _| (mean(counts) / 0.01, 0.0)),
        arms("greedy with a floor", greedy, by_mean),
        arms("epsilon_page", PagePolicy::epsilon_page(EPSILON), by_mean),
        arms("squarecb", PagePolicy::of(Rule::SquareCb { gamma: 1_000.0 }), by_mean),
        arms("kl_ucb with a floor", greedy, |counts, time| (kl_ucb(counts, time), 0.0)),
        arms("explore_then_commit with a floor", greedy, |counts, _| (explore_then_commit(counts, 20.0), 0.0)),
        Arms { name: "thompson, Beta", policy: thompson(Posterior::BETA), index: beta, slow: true },
        Arms { name: "thompson, Normal", policy: thompson(Posterior::NORMAL), index: normal, slow: true },
    ]
}

/// Pages of the carousel under one policy; what was streamed is counted by segment.
///
/// - `fault`: share of pages that are uniform while the policy's propensities are stated. 0, or a planted error.
///
/// # Errors
/// When the policy may not log.
pub fn carousel(world: &World, arms: &Arms, pages: u64, seed: u64, fault: f64) -> Result<Watch, LabError> {
    let public = world.public();
    let policy = LoggingPolicy::new(arms.policy, public.playlists)?;
    let policy = policy.get();
    let mut watch = Watch::new(policy.smallest_conditional(public.playlists));
    let mut counts = vec![Counts::default(); public.segments * public.playlists];
    let mut rng = Seed::from_number(seed).stream(Purpose::Host, 0);
    let visible = Visible { shelves: 1, cards: INITIAL };
    for page in 0..if arms.slow { (pages / SLOW).max(1) } else { pages } {
        let user = below(&mut rng, world.users() as u32);
        let row = public.segment(user) * public.playlists;
        let known = &mut counts[row..row + public.playlists];
        let (logits, spread): (Vec<f64>, Vec<f64>) =
            known.iter().map(|counts| (arms.index)(*counts, page as f64 / public.segments as f64)).unzip();
        let mut candidates = Candidates::free(vec![0.0], &[logits], visible);
        candidates.card_spread = spread;
        let slate = if unit(&mut rng) < fault {
            policy.propensities(&candidates, &PagePolicy::of(Rule::uniform()).draw(&candidates, &mut rng)?)?
        } else {
            policy.draw(&candidates, &mut rng)?
        };
        let marginals = policy.first_card_marginals(&candidates);
        watch.page(&filled(&candidates, &slate), &marginals, slate.cards[0].index as usize);
        for card in slate.cards.iter().take(INITIAL) {
            let arm = &mut known[card.index as usize];
            arm.trials += 1.0;
            if unit(&mut rng) < f64::from(world.chances(user)[card.index as usize]) {
                arm.successes += 1.0;
                break;
            }
        }
    }
    Ok(watch)
}

fn filled(candidates: &Candidates, slate: &Slate) -> Vec<Filled> {
    let mut open: Vec<u32> = (0..candidates.card_logits.len() as u32).collect();
    let mut places = Vec::new();
    for card in slate.cards.iter().take(PREFIXES) {
        let Ok(at) = open.binary_search(&card.index) else { break };
        let scores = open.iter().map(|card| candidates.card_logits[*card as usize]).collect();
        places.push(Filled { scores, chosen: at, propensity: card.propensity });
        open.remove(at);
    }
    places
}
