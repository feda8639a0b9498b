//! Boosted trees of ONNX's machine-learning domain: `TreeEnsembleClassifier` for two classes and `TreeEnsembleRegressor` for one value.

use std::collections::BTreeMap;

use ears_only::model::body::{Body, Missing, Node as BodyNode, Rule, Split, Tree, Trees};

use super::super::trees::less_than_for_at_most;
use super::super::{Evaluation, Source};
use super::operators::{place, row};
use super::{ImportError, Logit, Node, Reading, Symbol};

/// Trees whose sum is the log-odds.
#[derive(Clone, Debug)]
pub struct Ensemble {
    columns: usize,
    base: f32,
    trees: Vec<Vec<SourceNode>>,
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Debug)]
enum SourceNode {
    Leaf(f32),
    /// The true branch when x <= or < the threshold; `missing_true` sends NaN there.
    Split {
        column: u16,
        strict: bool,
        threshold: f32,
        missing_true: bool,
        yes: usize,
        no: usize,
    },
}

/// Reads a classifier; what it gives are a label and the chances.
pub fn classifier(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Vec<Symbol>, ImportError> {
    node.only(&[
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_values",
        "nodes_modes",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "nodes_missing_value_tracks_true",
        "nodes_hitrates",
        "class_treeids",
        "class_nodeids",
        "class_ids",
        "class_weights",
        "classlabels_int64s",
        "classlabels_strings",
        "post_transform",
        "base_values",
    ])?;
    let post = node.text("post_transform", "NONE");
    if post != "LOGISTIC" {
        return Err(ImportError::unsupported_but(
            format!("{} with post_transform {post}, whose sums are no log-odds,", place(node)),
            "LOGISTIC",
        ));
    }
    let ensemble = ensemble(reading, node, "class")?;
    reading.ensembles.push(ensemble);
    Ok(vec![Symbol::Label, Symbol::Chances(Logit::Ensemble(reading.ensembles.len() - 1))])
}

/// Reads a regressor; its value is a sum that a sigmoid may follow.
pub fn regressor(reading: &mut Reading<'_>, node: &Node<'_>) -> Result<Vec<Symbol>, ImportError> {
    node.only(&[
        "nodes_treeids",
        "nodes_nodeids",
        "nodes_featureids",
        "nodes_values",
        "nodes_modes",
        "nodes_truenodeids",
        "nodes_falsenodeids",
        "nodes_missing_value_tracks_true",
        "nodes_hitrates",
        "target_treeids",
        "target_nodeids",
        "target_ids",
        "target_weights",
        "n_targets",
        "aggregate_function",
        "post_transform",
        "base_values",
    ])?;
    let aggregate = node.text("aggregate_function", "SUM");
    if aggregate != "SUM" || node.whole("n_targets", 1) != 1 {
        return Err(ImportError::unsupported_but(
            format!("{} with {aggregate} of {} targets", place(node), node.whole("n_targets", 1)),
            "SUM of 1",
        ));
    }
    let ensemble = ensemble(reading, node, "target")?;
    reading.ensembles.push(ensemble);
    let index = reading.ensembles.len() - 1;
    match node.text("post_transform", "NONE").as_str() {
        "NONE" => Ok(vec![Symbol::Ensemble(index)]),
        "LOGISTIC" => Ok(vec![Symbol::Chance(Logit::Ensemble(index), None)]),
        other => Err(ImportError::unsupported_but(format!("{} with post_transform {other}", place(node)), "NONE or LOGISTIC")),
    }
}

fn ensemble(reading: &Reading<'_>, node: &Node<'_>, leaves: &str) -> Result<Ensemble, ImportError> {
    let from = row(reading, node, 0)?;
    if from != 0 {
        return Err(ImportError::unsupported_but(format!("{} behind other steps", place(node)), "the input itself"));
    }
    let columns = reading.tape.width(0);
    let base = match node.floats("base_values") {
        [] => 0.0,
        [base] => *base,
        other => return Err(ImportError::unsupported_but(format!("{} with {} base_values", place(node), other.len()), "1")),
    };
    let numbered = nodes(node, columns)?;
    let weights = weights(node, leaves)?;
    let mut trees = Vec::new();
    for (id, tree) in numbered {
        trees.push(assemble(&format!("{}, tree {id}", place(node)), id, &tree, &weights)?);
    }
    if !base.is_finite() {
        return Err(ImportError::broken(place(node), "a finite base value", base));
    }
    Ok(Ensemble { columns, base, trees, notes: Vec::new() })
}

/// A node before its children are found.
struct Raw {
    column: u16,
    mode: Mode,
    threshold: f32,
    missing_true: bool,
    yes: i64,
    no: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Leaf,
    AtMost,
    Less,
    AtLeast,
    More,
}

/// Nodes by tree and number.
fn nodes(node: &Node<'_>, columns: usize) -> Result<BTreeMap<i64, BTreeMap<i64, Raw>>, ImportError> {
    let whole = |name: &str| node.wholes(&format!("nodes_{name}"));
    let (tree_ids, ids, features) = (whole("treeids"), whole("nodeids"), whole("featureids"));
    let (yes, no, tracks) = (whole("truenodeids"), whole("falsenodeids"), whole("missing_value_tracks_true"));
    let values = node.floats("nodes_values");
    let modes = node.attributes.get("nodes_modes").map_or(&[][..], |attribute| attribute.texts.as_slice());
    let count = tree_ids.len();
    for (name, length) in [
        ("nodeids", ids.len()),
        ("featureids", features.len()),
        ("truenodeids", yes.len()),
        ("falsenodeids", no.len()),
        ("values", values.len()),
        ("modes", modes.len()),
        ("missing_value_tracks_true", if tracks.is_empty() { count } else { tracks.len() }),
    ] {
        if length != count {
            return Err(ImportError::broken(format!("{}, nodes_{name}", place(node)), format!("{count} entries"), length));
        }
    }
    let mut trees: BTreeMap<i64, BTreeMap<i64, Raw>> = BTreeMap::new();
    for at in 0..count {
        let here = format!("{}, tree {}, node {}", place(node), tree_ids[at], ids[at]);
        let mode = match modes[at] {
            b"LEAF" => Mode::Leaf,
            b"BRANCH_LEQ" => Mode::AtMost,
            b"BRANCH_LT" => Mode::Less,
            b"BRANCH_GTE" => Mode::AtLeast,
            b"BRANCH_GT" => Mode::More,
            other => return Err(ImportError::unsupported(format!("{here}: mode {}", String::from_utf8_lossy(other)))),
        };
        let column = usize::try_from(features[at]).ok().filter(|column| mode == Mode::Leaf || *column < columns);
        let column = column.and_then(|column| u16::try_from(column).ok());
        let column = column.ok_or_else(|| ImportError::broken(&here, format!("a column below {columns}"), features[at]))?;
        if mode != Mode::Leaf && !values[at].is_finite() {
            return Err(ImportError::broken(&here, "a finite threshold", values[at]));
        }
        let missing_true = tracks.get(at).is_some_and(|flag| *flag != 0);
        let raw = Raw { column, mode, threshold: values[at], missing_true, yes: yes[at], no: no[at] };
        if trees.entry(tree_ids[at]).or_default().insert(ids[at], raw).is_some() {
            return Err(ImportError::broken(here, "it once", "twice"));
        }
    }
    Ok(trees)
}

/// Weights by tree and node.
fn weights(node: &Node<'_>, leaves: &str) -> Result<BTreeMap<(i64, i64), f32>, ImportError> {
    let whole = |name: &str| node.wholes(&format!("{leaves}_{name}"));
    let (trees, nodes, ids) = (whole("treeids"), whole("nodeids"), whole("ids"));
    let values = node.floats(&format!("{leaves}_weights"));
    if [nodes.len(), ids.len(), values.len()] != [trees.len(); 3] {
        return Err(ImportError::broken(format!("{}, {leaves}_weights", place(node)), "an entry for each leaf", "others"));
    }
    // A classifier of two classes with one weight in each leaf names either class; two would be chances.
    if let Some(other) = ids.iter().find(|id| Some(*id) != ids.first()) {
        return Err(ImportError::unsupported_but(
            format!("{} with weights of class {other} too", place(node)),
            "one weight in each leaf",
        ));
    }
    let mut weights = BTreeMap::new();
    for ((tree, id), value) in trees.iter().zip(nodes).zip(values) {
        if !value.is_finite() || weights.insert((*tree, *id), *value).is_some() {
            return Err(ImportError::broken(
                format!("{}, {leaves}_weights", place(node)),
                "a finite weight for each leaf",
                value,
            ));
        }
    }
    Ok(weights)
}

/// A tree with its root first.
fn assemble(
    place: &str,
    id: i64,
    raw: &BTreeMap<i64, Raw>,
    weights: &BTreeMap<(i64, i64), f32>,
) -> Result<Vec<SourceNode>, ImportError> {
    let broken = |expected: &str, found: i64| ImportError::broken(place, expected, found);
    // The root is the node that no other names.
    let mut named: BTreeMap<i64, u32> = BTreeMap::new();
    for raw in raw.values().filter(|raw| raw.mode != Mode::Leaf) {
        *named.entry(raw.yes).or_default() += 1;
        *named.entry(raw.no).or_default() += 1;
    }
    let roots: Vec<i64> = raw.keys().copied().filter(|id| !named.contains_key(id)).collect();
    let &[root] = roots.as_slice() else {
        return Err(broken("one root", i64::try_from(roots.len()).unwrap_or(i64::MAX)));
    };
    if let Some((id, _)) = named.iter().find(|(_, times)| **times > 1) {
        return Err(broken("one parent for each node, found two for node", *id));
    }
    let places: BTreeMap<i64, usize> =
        std::iter::once(root).chain(raw.keys().copied().filter(|id| *id != root)).zip(0..).collect();
    let mut nodes = Vec::with_capacity(raw.len());
    for node_id in places.iter().map(|(id, at)| (*at, *id)).collect::<BTreeMap<_, _>>().values() {
        let Some(node) = raw.get(node_id) else { continue };
        if node.mode == Mode::Leaf {
            let weight = weights.get(&(id, *node_id)).ok_or_else(|| broken("a weight for leaf", *node_id))?;
            nodes.push(SourceNode::Leaf(*weight));
            continue;
        }
        let child = |child: i64| places.get(&child).copied().ok_or_else(|| broken("children that exist, found", child));
        let (yes, no) = (child(node.yes)?, child(node.no)?);
        let strict = matches!(node.mode, Mode::Less | Mode::AtLeast);
        // x >= t is not x < t; NaN fails every comparison, so it takes the false branch unless it tracks the true one.
        nodes.push(match node.mode {
            Mode::AtLeast | Mode::More => SourceNode::Split {
                column: node.column,
                strict,
                threshold: node.threshold,
                missing_true: !node.missing_true,
                yes: no,
                no: yes,
            },
            _ => SourceNode::Split {
                column: node.column,
                strict,
                threshold: node.threshold,
                missing_true: node.missing_true,
                yes,
                no,
            },
        });
    }
    Ok(nodes)
}

impl Ensemble {
    fn leaf(nodes: &[SourceNode], row: &[f32]) -> f32 {
        let mut at = 0;
        // A node has one parent, so the way down is no longer than the list.
        for _ in 0..nodes.len() {
            match nodes.get(at) {
                Some(SourceNode::Leaf(value)) => return *value,
                Some(SourceNode::Split { column, strict, threshold, missing_true, yes, no }) => {
                    let x = row.get(usize::from(*column)).copied().unwrap_or(f32::NAN);
                    let holds = if x.is_nan() {
                        *missing_true
                    } else if *strict {
                        x < *threshold
                    } else {
                        x <= *threshold
                    };
                    at = if holds { *yes } else { *no };
                }
                None => break,
            }
        }
        f32::NAN
    }
}

impl Source for Ensemble {
    fn columns(&self) -> usize {
        self.columns
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Sums in `f32` in the order of the trees, then the base value.
    fn evaluate(&self, row: &[f32]) -> Evaluation {
        let (mut sum, mut size) = (0.0_f32, f64::from(self.base.abs()));
        for nodes in &self.trees {
            let leaf = Self::leaf(nodes, row);
            sum += leaf;
            size += f64::from(leaf.abs());
        }
        let margin = sum + self.base;
        let error = f64::from(f32::EPSILON) * (self.trees.len() + 2) as f64 * size;
        Evaluation { margin: f64::from(margin), error, in_range: margin.is_finite() }
    }

    fn body(&self) -> Result<Body, ImportError> {
        let mut trees = Vec::with_capacity(self.trees.len());
        for nodes in &self.trees {
            let node = |node: &SourceNode| match node {
                SourceNode::Leaf(value) => BodyNode::Leaf(f64::from(*value)),
                SourceNode::Split { column, strict, threshold, missing_true, yes, no } => {
                    let threshold = if *strict { *threshold } else { less_than_for_at_most(f64::from(*threshold)) };
                    let (left, right) = (*yes as u32, *no as u32);
                    let (rule, missing) = (Rule::Less(threshold), Missing::Nan);
                    BodyNode::Split(Split { column: *column, rule, missing, missing_left: *missing_true, left, right })
                }
            };
            trees.push(Tree::General { nodes: nodes.iter().map(node).collect() });
        }
        Ok(Body::Trees(Trees::new(f64::from(self.base), trees)?))
    }

    fn thresholds(&self) -> Vec<(usize, f32)> {
        let split = |node: &SourceNode| match node {
            SourceNode::Leaf(_) => None,
            SourceNode::Split { column, threshold, .. } => Some((usize::from(*column), *threshold)),
        };
        self.trees.iter().flatten().filter_map(split).collect()
    }
}
