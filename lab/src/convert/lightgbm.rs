//! LightGBM models in their text form, for a binary target.
//!
//! Versions v3 and v4 of the form (LightGBM 2.3 and later). A line that this module does not know is refused: it may change what a
//! model means.

use std::collections::BTreeMap;

use ears_only::model::body::{Body, Missing, Node, Rule, Split, Tree, Trees};

use super::error::ImportError;
use super::trees::{Sets, less_than_for_at_most};
use super::{Evaluation, Source};

/// Lines of the head that change no prediction of a binary target.
const HEAD: [&str; 6] =
    ["label_index", "monotone_constraints", "feature_infos", "tree_sizes", "feature_names", "max_feature_idx"];
/// Lines of a tree that change no prediction.
const STATISTICS: [&str; 7] =
    ["split_gain", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count", "shrinkage"];
/// Lines that are read.
const READ: [&str; 17] = [
    "version",
    "num_class",
    "num_tree_per_iteration",
    "objective",
    "average_output",
    "Tree",
    "num_leaves",
    "num_cat",
    "leaf_value",
    "split_feature",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    "cat_boundaries",
    "cat_threshold",
    "is_linear",
];
/// Lines that only trees with linear leaves have.
const LINEAR: [&str; 4] = ["leaf_const", "num_features", "leaf_features", "leaf_coeff"];
/// Largest absolute value that counts as zero (`kZeroThreshold`, a 32-bit constant).
const ZERO: f64 = 1e-35_f32 as f64;

/// A model as its file has it, checked.
#[derive(Clone, Debug)]
pub struct LightGbm {
    names: Vec<String>,
    columns: usize,
    /// Factor of the sum of leaves: the objective's sigmoid parameter, over the number of trees where the file asks for the average.
    sigmoid: f64,
    average: bool,
    trees: Vec<SourceTree>,
    notes: Vec<String>,
}

/// One tree; a child below 0 is leaf `!child`, any other a split. Without splits, leaf 0 is all.
#[derive(Clone, Debug)]
struct SourceTree {
    splits: Vec<SourceSplit>,
    leaves: Vec<f64>,
}

#[derive(Clone, Debug)]
struct SourceSplit {
    column: u16,
    test: Test,
    missing: Missing,
    default_left: bool,
    left: i64,
    right: i64,
}

#[derive(Clone, Debug)]
enum Test {
    AtMost(f64),
    /// Left when the bit of the category is set.
    In(Vec<u32>),
}

/// Reads the text.
///
/// # Errors
/// What is wrong or not supported, and in which line.
pub fn from_text(bytes: &[u8]) -> Result<LightGbm, ImportError> {
    let text = std::str::from_utf8(bytes).map_err(|error| ImportError::broken("LightGBM model", "UTF-8 text", error))?;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
    match lines.next() {
        Some((_, "tree")) => {}
        other => return Err(ImportError::broken("line 1", "\"tree\"", other.map_or("nothing", |(_, line)| line))),
    }
    let mut head = Block::default();
    let mut trees: Vec<Block> = Vec::new();
    let mut ended = false;
    for (number, line) in lines.by_ref() {
        if line.is_empty() {
            continue;
        }
        if line == "end of trees" {
            ended = true;
            break;
        }
        if line.starts_with("Tree=") {
            if trees.len() == ears_only::model::body::MAX_TREES {
                return Err(ImportError::broken(format!("line {number}"), format!("at most {} trees", trees.len()), "more"));
            }
            trees.push(Block { line: number, values: BTreeMap::new() });
        }
        trees.last_mut().unwrap_or(&mut head).add(number, line)?;
    }
    if !ended {
        return Err(ImportError::broken("LightGBM model", "a line \"end of trees\"", "the end"));
    }
    let categories =
        lines.any(|(_, line)| line.strip_prefix("pandas_categorical:").is_some_and(|rest| !matches!(rest, "null" | "[]")));
    check(head, trees, categories)
}

/// Lines `name=values`, by name.
#[derive(Default)]
struct Block<'t> {
    line: usize,
    values: BTreeMap<&'t str, (usize, &'t str)>,
}

impl<'t> Block<'t> {
    fn add(&mut self, number: usize, line: &'t str) -> Result<(), ImportError> {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        if !HEAD.iter().chain(&STATISTICS).chain(&READ).chain(&LINEAR).any(|known| *known == name) {
            return Err(ImportError::unsupported(format!("line {number}: {}", name.chars().take(40).collect::<String>())));
        }
        match self.values.insert(name, (number, value)) {
            None => Ok(()),
            Some((before, _)) => {
                Err(ImportError::broken(format!("line {number}"), format!("{name} once"), format!("it in line {before} too")))
            }
        }
    }

    fn take(&mut self, name: &str) -> Result<(usize, &'t str), ImportError> {
        self.values
            .remove(name)
            .ok_or_else(|| ImportError::broken(format!("block of line {}", self.line.max(1)), format!("a line {name}="), "none"))
    }

    fn whole(&mut self, name: &str) -> Result<usize, ImportError> {
        let (number, value) = self.take(name)?;
        value.parse().map_err(|_| ImportError::broken(format!("line {number}, {name}"), "a whole number", value))
    }

    /// `count` values between spaces.
    fn values<T: std::str::FromStr>(&mut self, name: &str, count: usize) -> Result<Vec<T>, ImportError> {
        let (number, line) = self.take(name)?;
        let mut values = Vec::new();
        for value in line.split_ascii_whitespace() {
            values.push(value.parse().map_err(|_| ImportError::broken(format!("line {number}, {name}"), "numbers", value))?);
        }
        if values.len() == count {
            Ok(values)
        } else {
            Err(ImportError::broken(format!("line {number}, {name}"), format!("{count} values"), values.len()))
        }
    }

    /// Refuses lines that belong elsewhere.
    fn done(&self) -> Result<(), ImportError> {
        match self.values.first_key_value() {
            None => Ok(()),
            Some((name, (number, _))) => Err(ImportError::unsupported(format!("line {number}: {name}"))),
        }
    }
}

fn check(mut head: Block<'_>, blocks: Vec<Block<'_>>, categories: bool) -> Result<LightGbm, ImportError> {
    let (line, version) = head.take("version")?;
    if !matches!(version, "v3" | "v4") {
        return Err(ImportError::unsupported_but(format!("line {line}: version {version}"), "v3 or v4"));
    }
    for name in ["num_class", "num_tree_per_iteration"] {
        let number = head.whole(name)?;
        if number != 1 {
            return Err(ImportError::unsupported_but(format!("{name} {number}"), "1, a binary target"));
        }
    }
    let (line, objective) = head.take("objective")?;
    let sigmoid = sigmoid(objective)
        .map_err(|supported| ImportError::unsupported_but(format!("line {line}: objective {objective}"), supported))?;
    let average = head.values.remove("average_output").is_some();
    let last = head.whole("max_feature_idx")?;
    let columns = last.saturating_add(1);
    if columns > ears_only::page::MAX_COLUMNS {
        return Err(ImportError::broken("max_feature_idx", format!("at most {} columns", ears_only::page::MAX_COLUMNS), columns));
    }
    let names = head.values::<String>("feature_names", columns)?;
    for name in HEAD {
        head.values.remove(name);
    }
    head.done()?;
    let mut trees = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.into_iter().enumerate() {
        trees.push(check_tree(index, block, columns)?);
    }
    let mut notes = Vec::new();
    if categories {
        notes.push("columns of categories take the codes that pandas gave them, as listed under pandas_categorical".to_owned());
    }
    Ok(LightGbm { names, columns, sigmoid, average, trees, notes })
}

/// The factor between the sum of leaves and the log-odds; or what is supported.
fn sigmoid(objective: &str) -> Result<f64, &'static str> {
    let mut words = objective.split_ascii_whitespace();
    let supported = "binary sigmoid:S with S above 0, or cross_entropy";
    match (words.next(), words.next(), words.next()) {
        (Some("cross_entropy"), None, None) => Ok(1.0),
        (Some("binary"), Some(sigmoid), None) => {
            let sigmoid = sigmoid.strip_prefix("sigmoid:").and_then(|number| number.parse::<f64>().ok());
            sigmoid.filter(|sigmoid| *sigmoid > 0.0 && sigmoid.is_finite()).ok_or(supported)
        }
        _ => Err(supported),
    }
}

fn check_tree(index: usize, mut block: Block<'_>, columns: usize) -> Result<SourceTree, ImportError> {
    let (line, number) = block.take("Tree")?;
    if number.parse() != Ok(index) {
        return Err(ImportError::broken(format!("line {line}"), format!("Tree={index}"), format!("Tree={number}")));
    }
    if block.values.contains_key("is_linear") && block.whole("is_linear")? != 0 {
        return Err(ImportError::unsupported_but(
            format!("tree {index}: is_linear, a tree with linear leaves"),
            "constant leaves",
        ));
    }
    let count = block.whole("num_leaves")?;
    let cats = block.whole("num_cat")?;
    if count == 0 {
        return Err(ImportError::broken(format!("tree {index}, num_leaves"), "1 or more", 0));
    }
    let leaves: Vec<f64> = block.values("leaf_value", count)?;
    let splits = if count == 1 { Vec::new() } else { check_splits(index, &mut block, count - 1, cats, columns)? };
    // A tree of one leaf has these lines too, empty.
    for name in ["split_feature", "threshold", "decision_type", "left_child", "right_child"].iter().chain(&STATISTICS) {
        block.values.remove(name);
    }
    block.done()?;
    if let Some(leaf) = leaves.iter().find(|leaf| !leaf.is_finite()) {
        return Err(ImportError::broken(format!("tree {index}, leaf_value"), "finite numbers", leaf));
    }
    let tree = SourceTree { splits, leaves };
    tree.check(index)?;
    Ok(tree)
}

fn check_splits(
    index: usize,
    block: &mut Block<'_>,
    count: usize,
    cats: usize,
    columns: usize,
) -> Result<Vec<SourceSplit>, ImportError> {
    let features: Vec<usize> = block.values("split_feature", count)?;
    let thresholds: Vec<f64> = block.values("threshold", count)?;
    let decisions: Vec<u8> = block.values("decision_type", count)?;
    let left: Vec<i64> = block.values("left_child", count)?;
    let right: Vec<i64> = block.values("right_child", count)?;
    let (boundaries, words) = if cats > 0 {
        let boundaries: Vec<usize> = block.values("cat_boundaries", cats.saturating_add(1))?;
        let length = boundaries.last().copied().unwrap_or_default();
        (boundaries, block.values::<u32>("cat_threshold", length)?)
    } else {
        (Vec::new(), Vec::new())
    };
    let mut splits = Vec::with_capacity(count);
    let mut used = 0;
    for at in 0..count {
        let place = format!("tree {index}, split {at}");
        let column = u16::try_from(features[at]).ok().filter(|column| usize::from(*column) < columns);
        let column = column.ok_or_else(|| ImportError::broken(&place, format!("a column below {columns}"), features[at]))?;
        // Bit 0: categorical; bit 1: default left; bits 2 and 3: what is missing.
        let missing = match decisions[at] >> 2 {
            0 => Missing::Nothing,
            1 => Missing::Zero,
            2 => Missing::Nan,
            _ => return Err(ImportError::unsupported_but(format!("{place}: decision_type {}", decisions[at]), "0 to 11")),
        };
        let test = if decisions[at] & 1 == 1 {
            let set = thresholds[at];
            let range = (0..cats).contains(&(set as usize)).then(|| (boundaries[set as usize], boundaries[set as usize + 1]));
            let slice = range.filter(|_| set >= 0.0 && set.fract() == 0.0).and_then(|(from, to)| words.get(from..to));
            let slice = slice.ok_or_else(|| ImportError::broken(&place, format!("one of {cats} sets of categories"), set))?;
            // Sets that several splits share would let a short file stand for a long model.
            used += slice.len();
            if used > words.len() {
                return Err(ImportError::broken(&place, "a set of categories of its own", "one that overlaps"));
            }
            Test::In(slice.to_vec())
        } else if thresholds[at].is_nan() {
            return Err(ImportError::broken(&place, "a threshold", thresholds[at]));
        } else {
            // Infinite where only NaN goes right.
            Test::AtMost(thresholds[at])
        };
        let default_left = decisions[at] & 2 != 0;
        splits.push(SourceSplit { column, test, missing, default_left, left: left[at], right: right[at] });
    }
    Ok(splits)
}

impl SourceTree {
    /// Refuses children that do not exist or have two parents.
    fn check(&self, index: usize) -> Result<(), ImportError> {
        let mut met = vec![false; self.splits.len() + self.leaves.len()];
        let mut open = vec![self.root()];
        while let Some(child) = open.pop() {
            let at = self.place(child).filter(|at| *at < met.len());
            let at = at.ok_or_else(|| ImportError::broken(format!("tree {index}"), "children that exist", child))?;
            if std::mem::replace(&mut met[at], true) {
                return Err(ImportError::broken(format!("tree {index}"), "one parent for each node", format!("two for {child}")));
            }
            if let Some(split) = usize::try_from(child).ok().and_then(|child| self.splits.get(child)) {
                open.extend([split.right, split.left]);
            }
        }
        Ok(())
    }

    fn root(&self) -> i64 {
        if self.splits.is_empty() { -1 } else { 0 }
    }

    /// Where a child stands when the leaves follow the splits.
    fn place(&self, child: i64) -> Option<usize> {
        if child >= 0 {
            usize::try_from(child).ok().filter(|child| *child < self.splits.len())
        } else {
            self.splits.len().checked_add(usize::try_from(!child).ok()?)
        }
    }

    /// # References
    /// `Tree::NumericalDecision` and `Tree::CategoricalDecision` of LightGBM 4: NaN counts as 0 unless NaN is what is missing; a category
    /// that is NaN, negative or outside the bits goes right.
    fn leaf(&self, row: &[f32]) -> f64 {
        let mut child = self.root();
        while let Some(split) = usize::try_from(child).ok().and_then(|child| self.splits.get(child)) {
            let mut x = row.get(usize::from(split.column)).map_or(f64::NAN, |x| f64::from(*x));
            let left = match &split.test {
                Test::In(words) => {
                    let category = x as i32;
                    let bit = |category: usize| words.get(category / 32).is_some_and(|word| word >> (category % 32) & 1 == 1);
                    !x.is_nan() && usize::try_from(category).is_ok_and(bit)
                }
                Test::AtMost(threshold) => {
                    if x.is_nan() && split.missing != Missing::Nan {
                        x = 0.0;
                    }
                    let is_missing = match split.missing {
                        Missing::Zero => (-ZERO..=ZERO).contains(&x),
                        Missing::Nan => x.is_nan(),
                        Missing::Nothing => false,
                    };
                    if is_missing { split.default_left } else { x <= *threshold }
                }
            };
            child = if left { split.left } else { split.right };
        }
        usize::try_from(!child).ok().and_then(|leaf| self.leaves.get(leaf)).copied().unwrap_or(f64::NAN)
    }

    fn body(&self, factor: f64, sets: &mut Sets) -> Result<Tree, ImportError> {
        // Leaves that no split leads to are left out.
        let mut nodes = Vec::with_capacity(self.splits.len() + self.leaves.len());
        let mut open = std::collections::VecDeque::from([self.root()]);
        while let Some(child) = open.pop_front() {
            let Some(split) = usize::try_from(child).ok().and_then(|child| self.splits.get(child)) else {
                let leaf = usize::try_from(!child).ok().and_then(|leaf| self.leaves.get(leaf)).copied();
                nodes.push(Node::Leaf(leaf.unwrap_or(f64::NAN) * factor));
                continue;
            };
            open.extend([split.left, split.right]);
            // Both children come behind everything that waits.
            let left = u32::try_from(nodes.len() + open.len() - 1).unwrap_or(u32::MAX);
            let (rule, missing, missing_left) = match &split.test {
                Test::AtMost(limit) => (Rule::Less(less_than_for_at_most(*limit)), split.missing, split.default_left),
                Test::In(words) => (sets.bounded(words)?, Missing::Nan, false),
            };
            let right = left.saturating_add(1);
            nodes.push(Node::Split(Split { column: split.column, rule, missing, missing_left, left, right }));
        }
        Ok(Tree::General { nodes })
    }
}

impl LightGbm {
    /// What each leaf is multiplied by.
    fn factor(&self) -> f64 {
        if self.average { self.sigmoid / self.trees.len() as f64 } else { self.sigmoid }
    }
}

impl Source for LightGbm {
    fn columns(&self) -> usize {
        self.columns
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Sums in `f64` in the order of the trees, then the average and the sigmoid parameter.
    fn evaluate(&self, row: &[f32]) -> Evaluation {
        let (mut raw, mut size) = (0.0, 0.0);
        for tree in &self.trees {
            let leaf = tree.leaf(row);
            raw += leaf;
            size += leaf.abs();
        }
        if self.average {
            raw /= self.trees.len() as f64;
        }
        let margin = raw * self.sigmoid;
        let error = f64::EPSILON * (self.trees.len() + 4) as f64 * size * self.factor();
        Evaluation { margin, error, in_range: margin.is_finite() }
    }

    fn body(&self) -> Result<Body, ImportError> {
        let factor = self.factor();
        let mut sets = Sets::default();
        let trees = self.trees.iter().map(|tree| tree.body(factor, &mut sets)).collect::<Result<Vec<_>, _>>()?;
        Ok(Body::Trees(Trees::new(0.0, trees)?))
    }

    fn thresholds(&self) -> Vec<(usize, f32)> {
        let mut thresholds = Vec::new();
        for split in self.trees.iter().flat_map(|tree| &tree.splits) {
            let column = usize::from(split.column);
            match &split.test {
                Test::AtMost(limit) => thresholds.extend([(column, *limit as f32), (column, 0.0)]),
                Test::In(words) => {
                    let bits = (0..words.len() as u32 * 32).filter(|bit| words[*bit as usize / 32] >> (bit % 32) & 1 == 1);
                    thresholds.extend(bits.take(8).map(|bit| (column, bit as f32)));
                }
            }
        }
        thresholds
    }
}
