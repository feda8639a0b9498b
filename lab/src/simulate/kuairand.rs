//! The KuaiRand impressions (Gao et al. 2022), explicit-feedback subset.

pub mod replay;

use std::path::Path;

use ears_only::history::LISTEN_MS;

use crate::data::{find, lines};
use crate::error::LabError;

/// Lengths of plays, for drawing from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayTimes(Vec<u32>);

impl PlayTimes {
    /// The lengths of all plays that a click began, found under `data`.
    ///
    /// # Errors
    /// When the file is missing, cannot be read or holds no play.
    pub fn read(data: &Path) -> Result<Self, LabError> {
        let file = find(data, "events.csv.gz")?;
        let mut times = Vec::new();
        lines(&file, HEADER, |line| {
            let fields: Vec<&str> = line.split(',').collect();
            if fields.len() != 12 {
                return None;
            }
            if fields[3] == "1" {
                times.push(fields[8].parse().ok()?);
            }
            Some(())
        })?;
        if times.is_empty() {
            return Err(LabError::file(&file, "plays that a click began", "none"));
        }
        Ok(Self::new(times))
    }

    /// These lengths, in milliseconds; at least one.
    #[must_use]
    pub fn new(mut times: Vec<u32>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// Share of the plays that last for at least 30 seconds.
    #[must_use]
    pub fn share_of_streams(&self) -> f64 {
        let short = self.0.partition_point(|ms| *ms < LISTEN_MS);
        (self.0.len() - short) as f64 / self.0.len().max(1) as f64
    }

    /// The length at share `u` in [0, 1) of the sorted lengths.
    #[must_use]
    pub fn at(&self, u: f64) -> u32 {
        let place = (u * self.0.len() as f64) as usize;
        self.0.get(place).or(self.0.last()).copied().unwrap_or(0)
    }
}

/// Columns of the file.
const HEADER: &str =
    "user,item,t_ms,is_click,is_follow,is_comment,is_forward,long_view,play_time_ms,duration_ms,is_profile_enter,liked";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_drawn_by_rank() {
        let times = PlayTimes::new(vec![30, 10, 20, 40]);
        assert_eq!([0.0, 0.26, 0.5, 0.99, 1.0].map(|u| times.at(u)), [10, 20, 30, 40, 40]);
    }
}
