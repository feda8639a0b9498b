//! The loop: rank, observe, learn, contribute, forget.

use std::collections::VecDeque;

use rand_core::Rng;

use crate::bundle::{Bundle, PolicyKind, PolicySettings};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::features::FeatureSchema;
use crate::feedback::OpenPlay;
use crate::history::History;
use crate::log::{DecisionId, DecisionLog, DecisionRecord, LoggedCard, LoggedShelf};
use crate::model::{Body, Scratch};
use crate::page::{CardHandle, Catalogue, MAX_CARDS, Page, ShelfHandle};
use crate::policy::{LoggingPolicy, PagePolicy, Policy};
use crate::random::{Entropy, Purpose, Seed};
use crate::safety::Safety;
use crate::shelves::{self, LocalKind, LocalShelf};
use crate::slate::{Candidates, Slate};
use candidates::Above;
use rows::Rows;

mod answer;
mod candidates;
mod contribute;
mod controls;
mod explain;
mod learn;
mod pending;
mod rows;
mod saved;
mod vote;

pub use answer::{CARD_WORDS, HEADER_WORDS, RankedCard, RankedPage, RankedShelf, SHELF_WORDS, ShelfSource};
pub use contribute::{Contribution, ContributionState};
pub use controls::Exclusion;
pub use explain::{CardExplanation, Explanation, Marginal, ShelfExplanation};
pub use learn::Summary;
pub use pending::MAX_PENDING_USED;
pub use saved::Restored;

/// Decisions whose features are kept in memory, so that anything on them can still teach.
pub const OPEN_DECISIONS: usize = 4;

/// Largest score, in log-odds.
const MAX_SCORE: f64 = 1e4;

/// Whether this build can contribute at all.
const CONTRIBUTES: bool = cfg!(feature = "contribute");

/// Features of any size are legal; scores beyond [`MAX_SCORE`] say no more and would make softmax undefined. Whether one was, or was no number.
fn bound(scores: &mut [f64]) -> bool {
    let mut any = false;
    for score in scores {
        let kept = if score.is_nan() { -MAX_SCORE } else { score.clamp(-MAX_SCORE, MAX_SCORE) };
        any |= kept != *score;
        *score = kept;
    }
    any
}

/// What the listener agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Rank and learn on the device. Default: yes.
    pub personalize: bool,
    /// Let the weekly record leave. Default: no.
    pub contribute: bool,
}

impl Default for Consent {
    fn default() -> Self {
        Self { personalize: true, contribute: false }
    }
}

/// A decision with everything needed to learn from it and to explain it.
struct OpenDecision {
    id: DecisionId,
    at: Timestamp,
    /// Identity of each candidate shelf: the page's, then the local ones.
    shelves: Vec<ShelfHandle>,
    cards: Vec<CardHandle>,
    rows: Rows,
    scores: Vec<f64>,
    values: Vec<f64>,
    /// The listener's willingness for the kind of each shelf, as the page was drawn.
    willingness: Vec<f64>,
    /// The card of each shelf with the best score, of those that are not hidden, and the chance that any of the shelf is played.
    best: Vec<Option<(usize, f64)>>,
    candidates: Candidates,
    slate: Slate,
    /// Whether this visit carries the week's probe, one that changes the page: not while a vote is under way.
    probe: bool,
    /// The shelves built here, which stand behind the page's.
    local: Vec<LocalShelf>,
    /// How many of the cards are the page's own.
    own: usize,
    /// How many pins of shelves, and of cards, are the app's; the others are the probe's.
    app_pins: (usize, usize),
    model_version: String,
    /// Mean of the head the page was scored with, as it was scored: see [`RewardModel::means`].
    mean: Vec<f64>,
    kind: PolicyKind,
    policy: PagePolicy,
    /// Standard deviation of each score, where the policy needs it; else empty.
    spread: Vec<f64>,
    /// What the earlier parts of the page show.
    above: Above,
}

impl OpenDecision {
    /// The page's weight under the baseline up to its topmost played card, and whether there is one; `None` without a baseline.
    fn baseline_weight(&self, played: impl Fn(ShelfHandle, CardHandle) -> bool) -> Option<(f64, bool)> {
        let weights = &self.slate.baseline_weights;
        let visible = self.candidates.visible;
        let places = self.slate.shelves.iter().take(visible.shelves).flat_map(|placed| {
            let (s, start) = (placed.placed.index, self.candidates.cards_of(placed.placed.index).start);
            let cards = self.slate.cards[placed.cards.clone()].iter().take(visible.cards);
            cards.map(move |card| (self.shelves[s as usize], self.cards[start + card.index as usize]))
        });
        let topmost = places.zip(weights).find(|((shelf, card), _)| played(*shelf, *card));
        (!weights.is_empty()).then(|| topmost.map_or((0.0, false), |(_, weight)| (*weight, true)))
    }

    /// The shelves and cards that are visible, those of earlier parts included.
    fn shown(&self) -> Above {
        let (visible, mut shown) = (self.candidates.visible, self.above.clone());
        for placed in self.slate.shelves.iter().take(visible.shelves) {
            shown.shelves.push(self.shelves[placed.placed.index as usize]);
            let start = self.candidates.cards_of(placed.placed.index).start;
            let cards = self.slate.cards[placed.cards.clone()].iter().take(visible.cards);
            shown.cards.extend(cards.map(|card| self.cards[start + card.index as usize]));
        }
        shown
    }

    /// The feature row of a card; on the named shelf, or on the first that has it.
    fn row(&self, shelf: Option<ShelfHandle>, card: CardHandle, schema: &FeatureSchema) -> Option<(ShelfHandle, Vec<f32>)> {
        (0..self.shelves.len()).filter(|&s| shelf.is_none_or(|wanted| self.shelves[s] == wanted)).find_map(|s| {
            let range = self.candidates.cards_of(s as u32);
            let at = range.clone().find(|&at| self.cards[at] == card)?;
            Some((self.shelves[s], self.rows.row(at, schema)))
        })
    }
}

/// Ranks pages for one listener and learns from what they play.
pub struct Ranker {
    bundle: Bundle,
    seed: Seed,
    decisions: u64,
    catalogue: Catalogue,
    history: History,
    log: DecisionLog,
    open: VecDeque<OpenDecision>,
    open_play: Option<OpenPlay>,
    last_event_at: Timestamp,
    utc_offset_minutes: i32,
    consent: Consent,
    contribution: contribute::Lane,
    safety: Safety,
    controls: controls::Controls,
    local_shelves: Vec<ShelfHandle>,
    /// Memory of a decision that is gone, for the next one's rows or page.
    spare: Vec<f32>,
}

impl Ranker {
    /// A ranker without history.
    ///
    /// - `seed`: everything that ranking draws follows from it.
    /// - `coin`, `flip`: fresh random bytes for the public coin and for the flip of the answer; never the same source words.
    ///
    /// # Errors
    /// None of its own; the local shelves' names are within every limit.
    pub fn new(bundle: Bundle, seed: Seed, coin: Box<dyn Entropy>, flip: Box<dyn Entropy>) -> Result<Self, Error> {
        let mut catalogue = Catalogue::default();
        let local_shelves = LocalKind::ALL
            .iter()
            .map(|kind| catalogue.register_shelf(&format!("local:{}", kind.name()), kind.name(), ""))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            bundle,
            seed,
            decisions: 0,
            catalogue,
            history: History::default(),
            log: DecisionLog::default(),
            open: VecDeque::new(),
            open_play: None,
            last_event_at: Timestamp::default(),
            utc_offset_minutes: 0,
            consent: Consent::default(),
            contribution: contribute::Lane::new(coin, flip),
            safety: Safety::default(),
            controls: controls::Controls::default(),
            local_shelves,
            spare: Vec::new(),
        })
    }

    /// A ranker whose every draw, public coin and flip included, follows from `seed`.
    ///
    /// # Errors
    /// As [`Ranker::new`].
    pub fn seeded(bundle: Bundle, seed: Seed) -> Result<Self, Error> {
        use crate::random::SeededEntropy;
        let coin = Box::new(SeededEntropy::new(seed.clone(), Purpose::Coin));
        let flip = Box::new(SeededEntropy::new(seed.clone(), Purpose::Flip));
        Self::new(bundle, seed, coin, flip)
    }

    /// The cards this visit has met.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// For registering cards and shelves.
    pub fn catalogue_mut(&mut self) -> &mut Catalogue {
        &mut self.catalogue
    }

    /// The bundle in use.
    #[must_use]
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Mean of the head's posterior, the bias first, in log-odds.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        self.bundle.model.head().mean()
    }

    /// The listening history.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The local decision log.
    #[must_use]
    pub fn log(&self) -> &DecisionLog {
        &self.log
    }

    /// Ranks a page.
    ///
    /// On an error nothing has changed but what time alone changes; the host then shows the server's order.
    ///
    /// # Errors
    /// `no_consent` when the listener does not want personalization; `switched_off` when the bundle is; `column_count` when the page does
    /// not have the schema's given and context columns; `page_too_large` beyond the limits of the bundle; `not_finite` when a value is
    /// missing from a column that does not keep it so; `unknown_decision` when the page grows from one that is gone.
    ///
    /// # Determinism
    /// One stream of the generator for each decision; same state, page and seed give the same bits on every target.
    pub fn rank(&mut self, page: &Page, now: Timestamp) -> Result<RankedPage, Error> {
        self.decide(page, now)?;
        Ok(self.open.back().map_or_else(|| RankedPage::empty(DecisionId(0)), |open| self.page_of(open)))
    }

    /// Ranks a page; the decision is then the last open one.
    fn decide(&mut self, page: &Page, now: Timestamp) -> Result<(), Error> {
        if !self.consent.personalize {
            return Err(Error::privacy("no_consent", "expected consent to personalize, it is off"));
        }
        if self.bundle.off {
            return Err(Error::settings("switched_off", "expected a model that is on, this one is switched off"));
        }
        let given = self.bundle.schema.given().len();
        if page.given != given || page.context.len() > self.bundle.schema.context().len() {
            return Err(Error::page(
                "column_count",
                format!(
                    "expected {given} given and {} context columns, got {} and {}",
                    self.bundle.schema.context().len(),
                    page.given,
                    page.context.len()
                ),
            ));
        }
        let limits = self.bundle.limits;
        if page.shelves.len() > limits.shelves || page.cards.len() > limits.cards {
            return Err(Error::page(
                "page_too_large",
                format!(
                    "expected at most {} shelves and {} cards for this model, got {} and {}",
                    limits.shelves,
                    limits.cards,
                    page.shelves.len(),
                    page.cards.len()
                ),
            ));
        }
        // Where all features are columns of a plain model, a score says whether they are finite. But a coin that is tossed stays so.
        let coin = CONTRIBUTES && self.consent.contribute;
        let told = *self.bundle.model.body() == Body::Plain && self.bundle.schema.is_given() && !coin;
        if page.lacks_context || !told {
            self.check_missing(page)?;
        }
        let private = self.controls.private;
        if !private {
            self.settle(now);
        }
        let above = page.after.map_or(Ok(Above::default()), |id| self.above(id))?;
        let mut local = shelves::build(page.local, &self.history, &self.catalogue, page, now);
        local.retain(|shelf: &LocalShelf| !above.shelves.contains(&self.local_shelves[shelf.kind.bit() as usize]));
        let probe = if private || !CONTRIBUTES { None } else { self.probe_for(page, now) };
        let way = probe.as_ref().and_then(contribute::Probe::way);
        let settings = way.map_or_else(|| self.policy_settings(), |way| way.settings);
        let shift = way.map_or_else(Vec::new, |way| way.shift.clone());
        let (mut open, bounded) = self.score(page, local, &settings, &shift, now);
        if told && bounded {
            self.check_missing(page)?;
        }
        if !private {
            self.utc_offset_minutes = page.utc_offset_minutes;
        }
        open.above = above;
        self.candidates(page, &settings, &mut open);
        open.app_pins = (open.candidates.shelf_pins.len(), open.candidates.card_pins.len());
        if let Some(probe) = &probe {
            probe.pin(&mut open.candidates);
            open.probe = probe.is_shown();
        }
        let (purpose, decisions) =
            if private { (Purpose::Private, &mut self.controls.decisions) } else { (Purpose::Rank, &mut self.decisions) };
        let mut rng = self.seed.stream(purpose, *decisions);
        open.id = DecisionId::drawn(rng.next_u64(), private);
        open.slate = open.policy.draw(&open.candidates, &mut rng)?;
        *decisions += 1;
        if let Some(probe) = probe {
            self.start_watching(&probe, open.id, now);
        }
        if CONTRIBUTES && !private {
            self.cast(page, &open);
        }
        self.remember(open);
        Ok(())
    }

    /// Refuses a value that is missing from a column that does not keep it so.
    fn check_missing(&self, page: &Page) -> Result<(), Error> {
        if !page.lacks_features()? && !page.lacks_context {
            return Ok(());
        }
        let schema = &self.bundle.schema;
        for (values, columns) in [(page.features(), schema.given_columns()), (page.context.as_slice(), schema.context_columns())]
        {
            for (at, value) in values.iter().enumerate() {
                let column = &schema.columns()[columns[at % columns.len()]];
                if value.is_nan() && !column.keeps_missing {
                    return Err(Error::page("not_finite", format!("expected finite features, got NaN for {}", column.name)));
                }
            }
        }
        Ok(())
    }

    /// Features and scores of all candidates: the page's cards, then those of the local shelves.
    ///
    /// - `shift`: what is added to the head's means; empty for nothing.
    ///
    /// Returns the decision, and whether a score was beyond the bounds or none.
    fn score(
        &mut self,
        page: &Page,
        local: Vec<LocalShelf>,
        settings: &PolicySettings,
        shift: &[f64],
        now: Timestamp,
    ) -> (OpenDecision, bool) {
        let stride = self.bundle.schema.stride();
        let count = page.cards.len() + local.iter().map(|shelf| shelf.cards.len()).sum::<usize>();
        let mut cards = Vec::with_capacity(count);
        let mut starts = Vec::with_capacity(page.shelves.len() + local.len() + 1);
        starts.push(0u32);
        let mut ids = Vec::with_capacity(page.shelves.len() + local.len());
        cards.extend(page.cards.iter().map(|place| place.card));
        for shelf in &page.shelves {
            starts.push(shelf.cards.end as u32);
            ids.push(shelf.shelf);
        }
        for shelf in &local {
            cards.extend_from_slice(&shelf.cards);
            starts.push(cards.len() as u32);
            ids.push(self.local_shelves[shelf.kind.bit() as usize]);
        }
        let lends = self.bundle.schema.is_given() && !settings.kind.needs_spread() && local.is_empty();
        let spare = std::mem::take(&mut self.spare);
        let lent = if lends { page.lent() } else { None };
        let (rows, spare) = match lent {
            Some((words, first)) => (Rows::lent(words, first, page.given), spare),
            None => (self.laid(page, &ids, &starts, &cards, now, spare), Vec::new()),
        };
        let mut head = self.working_head(now);
        if CONTRIBUTES && !shift.is_empty() {
            head = std::borrow::Cow::Owned(head.shifted(shift));
        }
        let (model, mut scratch) = (&self.bundle.model, Scratch::default());
        let mut scores = model.scores_by(&head, rows.lying(), count, [rows.pitch(), stride], &mut scratch);
        let any_bounded = bound(&mut scores);
        let open = OpenDecision {
            id: DecisionId(0),
            at: now,
            shelves: ids,
            cards,
            values: Vec::new(),
            willingness: Vec::new(),
            best: Vec::new(),
            candidates: Candidates { starts, visible: page.visible, ..Candidates::default() },
            slate: Slate::default(),
            probe: false,
            local,
            own: page.cards.len(),
            app_pins: (0, 0),
            model_version: self.bundle.version.clone(),
            mean: model.means(&head),
            kind: settings.kind,
            policy: settings.policy(self.decisions),
            above: Above::default(),
            spread: if settings.kind.needs_spread() {
                model.score_sds_by(&head, rows.lying(), stride, &mut scratch)
            } else {
                Vec::new()
            },
            scores,
            rows,
        };
        self.spare = spare;
        (open, any_bounded)
    }

    /// Memory that nothing needs, for the words of a page.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn spare(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.spare)
    }

    /// How the next page is drawn: as the bundle says, or by its baseline once that has proved better.
    #[must_use]
    pub fn policy_settings(&self) -> PolicySettings {
        let settings = self.bundle.settings;
        if self.safety.is_worse() { settings.fallen_back() } else { settings }
    }

    /// What this listener's own pages say of the policy and its baseline.
    #[must_use]
    pub fn safety(&self) -> &Safety {
        &self.safety
    }

    /// Writes the decision to the log, unless the listener listens privately, and keeps its features for a while.
    fn remember(&mut self, open: OpenDecision) {
        if !self.controls.private {
            self.record(&open);
        }
        while self.open.len() >= OPEN_DECISIONS {
            self.spare = self.open.pop_front().map(|old| old.rows.freed()).unwrap_or_default();
        }
        self.open.push_back(open);
    }

    fn record(&mut self, open: &OpenDecision) {
        let visible = open.candidates.visible;
        let shelves = open
            .slate
            .shelves
            .iter()
            .take(visible.shelves)
            .map(|placed| {
                let start = open.candidates.cards_of(placed.placed.index).start;
                LoggedShelf {
                    shelf: open.shelves[placed.placed.index as usize],
                    propensity: placed.placed.propensity,
                    cards: open.slate.cards[placed.cards.clone()]
                        .iter()
                        .take(visible.cards)
                        .map(|card| {
                            let at = start + card.index as usize;
                            LoggedCard { card: open.cards[at], propensity: card.propensity, score: open.scores[at] as f32 }
                        })
                        .collect(),
                }
            })
            .collect();
        self.log.quiet_until = self.log.quiet_until.min(learn::final_at(open.at));
        self.log.push(DecisionRecord {
            id: open.id,
            at: open.at,
            // Only what every policy can be judged on counts as randomized.
            randomized: open.slate.randomized && LoggingPolicy::admits(&open.policy, MAX_CARDS),
            probe: open.probe,
            model_version: open.model_version.clone(),
            shelves,
            impressions: Vec::new(),
            viewport: false,
            closed: false,
        });
    }
}
