//! The public coin: which hour, slot, arm and question this week. It reads the manifest and random bytes, nothing else.

use super::{Action, Manifest, Probe, Question, epoch_start};
use crate::clock::{HOUR_MS, Timestamp};
use crate::error::Error;
use crate::random::Entropy;
use crate::store::{Tape, TapeReader};

/// Shortest time between the end of a probe and the sending of its record, in milliseconds.
pub const MIN_DELAY_MS: i64 = 24 * HOUR_MS;
/// Longest such time.
pub const MAX_DELAY_MS: i64 = 72 * HOUR_MS;

/// One week's draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The week.
    pub epoch: u16,
    /// Id of the manifest it was drawn from.
    pub manifest: [u8; 4],
    /// The probe is the first Home opened at or after this time; a vote begins with the toss.
    pub due_at: Timestamp,
    /// Which probe of the manifest.
    pub slot: u8,
    /// Which arm.
    pub arm: u16,
    /// Which question.
    pub question: u8,
    /// How long the record waits before it is sent, in milliseconds.
    pub delay_ms: i64,
}

impl Coin {
    /// Draws the week's probe.
    ///
    /// # Errors
    /// `no_entropy` when no random bytes can be had.
    ///
    /// # Determinism
    /// Takes 16 bytes of entropy: 2 each for hour, probe, arm and question, 8 for the delay. Probe, question, hour and delay are
    /// the remainder of a division; their chances are off by less than 168 / 65536 of themselves, and none of them enters an
    /// estimate's weight but the arm, which is exact.
    pub fn toss(manifest: &Manifest, epoch: u16, entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut bytes = [0u8; 16];
        entropy.fill(&mut bytes)?;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let hour = i64::from(word(0) % 168);
        let delay = u64::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]);
        let slot = usize::from(word(2)) % manifest.probes().len();
        let probe = &manifest.probes()[slot];
        Ok(Self {
            epoch,
            manifest: manifest.id().0,
            due_at: epoch_start(epoch).plus_ms(hour * HOUR_MS),
            slot: slot as u8,
            arm: probe.arm_of(word(4)),
            question: (usize::from(word(6)) % probe.questions.len()) as u8,
            delay_ms: MIN_DELAY_MS + (delay % (MAX_DELAY_MS - MIN_DELAY_MS) as u64) as i64,
        })
    }

    pub(crate) fn save(&self, tape: &mut Tape) {
        tape.whole(self.epoch.into());
        tape.whole(u32::from_be_bytes(self.manifest).into());
        tape.time(self.due_at);
        for part in [u64::from(self.slot), self.arm.into(), self.question.into()] {
            tape.whole(part);
        }
        tape.signed(self.delay_ms);
    }

    pub(crate) fn load(tape: &mut TapeReader) -> Self {
        Self {
            epoch: tape.number() as u16,
            manifest: tape.number().to_be_bytes(),
            due_at: tape.time(),
            slot: tape.number() as u8,
            arm: tape.number() as u16,
            question: tape.number() as u8,
            delay_ms: tape.signed(),
        }
    }

    /// What it drew; `None` when it is not of this manifest.
    #[must_use]
    pub fn drawn<'a>(&self, manifest: &'a Manifest) -> Option<(&'a Probe, &'a Action)> {
        let probe = manifest.probes().get(usize::from(self.slot)).filter(|_| self.fits(manifest))?;
        Some((probe, &probe.arms.get(usize::from(self.arm))?.action))
    }

    /// The question it drew; `None` when it is not of this manifest.
    #[must_use]
    pub fn question_of(&self, manifest: &Manifest) -> Option<Question> {
        self.drawn(manifest)?.0.questions.get(usize::from(self.question)).copied()
    }

    /// Whether the stored coin makes sense for this manifest.
    #[must_use]
    pub fn fits(&self, manifest: &Manifest) -> bool {
        self.manifest == manifest.id().0
            && manifest.probes().get(usize::from(self.slot)).is_some_and(|probe| {
                usize::from(self.arm) < probe.arms.len() && usize::from(self.question) < probe.questions.len()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::tests::settings;
    use super::*;
    use crate::random::{NoEntropy, Purpose, Seed, SeededEntropy};

    #[test]
    fn tosses_stay_in_range_and_follow_the_weights() {
        let manifest = Manifest::new(b"{}", settings()).unwrap();
        let mut entropy = SeededEntropy::new(Seed::from_number(9), Purpose::Coin);
        let mut counts = [0.0f64; 3];
        for _ in 0..20_000 {
            let coin = Coin::toss(&manifest, 3, &mut entropy).unwrap();
            assert!(coin.fits(&manifest));
            assert!(coin.due_at >= epoch_start(3) && coin.due_at < epoch_start(4));
            assert!((MIN_DELAY_MS..MAX_DELAY_MS).contains(&coin.delay_ms));
            counts[usize::from(coin.arm)] += 1.0;
        }
        let want = 40_000.0 / 65_536.0 * 20_000.0;
        // Binomial standard deviation 69; five of them, false alarm below 1e-6.
        assert!((counts[1] - want).abs() < 345.0, "{counts:?}");
    }

    #[test]
    fn no_entropy_no_coin() {
        let manifest = Manifest::new(b"{}", settings()).unwrap();
        assert_eq!(Coin::toss(&manifest, 0, &mut NoEntropy).unwrap_err().code(), "no_entropy");
    }
}
