//! The schema of TensorFlow metadata (`tensorflow_metadata.proto.v0.Schema`) in text format.

mod write;

pub use write::write;

use super::proto::{Item, Message};
use super::{
    Comparator, Counts, Derived, Domain, Feature, FloatRange, Fractions, Image, Language, Schema, SliceRule, Sparse, Stage,
    Token, Truth, Type, Weighted,
};

/// Reads a schema.
///
/// # Errors
/// What was expected, with line and column, or with the field.
pub fn read(text: &str) -> Result<Schema, String> {
    let mut message = Message::read(text)?;
    let mut schema = Schema { format: super::FORMAT, ..Schema::default() };
    for item in message.take("feature") {
        schema.feature.push(feature(messages(item, "feature")?)?);
    }
    for item in message.take("sparse_feature") {
        schema.sparse.push(sparse(messages(item, "sparse_feature")?)?);
    }
    for item in message.take("weighted_feature") {
        schema.weighted.push(weighted(messages(item, "weighted_feature")?)?);
    }
    for item in message.take("string_domain") {
        let mut domain = messages(item, "string_domain")?;
        schema
            .domain
            .push(Domain { name: text_of(&mut domain, "name")?.unwrap_or_default(), values: texts(&mut domain, "value")? });
    }
    schema.environments = texts(&mut message, "default_environment")?;
    if let Some(mut rules) = inner(&mut message, "dataset_constraints")? {
        schema.dataset.min_rows = number(&mut rules, "min_examples_count")?;
        schema.dataset.max_rows = number(&mut rules, "max_examples_count")?;
        let mut fractions = |name: &str| -> Result<Option<Fractions>, String> {
            let Some(mut rule) = inner(&mut rules, name)? else { return Ok(None) };
            Ok(Some(Fractions {
                min: number(&mut rule, "min_fraction_threshold")?,
                max: number(&mut rule, "max_fraction_threshold")?,
            }))
        };
        schema.dataset.drift = fractions("num_examples_drift_comparator")?;
        schema.dataset.version = fractions("num_examples_version_comparator")?;
    }
    // Our own rules travel as annotations, which TensorFlow passes on without looking.
    if let Some(mut annotation) = inner(&mut message, "annotation")? {
        let mut others = Message::default();
        for item in annotation.take("tag") {
            match &item {
                Item::Text(tag) if tag.starts_with(SLICE) => schema.slice.extend(slice_of(tag)),
                Item::Text(tag) if tag.starts_with(VERSION) => schema.version = tag[VERSION.len()..].parse().unwrap_or_default(),
                _ => others.push("tag", item),
            }
        }
        others.fields.extend(annotation.fields);
        if !others.fields.is_empty() {
            message.push("annotation", Item::Message(others));
        }
    }
    schema.tfdv = message.text();
    Ok(schema)
}

const SLICE: &str = "ears-lab slice ";
const VERSION: &str = "ears-lab version ";
const UNIT: &str = "ears-lab unit ";

fn slice_of(tag: &str) -> Option<SliceRule> {
    let (shares, name) = tag[SLICE.len()..].split_once(' ')?;
    let (min, usual) = shares.split_once('/').unwrap_or((shares, ""));
    let (column, value) = name.split_once('=')?;
    Some(SliceRule {
        column: column.to_owned(),
        value: value.to_owned(),
        min_share: min.parse().ok()?,
        usual_share: usual.parse().ok(),
    })
}

fn feature(mut message: Message) -> Result<Feature, String> {
    let m = &mut message;
    let mut feature = Feature { name: text_of(m, "name")?.unwrap_or_default(), ..Feature::default() };
    feature.kind = match word(m, "type").as_deref() {
        Some("INT" | "2") => Some(Type::Int),
        Some("FLOAT" | "3") => Some(Type::Float),
        Some("BYTES" | "1") => Some(Type::Text),
        Some("STRUCT" | "4") => Some(Type::Struct),
        Some("TYPE_UNKNOWN" | "0") | None => None,
        Some(other) => return Err(format!("{other} where INT, FLOAT, BYTES or STRUCT should stand (feature {})", feature.name)),
    };
    feature.stage = stage(m)?;
    if let Some(mut presence) = inner(m, "presence")? {
        feature.min_fraction = number(&mut presence, "min_fraction")?;
        feature.min_count = number(&mut presence, "min_count")?;
    }
    let counts = |mut count: Message| -> Result<Counts, String> {
        Ok(Counts { min: number(&mut count, "min")?, max: number(&mut count, "max")? })
    };
    if let Some(count) = inner(m, "value_count")? {
        feature.value_count.push(counts(count)?);
    }
    if let Some(mut levels) = inner(m, "value_counts")? {
        for item in levels.take("value_count") {
            feature.value_count.push(counts(messages(item, "value_count")?)?);
        }
    }
    if let Some(mut shape) = inner(m, "shape")? {
        let mut sizes = Vec::new();
        for item in shape.take("dim") {
            sizes.push(number(&mut messages(item, "dim")?, "size")?.unwrap_or_default());
        }
        feature.shape = Some(sizes);
    }
    feature.domain = text_of(m, "domain")?;
    if let Some(mut domain) = inner(m, "string_domain")? {
        feature.values = Some(texts(&mut domain, "value")?);
    }
    if let Some(mut range) = inner(m, "int_domain")? {
        feature.int_range = Some(Counts { min: number(&mut range, "min")?, max: number(&mut range, "max")? });
        keep(m, "int_domain", range, &["is_categorical", "name"]);
    }
    if let Some(mut range) = inner(m, "float_domain")? {
        feature.float_range = Some(FloatRange {
            min: number(&mut range, "min")?,
            max: number(&mut range, "max")?,
            no_nan: word(&mut range, "disallow_nan").as_deref() == Some("true"),
            no_infinite: word(&mut range, "disallow_inf").as_deref() == Some("true"),
        });
        keep(m, "float_domain", range, &["is_categorical", "is_embedding", "embedding_dim", "name"]);
    }
    if let Some(mut truth) = inner(m, "bool_domain")? {
        feature.truth = Some(Truth { yes: text_of(&mut truth, "true_value")?, no: text_of(&mut truth, "false_value")? });
    }
    if let Some(language) = inner(m, "natural_language_domain")? {
        feature.language = Some(natural(language)?);
    }
    if let Some(mut image) = inner(m, "image_domain")? {
        feature.image = Some(Image {
            min_supported: number(&mut image, "minimum_supported_image_fraction")?,
            max_bytes: number(&mut image, "max_image_byte_size")?,
        });
    }
    if let Some(mut rule) = inner(m, "distribution_constraints")? {
        // 1 is what the message says when it says nothing.
        feature.min_domain_mass = Some(number(&mut rule, "min_domain_mass")?.unwrap_or(1.0));
    }
    if let Some(mut unique) = inner(m, "unique_constraints")? {
        feature.unique = Some(Counts { min: number(&mut unique, "min")?, max: number(&mut unique, "max")? });
    }
    feature.in_environments = texts(m, "in_environment")?;
    feature.not_in_environments = texts(m, "not_in_environment")?;
    feature.skew = comparator(m, "skew_comparator")?;
    feature.drift = comparator(m, "drift_comparator")?;
    if let Some(mut derived) = inner(m, "validation_derived_source")? {
        let mut from = Vec::new();
        for item in derived.take("source_path") {
            from.push(texts(&mut messages(item, "source_path")?, "step")?.join("."));
        }
        feature.derived = Some(Derived { by: text_of(&mut derived, "deriver_name")?.unwrap_or_default(), from });
    }
    if let Some(mut annotation) = inner(m, "annotation")? {
        let mut others = Message::default();
        for item in annotation.take("tag") {
            match &item {
                Item::Text(tag) if tag.starts_with(UNIT) => feature.unit = tag[UNIT.len()..].to_owned(),
                _ => others.push("tag", item),
            }
        }
        others.fields.extend(annotation.fields);
        if !others.fields.is_empty() {
            m.push("annotation", Item::Message(others));
        }
    }
    feature.tfdv = message.text();
    Ok(feature)
}

/// Keeps what a domain says besides its range.
fn keep(message: &mut Message, name: &str, mut rest: Message, known: &[&str]) {
    rest.fields.retain(|(field, _)| known.contains(&field.as_str()));
    if !rest.fields.is_empty() {
        message.push(name, Item::Message(rest));
    }
}

fn natural(mut message: Message) -> Result<Language, String> {
    let mut language = Language { vocabulary: text_of(&mut message, "vocabulary")?, ..Language::default() };
    if let Some(mut coverage) = inner(&mut message, "coverage")? {
        language.min_coverage = number(&mut coverage, "min_coverage")?;
        language.min_token_length = number(&mut coverage, "min_avg_token_length")?;
    }
    let mut rules = message.take("token_constraints");
    if let Some(mut single) = inner(&mut message, "token_constraint")? {
        rules.extend(single.take("token_constraint"));
    }
    for item in rules {
        let mut rule = messages(item, "token_constraints")?;
        let value = match text_of(&mut rule, "string_value")? {
            Some(text) => text,
            None => word(&mut rule, "int_value").unwrap_or_default(),
        };
        language.token.push(Token {
            value,
            min_per_row: number(&mut rule, "min_per_sequence")?,
            max_per_row: number(&mut rule, "max_per_sequence")?,
            min_fraction: number(&mut rule, "min_fraction_of_sequences")?,
            max_fraction: number(&mut rule, "max_fraction_of_sequences")?,
        });
    }
    Ok(language)
}

fn comparator(message: &mut Message, name: &str) -> Result<Option<Comparator>, String> {
    let Some(mut rule) = inner(message, name)? else { return Ok(None) };
    let mut threshold = |name: &str| -> Result<Option<f64>, String> {
        let Some(mut inside) = inner(&mut rule, name)? else { return Ok(None) };
        number(&mut inside, "threshold")
    };
    Ok(Some(Comparator {
        infinity_norm: threshold("infinity_norm")?,
        jensen_shannon: threshold("jensen_shannon_divergence")?,
        normalized_difference: threshold("normalized_abs_difference")?,
    }))
}

fn sparse(mut message: Message) -> Result<Sparse, String> {
    let mut index = Vec::new();
    for item in message.take("index_feature") {
        index.extend(text_of(&mut messages(item, "index_feature")?, "name")?);
    }
    let value = match inner(&mut message, "value_feature")? {
        Some(mut value) => text_of(&mut value, "name")?.unwrap_or_default(),
        None => String::new(),
    };
    let (name, stage) = (text_of(&mut message, "name")?.unwrap_or_default(), stage(&mut message)?);
    Ok(Sparse { name, stage, index, value, tfdv: message.text() })
}

fn weighted(mut message: Message) -> Result<Weighted, String> {
    let mut path = |name: &str| -> Result<String, String> {
        let Some(mut path) = inner(&mut message, name)? else { return Ok(String::new()) };
        Ok(texts(&mut path, "step")?.join("."))
    };
    let (feature, weight) = (path("feature")?, path("weight_feature")?);
    let (name, stage) = (text_of(&mut message, "name")?.unwrap_or_default(), stage(&mut message)?);
    Ok(Weighted { name, stage, feature, weight, tfdv: message.text() })
}

fn stage(message: &mut Message) -> Result<Stage, String> {
    let Some(word) = word(message, "lifecycle_stage") else { return Ok(Stage::Unknown) };
    let name = word.to_lowercase();
    let name = if name == "unknown_stage" { "unknown" } else { &name };
    let known = Stage::ALL.iter().find(|(_, known)| *known == name);
    known.map(|(stage, _)| *stage).ok_or_else(|| format!("{word} where a lifecycle stage should stand"))
}

fn messages(item: Item, name: &str) -> Result<Message, String> {
    match item {
        Item::Message(message) => Ok(message),
        _ => Err(format!("a value where the message {name} should stand")),
    }
}

/// The message in a field; several are put together, as the format has it.
fn inner(message: &mut Message, name: &str) -> Result<Option<Message>, String> {
    let mut all: Option<Message> = None;
    for item in message.take(name) {
        all.get_or_insert_with(Message::default).fields.extend(messages(item, name)?.fields);
    }
    Ok(all)
}

fn texts(message: &mut Message, name: &str) -> Result<Vec<String>, String> {
    message
        .take(name)
        .into_iter()
        .map(|item| match item {
            Item::Text(text) => Ok(text),
            _ => Err(format!("no text in the field {name}")),
        })
        .collect()
}

fn text_of(message: &mut Message, name: &str) -> Result<Option<String>, String> {
    Ok(texts(message, name)?.pop())
}

fn word(message: &mut Message, name: &str) -> Option<String> {
    match message.take(name).pop() {
        Some(Item::Word(word)) => Some(word),
        _ => None,
    }
}

fn number<T: std::str::FromStr>(message: &mut Message, name: &str) -> Result<Option<T>, String> {
    let Some(word) = word(message, name) else { return Ok(None) };
    let digits = word.strip_suffix(['f', 'F']).filter(|digits| digits.parse::<f64>().is_ok()).unwrap_or(&word);
    digits.parse().map(Some).map_err(|_| format!("{word} where the number {name} should stand"))
}
