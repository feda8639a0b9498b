//! The 16-byte record, bit by bit.

use super::{ANSWERS, Coin, EPSILONS, Manifest, ManifestId, Permit};
use crate::error::Error;

/// Length of a record.
pub const RECORD_BYTES: usize = 16;
/// Version of the record's layout.
pub const RECORD_VERSION: u8 = 1;

/// Most answers of a question.
const MOST_ANSWERS: u8 = ANSWERS[ANSWERS.len() - 1];

/// (width in bits) of every field, most significant first; they fill 128 bits.
const WIDTHS: [u32; 12] = [4, 12, 32, 4, 5, 5, 10, 6, 16, 3, 6, 25];

/// What may leave the device: one noisy bit and its public circumstances. Only [`super::release`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeRecord([u8; RECORD_BYTES]);

/// The fields of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordFields {
    /// Layout version.
    pub version: u8,
    /// ISO weeks since 2026-01-05.
    pub epoch: u16,
    /// Manifest.
    pub manifest: ManifestId,
    /// Probe of the manifest.
    pub slot: u8,
    /// Position of the shelf; 0 where the probe has none.
    pub shelf_position: u8,
    /// Position of the card; 0 where the probe has none.
    pub card_position: u8,
    /// Arm of the probe.
    pub arm: u16,
    /// Question of the probe.
    pub question: u8,
    /// Propensity in 65536ths: the arm's published weight.
    pub propensity_numerator: u16,
    /// Index of the privacy parameter.
    pub epsilon_index: u8,
    /// The randomised answer.
    pub symbol: u8,
}

fn pack(fields: &RecordFields) -> [u8; RECORD_BYTES] {
    let values: [u128; 12] = [
        fields.version.into(),
        fields.epoch.into(),
        u32::from_be_bytes(fields.manifest.0).into(),
        fields.slot.into(),
        fields.shelf_position.into(),
        fields.card_position.into(),
        fields.arm.into(),
        fields.question.into(),
        fields.propensity_numerator.into(),
        fields.epsilon_index.into(),
        fields.symbol.into(),
        0,
    ];
    let mut bits = 0u128;
    for (value, width) in values.into_iter().zip(WIDTHS) {
        bits = bits << width | value & ((1 << width) - 1);
    }
    bits.to_be_bytes()
}

fn unpack(bytes: [u8; RECORD_BYTES]) -> (RecordFields, u128) {
    let mut bits = u128::from_be_bytes(bytes);
    let mut values = [0u128; 12];
    for (value, width) in values.iter_mut().zip(WIDTHS).rev() {
        *value = bits & ((1 << width) - 1);
        bits >>= width;
    }
    let fields = RecordFields {
        version: values[0] as u8,
        epoch: values[1] as u16,
        manifest: ManifestId((values[2] as u32).to_be_bytes()),
        slot: values[3] as u8,
        shelf_position: values[4] as u8,
        card_position: values[5] as u8,
        arm: values[6] as u16,
        question: values[7] as u8,
        propensity_numerator: values[8] as u16,
        epsilon_index: values[9] as u8,
        symbol: values[10] as u8,
    };
    (fields, values[11])
}

impl ProbeRecord {
    /// # Errors
    /// `bad_record` when the coin is not of this manifest.
    pub(super) fn new(manifest: &Manifest, coin: &Coin, permit: &Permit, symbol: u8) -> Result<Self, Error> {
        let probe = manifest.probes().get(usize::from(coin.slot));
        let Some((probe, arm)) = probe.and_then(|probe| Some((probe, probe.arms.get(usize::from(coin.arm))?))) else {
            return Err(Error::privacy("bad_record", "expected a coin of this manifest, got that of another"));
        };
        let place = probe.kind.place();
        Ok(Self(pack(&RecordFields {
            version: RECORD_VERSION,
            epoch: coin.epoch,
            manifest: manifest.id(),
            slot: coin.slot,
            shelf_position: place.shelf_position,
            card_position: place.card_position,
            arm: coin.arm,
            question: coin.question,
            propensity_numerator: arm.weight,
            epsilon_index: permit.epsilon().index(),
            symbol,
        })))
    }

    /// The bytes that leave.
    #[must_use]
    pub fn bytes(&self) -> [u8; RECORD_BYTES] {
        self.0
    }

    /// Reads a record; there is one encoding for each.
    ///
    /// # Errors
    /// `bad_record` for another length or version, set padding, an unknown privacy parameter, a propensity of 0 or a symbol that no
    /// question has.
    pub fn describe(bytes: &[u8]) -> Result<RecordFields, Error> {
        let bad = |what: String| Error::privacy("bad_record", what);
        let array: [u8; RECORD_BYTES] =
            bytes.try_into().map_err(|_| bad(format!("expected {RECORD_BYTES} bytes, got {}", bytes.len())))?;
        let (fields, padding) = unpack(array);
        if fields.version != RECORD_VERSION {
            return Err(bad(format!("expected version {RECORD_VERSION}, got {}", fields.version)));
        }
        if padding != 0
            || fields.symbol >= MOST_ANSWERS
            || usize::from(fields.epsilon_index) >= EPSILONS.len()
            || fields.propensity_numerator == 0
        {
            return Err(bad(format!(
                "expected a symbol below {MOST_ANSWERS}, a known epsilon, a propensity above 0 and zero padding, got symbol {} and epsilon index {}",
                fields.symbol, fields.epsilon_index
            )));
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_fill_the_record() {
        assert_eq!(WIDTHS.iter().sum::<u32>(), 8 * RECORD_BYTES as u32);
    }

    #[test]
    fn packing_round_trips_at_the_ends_of_every_field() {
        for top in [false, true] {
            let fields = RecordFields {
                version: RECORD_VERSION,
                epoch: if top { 4_095 } else { 0 },
                manifest: ManifestId(if top { [255; 4] } else { [0; 4] }),
                slot: if top { 15 } else { 0 },
                shelf_position: if top { 31 } else { 0 },
                card_position: if top { 31 } else { 0 },
                arm: if top { 1_023 } else { 0 },
                question: if top { 63 } else { 0 },
                propensity_numerator: if top { 65_535 } else { 1 },
                epsilon_index: if top { 2 } else { 0 },
                symbol: if top { 15 } else { 0 },
            };
            assert_eq!(ProbeRecord::describe(&pack(&fields)).unwrap(), fields);
        }
    }

    #[test]
    fn a_known_record_has_known_bytes() {
        let fields = RecordFields {
            version: 1,
            epoch: 46,
            manifest: ManifestId([0xde, 0xad, 0xbe, 0xef]),
            slot: 2,
            shelf_position: 1,
            card_position: 3,
            arm: 5,
            question: 0,
            propensity_numerator: 8_192,
            epsilon_index: 2,
            symbol: 1,
        };
        let hex: String = pack(&fields).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "102edeadbeef208c0500800102000000");
    }

    #[test]
    fn what_is_not_a_record_is_refused() {
        let code = |bytes: &[u8]| ProbeRecord::describe(bytes).unwrap_err().code();
        assert_eq!(code(&[]), "bad_record");
        assert_eq!(code(&[0; 17]), "bad_record");
        assert_eq!(code(&[0; 16]), "bad_record");
        let mut padded = [0; 16];
        padded[0] = 0x10;
        padded[15] = 1;
        assert_eq!(code(&padded), "bad_record");
    }
}
