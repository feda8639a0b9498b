//! Why a page looks as it does, in numbers.

use super::Ranker;
use crate::error::Error;
use crate::features::Column;
use crate::log::DecisionId;
use crate::model::{Body, Scratch};
use crate::policy::Policy;
use crate::reasons::{Contribution, contributions};

/// Columns shown for each card.
const TOP_COLUMNS: usize = 5;
/// Cards explained in full on each shelf, beside a body the visible ones of these; the others carry score, propensity and reason only.
const DETAILED_CARDS: usize = 50;

/// One decision, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its name.
    pub decision_id: String,
    /// When, in milliseconds since the Unix epoch.
    pub at: f64,
    /// Name of the policy.
    pub policy: &'static str,
    /// Version of the model.
    pub model_version: String,
    /// Whether any visible place was drawn at random.
    pub randomized: bool,
    /// The shelves, top down.
    pub shelves: Vec<ShelfExplanation>,
    /// For every candidate, the chance to stand first in the first shelf. They sum to 1.
    pub marginals: Vec<Marginal>,
    /// The same for the page's own cards, by their index in the page's flat list.
    pub marginal_values: Vec<f64>,
}

/// Chance of a card to stand first on the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Marginal {
    /// Shelf id.
    pub shelf: String,
    /// Card id.
    pub card: String,
    /// In [0, 1].
    pub probability: f64,
}

/// One shelf, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct ShelfExplanation {
    /// Shelf id.
    pub id: String,
    /// Shelf kind.
    pub kind: String,
    /// Position on the page.
    pub position: u32,
    /// Chance that something on it is played, its odds moved by the listener's willingness for its kind.
    pub score: f64,
    /// What the policy drew with.
    pub logit: f64,
    /// Propensity given everything placed before.
    pub propensity: f64,
    /// Reason code.
    pub reason: u8,
    /// What the reason speaks of.
    pub argument: Option<u32>,
    /// Whether it is visible without scrolling.
    pub visible: bool,
    /// Its cards, in order.
    pub cards: Vec<CardExplanation>,
}

/// One card, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct CardExplanation {
    /// Card id.
    pub id: String,
    /// Position in its shelf.
    pub position: u32,
    /// Log-odds of being played when seen.
    pub score: f64,
    /// Standard deviation of the score under what has been learned so far; `None` far down a shelf.
    pub sd: Option<f64>,
    /// Propensity given everything placed before.
    pub propensity: f64,
    /// Reason code.
    pub reason: u8,
    /// What the reason speaks of.
    pub argument: Option<u32>,
    /// Whether it is visible without scrolling.
    pub visible: bool,
    /// The columns that move the score most.
    pub contributions: Vec<ColumnContribution>,
}

/// What one column adds.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnContribution {
    /// Column name.
    pub feature: String,
    /// Its value.
    pub value: f64,
    /// The head's weight when the page was drawn; beside a body, the contribution over the distance from the column's default.
    pub weight: f64,
    /// Value times weight; beside a body, what the score loses when the column alone is set to its default.
    pub contribution: f64,
}

impl From<Contribution> for ColumnContribution {
    fn from(c: Contribution) -> Self {
        Self { feature: c.feature, value: c.value, weight: c.weight, contribution: c.contribution }
    }
}

impl Ranker {
    fn open_decision(&self, id: DecisionId) -> Result<&super::OpenDecision, Error> {
        // A page that another model has scored cannot be explained by this one.
        let model = self.bundle.model.head().mean().len();
        let same = |open: &super::OpenDecision| open.model_version == self.bundle.version && open.mean.len() == model;
        self.open.iter().rev().find(|open| open.id == id && same(open)).ok_or_else(|| {
            Error::event(
                "unknown_decision",
                format!("expected one of the last {} decisions of this visit and this model, got another", super::OPEN_DECISIONS),
            )
        })
    }

    /// For each card of the page, by its flat index, the chance to stand first in the first shelf.
    ///
    /// # Errors
    /// `unknown_decision` when the decision is not one of the last few of this visit.
    pub fn marginals(&self, id: DecisionId) -> Result<Vec<f64>, Error> {
        let open = self.open_decision(id)?;
        let mut values = open.policy.first_card_marginals(&open.candidates);
        values.truncate(open.own);
        Ok(values)
    }

    /// Explains a decision.
    ///
    /// # Errors
    /// `unknown_decision` when it is not one of the last few of this visit.
    pub fn explain(&self, id: DecisionId) -> Result<Explanation, Error> {
        let open = self.open_decision(id)?;
        let (candidates, slate) = (&open.candidates, &open.slate);
        let (model, schema) = (&self.bundle.model, &self.bundle.schema);
        let head = model.working(open.at.ms(), &[]);
        let mut scratch = Scratch::default();
        // Beside a body each column of a card costs a score.
        let plain = *model.body() == Body::Plain;
        let from = if plain { |_: &Column| 0.0 } else { |column: &Column| column.default };
        let mut additions = Vec::new();
        let mut shelves = Vec::with_capacity(slate.shelves.len());
        for (position, placed) in slate.shelves.iter().enumerate() {
            let s = placed.placed.index as usize;
            let identity = self.catalogue.shelf(open.shelves[s]);
            let start = candidates.cards_of(placed.placed.index).start;
            let shelf_visible = position < candidates.visible.shelves;
            let cards = slate.cards[placed.cards.clone()]
                .iter()
                .zip(self.card_reasons(open, position, 0..placed.cards.len()))
                .enumerate()
                .map(|(place, (card, why))| {
                    let at = start + card.index as usize;
                    let row = open.rows.row(at, schema);
                    let visible = shelf_visible && place < candidates.visible.cards;
                    let detailed = place < DETAILED_CARDS && (plain || visible);
                    CardExplanation {
                        id: self.catalogue.card(open.cards[at]).id.clone(),
                        position: place as u32,
                        score: open.scores[at],
                        sd: detailed.then(|| model.score_sd_by(&head, &row, &mut scratch)),
                        propensity: card.propensity,
                        reason: why.code as u8,
                        argument: why.argument,
                        visible,
                        contributions: if detailed {
                            model.additions(schema, &open.mean, &row, &mut additions);
                            let list = contributions(schema, &additions, &row, TOP_COLUMNS, from);
                            list.into_iter().map(Into::into).collect()
                        } else {
                            Vec::new()
                        },
                    }
                })
                .collect();
            let reason = self.shelf_reason(open, position);
            shelves.push(ShelfExplanation {
                id: identity.id.clone(),
                kind: self.catalogue.shelf_kind(identity.kind).to_owned(),
                position: position as u32,
                score: open.values[s],
                logit: candidates.shelf_logits[s],
                propensity: placed.placed.propensity,
                reason: reason.code as u8,
                argument: reason.argument,
                visible: shelf_visible,
                cards,
            });
        }
        let values = open.policy.first_card_marginals(candidates);
        let marginals = (0..candidates.shelf_count())
            .flat_map(|s| candidates.cards_of(s as u32).map(move |at| (s, at)))
            .filter(|(_, at)| values[*at] > 0.0)
            .map(|(s, at)| Marginal {
                shelf: self.catalogue.shelf(open.shelves[s]).id.clone(),
                card: self.catalogue.card(open.cards[at]).id.clone(),
                probability: values[at],
            })
            .collect();
        Ok(Explanation {
            decision_id: open.id.to_string(),
            at: open.at.ms() as f64,
            policy: open.kind.name(),
            model_version: open.model_version.clone(),
            randomized: slate.randomized,
            shelves,
            marginals,
            marginal_values: values[..open.own].to_vec(),
        })
    }
}
