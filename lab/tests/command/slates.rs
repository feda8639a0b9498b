//! `evaluate --slates` against every outcome of small worlds, and on bad logs.

use std::path::Path;

use ears_lab::logs::parquet::Writer;
use ears_lab::logs::{Decision, Header};
use serde_json::Value;

use crate::ears_lab;
use crate::evaluate::Folder;

const CARDS: usize = 3;

/// Arbitrary numbers: the multiplier is Knuth's.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Positive numbers that sum to 1.
    fn shares(&mut self, n: usize) -> Vec<f64> {
        let of: Vec<f64> = (0..n).map(|_| 0.2 + self.below(1_000) as f64 / 1_000.0).collect();
        let total: f64 = of.iter().sum();
        of.iter().map(|x| x / total).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Depends {
    Slate,
    Prefix,
    Card,
}

/// Two contexts, two positions, rewards 0 or 1. Chances of the logging policy and of rewards are quarters, so that a log can hold every outcome as
/// often as it is likely.
struct World {
    /// Positions are drawn independently; otherwise no card twice.
    independent: bool,
    depends: Depends,
    /// Quarters by context and card, and by context, first card and card.
    first: Vec<Vec<u64>>,
    second: Vec<Vec<Vec<u64>>>,
    target_first: Vec<Vec<f64>>,
    target_second: Vec<Vec<Vec<f64>>>,
    /// Quarters by context, first and second card, and position.
    plays: Vec<[u64; 2]>,
    /// By context, first card (3 for none above) and card.
    predicted: Vec<f64>,
}

impl World {
    fn new(seed: u64, independent: bool, depends: Depends) -> Self {
        let mut n = Numbers(seed);
        let mut quarters = |cards: &[usize]| {
            let shapes: &[&[u64]] =
                if cards.len() == 3 { &[&[2, 1, 1], &[1, 2, 1], &[1, 1, 2]] } else { &[&[3, 1], &[1, 3], &[2, 2]] };
            let shape = shapes[n.below(3) as usize];
            let mut of = vec![0; CARDS];
            cards.iter().zip(shape).for_each(|(card, quarters)| of[*card] = *quarters);
            of
        };
        let left = |a: usize| -> Vec<usize> { (0..CARDS).filter(|b| independent || *b != a).collect() };
        let first: Vec<_> = (0..2).map(|_| quarters(&[0, 1, 2])).collect();
        let second: Vec<Vec<_>> = (0..2)
            .map(|_| {
                let alike = quarters(&[0, 1, 2]);
                (0..CARDS).map(|a| if independent { alike.clone() } else { quarters(&left(a)) }).collect()
            })
            .collect();
        let target_first = (0..2).map(|_| n.shares(CARDS)).collect();
        let target_second = (0..2)
            .map(|_| {
                let alike = n.shares(CARDS);
                let of = |a: usize, n: &mut Numbers| {
                    let mut of = vec![0.0; CARDS];
                    left(a).into_iter().zip(n.shares(2)).for_each(|(b, p)| of[b] = p);
                    of
                };
                (0..CARDS).map(|a| if independent { alike.clone() } else { of(a, &mut n) }).collect()
            })
            .collect();
        let table: Vec<[u64; 2]> = (0..18).map(|_| [1 + n.below(3), 1 + n.below(3)]).collect();
        let at = |x: usize, a: usize, b: usize| (x * CARDS + a) * CARDS + b;
        let mut plays = vec![[0; 2]; 18];
        for (x, a, b) in (0..18).map(|i| (i / 9, i / 3 % 3, i % 3)) {
            plays[at(x, a, b)] = match depends {
                Depends::Slate => table[at(x, a, b)],
                Depends::Prefix => [table[at(x, a, 0)][0], table[at(x, a, b)][1]],
                Depends::Card => [table[at(x, a, 0)][0], table[at(x, b, 0)][1]],
            };
        }
        let predicted = (0..24).map(|_| n.below(1_000) as f64 / 1_000.0).collect();
        Self { independent, depends, first, second, target_first, target_second, plays, predicted }
    }

    /// The log, each outcome as often as its chance times 512, and the target's value.
    fn log(&self, path: &Path) -> f64 {
        let header = Header {
            words: vec!["ctx_tier".to_owned()],
            numbers: ["predicted", "target_new", "expected_new"].map(str::to_owned).to_vec(),
        };
        let mut writer = Writer::create(path, header, false).unwrap();
        let (mut value, mut number) = (0.0, 0);
        for (x, a, b) in (0..18).map(|i| (i / 9, i / 3 % 3, i % 3)) {
            let plays = self.plays[(x * CARDS + a) * CARDS + b];
            let target = [self.target_first[x][a], self.target_second[x][a][b]];
            value += 0.5 * target[0] * target[1] * (plays[0] + plays[1]) as f64 / 4.0;
            for rewards in [[0u64, 0], [0, 1], [1, 0], [1, 1]] {
                let of = |k: usize| if rewards[k] == 1 { plays[k] } else { 4 - plays[k] };
                for _ in 0..self.first[x][a] * self.second[x][a][b] * of(0) * of(1) {
                    for k in 0..2 {
                        let q = |card: usize| self.predicted[(x * 4 + if k == 0 { 3 } else { a }) * CARDS + card];
                        let (card, quarters) = if k == 0 { (a, self.first[x][a]) } else { (b, self.second[x][a][b]) };
                        let next = if k == 0 { &self.target_first[x] } else { &self.target_second[x][a] };
                        let expected = (0..CARDS).map(|card| next[card] * q(card)).sum();
                        writer
                            .write(Decision {
                                decision: Some(number.to_string()),
                                policy: "explore".to_owned(),
                                position: k as i32,
                                action: card as i32,
                                propensity: quarters as f64 / 4.0,
                                reward: Some(rewards[k] as f64),
                                words: vec![["free", "paid"][x].to_owned()],
                                numbers: vec![Some(q(card)), Some(target[k]), Some(expected)],
                                ..Decision::default()
                            })
                            .unwrap();
                    }
                    number += 1;
                }
            }
        }
        assert_eq!(number, 512);
        writer.finish().unwrap();
        value
    }
}

fn report(arguments: &[&str]) -> Value {
    let (code, out, errors) = ears_lab(&[&["evaluate"], arguments, &["--json", "-"]].concat());
    assert_eq!((code, errors.as_str()), (0, ""), "{out}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn whole_pages_are_judged_without_bias_where_the_estimator_says_so() {
    let folder = Folder::new("slates-enumerated");
    let path = folder.file("log.parquet");
    for seed in 0..12 {
        let depends = [Depends::Slate, Depends::Prefix, Depends::Card][seed as usize % 3];
        let world = World::new(seed, seed % 2 == 0, depends);
        let value = world.log(Path::new(&path));
        let mut arguments = vec![path.as_str(), "--policy", "scored:new", "--slates"];
        if world.independent {
            arguments.push("--independent-positions");
        }
        let report = report(&arguments);
        assert_eq!((report["rows"].as_u64(), report["pages"]["pages"].as_u64()), (Some(1_024), Some(512)));
        let estimates = report["policies"][0]["all"]["estimates"].as_array().unwrap();
        assert_eq!(estimates.len(), if world.independent { 9 } else { 5 });
        for line in estimates {
            let name = line["estimator"].as_str().unwrap();
            let off = (line["value"].as_f64().unwrap() - value).abs();
            let unbiased = match name {
                "SIPS" => true,
                "RIPS" | "CascadeDR" => world.depends != Depends::Slate,
                // With every outcome in its place the mean weights are 1, and normalising changes nothing.
                "SNSIPS" => true,
                "SNRIPS" => world.depends != Depends::Slate,
                _ => world.depends == Depends::Card,
            };
            assert_eq!(off < 1e-12, unbiased, "seed {seed}, {name}: off by {off}, {depends:?}");
            assert!(unbiased || off > 1e-6, "seed {seed}, {name}: {off}");
            let interval = &line["intervals"][0];
            assert!(!unbiased || interval[1].as_f64().unwrap() < value && value < interval[2].as_f64().unwrap(), "{line}");
        }
    }
}

#[test]
fn pages_hold_together_over_row_groups_threads_and_files() {
    let folder = Folder::new("slates-groups");
    let (one, two) = (folder.file("one.parquet"), folder.file("two.parquet"));
    // 120,000 rows: a row group ends after the first card of a page.
    for (log, seed, pages) in [(&one, "1", "40000"), (&two, "2", "5000")] {
        assert_eq!(ears_lab(&["sample-log", "--pages", "--rows", pages, "--seed", seed, "--output", log]).0, 0);
    }
    let run = |files: [&str; 2], threads: &str| {
        let fixed = ["--policy", "scored:better", "--policy", "uniform", "--slice", "ctx_tier", "--largest-weight", "400"];
        let (code, out, errors) =
            ears_lab(&[&["evaluate", files[0], files[1], "--slates", "--threads", threads, "--json", "-"], &fixed[..]].concat());
        assert_eq!((code, errors.as_str()), (0, ""), "{out}");
        out
    };
    let out = run([&one, &two], "1");
    assert_eq!(out, run([&two, &one], "3"));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((report["rows"].as_u64(), report["pages"]["pages"].as_u64()), (Some(135_000), Some(45_000)));
    for (policy, truth) in [("scored:better", 0.364_724), ("uniform", 0.259_408)] {
        let policy = report["policies"].as_array().unwrap().iter().find(|of| of["name"] == policy).unwrap();
        assert_eq!(policy["slices"].as_array().unwrap().len(), 2);
        for line in policy["all"]["estimates"].as_array().unwrap() {
            // One fixed log, so one fixed answer; 4.5 standard errors are missed by chance in 7 of a million.
            let (value, error) = (line["value"].as_f64().unwrap(), line["error"].as_f64().unwrap());
            assert!((value - truth).abs() < 4.5 * error, "{line}");
            let names: Vec<&str> = line["intervals"].as_array().unwrap().iter().map(|of| of[0].as_str().unwrap()).collect();
            let resampled = !line["estimator"].as_str().unwrap().starts_with("SN");
            assert_eq!(names.contains(&"bootstrap"), resampled, "{line}");
        }
    }
    let html = folder.file("report.html");
    let (code, out, _) = ears_lab(&["evaluate", &two, "--slates", "--policy", "scored:better", "--html", &html]);
    assert_eq!(code, 0);
    for word in ["5000 pages, 15000 rows of 1 files", "worth by position", "CascadeDR", "without IIPS: needs positions drawn"] {
        assert!(out.contains(word), "{word}: {out}");
    }
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.contains("5000 pages") && html.contains("CascadeDR") && html.contains("position, with all above"));
}

/// 40 pages of 3 cards with weights about 1; `change` makes them bad.
fn written(path: &str, change: &dyn Fn(&mut Vec<Decision>)) -> usize {
    let mut rows: Vec<Decision> = (0..120)
        .map(|i| Decision {
            decision: Some(format!("d{}", i / 3)),
            policy: "explore".to_owned(),
            position: i % 3,
            action: i % 5,
            propensity: 0.5,
            reward: Some(f64::from(i % 2)),
            numbers: vec![Some(if i % 2 == 0 { 0.49 } else { 0.51 }), Some(1.0)],
            ..Decision::default()
        })
        .collect();
    change(&mut rows);
    let header = Header { words: Vec::new(), numbers: vec!["target_new".to_owned(), "rr_keep".to_owned()] };
    let mut writer = Writer::create(Path::new(path), header, false).unwrap();
    rows.iter().for_each(|row| writer.write(row.clone()).unwrap());
    writer.finish().unwrap();
    rows.len()
}

/// What is wrong, how, and what is said of it: kind, places. Then whether single decisions mind it, and how many good rows of pages go with it.
type Fault = (&'static dyn Fn(&mut Vec<Decision>), &'static str, &'static [&'static str], bool, u64);

#[test]
fn every_fault_is_named_counted_and_located() {
    const PROPENSITY: &str = "expected a propensity in (0, 1] in 1 row";
    const TOGETHER: &str = "expected the rows of a decision together, each shelf from position 0 on without a gap in ";
    let faults: [Fault; 13] = [
        (&|rows| rows[4].propensity = 0.0, PROPENSITY, &["row 5: found 0\n"], true, 2),
        (&|rows| rows[4].propensity = 1.5, PROPENSITY, &["row 5: found 1.5\n"], true, 2),
        (&|rows| rows[4].propensity = f64::NAN, PROPENSITY, &["row 5: found NaN\n"], true, 2),
        (&|rows| rows[4].reward = Some(f64::NAN), "expected a finite reward in 1 row", &["row 5: found NaN\n"], true, 2),
        (&|rows| rows[4].reward = Some(f64::INFINITY), "expected a finite reward in 1 row", &["row 5: found inf\n"], true, 2),
        (&|rows| rows[4].numbers[0] = Some(1.5), "expected a target probability in [0, 1]", &["row 5: found 1.5\n"], true, 2),
        (&|rows| rows[4].numbers[0] = None, "expected a target probability in [0, 1]", &["row 5: found NaN\n"], true, 2),
        (&|rows| rows[4].numbers[1] = Some(0.9), "expected rewards without noise", &["row 5: found rr_keep 0.9\n"], true, 2),
        (
            &|rows| rows.extend_from_within(3..6),
            "expected each decision, shelf and position once in 3 rows",
            &["row 121: found a second one\n", "row 123: found a second one"],
            true,
            0,
        ),
        (&|rows| rows.swap(4, 7), TOGETHER, &["row 5: found ", "row 6: found "], false, 0),
        (
            &|rows| {
                rows.remove(4);
            },
            TOGETHER,
            &["row 5: found shelf 0, position 2\n"],
            false,
            1,
        ),
        (
            &|rows| rows.swap(3, 4),
            TOGETHER,
            &["row 4: found shelf 0, position 1\n", "row 5: found shelf 0, position 0\n"],
            false,
            0,
        ),
        (
            &|rows| rows[4].decision = None,
            "expected a decision id, to tell pages apart in 1 row",
            &["row 5: found none\n"],
            false,
            0,
        ),
    ];
    let folder = Folder::new("slates-bad");
    let log = folder.file("log.parquet");
    for (number, (change, kind, places, of_rows, with)) in faults.into_iter().enumerate() {
        let rows = written(&log, change) as u64;
        for mode in [&["--policy", "scored:new"][..], &["--policy", "scored:new", "--slates"]] {
            let slates = mode.len() == 3;
            let (code, out, errors) = ears_lab(&[&["evaluate", &log], mode].concat());
            if !slates && !of_rows {
                assert_eq!((code, errors.as_str()), (0, ""), "fault {number}: {out}");
                continue;
            }
            assert_eq!((code, out.as_str()), (1, ""), "fault {number}, {mode:?}");
            assert!(errors.contains(kind), "fault {number}, {mode:?}: {errors}");
            for place in places {
                assert!(errors.contains(&format!("log.parquet: {place}")), "fault {number}, {mode:?}, {place}: {errors}");
            }
            // Left out only where that is asked for, and then every row is accounted for.
            let (code, out, errors) = ears_lab(&[&["evaluate", &log, "--skip-bad", "--json", "-"], mode].concat());
            assert_eq!((code, errors.as_str()), (0, ""), "fault {number}, {mode:?}: {out}");
            let report: Value = serde_json::from_str(&out).unwrap();
            let count = |value: &Value| value.as_u64().unwrap_or(0);
            let bad: u64 = report["bad"].as_array().unwrap().iter().map(|of| count(&of["rows"])).sum();
            let beside = count(&report["pages"]["with_bad"]);
            assert!(bad > 0 && (!slates || with == 0 || beside == with), "fault {number}, {mode:?}: {out}");
            assert_eq!(
                count(&report["rows"]) + count(&report["pending"]) + bad + beside,
                rows,
                "fault {number}, {mode:?}: {out}"
            );
            if slates && beside > 0 {
                let (_, text, _) = ears_lab(&[&["evaluate", &log, "--skip-bad"], mode].concat());
                assert!(text.contains(&format!("left out with them: {beside} more rows of their pages")), "{text}");
            }
        }
    }
}

#[test]
fn whole_logs_that_are_bad_are_named_too() {
    let folder = Folder::new("slates-files");
    let log = folder.file("log.parquet");
    let fails = |code: i32, words: &[&str]| {
        for mode in [&[][..], &["--slates"]] {
            let (found, out, errors) = ears_lab(&[&["evaluate", &log, "--policy", "scored:new"], mode].concat());
            assert_eq!((found, out.as_str()), (code, ""), "{mode:?}: {errors}");
            words.iter().for_each(|words| assert!(errors.contains(words), "{mode:?}, {words}: {errors}"));
        }
    };
    written(&log, &|rows| rows[60..].iter_mut().for_each(|row| row.policy = "newer".to_owned()));
    fails(1, &["expected one logging policy in 60 rows", "log.parquet: row 61: found newer"]);
    let mixed = report(&[&log, "--policy", "scored:new", "--slates", "--mixed-policies"]);
    assert_eq!(mixed["logging"], serde_json::json!([["explore", 60], ["newer", 60]]));

    // A reward that is not known yet holds its page back.
    written(&log, &|rows| rows[4].reward = None);
    let waiting = report(&[&log, "--policy", "scored:new", "--slates"]);
    assert_eq!((waiting["rows"].as_u64(), waiting["pending"].as_u64()), (Some(117), Some(3)));

    written(&log, &|_| {});
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, &bytes[..bytes.len() - 9]).unwrap();
    fails(64, &["log.parquet: expected a whole Parquet file"]);
    // The footer's key, then a string of one byte: the version.
    let key = b"ears_only.decisions";
    let at = bytes.windows(key.len()).rposition(|window| window == key).unwrap() + key.len();
    let mut newer = bytes.clone();
    assert_eq!(newer[at..at + 3], [0x18, 1, b'1']);
    newer[at + 2] = b'2';
    std::fs::write(&log, &newer).unwrap();
    fails(64, &["log.parquet: expected \"ears_only.decisions\" 1 in the footer, found 2"]);

    written(&log, &|rows| rows.iter_mut().for_each(|row| row.decision = Some("one".to_owned())));
    let (code, _, errors) = ears_lab(&["evaluate", &log, "--policy", "scored:new", "--slates"]);
    assert_eq!(code, 64, "{errors}");
    assert!(errors.contains("expected pages of up to 64 rows, found one of 120"), "{errors}");
    for (arguments, expected) in [
        (&["--estimators", "IPS", "--slates"][..], "expected an estimator of slates, one of SIPS"),
        (&["--estimators", "SIPS"], "expected an estimator such as IPS"),
    ] {
        let (code, _, errors) = ears_lab(&[&["evaluate", &log, "--policy", "scored:new"], arguments].concat());
        assert!(code == 64 && errors.contains(expected), "{errors}");
    }
}
