//! Small steps against the slope of the log-loss, batch by batch (Adam; Kingma and Ba 2015, algorithm 1). What is judged and kept is the
//! mean of the parameters over a pass, which wavers less than any of them (Polyak and Juditsky 1992).

use ears_only::random::{Purpose, Seed, below};

use super::sample::{Quality, Sample};
use crate::error::LabError;

/// How to descend.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Most passes over the rows.
    pub epochs: usize,
    /// Rows of a step.
    pub batch: usize,
    /// Size of a step.
    pub rate: f64,
    /// Strength of the ridge, as for the logistic regression: half of it times the squared parameters, biases excepted, beside the
    /// weighted sum of log-losses.
    pub ridge: f64,
    /// Passes without a better loss on the judging rows after which it stops; the best parameters are kept.
    pub patience: usize,
    /// Draws the first parameters and the order of the rows.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { epochs: 200, batch: 256, rate: 0.001, ridge: 1.0, patience: 10, seed: 1 }
    }
}

impl Settings {
    fn check(&self) -> Result<(), LabError> {
        let wrong = |what: &str, found: f64| Err(LabError::unreadable(format!("training: expected {what}, found {found}")));
        if self.epochs == 0 || self.batch == 0 {
            return wrong("at least one epoch and one row in a batch", self.epochs.min(self.batch) as f64);
        }
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return wrong("a rate above 0 and at most 1", self.rate);
        }
        if !(self.ridge >= 0.0 && self.ridge.is_finite()) {
            return wrong("a ridge of 0 or more", self.ridge);
        }
        Ok(())
    }
}

/// Parameters that can be improved.
pub trait Model: Clone {
    /// All parameters.
    fn parameters(&mut self) -> &mut [f32];
    /// Whether a parameter is held back by the ridge.
    fn is_ridged(&self, parameter: usize) -> bool;
    /// Adds to `slopes` those of the sum over `rows` of `scale` x weight x log-loss, for each parameter.
    fn slopes(&self, sample: &Sample, rows: &[usize], scale: f32, slopes: &mut [f32]);
    /// Log-odds of all rows.
    fn margins(&self, sample: &Sample) -> Vec<f64>;
}

/// Decay of the mean of slopes and of their squares, and what keeps the division defined (Kingma and Ba 2015).
const DECAY: (f32, f32) = (0.9, 0.999);
const LEAST: f32 = 1e-8;

/// Improves `model` on `learn`; `judge` says when to stop, if it has rows. `progress` hears the passes made and the loss of `judge`.
///
/// # Determinism
/// One thread; order of rows and sums are functions of the settings.
///
/// # Errors
/// When a setting is out of range, or the loss is no number any more.
pub fn descend<M: Model>(
    mut model: M,
    learn: &Sample,
    judge: &Sample,
    settings: &Settings,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<M, LabError> {
    settings.check()?;
    let count = model.parameters().len();
    let (mut first, mut second, mut slopes) = (vec![0f32; count], vec![0f32; count], vec![0f32; count]);
    let mut sums = vec![0f64; count];
    let ridged: Vec<bool> = (0..count).map(|parameter| model.is_ridged(parameter)).collect();
    let mean_weight = learn.total_weight() / learn.rows() as f64;
    // Batches see the mean loss; the ridge is that of the sum.
    let ridge = (settings.ridge / learn.total_weight()) as f32;
    let mut order: Vec<usize> = (0..learn.rows()).collect();
    let mut powers = (1f32, 1f32);
    let over = if judge.rows() > 0 { judge } else { learn };
    // The start is the best constant: what does not beat it is not kept.
    let mut best = (Quality::loss(over, &model.margins(over)), 0, model.clone());
    for epoch in 1..=settings.epochs {
        shuffle(&mut order, settings.seed, epoch as u64);
        sums.fill(0.0);
        let steps = order.len().div_ceil(settings.batch) as f64;
        for rows in order.chunks(settings.batch) {
            slopes.fill(0.0);
            model.slopes(learn, rows, (1.0 / (mean_weight * rows.len() as f64)) as f32, &mut slopes);
            powers = (powers.0 * DECAY.0, powers.1 * DECAY.1);
            let rate = settings.rate as f32 * (1.0 - powers.1).sqrt() / (1.0 - powers.0);
            let moments = first.iter_mut().zip(&mut second).zip(&ridged).zip(&mut sums);
            for ((parameter, slope), (((first, second), ridged), sum)) in model.parameters().iter_mut().zip(&slopes).zip(moments)
            {
                let slope = if *ridged { slope + ridge * *parameter } else { *slope };
                *first += (1.0 - DECAY.0) * (slope - *first);
                *second += (1.0 - DECAY.1) * (slope * slope - *second);
                *parameter -= rate * *first / (second.sqrt() + LEAST);
                *sum += f64::from(*parameter);
            }
        }
        let mut mean = model.clone();
        mean.parameters().iter_mut().zip(&sums).for_each(|(parameter, sum)| *parameter = (sum / steps) as f32);
        let loss = Quality::loss(over, &mean.margins(over));
        if !loss.is_finite() {
            return Err(LabError::failed(format!(
                "training: expected a finite loss, found {loss} after {epoch} passes; a smaller rate helps"
            )));
        }
        progress(epoch, loss);
        if loss < best.0 {
            best = (loss, epoch, mean);
        } else if epoch - best.1 >= settings.patience {
            break;
        }
    }
    Ok(best.2)
}

/// Another order for each pass (Durstenfeld 1964).
fn shuffle(order: &mut [usize], seed: u64, epoch: u64) {
    let mut rng = Seed::from_number(seed).stream(Purpose::Host, epoch);
    for i in (1..order.len()).rev() {
        order.swap(i, below(&mut rng, i as u32 + 1) as usize);
    }
}

/// Draws standard normal numbers for first parameters.
pub struct Normals {
    key: ears_world::chance::Key,
    next: u64,
}

impl Normals {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { key: ears_world::chance::Key::new(seed, ears_world::chance::Draw::Truth).with(u64::MAX), next: 0 }
    }

    /// The next one.
    pub fn draw(&mut self) -> f32 {
        self.next += 1;
        self.key.with(self.next).normal() as f32
    }
}

/// Compares the slopes of a model with differences of its loss.
#[cfg(test)]
pub fn check_slopes<M: Model>(model: &M, sample: &Sample, tolerance: f64) {
    let mut model = model.clone();
    let rows: Vec<usize> = (0..sample.rows()).collect();
    let mut slopes = vec![0f32; model.parameters().len()];
    model.slopes(sample, &rows, 1.0, &mut slopes);
    let step = 2e-3f32;
    for (parameter, got) in slopes.iter().enumerate() {
        let before = model.parameters()[parameter];
        let mut loss = |at: f32| {
            model.parameters()[parameter] = at;
            Quality::loss(sample, &model.margins(sample)) * sample.total_weight()
        };
        let slope = (loss(before + step) - loss(before - step)) / (f64::from(before + step) - f64::from(before - step));
        loss(before);
        let found = f64::from(*got);
        assert!(
            (found - slope).abs() < tolerance * slope.abs().max(1.0),
            "parameter {parameter}: {found}, by differences {slope}"
        );
    }
}
