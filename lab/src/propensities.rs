//! Are stated propensities the true ones? Two tests over pages that a policy drew.
//!
//! **Mean importance weight.** For a target that can place any candidate, the weight w = P(prefix | target) / P(prefix | stated) has
//! mean 1 given everything before the page, whatever the policy learns meanwhile, if and only if what is stated is right in the
//! directions in which the target differs. [`Bets`] stakes capital on the mean being above or below 1; while it is 1 the capital is
//! a nonnegative martingale, and by Ville's inequality reaches 1 / a with chance at most a, on any number of dependent pages.
//!
//! **Chi-square.** The card that stands first in the first shelf, by its place among the stated marginals, against their sums
//! ([`ChiSquare`]).
//!
//! Targets differ from what is judged on purpose: `uniform` looks at every candidate alike, `best` leans to the largest score and
//! `worst` to the smallest.
//!
//! # References
//! J. Ville (1939), "Étude critique de la notion de collectif"; I. Waudby-Smith and A. Ramdas (2023), "Estimating means of bounded
//! random variables by betting", Journal of the Royal Statistical Society B, section 4; B. Laurent and P. Massart (2000), "Adaptive
//! estimation of a quadratic functional by model selection", Annals of Statistics 28(5), lemma 1.

use nalgebra::{DMatrix, DVector};

use crate::error::LabError;

pub mod command;
pub mod report;
pub mod subjects;

/// Chance of any false alarm in one run of the command, all worlds, policies, targets and tests together.
pub const FALSE_ALARM: f64 = 1e-6;
/// Longest prefix: the first shelf and its first two cards; in a world with one shelf the shelf and two cards as well.
pub const PREFIXES: usize = 3;

/// What the pages are weighed for.
pub const TARGETS: [&str; 3] = ["uniform", "best", "worst"];
/// Uniform share of the targets that lean to one candidate.
const LEANING_FLOOR: f64 = 0.5;

/// A place that was filled: scores of all that could stand there, which one does, and its stated propensity.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    /// One for each candidate, in any unit.
    pub scores: Vec<f64>,
    /// Index into `scores`.
    pub chosen: usize,
    /// As the policy stated it, given everything placed before.
    pub propensity: f64,
}

impl Filled {
    /// Chance of what was chosen under each of [`TARGETS`].
    fn targets(&self) -> [f64; TARGETS.len()] {
        let n = self.scores.len() as f64;
        let lean = |better: fn(f64, f64) -> bool| {
            let mut first = 0;
            for (at, score) in self.scores.iter().enumerate() {
                if better(*score, self.scores[first]) {
                    first = at;
                }
            }
            LEANING_FLOOR / n + if first == self.chosen { 1.0 - LEANING_FLOOR } else { 0.0 }
        };
        [1.0 / n, lean(|a, b| a > b), lean(|a, b| a < b)]
    }
}

/// Capitals that are staked on the mean of nonnegative weights not being 1.
#[derive(Clone, Debug)]
pub struct Bets {
    ln_capital: Vec<f64>,
    stakes: Vec<f64>,
    sum: f64,
    count: u64,
}

impl Bets {
    /// - `largest`: no weight is larger.
    #[must_use]
    pub fn new(largest: f64) -> Self {
        // Upwards a weight can only lose 1; downwards it can lose largest - 1. Halved so that no page ruins a bettor.
        let down = 0.5 / (largest - 1.0).max(1.0);
        let halvings = |most: f64| (0..12).map(move |k| most / f64::from(1 << k));
        let stakes: Vec<f64> = halvings(0.5).chain(halvings(down).map(|stake| -stake)).collect();
        Self { ln_capital: vec![0.0; stakes.len()], stakes, sum: 0.0, count: 0 }
    }

    /// Takes in one weight.
    pub fn take(&mut self, weight: f64) {
        for (ln_capital, stake) in self.ln_capital.iter_mut().zip(&self.stakes) {
            *ln_capital += libm::log1p(stake * (weight - 1.0));
        }
        self.sum += weight;
        self.count += 1;
    }

    /// Mean weight.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    /// ln of the mean capital of all bettors: above ln(1 / a) with chance at most a while the mean weight is 1.
    #[must_use]
    pub fn evidence(&self) -> f64 {
        ears_only::math::log_sum_exp(&self.ln_capital) - libm::log(self.ln_capital.len() as f64)
    }
}

/// Cells of the chi-square test: the largest stated marginals each alone, the rest together.
const CELLS: usize = 20;
/// A cell that expects fewer draws goes to the rest.
const EXPECTED: f64 = 10.0;

/// Drawn against stated, over pages whose stated chances differ.
///
/// With q_t the stated chances of the cells on page t and o_t the cell drawn, D = sum (o_t - q_t) has mean 0 and covariance
/// sum (diag q_t - q_t q_t'), so that D' V^-1 D is asymptotically chi-square with one degree of freedom less than cells.
#[derive(Clone, Debug)]
pub struct ChiSquare {
    difference: DVector<f64>,
    covariance: DMatrix<f64>,
    expected: DVector<f64>,
    pages: u64,
}

impl Default for ChiSquare {
    fn default() -> Self {
        Self {
            difference: DVector::zeros(CELLS),
            covariance: DMatrix::zeros(CELLS, CELLS),
            expected: DVector::zeros(CELLS),
            pages: 0,
        }
    }
}

impl ChiSquare {
    /// Takes in one page.
    ///
    /// - `marginals`: stated chance of each card; they sum to 1.
    /// - `drawn`: the card.
    pub fn take(&mut self, marginals: &[f64], drawn: usize) {
        let mut order: Vec<usize> = (0..marginals.len()).collect();
        order.sort_by(|a, b| marginals[*b].total_cmp(&marginals[*a]).then(a.cmp(b)));
        let mut stated = DVector::zeros(CELLS);
        for (place, card) in order.iter().enumerate() {
            let cell = place.min(CELLS - 1);
            stated[cell] += marginals[*card];
            if *card == drawn {
                self.difference[cell] += 1.0;
            }
        }
        self.difference -= &stated;
        self.covariance += DMatrix::from_diagonal(&stated) - &stated * stated.transpose();
        self.expected += stated;
        self.pages += 1;
    }

    /// The statistic and its degrees of freedom; none when everything was certain.
    ///
    /// # Errors
    /// When the covariance of cells that expect enough cannot be inverted.
    pub fn statistic(&self) -> Result<(f64, usize), LabError> {
        // The first cell is the largest of every page; it is what the others are measured against.
        let kept: Vec<usize> = (1..CELLS).filter(|cell| self.expected[*cell] >= EXPECTED).collect();
        if kept.is_empty() {
            return Ok((0.0, 0));
        }
        let d = DVector::from_iterator(kept.len(), kept.iter().map(|cell| self.difference[*cell]));
        let v = DMatrix::from_fn(kept.len(), kept.len(), |i, j| self.covariance[(kept[i], kept[j])]);
        let solved = v.cholesky().ok_or_else(|| LabError::failed("the stated chances leave a cell without variance"))?.solve(&d);
        Ok((d.dot(&solved), kept.len()))
    }
}

/// A chi-square variable with `freedom` degrees lies above this with chance at most `alarm` (Laurent and Massart 2000, lemma 1).
#[must_use]
pub fn chi_square_bound(freedom: usize, alarm: f64) -> f64 {
    let (k, x) = (freedom as f64, -libm::log(alarm));
    k + 2.0 * (k * x).sqrt() + 2.0 * x
}

/// Both tests over the pages of one policy.
#[derive(Clone, Debug)]
pub struct Watch {
    /// By prefix and target.
    bets: Vec<[Bets; TARGETS.len()]>,
    chi: ChiSquare,
    pages: u64,
}

impl Watch {
    /// - `smallest`: no conditional propensity at a place with a choice is smaller.
    #[must_use]
    pub fn new(smallest: f64) -> Self {
        // A target never exceeds 1 at a place.
        let bets =
            (1..=PREFIXES).map(|prefix| std::array::from_fn(|_| Bets::new(libm::pow(smallest, -(prefix as f64))))).collect();
        Self { bets, chi: ChiSquare::default(), pages: 0 }
    }

    /// Takes in one page: its first places, and the stated marginals of the first card with the card that stands there.
    pub fn page(&mut self, places: &[Filled], marginals: &[f64], drawn: usize) {
        let mut weights = [1.0; TARGETS.len()];
        for (place, bets) in self.bets.iter_mut().enumerate() {
            // A page with fewer places counts as it is: leaving it out would select pages by what was drawn.
            if let Some(place) = places.get(place) {
                for (weight, target) in weights.iter_mut().zip(place.targets()) {
                    *weight *= target / place.propensity;
                }
            }
            for (bet, weight) in bets.iter_mut().zip(weights) {
                bet.take(weight);
            }
        }
        self.chi.take(marginals, drawn);
        self.pages += 1;
    }

    /// Pages taken in.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Bets by prefix and target.
    #[must_use]
    pub fn bets(&self) -> &[[Bets; TARGETS.len()]] {
        &self.bets
    }

    /// The chi-square test.
    #[must_use]
    pub fn chi(&self) -> &ChiSquare {
        &self.chi
    }
}

#[cfg(test)]
mod tests;
