//! `validate`: findings, exit codes and what is refused.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::ears_lab;

/// A file of this test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, text: &str) -> Scratch {
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
        let path = std::env::temp_dir().join(format!("ears-validate-{}-{thread}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Scratch(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A log of a streaming app: two rows in five are premium, and premium listeners are different.
fn log(rows: u32, offset: u32, keep: impl Fn(&str) -> bool) -> String {
    let mut text = "tier,country,position,propensity,affinity,reward\n".to_owned();
    for i in 0..rows {
        // A fixed scramble in place of a generator.
        let random = (u64::from(i + offset) * 2_654_435_761) % 1_000_003;
        let premium = random % 5 < 2;
        let tier = if premium { "premium" } else { "free" };
        if !keep(tier) {
            continue;
        }
        let country = ["SE", "US", "DE"][(random / 7 % 3) as usize];
        let affinity = (random / 11 % 1000) as f64 / 1000.0 + if premium { 0.3 } else { 0.0 };
        let reward = u8::from(random / 13 % 100 < if premium { 30 } else { 10 });
        text.push_str(&format!("{tier},{country},{},0.25,{affinity},{reward}\n", random / 17 % 4));
    }
    text
}

#[test]
fn a_tier_missing_from_train_is_one_finding_and_exit_code_2() {
    let against = Scratch::new("against.csv", &log(4000, 0, |_| true));
    for (tier, share) in [("premium", "40 %"), ("free", "60 %")] {
        let train = Scratch::new("train.csv", &log(4000, 4000, |of| of != tier));
        let report = Scratch::new("report.json", "");
        let (code, out, errors) =
            ears_lab(&["validate", train.path(), "--against", against.path(), "--slice", "tier", "--json", report.path()]);
        assert_eq!((code, errors.as_str()), (2, ""));
        let message = format!("slice tier={tier} is missing from train (expected about {share})");
        assert!(out.contains(&message), "{out}");
        let report: Value = serde_json::from_str(&report.text()).unwrap();
        let findings = report["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{report}");
        let finding = &findings[0];
        assert_eq!(
            json!({ "code": "missing_slice", "severity": "error", "column": "tier", "slice": format!("tier={tier}"), "dataset": "train", "message": message }),
            json!({ "code": finding["code"], "severity": finding["severity"], "column": finding["column"], "slice": finding["slice"],
                    "dataset": finding["dataset"], "message": finding["message"] })
        );
        let expected = finding["expected"].as_f64().unwrap();
        assert!((expected - if tier == "premium" { 0.4 } else { 0.6 }).abs() < 0.02);
        assert_eq!(finding["found"], 0.0);
        assert!(!finding["fix"].as_str().unwrap().is_empty());

        let (code, out, _) = ears_lab(&["validate", against.path(), "--against", train.path()]);
        assert_eq!(code, 2);
        assert!(out.contains(&format!("slice tier={tier} is missing from against (expected about {share})")), "{out}");
        assert_eq!(out.lines().count(), 2, "{out}");
    }
}

#[test]
fn equal_data_are_clean_and_warnings_exit_with_1() {
    let against = Scratch::new("against.csv", &log(4000, 0, |_| true));
    let train = Scratch::new("train.csv", &log(4000, 4000, |_| true));
    let (code, out, errors) = ears_lab(&["validate", train.path(), "--against", against.path()]);
    assert_eq!((code, out.as_str(), errors.as_str()), (0, "0 findings in 4000 rows against 4000\n", ""));
    let more = log(4000, 4000, |_| true).replace("reward\n", "reward,extra\n").replace("0\n", "0,7\n").replace("1\n", "1,7\n");
    let train = Scratch::new("more.csv", &more);
    let (code, out, _) = ears_lab(&["validate", train.path(), "--against", against.path()]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("column extra is in train and not in against"), "{out}");
}

#[test]
fn what_cannot_be_read_exits_with_64_and_names_the_place() {
    let good = Scratch::new("good.csv", "tier,reward\npremium,1\n");
    let ragged = Scratch::new("ragged.csv", "tier,reward\npremium,1\nfree\n");
    for (arguments, message) in [
        (&["validate", "/nowhere.csv"][..], "expected a readable file"),
        (&["validate", ragged.path()], "expected 2 fields, found 1 (line 3, byte 22)"),
        (&["validate", good.path(), "--against", ragged.path()], "(line 3, byte 22)"),
        (&["validate", good.path(), "--slice", "plan"], "--slice plan: expected one of the columns tier, reward"),
        (&["validate", good.path(), "--role", "price=tier"], "expected --role ROLE=COLUMN with one of propensity"),
        (&["validate"], "required"),
    ] {
        let (code, _, errors) = ears_lab(arguments);
        assert_eq!(code, 64, "{arguments:?}");
        assert!(errors.contains(message), "{errors}");
    }
}

#[test]
fn the_page_needs_nothing_else_says_the_worst_first_and_stays_small() {
    // 100 columns, a third of them of texts, one of them hostile; a tier is missing.
    let wide = |rows: u32, keep: bool| {
        let names: Vec<String> = (0..98).map(|i| format!("feature_{i}")).collect();
        let mut text = format!("tier,\"<script>alert(1)</script>\",{}\n", names.join(","));
        for i in 0..rows {
            let random = |column: u64| (u64::from(i) * 2_654_435_761 + column * 40_503) % 1_000_003;
            if !keep && random(0) % 5 < 2 {
                continue;
            }
            text.push_str(if random(0) % 5 < 2 { "premium" } else { "free" });
            text.push_str(&format!(",\"<img src='http://example.com/{}'>\"", random(1) % 20));
            for column in 0..98 {
                match column % 3 {
                    0 => text.push_str(&format!(",{}", random(column) as f64 / 7.0)),
                    1 => text.push_str(&format!(",a rather long name of an artist {}", random(column) % 300)),
                    _ => text.push_str(&format!(",{}", random(column) % 1000)),
                }
            }
            text.push('\n');
        }
        text
    };
    let (train, against) = (Scratch::new("train.csv", &wide(800, false)), Scratch::new("against.csv", &wide(800, true)));
    let (html, junit) = (Scratch::new("report.html", ""), Scratch::new("report.xml", ""));
    let (code, _, errors) =
        ears_lab(&["validate", train.path(), "--against", against.path(), "--html", html.path(), "--junit", junit.path()]);
    assert_eq!((code, errors.as_str()), (2, ""));
    let page = html.text();
    assert!(page.len() < 500_000, "{} bytes", page.len());
    assert!(!page.contains("<img") && page.matches("<script>").count() == 1);
    for outside in ["src=", "href=\"http", "@import", "url(", "fetch(", "<link", "<iframe"] {
        let found = page.replace("src=&#39;", "").contains(outside);
        assert!(!found, "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
    let first = page.find("<li class=").map(|at| &page[at..at + 400]).unwrap();
    assert!(first.contains("slice tier=premium is missing from train (expected about 40 %)"), "{first}");
    let first_card = page.find("<article").map(|at| &page[at..at + 60]).unwrap();
    assert!(first_card.contains("data-name=\"tier\""), "{first_card}");
    let xml = junit.text();
    assert!(xml.contains("failures=\"1\"") && xml.contains("<failure type=\"missing_slice\""), "{xml}");
}

#[test]
fn a_schema_that_contradicts_itself_is_told_with_its_place() {
    let data = Scratch::new("data.csv", "tier,plays\npremium,1\nfree,2\n");
    for (text, message) in [
        ("format = 1\n[[feature]]\nname = \"plays\"\ntype = \"number\"\n", "line 4"),
        ("format = 1\n[[feature]]\nname = \"plays\"\nmaximum = 3\n", "line 4"),
        ("format = 2\n", "format"),
    ] {
        let schema = Scratch::new("schema.toml", text);
        let (code, _, errors) = ears_lab(&["validate", data.path(), "--schema", schema.path()]);
        assert!(code == 64 && errors.contains(message) && errors.contains(schema.path()), "{code} {errors}");
    }
    for (rules, code) in [
        ("type = \"int\"\nint_range = { min = 5, max = 1 }", "invalid_domain_specification"),
        ("type = \"float\"\nint_range = { min = 0 }", "domain_invalid_for_type"),
        ("type = \"int\"\nmin_fraction = 1.5", "invalid_schema_specification"),
    ] {
        let text = format!("format = 1\n[[feature]]\nname = \"tier\"\n[[feature]]\nname = \"plays\"\n{rules}\n");
        let schema = Scratch::new("schema.toml", &text);
        let (exit, out, _) = ears_lab(&["validate", data.path(), "--schema", schema.path()]);
        assert!(exit == 2 && out.contains(code) && out.contains("plays"), "{rules}: {exit} {out}");
    }
}

#[test]
fn a_folder_of_parts_is_one_data_set() {
    let text = log(4000, 0, |_| true);
    let whole = Scratch::new("whole.csv", &text);
    let folder = PathBuf::from(format!("{}.parts", whole.path()));
    std::fs::create_dir_all(&folder).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    for (place, part) in rows.chunks(63).enumerate() {
        std::fs::write(folder.join(format!("part-{place:03}.csv")), format!("{header}\n{}\n", part.join("\n"))).unwrap();
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 64);
    let parts = folder.to_str().unwrap();
    let report = |path: &str| -> Value {
        let (code, out, errors) = ears_lab(&["validate", path, "--slice", "tier", "--json", "-"]);
        assert_eq!((code, errors.as_str()), (0, ""));
        serde_json::from_str(&out).unwrap()
    };
    let (one, other) = (report(whole.path()), report(parts));
    let counts = |report: &Value| -> Vec<Value> {
        report["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| json!([column["train"]["top"], column["train"]["quantiles"], column["chart"]]))
            .collect()
    };
    assert_eq!((counts(&one), &one["rows"]), (counts(&other), &other["rows"]));
    let (code, out, _) = ears_lab(&["validate", parts, "--against", whole.path()]);
    assert_eq!((code, out.as_str()), (0, "0 findings in 4000 rows against 4000\n"));
    std::fs::write(folder.join("part-010.csv"), "tier\n\"open\n").unwrap();
    let (code, _, errors) = ears_lab(&["validate", parts]);
    assert!(
        code == 64 && errors.contains("part-010.csv: expected a closing quote, found the end of the file (line 2, byte 5)"),
        "{errors}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_webhook_is_told_what_was_found() {
    let (whole, cut) =
        (Scratch::new("whole.csv", &log(4000, 0, |_| true)), Scratch::new("cut.csv", &log(4000, 4000, |tier| tier == "free")));
    let (code, _, errors) = ears_lab(&["validate", cut.path(), "--webhook", "hooks.example.com"]);
    assert!(code == 64 && errors.contains("expected --webhook https://HOST/PATH"), "{errors}");
    // A listener that takes the message.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/alerts", listener.local_addr().unwrap());
    let taker = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&bytes).ends_with("\"warnings\":0}") {
            let read = std::io::Read::read(&mut stream, &mut buffer).unwrap();
            assert!(read > 0);
            bytes.extend_from_slice(&buffer[..read]);
        }
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        String::from_utf8(bytes).unwrap()
    });
    let (code, _, errors) = ears_lab(&["validate", cut.path(), "--against", whole.path(), "--webhook", &address]);
    assert_eq!((code, errors.as_str()), (2, ""));
    let request = taker.join().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /alerts HTTP/1.1") && head.to_ascii_lowercase().contains("content-type: application/json"),
        "{head}"
    );
    let message: Value = serde_json::from_str(body).unwrap();
    assert_eq!(message["findings"][0]["code"], "missing_slice");
    assert!(
        message["text"].as_str().unwrap().contains("1 error, 0 warnings\nslice tier=premium is missing from train"),
        "{message}"
    );
}

#[test]
fn train_and_evaluate_refuse_data_with_errors_unless_told_to_go_on() {
    let rows = |tiers: &[&str]| {
        let mut text = "listener,slice:tier,tempo,reward,propensity\n".to_owned();
        for i in 0..2000_usize {
            let random = (i * 2_654_435_761) % 1_000_003;
            let reward = u8::from(random % 100 < 20 + i % 10);
            text.push_str(&format!("l{},{},{},{reward},0.5\n", i % 200, tiers[random % tiers.len()], i % 10));
        }
        text
    };
    let (whole, cut) = (Scratch::new("both.csv", &rows(&["free", "premium"])), Scratch::new("free.csv", &rows(&["free"])));
    let bundle = Scratch::new("home.bundle", "");
    let train = |more: &[&str]| {
        let arguments = ["train", cut.path(), "--body", "linear", "-o", bundle.path(), "--against", whole.path()];
        ears_lab(&[&arguments[..], more].concat())
    };
    let (code, _, errors) = train(&[]);
    assert!(code == 2 && errors.contains("slice slice:tier=premium is missing from train (expected about 50 %)"), "{errors}");
    assert!(errors.contains("found 1; mend the data, suppress what is known, or go on with --allow-findings"), "{errors}");
    assert_eq!(std::fs::metadata(bundle.path()).unwrap().len(), 0);
    let (code, _, errors) = train(&["--allow-findings"]);
    assert!(code == 0 && errors.contains("missing_slice"), "{errors}");

    // The bundle's columns are those of the data it was trained on, and not of others.
    let (code, out, _) = ears_lab(&["validate", cut.path(), "--bundle", bundle.path()]);
    assert_eq!((code, out.as_str()), (0, "0 findings in 2000 rows\n"));
    let other = Scratch::new("other.csv", &rows(&["free"]).replace("tempo", "mood"));
    let (code, out, _) = ears_lab(&["validate", other.path(), "--bundle", bundle.path()]);
    assert!(code == 2 && out.contains("bundle_schema_mismatch") && out.contains("column tempo of the bundle"), "{out}");
    let (code, _, errors) = ears_lab(&["validate", cut.path(), "--bundle", whole.path()]);
    assert!(code == 64 && errors.contains("expected a bundle"), "{errors}");

    let log = Scratch::new("log.parquet", "");
    let schema = Scratch::new("rows.toml", "format = 1\n[dataset]\nmin_rows = 3000\n");
    assert_eq!(ears_lab(&["sample-log", "--rows", "2000", "--output", log.path()]).0, 0);
    let evaluate = |more: &[&str]| ears_lab(&[&["evaluate", log.path(), "--policy", "uniform"][..], more].concat());
    assert_eq!(evaluate(&[]).0, 0);
    let (code, _, errors) = evaluate(&["--schema", schema.path()]);
    assert!(code == 2 && errors.contains("dataset_low_num_examples"), "{errors}");
    assert_eq!(evaluate(&["--schema", schema.path(), "--allow-findings"]).0, 0);
    // The log's policy is the one of its own world, and not another.
    let (code, out, _) = ears_lab(&["validate", log.path(), "--replay", "uniform"]);
    assert!(code == 2 && out.contains("propensity_replay"), "{out}");
}
