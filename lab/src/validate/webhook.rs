//! Sends what was found to an address, and tries again when that fails for the moment.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::TlsConfig;

use super::Outcome;
use super::finding::Severity;
use crate::error::{EXIT_REFUSED, EXIT_UNAVAILABLE, LabError};

/// How long one attempt may take, in all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pauses before the second attempt, the third and so on.
pub const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Findings that a message names one by one.
const NAMED: usize = 10;

/// Where messages go.
#[derive(Clone, Debug)]
pub struct Webhook {
    address: String,
    agent: Agent,
}

/// Why a message did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Attempts that were made.
    pub attempts: usize,
    /// What the last one met.
    pub why: String,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the webhook was not reached in {} attempts: {}", self.attempts, self.why)
    }
}

impl Webhook {
    /// A webhook at an address that begins with `https://` or `http://`.
    ///
    /// # Errors
    /// When the address is not of that form.
    pub fn new(address: &str) -> Result<Self, LabError> {
        let wrong = || LabError::unreadable(format!("expected --webhook https://HOST/PATH or http://HOST/PATH, got {address}"));
        let (_, rest) = address.split_once("://").filter(|(scheme, _)| matches!(*scheme, "https" | "http")).ok_or_else(wrong)?;
        if rest.is_empty() || rest.starts_with('/') || address.chars().any(char::is_whitespace) {
            return Err(wrong());
        }
        let settings = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // A message goes where it was meant to go, and nowhere else.
            .max_redirects(0)
            .tls_config(TlsConfig::default())
            .user_agent("ears-lab")
            .build();
        Ok(Self { address: address.to_owned(), agent: settings.into() })
    }

    /// Posts a message as JSON, up to once more than there are `pauses`. An answer of 200 to 299 is success; 408, 425, 429, 500 to 599 and
    /// no answer at all are tried again after `wait`; any other answer will not change and is the last.
    ///
    /// # Errors
    /// When it did not arrive.
    pub fn post(&self, message: &Value, pauses: &[Duration], wait: &dyn Fn(Duration)) -> Result<(), Undelivered> {
        let body = message.to_string();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let sent = self.agent.post(&self.address).header("Content-Type", "application/json").send(body.as_bytes());
            let (why, again) = match sent {
                Ok(answer) => match answer.status().as_u16() {
                    200..=299 => return Ok(()),
                    status @ (408 | 425 | 429 | 500..=599) => (format!("it answered {status}"), true),
                    status => (format!("it answered {status}"), false),
                },
                Err(error) => (error.to_string(), true),
            };
            match pauses.get(attempts - 1) {
                Some(pause) if again => wait(*pause),
                _ => return Err(Undelivered { attempts, why }),
            }
        }
    }
}

/// The exit code after a message that did not arrive. Errors stop whoever looks at the exit code; so must warnings that nobody was told of.
#[must_use]
pub fn exit_undelivered(found: u8) -> u8 {
    if found >= EXIT_REFUSED { found } else { EXIT_UNAVAILABLE }
}

/// What is sent: `text` for chat programs, the counts, and all findings as in the JSON report.
#[must_use]
pub fn message(outcome: &Outcome, train: &str) -> Value {
    let count = |severity| outcome.findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let words = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut text = format!("{train}: {}, {}", words(errors, "error"), words(warnings, "warning"));
    for finding in outcome.findings.iter().take(NAMED) {
        text.push('\n');
        text.push_str(&finding.message);
    }
    if outcome.findings.len() > NAMED {
        text.push_str(&format!("\nand {} more", outcome.findings.len() - NAMED));
    }
    json!({ "format": 1, "text": text, "errors": errors, "warnings": warnings, "rows": outcome.train.rows(), "findings": outcome.findings })
}

#[cfg(test)]
mod tests;
