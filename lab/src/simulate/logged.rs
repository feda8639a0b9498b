//! What devices of the demo world showed and saw, as a log to train from: features, propensities and rewards. Nothing of the truth.

use std::sync::Mutex;

use ears_only::features::Column;
use ears_only::ranker::Ranker;
use ears_world::World;
use ears_world::candidates::Candidates;
use ears_world::constants::{CARDS, SHELVES, VISIBLE_CARDS, VISIBLE_SHELVES};
use ears_world::listener::{Listener, Look, VISITS};

use super::device::{Device, Shown};
use super::units::each;
use super::{Settings, Stage};
use crate::error::LabError;
use crate::train::log::{Log, Slices};

/// Most listeners of a seed, for numbers of listeners over seeds.
const MOST_LISTENERS: u32 = 1 << 20;

/// One card that was seen.
struct Row {
    features: Vec<f32>,
    reward: f64,
    propensity: f64,
    /// Chance of the same card under a uniform policy, given everything placed before.
    uniform: f64,
    kind: &'static str,
}

/// What one listener's device logged: rows by decision, and looks at places that were not drawn.
struct Logged {
    known: bool,
    decisions: Vec<Vec<Row>>,
    undrawn: u64,
}

/// Runs devices with `settings.bundle` and gives the cards seen at places that were drawn at random, with the number of looks at other
/// places, which are left out because nothing can be learned of what was not tried there.
///
/// A row's weight is the chance of its card under a uniform policy at the same place, its propensity that under the logging policy,
/// both given everything placed before: their ratio has mean 1.
///
/// # Errors
/// When there is nothing to run, or the core refuses a page or an event.
pub fn run(settings: &Settings, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<(Log, u64), LabError> {
    if settings.seeds.is_empty() || settings.listeners == 0 || settings.listeners >= MOST_LISTENERS || settings.days == 0 {
        return Err(LabError::unreadable(format!(
            "expected at least one seed, 1 to {MOST_LISTENERS} listeners and one day, got {}, {} and {}",
            settings.seeds.len(),
            settings.listeners,
            settings.days
        )));
    }
    let world = World::demo();
    let candidates = Candidates::new(world.catalogue());
    let jobs: Vec<(u64, u32)> =
        settings.seeds.iter().flat_map(|seed| (0..settings.listeners).map(move |number| (*seed, number))).collect();
    let done = Mutex::new(0);
    let logged = each(&jobs, settings.threads, |&(seed, number)| {
        let stage = Stage { world: &world, candidates: &candidates, seed, settings };
        let logged = listen(&stage, number);
        let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *done += 1;
        progress(*done, jobs.len() as u64);
        logged
    })?;
    let columns = settings.bundle.schema().columns().iter().map(|column| Column::new(&column.name, column.source)).collect();
    let mut log = Log { columns, ..Log::default() };
    let mut kinds = Slices { name: "shelf".into(), labels: Vec::new(), of: Vec::new() };
    let mut known = Slices { name: "listener".into(), labels: vec!["new".into(), "with history".into()], of: Vec::new() };
    let (mut undrawn, mut decisions) = (0, 0);
    for (number, listener) in (0u32..).zip(logged) {
        undrawn += listener.undrawn;
        for rows in listener.decisions {
            for row in rows {
                log.values.extend(row.features);
                log.reward.push(row.reward);
                log.propensity.push(row.propensity);
                log.decision_propensity.push(1.0);
                log.weight.push(row.uniform);
                log.listener.push(number);
                log.decision.push(decisions);
                let kind = kinds.labels.iter().position(|label| label == row.kind).unwrap_or_else(|| {
                    kinds.labels.push(row.kind.to_owned());
                    kinds.labels.len() - 1
                });
                kinds.of.push(kind as u32);
                known.of.push(u32::from(listener.known));
            }
            decisions += 1;
        }
    }
    log.slices = vec![kinds, known];
    Ok((log, undrawn))
}

fn listen(stage: &Stage<'_>, number: u32) -> Result<Logged, LabError> {
    let mut listener = Listener::new(stage.world, stage.seed, number);
    let mut device = stage.device(number)?;
    device.import(&listener)?;
    let mut logged = Logged { known: !listener.history().is_empty(), decisions: Vec::new(), undrawn: 0 };
    for day in 0..stage.settings.days {
        listener.begin_day(day);
        let page = stage.candidates.page(stage.seed, number, day);
        for visit in 0..VISITS {
            let visit = listener.visit(day, visit);
            let (shown, _) = device.rank(&page, visit.at)?;
            let looks = listener.browse(visit, &shown.items);
            let mut seen = Vec::with_capacity(looks.len());
            device.observe(&shown, &looks, |ranker, look| seen.push(features(ranker, &shown, look)))?;
            let mut rows = Vec::with_capacity(looks.len());
            for (look, features) in looks.iter().zip(seen) {
                if look.shelf >= VISIBLE_SHELVES || look.position >= VISIBLE_CARDS {
                    logged.undrawn += 1;
                    continue;
                }
                let kind = page.iter().find(|shelf| shelf.cards.contains(&look.item)).map_or("", |shelf| shelf.kind);
                rows.push(row(&device, &shown, look, features, kind)?);
            }
            logged.decisions.push(rows);
        }
    }
    Ok(logged)
}

/// The columns of a card that was just seen.
fn features(ranker: &Ranker, shown: &Shown, look: &Look) -> Vec<f32> {
    let width = ranker.bundle().schema().width();
    let shelf = shown.shelves[look.shelf];
    let impressions = ranker.log().find(shown.id).map(|record| record.impressions.as_slice()).unwrap_or_default();
    let last = impressions.iter().rev().find(|impression| impression.shelf == shelf);
    last.and_then(|impression| impression.features.get(1..width)).unwrap_or_default().to_vec()
}

fn row(device: &Device, shown: &Shown, look: &Look, features: Vec<f32>, kind: &'static str) -> Result<Row, LabError> {
    let missing = |what: &str| LabError::failed(format!("the device's log: expected {what} of a card that was seen, found none"));
    let record = device.ranker.log().find(shown.id).ok_or_else(|| missing("the decision"))?;
    let shelf = record.shelves.get(look.shelf).ok_or_else(|| missing("the shelf"))?;
    let card = shelf.cards.get(look.position).ok_or_else(|| missing("the place"))?;
    let handle = device.cards[look.item as usize];
    let impression = record.impressions.iter().find(|impression| impression.shelf == shelf.shelf && impression.card == handle);
    let reward = impression.and_then(|impression| impression.reward).ok_or_else(|| missing("the reward"))?;
    if card.card != handle || features.is_empty() {
        return Err(missing("the features"));
    }
    Ok(Row {
        features,
        reward: f64::from(reward),
        propensity: shelf.propensity * card.propensity,
        uniform: 1.0 / ((SHELVES - look.shelf) * (CARDS - look.position)) as f64,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_only::bundle::{Bundle, BundleSettings, PolicyKind, PolicySettings};

    fn settings(kind: PolicyKind, threads: usize) -> Settings {
        let policy = PolicySettings { kind, floor_shelves: Some(0.5), floor_cards: Some(0.5), ..PolicySettings::default() };
        let model = BundleSettings { policy, ..BundleSettings::default() };
        Settings { seeds: vec![1_001], listeners: 10, days: 5, bundle: Bundle::new(model).unwrap(), threads }
    }

    #[test]
    fn the_log_of_a_uniform_policy_has_weights_of_1_and_rewards_like_the_plays() {
        let (log, undrawn) = run(&settings(PolicyKind::Uniform, 1), &|_, _| ()).unwrap();
        assert!(log.rows() > 200 && undrawn > 0);
        assert_eq!(log.values.len(), log.rows() * log.columns.len());
        assert!(log.propensity.iter().zip(&log.weight).all(|(p, u)| (p / u - 1.0).abs() < 1e-9));
        let rate = log.reward.iter().sum::<f64>() / log.rows() as f64;
        assert!((0.005..0.2).contains(&rate), "{rate}");
        assert_eq!(log.slices[0].of.len(), log.rows());
        assert!(log.slices[0].labels.len() > 2, "{:?}", log.slices[0].labels);
    }

    #[test]
    fn the_log_of_a_policy_with_floors_has_a_mean_weight_near_1_on_any_number_of_threads() {
        let one = run(&settings(PolicyKind::PlackettLuce, 1), &|_, _| ()).unwrap();
        assert_eq!(one, run(&settings(PolicyKind::PlackettLuce, 3), &|_, _| ()).unwrap());
        let log = one.0;
        // Of the first card of each page, which everybody sees: the ratio has mean 1, here within 4 standard errors.
        let first: Vec<f64> = (0..log.rows())
            .filter(|row| *row == 0 || log.decision[*row] != log.decision[*row - 1])
            .map(|row| log.weight[row] / log.propensity[row])
            .collect();
        let mean = first.iter().sum::<f64>() / first.len() as f64;
        let variance = first.iter().map(|w| (w - mean) * (w - mean)).sum::<f64>() / first.len() as f64;
        assert!((mean - 1.0).abs() < 4.0 * (variance / first.len() as f64).sqrt(), "{mean} {variance} {}", first.len());
        assert!(run(&Settings { days: 0, ..settings(PolicyKind::Uniform, 1) }, &|_, _| ()).is_err());
    }
}
