//! Policies that do not know the listener, and the one that knows everything. They order pages through the shipped policies.

use ears_only::page::Visible;
use ears_only::policy::{PagePolicy, Policy, Rule};
use ears_only::random::{Purpose, Seed};
use ears_only::slate::Candidates as Choices;
use ears_world::candidates::CandidateShelf;
use ears_world::chance::{Draw, Key};
use ears_world::constants::NEXT_CARD;
use ears_world::listener::{Listener, VISITS, Visit};

use super::Stage;
use crate::error::LabError;

/// Share of random pages of learned popularity.
const EXPLORATION: f64 = 0.05;
/// Streams and showings that every card is taken to have had: pessimistic, as Beta(1, 99) (Bendada et al. 2020).
const PESSIMISTIC: (f64, f64) = (1.0, 100.0);

pub(super) fn random(stage: &Stage<'_>) -> Result<u64, LabError> {
    each_listener(stage, |listener, visit, page| uniform(page, stage.seed, listener.number(), visit))
}

/// Descending true mean chance over the run's listeners at both visits of the first day.
pub(super) fn server(stage: &Stage<'_>) -> Result<u64, LabError> {
    let mut appeal = vec![0.0; stage.world.catalogue().items().len()];
    for number in 0..stage.settings.listeners {
        let listener = Listener::new(stage.world, stage.seed, number);
        for visit in 0..VISITS {
            let at = listener.visit(0, visit).at;
            for (item, sum) in (0u32..).zip(&mut appeal) {
                *sum += listener.true_chance(item, at);
            }
        }
    }
    let count = f64::from(stage.settings.listeners * VISITS);
    each_listener(stage, |_, _, page| greedy(page, |item| appeal[item as usize] / count))
}

pub(super) fn oracle(stage: &Stage<'_>) -> Result<u64, LabError> {
    each_listener(stage, |listener, visit, page| greedy(page, |item| listener.true_chance(item, visit.at)))
}

/// Streams when `order` puts every page in order; one listener after the other.
fn each_listener(
    stage: &Stage<'_>,
    order: impl Fn(&Listener<'_>, Visit, &[CandidateShelf]) -> Result<Vec<Vec<u32>>, LabError>,
) -> Result<u64, LabError> {
    let mut streams = 0;
    for number in 0..stage.settings.listeners {
        let mut listener = Listener::new(stage.world, stage.seed, number);
        for day in 0..stage.settings.days {
            listener.begin_day(day);
            let page = stage.candidates.page(stage.seed, number, day);
            for visit in 0..VISITS {
                let visit = listener.visit(day, visit);
                let shown = order(&listener, visit, &page)?;
                streams += listener.browse(visit, &shown).iter().filter(|look| look.is_stream()).count() as u64;
            }
        }
    }
    Ok(streams)
}

/// Learned popularity: streams among showings, over all listeners, updated after each day.
pub(super) fn popularity(stage: &Stage<'_>) -> Result<u64, LabError> {
    let mut listeners: Vec<Listener<'_>> =
        (0..stage.settings.listeners).map(|number| Listener::new(stage.world, stage.seed, number)).collect();
    let mut counts = vec![PESSIMISTIC; stage.world.catalogue().items().len()];
    let coin = Key::new(stage.seed, Draw::Candidates).with(99);
    let mut streams = 0;
    for day in 0..stage.settings.days {
        let rates: Vec<f64> = counts.iter().map(|(streams, shown)| streams / shown).collect();
        for listener in &mut listeners {
            listener.begin_day(day);
            let page = stage.candidates.page(stage.seed, listener.number(), day);
            for visit in 0..VISITS {
                let visit = listener.visit(day, visit);
                let coin = coin.with(u64::from(listener.number())).with(u64::from(day)).with(u64::from(visit.number));
                let shown = if coin.unit() < EXPLORATION {
                    uniform(&page, stage.seed, listener.number(), visit)?
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
        }
    }
    Ok(streams)
}

/// Cards by falling chance, shelves by the chance that something on them is played under the listeners' examination.
fn greedy(page: &[CandidateShelf], chance: impl Fn(u32) -> f64) -> Result<Vec<Vec<u32>>, LabError> {
    let cards: Vec<Vec<f64>> = page.iter().map(|shelf| shelf.cards.iter().map(|item| chance(*item)).collect()).collect();
    let shelves = cards.iter().map(|chances| shelf_value(chances)).collect();
    place(PagePolicy::of(Rule::greedy()), page, shelves, &cards, 0)
}

/// A uniformly drawn page.
fn uniform(page: &[CandidateShelf], seed: u64, listener: u32, visit: Visit) -> Result<Vec<Vec<u32>>, LabError> {
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
) -> Result<Vec<Vec<u32>>, LabError> {
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
