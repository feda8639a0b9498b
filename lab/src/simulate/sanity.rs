//! Does a counterfactual estimate from the log of an exploring policy put candidate policies in the order that the world says?
//!
//! The check by which Spotify's off-policy machinery was validated (Semerci et al. 2019, "Homepage Personalization at Spotify",
//! RecSys): among the candidates is a model of one feature, the rate at which impressions became clicks. Where the estimate puts it
//! anywhere but where the world does, the pipeline is wrong before any model is.
//!
//! Listeners of the Last.fm Home world see pages of [`SHELVES`] shelves with [`CARDS`] cards, placed by the core with large floors. Of
//! each page the first shelf and its first two cards are logged with their propensities and whether they were played. Candidates, each
//! judged on the same visits:
//!
//! | candidate | places |
//! |---|---|
//! | `random` | anything |
//! | `server` | by public popularity |
//! | `one_feature` | by plays / impressions of the artist, from a month of random pages of the same listeners before |
//! | `full` | by the core's own scores and shelf values at the moment, greedily |
//!
//! The truth of a candidate is the mean chance of a play that the world gives to what it would have placed, over the same visits.

use ears_only::bundle::{BundleSettings, PolicyKind, PolicySettings};
use ears_only::ranker::ShelfSource;
use ears_world::chance::{Draw, Key, sample};
use serde::{Deserialize, Serialize};

use super::lastfm::constants::{NEXT_CARD, SHELF_LOGIT};
use super::lastfm::device::Device;
use super::lastfm::explore::Interval;
use super::lastfm::home::{CandidateShelf, Home, Stands};
use super::lastfm::listener::{Listener, PlacedShelf, VISITS, Visit, base_logit};
use super::lastfm::opponents::{Moment, Policy, Random};
use super::lastfm::truth::Truth;
use super::lastfm::{Data, TRUTH_SEED, World, middle};
use super::units::{self, Units};
use crate::error::LabError;
use crate::interval::paired;

/// Shelves on a page. Small, so that every candidate's pages occur in the log often enough.
pub const SHELVES: usize = 4;
/// Cards on a shelf.
pub const CARDS: usize = 6;
/// Floors of the logging policy, for shelves and cards.
pub const FLOOR: f64 = 0.8;
/// Days of random pages from which the one feature is counted.
pub const TRAINING_DAYS: u32 = 30;
/// Days that are logged.
pub const DAYS: u32 = 60;
/// Listeners of each run, unless asked otherwise.
pub const LISTENERS: u32 = 100;
/// Impressions with which a rate is drawn towards the mean of all.
const SHRINK: f64 = 25.0;

/// The candidates.
pub const CANDIDATES: [&str; 4] = ["random", "server", "one_feature", "full"];

/// One logged page: what was placed first, with what chance, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Logged {
    /// The shelf placed first.
    pub shelf: usize,
    /// Its propensity.
    pub shelf_propensity: f64,
    /// The first two cards of the shelf, as places in the candidate shelf.
    pub cards: [usize; 2],
    /// Their propensities, each given everything before.
    pub card_propensities: [f64; 2],
    /// Whether they were played; a card not seen was not.
    pub played: [bool; 2],
}

/// What a candidate would place first.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Every shelf and card with the same chance.
    Uniform,
    /// This shelf, and for each shelf its first two cards.
    Greedy {
        /// The shelf.
        shelf: usize,
        /// Cards by shelf.
        cards: Vec<[usize; 2]>,
    },
}

impl Target {
    /// By falling chance; ties keep the page's order.
    fn by(chances: &[Vec<f64>], values: &[f64]) -> Self {
        let best = |values: &[f64], skip: usize| {
            (0..values.len()).filter(|i| *i != skip).reduce(|best, next| if values[next] > values[best] { next } else { best })
        };
        let two = |chances: &Vec<f64>| {
            let first = best(chances, usize::MAX).unwrap_or(0);
            [first, best(chances, first).unwrap_or(first)]
        };
        Self::Greedy { shelf: best(values, usize::MAX).unwrap_or(0), cards: chances.iter().map(two).collect() }
    }

    /// Chance of a shelf first.
    fn of_shelf(&self, shelf: usize, shelves: usize) -> f64 {
        match self {
            Self::Uniform => 1.0 / shelves as f64,
            Self::Greedy { shelf: wanted, .. } => f64::from(u8::from(shelf == *wanted)),
        }
    }

    /// Chance of a card at a place of a shelf, given those before.
    fn of_card(&self, shelf: usize, place: usize, card: usize, cards: usize) -> f64 {
        match self {
            Self::Uniform => 1.0 / (cards - place) as f64,
            Self::Greedy { cards, .. } => f64::from(u8::from(cards[shelf][place] == card)),
        }
    }

    /// Mean of `value(shelf, first, second)` over what the candidate places.
    fn mean(&self, sizes: &[usize], value: impl Fn(usize, usize, usize) -> f64) -> f64 {
        match self {
            Self::Greedy { shelf, cards } => value(*shelf, cards[*shelf][0], cards[*shelf][1]),
            Self::Uniform => {
                let of_shelf = |(shelf, &cards): (usize, &usize)| {
                    let pairs = (0..cards).flat_map(|a| (0..cards).filter(move |b| *b != a).map(move |b| (a, b)));
                    pairs.map(|(a, b)| value(shelf, a, b)).sum::<f64>() / (cards * (cards - 1)) as f64
                };
                sizes.iter().enumerate().map(of_shelf).sum::<f64>() / sizes.len() as f64
            }
        }
    }
}

/// The doubly robust estimate of one page: plays at the first place, and at the first two.
///
/// With w the products of target over logging chances along the prefix (shelf, first card, second card) and q the predicted chances:
/// E_target[q1 + q2] + w1 (r1 - q1) + w2 (r2 - q2).
///
/// # Shapes and ranges
/// - `predicted(shelf, card)`: predicted chance of a play at the first place; `second` times it at the second.
///
/// # References
/// H. Kiyohara, Y. Saito, T. Matsuhiro, Y. Narita, N. Shimizu, Y. Yamamoto (2022), "Doubly robust off-policy evaluation for ranking
/// policies under the cascade behavior model", WSDM, equation (8), for an estimate of later places that does not depend on the card
/// before; unbiased whatever is predicted as long as each reward depends on nothing but the prefix.
pub fn doubly_robust(
    logged: &Logged,
    target: &Target,
    sizes: &[usize],
    predicted: impl Fn(usize, usize) -> f64,
    second: f64,
) -> [f64; 2] {
    let shelf = logged.shelf;
    let cards = sizes[shelf];
    let reward = |place: usize| f64::from(u8::from(logged.played[place]));
    let mut weight = target.of_shelf(shelf, sizes.len()) / logged.shelf_propensity;
    weight *= target.of_card(shelf, 0, logged.cards[0], cards) / logged.card_propensities[0];
    let first = target.mean(sizes, |s, a, _| predicted(s, a)) + weight * (reward(0) - predicted(shelf, logged.cards[0]));
    weight *= target.of_card(shelf, 1, logged.cards[1], cards) / logged.card_propensities[1];
    let expected = target.mean(sizes, |s, _, b| second * predicted(s, b));
    [first, first + expected + weight * (reward(1) - second * predicted(shelf, logged.cards[1]))]
}

/// What to check.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Runs.
    pub seeds: Vec<u64>,
    /// Listeners of each run.
    pub listeners: u32,
    /// The model that the core starts with.
    pub model: BundleSettings,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// Sums over the pages of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Pages logged.
    pub pages: u64,
    /// For each candidate: estimate and truth for the first place, then for the first two.
    pub of: Vec<[f64; 4]>,
}

/// A page with all that is needed to judge it.
struct Case {
    logged: Logged,
    kinds: Vec<usize>,
    /// Pool of each card of each shelf, for predictions.
    pools: Vec<Vec<usize>>,
    targets: Vec<Target>,
    truth: Vec<[f64; 2]>,
    /// Whether each of the two cards was seen.
    seen: [bool; 2],
    /// Fold for cross-fitting: predictions come from the other half of the listeners.
    fold: usize,
}

/// A small page out of a whole one.
fn cut(page: &[CandidateShelf], key: Key) -> Vec<CandidateShelf> {
    let full: Vec<u32> = (0..page.len() as u32).filter(|shelf| page[*shelf as usize].cards.len() >= 3).collect();
    let mut shelves = sample(&full, SHELVES, key.with(1));
    shelves.sort_unstable();
    let of = |shelf: u32| {
        let from = &page[shelf as usize];
        let places: Vec<u32> = (0..from.cards.len() as u32).collect();
        let mut places = sample(&places, CARDS, key.with(2).with(u64::from(shelf)));
        places.sort_unstable();
        CandidateShelf { cards: places.iter().map(|place| from.cards[*place as usize]).collect(), ..from.clone() }
    };
    shelves.into_iter().map(of).collect()
}

/// Plays among impressions of each artist and mix, drawn towards the rate of all.
struct OneFeature {
    counts: Vec<(f64, f64)>,
    all: (f64, f64),
}

impl OneFeature {
    fn place(home: &Home, card: u32) -> usize {
        match home.stands(card) {
            Stands::Artist(artist) => artist as usize,
            Stands::Mix(mix) => home.artists.len() + mix as usize,
        }
    }

    fn rate(&self, home: &Home, card: u32) -> f64 {
        let (plays, seen) = self.counts[Self::place(home, card)];
        (plays + SHRINK * self.all.0 / self.all.1.max(1.0)) / (seen + SHRINK)
    }

    /// Counts a month of random pages.
    fn learn(world: &World<'_>, base: f64, listeners: u32) -> Result<Self, LabError> {
        let mut found = Self { counts: vec![(0.0, 0.0); world.home.artists.len() + world.home.mixes.len()], all: (0.0, 0.0) };
        let mut random = Random { seed: !world.seed };
        for number in 0..listeners {
            let mut listener = Listener::new(world, middle(), base, number);
            for day in 0..TRAINING_DAYS {
                let page = world.home.page(number, day);
                for visit in 0..VISITS {
                    // Visits of other days than those logged: other luck.
                    let visit = listener.visit(day + 1_000, visit);
                    let placed = random.place(&Moment { listener: &listener, visit, page: &page })?;
                    for look in listener.browse(visit, &page, &placed) {
                        let played = f64::from(u8::from(look.played_ms.is_some()));
                        for (plays, seen) in [&mut found.counts[Self::place(&world.home, look.card)], &mut found.all] {
                            *plays += played;
                            *seen += 1.0;
                        }
                    }
                }
            }
        }
        Ok(found)
    }
}

/// What the four candidates place on a page.
fn targets(home: &Home, feature: &OneFeature, page: &[CandidateShelf], scores: &[Vec<f64>], values: &[f64]) -> Vec<Target> {
    let by = |chance: &dyn Fn(u32) -> f64| {
        let chances: Vec<Vec<f64>> = page.iter().map(|shelf| shelf.cards.iter().map(|card| chance(*card)).collect()).collect();
        // A shelf is worth its best card.
        let best = |chances: &Vec<f64>| chances.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let values: Vec<f64> = chances.iter().map(best).collect();
        Target::by(&chances, &values)
    };
    vec![
        Target::Uniform,
        by(&|card| home.card_popularity(card)),
        by(&|card| feature.rate(home, card)),
        Target::by(scores, values),
    ]
}

fn one(world: &World<'_>, settings: &Settings) -> Result<Sums, LabError> {
    let base = base_logit(world, middle());
    let feature = OneFeature::learn(world, base, settings.listeners)?;
    let policy = PolicySettings {
        kind: PolicyKind::PlackettLuce,
        floor_shelves: Some(FLOOR),
        floor_cards: Some(FLOOR),
        ..settings.model.policy
    };
    let model = BundleSettings { policy, ..settings.model.clone() };
    let mut cases = Vec::new();
    for number in 0..settings.listeners {
        let mut listener = Listener::new(world, middle(), base, number);
        let from = listener.first_day();
        let mut device = Device::new(&world.home, model.clone(), world.seed, number, listener.visit(from, 0).at)?;
        for day in from..DAYS {
            listener.begin_day(day);
            let whole = world.home.page(number, day);
            for visit in 0..VISITS {
                let visit = listener.visit(day, visit);
                let key = Key::new(world.seed, Draw::Candidates).with(u64::MAX - 1).with(u64::from(number));
                let page = cut(&whole, key.with(u64::from(day)).with(u64::from(visit.number)));
                cases.push(case(world, &feature, &mut listener, &mut device, visit, &page)?);
            }
        }
    }
    Ok(estimate(&cases))
}

fn case(
    world: &World<'_>,
    feature: &OneFeature,
    listener: &mut Listener<'_>,
    device: &mut Device<'_>,
    visit: Visit,
    page: &[CandidateShelf],
) -> Result<Case, LabError> {
    let starts: Vec<usize> =
        page.iter().scan(0, |next, shelf| Some(std::mem::replace(next, *next + shelf.cards.len()))).collect();
    let ranked = device.rank_whole(page, visit.at)?;
    let mut scores: Vec<Vec<f64>> = page.iter().map(|shelf| vec![0.0; shelf.cards.len()]).collect();
    let mut values = vec![0.0; page.len()];
    let mut placed = Vec::with_capacity(page.len());
    for shelf in &ranked.shelves {
        let ShelfSource::Page(index) = shelf.source else { continue };
        values[index] = shelf.value;
        let mut cards = Vec::new();
        for card in &ranked.cards[shelf.cards.clone()] {
            let place = card.index.map_or(0, |at| at - starts[index]);
            scores[index][place] = card.score;
            cards.push(page[index].cards[place]);
        }
        placed.push(PlacedShelf { shelf: index, cards });
    }
    let first = &placed[0];
    let place = |at: usize| page[first.shelf].cards.iter().position(|card| *card == first.cards[at]).unwrap_or(0);
    let targets = targets(&world.home, feature, page, &scores, &values);
    let sizes: Vec<usize> = page.iter().map(|shelf| shelf.cards.len()).collect();
    let chance = |shelf: usize, card: usize| listener.true_chance(page[shelf].kind, page[shelf].cards[card], visit.at);
    let streams = world.play_times.share_of_streams();
    // The second card is seen when the listener goes on and the first was not streamed.
    let two = |s: usize, a: usize, b: usize| chance(s, a) + NEXT_CARD * (1.0 - streams * chance(s, a)) * chance(s, b);
    let truth = targets.iter().map(|t| [t.mean(&sizes, |s, a, _| chance(s, a)), t.mean(&sizes, two)]).collect();
    let looks = listener.browse(visit, page, &placed);
    device.observe(&looks)?;
    let at = |place: usize| looks.iter().find(|look| look.shelf == first.shelf && look.card == first.cards[place]);
    let pool = |card: &u32| match world.home.stands(*card) {
        Stands::Artist(artist) => artist as usize * 10 / world.home.artists.len(),
        Stands::Mix(_) => 0,
    };
    Ok(Case {
        logged: Logged {
            shelf: first.shelf,
            shelf_propensity: ranked.shelves[0].propensity,
            cards: [place(0), place(1)],
            card_propensities: [ranked.cards[0].propensity, ranked.cards[1].propensity],
            played: [0, 1].map(|place| at(place).is_some_and(|look| look.played_ms.is_some())),
        },
        kinds: page.iter().map(|shelf| shelf.kind).collect(),
        pools: page.iter().map(|shelf| shelf.cards.iter().map(pool).collect()).collect(),
        targets,
        truth,
        seen: [0, 1].map(|place| at(place).is_some()),
        fold: listener.number() as usize % 2,
    })
}

/// Predicted chances by kind of shelf and tenth of popularity, from the pages of one half of the listeners.
fn predictions(cases: &[Case], fold: usize) -> (Vec<f64>, f64) {
    let mut counts = vec![(0.0, 0.0); SHELF_LOGIT.len() * 10];
    let (mut all, mut pages, mut seconds) = ((0.0, 0.0), 0.0, 0.0);
    for case in cases.iter().filter(|case| case.fold != fold) {
        pages += 1.0;
        seconds += f64::from(u8::from(case.seen[1]));
        for place in (0..2).filter(|place| case.seen[*place]) {
            let pool = case.kinds[case.logged.shelf] * 10 + case.pools[case.logged.shelf][case.logged.cards[place]];
            let played = f64::from(u8::from(case.logged.played[place]));
            for (plays, seen) in [&mut counts[pool], &mut all] {
                *plays += played;
                *seen += 1.0;
            }
        }
    }
    let mean = all.0 / f64::max(all.1, 1.0);
    let rates = counts.into_iter().map(|(plays, seen)| (plays + SHRINK * mean) / (seen + SHRINK)).collect();
    (rates, seconds / f64::max(pages, 1.0))
}

fn estimate(cases: &[Case]) -> Sums {
    let by_fold = [predictions(cases, 0), predictions(cases, 1)];
    let mut sums = Sums { pages: cases.len() as u64, of: vec![[0.0; 4]; CANDIDATES.len()] };
    for case in cases {
        let (rates, second) = &by_fold[case.fold];
        let sizes: Vec<usize> = case.pools.iter().map(Vec::len).collect();
        let predicted = |shelf: usize, card: usize| rates[case.kinds[shelf] * 10 + case.pools[shelf][card]];
        for ((target, truth), sum) in case.targets.iter().zip(&case.truth).zip(&mut sums.of) {
            let [first, both] = doubly_robust(&case.logged, target, &sizes, predicted, *second);
            for (sum, value) in sum.iter_mut().zip([first, truth[0], both, truth[1]]) {
                *sum += value;
            }
        }
    }
    // Six decimals, so that a number read again is the same.
    sums.of.iter_mut().flatten().for_each(|value| *value = (*value * 1e6).round() / 1e6);
    sums
}

/// One candidate: estimate and truth, in plays for each page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// Its name.
    pub candidate: String,
    /// What the log says of the first place.
    pub estimate: Interval,
    /// What the world says.
    pub truth: f64,
    /// What the log says of the first two places together.
    pub estimate_of_two: Interval,
    /// What the world says.
    pub truth_of_two: f64,
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// lastfm.
    pub world: String,
    /// The runs.
    pub seeds: Vec<u64>,
    /// Pages logged.
    pub pages: u64,
    /// The candidates.
    pub candidates: Vec<Judged>,
    /// Names by falling estimate of the first place.
    pub order_by_estimate: Vec<String>,
    /// Names by falling truth.
    pub order_by_truth: Vec<String>,
    /// Of the four candidates, those whose truth lies within their estimate's interval.
    pub covered: usize,
}

/// Runs the check.
///
/// # Errors
/// When there is nothing to run, or the core refuses something.
pub fn run(data: &Data, settings: &Settings, kept: &Units, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    let most = data.counts.listeners.len() as u32;
    if settings.seeds.is_empty() || !(1..=most).contains(&settings.listeners) {
        return Err(LabError::unreadable(format!(
            "expected at least one seed and 1 to {most} listeners, got {} and {}",
            settings.seeds.len(),
            settings.listeners
        )));
    }
    let truth = Truth::new(&data.counts, TRUTH_SEED);
    let done = std::sync::atomic::AtomicU64::new(0);
    let runs = units::each(&settings.seeds, settings.threads, |&seed| {
        let model = settings.model.version.as_deref().unwrap_or(ears_only::bundle::BUILT_IN_VERSION);
        let unit = format!("sanity, seed {seed}, {} listeners, model {model}", settings.listeners);
        let sums = kept.unit(&unit, || one(&World::new(data, &truth, settings.listeners, seed), settings))?;
        progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, settings.seeds.len() as u64);
        Ok::<Sums, LabError>(sums)
    })?;
    Ok(report(&settings.seeds, &runs))
}

fn report(seeds: &[u64], runs: &[Sums]) -> Report {
    let pages: Vec<f64> = runs.iter().map(|run| run.pages as f64).collect();
    let column = |candidate: usize, value: usize| -> Vec<f64> { runs.iter().map(|run| run.of[candidate][value]).collect() };
    let mean = |candidate: usize, value: usize| paired(&[&column(candidate, value), &pages], |sums| sums[0] / sums[1]);
    let candidates: Vec<Judged> = CANDIDATES
        .iter()
        .enumerate()
        .map(|(index, name)| Judged {
            candidate: (*name).to_owned(),
            estimate: mean(index, 0).into(),
            truth: mean(index, 1).value,
            estimate_of_two: mean(index, 2).into(),
            truth_of_two: mean(index, 3).value,
        })
        .collect();
    let order = |value: &dyn Fn(&Judged) -> f64| {
        let mut sorted: Vec<&Judged> = candidates.iter().collect();
        sorted.sort_by(|a, b| value(b).total_cmp(&value(a)));
        sorted.into_iter().map(|judged| judged.candidate.clone()).collect()
    };
    Report {
        format: 1,
        world: "lastfm".into(),
        seeds: seeds.to_vec(),
        pages: runs.iter().map(|run| run.pages).sum(),
        order_by_estimate: order(&|judged| judged.estimate.relative),
        order_by_truth: order(&|judged| judged.truth),
        covered: candidates.iter().filter(|c| (c.estimate.low..=c.estimate.high).contains(&c.truth)).count(),
        candidates,
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} logged pages, {} seeds; plays at the first place for each 100 pages\n\n{:<14}{:>24}{:>10}   first two places: {:>20}{:>10}\n",
            self.pages,
            self.seeds.len(),
            "candidate",
            "estimate from the log",
            "truth",
            "estimate",
            "truth"
        );
        for judged in &self.candidates {
            let shown = |i: &Interval| format!("{:.2} [{:.2}, {:.2}]", 100.0 * i.relative, 100.0 * i.low, 100.0 * i.high);
            text.push_str(&format!(
                "{:<14}{:>24}{:>10.2}   {:>38}{:>10.2}\n",
                judged.candidate,
                shown(&judged.estimate),
                100.0 * judged.truth,
                shown(&judged.estimate_of_two),
                100.0 * judged.truth_of_two
            ));
        }
        text.push_str(&format!(
            "\norder by the log    {}\norder by the world  {}\n",
            self.order_by_estimate.join(" > "),
            self.order_by_truth.join(" > ")
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two shelves of three cards; chances of a play by shelf and card, going on with 0.7.
    const CHANCE: [[f64; 3]; 2] = [[0.1, 0.3, 0.2], [0.5, 0.05, 0.4]];
    const SIZES: [usize; 2] = [3, 3];

    fn targets() -> Vec<Target> {
        vec![
            Target::Uniform,
            Target::Greedy { shelf: 1, cards: vec![[1, 2], [2, 0]] },
            Target::by(&[vec![0.2, 0.9, 0.4], vec![0.5, 0.5, 0.1]], &[0.9, 0.5]),
        ]
    }

    #[test]
    fn the_expected_estimate_is_the_true_value_whatever_is_predicted() {
        for target in targets() {
            let truth =
                [target.mean(&SIZES, |s, a, _| CHANCE[s][a]), target.mean(&SIZES, |s, a, b| CHANCE[s][a] + 0.7 * CHANCE[s][b])];
            for wrong in [0.0, 0.3] {
                let mut expected = [0.0; 2];
                // Every page of a logging policy that is far from uniform, with every outcome.
                for shelf in 0..2 {
                    let of_shelf = [0.8, 0.2][shelf];
                    for a in 0..3 {
                        let of_first = [0.5, 0.3, 0.2][a];
                        for b in (0..3).filter(|b| *b != a) {
                            // By first and second card; each row sums to 1.
                            let of_second = [[0.0, 0.6, 0.4], [0.7, 0.0, 0.3], [0.1, 0.9, 0.0]][a][b];
                            for (first, second) in [(false, false), (false, true), (true, false), (true, true)] {
                                let p = CHANCE[shelf][a];
                                let q = 0.7 * CHANCE[shelf][b];
                                let chance = of_shelf
                                    * of_first
                                    * of_second
                                    * if first { p } else { 1.0 - p }
                                    * if second { q } else { 1.0 - q };
                                let logged = Logged {
                                    shelf,
                                    shelf_propensity: of_shelf,
                                    cards: [a, b],
                                    card_propensities: [of_first, of_second],
                                    played: [first, second],
                                };
                                let found = doubly_robust(&logged, &target, &SIZES, |s, c| wrong * (s + c) as f64, 0.4);
                                for (sum, value) in expected.iter_mut().zip(found) {
                                    *sum += chance * value;
                                }
                            }
                        }
                    }
                }
                assert!(expected.iter().zip(&truth).all(|(e, t)| (e - t).abs() < 1e-12), "{target:?}: {expected:?} {truth:?}");
            }
        }
    }

    #[test]
    fn greedy_targets_take_the_best_and_ties_keep_the_order() {
        assert_eq!(targets()[2], Target::Greedy { shelf: 0, cards: vec![[1, 2], [0, 1]] });
    }
}
