//! What is wrong with a schema whatever the data are.

use super::super::{Feature, Schema, Stage, Type};
use crate::validate::finding::{Dataset, Finding};

pub fn check(schema: &Schema) -> Vec<Finding> {
    let mut findings = Vec::new();
    for feature in schema.feature.iter().filter(|feature| feature.stage != Stage::Disabled) {
        one(&mut findings, schema, feature);
    }
    let used = |name: &str| schema.feature.iter().any(|feature| feature.name == name && feature.stage.in_use());
    let sparse_used = |name: &str| schema.sparse.iter().any(|sparse| sparse.name == name && sparse.stage.in_use());
    for sparse in schema.sparse.iter().filter(|sparse| sparse.stage.in_use() && used(&sparse.name)) {
        findings.push(wrong(
            "sparse_feature_name_collision",
            &sparse.name,
            "a sparse feature and a feature have this name",
            "give one of them another name",
        ));
    }
    for weighted in schema.weighted.iter().filter(|weighted| weighted.stage.in_use()) {
        if used(&weighted.name) || sparse_used(&weighted.name) {
            findings.push(wrong(
                "weighted_feature_name_collision",
                &weighted.name,
                "a weighted feature and another feature have this name",
                "give one of them another name",
            ));
        }
    }
    for rule in schema.slice.iter().filter(|rule| !(0.0..=1.0).contains(&rule.min_share)) {
        findings.push(wrong(
            "invalid_schema_specification",
            &rule.column,
            &format!("the min_share of {}={} must be in [0, 1], got {}", rule.column, rule.value, rule.min_share),
            "write a share, 0.1 for 10 %",
        ));
    }
    findings
}

fn one(findings: &mut Vec<Finding>, schema: &Schema, feature: &Feature) {
    let name = feature.name.as_str();
    if name.is_empty() {
        findings.push(wrong("feature_missing_name", "", "a feature has no name", "give it the name of its column"));
    }
    if feature.kind.is_none() {
        findings.push(wrong(
            "feature_missing_type",
            name,
            "the feature has no type",
            "add type = \"int\", \"float\", \"text\" or \"struct\"",
        ));
    }
    let mut invalid = |what: String| {
        findings.push(wrong("invalid_schema_specification", name, &what, "correct the schema"));
    };
    if let Some(fraction) = feature.min_fraction.filter(|fraction| !(0.0..=1.0).contains(fraction)) {
        invalid(format!("min_fraction must be in [0, 1], got {fraction}"));
    }
    for count in &feature.value_count {
        if count.min.is_some_and(|min| min < 0) || count.min.zip(count.max).is_some_and(|(min, max)| min > max) {
            invalid(format!("value_count from {:?} to {:?} allows nothing", count.min.unwrap_or(0), count.max));
        }
    }
    let other_domain = feature.truth.is_some()
        || feature.int_range.is_some()
        || feature.float_range.is_some()
        || feature.image.is_some()
        || feature.language.is_some();
    let listed = feature.values.is_some() || feature.domain.is_some();
    if feature.min_domain_mass.is_some() && (other_domain || !listed) {
        invalid("min_domain_mass needs a list of values, and only that".to_owned());
    }
    if feature.min_domain_mass.is_some_and(|mass| !(0.0..=1.0).contains(&mass)) {
        invalid("min_domain_mass must be in [0, 1]".to_owned());
    }
    if feature.shape.is_some() && !feature.value_count.is_empty() {
        invalid("shape and value_count exclude each other".to_owned());
    }
    if feature.unique.is_some_and(|unique| unique.min.zip(unique.max).is_some_and(|(min, max)| min > max)) {
        invalid("unique allows no number of values".to_owned());
    }
    domains(findings, schema, feature);
    derived(findings, schema, feature);
}

fn domains(findings: &mut Vec<Finding>, schema: &Schema, feature: &Feature) {
    let name = feature.name.as_str();
    let mut invalid =
        |what: String| findings.push(wrong("invalid_domain_specification", name, &what, "correct the domain in the schema"));
    if let Some(domain) = feature.domain.as_deref().filter(|domain| schema.values_of(domain).is_none()) {
        invalid(format!("the domain {domain} is not in the schema"));
    }
    if let Some(truth) = &feature.truth
        && truth.yes.is_some()
        && truth.yes == truth.no
    {
        invalid("true and false are written the same way".to_owned());
    }
    if let Some(values) = &feature.values {
        let mut sorted = values.clone();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            invalid(format!("the value {} is listed twice", twice[0]));
        }
    }
    if feature.int_range.is_some_and(|range| range.min.zip(range.max).is_some_and(|(min, max)| min > max))
        || feature.float_range.is_some_and(|range| range.min.zip(range.max).is_some_and(|(min, max)| min > max))
    {
        invalid("the range allows nothing".to_owned());
    }
    let kind = feature.kind;
    let misfit = match kind {
        Some(Type::Int) => feature.float_range.is_some().then_some("a range of fractions"),
        Some(Type::Float) => feature.int_range.is_some().then_some("a range of whole numbers"),
        _ => None,
    };
    let not_text = matches!(kind, Some(Type::Int | Type::Float | Type::Struct));
    let misfit = misfit
        .or_else(|| (not_text && feature.image.is_some()).then_some("images"))
        .or_else(|| (kind == Some(Type::Float) && feature.values.is_some()).then_some("a list of texts"))
        .or_else(|| {
            (kind == Some(Type::Struct) && (feature.int_range.is_some() || feature.values.is_some() || feature.truth.is_some()))
                .then_some("values")
        });
    if let (Some(misfit), Some(kind)) = (misfit, kind) {
        findings.push(wrong(
            "domain_invalid_for_type",
            name,
            &format!("{misfit} cannot be the domain of the type {}", kind.name()),
            "change the type or the domain",
        ));
    }
    let words = feature.truth.as_ref().is_some_and(|truth| truth.yes.is_some() || truth.no.is_some());
    if words && matches!(kind, Some(Type::Int | Type::Float)) {
        findings.push(wrong(
            "bool_type_invalid_config",
            name,
            "numbers are true as 1 and false as 0; words for them are for texts",
            "leave the words out, or make the type text",
        ));
    }
}

fn derived(findings: &mut Vec<Finding>, schema: &Schema, feature: &Feature) {
    let Some(derived) = &feature.derived else { return };
    if !matches!(feature.stage, Stage::ValidationDerived | Stage::Disabled) {
        findings.push(wrong(
            "derived_feature_bad_lifecycle",
            &feature.name,
            &format!("a derived feature has the stage validation_derived, not {}", feature.stage.name()),
            "set stage = \"validation_derived\"",
        ));
    }
    let unknown = derived.from.iter().find(|source| schema.feature(source).is_none() || **source == feature.name);
    if derived.by.is_empty() || derived.from.is_empty() || unknown.is_some() {
        let what = unknown.map_or("it says not what makes it, or of what".to_owned(), |source| {
            format!("it is made of {source}, which is no other feature")
        });
        findings.push(wrong("derived_feature_invalid_source", &feature.name, &what, "name the columns it is made of"));
    }
}

fn wrong(code: &'static str, name: &str, what: &str, fix: &str) -> Finding {
    let finding = Finding::error(
        code,
        Dataset::Schema,
        if name.is_empty() { what.to_owned() } else { format!("schema of {name}: {what}") },
    );
    if name.is_empty() { finding } else { finding.in_column(name) }.fix(fix)
}
