//! What changed from one schema to another.

use super::{Feature, Schema};

/// One line for each change, `+` for what came, `-` for what went.
#[must_use]
pub fn diff(old: &Schema, new: &Schema) -> Vec<String> {
    let mut changes = Vec::new();
    if old.version != new.version {
        changes.push(format!("version: {} -> {}", old.version, new.version));
    }
    if old.environments != new.environments {
        changes.push(format!("environments: {:?} -> {:?}", old.environments, new.environments));
    }
    if old.dataset != new.dataset {
        changes.push("rules for the number of rows changed".to_owned());
    }
    for feature in &old.feature {
        match new.feature(&feature.name) {
            None => changes.push(format!("- feature {}", feature.name)),
            Some(other) => features(&mut changes, feature, other),
        }
    }
    for feature in new.feature.iter().filter(|feature| old.feature(&feature.name).is_none()) {
        changes.push(format!("+ feature {}", feature.name));
    }
    let slices = |schema: &Schema| -> Vec<String> {
        schema.slice.iter().map(|rule| format!("slice {}={} of at least {}", rule.column, rule.value, rule.min_share)).collect()
    };
    lists(&mut changes, "", &slices(old), &slices(new));
    for domain in &new.domain {
        lists(
            &mut changes,
            &format!("domain {}: ", domain.name),
            old.values_of(&domain.name).unwrap_or_default(),
            &domain.values,
        );
    }
    for domain in old.domain.iter().filter(|domain| new.values_of(&domain.name).is_none()) {
        changes.push(format!("- domain {}", domain.name));
    }
    if old.sparse != new.sparse || old.weighted != new.weighted {
        changes.push("sparse or weighted features changed".to_owned());
    }
    if old.tfdv != new.tfdv {
        changes.push("other fields of the TensorFlow schema changed".to_owned());
    }
    changes
}

fn features(changes: &mut Vec<String>, old: &Feature, new: &Feature) {
    let name = &old.name;
    lists(
        changes,
        &format!("feature {name}: value "),
        old.values.as_deref().unwrap_or_default(),
        new.values.as_deref().unwrap_or_default(),
    );
    let mut field = |what: &str, old: String, new: String| {
        if old != new {
            changes.push(format!("feature {name}: {what} {old} -> {new}"));
        }
    };
    let kind = |feature: &Feature| feature.kind.map_or("none", super::Type::name).to_owned();
    field("type", kind(old), kind(new));
    field("unit", format!("{:?}", old.unit), format!("{:?}", new.unit));
    field("stage", old.stage.name().to_owned(), new.stage.name().to_owned());
    field("min_fraction", of(old.min_fraction), of(new.min_fraction));
    field("min_count", of(old.min_count), of(new.min_count));
    field("value_count", format!("{:?}", old.value_count), format!("{:?}", new.value_count));
    field("shape", format!("{:?}", old.shape), format!("{:?}", new.shape));
    field("domain", format!("{:?}", old.domain), format!("{:?}", new.domain));
    field("listed", old.values.is_some().to_string(), new.values.is_some().to_string());
    field("min_domain_mass", of(old.min_domain_mass), of(new.min_domain_mass));
    field("int_range", format!("{:?}", old.int_range), format!("{:?}", new.int_range));
    field("float_range", format!("{:?}", old.float_range), format!("{:?}", new.float_range));
    field("truth", format!("{:?}", old.truth), format!("{:?}", new.truth));
    field("language", format!("{:?}", old.language), format!("{:?}", new.language));
    field("image", format!("{:?}", old.image), format!("{:?}", new.image));
    field("unique", format!("{:?}", old.unique), format!("{:?}", new.unique));
    field("in_environments", format!("{:?}", old.in_environments), format!("{:?}", new.in_environments));
    field("not_in_environments", format!("{:?}", old.not_in_environments), format!("{:?}", new.not_in_environments));
    field("skew", format!("{:?}", old.skew), format!("{:?}", new.skew));
    field("drift", format!("{:?}", old.drift), format!("{:?}", new.drift));
    field("derived", format!("{:?}", old.derived), format!("{:?}", new.derived));
    field("tfdv", format!("{:?}", old.tfdv), format!("{:?}", new.tfdv));
}

fn of<T: ToString>(number: Option<T>) -> String {
    number.map_or("none".to_owned(), |number| number.to_string())
}

fn lists(changes: &mut Vec<String>, what: &str, old: &[String], new: &[String]) {
    changes.extend(old.iter().filter(|value| !new.contains(value)).map(|value| format!("- {what}{value}")));
    changes.extend(new.iter().filter(|value| !old.contains(value)).map(|value| format!("+ {what}{value}")));
}
