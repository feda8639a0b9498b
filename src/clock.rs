//! Time comes in from outside: as a [`Timestamp`] argument or through a [`Clock`].

use crate::error::{Error, shown};

/// Milliseconds in a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// Milliseconds in a week.
pub const WEEK_MS: i64 = 7 * DAY_MS;

/// Largest timestamp accepted: the end of the range of a JavaScript `Date`.
pub const MAX_TIMESTAMP_MS: i64 = 8_640_000_000_000_000;

/// A point in time: whole milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Milliseconds since the Unix epoch, UTC.
    ///
    /// # Errors
    /// `bad_time` when the value is negative, not finite or beyond [`MAX_TIMESTAMP_MS`].
    pub fn from_ms(ms: f64) -> Result<Self, Error> {
        if ms.is_finite() && ms >= 0.0 && ms <= MAX_TIMESTAMP_MS as f64 {
            Ok(Self(ms as i64))
        } else {
            Err(Error::event(
                "bad_time",
                format!("time must be milliseconds since 1970, 0 to {MAX_TIMESTAMP_MS}, got {}", shown(ms)),
            ))
        }
    }

    /// Same as [`Timestamp::from_ms`] for whole numbers; clamps to the accepted range.
    #[must_use]
    pub const fn clamped(ms: i64) -> Self {
        if ms < 0 {
            Self(0)
        } else if ms > MAX_TIMESTAMP_MS {
            Self(MAX_TIMESTAMP_MS)
        } else {
            Self(ms)
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// This time moved by `ms`, kept in the accepted range.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self::clamped(self.0.saturating_add(ms))
    }

    /// Hour of the listener's day, 0 to 23, when their clock is `utc_offset_minutes` ahead of UTC.
    #[must_use]
    pub const fn local_hour(self, utc_offset_minutes: i32) -> u8 {
        let local = self.0 + utc_offset_minutes as i64 * MINUTE_MS;
        (local.rem_euclid(DAY_MS) / HOUR_MS) as u8
    }
}

/// Where the time comes from.
pub trait Clock {
    /// The time now.
    fn now(&self) -> Timestamp;
}

impl<F: Fn() -> Timestamp> Clock for F {
    fn now(&self) -> Timestamp {
        self()
    }
}

/// A clock that moves only when it is told to.
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    now: std::cell::Cell<i64>,
}

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { now: std::cell::Cell::new(start.ms()) }
    }

    /// Moves the clock by `ms`; a negative value moves it back.
    pub fn advance(&self, ms: i64) {
        self.now.set(Timestamp::clamped(self.now.get() + ms).ms());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::clamped(self.now.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_impossible_times() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e18] {
            assert_eq!(Timestamp::from_ms(bad).unwrap_err().code(), "bad_time");
        }
    }

    #[test]
    fn local_hour_follows_the_offset() {
        let noon = Timestamp::clamped(12 * HOUR_MS);
        assert_eq!(noon.local_hour(0), 12);
        assert_eq!(noon.local_hour(-13 * 60), 23);
        assert_eq!(noon.local_hour(12 * 60), 0);
    }

    #[test]
    fn manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp::clamped(5));
        assert_eq!(clock.now().ms(), 5);
        clock.advance(10);
        assert_eq!(clock.now().ms(), 15);
    }
}
