//! `cargo xtask prove`: the long proofs, by name. Each writes `docs/results/NAME.json`.

use crate::process::{captured, command, shown};
use crate::results::{Claim, Record};
use crate::{Result, evaluators, install, package, project, results, size, test};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

mod audited;
mod bundles;
pub mod carousel;
mod cold_start;
mod demo;
pub mod evaluate;
mod models;
mod mutants;
mod parts;
mod privacy;
mod reproducible;
mod times;
mod toolchains;
mod train;
pub mod validate;
mod votes;
mod vw;
mod wire;
mod worlds;

pub use worlds::propensity_claims;

/// A proof: what it is called, what it shows, how it is run.
struct Proof {
    name: &'static str,
    shows: &'static str,
    run: fn(&Units) -> Result<Record>,
}

const PROOFS: &[Proof] = &[
    Proof {
        name: "simulate",
        shows: "simulated listeners of the demo world, 20 seeds: the core against popularity, server order, random and the oracle",
        run: simulate,
    },
    Proof {
        name: "replay",
        shows: "real listeners: how many hidden favourites the core's page shows (needs the reference data)",
        run: replay,
    },
    Proof {
        name: "lastfm",
        shows: "a Home of real play counts, 20 seeds: the core against opponents, and over a grid (needs the reference data)",
        run: worlds::lastfm,
    },
    Proof {
        name: "movielens",
        shows: "real listeners replay their ratings, genres as shelves: the core against popularity and chance (needs the reference data)",
        run: worlds::movielens,
    },
    Proof {
        name: "kuairand",
        shows: "real impressions in their time: rewards by length, log-loss, calibration (needs the reference data)",
        run: worlds::kuairand,
    },
    Proof {
        name: "propensities",
        shows: "mean importance weight 1 and chi-square, every policy that may log, every world (needs the reference data)",
        run: worlds::propensities,
    },
    Proof {
        name: "exploration",
        shows: "the price of exploring at three rates, and what it buys after 30 and 60 days (needs the reference data)",
        run: worlds::exploration,
    },
    Proof {
        name: "sanity",
        shows: "an exploring policy's log orders candidate policies as the world does, one-feature model included (needs the reference data)",
        run: worlds::sanity,
    },
    Proof {
        name: "carousel",
        shows: "the carousel of a streaming app, 20 seeds: sharing over users' features against published policies (needs the reference data)",
        run: carousel::run,
    },
    Proof {
        name: "votes",
        shows: "100,000 simulated device-weeks of votes: clip bias, coverage and power of what their noisy bits say over 1,000 worlds",
        run: votes::run,
    },
    Proof {
        name: "validate",
        shows: "data validation: a missing tier over 1,000 draws, false alarms on as many equal pairs, planted faults (needs the reference data)",
        run: validate::run,
    },
    Proof {
        name: "validate-speed",
        shows: "data validation: rows per CPU-second and memory over 100 million rows, beside TensorFlow Data Validation and whylogs",
        run: validate::speed::run,
    },
    Proof {
        name: "bundles",
        shows: "a million hostile bundles with good checksums: refused by a code or harmless, at most 64 MB of memory",
        run: bundles::run,
    },
    Proof {
        name: "models",
        shows: "models of XGBoost, LightGBM, scikit-learn and PyTorch made afresh and imported; damaged model files (needs Python with these)",
        run: models::run,
    },
    Proof {
        name: "train",
        shows: "our trainers beside scikit-learn, XGBoost and LightGBM: losses and times (needs the reference data, and Python with XGBoost)",
        run: train::train,
    },
    Proof {
        name: "families",
        shows: "five bodies trained on one log and run on devices: lift, calibration, bytes, time, with and without learning",
        run: train::families,
    },
    Proof {
        name: "confounded",
        shows: "bodies trained naively and counterfactually on the log of a ranker that knew more, on devices and in Chromium",
        run: train::confounded,
    },
    Proof {
        name: "vw",
        shows: "the Last.fm world beside Vowpal Wabbit, same pilot and features (needs the reference data, and Python with vowpalwabbit)",
        run: vw::run,
    },
    Proof {
        name: "ope",
        shows: "2,000 logs of two worlds that know the truth: errors, coverage and order of estimates (needs the reference data)",
        run: evaluate::estimates,
    },
    Proof { name: "evaluate", shows: "speed and memory of evaluate on a long log, beside numpy", run: evaluate::speed },
    Proof {
        name: "accountant",
        shows: "what several records disclose together, exactly, and what a crowd hides of one",
        run: privacy::accountant,
    },
    Proof {
        name: "noise",
        shows: "estimators that undo the noise: bias and coverage over 2,000 data sets; a biased shortcut is caught",
        run: privacy::noise,
    },
    Proof {
        name: "privacy",
        shows: "what may leave the device: exact law, 1e7 draws from the wasm module, twins, ledger, encoding, planted faults, sizes",
        run: audited::run,
    },
    Proof {
        name: "mutants",
        shows: "every small change of what makes records turns a test red (installs cargo-mutants)",
        run: mutants::run,
    },
    Proof {
        name: "attacks",
        shows: "attacks on the records: linking, naming, batches, 10,000 listeners re-identified from ordinary logs, favourites",
        run: audited::attacks,
    },
    Proof {
        name: "probes-training",
        shows: "a model trained from one noisy bit for each device and week, beside the same loop without noise",
        run: privacy::training,
    },
    Proof { name: "size", shows: "what a browser fetches before it can rank", run: sizes },
    Proof { name: "parts", shows: "what the bytes are that a browser fetches before it can rank", run: parts::run },
    Proof {
        name: "package",
        shows: "every toolchain as it comes: the installed package ranks as the native core does",
        run: toolchains::run,
    },
    Proof {
        name: "wire",
        shows: "1,000 listeners over 52 weeks in a browser: every request of one size with the same headers, none without consent",
        run: wire::run,
    },
    Proof {
        name: "reproducible",
        shows: "one commit packed in two folders, by two homes of cargo, and once more: the same bytes",
        run: reproducible::run,
    },
    Proof {
        name: "cold-start",
        shows: "import to first ranked page in Chromium beside plain JavaScript, tfjs-wasm and onnxruntime-web: time, bytes, main thread",
        run: cold_start::run,
    },
    Proof {
        name: "demo",
        shows: "a visit to the demo page in Chromium: bytes by brotli and gzip, first content, interactive, longest task, layout shift",
        run: demo::run,
    },
    Proof {
        name: "bench",
        shows: "times in Chromium beside plain JavaScript and other libraries, native loops, growth",
        run: times::prove,
    },
];

/// Says which proofs there are.
pub fn list() {
    for proof in PROOFS {
        println!("{:<12} {}", proof.name, proof.shows);
    }
}

/// Whether there is a proof of that name.
#[cfg(test)]
pub fn knows(name: &str) -> bool {
    PROOFS.iter().any(|proof| proof.name == name)
}

/// Runs one proof and writes its file. With `resume`, units that a broken-off run has finished are kept.
pub fn run(name: &str, resume: bool) -> Result<()> {
    let Some(proof) = PROOFS.iter().find(|proof| proof.name == name) else {
        let names: Vec<&str> = PROOFS.iter().map(|proof| proof.name).collect();
        return Err(format!("expected one of {}, got {name}", names.join(", ")));
    };
    let units = Units::open(results::folder().join(format!("{name}.partial.jsonl")), resume)?;
    let record = (proof.run)(&units)?;
    let file = results::folder().join(format!("{name}.json"));
    project::write(&file, record.text(&commit()?, &today()?))?;
    units.close();
    let mut failed = 0;
    for claim in &record.claims {
        let verdict = if claim.pass { "ok  " } else { "FAIL" };
        failed += usize::from(!claim.pass);
        println!("{verdict} {}: {} (wanted: {})", claim.claim, claim.value, claim.wanted);
    }
    println!("wrote docs/results/{name}.json");
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} of {} claims do not hold", record.claims.len())),
    }
}

/// The finished units of a proof, one JSON object a line.
struct Units {
    file: PathBuf,
    done: Vec<(String, Value)>,
}

impl Units {
    fn open(file: PathBuf, resume: bool) -> Result<Units> {
        let mut done = Vec::new();
        if file.exists() && resume {
            for line in project::read(&file)?.lines() {
                // A line cut short by the end of the machine is a unit not finished.
                let Ok(entry) = serde_json::from_str::<Value>(line) else {
                    continue;
                };
                if let Some(unit) = entry.get("unit").and_then(Value::as_str) {
                    done.push((unit.to_owned(), entry["value"].clone()));
                }
            }
        } else if file.exists() {
            std::fs::remove_file(&file).map_err(|error| format!("cannot remove {}: {error}", file.display()))?;
        }
        Ok(Units { file, done })
    }

    /// The value of `unit`: from a run before, or made now and kept.
    fn unit(&self, unit: &str, make: impl FnOnce() -> Result<Value>) -> Result<Value> {
        if let Some((_, value)) = self.done.iter().find(|(name, _)| name == unit) {
            println!("{unit}: done before");
            return Ok(value.clone());
        }
        println!("{unit}");
        let value = make()?;
        let entry = serde_json::json!({
            "format": 1, "unit": unit, "commit": commit()?, "date": today()?, "value": value,
        });
        let cannot = |error: std::io::Error| format!("cannot write {}: {error}", self.file.display());
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder).map_err(cannot)?;
        }
        let mut file = std::fs::File::options().create(true).append(true).open(&self.file).map_err(cannot)?;
        // A line broken off before stays broken; this one starts afresh.
        let cut_short = std::fs::read(&self.file).is_ok_and(|bytes| bytes.last().is_some_and(|byte| *byte != b'\n'));
        let start = if cut_short { "\n" } else { "" };
        writeln!(file, "{start}{entry}").map_err(cannot)?;
        Ok(value)
    }

    fn close(&self) {
        // The whole result is written; a leftover would only be read by a later --resume.
        let _ = std::fs::remove_file(&self.file);
    }
}

fn simulate(units: &Units) -> Result<Record> {
    let arguments = ["simulate", "--world", "demo", "--seeds", "20"];
    let table = units.unit("demo world, 20 seeds", || lab_json(&arguments))?;
    Ok(Record {
        name: "simulate".to_owned(),
        command: "cargo xtask prove simulate".to_owned(),
        seeds: seeds(&table),
        claims: simulated_claims(&table)?,
    })
}

/// One claim for each comparison of the core with another policy, and the share of the oracle gap closed.
pub fn simulated_claims(table: &Value) -> Result<Vec<Claim>> {
    // The oracle knows the truth: nothing is wanted of the core against it but the number.
    let mut claims = comparisons(table, "streams", &["popularity", "server", "random"])?;
    let gap = number(table, "oracle_gap_closed")?;
    claims.push(Claim {
        claim: "oracle gap closed".to_owned(),
        value: format!("{:.0} %", gap * 100.0),
        wanted: "above 0".to_owned(),
        pass: gap > 0.0,
        numbers: vec![("share".to_owned(), gap)],
    });
    Ok(claims)
}

fn replay(units: &Units) -> Result<Record> {
    let folder = project::reference_data()?.ok_or("the replay needs the reference data: set EARS_SHARED to its folder")?;
    let data = folder.join("data");
    let report = units.unit("real listeners, all", || {
        json_of(|file| {
            let mut command = test::lab(&["replay", "--listeners", "all", "--data"]);
            command.arg(&data).arg("--json").arg(file);
            Ok(command)
        })
    })?;
    Ok(Record {
        name: "replay".to_owned(),
        command: "cargo xtask prove replay".to_owned(),
        seeds: report.get("seed").and_then(Value::as_u64).into_iter().collect(),
        claims: replayed_claims(&report)?,
    })
}

/// One claim for each comparison, and the plain counts.
pub fn replayed_claims(report: &Value) -> Result<Vec<Claim>> {
    let mut claims = comparisons(report, "hidden favourites", &["popularity", "random"])?;
    let count = |claim: &str, key: &str, digits: usize| -> Result<Claim> {
        let number = number(report, key)?;
        Ok(measured(claim, format!("{number:.digits$}"), vec![("number".to_owned(), number)]))
    };
    claims.push(count("listeners", "listeners", 0)?);
    claims.push(count("cards on a page", "cards", 1)?);
    claims.push(count("hidden favourites on a page", "hidden", 1)?);
    claims.push(count("visible cards", "visible", 0)?);
    for policy in ["ears", "popularity", "random"] {
        let mean = number(&report["policies"][policy], "mean")?;
        let claim = format!("hidden favourites visible, {policy}");
        claims.push(measured(&claim, format!("{mean:.2}"), vec![("mean".to_owned(), mean)]));
    }
    Ok(claims)
}

/// What is wanted of a number that is recorded and not judged.
pub const AS_MEASURED: &str = "as measured";

/// A number that is recorded and not judged.
fn measured(claim: &str, value: String, numbers: Vec<(String, f64)>) -> Claim {
    Claim { claim: claim.to_owned(), value, wanted: AS_MEASURED.to_owned(), pass: true, numbers }
}

/// One claim for each comparison in `table`; the core has to beat the policies in `beaten`.
fn comparisons(table: &Value, what: &str, beaten: &[&str]) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    let comparisons = table.get("comparisons").and_then(Value::as_array);
    for comparison in comparisons.ok_or("the lab wrote no comparisons")? {
        let word = |key| comparison.get(key).and_then(Value::as_str);
        let (Some(policy), Some(against)) = (word("policy"), word("against")) else {
            return Err(format!("a comparison without its policies: {comparison}"));
        };
        let interval = Interval::read(comparison, "relative")?;
        let claim = format!("{what}, {policy} over {against}");
        let mut claim = measured(&claim, interval.percent(), interval.numbers("relative"));
        if policy == "ears" && beaten.contains(&against) {
            claim.wanted = "interval above 0".to_owned();
            claim.pass = interval.low > 0.0;
        }
        claims.push(claim);
    }
    Ok(claims)
}

fn sizes(_: &Units) -> Result<Record> {
    package::build()?;
    let sizes = size::measure()?;
    let total = sizes.total();
    let bytes = |claim: &str, bytes: u64| {
        let value = format!("{:.1} kB", bytes as f64 / 1000.0);
        measured(claim, value, vec![("bytes".to_owned(), bytes as f64)])
    };
    let mut gated = bytes("fetched, brotli", total.brotli);
    gated.wanted = format!("at most {} kB", size::BROTLI_LIMIT / 1000);
    gated.pass = total.brotli <= size::BROTLI_LIMIT;
    let mut full = bytes("fetched with the full core, brotli", sizes.full().brotli);
    full.wanted = format!("at most {} kB", size::FULL_LIMIT / 1000);
    full.pass = sizes.full().brotli <= size::FULL_LIMIT;
    let evaluators = evaluators::bytes(&mut install::watched)?;
    let mut bodies = bytes("evaluators of all bodies, raw wasm", evaluators);
    bodies.wanted = format!("at most {} kB", evaluators::LIMIT / 1000);
    bodies.pass = evaluators <= evaluators::LIMIT;
    Ok(Record {
        name: "size".to_owned(),
        command: "cargo xtask prove size".to_owned(),
        seeds: Vec::new(),
        claims: vec![
            gated,
            bytes("fetched, gzip", total.gzip),
            bytes("fetched, raw", total.raw),
            full,
            bytes("all of the package, brotli", sizes.all().brotli),
            bytes("wasm module, brotli", sizes.module.brotli),
            bytes("wasm module, raw", sizes.module.raw),
            bodies,
        ],
    })
}

/// A relative difference or a mean, with its interval.
struct Interval {
    middle: f64,
    low: f64,
    high: f64,
}

impl Interval {
    fn read(value: &Value, middle: &str) -> Result<Interval> {
        Ok(Interval { middle: number(value, middle)?, low: number(value, "low")?, high: number(value, "high")? })
    }

    /// `+12.3 % [10.1, 14.2]`
    fn percent(&self) -> String {
        format!("{:+.1} % [{:.1}, {:.1}]", self.middle * 100.0, self.low * 100.0, self.high * 100.0)
    }

    fn numbers(&self, middle: &str) -> Vec<(String, f64)> {
        vec![(middle.to_owned(), self.middle), ("low".to_owned(), self.low), ("high".to_owned(), self.high)]
    }
}

fn number(value: &Value, key: &str) -> Result<f64> {
    value.get(key).and_then(Value::as_f64).ok_or_else(|| format!("expected a number \"{key}\" in {value}"))
}

fn seeds(value: &Value) -> Vec<u64> {
    let seeds = value.get("seeds").and_then(Value::as_array);
    seeds.into_iter().flatten().filter_map(Value::as_u64).collect()
}

/// Runs `ears-lab` with the reader watching and returns what it wrote with `--json`.
fn lab_json(arguments: &[&str]) -> Result<Value> {
    json_of(|file| {
        let mut command = test::lab(arguments);
        command.arg("--json").arg(file);
        Ok(command)
    })
}

/// Runs what `make` returns for a file name, and parses that file.
pub fn json_of(make: impl FnOnce(&Path) -> Result<Command>) -> Result<Value> {
    let file = project::scratch("prove")?.join("answer.json");
    let _ = std::fs::remove_file(&file);
    shown(&mut make(&file)?)?;
    serde_json::from_str(&project::read(&file)?).map_err(|error| format!("{}: {error}", file.display()))
}

/// What one run of the lab's program took.
struct Timed {
    cpu: f64,
    bytes: f64,
    seconds: f64,
}

/// Runs the optimised program, which is built, alone: no cargo between. GNU time tells user, system and memory.
fn timed(arguments: &[std::ffi::OsString], folder: &Path) -> Result<Timed> {
    let mut run = command("/usr/bin/time");
    run.args(["--format", "%U %S %M %e", "--output"]).arg(folder.join("time"));
    captured(run.arg(project::root().join("target/release/ears-lab")).args(arguments))?;
    let text = project::read(&folder.join("time"))?;
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, system, kilobytes, seconds] = numbers[..] else { return Err(format!("expected four numbers, got {text}")) };
    Ok(Timed { cpu: user + system, bytes: kilobytes * 1e3, seconds })
}

/// The commit the result belongs to; `+changes` when the files differ from it.
fn commit() -> Result<String> {
    let head = captured(command("git").args(["rev-parse", "HEAD"]))?;
    let changes = captured(command("git").args(["status", "--porcelain", "--", ".", ":(exclude)docs/results"]))?;
    let mark = if changes.trim().is_empty() { "" } else { "+changes" };
    Ok(format!("{}{mark}", head.trim()))
}

/// Today in UTC, `2026-11-23`.
fn today() -> Result<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(date(since.as_secs() / 86_400))
}

/// The date `days` after 1970-01-01.
///
/// # References
/// H. Hinnant (2013), "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`, for days >= 0.
fn date(days: u64) -> String {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_780), "2026-11-23");
    }

    #[test]
    fn simulated_claims_follow_the_intervals() {
        let table = serde_json::json!({
            "format": 1, "world": "demo", "seeds": [0, 1],
            "comparisons": [
                {"policy": "ears", "against": "popularity", "relative": 0.123, "low": 0.101, "high": 0.142},
                {"policy": "ears", "against": "server", "relative": 0.01, "low": -0.01, "high": 0.03},
                {"policy": "ears", "against": "oracle", "relative": -0.2, "low": -0.3, "high": -0.1},
            ],
            "oracle_gap_closed": 0.634,
        });
        assert_eq!(seeds(&table), [0, 1]);
        let claims = simulated_claims(&table).unwrap();
        let passes: Vec<bool> = claims.iter().map(|claim| claim.pass).collect();
        assert_eq!(passes, [true, false, true, true]);
        assert_eq!(claims[0].claim, "streams, ears over popularity");
        assert_eq!(claims[0].value, "+12.3 % [10.1, 14.2]");
        assert_eq!(claims[3].value, "63 %");
        assert!(simulated_claims(&serde_json::json!({})).is_err());
    }

    #[test]
    fn replayed_claims_follow_the_intervals() {
        let report = serde_json::json!({
            "format": 1, "listeners": 500, "visible": 12, "seed": 1, "hidden": 24.5, "cards": 122.5,
            "policies": {"ears": {"mean": 5.0}, "popularity": {"mean": 2.5}, "random": {"mean": 2.4}},
            "comparisons": [
                {"policy": "ears", "against": "popularity", "relative": 1.0, "low": 0.9, "high": 1.1},
                {"policy": "ears", "against": "random", "relative": 1.08, "low": -0.1, "high": 1.2},
                {"policy": "popularity", "against": "random", "relative": 0.0, "low": -0.1, "high": 0.1},
            ],
        });
        let claims = replayed_claims(&report).unwrap();
        let passes: Vec<bool> = claims.iter().map(|claim| claim.pass).take(3).collect();
        assert_eq!(passes, [true, false, true]);
        let last = claims.last().unwrap();
        assert_eq!(last.claim, "hidden favourites visible, random");
        assert_eq!(last.value, "2.40");
    }

    #[test]
    fn finished_units_are_kept() {
        let file = std::env::temp_dir().join(format!("xtask-units-{}.jsonl", std::process::id()));
        let cut = "{\"format\": 1, \"unit\": \"a\", \"value\": {\"x\": 1}}\n{\"format\": 1, \"un";
        std::fs::write(&file, cut).unwrap();
        let units = Units::open(file.clone(), true).unwrap();
        let kept = units.unit("a", || Err("made again".to_owned())).unwrap();
        assert_eq!(kept["x"], 1);
        assert!(units.unit("b", || Err("made now".to_owned())).is_err());
        let afresh = Units::open(file.clone(), false).unwrap();
        assert!(afresh.done.is_empty() && !file.exists());
    }
}
