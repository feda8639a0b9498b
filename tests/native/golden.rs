//! Golden files: the same bits today, tomorrow and in the browser.
//!
//! `EARS_BLESS=1 cargo test --test native` writes them anew; a change of theirs is value-breaking and goes into the changelog.

use super::scenario;

fn compare(name: &str, got: &str, want: &str) {
    if std::env::var_os("EARS_BLESS").is_some() {
        let path = format!("{}/tests/golden/v1/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, got).expect("the golden folder can be written");
        return;
    }
    for (line, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{name}, line {}", line + 1);
    }
    assert_eq!(got.lines().count(), want.lines().count());
}

#[test]
fn seeded_decisions_and_records_are_stable() {
    let transcript = scenario::transcript().unwrap();
    assert!(transcript.contains("record "), "the scenario makes at least one record");
    assert!(!transcript.contains("again equal false"), "a restored state writes the same bytes");
    compare("decisions.txt", &transcript, scenario::GOLDEN);
}

#[test]
fn math_bits() {
    compare("math.txt", &format!("{:016x}\n", scenario::math_hash()), include_str!("../golden/v1/math.txt"));
}
