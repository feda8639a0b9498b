//! `cargo xtask test`: every check and test in stages, as CI runs them.

use crate::counts::Counts;
use crate::process::{Logged, command, logged, strip_colour, tail};
use crate::results::Claim;
use crate::{
    Result, audit, counts, demo, dependencies, install, instructions as counting, package, process, project, prove, results,
    site, size, tracked, wasm,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

const TAIL_LINES: usize = 60;

/// One stage: what it is called, which stages it cannot do without, what it does.
struct Stage {
    name: &'static str,
    needs: &'static [&'static str],
    run: fn(&Desk) -> Outcome,
}

/// How a stage ended.
enum Outcome {
    Ran {
        counts: Counts,
        /// What to show: the tail of the output when something failed, a table when the stage made one.
        show: String,
    },
    NotRun(String),
}

/// What every stage may use.
struct Desk {
    log: PathBuf,
    reference: Option<PathBuf>,
}

const STAGES: &[Stage] = &[
    stage("tools", &[], tools),
    stage("format", &[], |desk| desk.check(cargo(&["fmt", "--all", "--check"]))),
    stage("lint: core", &[], |desk| desk.check(clippy(&["--package", "ears-only", "--all-targets"]))),
    stage("lint: core in the browser", &[], |desk| {
        desk.check(clippy(&["--package", "ears-only", "--all-targets", "--target", "wasm32-unknown-unknown"]))
    }),
    stage("lint: kernels, world, lab, verifier, relay, unpack, audit, bare, xtask", &["lint: core"], |desk| {
        desk.checks(["kernels", "world", "lab", "verify", "relay", "unpack", "audit", "js/bench/bare", "xtask"].map(|member| {
            let mut clippy = cargo(&["clippy", "--quiet", "--all-targets", "--manifest-path"]);
            clippy.arg(manifest(member)).args(["--", "-D", "warnings"]);
            clippy
        }))
    }),
    stage("core tests", &[], |desk| desk.tests(cargo(&["test", "--package", "ears-only", "--tests"]))),
    stage("core examples in the documentation", &[], |desk| {
        let mut doc = cargo(&["doc", "--quiet", "--package", "ears-only", "--no-deps"]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        let written = desk.check(doc);
        let run = desk.tests(cargo(&["test", "--package", "ears-only", "--doc"]));
        written.and(run)
    }),
    stage("kernel tests", &[], |desk| desk.member("kernels")),
    stage("world tests", &[], |desk| desk.member("world")),
    stage("lab tests", &[], lab_tests),
    stage("verifier tests", &[], |desk| desk.member("verify")),
    stage("relay tests", &[], |desk| desk.member("relay")),
    stage("unpacker tests", &[], unpacker),
    stage("bare kernel tests", &[], |desk| desk.member("js/bench/bare")),
    stage("xtask tests", &[], |desk| desk.member("xtask")),
    stage("instructions of ranking", &[], instructions),
    stage("wasm module", &[], |desk| desk.job(|desk| wasm::build(&mut |command| desk.step(command)))),
    stage("core tests in the browser", &["wasm module"], browser),
    stage("npm package", &["wasm module"], |desk| desk.job(|desk| package::build_package(&mut |command| desk.step(command)))),
    stage("package tests", &["npm package"], |desk| desk.tests(npm("js", &["test"]))),
    stage("package types", &["npm package"], |desk| desk.check(npm("js", &["run", "test:types"]))),
    stage("package checks", &["npm package"], |desk| desk.check(npm("js", &["run", "lint:package"]))),
    stage("dependencies", &["npm package"], |desk| desk.job(|_| dependencies::audit())),
    stage("size", &["npm package"], sizes),
    stage("audit of what may leave", &["npm package"], audited),
    stage("demo world tests", &[], |desk| desk.tests(cargo(&["test", "--release", "--package", "ears-demo", "--lib"]))),
    stage("demo", &["npm package"], |desk| desk.job(|desk| demo::build_own(&mut |command| desk.step(command)))),
    stage("demo in the browser", &["demo"], demo_in_browser),
    stage("examples of the texts", &["npm package"], examples),
    stage("toolchains", &["npm package"], toolchains),
    stage("engines", &["demo"], engines),
    stage("lab: golden files", &[], golden),
    stage("lab: propensities", &[], propensities),
    stage("lab: simulated listeners", &[], |desk| desk.check(lab(&["simulate", "--world", "demo", "--seeds", "2"]))),
    stage("bundle attacks in the browser, and records to the collector", &["npm package"], bundle_attacks),
    stage("lab: real listeners", &[], replay),
    stage("lab: carousel", &[], carousel),
    stage("lab: data validation", &[], validation),
    stage("lab: estimates against the truth", &[], estimates),
    stage("documentation and its links", &[], |desk| desk.job(|desk| site::docs(&mut |command| desk.step(command)))),
    stage("numbers in the texts", &[], |desk| desk.job(|_| results::check())),
    stage("no machine in the files", &[], |desk| desk.job(|_| tracked::check())),
];

const fn stage(name: &'static str, needs: &'static [&'static str], run: fn(&Desk) -> Outcome) -> Stage {
    Stage { name, needs, run }
}

/// Runs every stage; the exit code is 1 when anything failed.
pub fn run() -> Result<ExitCode> {
    let reference = project::reference_data()?;
    let logs = project::scratch("logs")?;
    match &reference {
        Some(_) => println!("reference data found: the tests that need it are required"),
        None => println!("no reference data (EARS_SHARED is not set): the tests that need it are not run"),
    }
    let started = Instant::now();
    let mut total = Counts::default();
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    for (index, stage) in STAGES.iter().enumerate() {
        println!("[{:>2}/{}] {}", index + 1, STAGES.len(), stage.name);
        let desk = Desk { log: logs.join(format!("{:02}.log", index + 1)), reference: reference.clone() };
        let _ = std::fs::remove_file(&desk.log);
        let began = Instant::now();
        let missing = stage.needs.iter().find(|name| broken.contains(*name));
        let outcome = match missing {
            Some(name) => Outcome::NotRun(format!("\"{name}\" failed")),
            None => (stage.run)(&desk),
        };
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Outcome::Ran { counts, show } => {
                let verdict = if counts.failed == 0 { "ok" } else { "FAILED" };
                println!("        {verdict:<7}{seconds:>7.1} s   {}", describe(counts));
                if !show.is_empty() {
                    println!("{}", indented(&show));
                }
                if counts.failed > 0 {
                    broken.insert(stage.name);
                }
                total += counts;
            }
            Outcome::NotRun(why) => {
                println!("        not run: {why}");
                if missing.is_some() {
                    broken.insert(stage.name);
                }
                total += Counts::left_out();
            }
        }
    }
    println!();
    if !broken.is_empty() {
        let names: Vec<&str> = broken.into_iter().collect();
        println!("failed or waiting: {}", names.join(", "));
    }
    let seconds = started.elapsed().as_secs();
    println!("{} min {} s", seconds / 60, seconds % 60);
    let Counts { passed, failed, not_run } = total;
    println!("{passed} passed, {failed} failed, {not_run} skipped");
    println!("passed {passed}, failed {failed}, not run {not_run}");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Desk {
    /// A program whose exit code is the whole answer.
    fn check(&self, command: Command) -> Outcome {
        self.checks([command])
    }

    fn checks<const N: usize>(&self, commands: [Command; N]) -> Outcome {
        let mut all = Outcome::empty();
        for command in commands {
            let one = self.outcome(command, |logged| Counts::one(logged.ok));
            all = all.and(one);
        }
        all
    }

    /// A test runner: its closing lines are counted, and one that ran nothing has failed.
    fn tests(&self, command: Command) -> Outcome {
        self.outcome(command, |logged| {
            let mut counts = counts::read(&logged.output);
            if counts.failed == 0 && (!logged.ok || counts.total() == 0) {
                counts.failed = 1;
            }
            counts
        })
    }

    /// Like `tests`, for documentation, which may have no examples.
    fn examples(&self, command: Command) -> Outcome {
        self.outcome(command, |logged| {
            let mut counts = counts::read(&logged.output);
            if counts.failed == 0 && !logged.ok {
                counts.failed = 1;
            }
            counts
        })
    }

    /// The tests of a workspace member, and its documentation's examples when it is a library.
    fn member(&self, name: &str) -> Outcome {
        let mut tests = cargo(&["test", "--tests", "--manifest-path"]);
        tests.arg(manifest(name));
        let run = self.tests(tests);
        if !project::root().join(name).join("src/lib.rs").exists() {
            return run;
        }
        let mut examples = cargo(&["test", "--doc", "--manifest-path"]);
        examples.arg(manifest(name));
        run.and(self.examples(examples))
    }

    /// `npm test` in a folder that has its own package file.
    fn folder_tests(&self, folder: &str, settings: &[(&str, &Path)]) -> Outcome {
        let path = project::root().join(folder);
        if !path.join("package.json").exists() {
            return Outcome::failed(format!("{folder}/package.json is missing"));
        }
        if path.join("package-lock.json").exists() {
            let installed = install::node_packages(&path, "the tests there", &mut |run| self.step(run));
            if let Err(problem) = installed {
                return Outcome::failed(problem);
            }
        }
        let mut tests = npm(folder, &["test"]);
        tests.envs(settings.iter().copied());
        self.tests(tests)
    }

    /// A subcommand of the lab that writes JSON with `--json`: that it ran is a check, and so is every claim that wants something.
    fn claims(&self, file: &str, mut command: Command, judge: fn(&Value) -> Result<Vec<Claim>>) -> Outcome {
        let path = self.log.with_file_name(file);
        command.arg("--json").arg(&path);
        let ran = self.check(command);
        if matches!(&ran, Outcome::Ran { counts, .. } if counts.failed > 0) {
            return ran;
        }
        let judged = project::read(&path)
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
            .and_then(|report| judge(&report));
        match judged {
            Ok(claims) => claims.iter().filter(|claim| claim.wanted != prove::AS_MEASURED).fold(ran, |all, claim| {
                let show = format!("{}: {}, wanted {}", claim.claim, claim.value, claim.wanted);
                all.and(Outcome::Ran { counts: Counts::one(claim.pass), show })
            }),
            Err(problem) => Outcome::failed(format!("{file}: {problem}")),
        }
    }

    /// Work of xtask's own; the error is the answer.
    fn job(&self, work: impl FnOnce(&Desk) -> Result<()>) -> Outcome {
        match work(self) {
            Ok(()) => Outcome::Ran { counts: Counts::one(true), show: String::new() },
            Err(problem) => Outcome::failed(problem),
        }
    }

    /// One program of a job, into the log.
    fn step(&self, command: &mut Command) -> Result<()> {
        let logged = logged(command, &self.log)?;
        if logged.ok { Ok(()) } else { Err(format!("{}\n{} failed", tail(&logged.output, TAIL_LINES), process::line(command))) }
    }

    fn outcome(&self, mut command: Command, count: impl Fn(&Logged) -> Counts) -> Outcome {
        match logged(&mut command, &self.log) {
            Ok(logged) => {
                let counts = count(&logged);
                let show = if counts.failed > 0 {
                    format!("{}\n{} failed", tail(&logged.output, TAIL_LINES), process::line(&command))
                } else {
                    String::new()
                };
                Outcome::Ran { counts, show }
            }
            Err(problem) => Outcome::failed(problem),
        }
    }
}

impl Outcome {
    fn empty() -> Outcome {
        Outcome::Ran { counts: Counts::default(), show: String::new() }
    }

    fn failed(problem: String) -> Outcome {
        Outcome::Ran { counts: Counts::one(false), show: problem }
    }

    /// Both, added up.
    fn and(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::Ran { mut counts, show }, Outcome::Ran { counts: more, show: shown }) => {
                counts += more;
                let show = [show, shown].join("\n").trim_matches('\n').to_owned();
                Outcome::Ran { counts, show }
            }
            (ran @ Outcome::Ran { .. }, Outcome::NotRun(_)) => ran,
            (Outcome::NotRun(_), other) => other,
        }
    }
}

fn tools(desk: &Desk) -> Outcome {
    let root = project::root();
    let mut all = desk.job(|_| install::node());
    let mut one = |work: &dyn Fn(install::Runner) -> Result<()>| {
        let outcome = desk.job(|desk| work(&mut |command| desk.step(command)));
        let so_far = std::mem::replace(&mut all, Outcome::empty());
        all = so_far.and(outcome);
    };
    one(&|run| install::wasm_target(run));
    one(&|run| install::wasm_bindgen(run).map(drop));
    one(&|run| install::wasm_opt(run).map(drop));
    one(&|run| install::node_packages(&root.join("js"), "the package's build and tests", run));
    one(&|run| install::browser(run).map(drop));
    all
}

/// Optimised like its program, so that what both stand on is compiled once; the lab itself with the checks that optimised programs go without.
fn lab_tests(desk: &Desk) -> Outcome {
    let of = |kind: &str| {
        let mut tests = cargo(&["test", "--release", kind, "--manifest-path", "lab/Cargo.toml"]);
        for check in ["overflow-checks", "debug-assertions"] {
            tests.arg("--config").arg(format!("profile.release.package.ears-lab.{check}=true"));
        }
        tests
    };
    desk.tests(of("--tests")).and(desk.examples(of("--doc")))
}

/// With the way there, since both ways are tested together.
fn unpacker(desk: &Desk) -> Outcome {
    let mut tests = cargo(&["test", "--tests", "--features", "apart", "--manifest-path"]);
    tests.arg(manifest("unpack"));
    desk.tests(tests)
}

fn browser(desk: &Desk) -> Outcome {
    let Some(install::Browser { driver: Some(driver), .. }) = install::find_browser() else {
        return Outcome::NotRun("no Chromium with its driver on this machine".to_owned());
    };
    let runner = match install::wasm_bindgen(&mut |command| desk.step(command)) {
        Ok(bindgen) => bindgen.with_file_name("wasm-bindgen-test-runner"),
        Err(problem) => return Outcome::failed(problem),
    };
    let mut command = cargo(&["test", "--package", "ears-only", "--target", "wasm32-unknown-unknown", "--test", "browser"]);
    command
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
        .env("CHROMEDRIVER", driver)
        .env("WASM_BINDGEN_TEST_ONLY_WEB", "1")
        // Flags from outside would replace the ones in .cargo/config.toml.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("WASM_BINDGEN_TEST_TIMEOUT", "300");
    desk.tests(command)
}

fn sizes(_: &Desk) -> Outcome {
    match size::measure() {
        Ok(sizes) => Outcome::Ran { counts: Counts::one(sizes.passes()), show: sizes.table() },
        Err(problem) => Outcome::failed(problem),
    }
}

fn instructions(desk: &Desk) -> Outcome {
    match counting::compared(&mut |command| desk.step(command)) {
        Ok(Ok(counted)) => Outcome::Ran { counts: Counts::one(counted.passes()), show: counted.table() },
        Ok(Err(why)) => Outcome::NotRun(why),
        Err(problem) => Outcome::failed(problem),
    }
}

/// The checks of `cargo xtask audit`, each counted, and every planted fault.
fn audited(desk: &Desk) -> Outcome {
    let draws = desk.log.with_file_name("draws.json");
    if let Err(problem) = desk.step(&mut audit::sampled_draw(&draws)) {
        return Outcome::failed(problem);
    }
    // Optimised, as the checks are: they draw a lot.
    let own = desk.tests(cargo(&["test", "--release", "--package", "ears-audit", "--tests"]));
    own.and(desk.claims("audit.json", audit::checks(&audit::CHECKS, &draws), audit::claims))
}

/// What the texts say to type, in a browser and for the lab.
fn examples(desk: &Desk) -> Outcome {
    match built_lab(desk) {
        Ok(lab) => desk.folder_tests("tests/package/quickstart", &[("EARS_LAB", &lab)]),
        Err(problem) => Outcome::failed(problem),
    }
}

/// Builds the lab's program and says where it is.
fn built_lab(desk: &Desk) -> Result<PathBuf> {
    let mut build = cargo(&["build", "--release", "--quiet", "--bin", "ears-lab", "--manifest-path"]);
    desk.step(build.arg(manifest("lab")))?;
    Ok(project::target().join("release/ears-lab"))
}

/// With the lab, whose numbers the page must come to.
fn demo_in_browser(desk: &Desk) -> Outcome {
    let Some(browser) = install::find_browser() else {
        return Outcome::NotRun("no Chromium on this machine".to_owned());
    };
    let lab = match built_lab(desk) {
        Ok(lab) => lab,
        Err(problem) => return Outcome::failed(problem),
    };
    desk.folder_tests("tests/e2e", &[("CHROME_PATH", &browser.chromium), ("EARS_LAB", &lab)])
}

fn toolchains(desk: &Desk) -> Outcome {
    match install::find_browser() {
        Some(browser) => desk.folder_tests("tests/package/toolchains", &[("CHROME_PATH", &browser.chromium)]),
        None => desk.folder_tests("tests/package/toolchains", &[]),
    }
}

/// The package in Chromium, Firefox and WebKitGTK; an engine that is neither here nor can be installed is not run.
fn engines(desk: &Desk) -> Outcome {
    let installed = desk.job(|desk| install::other_engines(&mut |command| desk.step(command)));
    let chromium = install::find_browser().map(|browser| browser.chromium);
    let settings: Vec<(&str, &Path)> = chromium.iter().map(|path| ("CHROME_PATH", path.as_path())).collect();
    installed.and(desk.folder_tests("tests/package/engines", &settings))
}

/// Files made by `ears-lab publish`, served to a browser whole and tampered with.
fn bundle_attacks(desk: &Desk) -> Outcome {
    let Some(browser) = install::find_browser() else {
        return Outcome::NotRun("no Chromium on this machine".to_owned());
    };
    let lab = match built_lab(desk) {
        Ok(lab) => lab,
        Err(problem) => return Outcome::failed(problem),
    };
    let mut tests = command("node");
    tests.args(["--test", "tests/delivery.test.mjs", "tests/collector.test.mjs"]).current_dir(project::root().join("js"));
    tests.env("EARS_LAB", lab).env("CHROME_PATH", &browser.chromium);
    desk.tests(tests)
}

fn golden(desk: &Desk) -> Outcome {
    match &desk.reference {
        Some(folder) => {
            let mut command = lab(&["check-golden"]);
            command.arg(folder.join("golden"));
            desk.tests(command)
        }
        None => Outcome::NotRun("no reference data".to_owned()),
    }
}

/// A thirtieth of the pages of the full proof; without the reference data the demo world alone.
fn propensities(desk: &Desk) -> Outcome {
    let mut command = lab(&["check-propensities", "--pages", "1000"]);
    if let Some(folder) = &desk.reference {
        command.arg("--data").arg(folder.join("data"));
    }
    desk.claims("propensities.json", command, prove::propensity_claims)
}

fn replay(desk: &Desk) -> Outcome {
    match &desk.reference {
        Some(folder) => {
            let mut command = lab(&["replay", "--data"]);
            command.arg(folder.join("data"));
            desk.claims("replay.json", command, prove::replayed_claims)
        }
        None => Outcome::NotRun("no reference data".to_owned()),
    }
}

/// Two seeds, a tenth of the rounds, a few policies: the targets hold early too.
fn carousel(desk: &Desk) -> Outcome {
    match &desk.reference {
        Some(folder) => {
            let mut command = lab(&["simulate", "--world", "carousel", "--seeds", "2", "--rounds", "10"]);
            command.args(["--policies", "pooled,popularity,ts-seg-pessimistic@firstseen", "--data"]).arg(folder.join("data"));
            desk.claims("carousel.json", command, prove::carousel::claims)
        }
        None => Outcome::NotRun("no reference data".to_owned()),
    }
}

/// A tenth of the draws: one missed tier or one false alarm fails. With the reference data, faults planted in them.
fn validation(desk: &Desk) -> Outcome {
    let mut command = lab(&["check-validate", "--draws", "100"]);
    if let Some(folder) = &desk.reference {
        command.arg("--faults").arg(folder.join("data"));
    }
    desk.claims("validate.json", command, prove::validate::claims)
}

fn estimates(desk: &Desk) -> Outcome {
    match &desk.reference {
        Some(folder) => {
            let mut command = lab(&["check-estimates", "--world", "home", "--logs", "20", "--data"]);
            command.arg(folder.join("data"));
            desk.claims("estimates.json", command, prove::evaluate::sampled_claims)
        }
        None => Outcome::NotRun("no reference data".to_owned()),
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = command("cargo");
    command.args(arguments);
    command
}

fn clippy(arguments: &[&str]) -> Command {
    let mut command = cargo(&["clippy", "--quiet"]);
    command.args(arguments).args(["--", "-D", "warnings"]);
    command
}

/// The lab's program, optimised.
pub fn lab(arguments: &[&str]) -> Command {
    let mut command = cargo(&["run", "--release", "--quiet", "--bin", "ears-lab"]);
    command.arg("--manifest-path").arg(manifest("lab")).arg("--").args(arguments);
    command
}

fn npm(folder: &str, arguments: &[&str]) -> Command {
    let mut command = command("npm");
    command.args(["--loglevel=error"]).args(arguments).current_dir(project::root().join(folder));
    command
}

fn manifest(member: &str) -> PathBuf {
    Path::new(member).join("Cargo.toml")
}

fn describe(counts: Counts) -> String {
    let mut text = format!("{} passed", counts.passed);
    if counts.failed > 0 {
        text.push_str(&format!(", {} failed", counts.failed));
    }
    if counts.not_run > 0 {
        text.push_str(&format!(", {} not run", counts.not_run));
    }
    text
}

/// Indented, so that no line of a runner is taken for ours.
fn indented(text: &str) -> String {
    strip_colour(text).lines().map(|line| format!("        | {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_need_only_earlier_stages() {
        let mut seen = BTreeSet::new();
        for stage in STAGES {
            for need in stage.needs {
                assert!(seen.contains(need), "{} needs {need}", stage.name);
            }
            assert!(seen.insert(stage.name), "{} twice", stage.name);
        }
    }

    fn desk(name: &str) -> Desk {
        let log = std::env::temp_dir().join(format!("xtask-{name}-{}.log", std::process::id()));
        Desk { log, reference: None }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn counted(outcome: Outcome) -> Option<(Counts, String)> {
        match outcome {
            Outcome::Ran { counts, show } => Some((counts, show)),
            Outcome::NotRun(_) => None,
        }
    }

    #[test]
    fn a_runner_is_counted_and_its_failures_shown() {
        let desk = desk("runner");
        let script = "echo 'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured'";
        let (counts, show) = counted(desk.tests(shell(script))).unwrap();
        assert_eq!((counts.passed, counts.failed, counts.not_run), (3, 0, 1));
        assert!(show.is_empty());

        let script = "echo '# pass 2'; echo '# fail 1'; exit 1";
        let (counts, show) = counted(desk.tests(shell(script))).unwrap();
        assert_eq!((counts.passed, counts.failed), (2, 1));
        assert!(show.contains("# fail 1"));
        std::fs::remove_file(&desk.log).unwrap();
    }

    #[test]
    fn silence_and_a_bad_exit_code_fail() {
        let desk = desk("silence");
        let (silent, _) = counted(desk.tests(shell("true"))).unwrap();
        assert_eq!(silent.failed, 1);
        let script = "echo '3 passed, 0 failed'; exit 1";
        let (crashed, _) = counted(desk.tests(shell(script))).unwrap();
        assert_eq!((crashed.passed, crashed.failed), (3, 1));
        let (missing, show) = counted(desk.check(Command::new("no-such-program"))).unwrap();
        assert_eq!(missing.failed, 1);
        assert!(show.contains("no-such-program"));
        std::fs::remove_file(&desk.log).unwrap();
    }

    #[test]
    fn outcomes_add_up() {
        let desk = desk("sum");
        let both = desk.checks([shell("true"), shell("echo no; false")]);
        let (counts, show) = counted(both).unwrap();
        assert_eq!((counts.passed, counts.failed), (1, 1));
        assert!(show.starts_with("no"));
        std::fs::remove_file(&desk.log).unwrap();
    }
}
