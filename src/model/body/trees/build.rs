//! Trees as tools describe them, and their stored form.

use super::{FlatSplit, FlatTree, Missing, Trees};
use crate::error::Error;
use crate::model::body::{bad_body, check_count, check_range};

/// When a value goes left.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// When it is smaller than this; not NaN.
    Less(f32),
    /// When bit k of these words is set, word 0 and its lowest bit first, with k the value without its fraction. Negative values
    /// and those beyond the words go right.
    In(Vec<u32>),
}

/// An inner node.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The column it reads, without the constant.
    pub column: u16,
    /// When a value goes left.
    pub rule: Rule,
    /// What counts as missing.
    pub missing: Missing,
    /// Whether what is missing goes left.
    pub missing_left: bool,
    /// Index of the left child within the tree.
    pub left: u32,
    /// Index of the right child within the tree.
    pub right: u32,
}

/// A node of a general tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// An inner node.
    Split(Split),
    /// A leaf with its value, in log-odds.
    Leaf(f64),
}

/// One level of an oblivious tree: the same question for all its nodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// The column it reads, without the constant.
    pub column: u16,
    /// When a value goes left.
    pub rule: Rule,
    /// What counts as missing.
    pub missing: Missing,
    /// Whether what is missing goes left.
    pub missing_left: bool,
}

/// One tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// Nodes, the root first. Each other node is the child of one.
    General {
        /// The nodes.
        nodes: Vec<Node>,
    },
    /// Levels; bit k of a leaf's index is 1 when level k goes right.
    Oblivious {
        /// The levels, 0 to [`super::MAX_LEVELS`].
        levels: Vec<Level>,
        /// 2^levels values, in log-odds.
        leaves: Vec<f64>,
    },
}

impl Trees {
    /// Checks the trees.
    ///
    /// # Errors
    /// `bad_body` for no or more than [`super::MAX_TREES`] trees, more than [`super::MAX_NODES`] nodes or [`super::MAX_DEPTH`] splits
    /// down, a child that does not exist or has two parents, nodes that no root leads to, a column that no schema has, a threshold
    /// that is NaN, or a leaf that is not finite or beyond [`crate::model::body::MAX_WEIGHT`].
    pub fn new(intercept: f64, trees: Vec<Tree>) -> Result<Self, Error> {
        let mut flat = Flat::default();
        for tree in trees {
            // Before more memory is taken for what will be refused.
            check_range("splits and leaves", 0, super::MAX_NODES, flat.splits.len() + flat.leaves.len())?;
            match tree {
                Tree::General { nodes } => flat.general(nodes)?,
                Tree::Oblivious { levels, leaves } => flat.oblivious(levels, &leaves)?,
            }
        }
        Self::from_flat(intercept, flat.trees, flat.splits, flat.leaves, flat.sets)
    }

    /// The trees as [`Trees::new`] takes them; nodes of general trees stand parents first, left before right.
    #[must_use]
    pub fn to_trees(&self) -> Vec<Tree> {
        self.trees.iter().map(|tree| self.to_tree(tree)).collect()
    }

    fn to_tree(&self, tree: &FlatTree) -> Tree {
        if tree.form > 0 {
            let (first, leaf, levels) = (tree.first as usize, tree.leaf as usize, tree.form as usize - 1);
            let level = |split: &FlatSplit| Level {
                column: split.column,
                rule: self.rule(split),
                missing: missing(split),
                missing_left: split.flags & FlatSplit::MISSING_LEFT != 0,
            };
            return Tree::Oblivious {
                levels: self.splits[first..first + levels].iter().map(level).collect(),
                leaves: self.leaves[leaf..leaf + (1 << levels)].to_vec(),
            };
        }
        let mut nodes = Vec::new();
        let mut next = std::collections::VecDeque::from([tree.first]);
        while let Some(child) = next.pop_front() {
            let at = (child & !FlatSplit::LEAF) as usize;
            nodes.push(if child & FlatSplit::LEAF != 0 {
                Node::Leaf(self.leaves[at])
            } else {
                let split = &self.splits[at];
                next.extend([split.left, split.right]);
                // Both children come behind everything that waits.
                let left = (nodes.len() + next.len() - 1) as u32;
                Node::Split(Split {
                    column: split.column,
                    rule: self.rule(split),
                    missing: missing(split),
                    missing_left: split.flags & FlatSplit::MISSING_LEFT != 0,
                    left,
                    right: left + 1,
                })
            });
        }
        Tree::General { nodes }
    }

    fn rule(&self, split: &FlatSplit) -> Rule {
        if split.flags & FlatSplit::SET == 0 {
            return Rule::Less(f32::from_bits(split.value));
        }
        let at = split.value as usize;
        Rule::In(self.sets[at + 1..=at + self.sets[at] as usize].to_vec())
    }
}

fn missing(split: &FlatSplit) -> Missing {
    match split.flags & 3 {
        0 => Missing::Nan,
        1 => Missing::Zero,
        _ => Missing::Nothing,
    }
}

#[derive(Default)]
struct Flat {
    trees: Vec<FlatTree>,
    splits: Vec<FlatSplit>,
    leaves: Vec<f64>,
    sets: Vec<u32>,
}

impl Flat {
    fn general(&mut self, nodes: Vec<Node>) -> Result<(), Error> {
        check_range("nodes of a tree", 1, super::MAX_NODES, nodes.len())?;
        // What each node becomes, by its index.
        let (mut splits, mut leaves) = (self.splits.len() as u32, self.leaves.len() as u32);
        let places: Vec<u32> = nodes
            .iter()
            .map(|node| {
                let next = if matches!(node, Node::Leaf(_)) { &mut leaves } else { &mut splits };
                *next += 1;
                if matches!(node, Node::Leaf(_)) { (*next - 1) | FlatSplit::LEAF } else { *next - 1 }
            })
            .collect();
        self.trees.push(FlatTree { form: 0, first: places[0], leaf: 0 });
        for (index, node) in nodes.into_iter().enumerate() {
            match node {
                Node::Leaf(value) => self.leaves.push(value),
                Node::Split(Split { column, rule, missing, missing_left, left, right }) => {
                    let child = |child: u32| {
                        places.get(child as usize).copied().ok_or_else(|| {
                            bad_body(format!("node {index} must name a child below {}, got {child}", places.len()))
                        })
                    };
                    let (left, right) = (child(left)?, child(right)?);
                    let split = self.split(column, &rule, missing, missing_left);
                    self.splits.push(FlatSplit { left, right, ..split });
                }
            }
        }
        Ok(())
    }

    fn oblivious(&mut self, levels: Vec<Level>, leaves: &[f64]) -> Result<(), Error> {
        check_range("levels of an oblivious tree", 0, super::MAX_LEVELS, levels.len())?;
        check_count("leaves of an oblivious tree", 1 << levels.len(), leaves.len())?;
        let form = levels.len() as u32 + 1;
        self.trees.push(FlatTree { form, first: self.splits.len() as u32, leaf: self.leaves.len() as u32 });
        for Level { column, rule, missing, missing_left } in levels {
            let split = self.split(column, &rule, missing, missing_left);
            self.splits.push(split);
        }
        self.leaves.extend_from_slice(leaves);
        Ok(())
    }

    fn split(&mut self, column: u16, rule: &Rule, missing: Missing, missing_left: bool) -> FlatSplit {
        let flags = missing as u16 | if missing_left { FlatSplit::MISSING_LEFT } else { 0 };
        let (set, value) = match rule {
            Rule::Less(threshold) => (0, threshold.to_bits()),
            Rule::In(words) => {
                let at = self.sets.len() as u32;
                self.sets.push(words.len() as u32);
                self.sets.extend_from_slice(words);
                (FlatSplit::SET, at)
            }
        };
        FlatSplit { column, flags: flags | set, value, left: 0, right: 0 }
    }
}
