//! `import`, `export` and `evaluate` on small logs.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use ears_lab::evaluate::slope::{Candidate, Family, choose};
use serde_json::{Value, json};

use crate::ears_lab;

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ears-lab-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.0.join(name), text).unwrap();
        self.file(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_examples_of_the_documentation_run_and_their_estimates_hold_the_truth() {
    let folder = Folder::new("examples");
    let text = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/evaluation.md")).unwrap();
    folder.write("best.csv", "ctx_tier,action,probability\nfree,3,1\npaid,4,1\n");
    let start = "cargo run --release -p ears-lab -- ";
    let mut shown = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix(start)) {
        let line = line.replace("/tmp/", &format!("{}/", folder.0.display()));
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let (code, out, errors) = ears_lab(&arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{line}");
        shown.push(out);
    }
    assert_eq!(shown.len(), 5);
    for words in ["20000 pages, 60000 rows", "scored:better | paid", "CascadeDR ", "without PI: needs positions"] {
        assert!(shown[4].contains(words), "{words}: {}", shown[4]);
    }
    let pages: Value = serde_json::from_str(&std::fs::read_to_string(folder.0.join("pages.json")).unwrap()).unwrap();
    for (policy, truth) in [(0, 0.3647), (1, 0.2594)] {
        for line in pages["policies"][policy]["all"]["estimates"].as_array().unwrap() {
            assert!((line["value"].as_f64().unwrap() - truth).abs() < 4.0 * line["error"].as_f64().unwrap(), "{line}");
        }
    }
    assert!(shown[1].contains("scored:better | paid") && shown[1].contains("DR "), "{}", shown[1]);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(folder.0.join("report.json")).unwrap()).unwrap();
    let dr = report["policies"][0]["all"]["estimates"].as_array().unwrap().iter().find(|line| line["estimator"] == "DR").unwrap();
    // One fixed log: the standard error is about 0.01, and 0.3 lies within 4 of them.
    assert!((dr["value"].as_f64().unwrap() - 0.3).abs() < 4.0 * dr["error"].as_f64().unwrap(), "{dr}");
    let html = std::fs::read_to_string(folder.0.join("report.html")).unwrap();
    assert!(html.contains("SwitchDR(10)"));
}

const MAPPING: &str = r#"{
    "decision": "id", "policy_name": "explore", "action": "item", "propensity": "p", "reward": "played",
    "words": {"ctx_tier": "tier"}, "numbers": {"target_new": "p_new", "predicted": "q", "expected_new": "q_new"}
}"#;

const HEADER: &str = "id,item,p,played,tier,p_new,q,q_new\n";

/// Rows whose mean weight is about 1: propensities 0.25 and 0.75, the target the other way round.
fn rows(from: u32, to: u32) -> String {
    let mut text = String::new();
    for i in from..to {
        let mixed = i.wrapping_mul(2_654_435_761) >> 8;
        let common = mixed % 4 != 0;
        let (p, new) = if common { (0.75, 0.25) } else { (0.25, 0.75) };
        let played = u32::from(mixed / 4 % 10 < if common { 2 } else { 4 });
        let tier = ["free", "paid"][(mixed / 64 % 2) as usize];
        let q = if common { 0.25 } else { 0.35 };
        writeln!(text, "d{i},{},{p},{played},{tier},{new},{q},0.325", u32::from(common)).unwrap();
    }
    text
}

fn imported(folder: &Folder, name: &str, csv: &str) -> String {
    let (input, mapping) = (folder.write("in.csv", csv), folder.write("mapping.json", MAPPING));
    let output = folder.file(name);
    let (code, out, errors) = ears_lab(&["import", "--from", "csv", "--mapping", &mapping, &input, "--output", &output]);
    assert_eq!((code, errors.as_str()), (0, ""), "{out}");
    output
}

#[test]
fn the_answer_is_the_same_whatever_the_threads_and_the_order_of_files() {
    let folder = Folder::new("order");
    let one = imported(&folder, "one.parquet", &format!("{HEADER}{}", rows(0, 9_000)));
    let two = imported(&folder, "two.parquet", &format!("{HEADER}{}", rows(9_000, 20_000)));
    let run = |files: [&String; 2], threads: &str| {
        let fixed =
            ["--policy", "scored:new", "--policy", "logging", "--slice", "ctx_tier", "--largest-weight", "3", "--json", "-"];
        let (code, out, errors) = ears_lab(&[&["evaluate", files[0], files[1], "--threads", threads], &fixed[..]].concat());
        assert_eq!((code, errors.as_str()), (0, ""));
        out
    };
    let out = run([&one, &two], "1");
    assert_eq!(out, run([&two, &one], "3"));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((report["rows"].as_u64(), report["identified"].as_u64()), (Some(20_000), Some(20_000)));
    let new = &report["policies"][0];
    assert_eq!(new["name"], "scored:new");
    assert_eq!(new["slices"].as_array().unwrap().len(), 2);
    for line in new["all"]["estimates"].as_array().unwrap() {
        // 0.25 * 0.2 + 0.75 * 0.4; the standard error is below 0.006.
        let value = line["value"].as_f64().unwrap();
        assert!((value - 0.35).abs() < 0.025, "{line}");
        for interval in line["intervals"].as_array().unwrap() {
            assert!(interval[1].as_f64().unwrap() < value && value < interval[2].as_f64().unwrap(), "{line}");
        }
    }
    let names: Vec<&str> = new["all"]["estimates"][0]["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|interval| interval[0].as_str().unwrap())
        .collect();
    assert_eq!(names, ["normal", "bootstrap", "likelihood", "bernstein", "anytime"]);
    // On policy the estimate is the plain mean, and the slices make up the whole.
    let logging = &report["policies"][1]["all"]["estimates"][0];
    let mean = rows(0, 20_000).lines().filter(|line| line.split(',').nth(3) == Some("1")).count() as f64 / 20_000.0;
    assert_eq!(logging["value"].as_f64(), Some(mean));
}

#[test]
fn the_page_fetches_nothing_and_the_table_names_what_was_asked() {
    let folder = Folder::new("page");
    let log = imported(&folder, "log.parquet", &format!("{HEADER}{}", rows(0, 3_000)));
    let table = folder.write("table.csv", "ctx_tier,action,probability\nfree,0,0.5\nfree,1,0.5\npaid,0,1\n");
    let page = folder.file("report.html");
    let policies = ["--policy", "scored:new", "--policy", &format!("table:{table}"), "--html", &page, "--slice", "ctx_tier"];
    let (code, out, errors) = ears_lab(&[&["evaluate", &log], &policies[..]].concat());
    assert_eq!((code, errors.as_str()), (0, ""));
    for word in ["3000 rows of 1 files", "scored:new | free", "SwitchDR(10)", "normal [", "table:"] {
        assert!(out.contains(word), "{word}: {out}");
    }
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    for word in ["src=", "href=", "http", "<script", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("<svg") && html.contains("scored:new"));
}

#[test]
fn a_question_that_the_log_cannot_answer_gets_a_sentence_and_no_number() {
    let folder = Folder::new("verdict");
    // One row in a hundred has nearly all the weight.
    let mut csv = HEADER.to_owned();
    for i in 0..400 {
        let (p, new) = if i % 200 == 0 { (0.005, 0.99) } else { (0.9, 0.001) };
        writeln!(csv, "d{i},0,{p},1,free,{new},0.5,0.5").unwrap();
    }
    let log = imported(&folder, "log.parquet", &csv);
    let (code, out, _) = ears_lab(&["evaluate", &log, "--policy", "scored:new"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("these logs cannot answer this question: effective sample size 2\n"), "{out}");
    assert!(!out.contains("IPS"), "{out}");
}

#[test]
fn bad_rows_are_named_counted_and_located() {
    let folder = Folder::new("bad");
    let mut csv = format!("{HEADER}{}", rows(0, 500));
    csv += "e1,0,0,1,free,0.5,0.5,0.5\ne2,0,1.5,1,free,0.5,0.5,0.5\ne3,0,0.5,NaN,free,0.5,0.5,0.5\n";
    let (input, mapping) = (folder.write("in.csv", &csv), folder.write("mapping.json", MAPPING));
    let output = folder.file("log.parquet");
    let import = ["import", "--from", "csv", "--mapping", &mapping, &input, "--output", &output];
    let (code, _, errors) = ears_lab(&import);
    assert_eq!(code, 1);
    for words in [
        "expected a propensity in (0, 1] in 2 rows",
        "in.csv: row 502: found 0\n",
        "in.csv: row 503: found 1.5\n",
        "expected a finite reward in 1 row\n",
        "in.csv: row 504: found NaN",
    ] {
        assert!(errors.contains(words), "{words}: {errors}");
    }
    let (code, out, _) = ears_lab(&[&import[..], &["--skip-bad"]].concat());
    assert_eq!(code, 0);
    assert!(out.contains("log.parquet: 500 rows") && out.contains("in 2 rows"), "{out}");

    // Bad in a way that only the whole log shows: duplicates and target probabilities.
    let mut csv = format!("{HEADER}{}", rows(0, 500));
    csv += &rows(7, 9);
    csv += "f1,0,0.5,1,free,1.5,0.5,0.5\nf2,0,0.5,1,free,,0.5,0.5\n";
    let log = imported(&folder, "log.parquet", &csv);
    let evaluate = ["evaluate", &log, "--policy", "scored:new"];
    let (code, out, errors) = ears_lab(&evaluate);
    assert_eq!((code, out.as_str()), (1, ""));
    for words in [
        "expected each decision, shelf and position once in 2 rows",
        "log.parquet: row 501: found a second one",
        "log.parquet: row 502: found a second one",
        "expected a target probability in [0, 1] and finite predictions in 2 rows",
        "row 503: found 1.5",
        "row 504: found NaN",
    ] {
        assert!(errors.contains(words), "{words}: {errors}");
    }
    let (code, out, _) = ears_lab(&[&evaluate[..], &["--skip-bad", "--json", "-"]].concat());
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, report["rows"].as_u64()), (0, Some(500)));
    assert_eq!(report["bad"][0]["rows"], 2);

    // Two files of two logging policies.
    let other = folder.write("other.json", &MAPPING.replace("explore", "newer"));
    let (input, second) = (folder.write("two.csv", &format!("{HEADER}{}", rows(600, 700))), folder.file("two.parquet"));
    assert_eq!(ears_lab(&["import", "--from", "csv", "--mapping", &other, &input, "--output", &second]).0, 0);
    let first = imported(&folder, "one.parquet", &format!("{HEADER}{}", rows(0, 500)));
    let (code, _, errors) = ears_lab(&["evaluate", &first, &second, "--policy", "scored:new"]);
    assert_eq!(code, 1);
    assert!(
        errors.contains("expected one logging policy in 100 rows") && errors.contains("two.parquet: row 1: found newer"),
        "{errors}"
    );
    let (code, out, _) = ears_lab(&["evaluate", &first, &second, "--policy", "scored:new", "--mixed-policies", "--json", "-"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, report["logging"].clone()), (0, json!([["explore", 500], ["newer", 100]])));

    // Cut short.
    let bytes = std::fs::read(&first).unwrap();
    std::fs::write(&second, &bytes[..bytes.len() - 9]).unwrap();
    let (code, _, errors) = ears_lab(&["evaluate", &second, "--policy", "logging"]);
    assert_eq!(code, 64);
    assert!(errors.contains("two.parquet: expected a whole Parquet file"), "{errors}");
}

#[test]
fn a_chosen_parameter_is_the_one_that_slope_picks_from_the_same_estimates() {
    let folder = Folder::new("slope");
    // A target far from the logging policy: large weights are rare and noisy, so that parameters differ.
    let mut csv = HEADER.to_owned();
    for i in 0..6_000_u32 {
        let mixed = i.wrapping_mul(2_654_435_761) >> 8;
        let rare = mixed % 50 == 0;
        let (p, new) = if rare { (0.02, 0.6) } else { (0.98, 0.4) };
        let played = u32::from(mixed / 64 % 10 < if rare { 4 } else { 3 });
        let tier = ["free", "paid"][(mixed / 1024 % 2) as usize];
        writeln!(csv, "d{i},{},{p},{played},{tier},{new},0.35,0.35", u32::from(!rare)).unwrap();
    }
    let log = imported(&folder, "log.parquet", &csv);
    let page = folder.file("report.html");
    let run = |estimators: &str, more: &[&str]| {
        let fixed = ["evaluate", &log, "--policy", "scored:new", "--slice", "ctx_tier", "--estimators", estimators];
        let (code, out, errors) = ears_lab(&[&fixed[..], more].concat());
        assert_eq!((code, errors.as_str()), (0, ""), "{out}");
        out
    };
    let mut names = std::collections::BTreeSet::new();
    for family in Family::ALL {
        let asked = format!("{}(slope)", family.name());
        let chosen: Value = serde_json::from_str(&run(&asked, &["--json", "-", "--html", &page])).unwrap();
        let grid: Vec<String> = family.grid().iter().map(ToString::to_string).collect();
        let each: Value = serde_json::from_str(&run(&grid.join(","), &["--json", "-"])).unwrap();
        for part in ["/policies/0/all", "/policies/0/slices/0/1", "/policies/0/slices/1/1"] {
            let lines = |report: &Value| report.pointer(&format!("{part}/estimates")).unwrap().as_array().unwrap().clone();
            let each = lines(&each);
            let number = |line: &Value, at: usize| line["intervals"][0][at].as_f64().unwrap();
            let candidates: Vec<Candidate> = each
                .iter()
                .map(|line| Candidate {
                    value: line["value"].as_f64().unwrap(),
                    half_width: 0.5 * (number(line, 2) - number(line, 1)),
                })
                .collect();
            let best = &each[choose(&candidates).unwrap()];
            let [line] = &lines(&chosen)[..] else { panic!("one line") };
            assert_eq!((&line["estimator"], &line["chosen"]), (&json!(asked), &best["estimator"]), "{part}");
            assert_eq!((&line["value"], &line["intervals"]), (&best["value"], &best["intervals"]), "{part}");
            names.insert(line["chosen"].as_str().unwrap().to_owned());
        }
        let named = chosen["policies"][0]["all"]["estimates"][0]["chosen"].as_str().unwrap();
        assert!(run(&asked, &[]).contains(&format!("  chosen: {named}\n")));
        assert!(std::fs::read_to_string(&page).unwrap().contains(&format!("<td>{asked}, chosen: {named}</td>")));
    }
    assert!(names.len() > 6, "the choice should depend on the rows: {names:?}");
    // Beside others, and without a model.
    let out = run("IPS,SwitchDR(10),SwitchDR(slope)", &["--model", "none"]);
    assert!(out.contains("without a reward model: no SwitchDR(10), SwitchDR(slope)\n") && out.contains("IPS "), "{out}");
    let (code, _, errors) = ears_lab(&["evaluate", &log, "--policy", "scored:new", "--estimators", "DR(slope)"]);
    assert_eq!(code, 64);
    assert!(errors.contains("expected (slope) after one of CIPS, NCIS"), "{errors}");
}

/// The value of an estimator for the first policy.
fn value(report: &str, estimator: &str) -> f64 {
    let report: Value = serde_json::from_str(report).unwrap();
    let lines = report["policies"][0]["all"]["estimates"].as_array().unwrap().clone();
    lines.iter().find(|line| line["estimator"] == estimator).unwrap()["value"].as_f64().unwrap()
}

#[test]
fn marginalised_weights_are_those_of_what_a_card_is() {
    let folder = Folder::new("mips");
    let (log, csv) = (folder.file("log.parquet"), folder.file("log.csv"));
    assert_eq!(ears_lab(&["sample-log", "--rows", "3000", "--output", &log]).0, 0);
    assert_eq!(ears_lab(&["export", "--to", "csv", &log, "--output", &csv]).0, 0);
    let policy = [0.125, 0.25, 0.125, 0.375, 0.125];
    let rows: String = policy.iter().enumerate().map(|(action, p)| format!("{action},{p}\n")).collect();
    let table = format!("table:{}", folder.write("policy.csv", &format!("action,probability\n{rows}")));
    let evaluate = |embeddings: &str, policy: &str, skip: &[&str]| {
        let embeddings = folder.write("embeddings.csv", embeddings);
        let fixed = ["evaluate", &log, "--policy", policy, "--estimators", "IPS,MIPS", "--json", "-", "--embeddings"];
        ears_lab(&[&fixed[..], &[embeddings.as_str()], skip].concat())
    };
    let kinds = ["rock", "rock", "talk", "jazz", "jazz"];
    let named: String = kinds.iter().enumerate().map(|(action, kind)| format!("{action},{kind}\n")).collect();
    let (code, out, errors) = evaluate(&format!("action,embedding\n{named}"), &table, &[]);
    assert_eq!((code, errors.as_str()), (0, ""));
    // By hand from the log's own table.
    let text = std::fs::read_to_string(&csv).unwrap();
    let column = |name: &str| text.lines().next().unwrap().split(',').position(|column| column == name).unwrap();
    let (action, reward, probs) = (column("action"), column("reward"), column("probs"));
    let terms: Vec<f64> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let kind = kinds[fields[action].parse::<usize>().unwrap()];
            let of = |chances: &[f64]| kinds.iter().zip(chances).filter(|(of, _)| **of == kind).map(|(_, p)| p).sum::<f64>();
            let logging: Vec<f64> = fields[probs].split(' ').map(|p| p.parse().unwrap()).collect();
            of(&policy) / of(&logging) * fields[reward].parse::<f64>().unwrap()
        })
        .collect();
    let by_hand = terms.iter().sum::<f64>() / terms.len() as f64;
    assert!((value(&out, "MIPS") - by_hand).abs() < 1e-12, "{by_hand}: {out}");
    assert!((value(&out, "MIPS") - value(&out, "IPS")).abs() > 1e-4, "{out}");
    // Where every card is its own embedding, the two are one.
    let (_, out, _) = evaluate("action,embedding\n0,a\n1,b\n2,c\n3,d\n4,e\n", &table, &[]);
    assert!((value(&out, "MIPS") - value(&out, "IPS")).abs() < 1e-12, "{out}");

    // A card that nobody described is a bad row of every decision that could have placed it.
    let short = "action,embedding\n0,a\n1,b\n2,c\n3,d\n";
    let (code, out, errors) = evaluate(short, &table, &[]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(errors.contains("expected the embedding of every candidate in 3000 rows"), "{errors}");
    assert!(errors.contains("log.parquet: row 1: found none of action 4"), "{errors}");
    let (code, _, errors) = evaluate(short, "scored:better", &["--skip-bad"]);
    assert_eq!(code, 64);
    assert!(errors.contains("estimator MIPS: expected a policy whose probability of every candidate is known"), "{errors}");
    assert!(errors.contains("found scored:better"), "{errors}");
}

fn lines(path: &str) -> Vec<Value> {
    std::fs::read_to_string(Path::new(path)).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn vowpal_wabbit_events_come_and_go() {
    let folder = Folder::new("vw");
    let events = [
        json!({"_label_cost": -1.0, "_label_probability": 0.8, "_label_Action": 2, "_labelIndex": 1, "EventId": "one",
               "a": [2, 1], "p": [0.8, 0.2], "c": {"shared": {"tier": "free", "age": 3}}}),
        json!({"EventId": "one", "RewardValue": 1.0}),
        json!({"EventId": "two", "c": {"shared": {"tier": "paid"}}, "_outcomes": [
            {"_label_cost": 0.0, "_id": "s0", "_a": [2, 0], "_p": [0.25, 0.75]},
            {"_label_cost": -0.5, "_id": "s1", "_a": [0], "_p": [1.0]}]}),
        json!({"EventId": "three", "_label_cost": -2.0, "c": {"shared": {"tier": "paid"}}, "_outcomes": [
            {"_a": [1, 0], "_p": [0.5, 0.5]}, {"_a": 0, "_p": 1.0}]}),
    ];
    let text: String = events.iter().map(|event| format!("{event}\n")).collect();
    let input = folder.write("in.dsjson", &text);
    let words = r#"{"policy_name": "vw", "words": {"ctx_tier": "/c/shared/tier"}, "numbers": {"x_age": "/c/shared/age"}}"#;
    let (mapping, log) = (folder.write("m.json", words), folder.file("log.parquet"));
    let (code, out, errors) = ears_lab(&["import", "--from", "vw", "--mapping", &mapping, &input, "--output", &log]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(out.contains("5 rows") && out.contains("left out: 1 lines: rewards that came late"), "{out}");
    let table = folder.file("table.csv");
    assert_eq!(ears_lab(&["export", "--to", "csv", &log, "--output", &table]).0, 0);
    assert_eq!(
        std::fs::read_to_string(&table).unwrap(),
        "decision,policy,shelf_position,position,action,propensity,reward,candidates,probs,ctx_tier,x_age\n\
         one,vw,0,0,1,0.8,1,1 0,0.8 0.2,free,3\n\
         two,vw,0,0,2,0.25,0,2 0,0.25 0.75,paid,\n\
         two,vw,0,1,0,1,0.5,0,1,paid,\n\
         three,vw,0,0,1,0.5,0,1 0,0.5 0.5,paid,\n\
         three,vw,0,1,0,1,2,0,1,paid,\n"
    );
    let back = folder.file("back.dsjson");
    assert_eq!(ears_lab(&["export", "--to", "vw", &log, "--output", &back]).0, 0);
    let events = lines(&back);
    assert_eq!(events.len(), 3);
    assert_eq!(
        (&events[0]["_label_cost"], &events[0]["_label_Action"], &events[0]["a"]),
        (&json!(-1.0), &json!(2), &json!([2, 1]))
    );
    assert_eq!(events[1]["_outcomes"][1]["_label_cost"], json!(-0.5));
    // What came back means the same.
    let again = folder.file("again.parquet");
    let context = words.replace("/c/shared/tier", "/c/ctx_tier").replace("/c/shared/age", "/c/x_age");
    let mapping = folder.write("again.json", &context);
    assert_eq!(ears_lab(&["import", "--from", "vw", "--mapping", &mapping, &back, "--output", &again]).0, 0);
    let second = folder.file("second.csv");
    assert_eq!(ears_lab(&["export", "--to", "csv", &again, "--output", &second]).0, 0);
    assert_eq!(std::fs::read_to_string(&second).unwrap(), std::fs::read_to_string(&table).unwrap());
    // The uniform policy judged with a model fitted here.
    let (code, out, _) = ears_lab(&["evaluate", &log, "--policy", "uniform"]);
    assert_eq!(code, 1);
    assert!(out.contains("cannot answer this question: effective sample size"), "{out}");

    let dropped = folder.write("dropped.dsjson", "{\"EventId\": \"x\", \"pdrop\": 0.5}\n");
    let (code, _, errors) = ears_lab(&["import", "--from", "vw", &dropped, "--output", &log]);
    assert_eq!(code, 64);
    assert!(errors.contains("expected pdrop 0 in line"), "{errors}");
    let broken = folder.write("broken.dsjson", "{\"EventId\": \n");
    let (code, _, errors) = ears_lab(&["import", "--from", "vw", &broken, "--output", &log]);
    assert_eq!(code, 64);
    assert!(errors.contains("broken.dsjson: expected JSON in line 1"), "{errors}");
}

#[test]
fn bandit_feedback_comes_and_goes() {
    let folder = Folder::new("obp");
    let feedback = json!({
        "n_rounds": 3, "n_actions": 2, "action": [0, 1, 1], "position": [0, 0, 1], "reward": [1, 0, 1], "pscore": [0.5, 0.5, 0.25],
        "context": [[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]],
        "pi_b": [[[0.5, 0.1], [0.5, 0.9]], [[0.5, 0.1], [0.5, 0.9]], [[0.5, 0.75], [0.5, 0.25]]],
        "expected_reward": [[0.1, 0.2]],
    });
    let (input, log) = (folder.write("in.json", &feedback.to_string()), folder.file("log.parquet"));
    let (code, out, errors) = ears_lab(&["import", "--from", "obp", &input, "--output", &log]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(out.contains("3 rows"), "{out}");
    let back = folder.file("back.json");
    assert_eq!(ears_lab(&["export", "--to", "obp", &log, "--output", &back]).0, 0);
    let back = &lines(&back)[0];
    for key in ["n_rounds", "n_actions", "action", "position", "context", "pscore"] {
        assert_eq!(back[key], feedback[key], "{key}");
    }
    assert_eq!(back["reward"], json!([1.0, 0.0, 1.0]));
    let short = folder.write("short.json", &feedback.to_string().replace("[0,1,1]", "[0,1]"));
    let (code, _, errors) = ears_lab(&["import", "--from", "obp", &short, "--output", &log]);
    assert_eq!(code, 64);
    assert!(errors.contains("expected 3 values of action, found 2"), "{errors}");
}

#[test]
fn wrong_arguments_say_what_was_expected() {
    let folder = Folder::new("wrong");
    let log = imported(&folder, "log.parquet", &format!("{HEADER}{}", rows(0, 100)));
    let (out, embeddings) = (folder.file("out"), folder.write("embeddings.csv", "action,embedding\n0,a\n1,b\n"));
    for (arguments, expected) in [
        (&["evaluate", &log, "--policy", "best"][..], "expected logging, uniform, scored:NAME or table:FILE, got best"),
        (&["evaluate", &log, "--policy", "scored:other"], "expected a column target_other for the policy scored:other"),
        (&["evaluate", &log, "--policy", "uniform"], "expected the lists candidates and probs for the policy uniform"),
        (&["evaluate", &log, "--policy", "logging", "--model", "ridge"], "expected the lists candidates and probs in every file"),
        (&["evaluate", &log, "--policy", "logging", "--estimators", "XIPS"], "expected an estimator such as IPS"),
        (
            &["evaluate", &log, "--policy", "logging", "--estimators", "MIPS"],
            "estimator MIPS: expected what each card is (--embeddings FILE with the columns action and embedding), found none",
        ),
        (
            &["evaluate", &log, "--policy", "logging", "--estimators", "MIPS", "--embeddings", &embeddings],
            "estimator MIPS: expected the lists candidates and probs in every file, found none",
        ),
        (
            &["evaluate", &log, "--policy", "logging", "--embeddings", &embeddings],
            "expected the estimator MIPS, which alone reads embeddings",
        ),
        (&["evaluate", &log, "--policy", "logging", "--slice", "ctx_no"], "expected a column ctx_no in every file"),
        (&["evaluate", &log, "--policy", "logging", "--largest-weight", "0.5"], "expected --largest-weight of at least 1"),
        (&["evaluate", &log, "--policy", "logging", "--rewards", "1", "0"], "expected --rewards LEAST LARGEST in order"),
        (&["evaluate", &out, "--policy", "logging"], "expected a readable file"),
        (&["import", "--from", "csv", &log, "--output", &out], "expected --mapping FILE for csv"),
        (&["import", "--from", "dance", &log, "--output", &out], "expected --from vw, obp or csv, got dance"),
        (&["export", "--to", "dance", &log, "--output", &out], "expected --to vw, obp or csv, got dance"),
    ] {
        let (code, out, errors) = ears_lab(arguments);
        assert_eq!((code, out.as_str()), (64, ""), "{arguments:?}");
        assert!(errors.contains(expected), "{errors}");
    }
}
