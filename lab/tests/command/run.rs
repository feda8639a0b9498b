//! `simulate`, `replay` and wrong arguments.

use crate::{ears_lab, fixture};

#[test]
fn a_tiny_simulation_is_the_same_on_one_thread_and_on_three() {
    let run = |threads: &str| {
        let tiny = ["--seeds", "2", "--first-seed", "5", "--listeners", "4", "--days", "2", "--threads", threads, "--json", "-"];
        let (code, out, errors) = ears_lab(&[&["simulate", "--world", "demo"], &tiny[..]].concat());
        assert_eq!((code, errors.as_str()), (0, ""));
        out
    };
    let one = run("1");
    assert_eq!(one, run("3"));
    let report: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(report["format"], 1);
    assert_eq!(report["world"], "demo");
    assert_eq!(report["seeds"], serde_json::json!([5, 6]));
    for policy in ["ears", "random", "server", "popularity", "oracle"] {
        assert_eq!(report["policies"][policy]["streams"].as_array().unwrap().len(), 2, "{policy}");
    }
    assert!(report["oracle_gap_closed"].is_number());
}

#[test]
fn the_table_names_every_policy() {
    let (code, out, _) = ears_lab(&["simulate", "--seeds", "1", "--listeners", "3", "--days", "1"]);
    assert_eq!(code, 0);
    for word in ["oracle", "ears", "server", "popularity", "random", "oracle gap closed"] {
        assert!(out.contains(word), "{out}");
    }
}

#[test]
fn wrong_arguments_and_missing_data_exit_with_64() {
    for arguments in [
        &["simulate", "--world", "elsewhere"][..],
        &["simulate", "--world", "lastfm"],
        &["simulate", "--world", "lastfm", "--data", &fixture("good")],
        &["simulate", "--world", "movielens", "--data", &fixture("good")],
        &["simulate", "--world", "kuairand", "--data", &fixture("nowhere")],
        &["simulate", "--resume"],
        &["simulate", "--seeds", "0"],
        &["simulate", "--seeds", "many"],
        &["simulate", "--model", &fixture("nowhere")],
        &["replay", "--data", &fixture("nowhere")],
        &["replay", "--data", &fixture("good")],
        &["replay", "--data", &fixture("good"), "--listeners", "some"],
        &["dance"],
        &[],
    ] {
        let (code, out, errors) = ears_lab(arguments);
        assert_eq!((code, out.as_str()), (64, ""), "{arguments:?}");
        assert!(!errors.is_empty());
    }
    assert_eq!(ears_lab(&["--help"]).0, 0);
}
