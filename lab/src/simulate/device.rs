//! The shipped core in the demo world, as the lab runs it.

pub(crate) use ears_world::device::{Device, Shown};

use super::Stage;
use crate::error::LabError;
use crate::propensities::subjects::Told;

impl Stage<'_> {
    /// The device of listener `number`.
    pub(crate) fn device(&self, number: u32) -> Result<Device, LabError> {
        Ok(Device::new(self.world, &self.settings.bundle, self.seed, number)?)
    }
}

/// Streams of all listeners of the run; `told` of every page, false stops.
pub(super) fn run(stage: &Stage<'_>, told: Told<'_>) -> Result<u64, LabError> {
    let mut streams = 0;
    let mut more = true;
    for number in 0..stage.settings.listeners {
        let days = stage.run().ears(&stage.settings.bundle, number, &mut |ranker, ranked| {
            more = told(ranker, ranked);
            more
        })?;
        streams += days.iter().sum::<u64>();
        if !more {
            break;
        }
    }
    Ok(streams)
}
