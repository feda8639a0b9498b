//! A schema from what a data set holds.

use super::{Counts, FORMAT, Feature, Schema, SliceRule, Truth, Type};
use crate::validate::finding::{percent, short};
use crate::validate::stats::{ColumnStats, DatasetStats, Kind};

/// A column of texts with more values than this holds any text.
const LISTED: usize = 100;

/// A slice may lose half of its share before the schema calls it missing.
const SHARE_KEPT: f64 = 0.5;

/// A schema that the data set meets, and a comment for each feature.
#[must_use]
pub fn infer(stats: &DatasetStats) -> (Schema, Vec<(String, String)>) {
    let mut schema = Schema { format: FORMAT, version: 1, ..Schema::default() };
    let mut seen = Vec::new();
    for (name, column) in stats.columns() {
        schema.feature.push(feature(name, column));
        seen.push((name.to_owned(), comment(column)));
    }
    for slices in stats.slices().iter().filter(|slices| slices.parts().len() == 1) {
        for (value, slice) in slices.slices() {
            let share = slice.rows as f64 / stats.rows().max(1) as f64;
            schema.slice.push(SliceRule {
                column: slices.name.clone(),
                value: value.clone(),
                min_share: rounded(SHARE_KEPT * share),
                usual_share: Some(rounded(share)),
            });
        }
    }
    (schema, seen)
}

fn feature(name: &str, column: &ColumnStats) -> Feature {
    let mut feature = Feature { name: name.to_owned(), ..Feature::default() };
    feature.kind = match column.kind() {
        Kind::Bool | Kind::Int => Some(Type::Int),
        Kind::Float => Some(Type::Float),
        // A column without values could hold anything that can be written.
        Kind::Text | Kind::Empty => Some(Type::Text),
    };
    if column.kind() == Kind::Bool {
        feature.truth = Some(Truth::default());
    }
    if column.present > 0 {
        feature.min_count = Some(1);
    }
    if column.missing == 0 && column.rows() > 0 {
        feature.min_fraction = Some(1.0);
    }
    if column.lists > 0 && column.depth == 1 {
        let min = column.lengths.min().map_or(0, |min| min as i64);
        let max = column.lengths.max().map(|max| max as i64);
        let fixed = Some(min) == max && column.missing == 0 && column.lists == column.present;
        feature.value_count = vec![Counts { min: Some(min.min(1)), max: None }];
        if fixed && min > 0 {
            feature.value_count.clear();
            feature.shape = Some(vec![min as u64]);
        }
    } else if column.lists > 0 {
        feature.value_count = vec![Counts::default(); usize::from(column.depth)];
    }
    if column.kind() == Kind::Text && column.texts == column.values() {
        // No list where most values come once: they are texts, not kinds.
        let listed = column.top.distinct().filter(|distinct| *distinct <= LISTED && *distinct as u64 * 2 <= column.texts);
        feature.values = listed.map(|_| {
            let mut values: Vec<String> = column.top.sorted().into_iter().map(|held| held.value.to_string()).collect();
            values.sort();
            values
        });
    }
    feature
}

fn comment(column: &ColumnStats) -> String {
    let mut text = Vec::new();
    if column.missing > 0 {
        text.push(format!("missing in {} of the rows", percent(column.missing as f64 / column.rows().max(1) as f64)));
    }
    if let (Some(min), Some(max)) = (column.moments.min(), column.moments.max()) {
        text.push(format!("from {} to {}, mean {}", short(min), short(max), short(column.moments.mean())));
    }
    let top = column.top.sorted();
    if column.floats == 0 && !top.is_empty() && top.len() <= 10 {
        let shares: Vec<String> = top
            .iter()
            .map(|held| {
                format!(
                    "{} {}",
                    held.value.to_string().replace(char::is_control, " "),
                    percent(held.count as f64 / column.values().max(1) as f64)
                )
            })
            .collect();
        text.push(shares.join(", "));
    } else {
        text.push(format!("about {} different values", column.distinct().round()));
    }
    format!("seen: {}", text.join("; "))
}

/// Three digits.
fn rounded(share: f64) -> f64 {
    format!("{share:.3e}").parse().unwrap_or(share)
}
