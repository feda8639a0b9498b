//! `convert`, `check-models`, and models in `check-golden`.

use std::path::PathBuf;

use crate::ears_lab;

fn models(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models").join(name).to_string_lossy().into_owned()
}

fn scratch(name: &str) -> String {
    std::env::temp_dir().join(format!("ears-lab-{}-{name}", std::process::id())).to_string_lossy().into_owned()
}

#[test]
fn models_of_the_fields_tools_are_recomputed() {
    let (code, out, errors) = ears_lab(&["check-golden", &models("")]);
    assert_eq!((code, errors.as_str()), (0, ""), "{out}");
    assert_eq!(out.lines().count(), 12, "{out}");
    assert!(out.lines().all(|line| line.contains(": 60 of 60 cases, worst ") && line.ends_with(", ok")), "{out}");
}

#[test]
fn a_folder_of_models_is_checked_and_damaged() {
    let run = |threads: &str| {
        let (code, out, errors) =
            ears_lab(&["check-models", &models(""), "--mutations", "100", "--threads", threads, "--json", "-"]);
        assert_eq!((code, errors.as_str()), (0, ""), "{out}");
        let mut report: serde_json::Value = serde_json::from_str(&out).unwrap();
        // The one thing that may differ from run to run.
        report["peak_memory"].take();
        report
    };
    let report = run("1");
    assert_eq!(run("3"), report);
    assert_eq!(report["families"]["xgboost 3.2.0"]["within"], 4);
    for format in ["xgboost-json", "xgboost-ubj", "lightgbm", "onnx", "safetensors", "logistic-json"] {
        let tally = &report["mutations"][format];
        assert_eq!(
            (tally["mutated"].as_u64(), tally["different"].as_u64(), tally["panics"].as_u64()),
            (Some(100), Some(0), Some(0))
        );
    }
    let (code, _, errors) = ears_lab(&["check-models", &scratch("nowhere")]);
    assert_eq!(code, 64);
    assert!(errors.contains("expected a readable directory"), "{errors}");
}

#[test]
fn a_model_becomes_a_bundle_in_one_command() {
    for (model, body, facts) in [
        ("xgb_trees.ubj", "trees", ["trees      5, ", "columns    5"]),
        ("skl_mlp.onnx", "network", ["layers     8, 5, 1 units, 99 weights", "columns    5"]),
        ("logistic.json", "linear", ["weights    5, 0 crosses", "columns    5"]),
    ] {
        let bundle = scratch(&format!("{model}.bundle"));
        let (code, out, errors) = ears_lab(&["convert", &models(model), "-o", &bundle]);
        assert_eq!((code, errors.as_str()), (0, ""));
        let bytes = std::fs::read(&bundle).unwrap();
        for fact in facts
            .iter()
            .map(|fact| (*fact).to_owned())
            .chain([format!("body       {body}"), format!("bytes      {}", bytes.len())])
        {
            assert!(out.contains(&fact), "{fact}: {out}");
        }
        let (code, inspected, errors) = ears_lab(&["inspect", &bundle]);
        assert_eq!((code, errors.as_str()), (0, ""));
        assert!(inspected.contains("16 vectors, reproduced bit for bit"), "{inspected}");
        let again = scratch(&format!("{model}.again"));
        assert_eq!(ears_lab(&["convert", &models(model), "-o", &again]).0, 0);
        assert_eq!(std::fs::read(&again).unwrap(), bytes);
        std::fs::remove_file(&bundle).unwrap();
        std::fs::remove_file(&again).unwrap();
    }
}

#[test]
fn what_is_not_supported_is_said_and_nothing_is_written() {
    let (bundle, other) = (scratch("refused.bundle"), scratch("other.json"));
    std::fs::write(&other, "{\"weights\": [1, 2], \"bias\": 0, \"dropout\": 0.5}").unwrap();
    for (arguments, expected) in [
        (vec!["convert", &other, "-o", &bundle], "unknown field `dropout`"),
        (vec!["convert", &models("lgb_zero.txt"), "-o", &bundle, "--format", "onnx"], "ONNX: expected"),
        (vec!["convert", &models("lgb_zero.txt"), "-o", &bundle, "--format", "coreml"], "format: expected one of xgboost-json, "),
        (vec!["convert", &models("nowhere.onnx"), "-o", &bundle], "expected a readable file"),
        (vec!["convert", &models("index.json"), "-o", &bundle], "index.json: JSON: expected weights and a bias"),
        (vec!["convert", &models("lgb_zero.txt"), "-o", &bundle, "--schema", &other], "schema"),
        (vec!["convert", &models("lgb_zero.txt"), "-o", &bundle, "--arch", &other], "an architecture goes with safetensors"),
        (vec!["convert", &models("lgb_zero.txt")], "--output"),
    ] {
        let (code, out, errors) = ears_lab(&arguments);
        assert_eq!((code, out.as_str()), (64, ""), "{arguments:?}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
        assert!(!PathBuf::from(&bundle).exists());
    }
    std::fs::remove_file(&other).unwrap();
}
