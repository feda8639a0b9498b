//! A schema as TensorFlow metadata writes it.

use super::super::proto::{Item, Message};
use super::super::{Counts, DatasetRules, Feature, Fractions, Language, Schema, Stage, Type};
use super::{SLICE, UNIT, VERSION};

/// Writes a schema.
#[must_use]
pub fn write(schema: &Schema) -> String {
    let mut message = Message::default();
    for feature in &schema.feature {
        message.push("feature", Item::Message(write_feature(feature)));
    }
    for sparse in &schema.sparse {
        let mut inside = Message::default();
        push_text(&mut inside, "name", &sparse.name);
        push_stage(&mut inside, sparse.stage);
        for index in &sparse.index {
            push_inner(&mut inside, "index_feature", |name| push_text(name, "name", index));
        }
        push_inner(&mut inside, "value_feature", |name| push_text(name, "name", &sparse.value));
        push_rest(&mut inside, &sparse.tfdv);
        message.push("sparse_feature", Item::Message(inside));
    }
    for weighted in &schema.weighted {
        let mut inside = Message::default();
        push_text(&mut inside, "name", &weighted.name);
        push_stage(&mut inside, weighted.stage);
        push_inner(&mut inside, "feature", |path| push_text(path, "step", &weighted.feature));
        push_inner(&mut inside, "weight_feature", |path| push_text(path, "step", &weighted.weight));
        push_rest(&mut inside, &weighted.tfdv);
        message.push("weighted_feature", Item::Message(inside));
    }
    for domain in &schema.domain {
        push_inner(&mut message, "string_domain", |inside| {
            push_text(inside, "name", &domain.name);
            domain.values.iter().for_each(|value| push_text(inside, "value", value));
        });
    }
    schema.environments.iter().for_each(|name| push_text(&mut message, "default_environment", name));
    let rules = &schema.dataset;
    if *rules != DatasetRules::default() {
        push_inner(&mut message, "dataset_constraints", |inside| {
            push_number(inside, "min_examples_count", rules.min_rows);
            push_number(inside, "max_examples_count", rules.max_rows);
            for (name, fractions) in
                [("num_examples_drift_comparator", rules.drift), ("num_examples_version_comparator", rules.version)]
            {
                if let Some(Fractions { min, max }) = fractions {
                    push_inner(inside, name, |rule| {
                        push_number(rule, "min_fraction_threshold", min);
                        push_number(rule, "max_fraction_threshold", max);
                    });
                }
            }
        });
    }
    if !schema.slice.is_empty() || schema.version > 0 {
        push_inner(&mut message, "annotation", |inside| {
            if schema.version > 0 {
                push_text(inside, "tag", &format!("{VERSION}{}", schema.version));
            }
            for rule in &schema.slice {
                let usual = rule.usual_share.map_or(String::new(), |usual| format!("/{usual}"));
                push_text(inside, "tag", &format!("{SLICE}{}{usual} {}={}", rule.min_share, rule.column, rule.value));
            }
        });
    }
    push_rest(&mut message, &schema.tfdv);
    message.text()
}

fn write_feature(feature: &Feature) -> Message {
    let mut message = Message::default();
    let m = &mut message;
    push_text(m, "name", &feature.name);
    if let Some(kind) = feature.kind {
        let name = match kind {
            Type::Int => "INT",
            Type::Float => "FLOAT",
            Type::Text => "BYTES",
            Type::Struct => "STRUCT",
        };
        m.push("type", Item::Word(name.to_owned()));
    }
    push_stage(m, feature.stage);
    let counts = |message: &mut Message, count: Counts| {
        push_number(message, "min", count.min);
        push_number(message, "max", count.max);
    };
    match feature.value_count.as_slice() {
        [] => {}
        [one] => push_inner(m, "value_count", |inside| counts(inside, *one)),
        more => push_inner(m, "value_counts", |inside| {
            more.iter().for_each(|one| push_inner(inside, "value_count", |level| counts(level, *one)));
        }),
    }
    if let Some(shape) = &feature.shape {
        push_inner(m, "shape", |inside| {
            shape.iter().for_each(|size| push_inner(inside, "dim", |dim| push_number(dim, "size", Some(*size))));
        });
    }
    if feature.min_fraction.is_some() || feature.min_count.is_some() {
        push_inner(m, "presence", |inside| {
            push_number(inside, "min_fraction", feature.min_fraction);
            push_number(inside, "min_count", feature.min_count);
        });
    }
    if let Some(unique) = feature.unique {
        push_inner(m, "unique_constraints", |inside| counts(inside, unique));
    }
    if let Some(domain) = &feature.domain {
        push_text(m, "domain", domain);
    }
    if let Some(values) = &feature.values {
        push_inner(m, "string_domain", |inside| values.iter().for_each(|value| push_text(inside, "value", value)));
    }
    if let Some(range) = feature.int_range {
        push_inner(m, "int_domain", |inside| counts(inside, range));
    }
    if let Some(range) = feature.float_range {
        push_inner(m, "float_domain", |inside| {
            push_number(inside, "min", range.min);
            push_number(inside, "max", range.max);
            push_number(inside, "disallow_nan", range.no_nan.then_some(true));
            push_number(inside, "disallow_inf", range.no_infinite.then_some(true));
        });
    }
    if let Some(truth) = &feature.truth {
        push_inner(m, "bool_domain", |inside| {
            truth.yes.iter().for_each(|text| push_text(inside, "true_value", text));
            truth.no.iter().for_each(|text| push_text(inside, "false_value", text));
        });
    }
    if let Some(language) = &feature.language {
        m.push("natural_language_domain", Item::Message(write_language(language)));
    }
    if let Some(image) = feature.image {
        push_inner(m, "image_domain", |inside| {
            push_number(inside, "minimum_supported_image_fraction", image.min_supported);
            push_number(inside, "max_image_byte_size", image.max_bytes);
        });
    }
    if let Some(mass) = feature.min_domain_mass {
        push_inner(m, "distribution_constraints", |inside| push_number(inside, "min_domain_mass", Some(mass)));
    }
    feature.in_environments.iter().for_each(|name| push_text(m, "in_environment", name));
    feature.not_in_environments.iter().for_each(|name| push_text(m, "not_in_environment", name));
    for (name, rule) in [("skew_comparator", feature.skew), ("drift_comparator", feature.drift)] {
        let Some(rule) = rule else { continue };
        push_inner(m, name, |inside| {
            for (name, threshold) in [
                ("infinity_norm", rule.infinity_norm),
                ("jensen_shannon_divergence", rule.jensen_shannon),
                ("normalized_abs_difference", rule.normalized_difference),
            ] {
                if threshold.is_some() {
                    push_inner(inside, name, |measure| push_number(measure, "threshold", threshold));
                }
            }
        });
    }
    if let Some(derived) = &feature.derived {
        push_inner(m, "validation_derived_source", |inside| {
            push_text(inside, "deriver_name", &derived.by);
            derived.from.iter().for_each(|name| push_inner(inside, "source_path", |path| push_text(path, "step", name)));
        });
    }
    if !feature.unit.is_empty() {
        push_inner(m, "annotation", |inside| push_text(inside, "tag", &format!("{UNIT}{}", feature.unit)));
    }
    push_rest(m, &feature.tfdv);
    message
}

fn write_language(language: &Language) -> Message {
    let mut message = Message::default();
    language.vocabulary.iter().for_each(|name| push_text(&mut message, "vocabulary", name));
    if language.min_coverage.is_some() || language.min_token_length.is_some() {
        push_inner(&mut message, "coverage", |inside| {
            push_number(inside, "min_coverage", language.min_coverage);
            push_number(inside, "min_avg_token_length", language.min_token_length);
        });
    }
    for token in &language.token {
        push_inner(&mut message, "token_constraints", |inside| {
            match token.value.parse::<i64>() {
                Ok(number) => push_number(inside, "int_value", Some(number)),
                Err(_) => push_text(inside, "string_value", &token.value),
            }
            push_number(inside, "min_per_sequence", token.min_per_row);
            push_number(inside, "max_per_sequence", token.max_per_row);
            push_number(inside, "min_fraction_of_sequences", token.min_fraction);
            push_number(inside, "max_fraction_of_sequences", token.max_fraction);
        });
    }
    message
}

fn push_text(message: &mut Message, name: &str, text: &str) {
    message.push(name, Item::Text(text.to_owned()));
}

fn push_number<T: std::fmt::Display>(message: &mut Message, name: &str, number: Option<T>) {
    if let Some(number) = number {
        message.push(name, Item::Word(number.to_string()));
    }
}

fn push_stage(message: &mut Message, stage: Stage) {
    if stage != Stage::Unknown {
        message.push("lifecycle_stage", Item::Word(stage.name().to_uppercase()));
    }
}

fn push_inner(message: &mut Message, name: &str, fill: impl FnOnce(&mut Message)) {
    let mut inside = Message::default();
    fill(&mut inside);
    message.push(name, Item::Message(inside));
}

/// Puts back what was kept; messages that are there already take it in.
fn push_rest(message: &mut Message, rest: &str) {
    let Ok(rest) = Message::read(rest) else { return };
    for (name, item) in rest.fields {
        let known = message
            .fields
            .iter_mut()
            .find(|(field, _)| *field == name && matches!(name.as_str(), "annotation" | "int_domain" | "float_domain"));
        match (known, item) {
            (Some((_, Item::Message(inside))), Item::Message(more)) => inside.fields.extend(more.fields),
            (_, item) => message.fields.push((name, item)),
        }
    }
}
