//! Gradient-boosted trees over histograms of at most 256 bins.
//!
//! Each tree fits the second-order expansion of the log-loss at the sum of the trees before it (Friedman 2001; Chen and Guestrin 2016,
//! "XGBoost: a scalable tree boosting system", equations 6 and 7): a leaf has value -G / (H + ridge), a split is worth
//! 1/2 [G_l^2 / (H_l + ridge) + G_r^2 / (H_r + ridge) - G^2 / (H + ridge)], with G and H the sums of weighted slopes w (p - y) and
//! curvatures w p (1 - p). Rows without a value go to the side that is worth more.
//!
//! | shape | grows |
//! |---|---|
//! | levels | every node of a level, down to the depth |
//! | leaves | the leaf whose split is worth most, up to a number of leaves (Shi 2007; Ke et al. 2017) |
//! | oblivious | one split for a whole level, worth its sum over the nodes (Kohavi 1994; Prokhorenkova et al. 2018) |
//!
//! Sums over rows run in row order for each column, and columns are compared in their order: threads change nothing.

use ears_only::math::sigmoid;
use serde::{Deserialize, Serialize};

use super::keep::Keep;
use super::parallel::{PIECE, Threads};
use super::sample::{Quality, Sample, base_margin};
use crate::error::LabError;

mod bins;
mod grow;
mod histogram;
mod oblivious;
#[cfg(test)]
mod tests;

use bins::Binned;

/// How a tree grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Every node of a level.
    Levels,
    /// The best leaf first.
    Leaves,
    /// One split for each level.
    Oblivious,
}

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How trees grow.
    pub shape: Shape,
    /// Most trees.
    pub trees: usize,
    /// Most splits on the way to a leaf.
    pub depth: usize,
    /// Most leaves of a tree that grows by leaves.
    pub leaves: usize,
    /// Share of each tree that is added.
    pub rate: f64,
    /// Added to every sum of curvatures.
    pub ridge: f64,
    /// A split must be worth more than this.
    pub least_gain: f64,
    /// Least sum of curvatures of a node; not asked of oblivious trees.
    pub least_curvature: f64,
    /// Trees without a better loss on the judging rows after which it stops; the best number of trees is kept.
    pub patience: usize,
    /// Where the trees made so far are kept.
    pub keep: Keep,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shape: Shape::Levels,
            trees: 300,
            depth: 5,
            leaves: 31,
            rate: 0.1,
            ridge: 1.0,
            least_gain: 0.0,
            least_curvature: 1.0,
            patience: 20,
            keep: Keep::default(),
        }
    }
}

/// Most trees, as many as a bundle may have.
pub const MAX_TREES: usize = 1_000;
/// Deepest tree: a level more doubles what an oblivious tree keeps.
pub const MAX_DEPTH: usize = 12;

impl Settings {
    fn check(&self) -> Result<(), LabError> {
        let wrong = |what: &str, found: f64| Err(LabError::unreadable(format!("boosted trees: expected {what}, found {found}")));
        if !(1..=MAX_TREES).contains(&self.trees) {
            return wrong(&format!("1 to {MAX_TREES} trees"), self.trees as f64);
        }
        if !(1..=MAX_DEPTH).contains(&self.depth) {
            return wrong(&format!("a depth of 1 to {MAX_DEPTH}"), self.depth as f64);
        }
        if self.leaves < 2 {
            return wrong("at least 2 leaves", self.leaves as f64);
        }
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return wrong("a rate above 0 and at most 1", self.rate);
        }
        for value in [self.ridge, self.least_gain, self.least_curvature] {
            if !(value >= 0.0 && value.is_finite()) {
                return wrong("a ridge, least gain and least curvature of 0 or more", value);
            }
        }
        Ok(())
    }
}

/// A question about one column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// Which column.
    pub column: u16,
    /// Rows with a value below this go left.
    pub below: f32,
    /// Rows without a value go left.
    pub missing_left: bool,
}

impl Split {
    /// Whether a row goes left.
    #[must_use]
    pub fn is_left(&self, row: &[f32]) -> bool {
        let x = row[self.column as usize];
        if x.is_nan() { self.missing_left } else { x < self.below }
    }
}

/// An end of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leaf {
    /// Added to the log-odds.
    pub value: f64,
    /// Sum of the curvatures of the rows it was made from: what they know of its value.
    pub curvature: f64,
}

/// A node of a general tree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Node {
    /// A question with the numbers of the nodes that follow.
    Split(Split, u32, u32),
    /// An end.
    Leaf(Leaf),
}

/// One tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Tree {
    /// The root is node 0.
    General(Vec<Node>),
    /// A row's leaf has bit k set when it goes right at split k.
    Oblivious(Vec<Split>, Vec<Leaf>),
}

impl Tree {
    /// The leaf of a row.
    #[must_use]
    pub fn leaf(&self, row: &[f32]) -> Leaf {
        match self {
            Tree::General(nodes) => {
                let mut at = 0;
                loop {
                    match nodes[at] {
                        Node::Split(split, left, right) => at = if split.is_left(row) { left } else { right } as usize,
                        Node::Leaf(leaf) => return leaf,
                    }
                }
            }
            Tree::Oblivious(splits, leaves) => {
                let bits = splits.iter().enumerate().map(|(bit, split)| usize::from(!split.is_left(row)) << bit);
                leaves[bits.sum::<usize>()]
            }
        }
    }

    /// Number of nodes, leaves included.
    #[must_use]
    pub fn nodes(&self) -> usize {
        match self {
            Tree::General(nodes) => nodes.len(),
            Tree::Oblivious(splits, leaves) => splits.len() + leaves.len(),
        }
    }
}

/// Boosted trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Trees {
    /// Log-odds before any tree.
    pub intercept: f64,
    /// In the order in which they are added.
    pub trees: Vec<Tree>,
}

impl Trees {
    /// Log-odds of a row.
    #[must_use]
    pub fn margin(&self, row: &[f32]) -> f64 {
        self.trees.iter().fold(self.intercept, |sum, tree| sum + tree.leaf(row).value)
    }

    /// Log-odds of all rows.
    #[must_use]
    pub fn margins(&self, sample: &Sample, threads: &Threads) -> Vec<f64> {
        let mut margins = Vec::with_capacity(sample.rows());
        let piece = |rows: std::ops::Range<usize>| rows.map(|row| self.margin(sample.row(row))).collect::<Vec<f64>>();
        threads.pieces(sample.rows(), piece, |part| margins.extend(part));
        margins
    }
}

/// Slope and curvature of the loss of one row.
type Slope = (f32, f32);

/// Fits trees to `learn`; `judge` says when to stop, if it has rows. `progress` hears the number of trees made and the loss of `judge`.
///
/// # Errors
/// When a setting is out of range.
pub fn fit(
    learn: &Sample,
    judge: &Sample,
    settings: &Settings,
    threads: &Threads,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<Trees, LabError> {
    settings.check()?;
    let binned = Binned::new(learn, threads);
    let intercept = base_margin(learn);
    let mut fitted = Trees { intercept, trees: Vec::new() };
    let mut margins = vec![intercept; learn.rows()];
    let mut judged = vec![intercept; judge.rows()];
    let mut slopes: Vec<Slope> = vec![(0.0, 0.0); learn.rows()];
    let mut grower = grow::Grower::new(&binned, settings, threads);
    let mut best = (f64::INFINITY, 0);
    let mut made = settings.keep.state::<Vec<Tree>>().unwrap_or_default().into_iter();
    while fitted.trees.len() < settings.trees {
        let tree = if let Some(tree) = made.next() {
            margins.iter_mut().enumerate().for_each(|(row, margin)| *margin += tree.leaf(learn.row(row)).value);
            tree
        } else {
            slope(learn, &margins, &mut slopes, threads);
            let tree = match settings.shape {
                Shape::Oblivious => oblivious::grow(&mut grower, &slopes),
                Shape::Levels | Shape::Leaves => grower.grow(&slopes),
            };
            // A tree that only repeats the mean has nothing to add, nor have those after it.
            if tree.nodes() < 2 {
                break;
            }
            grower.add_to(&mut margins);
            tree
        };
        for (row, margin) in judged.iter_mut().enumerate() {
            *margin += tree.leaf(judge.row(row)).value;
        }
        fitted.trees.push(tree);
        settings.keep.keep(|| &fitted.trees)?;
        if judge.rows() > 0 {
            let loss = Quality::loss(judge, &judged);
            progress(fitted.trees.len(), loss);
            if loss < best.0 {
                best = (loss, fitted.trees.len());
            } else if fitted.trees.len() - best.1 >= settings.patience {
                break;
            }
        } else {
            progress(fitted.trees.len(), f64::NAN);
        }
    }
    if judge.rows() > 0 {
        fitted.trees.truncate(best.1);
    }
    Ok(fitted)
}

/// Slopes and curvatures of all rows.
fn slope(sample: &Sample, margins: &[f64], slopes: &mut [Slope], threads: &Threads) {
    let mut pieces: Vec<&mut [Slope]> = slopes.chunks_mut(PIECE).collect();
    threads.each(&mut pieces, |piece, slopes| {
        let start = piece * PIECE;
        let rows = start..start + slopes.len();
        let given = margins[rows.clone()].iter().zip(&sample.target[rows.clone()]).zip(&sample.weight[rows]);
        for (slope, ((margin, target), weight)) in slopes.iter_mut().zip(given) {
            let p = sigmoid(*margin);
            *slope = ((weight * (p - target)) as f32, (weight * p * (1.0 - p)) as f32);
        }
    });
}
