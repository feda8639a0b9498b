//! The record's encoding: read back as written, one encoding for each record, and nothing that arrives makes the reader panic.

use crate::finding::Finding;
use crate::fixture::{manifest_of, roomy_ledger, week};
use crate::subject::{
    ARM, Bytes, CARD_POSITION, EPOCH, EPSILON, MANIFEST, Made, PADDING, PROPENSITY, Person, QUESTION, SHELF_POSITION, SLOT,
    SYMBOL, Subject, VERSION, Words, permit,
};
use ears_only::privacy::{ANSWERS, Coin, ProbeRecord, RecordFields, epoch_of};
use ears_only::random::Entropy;
use rayon::prelude::*;
use std::panic::catch_unwind;

/// Name of the check.
pub const NAME: &str = "encoding";
const PROMISE: &str = "a record has 16 bytes and one form, with no room for anything else";

/// The bytes of fields, by the second description of the layout.
fn encode(fields: &RecordFields) -> Bytes {
    let values = [
        (VERSION, u64::from(fields.version)),
        (EPOCH, fields.epoch.into()),
        (MANIFEST, u32::from_be_bytes(fields.manifest.0).into()),
        (SLOT, fields.slot.into()),
        (SHELF_POSITION, fields.shelf_position.into()),
        (CARD_POSITION, fields.card_position.into()),
        (ARM, fields.arm.into()),
        (QUESTION, fields.question.into()),
        (PROPENSITY, fields.propensity_numerator.into()),
        (EPSILON, fields.epsilon_index.into()),
        (SYMBOL, fields.symbol.into()),
    ];
    values.into_iter().fold([0; 16], |bytes, (field, value)| field.set(&bytes, value))
}

/// One case: random bytes that may look like a record, cut to any length, or a record with one bit turned.
fn hostile(case: u64) -> Result<(), String> {
    let mut random = [0u8; 40];
    Words::new(case ^ 0xc0de).fill(&mut random).map_err(|error| error.to_string())?;
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&random[..16]);
    let length = match case % 4 {
        // Anything.
        0 => usize::from(random[39]) % 40,
        // Sixteen bytes of anything.
        1 => 16,
        // With the marks of a record, so that reading goes on to the end.
        2 => {
            bytes = PADDING.set(&VERSION.set(&bytes, 1), 0);
            bytes = SYMBOL.set(&EPSILON.set(&bytes, u64::from(random[20] % 4)), u64::from(random[21] % 20));
            16
        }
        // One bit of the padding or of anything else turned.
        _ => {
            bytes = SYMBOL.set(&EPSILON.set(&PADDING.set(&VERSION.set(&bytes, 1), 0), 2), 1);
            bytes[usize::from(random[22]) % 16] ^= 1 << (random[23] % 8);
            16
        }
    };
    let mut given = bytes.to_vec();
    given.extend_from_slice(&random[16..]);
    given.truncate(length);
    let read = catch_unwind(|| ProbeRecord::describe(&given)).map_err(|_| format!("a panic at case {case}"))?;
    match read {
        Ok(fields) if length == 16 && encode(&fields) == bytes => Ok(()),
        Ok(fields) => Err(format!("case {case}: {length} bytes were read as {fields:?}, which has other bytes")),
        Err(_) if length == 16 && canonical(&bytes) => Err(format!("case {case}: a record was refused")),
        Err(_) => Ok(()),
    }
}

/// Whether these bytes are a record, by the description.
fn canonical(bytes: &Bytes) -> bool {
    VERSION.of(bytes) == 1
        && PADDING.of(bytes) == 0
        && EPSILON.of(bytes) < ears_only::privacy::EPSILONS.len() as u64
        && SYMBOL.of(bytes) < MOST_ANSWERS
        && PROPENSITY.of(bytes) > 0
}

/// Symbols that a record may carry.
const MOST_ANSWERS: u64 = ANSWERS[ANSWERS.len() - 1] as u64;

/// A record as made is read back as it was meant.
fn made(subject: &dyn Subject, case: u64) -> Result<(), String> {
    let said = |error: ears_only::error::Error| error.to_string();
    let manifest = manifest_of((case % 3) as u8, 2).map_err(said)?;
    let at = week(case as i64 % 50);
    let epoch = epoch_of(at).unwrap_or(0);
    let person = Person(case);
    let (mut coin_words, mut flip_words) = subject.sources(person, &manifest, Words::new(case), Words::new(!case));
    let coin = Coin::toss(&manifest, epoch, coin_words.as_mut()).map_err(said)?;
    let permit = permit(&roomy_ledger(), &manifest, epoch, at).map_err(said)?;
    let record = subject.release((case & 1) as u8, permit, &manifest, &coin, flip_words.as_mut()).map_err(said)?;
    let made = Made {
        person,
        manifest: &manifest,
        answer: 0,
        propensity: person.propensity(),
        record,
        send_after: at.plus_ms(coin.delay_ms),
    };
    for sent in subject.send(&made) {
        let fields = ProbeRecord::describe(&sent.bytes).map_err(|error| format!("a record that was sent is none: {error}"))?;
        if encode(&fields) != sent.bytes {
            return Err(format!("{fields:?} has two encodings"));
        }
    }
    Ok(())
}

/// Random, truncated and damaged bytes, and records as made.
#[must_use]
pub fn check(subject: &dyn Subject, cases: u64) -> Finding {
    // A panic is a finding, not a page of traces.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let failed = (0..cases).into_par_iter().find_map_first(|case| hostile(case).err());
    std::panic::set_hook(hook);
    let failed = failed.or_else(|| (0..(cases / 100).max(300)).find_map(|case| made(subject, case).err()));
    Finding {
        check: NAME,
        promise: PROMISE,
        how: format!(
            "{cases} byte strings: random, cut, damaged, and records as made, against a second description of the layout"
        ),
        pass: failed.is_none(),
        result: failed.unwrap_or_else(|| "no panic, no second encoding".into()),
        numbers: vec![("cases".into(), cases as f64)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Shipped;

    #[test]
    fn the_shipped_encoding_is_canonical() {
        let finding = check(&Shipped, 20_000);
        assert!(finding.pass, "{finding:?}");
    }
}
