//! The wasm module: compile, make the glue, optimise. A step is left out when its input is unchanged.

use crate::install::Runner;
use crate::process::{captured, command};
use crate::{Result, install, project};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The generated glue and the optimised module go here; the npm package is made from them.
pub const OUT: &str = "js/build/wasm";

/// The same of the small core.
pub const SMALL_OUT: &str = "js/build/wasm/small";

/// The same of the core that takes bundles and makes no records, which is measured and not shipped.
pub const WITHOUT_CONTRIBUTION_OUT: &str = "js/build/wasm/bundles";

/// What the benchmark holds the core against, which is not shipped.
pub const BARE_OUT: &str = "js/build/bare.wasm";

/// What the demo page alone needs goes here.
pub const DEMO_OUT: &str = "js/build/demo";

/// What the demo's module exports, beside its memory.
const DEMO_EXPORTS: [&str; 12] = [
    "room",
    "answer",
    "answer_length",
    "portraits",
    "life_begin",
    "life_step",
    "life_snapshot",
    "life_end",
    "month_begin",
    "month_step",
    "attack_begin",
    "attack_step",
];

/// Post-MVP features that current Rust and `+simd128` use; wasm-opt refuses what is not named.
pub const FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-mutable-globals",
];
/// Measured on the core: `-Oz` against `-O3` saves 1 % after compression, and a page takes 4 % longer, since its loops are unrolled by hand
/// (`kernels/`); flattening and a second round save 1 %; functions that are called from one place only stay functions where they are
/// large, which saves 0.4 %. Hints of alignment, which no engine on 64 bits looks at, are all made alike: they
/// are 1 % too. The first KiB of memory is the far end of the stack, which nothing points to.
pub const OPTIMISATION: [&str; 12] = [
    "-Oz",
    "--low-memory-unused",
    "--flatten",
    "--rereloop",
    "-Oz",
    "--gufa-optimizing",
    "-Oz",
    "--converge",
    "--one-caller-inline-max-function-size=10",
    "-Oz",
    "--dealign",
    "--strip-target-features",
];

/// For the verifier, the relay's client and what unpacks the core, which need little speed: the smallest of what was tried.
const SMALLEST: [&str; 4] = ["-Oz", "--strip-debug", "--strip-producers", "--strip-target-features"];

/// Which parts of the core a module has.
#[derive(Clone, Copy)]
enum Core {
    /// All of them.
    Full,
    /// What ranking and learning by the built-in model or one written by hand need: no bundles, no contribution.
    Small,
    /// All but the contribution.
    WithoutContribution,
}

impl Core {
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Full => &[],
            Self::Small => &["--no-default-features"],
            Self::WithoutContribution => &["--no-default-features", "--features", "bundles"],
        }
    }

    /// The loops of bodies, which the small core lacks, take half the time or less at the level that unrolls them.
    fn profile(self) -> &'static [&'static str] {
        match self {
            Self::Full | Self::WithoutContribution => &["--config", "profile.wasm.package.ears-kernels.opt-level=3"],
            Self::Small => &[],
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::Full => "",
            Self::Small => "small",
            Self::WithoutContribution => "bundles",
        }
    }

    fn out(self) -> &'static str {
        match self {
            Self::Full => OUT,
            Self::Small => SMALL_OUT,
            Self::WithoutContribution => WITHOUT_CONTRIBUTION_OUT,
        }
    }

    fn stamp(self) -> &'static str {
        match self {
            Self::Full => "wasm",
            Self::Small => "wasm-small",
            Self::WithoutContribution => "wasm-bundles",
        }
    }
}

/// Builds the cores, the verifier, the relay's client and what puts them together in the browser, with the way there for the build.
pub fn build(run: Runner) -> Result<()> {
    build_core(Core::Full, run)?;
    build_core(Core::Small, run)?;
    build_plain("verify", "verify", &[], run)?;
    build_plain("relay", "relay", &[], run)?;
    build_plain("unpack", "apart", &["--features", "apart"], run)?;
    build_plain("unpack", "unpack", &[], run)
}

/// Builds the core without what makes records, to see what that takes.
pub fn build_without_contribution(run: Runner) -> Result<()> {
    build_core(Core::WithoutContribution, run)
}

/// Builds `js/build/wasm/NAME.wasm` from the package `ears-MEMBER`, which exports plain functions and needs no glue.
fn build_plain(member: &str, name: &str, features: &[&str], run: Runner) -> Result<()> {
    run(compile(&format!("ears-{member}"))?.args(features))?;
    let module = project::target().join(format!("wasm32-unknown-unknown/wasm/ears_{member}.wasm"));
    let opt = install::wasm_opt(run)?;
    let quieted = project::scratch("wasm")?.join(format!("{name}.wasm"));
    std::fs::copy(&module, &quieted).map_err(|error| format!("cannot copy {}: {error}", module.display()))?;
    // What unpacks has no panics.
    if member != "unpack" {
        run(command("node").arg(project::root().join("xtask/scripts/quiet-panics.mjs")).arg(&quieted))?;
    }
    let out = project::root().join(OUT).join(format!("{name}.wasm"));
    run(command(&opt).args(SMALLEST).args(FEATURES).arg(&quieted).arg("-o").arg(out))
}

/// Builds `js/build/bare.wasm`, the least that a page could cost, for speed alone.
pub fn build_bare(run: Runner) -> Result<()> {
    install::wasm_target(run)?;
    run(compile("ears-bare")?.args(["--config", "profile.wasm.opt-level=3"]))?;
    let module = project::target().join("wasm32-unknown-unknown/wasm/ears_bare.wasm");
    let opt = install::wasm_opt(run)?;
    let out = project::root().join(BARE_OUT);
    run(command(&opt)
        .args(["-O3", "--strip-debug", "--strip-producers", "--strip-target-features"])
        .args(FEATURES)
        .arg(&module)
        .arg("-o")
        .arg(out))
}

/// Builds the module that the demo page runs in a worker. The core in it brings the exports that the package's glue wants, and nothing here
/// calls them; without them nothing is imported either. It is packed as the package packs its cores (`js/scripts/inline.mjs`).
pub fn build_demo(run: Runner) -> Result<()> {
    install::wasm_target(run)?;
    run(&mut compile("ears-demo")?)?;
    let module = project::target().join("wasm32-unknown-unknown/wasm/ears_demo.wasm");
    let opt = install::wasm_opt(run)?;
    let out = project::root().join(DEMO_OUT);
    std::fs::create_dir_all(&out).map_err(|error| format!("cannot make {}: {error}", out.display()))?;
    let product = out.join("world.js");
    let stamp = project::scratch("stamps")?.join("demo");
    let scripts = project::root().join("xtask/scripts");
    let [own, quiet, pack] = ["own-exports.mjs", "quiet-panics.mjs", "pack.mjs"].map(|name| scripts.join(name));
    let packer = project::root().join("js/scripts/inline.mjs");
    let inputs = [module.clone(), own.clone(), quiet.clone(), pack.clone(), packer];
    let stamped = |product: &Path| -> Result<String> {
        Ok(format!("{OPTIMISATION:?} {:016x} {:016x}", fingerprint(&inputs)?, fingerprint(&[product.to_owned()])?))
    };
    if product.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|old| stamped(&product) == Ok(old)) {
        return Ok(());
    }
    let working = project::scratch("wasm")?.join("world.wasm");
    std::fs::copy(&module, &working).map_err(|error| format!("cannot copy {}: {error}", module.display()))?;
    run(command("node").arg(&quiet).arg(&working))?;
    run(command("node").arg(&own).arg(&working).args(DEMO_EXPORTS))?;
    let optimised = working.with_file_name("world.optimised.wasm");
    run(command(&opt).args(OPTIMISATION).args(FEATURES).arg("--strip-producers").arg(&working).arg("-o").arg(&optimised))?;
    run(command("node").arg(&pack).arg(&optimised).arg(&product))?;
    project::write(&stamp, stamped(&product)?)
}

/// Compiles the library of a package for the browser. The same sources give the same bytes, whoever compiles them where: places of
/// sources, which panics name, lose the part that differs from machine to machine.
pub fn compile(package: &str) -> Result<Command> {
    let mut cargo = command("cargo");
    cargo
        .args(["rustc", "--package", package, "--lib", "--profile", "wasm", "--crate-type"])
        .args(["cdylib", "--target", "wasm32-unknown-unknown", "--config"])
        .arg(format!("target.wasm32-unknown-unknown.rustflags = {}", remapped(&registries()?)))
        // Flags from outside would replace the ones in .cargo/config.toml.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(cargo)
}

/// Where cargo keeps the sources of crates.
pub fn cargo_home() -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    home.ok_or("cargo has no home: set CARGO_HOME".to_owned())
}

/// The folders that hold the sources of crates, one for each registry.
fn registries() -> Result<Vec<PathBuf>> {
    let sources = cargo_home()?.join("registry/src");
    fetch_once(&sources)?;
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(&sources).map_err(|error| format!("cannot read {}: {error}", sources.display()))? {
        folders.push(entry.map_err(|error| error.to_string())?.path());
    }
    folders.sort();
    Ok(folders)
}

/// Before the first crate is fetched there are no sources.
fn fetch_once(sources: &Path) -> Result<()> {
    if sources.is_dir() { Ok(()) } else { captured(command("cargo").arg("fetch")).map(|_| ()) }
}

/// Flags that name every folder alike, as a TOML list.
fn remapped(folders: &[PathBuf]) -> String {
    let flags = folders.iter().map(|folder| format!("--remap-path-prefix={}=/cargo/registry/src/crates", folder.display()));
    serde_json::Value::from(flags.collect::<Vec<_>>()).to_string()
}

/// Builds `core.js` and `core_bg.wasm`, the small core into a folder of its own. Panics become bare traps on the way
/// (`xtask/scripts/quiet-panics.mjs`).
fn build_core(core: Core, run: Runner) -> Result<()> {
    install::wasm_target(run)?;
    // Writes Cargo.lock when it is missing, which names the version of wasm-bindgen. Cores of other features are files of the same
    // name, so each has a folder.
    let target = project::target().join(core.target());
    run(compile("ears-only")?.args(core.features()).args(core.profile()).arg("--target-dir").arg(&target))?;
    let module = target.join("wasm32-unknown-unknown/wasm/ears_only.wasm");
    let bindgen = install::wasm_bindgen(run)?;
    let opt = install::wasm_opt(run)?;

    let out = project::root().join(core.out());
    let products = [out.join("core.js"), out.join("core_bg.wasm")];
    let stamp = project::scratch("stamps")?.join(core.stamp());
    let lock = project::root().join("xtask/package-lock.json");
    let quiet = project::root().join("xtask/scripts/quiet-panics.mjs");
    let inputs = [module.clone(), lock, bindgen.clone(), quiet.clone()];
    let stamped = |products: &[PathBuf]| -> Result<String> {
        Ok(format!("{OPTIMISATION:?} {:016x} {:016x}", fingerprint(&inputs)?, fingerprint(products)?))
    };
    if products.iter().all(|product| product.is_file())
        && std::fs::read_to_string(&stamp).is_ok_and(|old| stamped(&products) == Ok(old))
    {
        return Ok(());
    }
    run(command(&bindgen)
        .arg(&module)
        .args(["--target", "web", "--omit-default-module-path"])
        .args(["--remove-producers-section", "--out-name", "core"])
        .arg("--out-dir")
        .arg(&out))?;
    let bound = out.join("core_bg.wasm");
    run(command("node").arg(&quiet).arg(&bound))?;
    let optimised = out.join("core_bg.optimised.wasm");
    run(command(&opt).args(OPTIMISATION).args(FEATURES).arg(&bound).arg("-o").arg(&optimised))?;
    std::fs::rename(&optimised, &bound).map_err(|error| format!("cannot replace {}: {error}", bound.display()))?;
    project::write(&stamp, stamped(&products)?)
}

/// The small core, optimised as it ships, with the names of its functions: to see what its bytes are. It has to be built.
pub fn named_small(run: Runner) -> Result<PathBuf> {
    let module = project::target().join(Core::Small.target()).join("wasm32-unknown-unknown/wasm/ears_only.wasm");
    let folder = project::scratch("parts")?;
    let bindgen = install::wasm_bindgen(run)?;
    run(command(bindgen)
        .arg(&module)
        .args(["--target", "web", "--omit-default-module-path"])
        .args(["--remove-producers-section", "--out-name", "core"])
        .arg("--out-dir")
        .arg(&folder))?;
    let bound = folder.join("core_bg.wasm");
    run(command("node").arg(project::root().join("xtask/scripts/quiet-panics.mjs")).arg(&bound).arg("--names"))?;
    let named = folder.join("named.wasm");
    let opt = install::wasm_opt(run)?;
    run(command(opt).arg("-g").args(OPTIMISATION).args(FEATURES).arg(&bound).arg("-o").arg(&named))?;
    Ok(named)
}

/// A hash of the content of `paths`, folders with everything below them. Stable for one toolchain.
pub fn fingerprint(paths: &[PathBuf]) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        feed(path, &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn feed(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    path.hash(hasher);
    if path.is_dir() {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path).map_err(cannot)? {
            entries.push(entry.map_err(cannot)?.path());
        }
        entries.sort();
        for entry in entries {
            feed(&entry, hasher)?;
        }
    } else {
        std::fs::read(path).map_err(cannot)?.hash(hasher);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_sources_is_called_the_same() {
        let flags = remapped(&[PathBuf::from("/a/registry/src/index-1"), PathBuf::from("/b\"/index-2")]);
        let list: Vec<String> = serde_json::from_str(&flags).unwrap();
        assert_eq!(list[0], "--remap-path-prefix=/a/registry/src/index-1=/cargo/registry/src/crates");
        assert!(list[1].ends_with("=/cargo/registry/src/crates"));
    }

    #[test]
    fn a_fingerprint_follows_content_and_names() {
        let folder = std::env::temp_dir().join(format!("xtask-print-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        std::fs::write(folder.join("inner/a"), "one").unwrap();
        let paths = [folder.clone()];
        let first = fingerprint(&paths).unwrap();
        assert_eq!(first, fingerprint(&paths).unwrap());
        std::fs::write(folder.join("inner/a"), "two").unwrap();
        let second = fingerprint(&paths).unwrap();
        assert_ne!(first, second);
        std::fs::rename(folder.join("inner/a"), folder.join("inner/b")).unwrap();
        assert_ne!(second, fingerprint(&paths).unwrap());
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(fingerprint(&paths).is_err());
    }
}
