//! `check-golden`: one line for each file, and the exit code.
//!
//! The fixtures were made by enumerating every page in plain Python, without the core.

use crate::{ears_lab, fixture};

#[test]
fn known_files_pass_and_unknown_ones_are_named() {
    let (code, out, errors) = ears_lab(&["check-golden", &fixture("good")]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 6, "{out}");
    assert_eq!(lines[0], "estimates.json: unknown kind estimates");
    assert_eq!(lines[1], "models/net.onnx: unknown kind some net");
    assert_eq!(lines[2], "models/trees.json: unknown kind some trees");
    assert_eq!(lines[3], "models/trees.ubj: unknown kind some trees");
    assert!(lines[4].starts_with("rankings.json: 2 of 3 cases, worst "), "{out}");
    assert!(lines[5].starts_with("two_level.json: 2 of 2 cases, worst "), "{out}");
    assert!(lines[4..].iter().all(|line| line.ends_with(", tolerance 1e-9, ok")), "{out}");
}

#[test]
fn estimates_of_decisions_and_of_slates_are_recomputed_from_their_logs_extreme_weights_included() {
    // Their values were made with exact fractions: tests/fixtures/estimates/make.py.
    let (code, out, errors) = ears_lab(&["check-golden", &fixture("estimates/golden")]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].starts_with("extreme.json: 74 of 74 cases, worst "), "{out}");
    assert!(lines[1].starts_with("slates.json: 9 of 9 cases, worst "), "{out}");
    assert!(lines.iter().all(|line| line.ends_with(", tolerance 1e-9, ok")), "{out}");
}

#[test]
fn estimates_that_differ_or_lack_their_log_are_found() {
    let folder = std::env::temp_dir().join(format!("ears-lab-golden-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let text = std::fs::read_to_string(fixture("estimates/golden/extreme.json")).unwrap();
    let check = |text: &str, data: &str| {
        std::fs::write(folder.join("extreme.json"), text).unwrap();
        ears_lab(&["check-golden", &folder.to_string_lossy(), "--data", &fixture(data)])
    };
    // A name that nobody knows is counted and not computed.
    let (code, out, _) = check(&text.replace("\"SNDR\"", "\"XDR\""), "estimates/data");
    assert_eq!(code, 0);
    assert!(out.starts_with("extreme.json: 71 of 74 cases"), "{out}");
    // Another estimator under the name of one.
    let (code, out, _) = check(&text.replace("\"SNDR\"", "\"DR\""), "estimates/data");
    assert_eq!(code, 1, "{out}");
    let (code, _, errors) = check(&text.replacen("\"sha256\": \"", "\"sha256\": \"0", 1), "estimates/data");
    assert_eq!(code, 64);
    assert!(errors.contains(".csv.gz: expected sha256 0"), "{errors}");
    let (code, _, errors) = check(&text, "good");
    assert_eq!(code, 64);
    assert!(errors.contains("expected a file uniform_tiny.csv.gz, found none"), "{errors}");
    let (code, _, errors) = check(&text.replacen("\"n_items\": 5", "\"n_items\": 6", 1), "estimates/data");
    assert_eq!(code, 64);
    assert!(errors.contains("q_hat of 6 items x 2 positions for 2 groups in campaign tiny"), "{errors}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_deviation_fails() {
    let (code, out, _) = ears_lab(&["check-golden", &fixture("differs")]);
    assert_eq!(code, 1);
    assert_eq!(out, "two_level.json: 2 of 2 cases, worst 1.0e-3, tolerance 1e-9, FAIL\n");
}

#[test]
fn what_cannot_be_read_is_said_with_the_file_and_what_was_expected() {
    let (code, out, errors) = ears_lab(&["check-golden", &fixture("broken")]);
    assert_eq!((code, out.as_str()), (64, ""));
    assert!(errors.contains("two_level.json: expected a two-level policy file, found missing field `pages`"), "{errors}");
    let (code, _, errors) = ears_lab(&["check-golden", &fixture("newer")]);
    assert_eq!(code, 64);
    assert!(errors.contains("expected format 1, found 2"), "{errors}");
    let (code, _, errors) = ears_lab(&["check-golden", &fixture("nowhere")]);
    assert_eq!(code, 64);
    assert!(errors.contains("nowhere: expected a readable directory"), "{errors}");
    let (code, _, errors) = ears_lab(&["check-golden", &fixture("good"), "--data", &fixture("nowhere")]);
    assert_eq!(code, 64);
    assert!(errors.contains("expected a directory of data files, found none"), "{errors}");
}
