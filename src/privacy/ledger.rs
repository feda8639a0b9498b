//! The privacy ledger: what was spent, when, and whether another record may be made.
//!
//! It is written before a record exists and never gives back. A new ledger starts fully spent, so that wiping a device's
//! storage cannot buy a fresh budget.

use super::accountant::Composition;
use super::{BUDGET_PERIOD_MS, CONSENT_YEAR_MS, Coin, EPSILONS, Epsilon, epoch_of, epoch_start};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::store::{Kind, Tape, TapeReader};

/// Most epsilon in 28 days, in thousandths.
pub const PERIOD_MILLI: u32 = 4_000;
/// Most epsilon in a consent year, in thousandths.
pub const YEAR_MILLI: u32 = 52_000;
/// Most epsilon of one record, in thousandths; a manifest cannot ask for more.
pub const RECORD_MILLI: u32 = 1_000;

/// One spending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debit {
    /// The week it paid for.
    pub epoch: u16,
    /// When.
    pub at: Timestamp,
    /// How much, in thousandths of epsilon.
    pub milli: u32,
}

/// Why no record may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This week has its record.
    Week,
    /// The 28-day budget is spent.
    Period,
    /// The year's budget is spent.
    Year,
    /// The clock stands before an earlier debit.
    ClockBack,
    /// The date lies outside the calendar of epochs.
    Calendar,
}

impl Refusal {
    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Period => "28 days",
            Self::Year => "year",
            Self::ClockBack => "clock",
            Self::Calendar => "calendar",
        }
    }
}

/// The right to make one record. Made by [`Ledger::debit`] only, used up by [`super::release`].
#[derive(Debug)]
pub struct Permit {
    epsilon: Epsilon,
}

impl Permit {
    pub(super) fn epsilon(&self) -> Epsilon {
        self.epsilon
    }
}

/// Spent and left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Epsilon spent in the last 28 days.
    pub spent: f64,
    /// Epsilon left in them.
    pub left: f64,
    /// Earliest time at which a record of the ceiling may be made.
    pub next_at: Timestamp,
    /// Debits of the last 28 days.
    pub records: usize,
    /// Epsilon spent in this year of consent.
    pub spent_year: f64,
    /// Epsilon left in it.
    pub left_year: f64,
    /// Records ever paid for, by epsilon: an upper limit of what was disclosed.
    pub ever: [u32; EPSILONS.len()],
}

/// What was spent and what this week's coin says. Shared by all profiles of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    started_at: Timestamp,
    latest_at: Timestamp,
    debits: Vec<Debit>,
    coin: Option<Coin>,
    /// The last week in which a probe visit took place.
    probed: Option<u16>,
    /// The last week whose probe was paid for, whether or not its record came to be.
    paid: Option<u16>,
    /// Records ever paid for, by epsilon. What a ledger starts with is no record.
    ever: [u32; EPSILONS.len()],
}

impl Ledger {
    /// A new ledger, fully spent: the first record may be made after 28 days.
    #[must_use]
    pub fn start(now: Timestamp) -> Self {
        let epoch = epoch_of(now).unwrap_or(0);
        let debit = Debit { epoch, at: now, milli: RECORD_MILLI };
        Self {
            started_at: now,
            latest_at: now,
            debits: vec![debit; (PERIOD_MILLI / RECORD_MILLI) as usize],
            coin: None,
            probed: None,
            paid: None,
            ever: [0; EPSILONS.len()],
        }
    }

    fn spent_since(&self, since: Timestamp) -> u32 {
        self.debits.iter().filter(|debit| debit.at > since).map(|debit| debit.milli).sum()
    }

    fn year_start(&self, now: Timestamp) -> Timestamp {
        let years = now.since(self.started_at).max(0) / CONSENT_YEAR_MS;
        self.started_at.plus_ms(years * CONSENT_YEAR_MS)
    }

    /// Whether a record with this epsilon may be made for a probe at `now`; the reason if not.
    ///
    /// # Errors
    /// The first rule that forbids it.
    pub fn allows(&self, epsilon: Epsilon, now: Timestamp) -> Result<u16, Refusal> {
        if now < self.latest_at {
            return Err(Refusal::ClockBack);
        }
        self.has_room(epsilon, now)
    }

    /// The same beside probes that took place at these times and will be paid for, with this epsilon each: the answer is the one as if
    /// they were paid for already.
    ///
    /// # Errors
    /// The first rule that forbids it.
    pub fn allows_beside(&self, epsilon: Epsilon, now: Timestamp, unpaid: &[Timestamp]) -> Result<u16, Refusal> {
        let mut then = self.clone();
        for at in unpaid {
            let epoch = epoch_of(*at).ok_or(Refusal::Calendar)?;
            if !self.has_paid(epoch) {
                then.debits.push(Debit { epoch, at: *at, milli: epsilon.milli() });
            }
        }
        then.allows(epsilon, now)
    }

    fn has_room(&self, epsilon: Epsilon, now: Timestamp) -> Result<u16, Refusal> {
        let milli = epsilon.milli();
        let epoch = epoch_of(now).ok_or(Refusal::Calendar)?;
        if self.debits.iter().any(|debit| debit.epoch >= epoch) {
            return Err(Refusal::Week);
        }
        if milli > RECORD_MILLI || self.spent_since(now.plus_ms(-BUDGET_PERIOD_MS)) + milli > PERIOD_MILLI {
            return Err(Refusal::Period);
        }
        // A debit on the first instant of the year belongs to it.
        if self.spent_since(self.year_start(now).plus_ms(-1)) + milli > YEAR_MILLI {
            return Err(Refusal::Year);
        }
        Ok(epoch)
    }

    /// Spends `epsilon` for the probe of week `probe` that took place at `probe_at`. The caller saves the ledger durably before it
    /// uses the permit.
    ///
    /// The debit carries the time of the probe, not that of the debit: when the next record may be made then follows from the coin
    /// and the times at which Home was opened, not from what was done there.
    ///
    /// # Errors
    /// `budget_spent`, `clock_back`, or `already_paid` when that probe was paid for before.
    pub fn debit(&mut self, epsilon: Epsilon, probe: u16, probe_at: Timestamp, now: Timestamp) -> Result<Permit, Error> {
        if self.has_paid(probe) {
            return Err(Error::privacy("already_paid", format!("expected a probe not yet paid for, got that of week {probe}")));
        }
        let room = if now < self.latest_at { Err(Refusal::ClockBack) } else { self.has_room(epsilon, probe_at) };
        let epoch = room.map_err(|refusal| match refusal {
            Refusal::ClockBack => {
                Error::privacy("clock_back", "expected a clock that does not go back, the ledger has later dates")
            }
            other => {
                Error::privacy("budget_spent", format!("expected budget left, the limit of the {} is reached", other.name()))
            }
        })?;
        self.latest_at = now;
        self.paid = Some(probe);
        self.debits.push(Debit { epoch, at: probe_at, milli: epsilon.milli() });
        let ever = &mut self.ever[usize::from(epsilon.index())];
        *ever = ever.saturating_add(1);
        // What is older than that counts for no later probe. By the probe's time: a clock far ahead must not make it forget.
        self.debits.retain(|debit| probe_at.since(debit.at) <= 2 * CONSENT_YEAR_MS);
        Ok(Permit { epsilon })
    }

    /// Spent and left at `now`.
    #[must_use]
    pub fn budget(&self, now: Timestamp) -> Budget {
        let since = now.plus_ms(-BUDGET_PERIOD_MS);
        let spent = self.spent_since(since);
        let year = self.spent_since(self.year_start(now).plus_ms(-1));
        // Debits stand in the order of their times: the clock never goes back.
        let in_period: Vec<&Debit> = self.debits.iter().filter(|debit| debit.at > since).collect();
        let mut over = (spent + RECORD_MILLI).saturating_sub(PERIOD_MILLI);
        let mut next_at = now;
        for debit in &in_period {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(debit.milli);
            next_at = debit.at.plus_ms(BUDGET_PERIOD_MS);
        }
        // One record a week, whatever is left of the rest.
        if let Some(last) = self.debits.iter().map(|debit| debit.epoch).max() {
            next_at = next_at.max(epoch_start(last.saturating_add(1)));
        }
        Budget {
            spent: f64::from(spent) / 1_000.0,
            left: f64::from(PERIOD_MILLI.saturating_sub(spent)) / 1_000.0,
            next_at,
            records: in_period.len(),
            spent_year: f64::from(year) / 1_000.0,
            left_year: f64::from(YEAR_MILLI.saturating_sub(year)) / 1_000.0,
            ever: self.ever,
        }
    }

    /// What all records ever paid for disclose together: the smallest epsilon for which they are (epsilon, delta)-private; see
    /// [`Composition`]. Beyond [`super::accountant::MAX_COMPOSED`] records the sum of their epsilons, which holds for any delta.
    #[must_use]
    pub fn disclosure(&self, delta: f64) -> f64 {
        let mut milli = Vec::new();
        for (count, index) in self.ever.iter().zip(0..) {
            let each = Epsilon::from_index(index).map_or(RECORD_MILLI, Epsilon::milli);
            milli.resize(milli.len() + *count as usize, each);
        }
        let total: u32 = milli.iter().sum();
        Composition::of(&milli).map_or(f64::from(total) / 1_000.0, |composition| composition.epsilon(delta))
    }

    /// What was spent, in the order of the probes.
    #[must_use]
    pub fn debits(&self) -> &[Debit] {
        &self.debits
    }

    /// This week's coin, if it was tossed.
    #[must_use]
    pub fn coin(&self) -> Option<&Coin> {
        self.coin.as_ref()
    }

    pub(crate) fn set_coin(&mut self, coin: Coin) {
        self.coin = Some(coin);
    }

    /// The last week in which a probe visit took place.
    #[must_use]
    pub fn probed(&self) -> Option<u16> {
        self.probed
    }

    pub(crate) fn set_probed(&mut self, epoch: u16) {
        self.probed = Some(epoch);
    }

    /// Whether the probe of `epoch`, or a later one, was paid for.
    #[must_use]
    pub fn has_paid(&self, epoch: u16) -> bool {
        self.paid.is_some_and(|paid| paid >= epoch)
    }

    /// The ledger as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut tape = Tape::default();
        tape.time(self.started_at);
        tape.time(self.latest_at);
        tape.count(self.debits.len());
        for debit in &self.debits {
            tape.whole(debit.epoch.into());
            tape.time(debit.at);
            tape.whole(debit.milli.into());
        }
        tape.maybe(self.coin.as_ref(), |tape, coin| coin.save(tape));
        tape.maybe(self.probed, |tape, epoch| tape.whole(epoch.into()));
        tape.maybe(self.paid, |tape, epoch| tape.whole(epoch.into()));
        for ever in self.ever {
            tape.whole(ever.into());
        }
        Tape::seal(Kind::Ledger, &[tape])
    }

    /// Reads a stored ledger.
    ///
    /// # Errors
    /// `ledger_corrupt` or `ledger_newer`; nothing is then made or sent.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut tape = TapeReader::open(Kind::Ledger, bytes)?;
        let mut ledger = Self {
            started_at: tape.time(),
            latest_at: tape.time(),
            debits: tape.list(|tape| Debit { epoch: tape.number() as u16, at: tape.time(), milli: tape.number() }),
            coin: tape.maybe(Coin::load),
            probed: tape.maybe(|tape| tape.number() as u16),
            paid: tape.maybe(|tape| tape.number() as u16),
            ever: [0; EPSILONS.len()],
        };
        if tape.version() >= 2 {
            ledger.ever = std::array::from_fn(|_| tape.number());
        } else {
            // Format 1 did not count; it kept the debits of two years.
            for debit in ledger.debits.iter().filter(|debit| debit.at != ledger.started_at) {
                let at = (0..EPSILONS.len() as u8).find(|at| Epsilon::from_index(*at).is_some_and(|e| e.milli() == debit.milli));
                ledger.ever[usize::from(at.unwrap_or(EPSILONS.len() as u8 - 1))] += 1;
            }
        }
        tape.end()?;
        Ok(ledger)
    }
}

#[cfg(test)]
mod tests {
    use super::super::FIRST_EPOCH;
    use super::*;
    use crate::clock::{DAY_MS, WEEK_MS};
    use crate::random::{Purpose, Seed, below};

    fn one() -> Epsilon {
        Epsilon::from_index(2).unwrap()
    }

    fn pay(ledger: &mut Ledger, epsilon: Epsilon, now: Timestamp) -> Result<Permit, Error> {
        ledger.debit(epsilon, epoch_of(now).unwrap(), now, now)
    }

    fn day(day: i64) -> Timestamp {
        FIRST_EPOCH.plus_ms(40 * WEEK_MS + day * DAY_MS)
    }

    #[test]
    fn a_new_ledger_is_fully_spent_for_28_days() {
        let mut ledger = Ledger::start(day(0));
        assert_eq!(ledger.budget(day(0)).left, 0.0);
        assert_eq!(ledger.budget(day(3)).next_at, day(28));
        assert_eq!(ledger.allows(one(), day(0)), Err(Refusal::Week));
        assert_eq!(ledger.allows(one(), day(27)), Err(Refusal::Period));
        assert!(pay(&mut ledger, one(), day(28)).is_ok());
        assert_eq!(ledger.debit(one(), 99, day(29), day(29)).unwrap_err().code(), "budget_spent");
        assert_eq!(pay(&mut ledger, one(), day(28)).unwrap_err().code(), "already_paid");
    }

    #[test]
    fn one_record_a_week_four_in_28_days() {
        let mut ledger = Ledger::start(day(0));
        for week in (4..52).chain(53..100) {
            assert!(pay(&mut ledger, one(), day(7 * week)).is_ok(), "week {week}");
            assert_eq!(ledger.allows(one(), day(7 * week + 6)), Err(Refusal::Week));
            assert!(ledger.budget(day(7 * week + 1)).next_at >= day(7 * week + 7));
            if week == 51 {
                // The four weeks it started with and 48 records: the year's 52 are spent until its last day is over.
                assert_eq!(ledger.allows(one(), day(364)), Err(Refusal::Year));
            }
        }
    }

    #[test]
    fn what_was_disclosed_is_composed_exactly_and_counts_no_start() {
        let mut ledger = Ledger::start(day(0));
        assert_eq!(ledger.disclosure(1e-6), 0.0);
        let mut paid = Vec::new();
        for (week, index) in (4..56).zip([2, 2, 1, 2].into_iter().cycle()) {
            let epsilon = Epsilon::from_index(index).unwrap();
            if pay(&mut ledger, epsilon, day(7 * week)).is_ok() {
                paid.push(epsilon.milli());
            }
        }
        assert!(paid.len() > 40);
        let want = Composition::of(&paid).unwrap();
        assert_eq!(ledger.disclosure(1e-6), want.epsilon(1e-6));
        assert!(ledger.disclosure(1e-6) < ledger.disclosure(0.0));
        assert_eq!(ledger.disclosure(0.0), want.total());
        assert_eq!(Ledger::from_bytes(&ledger.to_bytes()).unwrap(), ledger);
        ledger.ever = [0, 0, 500];
        assert_eq!(ledger.disclosure(1e-6), 500.0, "beyond what is composed: the sum");
    }

    #[test]
    fn what_waits_counts_as_if_it_were_paid_for() {
        let mut refused = 0;
        for index in 0..EPSILONS.len() as u8 {
            let epsilon = Epsilon::from_index(index).unwrap();
            // The fifth probe comes earlier in its week than the first did.
            let probes = [34, 36, 43, 50].map(day);
            for hour in 0..7 * 24 {
                let now = day(56).plus_ms(hour * DAY_MS / 24);
                let mut answers = Vec::new();
                for paid in 0..=probes.len() {
                    let mut ledger = Ledger::start(day(0));
                    for at in &probes[..paid] {
                        ledger.debit(epsilon, epoch_of(*at).unwrap(), *at, now).unwrap();
                    }
                    answers.push(ledger.allows_beside(epsilon, now, &probes[paid..]));
                    assert_eq!(answers.last(), Some(&ledger.allows_beside(epsilon, now, &probes)), "what is paid counts once");
                }
                answers.dedup();
                assert_eq!(answers.len(), 1, "epsilon {index}, hour {hour}: {answers:?}");
                refused += usize::from(answers[0].is_err());
            }
        }
        assert_eq!(refused, 6 * 24, "until the first of four records of 1 is 28 days old, and for no smaller ones");
    }

    #[test]
    fn the_clock_may_not_go_back() {
        let mut ledger = Ledger::start(day(0));
        assert!(pay(&mut ledger, one(), day(30)).is_ok());
        assert_eq!(ledger.debit(one(), 99, day(22), day(22)).unwrap_err().code(), "clock_back");
    }

    #[test]
    fn never_overspends_on_random_schedules() {
        let mut rng = Seed::from_number(21).stream(Purpose::Host, 0);
        for _ in 0..200 {
            let mut ledger = Ledger::start(day(0));
            let mut now = day(0);
            let mut made: Vec<(Timestamp, u32)> = Vec::new();
            for _ in 0..400 {
                let step = i64::from(below(&mut rng, 12 * 24)) * 3_600_000 - 24 * 3_600_000;
                now = now.plus_ms(step);
                let epsilon = Epsilon::from_index(below(&mut rng, 3) as u8).unwrap();
                if pay(&mut ledger, epsilon, now).is_ok() {
                    made.push((now, epsilon.milli()));
                }
                if below(&mut rng, 10) == 0 {
                    ledger = Ledger::from_bytes(&ledger.to_bytes()).unwrap();
                }
            }
            for (at, _) in &made {
                let period: u32 = made.iter().filter(|(t, _)| t <= at && at.since(*t) < BUDGET_PERIOD_MS).map(|m| m.1).sum();
                assert!(period <= PERIOD_MILLI);
                let week = made.iter().filter(|(t, _)| epoch_of(*t) == epoch_of(*at)).count();
                assert_eq!(week, 1);
            }
        }
    }

    #[test]
    fn a_broken_ledger_is_an_error_not_a_fresh_budget() {
        let bytes = Ledger::start(day(0)).to_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(Ledger::from_bytes(&bytes[..cut]).unwrap_err().code(), "ledger_corrupt");
        }
        let mut flipped = bytes.clone();
        flipped[bytes.len() - 1] ^= 1;
        assert_eq!(Ledger::from_bytes(&flipped).unwrap_err().code(), "ledger_corrupt");
    }
}
