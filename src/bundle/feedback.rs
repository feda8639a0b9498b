//! How feedback is read: what counts as seen, and what is expected while an outcome is pending.

use super::set_number;
use crate::error::{Error, shown};
use crate::page::CardKind;
use crate::seeing::{EXAMINATION, SHELF_EXAMINATION, Unreported};
use crate::settings::{Field, field};
use crate::survival::PlayCurve;

/// How feedback becomes knowledge, where the app's events leave room for doubt.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedbackSettings {
    /// What counts as seen where the app reports nothing. Default: cascade.
    pub unreported: Unreported,
    /// Chance that the listener looks at the next card of a shelf, in [0, 1]. Default 0.85. At 0 only the first is looked at, at 1 all
    /// that are visible.
    pub examination: f64,
    /// The same for the next shelf. Default 0.85.
    pub shelf_examination: f64,
    /// Milliseconds from seeing a card within which half of the taps come, in [0, 1e9]. Default 10,000: common sense. At 0
    /// silence tells at once, at the other end only the end of the visit does.
    pub tap_half_ms: f64,
    /// How long plays last, by card kind; the others follow the built-in curve.
    pub plays: Vec<(CardKind, PlayCurve)>,
}

impl Default for FeedbackSettings {
    fn default() -> Self {
        Self {
            unreported: Unreported::Cascade,
            examination: EXAMINATION,
            shelf_examination: SHELF_EXAMINATION,
            tap_half_ms: 10_000.0,
            plays: Vec::new(),
        }
    }
}

impl FeedbackSettings {
    pub(super) fn read(&mut self, from: Field<'_>) -> Result<(), Error> {
        let fields = from.object(&["unreported", "examination", "shelfExamination", "tapHalfMs", "plays"])?;
        let of = |name| field(fields, name, "bad_feedback");
        if !of("unreported").is_null() {
            let name = of("unreported").text()?;
            self.unreported = Unreported::ALL.into_iter().find(|model| model.name() == name).ok_or_else(|| {
                Error::settings("bad_feedback", format!("unreported must be cascade or position, got \"{name}\""))
            })?;
        }
        set_number(&mut self.examination, of("examination"))?;
        set_number(&mut self.shelf_examination, of("shelfExamination"))?;
        set_number(&mut self.tap_half_ms, of("tapHalfMs"))?;
        if !of("plays").is_null() {
            for (kind, shares) in of("plays").entries()? {
                let shares = Field::root(shares, kind, "bad_feedback").list(|share| share.number())?;
                self.plays.push((CardKind::from_name(kind), PlayCurve::new(&shares)?));
            }
        }
        Ok(())
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// `bad_feedback`, naming what was expected and what was found.
    pub(super) fn checked(self) -> Result<Self, Error> {
        for (value, most) in [(self.examination, 1.0), (self.shelf_examination, 1.0), (self.tap_half_ms, 1e9)] {
            if !(0.0..=most).contains(&value) {
                return Err(Error::settings(
                    "bad_feedback",
                    format!("expected an examination within 0 and 1 and tapHalfMs within 0 and 1e9, got {}", shown(value)),
                ));
            }
        }
        Ok(self)
    }

    /// The curve for plays of cards of `kind`.
    #[must_use]
    pub fn play_curve(&self, kind: CardKind) -> PlayCurve {
        self.plays.iter().rfind(|entry| entry.0 == kind).map_or(PlayCurve::default(), |entry| entry.1)
    }
}
