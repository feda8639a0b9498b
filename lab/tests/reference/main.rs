//! Checks against the reference data, which may not be passed on with the project: the variable `EARS_SHARED` names their folder.
//!
//! Without it a line says of each check that it was not run, and the closing line counts it as such; hence a runner of its own.

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What is checked, and how.
type Check = (&'static str, fn(&Path));

const CHECKS: [Check; 5] = [
    ("the reference values are met", golden),
    ("a Home of real play counts, two seeds, small: the core finds more than chance, the oracle most", lastfm),
    ("real ratings and real impressions, replayed: the core finds more than chance", replays),
    ("real listeners find more of what they like than by popularity or by chance", replay),
    ("a campaign missing from a real log is one finding", campaigns),
];

fn main() -> ExitCode {
    let Some(shared) = reference() else {
        for (name, _) in CHECKS {
            println!("not run: {name} (EARS_SHARED names no folder)");
        }
        println!("0 passed, 0 failed, {} skipped", CHECKS.len());
        return ExitCode::SUCCESS;
    };
    let mut failed = 0;
    for (name, check) in CHECKS {
        let passed = catch_unwind(|| check(&shared)).is_ok();
        println!("{name}: {}", if passed { "ok" } else { "FAILED" });
        failed += usize::from(!passed);
    }
    println!("{} passed, {failed} failed, 0 skipped", CHECKS.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

/// The folder of the reference data, where there is one.
fn reference() -> Option<PathBuf> {
    std::env::var_os("EARS_SHARED").map(PathBuf::from).filter(|folder| folder.is_dir())
}

/// Exit code and standard output of `ears-lab`.
fn ears_lab(command: &str, arguments: &[&Path]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ears-lab")).arg(command).args(arguments).output();
    output.map_or((None, String::new()), |o| (o.status.code(), String::from_utf8_lossy(&o.stdout).into_owned()))
}

fn golden(shared: &Path) {
    let (code, out) = ears_lab("check-golden", &[&shared.join("golden")]);
    assert_eq!(code, Some(0), "{out}");
    let line = |name: &str| out.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(line("policy_two_level.json").contains(": 4 of 4 cases, worst "), "{out}");
    assert!(line("policy_propensities.json").contains(": 19 of 19 cases, worst "), "{out}");
    assert!(line("obp_estimates.json").contains(": 298 of 298 cases, worst "), "{out}");
    assert!(line("slate_estimates.json").contains(": 9 of 9 cases, worst "), "{out}");
    for known in ["policy_two_level.json", "policy_propensities.json", "obp_estimates.json", "slate_estimates.json"] {
        assert!(line(known).ends_with(", tolerance 1e-9, ok"), "{out}");
    }
    for folder in ["models/kuairand/", "models/obd_men/"] {
        let models: Vec<&str> = out.lines().filter(|line| line.starts_with(folder)).collect();
        assert_eq!(models.len(), 10, "{out}");
        assert!(models.iter().all(|line| line.contains(": 200 of 200 cases, worst ") && line.ends_with(", ok")), "{out}");
    }
}

fn lastfm(shared: &Path) {
    let small = ["--world", "lastfm", "--seeds", "2", "--listeners", "40", "--days", "20", "--middle", "--data"];
    let mut arguments: Vec<&Path> = small.iter().map(Path::new).collect();
    let data = shared.join("data");
    arguments.extend([&data, Path::new("--json"), Path::new("-")]);
    let (code, out) = ears_lab("simulate", &arguments);
    assert_eq!(code, Some(0), "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
    let streams = |policy: &str| {
        let of = report["policies"][policy]["streams"].as_array();
        of.filter(|of| of.len() == 2).map(|of| of.iter().filter_map(serde_json::Value::as_u64).sum::<u64>())
    };
    assert!(streams("ears") > streams("random") && streams("oracle") > streams("ears"), "{out}");
    assert!(streams("random") > Some(0), "{out}");
}

fn replays(shared: &Path) {
    let data = shared.join("data");
    for world in ["movielens", "kuairand"] {
        let words = ["--world", world, "--seeds", "1", "--data"];
        let mut arguments: Vec<&Path> = words.iter().map(Path::new).collect();
        arguments.extend([&data, Path::new("--json"), Path::new("-")]);
        let (code, out) = ears_lab("simulate", &arguments);
        assert_eq!(code, Some(0), "{out}");
        let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
        let over_chance = report["comparisons"].as_array().into_iter().flatten().find(|c| c["against"] == "random");
        assert!(over_chance.and_then(|c| c["low"].as_f64()).is_some_and(|low| low > 0.0), "{world}: {out}");
    }
}

fn replay(shared: &Path) {
    let (code, out) = ears_lab("replay", &["--data".as_ref(), &shared.join("data"), "--json".as_ref(), "-".as_ref()]);
    assert_eq!(code, Some(0), "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
    assert_eq!((report["listeners"].as_u64(), report["visible"].as_u64()), (Some(500), Some(12)));
    assert_eq!(report["policies"]["ears"]["hits"].as_array().map(Vec::len), Some(500));
    for against in ["popularity", "random"] {
        let found =
            report["comparisons"].as_array().into_iter().flatten().find(|c| c["policy"] == "ears" && c["against"] == against);
        let low = found.and_then(|comparison| comparison["low"].as_f64());
        assert!(low.is_some_and(|low| low > 0.0), "against {against}: {found:?}");
    }
}

/// The logs of both campaigns of one policy as one table with a column `campaign`; without the rows of one, if named.
fn both_campaigns(shared: &Path, policy: &str, without: &str, target: &Path) {
    let mut table = String::new();
    for campaign in ["men", "all"] {
        let file = shared.join("data/obd_sample").join(format!("{policy}_{campaign}.csv.gz"));
        let mut text = String::new();
        let packed = std::fs::File::open(file).map(flate2::read::GzDecoder::new);
        assert!(packed.is_ok_and(|mut packed| std::io::Read::read_to_string(&mut packed, &mut text).is_ok()));
        for (number, line) in text.lines().enumerate() {
            match number {
                0 if table.is_empty() => table.push_str(&format!("{line},campaign\n")),
                0 => {}
                _ if campaign == without => {}
                _ => table.push_str(&format!("{line},{campaign}\n")),
            }
        }
    }
    assert!(std::fs::write(target, table).is_ok());
}

fn campaigns(shared: &Path) {
    let file = |name: &str| std::env::temp_dir().join(format!("ears-campaigns-{}-{name}.csv", std::process::id()));
    let (whole, cut) = (file("whole"), file("cut"));
    for policy in ["random", "bts"] {
        both_campaigns(shared, policy, "", &whole);
        for gone in ["men", "all"] {
            both_campaigns(shared, policy, gone, &cut);
            for (train, against, side) in [(&cut, &whole, "train"), (&whole, &cut, "against")] {
                let (code, out) =
                    ears_lab("validate", &[train, Path::new("--against"), against, Path::new("--json"), Path::new("-")]);
                assert_eq!(code, Some(2), "{out}");
                let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
                let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
                assert_eq!(findings.len(), 1, "{out}");
                let message = format!("slice campaign={gone} is missing from {side} (expected about 50 %)");
                assert_eq!(findings[0]["message"], message.as_str());
            }
        }
    }
    for file in [whole, cut] {
        assert!(std::fs::remove_file(file).is_ok());
    }
}
