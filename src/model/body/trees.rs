//! Boosted trees, general and oblivious.

use super::{bad_body, check_range, check_weights};
use crate::error::Error;
use crate::page::MAX_COLUMNS;
use ears_kernels::{Cut, EXITS, Forest, Level as FastLevel, Node as FastNode, Tree as FastTree};

mod build;

pub use build::{Level, Node, Rule, Split, Tree};

/// Most trees.
pub const MAX_TREES: usize = 1_000;
/// Most splits and leaves of all trees together; an oblivious tree counts each level once.
pub const MAX_NODES: usize = 100_000;
/// Most splits from the root of a general tree to a leaf.
pub const MAX_DEPTH: usize = 64;
/// Most levels of an oblivious tree.
pub const MAX_LEVELS: usize = 16;
/// Most 32-bit words of all sets of categories.
pub(crate) const MAX_SET_WORDS: usize = 262_144;

/// What counts as missing at a split and goes its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Missing {
    /// NaN does.
    Nan = 0,
    /// NaN and everything within 1e-35 of 0 do.
    Zero = 1,
    /// Nothing does: NaN counts as 0.
    Nothing = 2,
}

/// Largest absolute value that counts as zero under [`Missing::Zero`] (LightGBM's `kZeroThreshold`).
const ZERO: f32 = 1e-35;

/// One split as it is evaluated and stored.
///
/// Children are numbers of splits, or of leaves with [`FlatSplit::LEAF`] added. A level of an oblivious tree has none (both 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlatSplit {
    pub(crate) column: u16,
    /// Bits 0-1 a [`Missing`], bit 2 set when what is missing goes left, bit 3 set for a set of categories.
    pub(crate) flags: u16,
    /// Bits of the threshold, or where the set's length stands among the set words.
    pub(crate) value: u32,
    pub(crate) left: u32,
    pub(crate) right: u32,
}

impl FlatSplit {
    pub(crate) const LEAF: u32 = 1 << 31;
    const MISSING_LEFT: u16 = 4;
    const SET: u16 = 8;
}

/// Where one tree lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlatTree {
    /// 0 for a general tree, the number of levels plus 1 for an oblivious one.
    pub(crate) form: u32,
    /// Root of a general tree, as a child; first level of an oblivious one.
    pub(crate) first: u32,
    /// First leaf of an oblivious tree; 0 for a general one.
    pub(crate) leaf: u32,
}

/// intercept + the active leaf of each tree, summed in `f64` in the order of the trees.
///
/// The head's inputs are which leaf of each tree is active. Leaves are counted through all trees.
///
/// # References
/// Leaves as inputs of a linear model: X. He et al. (2014), "Practical lessons from predicting clicks on ads at Facebook", ADKDD,
/// section 3. Oblivious trees: L. Prokhorenkova et al. (2018), "CatBoost: unbiased boosting with categorical features", NeurIPS, section 4.
#[derive(Clone, Debug, PartialEq)]
pub struct Trees {
    intercept: f64,
    trees: Vec<FlatTree>,
    splits: Vec<FlatSplit>,
    leaves: Vec<f64>,
    /// Sets of categories: number of words, then the words, again and again.
    sets: Vec<u32>,
    columns: usize,
    /// The same for many rows at once; `None` where a split asks for more than whether a value lies below a threshold.
    forest: Option<Forest>,
}

impl Trees {
    /// Checks trees in the form they are stored in: every split and every leaf belongs to one place of one tree.
    pub(crate) fn from_flat(
        intercept: f64,
        trees: Vec<FlatTree>,
        splits: Vec<FlatSplit>,
        leaves: Vec<f64>,
        sets: Vec<u32>,
    ) -> Result<Self, Error> {
        check_range("trees", 1, MAX_TREES, trees.len())?;
        check_range("splits and leaves", 1, MAX_NODES, splits.len() + leaves.len())?;
        check_range("words of categories", 0, MAX_SET_WORDS, sets.len())?;
        check_weights("intercept", &mut [intercept].into_iter())?;
        check_weights("leaf", &mut leaves.iter().copied())?;
        let mut columns = 1;
        for (index, split) in splits.iter().enumerate() {
            let good = if split.flags & FlatSplit::SET == 0 {
                !f32::from_bits(split.value).is_nan()
            } else {
                let at = split.value as usize;
                sets.get(at).is_some_and(|words| (*words as usize) < sets.len() - at)
            };
            if !good || split.flags & 3 == 3 || split.flags > 15 || usize::from(split.column) >= MAX_COLUMNS {
                return Err(bad_body(format!(
                    "split {index} needs a column below {MAX_COLUMNS}, a threshold or set, and a rule"
                )));
            }
            columns = columns.max(usize::from(split.column) + 1);
        }
        let mut all = Self { intercept, trees, splits, leaves, sets, columns, forest: None };
        if all.is_forest() {
            all.forest = all.fast();
            Ok(all)
        } else {
            Err(bad_body(format!(
                "expected trees of at most {MAX_DEPTH} splits down ({MAX_LEVELS} levels), each split and leaf in one place, got others"
            )))
        }
    }

    /// The same from words: three for each tree, four for each split (column and flags, value, left, right).
    pub(crate) fn from_words(
        intercept: f64,
        trees: &[u32],
        splits: &[u32],
        leaves: Vec<f64>,
        sets: Vec<u32>,
    ) -> Result<Self, Error> {
        let trees = trees.chunks_exact(3).map(|w| FlatTree { form: w[0], first: w[1], leaf: w[2] }).collect();
        let split =
            |w: &[u32]| FlatSplit { column: w[0] as u16, flags: (w[0] >> 16) as u16, value: w[1], left: w[2], right: w[3] };
        Self::from_flat(intercept, trees, splits.chunks_exact(4).map(split).collect(), leaves, sets)
    }

    /// The words in which a bundle holds it: of trees, splits and sets of categories.
    #[must_use]
    pub fn to_words(&self) -> [Vec<u32>; 3] {
        let trees = self.trees.iter().flat_map(|tree| [tree.form, tree.first, tree.leaf]);
        let splits = self.splits.iter().flat_map(|s| [u32::from(s.column) | u32::from(s.flags) << 16, s.value, s.left, s.right]);
        [trees.collect(), splits.collect(), self.sets.clone()]
    }

    fn is_forest(&self) -> bool {
        let (splits, leaves) = (self.splits.len(), self.leaves.len());
        // Leaves stand behind the splits.
        let mut met = vec![false; splits + leaves];
        let mut left = met.len();
        let mut meet = |at: usize| {
            let new = met.get_mut(at).is_some_and(|met| !std::mem::replace(met, true));
            left -= usize::from(new);
            new
        };
        let mut open: Vec<(u32, usize)> = Vec::new();
        for tree in &self.trees {
            let (first, leaf) = (tree.first as usize, tree.leaf as usize);
            if tree.form > 0 {
                let levels = tree.form as usize - 1;
                // One by one: the sums fit even where a size has 32 bits.
                let fits = levels <= MAX_LEVELS && first <= splits && first + levels <= splits && leaf <= leaves;
                if !fits || !(0..levels).all(|at| meet(first + at)) || !(0..1 << levels).all(|at| meet(splits + leaf + at)) {
                    return false;
                }
                continue;
            }
            open.push((tree.first, 0));
            while let Some((child, depth)) = open.pop() {
                let at = (child & !FlatSplit::LEAF) as usize;
                if child & FlatSplit::LEAF != 0 {
                    if !meet(splits + at) {
                        return false;
                    }
                } else if at < splits && depth < MAX_DEPTH && meet(at) {
                    open.push((self.splits[at].left, depth + 1));
                    open.push((self.splits[at].right, depth + 1));
                } else {
                    return false;
                }
            }
        }
        left == 0
    }

    /// The intercept.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Number of leaves of all trees.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaves.len()
    }

    /// The value of each leaf, counted through all trees.
    #[must_use]
    pub fn leaves(&self) -> &[f64] {
        &self.leaves
    }

    /// Number of trees.
    #[must_use]
    pub fn tree_count(&self) -> usize {
        self.trees.len()
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    fn fast(&self) -> Option<Forest> {
        if self.splits.iter().any(|split| split.flags & (FlatSplit::SET | Missing::Zero as u16) != 0) {
            return None;
        }
        let mut forest = Forest::default();
        for tree in &self.trees {
            if tree.form > 0 {
                let start = forest.levels.len() as u32;
                let levels = &self.splits[tree.first as usize..tree.first as usize + tree.form as usize - 1];
                forest.levels.extend(levels.iter().map(|split| FastLevel {
                    // The constant stands before the columns.
                    at: u32::from(split.column) + 1,
                    threshold: [f32::from_bits(split.value); 4],
                }));
                forest.trees.push(FastTree::Oblivious { levels: [start, forest.levels.len() as u32], leaf: tree.leaf });
                continue;
            }
            if self.cut(tree.first, &mut forest) {
                continue;
            }
            let root = forest.nodes.len() as u32;
            let mut deepest = 0;
            let mut open = vec![(tree.first, 0)];
            // Where each node lies is known when it is met: children follow one another.
            let mut next = root;
            forest.nodes.push(FastNode { at: 0, threshold: 0.0, children: [0; 2] });
            let mut places = vec![root];
            while let (Some((child, depth)), Some(place)) = (open.pop(), places.pop()) {
                deepest = deepest.max(depth);
                let number = child & !FlatSplit::LEAF;
                forest.nodes[place as usize] = if child & FlatSplit::LEAF != 0 {
                    FastNode { at: 0, threshold: f32::from_bits(number), children: [place; 2] }
                } else {
                    let split = &self.splits[number as usize];
                    let empty = FastNode { at: 0, threshold: 0.0, children: [0; 2] };
                    forest.nodes.extend([empty, empty]);
                    open.extend([(split.left, depth + 1), (split.right, depth + 1)]);
                    places.extend([next + 1, next + 2]);
                    next += 2;
                    FastNode {
                        at: u32::from(split.column) + 1,
                        threshold: f32::from_bits(split.value),
                        children: [next - 1, next],
                    }
                };
            }
            forest.trees.push(FastTree::General { root, depth: deepest });
        }
        forest.exits.resize(forest.exits.len() + EXITS, 0);
        Some(forest)
    }

    /// Adds a general tree whose leaves fit into the bits of a word; whether they do.
    fn cut(&self, root: u32, forest: &mut Forest) -> bool {
        let (first, exit) = (forest.cuts.len(), forest.exits.len());
        // From left to right: a split is done once the leaves of its first child are counted.
        let mut open = vec![(root, None)];
        while let Some((child, start)) = open.pop() {
            let leaves = forest.exits.len() - exit;
            if child & FlatSplit::LEAF != 0 {
                forest.exits.push(child & !FlatSplit::LEAF);
                if leaves == EXITS {
                    forest.cuts.truncate(first);
                    forest.exits.truncate(exit);
                    return false;
                }
                continue;
            }
            let split = &self.splits[child as usize];
            if let Some(start) = start {
                let below = |leaf: usize| 1u64.unbounded_shl(leaf as u32) - 1;
                forest.cuts.push(Cut {
                    at: u32::from(split.column) + 1,
                    threshold: f32::from_bits(split.value),
                    keep: !((below(leaves) & !below(start)) as u32),
                });
                open.push((split.right, None));
            } else {
                open.extend([(child, Some(leaves)), (split.left, None)]);
            }
        }
        forest.trees.push(FastTree::Cut { cuts: [first as u32, forest.cuts.len() as u32], exit: exit as u32 });
        true
    }

    /// The trees for many rows at once, whose values are no NaN; `None` where their splits ask for more.
    pub(super) fn forest(&self) -> Option<&Forest> {
        self.forest.as_ref()
    }

    /// The margin; adds the active leaf of each tree to `active`.
    pub(super) fn evaluate(&self, x: &[f32], active: &mut Vec<u32>) -> f64 {
        let mut margin = self.intercept;
        if x.is_empty() {
            return margin;
        }
        for tree in &self.trees {
            let mut leaf = tree.leaf as usize;
            if tree.form > 0 {
                let first = tree.first as usize;
                for (bit, split) in self.splits[first..first + tree.form as usize - 1].iter().enumerate() {
                    leaf += usize::from(!self.goes_left(split, x)) << bit;
                }
            } else {
                let mut child = tree.first;
                while child & FlatSplit::LEAF == 0 {
                    let split = &self.splits[child as usize];
                    child = if self.goes_left(split, x) { split.left } else { split.right };
                }
                leaf = (child & !FlatSplit::LEAF) as usize;
            }
            active.push(leaf as u32);
            margin += self.leaves[leaf];
        }
        margin
    }

    fn goes_left(&self, split: &FlatSplit, x: &[f32]) -> bool {
        let mut x = x[usize::from(split.column)];
        let kind = split.flags & 3;
        if x.is_nan() && kind == Missing::Nothing as u16 {
            x = 0.0;
        }
        if x.is_nan() || (kind == Missing::Zero as u16 && x.abs() <= ZERO) {
            return split.flags & FlatSplit::MISSING_LEFT != 0;
        }
        if split.flags & FlatSplit::SET == 0 {
            return x < f32::from_bits(split.value);
        }
        let set = &self.sets[split.value as usize..];
        // Towards zero, as the field's own evaluators do.
        let category = x as i32;
        let word = (category >> 5) as usize;
        category >= 0 && word < set[0] as usize && set[word + 1] >> (category & 31) & 1 == 1
    }
}

#[cfg(test)]
mod tests;
