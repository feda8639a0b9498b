//! What signed files say. Fields stand in the order of their names, since their bytes are signed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, Role};
use super::keys::PublicKey;
use crate::error::LabError;

/// Version of the three payloads.
pub const FORMAT: u32 = 1;
/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;
/// Most keys of a root.
pub const MAX_KEYS: usize = 64;
/// Largest whole number that JavaScript holds exactly.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;
/// The part of a thousand that is everybody.
pub const EVERYBODY: u16 = 1000;

/// Which keys there are, and what each may sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// When it was made; milliseconds since the Unix epoch, as all times here.
    pub created: u64,
    /// From then on devices take nothing new.
    pub expires: u64,
    format: u32,
    keys: BTreeMap<String, String>,
    roles: Roles,
    /// From 1; each root is one higher than the one before.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Roles {
    bundle: RoleKeys,
    channel: RoleKeys,
    root: RoleKeys,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RoleKeys {
    keyids: BTreeSet<String>,
    threshold: usize,
}

/// The keys of one role, and how many of them it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signers {
    /// The keys.
    pub keys: Vec<PublicKey>,
    /// At least 1, at most as many as there are keys.
    pub threshold: usize,
}

impl Root {
    /// A root over the keys of root, bundle and channel.
    ///
    /// # Errors
    /// A threshold out of range, or too many keys.
    pub fn new(version: u64, created: u64, days: u32, signers: [Signers; 3]) -> Result<Self, LabError> {
        let mut keys = BTreeMap::new();
        let [root, bundle, channel] = signers.map(|signers| {
            for key in &signers.keys {
                keys.insert(key.keyid.clone(), STANDARD.encode(key.bytes()));
            }
            RoleKeys { keyids: signers.keys.into_iter().map(|key| key.keyid).collect(), threshold: signers.threshold }
        });
        let made = Self {
            created,
            expires: expiry(created, days),
            format: FORMAT,
            keys,
            roles: Roles { bundle, channel, root },
            version,
        };
        made.check(Path::new("the root"))?;
        Ok(made)
    }

    /// Reads a root and checks that it keeps to its own rules, its own signatures included.
    ///
    /// # Errors
    /// What does not fit.
    pub fn open(envelope: &Envelope, what: &Path) -> Result<Self, LabError> {
        let root: Self = envelope.payload(Role::Root, what)?;
        root.check(what)?;
        Ok(root)
    }

    fn check(&self, what: &Path) -> Result<(), LabError> {
        check_format(self.format, what)?;
        if self.version == 0 || self.version > MAX_NUMBER || self.keys.len() > MAX_KEYS || self.expires < self.created {
            return Err(LabError::file(
                what,
                &format!("a version from 1, at most {MAX_KEYS} keys, an expiry after the start"),
                "others",
            ));
        }
        for role in [Role::Root, Role::Bundle, Role::Channel] {
            let RoleKeys { keyids, threshold } = self.role(role);
            if *threshold == 0 || *threshold > keyids.len() {
                let expected = format!("a threshold of the {} role from 1 to its {} keys", role.name(), keyids.len());
                return Err(LabError::file(what, &expected, threshold));
            }
            if self.signers(role).is_none() {
                return Err(LabError::file(
                    what,
                    &format!("listed keys for the {} role, by the SHA-256 of each", role.name()),
                    "others",
                ));
            }
        }
        Ok(())
    }

    fn role(&self, role: Role) -> &RoleKeys {
        match role {
            Role::Root => &self.roles.root,
            Role::Bundle => &self.roles.bundle,
            Role::Channel => &self.roles.channel,
        }
    }

    /// The keys of a role; none where the root is not sound.
    #[must_use]
    pub fn signers(&self, role: Role) -> Option<Signers> {
        let RoleKeys { keyids, threshold } = self.role(role);
        let keys = keyids.iter().map(|keyid| {
            let bytes = STANDARD.decode(self.keys.get(keyid)?).ok()?;
            PublicKey::from_bytes(&bytes).filter(|key| key.keyid == *keyid)
        });
        Some(Signers { keys: keys.collect::<Option<Vec<_>>>()?, threshold: *threshold })
    }

    /// Refuses an envelope that too few keys of the role have signed.
    ///
    /// # Errors
    /// With how many there are and how many it takes.
    pub fn check_signed(&self, role: Role, envelope: &Envelope, what: &Path) -> Result<(), LabError> {
        let missing = || LabError::file(what, "a sound root", format!("none for the {} role", role.name()));
        let signers = self.signers(role).ok_or_else(missing)?;
        let count = envelope.signed_by(&signers.keys, what)?;
        if count < signers.threshold {
            let expected = format!("{} signatures of the {} keys in root {}", signers.threshold, role.name(), self.version);
            return Err(LabError::file(what, &expected, count));
        }
        Ok(())
    }
}

/// One published bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// From 1; never the same twice in a channel, never going back.
    pub sequence: u64,
    /// SHA-256 of the bundle, which is also its name.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What a channel offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Channel {
    /// Its name.
    pub channel: String,
    /// When it was signed; a later file replaces an earlier one.
    pub created: u64,
    /// From then on devices no longer believe it.
    pub expires: u64,
    /// Version of the payload.
    pub format: u32,
    /// Bundles with a smaller sequence are switched off.
    pub min_sequence: u64,
    /// For the devices outside the rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<Release>,
    /// How many devices of a thousand take the release.
    pub rollout_permille: u16,
    /// Of the release.
    pub sequence: u64,
    /// Of the release.
    pub sha256: String,
    /// Of the release.
    pub size: u64,
}

impl Channel {
    /// What it offers to the devices of the rollout.
    #[must_use]
    pub fn release(&self) -> Release {
        Release { sequence: self.sequence, sha256: self.sha256.clone(), size: self.size }
    }

    /// Opens the file of a channel under a root.
    ///
    /// # Errors
    /// Too few signatures, or another channel's file.
    pub fn open(root: &Root, channel: &str, what: &Path) -> Result<Self, LabError> {
        let envelope = Envelope::read(what)?;
        root.check_signed(Role::Channel, &envelope, what)?;
        let found: Self = envelope.payload(Role::Channel, what)?;
        check_format(found.format, what)?;
        if found.channel != channel {
            return Err(LabError::file(what, &format!("channel {channel}"), found.channel));
        }
        Ok(found)
    }
}

/// What the bundle key vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The channel it is for.
    pub channel: String,
    /// When it was signed.
    pub created: u64,
    /// From then on the bundle serves no more.
    pub expires: u64,
    /// Version of the payload.
    pub format: u32,
    /// Of the release.
    pub sequence: u64,
    /// Of the release.
    pub sha256: String,
    /// Of the release.
    pub size: u64,
}

fn check_format(found: u32, what: &Path) -> Result<(), LabError> {
    if found == FORMAT { Ok(()) } else { Err(LabError::file(what, &format!("format {FORMAT}"), found)) }
}

/// So many days after.
#[must_use]
pub fn expiry(created: u64, days: u32) -> u64 {
    created.saturating_add(u64::from(days) * DAY_MS).min(MAX_NUMBER)
}
