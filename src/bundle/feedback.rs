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
    /// Milliseconds from seeing a card within which half of the taps come, in [1, 1e9]. Default 10,000: common sense. Small makes
    /// silence tell soon, large makes it tell little.
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
                let known = Unreported::ALL.map(Unreported::name).join(" or ");
                Error::settings("bad_feedback", format!("unreported must be {known}, got \"{name}\""))
            })?;
        }
        set_number(&mut self.examination, of("examination"))?;
        set_number(&mut self.shelf_examination, of("shelfExamination"))?;
        set_number(&mut self.tap_half_ms, of("tapHalfMs"))?;
        if !of("plays").is_null() {
            for (kind, shares) in of("plays").entries()? {
                let shares = Field::root(shares, kind, "bad_feedback").list(|share| share.number())?;
                let shares = shares.try_into().map_err(|other: Vec<f64>| {
                    Error::settings("bad_feedback", format!("plays must be three shares, got {}", other.len()))
                })?;
                self.plays.push((CardKind::from_name(kind), PlayCurve::new(shares)?));
            }
        }
        Ok(())
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// `bad_feedback`, naming what was expected and what was found.
    pub(super) fn checked(self) -> Result<Self, Error> {
        for chance in [self.examination, self.shelf_examination] {
            if !(0.0..=1.0).contains(&chance) {
                return Err(Error::settings(
                    "bad_feedback",
                    format!("an examination must be within 0 and 1, got {}", shown(chance)),
                ));
            }
        }
        if !(1.0..=1e9).contains(&self.tap_half_ms) {
            return Err(Error::settings(
                "bad_feedback",
                format!("tapHalfMs must be within 1 and 1e9, got {}", shown(self.tap_half_ms)),
            ));
        }
        Ok(self)
    }

    /// The curve for plays of cards of `kind`.
    #[must_use]
    pub fn play_curve(&self, kind: CardKind) -> PlayCurve {
        self.plays.iter().rfind(|entry| entry.0 == kind).map_or(PlayCurve::default(), |entry| entry.1)
    }
}
