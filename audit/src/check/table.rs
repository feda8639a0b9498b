//! The record is a line of the public table: every field but the symbol follows from the manifest and the coin, and all 65,536
//! words of the coin draw each arm exactly as often as its weight says.

use crate::finding::Finding;
use crate::fixture::{answers, manifest_of, manifest_of_kinds, place, roomy_ledger, slots, week, weights};
use crate::subject::{
    ARM, CARD_POSITION, EPOCH, EPSILON, FieldBits, MANIFEST, Made, PADDING, PROPENSITY, Person, QUESTION, SHELF_POSITION, SLOT,
    SYMBOL, Script, Subject, VERSION, Words, permit,
};
use ears_only::clock::HOUR_MS;
use ears_only::error::Error;
use ears_only::privacy::{Coin, EPSILONS, Manifest, epoch_of, epoch_start};

/// Name of the check.
pub const NAME: &str = "public table";
const PROMISE: &str = "all but one symbol of a record can be looked up in the published manifest";

/// Every arm of every slot, and every word of the coin.
#[must_use]
pub fn check(subject: &dyn Subject) -> Finding {
    let mut looked = 0u64;
    let mut problem = None;
    for index in 0..EPSILONS.len() as u8 {
        for manifest in [manifest_of(index, 2), manifest_of(index, 4), manifest_of_kinds(index)] {
            let outcome = manifest.map_err(|error| error.to_string()).and_then(|manifest| {
                looked += records(subject, &manifest, index)?;
                if index == 0 {
                    looked += words(&manifest)?;
                }
                Ok(())
            });
            problem = problem.or(outcome.err());
        }
    }
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!("{looked} records and coin words compared field by field with the manifest"),
        pass: problem.is_none(),
        result: problem.unwrap_or_else(|| "all equal".into()),
        numbers: vec![("compared".into(), looked as f64)],
    }
}

/// 200 records of each of three strangers.
fn records(subject: &dyn Subject, manifest: &Manifest, epsilon_index: u8) -> Result<u64, String> {
    let said = |error: Error| error.to_string();
    let at = week(0).plus_ms(HOUR_MS);
    let epoch = epoch_of(at).unwrap_or(0);
    let ledger = roomy_ledger();
    let mut looked = 0;
    for number in 1..=3 {
        let person = Person(number);
        let (mut coin_words, mut flip_words) = subject.sources(person, manifest, Words::new(number), Words::new(100 + number));
        for turn in 0..200u8 {
            let coin = Coin::toss(manifest, epoch, coin_words.as_mut()).map_err(said)?;
            let choices = answers(manifest, coin.slot.into()).get(usize::from(coin.question)).copied().unwrap_or(2);
            let answer = turn % choices;
            let permit = permit(&ledger, manifest, epoch, at).map_err(said)?;
            let record = subject.release(answer, permit, manifest, &coin, flip_words.as_mut()).map_err(said)?;
            let made =
                Made { person, manifest, answer, propensity: person.propensity(), record, send_after: at.plus_ms(coin.delay_ms) };
            for sent in subject.send(&made) {
                compare(&sent.bytes, manifest, &coin, epsilon_index, choices)?;
                looked += 1;
            }
        }
    }
    Ok(looked)
}

fn compare(record: &[u8; 16], manifest: &Manifest, coin: &Coin, epsilon_index: u8, choices: u8) -> Result<(), String> {
    let slot = usize::from(coin.slot);
    let (shelf, card) = place(manifest, slot);
    let arm = ARM.of(record) as usize;
    let table = weights(manifest, slot);
    let fields: [(&str, FieldBits, u64); 11] = [
        ("version", VERSION, 1),
        ("epoch", EPOCH, coin.epoch.into()),
        ("manifest", MANIFEST, u32::from_be_bytes(manifest.id().0).into()),
        ("slot", SLOT, coin.slot.into()),
        ("shelf position", SHELF_POSITION, shelf.into()),
        ("card position", CARD_POSITION, card.into()),
        ("arm", ARM, coin.arm.into()),
        ("question", QUESTION, coin.question.into()),
        ("propensity", PROPENSITY, table.get(arm).copied().unwrap_or(0).into()),
        ("epsilon", EPSILON, epsilon_index.into()),
        ("padding", PADDING, 0),
    ];
    for (name, field, wanted) in fields {
        if field.of(record) != wanted {
            return Err(format!("{name}: expected {wanted}, got {}", field.of(record)));
        }
    }
    if SYMBOL.of(record) >= u64::from(choices) {
        return Err(format!("a symbol {} of {choices}", SYMBOL.of(record)));
    }
    Ok(())
}

/// All words of the arm, through the coin as devices toss it.
fn words(manifest: &Manifest) -> Result<u64, String> {
    let mut looked = 0;
    for slot in 0..slots(manifest) {
        let table = weights(manifest, slot);
        let mut counts = vec![0u32; table.len()];
        for word in 0..=u16::MAX {
            let mut bytes = [0u8; 16];
            bytes[2..4].copy_from_slice(&(slot as u16).to_be_bytes());
            bytes[4..6].copy_from_slice(&word.to_be_bytes());
            let coin = Coin::toss(manifest, 60, &mut Script::new(bytes.to_vec())).map_err(|error| error.to_string())?;
            let inside = coin.due_at >= epoch_start(60) && coin.due_at < epoch_start(61) && usize::from(coin.slot) == slot;
            match counts.get_mut(usize::from(coin.arm)) {
                Some(count) if inside => *count += 1,
                _ => return Err(format!("the word {word} draws arm {} of slot {}", coin.arm, coin.slot)),
            }
            looked += 1;
        }
        if let Some(arm) = (0..table.len()).find(|arm| counts[*arm] != u32::from(table[*arm])) {
            return Err(format!(
                "arm {arm} of slot {slot} comes up for {} words of 65536, its weight is {}",
                counts[arm], table[arm]
            ));
        }
    }
    Ok(looked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Shipped;

    #[test]
    fn the_shipped_record_is_the_table() {
        let finding = check(&Shipped);
        assert!(finding.pass, "{finding:?}");
    }
}
