//! Listening events as the app reports them, and how they become rewards.

use crate::clock::{MINUTE_MS, Timestamp};
use crate::error::{Error, shown};
use crate::history::MAX_PLAYED_MS;
use crate::log::DecisionId;
use crate::page::{CardHandle, ShelfHandle};

/// How far ahead of the clock an event may lie: clocks of player and page differ a little.
pub const MAX_AHEAD_MS: i64 = 5 * MINUTE_MS;
/// An impression without a play becomes reward 0 after this time.
pub const ATTRIBUTION_WINDOW_MS: i64 = 30 * MINUTE_MS;
/// A visit ends after this time without an event.
pub const SESSION_GAP_MS: i64 = 30 * MINUTE_MS;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The card was really visible: half of it for a second.
    Impression,
    /// Playing started; with a length, a whole play.
    Play,
    /// Playing goes on; the length so far.
    Progress,
    /// Playing ended by itself.
    Finish,
    /// The listener went on to something else.
    Skip,
    /// The listener likes the card.
    Like,
    /// The listener follows the card's artist or show.
    Follow,
    /// "Not interested": the card comes last from now on.
    Hide,
    /// Takes back what hiding the card did.
    Unhide,
    /// Takes back the last skip of the card.
    Unskip,
}

impl EventKind {
    /// The kind called `name`.
    ///
    /// # Errors
    /// `unknown_event` for any other name.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "impression" => Self::Impression,
            "play" => Self::Play,
            "progress" => Self::Progress,
            "finish" => Self::Finish,
            "skip" => Self::Skip,
            "like" => Self::Like,
            "follow" => Self::Follow,
            "hide" => Self::Hide,
            "unhide" => Self::Unhide,
            "unskip" => Self::Unskip,
            _ => {
                return Err(Error::event(
                    "unknown_event",
                    format!(
                        "expected impression, play, progress, finish, skip, like, follow, hide, unhide or unskip, got {} bytes of other text",
                        name.len()
                    ),
                ));
            }
        })
    }
}

/// A fact from the player or the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListeningEvent {
    /// What happened.
    pub kind: EventKind,
    /// The decision that placed the card; without one the event shapes the history but teaches nothing.
    pub decision: Option<DecisionId>,
    /// The shelf on which the card stood.
    pub shelf: Option<ShelfHandle>,
    /// Which card.
    pub card: CardHandle,
    /// Milliseconds played, if known.
    pub ms_played: Option<u32>,
    /// When.
    pub at: Timestamp,
}

/// Checks a reported length.
///
/// # Errors
/// `bad_duration` when it is negative, not finite or longer than a day.
pub fn played_ms(ms: Option<f64>) -> Result<Option<u32>, Error> {
    match ms {
        None => Ok(None),
        Some(ms) if ms.is_finite() && (0.0..=f64::from(MAX_PLAYED_MS)).contains(&ms) => Ok(Some(ms as u32)),
        Some(ms) => {
            Err(Error::event("bad_duration", format!("expected 0 to {MAX_PLAYED_MS} milliseconds played, got {}", shown(ms))))
        }
    }
}

/// Checks the time of an event against the clock.
///
/// # Errors
/// `future_event` when it lies more than [`MAX_AHEAD_MS`] ahead.
pub fn event_time(at: Timestamp, now: Timestamp) -> Result<Timestamp, Error> {
    if at.since(now) > MAX_AHEAD_MS {
        return Err(Error::event("future_event", format!("expected an event of the past, got one {} ms ahead", at.since(now))));
    }
    Ok(at.min(now))
}

/// A play that has started and not ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OpenPlay {
    pub(crate) card: CardHandle,
    pub(crate) decision: Option<DecisionId>,
    pub(crate) shelf: Option<ShelfHandle>,
    pub(crate) started_at: Timestamp,
    /// Longest length reported so far.
    pub(crate) reported_ms: u32,
}

impl OpenPlay {
    /// How long it lasted when nothing more is heard after `end`: the time passed, at most the card's length or the window.
    pub(crate) fn length_ms(&self, end: Timestamp, duration_ms: Option<u32>) -> u32 {
        let most = i64::from(duration_ms.unwrap_or(ATTRIBUTION_WINDOW_MS as u32)).min(ATTRIBUTION_WINDOW_MS);
        (end.since(self.started_at).clamp(0, most) as u32).max(self.reported_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_durations_and_times_have_codes() {
        for bad in [-1.0, f64::NAN, f64::INFINITY, 86_400_001.0] {
            assert_eq!(played_ms(Some(bad)).unwrap_err().code(), "bad_duration");
        }
        assert_eq!(played_ms(Some(30_000.4)).unwrap(), Some(30_000));
        assert_eq!(played_ms(None).unwrap(), None);
        let now = Timestamp::clamped(1_000_000);
        assert_eq!(event_time(now.plus_ms(MAX_AHEAD_MS + 1), now).unwrap_err().code(), "future_event");
        assert_eq!(event_time(now.plus_ms(10), now).unwrap(), now);
        assert_eq!(EventKind::from_name("dance").unwrap_err().code(), "unknown_event");
    }

    #[test]
    fn a_play_without_an_end_lasts_until_something_else_happens() {
        let play = OpenPlay {
            card: CardHandle(0),
            decision: None,
            shelf: None,
            started_at: Timestamp::clamped(1_000),
            reported_ms: 5_000,
        };
        assert_eq!(play.length_ms(Timestamp::clamped(2_000), None), 5_000);
        assert_eq!(play.length_ms(Timestamp::clamped(61_000), Some(40_000)), 40_000);
        assert_eq!(play.length_ms(Timestamp::clamped(i64::from(u32::MAX)), None), ATTRIBUTION_WINDOW_MS as u32);
    }
}
