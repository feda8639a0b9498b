//! The body of a bundle.

use super::sections::Sections;
use crate::error::Error;
use crate::model::Body;
use crate::model::body::{
    Activation, Dense, Factorization, Linear, MAX_CROSSES, MAX_LAYERS, MAX_NODES, MAX_RANK, MAX_SET_WORDS, MAX_TREES, MAX_UNITS,
    Network, Trees,
};
use crate::settings::{Field, Value, field};

type Fields<'a> = &'a [(String, Value)];

pub(super) fn read(from: Field<'_>, sections: &Sections<'_>, columns: usize) -> Result<Body, Error> {
    let fields = from.entries()?;
    let kind = field(fields, "kind", "bad_body").text()?;
    match kind {
        "plain" => from.object(&["kind"]).map(|_| Body::Plain),
        "linear" => linear(from, sections, columns).map(Body::Linear),
        "factorization" => {
            factorization(from.object(&["kind", "rank", "thirdRank"])?, sections, columns).map(Body::Factorization)
        }
        "trees" => trees(from, sections).map(Body::Trees),
        "network" => network(from.object(&["kind", "layers"])?, sections, columns).map(Body::Network),
        _ => Err(Error::settings(
            "bad_body",
            format!("expected a body that is plain, linear, factorization, trees or network, got \"{kind}\""),
        )),
    }
}

fn intercept(sections: &Sections<'_>) -> Result<f64, Error> {
    Ok(sections.numbers("intercept", 1, 1)?[0])
}

fn linear(from: Field<'_>, sections: &Sections<'_>, columns: usize) -> Result<Linear, Error> {
    from.object(&["kind"])?;
    let weights = sections.numbers("crossWeights", 0, MAX_CROSSES)?;
    let pairs = sections.words("crossColumns", 2 * weights.len(), 2 * weights.len())?;
    // One that does not fit becomes one that no schema has.
    let column = |word: u32| u16::try_from(word).unwrap_or(u16::MAX);
    let crosses = pairs.chunks_exact(2).zip(weights).map(|(pair, weight)| (column(pair[0]), column(pair[1]), weight)).collect();
    Linear::new(intercept(sections)?, sections.numbers("weights", columns, columns)?, crosses)
}

fn factorization(fields: Fields<'_>, sections: &Sections<'_>, columns: usize) -> Result<Factorization, Error> {
    let rank = |name| field(fields, name, "bad_body").whole(MAX_RANK as u32).map(|rank| rank as usize);
    let third = if field(fields, "thirdRank", "bad_body").is_null() {
        None
    } else {
        let rank = rank("thirdRank")?;
        Some((rank, sections.rows("thirdFactors", columns, rank)?))
    };
    let rank = rank("rank")?;
    Factorization::new(
        intercept(sections)?,
        sections.numbers("weights", columns, columns)?,
        rank,
        sections.rows("factors", columns, rank)?,
        third,
    )
}

fn trees(from: Field<'_>, sections: &Sections<'_>) -> Result<Trees, Error> {
    from.object(&["kind"])?;
    Trees::from_words(
        intercept(sections)?,
        &sections.words("trees", 0, 3 * MAX_TREES)?,
        &sections.words("splits", 0, 4 * MAX_NODES)?,
        sections.numbers("leaves", 0, MAX_NODES)?,
        sections.words("categories", 0, MAX_SET_WORDS)?,
    )
}

fn network(fields: Fields<'_>, sections: &Sections<'_>, columns: usize) -> Result<Network, Error> {
    let mut inputs = columns;
    let mut layers: Vec<Dense> = Vec::new();
    field(fields, "layers", "bad_body").list(|layer| {
        let fields = layer.object(&["activation", "units"])?;
        let outputs = field(fields, "units", "bad_body").whole(MAX_UNITS as u32)? as usize;
        let name = field(fields, "activation", "bad_body").text()?;
        let known = Activation::ALL.iter().find(|(known, _)| *known == name);
        let (Some((_, activation)), true) = (known, layers.len() < MAX_LAYERS) else {
            return Err(Error::settings(
                "bad_body",
                format!("expected at most {MAX_LAYERS} layers with an identity, relu, tanh, sigmoid or gelu activation, got \"{name}\""),
            ));
        };
        let index = layers.len();
        layers.push(Dense {
            inputs,
            outputs,
            weights: sections.rows(&format!("weights{index}"), outputs, inputs)?,
            bias: sections.rows(&format!("bias{index}"), outputs, 1)?,
            activation: *activation,
        });
        inputs = outputs;
        Ok(())
    })?;
    Network::new(layers)
}
