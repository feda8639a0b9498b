//! Rows and rewards over time.

use std::collections::BTreeMap;

use crate::validate::source::Cell;

/// Hours that are kept apart; beyond, two become one until they fit.
const MAX_HOURS: usize = 20_000;

/// What happened in one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hour {
    /// Rows.
    pub rows: u64,
    /// Rows whose reward is not known.
    pub unrewarded: u64,
    /// Sum of the rewards.
    pub reward: f64,
}

/// Rows and rewards by the hour, or by 2, 4, 8... hours in data of many years.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    doublings: u32,
    hours: BTreeMap<i64, Hour>,
    /// Times that could not be read.
    pub unreadable: u64,
}

impl Timeline {
    /// Adds a row. `reward` is `None` when the data have no rewards, `Some(None)` when this row has none yet.
    pub fn add(&mut self, time: &Cell<'_>, reward: Option<Option<f64>>) {
        let Some(hour) = hour(time) else {
            self.unreadable += u64::from(*time != Cell::Missing);
            return;
        };
        let hours = self.hours.entry(hour >> self.doublings).or_default();
        hours.rows += 1;
        if let Some(reward) = reward {
            hours.unrewarded += u64::from(reward.is_none());
            hours.reward += reward.unwrap_or(0.0);
        }
        self.fit();
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Timeline) {
        self.widen(other.doublings);
        for (hour, more) in &other.hours {
            let hours = self.hours.entry(hour >> (self.doublings - other.doublings)).or_default();
            hours.rows += more.rows;
            hours.unrewarded += more.unrewarded;
            hours.reward += more.reward;
        }
        self.unreadable += other.unreadable;
        self.fit();
    }

    /// Width of a stretch, in hours.
    #[must_use]
    pub fn width(&self) -> u32 {
        1 << self.doublings
    }

    /// The stretches that have rows, by their number since 1970.
    #[must_use]
    pub fn hours(&self) -> &BTreeMap<i64, Hour> {
        &self.hours
    }

    fn fit(&mut self) {
        while self.hours.len() > MAX_HOURS {
            self.widen(self.doublings + 1);
        }
    }

    fn widen(&mut self, doublings: u32) {
        while self.doublings < doublings {
            self.doublings += 1;
            for (hour, held) in std::mem::take(&mut self.hours) {
                let hours = self.hours.entry(hour >> 1).or_default();
                hours.rows += held.rows;
                hours.unrewarded += held.unrewarded;
                hours.reward += held.reward;
            }
        }
    }
}

/// Hours since 1970 of a time in seconds, milliseconds or microseconds (by its size), or in the form of ISO 8601.
fn hour(time: &Cell<'_>) -> Option<i64> {
    match *time {
        Cell::Int(number) => match number.unsigned_abs() {
            // From 1973 on in each unit.
            100_000_000..100_000_000_000 => Some(number.div_euclid(3600)),
            100_000_000_000..100_000_000_000_000 => Some(number.div_euclid(3_600_000)),
            100_000_000_000_000..100_000_000_000_000_000 => Some(number.div_euclid(3_600_000_000)),
            _ => None,
        },
        Cell::Float(number) if number.abs() < 1e17 => hour(&Cell::Int(number as i64)),
        Cell::Text(text) => iso_hour(text),
        _ => None,
    }
}

/// `2019-11-24`, `2019-11-24 17:03...` or with a T; the time zone is not looked at.
fn iso_hour(text: &[u8]) -> Option<i64> {
    let digits = |range: std::ops::Range<usize>| -> Option<i64> {
        let text = std::str::from_utf8(text.get(range)?).ok()?;
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    if text.get(4) != Some(&b'-') || text.get(7) != Some(&b'-') || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let hour = match text.get(10) {
        None => 0,
        Some(b' ' | b'T') => digits(11..13)?,
        Some(_) => return None,
    };
    // Days since 1970 in the Gregorian calendar, March first (H. Hinnant, "chrono-compatible low-level date algorithms").
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (hour < 24).then_some(days * 24 + hour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_every_unit_and_as_text() {
        // 2019-11-24 17:03:07 UTC.
        let hours = 1_574_614_987 / 3600;
        for cell in [
            Cell::Int(1_574_614_987),
            Cell::Int(1_574_614_987_000),
            Cell::Int(1_574_614_987_000_000),
            Cell::Float(1_574_614_987.5),
            Cell::Text(b"2019-11-24 17:03:07.123+00:00"),
            Cell::Text(b"2019-11-24T17"),
        ] {
            assert_eq!(hour(&cell), Some(hours), "{cell:?}");
        }
        assert_eq!(hour(&Cell::Text(b"1970-01-01")), Some(0));
        assert_eq!(hour(&Cell::Text(b"2000-02-29")), Some(11_016 * 24));
        for cell in
            [Cell::Int(7), Cell::Text(b"24/11/2019"), Cell::Text(b"2019-13-01"), Cell::Text(b"2019-11-24x"), Cell::Missing]
        {
            assert_eq!(hour(&cell), None, "{cell:?}");
        }
    }

    #[test]
    fn many_years_are_folded_and_parts_add_up() {
        let (mut whole, mut early, mut late) = (Timeline::default(), Timeline::default(), Timeline::default());
        for i in 0..50_000_i64 {
            let cell = Cell::Int(1_000_000_000 + i * 3600);
            whole.add(&cell, Some((i % 2 == 0).then_some(1.0)));
            if i < 100 {
                early.add(&cell, Some((i % 2 == 0).then_some(1.0)))
            } else {
                late.add(&cell, Some((i % 2 == 0).then_some(1.0)))
            }
        }
        early.merge(&late);
        assert_eq!(whole, early);
        assert_eq!(whole.width(), 4);
        assert_eq!(whole.hours().values().map(|hour| hour.unrewarded).sum::<u64>(), 25_000);
    }
}
