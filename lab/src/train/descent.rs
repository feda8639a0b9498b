//! Small steps against the slope of the log-loss, batch by batch (Adam; Kingma and Ba 2015, algorithm 1). What is judged and kept is the
//! mean of the parameters over a pass, which wavers less than any of them (Polyak and Juditsky 1992).

use ears_only::math::sigmoid;
use ears_only::random::{Purpose, Seed, below};

use serde::{Deserialize, Serialize};

use super::keep::Keep;
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
    /// Where the state after a pass is kept.
    pub keep: Keep,
}

impl Default for Settings {
    fn default() -> Self {
        Self { epochs: 200, batch: 256, rate: 0.001, ridge: 1.0, patience: 10, seed: 1, keep: Keep::default() }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the setting, what was expected and what was found.
    pub fn check(&self) -> Result<(), LabError> {
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
    /// Adds to `slopes` those of any function of the margins of `rows`, for each parameter. `of_margins` is given the margins and puts in
    /// place of each the slope of the function with it.
    fn back(&self, sample: &Sample, rows: &[usize], of_margins: &mut dyn FnMut(&mut [f32]), slopes: &mut [f32]);
    /// Adds to `slopes` those of the sum over `rows` of `scale` x weight x log-loss, for each parameter.
    fn slopes(&self, sample: &Sample, rows: &[usize], scale: f32, slopes: &mut [f32]) {
        let mut of_loss = |margins: &mut [f32]| {
            for (margin, &row) in margins.iter_mut().zip(rows) {
                *margin = scale * (sample.weight[row] * (sigmoid(f64::from(*margin)) - sample.target[row])) as f32;
            }
        };
        self.back(sample, rows, &mut of_loss, slopes);
    }
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
    let mut slopes = vec![0f32; model.parameters().len()];
    let mean_weight = learn.total_weight() / learn.rows() as f64;
    // Batches see the mean loss; the ridge is that of the sum.
    let mut adam = Adam::new(&mut model, settings.rate, settings.ridge / learn.total_weight());
    let mut order: Vec<usize> = (0..learn.rows()).collect();
    let over = if judge.rows() > 0 { judge } else { learn };
    // The start is the best constant: what does not beat it is not kept.
    let mut best = (Quality::loss(over, &model.margins(over)), 0, model.clone());
    let mut losses = Vec::new();
    if let Some(state) = settings.keep.state::<Passed>().filter(|state| state.fits(slopes.len())) {
        model.parameters().copy_from_slice(&state.parameters);
        best.2.parameters().copy_from_slice(&state.best);
        (best.0, best.1) = (state.best_loss, state.best_pass);
        (adam.first, adam.second, adam.powers) = (state.first, state.second, state.powers);
        // The order of a pass is that of the pass before, shuffled on.
        for epoch in 1..=state.losses.len() {
            shuffle(&mut order, settings.seed, epoch as u64);
        }
        losses = state.losses;
    }
    for (epoch, loss) in losses.iter().enumerate() {
        progress(1 + epoch, *loss);
    }
    for epoch in 1 + losses.len()..=settings.epochs {
        shuffle(&mut order, settings.seed, epoch as u64);
        adam.begin_pass();
        for rows in order.chunks(settings.batch) {
            slopes.fill(0.0);
            model.slopes(learn, rows, (1.0 / (mean_weight * rows.len() as f64)) as f32, &mut slopes);
            adam.step(model.parameters(), &slopes);
        }
        let mean = adam.mean(&model);
        let loss = Quality::loss(over, &mean.margins(over));
        if !loss.is_finite() {
            return Err(LabError::failed(format!(
                "training: expected a finite loss, found {loss} after {epoch} passes; a smaller rate helps"
            )));
        }
        progress(epoch, loss);
        losses.push(loss);
        if loss < best.0 {
            best = (loss, epoch, mean);
        } else if epoch - best.1 >= settings.patience {
            break;
        }
        settings.keep.keep(|| Passed {
            losses: losses.clone(),
            parameters: model.parameters().to_vec(),
            first: adam.first.clone(),
            second: adam.second.clone(),
            powers: adam.powers,
            best_loss: best.0,
            best_pass: best.1,
            best: best.2.parameters().to_vec(),
        })?;
    }
    Ok(best.2)
}

/// Everything that the next pass needs.
#[derive(Serialize, Deserialize)]
struct Passed {
    losses: Vec<f64>,
    parameters: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    powers: (f32, f32),
    best_loss: f64,
    best_pass: usize,
    best: Vec<f32>,
}

impl Passed {
    fn fits(&self, parameters: usize) -> bool {
        [&self.parameters, &self.first, &self.second, &self.best].iter().all(|part| part.len() == parameters)
    }
}

/// Adam's state, and the sum of the parameters over the steps of a pass.
pub struct Adam {
    rate: f32,
    ridge: f32,
    ridged: Vec<bool>,
    /// Where the ridge holds the parameters.
    centre: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    powers: (f32, f32),
    sums: Vec<f64>,
    steps: u64,
}

impl Adam {
    /// Before the first step of `model`; `ridge` is that of the mean loss.
    pub fn new<M: Model>(model: &mut M, rate: f64, ridge: f64) -> Self {
        let count = model.parameters().len();
        Self {
            rate: rate as f32,
            ridge: ridge as f32,
            ridged: (0..count).map(|parameter| model.is_ridged(parameter)).collect(),
            centre: vec![0.0; count],
            first: vec![0.0; count],
            second: vec![0.0; count],
            powers: (1.0, 1.0),
            sums: vec![0.0; count],
            steps: 0,
        }
    }

    /// With a ridge that holds the parameters near where `model` has them, in place of 0. Steps have one size however small a slope is: a
    /// parameter that nothing but the ridge moves would otherwise run to 0.
    #[must_use]
    pub fn around<M: Model>(mut self, model: &mut M) -> Self {
        self.centre.copy_from_slice(model.parameters());
        self
    }

    /// Starts another pass.
    pub fn begin_pass(&mut self) {
        self.sums.fill(0.0);
        self.steps = 0;
    }

    /// One step against `slopes`, those of the mean loss of a batch.
    pub fn step(&mut self, parameters: &mut [f32], slopes: &[f32]) {
        self.powers = (self.powers.0 * DECAY.0, self.powers.1 * DECAY.1);
        self.steps += 1;
        let rate = self.rate * (1.0 - self.powers.1).sqrt() / (1.0 - self.powers.0);
        let held = self.ridged.iter().zip(&self.centre);
        let moments = self.first.iter_mut().zip(&mut self.second).zip(held).zip(&mut self.sums);
        for ((parameter, slope), (((first, second), (ridged, centre)), sum)) in parameters.iter_mut().zip(slopes).zip(moments) {
            let slope = if *ridged { slope + self.ridge * (*parameter - centre) } else { *slope };
            *first += (1.0 - DECAY.0) * (slope - *first);
            *second += (1.0 - DECAY.1) * (slope * slope - *second);
            *parameter -= rate * *first / (second.sqrt() + LEAST);
            *sum += f64::from(*parameter);
        }
    }

    /// `model` with the mean of its parameters over the steps of this pass.
    pub fn mean<M: Model>(&self, model: &M) -> M {
        let mut mean = model.clone();
        let steps = self.steps.max(1) as f64;
        mean.parameters().iter_mut().zip(&self.sums).for_each(|(parameter, sum)| *parameter = (sum / steps) as f32);
        mean
    }
}

/// Another order for each pass (Durstenfeld 1964).
pub fn shuffle(order: &mut [usize], seed: u64, epoch: u64) {
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
