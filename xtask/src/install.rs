//! Finds the tools that a step needs and installs the ones that are missing, saying what and why.

use crate::process::{captured, command, shown};
use crate::{Result, process, project};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Oldest Node.js that the npm packages run on.
const NODE_AT_LEAST: (u32, u32) = (20, 19);

const CHROMIUM_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const CHROMIUM_PLACES: [&str; 2] =
    ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];

/// How an installation is run: with the reader watching, or into a log.
pub type Runner<'a> = &'a mut dyn FnMut(&mut Command) -> Result<()>;

/// The browser and its driver.
#[derive(Clone, Debug)]
pub struct Browser {
    pub chromium: PathBuf,
    pub driver: Option<PathBuf>,
}

/// Installs with the reader watching.
pub fn watched(command: &mut Command) -> Result<()> {
    shown(command)
}

/// The standard library for the browser's target.
pub fn wasm_target(run: Runner) -> Result<()> {
    let folder = captured(command("rustc").args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]))?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    announce("the Rust target wasm32-unknown-unknown", "the core runs in the browser");
    run(command("rustup").args(["target", "add", "wasm32-unknown-unknown"]))
}

/// The `wasm-bindgen` program of exactly the version in `Cargo.lock`.
pub fn wasm_bindgen(run: Runner) -> Result<PathBuf> {
    let lock = project::read(&project::root().join("Cargo.lock"))?;
    let wanted = locked_version(&lock, "wasm-bindgen").ok_or("Cargo.lock has no package wasm-bindgen; build the core once")?;
    let has_wanted = |program: &Path| {
        captured(command(program).arg("--version")).is_ok_and(|text| text.split_whitespace().nth(1) == Some(wanted.as_str()))
    };
    if let Some(program) = find("wasm-bindgen").filter(|program| has_wanted(program))
        && program.with_file_name("wasm-bindgen-test-runner").exists()
    {
        return Ok(program);
    }
    announce(
        &format!("wasm-bindgen {wanted} into target/tools"),
        "it makes the JavaScript glue and must match the library's version",
    );
    run(cargo_install().args(["wasm-bindgen-cli", "--version", &wanted, "--force"]))?;
    Ok(project::target().join("tools/bin/wasm-bindgen"))
}

/// `cargo-mutants`, which changes code a little to see whether a test notices.
pub fn cargo_mutants(run: Runner) -> Result<PathBuf> {
    if let Some(program) = find("cargo-mutants") {
        return Ok(program);
    }
    announce("cargo-mutants into target/tools", "it changes the code that makes records, to see whether a test notices");
    run(cargo_install().args(["cargo-mutants", "--locked"]))?;
    Ok(project::target().join("tools/bin/cargo-mutants"))
}

/// `wasm-opt`, from the npm package binaryen.
pub fn wasm_opt(run: Runner) -> Result<PathBuf> {
    let folder = project::root().join("xtask");
    node_packages(&folder, "wasm-opt, which makes the wasm module smaller", run)?;
    let program = folder.join("node_modules/.bin/wasm-opt");
    if program.exists() { Ok(program) } else { Err("the npm package binaryen has no wasm-opt".to_owned()) }
}

/// Checks that Node.js is there and new enough.
pub fn node() -> Result<()> {
    let (major, minor) = NODE_AT_LEAST;
    let needed = format!("Node.js {major}.{minor} or newer with npm is needed");
    let text = captured(command("node").arg("--version"))
        .map_err(|_| format!("{needed}; no `node` found, install it from nodejs.org"))?;
    if !node_is_new_enough(text.trim()) {
        return Err(format!("{needed}; found {}", text.trim()));
    }
    find("npm").ok_or(format!("{needed}; no `npm` found"))?;
    Ok(())
}

/// `npm ci` in `folder`, unless what is installed there is newer than its lock file.
pub fn node_packages(folder: &Path, why: &str, run: Runner) -> Result<()> {
    node()?;
    let lock = folder.join("package-lock.json");
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let installed = changed(&folder.join("node_modules/.package-lock.json"));
    match (changed(&lock), installed) {
        (None, _) => return Err(format!("{} is missing", lock.display())),
        (Some(lock), Some(installed)) if installed >= lock => return Ok(()),
        _ => {}
    }
    let place = folder.strip_prefix(project::root()).unwrap_or(folder).display();
    announce(&format!("node packages in {place}/"), why);
    run(command("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder))
}

/// Chromium and its driver. `Ok(None)` and one sentence where there is none and none can be installed.
pub fn browser(run: Runner) -> Result<Option<Browser>> {
    if let Some(found) = find_browser()
        && found.driver.is_some()
    {
        return Ok(Some(found));
    }
    if may_use_apt() {
        announce("Debian's packages chromium and chromium-driver", "the browser tests run in it");
        run(command("apt-get").args(["update", "-q"]))?;
        run(command("apt-get")
            .args(["install", "-y", "-q", "--no-install-recommends", "chromium", "chromium-driver"])
            .env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    let found = find_browser();
    match &found {
        None => println!(
            "No Chromium found and none can be installed here: install Chromium and chromedriver, or set CHROME_PATH and CHROMEDRIVER; the browser tests are not run."
        ),
        Some(Browser { driver: None, .. }) => println!(
            "No chromedriver found: install the one that belongs to your browser, or set CHROMEDRIVER; the core's browser tests are not run."
        ),
        Some(_) => {}
    }
    Ok(found)
}

/// Valgrind, which counts instructions. `None` where there is none and none can be installed.
pub fn valgrind(run: Runner) -> Result<Option<PathBuf>> {
    if find("valgrind").is_none() && may_use_apt() {
        announce("Debian's package valgrind", "it counts the instructions of ranking");
        run(command("apt-get").args(["update", "-q"]))?;
        run(command("apt-get")
            .args(["install", "-y", "-q", "--no-install-recommends", "valgrind"])
            .env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    Ok(find("valgrind"))
}

/// Firefox and WebKitGTK with its driver and a screen without a monitor. Where they can neither be found nor installed, the tests of an
/// engine that is missing are not run.
pub fn other_engines(run: Runner) -> Result<()> {
    let firefox =
        ["firefox-esr", "firefox"].iter().any(|name| find(name).is_some()) || std::env::var_os("FIREFOX_PATH").is_some();
    let webkit = find("WebKitWebDriver").is_some() && find("Xvfb").is_some();
    let missing: Vec<&str> = [("firefox-esr", firefox), ("webkit2gtk-driver", webkit), ("xvfb", webkit)]
        .into_iter()
        .filter_map(|(package, found)| (!found).then_some(package))
        .collect();
    if missing.is_empty() || !may_use_apt() {
        return Ok(());
    }
    announce(&format!("Debian's packages {}", missing.join(", ")), "the package is tried in every engine");
    run(command("apt-get").args(["update", "-q"]))?;
    run(command("apt-get")
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Chromium and its driver, when they are there already.
pub fn find_browser() -> Option<Browser> {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_file());
    let chromium = named("CHROME_PATH")
        .or_else(|| CHROMIUM_NAMES.iter().find_map(|name| find(name)))
        .or_else(|| CHROMIUM_PLACES.iter().map(PathBuf::from).find(|path| path.is_file()))?;
    let driver = named("CHROMEDRIVER").or_else(|| find("chromedriver"));
    Some(Browser { chromium, driver })
}

/// A program in `target/tools/bin` or on the `PATH`.
pub fn find(name: &str) -> Option<PathBuf> {
    let tools = project::target().join("tools").join("bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(tools).chain(std::env::split_paths(&path)).map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn cargo_install() -> Command {
    let mut install = command("cargo");
    install
        .args(["install", "--quiet", "--root"])
        .arg(project::target().join("tools"))
        // A build folder that stays, so that a broken-off installation goes on where it stopped.
        .env("CARGO_TARGET_DIR", project::target().join("tools/build"));
    install
}

fn may_use_apt() -> bool {
    let root = captured(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && find("apt-get").is_some() && Path::new("/etc/debian_version").exists()
}

fn announce(what: &str, why: &str) {
    process::say(&format!("Installing {what}: {why}.\n"));
}

/// The version of `name` in the text of a `Cargo.lock`.
fn locked_version(lock: &str, name: &str) -> Option<String> {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let rest = &lock[lock.find(&entry)? + entry.len()..];
    Some(rest.split('"').next()?.to_owned())
}

fn node_is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= NODE_AT_LEAST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_version_is_read() {
        let lock = "[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n\n[[package]]\nname = \"wasm-bindgen-test\"\nversion = \"0.3.80\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wide"), None);
    }

    #[test]
    fn old_node_is_refused() {
        assert!(node_is_new_enough("v20.19.0"));
        assert!(node_is_new_enough("v24.1.2"));
        assert!(!node_is_new_enough("v20.18.3"));
        assert!(!node_is_new_enough("v18.20.0"));
        assert!(!node_is_new_enough("unknown"));
    }
}
