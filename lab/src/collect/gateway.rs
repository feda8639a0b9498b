//! The gateway of oblivious HTTP (RFC 9458): opens what came through a relay, so that no address comes with a record.
//!
//! One key, from 32 secret bytes in a file: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. Inside stands a binary HTTP request
//! (RFC 9292) whose content is a body, with or without its zeros.

use std::io::Cursor;
use std::path::Path;

use bhttp::{Message, Mode, StatusCode};
use ohttp::hpke::{Aead, Kdf, Kem};
use ohttp::{KeyConfig, Server, ServerResponse, SymmetricSuite};

use crate::error::LabError;

/// Bytes of the secret.
const SECRET: usize = 32;
/// Length to which answers are filled up; every code fits.
const ANSWER: usize = 64;
/// Number of the key, public.
const KEY_ID: u8 = 1;

/// Opens and answers encapsulated requests.
pub struct Gateway {
    server: Server,
    configuration: Vec<u8>,
}

/// What came in one request: its content, and how to answer it.
pub struct Opened {
    /// Content of the POST inside.
    pub content: Vec<u8>,
    answer: ServerResponse,
}

impl Gateway {
    /// The gateway of 32 secret bytes.
    ///
    /// # Errors
    /// When the key cannot be derived.
    pub fn new(secret: &[u8; SECRET]) -> Result<Self, LabError> {
        let failed = |error: ohttp::Error| LabError::failed(format!("key of the gateway: {error}"));
        ohttp::init();
        let suites = || vec![SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm)];
        let config = KeyConfig::derive(KEY_ID, Kem::X25519Sha256, suites(), secret).map_err(failed)?;
        let configuration = KeyConfig::encode_list(&[&config]).map_err(failed)?;
        Ok(Self { server: Server::new(config).map_err(failed)?, configuration })
    }

    /// Reads the secret as 64 hexadecimal digits; makes the file, readable by its owner alone, when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or written, or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, LabError> {
        let mut secret = [0; SECRET];
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = text.trim();
                if text.len() != 2 * SECRET || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(LabError::file(path, "64 hexadecimal digits", format!("{} characters", text.len())));
                }
                for (at, byte) in secret.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16)
                        .map_err(|error| LabError::file(path, "64 hexadecimal digits", error))?;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let wrong = |error: std::io::Error| LabError::file(path, "a file that can be written", error);
                getrandom::fill(&mut secret)
                    .map_err(|error| LabError::failed(format!("random numbers of the system: {error}")))?;
                let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
                let mut options = std::fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(path).map_err(wrong)?;
                std::io::Write::write_all(&mut file, text.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)?;
            }
            Err(error) => return Err(LabError::file(path, "a readable file", error)),
        }
        Self::new(&secret)
    }

    /// The key configuration that devices need, as `application/ohttp-keys`.
    #[must_use]
    pub fn configuration(&self) -> &[u8] {
        &self.configuration
    }

    /// Opens a request; nothing when it is not for this key or holds no binary HTTP POST.
    #[must_use]
    pub fn open(&self, sealed: &[u8]) -> Option<Opened> {
        let (message, answer) = self.server.decapsulate(sealed).ok()?;
        let message = Message::read_bhttp(&mut Cursor::new(&message[..])).ok()?;
        let post = message.control().method() == Some(b"POST");
        post.then(|| Opened { content: message.content().to_vec(), answer })
    }
}

impl Opened {
    /// Seals the answer: a status and, below 400, nothing else.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn answer(self, status: u16, code: &str) -> Result<Vec<u8>, LabError> {
        let failed = |error: String| LabError::failed(format!("answer of the gateway: {error}"));
        let mut message = Message::response(StatusCode::try_from(status).map_err(|error| failed(error.to_string()))?);
        message.write_content(code);
        let mut bytes = Vec::new();
        message.write_bhttp(Mode::KnownLength, &mut bytes).map_err(|error| failed(error.to_string()))?;
        // The relay shall not see by the length what became of it.
        bytes.resize(bytes.len().max(ANSWER), 0);
        self.answer.encapsulate(&bytes).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::{BODY_FORMAT, SHORT_BYTES};
    use ohttp::ClientRequest;

    #[test]
    fn what_the_other_half_seals_is_opened_and_answered() {
        let gateway = Gateway::new(&[7; SECRET]).unwrap();
        let content: Vec<u8> = std::iter::once(BODY_FORMAT).chain(1..SHORT_BYTES as u8).collect();
        let mut message = Message::request(b"POST".into(), b"https".into(), b"collector.example".into(), b"/records".into());
        message.write_content(&content);
        let mut bytes = Vec::new();
        message.write_bhttp(Mode::KnownLength, &mut bytes).unwrap();
        // Filled up with zeros to one size, as devices do.
        bytes.resize(256, 0);
        let client = ClientRequest::from_encoded_config_list(gateway.configuration()).unwrap();
        let (sealed, answer) = client.encapsulate(&bytes).unwrap();
        assert_eq!(sealed.len(), 256 + 55);
        let opened = gateway.open(&sealed).unwrap();
        assert_eq!(opened.content, content);
        let answered = answer.decapsulate(&opened.answer(400, "epoch_stale").unwrap()).unwrap();
        let answered = Message::read_bhttp(&mut Cursor::new(&answered[..])).unwrap();
        assert_eq!(answered.control().status().unwrap().code(), 400);
        assert_eq!(answered.content(), b"epoch_stale");
        // Another key, a changed byte, a cut one.
        assert!(Gateway::new(&[8; SECRET]).unwrap().open(&sealed).is_none());
        let mut changed = sealed.clone();
        changed[100] ^= 1;
        assert!(gateway.open(&changed).is_none() && gateway.open(&sealed[..50]).is_none() && gateway.open(&[]).is_none());
    }

    #[test]
    fn the_secret_is_made_once_and_read_again() {
        let path = std::env::temp_dir().join(format!("ears-lab-gateway-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let made = Gateway::from_file(&path).unwrap();
        assert_eq!(made.configuration(), Gateway::from_file(&path).unwrap().configuration());
        std::fs::write(&path, "short").unwrap();
        assert!(Gateway::from_file(&path).is_err_and(|error| error.to_string().contains("64 hexadecimal digits")));
        std::fs::remove_file(&path).unwrap();
    }
}
