//! What rows count and what they are to be predicted as, so that a fit to the log is a fit to the pages of a uniform policy.
//!
//! | objective | rows | target | weight |
//! |---|---|---|---|
//! | `naive` | shown | reward | w |
//! | `ips` | shown | reward | w min(1 / p, c) |
//! | `snips` | shown | reward | the same, scaled to a mean of 1 |
//! | `mtr` | shown | reward | w / (p K), K candidates in the decision |
//! | `dr` | all candidates | q + (reward - q) min(1 / p, c), or q where not shown | w min(1 / d, c) |
//! | `poem`, `banditnet` | as `snips`, and then the decisions ([`super::gradient`]) | | |
//!
//! p is the propensity times that of the decision, d; in `dr` p is without d; w is the weight in the log, c the clip. q comes from logistic
//! regressions that have not seen the listener.
//! For a regression, self-normalising is a scale: it decides how strong a ridge is beside the rows.
//!
//! # References
//! Clipped weights in the fit of a Home page's reward model: McInerney et al. (2018), section 4.3. Self-normalised: Swaminathan and
//! Joachims (2015), "The self-normalized estimator for counterfactual learning". Multi-task regression (importance-weighted
//! regression) and doubly robust targets: Bietti, Agarwal and Langford (2021), "A contextual bandit bake-off", section 2.3.

use ears_only::math::sigmoid;

use super::inputs::Inputs;
use super::linear;
use super::log::Log;
use super::parallel::Threads;
use super::sample::{Sample, unit};
use crate::error::LabError;

/// What a fit is to be good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Rows as they come.
    Naive,
    /// Rows weighted by clipped inverse propensities.
    Ips,
    /// The same, self-normalised.
    Snips,
    /// Rows weighted by inverse propensities among the candidates of the decision.
    Mtr,
    /// All candidates, with doubly robust targets.
    Dr,
    /// What a ranking would have earned, less a multiple of its standard error.
    Poem,
    /// The same self-normalised, by a multiplier.
    BanditNet,
}

impl Objective {
    /// The objective called `name`.
    ///
    /// # Errors
    /// For any other name.
    pub fn from_name(name: &str) -> Result<Self, LabError> {
        match name {
            "naive" => Ok(Self::Naive),
            "ips" => Ok(Self::Ips),
            "snips" => Ok(Self::Snips),
            "mtr" => Ok(Self::Mtr),
            "dr" => Ok(Self::Dr),
            "poem" => Ok(Self::Poem),
            "banditnet" => Ok(Self::BanditNet),
            _ => Err(LabError::unreadable(format!(
                "expected the objective naive, ips, snips, mtr, dr, poem or banditnet, found {name}"
            ))),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Ips => "ips",
            Self::Snips => "snips",
            Self::Mtr => "mtr",
            Self::Dr => "dr",
            Self::Poem => "poem",
            Self::BanditNet => "banditnet",
        }
    }

    /// Whether it follows the slope of what a ranking earns.
    #[must_use]
    pub fn ranks(self) -> bool {
        matches!(self, Self::Poem | Self::BanditNet)
    }
}

/// Parts of the listeners for which q is made by the others.
const FOLDS: u32 = 5;

/// The rows that count under an objective, with the numbers they have in the log.
///
/// - `clip`: largest 1 / p of `ips`, `snips` and `dr`.
///
/// # Errors
/// When the clip is below 1, no row was shown, `mtr` has no decisions to count candidates in, or q cannot be fitted.
pub fn sample(
    log: &Log,
    objective: Objective,
    clip: f64,
    seed: u64,
    threads: &Threads,
) -> Result<(Sample, Vec<usize>), LabError> {
    if clip.is_nan() || clip < 1.0 {
        return Err(LabError::unreadable(format!("expected a clip of 1 or more, found {clip}")));
    }
    if objective == Objective::Mtr && log.decision.is_empty() {
        return Err(LabError::unreadable("objective mtr: expected a column decision in the log, found none"));
    }
    let shown: Vec<usize> = (0..log.rows()).filter(|row| !log.reward[*row].is_nan()).collect();
    if shown.is_empty() {
        return Err(LabError::unreadable(format!("expected rows with a reward, found none among {}", log.rows())));
    }
    if objective == Objective::Dr {
        let all: Vec<usize> = (0..log.rows()).collect();
        let target = doubly_robust(log, &shown, clip, seed, threads)?;
        // The targets undo which candidate was shown, the weights which decisions came about.
        let weight = all.iter().map(|&row| log.weight[row] * (1.0 / log.decision_propensity[row]).min(clip)).collect();
        return Ok((rows_of(log, &all, target, weight)?, all));
    }
    let clipped = |row: usize| log.weight[row] * (1.0 / log.chance(row)).min(clip);
    let weight: Vec<f64> = match objective {
        Objective::Naive | Objective::Dr => shown.iter().map(|&row| log.weight[row]).collect(),
        Objective::Ips => shown.iter().map(|&row| clipped(row)).collect(),
        Objective::Snips | Objective::Poem | Objective::BanditNet => {
            let total: f64 = shown.iter().map(|&row| clipped(row)).sum();
            shown.iter().map(|&row| clipped(row) * shown.len() as f64 / total).collect()
        }
        Objective::Mtr => {
            let mut candidates = vec![0.0; log.decision.iter().max().map_or(0, |most| *most as usize + 1)];
            log.decision.iter().for_each(|decision| candidates[*decision as usize] += 1.0);
            let of = |row: usize| log.weight[row] / (log.chance(row) * candidates[log.decision[row] as usize]);
            shown.iter().map(|&row| of(row)).collect()
        }
    };
    let target = shown.iter().map(|&row| log.reward[row]).collect();
    Ok((rows_of(log, &shown, target, weight)?, shown))
}

/// These rows of a log with targets and weights of their own.
pub(super) fn rows_of(log: &Log, rows: &[usize], target: Vec<f64>, weight: Vec<f64>) -> Result<Sample, LabError> {
    let width = log.columns.len();
    let values = rows.iter().flat_map(|&row| &log.values[row * width..(row + 1) * width]).copied().collect();
    Sample { width, values, target, weight, group: rows.iter().map(|&row| log.listener[row]).collect() }.checked()
}

/// Doubly robust targets of all rows, q by regressions on the listeners of the other folds.
fn doubly_robust(log: &Log, shown: &[usize], clip: f64, seed: u64, threads: &Threads) -> Result<Vec<f64>, LabError> {
    let fold = |row: usize| (unit(seed ^ 0x0d0b, log.listener[row]) * f64::from(FOLDS)) as u32;
    let folds: Vec<u32> = (0..log.rows()).map(fold).collect();
    let mut target = vec![0.0; log.rows()];
    for held in 0..FOLDS {
        if !folds.contains(&held) {
            continue;
        }
        let others: Vec<usize> = shown.iter().copied().filter(|row| folds[*row] != held).collect();
        if others.is_empty() {
            return Err(LabError::unreadable("objective dr: expected listeners enough for several folds, found one"));
        }
        let learn = rows_of(
            log,
            &others,
            others.iter().map(|&row| log.reward[row]).collect(),
            others.iter().map(|&row| log.weight[row]).collect(),
        )?;
        let inputs = Inputs::fit(&learn);
        let fitted = linear::fit(&inputs.applied(&learn), &linear::Settings::default(), threads)?;
        let width = log.columns.len();
        let mut seen = vec![0.0; width];
        for row in (0..log.rows()).filter(|row| folds[*row] == held) {
            inputs.apply(&log.values[row * width..(row + 1) * width], &mut seen);
            let q = sigmoid(fitted.margin(&seen));
            let reward = log.reward[row];
            let known = if reward.is_nan() { 0.0 } else { (reward - q) * (1.0 / log.propensity[row]).min(clip) };
            target[row] = q + known;
        }
    }
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::log::column;

    /// Two cards, A good for half of the visits and B for a tenth; A is shown with propensity 0.9 and B with 0.1, whatever the feature.
    fn log(visits: u32) -> Log {
        let mut log = Log { columns: vec![column("is_a").unwrap()], ..Log::default() };
        for visit in 0..visits {
            let a = visit % 10 != 0;
            for card in [true, false] {
                let shown = card == a;
                log.values.push(if card { 1.0 } else { 0.0 });
                let good = if card { visit % 2 == 1 } else { visit % 100 == 10 };
                log.reward.push(if shown { f64::from(u8::from(good)) } else { f64::NAN });
                log.propensity.push(if card { 0.9 } else { 0.1 });
                log.decision_propensity.push(1.0);
                log.weight.push(1.0);
                log.listener.push(visit / 20);
                log.decision.push(visit);
            }
        }
        log
    }

    fn of(objective: Objective) -> Sample {
        sample(&log(2_000), objective, 100.0, 1, &Threads::new(1).unwrap()).unwrap().0
    }

    #[test]
    fn weights_make_both_cards_count_as_often_as_in_a_uniform_log() {
        let count = |sample: &Sample, card: f32| -> f64 {
            (0..sample.rows()).filter(|row| sample.row(*row)[0] == card).map(|row| sample.weight[row]).sum()
        };
        let naive = of(Objective::Naive);
        assert_eq!((count(&naive, 1.0), count(&naive, 0.0)), (1_800.0, 200.0));
        let ips = of(Objective::Ips);
        assert!((count(&ips, 1.0) - 2_000.0).abs() < 1e-9 && (count(&ips, 0.0) - 2_000.0).abs() < 1e-9);
        let snips = of(Objective::Snips);
        assert!((count(&snips, 1.0) - 1_000.0).abs() < 1e-9 && (snips.total_weight() - 2_000.0).abs() < 1e-9);
        let mtr = of(Objective::Mtr);
        assert!((count(&mtr, 1.0) - 1_000.0).abs() < 1e-9 && (count(&mtr, 0.0) - 1_000.0).abs() < 1e-9);
        let clipped = sample(&log(2_000), Objective::Ips, 2.0, 1, &Threads::new(1).unwrap()).unwrap().0;
        assert!((count(&clipped, 0.0) - 400.0).abs() < 1e-9);
    }

    #[test]
    fn doubly_robust_targets_have_the_mean_of_the_truth_for_every_card() {
        let dr = of(Objective::Dr);
        assert_eq!(dr.rows(), 4_000);
        let mean = |card: f32| {
            let rows: Vec<usize> = (0..dr.rows()).filter(|row| dr.row(*row)[0] == card).collect();
            rows.iter().map(|row| dr.target[*row]).sum::<f64>() / rows.len() as f64
        };
        // The shown visits of A are good in 1,000 of 1,800, those of B in 20 of 200: the log itself, exactly.
        assert!((mean(1.0) - 1_000.0 / 1_800.0).abs() < 0.01, "{}", mean(1.0));
        assert!((mean(0.0) - 0.1).abs() < 0.01, "{}", mean(0.0));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let threads = Threads::new(1).unwrap();
        let message = |log: &Log, objective, clip| sample(log, objective, clip, 1, &threads).unwrap_err().to_string();
        assert!(message(&log(10), Objective::Ips, 0.5).contains("clip"));
        let without = Log { decision: Vec::new(), ..log(10) };
        assert!(message(&without, Objective::Mtr, 10.0).contains("decision"));
        let mut unseen = log(10);
        unseen.reward.fill(f64::NAN);
        assert!(message(&unseen, Objective::Ips, 10.0).contains("found none among 20"));
        let mut alone = log(10);
        alone.listener.fill(0);
        assert!(message(&alone, Objective::Dr, 10.0).contains("folds"));
        assert!(Objective::from_name("magic").is_err());
        for name in ["naive", "ips", "snips", "mtr", "dr", "poem", "banditnet"] {
            assert_eq!(Objective::from_name(name).unwrap().name(), name);
        }
    }
}
