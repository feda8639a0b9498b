//! XGBoost models, JSON and Universal Binary JSON: `gbtree` and `dart` boosters for a binary target.
//!
//! Files of XGBoost 1.0 to 3.x. The formats differ in how numbers are written, not in what they mean: `base_score` is a text such as
//! `5E-1` or, since 3.1, a list such as `[5E-1]`; flags are booleans or 0 and 1; files before 1.3 have no categories; before 3.0 the
//! threshold of a categorical split is a bare NaN, which is not JSON.

use std::collections::BTreeMap;

use ears_only::model::body::{Missing, Node, Rule, Split, Tree, Trees};

use super::error::ImportError;
use super::trees::Sets;
use super::{Evaluation, Source};
use file::{Booster, File, Forest, Learner, Loose, RawTree};

mod file;

/// Objectives whose margin is a log-odds.
const OBJECTIVES: [&str; 3] = ["binary:logistic", "binary:logitraw", "reg:logistic"];
/// Categories from here on are not valid (`OutOfRangeCat` of XGBoost).
const MAX_CATEGORY: f32 = 16_777_216.0;

/// A model as its file has it, checked.
#[derive(Clone, Debug)]
pub struct Xgboost {
    names: Vec<String>,
    columns: usize,
    base_margin: f32,
    trees: Vec<SourceTree>,
    notes: Vec<String>,
}

/// One tree in the order of its file; node 0 is the root.
#[derive(Clone, Debug)]
struct SourceTree {
    nodes: Vec<SourceNode>,
    /// Factor of each leaf: 1 for `gbtree`, what dropping left of the tree for `dart`.
    weight: f32,
}

#[derive(Clone, Debug)]
enum SourceNode {
    Leaf(f32),
    Split {
        column: u16,
        test: Test,
        default_left: bool,
        left: usize,
        right: usize,
    },
    /// Cut off by pruning.
    Deleted,
}

#[derive(Clone, Debug)]
enum Test {
    /// Left when less.
    Less(f32),
    /// Right when one of these categories, sorted.
    Right(Vec<u32>),
}

/// Reads JSON.
///
/// # Errors
/// What is wrong or not supported, and where.
pub fn from_json(bytes: &[u8]) -> Result<Xgboost, ImportError> {
    let file: File = serde_json::from_slice(&file::without_nan(bytes))
        .map_err(|error| ImportError::broken("JSON", "an XGBoost model", error))?;
    check(file)
}
/// Reads Universal Binary JSON.
///
/// # Errors
/// What is wrong or not supported, and where.
pub fn from_ubj(bytes: &[u8]) -> Result<Xgboost, ImportError> {
    let file: File = super::ubjson::from_slice(bytes).map_err(|error| ImportError::broken("UBJ", "an XGBoost model", error))?;
    check(file)
}

fn check(file: File) -> Result<Xgboost, ImportError> {
    let Learner { attributes, feature_names: names, gradient_booster, learner_model_param: parameters, objective } = file.learner;
    if !OBJECTIVES.contains(&objective.name.as_str()) {
        return Err(ImportError::unsupported_but(format!("objective {}", objective.name), OBJECTIVES.join(", ")));
    }
    for (what, number, most) in [("num_class", &parameters.num_class, 1), ("num_target", &parameters.num_target, 1)] {
        let number = number.as_ref().map_or(Ok(0), |number| number.whole(what))?;
        if number > most {
            return Err(ImportError::unsupported_but(format!("{what} {number}"), "a binary target"));
        }
    }
    let columns = parameters.num_feature.whole("num_feature")?;
    let columns = usize::try_from(columns)
        .ok()
        .filter(|columns| (1..=ears_only::page::MAX_COLUMNS).contains(columns))
        .ok_or_else(|| ImportError::broken("num_feature", format!("1 to {} columns", ears_only::page::MAX_COLUMNS), columns))?;
    if !names.is_empty() && names.len() != columns {
        return Err(ImportError::broken("feature_names", format!("{columns} names"), names.len()));
    }
    let (forest, weights) = forest(gradient_booster)?;
    if forest.tree_info.iter().any(|group| *group != 0) {
        return Err(ImportError::unsupported_but("a tree of another class", "a binary target"));
    }
    let named_categories = forest.cats.is_some_and(|cats| !cats.enc.is_empty());
    let mut trees = Vec::with_capacity(forest.trees.len());
    for (index, raw) in forest.trees.into_iter().enumerate() {
        let weight = weights.as_ref().map_or(1.0, |weights| weights[index]);
        trees.push(SourceTree { nodes: check_tree(index, raw, columns)?, weight });
    }
    let mut notes = Vec::new();
    if named_categories {
        notes.push(
            "columns of categories take codes: the place of the category in the list that the file keeps under cats".to_owned(),
        );
    }
    if let Some(best) = attributes.get("best_iteration") {
        notes.push(format!(
            "the file names best_iteration {best}; every tree counts, as in Booster.predict: slice the booster before it is saved for less"
        ));
    }
    Ok(Xgboost { names, columns, base_margin: base_margin(&parameters.base_score, &objective.name)?, trees, notes })
}

/// The trees, and the weights of `dart`.
fn forest(booster: Booster) -> Result<(Forest, Option<Vec<f32>>), ImportError> {
    let missing = |part: &str| ImportError::broken("gradient_booster", format!("a part \"{part}\""), "none");
    let (forest, weights) = match booster.name.as_str() {
        "gbtree" => (booster.model.ok_or_else(|| missing("model"))?, None),
        "dart" => {
            let inner = booster.gbtree.ok_or_else(|| missing("gbtree"))?;
            (inner.model, Some(booster.weight_drop.ok_or_else(|| missing("weight_drop"))?))
        }
        other => return Err(ImportError::unsupported_but(format!("booster {other}"), "gbtree or dart")),
    };
    match &weights {
        Some(weights) if weights.len() != forest.trees.len() => {
            Err(ImportError::broken("weight_drop", format!("{} weights", forest.trees.len()), weights.len()))
        }
        _ => Ok((forest, weights)),
    }
}

/// The margin before any tree, in `f32`: the log-odds of `base_score`, or for `binary:logitraw` the number itself.
///
/// # References
/// `LogisticRegression::ProbToMargin` of XGBoost, which `binary:logitraw` has not; so measured on 1.7, 2.1 and 3.2.
fn base_margin(base_score: &Loose, objective: &str) -> Result<f32, ImportError> {
    let text = base_score.0.as_str();
    let inner = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).trim();
    let score: Option<f32> = inner.parse().ok().filter(|score: &f32| score.is_finite());
    match score {
        Some(score) if objective == "binary:logitraw" => Ok(score),
        Some(score) if score > 0.0 && score < 1.0 => Ok(-libm::logf(1.0 / score - 1.0)),
        _ => Err(ImportError::broken("base_score", "a probability between 0 and 1, or a log-odds for binary:logitraw", text)),
    }
}

fn check_tree(index: usize, raw: RawTree, columns: usize) -> Result<Vec<SourceNode>, ImportError> {
    let count = raw.left_children.len();
    let place = |what: &str| format!("tree {index}, {what}");
    let vector = raw.tree_param.as_ref().and_then(|parameters| parameters.size_leaf_vector.as_ref());
    if vector.map_or(Ok(0), |size| size.whole("size_leaf_vector"))? > 1 {
        return Err(ImportError::unsupported_but(place("a vector of values in each leaf"), "one value"));
    }
    let lengths = [
        ("right_children", raw.right_children.len()),
        ("split_indices", raw.split_indices.len()),
        ("split_conditions", raw.split_conditions.len()),
        ("default_left", raw.default_left.len()),
    ];
    for (what, length) in lengths {
        if length != count {
            return Err(ImportError::broken(place(what), format!("{count} entries, as left_children has"), length));
        }
    }
    if !raw.split_type.is_empty() && raw.split_type.len() != count {
        return Err(ImportError::broken(place("split_type"), format!("{count} entries or none"), raw.split_type.len()));
    }
    let mut categories = categories(index, &raw)?;
    let mut nodes = vec![SourceNode::Deleted; count];
    let mut open = vec![0_usize];
    while let Some(at) = open.pop() {
        let here = format!("tree {index}, node {at}");
        match nodes.get(at) {
            Some(SourceNode::Deleted) => {}
            Some(_) => return Err(ImportError::broken(here, "one parent for each node", "two")),
            None => return Err(ImportError::broken(here, format!("a node below {count}"), "none")),
        }
        if raw.left_children[at] == -1 {
            nodes[at] = SourceNode::Leaf(finite(&here, raw.split_conditions[at].0)?);
            continue;
        }
        let child = |child: i64| usize::try_from(child).map_err(|_| ImportError::broken(&here, "a child node", child));
        let (left, right) = (child(raw.left_children[at])?, child(raw.right_children[at])?);
        let column = raw.split_indices[at];
        let column = usize::try_from(column).ok().filter(|column| *column < columns);
        let column = column.and_then(|column| u16::try_from(column).ok());
        let column =
            column.ok_or_else(|| ImportError::broken(&here, format!("a column below {columns}"), raw.split_indices[at]))?;
        let test = match raw.split_type.get(at) {
            None | Some(0) if !raw.split_conditions[at].0.is_nan() => Test::Less(raw.split_conditions[at].0),
            None | Some(0) => return Err(ImportError::broken(&here, "a threshold", "NaN")),
            Some(1) => {
                Test::Right(categories.remove(&at).ok_or_else(|| ImportError::broken(&here, "categories of its split", "none"))?)
            }
            Some(other) => return Err(ImportError::unsupported_but(format!("{here}: split_type {other}"), "0 or 1")),
        };
        // A tree that meets a node twice is no tree; the loop above ends since no node is visited again.
        nodes[at] = SourceNode::Split { column, test, default_left: raw.default_left[at].0, left, right };
        open.extend([right, left]);
    }
    Ok(nodes)
}

fn finite(place: &str, value: f32) -> Result<f32, ImportError> {
    if value.is_finite() { Ok(value) } else { Err(ImportError::broken(place, "a finite number", value)) }
}

/// The categories of each categorical node.
fn categories(index: usize, raw: &RawTree) -> Result<BTreeMap<usize, Vec<u32>>, ImportError> {
    let wrong = |found: String| ImportError::broken(format!("tree {index}, categories"), "a segment for each node", found);
    let (nodes, segments, sizes) = (&raw.categories_nodes, &raw.categories_segments, &raw.categories_sizes);
    if nodes.len() != segments.len() || nodes.len() != sizes.len() {
        return Err(wrong(format!("{} nodes, {} segments, {} sizes", nodes.len(), segments.len(), sizes.len())));
    }
    let mut of = BTreeMap::new();
    let mut all = 0;
    for ((node, start), size) in nodes.iter().zip(segments).zip(sizes) {
        let range = || {
            let (start, size) = (usize::try_from(*start).ok()?, usize::try_from(*size).ok()?);
            raw.categories.get(start..start.checked_add(size)?)
        };
        let slice = range().ok_or_else(|| wrong(format!("{size} categories from {start} on")))?;
        // Segments that overlap would let a short file stand for a long list.
        all += slice.len();
        if all > raw.categories.len() {
            return Err(wrong("overlapping segments".to_owned()));
        }
        let mut set = Vec::with_capacity(slice.len());
        for category in slice {
            let valid = u32::try_from(*category).ok().filter(|category| (*category as f32) < MAX_CATEGORY);
            set.push(valid.ok_or_else(|| wrong(format!("category {category}")))?);
        }
        set.sort_unstable();
        set.dedup();
        let node = usize::try_from(*node).map_err(|_| wrong(format!("node {node}")))?;
        if of.insert(node, set).is_some() {
            return Err(wrong(format!("node {node} twice")));
        }
    }
    Ok(of)
}

impl SourceTree {
    /// The leaf of one row.
    ///
    /// # References
    /// `GetNextNode` and `common::Decision` of XGBoost: what is missing takes the default branch; a category outside the set, negative or
    /// out of range goes left.
    fn leaf(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            match self.nodes.get(at) {
                Some(SourceNode::Leaf(value)) => return *value,
                Some(SourceNode::Split { column, test, default_left, left, right }) => {
                    let x = row.get(usize::from(*column)).copied().unwrap_or(f32::NAN);
                    let goes_left = match test {
                        _ if x.is_nan() => *default_left,
                        Test::Less(threshold) => x < *threshold,
                        Test::Right(set) => !(0.0..MAX_CATEGORY).contains(&x) || set.binary_search(&(x as u32)).is_err(),
                    };
                    at = if goes_left { *left } else { *right };
                }
                Some(SourceNode::Deleted) | None => return f32::NAN,
            }
        }
    }

    fn body(&self, sets: &mut Sets) -> Result<Tree, ImportError> {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        // Deleted nodes are left out, so numbers shift.
        let mut number = vec![0_u32; self.nodes.len()];
        let mut next = 0;
        for (node, number) in self.nodes.iter().zip(&mut number) {
            *number = next;
            next += u32::from(!matches!(node, SourceNode::Deleted));
        }
        for node in &self.nodes {
            nodes.push(match node {
                SourceNode::Deleted => continue,
                SourceNode::Leaf(value) => Node::Leaf(f64::from(value * self.weight)),
                SourceNode::Split { column, test, default_left, left, right } => {
                    let (left, right) = (number[*left], number[*right]);
                    Node::Split(match test {
                        Test::Less(threshold) => Split {
                            column: *column,
                            rule: Rule::Less(*threshold),
                            missing: Missing::Nan,
                            missing_left: *default_left,
                            left,
                            right,
                        },
                        // The device goes left for a member, XGBoost goes right.
                        Test::Right(set) => Split {
                            column: *column,
                            rule: sets.members(set)?,
                            missing: Missing::Nan,
                            missing_left: !*default_left,
                            left: right,
                            right: left,
                        },
                    })
                }
            });
        }
        Ok(Tree::General { nodes })
    }
}

impl Source for Xgboost {
    fn columns(&self) -> usize {
        self.columns
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Sums in `f32` from the base margin on, in the order of the trees.
    fn evaluate(&self, row: &[f32]) -> Evaluation {
        let mut margin = self.base_margin;
        let mut size = f64::from(self.base_margin.abs());
        for tree in &self.trees {
            let leaf = tree.leaf(row) * tree.weight;
            margin += leaf;
            size += f64::from(leaf.abs());
        }
        let rounding = f64::from(f32::EPSILON) * (self.trees.len() + 2) as f64 * size;
        Evaluation { margin: f64::from(margin), error: rounding, in_range: margin.is_finite() }
    }

    fn body(&self) -> Result<ears_only::model::body::Body, ImportError> {
        let mut sets = Sets::default();
        let trees = self.trees.iter().map(|tree| tree.body(&mut sets)).collect::<Result<Vec<_>, _>>()?;
        Ok(ears_only::model::body::Body::Trees(Trees::new(f64::from(self.base_margin), trees)?))
    }

    fn categorical(&self) -> Vec<usize> {
        let nodes = self.trees.iter().flat_map(|tree| &tree.nodes);
        let mut columns: Vec<usize> = nodes
            .filter_map(|node| match node {
                SourceNode::Split { column, test: Test::Right(_), .. } => Some(usize::from(*column)),
                _ => None,
            })
            .collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    fn thresholds(&self) -> Vec<(usize, f32)> {
        let mut thresholds = Vec::new();
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            if let SourceNode::Split { column, test, .. } = node {
                match test {
                    Test::Less(threshold) => thresholds.push((usize::from(*column), *threshold)),
                    Test::Right(set) => {
                        thresholds.extend(set.iter().take(8).map(|category| (usize::from(*column), *category as f32)));
                    }
                }
            }
        }
        thresholds
    }
}
