//! The npm package: built by its own script in `js/` from the wasm module, then packed.

use crate::install::Runner;
use crate::process::{captured, command};
use crate::{Result, install, project, wasm};
use std::path::PathBuf;

/// What the package is made from; everything else in `js/` is made, installed or a test.
const INPUTS: [&str; 6] = ["src", "scripts", "build/wasm", "package.json", "package-lock.json", "tsconfig.json"];

/// Builds the wasm module and the npm package with the reader watching.
pub fn build() -> Result<()> {
    build_with(&mut install::watched)
}

/// Builds the wasm module and the npm package.
pub fn build_with(run: Runner) -> Result<()> {
    install::node()?;
    wasm::build(run)?;
    build_package(run)
}

/// Builds `js/dist` from the wasm module that is there.
pub fn build_package(run: Runner) -> Result<()> {
    let js = project::root().join("js");
    install::node_packages(&js, "the package's compiler, bundler and tests", run)?;
    let stamp = project::scratch("stamps")?.join("package");
    let mut inputs = Vec::new();
    for name in INPUTS {
        let path = js.join(name);
        if path.exists() {
            inputs.push(path);
        }
    }
    let dist = [js.join("dist")];
    let stamped = || -> Result<String> { Ok(format!("{:016x} {:016x}", wasm::fingerprint(&inputs)?, wasm::fingerprint(&dist)?)) };
    if std::fs::read_to_string(&stamp).is_ok_and(|old| stamped() == Ok(old)) {
        return Ok(());
    }
    run(command("npm").args(["run", "build"]).current_dir(&js))?;
    project::write(&stamp, stamped()?)
}

/// Builds, packs, and returns the tarball's path.
pub fn pack() -> Result<PathBuf> {
    build()?;
    let out = project::target().join("package");
    std::fs::create_dir_all(&out).map_err(|error| format!("cannot make {}: {error}", out.display()))?;
    let listing = captured(
        command("npm")
            .args(["pack", "--json", "--loglevel=error", "--pack-destination"])
            .arg(&out)
            .current_dir(project::root().join("js")),
    )?;
    let name = packed_name(&listing).ok_or_else(|| format!("npm pack did not say what it packed: {listing}"))?;
    Ok(out.join(name))
}

/// The file's name in what `npm pack --json` prints; scripts may print before it.
fn packed_name(listing: &str) -> Option<String> {
    let json = &listing[listing.find("[\n").or_else(|| listing.find("[{"))?..];
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    Some(value.get(0)?.get("filename")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tarball_is_found_in_the_listing() {
        let listing = "> prepack\n[\n  {\n    \"filename\": \"ears-only-0.1.0.tgz\"\n  }\n]\n";
        assert_eq!(packed_name(listing).as_deref(), Some("ears-only-0.1.0.tgz"));
        assert_eq!(packed_name("nothing"), None);
    }
}
