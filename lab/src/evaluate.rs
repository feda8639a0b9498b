//! What would another policy have earned on logged decisions? Counterfactual (off-policy) evaluation without an experiment.
//!
//! In the order of use: [`estimator`] for single decisions and [`slate`] for pages, whose sums ([`gram`], exact in any order: [`exact`]) merge over
//! threads, files and machines; [`weights`] says whether a log can answer at all; [`interval`] how well; [`slope`] chooses a parameter.

pub mod command;
pub mod embedding;
pub mod estimator;
pub mod exact;
pub mod gram;
pub mod interval;
mod lanes;
pub mod model;
pub mod protocol;
pub mod report;
pub mod run;
pub mod sample;
pub mod slate;
pub mod slope;
pub mod target;
mod usual;
pub mod weights;

#[cfg(test)]
mod enumeration;
