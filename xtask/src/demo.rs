//! What the demo page needs beside the package: the demo world as a module, and the library that draws its charts.

use crate::install::Runner;
use crate::process::command;
use crate::{Result, install, package, project, wasm};

/// Builds the package and all that the demo page needs.
pub fn build(run: Runner) -> Result<()> {
    package::build_with(run)?;
    build_own(run)
}

/// Builds `js/build/demo`.
pub fn build_own(run: Runner) -> Result<()> {
    wasm::build_demo(run)?;
    let tools = project::root().join("xtask");
    install::node_packages(&tools, "wasm-opt, and the charts of the demo page", run)?;
    let out = project::root().join(wasm::DEMO_OUT);
    let from = tools.join("node_modules/uplot/dist");
    // The bundler of the package.
    let esbuild = project::root().join("js/node_modules/.bin/esbuild");
    let target = format!("--outfile={}", out.join("uplot.js").display());
    // Its numbers are in the page's language: that of a browser may be none, as "C" in WebKitGTK, and then the library throws.
    let english = r#"--define:navigator={"language":"en"}"#;
    let minify = ["--minify", "--format=esm", "--log-level=warning", english, &target];
    run(command(&esbuild).arg(from.join("uPlot.esm.js")).args(minify))?;
    let sheet = from.join("uPlot.min.css");
    std::fs::copy(&sheet, out.join("uplot.css")).map_err(|error| format!("cannot copy {}: {error}", sheet.display()))?;
    let licence = tools.join("node_modules/uplot/LICENSE");
    std::fs::copy(&licence, out.join("uplot-LICENSE.txt"))
        .map_err(|error| format!("cannot copy {}: {error}", licence.display()))?;
    Ok(())
}
