//! What the evaluators of the four bodies take in the compiled core: the module with them less the module without.

use crate::install::Runner;
use crate::process::command;
use crate::{Result, install, project, wasm};

/// Most bytes of wasm that they may take.
pub const LIMIT: u64 = 12_000;

/// Bytes of optimised wasm.
pub fn bytes(run: Runner) -> Result<u64> {
    install::wasm_target(run)?;
    let opt = install::wasm_opt(run)?;
    let folder = project::scratch("evaluators")?;
    let mut sizes = Vec::new();
    // The usual module last: what is built next finds it.
    for flag in ["--cfg=without_bodies", ""] {
        let mut cargo = wasm::compile("ears-only")?;
        cargo.args(["--features", "bundles", "--"]).args(Some(flag).filter(|flag| !flag.is_empty()));
        run(&mut cargo)?;
        let module = project::target().join("wasm32-unknown-unknown/wasm/ears_only.wasm");
        let small = folder.join("core.wasm");
        run(command(&opt).args(wasm::OPTIMISATION).args(wasm::FEATURES).arg(&module).arg("-o").arg(&small))?;
        let size = std::fs::metadata(&small).map_err(|error| format!("cannot read {}: {error}", small.display()))?.len();
        sizes.push(size);
    }
    Ok(sizes[1].saturating_sub(sizes[0]))
}
