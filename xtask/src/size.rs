//! What a browser fetches before it can rank, and the gate on it; and what comes later, for those who need it.

use crate::process::captured;
use crate::{Result, process, project};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Limit on everything fetched for ranking, in bytes, brotli (`docs/performance.md`, "Bytes").
pub const BROTLI_LIMIT: u64 = 90_000;

/// Limit on what is fetched for ranking by an app that contributes or takes published bundles: the full core with the entry.
/// Loops of their own for networks and trees took 2 of these kB.
pub const FULL_LIMIT: u64 = 117_000;

/// Limit on the relay's client with the code that uses it, in bytes, brotli: it comes to those who contribute to an app that names a relay.
pub const RELAY_LIMIT: u64 = 20_000;

/// One file, raw and compressed, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Size {
    pub name: String,
    pub raw: u64,
    pub gzip: u64,
    pub brotli: u64,
}

/// The files that ranking needs, which a browser test compares with what is requested.
const FOR_RANKING: &str = include_str!("../../js/ranking-files.json");

/// The sizes of what is fetched for ranking, of the chunks that are loaded when something else is asked for, and of the bare wasm
/// module (which is not fetched: it is inside a chunk).
pub struct Sizes {
    pub fetched: Vec<Size>,
    pub later: Vec<Size>,
    pub module: Size,
}

impl Sizes {
    /// Everything fetched for ranking.
    pub fn total(&self) -> Size {
        sum("fetched for ranking", &self.fetched)
    }

    /// What an app fetches to rank that contributes or takes published bundles.
    pub fn full(&self) -> Size {
        let needed = |size: &&Size| ["index.js", "wasm-full.js"].contains(&size.name.as_str());
        sum("for ranking with the full core", self.fetched.iter().chain(&self.later).filter(needed))
    }

    /// The relay's client.
    pub fn relay(&self) -> Size {
        sum("through a relay", self.later.iter().filter(|size| size.name == "relay.js"))
    }

    /// Everything that can be fetched.
    pub fn all(&self) -> Size {
        sum("all of the package", self.fetched.iter().chain(&self.later))
    }

    /// The table and the verdict.
    pub fn table(&self) -> String {
        let mut text = format!("{:<32} {:>9} {:>9} {:>9}\n", "bytes", "raw", "gzip", "brotli");
        let module = Size { name: format!("({} alone)", self.module.name), ..self.module.clone() };
        let later = self.later.iter().map(|size| Size { name: format!("{}, when needed", size.name), ..size.clone() });
        let rows = self.fetched.iter().cloned().chain([self.total()]).chain(later).chain([self.full(), self.all(), module]);
        for size in rows {
            text.push_str(&format!("{:<32} {:>9} {:>9} {:>9}\n", size.name, size.raw, size.gzip, size.brotli));
        }
        text.push_str(&format!(
            "limit {BROTLI_LIMIT} brotli, with the full core {FULL_LIMIT}, the relay's client {RELAY_LIMIT}: {}",
            if self.passes() { "ok" } else { "exceeded" }
        ));
        text
    }

    /// Whether the gate lets it through.
    pub fn passes(&self) -> bool {
        self.total().brotli <= BROTLI_LIMIT && self.full().brotli <= FULL_LIMIT && self.relay().brotli <= RELAY_LIMIT
    }
}

fn sum<'a>(name: &str, sizes: impl IntoIterator<Item = &'a Size>) -> Size {
    let mut total = Size { name: name.to_owned(), raw: 0, gzip: 0, brotli: 0 };
    for size in sizes {
        total.raw += size.raw;
        total.gzip += size.gzip;
        total.brotli += size.brotli;
    }
    total
}

/// Measures `js/dist` as built.
pub fn measure() -> Result<Sizes> {
    let dist = project::root().join("js/dist");
    let named = for_ranking()?;
    let fetched = reachable(&dist, &named, Follow::Static)?;
    let mut files = fetched.clone();
    for file in reachable(&dist, &["index.js".to_owned()], Follow::Everything)? {
        if !fetched.contains(&file) {
            files.push(file);
        }
    }
    let mut paths: Vec<PathBuf> = files.iter().map(|name| dist.join(name)).collect();
    paths.push(project::root().join(crate::wasm::SMALL_OUT).join("core_bg.wasm"));
    let mut sizes = compress(&paths)?;
    let module = sizes.pop().ok_or("nothing was measured")?;
    let later = sizes.split_off(fetched.len());
    Ok(Sizes { fetched: sizes, later, module })
}

fn for_ranking() -> Result<Vec<String>> {
    let problem = "expected js/ranking-files.json to hold a list \"files\" of names";
    let value: serde_json::Value = serde_json::from_str(FOR_RANKING).map_err(|error| format!("{problem}: {error}"))?;
    let names = value.get("files").and_then(serde_json::Value::as_array).ok_or(problem)?;
    Ok(names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// Which imports lead on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    /// `import ... from` alone: what the browser fetches with a file.
    Static,
    /// `import()` and relative URLs too.
    Everything,
}

/// The `entries` in `folder`, in their order, then the modules they import, and theirs, in name order.
fn reachable(folder: &Path, entries: &[String], follow: Follow) -> Result<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut open = entries.to_vec();
    while let Some(name) = open.pop() {
        if found.contains(&name) {
            continue;
        }
        let path = folder.join(&name);
        let bytes = std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        if name.ends_with(".js") {
            let base = Path::new(&name).parent().unwrap_or(Path::new(""));
            for specifier in relative_literals(&String::from_utf8_lossy(&bytes), follow) {
                if let Some(file) = normal(&base.join(&specifier))
                    && folder.join(&file).is_file()
                {
                    open.push(file);
                }
            }
        }
        found.insert(name);
    }
    found.retain(|name| !entries.contains(name));
    Ok(entries.iter().cloned().chain(found).collect())
}

/// Every quoted text that starts with `./` or `../`; without those in brackets if only static imports are wanted.
fn relative_literals(source: &str, follow: Follow) -> Vec<String> {
    let mut literals = Vec::new();
    for quote in ['"', '\'', '`'] {
        for start in [format!("{quote}./"), format!("{quote}../")] {
            for (at, _) in source.match_indices(&start) {
                if follow == Follow::Static && source[..at].ends_with('(') {
                    continue;
                }
                let rest = &source[at + 1..];
                if let Some(end) = rest.find(quote) {
                    literals.push(rest[..end].to_owned());
                }
            }
        }
    }
    literals
}

/// The path without `.` and `..`; `None` when it leaves the folder.
fn normal(path: &Path) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.components() {
        match part {
            std::path::Component::Normal(name) => parts.push(name.to_str()?.to_owned()),
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                parts.pop()?;
            }
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

/// Compresses with Node's zlib: gzip at level 9, brotli at quality 11, as a static host would.
pub fn compress(paths: &[PathBuf]) -> Result<Vec<Size>> {
    const SCRIPT: &str = "\
const zlib = require('node:zlib'), fs = require('node:fs');
for (const path of process.argv.slice(1)) {
  const bytes = fs.readFileSync(path);
  console.log(bytes.length, zlib.gzipSync(bytes, { level: 9 }).length, zlib.brotliCompressSync(bytes).length);
}";
    let output = captured(process::command("node").args(["-e", SCRIPT, "--"]).args(paths))?;
    let mut sizes = Vec::new();
    for (line, path) in output.lines().zip(paths) {
        let numbers: Vec<u64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [raw, gzip, brotli] = numbers[..] else {
            return Err(format!("cannot read the size of {}", path.display()));
        };
        let name = path.file_name().unwrap_or_default();
        sizes.push(Size { name: name.to_string_lossy().into_owned(), raw, gzip, brotli });
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(brotli: u64) -> Size {
        Size { name: "a.js".to_owned(), raw: brotli * 3, gzip: brotli * 2, brotli }
    }

    #[test]
    fn the_gate_closes_above_the_limit() {
        let at =
            |first, second| Sizes { fetched: vec![size(first), size(second)], later: vec![size(70_000)], module: size(500_000) };
        assert!(at(60_000, 30_000).passes());
        assert!(!at(60_000, 30_001).passes());
        assert_eq!(at(1, 2).total().gzip, 6);
        assert_eq!(at(1, 2).all().brotli, 70_003);
        assert!(at(1, 2).table().contains("a.js, when needed"));
        assert!(at(60_000, 30_000).table().ends_with(": ok"));
        assert!(at(90_001, 0).table().ends_with(": exceeded"));
    }

    #[test]
    fn what_ranking_needs_begins_with_the_entry() {
        assert_eq!(for_ranking().unwrap()[0], "index.js");
    }

    #[test]
    fn static_and_lazy_imports_are_followed() {
        let folder = std::env::temp_dir().join(format!("xtask-size-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deep")).unwrap();
        let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        file("index.js", "import{a}from\"./a.js\";const b=()=>import('./deep/b.js');");
        file("a.js", "export const a='./missing.js'");
        file("deep/b.js", "import \"../a.js\"; import '../../outside.js'; new URL(`./c.wasm`, import.meta.url)");
        file("deep/c.wasm", "");
        file("unused.js", "");
        let from =
            |names: &[&str], follow| reachable(&folder, &names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), follow);
        assert_eq!(from(&["index.js"], Follow::Everything).unwrap(), ["index.js", "a.js", "deep/b.js", "deep/c.wasm"]);
        assert_eq!(from(&["index.js"], Follow::Static).unwrap(), ["index.js", "a.js"]);
        assert_eq!(from(&["index.js", "deep/b.js"], Follow::Static).unwrap(), ["index.js", "deep/b.js", "a.js"]);
        assert!(from(&["gone.js"], Follow::Static).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
