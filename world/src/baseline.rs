//! Policies that do not know the listener, and the one that knows everything. They order pages through the shipped policies.

use ears_only::error::Error;
use ears_only::page::Visible;
use ears_only::policy::{PagePolicy, Policy, Rule};
use ears_only::random::{Purpose, Seed};
use ears_only::slate::Candidates as Choices;

use crate::candidates::CandidateShelf;
use crate::chance::{Draw, Key};
use crate::constants::NEXT_CARD;
use crate::listener::{Listener, VISITS, Visit};
use crate::run::{ByDay, Run};

/// Share of random pages of learned popularity.
const EXPLORATION: f64 = 0.05;
/// Streams and showings that every card is taken to have had: pessimistic, as Beta(1, 99) (Bendada et al. 2020).
const PESSIMISTIC: (f64, f64) = (1.0, 100.0);

/// True mean chance of each item over a run's listeners, at both visits of the first day.
#[derive(Clone, Debug)]
pub struct Appeal(Vec<f64>);

impl Run<'_> {
    /// Streams of one listener by day on uniform pages.
    ///
    /// # Errors
    /// When the core refuses a page.
    pub fn random(&self, number: u32) -> Result<ByDay, Error> {
        self.ordered(number, |listener, visit, page| uniform(page, self.seed, listener.number(), visit))
    }

    /// What [`Run::server`] ranks by.
    #[must_use]
    pub fn appeal(&self) -> Appeal {
        let mut appeal = vec![0.0; self.world.catalogue().items().len()];
        for number in 0..self.listeners {
            let listener = Listener::new(self.world, self.seed, number);
            for visit in 0..VISITS {
                let at = listener.visit(0, visit).at;
                for (item, sum) in (0u32..).zip(&mut appeal) {
                    *sum += listener.true_chance(item, at);
                }
            }
        }
        let count = f64::from(self.listeners * VISITS);
        Appeal(appeal.into_iter().map(|sum| sum / count).collect())
    }

    /// Streams of one listener by day on pages by falling true mean chance.
    ///
    /// # Errors
    /// When the core refuses a page.
    pub fn server(&self, appeal: &Appeal, number: u32) -> Result<ByDay, Error> {
        self.ordered(number, |_, _, page| greedy(page, |item| appeal.0[item as usize]))
    }

    /// Streams of one listener by day on pages by their own true chance.
    ///
    /// # Errors
    /// When the core refuses a page.
    pub fn oracle(&self, number: u32) -> Result<ByDay, Error> {
        self.ordered(number, |listener, visit, page| greedy(page, |item| listener.true_chance(item, visit.at)))
    }
}

/// Learned popularity: streams among showings, over all listeners, updated after each day.
#[derive(Clone, Debug)]
pub struct Popularity<'a> {
    run: Run<'a>,
    listeners: Vec<Listener<'a>>,
    /// Streams and showings of each item.
    counts: Vec<(f64, f64)>,
    day: u32,
}

impl<'a> Popularity<'a> {
    /// All listeners of the run, before the first day.
    #[must_use]
    pub fn new(run: Run<'a>) -> Self {
        let listeners = (0..run.listeners).map(|number| Listener::new(run.world, run.seed, number)).collect();
        Self { run, listeners, counts: vec![PESSIMISTIC; run.world.catalogue().items().len()], day: 0 }
    }

    /// Lives one day and returns the streams of each listener.
    ///
    /// # Errors
    /// When the core refuses a page.
    pub fn live(&mut self) -> Result<Vec<u64>, Error> {
        let Self { run, listeners, counts, day } = self;
        let coin = Key::new(run.seed, Draw::Candidates).with(99);
        let rates: Vec<f64> = counts.iter().map(|(streams, shown)| streams / shown).collect();
        let mut all = Vec::with_capacity(listeners.len());
        for listener in listeners {
            listener.begin_day(*day);
            let page = run.candidates.page(run.seed, listener.number(), *day);
            let mut streams = 0;
            for visit in 0..VISITS {
                let visit = listener.visit(*day, visit);
                let coin = coin.with(u64::from(listener.number())).with(u64::from(*day)).with(u64::from(visit.number));
                let shown = if coin.unit() < EXPLORATION {
                    uniform(&page, run.seed, listener.number(), visit)?
                } else {
                    greedy(&page, |item| rates[item as usize])?
                };
                for look in listener.browse(visit, &shown) {
                    let (streamed, seen) = &mut counts[look.item as usize];
                    *seen += 1.0;
                    if look.is_stream() {
                        *streamed += 1.0;
                        streams += 1;
                    }
                }
            }
            all.push(streams);
        }
        *day += 1;
        Ok(all)
    }
}

/// Cards by falling chance, shelves by the chance that something on them is played under the listeners' examination.
fn greedy(page: &[CandidateShelf], chance: impl Fn(u32) -> f64) -> Result<Vec<Vec<u32>>, Error> {
    let cards: Vec<Vec<f64>> = page.iter().map(|shelf| shelf.cards.iter().map(|item| chance(*item)).collect()).collect();
    let shelves = cards.iter().map(|chances| shelf_value(chances)).collect();
    place(PagePolicy::of(Rule::greedy()), page, shelves, &cards, 0)
}

/// A uniformly drawn page.
fn uniform(page: &[CandidateShelf], seed: u64, listener: u32, visit: Visit) -> Result<Vec<Vec<u32>>, Error> {
    let flat: Vec<Vec<f64>> = page.iter().map(|shelf| vec![0.0; shelf.cards.len()]).collect();
    let policy = PagePolicy::of(Rule::uniform());
    let stream = u64::from(listener) << 32 | u64::from(visit.day) << 8 | u64::from(visit.number);
    place(policy, page, vec![0.0; page.len()], &flat, seed.rotate_left(20) ^ stream)
}

fn place(
    policy: PagePolicy,
    page: &[CandidateShelf],
    shelves: Vec<f64>,
    cards: &[Vec<f64>],
    seed: u64,
) -> Result<Vec<Vec<u32>>, Error> {
    let longest = cards.iter().map(Vec::len).max().unwrap_or(0);
    let choices = Choices::free(shelves, cards, Visible { shelves: page.len(), cards: longest });
    let mut rng = Seed::from_number(seed).stream(Purpose::Host, 0);
    let slate = policy.draw(&choices, &mut rng)?;
    Ok(slate
        .shelves
        .iter()
        .map(|shelf| {
            let from = &page[shelf.placed.index as usize].cards;
            slate.cards[shelf.cards.clone()].iter().map(|card| from[card.index as usize]).collect()
        })
        .collect())
}

/// 1 - prod (1 - NEXT_CARD^k p_k) over the cards by falling chance.
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
