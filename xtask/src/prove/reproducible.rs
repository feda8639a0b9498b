//! The proof that one commit gives one package: built in two folders, by two homes of cargo, and once more.

use super::Units;
use crate::process::{captured, command, shown};
use crate::results::{Claim, Record};
use crate::{Result, install, project, wasm};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two folders whose names differ in length and depth.
const FOLDERS: [&str; 2] = ["a", "another-place/with-a-longer-name"];

/// Clones the commit twice and packs each, the first one again from what it has compiled, and compares the bytes.
pub fn run(_: &Units) -> Result<Record> {
    // The tools that the build installs are the same versions everywhere; these clones find them here.
    install::wasm_bindgen(&mut install::watched)?;
    wasm::build(&mut install::watched)?;
    let place = std::env::temp_dir().join(format!("ears-only-packages-{}", std::process::id()));
    let packed = packages(&place);
    // Some gigabytes; what stays would only be in the way.
    let _ = std::fs::remove_dir_all(&place);
    let [first, again, elsewhere] = packed?;
    Ok(Record {
        name: "reproducible".to_owned(),
        command: "cargo xtask prove reproducible".to_owned(),
        seeds: Vec::new(),
        claims: vec![
            same("the package of another folder and another home of cargo", &first, &elsewhere),
            same("the package of a second build", &first, &again),
        ],
    })
}

fn packages(place: &Path) -> Result<[Vec<u8>; 3]> {
    let [first, other] = FOLDERS.map(|name| place.join(name));
    for folder in [&first, &other] {
        let mut clone = command("git");
        shown(clone.args(["clone", "--quiet", "--no-hardlinks"]).arg(project::root()).arg(folder))?;
    }
    let home = home_beside(place)?;
    let one = pack(&first, None)?;
    let elsewhere = pack(&other, Some(&home))?;
    for made in ["js/dist", "js/build", "target/xtask/stamps"] {
        std::fs::remove_dir_all(first.join(made)).map_err(|error| format!("cannot remove {made}: {error}"))?;
    }
    Ok([one, pack(&first, None)?, elsewhere])
}

/// A home of cargo at another place, which finds the crates of the usual one.
fn home_beside(place: &Path) -> Result<PathBuf> {
    let home = place.join("cargo-home");
    let usual = wasm::cargo_home()?;
    std::fs::create_dir_all(&home).map_err(|error| format!("cannot make {}: {error}", home.display()))?;
    for name in ["registry", "config.toml"] {
        if usual.join(name).exists() {
            let linked = std::os::unix::fs::symlink(usual.join(name), home.join(name));
            linked.map_err(|error| format!("cannot link {name} of cargo's home: {error}"))?;
        }
    }
    Ok(home)
}

/// The bytes of the tarball that `cargo xtask package` makes in `folder`.
fn pack(folder: &Path, cargo_home: Option<&Path>) -> Result<Vec<u8>> {
    println!("packing in {}", folder.display());
    let mut package: Command = command("cargo");
    package.args(["xtask", "package"]).current_dir(folder).env_remove("CARGO_TARGET_DIR");
    if let Some(home) = cargo_home {
        package.env("CARGO_HOME", home);
    }
    let output = captured(&mut package)?;
    let tarball = PathBuf::from(output.trim().lines().last().unwrap_or_default());
    std::fs::read(&tarball).map_err(|error| format!("cannot read {}: {error}", tarball.display()))
}

/// A claim that two packages are the same bytes.
fn same(claim: &str, one: &[u8], other: &[u8]) -> Claim {
    let first_difference = one.iter().zip(other).position(|(a, b)| a != b).unwrap_or(one.len().min(other.len()));
    let pass = one == other && !one.is_empty();
    Claim {
        claim: claim.to_owned(),
        value: if pass { "the same bytes".to_owned() } else { format!("differs from byte {first_difference} on") },
        wanted: "the same bytes".to_owned(),
        pass,
        numbers: vec![("bytes".to_owned(), one.len() as f64), ("other".to_owned(), other.len() as f64)],
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn other_bytes_are_told_from_the_same() {
        assert!(same("x", b"abc", b"abc").pass);
        assert_eq!(same("x", b"abc", b"abd").value, "differs from byte 2 on");
        assert_eq!(same("x", b"abc", b"abcd").value, "differs from byte 3 on");
        assert!(!same("x", b"", b"").pass);
    }
}
