//! Behaviour of the core as a whole.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop")]

#[path = "../scenario.rs"]
mod scenario;

mod bounds;
mod contribution;
mod controls;
mod golden;
mod learning;
mod pending;
mod policies;
mod properties;
