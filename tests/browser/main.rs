//! What must hold in the browser as it does natively.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[path = "../scenario.rs"]
mod scenario;
#[path = "../shipped.rs"]
mod shipped;

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
fn bundles_of_every_body_score_and_learn_as_natively_bit_for_bit() {
    let transcript = shipped::transcript().expect("the bundles are good");
    for (line, (got, want)) in transcript.lines().zip(shipped::GOLDEN.lines()).enumerate() {
        assert_eq!(got, want, "line {}", line + 1);
    }
    assert_eq!(transcript.lines().count(), shipped::GOLDEN.lines().count());
}

#[wasm_bindgen_test]
fn mathematics_has_the_native_bits() {
    assert_eq!(format!("{:016x}", scenario::math_hash()), include_str!("../golden/v1/math.txt").trim());
}

#[wasm_bindgen_test]
fn the_host_lends_entropy() {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).expect("crypto.getRandomValues is there");
    assert_ne!(bytes, [0; 32]);
}
