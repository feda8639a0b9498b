//! Randomised response with integer thresholds: no floating point between the answer and what leaves.

use super::{Coin, Manifest, Permit, ProbeRecord, Question};
use crate::error::Error;
use crate::random::Entropy;

/// The privacy parameters a manifest may name, by index; the last is the ceiling.
pub const EPSILONS: [f64; 3] = [0.25, 0.5, 1.0];

/// For each epsilon: a bit is flipped when a uniform 32-bit word lies below this.
///
/// ceil(2^32 / (1 + e^eps)): rounding up flips a hair more often than the formula, so the realised epsilon never exceeds the
/// nominal one.
///
/// # References
/// S. L. Warner (1965), "Randomized response", JASA 60(309), 63-69.
pub const FLIP_THRESHOLDS: [u32; 3] = [1_880_437_611, 1_621_524_826, 1_155_094_610];

/// The numbers of answers that a question may have, beside 2.
pub const ANSWERS: [u8; 3] = [4, 8, 16];

/// For each epsilon and each of [`ANSWERS`], K: the answer is kept when a uniform 32-bit word lies below this; else each of the other
/// K - 1 takes its place, equally likely.
///
/// floor(2^32 e^eps / (e^eps + K - 1)): rounding down keeps a hair more rarely than the formula.
///
/// # References
/// P. Kairouz, S. Oh, P. Viswanath (2014), "Extremal mechanisms for local differential privacy", NIPS, equation 4.
pub const KEEP_THRESHOLDS: [[u32; 3]; 3] = [
    [1_287_304_960, 665_720_696, 338_666_087],
    [1_523_258_445, 818_757_330, 425_330_199],
    [2_041_685_230, 1_201_337_001, 658_920_072],
];

/// Index into [`EPSILONS`], checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epsilon(u8);

impl Epsilon {
    /// The parameter with this index, if there is one.
    #[must_use]
    pub fn from_index(index: u8) -> Option<Self> {
        (usize::from(index) < EPSILONS.len()).then_some(Self(index))
    }

    /// The index, 3 bits in a record.
    #[must_use]
    pub fn index(self) -> u8 {
        self.0
    }

    /// The nominal value.
    #[must_use]
    pub fn value(self) -> f64 {
        EPSILONS[usize::from(self.0)]
    }

    /// Thousandths, for exact sums in the ledger.
    #[must_use]
    pub fn milli(self) -> u32 {
        [250, 500, 1_000][usize::from(self.0)]
    }

    fn flip_threshold(self) -> u32 {
        FLIP_THRESHOLDS[usize::from(self.0)]
    }
}

/// A value that depends on the history. It can be made anywhere and read nowhere: the only way out is [`release`].
///
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// println!("{answer:?}");
/// ```
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// let copy = answer.clone();
/// ```
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// let bit = answer.0;
/// ```
/// ```compile_fail
/// let answer = ears_only::privacy::Private::new(true);
/// if answer == ears_only::privacy::Private::new(true) {}
/// ```
/// ```compile_fail
/// fn serialise<T: serde::Serialize>(value: T) {}
/// serialise(ears_only::privacy::Private::new(true));
/// ```
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(value)
    }
}

/// What the device would answer if it could tell the truth.
pub enum Answer {
    /// This one, from 0; beyond the question's last it counts as the last.
    Symbol(u8),
    /// 1 with this chance in 2^32nds, else 0; at most 2^32.
    Chance(u64),
}

/// The symbol that leaves in place of `symbol`, one of `answers`: 2, or one of [`ANSWERS`].
///
/// # Errors
/// `no_entropy`; `bad_record` for another number of answers or a symbol that is none of them.
///
/// # Determinism
/// Takes 4 bytes of entropy at a time, once for two answers, else as often as chance wants: how often does not depend on the symbol.
pub fn randomise(symbol: u8, answers: u8, epsilon: Epsilon, entropy: &mut dyn Entropy) -> Result<u8, Error> {
    if symbol >= answers || answers != 2 && !ANSWERS.contains(&answers) {
        return Err(Error::privacy("bad_record", format!("expected one of 2, 4, 8 or 16 answers, got {symbol} of {answers}")));
    }
    let first = word(entropy)?;
    let Some(at) = ANSWERS.iter().position(|known| *known == answers) else {
        return Ok(symbol ^ u8::from(first < epsilon.flip_threshold()));
    };
    if first < KEEP_THRESHOLDS[usize::from(epsilon.0)][at] {
        return Ok(symbol);
    }
    // Uniform over the others: words of the last, incomplete run are drawn again.
    let others = u32::from(answers) - 1;
    let whole = u32::MAX / others * others;
    loop {
        let drawn = word(entropy)?;
        if drawn < whole {
            let other = (drawn % others) as u8;
            return Ok(other + u8::from(other >= symbol));
        }
    }
}

fn word(entropy: &mut dyn Entropy) -> Result<u32, Error> {
    let mut word = [0u8; 4];
    entropy.fill(&mut word)?;
    Ok(u32::from_be_bytes(word))
}

/// Randomises the answer and makes the record. Uses up the permit, whatever happens: one debit, at most one record.
///
/// # Errors
/// `no_entropy` when no random word can be had, `bad_record` when the coin is not of this manifest; there is then no record.
///
/// # Determinism
/// Takes 4 bytes of entropy first where the question is a vote, to turn its chance into a bit; then as [`randomise`]. Which question it
/// is, the public coin says.
pub fn release(
    answer: Private<Answer>,
    permit: Permit,
    manifest: &Manifest,
    coin: &Coin,
    entropy: &mut dyn Entropy,
) -> Result<ProbeRecord, Error> {
    let question = coin.question_of(manifest);
    let Some(question) = question else {
        return Err(Error::privacy("bad_record", "expected a coin of this manifest, got that of another"));
    };
    let last = question.answers() - 1;
    let drawn = if question == Question::Vote { word(entropy)? } else { 0 };
    let symbol = match answer.0 {
        Answer::Symbol(symbol) => symbol.min(last),
        Answer::Chance(chance) => u8::from(u64::from(drawn) < chance),
    };
    let symbol = randomise(symbol, question.answers(), permit.epsilon(), entropy)?;
    ProbeRecord::new(manifest, coin, &permit, symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// e^x with 2^-60 steps as a pair of bounds, from the Taylor series in integers.
    fn exp_bounds(numerator: u128, denominator: u128) -> (u128, u128) {
        const ONE: u128 = 1 << 60;
        let (mut low, mut high) = (ONE, ONE);
        let (mut term_low, mut term_high) = (ONE, ONE);
        for k in 1..40u128 {
            term_low = term_low * numerator / (denominator * k);
            term_high = term_high * numerator / (denominator * k) + 1;
            low += term_low;
            high += term_high;
        }
        // The rest of the series is below the last term.
        (low, high + term_high)
    }

    #[test]
    fn thresholds_are_the_exact_ceilings() {
        const ONE: u128 = 1 << 60;
        for (index, (numerator, denominator)) in [(1, 4), (1, 2), (1, 1)].into_iter().enumerate() {
            let (low, high) = exp_bounds(numerator, denominator);
            let threshold = u128::from(FLIP_THRESHOLDS[index]);
            // threshold >= 2^32 / (1 + e) and threshold - 1 < 2^32 / (1 + e), both in integers.
            assert!(threshold * (ONE + low) >= (1 << 32) * ONE, "index {index}: flips too rarely");
            assert!((threshold - 1) * (ONE + high) < (1 << 32) * ONE, "index {index}: flips too often");
            // Realised ratio (2^32 - t) / t is at most e^eps.
            assert!(((1u128 << 32) - threshold) * ONE <= low * threshold, "index {index}: realised epsilon above nominal");
        }
    }

    #[test]
    fn the_realised_epsilon_is_within_1e_8_below_nominal() {
        for (epsilon, threshold) in EPSILONS.iter().zip(FLIP_THRESHOLDS) {
            let realised = crate::math::ln((4_294_967_296.0 - f64::from(threshold)) / f64::from(threshold));
            assert!(realised <= *epsilon && epsilon - realised < 1e-8, "{epsilon} {realised}");
        }
    }

    #[test]
    fn keep_thresholds_are_the_exact_floors() {
        const ONE: u128 = 1 << 60;
        for (row, (numerator, denominator)) in KEEP_THRESHOLDS.iter().zip([(1, 4), (1, 2), (1, 1)]) {
            let (low, high) = exp_bounds(numerator, denominator);
            for (threshold, answers) in row.iter().zip(ANSWERS) {
                let (keep, others) = (u128::from(*threshold), u128::from(answers) - 1);
                // keep <= 2^32 e / (e + K - 1) < keep + 1.
                assert!(keep * (low + others * ONE) <= (1 << 32) * low, "{answers}: kept too often");
                assert!((keep + 1) * (high + others * ONE) > (1 << 32) * high, "{answers}: kept too rarely");
                // Kept against any one of the others: keep (K - 1) / (2^32 - keep) is at most e^eps, and close to it.
                assert!(keep * others * ONE <= low * ((1 << 32) - keep), "{answers}: realised epsilon above nominal");
                assert!(keep * others * ONE * 100_000_000 > high * ((1 << 32) - keep) * 99_999_999, "{answers}: too private");
            }
        }
    }

    /// Words in the order given.
    struct Words(Vec<u32>);

    impl Entropy for Words {
        fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
            bytes.copy_from_slice(&self.0.remove(0).to_be_bytes());
            Ok(())
        }
    }

    #[test]
    fn the_others_share_what_is_not_kept_and_the_answer_itself_is_never_drawn_again() {
        let epsilon = Epsilon::from_index(2).unwrap();
        for answers in ANSWERS {
            for symbol in 0..answers {
                let drawn = |words: Vec<u32>| randomise(symbol, answers, epsilon, &mut Words(words)).unwrap();
                assert_eq!(drawn(vec![0]), symbol);
                let replaced: Vec<u8> = (0..u32::from(answers) - 1).map(|word| drawn(vec![u32::MAX, word])).collect();
                let others: Vec<u8> = (0..answers).filter(|other| *other != symbol).collect();
                assert_eq!(replaced, others);
                // A word of the incomplete run is drawn again.
                assert_eq!(drawn(vec![u32::MAX, u32::MAX, 0]), others[0]);
            }
        }
        for (symbol, answers) in [(2, 2), (0, 3), (16, 16), (0, 0), (0, 1)] {
            assert_eq!(randomise(symbol, answers, epsilon, &mut Words(vec![0])).unwrap_err().code(), "bad_record");
        }
    }

    #[test]
    fn a_bit_is_flipped_just_below_the_threshold() {
        let epsilon = Epsilon::from_index(2).unwrap();
        for symbol in [0, 1] {
            let drawn = |word: u32| randomise(symbol, 2, epsilon, &mut Words(vec![word])).unwrap();
            assert_eq!([drawn(1_155_094_609), drawn(1_155_094_610)], [1 - symbol, symbol]);
        }
    }
}
