//! Last.fm Home: a semi-synthetic world on real play counts.

pub mod constants;
