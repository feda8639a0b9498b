//! Other people's code, from the lock files: where it comes from, under which licence, and how often. Looks at what ships most closely.
//!
//! Of what is known about faults in it, npm's registry is asked (`npm audit`); for crates there is no database in any registry, only in
//! a repository that `cargo audit` or `cargo deny` clone. The report says what could not be asked.

use crate::process::{captured, command};
use crate::{Result, project, tracked};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

/// Licences of what is compiled into the package: they ask for no more than a notice, and the notice is in the package.
const SHIPS: [&str; 7] = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "Unicode-3.0"];
/// Licences, beside those, of what builds and tests here, and of the lab. Nothing of it reaches a user of the package.
const BUILDS: [&str; 8] =
    ["0BSD", "BSD-1-Clause", "BSL-1.0", "BlueOak-1.0.0", "CC0-1.0", "CDLA-Permissive-2.0", "MIT-0", "MPL-2.0"];
/// Licences, beside those, of the toolchains that the package is tried with: bundlers of others, and their image libraries.
const TRIES: [&str; 2] = ["CC-BY-4.0", "LGPL-3.0-or-later"];
/// Where toolchains and opponents are installed, for tests and proofs only.
const TRIED_IN: [&str; 2] = ["tests", "js/bench"];
const CRATES: &str = concat!("registry+https://github.com/rust-lang/", "crates.io-index");

/// One package of a lock file.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

/// What was looked at, and what is wrong with it.
struct Report {
    lines: Vec<String>,
    problems: Vec<String>,
}

/// Reads the lock files and the bill of materials in `js/dist`, prints what was found, and fails when something is wrong.
pub fn audit() -> Result<()> {
    let mut report = Report { lines: Vec::new(), problems: Vec::new() };
    report.cargo()?;
    report.npm()?;
    report.shipped()?;
    report.lines.push(advisories(&project::root().join("js")));
    report
        .lines
        .push("known faults of crates: not asked, no registry has them; `cargo audit` clones a database of them".to_owned());
    for line in &report.lines {
        println!("{line}");
    }
    if report.problems.is_empty() { Ok(()) } else { Err(report.problems.join("\n")) }
}

impl Report {
    /// Everything that Cargo.lock names: crates.io, a checksum, a licence for building.
    fn cargo(&mut self) -> Result<()> {
        let metadata = captured(command("cargo").args(["metadata", "--format-version", "1", "--locked"]))?;
        let metadata: Value = serde_json::from_str(&metadata).map_err(|error| format!("cargo metadata: {error}"))?;
        let mut packages = Vec::new();
        for package in metadata["packages"].as_array().ok_or("cargo metadata lists no packages")? {
            // Those of the workspace have none.
            let Some(source) = package["source"].as_str() else { continue };
            let package = Package::read(package, "license")?;
            if source != CRATES {
                self.problems
                    .push(format!("Cargo.lock: {} {} comes from {source}, not from crates.io", package.name, package.version));
            }
            packages.push(package);
        }
        let lock = project::read(&project::root().join("Cargo.lock"))?;
        let sources = lock.matches("\nsource = ").count();
        let checksums = lock.matches("\nchecksum = ").count();
        if sources != checksums {
            self.problems.push(format!("Cargo.lock: {sources} packages come from elsewhere, {checksums} have a checksum"));
        }
        self.licences("Cargo.lock", &packages, &[&SHIPS, &BUILDS]);
        Ok(())
    }

    /// Every package-lock.json: packages of the registry by checksum.
    fn npm(&mut self) -> Result<()> {
        let root = project::root();
        for path in tracked::files()?.into_iter().filter(|path| path.ends_with("package-lock.json")) {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_owned();
            let lock: Value =
                serde_json::from_str(&project::read(&path)?).map_err(|error| format!("{}: {error}", name.display()))?;
            let (packages, problems) = locked(&lock).map_err(|problem| format!("{}: {problem}", name.display()))?;
            self.problems.extend(problems.into_iter().map(|problem| format!("{}: {problem}", name.display())));
            let allowed: &[&[&str]] = if tried(&name) { &[&SHIPS, &BUILDS, &TRIES] } else { &[&SHIPS, &BUILDS] };
            self.licences(&name.display().to_string(), &packages, allowed);
        }
        Ok(())
    }

    /// What is compiled into the package, by its own bill of materials: stricter licences, each once.
    fn shipped(&mut self) -> Result<()> {
        let file = project::root().join("js/dist/sbom.cdx.json");
        let bill = project::read(&file).map_err(|problem| format!("{problem}; `cargo xtask build` makes it"))?;
        let bill: Value = serde_json::from_str(&bill).map_err(|error| format!("{}: {error}", file.display()))?;
        let packages = components(&bill)?;
        self.licences("what ships", &packages, &[&SHIPS]);
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in &packages {
            versions.entry(&package.name).or_default().push(&package.version);
        }
        for (name, versions) in versions.into_iter().filter(|(_, versions)| versions.len() > 1) {
            self.problems.push(format!("what ships: {name} is there {} times: {}", versions.len(), versions.join(", ")));
        }
        Ok(())
    }

    fn licences(&mut self, place: &str, packages: &[Package], allowed: &[&[&str]]) {
        let mut refused = 0;
        for package in packages {
            if let Some(problem) = refusal(&package.licence, allowed) {
                refused += 1;
                self.problems.push(format!("{place}: {} {} {problem}", package.name, package.version));
            }
        }
        self.lines.push(format!(
            "{place}: {} packages, {} with a licence from the list",
            packages.len(),
            packages.len() - refused
        ));
    }
}

impl Package {
    fn read(value: &Value, licence: &str) -> Result<Package> {
        let word =
            |key: &str| value[key].as_str().map(str::to_owned).ok_or_else(|| format!("expected \"{key}\" in {}", value["name"]));
        Ok(Package {
            name: word("name")?,
            version: word("version")?,
            licence: value[licence].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// The packages of a package-lock.json, and what is wrong with where they come from.
fn locked(lock: &Value) -> Result<(Vec<Package>, Vec<String>)> {
    let entries = lock["packages"].as_object().ok_or("expected \"packages\"")?;
    let (mut packages, mut problems) = (Vec::new(), Vec::new());
    // The first one, without a name, is the folder itself.
    for (path, entry) in entries.iter().filter(|(path, _)| !path.is_empty()) {
        let name = path.rsplit("node_modules/").next().unwrap_or(path);
        let package = Package {
            name: entry["name"].as_str().unwrap_or(name).to_owned(),
            version: entry["version"].as_str().unwrap_or_default().to_owned(),
            licence: entry["license"].as_str().unwrap_or_default().to_owned(),
        };
        if !entry["integrity"].as_str().is_some_and(|sum| sum.starts_with("sha512-")) {
            problems.push(format!("{name} has no sha512 checksum"));
        }
        // Lock files here name no address: what has one is not of the registry.
        if let Some(address) = entry["resolved"].as_str() {
            problems.push(format!("{name} comes from {address}"));
        }
        if entry["link"].as_bool() == Some(true) {
            problems.push(format!("{name} is a link"));
        }
        packages.push(package);
    }
    Ok((packages, problems))
}

/// The packages of a bill of materials.
fn components(bill: &Value) -> Result<Vec<Package>> {
    let components =
        bill["components"].as_array().filter(|all| !all.is_empty()).ok_or("the bill of materials lists no components")?;
    let mut packages = Vec::new();
    for component in components {
        let mut package = Package::read(component, "")?;
        package.licence = component["licenses"][0]["expression"].as_str().unwrap_or_default().to_owned();
        packages.push(package);
    }
    Ok(packages)
}

/// Why a licence will not do; nothing where it will.
fn refusal(licence: &str, allowed: &[&[&str]]) -> Option<String> {
    if licence.is_empty() {
        return Some("names no licence".to_owned());
    }
    let expression = match spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX) {
        Ok(expression) => expression,
        Err(error) => return Some(format!("has a licence that cannot be read, {licence}: {}", error.reason)),
    };
    let granted = expression.evaluate(|requirement| {
        let name = requirement.license.to_string();
        allowed.iter().any(|list| list.contains(&name.as_str()))
    });
    (!granted).then(|| format!("is licensed {licence}, which is not on the list"))
}

fn tried(lock: &Path) -> bool {
    TRIED_IN.iter().any(|folder| lock.starts_with(folder))
}

/// What npm's registry knows of the packages in a folder, in one line. Not reaching it is no failure: a build must work offline.
fn advisories(folder: &Path) -> String {
    let asked = "known faults of npm packages";
    let mut npm = command("npm");
    npm.args(["audit", "--json", "--fetch-retries=0", "--fetch-timeout=15000"]).current_dir(folder).stdin(Stdio::null());
    let answer = npm.output().ok().and_then(|output| serde_json::from_slice::<Value>(&output.stdout).ok()).unwrap_or_default();
    match answer["metadata"]["vulnerabilities"]["total"].as_u64() {
        Some(0) => format!("{asked}: none"),
        Some(count) => format!("{asked}: {count}, see `npm audit` in js/; none of it ships but what the bill of materials lists"),
        None => format!("{asked}: not asked, the registry does not answer `npm audit` from here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_read_as_expressions() {
        let ships: &[&[&str]] = &[&SHIPS];
        for good in ["MIT", "MIT/Apache-2.0", "Apache-2.0 AND ISC", "(MIT OR Apache-2.0) AND Unicode-3.0", "GPL-3.0-only OR MIT"]
        {
            assert_eq!(refusal(good, ships), None, "{good}");
        }
        for bad in ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", "LGPL-3.0-or-later", "mine alone"] {
            assert!(refusal(bad, ships).is_some(), "{bad}");
        }
        assert_eq!(refusal("MPL-2.0", &[&SHIPS, &BUILDS]), None);
        assert_eq!(refusal("Apache-2.0 AND LGPL-3.0-or-later", &[&SHIPS, &BUILDS, &TRIES]), None);
        assert!(refusal("Apache-2.0 AND LGPL-3.0-or-later", &[&SHIPS, &BUILDS]).is_some());
    }

    #[test]
    fn packages_from_elsewhere_are_named() {
        let lock = serde_json::json!({"packages": {
            "": {"name": "here"},
            "node_modules/a": {"version": "1.0.0", "license": "MIT", "integrity": "sha512-AA"},
            "node_modules/a/node_modules/@b/c": {"version": "2.0.0", "license": "MIT", "resolved": "git+ssh://example.org/c"},
            "node_modules/d": {"link": true, "integrity": "sha1-AA"},
        }});
        let (packages, problems) = locked(&lock).unwrap();
        assert_eq!(packages.len(), 3);
        assert!(packages.iter().any(|package| package.name == "@b/c" && package.version == "2.0.0"));
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems.iter().any(|problem| problem.contains("git+ssh")));
        assert!(locked(&serde_json::json!({})).is_err());
    }

    #[test]
    fn a_bill_of_materials_is_read() {
        let bill = serde_json::json!({"components": [
            {"name": "idb", "version": "8.0.4", "licenses": [{"expression": "ISC"}]}, {"name": "x", "version": "1.0.0"},
        ]});
        let packages = components(&bill).unwrap();
        assert_eq!(packages[0], Package { name: "idb".to_owned(), version: "8.0.4".to_owned(), licence: "ISC".to_owned() });
        assert!(refusal(&packages[1].licence, &[&SHIPS]).is_some());
        assert!(components(&serde_json::json!({"components": []})).is_err());
    }

    #[test]
    fn toolchains_are_told_from_what_builds() {
        assert!(
            tried(Path::new("tests/package/toolchains/package-lock.json")) && tried(Path::new("js/bench/cold/package-lock.json"))
        );
        assert!(!tried(Path::new("js/package-lock.json")) && !tried(Path::new("xtask/package-lock.json")));
    }
}
