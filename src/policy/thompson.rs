//! Thompson sampling with exact propensities.
//!
//! One value is drawn for each candidate from its own posterior, and the candidates stand in the order of these values. The chance
//! of candidate a next, after the prefix c_1 ... c_k, is proportional to
//!
//! ```text
//! integral f_a(x) G_k(x) prod_(b open, b != a) F_b(x) dx,    G_1 = 1 - F_c1,    G_k(x) = integral_x^inf f_ck(t) G_(k-1)(t) dt
//! ```
//!
//! where G_k(x) is the chance that the prefix fell in its order above x. One running integral for each place therefore does, at
//! any depth, what nested quadrature does for two or three. Sampler and propensity are the same numbers: the walk draws from them.
//!
//! Draws are independent between candidates. Under a shared weight vector they are not: the score of each card is then drawn from
//! its marginal N(m . x, x' S x), a departure from joint Thompson sampling that keeps every propensity exact.
//!
//! # References
//! W. R. Thompson (1933), "On the likelihood that one unknown probability exceeds another", Biometrika 25; O. Chapelle and L. Li
//! (2011), "An Empirical Evaluation of Thompson Sampling", NIPS.

use super::beta::Beta;
use super::places::Places;
use super::quadrature::Panels;
use crate::math::{erfc, exp, falling};

/// The shape of every posterior in a list: makes one from a candidate's logit and spread.
#[derive(Clone, Copy)]
pub struct Posterior {
    name: &'static str,
    // A function and not a variant, so that a build that never asks for one shape does not carry it.
    arm: fn(f64, f64) -> Box<dyn Arm>,
}

impl Posterior {
    /// N(logit, spread^2); the spread counts as at least 1e-6.
    pub const NORMAL: Self =
        Self { name: "Normal", arm: |logit, spread| Box::new(Normal { mean: logit, sd: spread.max(MIN_SD) }) };
    /// Beta(m s, (1 - m) s) with m the logit, in (0, 1), and s the spread: the prior's and the observed trials together, > 0.
    pub const BETA: Self = Self {
        name: "Beta",
        arm: |logit, spread| {
            let mean = logit.clamp(1e-9, 1.0 - 1e-9);
            let trials = spread.clamp(1e-3, 1e12);
            Box::new(Beta::new(mean * trials, (1.0 - mean) * trials))
        },
    };
}

impl PartialEq for Posterior {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Posterior {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Smallest standard deviation of a Normal posterior.
const MIN_SD: f64 = 1e-6;
/// How many standard deviations a Normal posterior reaches: 1e-17 lie outside.
const REACH: f64 = 8.5;
/// A prefix with a smaller chance than this at its last place is not followed up: the rest is drawn afresh.
const FRESH: f64 = 1e-9;

/// The posterior of one candidate on a line of its own kind.
pub(super) trait Arm {
    /// Places that leave less than 1e-16 outside on each side.
    fn range(&self) -> (f64, f64);
    /// Width over which the density changes by a moderate factor.
    fn scale(&self) -> f64;
    fn density(&self, x: f64) -> f64;
    /// Chances below and above `x`.
    fn tails(&self, x: f64) -> (f64, f64);
    /// The first of them.
    fn below(&self, x: f64) -> f64 {
        self.tails(x).0
    }
}

struct Normal {
    mean: f64,
    sd: f64,
}

impl Arm for Normal {
    fn range(&self) -> (f64, f64) {
        (self.mean - REACH * self.sd, self.mean + REACH * self.sd)
    }

    fn scale(&self) -> f64 {
        self.sd
    }

    fn density(&self, x: f64) -> f64 {
        let z = (x - self.mean) / self.sd;
        exp(-0.5 * z * z) / (self.sd * (2.0 * std::f64::consts::PI).sqrt())
    }

    fn tails(&self, x: f64) -> (f64, f64) {
        let z = (x - self.mean) / (self.sd * std::f64::consts::SQRT_2);
        (0.5 * erfc(-z), 0.5 * erfc(z))
    }

    fn below(&self, x: f64) -> f64 {
        0.5 * erfc(-(x - self.mean) / (self.sd * std::f64::consts::SQRT_2))
    }
}

/// A candidate that can reach one of the visible places, with its posterior at the nodes.
struct Contender {
    candidate: u32,
    arm: Box<dyn Arm>,
    density: Vec<f64>,
    below: Vec<f64>,
    open: bool,
}

/// The draws of one list, integrated.
pub(super) struct Draws {
    panels: Panels,
    contenders: Vec<Contender>,
    /// G at the nodes, up to a factor; empty before anything is placed.
    prefix: Vec<f64>,
    /// Chance of each open contender at the last fill, before floors.
    chances: Vec<(u32, f64)>,
}

impl Draws {
    /// Panels and posteriors for the `places` best of `candidates`.
    fn new(posterior: Posterior, candidates: &[u32], logits: &[f64], spread: &[f64], places: usize) -> Self {
        let arm = |candidate: u32| {
            let at = candidate as usize;
            (posterior.arm)(logits[at], spread.get(at).copied().unwrap_or(0.0))
        };
        let mut arms: Vec<(u32, Box<dyn Arm>)> = candidates.iter().map(|&candidate| (candidate, arm(candidate))).collect();
        // The k-th best value lies above the k-th largest lower end, whatever is placed before.
        let lows: Vec<(f64, u32)> = arms.iter().zip(0..).map(|((_, arm), index)| (arm.range().0, index)).collect();
        let last = places.clamp(1, arms.len().max(1)) - 1;
        let low = falling(lows.clone()).get(last).map_or(0.0, |index| lows[*index as usize].0);
        arms.retain(|(_, arm)| arm.range().1 >= low);
        let high = arms.iter().map(|(_, arm)| arm.range().1).fold(low, f64::max);
        let bounds: Vec<(f64, f64, f64)> = arms.iter().map(|(_, arm)| (arm.range().0, arm.range().1, arm.scale())).collect();
        let panels = Panels::new(low, high, |at| {
            // As wide as the narrowest posterior here, or up to where a narrow one begins.
            bounds.iter().filter(|b| b.1 > at).map(|b| b.2.max(b.0 - at)).fold(f64::INFINITY, f64::min)
        });
        let contenders = arms
            .into_iter()
            .map(|(candidate, arm)| Contender {
                candidate,
                density: panels.nodes.iter().map(|x| arm.density(*x)).collect(),
                below: panels.nodes.iter().map(|x| arm.below(*x)).collect(),
                open: true,
                arm,
            })
            .collect();
        Self { panels, contenders, prefix: Vec::new(), chances: Vec::new() }
    }

    /// Chance of each open contender for the next place, in `chances`.
    fn next(&mut self) {
        // Weight x G x product of F over all that are open.
        let mut all: Vec<f64> = self.panels.weights.clone();
        for (value, g) in all.iter_mut().zip(&self.prefix) {
            *value *= g;
        }
        for contender in self.contenders.iter().filter(|c| c.open) {
            for (value, below) in all.iter_mut().zip(&contender.below) {
                *value *= below;
            }
        }
        self.chances.clear();
        let mut total = 0.0;
        for contender in self.contenders.iter().filter(|c| c.open) {
            let mut chance = 0.0;
            for ((value, below), density) in all.iter().zip(&contender.below).zip(&contender.density) {
                // Where F underflows, so does the density.
                if *below > 0.0 {
                    chance += value / below * density;
                }
            }
            total += chance;
            self.chances.push((contender.candidate, chance));
        }
        for entry in &mut self.chances {
            entry.1 /= total;
        }
    }

    /// Places `candidate`.
    pub(super) fn place(&mut self, candidate: u32) {
        let chance = self.chances.iter().find(|entry| entry.0 == candidate).map_or(0.0, |entry| entry.1);
        let Some(contender) = self.contenders.iter_mut().find(|c| c.candidate == candidate) else {
            self.prefix.clear();
            return;
        };
        contender.open = false;
        if chance.is_nan() || chance < FRESH {
            self.prefix.clear();
        } else if self.prefix.is_empty() {
            self.prefix = self.panels.nodes.iter().map(|x| contender.arm.tails(*x).1).collect();
        } else {
            let values: Vec<f64> = contender.density.iter().zip(&self.prefix).map(|(f, g)| f * g).collect();
            self.prefix = self.panels.integral_above(&values);
            let largest = self.prefix.iter().copied().fold(0.0, f64::max);
            for g in &mut self.prefix {
                *g /= largest;
            }
        }
    }
}

/// Chance of each open candidate for the next place.
pub(super) fn fill(posterior: Posterior, places: &mut Places<'_>, pmf: &mut Vec<f64>) {
    let draws =
        places.draws.get_or_insert_with(|| Draws::new(posterior, &places.open, places.logits, places.spread, places.visible));
    draws.next();
    let mut chances = draws.chances.iter().peekable();
    pmf.extend(places.open.iter().map(|candidate| {
        // Both lists are in the order of the candidates.
        chances.next_if(|entry| entry.0 == *candidate).map_or(0.0, |entry| entry.1)
    }));
    if !pmf.iter().sum::<f64>().is_finite() || pmf.iter().all(|p| *p <= 0.0) {
        pmf.fill(1.0 / places.open.len() as f64);
    }
}

/// P(candidate a has rank k) for each candidate and the first `ranks` ranks: the marginals of the whole order.
///
/// ```text
/// P(a, k) = integral f_a(x) PB_k({1 - F_b(x)}, b != a) dx
/// ```
///
/// PB_k is the chance that exactly k of the others lie above x, by the Poisson-binomial recursion.
///
/// # Shapes and ranges
/// `logits` and `spread` as [`Posterior`] says, one for each candidate; returns one row for each candidate with one value in [0, 1]
/// for each rank.
///
/// # References
/// Y. H. Wang (1993), "On the number of successes in independent trials", Statistica Sinica 3.
#[must_use]
pub fn rank_marginals(posterior: Posterior, logits: &[f64], spread: &[f64], ranks: usize) -> Vec<Vec<f64>> {
    let candidates: Vec<u32> = (0..logits.len() as u32).collect();
    let draws = Draws::new(posterior, &candidates, logits, spread, ranks);
    let mut marginals = vec![vec![0.0; ranks]; logits.len()];
    let mut chances = vec![0.0; ranks];
    for (q, weight) in draws.panels.weights.iter().enumerate() {
        for contender in &draws.contenders {
            chances.fill(0.0);
            if let Some(first) = chances.first_mut() {
                *first = 1.0;
            }
            for other in draws.contenders.iter().filter(|other| other.candidate != contender.candidate) {
                let below = other.below[q];
                for k in (1..ranks).rev() {
                    chances[k] = chances[k] * below + chances[k - 1] * (1.0 - below);
                }
                if let Some(first) = chances.first_mut() {
                    *first *= below;
                }
            }
            for (marginal, chance) in marginals[contender.candidate as usize].iter_mut().zip(&chances) {
                *marginal += weight * contender.density[q] * chance;
            }
        }
    }
    marginals
}
