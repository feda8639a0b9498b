//! The manifest: what everybody in a cohort may be asked, published before anybody is asked.

use sha2::{Digest, Sha256};

use super::randomiser::Epsilon;
use crate::error::Error;
use crate::settings::{Field, Value, field};

/// Arm weights sum to this, so that 16 random bits draw an arm with exactly the stated chance.
pub const WEIGHT_SUM: u32 = 65_536;
/// Most arms: 10 bits.
pub const MAX_ARMS: usize = 1_023;
/// Most slots: 4 bits, 15 kept free.
pub const MAX_SLOTS: usize = 15;
/// Most questions: 6 bits.
pub const MAX_QUESTIONS: usize = 63;
/// Positions a record can carry: 5 bits.
pub const MAX_POSITION: u8 = 31;

/// First four bytes of the SHA-256 of the manifest as served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestId(pub [u8; 4]);

impl ManifestId {
    /// The id of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self([digest[0], digest[1], digest[2], digest[3]])
    }
}

impl std::fmt::Display for ManifestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A place on the page that a probe may fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Id of the shelf, a public one.
    pub shelf: String,
    /// Position of the shelf during the probe visit, 0 to 31.
    pub shelf_position: u8,
    /// Position of the card in it, 0 to 31.
    pub card_position: u8,
}

/// A card that a probe may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// Id of the card.
    pub card: String,
    /// Chance in 65536ths, at least 1.
    pub weight: u16,
}

/// What counts as reward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewardSettings {
    /// "played".
    pub kind: String,
    /// Milliseconds a play must last.
    pub at_least_ms: u32,
}

/// The manifest's JSON, not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestSettings {
    /// 1.
    pub format: u32,
    /// First and last epoch in which it may be used.
    pub epochs: [u16; 2],
    /// Version of the global model it goes with.
    pub model_version: String,
    /// Places a probe may fill; drawn uniformly.
    pub slots: Vec<Slot>,
    /// Cards a probe may show; drawn by weight.
    pub arms: Vec<Arm>,
    /// Public questions; drawn uniformly. Today: "played_30s".
    pub questions: Vec<String>,
    /// Index into [`super::EPSILONS`].
    pub epsilon_index: u8,
    /// What counts as reward.
    pub reward: RewardSettings,
    /// How long after the visit's start a play counts, in milliseconds.
    pub window_ms: u32,
}

impl ManifestSettings {
    /// Reads the manifest's JSON.
    ///
    /// # Errors
    /// `bad_manifest`, naming the field, what was expected and what was found.
    pub fn read(value: &Value) -> Result<Self, Error> {
        const CODE: &str = "bad_manifest";
        let fields = Field::root(value, "manifest", CODE).object(&[
            "format",
            "epochs",
            "modelVersion",
            "slots",
            "arms",
            "questions",
            "epsilonIndex",
            "reward",
            "windowMs",
        ])?;
        let of = |name| field(fields, name, CODE);
        let epochs = of("epochs").list(|epoch| epoch.whole(65_535))?;
        let [first, last] = epochs[..] else {
            return Err(Error::privacy(CODE, format!("epochs must be a first and a last one, got {}", epochs.len())));
        };
        let slot = |slot: Field<'_>| -> Result<Slot, Error> {
            let fields = slot.object(&["shelf", "shelfPosition", "cardPosition"])?;
            Ok(Slot {
                shelf: field(fields, "shelf", CODE).text()?.to_owned(),
                shelf_position: field(fields, "shelfPosition", CODE).whole(255)? as u8,
                card_position: field(fields, "cardPosition", CODE).whole(255)? as u8,
            })
        };
        let arm = |arm: Field<'_>| -> Result<Arm, Error> {
            let fields = arm.object(&["card", "weight"])?;
            Ok(Arm {
                card: field(fields, "card", CODE).text()?.to_owned(),
                weight: field(fields, "weight", CODE).whole(65_535)? as u16,
            })
        };
        let reward = of("reward").object(&["kind", "atLeastMs"])?;
        Ok(Self {
            format: of("format").whole(u32::MAX)?,
            epochs: [first as u16, last as u16],
            model_version: of("modelVersion").text()?.to_owned(),
            slots: of("slots").list(slot)?,
            arms: of("arms").list(arm)?,
            questions: of("questions").list(|question| question.text().map(str::to_owned))?,
            epsilon_index: of("epsilonIndex").whole(255)? as u8,
            reward: RewardSettings {
                kind: field(reward, "kind", CODE).text()?.to_owned(),
                at_least_ms: field(reward, "atLeastMs", CODE).whole(u32::MAX)?,
            },
            window_ms: of("windowMs").whole(u32::MAX)?,
        })
    }
}

/// A checked manifest with its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    id: ManifestId,
    epsilon: Epsilon,
    settings: ManifestSettings,
}

impl Manifest {
    /// Checks a manifest.
    ///
    /// - `bytes`: as served; only their hash is used.
    /// - `settings`: the same bytes read as JSON.
    ///
    /// # Errors
    /// `bad_manifest` naming the field, what was expected and what was found.
    pub fn new(bytes: &[u8], settings: ManifestSettings) -> Result<Self, Error> {
        let bad = |what: String| Err(Error::privacy("bad_manifest", what));
        if settings.format != 1 {
            return bad(format!("expected format 1, got {}", settings.format));
        }
        if settings.epochs[0] > settings.epochs[1] || settings.epochs[1] > super::MAX_EPOCH {
            return bad(format!(
                "expected epochs in order and at most {}, got {} and {}",
                super::MAX_EPOCH,
                settings.epochs[0],
                settings.epochs[1]
            ));
        }
        if settings.slots.is_empty() || settings.slots.len() > MAX_SLOTS {
            return bad(format!("expected 1 to {MAX_SLOTS} slots, got {}", settings.slots.len()));
        }
        if let Some(slot) = settings
            .slots
            .iter()
            .find(|s| s.shelf_position > MAX_POSITION || s.card_position > MAX_POSITION || s.shelf.is_empty())
        {
            return bad(format!(
                "a slot needs a shelf and positions up to {MAX_POSITION}, got {} and {}",
                slot.shelf_position, slot.card_position
            ));
        }
        if settings.arms.len() < 2 || settings.arms.len() > MAX_ARMS {
            return bad(format!("expected 2 to {MAX_ARMS} arms, got {}", settings.arms.len()));
        }
        if settings.arms.iter().any(|arm| arm.weight == 0 || arm.card.is_empty()) {
            return bad("every arm needs a card and a weight of at least 1".into());
        }
        let repeated = |at: usize| settings.arms[..at].iter().any(|arm| arm.card == settings.arms[at].card);
        if (1..settings.arms.len()).any(repeated) {
            return bad("every arm needs a card of its own".into());
        }
        let sum: u32 = settings.arms.iter().map(|arm| u32::from(arm.weight)).sum();
        if sum != WEIGHT_SUM {
            return bad(format!("expected weights that sum to {WEIGHT_SUM}, got {sum}"));
        }
        if settings.questions.is_empty()
            || settings.questions.len() > MAX_QUESTIONS
            || settings.questions.iter().any(|q| q != "played_30s")
        {
            return bad("expected the question \"played_30s\"".into());
        }
        if settings.reward.kind != "played" || settings.reward.at_least_ms != 30_000 {
            return bad(format!("expected the reward \"played\" of 30000 ms, got {} ms", settings.reward.at_least_ms));
        }
        if !(60_000..=86_400_000).contains(&settings.window_ms) {
            return bad(format!("expected a window of a minute to a day, got {} ms", settings.window_ms));
        }
        let Some(epsilon) = Epsilon::from_index(settings.epsilon_index) else {
            return bad(format!("expected an epsilon index up to {}, got {}", super::EPSILONS.len() - 1, settings.epsilon_index));
        };
        Ok(Self { id: ManifestId::of(bytes), epsilon, settings })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ManifestId {
        self.id
    }

    /// The privacy parameter of its records.
    #[must_use]
    pub fn epsilon(&self) -> Epsilon {
        self.epsilon
    }

    /// Whether it may be used in `epoch`.
    #[must_use]
    pub fn covers(&self, epoch: u16) -> bool {
        (self.settings.epochs[0]..=self.settings.epochs[1]).contains(&epoch)
    }

    /// The slots.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.settings.slots
    }

    /// The arms.
    #[must_use]
    pub fn arms(&self) -> &[Arm] {
        &self.settings.arms
    }

    /// Number of questions.
    #[must_use]
    pub fn question_count(&self) -> usize {
        self.settings.questions.len()
    }

    /// How long a play counts, in milliseconds.
    #[must_use]
    pub fn window_ms(&self) -> u32 {
        self.settings.window_ms
    }

    /// The arm that 16 uniform bits draw: chance exactly weight / 65536.
    #[must_use]
    pub fn arm_of(&self, bits: u16) -> u16 {
        let mut upto = 0u32;
        for (index, arm) in self.settings.arms.iter().enumerate() {
            upto += u32::from(arm.weight);
            if u32::from(bits) < upto {
                return index as u16;
            }
        }
        (self.settings.arms.len() - 1) as u16
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn settings() -> ManifestSettings {
        ManifestSettings {
            format: 1,
            epochs: [0, 100],
            model_version: "demo-1".into(),
            slots: vec![Slot { shelf: "popular".into(), shelf_position: 1, card_position: 0 }],
            arms: vec![
                Arm { card: "a".into(), weight: 1 },
                Arm { card: "b".into(), weight: 40_000 },
                Arm { card: "c".into(), weight: 25_535 },
            ],
            questions: vec!["played_30s".into()],
            epsilon_index: 2,
            reward: RewardSettings { kind: "played".into(), at_least_ms: 30_000 },
            window_ms: 1_800_000,
        }
    }

    #[test]
    fn every_rule_is_checked() {
        let code = |change: &dyn Fn(&mut ManifestSettings)| {
            let mut settings = settings();
            change(&mut settings);
            Manifest::new(b"{}", settings).map_or_else(|e| e.code(), |_| "ok")
        };
        assert_eq!(code(&|_| ()), "ok");
        let changes: [&dyn Fn(&mut ManifestSettings); 13] = [
            &|m| m.format = 2,
            &|m| m.epochs = [5, 4],
            &|m| m.epochs = [0, 5_000],
            &|m| m.slots.clear(),
            &|m| m.slots[0].card_position = 32,
            &|m| m.arms.truncate(1),
            &|m| m.arms[0].weight = 2,
            &|m| m.arms[0].weight = 0,
            &|m| m.arms[1].card = "a".into(),
            &|m| m.questions = vec!["what_did_you_hear".into()],
            &|m| m.epsilon_index = 3,
            &|m| m.reward.at_least_ms = 1,
            &|m| m.window_ms = 1,
        ];
        for change in changes {
            assert_eq!(code(change), "bad_manifest");
        }
    }

    #[test]
    fn all_65536_words_draw_each_arm_exactly_as_often_as_its_weight() {
        let manifest = Manifest::new(b"{}", settings()).unwrap();
        let mut counts = [0u32; 3];
        for bits in 0..=u16::MAX {
            counts[usize::from(manifest.arm_of(bits))] += 1;
        }
        assert_eq!(counts, [1, 40_000, 25_535]);
    }

    #[test]
    fn the_id_is_the_hash_of_the_served_bytes() {
        // SHA-256("abc") begins ba7816bf (FIPS 180-2, appendix B.1).
        assert_eq!(ManifestId::of(b"abc").to_string(), "ba7816bf");
    }
}
