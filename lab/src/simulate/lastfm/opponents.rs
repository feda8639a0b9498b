//! The policies that the core is compared with. They order pages through the shipped policies.

use ears_only::math::ln;
use ears_only::page::Visible;
use ears_only::policy::{PagePolicy, Policy as _, Rule};
use ears_only::random::{Purpose, Seed};
use ears_only::slate::Candidates as Choices;
use ears_world::chance::{Draw, Key};

use super::World;
use super::constants::{GENRES, NEXT_CARD, PESSIMISTIC, POPULARITY_EXPLORATION, SEGMENTS, SHELF_LOGIT};
use super::home::{CandidateShelf, Home, Stands};
use super::listener::{Listener, Look, PlacedShelf, Visit};
use crate::error::LabError;

/// A visit as a policy meets it. Only oracles may look at the listener's truth.
pub struct Moment<'a, 'w> {
    /// Who.
    pub listener: &'a Listener<'w>,
    /// When.
    pub visit: Visit,
    /// The candidates.
    pub page: &'a [CandidateShelf],
}

/// Orders pages and learns from what comes of it.
pub trait Policy {
    /// The page in the order to show.
    ///
    /// # Errors
    /// When the core refuses something.
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError>;

    /// What was seen and played.
    ///
    /// # Errors
    /// When the core refuses something.
    fn observe(&mut self, _: u32, _: Visit, _: &[CandidateShelf], _: &[Look]) -> Result<(), LabError> {
        Ok(())
    }
}

/// Uniformly drawn pages.
pub struct Random {
    /// Seed of the run.
    pub seed: u64,
}

impl Policy for Random {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        uniform(self.seed, moment)
    }
}

/// Cards and shelves by public popularity.
pub struct Server<'a> {
    /// The public side.
    pub home: &'a Home,
}

impl Policy for Server<'_> {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        greedy(moment.page, |_, card| self.home.card_popularity(card))
    }
}

/// The page as it came: what the listener knows first, cards by public popularity.
pub struct Editorial;

impl Policy for Editorial {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        Ok((0..).zip(moment.page).map(|(shelf, of)| PlacedShelf { shelf, cards: of.cards.clone() }).collect())
    }
}

/// Learned popularity: streams among showings of each card, over all listeners so far; one page in twenty at random.
pub struct Popularity {
    seed: u64,
    counts: Vec<(f64, f64)>,
}

impl Popularity {
    /// Knows nothing yet: every card has had [`PESSIMISTIC`] streams and failures, and ties keep the page's order.
    #[must_use]
    pub fn new(world: &World<'_>) -> Self {
        Self { seed: world.seed, counts: vec![PESSIMISTIC; world.home.cards()] }
    }
}

impl Policy for Popularity {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        if coin(self.seed, 1, moment).unit() < POPULARITY_EXPLORATION {
            return uniform(self.seed, moment);
        }
        let rate = |card: u32| {
            let (streams, failures) = self.counts[card as usize];
            streams / (streams + failures)
        };
        greedy(moment.page, |_, card| rate(card))
    }

    fn observe(&mut self, _: u32, _: Visit, _: &[CandidateShelf], looks: &[Look]) -> Result<(), LabError> {
        for look in looks {
            let (streams, failures) = &mut self.counts[look.card as usize];
            *if look.is_stream() { streams } else { failures } += 1.0;
        }
        Ok(())
    }
}

/// The strongest learner here that does not tell listeners apart: streams among showings of each card, drawn towards the rate of all
/// cards of the same kind of shelf and tenth of public popularity with the weight of 100 showings; one page in twenty at random.
pub struct Pooled<'a> {
    home: &'a Home,
    seed: u64,
    cards: Vec<(f64, f64)>,
    pools: Vec<(f64, f64)>,
}

impl<'a> Pooled<'a> {
    /// Knows public popularity.
    #[must_use]
    pub fn new(home: &'a Home, seed: u64) -> Self {
        Self { home, seed, cards: vec![(0.0, 0.0); home.cards()], pools: vec![PESSIMISTIC; 10 * SHELF_LOGIT.len()] }
    }

    fn pool(&self, kind: usize, card: u32) -> usize {
        let tenth = match self.home.stands(card) {
            // Artists are numbered by falling popularity; a mix is as well known as its artists.
            Stands::Artist(artist) => artist as usize * 10 / self.home.artists.len(),
            Stands::Mix(_) => 0,
        };
        kind * 10 + tenth
    }
}

impl Policy for Pooled<'_> {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        if coin(self.seed, 3, moment).unit() < POPULARITY_EXPLORATION {
            return uniform(self.seed, moment);
        }
        greedy(moment.page, |kind, card| {
            let (streams, failures) = self.pools[self.pool(kind, card)];
            let pooled = streams / (streams + failures);
            let weight = PESSIMISTIC.0 + PESSIMISTIC.1;
            let (streams, failures) = self.cards[card as usize];
            (streams + weight * pooled) / (streams + failures + weight)
        })
    }

    fn observe(&mut self, _: u32, _: Visit, page: &[CandidateShelf], looks: &[Look]) -> Result<(), LabError> {
        for look in looks {
            let pool = self.pool(page[look.shelf].kind, look.card);
            for (streams, failures) in [&mut self.cards[look.card as usize], &mut self.pools[pool]] {
                *if look.is_stream() { streams } else { failures } += 1.0;
            }
        }
        Ok(())
    }
}

/// Thompson sampling by segment with pessimistic Beta(1, 99) priors (Bendada et al. 2020, `ts-seg-pessimistic`).
///
/// An arm is a segment, a kind of shelf and a genre, not a segment and an artist. A run has about 200,000 looks; over 9 segments and
/// some 2,400 artists that is 10 looks for an arm, against a prior of 100: the posterior would hardly leave its start within the
/// run. Over 40 genres and 8 kinds of shelf it is about 70, more where there is something to find, and arms tell apart what moves
/// streams most: whether the shelf is one of things known, and the genre. Cards of one arm keep the order of popularity.
pub struct Segments<'a> {
    home: &'a Home,
    seed: u64,
    arms: Vec<(f64, f64)>,
}

impl<'a> Segments<'a> {
    /// Knows the segments of listeners and nothing else.
    #[must_use]
    pub fn new(home: &'a Home, seed: u64) -> Self {
        Self { home, seed, arms: vec![PESSIMISTIC; (SEGMENTS + 1) * SHELF_LOGIT.len() * GENRES] }
    }

    fn arm(&self, listener: u32, kind: usize, card: u32) -> usize {
        let segment = self.home.segments[listener as usize] as usize;
        (segment * SHELF_LOGIT.len() + kind) * GENRES + self.home.genre(card) as usize
    }
}

impl Policy for Segments<'_> {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        let key = coin(self.seed, 2, moment);
        greedy(moment.page, |kind, card| {
            let arm = self.arm(moment.listener.number(), kind, card);
            beta(self.arms[arm], key.with(arm as u64))
        })
    }

    fn observe(&mut self, listener: u32, _: Visit, page: &[CandidateShelf], looks: &[Look]) -> Result<(), LabError> {
        for look in looks {
            let arm = self.arm(listener, page[look.shelf].kind, look.card);
            let (streams, failures) = &mut self.arms[arm];
            *if look.is_stream() { streams } else { failures } += 1.0;
        }
        Ok(())
    }
}

/// Orders by the true chance of this listener now.
pub struct Oracle;

impl Policy for Oracle {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        greedy(moment.page, |kind, card| moment.listener.true_chance(kind, card, moment.visit.at))
    }
}

/// Orders by the true mean chance over the listeners of the same segment, on the first day and without fatigue: the best that arms by
/// segment could learn, were tastes not to move.
pub struct SegmentOracle<'a> {
    home: &'a Home,
    /// Mean chance by segment, kind of shelf and card.
    chance: Vec<f32>,
}

impl<'a> SegmentOracle<'a> {
    /// Asks everybody.
    #[must_use]
    pub fn new(home: &'a Home, listeners: &[Listener<'_>]) -> Self {
        let (kinds, cards) = (SHELF_LOGIT.len(), home.cards());
        let mut chance = vec![0.0; (SEGMENTS + 1) * kinds * cards];
        let mut members = vec![0.0f32; SEGMENTS + 1];
        for listener in listeners {
            let segment = home.segments[listener.number() as usize] as usize;
            members[segment] += 1.0;
            let at = listener.visit(0, 0).at;
            for kind in 0..kinds {
                let row = &mut chance[(segment * kinds + kind) * cards..][..cards];
                for (card, sum) in (0u32..).zip(row) {
                    *sum += listener.true_chance(kind, card, at) as f32;
                }
            }
        }
        for (block, members) in chance.chunks_exact_mut(kinds * cards).zip(members) {
            block.iter_mut().for_each(|sum| *sum /= members.max(1.0));
        }
        Self { home, chance }
    }
}

impl Policy for SegmentOracle<'_> {
    fn place(&mut self, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
        let segment = self.home.segments[moment.listener.number() as usize] as usize;
        let cards = self.home.cards();
        greedy(moment.page, |kind, card| f64::from(self.chance[(segment * SHELF_LOGIT.len() + kind) * cards + card as usize]))
    }
}

/// The key of one policy's own draws on one visit.
fn coin(seed: u64, policy: u64, moment: &Moment<'_, '_>) -> Key {
    let key = Key::new(seed, Draw::Candidates).with(u64::MAX).with(policy).with(u64::from(moment.listener.number()));
    key.with(u64::from(moment.visit.day)).with(u64::from(moment.visit.number))
}

/// Cards by falling chance, shelves by the chance that something on them is played under the listeners' examination; ties keep the
/// page's order.
fn greedy(page: &[CandidateShelf], chance: impl Fn(usize, u32) -> f64) -> Result<Vec<PlacedShelf>, LabError> {
    let of = |shelf: &CandidateShelf| shelf.cards.iter().map(|card| chance(shelf.kind, *card)).collect();
    let cards: Vec<Vec<f64>> = page.iter().map(of).collect();
    let shelves = cards.iter().map(|chances| shelf_value(chances)).collect();
    place(PagePolicy::of(Rule::greedy()), page, shelves, &cards, Seed::from_number(0))
}

/// The shelf that stands first when cards and shelves are ordered by `chance`.
pub(super) fn best_shelf(page: &[CandidateShelf], chance: impl Fn(usize, u32) -> f64) -> Option<usize> {
    let value = |shelf: &CandidateShelf| shelf_value(&shelf.cards.iter().map(|c| chance(shelf.kind, *c)).collect::<Vec<f64>>());
    let values: Vec<f64> = page.iter().map(value).collect();
    (0..values.len()).reduce(|best, next| if values[next] > values[best] { next } else { best })
}

/// A uniformly drawn page.
fn uniform(seed: u64, moment: &Moment<'_, '_>) -> Result<Vec<PlacedShelf>, LabError> {
    let flat: Vec<Vec<f64>> = moment.page.iter().map(|shelf| vec![0.0; shelf.cards.len()]).collect();
    let policy = PagePolicy::of(Rule::uniform());
    let stream = (coin(seed, 0, moment).unit() * (1u64 << 53) as f64) as u64;
    place(policy, moment.page, vec![0.0; moment.page.len()], &flat, Seed::from_number(stream))
}

fn place(
    policy: PagePolicy,
    page: &[CandidateShelf],
    shelves: Vec<f64>,
    cards: &[Vec<f64>],
    seed: Seed,
) -> Result<Vec<PlacedShelf>, LabError> {
    let longest = cards.iter().map(Vec::len).max().unwrap_or(0);
    let choices = Choices::free(shelves, cards, Visible { shelves: page.len(), cards: longest });
    let slate = policy.draw(&choices, &mut seed.stream(Purpose::Host, 0))?;
    let placed = slate.shelves.iter().map(|shelf| {
        let index = shelf.placed.index as usize;
        let cards = slate.cards[shelf.cards.clone()].iter().map(|card| page[index].cards[card.index as usize]);
        PlacedShelf { shelf: index, cards: cards.collect() }
    });
    Ok(placed.collect())
}

/// 1 - prod (1 - [`NEXT_CARD`]^k p_k) over the cards by falling chance.
fn shelf_value(chances: &[f64]) -> f64 {
    let mut sorted = chances.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut nothing, mut seen) = (1.0, 1.0);
    for p in sorted {
        nothing *= 1.0 - seen * p;
        seen *= NEXT_CARD;
    }
    1.0 - nothing
}

/// A Beta number from two Gamma numbers.
fn beta((a, b): (f64, f64), key: Key) -> f64 {
    let (x, y) = (gamma(a, key.with(1)), gamma(b, key.with(2)));
    x / (x + y)
}

/// A Gamma number of `shape` at least 1 and scale 1.
///
/// # References
/// G. Marsaglia, W. W. Tsang (2000), "A simple method for generating gamma variables", ACM TOMS 26(3).
fn gamma(shape: f64, key: Key) -> f64 {
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    let mut at = key;
    loop {
        at = at.with(1);
        let x = at.with(2).normal();
        let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
        if v > 0.0 && ln(at.with(3).unit()) < 0.5 * x * x + d - d * v + d * ln(v) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Bounds of five standard errors: a false alarm once in two million.
    #[test]
    fn beta_numbers_have_their_mean_and_variance() {
        let key = Key::new(3, Draw::Play);
        for (a, b) in [(1.0, 99.0), (7.0, 3.0)] {
            let draws: Vec<f64> = (0..20_000).map(|i| beta((a, b), key.with(i))).collect();
            let mean = draws.iter().sum::<f64>() / 20_000.0;
            let want = a / (a + b);
            let variance = want * (1.0 - want) / (a + b + 1.0);
            assert!((mean - want).abs() < 5.0 * (variance / 20_000.0).sqrt(), "{mean}");
            let square = draws.iter().map(|d| (d - want) * (d - want)).sum::<f64>() / 20_000.0;
            // The fourth moment of Beta(1, 99) is about nine times the squared variance.
            assert!((square / variance - 1.0).abs() < 5.0 * (8.0f64 / 20_000.0).sqrt(), "{square}");
        }
    }
}
