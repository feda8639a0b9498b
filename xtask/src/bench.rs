//! `cargo xtask bench`: ours beside plain JavaScript and other libraries in one Chromium run.

use crate::process::{command, shown};
use crate::{Result, install, package, project, wasm};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the package, then measures; the harness prints its table and writes `json` when given.
pub fn run(json: Option<PathBuf>) -> Result<()> {
    package::build()?;
    let json = match json {
        // Relative to where the command was typed, not to the repository's root.
        Some(file) => Some(std::path::absolute(&file).map_err(|error| format!("{}: {error}", file.display()))?),
        None => None,
    };
    shown(&mut harness(json.as_deref())?)
}

/// The harness, ready to start.
pub fn harness(json: Option<&Path>) -> Result<Command> {
    let browser = install::browser(&mut install::watched)?.ok_or("the benchmark needs Chromium; set CHROME_PATH")?;
    install::node_packages(
        &project::root().join("js/bench/warm"),
        "the libraries that the package is timed beside",
        &mut install::watched,
    )?;
    install::other_engines(&mut install::watched)?;
    install::node_packages(&project::root().join("tests/package/engines"), "what drives Firefox", &mut install::watched)?;
    wasm::build_bare(&mut install::watched)?;
    let mut command = command("node");
    command.arg(project::root().join("js/bench/warm/run.mjs")).env("CHROME_PATH", browser.chromium);
    if let Some(file) = json {
        command.arg("--json").arg(file);
    }
    Ok(command)
}
