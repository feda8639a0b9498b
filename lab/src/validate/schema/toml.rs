//! The schema as TOML, with comments that say what was seen.

use std::fmt::Write;

use super::{Comparator, Counts, Feature, Fractions, Schema, Stage};

/// Reads a schema.
///
/// # Errors
/// What is wrong and where, as the TOML reader says it.
pub fn read(text: &str) -> Result<Schema, String> {
    parse(text)
}

/// Reads any TOML.
///
/// # Errors
/// What is wrong, with line and column.
pub fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = &text[..at.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        format!("{} (line {line}, column {column})", error.message())
    })
}

/// Writes a schema. `seen` are comments for features, by name.
#[must_use]
pub fn write(schema: &Schema, seen: &[(String, String)]) -> String {
    let mut text = String::from("# What the data are expected to be. Edit freely: whatever is left out is not checked.\n");
    let _ = write!(text, "format = {}\nversion = {}\n", super::FORMAT, schema.version);
    list(&mut text, "environments", &schema.environments);
    if !schema.tfdv.is_empty() {
        line(&mut text, "tfdv", &schema.tfdv);
    }
    let rules = &schema.dataset;
    if *rules != super::DatasetRules::default() {
        text.push_str("\n[dataset]\n");
        number(&mut text, "min_rows", rules.min_rows);
        number(&mut text, "max_rows", rules.max_rows);
        for (name, fractions) in [("drift", rules.drift), ("version", rules.version)] {
            if let Some(Fractions { min, max }) = fractions {
                let _ = writeln!(text, "{name} = {{ {} }}", pairs(&[("min", min.map(float)), ("max", max.map(float))]));
            }
        }
    }
    for rule in &schema.slice {
        text.push_str("\n[[slice]]\n");
        line(&mut text, "column", &rule.column);
        line(&mut text, "value", &rule.value);
        number(&mut text, "min_share", Some(float(rule.min_share)));
        number(&mut text, "usual_share", rule.usual_share.map(float));
    }
    for feature in &schema.feature {
        text.push_str("\n[[feature]]\n");
        write_feature(&mut text, feature);
        if let Some((_, comment)) = seen.iter().find(|(name, _)| *name == feature.name) {
            for comment in comment.lines() {
                let _ = writeln!(text, "# {comment}");
            }
        }
    }
    for domain in &schema.domain {
        text.push_str("\n[[domain]]\n");
        line(&mut text, "name", &domain.name);
        let _ = writeln!(text, "values = {}", texts(&domain.values));
    }
    for sparse in &schema.sparse {
        text.push_str("\n[[sparse]]\n");
        line(&mut text, "name", &sparse.name);
        stage(&mut text, sparse.stage);
        list(&mut text, "index", &sparse.index);
        line(&mut text, "value", &sparse.value);
        rest(&mut text, &sparse.tfdv);
    }
    for weighted in &schema.weighted {
        text.push_str("\n[[weighted]]\n");
        line(&mut text, "name", &weighted.name);
        stage(&mut text, weighted.stage);
        line(&mut text, "feature", &weighted.feature);
        line(&mut text, "weight", &weighted.weight);
        rest(&mut text, &weighted.tfdv);
    }
    text
}

fn write_feature(text: &mut String, feature: &Feature) {
    line(text, "name", &feature.name);
    if let Some(kind) = feature.kind {
        line(text, "type", kind.name());
    }
    if !feature.unit.is_empty() {
        line(text, "unit", &feature.unit);
    }
    stage(text, feature.stage);
    number(text, "min_fraction", feature.min_fraction.map(float));
    number(text, "min_count", feature.min_count);
    if !feature.value_count.is_empty() {
        let levels: Vec<String> = feature.value_count.iter().map(|count| counts(*count)).collect();
        let _ = writeln!(text, "value_count = [{}]", levels.join(", "));
    }
    if let Some(shape) = &feature.shape {
        let _ = writeln!(text, "shape = {shape:?}");
    }
    feature.domain.iter().for_each(|domain| line(text, "domain", domain));
    if let Some(values) = &feature.values {
        let _ = writeln!(text, "values = {}", texts(values));
    }
    number(text, "min_domain_mass", feature.min_domain_mass.map(float));
    if let Some(range) = feature.int_range {
        let _ = writeln!(text, "int_range = {}", counts(range));
    }
    if let Some(range) = feature.float_range {
        let flag = |set: bool| set.then(|| "true".to_owned());
        let fields = [
            ("min", range.min.map(float)),
            ("max", range.max.map(float)),
            ("no_nan", flag(range.no_nan)),
            ("no_infinite", flag(range.no_infinite)),
        ];
        let _ = writeln!(text, "float_range = {{ {} }}", pairs(&fields));
    }
    if let Some(truth) = &feature.truth {
        let _ = writeln!(
            text,
            "truth = {{ {} }}",
            pairs(&[("true", truth.yes.as_deref().map(quoted)), ("false", truth.no.as_deref().map(quoted))])
        );
    }
    if let Some(image) = feature.image {
        let fields =
            [("min_supported", image.min_supported.map(float)), ("max_bytes", image.max_bytes.map(|bytes| bytes.to_string()))];
        let _ = writeln!(text, "image = {{ {} }}", pairs(&fields));
    }
    if let Some(unique) = feature.unique {
        let _ = writeln!(text, "unique = {}", counts(unique));
    }
    list(text, "in_environments", &feature.in_environments);
    list(text, "not_in_environments", &feature.not_in_environments);
    comparator(text, "skew", feature.skew);
    comparator(text, "drift", feature.drift);
    if let Some(derived) = &feature.derived {
        let _ = writeln!(text, "derived = {{ by = {}, from = {} }}", quoted(&derived.by), texts(&derived.from));
    }
    if let Some(language) = &feature.language {
        let tokens: Vec<String> = language
            .token
            .iter()
            .map(|token| {
                let whole = |number: Option<u64>| number.map(|number| number.to_string());
                let fields = [
                    ("value", Some(quoted(&token.value))),
                    ("min_per_row", whole(token.min_per_row)),
                    ("max_per_row", whole(token.max_per_row)),
                    ("min_fraction", token.min_fraction.map(float)),
                    ("max_fraction", token.max_fraction.map(float)),
                ];
                format!("{{ {} }}", pairs(&fields))
            })
            .collect();
        let fields = [
            ("vocabulary", language.vocabulary.as_deref().map(quoted)),
            ("min_coverage", language.min_coverage.map(float)),
            ("min_token_length", language.min_token_length.map(float)),
            ("token", (!tokens.is_empty()).then(|| format!("[{}]", tokens.join(", ")))),
        ];
        let _ = writeln!(text, "language = {{ {} }}", pairs(&fields));
    }
    rest(text, &feature.tfdv);
}

fn comparator(text: &mut String, name: &str, rule: Option<Comparator>) {
    if let Some(rule) = rule {
        let fields = [
            ("infinity_norm", rule.infinity_norm.map(float)),
            ("jensen_shannon", rule.jensen_shannon.map(float)),
            ("normalized_difference", rule.normalized_difference.map(float)),
        ];
        let _ = writeln!(text, "{name} = {{ {} }}", pairs(&fields));
    }
}

fn counts(counts: Counts) -> String {
    let whole = |number: Option<i64>| number.map(|number| number.to_string());
    format!("{{ {} }}", pairs(&[("min", whole(counts.min)), ("max", whole(counts.max))]))
}

fn pairs(fields: &[(&str, Option<String>)]) -> String {
    let set: Vec<String> =
        fields.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} = {value}"))).collect();
    set.join(", ")
}

fn stage(text: &mut String, stage: Stage) {
    if stage != Stage::Unknown {
        line(text, "stage", stage.name());
    }
}

fn rest(text: &mut String, rest: &str) {
    if !rest.is_empty() {
        line(text, "tfdv", rest);
    }
}

fn list(text: &mut String, name: &str, values: &[String]) {
    if !values.is_empty() {
        let _ = writeln!(text, "{name} = {}", texts(values));
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name} = {}", quoted(value));
}

fn number<T: std::fmt::Display>(text: &mut String, name: &str, number: Option<T>) {
    if let Some(number) = number {
        let _ = writeln!(text, "{name} = {number}");
    }
}

fn texts(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(", "))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A fraction that stays one, `1.0`.
fn float(number: f64) -> String {
    toml::Value::Float(number).to_string()
}
