//! The carousel: users of 100 segments, 862 playlists, 12 slots. The visit's reward is the first stream, looking down all slots.
//!
//! A slot's prediction is of all that is still to come, given that nothing was streamed yet: then reward and next prediction together differ little
//! from it, and so do the terms of cascade-DR (Jiang and Li 2016, "Doubly robust off-policy value evaluation for reinforcement learning").

use ears_only::math::{ln, logit};
use ears_only::random::{Purpose, Seed, below, unit};
use ears_world::chance::{Draw, Key};
use rand_core::Rng;

use super::{FOLDS, Left, PageWorld, Softmax, TARGETS, Tally};
use crate::evaluate::slate::Place;
use crate::simulate::carousel::world::{SLOTS, World};

/// Floor of every choice.
const FLOOR: f64 = 0.1;
/// Standard deviation of the model's error, in log-odds.
const NOISE: f64 = 0.5;
/// Log-odds of a choice for each log-odds of the model, of the logging policy.
const SHARPNESS: f64 = 0.8;
/// Of the targets: sharpness of the model's scores, of the playlist's mean over segments.
const SHAPES: [[f64; 2]; TARGETS] =
    [[0.64, 0.0], [0.70, 0.0], [0.90, 0.0], [1.00, 0.0], [0.70, 0.15], [0.80, 0.15], [0.65, -0.10], [0.90, 0.10]];
/// Pages of the truth for each target, spread over all users; only what is drawn varies, the chance of a stream is exact.
const TRUTH_PAGES: u32 = 20;
/// Impressions with which a playlist is drawn towards the mean of all.
const SHRINK: f64 = 10.0;

/// The world with its policies.
pub struct Carousel<'a> {
    world: &'a World,
    logging: Vec<Softmax>,
    /// By target and segment.
    targets: Vec<Vec<Softmax>>,
}

/// A logged page.
struct Page {
    segment: usize,
    shown: [usize; SLOTS],
    streamed: Option<usize>,
}

impl<'a> Carousel<'a> {
    /// Makes the policies.
    #[must_use]
    pub fn new(world: &'a World) -> Self {
        let public = world.public();
        let (segments, playlists) = (public.segments, public.playlists);
        let mut sums = vec![vec![0.0; playlists]; segments];
        let mut users = vec![0.0; segments];
        for user in 0..world.users() as u32 {
            let segment = public.segment(user);
            users[segment] += 1.0;
            sums[segment].iter_mut().zip(world.chances(user)).for_each(|(sum, chance)| *sum += f64::from(*chance));
        }
        let key = Key::new(4_711, Draw::Truth);
        let score = |segment: usize, playlist: usize| {
            let mean = (sums[segment][playlist] / f64::max(users[segment], 1.0)).clamp(1e-6, 1.0 - 1e-6);
            logit(mean) + NOISE * key.with(segment as u64).with(playlist as u64).normal()
        };
        let scores: Vec<Vec<f64>> = (0..segments).map(|s| (0..playlists).map(|p| score(s, p)).collect()).collect();
        let popular: Vec<f64> = (0..playlists).map(|p| scores.iter().map(|of| of[p]).sum::<f64>() / segments as f64).collect();
        let policy = |[model, popularity]: [f64; 2]| -> Vec<Softmax> {
            let of = |scores: &Vec<f64>| Softmax::new(scores.iter().zip(&popular).map(|(s, p)| model * s + popularity * p));
            scores.iter().map(of).collect()
        };
        Self { world, logging: policy([SHARPNESS, 0.0]), targets: SHAPES.iter().map(|shape| policy(*shape)).collect() }
    }

    fn draw<R: Rng + ?Sized>(softmax: &Softmax, rng: &mut R) -> [usize; SLOTS] {
        let mut shown = [usize::MAX; SLOTS];
        for slot in 0..SLOTS {
            shown[slot] = softmax.draw(rng, FLOOR, &shown[..slot]);
        }
        shown
    }

    /// Rate of streams per impression of each playlist, from the other fold.
    fn rates(&self, pages: &[Page], fold: usize) -> Vec<f64> {
        let mut counts = vec![(0.0, 0.0); self.world.public().playlists];
        let (mut all, mut seen) = (0.0, 0.0);
        for (_, page) in pages.iter().enumerate().filter(|(number, _)| number % FOLDS != fold) {
            // Only slots up to the stream count: the visit ended there.
            for (slot, playlist) in page.shown.iter().enumerate().take(page.streamed.map_or(SLOTS, |slot| slot + 1)) {
                let streamed = f64::from(u8::from(page.streamed == Some(slot)));
                counts[*playlist].0 += streamed;
                counts[*playlist].1 += 1.0;
                all += streamed;
                seen += 1.0;
            }
        }
        let mean = all / f64::max(seen, 1.0);
        counts.iter().map(|(streams, seen)| (streams + SHRINK * mean) / (seen + SHRINK)).collect()
    }
}

impl PageWorld for Carousel<'_> {
    fn name(&self) -> &'static str {
        "carousel"
    }

    fn truth(&self) -> [f64; TARGETS] {
        let mut rng = Seed::from_number(1 << 40).stream(Purpose::Host, 0);
        let users = self.world.users() as u32;
        std::array::from_fn(|target| {
            let mut sum = 0.0;
            for user in 0..users {
                let softmax = &self.targets[target][self.world.public().segment(user)];
                let chances = self.world.chances(user);
                for _ in 0..TRUTH_PAGES {
                    let shown = Self::draw(softmax, &mut rng);
                    sum += 1.0 - shown.iter().map(|p| 1.0 - f64::from(chances[*p])).product::<f64>();
                }
            }
            sum / f64::from(users * TRUTH_PAGES)
        })
    }

    fn log(&self, seed: u64, pages: usize) -> [Tally; TARGETS] {
        let mut rng = Seed::from_number(seed).stream(Purpose::Host, 1);
        let log: Vec<Page> = (0..pages)
            .map(|_| {
                let user = below(&mut rng, self.world.users() as u32);
                let segment = self.world.public().segment(user);
                let shown = Self::draw(&self.logging[segment], &mut rng);
                let chances = self.world.chances(user);
                let streamed = shown.iter().position(|p| unit(&mut rng) < f64::from(chances[*p]));
                Page { segment, shown, streamed }
            })
            .collect();
        let rates: Vec<Vec<f64>> = (0..FOLDS).map(|fold| self.rates(&log, fold)).collect();
        std::array::from_fn(|target| {
            let whole = |policy: &Softmax, rates: &[f64]| Left {
                odds: policy.total(),
                weighted: policy.odds.iter().zip(rates).map(|(e, q)| e * q).sum(),
                plain: rates.iter().sum(),
                items: rates.len() as f64,
            };
            // By fold and segment.
            let fresh: Vec<Vec<Left>> =
                rates.iter().map(|rates| self.targets[target].iter().map(|policy| whole(policy, rates)).collect()).collect();
            let mut tally = Tally::new(SLOTS);
            for (number, page) in log.iter().enumerate() {
                let fold = number % FOLDS;
                let (policy, logging) = (&self.targets[target][page.segment], &self.logging[page.segment]);
                let mut left = fresh[fold][page.segment];
                let mut logged = Left { odds: logging.total(), ..left };
                // What is to come: a stream in one of the slots left, each with the target's mean rate.
                let miss = ln(1.0 - left.expected(FLOOR));
                let to_come = |slot: usize| 1.0 - ears_only::math::exp(miss * (SLOTS - slot) as f64);
                let (mut weight, mut first) = (1.0, 0.0);
                let mut places = [Place::default(); SLOTS];
                for (slot, place) in places.iter_mut().enumerate() {
                    let playlist = page.shown[slot];
                    let (odds, rate) = (policy.odds[playlist], rates[fold][playlist]);
                    let chance = left.chance(odds, FLOOR);
                    weight *= chance / logged.chance(logging.odds[playlist], FLOOR);
                    if slot == 0 {
                        first = chance;
                    }
                    // After a stream the visit is over, and nothing more is expected of it.
                    let alive = page.streamed.is_none_or(|at| slot <= at);
                    let value = |rate: f64| if alive { rate + (1.0 - rate) * to_come(slot + 1) } else { 0.0 };
                    *place = Place {
                        reward: f64::from(u8::from(page.streamed == Some(slot))),
                        prefix_weight: weight,
                        predicted: value(rate),
                        expected: value(left.expected(FLOOR)),
                        ..Place::default()
                    };
                    left.take(odds, rate);
                    logged.take(logging.odds[playlist], rate);
                }
                tally.add(&places, first);
            }
            tally
        })
    }
}
