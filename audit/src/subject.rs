//! What is audited: an implementation of the public-coin lane. The default of every method is the shipped code; a planted fault
//! changes one of them.

use ears_only::clock::Timestamp;
use ears_only::error::Error;
use ears_only::log::DecisionId;
use ears_only::privacy::{
    Answer, Coin, Epsilon, Ledger, Manifest, Permit, Private, ProbeRecord, RECORD_BYTES, randomise, release,
};
use ears_only::random::Entropy;
use ears_only::ranker::ContributionState;
use ears_world::chance::{Draw, Key};
use rand_core::Rng;
use rand_pcg::Pcg32;

/// A record as bytes.
pub type Bytes = [u8; RECORD_BYTES];

/// Where a field of a record lies: bits below it, and its width.
#[derive(Clone, Copy, Debug)]
pub struct FieldBits(u32, u32);

/// Layout of a record, written down a second time from `docs/privacy.md`: the checks must not read a record with the code that
/// wrote it.
pub const VERSION: FieldBits = FieldBits(124, 4);
/// ISO week.
pub const EPOCH: FieldBits = FieldBits(112, 12);
/// First bytes of the manifest's hash.
pub const MANIFEST: FieldBits = FieldBits(80, 32);
/// Probe of the manifest.
pub const SLOT: FieldBits = FieldBits(76, 4);
/// Position of the shelf.
pub const SHELF_POSITION: FieldBits = FieldBits(71, 5);
/// Position of the card.
pub const CARD_POSITION: FieldBits = FieldBits(66, 5);
/// Arm of the probe.
pub const ARM: FieldBits = FieldBits(56, 10);
/// Question of the probe.
pub const QUESTION: FieldBits = FieldBits(50, 6);
/// Chance of the arm in 65536ths.
pub const PROPENSITY: FieldBits = FieldBits(34, 16);
/// Index of epsilon.
pub const EPSILON: FieldBits = FieldBits(31, 3);
/// The randomised answer: the one private field.
pub const SYMBOL: FieldBits = FieldBits(25, 6);
/// Zeros.
pub const PADDING: FieldBits = FieldBits(0, 25);

impl FieldBits {
    /// Its value in a record.
    #[must_use]
    pub fn of(self, record: &Bytes) -> u64 {
        (u128::from_be_bytes(*record) >> self.0 & ((1 << self.1) - 1)) as u64
    }

    /// The record with another value in it.
    #[must_use]
    pub fn set(self, record: &Bytes, value: u64) -> Bytes {
        let mask = ((1u128 << self.1) - 1) << self.0;
        (u128::from_be_bytes(*record) & !mask | u128::from(value) << self.0 & mask).to_be_bytes()
    }
}

/// A record without its symbol: the 122 bits that must not depend on the listener.
#[must_use]
pub fn public_part(record: &Bytes) -> Bytes {
    SYMBOL.set(record, 0)
}

/// A listener. Everything about them follows from the number, and no two have anything in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person(pub u64);

impl Person {
    /// The key of their draws for `what`.
    #[must_use]
    pub fn key(self, what: u64) -> Key {
        Key::new(self.0, Draw::Taste).with(what)
    }

    /// Whether they have hidden this card: a fifth of all cards.
    #[must_use]
    pub fn hides(self, card: usize) -> bool {
        self.key(1).with(card as u64).below(5) == 0
    }

    /// Whether they like this card: a half.
    #[must_use]
    pub fn likes(self, card: usize) -> bool {
        self.key(2).with(card as u64).below(2) == 0
    }

    /// The chance that their private policy gives a card, where no ranker is run to ask: any number of theirs.
    #[must_use]
    pub fn propensity(self) -> f64 {
        0.02 + 0.9 * self.key(3).unit()
    }
}

/// Random bytes from a seed, fast.
#[derive(Clone, Debug)]
pub struct Words(Pcg32);

impl Words {
    /// The bytes of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let key = Key::new(seed, Draw::Play);
        let word = |part: u64| (key.with(part).unit() * (1u64 << 53) as f64) as u64;
        Self(Pcg32::new(word(1) ^ seed.rotate_left(17), word(2)))
    }
}

impl Entropy for Words {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

/// Given bytes, then nothing more.
#[derive(Clone, Debug)]
pub struct Script {
    bytes: Vec<u8>,
    used: usize,
}

impl Script {
    /// These bytes, in order.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, used: 0 }
    }

    /// How many were taken.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used
    }
}

impl Entropy for Script {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        match self.bytes.get(self.used..self.used + bytes.len()) {
            Some(given) => {
                bytes.copy_from_slice(given);
                self.used += bytes.len();
                Ok(())
            }
            None => ears_only::random::NoEntropy.fill(bytes),
        }
    }
}

/// What leaves: bytes, and not before this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Earliest time of sending.
    pub at: Timestamp,
    /// The record.
    pub bytes: Bytes,
}

/// A record that was made, with everything a faulty sender could misuse.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// Who listens.
    pub person: Person,
    /// The manifest in force.
    pub manifest: &'a Manifest,
    /// The true answer.
    pub answer: u8,
    /// The chance that the private policy gave the card in question.
    pub propensity: f64,
    /// The record.
    pub record: Bytes,
    /// When it may be sent.
    pub send_after: Timestamp,
}

/// The two sources of random bytes of a device.
pub type Sources = (Box<dyn Entropy>, Box<dyn Entropy>);

/// What goes wrong while a record is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// The page dies after the debit, before it is saved.
    DiesBeforeSaving,
    /// Saving fails; the page lives on.
    SavingFails,
    /// The page dies when the debit is saved, before the record is made.
    DiesAfterSaving,
}

/// A probe that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its week.
    pub week: u16,
    /// When it was shown.
    pub at: Timestamp,
    /// What its record costs.
    pub epsilon: Epsilon,
}

/// One tab of the app: the ledger as it knows it, and a permit that is not used yet.
#[derive(Debug, Default)]
pub struct Tab {
    ledger: Option<Ledger>,
    known: Option<Vec<u8>>,
    permit: Option<(Probe, Permit)>,
}

impl Tab {
    /// The ledger's bytes as this tab knows them.
    #[must_use]
    pub fn remembered(&self) -> Option<Vec<u8>> {
        self.known.clone()
    }
}

/// An implementation of the lane.
pub trait Subject: Sync {
    /// Its name.
    fn name(&self) -> &'static str {
        "as shipped"
    }

    /// Where the coin's and the flip's bytes come from on a person's device, given two fresh sources.
    fn sources(&self, _person: Person, _manifest: &Manifest, coin: Words, flip: Words) -> Sources {
        (Box::new(coin), Box::new(flip))
    }

    /// Whether the device takes part at this visit, the `visit`-th.
    fn takes_part(&self, _person: Person, _visit: usize) -> bool {
        true
    }

    /// Whether no probe starts at a visit, given where the contribution stands before it.
    fn holds_back(&self, _stands: ContributionState) -> bool {
        false
    }

    /// The decision that a part grows from, as the ranker hears of it.
    fn grows_from(&self, decision: DecisionId) -> Option<DecisionId> {
        Some(decision)
    }

    /// The symbol that leaves in place of an answer.
    ///
    /// # Errors
    /// As the core's.
    fn randomise(&self, answer: u8, answers: u8, epsilon: Epsilon, flip: &mut dyn Entropy) -> Result<u8, Error> {
        randomise(answer, answers, epsilon, flip)
    }

    /// Randomises an answer and makes the record.
    ///
    /// # Errors
    /// As the core's.
    fn release(
        &self,
        answer: u8,
        permit: Permit,
        manifest: &Manifest,
        coin: &Coin,
        flip: &mut dyn Entropy,
    ) -> Result<Bytes, Error> {
        shipped_release(answer, permit, manifest, coin, flip)
    }

    /// What is sent once a record is made.
    fn send(&self, made: &Made<'_>) -> Vec<Sent> {
        vec![Sent { at: made.send_after, bytes: made.record }]
    }

    /// Pays for a probe under the ledger's lock, given what is on `disk`; how many records come to be.
    fn contribute(&self, disk: &mut Option<Vec<u8>>, tab: &mut Tab, probe: Probe, now: Timestamp, mishap: Mishap) -> usize {
        shipped_contribute(disk, tab, probe, now, mishap)
    }
}

/// The shipped code.
#[derive(Clone, Copy, Debug)]
pub struct Shipped;

impl Subject for Shipped {}

/// The core's randomiser.
///
/// # Errors
/// As the core's.
pub fn shipped_release(
    answer: u8,
    permit: Permit,
    manifest: &Manifest,
    coin: &Coin,
    flip: &mut dyn Entropy,
) -> Result<Bytes, Error> {
    release(Private::new(Answer::Symbol(answer)), permit, manifest, coin, flip).map(|record: ProbeRecord| record.bytes())
}

/// The steps of the package and of the core's lane around the core's ledger: read, debit, save, make. Always under the lock.
pub fn shipped_contribute(disk: &mut Option<Vec<u8>>, tab: &mut Tab, probe: Probe, now: Timestamp, mishap: Mishap) -> usize {
    if let Some(saved) = disk.as_ref()
        && tab.known.as_ref() != Some(saved)
    {
        let Ok(ledger) = Ledger::from_bytes(saved) else { return 0 };
        *tab = Tab { ledger: Some(ledger), known: Some(saved.clone()), permit: None };
    }
    if disk.is_none() {
        let bytes = tab.ledger.get_or_insert_with(|| Ledger::start(now)).to_bytes();
        *disk = Some(bytes.clone());
        tab.known = Some(bytes);
    }
    let Some(ledger) = tab.ledger.as_mut() else { return 0 };
    if tab.permit.as_ref().is_none_or(|(paid, _)| *paid != probe) {
        match ledger.debit(probe.epsilon, probe.week, probe.at, now) {
            Ok(permit) => tab.permit = Some((probe, permit)),
            Err(_) => {
                tab.permit = None;
                return 0;
            }
        }
    }
    let bytes = ledger.to_bytes();
    match mishap {
        Mishap::DiesBeforeSaving => {
            *tab = Tab::default();
            return 0;
        }
        Mishap::SavingFails => return 0,
        Mishap::None | Mishap::DiesAfterSaving => {
            *disk = Some(bytes.clone());
            tab.known = Some(bytes);
        }
    }
    if mishap == Mishap::DiesAfterSaving {
        *tab = Tab::default();
        return 0;
    }
    usize::from(tab.permit.take().is_some())
}

/// The right to make one record with the manifest's epsilon, for checks of what comes after the ledger.
///
/// # Errors
/// None: the ledger has room.
pub fn permit(ledger: &Ledger, manifest: &Manifest, week: u16, now: Timestamp) -> Result<Permit, Error> {
    ledger.clone().debit(manifest.epsilon(), week, now, now)
}
