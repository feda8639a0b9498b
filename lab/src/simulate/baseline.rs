//! Policies that do not know the listener, and the one that knows everything: streams of all listeners of a run.

use ears_only::error::Error;
use ears_world::baseline::Popularity;
use ears_world::run::ByDay;

use super::Stage;
use crate::error::LabError;

pub(super) fn random(stage: &Stage<'_>) -> Result<u64, LabError> {
    all(stage, |number| stage.run().random(number))
}

pub(super) fn server(stage: &Stage<'_>) -> Result<u64, LabError> {
    let appeal = stage.run().appeal();
    all(stage, |number| stage.run().server(&appeal, number))
}

pub(super) fn oracle(stage: &Stage<'_>) -> Result<u64, LabError> {
    all(stage, |number| stage.run().oracle(number))
}

pub(super) fn popularity(stage: &Stage<'_>) -> Result<u64, LabError> {
    let mut listeners = Popularity::new(stage.run());
    let mut streams = 0;
    for _ in 0..stage.settings.days {
        streams += listeners.live()?.iter().sum::<u64>();
    }
    Ok(streams)
}

fn all(stage: &Stage<'_>, of: impl Fn(u32) -> Result<ByDay, Error>) -> Result<u64, LabError> {
    let mut streams = 0;
    for number in 0..stage.settings.listeners {
        streams += of(number)?.iter().sum::<u64>();
    }
    Ok(streams)
}
