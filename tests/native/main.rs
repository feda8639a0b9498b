//! Behaviour of the core as a whole.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

#[path = "../scenario.rs"]
mod scenario;

#[path = "../shipped.rs"]
mod shipped;

mod bounds;
mod bundles;
mod contribution;
mod controls;
mod golden;
mod learning;
mod pending;
mod policies;
mod probes;
mod properties;
mod rows;
