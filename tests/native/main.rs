//! Behaviour of the core as a whole.
#![cfg(not(target_arch = "wasm32"))]

#[path = "../scenario.rs"]
mod scenario;

mod bounds;
mod contribution;
mod golden;
mod learning;
mod properties;
