//! The exact law: what the randomiser's constants and its code do, in whole numbers.

use crate::finding::Finding;
use crate::fixture::{ASKED_ANSWERS, answers, manifest_of, roomy_ledger, slots, week};
use crate::subject::{SYMBOL, Script, Subject, permit};
use ears_only::error::Error;
use ears_only::privacy::{ANSWERS, Coin, EPSILONS, Epsilon, FLIP_THRESHOLDS, KEEP_THRESHOLDS, Manifest, epoch_of};

/// Name of the check.
pub const NAME: &str = "exact law";
const PROMISE: &str = "an answer is hidden as well as epsilon says";

/// Most that the realised epsilon may lie below the nominal one, as 1 / this.
const CLOSENESS: u128 = 100_000_000;
const ONE: u128 = 1 << 60;
const WORDS: u128 = 1 << 32;

/// e^(numerator / denominator) between two whole numbers of 2^-60, from the Taylor series.
fn exp_bounds(numerator: u128, denominator: u128) -> (u128, u128) {
    let (mut low, mut high) = (ONE, ONE);
    let (mut term_low, mut term_high) = (ONE, ONE);
    for k in 1..60u128 {
        term_low = term_low * numerator / (denominator * k);
        term_high = term_high * numerator / (denominator * k) + 1;
        low += term_low;
        high += term_high;
    }
    // The rest of the series is below the last term.
    (low, high + term_high)
}

/// Words of 2^32 at which an answer out of `answers` is kept; every other answer then comes up in an equal share of the rest.
///
/// # Errors
/// A sentence when the law does not hold.
pub fn holds(epsilon: Epsilon, answers: u8, kept: u128) -> Result<f64, String> {
    let others = u128::from(answers) - 1;
    let lost = WORDS - kept;
    if lost == 0 {
        return Err("an answer is always kept".into());
    }
    // Likelihood ratio of any symbol under any two answers: kept (K - 1) / lost.
    let (milli, thousand) = (u128::from(epsilon.milli()), 1_000);
    let (low, _) = exp_bounds(milli, thousand);
    if kept * others * ONE > low * lost {
        return Err(format!("epsilon {} and {answers} answers: the ratio is above e^epsilon", epsilon.value()));
    }
    let (_, high) = exp_bounds(milli * (CLOSENESS / thousand) - 1, CLOSENESS);
    if kept * others * ONE < high * lost {
        return Err(format!("epsilon {} and {answers} answers: realised epsilon more than 1e-8 below", epsilon.value()));
    }
    let realised = libm::log((kept * others) as f64 / lost as f64);
    Ok(epsilon.value() - realised)
}

/// A symbol from an answer, a first word and those after it, and how many bytes were taken.
type Draw<'a> = &'a dyn Fn(u8, u32, &[u32]) -> Result<(u8, usize), String>;

fn scripted(first: u32, then: &[u32]) -> Script {
    let words = std::iter::once(&first).chain(then);
    Script::new(words.flat_map(|word| word.to_be_bytes()).collect())
}

/// A coin that asks a question with this many answers.
fn asking(manifest: &Manifest, wanted: u8, epoch: u16) -> Option<Coin> {
    (0..slots(manifest)).find_map(|slot| {
        let question = answers(manifest, slot).iter().position(|answers| *answers == wanted)?;
        let [slot, question] = [slot as u8, question as u8];
        Some(Coin { epoch, manifest: manifest.id().0, due_at: week(0), slot, arm: 0, question, delay_ms: 0 })
    })
}

/// Through the randomiser alone.
fn by_randomiser(subject: &dyn Subject, epsilon: Epsilon, wanted: u8) -> Result<u128, String> {
    kept_by(wanted, &|answer, first, then| {
        let mut script = scripted(first, then);
        let symbol = subject.randomise(answer, wanted, epsilon, &mut script).map_err(|error| error.to_string())?;
        Ok((symbol, script.used()))
    })
}

/// Through the making of a whole record, for numbers of answers that are asked today.
fn by_record(subject: &dyn Subject, epsilon: Epsilon, wanted: u8) -> Result<u128, String> {
    let said = |error: Error| error.to_string();
    let manifest = manifest_of(epsilon.index(), wanted).map_err(said)?;
    let epoch = epoch_of(week(0)).ok_or("a week outside the calendar")?;
    let coin = asking(&manifest, wanted, epoch).ok_or("no such question")?;
    let ledger = roomy_ledger();
    kept_by(wanted, &|answer, first, then| {
        let mut script = scripted(first, then);
        let permit = permit(&ledger, &manifest, epoch, week(0)).map_err(said)?;
        let record = subject.release(answer, permit, &manifest, &coin, &mut script).map_err(said)?;
        Ok((SYMBOL.of(&record) as u8, script.used()))
    })
}

/// Finds in the code itself how many of the 2^32 words keep an answer, and that what replaces it is spread evenly.
fn kept_by(wanted: u8, symbol: Draw<'_>) -> Result<u128, String> {
    let some = [7u32; 8];
    let flips_low = symbol(0, 0, &some)?.0 != 0;
    // Words are kept on one side of a threshold. Which side: a bit is flipped below, a symbol of many is kept below.
    let low_side = |answer: u8, word: u32| Ok::<bool, String>((symbol(answer, word, &some)?.0 != answer) == flips_low);
    let (mut low, mut high) = (0u64, 1u64 << 32);
    while low + 1 < high {
        let middle = (low + high) / 2;
        if low_side(0, middle as u32)? { low = middle } else { high = middle }
    }
    let threshold = high;
    // One threshold and no other: for every answer, at the ends, around it, and at words in between.
    for answer in 0..wanted {
        let around = threshold.saturating_sub(200)..(threshold + 200).min(1 << 32);
        let ends = (0..200).chain((1 << 32) - 200..1 << 32);
        let between = (0..4_000u64).map(|step| (step * 70_328_713_245) % (1 << 32));
        for word in around.chain(ends).chain(between) {
            if low_side(answer, word as u32)? != (word < threshold) {
                return Err(format!("{wanted} answers: the word {word} is not treated like its neighbours"));
            }
        }
        if wanted > 2 {
            spread(answer, wanted, |word| symbol(answer, if flips_low { 0 } else { u32::MAX }, &[word, 0, 1, 2, 3, 4, 5]))?;
        }
    }
    let below = u128::from(threshold);
    Ok(if flips_low { WORDS - below } else { below })
}

/// That a replacement is one of the other answers, each for the same number of words.
fn spread(answer: u8, answers: u8, replaced: impl Fn(u32) -> Result<(u8, usize), String>) -> Result<(), String> {
    let others = u32::from(answers) - 1;
    let rejected = (1u64 << 32) % u64::from(others);
    let mut counts = vec![0u32; usize::from(answers)];
    let mut skipped = 0u64;
    // Full rounds at both ends of the words; where 2^32 is no multiple, the last words are drawn again.
    let rounds = 64 * others;
    let (low, high) = (0..rounds, u32::MAX - (rounds + rejected as u32 - 1)..=u32::MAX);
    for word in low.chain(high) {
        let (symbol, used) = replaced(word)?;
        if used > 8 {
            skipped += 1;
            continue;
        }
        match counts.get_mut(usize::from(symbol)) {
            Some(count) => *count += 1,
            None => return Err(format!("a symbol {symbol} of {answers}")),
        }
    }
    let even = counts.iter().enumerate().all(|(at, count)| *count == if at == usize::from(answer) { 0 } else { 128 });
    if even && skipped == rejected {
        Ok(())
    } else {
        Err(format!("replacements of {answer} out of {answers} are not even: {counts:?}"))
    }
}

/// Words of 2^32 that keep an answer by the shipped constants; none for a number of answers that is not shipped.
#[must_use]
pub fn kept_by_table(index: u8, answers: u8) -> u128 {
    let index = usize::from(index);
    match ANSWERS.iter().position(|known| *known == answers) {
        Some(at) => KEEP_THRESHOLDS[index][at].into(),
        None if answers == 2 => WORDS - u128::from(FLIP_THRESHOLDS[index]),
        None => 0,
    }
}

/// Every shipped pair of epsilon and number of answers, in the constants and in the code.
#[must_use]
pub fn check(subject: &dyn Subject) -> Finding {
    let mut problems = Vec::new();
    let (mut pairs, mut in_code, mut widest) = (0u32, 0u32, 0.0f64);
    for index in 0..EPSILONS.len() as u8 {
        let Some(epsilon) = Epsilon::from_index(index) else { continue };
        for answers in std::iter::once(2).chain(ANSWERS) {
            pairs += 1;
            let mut found = vec![
                ("the table", Ok(kept_by_table(index, answers))),
                ("the randomiser", by_randomiser(subject, epsilon, answers)),
            ];
            if ASKED_ANSWERS.contains(&answers) {
                found.push(("the record", by_record(subject, epsilon, answers)));
            }
            for (whose, kept) in found {
                in_code += u32::from(whose != "the table");
                match kept.and_then(|kept| holds(epsilon, answers, kept)) {
                    Ok(gap) => widest = widest.max(gap),
                    Err(problem) => problems.push(format!("{whose}: {problem}")),
                }
            }
        }
    }
    if in_code == 0 {
        problems.push("no question to ask the code".into());
    }
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!(
            "{pairs} pairs of epsilon and answers in whole numbers, in the constants and {in_code} times in the code, word by word"
        ),
        result: match problems.first() {
            Some(problem) => problem.clone(),
            None => format!("never above epsilon, at most {widest:.1e} below"),
        },
        pass: problems.is_empty(),
        numbers: vec![("pairs".into(), f64::from(pairs)), ("in code".into(), f64::from(in_code)), ("widest gap".into(), widest)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Shipped;

    #[test]
    fn bounds_hold_e() {
        let (low, high) = exp_bounds(1, 1);
        let e = std::f64::consts::E * ONE as f64;
        assert!(low <= high && high - low < 200);
        assert!((low as f64 - e).abs() < 1e4);
    }

    #[test]
    fn the_law_is_two_sided() {
        let one = Epsilon::from_index(2).unwrap();
        let right = kept_by_table(2, 2);
        assert!(holds(one, 2, right).is_ok());
        assert!(holds(one, 2, right + 1).unwrap_err().contains("above"));
        assert!(holds(one, 2, right - 20).unwrap_err().contains("below"));
        // K = 17 at epsilon 1: floor(2^32 e / (e + 16)), and one more.
        let kept = (4_294_967_296.0 * std::f64::consts::E / (std::f64::consts::E + 16.0)) as u128;
        assert!(holds(one, 17, kept).is_ok());
        assert!(holds(one, 17, kept + 1).is_err());
    }

    #[test]
    fn the_shipped_law_holds() {
        let finding = check(&Shipped);
        assert!(finding.pass, "{finding:?}");
    }
}
