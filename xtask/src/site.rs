//! Everything that a static host needs, in one folder: the demo page at its top, the documentation below it.

use crate::process::command;
use crate::{Result, demo, install, project, wasm};
use std::path::{Path, PathBuf};

/// Where the documentation is made.
pub fn docs_folder() -> PathBuf {
    project::target().join("site/docs")
}

/// Makes the documentation from `docs`; refuses links that lead nowhere.
pub fn docs(run: install::Runner) -> Result<()> {
    install::node_packages(&project::root().join("xtask"), "what makes the documentation", run)?;
    install::node_packages(&project::root().join("js"), "the compiler that reads what the interface says of itself", run)?;
    run(command("node").arg(project::root().join("xtask/scripts/site.mjs")).arg(project::root()).arg(docs_folder()))
}

/// Makes the whole site and returns its folder.
pub fn build() -> Result<PathBuf> {
    let run: install::Runner = &mut install::watched;
    demo::build(run)?;
    let site = project::target().join("site");
    if site.exists() {
        std::fs::remove_dir_all(&site).map_err(|error| format!("cannot empty {}: {error}", site.display()))?;
    }
    let root = project::root();
    for (from, to) in [("www", ""), ("js/dist", "ears-only"), ("world/catalogue", "catalogue"), (wasm::DEMO_OUT, "built")] {
        copy(&root.join(from), &site.join(to))?;
    }
    smaller(&site, run)?;
    docs(run)?;
    let page = project::read(&site.join("index.html"))?;
    match missing(&page, |name| site.join(name).is_file()).as_slice() {
        [] => Ok(site),
        names => Err(format!("the demo page names what is not there: {}", names.join(", "))),
    }
}

/// What a page refers to beside itself that is not there.
fn missing(page: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let named = [" href=\"", " src=\""].into_iter().flat_map(|start| page.split(start).skip(1));
    let names = named.filter_map(|rest| rest.split(['"', '#', '?']).next());
    names.filter(|name| !name.is_empty() && !name.contains(':') && !is_there(name)).map(str::to_owned).collect()
}

/// Takes comments, spaces and long names out of the demo page's own scripts and styles; the package's are small already.
fn smaller(site: &Path, run: install::Runner) -> Result<()> {
    let mut files = Vec::new();
    for folder in [site.to_owned(), site.join("panel")] {
        let cannot = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if path.extension().is_some_and(|extension| extension == "js" || extension == "css") {
                files.push(path);
            }
        }
    }
    files.sort();
    let tools = project::root().join("js/node_modules/.bin");
    let mut minify = command(tools.join("esbuild"));
    minify.args(["--minify", "--target=es2022", "--allow-overwrite", "--log-level=warning"]);
    run(minify.arg(format!("--outbase={}", site.display())).arg(format!("--outdir={}", site.display())).args(&files))?;
    // As the package's scripts are: another minifier finds what the first one leaves.
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "js")) {
        run(command(tools.join("terser"))
            .args(["--module", "--ecma", "2022", "--compress", "passes=2", "--mangle", "--output"])
            .arg(file)
            .arg(file))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let cannot = |error: std::io::Error| format!("cannot copy {} to {}: {error}", from.display(), to.display());
    std::fs::create_dir_all(to).map_err(cannot)?;
    for entry in std::fs::read_dir(from).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            std::fs::copy(&path, to.join(name)).map_err(cannot)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_names_has_to_be_there() {
        let page = r##"<a href="#home">x</a><a href="docs/index.html?a">y</a><script src="app.js"></script><a href="https://example.org/">z</a>"##;
        assert_eq!(missing(page, |name| name == "app.js"), ["docs/index.html"]);
        assert!(missing(page, |_| true).is_empty());
    }
}
