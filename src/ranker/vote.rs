//! Votes: a published policy judged on the pages that were really drawn here, by inverse propensity scoring.
//!
//! When a page is drawn, the candidate's chance of every visible choice of one block is divided by the chance it was drawn with, and only
//! the products up to each place are kept. Once the week is over, the product at the topmost played place says what the candidate would
//! have earned there (the cascade model of Craswell et al. 2008: what stands below a place does not change what happens at it; the
//! estimator is that of McInerney et al. 2020, "Counterfactual evaluation of slate recommendations with sequential reward interactions",
//! KDD). The mean over the week's pages, clipped, becomes a chance, the chance a bit, and the bit goes through randomised response.

use super::contribute::{Heard, LISTENED, Target};
use super::{Above, OpenDecision, Ranker};
use crate::bundle::PolicySettings;
use crate::log::DecisionId;
use crate::model::{Body, Scratch};
use crate::page::{MAX_CARDS, Page, ShelfHandle};
use crate::policy::{LoggingPolicy, Policy};
use crate::privacy::{Action, Block, Candidate, ProbeKind, perturbation};
use crate::slate::{Candidates, Slate};

/// Most pages of a vote; those of the week that come later do not count.
pub(super) const MAX_BALLOTS: usize = 100;

/// How a page is drawn by an arm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Way {
    pub(super) settings: PolicySettings,
    /// What is added to the head's means, once this listener's outcomes have had their say on the change; empty for nothing.
    pub(super) shift: Vec<f64>,
}

/// One page of a vote.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ballot {
    pub(super) decision: DecisionId,
    /// For each visible place of the block, top down: the shelf or the card, by the number of its handle.
    pub(super) places: Vec<u32>,
    /// The shelf whose cards the places are; `None` where they are shelves.
    pub(super) shelf: Option<ShelfHandle>,
    /// For each place, the product of the candidate's chances over those of the draw, up to it.
    pub(super) ratios: Vec<f64>,
}

impl Ballot {
    /// (ratio - 1) at the topmost place that was played, 0 without one.
    fn gain(&self, heard: &[Heard]) -> f64 {
        let played = |place: u32| {
            heard.iter().filter(|heard| heard.decision == self.decision && heard.how_long >= LISTENED).any(|heard| {
                match self.shelf {
                    Some(_) => heard.card.0 == place && heard.shelf == self.shelf,
                    None => heard.shelf == Some(ShelfHandle(place)),
                }
            })
        };
        let topmost = self.places.iter().zip(&self.ratios).find(|(place, _)| played(**place));
        topmost.map_or(0.0, |(_, ratio)| ratio - 1.0)
    }
}

/// What the candidate would have earned more, in plays for each page: the mean over the ballots.
pub(super) fn lift(ballots: &[Ballot], heard: &[Heard]) -> f64 {
    let total: f64 = ballots.iter().map(|ballot| ballot.gain(heard)).sum();
    if ballots.is_empty() { 0.0 } else { total / ballots.len() as f64 }
}

/// (lift + clip) / (2 clip) in 2^32nds, the lift clipped.
pub(super) fn chance(lift: f64, clip: f64) -> u64 {
    // Not `clamp`, whose message about impossible limits would bring the printing of numbers into the module.
    let share = (lift.max(-clip).min(clip) + clip) / (2.0 * clip);
    // A lift that is no number says nothing.
    if lift.is_nan() { 1 << 31 } else { (share * 4_294_967_296.0) as u64 }
}

impl Ranker {
    /// What the vote under way would say by now, before clip and noise, and on how many pages. For simulations that want to know how it
    /// is distributed; no shipped build has it.
    #[cfg(feature = "_test-util")]
    #[must_use]
    pub fn vote_lift(&self) -> Option<(f64, usize)> {
        let watch = self.contribution.watch.as_ref()?;
        let Target::Vote(ballots) = &watch.target else { return None };
        Some((lift(ballots, &watch.heard), ballots.len()))
    }

    /// How an arm draws pages here; `None` when it cannot: it names a column that the model has not, or moves weights that a body weighs.
    pub(super) fn way(&self, kind: &ProbeKind, action: &Action) -> Option<Way> {
        match (kind, action) {
            (_, Action::Policy(candidate) | Action::Vote(candidate, _)) => self.candidate(candidate),
            (ProbeKind::Training { scale }, Action::Perturbed { seed, negative }) => {
                let model = &self.bundle.model;
                let step = if *negative { -scale } else { *scale };
                let plain = *model.body() == Body::Plain;
                let direction = plain.then(|| perturbation(*seed, model.head().mean().len()))?;
                let change: Vec<f64> = direction.iter().map(|along| step * along).collect();
                Some(Way { settings: self.policy_settings(), shift: model.head().carried(&change) })
            }
            _ => None,
        }
    }

    fn candidate(&self, candidate: &Candidate) -> Option<Way> {
        let model = &self.bundle.model;
        let mut shift = Vec::new();
        if !candidate.weights.is_empty() {
            if *model.body() != Body::Plain {
                return None;
            }
            let columns = self.bundle.schema.columns();
            let mut change = vec![0.0; columns.len() + 1];
            for (name, by) in &candidate.weights {
                let at = if name == "bias" { 0 } else { 1 + columns.iter().position(|column| column.name == *name)? };
                change[at] += by;
            }
            shift = model.head().carried(&change);
        }
        Some(Way { settings: candidate.policy, shift })
    }

    /// Judges a page that was just drawn, if a vote is under way.
    pub(super) fn cast(&mut self, page: &Page, open: &OpenDecision) {
        let Some(ballot) = self.ballot(page, open) else { return };
        if let Some(watch) = &mut self.contribution.watch
            && let Target::Vote(ballots) = &mut watch.target
        {
            ballots.push(ballot);
        }
    }

    fn ballot(&self, page: &Page, open: &OpenDecision) -> Option<Ballot> {
        let (watch, manifest) = (self.contribution.watch.as_ref()?, self.contribution.manifest.as_ref()?);
        let Target::Vote(ballots) = &watch.target else { return None };
        if ballots.len() >= MAX_BALLOTS || open.at >= watch.ready_at || page.after.is_some() {
            return None;
        }
        let (probe, action) = watch.coin.drawn(manifest)?;
        let Action::Vote(_, block) = action else { return None };
        let mut ballot = Ballot { decision: open.id, places: Vec::new(), shelf: None, ratios: Vec::new() };
        // Pages that cannot be judged count as no gain, so that which pages count does not depend on what was played before.
        self.judge(&mut ballot, page, open, &self.way(&probe.kind, action)?, block);
        Some(ballot)
    }

    fn judge(&self, ballot: &mut Ballot, page: &Page, open: &OpenDecision, way: &Way, block: &Block) -> Option<()> {
        // Another rule of what may be shown twice makes pages that the other never draws.
        if way.settings.show_once != open.candidates.show_once || LoggingPolicy::new(open.policy, MAX_CARDS).is_err() {
            return None;
        }
        let judged = self.judged(page, way, open)?;
        let visible = open.candidates.visible;
        let mut product = 1.0;
        let mut note = |place: u32, candidate: f64, drawn: f64| {
            product *= candidate / drawn;
            ballot.places.push(place);
            ballot.ratios.push(product);
        };
        let shelves = || open.slate.shelves.iter().zip(&judged.shelves).take(visible.shelves);
        match block {
            Block::Shelves => {
                for (drawn, candidate) in shelves() {
                    let shelf = open.shelves[drawn.placed.index as usize];
                    note(shelf.0, candidate.placed.propensity, drawn.placed.propensity);
                }
            }
            Block::Cards(id) => {
                let wanted = self.catalogue.find_shelf(id)?;
                let (drawn, _) = shelves().find(|(drawn, _)| open.shelves[drawn.placed.index as usize] == wanted)?;
                let start = open.candidates.cards_of(drawn.placed.index).start;
                for at in drawn.cards.clone().take(visible.cards) {
                    let card = open.slate.cards[at];
                    note(open.cards[start + card.index as usize].0, judged.cards[at].propensity, card.propensity);
                }
                ballot.shelf = Some(wanted);
            }
        }
        Some(())
    }

    /// The page as drawn, with the propensities of another way.
    fn judged(&self, page: &Page, way: &Way, open: &OpenDecision) -> Option<Slate> {
        let (model, schema) = (&self.bundle.model, &self.bundle.schema);
        let mut scratch = Scratch::default();
        let mut shadow = OpenDecision {
            id: open.id,
            at: open.at,
            shelves: open.shelves.clone(),
            cards: open.cards.clone(),
            rows: open.rows.clone(),
            scores: open.scores.clone(),
            values: Vec::new(),
            willingness: Vec::new(),
            best: Vec::new(),
            candidates: Candidates {
                starts: open.candidates.starts.clone(),
                visible: open.candidates.visible,
                ..Candidates::default()
            },
            slate: Slate::default(),
            probe: false,
            local: Vec::new(),
            own: open.own,
            app_pins: (0, 0),
            model_version: String::new(),
            mean: Vec::new(),
            kind: way.settings.kind,
            policy: way.settings.policy(self.decisions.saturating_sub(1)),
            spread: Vec::new(),
            above: Above::default(),
        };
        let count = open.cards.len();
        if !way.shift.is_empty() {
            let head = self.working_head(open.at).shifted(&way.shift);
            shadow.scores = model.scores_by(&head, open.rows.lying(), count, [open.rows.pitch(), schema.stride()], &mut scratch);
            super::bound(&mut shadow.scores);
        }
        if way.settings.kind.needs_spread() {
            let head = self.working_head(open.at);
            shadow.spread = model.score_sds_by(&head, &open.rows.all(count, schema), schema.stride(), &mut scratch);
        }
        self.candidates(page, &way.settings, &mut shadow);
        shadow.policy.propensities(&shadow.candidates, &open.slate).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::CardHandle;

    fn heard(decision: u64, shelf: u32, card: u32, how_long: u8) -> Heard {
        Heard { decision: DecisionId(decision), shelf: Some(ShelfHandle(shelf)), card: CardHandle(card), how_long }
    }

    fn ballot(decision: u64, shelf: Option<u32>) -> Ballot {
        let shelf = shelf.map(ShelfHandle);
        Ballot { decision: DecisionId(decision), places: vec![7, 3, 5], shelf, ratios: vec![0.5, 1.5, 3.0] }
    }

    #[test]
    fn the_topmost_play_counts_and_pages_without_one_count_as_no_gain() {
        let shelves = [ballot(1, None), ballot(2, None)];
        assert_eq!(lift(&shelves, &[]), 0.0);
        assert_eq!(lift(&shelves, &[heard(1, 5, 0, 2), heard(1, 3, 0, 3)]), 0.25);
        assert_eq!(lift(&shelves, &[heard(1, 7, 0, 2), heard(2, 5, 0, 2)]), (-0.5 + 2.0) / 2.0);
        assert_eq!(lift(&shelves, &[heard(1, 7, 0, 1), heard(3, 7, 0, 2)]), 0.0, "too short, and another page");
        let cards = [ballot(1, Some(9))];
        assert_eq!(lift(&cards, &[heard(1, 9, 3, 2)]), 0.5);
        assert_eq!(lift(&cards, &[heard(1, 8, 3, 2)]), 0.0, "the same card on another shelf");
        assert_eq!(lift(&[], &[heard(1, 9, 3, 2)]), 0.0);
    }

    #[test]
    fn a_lift_becomes_a_chance_that_gives_it_back() {
        assert_eq!([chance(-1.0, 0.2), chance(0.0, 0.2), chance(1.0, 0.2)], [0, 1 << 31, 1 << 32]);
        let back = |lift: f64| 0.2 * (2.0 * chance(lift, 0.2) as f64 / 4_294_967_296.0 - 1.0);
        for lift in [-0.19, -0.01, 0.003, 0.1] {
            assert!((back(lift) - lift).abs() < 1e-9, "{lift}");
        }
        assert_eq!(chance(f64::NAN, 0.2), 1 << 31);
    }

    #[test]
    fn a_step_along_a_direction_fades_as_outcomes_come_in() {
        use crate::bundle::{Bundle, BundleSettings};
        use crate::random::Seed;
        let mut ranker = Ranker::seeded(Bundle::new(BundleSettings::default()).unwrap(), Seed::from_number(1)).unwrap();
        let step = |ranker: &Ranker, negative| {
            ranker.way(&ProbeKind::Training { scale: 0.5 }, &Action::Perturbed { seed: 3, negative }).unwrap().shift
        };
        let width = ranker.bundle.model.head().mean().len();
        let before = step(&ranker, false);
        for (got, along) in before.iter().zip(perturbation(3, width)) {
            assert!((got - 0.5 * along).abs() < 1e-12);
        }
        assert!(step(&ranker, true).iter().zip(&before).all(|(against, along)| (against + along).abs() < 1e-12));
        let mut row = vec![0.0; ranker.bundle.schema.stride()];
        row[0] = 1.0;
        for _ in 0..50 {
            ranker.bundle.model.learn(&row, 1.0, 1.0);
            ranker.bundle.model.learn(&row, 0.0, 1.0);
        }
        let after = step(&ranker, false);
        assert!(after[0].abs() < 0.5 * before[0].abs(), "the bias is known by now: {} of {}", after[0], before[0]);
        assert!((after[1] - before[1]).abs() < 1e-9, "nothing was learned of the others");
    }

    #[test]
    fn what_the_prior_would_have_been_shows_as_if_it_had_been() {
        use crate::model::{Head, HeadPrior};
        // Small steps, where the likelihood is close to a square: learning from a moved prior against moving afterwards.
        let prior = |by: f64| HeadPrior::new(vec![by, 0.0], &[0.2, 0.2], f64::INFINITY).unwrap();
        let learned = |mut head: Head| {
            for i in 0..40 {
                head.learn(&[1.0, if i % 3 == 0 { 1.0 } else { -0.5 }], f64::from(i % 2));
            }
            head
        };
        let (from_zero, moved) = (learned(Head::new(prior(0.0), 4)), learned(Head::new(prior(0.01), 4)));
        let shifted = from_zero.shifted(&from_zero.carried(&[0.01, 0.0]));
        for (got, want) in shifted.mean().iter().zip(moved.mean()) {
            assert!((got - want).abs() < 2e-5, "{got} {want}");
        }
        assert!((moved.mean()[0] - from_zero.mean()[0]).abs() > 1e-3);
    }
}
