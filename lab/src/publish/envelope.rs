//! Signed files: DSSE (Dead Simple Signing Envelope, version 1), the payload being JSON with sorted keys.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::keys::{PrivateKey, PublicKey};
use crate::error::LabError;

/// Largest signed file, in bytes; devices read no more.
pub const MAX_FILE_BYTES: usize = 65_536;
/// Most signatures of a file.
pub const MAX_SIGNATURES: usize = 64;

/// Who signs what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Says which keys there are.
    Root,
    /// Vouches for a bundle.
    Bundle,
    /// Says which bundle is the newest.
    Channel,
}

impl Role {
    /// As it stands in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Bundle => "bundle",
            Self::Channel => "channel",
        }
    }

    fn payload_type(self) -> String {
        format!("application/vnd.ears-only.{}+json", self.name())
    }
}

/// A signed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Signature {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Not signed yet. The fields of `payload` must be declared in the order of their names: its bytes are what is signed.
    ///
    /// # Errors
    /// None for the payloads of this module.
    pub fn new<T: Serialize>(role: Role, payload: &T) -> Result<Self, LabError> {
        let payload = json(payload)?;
        Ok(Self { payload: STANDARD.encode(payload), payload_type: role.payload_type(), signatures: Vec::new() })
    }

    /// Reads a signed file; the signatures are not looked at.
    ///
    /// # Errors
    /// A file that cannot be read, is too long, or is no envelope.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let bytes = std::fs::read(path).map_err(|error| LabError::file(path, "a readable signed file", error))?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(LabError::file(path, &format!("at most {MAX_FILE_BYTES} bytes"), bytes.len()));
        }
        serde_json::from_slice(&bytes).map_err(|error| LabError::file(path, "a signed file (a DSSE envelope in JSON)", error))
    }

    /// What it says, whoever says it.
    ///
    /// # Errors
    /// Another type than the role's, or a payload of another shape; `what` names the file in the message.
    pub fn payload<T: for<'de> Deserialize<'de>>(&self, role: Role, what: &Path) -> Result<T, LabError> {
        let expected = role.payload_type();
        if self.payload_type != expected {
            return Err(LabError::file(what, &expected, &self.payload_type));
        }
        serde_json::from_slice(&self.bytes(what)?)
            .map_err(|error| LabError::file(what, &format!("a {} payload", role.name()), error))
    }

    fn bytes(&self, what: &Path) -> Result<Vec<u8>, LabError> {
        STANDARD.decode(&self.payload).map_err(|error| LabError::file(what, "a payload in base64", error))
    }

    /// What is signed: type and payload with their lengths (DSSE, pre-authentication encoding).
    fn message(&self, what: &Path) -> Result<Vec<u8>, LabError> {
        let payload = self.bytes(what)?;
        let head = format!("DSSEv1 {} {} {} ", self.payload_type.len(), self.payload_type, payload.len());
        Ok([head.as_bytes(), &payload].concat())
    }

    /// Adds a signature; one of the same key is replaced. Signatures stand in the order of their key ids.
    ///
    /// # Errors
    /// A payload that is no base64, or too many signatures.
    pub fn sign(&mut self, key: &PrivateKey, what: &Path) -> Result<(), LabError> {
        let message = self.message(what)?;
        let keyid = key.public().keyid;
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.signatures.push(Signature { keyid, sig: STANDARD.encode(key.sign(&message)) });
        self.signatures.sort();
        match self.signatures.len() {
            count if count > MAX_SIGNATURES => Err(LabError::file(what, &format!("at most {MAX_SIGNATURES} signatures"), count)),
            _ => Ok(()),
        }
    }

    /// How many of `keys` have signed; each counts once.
    ///
    /// # Errors
    /// A payload that is no base64.
    pub fn signed_by<'a>(&self, keys: impl IntoIterator<Item = &'a PublicKey>, what: &Path) -> Result<usize, LabError> {
        let message = self.message(what)?;
        let good = |key: &&PublicKey| {
            self.signatures.iter().any(|signature| {
                signature.keyid == key.keyid && STANDARD.decode(&signature.sig).is_ok_and(|bytes| key.verifies(&message, &bytes))
            })
        };
        Ok(keys.into_iter().filter(good).count())
    }

    /// The file.
    ///
    /// # Errors
    /// More bytes than a device reads.
    pub fn text(&self) -> Result<String, LabError> {
        let text = json(self)?;
        match text.len() {
            length if length > MAX_FILE_BYTES => {
                Err(LabError::failed(format!("expected a signed file of at most {MAX_FILE_BYTES} bytes, got {length}")))
            }
            _ => Ok(text),
        }
    }
}

/// JSON without spaces; structs keep their fields in the order of their names.
fn json<T: Serialize>(value: &T) -> Result<String, LabError> {
    serde_json::to_string(value).map_err(|error| LabError::failed(format!("no JSON could be made: {error}")))
}
