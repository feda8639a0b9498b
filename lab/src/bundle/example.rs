//! One small bundle of each body: for tests, and to look at.

use ears_only::error::Error;
use ears_only::features::{Column, Source};
use ears_only::model::Body;
use ears_only::model::body::{Activation, Dense, Factorization, Level, Linear, Missing, Network, Node, Rule, Split, Tree, Trees};
use serde_json::json;

use super::{Draft, Quantisation, Spread, Start};

/// Names of the examples.
pub const NAMES: [&str; 6] = ["plain", "linear", "factorization", "trees", "network", "network-int8"];

/// Numbers that look like weights: the same for the same place, within 1.
fn weight(place: usize) -> f64 {
    let word = (place as u32).wrapping_mul(2_654_435_761).wrapping_add(12_345).wrapping_mul(2_246_822_519);
    f64::from(word >> 8) / f64::from(1 << 23) - 1.0
}

fn singles(count: usize, from: usize) -> Vec<f32> {
    (0..count).map(|i| weight(from + i) as f32).collect()
}

fn columns(keeps_missing: bool, scaled: bool) -> Vec<Column> {
    let scale = |column: Column, mean: f32, scale: f32| if scaled { Column { mean, scale, ..column } } else { column };
    vec![
        Column::new("popularity", Source::Popularity),
        scale(Column { default: 120.0, min: 0.0, max: 300.0, keeps_missing, ..Column::new("tempo", Source::Given) }, 118.0, 31.5),
        scale(Column { default: 0.5, keeps_missing, ..Column::new("energy", Source::Given) }, 0.47, 0.21),
        Column::new("artist_affinity", Source::ArtistAffinity),
        Column { max: 6.0, ..Column::new("weekday", Source::Context) },
    ]
}

fn trees() -> Result<Trees, Error> {
    let split = |column, rule, missing, left, right| {
        Node::Split(Split { column, rule, missing, missing_left: column % 2 == 0, left, right })
    };
    let leaf = |place| Node::Leaf(0.5 * weight(place));
    let general = |from: usize| Tree::General {
        nodes: vec![
            split(0, Rule::Less(0.25 + 0.1 * from as f32), Missing::Nan, 1, 2),
            split(1, Rule::Less(110.5), Missing::Nan, 3, 4),
            split(4, Rule::In(vec![0b110_0000]), Missing::Nothing, 5, 6),
            leaf(from),
            leaf(from + 1),
            leaf(from + 2),
            split(3, Rule::Less(0.125), Missing::Zero, 7, 8),
            leaf(from + 3),
            leaf(from + 4),
        ],
    };
    let level = |column, threshold| Level { column, rule: Rule::Less(threshold), missing: Missing::Nan, missing_left: false };
    let oblivious =
        Tree::Oblivious { levels: vec![level(2, 0.5), level(1, 140.0), level(0, 0.75)], leaves: (20..28).map(weight).collect() };
    Trees::new(-2.5, vec![general(0), general(5), oblivious])
}

fn network() -> Result<Network, Error> {
    let layer = |inputs, outputs, from, activation| Dense {
        inputs,
        outputs,
        weights: singles(inputs * outputs, from),
        bias: singles(outputs, from + 1_000),
        activation,
    };
    Network::new(vec![
        layer(5, 6, 0, Activation::Gelu),
        layer(6, 5, 100, Activation::Tanh),
        layer(5, 4, 200, Activation::Relu),
        layer(4, 1, 300, Activation::Identity),
    ])
}

/// The example called `name`; a network when there is none.
///
/// # Errors
/// None in practice: the parts are constants that a test checks.
pub fn example(name: &str) -> Result<Draft, Error> {
    let body = match name {
        "plain" => Body::Plain,
        "linear" => Body::Linear(Linear::new(-2.0, (0..5).map(weight).collect(), vec![(0, 3, 1.5), (2, 2, -0.5)])?),
        "factorization" => Body::Factorization(Factorization::new(
            -2.25,
            (0..5).map(weight).collect(),
            3,
            singles(15, 50),
            Some((2, singles(10, 80))),
        )?),
        "trees" => Body::Trees(trees()?),
        _ => Body::Network(network()?),
    };
    let (sparse, plain) = (name == "trees", name == "plain");
    let width = if plain { 6 } else { body.width() + 2 };
    let mut draft = Draft::new("example", &format!("example-{name}"), columns(sparse, !sparse && !plain), body);
    draft.created_ms = 1_800_000_000_000;
    draft.expires_ms = Some(1_900_000_000_000);
    draft.columns[1].unit = Some("beats a minute".to_owned());
    draft.policy = json!({"kind": if sparse { "thompson" } else { "plackett_luce" }, "floorCards": 0.02});
    draft.provenance = json!({"made": "by hand"});
    let missing = if sparse { f32::NAN } else { 0.5 };
    draft.golden.extend([
        vec![0.9, 96.5, 0.25, 0.5, 5.0],
        vec![0.1, 400.0, missing, 0.0, 9.0],
        vec![0.3, 150.25, 0.75, 0.0625, 2.0],
        vec![0.0, 120.0, 1.0, 0.0, 6.0],
    ]);
    let spread = match name {
        "linear" => {
            // a I + b 1 1' is positive definite.
            let cell = |at: usize| if at.is_multiple_of(width + 1) { 0.35 } else { 0.05 };
            Spread::Covariance((0..width * width).map(cell).collect())
        }
        "trees" => Spread::Each((0..width).map(|at| 0.25 + 0.125 * (at % 3) as f64).collect()),
        _ => Spread::Alike { bias: 1.0, margin: 0.5, inputs: 0.25 },
    };
    let start = Start { weight: 1.0, mean: plain.then(|| vec![-2.5, 2.0, 0.0, 0.25, 1.0, 0.0]), spread };
    draft.starts = vec![start.clone()];
    if name == "factorization" {
        let mut other = vec![0.0; width];
        (other[0], other[1]) = (0.25, 0.75);
        draft.starts = vec![Start { weight: 3.0, ..start.clone() }, Start { weight: 1.0, mean: Some(other), ..start }];
    }
    if name == "network-int8" {
        draft.quantisation = Quantisation::Int8;
    }
    Ok(draft)
}
