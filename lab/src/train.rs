//! Trains reward models from logged decisions: the bodies that a bundle carries.

pub mod descent;
pub mod factorization;
pub mod inputs;
pub mod linear;
pub mod network;
pub mod parallel;
pub mod sample;
pub mod trees;
