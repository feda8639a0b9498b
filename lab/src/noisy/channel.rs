//! The channel between what a device would answer and what it sends.

use ears_only::privacy::{ANSWERS, EPSILONS, Epsilon, FLIP_THRESHOLDS, KEEP_THRESHOLDS};

use crate::error::LabError;

/// 2^32, the number of random words.
const WORDS: f64 = 4_294_967_296.0;

/// Randomised response over a few answers: the true one is sent with one chance, each other with another.
///
/// Chances are those of the shipped integer thresholds, not those of the nominal epsilon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    answers: usize,
    keep: f64,
    other: f64,
}

impl Channel {
    /// The channel of a question with so many answers.
    ///
    /// # Errors
    /// When the product has no such question.
    pub fn new(epsilon: Epsilon, answers: u8) -> Result<Self, LabError> {
        let index = usize::from(epsilon.index());
        if answers == 2 {
            let other = f64::from(FLIP_THRESHOLDS[index]) / WORDS;
            return Ok(Self { answers: 2, keep: 1.0 - other, other });
        }
        let at = ANSWERS.iter().position(|known| *known == answers);
        let at = at.ok_or_else(|| LabError::unreadable(format!("expected 2, 4, 8 or 16 answers, got {answers}")))?;
        let keep = f64::from(KEEP_THRESHOLDS[index][at]) / WORDS;
        Ok(Self { answers: answers.into(), keep, other: (1.0 - keep) / f64::from(answers - 1) })
    }

    /// The channel of a bit.
    ///
    /// # Errors
    /// Never for a shipped epsilon.
    pub fn bit(epsilon: Epsilon) -> Result<Self, LabError> {
        Self::new(epsilon, 2)
    }

    /// Number of answers.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// P(the true answer is sent).
    #[must_use]
    pub fn keep(&self) -> f64 {
        self.keep
    }

    /// P(a given other answer is sent).
    #[must_use]
    pub fn other(&self) -> f64 {
        self.other
    }

    /// P(`sent` | `truth`).
    #[must_use]
    pub fn chance(&self, sent: usize, truth: usize) -> f64 {
        if sent == truth { self.keep } else { self.other }
    }

    /// How much of an answer comes through: keep - other; tanh(epsilon / 2) for a bit.
    #[must_use]
    pub fn signal(&self) -> f64 {
        self.keep - self.other
    }

    /// The values whose mean over what was sent equals the mean of `values` over the true answers: (g(y) - q sum g) / (p - q).
    #[must_use]
    pub fn undo(&self, values: &[f64]) -> Vec<f64> {
        let all = self.other * values.iter().sum::<f64>();
        values.iter().map(|value| (value - all) / self.signal()).collect()
    }

    /// [`Channel::undo`] of a bit read as 0 or 1: (b - q) / (p - q).
    #[must_use]
    pub fn undo_bit(&self, sent: usize) -> f64 {
        (sent as f64 - self.other) / self.signal()
    }
}

/// The epsilon with this value, if it is shipped.
///
/// # Errors
/// Otherwise, naming those that are.
pub fn epsilon_of(value: f64) -> Result<Epsilon, LabError> {
    let index = EPSILONS.iter().position(|known| *known == value);
    let known = index.and_then(|index| Epsilon::from_index(index as u8));
    known.ok_or_else(|| LabError::unreadable(format!("expected an epsilon of {EPSILONS:?}, got {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::privacy::randomise;
    use ears_only::random::{Purpose, Seed, SeededEntropy};

    #[test]
    fn undoing_is_the_left_inverse_of_the_channel() {
        for value in EPSILONS {
            for answers in [2, 4, 8, 16] {
                let channel = Channel::new(epsilon_of(value).unwrap(), answers).unwrap();
                let values: Vec<f64> = (0..answers).map(|y| f64::from(y * y) - 3.5).collect();
                let undone = channel.undo(&values);
                for (truth, want) in values.iter().enumerate() {
                    let sent: f64 = undone.iter().enumerate().map(|(sent, undone)| channel.chance(sent, truth) * undone).sum();
                    assert!((sent - want).abs() < 1e-9, "{value} {answers} {truth}");
                }
                let all: f64 = (0..usize::from(answers)).map(|sent| channel.chance(sent, 0)).sum();
                assert!((all - 1.0).abs() < 1e-12);
            }
            let bit = Channel::bit(epsilon_of(value).unwrap()).unwrap();
            assert!((bit.signal() - ears_only::math::tanh(value / 2.0)).abs() < 1e-8);
        }
        assert!(Channel::new(epsilon_of(1.0).unwrap(), 3).is_err());
        assert!(epsilon_of(2.0).is_err());
    }

    #[test]
    fn the_products_randomiser_has_these_chances() {
        let epsilon = epsilon_of(1.0).unwrap();
        let mut entropy = SeededEntropy::new(Seed::from_number(5), Purpose::Flip);
        for answers in [2u8, 4, 16] {
            let channel = Channel::new(epsilon, answers).unwrap();
            let mut counts = vec![0.0f64; answers.into()];
            for _ in 0..40_000 {
                counts[usize::from(randomise(1, answers, epsilon, &mut entropy).unwrap())] += 1.0;
            }
            // Each count is binomial; 5.5 standard deviations, 22 counts: false alarm below 1e-6.
            for (sent, count) in counts.iter().enumerate() {
                let chance = channel.chance(sent, 1);
                assert!(
                    (count / 40_000.0 - chance).abs() < 5.5 * (chance * (1.0 - chance) / 40_000.0).sqrt(),
                    "{answers} {sent}"
                );
            }
        }
    }
}
