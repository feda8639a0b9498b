//! Every block of code in the texts is run by a test, and that test is named here: a block that nobody runs fails the check.

use crate::{Result, project, tracked};
use std::collections::BTreeMap;

/// How many blocks of a language a text has, and the test that runs them, which names the text.
struct Run {
    text: &'static str,
    language: &'static str,
    blocks: usize,
    by: &'static str,
}

const fn run(text: &'static str, language: &'static str, blocks: usize, by: &'static str) -> Run {
    Run { text, language, blocks, by }
}

const GUIDES: &str = "tests/package/toolchains/guides.test.mjs";
const LAB: &str = "tests/package/quickstart/lab.test.mjs";

/// A block without a language is a picture, and one in `text` is what a block beside it prints or a header: the tests compare those they run.
const RUNS: &[Run] = &[
    run("README.md", "js", 1, "tests/package/quickstart/readme.test.mjs"),
    run("README.md", "jsx", 2, GUIDES),
    // Installing and the dev server are part of the way from an empty folder; that the commands of this project exist is tested here.
    run("README.md", "sh", 4, GUIDES),
    run("js/README.md", "js", 1, "js/tests/package.test.mjs"),
    run("js/README.md", "sh", 1, GUIDES),
    run("docs/bandits.md", "rust", 9, "src/lib.rs"),
    run("docs/bandits.md", "js", 1, "tests/package/quickstart/concepts.test.mjs"),
    run("docs/bandits.md", "text", 2, "tests/package/quickstart/concepts.test.mjs"),
    run("docs/collector.md", "sh", 1, LAB),
    run("docs/delivery.md", "sh", 1, LAB),
    run("docs/delivery.md", "js", 1, "js/tests/package.test.mjs"),
    run("docs/evaluation.md", "sh", 3, "lab/tests/command/evaluate.rs"),
    run("docs/evaluation.md", "rust", 1, "lab/src/lib.rs"),
    run("docs/logs.md", "python", 4, "lab/tests/python/main.rs"),
    run("docs/logs.md", "sh", 1, LAB),
    run("docs/logs.md", "json", 1, LAB),
    run("docs/models.md", "json", 1, LAB),
    run("docs/privacy.md", "js", 1, "tests/package/quickstart/concepts.test.mjs"),
    run("docs/privacy.md", "text", 1, "tests/package/quickstart/concepts.test.mjs"),
    run("docs/training.md", "sh", 1, "lab/tests/command/score.rs"),
    run("docs/validation.md", "sh", 1, LAB),
    run("docs/validation.md", "console", 1, LAB),
    run("docs/validation.md", "toml", 1, LAB),
    run("docs/guides/README.md", "js", 1, GUIDES),
    run("docs/guides/consent.md", "js", 3, GUIDES),
    run("docs/guides/consent.md", "html", 1, GUIDES),
    run("docs/guides/csp.md", "text", 1, GUIDES),
    run("docs/guides/csp.md", "js", 1, GUIDES),
    run("docs/guides/migrating.md", "js", 2, GUIDES),
    run("docs/guides/packed.md", "js", 1, GUIDES),
    run("docs/guides/plain-page.md", "html", 1, GUIDES),
    run("docs/guides/plain-page.md", "js", 1, GUIDES),
    run("docs/guides/react.md", "jsx", 2, GUIDES),
    run("docs/guides/react.md", "js", 1, GUIDES),
    run("docs/guides/server-rendering.md", "js", 1, GUIDES),
    run("docs/guides/server-rendering.md", "jsx", 3, GUIDES),
    run("docs/guides/svelte.md", "js", 1, GUIDES),
    run("docs/guides/svelte.md", "svelte", 1, GUIDES),
    run("docs/guides/testing.md", "js", 1, GUIDES),
    run("docs/guides/vue.md", "js", 1, GUIDES),
    run("docs/guides/vue.md", "vue", 1, GUIDES),
    run("docs/guides/webviews.md", "js", 1, GUIDES),
    run("www/models/README.md", "sh", 1, LAB),
];

/// Fails with a line for each block that no test runs, and for each test that does not know its text.
fn check() -> Result<()> {
    let mut found = BTreeMap::new();
    let root = project::root();
    for path in tracked::files()? {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        // The reports of the package's types are written and compared by `npm run api`.
        if !name.ends_with(".md") || name.starts_with("js/api/") {
            continue;
        }
        for language in languages(&project::read(&path)?) {
            *found.entry((name.clone(), language)).or_insert(0) += 1;
        }
    }
    let mut problems = differences(&found, RUNS);
    for Run { text, by, .. } in RUNS {
        // The guides are read by their names alone.
        let known = text.rsplit('/').next().unwrap_or(text).trim_end_matches(".md");
        if !project::read(&root.join(by))?.contains(known) {
            problems.push(format!("{by} does not name {text}"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The language of each fenced block; one without a language is no code.
fn languages(text: &str) -> Vec<String> {
    let mut languages = Vec::new();
    let mut inside = false;
    for fence in text.lines().filter_map(|line| line.strip_prefix("```")) {
        if !inside && let Some(language) = fence.split_whitespace().next() {
            languages.push(language.to_owned());
        }
        inside = !inside;
    }
    languages
}

fn differences(found: &BTreeMap<(String, String), usize>, runs: &[Run]) -> Vec<String> {
    let mut problems = Vec::new();
    let expected: BTreeMap<_, _> =
        runs.iter().map(|run| ((run.text.to_owned(), run.language.to_owned()), (run.blocks, run.by))).collect();
    for ((text, language), blocks) in found {
        match expected.get(&(text.clone(), language.clone())) {
            None => problems.push(format!("{text}: no test runs its blocks of {language}")),
            Some((known, by)) if known != blocks => {
                problems.push(format!("{text}: {blocks} blocks of {language}, where {by} is said to run {known}"));
            }
            Some(_) => {}
        }
    }
    let gone = expected.iter().filter(|(place, _)| !found.contains_key(*place));
    problems
        .extend(gone.map(|((text, language), (_, by))| format!("{text} has no block of {language}, which {by} is said to run")));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_block_of_code_has_its_test() {
        if let Err(problems) = check() {
            panic!("{problems}");
        }
    }

    #[test]
    fn a_block_that_nobody_runs_is_named() {
        let text = "```\npicture\n```\n\n```js\ncode\n```\n```text header\nx\n```\n";
        assert_eq!(languages(text), ["js", "text"]);
        let found = |blocks| BTreeMap::from([(("a.md".to_owned(), "js".to_owned()), blocks)]);
        let runs = [run("a.md", "js", 1, "a.test.mjs")];
        assert!(differences(&found(1), &runs).is_empty());
        assert_eq!(differences(&found(2), &runs), ["a.md: 2 blocks of js, where a.test.mjs is said to run 1"]);
        assert_eq!(differences(&found(1), &[]), ["a.md: no test runs its blocks of js"]);
        assert_eq!(differences(&BTreeMap::new(), &runs), ["a.md has no block of js, which a.test.mjs is said to run"]);
    }

    /// What the texts call is there: `cargo xtask X`, `cargo xtask prove X`.
    #[test]
    fn commands_in_the_texts_exist() {
        let mut asked = BTreeSet::new();
        let mut proofs = BTreeSet::new();
        for path in tracked::files().unwrap() {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            for after in project::read(&path).unwrap().split("cargo xtask ").skip(1) {
                let mut words =
                    after.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == ' ')).next().unwrap().split(' ');
                match (words.next(), words.next()) {
                    (Some("prove"), Some(name)) if !name.is_empty() && name != "NAME" => proofs.insert(name.to_owned()),
                    (Some(name), _) if name != "COMMAND" => asked.insert(name.to_owned()),
                    _ => true,
                };
            }
        }
        let unknown = |name: &&String| !crate::USAGE.lines().any(|line| line.split_whitespace().next() == Some(name.as_str()));
        assert_eq!(asked.iter().filter(unknown).collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(asked.len() >= 8 && proofs.len() >= 10, "{asked:?} {proofs:?}");
        assert_eq!(proofs.iter().filter(|name| !crate::prove::knows(name)).collect::<Vec<_>>(), Vec::<&String>::new());
    }
}
