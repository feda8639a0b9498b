//! The binary as it is called: output and exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

mod collect;
mod evaluate;
mod golden;
mod models;
mod publish;
mod run;
mod score;
mod slates;
mod validate;

use std::path::PathBuf;
use std::process::Command;

/// Runs `ears-lab`: exit code, standard output, standard error.
fn ears_lab(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ears-lab")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn fixture(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).to_string_lossy().into_owned()
}
