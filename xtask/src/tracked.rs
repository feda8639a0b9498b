//! What must not stand in the project's files: paths of one machine, hosts of one registry.

use crate::process::{captured, command};
use crate::{Result, project};
use std::path::PathBuf;

/// Folders that exist on somebody's machine only. Written in two parts, so that this file passes.
const PATHS: [&str; 5] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/wo", "rk/"), concat!("C:\\Us", "ers\\")];
const HOSTS: [&str; 5] = [
    concat!("registry.", "npmjs"),
    concat!("registry.", "yarnpkg"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("files.", "pythonhosted"),
];
const CARGO_SOURCE: &str = concat!("registry+https://github.com/rust-lang/", "crates.io-index");

/// Every file of the project: tracked, or new and not ignored.
pub fn files() -> Result<Vec<PathBuf>> {
    let listing = captured(command("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let root = project::root();
    let mut files: Vec<PathBuf> =
        listing.split('\0').filter(|name| !name.is_empty()).map(|name| root.join(name)).filter(|path| path.is_file()).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// Fails with one line for each place that names a machine's folder or a registry's host.
pub fn check() -> Result<()> {
    let mut problems = Vec::new();
    for path in files()? {
        let bytes = std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let name = path.strip_prefix(project::root()).unwrap_or(&path);
        for (line, found) in suspicious(&name.to_string_lossy(), &text) {
            problems.push(format!("{}:{line}: {found}", name.display()));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// Line numbers and what stands there.
fn suspicious(name: &str, text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for path in PATHS {
            if line.match_indices(path).any(|(at, _)| starts_a_path(&line[..at])) {
                found.push((index + 1, format!("a path of one machine, {path}")));
            }
        }
        for host in HOSTS {
            if line.contains(host) {
                found.push((index + 1, format!("a registry's host, {host}")));
            }
        }
        if name.ends_with("package-lock.json") && line.contains("\"resolved\": \"http") {
            found.push((index + 1, "a download address in a lock file".to_owned()));
        }
        if name.ends_with("Cargo.lock") && line.starts_with("source = ") && !line.contains(CARGO_SOURCE) {
            found.push((index + 1, "a source other than crates.io".to_owned()));
        }
    }
    found
}

/// Whether a folder named after `before` begins a path, and is not part of an address or a longer path.
fn starts_a_path(before: &str) -> bool {
    match before.chars().last() {
        None => true,
        Some(last) => !(last.is_alphanumeric() || matches!(last, '-' | '_' | '.' | '/' | '}' | '*')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_found() {
        let root = PATHS[0];
        let work = PATHS[3];
        let text = format!("fine\ncd {root}project\nsee ({work}x)\n\"{work}\"");
        let lines: Vec<usize> = suspicious("a.md", &text).iter().map(|hit| hit.0).collect();
        assert_eq!(lines, [2, 3, 4]);
    }

    #[test]
    fn other_paths_are_not() {
        let work = PATHS[3];
        let home = PATHS[1];
        let text = format!("net{work}x\nhttps://example.org{home}x\nsrc{work}y\n./a{home}");
        assert!(suspicious("a.md", &text).is_empty());
    }

    #[test]
    fn lock_files_name_no_host() {
        let npm = "      \"resolved\": \"https://example.org/a.tgz\",";
        assert_eq!(suspicious("js/package-lock.json", npm).len(), 1);
        let cargo = "source = \"registry+https://example.org/index\"";
        assert_eq!(suspicious("Cargo.lock", cargo).len(), 1);
        let usual = format!("source = \"{CARGO_SOURCE}\"");
        assert!(suspicious("Cargo.lock", &usual).is_empty());
        assert_eq!(suspicious("a.md", HOSTS[0]).len(), 1);
    }
}
