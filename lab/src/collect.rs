//! `ears-lab collect`: takes records, checks them, and releases them in cells that are big enough.
//!
//! A body is 256 bytes: a format byte, a random nonce of 16 bytes, the record of 16 bytes, zeros ([`Body`]). Each is checked against the
//! published manifests ([`Manifests`]); what does not fit is refused by a code ([`Refusal`]) and counted. What fits is on the disk before it is
//! answered ([`state`]). A cell is what shares manifest, slot, arm and question; it is released at 10,000 records, at the end of an epoch from
//! 1,000, and dropped below ([`Collector`]). Released records stand in random order, without nonce and without a time of arrival.
//!
//! Nothing is known of who sent what: no address, no header and no time finer than the week is looked at or written. A body that was
//! taken before is answered as the first one was, so that a device whose answer was lost may try again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ears_only::privacy::{Manifest, ManifestId, ManifestSettings, ProbeRecord, RECORD_BYTES, RecordFields};
use ears_only::settings::Value;
use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::logs::probes;

pub mod command;
pub mod gateway;
pub mod serve;
pub mod state;

#[cfg(test)]
pub(crate) mod tests;

use state::{NONCE_BYTES, Pending, State};

/// Length of a body.
pub const BODY_BYTES: usize = 256;
/// What a body begins with.
pub const BODY_FORMAT: u8 = 1;
/// Length of a body without its zeros: what stands inside an encrypted message, which is filled up itself.
pub const SHORT_BYTES: usize = 1 + NONCE_BYTES + RECORD_BYTES;
/// Records that release a cell at once.
pub const FULL_CELL: usize = 10_000;
/// Records that release a cell at the end of an epoch; with fewer it is dropped.
pub const LEAST_CELL: usize = 1_000;
/// Epochs after its own in which a record is still taken: a vote is answered at the first visit after its epoch, which may be two weeks
/// later, and the record then waits.
pub const LATE_EPOCHS: u16 = 3;

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Not 256 bytes.
    Length,
    /// Another format byte.
    Format,
    /// Something after the record.
    Padding,
    /// No record of this layout.
    Record,
    /// Of a manifest that is not collected for.
    Manifest,
    /// A slot that the manifest does not have.
    Slot,
    /// An arm that the probe does not have.
    Arm,
    /// A question that the probe does not have.
    Question,
    /// Not the arm's weight.
    Propensity,
    /// Not the probe's positions.
    Position,
    /// Not the manifest's epsilon.
    Epsilon,
    /// A symbol that the question does not have.
    Symbol,
    /// An epoch that the manifest does not cover.
    NotCovered,
    /// An epoch too long ago.
    Stale,
    /// An epoch to come.
    Ahead,
}

impl Refusal {
    /// Its code, in answers and reports.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Length => "bad_length",
            Self::Format => "bad_format",
            Self::Padding => "bad_padding",
            Self::Record => "bad_record",
            Self::Manifest => "unknown_manifest",
            Self::Slot => "unknown_slot",
            Self::Arm => "unknown_arm",
            Self::Question => "unknown_question",
            Self::Propensity => "wrong_propensity",
            Self::Position => "wrong_position",
            Self::Epsilon => "wrong_epsilon",
            Self::Symbol => "unknown_symbol",
            Self::NotCovered => "epoch_not_covered",
            Self::Stale => "epoch_stale",
            Self::Ahead => "epoch_ahead",
        }
    }
}

/// A body taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Random, for dropping repetitions only.
    pub nonce: [u8; NONCE_BYTES],
    /// The record.
    pub record: [u8; RECORD_BYTES],
}

impl Body {
    /// Takes a body of 256 bytes apart; with `short` also one without its zeros.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8], short: bool) -> Result<Self, Refusal> {
        if bytes.len() != BODY_BYTES && !(short && bytes.len() == SHORT_BYTES) {
            return Err(Refusal::Length);
        }
        let (head, padding) = bytes.split_at(SHORT_BYTES);
        if head[0] != BODY_FORMAT {
            return Err(Refusal::Format);
        }
        // All of it is looked at, wherever the first one stands.
        if padding.iter().fold(0, |any, byte| any | byte) != 0 {
            return Err(Refusal::Padding);
        }
        let mut body = Self { nonce: [0; NONCE_BYTES], record: [0; RECORD_BYTES] };
        body.nonce.copy_from_slice(&head[1..=NONCE_BYTES]);
        body.record.copy_from_slice(&head[1 + NONCE_BYTES..]);
        Ok(body)
    }

    /// The 256 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; BODY_BYTES] {
        let mut bytes = [0; BODY_BYTES];
        bytes[0] = BODY_FORMAT;
        bytes[1..=NONCE_BYTES].copy_from_slice(&self.nonce);
        bytes[1 + NONCE_BYTES..SHORT_BYTES].copy_from_slice(&self.record);
        bytes
    }
}

/// The manifests that are collected for.
#[derive(Clone, Debug, Default)]
pub struct Manifests(Vec<Manifest>);

impl Manifests {
    /// Reads and checks manifest files.
    ///
    /// # Errors
    /// When one cannot be read, is no manifest, or two have the same id.
    pub fn read(files: &[PathBuf]) -> Result<Self, LabError> {
        let mut manifests: Vec<Manifest> = Vec::new();
        for file in files {
            let bytes = std::fs::read(file).map_err(|error| LabError::file(file, "a readable file", error))?;
            let value: Value =
                serde_json::from_slice(&bytes).map_err(|error| LabError::file(file, "a manifest as JSON", error))?;
            let settings = ManifestSettings::read(&value).map_err(|error| LabError::file(file, "a manifest", error))?;
            let manifest = Manifest::new(&bytes, settings).map_err(|error| LabError::file(file, "a manifest", error))?;
            if manifests.iter().any(|known| known.id() == manifest.id()) {
                return Err(LabError::file(file, "a manifest with an id of its own", manifest.id()));
            }
            manifests.push(manifest);
        }
        Ok(Self(manifests))
    }

    /// The one with this id.
    #[must_use]
    pub fn get(&self, id: ManifestId) -> Option<&Manifest> {
        self.0.iter().find(|manifest| manifest.id() == id)
    }

    /// All of them, in the order given.
    #[must_use]
    pub fn all(&self) -> &[Manifest] {
        &self.0
    }

    /// Checks a record against its manifest; its time against `epoch`, the one now.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, record: &[u8; RECORD_BYTES], epoch: u16) -> Result<RecordFields, Refusal> {
        let fields = self.fits(record)?;
        if fields.epoch > epoch {
            return Err(Refusal::Ahead);
        }
        if epoch - fields.epoch > LATE_EPOCHS {
            return Err(Refusal::Stale);
        }
        Ok(fields)
    }

    /// Checks a record against its manifest alone.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn fits(&self, record: &[u8; RECORD_BYTES]) -> Result<RecordFields, Refusal> {
        let fields = ProbeRecord::describe(record).map_err(|_| Refusal::Record)?;
        self.matches(&fields)?;
        Ok(fields)
    }

    /// Whether these fields can be those of a record under its manifest.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn matches(&self, fields: &RecordFields) -> Result<(), Refusal> {
        let manifest = self.get(fields.manifest).ok_or(Refusal::Manifest)?;
        let probe = manifest.probes().get(usize::from(fields.slot)).ok_or(Refusal::Slot)?;
        let arm = probe.arms.get(usize::from(fields.arm)).ok_or(Refusal::Arm)?;
        let question = probe.questions.get(usize::from(fields.question)).ok_or(Refusal::Question)?;
        let place = probe.kind.place();
        let checks = [
            (fields.propensity_numerator == arm.weight, Refusal::Propensity),
            (fields.shelf_position == place.shelf_position && fields.card_position == place.card_position, Refusal::Position),
            (fields.epsilon_index == manifest.epsilon().index(), Refusal::Epsilon),
            (fields.symbol < question.answers(), Refusal::Symbol),
            (manifest.covers(fields.epoch), Refusal::NotCovered),
        ];
        checks.into_iter().find(|(fine, _)| !fine).map_or(Ok(()), |(_, refusal)| Err(refusal))
    }
}

/// What records share that are released together: manifest, slot, arm, question.
pub type Cell = ([u8; 4], u8, u16, u8);

fn cell(fields: &RecordFields) -> Cell {
    (fields.manifest.0, fields.slot, fields.arm, fields.question)
}

/// Counts of what came in, kept through restarts in `report.json`. No cell is named before it is released.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// 1.
    pub format: u32,
    /// Epoch of the last body or of the last settling.
    pub epoch: u16,
    /// Records taken.
    pub taken: u64,
    /// Bodies that had been taken before.
    pub repeated: u64,
    /// Bodies refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Records that wait for their cell.
    pub waiting: u64,
    /// Records released.
    pub released: u64,
    /// Cells released.
    pub released_cells: u64,
    /// Records dropped with cells that stayed too small.
    pub dropped: u64,
    /// Cells dropped.
    pub dropped_cells: u64,
}

/// Takes bodies and releases cells into a folder.
pub struct Collector {
    manifests: Manifests,
    folder: PathBuf,
    state: State,
    cells: BTreeMap<Cell, Vec<Pending>>,
    nonces: BTreeSet<[u8; NONCE_BYTES]>,
    tally: Tally,
}

impl Collector {
    /// Opens the folder, with what was waiting in it.
    ///
    /// # Errors
    /// When it cannot be read or written, another collector uses it, or its state is damaged elsewhere than at its end.
    pub fn open(manifests: Manifests, folder: &Path) -> Result<Self, LabError> {
        std::fs::create_dir_all(folder).map_err(|error| LabError::file(folder, "a folder that can be written", error))?;
        let (state, pending) = State::open(folder)?;
        let tally = read_tally(&folder.join("report.json"))?;
        let mut collector =
            Self { manifests, folder: folder.to_owned(), state, cells: BTreeMap::new(), nonces: BTreeSet::new(), tally };
        for one in pending {
            let fields = ProbeRecord::describe(&one.record)?;
            collector.nonces.insert(one.nonce);
            collector.cells.entry(cell(&fields)).or_default().push(one);
        }
        // A state that was saved and a report that was not: the state is right.
        collector.tally.waiting = collector.nonces.len() as u64;
        Ok(collector)
    }

    /// What came in so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The manifests collected for.
    #[must_use]
    pub fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// Takes a body at `epoch`. It is durable once [`Collector::sync`] has returned.
    ///
    /// The inner result says whether it was refused; a body taken before counts as taken.
    ///
    /// # Errors
    /// When the disk fails; the body is then not taken.
    pub fn take(&mut self, bytes: &[u8], short: bool, epoch: u16) -> Result<Result<(), Refusal>, LabError> {
        self.settle(epoch)?;
        let checked = Body::read(bytes, short).and_then(|body| Ok((self.manifests.check(&body.record, epoch)?, body)));
        let (fields, body) = match checked {
            Ok(checked) => checked,
            Err(refusal) => {
                *self.tally.refused.entry(refusal.code().to_owned()).or_default() += 1;
                return Ok(Err(refusal));
            }
        };
        if self.nonces.contains(&body.nonce) {
            self.tally.repeated += 1;
            return Ok(Ok(()));
        }
        let one = Pending { nonce: body.nonce, record: body.record };
        self.state.append(&one)?;
        self.nonces.insert(one.nonce);
        let key = cell(&fields);
        let waiting = self.cells.entry(key).or_default();
        waiting.push(one);
        let full = waiting.len() >= FULL_CELL;
        self.tally.taken += 1;
        self.tally.waiting += 1;
        if full {
            self.release(&[key], &[])?;
        }
        Ok(Ok(()))
    }

    /// Makes what was taken durable.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sync(&mut self) -> Result<(), LabError> {
        self.state.sync()
    }

    /// Ends all epochs before `epoch`: cells of 1,000 and more are released, smaller ones dropped. Nothing happens within an epoch.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn settle(&mut self, epoch: u16) -> Result<(), LabError> {
        if self.state.epoch() == Some(epoch) {
            return Ok(());
        }
        if self.state.epoch().is_some_and(|last| last > epoch) {
            // A clock set back ends nothing; records are still judged by it.
            return Ok(());
        }
        let first = self.state.epoch().is_none();
        self.state.set_epoch(epoch);
        self.tally.epoch = epoch;
        let (release, drop): (Vec<Cell>, Vec<Cell>) = if first {
            (Vec::new(), Vec::new())
        } else {
            self.cells.keys().partition(|key| self.cells.get(*key).is_some_and(|of| of.len() >= LEAST_CELL))
        };
        self.release(&release, &drop)
    }

    /// Ends the present epoch by hand: what waits is released or dropped now.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn finish(&mut self) -> Result<(), LabError> {
        let (release, drop): (Vec<Cell>, Vec<Cell>) =
            self.cells.keys().partition(|key| self.cells.get(*key).is_some_and(|of| of.len() >= LEAST_CELL));
        self.release(&release, &drop)
    }

    fn release(&mut self, release: &[Cell], drop: &[Cell]) -> Result<(), LabError> {
        let mut rows = Vec::new();
        for key in release {
            for one in self.cells.get(key).into_iter().flatten() {
                rows.push(ProbeRecord::describe(&one.record)?);
            }
        }
        shuffle(&mut rows)?;
        let left = self.cells.iter().filter(|(key, _)| !release.contains(key) && !drop.contains(key));
        let mut left: Vec<Pending> = left.flat_map(|(_, of)| of.iter().copied()).collect();
        // The order in which they came is forgotten with the nonces of the others.
        shuffle(&mut left)?;
        self.state.replace(&left, if rows.is_empty() { None } else { Some(&rows) })?;
        for key in drop {
            self.tally.dropped += self.cells.remove(key).map_or(0, |of| of.len() as u64);
            self.tally.dropped_cells += 1;
        }
        for key in release {
            self.cells.remove(key);
            self.tally.released_cells += 1;
        }
        self.tally.released += rows.len() as u64;
        self.nonces = left.iter().map(|one| one.nonce).collect();
        self.tally.waiting = left.len() as u64;
        self.report()
    }

    /// Writes `report.json`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn report(&mut self) -> Result<(), LabError> {
        self.tally.format = 1;
        let text = serde_json::to_string_pretty(&self.tally).map_err(|error| LabError::failed(format!("report: {error}")))?;
        state::write_whole(&self.folder.join("report.json"), text.as_bytes())
    }
}

fn read_tally(file: &Path) -> Result<Tally, LabError> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| LabError::file(file, "a report of collect", error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Tally::default()),
        Err(error) => Err(LabError::file(file, "a readable file", error)),
    }
}

/// Random order by randomness of the operating system (R. Durstenfeld 1964, Algorithm 235, CACM 7(7)).
fn shuffle<T>(items: &mut [T]) -> Result<(), LabError> {
    for at in (1..items.len()).rev() {
        // Words of the last, incomplete run are drawn again.
        let bound = at as u64 + 1;
        let whole = u64::MAX / bound * bound;
        let other = loop {
            let word = getrandom::u64().map_err(|error| LabError::failed(format!("random numbers of the system: {error}")))?;
            if word < whole {
                break word % bound;
            }
        };
        items.swap(at, other as usize);
    }
    Ok(())
}

/// Reads released records and checks each against its manifest.
///
/// # Errors
/// When a file cannot be read, or a row does not fit its manifest: file, row and code are named.
pub fn read_released(manifests: &Manifests, files: &[PathBuf]) -> Result<Vec<RecordFields>, LabError> {
    let mut all = Vec::new();
    for file in files {
        let records = probes::read(file)?;
        for (row, record) in (1..).zip(&records) {
            let fine = manifests.matches(record);
            fine.map_err(|refusal| LabError::file(file, &format!("a record of the manifest in row {row}"), refusal.code()))?;
        }
        all.extend(records);
    }
    Ok(all)
}
