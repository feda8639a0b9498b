//! A bundle in words.

use std::fmt::Write as _;

use ears_only::model::Body;

use super::Opened;

/// What a bundle holds, for people: one fact a line.
#[must_use]
pub fn inspect(bytes: &[u8], opened: &Opened) -> String {
    let (bundle, header) = (&opened.bundle, &opened.header);
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<16} {value}");
    };
    line("address", opened.address());
    line("size", format!("{} bytes", bytes.len()));
    let plain = |name: &str| header[name].as_str().map_or_else(|| header[name].to_string(), str::to_owned);
    for name in ["name", "version", "sequence", "created", "expires", "privacyManifest", "off"] {
        line(name, plain(name));
    }
    line("body", body(bundle.model().body()));
    line("head", head(&header["head"], bundle.model().head().mean().len()));
    line("policy", header["policy"].to_string());
    line("feedback", header["feedback"].to_string());
    line("limits", format!("{} shelves, {} cards", bundle.limits().shelves, bundle.limits().cards));
    line("golden", format!("{} vectors, reproduced bit for bit", header["sections"]["goldenScores"]["length"]));
    line("provenance", header["provenance"].to_string());
    line("columns", bundle.schema().columns().len().to_string());
    for column in header["schema"]["columns"].as_array().into_iter().flatten() {
        let rules: Vec<String> = column
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| *key != "name")
            .map(|(key, value)| format!("{key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        line("", format!("{}: {}", column["name"].as_str().unwrap_or_default(), rules.join(", ")));
    }
    line("sections", String::new());
    for (name, section) in header["sections"].as_object().into_iter().flatten() {
        line(
            "",
            format!("{name}: {} {} at {}", section["length"], section["type"].as_str().unwrap_or_default(), section["offset"]),
        );
    }
    text
}

fn body(body: &Body) -> String {
    match body {
        Body::Plain => "plain: the head weighs the columns".to_owned(),
        Body::Linear(linear) => format!("linear: {} weights, {} crosses", linear.weights().len(), linear.crosses().len()),
        Body::Factorization(machine) => {
            let third = machine.third().map_or_else(String::new, |(rank, _)| format!(", {rank} of order 3"));
            format!(
                "factorization machine: {} columns, {} factors of order 2{third}",
                machine.weights().len(),
                machine.factors().0
            )
        }
        Body::Trees(trees) => format!("trees: {} trees, {} leaves", trees.tree_count(), trees.leaf_count()),
        Body::Network(network) => {
            let layers: Vec<String> = network.layers().iter().map(|layer| layer.outputs.to_string()).collect();
            format!("network: {} columns to {} units", network.layers()[0].inputs, layers.join(" to "))
        }
    }
}

fn head(head: &serde_json::Value, width: usize) -> String {
    let segments = head["segments"].as_array().map_or_else(String::new, |segments| format!(", {} segments", segments.len()));
    format!("{width} weights, half-life {} days{segments}", head["halfLifeDays"])
}
