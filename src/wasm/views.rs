//! Small, cold values as JavaScript sees them: plain objects and arrays.
//!
//! They are put together field by field: derived serialisers would bring 1.2 kB more.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

use crate::bundle::Bundle;
use crate::features::Column;
use crate::page::Card;
#[cfg(feature = "contribute")]
use crate::privacy::{EPSILONS, Manifest, RecordFields};
#[cfg(feature = "contribute")]
use crate::ranker::Contribution;
use crate::ranker::{CardExplanation, Explanation, ShelfExplanation, Summary};

/// An object of JavaScript that is given its fields.
pub(super) struct Fields(Object);

impl Default for Fields {
    fn default() -> Self {
        Self(Object::new())
    }
}

impl Fields {
    #[inline(never)]
    fn with(self, name: &'static str, value: JsValue) -> Self {
        // Setting a property of a fresh object cannot fail.
        let _ = Reflect::set(&self.0, &name.into(), &value);
        self
    }

    #[inline(never)]
    fn number(self, name: &'static str, value: f64) -> Self {
        self.with(name, value.into())
    }

    #[inline(never)]
    fn text(self, name: &'static str, value: &str) -> Self {
        self.with(name, value.into())
    }

    fn flag(self, name: &'static str, value: bool) -> Self {
        self.with(name, value.into())
    }

    /// Null where there is none.
    #[inline(never)]
    fn maybe(self, name: &'static str, value: Option<f64>) -> Self {
        self.with(name, value.map_or(JsValue::NULL, Into::into))
    }

    fn list<T>(self, name: &'static str, entries: &[T], view: impl FnMut(&T) -> JsValue) -> Self {
        self.with(name, entries.iter().map(view).collect::<Array>().into())
    }
}

/// What a host asks of a model, read once: its version, then names and defaults of the given columns and of the context's.
pub(super) fn configuration(model: &Bundle) -> JsValue {
    let schema = model.schema();
    let (given, context): (Vec<&Column>, Vec<&Column>) = (schema.given().collect(), schema.context().collect());
    let parts = [model.version().into(), names(&given), defaults(&given), names(&context), defaults(&context)];
    parts.into_iter().collect::<Array>().into()
}

#[inline(never)]
fn names(columns: &[&Column]) -> JsValue {
    columns.iter().map(|column| JsValue::from(column.name.as_str())).collect::<Array>().into()
}

#[inline(never)]
fn defaults(columns: &[&Column]) -> JsValue {
    columns.iter().map(|column| JsValue::from(column.absent())).collect::<Array>().into()
}

/// What is known of a card.
pub(super) fn card(card: &Card) -> Fields {
    let mut fields = Fields::default()
        .text("id", &card.id)
        .text("title", &card.title)
        .text("artist", &card.artist)
        .text("family", &card.family)
        .text("kind", card.kind.name());
    if let Some(duration) = card.duration_ms {
        fields = fields.number("durationMs", duration.into());
    }
    if let Some(popularity) = card.popularity {
        fields = fields.number("popularity", popularity.into());
    }
    fields
}

/// What the device holds, in numbers.
pub(super) fn summary(summary: &Summary, history_empty: bool) -> Fields {
    Fields::default()
        .number("events", summary.events as f64)
        .number("cards", summary.cards as f64)
        .number("decisions", summary.decisions as f64)
        .number("pending", summary.pending as f64)
        .number("updates", summary.updates as f64)
        .flag("historyEmpty", history_empty)
        .number("registered", summary.registered as f64)
}

/// Where the contribution stands.
#[cfg(feature = "contribute")]
pub(super) fn contribution(contribution: &Contribution) -> Fields {
    let budget = contribution.budget;
    Fields::default()
        .text("state", contribution.state.name())
        .maybe("epoch", contribution.epoch.map(f64::from))
        .maybe("dueAt", contribution.due_at.map(|t| t.ms() as f64))
        .maybe("readyAt", contribution.ready_at.map(|t| t.ms() as f64))
        .maybe("sendAfter", contribution.send_after.map(|t| t.ms() as f64))
        .maybe("nextAllowedAt", budget.map(|b| b.next_at.ms() as f64))
        .number("epsilonSpent", budget.map_or(0.0, |b| b.spent))
        .number("epsilonLeft", budget.map_or(0.0, |b| b.left))
        .maybe("epsilonPerRecord", contribution.epsilon)
        .number("recordsThisPeriod", budget.map_or(0, |b| b.records) as f64)
        .number("epsilonSpentYear", budget.map_or(0.0, |b| b.spent_year))
        .number("epsilonLeftYear", budget.map_or(0.0, |b| b.left_year))
        .list("recordsEver", &budget.map_or([0; EPSILONS.len()], |b| b.ever), |count| (*count).into())
}

/// The fields of a record; with what they stand for where the manifest in force is the record's.
#[cfg(feature = "contribute")]
pub(super) fn record(fields: &RecordFields, manifest: Option<&Manifest>) -> Fields {
    let probe = manifest.filter(|m| m.id() == fields.manifest).and_then(|m| m.probes().get(usize::from(fields.slot)));
    let question = probe.and_then(|probe| probe.questions.get(usize::from(fields.question)));
    let arm = probe.and_then(|probe| probe.arms.get(usize::from(fields.arm)));
    let mut named = Fields::default();
    if let (Some(probe), Some(question), Some(arm)) = (probe, question, arm) {
        named = named
            .text("kind", probe.kind.name())
            .text("questionName", question.name())
            .number("answers", question.answers().into())
            .text("armName", &arm.action.name());
    }
    named
        .number("version", fields.version.into())
        .number("epoch", fields.epoch.into())
        .text("manifestId", &fields.manifest.to_string())
        .number("slot", fields.slot.into())
        .number("shelfPosition", fields.shelf_position.into())
        .number("cardPosition", fields.card_position.into())
        .number("arm", fields.arm.into())
        .number("question", fields.question.into())
        .number("propensityNumerator", fields.propensity_numerator.into())
        .number("epsilonIndex", fields.epsilon_index.into())
        .number("epsilon", EPSILONS.get(usize::from(fields.epsilon_index)).copied().unwrap_or(f64::NAN))
        .number("symbol", fields.symbol.into())
}

/// One decision, explained.
pub(super) fn explanation(explanation: &Explanation) -> Fields {
    Fields::default()
        .text("decisionId", &explanation.decision_id)
        .number("at", explanation.at)
        .text("policy", explanation.policy)
        .text("modelVersion", &explanation.model_version)
        .flag("randomized", explanation.randomized)
        .list("shelves", &explanation.shelves, shelf_explanation)
        .list("marginals", &explanation.marginals, |marginal| {
            JsValue::from(
                Fields::default()
                    .text("shelf", &marginal.shelf)
                    .text("card", &marginal.card)
                    .number("probability", marginal.probability),
            )
        })
        .list("marginalValues", &explanation.marginal_values, |value| (*value).into())
}

fn shelf_explanation(shelf: &ShelfExplanation) -> JsValue {
    JsValue::from(
        Fields::default()
            .text("id", &shelf.id)
            .text("kind", &shelf.kind)
            .number("position", shelf.position.into())
            .number("score", shelf.score)
            .number("logit", shelf.logit)
            .number("propensity", shelf.propensity)
            .number("reason", shelf.reason.into())
            .maybe("argument", shelf.argument.map(f64::from))
            .flag("visible", shelf.visible)
            .list("cards", &shelf.cards, card_explanation),
    )
}

fn card_explanation(card: &CardExplanation) -> JsValue {
    JsValue::from(
        Fields::default()
            .text("id", &card.id)
            .number("position", card.position.into())
            .number("score", card.score)
            .maybe("sd", card.sd)
            .number("propensity", card.propensity)
            .number("reason", card.reason.into())
            .maybe("argument", card.argument.map(f64::from))
            .flag("visible", card.visible)
            .list("contributions", &card.contributions, |column| {
                JsValue::from(
                    Fields::default()
                        .text("feature", &column.feature)
                        .number("value", column.value)
                        .number("weight", column.weight)
                        .number("contribution", column.contribution),
                )
            }),
    )
}

impl From<Fields> for JsValue {
    fn from(fields: Fields) -> Self {
        fields.0.into()
    }
}
