//! Which columns are there, of which type, with how many values in a row; and how far they are from the other data set.

use super::super::{Comparator, Counts, Feature, Schema, Stage, Type};
use super::{Subject, values};
use crate::validate::compare::{jensen_shannon_bits, largest_difference};
use crate::validate::finding::{Dataset, Finding, percent, short};
use crate::validate::stats::{ColumnStats, DatasetStats, Kind};

pub fn check(findings: &mut Vec<Finding>, schema: &Schema, subject: &Subject<'_>) {
    for feature in &schema.feature {
        if !feature.stage.in_use() || !belongs(schema, feature, subject.environment) {
            continue;
        }
        if let Some(other) = subject.against {
            comparators(findings, feature, subject.train, other);
        }
        let Some(column) = subject.train.column(&feature.name) else {
            missing(findings, feature);
            continue;
        };
        presence(findings, feature, column);
        if column.present == 0 {
            continue;
        }
        let before = findings.len();
        types(findings, feature, column);
        let typed = findings.len() == before;
        nestedness(findings, feature, column);
        shape(findings, feature, column);
        values::check(findings, schema, feature, column, typed);
        values::tokens(findings, schema, feature, column, subject.train);
    }
    let expected = |name: &str| {
        let mut features = schema.feature.iter().filter(|feature| feature.name == name);
        is_part(schema, name) || features.any(|feature| belongs(schema, feature, subject.environment))
    };
    for name in subject.train.names().iter().filter(|name| !expected(name)) {
        let place = if schema.feature(name).is_some() { "does not belong to this environment" } else { "is not in the schema" };
        findings.push(
            Finding::warning("schema_new_column", Dataset::Train, format!("column {name} {place}"))
                .in_column(name)
                .figures("none", "a column")
                .fix(format!("add [[feature]] name = \"{name}\" to the schema, or do not write the column")),
        );
    }
}

/// Whether a feature is expected in an environment.
fn belongs(schema: &Schema, feature: &Feature, environment: Option<&str>) -> bool {
    let Some(environment) = environment else { return true };
    let among = |names: &[String]| names.iter().any(|name| name == environment);
    if among(&feature.not_in_environments) {
        return false;
    }
    if !feature.in_environments.is_empty() {
        return among(&feature.in_environments);
    }
    schema.environments.is_empty() || among(&schema.environments)
}

/// Whether a column is part of a struct, a sparse or a weighted feature.
fn is_part(schema: &Schema, name: &str) -> bool {
    schema.sparse.iter().any(|sparse| sparse.value == *name || sparse.index.iter().any(|index| index == name))
        || schema.weighted.iter().any(|weighted| weighted.feature == *name || weighted.weight == *name)
        || schema.feature.iter().any(|feature| {
            feature.kind == Some(Type::Struct) && name.strip_prefix(&feature.name).is_some_and(|rest| rest.starts_with('.'))
        })
}

fn required(feature: &Feature) -> bool {
    feature.min_count.is_some_and(|count| count > 0) || feature.min_fraction.is_some_and(|fraction| fraction > 0.0)
}

fn missing(findings: &mut Vec<Finding>, feature: &Feature) {
    if required(feature) && feature.kind != Some(Type::Struct) && feature.stage != Stage::ValidationDerived {
        findings.push(
            Finding::error("schema_missing_column", Dataset::Train, format!("column {} is missing from train", feature.name))
                .in_column(&feature.name)
                .figures("a column", "none")
                .fix("write the column, or set its stage to deprecated in the schema"),
        );
    }
}

fn presence(findings: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let name = &feature.name;
    let (present, rows) = (column.present, column.rows());
    if present == 0 && required(feature) {
        findings.push(
            Finding::error("feature_type_not_present", Dataset::Train, format!("column {name} has no value in any row"))
                .in_column(name)
                .figures("values", 0.0)
                .fix("look at the step that writes the column"),
        );
        return;
    }
    let share = present as f64 / rows.max(1) as f64;
    // A fraction above 1 is a fault of the schema.
    if let Some(min) = feature.min_fraction.filter(|min| *min <= 1.0 && share < *min) {
        findings.push(
            Finding::error(
                "feature_type_low_fraction_present",
                Dataset::Train,
                format!("column {name} has a value in {} of the rows, the schema wants {}", percent(share), percent(min)),
            )
            .in_column(name)
            .figures(min, share)
            .fix("look for a failed join, or lower min_fraction"),
        );
    }
    if let Some(min) = feature.min_count.filter(|min| present < *min) {
        findings.push(
            Finding::error(
                "feature_type_low_number_present",
                Dataset::Train,
                format!("column {name} has a value in {present} rows, the schema wants {min}"),
            )
            .in_column(name)
            .figures(min, present)
            .fix("look for rows that are lost, or lower min_count"),
        );
    }
}

fn types(findings: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let numbers_in_text = feature.int_range.is_some() || feature.float_range.is_some();
    let listed = feature.values.is_some() || feature.domain.is_some() || feature.truth.is_some();
    let found = match feature.kind {
        Some(Type::Int) if column.texts > 0 && feature.int_range.is_none() => Some("texts"),
        Some(Type::Int) if column.floats > 0 => Some("fractions"),
        Some(Type::Float) if column.texts > 0 && feature.float_range.is_none() => Some("texts"),
        Some(Type::Float) if column.bools > 0 && feature.truth.is_none() => Some("truths"),
        Some(Type::Text) if column.texts == 0 && column.kind() != Kind::Empty && !numbers_in_text && !listed => Some("numbers"),
        Some(Type::Struct) if column.values() > 0 => Some("values"),
        _ => None,
    };
    if let (Some(found), Some(kind)) = (found, feature.kind) {
        findings.push(
            Finding::error(
                "unexpected_data_type",
                Dataset::Train,
                format!("column {} holds {found}, the schema has the type {}", feature.name, kind.name()),
            )
            .in_column(&feature.name)
            .figures(kind.name(), found)
            .fix("write the column with the type of the schema, or change the schema"),
        );
    }
}

fn nestedness(findings: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let name = &feature.name;
    let depth = usize::from(if column.lists > 0 { column.depth } else { 1 });
    if !feature.value_count.is_empty() && feature.value_count.len() != depth {
        let message = format!("column {name} has lists {depth} deep, the schema has {}", feature.value_count.len());
        findings.push(
            Finding::error("value_nestedness_mismatch", Dataset::Train, message)
                .in_column(name)
                .figures(feature.value_count.len() as u64, depth as u64)
                .fix("write one value_count for each level of lists, or flatten the lists"),
        );
        return;
    }
    // Lists in lists are counted as one list of all their values.
    let [Counts { min, max }] = feature.value_count.as_slice() else { return };
    let single = column.lists < column.present;
    let fewest = column.lengths.min().map_or(1.0, |fewest| if single { fewest.min(1.0) } else { fewest });
    let most = column.lengths.max().map_or(1.0, |most| if single { most.max(1.0) } else { most });
    if let Some(min) = min.filter(|min| fewest < *min as f64) {
        findings.push(
            Finding::error(
                "feature_type_low_number_values",
                Dataset::Train,
                format!("column {name} has a row with {fewest} values, the schema wants at least {min}"),
            )
            .in_column(name)
            .figures(min as f64, fewest)
            .fix("look for lists that were cut, or lower the minimum of value_count"),
        );
    }
    if let Some(max) = max.filter(|max| most > *max as f64) {
        findings.push(
            Finding::error(
                "feature_type_high_number_values",
                Dataset::Train,
                format!("column {name} has a row with {most} values, the schema allows {max}"),
            )
            .in_column(name)
            .figures(max as f64, most)
            .fix("look for lists that were joined, or raise the maximum of value_count"),
        );
    }
}

fn shape(findings: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let Some(shape) = &feature.shape else { return };
    let wanted = shape.iter().product::<u64>().max(1) as f64;
    let single = column.lists == 0;
    let (fewest, most) =
        if single { (1.0, 1.0) } else { (column.lengths.min().unwrap_or(0.0), column.lengths.max().unwrap_or(0.0)) };
    let mixed = column.lists > 0 && column.lists < column.present;
    let what = if column.missing > 0 {
        format!("{} rows have no value", column.missing)
    } else if fewest != most || mixed {
        format!("rows have {} to {} values", fewest.min(if mixed { 1.0 } else { fewest }), most)
    } else if most != wanted {
        format!("rows have {most} values")
    } else {
        return;
    };
    findings.push(
        Finding::error(
            "invalid_feature_shape",
            Dataset::Train,
            format!("column {}: {what}, the schema has the shape {shape:?}", feature.name),
        )
        .in_column(&feature.name)
        .figures(wanted, most)
        .fix("write vectors of one length in every row"),
    );
}

fn comparators(findings: &mut Vec<Finding>, feature: &Feature, train: &DatasetStats, against: &DatasetStats) {
    let name = &feature.name;
    for (word, rule) in [("skew", feature.skew), ("drift", feature.drift)] {
        let Some(Comparator { infinity_norm, jensen_shannon, normalized_difference }) = rule else { continue };
        let (ours, theirs) =
            (train.column(name).filter(|column| column.present > 0), against.column(name).filter(|column| column.present > 0));
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            let (code, side) = if theirs.is_none() {
                ("comparator_control_data_missing", Dataset::Against)
            } else {
                ("comparator_treatment_data_missing", Dataset::Train)
            };
            findings.push(
                Finding::error(code, side, format!("column {name} has a threshold for {word} and no values in {}", side.name()))
                    .in_column(name)
                    .fix("write the column on both sides, or take the threshold out"),
            );
            continue;
        };
        let mut high = |code: &'static str, measure: &str, found: f64, limit: f64| {
            if found > limit {
                findings.push(
                    Finding::error(
                        code,
                        Dataset::Train,
                        format!(
                            "column {name}: {measure} from against is {}, the threshold for {word} is {}",
                            short(found),
                            short(limit)
                        ),
                    )
                    .in_column(name)
                    .figures(limit, found)
                    .fix("compare the distributions in the report; if the change is meant, raise the threshold"),
                );
            }
        };
        let mut unknown = Vec::new();
        if let Some(limit) = infinity_norm {
            match largest_difference(ours, theirs, false) {
                Some(found) => high("comparator_l_infty_high", "the L-infinity distance", found, limit),
                None => unknown.push("L-infinity distance"),
            }
        }
        if let Some(limit) = normalized_difference {
            match largest_difference(ours, theirs, true) {
                Some(found) => {
                    high("comparator_normalized_absolute_difference_high", "the normalized absolute difference", found, limit)
                }
                None => unknown.push("normalized absolute difference"),
            }
        }
        if let Some(limit) = jensen_shannon {
            match jensen_shannon_bits(ours, theirs) {
                Some(found) => high("comparator_jensen_shannon_divergence_high", "the Jensen-Shannon divergence", found, limit),
                None => unknown.push("Jensen-Shannon divergence"),
            }
        }
        if !unknown.is_empty() {
            findings.push(
                Finding::warning(
                    "stats_not_available",
                    Dataset::Train,
                    format!("column {name}: no {} can be given for its type", unknown.join(", no ")),
                )
                .in_column(name)
                .fix("use a threshold of another measure"),
            );
        }
    }
}
