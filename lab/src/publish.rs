//! Publishing bundles to a folder of static files, which any web server can hand out: `docs/delivery.md`.
//!
//! Everything written follows from the arguments and from what is in the folder, so the same call gives the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub mod command;
pub mod envelope;
pub mod keys;
pub mod payload;

use crate::bundle;
use crate::error::LabError;
use ears_only::clock::Timestamp;
use envelope::{Envelope, Role};
use keys::{PrivateKey, PublicKey, sha256_hex};
use payload::{Channel, EVERYBODY, FORMAT, Release, Root, Signers, Statement, expiry};

/// Devices take no release that is so far ahead of their last one.
pub const MAX_STEP: u64 = 1_000_000;
/// Days that a root is believed.
pub const ROOT_DAYS: u32 = 365;
/// Days that a bundle serves, unless it says less.
pub const BUNDLE_DAYS: u32 = 180;
/// Days that a channel file is believed: so long can a device be kept from the news.
pub const CHANNEL_DAYS: u32 = 7;

/// Now, in milliseconds since the Unix epoch.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A folder of published files.
pub struct Folder {
    path: PathBuf,
}

/// What a new root changes; a role that is left out keeps its keys.
#[derive(Default)]
pub struct NewRoot {
    /// Public keys by role, in the order root, bundle, channel.
    pub keys: [Vec<PublicKey>; 3],
    /// How many signatures each role takes. Default: as before, or 1.
    pub thresholds: [Option<usize>; 3],
    /// Days until it expires.
    pub days: u32,
    /// When it is made.
    pub at: u64,
}

/// What a channel file says besides the release. What is left out stays as it was.
pub struct Offer {
    /// Share of devices in thousandths.
    pub rollout_permille: Option<u16>,
    /// The kill switch.
    pub min_sequence: Option<u64>,
    /// Days until it expires.
    pub days: u32,
    /// When it is made.
    pub at: u64,
}

/// The keys that publish.
pub struct PublishKeys {
    /// Of the bundle role.
    pub bundle: Vec<PrivateKey>,
    /// Of the channel role.
    pub channel: Vec<PrivateKey>,
}

impl Folder {
    /// The folder, which must exist.
    ///
    /// # Errors
    /// When it does not.
    pub fn open(path: &Path) -> Result<Self, LabError> {
        if path.is_dir() { Ok(Self { path: path.to_owned() }) } else { Err(LabError::file(path, "a folder", "none")) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The root that devices are told of; none in a new folder.
    ///
    /// # Errors
    /// A root that its own keys have not signed.
    pub fn root(&self) -> Result<Option<Root>, LabError> {
        let path = self.file("root.json");
        if !path.exists() {
            return Ok(None);
        }
        let envelope = Envelope::read(&path)?;
        let root = Root::open(&envelope, &path)?;
        root.check_signed(Role::Root, &envelope, &path)?;
        Ok(Some(root))
    }

    fn must_have_root(&self, at: u64) -> Result<Root, LabError> {
        let path = self.file("root.json");
        let root = self.root()?.ok_or_else(|| LabError::file(&path, "a root (ears-lab publish root)", "none"))?;
        if root.expires <= at {
            return Err(LabError::file(
                &path,
                &format!("a root that is valid at {at} ms"),
                format!("one that expired at {} ms", root.expires),
            ));
        }
        Ok(root)
    }

    /// Makes the next root, signs it with what keys there are, and activates it once the signatures suffice. Returns its file and
    /// whether it is active.
    ///
    /// # Errors
    /// A role without keys in a first root, a threshold out of range, a file that cannot be written.
    pub fn new_root(&self, new: NewRoot, sign: &[PrivateKey]) -> Result<(PathBuf, bool), LabError> {
        let old = self.root()?;
        let version = old.as_ref().map_or(1, |root| root.version + 1);
        let mut signers = Vec::new();
        for ((role, keys), threshold) in [Role::Root, Role::Bundle, Role::Channel].into_iter().zip(new.keys).zip(new.thresholds) {
            let before = old.as_ref().and_then(|root| root.signers(role));
            let keys = if keys.is_empty() { before.as_ref().map(|before| before.keys.clone()).unwrap_or_default() } else { keys };
            let threshold = threshold.or(before.map(|before| before.threshold)).unwrap_or(1);
            signers.push(Signers { keys, threshold });
        }
        let signers = signers.try_into().map_err(|_| LabError::failed("expected three roles"))?;
        let mut envelope = Envelope::new(Role::Root, &Root::new(version, new.at, new.days, signers)?)?;
        let path = self.file(&format!("{version}.root.json"));
        for key in sign {
            envelope.sign(key, &path)?;
        }
        write(&path, envelope.text()?.as_bytes())?;
        let active = self.activate(version)?.is_none();
        Ok((path, active))
    }

    /// Tells devices of root `version`, once the old root and the new one agree that it is signed; what is missing otherwise.
    ///
    /// # Errors
    /// A file that cannot be read or written, or a version that does not follow.
    pub fn activate(&self, version: u64) -> Result<Option<LabError>, LabError> {
        let path = self.file(&format!("{version}.root.json"));
        let envelope = Envelope::read(&path)?;
        let root = Root::open(&envelope, &path)?;
        let old = self.root()?;
        let next = old.as_ref().map_or(1, |old| old.version + 1);
        if root.version != version || version != next {
            return Err(LabError::file(&path, &format!("root {next}"), format!("root {}", root.version)));
        }
        for signer in old.iter().chain([&root]) {
            if let Err(missing) = signer.check_signed(Role::Root, &envelope, &path) {
                return Ok(Some(missing));
            }
        }
        write(&self.file("root.json"), envelope.text()?.as_bytes())?;
        Ok(None)
    }

    /// The newest root that waits for signatures, if there is one.
    ///
    /// # Errors
    /// A root that cannot be read.
    pub fn waiting_root(&self) -> Result<Option<u64>, LabError> {
        let next = self.root()?.map_or(1, |root| root.version + 1);
        Ok(self.file(&format!("{next}.root.json")).exists().then_some(next))
    }

    /// What the channel offers today. Right after a change of keys its file is still signed with the old ones, which an earlier root
    /// in the folder lists: the sequence must go on all the same.
    ///
    /// # Errors
    /// A channel file that is signed neither as the root wants it nor as an earlier one did.
    pub fn channel(&self, root: &Root, name: &str) -> Result<Option<Channel>, LabError> {
        check_name(name)?;
        let path = self.channel_file(name);
        if !path.exists() {
            return Ok(None);
        }
        let found = Channel::open(root, name, &path);
        if found.is_ok() {
            return found.map(Some);
        }
        for version in (1..root.version).rev() {
            let before = self.file(&format!("{version}.root.json"));
            let Ok(envelope) = Envelope::read(&before) else { break };
            if let Ok(channel) = Root::open(&envelope, &before).and_then(|before| Channel::open(&before, name, &path)) {
                return Ok(Some(channel));
            }
        }
        found.map(Some)
    }

    fn channel_file(&self, name: &str) -> PathBuf {
        self.file(&format!("channel-{name}.json"))
    }

    /// Publishes a bundle under the next sequence of the channel, or under its own where that is higher.
    ///
    /// # Errors
    /// Bytes that the core refuses, a bundle that has expired, keys that do not suffice, a file that cannot be written.
    pub fn publish(
        &self,
        name: &str,
        bytes: &[u8],
        keys: &PublishKeys,
        offer: &Offer,
        bundle_days: u32,
    ) -> Result<Release, LabError> {
        check_name(name)?;
        let opened = bundle::read(bytes)?;
        let shipping =
            opened.bundle.shipping().ok_or_else(|| LabError::failed("expected a bundle that says where it belongs, got none"))?;
        opened.bundle.check_expiry(Timestamp::from_ms(offer.at as f64)?)?;
        let root = self.must_have_root(offer.at)?;
        let before = self.channel(&root, name)?;
        let last = before.as_ref().map_or(0, |before| before.sequence);
        let sequence = shipping.sequence.max(last + 1);
        if sequence > last + MAX_STEP {
            return Err(LabError::unreadable(format!("expected a sequence of at most {}, got {sequence}", last + MAX_STEP)));
        }
        let bundle_expires = shipping.expires.map_or(u64::MAX, |expires| u64::try_from(expires.ms()).unwrap_or(0));
        let release = Release { sequence, sha256: sha256_hex(bytes), size: bytes.len() as u64 };
        let statement = Statement {
            channel: name.to_owned(),
            created: offer.at,
            expires: expiry(offer.at, bundle_days).min(bundle_expires),
            format: FORMAT,
            sequence,
            sha256: release.sha256.clone(),
            size: release.size,
        };
        let signature = self.file(&format!("{}.{name}-{sequence}.sig.json", release.sha256));
        let vouched = signed(&root, Role::Bundle, &statement, &keys.bundle, &signature)?;
        let channel = self.offered(&root, name, &release, before.as_ref(), keys, offer)?;
        // The channel file last: until it is there, nobody is told of the others.
        write(&self.file(&format!("{}.bundle", release.sha256)), bytes)?;
        write(&signature, vouched.as_bytes())?;
        write(&self.channel_file(name), channel.as_bytes())?;
        Ok(release)
    }

    /// Publishes the bytes of an earlier sequence once more, under the next one.
    ///
    /// # Errors
    /// A sequence that was never published, or as [`Folder::publish`].
    pub fn roll_back(
        &self,
        name: &str,
        to: u64,
        keys: &PublishKeys,
        offer: &Offer,
        bundle_days: u32,
    ) -> Result<Release, LabError> {
        check_name(name)?;
        let ending = format!(".{name}-{to}.sig.json");
        let mut found = None;
        for entry in fs::read_dir(&self.path).map_err(|error| LabError::file(&self.path, "a readable folder", error))? {
            let entry = entry.map_err(|error| LabError::file(&self.path, "a readable folder", error))?;
            if let Some(sha256) = entry.file_name().to_str().and_then(|name| name.strip_suffix(&ending)) {
                found = Some(sha256.to_owned());
            }
        }
        let sha256 = found.ok_or_else(|| LabError::file(&self.path, &format!("a file that ends in {ending}"), "none"))?;
        let path = self.file(&format!("{sha256}.bundle"));
        let bytes = fs::read(&path).map_err(|error| LabError::file(&path, "a readable bundle", error))?;
        let found = sha256_hex(&bytes);
        if found != sha256 {
            return Err(LabError::file(&path, "a bundle with the SHA-256 of its name", found));
        }
        self.publish(name, &bytes, keys, offer, bundle_days)
    }

    /// Signs the channel file again: for longer, to more devices, or with another kill switch.
    ///
    /// # Errors
    /// A channel without a release, keys that do not suffice.
    pub fn renew(&self, name: &str, keys: &[PrivateKey], offer: &Offer) -> Result<Channel, LabError> {
        let root = self.must_have_root(offer.at)?;
        let path = self.channel_file(name);
        let mut channel =
            self.channel(&root, name)?.ok_or_else(|| LabError::file(&path, "a channel (ears-lab publish bundle)", "none"))?;
        check_later(&channel, offer.at, &path)?;
        channel.created = offer.at;
        channel.expires = expiry(offer.at, offer.days);
        channel.rollout_permille = offer.rollout_permille.unwrap_or(channel.rollout_permille);
        channel.min_sequence = offer.min_sequence.unwrap_or(channel.min_sequence);
        channel.others = channel.others.filter(|others| others.sequence >= channel.min_sequence);
        check_offer(&channel)?;
        write(&path, signed(&root, Role::Channel, &channel, keys, &path)?.as_bytes())?;
        Ok(channel)
    }

    fn offered(
        &self,
        root: &Root,
        name: &str,
        release: &Release,
        before: Option<&Channel>,
        keys: &PublishKeys,
        offer: &Offer,
    ) -> Result<String, LabError> {
        let path = self.channel_file(name);
        if let Some(before) = before {
            check_later(before, offer.at, &path)?;
        }
        let rollout_permille = offer.rollout_permille.unwrap_or(EVERYBODY);
        // The last release that everybody could take: a canary must not leave new devices with nothing.
        let others = before
            .and_then(|before| if before.rollout_permille == EVERYBODY { Some(before.release()) } else { before.others.clone() });
        let min_sequence = offer.min_sequence.or(before.map(|before| before.min_sequence)).unwrap_or(0);
        let channel = Channel {
            channel: name.to_owned(),
            created: offer.at,
            expires: expiry(offer.at, offer.days),
            format: FORMAT,
            min_sequence,
            others: others.filter(|others| rollout_permille < EVERYBODY && others.sequence >= min_sequence),
            rollout_permille,
            sequence: release.sequence,
            sha256: release.sha256.clone(),
            size: release.size,
        };
        check_offer(&channel)?;
        signed(root, Role::Channel, &channel, &keys.channel, &path)
    }
}

/// Adds the signatures of `keys` to a signed file.
///
/// # Errors
/// A file that is no signed file or cannot be written.
pub fn sign(path: &Path, keys: &[PrivateKey]) -> Result<(), LabError> {
    let mut envelope = Envelope::read(path)?;
    for key in keys {
        envelope.sign(key, path)?;
    }
    write(path, envelope.text()?.as_bytes())
}

/// The text of a file with the signatures of `keys`, which must suffice.
fn signed<T: serde::Serialize>(
    root: &Root,
    role: Role,
    payload: &T,
    keys: &[PrivateKey],
    what: &Path,
) -> Result<String, LabError> {
    let mut envelope = Envelope::new(role, payload)?;
    for key in keys {
        envelope.sign(key, what)?;
    }
    root.check_signed(role, &envelope, what)?;
    envelope.text()
}

fn check_later(before: &Channel, at: u64, path: &Path) -> Result<(), LabError> {
    if at > before.created {
        return Ok(());
    }
    let expected = format!("a channel file from before {at} ms, since devices take the later of two");
    Err(LabError::file(path, &expected, format!("one of {} ms", before.created)))
}

fn check_offer(channel: &Channel) -> Result<(), LabError> {
    if channel.rollout_permille > EVERYBODY {
        return Err(LabError::unreadable(format!(
            "expected a rollout of at most {EVERYBODY} thousandths, got {}",
            channel.rollout_permille
        )));
    }
    // One above the release switches off everything that there is.
    if channel.min_sequence > channel.sequence.saturating_add(1) {
        return Err(LabError::unreadable(format!(
            "expected a smallest sequence of at most {}, got {}",
            channel.sequence.saturating_add(1),
            channel.min_sequence
        )));
    }
    Ok(())
}

/// Channel names are parts of file names.
fn check_name(name: &str) -> Result<(), LabError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = name.bytes().next().is_some_and(fits) && name.len() <= 40 && name.bytes().all(|byte| fits(byte) || byte == b'-');
    if good {
        return Ok(());
    }
    Err(LabError::unreadable(format!("expected a channel of small letters, digits and hyphens, at most 40, got \"{name}\"")))
}

/// Writes a file in one step: whoever fetches it gets the old bytes or the new ones.
fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| LabError::file(path, "a file that can be written", error))
}

#[cfg(test)]
mod tests;
