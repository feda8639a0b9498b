//! The reward model: a fixed body and a Bayesian head that learns on the device.

use crate::error::Error;
use crate::features::FeatureSchema;

pub mod body;
pub mod cold_start;
mod gaussian;
mod head;

pub use body::Body;
pub use gaussian::MAX_FULL_COVARIANCE;
pub(crate) use head::HeadState;
pub use head::{Head, HeadPrior, MAX_SEGMENTS, SEGMENT_CERTAIN, SEGMENT_OUTCOMES};

/// Score of a card = mean of the head . phi(features), the log-odds that it is played when seen.
#[derive(Clone, Debug)]
pub struct RewardModel {
    body: Body,
    head: Head,
}

impl RewardModel {
    /// A model that starts at `prior`.
    ///
    /// # Errors
    /// `bad_prior` when the prior has not one mean and one standard deviation for each feature and the bias.
    pub fn new(schema: &FeatureSchema, body: Body, prior: HeadPrior) -> Result<Self, Error> {
        if prior.width() != schema.width() {
            return Err(Error::settings(
                "bad_prior",
                format!("expected {} means (bias and columns), got {}", schema.width(), prior.width()),
            ));
        }
        Ok(Self { body, head: Head::new(prior, schema.stride()) })
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    /// Score of one feature row, in log-odds.
    ///
    /// # Shapes and ranges
    /// `row`: [`FeatureSchema::stride`] finite values.
    ///
    /// # Determinism
    /// As [`Head::score`].
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f64 {
        self.head.score(row)
    }

    /// Standard deviation of the score of one feature row under the head's posterior.
    #[must_use]
    pub fn score_sd(&self, row: &[f32]) -> f64 {
        self.head.score_sd(row)
    }
}
