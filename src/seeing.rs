//! Which cards a listener looked at when the app does not report it.

/// Chance that the listener looks at the next card of a shelf, having looked at one: card k is examined with chance EXAMINATION^k
/// (Craswell et al. 2008, "An experimental comparison of click position-bias models", WSDM).
pub const EXAMINATION: f64 = 0.85;

/// Chance that the listener looks at the next shelf, having looked at one. Common sense: moving down costs as much as moving on.
pub const SHELF_EXAMINATION: f64 = 0.85;

/// What counts as seen on a page about which the app reports nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreported {
    /// The visible cards of a shelf before a played one were all looked at; without a play nothing is known. Assumes that listeners
    /// read a shelf from its start, stop at what they play, and may not have looked at the page at all.
    #[default]
    Cascade,
    /// As the cascade for shelves with a play; on a page without one, every visible card was looked at with a chance that falls with
    /// its position, and teaches with the chance that it was looked at and not liked. Assumes that a page that was ranked was on
    /// screen, and that looking depends on position alone.
    Position,
}

impl Unreported {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Cascade, Self::Position];

    /// The name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cascade => "cascade",
            Self::Position => "position",
        }
    }
}

/// P(examined | not played) = theta (1 - p) / (1 - theta p): the weight with which a visible card that was not played teaches reward
/// 0 under the position-based model, in which a card is played with chance theta p.
///
/// - `examined`: theta, chance that its position is looked at, in [0, 1].
/// - `p`: chance that it is played when looked at, in [0, 1).
///
/// # References
/// X. Wang, N. Golbandi, M. Bendersky, D. Metzler, M. Najork (2018), "Position bias estimation for unbiased learning to rank in
/// personal search", WSDM, equation 2: the E-step of regression-EM.
#[must_use]
pub fn examined_unplayed(examined: f64, p: f64) -> f64 {
    examined * (1.0 - p) / (1.0 - examined * p).max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed_examination() {
        // 0.5 (1 - 0.2) / (1 - 0.1) = 4 / 9.
        assert!((examined_unplayed(0.5, 0.2) - 4.0 / 9.0).abs() < 1e-12);
        assert_eq!(examined_unplayed(1.0, 0.3), 1.0);
        assert_eq!(examined_unplayed(0.0, 0.3), 0.0);
        assert_eq!(examined_unplayed(0.7, 0.0), 0.7);
        assert_eq!(examined_unplayed(1.0, 1.0), 0.0);
    }

    #[test]
    fn agrees_with_counting() {
        // A card looked at in 6 of 10 cases and then played in 1 of 3: of 30 cases 6 plays, 12 looked at in vain, 12 not looked at.
        assert!((examined_unplayed(0.6, 1.0 / 3.0) - 0.5).abs() < 1e-12);
    }
}
