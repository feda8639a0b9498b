use ears_only::bundle::PriorSettings;
use ears_only::math::exp;

use super::*;
use crate::logs::parquet::{LogFile, Wanted};

/// Score = 0.5 a - b.
fn bundle() -> Bundle {
    let columns = ["a", "b"].map(|name| crate::train::log::column(name).unwrap()).to_vec();
    let prior =
        PriorSettings { bias: 0.0, mean: vec![("a".to_owned(), 0.5), ("b".to_owned(), -1.0)], ..PriorSettings::default() };
    Bundle::new(BundleSettings { columns: Some(columns), prior, ..BundleSettings::default() }).unwrap()
}

fn parse(text: &str) -> Log {
    Log::parse(text.as_bytes(), Path::new("log.csv")).unwrap()
}

fn named(texts: &[&str]) -> Vec<Named> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

const LOG: &str = "decision,b,a,other,reward,propensity,slice:tier\n\
    x,0,1,7,,0.5,free\nx,1,1,7,1,0.25,free\nx,2,0,7,0,0.6,free\ny,0,0,7,0,0.5,paid\ny,0,0.5,7,,0.5,paid\nz,0,0,7,,0.5,paid\n";

#[test]
fn chances_are_those_of_the_formulas() {
    let log = parse(LOG);
    // Columns of the log are b, a, other; the bundle reads a, b.
    assert_eq!(columns(&bundle(), &log, Path::new("log.csv")).unwrap(), (vec![1, 0], vec!["other".to_owned()]));
    let scored = Scored::of(&bundle(), &log, &[1, 0], 0..3);
    assert_eq!(scored.scores, [0.5, -0.5, -2.0]);
    let chances = |text: &str, shown: &[u32]| {
        let policy: Named = text.parse().unwrap();
        scored.chances(&policy.settings.unwrap(), shown).unwrap()
    };
    let near = |found: &[f64], expected: [f64; 3]| {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
    };
    let [a, b, c] = [0.5, -0.5, -2.0].map(|score| exp(score / 0.5));
    let drawn = chances(r#"p={"kind":"plackett_luce","temperature":0.5,"floorCards":0.1}"#, &[1, 2]);
    near(&drawn[0], [a, b, c].map(|v| 0.9 * v / (a + b + c) + 0.1 / 3.0));
    near(&drawn[1], [0.9 * a / (a + c) + 0.05, 0.0, 0.9 * c / (a + c) + 0.05]);
    near(&chances("greedy", &[1])[0], [1.0, 0.0, 0.0]);
    near(&chances("greedy", &[0, 2])[1], [0.0, 1.0, 0.0]);
    near(&chances(r#"e={"kind":"epsilon","epsilon":0.3}"#, &[0])[0], [0.8, 0.1, 0.1]);
    near(&chances("uniform", &[2, 0])[1], [0.5, 0.5, 0.0]);
    // After a card that the greedy page would not have begun with, the page is the uniform one.
    near(&chances(r#"e={"kind":"epsilon_page","epsilon":0.3}"#, &[1, 0])[1], [0.5, 0.0, 0.5]);
    for kind in KINDS {
        for (place, here) in chances(kind.name(), &[2, 0, 1]).iter().enumerate() {
            assert!((here.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{} {place}: {here:?}", kind.name());
        }
    }
}

#[test]
fn what_is_written_is_what_was_logged_and_what_the_policies_would_do() {
    let file = std::env::temp_dir().join(format!("ears-lab-score-{}.parquet", std::process::id()));
    let policies = named(&["greedy", r#"half={"kind":"epsilon","epsilon":0.5}"#]);
    let report = score(&bundle(), &policies, &parse(LOG), Path::new("log.csv"), &file).unwrap();
    assert_eq!((report.decisions, report.rows, report.without_reward), (2, 3, 1));
    assert!(report.text().contains("scored:greedy, scored:half") && report.text().contains("does not read other"));
    let wanted = Wanted {
        numbers: ["position", "action", "propensity", "reward", "predicted", "target_greedy", "expected_greedy", "target_half"]
            .map(str::to_owned)
            .to_vec(),
        words: vec!["decision".to_owned(), "ctx_tier".to_owned()],
        ..Wanted::default()
    };
    let mut rows = Vec::new();
    LogFile::open(&file)
        .unwrap()
        .read(0, &wanted, &mut |batch| {
            for row in 0..batch.rows {
                rows.push((
                    batch.words[1].text(row),
                    batch.numbers.iter().map(|column| column.values[row]).collect::<Vec<f64>>(),
                ));
            }
            Ok(())
        })
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let q = sigmoid;
    let expected = [
        ("free", vec![0.0, 1.0, 0.25, 1.0, q(-0.5), 0.0, q(0.5), 0.5 / 3.0]),
        ("free", vec![1.0, 2.0, 0.6, 0.0, q(-2.0), 0.0, q(0.5), 0.25]),
        ("paid", vec![0.0, 0.0, 0.5, 0.0, 0.5, 0.0, q(0.25), 0.25]),
    ];
    assert_eq!(rows.len(), 3);
    for ((tier, found), (of, expected)) in rows.iter().zip(expected) {
        assert_eq!(tier, of);
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} {expected:?}");
    }
}

#[test]
fn logs_that_do_not_fit_are_refused_with_the_row() {
    let output = std::env::temp_dir().join(format!("ears-lab-score-refused-{}.parquet", std::process::id()));
    for (text, expected) in [
        (
            "decision,a,reward\nx,1,0\n",
            "log.csv: expected the column b in the header, which the bundle reads, found the features a",
        ),
        (
            "decision,a,b@fatigue,reward\nx,1,1,0\n",
            "expected the column b from the source given, as the bundle has it, found fatigue",
        ),
        ("a,b,reward\n1,1,0\n", "log.csv: expected a column decision"),
        (
            "decision,a,b,reward,propensity\nx,1,1,0,1\ny,1,1,0,0.5\n",
            "with an empty reward, in row 2, found none but what was shown",
        ),
        ("decision,a,b,reward\nx,1,1,0\ny,1,1,\nx,1,1,\n", "beside each other in row 3, found a decision that was met before"),
        ("decision,a,b,reward,weight\nx,1,1,0,1\nx,1,1,,0.5\n", "policies alone, in row 2, found 0.5"),
        ("decision,a,b,reward\nx,1,1,\n", "expected decisions with a reward, found none"),
    ] {
        let error = score(&bundle(), &named(&["greedy"]), &parse(text), Path::new("log.csv"), &output).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!output.exists());
    }
}

#[test]
fn policies_are_read_by_name_and_refused_with_what_they_lack() {
    assert_eq!(named(&["bundle"])[0], Named { name: "bundle".to_owned(), settings: None });
    assert_eq!(named(&["new=greedy"])[0].settings.unwrap().epsilon, 0.0);
    assert_eq!(named(&["squarecb"])[0].settings.unwrap().kind, PolicyKind::SquareCb);
    for (text, expected) in [
        ("best", "expected the policy bundle, greedy, plackett_luce"),
        ("fixed", "expected the policy bundle, greedy, plackett_luce"),
        (r#"{"kind":"epsilon"}"#, "expected a name before a policy in JSON"),
        (r#"a b={"kind":"epsilon"}"#, "expected a name of letters"),
        ("a={", "policy a: expected JSON"),
        (r#"a={"kind":"dance"}"#, "kind must be one of"),
        (r#"a={"kind":"epsilon","epsilon":2}"#, "must be within 0 and 1"),
    ] {
        let error = text.parse::<Named>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let output = std::env::temp_dir().join("never-written.parquet");
    for (texts, expected) in [
        (&[r#"a={"kind":"fixed"}"#][..], "policy a: expected one that depends on the scores alone"),
        (&[r#"a={"diversity":1}"#], "policy a: expected diversity 0"),
        (&[r#"a={"baselineShare":0.5}"#], "policy a: expected baselineShare 0"),
        (&["greedy", "greedy=uniform"], "expected policies with names of their own, found greedy twice"),
        (&[], "expected at least one policy"),
    ] {
        let error = score(&bundle(), &named(texts), &parse(LOG), Path::new("log.csv"), &output).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
