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
    use ears_only::math::{dot, exp, ln, sigmoid};
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut feed = |value: f64| hash = (hash ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3);
    for i in 0..20_000u32 {
        let x = f64::from(i) * 0.003_7 - 37.0;
        feed(exp(x));
        feed(ln(f64::from(i + 1) * 0.77));
        feed(sigmoid(x));
    }
    let a: Vec<f32> = (0..1_003).map(|i| (i as f32 * 0.31).fract() - 0.5).collect();
    let b: Vec<f32> = (0..1_003).map(|i| (i as f32 * 0.17).fract() - 0.5).collect();
    for n in [1, 3, 4, 7, 64, 65, 1_003] {
        feed(f64::from(dot(&a[..n], &b[..n])));
    }
    compare("math.txt", &format!("{hash:016x}\n"), include_str!("../golden/v1/math.txt"));
}
