//! Ed25519 keys in files: PKCS #8 in PEM, as OpenSSL reads and writes them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ed25519_dalek::ed25519::pkcs8::KeypairBytes;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::error::LabError;

/// Lower-case hexadecimal SHA-256.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A public key and its id: the SHA-256 of its 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The id.
    pub keyid: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// The key of 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
        // A key of small order verifies what nobody signed.
        (!key.is_weak()).then(|| Self::of(key))
    }

    fn of(key: VerifyingKey) -> Self {
        Self { keyid: sha256_hex(key.as_bytes()), key }
    }

    /// Reads a public key, or the public half of a private one.
    ///
    /// # Errors
    /// A file that cannot be read or holds neither.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable key", error))?;
        if text.contains("PRIVATE KEY") {
            return Ok(PrivateKey::read(path)?.public());
        }
        let key = VerifyingKey::from_public_key_pem(&text)
            .map_err(|error| LabError::file(path, "an Ed25519 public key in PEM", error))?;
        Ok(Self::of(key))
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `signature` is its signature of `message`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature).is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

/// A private key. Never printed.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// The key of a seed (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads a private key that nobody else may read.
    ///
    /// # Errors
    /// A file that others may read, that cannot be read, or that holds no Ed25519 private key.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        refuse_open(path)?;
        let text = fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable private key", error))?;
        SigningKey::from_pkcs8_pem(&text)
            .map(Self)
            .map_err(|error| LabError::file(path, "an Ed25519 private key in PKCS #8 and PEM", error))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::of(self.0.verifying_key())
    }

    /// Its signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// Writes the private key to `path`, for its owner alone, and the public one beside it with `.pub` after the name; the path of that.
    ///
    /// # Errors
    /// A file that is there already is never replaced.
    pub fn write(&self, path: &Path) -> Result<PathBuf, LabError> {
        let failed = |error: &dyn std::fmt::Display| LabError::failed(format!("the key cannot be put into PEM: {error}"));
        // Version 1, without the public half: older OpenSSL reads no other.
        let private = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        let private = private.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(&error))?;
        let public = self.0.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|error| failed(&error))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".pub");
        let beside = PathBuf::from(beside);
        write_new(&beside, public.as_bytes(), 0o644)?;
        write_new(path, private.as_bytes(), 0o600)?;
        Ok(beside)
    }
}

/// Makes a key from the system's randomness.
///
/// # Errors
/// When the system has none to give.
pub fn generate() -> Result<PrivateKey, LabError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| LabError::failed(format!("no randomness from the system: {error}")))?;
    Ok(PrivateKey::from_seed(&seed))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), LabError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path).map_err(|error| LabError::file(path, "a new file", error))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| LabError::file(path, "a file that can be written", error))
}

/// Refuses a file that group or others may read or write.
#[cfg(unix)]
fn refuse_open(path: &Path) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt;
    let data = fs::metadata(path).map_err(|error| LabError::file(path, "a readable private key", error))?;
    let mode = data.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(LabError::file(path, "a private key with mode 600", format!("mode {mode:o}: others may get at it")));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open(_: &Path) -> Result<(), LabError> {
    Ok(())
}
