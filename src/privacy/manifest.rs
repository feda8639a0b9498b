//! The manifest: what everybody in a cohort may be asked, published before anybody is asked.

use sha2::{Digest, Sha256};

use super::randomiser::Epsilon;
use crate::bundle::PolicySettings;
use crate::error::{Error, shown};

mod read;

/// Weights of a probe's arms sum to this, so that 16 random bits draw an arm with exactly the stated chance.
pub const WEIGHT_SUM: u32 = 65_536;
/// Most arms of a probe: 10 bits.
pub const MAX_ARMS: usize = 1_023;
/// Most probes: 4 bits, 15 kept free.
pub const MAX_PROBES: usize = 15;
/// Most questions of a probe: 6 bits.
pub const MAX_QUESTIONS: usize = 63;
/// Positions a record can carry: 5 bits.
pub const MAX_POSITION: u8 = 31;
/// Largest change of a weight that a candidate or a perturbation may ask for.
pub const MAX_WEIGHT_CHANGE: f64 = 100.0;

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

/// A place on the page, each position from 0 to 31.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Position of the shelf during the probe visit.
    pub shelf_position: u8,
    /// Position of the card in it.
    pub card_position: u8,
}

/// What a probe does with the page of its visit.
#[derive(Clone, Debug, PartialEq)]
pub enum ProbeKind {
    /// A card of the arm stands in a place of a public shelf.
    Card {
        /// Id of the shelf.
        shelf: String,
        /// Where.
        place: Place,
    },
    /// The shelf of the arm stands in a position.
    Shelf {
        /// Which, 0 to 31.
        position: u8,
    },
    /// The page is drawn by the policy of the arm, with everything that is known on the device.
    Policy,
    /// The page is drawn with the model's weights moved along a public direction; what comes back is one term of a gradient.
    Training {
        /// Length of the step, in units of the weights, > 0.
        scale: f64,
    },
    /// Nothing is shown: for a week the device judges a published policy on its own pages.
    Vote {
        /// The lift counts up to this much, up and down, in plays for each page; in (0, 1].
        clip: f64,
    },
}

impl ProbeKind {
    /// Its name in manifests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Card { .. } => "card",
            Self::Shelf { .. } => "shelf",
            Self::Policy => "policy",
            Self::Training { .. } => "training",
            Self::Vote { .. } => "vote",
        }
    }

    /// The place that a record names; zeros where there is none.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Card { place, .. } => *place,
            Self::Shelf { position } => Place { shelf_position: *position, card_position: 0 },
            Self::Policy | Self::Training { .. } | Self::Vote { .. } => Place::default(),
        }
    }
}

/// A published policy: settings, and changes of the weights that the model starts from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidate {
    /// What it is called; may be empty.
    pub name: String,
    /// How pages are drawn; what is not named is as by default, not as in the device's bundle.
    pub policy: PolicySettings,
    /// Column and what is added to its weight in the prior; the bias is called "bias".
    pub weights: Vec<(String, f64)>,
}

/// Which choices of the page a vote judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// The order of the shelves.
    Shelves,
    /// The cards of the shelf with this id.
    Cards(String),
}

/// What an arm stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Show the card with this id.
    Card(String),
    /// Show the shelf with this id.
    Shelf(String),
    /// Draw the page with this policy.
    Policy(Candidate),
    /// Draw the page with weights moved along the direction of `seed`, or against it.
    Perturbed {
        /// Names the direction: see [`super::perturbation`].
        seed: u32,
        /// Against it.
        negative: bool,
    },
    /// Judge this policy on these choices.
    Vote(Candidate, Block),
}

impl Action {
    /// Its name in words for people: an id, a policy's name, or the direction.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Card(id) | Self::Shelf(id) => id.clone(),
            Self::Policy(candidate) | Self::Vote(candidate, _) if candidate.name.is_empty() => {
                candidate.policy.kind.name().into()
            }
            Self::Policy(candidate) | Self::Vote(candidate, _) => candidate.name.clone(),
            Self::Perturbed { seed, negative } => format!("{}{seed}", if *negative { "-" } else { "+" }),
        }
    }
}

/// What a probe may do, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Chance in 65536ths, at least 1.
    pub weight: u16,
    /// What.
    pub action: Action,
}

/// A public question about the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Was it played for at least 30 seconds? What "it" is, the probe says: the card, a card of the shelf, anything on the page.
    Played30s,
    /// How long was the card played: 0 not at all, 1 under 30 seconds, 2 at least that, 3 at least nine tenths of its length?
    HowLong,
    /// Would the candidate have earned more?
    Vote,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Played30s, Self::HowLong, Self::Vote];

    /// Its name in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Played30s => "played_30s",
            Self::HowLong => "how_long",
            Self::Vote => "vote",
        }
    }

    /// Number of answers; the symbol of a record is one of 0 up to this.
    #[must_use]
    pub fn answers(self) -> u8 {
        if self == Self::HowLong { 4 } else { 2 }
    }

    fn fits(self, kind: &ProbeKind) -> bool {
        match self {
            Self::Played30s => !matches!(kind, ProbeKind::Vote { .. }),
            Self::HowLong => matches!(kind, ProbeKind::Card { .. }),
            Self::Vote => matches!(kind, ProbeKind::Vote { .. }),
        }
    }
}

/// One thing that may be asked: what is done with the page, which questions there are, and the arms with their chances.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// What.
    pub kind: ProbeKind,
    /// One is drawn, each as likely as the others.
    pub questions: Vec<Question>,
    /// One is drawn by weight.
    pub arms: Vec<Arm>,
}

impl Probe {
    /// The arm that 16 uniform bits draw: chance exactly weight / 65536.
    #[must_use]
    pub fn arm_of(&self, bits: u16) -> u16 {
        let mut upto = 0u32;
        for (index, arm) in self.arms.iter().enumerate() {
            upto += u32::from(arm.weight);
            if u32::from(bits) < upto {
                return index as u16;
            }
        }
        (self.arms.len() - 1) as u16
    }

    fn check(&self) -> Result<(), Error> {
        let bad = |what: String| Err(Error::privacy("bad_manifest", what));
        let place = self.kind.place();
        if place.shelf_position > MAX_POSITION || place.card_position > MAX_POSITION {
            return bad(format!(
                "expected positions up to {MAX_POSITION}, got {} and {}",
                place.shelf_position, place.card_position
            ));
        }
        match &self.kind {
            ProbeKind::Card { shelf, .. } if shelf.is_empty() => return bad("a card probe needs a shelf".into()),
            ProbeKind::Training { scale } if !(1e-6..=MAX_WEIGHT_CHANGE).contains(scale) => {
                return bad(format!("expected a scale within 1e-6 and {}, got {}", shown(MAX_WEIGHT_CHANGE), shown(*scale)));
            }
            ProbeKind::Vote { clip } if !(1e-3..=1.0).contains(clip) => {
                return bad(format!("expected a clip within 0.001 and 1, got {}", shown(*clip)));
            }
            _ => {}
        }
        if self.questions.is_empty() || self.questions.len() > MAX_QUESTIONS {
            return bad(format!("expected 1 to {MAX_QUESTIONS} questions, got {}", self.questions.len()));
        }
        if let Some(question) = self.questions.iter().find(|question| !question.fits(&self.kind)) {
            return bad(format!("a {} probe cannot ask \"{}\"", self.kind.name(), question.name()));
        }
        if self.arms.len() < 2 || self.arms.len() > MAX_ARMS {
            return bad(format!("expected 2 to {MAX_ARMS} arms, got {}", self.arms.len()));
        }
        for (at, arm) in self.arms.iter().enumerate() {
            if arm.weight == 0 {
                return bad("every arm needs a weight of at least 1".into());
            }
            if self.arms[..at].iter().any(|other| other.action == arm.action) {
                return bad(format!("every arm needs an action of its own, got \"{}\" twice", arm.action.name()));
            }
            let sound = match &arm.action {
                Action::Card(id) | Action::Shelf(id) => !id.is_empty(),
                Action::Vote(_, Block::Cards(shelf)) if shelf.is_empty() => false,
                Action::Policy(candidate) | Action::Vote(candidate, _) => {
                    candidate.weights.iter().all(|(_, change)| change.abs() <= MAX_WEIGHT_CHANGE)
                }
                Action::Perturbed { .. } => true,
            };
            if !sound {
                return bad(format!("every arm needs an id, and changes of weights within {}", shown(MAX_WEIGHT_CHANGE)));
            }
        }
        let sum: u32 = self.arms.iter().map(|arm| u32::from(arm.weight)).sum();
        if sum != WEIGHT_SUM {
            return bad(format!("expected weights that sum to {WEIGHT_SUM}, got {sum}"));
        }
        Ok(())
    }
}

/// The manifest's JSON, not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestSettings {
    /// 2.
    pub format: u32,
    /// First and last epoch in which it may be used.
    pub epochs: [u16; 2],
    /// Version of the global model it goes with.
    pub model_version: String,
    /// Index into [`super::EPSILONS`].
    pub epsilon_index: u8,
    /// How long after the visit's start a play counts, in milliseconds. A vote counts the plays of its week.
    pub window_ms: u32,
    /// What may be asked; one is drawn each week, each as likely as the others.
    pub probes: Vec<Probe>,
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
        if settings.format != 2 {
            return bad(format!("expected format 2, got {}", settings.format));
        }
        if settings.epochs[0] > settings.epochs[1] || settings.epochs[1] > super::MAX_EPOCH {
            return bad(format!(
                "expected epochs in order and at most {}, got {} and {}",
                super::MAX_EPOCH,
                settings.epochs[0],
                settings.epochs[1]
            ));
        }
        if settings.probes.is_empty() || settings.probes.len() > MAX_PROBES {
            return bad(format!("expected 1 to {MAX_PROBES} probes, got {}", settings.probes.len()));
        }
        settings.probes.iter().try_for_each(Probe::check)?;
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

    /// First and last epoch in which it may be used.
    #[must_use]
    pub fn epochs(&self) -> [u16; 2] {
        self.settings.epochs
    }

    /// Version of the global model it goes with.
    #[must_use]
    pub fn model_version(&self) -> &str {
        &self.settings.model_version
    }

    /// What may be asked.
    #[must_use]
    pub fn probes(&self) -> &[Probe] {
        &self.settings.probes
    }

    /// How long a play counts, in milliseconds.
    #[must_use]
    pub fn window_ms(&self) -> u32 {
        self.settings.window_ms
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::settings::Value;

    pub(crate) fn settings() -> ManifestSettings {
        let arm = |card: &str, weight| Arm { weight, action: Action::Card(card.into()) };
        ManifestSettings {
            format: 2,
            epochs: [0, 100],
            model_version: "demo-1".into(),
            epsilon_index: 2,
            window_ms: 1_800_000,
            probes: vec![Probe {
                kind: ProbeKind::Card { shelf: "popular".into(), place: Place { shelf_position: 1, card_position: 0 } },
                questions: vec![Question::Played30s],
                arms: vec![arm("a", 1), arm("b", 40_000), arm("c", 25_535)],
            }],
        }
    }

    const EVERY_KIND: &str = r#"{"format": 2, "epochs": [46, 60], "modelVersion": "demo-1", "epsilonIndex": 2, "windowMs": 1800000,
      "probes": [
        {"kind": "card", "shelf": "popular", "shelfPosition": 1, "cardPosition": 2, "questions": ["played_30s", "how_long"],
         "arms": [{"card": "a", "weight": 40000}, {"card": "b", "weight": 25536}]},
        {"kind": "shelf", "shelfPosition": 3, "questions": ["played_30s"],
         "arms": [{"shelf": "popular", "weight": 32768}, {"shelf": "fresh", "weight": 32768}]},
        {"kind": "policy", "questions": ["played_30s"],
         "arms": [{"name": "now", "policy": {}, "weight": 32768}, {"policy": {"temperature": 0.1}, "weight": 32768}]},
        {"kind": "training", "scale": 0.05, "questions": ["played_30s"],
         "arms": [{"seed": 1, "sign": 1, "weight": 32768}, {"seed": 1, "sign": -1, "weight": 32768}]},
        {"kind": "vote", "clip": 0.2, "questions": ["vote"],
         "arms": [{"policy": {"shelfTemperature": 0.1}, "block": "shelves", "weight": 32768},
                  {"weights": {"bias": 0.1}, "block": "cards", "shelf": "popular", "weight": 32768}]}]}"#;

    fn read(json: &str) -> Result<Manifest, Error> {
        let value: Value = serde_json::from_str(json).unwrap();
        Manifest::new(json.as_bytes(), ManifestSettings::read(&value)?)
    }

    #[test]
    fn every_kind_of_probe_can_be_read() {
        let manifest = read(EVERY_KIND).unwrap();
        let kinds: Vec<&str> = manifest.probes().iter().map(|probe| probe.kind.name()).collect();
        assert_eq!(kinds, ["card", "shelf", "policy", "training", "vote"]);
        let names: Vec<String> = manifest.probes().iter().flat_map(|p| &p.arms).map(|arm| arm.action.name()).collect();
        let want = ["a", "b", "popular", "fresh", "now", "plackett_luce", "+1", "-1", "plackett_luce", "plackett_luce"];
        assert_eq!(names, want);
        assert_eq!(manifest.probes()[0].kind.place(), Place { shelf_position: 1, card_position: 2 });
        assert_eq!(manifest.probes()[1].kind.place(), Place { shelf_position: 3, card_position: 0 });
        let Action::Vote(candidate, block) = &manifest.probes()[4].arms[1].action else { panic!("a vote") };
        assert_eq!((candidate.weights.as_slice(), block), (&[("bias".to_owned(), 0.1)][..], &Block::Cards("popular".into())));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_field() {
        for (from, to, message) in [
            (r#""kind": "card""#, r#""kind": "guess""#, "kind must be one of card, shelf, policy, training, vote, got \"guess\""),
            (r#""how_long""#, r#""what_else""#, "questions must be of played_30s, how_long, vote, got \"what_else\""),
            (r#""sign": -1"#, r#""sign": 0"#, "sign must be 1 or -1, got 0"),
            (r#""sign": -1"#, r#""sign": 1"#, "every arm needs an action of its own, got \"+1\" twice"),
            (r#""scale": 0.05"#, r#""scale": 0"#, "expected a scale within 1e-6 and 100, got 0"),
            (r#""clip": 0.2"#, r#""clip": 2"#, "expected a clip within 0.001 and 1, got 2"),
            (r#""block": "shelves""#, r#""block": "all""#, "block must be shelves, or cards with a shelf, got \"all\""),
            (r#"["vote"]"#, r#"["played_30s"]"#, "a vote probe cannot ask \"played_30s\""),
            (r#"{"temperature": 0.1}"#, r#"{"warmth": 1}"#, "policy may hold"),
            (r#"{"bias": 0.1}"#, r#"{"bias": 1000}"#, "every arm needs an id, and changes of weights within 100"),
            (r#""shelfPosition": 3"#, r#""shelfPosition": 32"#, "expected positions up to 31, got 32 and 0"),
            (r#""shelfPosition": 3"#, r#""shelfPosition": 3, "cardPosition": 1"#, "probes may hold"),
        ] {
            assert!(EVERY_KIND.contains(from), "{from}");
            let error = read(&EVERY_KIND.replacen(from, to, 1)).unwrap_err();
            assert!(error.message().starts_with(message), "{}", error.message());
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
        let changes: [&dyn Fn(&mut ManifestSettings); 11] = [
            &|m| m.format = 1,
            &|m| m.epochs = [5, 4],
            &|m| m.epochs = [0, 5_000],
            &|m| m.probes.clear(),
            &|m| m.probes[0].arms.truncate(1),
            &|m| m.probes[0].arms[0].weight = 2,
            &|m| m.probes[0].arms[0].weight = 0,
            &|m| m.probes[0].arms[1].action = Action::Card("a".into()),
            &|m| m.probes[0].questions.clear(),
            &|m| m.epsilon_index = 3,
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
            counts[usize::from(manifest.probes()[0].arm_of(bits))] += 1;
        }
        assert_eq!(counts, [1, 40_000, 25_535]);
    }

    #[test]
    fn the_id_is_the_hash_of_the_served_bytes() {
        // SHA-256("abc") begins ba7816bf (FIPS 180-2, appendix B.1).
        assert_eq!(ManifestId::of(b"abc").to_string(), "ba7816bf");
    }
}
