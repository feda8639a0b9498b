//! `keygen`, `sign` and `publish` as they are called.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::keys::{self, PrivateKey, PublicKey};
use super::payload::EVERYBODY;
use super::{BUNDLE_DAYS, CHANNEL_DAYS, Folder, NewRoot, Offer, PublishKeys, ROOT_DAYS, now, sign};
use crate::error::LabError;

/// Makes an Ed25519 key: the private one in OUT, readable by you alone, the public one in OUT.pub.
#[derive(Args)]
pub struct Keygen {
    /// File of the private key; must not exist.
    out: PathBuf,
}

/// Signs a root that waits for signatures.
#[derive(Args)]
pub struct Sign {
    /// A signed file, such as 2.root.json.
    file: PathBuf,
    /// Private keys.
    #[arg(long = "key", required = true)]
    keys: Vec<PathBuf>,
}

/// Publishes to a folder of static files.
#[derive(Args)]
pub struct Publish {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The next root: which keys sign, and how many of each it takes. Roles that are left out stay as they are.
    Root(RootArguments),
    /// A bundle, to the devices of a channel.
    Bundle(BundleArguments),
    /// The channel file again: for longer, to more devices, or with another kill switch.
    Channel(ChannelArguments),
    /// The bytes of an earlier sequence under the next one: the way back from a bad release.
    Rollback(RollbackArguments),
}

#[derive(Args)]
struct RootArguments {
    /// Folder of published files.
    folder: PathBuf,
    /// Public keys that sign roots.
    #[arg(long)]
    root_key: Vec<PathBuf>,
    /// How many of them it takes.
    #[arg(long)]
    root_threshold: Option<usize>,
    /// Public keys that sign bundles.
    #[arg(long)]
    bundle_key: Vec<PathBuf>,
    /// How many of them it takes.
    #[arg(long)]
    bundle_threshold: Option<usize>,
    /// Public keys that sign channel files.
    #[arg(long)]
    channel_key: Vec<PathBuf>,
    /// How many of them it takes.
    #[arg(long)]
    channel_threshold: Option<usize>,
    /// Days until it expires.
    #[arg(long, default_value_t = ROOT_DAYS)]
    days: u32,
    /// Private root keys that sign at once; others sign with `ears-lab sign`.
    #[arg(long)]
    sign: Vec<PathBuf>,
    /// Activates the root that was waiting for signatures, and makes none.
    #[arg(long, conflicts_with_all = ["root_key", "root_threshold", "bundle_key", "bundle_threshold", "channel_key", "channel_threshold", "sign"])]
    finish: bool,
    /// Time of signing, in milliseconds since the Unix epoch. Default: now.
    #[arg(long)]
    at: Option<u64>,
}

#[derive(Args)]
struct OfferArguments {
    /// Folder of published files.
    folder: PathBuf,
    /// Name of the channel.
    #[arg(long, default_value = "stable")]
    channel: String,
    /// Private keys that sign channel files.
    #[arg(long, required = true)]
    channel_key: Vec<PathBuf>,
    /// How many devices of a thousand take the release; the others go on with the last one that everybody could take.
    #[arg(long)]
    rollout: Option<u16>,
    /// The kill switch: bundles with a smaller sequence are switched off.
    #[arg(long)]
    min_sequence: Option<u64>,
    /// Days until the channel file expires.
    #[arg(long, default_value_t = CHANNEL_DAYS)]
    days: u32,
    /// Time of signing, in milliseconds since the Unix epoch. Default: now.
    #[arg(long)]
    at: Option<u64>,
}

#[derive(Args)]
struct VouchArguments {
    /// Private keys that sign bundles.
    #[arg(long, required = true)]
    bundle_key: Vec<PathBuf>,
    /// Days that the bundle serves.
    #[arg(long, default_value_t = BUNDLE_DAYS)]
    bundle_days: u32,
}

#[derive(Args)]
struct BundleArguments {
    #[command(flatten)]
    offer: OfferArguments,
    /// The bundle.
    bundle: PathBuf,
    #[command(flatten)]
    vouch: VouchArguments,
}

#[derive(Args)]
struct ChannelArguments {
    #[command(flatten)]
    offer: OfferArguments,
}

#[derive(Args)]
struct RollbackArguments {
    #[command(flatten)]
    offer: OfferArguments,
    /// The earlier sequence.
    #[arg(long)]
    to: u64,
    #[command(flatten)]
    vouch: VouchArguments,
}

impl Keygen {
    /// Makes the key; what to tell.
    ///
    /// # Errors
    /// A file that is there already.
    pub fn run(&self) -> Result<String, LabError> {
        let key = keys::generate()?;
        let public = key.write(&self.out)?;
        Ok(format!("{}: private key\n{}: public key {}\n", self.out.display(), public.display(), key.public().keyid))
    }
}

impl Sign {
    /// Signs; what to tell.
    ///
    /// # Errors
    /// A key that others may read, or a file that is no signed file.
    pub fn run(&self) -> Result<String, LabError> {
        let keys = private_keys(&self.keys)?;
        sign(&self.file, &keys)?;
        Ok(keys.iter().map(|key| format!("{}: signed by {}\n", self.file.display(), key.public().keyid)).collect())
    }
}

impl Publish {
    /// Publishes; what to tell.
    ///
    /// # Errors
    /// As the functions of [`Folder`].
    pub fn run(&self) -> Result<String, LabError> {
        match &self.what {
            What::Root(arguments) => arguments.run(),
            What::Bundle(BundleArguments { offer, bundle, vouch }) => {
                let bytes = std::fs::read(bundle).map_err(|error| LabError::file(bundle, "a readable bundle", error))?;
                let (folder, keys) = (Folder::open(&offer.folder)?, vouch.keys(offer)?);
                let release = folder.publish(&offer.channel, &bytes, &keys, &offer.offer(), vouch.bundle_days)?;
                Ok(told(offer, release.sequence, &release.sha256))
            }
            What::Rollback(RollbackArguments { offer, to, vouch }) => {
                let (folder, keys) = (Folder::open(&offer.folder)?, vouch.keys(offer)?);
                let release = folder.roll_back(&offer.channel, *to, &keys, &offer.offer(), vouch.bundle_days)?;
                Ok(told(offer, release.sequence, &release.sha256))
            }
            What::Channel(ChannelArguments { offer }) => {
                let keys = private_keys(&offer.channel_key)?;
                let channel = Folder::open(&offer.folder)?.renew(&offer.channel, &keys, &offer.offer())?;
                Ok(format!(
                    "channel {}: sequence {}, rollout {} of {EVERYBODY}, smallest sequence {}, until {} ms\n",
                    channel.channel, channel.sequence, channel.rollout_permille, channel.min_sequence, channel.expires
                ))
            }
        }
    }
}

fn told(offer: &OfferArguments, sequence: u64, sha256: &str) -> String {
    format!(
        "channel {}: sequence {sequence}, rollout {} of {EVERYBODY}\n{sha256}.bundle\n",
        offer.channel,
        offer.rollout.unwrap_or(EVERYBODY)
    )
}

impl RootArguments {
    fn run(&self) -> Result<String, LabError> {
        let folder = Folder::open(&self.folder)?;
        if self.finish {
            let none = || LabError::file(&self.folder, "a root that waits for signatures", "none");
            let version = folder.waiting_root()?.ok_or_else(none)?;
            return match folder.activate(version)? {
                None => Ok(format!("root {version} is active\n")),
                Some(missing) => Err(missing),
            };
        }
        let public = |paths: &[PathBuf]| paths.iter().map(|path| PublicKey::read(path)).collect::<Result<Vec<_>, _>>();
        let new = NewRoot {
            keys: [public(&self.root_key)?, public(&self.bundle_key)?, public(&self.channel_key)?],
            thresholds: [self.root_threshold, self.bundle_threshold, self.channel_threshold],
            days: self.days,
            at: self.at.unwrap_or_else(now),
        };
        let (path, active) = folder.new_root(new, &private_keys(&self.sign)?)?;
        let state = if active { "active" } else { "waits for signatures: ears-lab sign, then ears-lab publish root --finish" };
        Ok(format!("{}: {state}\n", path.display()))
    }
}

impl OfferArguments {
    fn offer(&self) -> Offer {
        Offer {
            rollout_permille: self.rollout,
            min_sequence: self.min_sequence,
            days: self.days,
            at: self.at.unwrap_or_else(now),
        }
    }
}

impl VouchArguments {
    fn keys(&self, offer: &OfferArguments) -> Result<PublishKeys, LabError> {
        Ok(PublishKeys { bundle: private_keys(&self.bundle_key)?, channel: private_keys(&offer.channel_key)? })
    }
}

fn private_keys(paths: &[PathBuf]) -> Result<Vec<PrivateKey>, LabError> {
    paths.iter().map(|path| PrivateKey::read(path)).collect()
}
