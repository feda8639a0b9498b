//! What must hold in the browser as it does natively.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[path = "../scenario.rs"]
mod scenario;

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn seeded_decisions_and_records_equal_the_native_ones_bit_for_bit() {
    let transcript = scenario::transcript().expect("the scenario runs");
    for (line, (got, want)) in transcript.lines().zip(scenario::GOLDEN.lines()).enumerate() {
        assert_eq!(got, want, "line {}", line + 1);
    }
    assert_eq!(transcript.lines().count(), scenario::GOLDEN.lines().count());
}

#[wasm_bindgen_test]
fn mathematics_has_the_native_bits() {
    use ears_only::math::{dot, exp, ln, sigmoid};
    // A hash over many values, computed natively by `math_bits` in tests/native.
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
    assert_eq!(format!("{hash:016x}"), include_str!("../golden/v1/math.txt").trim());
}

#[wasm_bindgen_test]
fn the_host_lends_entropy() {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).expect("crypto.getRandomValues is there");
    assert_ne!(bytes, [0; 32]);
}
