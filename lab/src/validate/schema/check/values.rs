//! Which values a column may hold.

use super::super::{Feature, Schema, Token, Type};
use crate::validate::finding::{Dataset, Finding, percent, short};
use crate::validate::sketch::Value;
use crate::validate::stats::{ColumnStats, DatasetStats, Kind};

/// Values that a message names.
const NAMED: usize = 5;

/// A column this full of images or of sentences is one.
const MOSTLY: f64 = 0.9;

pub fn check(findings: &mut Vec<Finding>, schema: &Schema, feature: &Feature, column: &ColumnStats, typed: bool) {
    let name = feature.name.as_str();
    let mut found = Vec::new();
    if column.not_utf8 > 0 && feature.image.is_none() && column.images == 0 {
        let message = format!("{} values are not UTF-8", column.not_utf8);
        found.push(
            Finding::error("enum_type_invalid_utf8", Dataset::Train, message)
                .figures(0.0, column.not_utf8)
                .fix("write the texts as UTF-8"),
        );
    }
    listed(&mut found, schema, feature, column);
    truths(&mut found, feature, column, typed);
    if typed {
        whole(&mut found, feature, column);
        fractions(&mut found, feature, column);
    }
    unique(&mut found, feature, column);
    images(&mut found, feature, column);
    findings.extend(
        found
            .into_iter()
            .map(|finding| Finding { message: format!("column {name}: {}", finding.message), ..finding }.in_column(name)),
    );
}

/// The values that are not among `allowed`, and their share.
fn others(column: &ColumnStats, allowed: &[&str]) -> (Vec<String>, f64) {
    let (mut names, mut known) = (Vec::new(), 0);
    for held in column.top.sorted() {
        let value = held.value.to_string();
        if allowed.contains(&value.as_str()) { known += held.count + column.top.error() } else { names.push(value) }
    }
    let countable = column.values() - column.floats;
    let outside = countable.saturating_sub(known) as f64 / countable.max(1) as f64;
    names.truncate(NAMED);
    (names, outside)
}

fn listed(found: &mut Vec<Finding>, schema: &Schema, feature: &Feature, column: &ColumnStats) {
    let shared = feature.domain.as_deref().and_then(|domain| schema.values_of(domain));
    let Some(values) = feature.values.as_deref().or(shared) else { return };
    let allowed: Vec<&str> = values.iter().map(String::as_str).collect();
    let (names, outside) = others(column, &allowed);
    let mass = feature.min_domain_mass.unwrap_or(1.0);
    if outside > 1.0 - mass + 1e-12 && !names.is_empty() {
        let message = format!("{} of the values are not listed: {}", percent(outside), names.join(", "));
        found.push(
            Finding::error("enum_type_unexpected_string_values", Dataset::Train, message)
                .figures(1.0 - mass, outside)
                .fix("add them to the list in the schema if they are meant, or correct the data"),
        );
    }
}

fn truths(found: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats, typed: bool) {
    let Some(truth) = &feature.truth else { return };
    let (min, max) = (column.moments.min(), column.moments.max());
    let mut report = |code: &'static str, message: String, seen: String| {
        found.push(
            Finding::error(code, Dataset::Train, message)
                .figures("true or false", seen)
                .fix("write 1 for true and 0 for false, or the words of the schema"),
        );
    };
    let fractions = column.kind() == Kind::Float && matches!(feature.kind, Some(Type::Int | Type::Float));
    match feature.kind {
        _ if !typed && !fractions => {}
        Some(Type::Int) if !fractions => {
            if let Some(max) = max.filter(|max| *max > 1.0) {
                report("bool_type_big_int", format!("{} is no truth: above 1", short(max)), short(max));
            }
            if let Some(min) = min.filter(|min| *min < 0.0) {
                report("bool_type_small_int", format!("{} is no truth: below 0", short(min)), short(min));
            }
        }
        Some(Type::Int | Type::Float) => {
            let odd = column
                .bins
                .bins()
                .into_iter()
                .find(|bin| !((bin.low == 0.0 && bin.high == 0.0) || (bin.low == 1.0 && bin.high == 1.0)));
            if let Some(bin) = odd {
                report("bool_type_unexpected_float", format!("{} is no truth: neither 0 nor 1", short(bin.low)), short(bin.low));
            } else if column.nan + column.infinite > 0 {
                report("bool_type_unexpected_float", "NaN is no truth".to_owned(), "NaN".to_owned());
            }
        }
        _ => {
            let words = [truth.yes.as_deref().unwrap_or("true"), truth.no.as_deref().unwrap_or("false")];
            let (names, outside) = others(column, &words);
            if outside > 0.0 && !names.is_empty() {
                let message =
                    format!("{} of the values are neither {} nor {}: {}", percent(outside), words[0], words[1], names.join(", "));
                report("bool_type_unexpected_string", message, names.join(", "));
            }
        }
    }
}

/// Numbers, also written as texts, smallest and largest; and the first text that `reads` does not take for one.
fn written(column: &ColumnStats, reads: impl Fn(&str) -> bool) -> (Option<f64>, Option<f64>, Option<String>) {
    let (mut min, mut max, mut odd) = (column.moments.min(), column.moments.max(), None);
    if column.negative_infinite > 0 {
        min = Some(f64::NEG_INFINITY);
    }
    if column.infinite > column.negative_infinite {
        max = Some(f64::INFINITY);
    }
    for held in column.top.sorted() {
        if let Value::Text(text) = &held.value {
            match text.trim().parse::<f64>() {
                Ok(number) if reads(text) => {
                    min = Some(min.map_or(number, |min| min.min(number)));
                    max = Some(max.map_or(number, |max| max.max(number)));
                }
                _ => odd = odd.or(Some(text.to_string())),
            }
        }
    }
    (min, max, odd)
}

fn whole(found: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let Some(range) = feature.int_range else { return };
    let (min, max, odd) = written(column, |text| text.trim().parse::<i64>().is_ok());
    let fraction = (column.floats > 0 && feature.kind == Some(Type::Text)).then(|| "a fraction".to_owned());
    if let Some(odd) = odd.or(fraction) {
        // As long as there are others, the range says nothing.
        found.push(
            Finding::error("int_type_not_int_string", Dataset::Train, format!("{odd} is no whole number"))
                .figures("whole numbers", odd)
                .fix("write whole numbers only, and nothing where there is none"),
        );
        return;
    }
    if let Some(limit) = range.max.map(|limit| limit as f64)
        && let Some(max) = max.filter(|max| *max > limit)
    {
        found.push(beyond("int_type_big_int", max, "above", limit));
    }
    if let Some(limit) = range.min.map(|limit| limit as f64)
        && let Some(min) = min.filter(|min| *min < limit)
    {
        found.push(beyond("int_type_small_int", min, "below", limit));
    }
}

fn fractions(found: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let Some(range) = feature.float_range else { return };
    let (min, max, odd) = written(column, |_| true);
    if let Some(odd) = odd {
        found.push(
            Finding::error("float_type_string_not_float", Dataset::Train, format!("{odd} is no number"))
                .figures("numbers", odd)
                .fix("write numbers only, and nothing where there is none"),
        );
        return;
    }
    if range.no_nan && column.nan > 0 {
        found.push(
            Finding::error("float_type_has_nan", Dataset::Train, format!("{} values are NaN", column.nan))
                .figures(0.0, column.nan)
                .fix("find the division or logarithm that makes NaN"),
        );
    }
    if range.no_infinite && column.infinite > 0 {
        found.push(
            Finding::error("float_type_has_inf", Dataset::Train, format!("{} values are infinite", column.infinite))
                .figures(0.0, column.infinite)
                .fix("find the division by zero or the overflow"),
        );
    }
    if let Some(limit) = range.max
        && let Some(max) = max.filter(|max| *max > limit)
    {
        found.push(beyond("float_type_big_float", max, "above", limit));
    }
    if let Some(limit) = range.min
        && let Some(min) = min.filter(|min| *min < limit)
    {
        found.push(beyond("float_type_small_float", min, "below", limit));
    }
}

fn beyond(code: &'static str, value: f64, word: &str, limit: f64) -> Finding {
    Finding::error(code, Dataset::Train, format!("{} is {word} the limit {}", short(value), short(limit)))
        .figures(limit, value)
        .fix("look for a unit that changed or an overflow, or widen the range in the schema")
}

fn unique(found: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let Some(rule) = feature.unique else { return };
    if column.kind() == Kind::Float {
        found.push(
            Finding::error(
                "feature_type_no_unique",
                Dataset::Train,
                "different values are limited, which makes no sense for fractions",
            )
            .fix("take unique out of the schema, or write the column as texts"),
        );
        return;
    }
    let distinct = column.distinct().round();
    // Beyond what is counted one by one the number is an estimate: four standard errors are 6.5 %.
    let slack = if column.top.error() == 0 { 0.0 } else { 0.065 * distinct };
    if let Some(max) = rule.max.filter(|max| distinct - slack > *max as f64) {
        found.push(
            Finding::error(
                "feature_type_high_unique",
                Dataset::Train,
                format!("{distinct} different values, the schema allows {max}"),
            )
            .figures(max as f64, distinct)
            .fix("look for free text or identities, or raise the maximum of unique"),
        );
    }
    if let Some(min) = rule.min.filter(|min| distinct + slack < *min as f64) {
        found.push(
            Finding::error(
                "feature_type_low_unique",
                Dataset::Train,
                format!("{distinct} different values, the schema wants {min}"),
            )
            .figures(min as f64, distinct)
            .fix("look for values that were merged or lost, or lower the minimum of unique"),
        );
    }
}

fn images(found: &mut Vec<Finding>, feature: &Feature, column: &ColumnStats) {
    let share = column.images as f64 / column.texts.max(1) as f64;
    let Some(rule) = feature.image else {
        if share > MOSTLY
            && feature.kind == Some(Type::Text)
            && feature.values.is_none()
            && feature.domain.is_none()
            && feature.language.is_none()
        {
            found.push(
                Finding::warning(
                    "semantic_domain_update",
                    Dataset::Train,
                    format!("{} of the values are images, and the schema does not say so", percent(share)),
                )
                .figures("image", percent(share))
                .fix("add image = {} to the feature"),
            );
        }
        return;
    };
    if let Some(min) = rule.min_supported.filter(|min| share < *min) {
        found.push(
            Finding::error(
                "low_supported_image_fraction",
                Dataset::Train,
                format!("{} of the values are images of a known format, the schema wants {}", percent(share), percent(min)),
            )
            .figures(min, share)
            .fix("write BMP, GIF, JPEG or PNG"),
        );
    }
    if let (Some(max), Some(bytes)) =
        (rule.max_bytes, column.bytes.max().filter(|bytes| rule.max_bytes.is_some_and(|max| *bytes > max as f64)))
    {
        found.push(
            Finding::error(
                "max_image_byte_size_exceeded",
                Dataset::Train,
                format!("an image has {bytes} bytes, the schema allows {max}"),
            )
            .figures(max, bytes)
            .fix("scale the images down, or raise max_bytes"),
        );
    }
}

/// Rules for sequences of tokens.
pub fn tokens(findings: &mut Vec<Finding>, schema: &Schema, feature: &Feature, column: &ColumnStats, stats: &DatasetStats) {
    let Some(language) = &feature.language else { return };
    let name = feature.name.as_str();
    let mut report = |code: &'static str, message: String, limit: f64, seen: f64| {
        findings.push(
            Finding::error(code, Dataset::Train, format!("column {name}: {message}"))
                .in_column(name)
                .figures(limit, seen)
                .fix("look at how the tokens are made, or change the rule in the schema"),
        );
    };
    for Token { value, min_per_row, max_per_row, min_fraction, max_fraction } in &language.token {
        let Some(watch) = stats.watches().tokens.iter().find(|watch| watch.column == name && watch.token == *value) else {
            continue;
        };
        let share = watch.rows_with as f64 / watch.rows.max(1) as f64;
        let fewest = watch.fewest.unwrap_or(0);
        if let Some(min) = min_per_row.filter(|min| fewest < *min) {
            report(
                "sequence_value_too_few_occurrences",
                format!("the token {value} stands {fewest} times in a row, the schema wants {min}"),
                min as f64,
                fewest as f64,
            );
        }
        if let Some(max) = max_per_row.filter(|max| watch.most > *max) {
            report(
                "sequence_value_too_many_occurrences",
                format!("the token {value} stands {} times in a row, the schema allows {max}", watch.most),
                max as f64,
                watch.most as f64,
            );
        }
        if let Some(min) = min_fraction.filter(|min| share < *min) {
            report(
                "sequence_value_too_small_fraction",
                format!("{} of the rows have the token {value}, the schema wants {}", percent(share), percent(min)),
                min,
                share,
            );
        }
        if let Some(max) = max_fraction.filter(|max| share > *max) {
            report(
                "sequence_value_too_large_fraction",
                format!("{} of the rows have the token {value}, the schema allows {}", percent(share), percent(max)),
                max,
                share,
            );
        }
    }
    if let Some(min) = language.min_coverage {
        match language.vocabulary.as_deref().and_then(|name| schema.values_of(name)) {
            Some(vocabulary) => {
                let words: Vec<&str> = vocabulary.iter().map(String::as_str).collect();
                let covered = 1.0 - others(column, &words).1;
                if covered < min {
                    report(
                        "feature_coverage_too_low",
                        format!("{} of the tokens are in the vocabulary, the schema wants {}", percent(covered), percent(min)),
                        min,
                        covered,
                    );
                }
            }
            None => findings.push(
                Finding::error(
                    "stats_not_available",
                    Dataset::Train,
                    format!("column {name}: its coverage is limited and its vocabulary is not in the schema"),
                )
                .in_column(name)
                .fix("add a [[domain]] with the vocabulary"),
            ),
        }
    }
    if let Some(min) = language.min_token_length.filter(|min| column.bytes.count() > 0 && column.bytes.mean() < *min) {
        findings.push(
            Finding::error(
                "feature_coverage_too_short_avg_token_length",
                Dataset::Train,
                format!(
                    "column {name}: its tokens have {} bytes on average, the schema wants {}",
                    short(column.bytes.mean()),
                    short(min)
                ),
            )
            .in_column(name)
            .figures(min, column.bytes.mean())
            .fix("look at how the tokens are cut"),
        );
    }
}
