//! What is known before deciding: the time of the listener's day and what the app says about the visit.

use crate::clock::Timestamp;
use crate::history::hour_bucket;

/// The circumstances of one decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// When.
    pub now: Timestamp,
    /// Part of the listener's day, 0 to 3: night, morning, afternoon, evening.
    pub hour_bucket: usize,
    /// Minutes the listener's clock is ahead of UTC.
    pub utc_offset_minutes: i32,
    /// Values of the schema's context columns.
    pub values: Vec<f32>,
}

impl Context {
    /// The context of a decision at `now`.
    #[must_use]
    pub fn new(now: Timestamp, utc_offset_minutes: i32, values: Vec<f32>) -> Self {
        Self { now, hour_bucket: hour_bucket(now.local_hour(utc_offset_minutes)), utc_offset_minutes, values }
    }
}
