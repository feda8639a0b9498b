//! Attacks on the listeners of the demo world, who have come to Home for a week and whose own ranker has learned from it.

use super::Press;
use crate::finding::Finding;
use crate::statistics::{at_least, at_most};
use crate::subject::SYMBOL;
use ears_only::clock::{HOUR_MS, Timestamp};
use ears_only::error::Error;
use ears_world::World;
use ears_world::candidates::{CandidateShelf, Candidates};
use ears_world::chance::{Draw, Key};
use ears_world::constants::FIRST_DAY_MS;
use ears_world::device::Device;
use ears_world::listener::Listener;
use rayon::prelude::*;

/// Days before the first upload.
const DAYS: u32 = 7;
/// Cards of which a log holds the chances, as logs of bandits do for every candidate: four shelves of twelve.
const PUBLIC_CARDS: usize = 48;
/// Seed of the run.
const SEED: u64 = 1;

/// One visit: ranks, looks, plays, learns.
fn visit(device: &mut Device, listener: &mut Listener<'_>, page: &[CandidateShelf], day: u32, number: u32) -> Result<(), Error> {
    let visit = listener.visit(day, number);
    let (shown, _) = device.rank(page, visit.at)?;
    let looks = listener.browse(visit, &shown.items);
    device.observe(&shown, &looks, |_, _| ())
}

/// For each card of a page that everybody gets, the exact chance with which this device's policy would put it first.
fn propensities(device: &mut Device, page: &[CandidateShelf], at: Timestamp) -> Result<Vec<f64>, Error> {
    let (shown, _) = device.rank(page, at)?;
    device.ranker.marginals(shown.id)
}

/// What two uploads of one listener say.
#[derive(Clone, Debug, PartialEq)]
pub struct Uploads {
    /// The exact chances of the cards of four public shelves: twice in a row, and after one more day of listening.
    pub chances: [Vec<f64>; 3],
    /// The symbols of records of the shipped lane: two of one evening, and one of the evening after that day of listening.
    pub ours: [u64; 3],
}

/// The items whose chances are in [`Uploads`].
#[must_use]
pub fn logged_items(world: &World) -> Vec<u32> {
    let page = Candidates::new(world.catalogue()).page(SEED, u32::MAX, DAYS);
    page.into_iter().flat_map(|shelf| shelf.cards).take(PUBLIC_CARDS).collect()
}

/// Lets a listener of the demo world live a week with the shipped ranker, and upload both ways.
///
/// # Errors
/// When the core refuses a page, an event or a record.
pub fn uploads(world: &World, number: u32) -> Result<Uploads, Error> {
    let candidates = Candidates::new(world.catalogue());
    let mut listener = Listener::new(world, SEED, number);
    let mut device = Device::new(world, &crate::fixture::bundle()?, SEED, number)?;
    device.import(&listener)?;
    for day in 0..DAYS {
        listener.begin_day(day);
        let page = candidates.page(SEED, number, day);
        for turn in 0..2 {
            visit(&mut device, &mut listener, &page, day, turn)?;
        }
    }
    // A page that everybody gets, on one and the same evening.
    let public = candidates.page(SEED, u32::MAX, DAYS);
    let evening = Timestamp::clamped(FIRST_DAY_MS).plus_ms((i64::from(DAYS) * 24 + 22) * HOUR_MS);
    let first = propensities(&mut device, &public, evening)?;
    let second = propensities(&mut device, &public, evening)?;
    let next_day = candidates.page(SEED, number, DAYS + 1);
    listener.begin_day(DAYS + 1);
    visit(&mut device, &mut listener, &next_day, DAYS + 1, 0)?;
    let evenings = [evening, evening, evening.plus_ms(24 * HOUR_MS)];
    let third = propensities(&mut device, &public, evenings[2])?;
    let some = |all: Vec<f64>| all.into_iter().take(PUBLIC_CARDS).collect::<Vec<f64>>();
    let probed = public.first().and_then(|shelf| shelf.cards.first()).copied().unwrap_or(0);
    let mut press = Press::new(u64::from(number) + 5_000_000)?;
    let mut ours = [0; 3];
    for (turn, (symbol, at)) in ours.iter_mut().zip(evenings).enumerate() {
        let plays = Key::new(u64::from(number), Draw::Play).with(turn as u64).unit() < listener.true_chance(probed, at);
        *symbol = SYMBOL.of(&press.record(plays)?);
    }
    Ok(Uploads { chances: [some(first), some(second), some(third)], ours })
}

/// How many of the second uploads are matched with the right first one.
fn matched(count: usize, distance: impl Fn(usize, usize) -> f64 + Sync) -> u64 {
    (0..count).into_par_iter().map(|victim| u64::from(found(count, &distance, victim))).sum()
}

/// Whether the second upload of `victim` is matched with the right one of `count` first ones: the nearest, ties drawn. `distance` of the
/// first upload of one and the second of another.
pub fn found(count: usize, distance: impl Fn(usize, usize) -> f64, victim: usize) -> bool {
    let own = distance(victim, victim);
    let (mut nearer, mut tied) = (0u64, 0u64);
    for other in (0..count).filter(|other| *other != victim) {
        let gap = distance(other, victim);
        nearer += u64::from(gap < own);
        tied += u64::from(gap == own);
    }
    let lucky = Key::new(victim as u64, Draw::Length).below(tied as usize + 1) == 0;
    nearer == 0 && lucky
}

/// How far apart two uploads of chances are.
#[must_use]
pub fn gap(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).abs()).sum()
}

/// How far apart two uploads of chances are when some of a day lies between them.
#[must_use]
pub fn log_gap(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (libm::log(x / y)).abs()).sum()
}

/// Who is who, from two uploads: by ordinary propensity logs, and by our records.
#[must_use]
pub fn identity(full: bool) -> Vec<Finding> {
    const OURS: &str = "re-identification, our records";
    const LOGS: &str = "re-identification, ordinary logs";
    const PROMISE: &str = "two uploads cannot be matched to one listener";
    let count: u32 = if full { 10_000 } else { 400 };
    let world = World::demo();
    let all: Result<Vec<Uploads>, Error> = (0..count).into_par_iter().map(|number| uploads(&world, number)).collect();
    let all = match all {
        Ok(all) => all,
        Err(problem) => return vec![Finding::broken(OURS, PROMISE, &problem.to_string())],
    };
    let size = all.len();
    let exact = matched(size, |a, b| gap(&all[a].chances[0], &all[b].chances[1]));
    let later = matched(size.min(2_000), |a, b| log_gap(&all[a].chances[0], &all[b].chances[2]));
    let single = matched(size, |a, b| gap(&all[a].chances[0][..1], &all[b].chances[1][..1]));
    let ours = matched(size, |a, b| if all[a].ours[0] == all[b].ours[1] { 0.0 } else { 1.0 });
    let trials = u64::from(count);
    let chance = 1.0 / f64::from(count);
    let low = at_least(ours, trials, 1e-5);
    let share = |hits: u64| hits as f64 / f64::from(count);
    vec![
        Finding {
            check: LOGS,
            promise: "an ordinary log of exact chances would give every listener away: why none leaves",
            how: format!(
                "{count} listeners of the demo world after a week; exact chances of {PUBLIC_CARDS} cards by the product's own ranker, two uploads"
            ),
            result: format!(
                "{:.1} % of the listeners found; {:.1} % by the chance of one unpopular card alone; {:.1} % of {} after a day of listening",
                100.0 * share(exact),
                100.0 * share(single),
                100.0 * later as f64 / size.min(2_000) as f64,
                size.min(2_000)
            ),
            // The attack has to work, or its failure on our records would show nothing.
            pass: share(exact) >= 0.99,
            numbers: vec![
                ("found".into(), share(exact)),
                ("by one card".into(), share(single)),
                ("after a day".into(), later as f64 / size.min(2_000) as f64),
                ("listeners".into(), trials as f64),
            ],
        },
        Finding {
            check: OURS,
            promise: PROMISE,
            how: format!("the same {count} listeners, two records each"),
            result: format!(
                "{ours} of {count} found, chance finds 1 (at most {:.4} % of them with certainty 0.99999)",
                100.0 * at_most(ours, trials, 1e-5)
            ),
            pass: low <= std::f64::consts::E * chance,
            numbers: vec![("found".into(), ours as f64), ("share".into(), share(ours)), ("chance".into(), chance)],
        },
    ]
}

/// The favourite family of a listener, and the arm and symbol of each of their records.
pub type Victim = (usize, Vec<(usize, u64)>);

/// Records of each listener: a month of them.
const RECORDS: usize = 4;

/// One public card of each family: what the manifest asks about.
#[must_use]
pub fn asked_items(world: &World) -> Vec<u32> {
    let families = world.catalogue().families().len() as u32;
    (0..families).filter_map(|family| world.catalogue().numbers(|item| item.family == family).first().copied()).collect()
}

/// What a listener likes best, by the truth, and a month of their records.
///
/// # Errors
/// When the core refuses a record.
pub fn victim(world: &World, arms: &[u32], number: u32) -> Result<Victim, Error> {
    let families = world.catalogue().families().len();
    let listener = Listener::new(world, SEED, number);
    let at = listener.visit(0, 1).at;
    let mean = |family: u32| {
        let items = world.catalogue().numbers(|item| item.family == family);
        items.iter().map(|item| listener.true_chance(*item, at)).sum::<f64>() / items.len().max(1) as f64
    };
    let values: Vec<f64> = (0..families as u32).map(mean).collect();
    let top = (0..families).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0);
    let mut press = Press::new(u64::from(number) + 9_000_000)?;
    let key = Key::new(u64::from(number), Draw::Length);
    let records = (0..RECORDS)
        .map(|turn| {
            let arm = key.with(turn as u64).below(arms.len());
            let plays = key.with(50 + turn as u64).unit() < listener.true_chance(arms[arm], at);
            Ok((arm, SYMBOL.of(&press.record(plays)?)))
        })
        .collect::<Result<_, Error>>()?;
    Ok((top, records))
}

/// Naive Bayes: how often each symbol follows each arm among those with each favourite family.
#[derive(Clone, Debug)]
pub struct Guesser {
    tops: Vec<f64>,
    ones: Vec<Vec<(f64, f64)>>,
    rate: f64,
}

impl Guesser {
    /// Learns from listeners whose favourite family is known.
    #[must_use]
    pub fn learned(families: usize, arms: usize, known: &[Victim]) -> Self {
        let mut tops = vec![1.0f64; families];
        let mut ones = vec![vec![(0.0f64, 0.0f64); arms]; families];
        let mut overall = (1.0f64, 2.0f64);
        for (top, records) in known {
            tops[*top] += 1.0;
            for (arm, symbol) in records {
                let cell = &mut ones[*top][*arm];
                *cell = (cell.0 + *symbol as f64, cell.1 + 1.0);
                overall = (overall.0 + *symbol as f64, overall.1 + 1.0);
            }
        }
        Self { tops, ones, rate: overall.0 / overall.1 }
    }

    /// Rates are pulled towards the common one by ten records' worth.
    fn chance(&self, top: usize, arm: usize, symbol: u64) -> f64 {
        let (hits, all) = self.ones[top][arm];
        let one = (hits + 10.0 * self.rate) / (all + 10.0);
        if symbol == 1 { one } else { 1.0 - one }
    }

    /// The likeliest favourite family; without records, what is likeliest among all.
    #[must_use]
    pub fn guess(&self, records: &[(usize, u64)]) -> usize {
        let score = |top: usize| {
            libm::log(self.tops[top])
                + records.iter().map(|(arm, symbol)| libm::log(self.chance(top, *arm, *symbol))).sum::<f64>()
        };
        (0..self.tops.len()).max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap_or(0)
    }
}

/// What a listener likes best, from four records, against what everybody likes.
#[must_use]
pub fn reconstruction(full: bool) -> Finding {
    const NAME: &str = "reconstruction";
    const PROMISE: &str = "a month of records does not show what you like best";
    let count: u32 = if full { 10_000 } else { 2_000 };
    let world = World::demo();
    let families = world.catalogue().families().len();
    let arms = asked_items(&world);
    let people: Result<Vec<Victim>, Error> = (0..count).into_par_iter().map(|number| victim(&world, &arms, number)).collect();
    let people = match people {
        Ok(people) => people,
        Err(problem) => return Finding::broken(NAME, PROMISE, &problem.to_string()),
    };
    let (known, victims) = people.split_at(people.len() / 2);
    let guesser = Guesser::learned(families, arms.len(), known);
    let guess = |records: &[(usize, u64)]| guesser.guess(records);
    let prior = guess(&[]);
    let trials = victims.len() as u64;
    let by_prior = victims.iter().filter(|(top, _)| *top == prior).count() as u64;
    let by_records = victims.iter().filter(|(top, records)| guess(records) == *top).count() as u64;
    let share = |hits: u64| hits as f64 / trials as f64;
    let (low, high) = (at_least(by_records, trials, 0.025), at_most(by_records, trials, 0.025));
    // Four records of epsilon 1 allow e^4; a guess from them must not even leave the interval of what the prior gives.
    let (prior_low, prior_high) = (at_least(by_prior, trials, 1e-5), at_most(by_prior, trials, 1e-5));
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{count} listeners of the demo world, {families} families, four records each, a learned attacker"),
        result: format!(
            "favourite family guessed in {:.1} % [{:.1}, {:.1}] of the cases, without any record in {:.1} %",
            100.0 * share(by_records),
            100.0 * low,
            100.0 * high,
            100.0 * share(by_prior)
        ),
        pass: share(by_records) <= prior_high && prior_low <= prior_high,
        numbers: vec![
            ("with records".into(), share(by_records)),
            ("prior".into(), share(by_prior)),
            ("low".into(), low),
            ("high".into(), high),
        ],
    }
}
