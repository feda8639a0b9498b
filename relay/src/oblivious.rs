//! Encapsulation (RFC 9458, section 4) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-128-GCM.

use crate::message::MESSAGE;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, KeyInit};
use core::convert::Infallible;
use hkdf::Hkdf;
use hpke::aead::AesGcm128;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeS, Serializable, setup_sender_with_rng};
use rand_core::{TryCryptoRng, TryRng};
use sha2::Sha256;

/// Bytes of entropy for one request.
pub const ENTROPY: usize = 32;

const HEADER: usize = 7;
const PUBLIC_KEY: usize = 32;
const TAG: usize = 16;
const SECRET: usize = 16;
const NONCE: usize = 12;

/// Bytes of every encapsulated request.
pub const SEALED: usize = HEADER + PUBLIC_KEY + MESSAGE + TAG;

/// The identifiers of the key encapsulation, of the key derivation and of the cipher (RFC 9180, section 7).
const KEM: [u8; 2] = [0, 0x20];
const KDF_AND_CIPHER: [u8; 4] = [0, 1, 0, 1];

const REQUEST: &[u8; 22] = b"message/bhttp request\0";
const RESPONSE: &[u8; 22] = b"message/bhttp response";

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// More than there is room for.
    Length,
    /// No key configuration with this key encapsulation and cipher.
    Keys,
    /// The address of the gateway is too long for the message.
    Address,
    /// The public key is none.
    Sealing,
    /// The answer is not one to what was sealed last.
    Opening,
    /// The answer is no response.
    Answer,
}

impl Problem {
    /// The number the page gets.
    pub fn code(self) -> i32 {
        match self {
            Self::Length => -1,
            Self::Keys => -2,
            Self::Address => -3,
            Self::Sealing => -4,
            Self::Opening => -5,
            Self::Answer => -6,
        }
    }
}

/// An encapsulated request, and what opens its answer.
pub struct Sealed {
    /// What goes to the relay.
    pub bytes: [u8; SEALED],
    secret: [u8; SECRET],
}

/// The bytes that the page drew, once.
struct Given<'a>(&'a [u8]);

impl TryRng for Given<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        let (now, later) = self.0.split_at_checked(to.len()).unwrap_or_default();
        // The one key pair takes all of it in one draw; a second draw would get nothing and be seen by the tests.
        debug_assert_eq!(now.len(), to.len(), "expected one draw of the entropy");
        for (to, from) in to.iter_mut().zip(now) {
            *to = *from;
        }
        self.0 = later;
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}

/// Seals `message` for the first key of `keys` that can be used: a key configuration (RFC 9458, section 3.1) or a list of them, each after its
/// length (`application/ohttp-keys`).
///
/// # Errors
/// [`Problem::Keys`] where there is none, [`Problem::Sealing`] where its public key is none.
pub fn seal(keys: &[u8], message: &[u8; MESSAGE], entropy: &[u8; ENTROPY]) -> Result<Sealed, Problem> {
    let (id, key) = usable(keys).ok_or(Problem::Keys)?;
    let mut bytes = [0; SEALED];
    let (header, rest) = bytes.split_at_mut(HEADER);
    let (enc, sealed) = rest.split_at_mut(PUBLIC_KEY);
    let (sealed, tag) = sealed.split_at_mut(MESSAGE);
    header.copy_from_slice(&[id, KEM[0], KEM[1], KDF_AND_CIPHER[0], KDF_AND_CIPHER[1], KDF_AND_CIPHER[2], KDF_AND_CIPHER[3]]);
    let mut info = [0; REQUEST.len() + HEADER];
    info[..REQUEST.len()].copy_from_slice(REQUEST);
    info[REQUEST.len()..].copy_from_slice(header);

    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).map_err(|_| Problem::Sealing)?;
    let (encapped, mut context) =
        setup_sender_with_rng::<AesGcm128, HkdfSha256, X25519HkdfSha256>(&OpModeS::Base, &key, &info, &mut Given(entropy))
            .map_err(|_| Problem::Sealing)?;
    enc.copy_from_slice(&encapped.to_bytes());
    sealed.copy_from_slice(message);
    let made = context.seal_inout_detached(sealed.into(), &[]).map_err(|_| Problem::Sealing)?;
    tag.copy_from_slice(&made.to_bytes());
    let mut secret = [0; SECRET];
    context.export(RESPONSE, &mut secret).map_err(|_| Problem::Sealing)?;
    Ok(Sealed { bytes, secret })
}

impl Sealed {
    /// Opens the answer in place (RFC 9458, section 4.4).
    ///
    /// # Errors
    /// [`Problem::Opening`] where it is not an answer to this request.
    pub fn open(self, answer: &mut [u8]) -> Result<&[u8], Problem> {
        let (response_nonce, rest) = answer.split_at_mut_checked(SECRET).ok_or(Problem::Opening)?;
        let end = rest.len().checked_sub(TAG).ok_or(Problem::Opening)?;
        let (message, tag) = rest.split_at_mut(end);
        let mut salt = [0; PUBLIC_KEY + SECRET];
        salt[..PUBLIC_KEY].copy_from_slice(&self.bytes[HEADER..HEADER + PUBLIC_KEY]);
        salt[PUBLIC_KEY..].copy_from_slice(response_nonce);
        let derivation = Hkdf::<Sha256>::new(Some(&salt), &self.secret);
        let mut key = [0; SECRET];
        let mut nonce = [0; NONCE];
        derivation.expand(b"key", &mut key).map_err(|_| Problem::Opening)?;
        derivation.expand(b"nonce", &mut nonce).map_err(|_| Problem::Opening)?;
        let tag = <[u8; TAG]>::try_from(&*tag).map_err(|_| Problem::Opening)?;
        Aes128Gcm::new(&key.into())
            .decrypt_inout_detached(&nonce.into(), &[], (&mut *message).into(), &tag.into())
            .map_err(|_| Problem::Opening)?;
        Ok(message)
    }
}

/// Identifier and public key of the first configuration that can be used.
fn usable(keys: &[u8]) -> Option<(u8, &[u8])> {
    if let Some(found) = configuration(keys) {
        return Some(found);
    }
    let mut rest = keys;
    while let Some((length, more)) = rest.split_first_chunk() {
        let (one, after) = more.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if let Some(found) = configuration(one) {
            return Some(found);
        }
        rest = after;
    }
    None
}

/// Reads one configuration whole: identifier, key encapsulation, public key, the length of the list of suites, the suites.
fn configuration(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (id, rest) = bytes.split_first()?;
    let rest = rest.strip_prefix(&KEM)?;
    let (key, rest) = rest.split_at_checked(PUBLIC_KEY)?;
    let (length, suites) = rest.split_first_chunk()?;
    let whole = usize::from(u16::from_be_bytes(*length)) == suites.len() && suites.len() % KDF_AND_CIPHER.len() == 0;
    (whole && suites.chunks_exact(KDF_AND_CIPHER.len()).any(|suite| suite == KDF_AND_CIPHER)).then_some((*id, key))
}
