//! From a log to a bundle, and from the bundle to what it would have earned: `sample-log --training`, `train`, `score`, `evaluate`.

use std::path::{Path, PathBuf};

use ears_lab::evaluate::sample::{BETTER, CHANCES, LOGGING, TIERS, value};
use ears_only::math::exp;
use serde_json::Value;

use crate::ears_lab;
use crate::evaluate::Folder;

/// P(card) by tier under the bundle's own policy, from the scores of its model and the formula of the policy.
fn chances(bundle: &Path) -> [[f64; 5]; 2] {
    let bundle = ears_lab::bundle::read_file(bundle).unwrap().1.bundle;
    let settings = *bundle.policy_settings();
    assert_eq!((settings.kind.name(), settings.floor_cards), ("plackett_luce", None));
    [0.0, 1.0].map(|paid| {
        let scores = [0, 1, 2, 3, 4].map(|card| {
            let mut row = vec![0.0; bundle.schema().stride()];
            (row[0], row[1], row[2 + card]) = (1.0, paid, 1.0);
            bundle.model().score(&row)
        });
        let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let odds = scores.map(|score| exp((score - best) / settings.temperature));
        odds.map(|odd| 0.98 * odd / odds.iter().sum::<f64>() + 0.02 / 5.0)
    })
}

#[test]
fn the_example_of_the_documentation_closes_the_way_from_a_log_to_the_value_of_its_bundle() {
    let folder = Folder::new("score");
    let text = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/training.md")).unwrap();
    let mut shown = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("cargo run --release -p ears-lab -- ")) {
        let line = line.replace("/tmp/", &folder.file(""));
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let (code, out, errors) = ears_lab(&arguments);
        assert_eq!(code, 0, "{line}: {out}{errors}");
        shown.push(out);
    }
    assert_eq!(shown.len(), 5);
    assert!(
        shown[3].contains("10000 decisions, 10000 rows scored by trees-1; judge scored:bundle, scored:uniform"),
        "{}",
        shown[3]
    );
    assert!(shown[4].contains("scored:bundle | paid"), "{}", shown[4]);

    // Every row holds what the formula says.
    let (scored, csv) = (folder.file("scored.parquet"), folder.file("scored.csv"));
    assert_eq!(ears_lab(&["export", "--to", "csv", &scored, "--output", &csv]).0, 0);
    let csv = std::fs::read_to_string(csv).unwrap();
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let policy = chances(Path::new(&folder.file("home.bundle")));
    for line in csv.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |name: &str| fields[at(name)].parse::<f64>().unwrap();
        let (tier, card) = (usize::from(fields[at("ctx_tier")] == TIERS[1]), number("action") as usize);
        assert!((number("target_bundle") - policy[tier][card]).abs() < 1e-9, "{line}");
        assert!((number("target_uniform") - 0.2).abs() < 1e-12 && number("propensity") == LOGGING[tier][card], "{line}");
    }
    assert_eq!(csv.lines().count(), 10_001);

    // The estimates hold the truth, which the world's own chances say.
    let judged = ["evaluate", &scored, "--policy", "logging", "--policy", "scored:bundle", "--policy", "scored:uniform"];
    let (code, out, _) = ears_lab(&[&judged[..], &["--json", "-"]].concat());
    assert_eq!(code, 0);
    let report: Value = serde_json::from_str(&out).unwrap();
    let truth = value(&policy);
    assert!(truth > value(&BETTER) && truth < 0.3, "the model should find the best card of each tier: {truth}");
    for (number, truth) in [(0, value(&LOGGING)), (1, truth), (2, value(&[[0.2; 5]; 2]))] {
        let lines = report["policies"][number]["all"]["estimates"].as_array().unwrap();
        assert_eq!(lines.len(), 4, "IPS, SNIPS, and with the bundle's predictions DR and SwitchDR");
        for line in lines {
            // A chance of 1 in 1,300 over the 12 that one is off; seeds are fixed.
            let error = line["error"].as_f64().unwrap();
            assert!((line["value"].as_f64().unwrap() - truth).abs() < 4.0 * error, "{line} {truth}");
        }
    }
    // What the text says of the best cards.
    assert_eq!(CHANCES.map(|chances| chances.into_iter().fold(0.0, f64::max)), [0.30; 2]);
}

#[test]
fn a_training_is_reported_as_one_page_that_fetches_nothing() {
    let folder = Folder::new("train-html");
    let (log, bundle, page) = (folder.file("log.csv"), folder.file("home.bundle"), folder.file("report.html"));
    assert_eq!(ears_lab(&["sample-log", "--training", "--rows", "800", "--output", &log]).0, 0);
    for (body, curve) in
        [("trees", "After each pass or tree: log-loss of the judging listeners"), ("linear", "no passes to show")]
    {
        let (code, out, errors) = ears_lab(&["train", &log, "--body", body, "-o", &bundle, "--html", &page, "--json", "-"]);
        assert_eq!(code, 0, "{errors}");
        let (html, report) = (std::fs::read_to_string(&page).unwrap(), serde_json::from_str::<Value>(&out).unwrap());
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
        for word in ["src=", "href=", "http", "<script", "@import", "url("] {
            assert!(!html.contains(word), "{word}");
        }
        let judged = &report["judged"];
        let row =
            format!("<td>other listeners</td><td>{}</td><td>{:.5}</td>", judged["rows"], judged["log_loss"].as_f64().unwrap());
        assert!(html.contains(&row) && html.contains("<td>tier free</td>") && html.contains(curve), "{row}: {html}");
        let parts = report["calibration"].as_array().unwrap();
        assert_eq!(html.matches("<circle").count(), parts.len());
        let number = |part: &Value, name: &str| part[name].as_f64().unwrap();
        // The parts make up the whole.
        for (of, whole) in [("predicted", "predicted"), ("observed", "observed")] {
            let sum: f64 = parts.iter().map(|part| number(part, "share") * number(part, of)).sum();
            assert!((sum - number(judged, whole)).abs() < 1e-9, "{of}");
        }
        let points = html.split("points=\"").nth(1).map_or(0, |rest| rest.split('"').next().unwrap().split(' ').count());
        assert_eq!(points, report["curve"].as_array().unwrap().len());
    }
}

#[test]
fn what_does_not_fit_is_named_with_file_and_row() {
    let folder = Folder::new("score-wrong");
    let (log, bundle, out) = (folder.file("log.csv"), folder.file("home.bundle"), folder.file("out.parquet"));
    assert_eq!(ears_lab(&["sample-log", "--training", "--rows", "600", "--output", &log]).0, 0);
    let (code, _, errors) = ears_lab(&["train", &log, "--body", "linear", "-o", &bundle]);
    assert_eq!(code, 0, "{errors}");
    let text = std::fs::read_to_string(&log).unwrap();
    let renamed = folder.write("renamed.csv", &text.replace("is_3", "is_three"));
    // Only what was shown: rows with a reward.
    let reward = text.lines().next().unwrap().split(',').position(|column| column == "reward").unwrap();
    let shown = |line: &&str| line.split(',').nth(reward).is_some_and(|reward| !reward.is_empty());
    let alone = folder.write("alone.csv", &text.lines().filter(shown).map(|line| format!("{line}\n")).collect::<String>());
    for (arguments, expected) in [
        (
            &[&bundle, &renamed][..],
            "renamed.csv: expected the column is_3 in the header, which the bundle reads, found the features paid",
        ),
        (
            &[&bundle, &alone],
            "alone.csv: expected all candidates of the decision, those that were not shown with an empty reward, in row 1",
        ),
        (&[&log, &log], "log.csv: expected a bundle"),
        (&[&bundle, &bundle], "home.bundle: expected"),
    ] {
        let arguments: Vec<&str> =
            ["score"].into_iter().chain(arguments.iter().map(|text| text.as_str())).chain(["-o", &out]).collect();
        let (code, said, errors) = ears_lab(&arguments);
        assert_eq!((code, said.as_str()), (64, ""), "{arguments:?}");
        assert!(errors.contains(expected), "{errors}");
        assert!(!Path::new(&out).exists());
    }
    let (code, _, errors) = ears_lab(&["score", &bundle, &log, "-o", &out, "--policy", "fixed"]);
    assert_eq!(code, 64);
    assert!(errors.contains("expected the policy bundle, greedy"), "{errors}");
}
