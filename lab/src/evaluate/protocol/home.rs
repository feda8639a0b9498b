//! The Last.fm Home: about 10 shelves of up to 12 cards; 2 shelves and 3 cards of each are seen, top down. The visit's reward is the first stream.

use ears_only::math::logit;
use ears_only::random::{Purpose, Seed, below, unit};
use ears_world::chance::{Draw, Key};
use rand_core::Rng;

use super::{FOLDS, Left, PageWorld, Softmax, TARGETS, Tally};
use crate::error::LabError;
use crate::evaluate::slate::Place;
use crate::simulate::lastfm::constants::{NEXT_CARD, NEXT_SHELF, VISIBLE_CARDS, VISIBLE_SHELVES};
use crate::simulate::lastfm::listener::{Listener, base_logit};
use crate::simulate::lastfm::truth::Truth;
use crate::simulate::lastfm::{Data, World, middle};

/// Listeners, each on some days.
const LISTENERS: u32 = 200;
const DAYS: [u32; 4] = [0, 7, 21, 42];
/// Seed of the world; logs have their own.
const WORLD: u64 = 1;
/// Floors of the choices of shelves and of cards.
const FLOOR: f64 = 0.2;
/// Standard deviation of the model's error, in log-odds.
const NOISE: f64 = 0.7;
/// Of the logging policy: sharpness of cards and of shelves.
const LOGGING: [f64; 2] = [1.0, 1.0];
/// Of the targets.
const SHAPES: [[f64; 2]; TARGETS] =
    [[0.3, 0.3], [0.6, 0.6], [0.8, 1.2], [1.4, 1.4], [1.8, 1.2], [1.3, 2.2], [1.8, 1.8], [0.2, 1.0]];
/// Pages of the truth for each context and target.
const TRUTH_PAGES: u32 = 300;
/// Bins of the model's score that share a rate of streams.
const BINS: usize = 24;
/// Impressions with which a bin is drawn towards the mean of its place.
const SHRINK: f64 = 25.0;
/// Choices of a page: a shelf and its cards, twice.
const CHOICES: usize = VISIBLE_SHELVES * (1 + VISIBLE_CARDS);

/// A candidate page as one listener would meet it on one day.
struct Context {
    /// By shelf and card: true chance and bin.
    chances: Vec<Vec<f64>>,
    bins: Vec<Vec<usize>>,
    logging: Policy,
    targets: Vec<Policy>,
}

/// A policy on one candidate page.
struct Policy {
    shelves: Softmax,
    cards: Vec<Softmax>,
}

/// A logged page.
struct Page {
    context: usize,
    shelves: [usize; VISIBLE_SHELVES],
    cards: [[usize; VISIBLE_CARDS]; VISIBLE_SHELVES],
    /// Number of the card streamed, top down.
    streamed: Option<usize>,
}

/// The world with its policies.
pub struct Home {
    contexts: Vec<Context>,
}

impl Policy {
    fn new(scores: &[Vec<f64>], [cards, shelves]: [f64; 2]) -> Self {
        // A shelf stands for its three best cards.
        let best = |of: &Vec<f64>| {
            let mut sorted = of.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            sorted.iter().take(VISIBLE_CARDS).sum::<f64>() / VISIBLE_CARDS as f64
        };
        Self {
            shelves: Softmax::new(scores.iter().map(|of| shelves * best(of))),
            cards: scores.iter().map(|of| Softmax::new(of.iter().map(|score| cards * score))).collect(),
        }
    }

    fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> ([usize; VISIBLE_SHELVES], [[usize; VISIBLE_CARDS]; VISIBLE_SHELVES]) {
        let (mut shelves, mut cards) = ([usize::MAX; VISIBLE_SHELVES], [[usize::MAX; VISIBLE_CARDS]; VISIBLE_SHELVES]);
        for s in 0..VISIBLE_SHELVES {
            shelves[s] = self.shelves.draw(rng, FLOOR, &shelves[..s]);
            for c in 0..VISIBLE_CARDS {
                cards[s][c] = self.cards[shelves[s]].draw(rng, FLOOR, &cards[s][..c]);
            }
        }
        (shelves, cards)
    }
}

impl Home {
    /// Draws the world and makes the policies.
    ///
    /// # Errors
    /// When the data have too few listeners.
    pub fn new(data: &Data) -> Result<Self, LabError> {
        if data.counts.listeners.len() < LISTENERS as usize {
            let found = data.counts.listeners.len();
            return Err(LabError::unreadable(format!("expected {LISTENERS} listeners or more, got {found}")));
        }
        let truth = Truth::new(&data.counts, crate::simulate::lastfm::TRUTH_SEED);
        let world = World::new(data, &truth, LISTENERS, WORLD);
        let base = base_logit(&world, middle());
        let key = Key::new(4_712, Draw::Truth);
        let mut contexts = Vec::new();
        for number in 0..LISTENERS {
            let mut listener = Listener::new(&world, middle(), base, number);
            for (day, at) in DAYS.iter().enumerate() {
                listener.begin_day(*at);
                let visit = listener.visit(*at, 0);
                let page: Vec<_> = world.home.page(number, *at).into_iter().filter(|s| s.cards.len() > VISIBLE_CARDS).collect();
                let chance = |kind: usize, card: u32| listener.true_chance(kind, card, visit.at).clamp(1e-6, 1.0 - 1e-6);
                let chances: Vec<Vec<f64>> =
                    page.iter().map(|shelf| shelf.cards.iter().map(|card| chance(shelf.kind, *card)).collect()).collect();
                let own = key.with(u64::from(number)).with(day as u64);
                let noise = |s: usize, c: usize| NOISE * own.with(s as u64).with(c as u64).normal();
                let scores: Vec<Vec<f64>> = chances
                    .iter()
                    .enumerate()
                    .map(|(s, of)| of.iter().enumerate().map(|(c, p)| logit(*p) + noise(s, c)).collect())
                    .collect();
                // Bins of a third in log-odds, from -7 to 1.
                let bin = |score: &f64| (((score + 7.0) * 3.0).max(0.0) as usize).min(BINS - 1);
                contexts.push(Context {
                    bins: scores.iter().map(|of| of.iter().map(bin).collect()).collect(),
                    logging: Policy::new(&scores, LOGGING),
                    targets: SHAPES.iter().map(|shape| Policy::new(&scores, *shape)).collect(),
                    chances,
                });
            }
        }
        Ok(Self { contexts })
    }

    /// Rates of first streams by place and bin, from the other fold.
    fn rates(&self, pages: &[Page], fold: usize) -> Vec<[f64; BINS]> {
        let places = VISIBLE_SHELVES * VISIBLE_CARDS;
        let mut counts = vec![[(0.0, 0.0); BINS]; places];
        for (_, page) in pages.iter().enumerate().filter(|(number, _)| number % FOLDS != fold) {
            let context = &self.contexts[page.context];
            for (place, counts) in counts.iter_mut().enumerate().take(page.streamed.map_or(places, |at| at + 1)) {
                let (s, c) = (place / VISIBLE_CARDS, place % VISIBLE_CARDS);
                let cell = &mut counts[context.bins[page.shelves[s]][page.cards[s][c]]];
                cell.0 += f64::from(u8::from(page.streamed == Some(place)));
                cell.1 += 1.0;
            }
        }
        let of = |cells: &[(f64, f64); BINS]| {
            let (streams, seen) = cells.iter().fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
            let mean = streams / f64::max(seen, 1.0);
            cells.map(|(streams, seen)| (streams + SHRINK * mean) / (seen + SHRINK))
        };
        counts.iter().map(of).collect()
    }
}

impl Context {
    /// Chance that a page brings a stream, and that a visitor who looks down it streams each card: a cascade.
    fn value(&self, shelves: &[usize], cards: &[[usize; VISIBLE_CARDS]]) -> f64 {
        let (mut here, mut streams) = (1.0, 0.0);
        for (shelf, cards) in shelves.iter().zip(cards) {
            let (mut looking, mut left) = (here, 0.0);
            for (c, card) in cards.iter().enumerate() {
                let chance = self.chances[*shelf][*card];
                streams += looking * chance;
                let on = if c + 1 < VISIBLE_CARDS { NEXT_CARD } else { 0.0 };
                left += looking * (1.0 - chance) * (1.0 - on);
                looking *= (1.0 - chance) * on;
            }
            here = left * NEXT_SHELF;
        }
        streams
    }

    /// Looks down a page: the number of the card streamed.
    fn browse<R: Rng + ?Sized>(&self, rng: &mut R, shelves: &[usize], cards: &[[usize; VISIBLE_CARDS]]) -> Option<usize> {
        for (s, (shelf, cards)) in shelves.iter().zip(cards).enumerate() {
            for (c, card) in cards.iter().enumerate() {
                if unit(rng) < self.chances[*shelf][*card] {
                    return Some(s * VISIBLE_CARDS + c);
                }
                if unit(rng) >= NEXT_CARD {
                    break;
                }
            }
            if unit(rng) >= NEXT_SHELF {
                break;
            }
        }
        None
    }

    /// The chance of a stream that a shelf brings at row `row` under a target, by the rates: the mean of each place, as if drawn anew.
    fn shelf_values(&self, target: &Policy, rates: &[[f64; BINS]], row: usize) -> Vec<f64> {
        let of = |(softmax, bins): (&Softmax, &Vec<usize>)| {
            (0..VISIBLE_CARDS).map(|c| fresh(softmax, bins, &rates[row * VISIBLE_CARDS + c]).expected(FLOOR)).sum()
        };
        target.cards.iter().zip(&self.bins).map(of).collect()
    }
}

/// A pool of cards of which none is taken.
fn fresh(softmax: &Softmax, bins: &[usize], rates: &[f64; BINS]) -> Left {
    Left {
        odds: softmax.total(),
        weighted: softmax.odds.iter().zip(bins).map(|(e, bin)| e * rates[*bin]).sum(),
        plain: bins.iter().map(|bin| rates[*bin]).sum(),
        items: bins.len() as f64,
    }
}

impl PageWorld for Home {
    fn name(&self) -> &'static str {
        "home"
    }

    fn truth(&self) -> [f64; TARGETS] {
        let mut rng = Seed::from_number(1 << 41).stream(Purpose::Host, 0);
        std::array::from_fn(|target| {
            let mut sum = 0.0;
            for context in &self.contexts {
                for _ in 0..TRUTH_PAGES {
                    let (shelves, cards) = context.targets[target].draw(&mut rng);
                    sum += context.value(&shelves, &cards);
                }
            }
            sum / (self.contexts.len() as f64 * f64::from(TRUTH_PAGES))
        })
    }

    fn log(&self, seed: u64, pages: usize) -> [Tally; TARGETS] {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 2);
        let log: Vec<Page> = (0..pages)
            .map(|_| {
                let context = below(&mut rng, self.contexts.len() as u32) as usize;
                let (shelves, cards) = self.contexts[context].logging.draw(&mut rng);
                let streamed = self.contexts[context].browse(&mut rng, &shelves, &cards);
                Page { context, shelves, cards, streamed }
            })
            .collect();
        let rates: Vec<Vec<[f64; BINS]>> = (0..FOLDS).map(|fold| self.rates(&log, fold)).collect();
        std::array::from_fn(|target| {
            let values: Vec<Vec<[Vec<f64>; VISIBLE_SHELVES]>> = rates
                .iter()
                .map(|rates| {
                    let of =
                        |context: &Context| std::array::from_fn(|row| context.shelf_values(&context.targets[target], rates, row));
                    self.contexts.iter().map(of).collect()
                })
                .collect();
            let mut tally = Tally::new(CHOICES);
            for (number, page) in log.iter().enumerate() {
                let fold = number % FOLDS;
                let context = &self.contexts[page.context];
                let (places, first) = context.places(page, target, &rates[fold], &values[fold][page.context]);
                tally.add(&places, first);
            }
            tally
        })
    }
}

impl Context {
    /// What the estimators read of a page: each choice of a shelf, which earns nothing itself, and of a card. Predictions are of all that is still
    /// to come, given that nothing was streamed yet.
    fn places(
        &self,
        page: &Page,
        target: usize,
        rates: &[[f64; BINS]],
        values: &[Vec<f64>; VISIBLE_SHELVES],
    ) -> ([Place; CHOICES], f64) {
        let (policy, logging) = (&self.targets[target], &self.logging);
        let mut places = [Place::default(); CHOICES];
        let (mut weight, mut first) = (1.0, 1.0);
        let pool = |softmax: &Softmax, values: &[f64]| Left {
            odds: softmax.total(),
            weighted: softmax.odds.iter().zip(values).map(|(e, q)| e * q).sum(),
            plain: values.iter().sum(),
            items: values.len() as f64,
        };
        // What the rows below bring, whatever stands here: the mean of a shelf there.
        let below: Vec<f64> = (0..VISIBLE_SHELVES)
            .map(|row| (row + 1..VISIBLE_SHELVES).map(|later| pool(&policy.shelves, &values[later]).expected(FLOOR)).sum())
            .collect();
        for row in 0..VISIBLE_SHELVES {
            // Shelves above are taken.
            let (mut left, mut logged) = (pool(&policy.shelves, &values[row]), pool(&logging.shelves, &values[row]));
            for above in &page.shelves[..row] {
                left.take(policy.shelves.odds[*above], values[row][*above]);
                logged.take(logging.shelves.odds[*above], values[row][*above]);
            }
            let shelf = page.shelves[row];
            let alive = |place: usize| page.streamed.is_none_or(|at| place <= at);
            let still = |place: usize, value: f64| if alive(place) { value } else { 0.0 };
            let start = row * VISIBLE_CARDS;
            let chance = left.chance(policy.shelves.odds[shelf], FLOOR);
            weight *= chance / logged.chance(logging.shelves.odds[shelf], FLOOR);
            if row == 0 {
                first = chance;
            }
            places[row * (1 + VISIBLE_CARDS)] = Place {
                prefix_weight: weight,
                predicted: still(start, values[row][shelf] + below[row]),
                expected: still(start, left.expected(FLOOR) + below[row]),
                ..Place::default()
            };
            for c in 0..VISIBLE_CARDS {
                let place = start + c;
                let (of_target, of_logging) = (&policy.cards[shelf], &logging.cards[shelf]);
                let bins = &self.bins[shelf];
                let mut left = fresh(of_target, bins, &rates[place]);
                let mut logged = fresh(of_logging, bins, &rates[place]);
                for above in &page.cards[row][..c] {
                    left.take(of_target.odds[*above], rates[place][bins[*above]]);
                    logged.take(of_logging.odds[*above], rates[place][bins[*above]]);
                }
                let card = page.cards[row][c];
                let chance = left.chance(of_target.odds[card], FLOOR);
                weight *= chance / logged.chance(of_logging.odds[card], FLOOR);
                if place == 0 {
                    first *= chance;
                }
                let later: f64 =
                    (place + 1..start + VISIBLE_CARDS).map(|at| fresh(of_target, bins, &rates[at]).expected(FLOOR)).sum();
                places[row * (1 + VISIBLE_CARDS) + 1 + c] = Place {
                    reward: f64::from(u8::from(page.streamed == Some(place))),
                    prefix_weight: weight,
                    predicted: still(place, rates[place][bins[card]] + later + below[row]),
                    expected: still(place, left.expected(FLOOR) + later + below[row]),
                    ..Place::default()
                };
            }
        }
        (places, first)
    }
}
