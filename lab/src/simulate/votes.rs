//! `ears-lab simulate-votes`. What votes are worth: how the shipped core's votes are distributed over simulated devices, and what a server learns from their noisy
//! bits.
//!
//! Devices of the demo world live through four weeks with a vote in each. What each vote would say before clip and noise is read by a
//! function that no shipped build has; the bits come from the released records. Worlds of any size are then drawn from these devices by
//! bootstrap, each bit through the shipped randomiser.

use ears_only::bundle::{Bundle, BundleSettings, PolicySettings};
use ears_only::clock::{DAY_MS, Timestamp};
use ears_only::privacy::{
    Action, Arm, Block, Candidate, Epsilon, Manifest, ManifestSettings, Probe, ProbeKind, ProbeRecord, Question, randomise,
};
use ears_only::random::{Entropy, Purpose, Seed, below, unit};
use ears_only::ranker::{Consent, ContributionState};
use ears_world::World;
use ears_world::candidates::Candidates;
use ears_world::constants::FIRST_DAY_MS;
use ears_world::listener::{Listener, VISITS};
use serde::{Deserialize, Serialize};

use super::device::Device;
use super::units::{Units, each};
use super::{Settings, Stage};
use crate::error::LabError;
use crate::noisy::{Channel, Counts, Estimate, vote};

pub mod command;

/// Weeks of each device.
pub const WEEKS: u32 = 4;
/// Share of visits on which the listener looks at the page at all; with it something is played from 30 % of the pages, the share that
/// published sample sizes are stated for.
pub const LOOKS: f64 = 0.535;
/// Devices of a unit of work.
const UNIT: u32 = 250;
/// Temperature of the shelves in the policy in force.
const IN_FORCE: f64 = 0.3;
/// And in the candidate.
const CANDIDATE: f64 = 0.2;

/// One device: what its votes would have said, and the bits that left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Votes {
    /// For each week: the lift before clip and noise, in plays for each page.
    pub lifts: Vec<f64>,
    /// For each week: the released bit.
    pub bits: Vec<bool>,
    /// Pages judged.
    pub pages: u64,
    /// Those of them from which something in the block was played.
    pub played: u64,
}

/// What is voted on.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The published policy.
    pub candidate: Candidate,
    /// Which of its choices.
    pub block: Block,
    /// Most that counts, in plays for each page.
    pub clip: f64,
}

/// Runs `devices` devices; the same for any number of threads.
///
/// # Errors
/// When the core refuses a page, an event or a record.
pub fn run(settings: &Settings, question: &Asked, devices: u32, units: &Units) -> Result<Vec<Votes>, LabError> {
    let world = World::demo();
    let candidates = Candidates::new(world.catalogue());
    let stage = Stage { world: &world, candidates: &candidates, seed: settings.seeds.first().copied().unwrap_or(1), settings };
    let jobs: Vec<u32> = (0..devices.div_ceil(UNIT)).collect();
    let parts = each(&jobs, settings.threads, |job| {
        units.unit(&format!("devices {}", job * UNIT), || {
            (job * UNIT..devices.min((job + 1) * UNIT))
                .map(|number| device(&stage, question, number))
                .collect::<Result<Vec<_>, _>>()
        })
    })?;
    Ok(parts.concat())
}

fn device(stage: &Stage<'_>, question: &Asked, number: u32) -> Result<Votes, LabError> {
    let mut listener = Listener::new(stage.world, stage.seed, number);
    let mut device = stage.device(number)?;
    device.import(&listener)?;
    let first = Timestamp::clamped(FIRST_DAY_MS);
    device.ranker.set_consent(Consent { personalize: true, contribute: true });
    device.ranker.set_manifest(manifest(question)?);
    // The 28 days without a record are over when the first week begins.
    device.ranker.start_ledger(first.plus_ms(-28 * DAY_MS));
    let mut attention = Seed::from_number(stage.seed << 32 | u64::from(number)).stream(Purpose::Host, 1);
    let mut votes = Votes::default();
    for day in 0..7 * WEEKS {
        listener.begin_day(day);
        let page = stage.candidates.page(stage.seed, number, day);
        for visit in 0..VISITS {
            let visit = listener.visit(day, visit);
            collect(&mut device, visit.at, &mut votes)?;
            let before = device.ranker.vote_lift().map_or(0, |(_, pages)| pages);
            let (shown, _) = device.rank(&page, visit.at)?;
            let judged = device.ranker.vote_lift().is_some_and(|(_, pages)| pages > before);
            let looks = if unit(&mut attention) < LOOKS { listener.browse(visit, &shown.items) } else { Vec::new() };
            let in_block = |shelf: usize| match &question.block {
                Block::Shelves => true,
                Block::Cards(id) => device.ranker.catalogue().find_shelf(id) == Some(shown.shelves[shelf]),
            };
            votes.pages += u64::from(judged);
            votes.played += u64::from(judged && looks.iter().any(|look| look.is_stream() && in_block(look.shelf)));
            device.observe(&shown, &looks, |_, _| ())?;
        }
    }
    collect(&mut device, first.plus_ms(i64::from(7 * WEEKS) * DAY_MS), &mut votes)?;
    Ok(votes)
}

/// Takes the record of a week that is over.
fn collect(device: &mut Device, now: Timestamp, votes: &mut Votes) -> Result<(), LabError> {
    if device.ranker.contribution(now).state != ContributionState::Ready {
        return Ok(());
    }
    // What is pending is made final first, as paying does.
    device.ranker.settle(now);
    let Some((lift, _)) = device.ranker.vote_lift() else { return Ok(()) };
    if device.ranker.debit(now)?.is_some() {
        let record = ProbeRecord::describe(&device.ranker.make_record()?.bytes())?;
        votes.lifts.push(lift);
        votes.bits.push(record.symbol == 1);
    }
    Ok(())
}

fn manifest(question: &Asked) -> Result<Manifest, LabError> {
    // Two arms are the least; the other is the same under another name.
    let arm = |name: &str| {
        let candidate = Candidate { name: name.into(), ..question.candidate.clone() };
        Arm { weight: 32_768, action: Action::Vote(candidate, question.block.clone()) }
    };
    let probe = Probe {
        kind: ProbeKind::Vote { clip: question.clip },
        questions: vec![Question::Vote],
        arms: vec![arm("candidate"), arm("the same")],
    };
    let settings = ManifestSettings {
        format: 2,
        epochs: [0, 4_095],
        model_version: "demo-1".into(),
        epsilon_index: 2,
        window_ms: 1_800_000,
        probes: vec![probe],
    };
    Ok(Manifest::new(b"votes", settings)?)
}

/// Worlds drawn from simulated devices.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// Devices of each world.
    pub devices: u32,
    /// Worlds.
    pub worlds: u32,
    /// Share of device-weeks whose candidate is the measured one; in the others it is the policy in force, whose lift is 0. Gives a
    /// candidate of any smaller lift.
    pub share: f64,
    /// As in [`Asked::clip`].
    pub clip: f64,
    /// Which worlds.
    pub seed: u64,
}

/// What a server says of many worlds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdicts {
    /// Mean lift before the clip: the truth.
    pub truth: f64,
    /// Mean lift after it, which the estimates are unbiased for.
    pub clipped: f64,
    /// Mean of the estimates.
    pub mean: f64,
    /// Standard deviation of the estimates.
    pub sd: f64,
    /// Share of worlds whose 95 % interval holds the clipped lift.
    pub coverage: f64,
    /// Share of worlds whose 95 % interval lies above 0.
    pub power: f64,
    /// Bits of each world.
    pub bits: f64,
}

/// Words of one stream, as entropy.
struct Words<R>(R);

impl<R: rand_core::Rng> Entropy for Words<R> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ears_only::error::Error> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

fn epsilon_one() -> Result<Epsilon, LabError> {
    Epsilon::from_index(2).ok_or_else(|| LabError::failed("expected an epsilon with index 2, got none".to_owned()))
}

/// Estimates the lift in each of many worlds of devices drawn with replacement.
///
/// # Errors
/// When there are no devices.
pub fn worlds(votes: &[Votes], draw: Draw, threads: usize) -> Result<Verdicts, LabError> {
    let weeks: Vec<&[f64]> = votes.iter().map(|votes| votes.lifts.as_slice()).filter(|lifts| !lifts.is_empty()).collect();
    let all: Vec<f64> = weeks.concat();
    if all.is_empty() {
        return Err(LabError::unreadable("expected devices that voted, got none".to_owned()));
    }
    let clipped = |lift: f64| lift.max(-draw.clip).min(draw.clip);
    let mean = |of: &dyn Fn(f64) -> f64| all.iter().map(|lift| of(*lift)).sum::<f64>() / all.len() as f64;
    let (truth, clipped_truth) = (draw.share * mean(&|lift| lift), draw.share * mean(&clipped));
    let epsilon = epsilon_one()?;
    let channel = Channel::bit(epsilon)?;
    let jobs: Vec<u32> = (0..draw.worlds).collect();
    let estimates = each(&jobs, threads, |world| {
        let seed = Seed::from_number(draw.seed << 32 | u64::from(*world));
        let (mut rng, mut flip) = (seed.stream(Purpose::Host, 0), Words(seed.stream(Purpose::Flip, 0)));
        let (mut count, mut yes) = (0u64, 0u64);
        for _ in 0..draw.devices {
            for lift in weeks[below(&mut rng, weeks.len() as u32) as usize] {
                let lift = if unit(&mut rng) < draw.share { clipped(*lift) } else { 0.0 };
                let answer = unit(&mut rng) < (lift + draw.clip) / (2.0 * draw.clip);
                yes += u64::from(randomise(u8::from(answer), 2, epsilon, &mut flip)?);
                count += 1;
            }
        }
        let mut counts = Counts::new(1, 1, 2);
        counts.add(0, 0, 0, (count - yes) as f64);
        counts.add(0, 0, 1, yes as f64);
        Ok(vote::lift(&counts, channel, 0, draw.clip))
    })?;
    let worlds = estimates.len() as f64;
    let average = |of: &dyn Fn(&Estimate) -> f64| estimates.iter().map(of).sum::<f64>() / worlds;
    let share_of = |holds: &dyn Fn(&Estimate) -> bool| average(&|estimate| f64::from(u8::from(holds(estimate))));
    let middle = average(&|estimate| estimate.value);
    Ok(Verdicts {
        truth,
        clipped: clipped_truth,
        mean: middle,
        sd: average(&|estimate| (estimate.value - middle) * (estimate.value - middle)).sqrt(),
        coverage: share_of(&|estimate| (estimate.low..=estimate.high).contains(&clipped_truth)),
        power: share_of(&|estimate| estimate.low > 0.0),
        bits: average(&|estimate| estimate.records),
    })
}

/// The report of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// Devices simulated.
    pub devices: usize,
    /// Device-weeks, a vote each.
    pub votes: usize,
    /// Pages judged.
    pub pages: u64,
    /// Share of them from which something was played.
    pub base: f64,
    /// Mean lift before the clip, in plays for each page, and its standard error.
    pub lift: [f64; 2],
    /// Standard deviation of the lifts.
    pub sd: f64,
    /// Share of lifts that the clip cuts.
    pub cut: f64,
    /// (clipped lift - lift) / lift.
    pub clip_bias: f64,
    /// The lift that the released bits of these devices give, and its standard error.
    pub released: [f64; 2],
    /// What a server says of worlds of devices with a lift of 1 % of the base.
    pub worlds: Verdicts,
}

/// Simulates votes on a slightly greedier order of the shelves, and worlds in which it earns 1 % more plays.
///
/// # Errors
/// As [`run`] and [`worlds`].
pub fn report(devices: u32, draw: Draw, threads: usize, units: &Units) -> Result<Report, LabError> {
    let of = |shelf_temperature| PolicySettings { shelf_temperature, ..PolicySettings::default() };
    let bundle = Bundle::new(BundleSettings { policy: of(IN_FORCE), ..BundleSettings::default() })?;
    let settings = Settings { seeds: vec![draw.seed], listeners: devices, days: 7 * WEEKS, bundle, threads };
    let candidate = Candidate { policy: of(CANDIDATE), ..Candidate::default() };
    let asked = Asked { candidate, block: Block::Shelves, clip: draw.clip };
    let votes = run(&settings, &asked, devices, units)?;
    let lifts: Vec<f64> = votes.iter().flat_map(|votes| votes.lifts.iter().copied()).collect();
    let bits: Vec<bool> = votes.iter().flat_map(|votes| votes.bits.iter().copied()).collect();
    let (pages, played) = votes.iter().fold((0, 0), |(pages, played), votes| (pages + votes.pages, played + votes.played));
    let (n, base) = (lifts.len() as f64, played as f64 / pages as f64);
    let mean = lifts.iter().sum::<f64>() / n;
    let clipped = lifts.iter().map(|lift| lift.max(-draw.clip).min(draw.clip)).sum::<f64>() / n;
    let sd = (lifts.iter().map(|lift| (lift - mean) * (lift - mean)).sum::<f64>() / n).sqrt();
    let mut counts = Counts::new(1, 1, 2);
    bits.iter().for_each(|bit| counts.add(0, 0, usize::from(*bit), 1.0));
    let released = vote::lift(&counts, Channel::bit(epsilon_one()?)?, 0, draw.clip);
    let share = 0.01 * base / mean;
    if !(0.0..=1.0).contains(&share) {
        return Err(LabError::failed(format!("expected a lift of at least 1 % of the plays, measured {mean:.5} of {base:.3}")));
    }
    Ok(Report {
        format: 1,
        devices: votes.len(),
        votes: lifts.len(),
        pages,
        base,
        lift: [mean, sd / n.sqrt()],
        sd,
        cut: lifts.iter().filter(|lift| lift.abs() > draw.clip).count() as f64 / n,
        clip_bias: (clipped - mean) / mean,
        released: [released.value, released.standard_error],
        worlds: worlds(&votes, Draw { share, ..draw }, threads)?,
    })
}

/// The report as a table.
#[must_use]
pub fn table(report: &Report) -> String {
    let worlds = &report.worlds;
    format!(
        "{} devices, {} votes on {} pages, something played from {:.1} %\n\
         lift before clip and noise  {:.5} ± {:.5} plays for each page, {:.2} % of the plays\n\
         lift from the released bits {:.5} ± {:.5}\n\
         clip                        cuts {:.2} % of the votes, bias {:+.1} % of the lift\n\
         worlds of {:.0} bits, lift {:.5}: mean {:.5}, sd {:.5}, intervals cover {:.1} %, found in {:.1} %",
        report.devices,
        report.votes,
        report.pages,
        report.base * 100.0,
        report.lift[0],
        report.lift[1],
        report.lift[0] / report.base * 100.0,
        report.released[0],
        report.released[1],
        report.cut * 100.0,
        report.clip_bias * 100.0,
        worlds.bits,
        worlds.truth,
        worlds.mean,
        worlds.sd,
        worlds.coverage * 100.0,
        worlds.power * 100.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_released_bits_say_agrees_with_what_the_devices_would_have_said() {
        let draw = Draw { devices: 2_000, worlds: 200, share: 1.0, clip: 0.2, seed: 5 };
        let report = report(600, draw, 2, &Units::nowhere()).unwrap();
        assert_eq!((report.devices, report.votes), (600, 2_400), "a vote each week, none lost");
        assert!((report.base - 0.3).abs() < 0.02, "{}", report.base);
        let [lift, error] = report.lift;
        assert!(lift > 3.0 * error && report.clip_bias.abs() < 0.1, "{report:?}");
        let [released, error] = report.released;
        assert!((released - lift).abs() < 5.0 * error);
        let worlds = report.worlds;
        assert!((worlds.truth - 0.01 * report.base).abs() < 1e-12);
        // 200 worlds: a coverage of 95 % has a standard error of 1.5 %.
        assert!((worlds.coverage - 0.95).abs() < 0.075, "{}", worlds.coverage);
        assert!((worlds.mean - worlds.clipped).abs() < 5.0 * worlds.sd / 200f64.sqrt());
        let formula = 0.2 / Channel::bit(epsilon_one().unwrap()).unwrap().signal() / worlds.bits.sqrt();
        assert!((worlds.sd / formula - 1.0).abs() < 0.25, "{} {formula}", worlds.sd);
    }

    #[test]
    fn no_devices_no_verdict() {
        let draw = Draw { devices: 1, worlds: 1, share: 1.0, clip: 0.2, seed: 5 };
        assert!(worlds(&[], draw, 1).is_err());
    }
}
