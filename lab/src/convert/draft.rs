//! An imported model as a bundle: schema, golden vectors, and the check that the bundle says what the model says.

use ears_only::bundle::BundleSettings;
use ears_only::features::{Column, Source as ColumnSource};
use ears_only::model::Body;
use ears_only::settings::Value;
use rand_pcg::Pcg32;

use super::error::ImportError;
use super::mutate::row_near;
use super::{Converted, Imported, Source};
use crate::bundle::{BundleColumn, Draft, Opened};
use crate::error::LabError;

/// Golden vectors of a bundle.
const GOLDEN: usize = 16;
/// Rows on which a bundle is compared with the model's own evaluator.
const CHECKED: usize = 256;
/// Seed of those rows.
const SEED: u64 = 4;

/// The columns that a schema file names: `{"columns": [...]}`, each as in a bundle's header.
///
/// # Errors
/// When the text is no schema; the core's words.
pub fn columns(text: &str) -> Result<Vec<BundleColumn>, LabError> {
    let wrong = |error: serde_json::Error| LabError::unreadable(format!("schema: expected JSON, found {error}"));
    let header: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
    let value: Value = serde_json::from_value(serde_json::json!({ "schema": header })).map_err(wrong)?;
    let settings = BundleSettings::read(&value)?;
    let units = header.get("columns").and_then(serde_json::Value::as_array).into_iter().flatten();
    let units = units.map(|column| column.get("unit").and_then(serde_json::Value::as_str).map(str::to_owned));
    let columns = settings.columns.ok_or_else(|| LabError::unreadable("schema: expected columns, found none"))?;
    Ok(columns.into_iter().zip(units).map(|(column, unit)| BundleColumn { column, unit }).collect())
}

/// The columns of a model without a schema file: given by the app, called as in the model or f0, f1 ...; trees keep what is missing.
fn own_columns(source: &dyn Source, body: &Body) -> Vec<BundleColumn> {
    let keeps_missing = matches!(body, Body::Trees(_));
    let name = |index: usize| source.names().get(index).cloned().unwrap_or_else(|| format!("f{index}"));
    let column = |index| Column { keeps_missing, ..Column::new(&name(index), ColumnSource::Given) };
    (0..source.columns()).map(|index| column(index).into()).collect()
}

/// A bundle of `imported`, with the columns of a schema or the model's own.
///
/// # Errors
/// When the device takes no body like it, or the schema has other columns than the model.
pub fn draft(imported: &Imported, name: &str, version: &str, schema: Option<Vec<BundleColumn>>) -> Result<Draft, ImportError> {
    let source = imported.source();
    let Converted { body, scaling } = Converted::new(source)?;
    let mut columns = schema.unwrap_or_else(|| own_columns(source, &body));
    if columns.len() != source.columns() {
        return Err(ImportError::broken("schema", format!("{} columns, as the model has", source.columns()), columns.len()));
    }
    for (index, (column, name)) in columns.iter().zip(source.names()).enumerate() {
        if column.column.name != *name {
            return Err(ImportError::broken(
                format!("schema, column {index}"),
                format!("the model's name {name}"),
                &column.column.name,
            ));
        }
    }
    for (BundleColumn { column, .. }, (mean, scale)) in columns.iter_mut().zip(scaling.into_iter().flatten()) {
        if (column.mean, column.scale) != (0.0, 1.0) {
            return Err(ImportError::broken(
                format!("schema, column {}", column.name),
                "no mean and scale, since the model has its own",
                format!("{} and {}", column.mean, column.scale),
            ));
        }
        (column.mean, column.scale) = (mean, scale);
    }
    let plain: Vec<Column> = columns.iter().map(|column| column.column.clone()).collect();
    let mut draft = Draft::new(name, version, plain, body);
    draft.golden = rows(source, &columns, GOLDEN);
    draft.columns = columns;
    Ok(draft)
}

/// Rows near the thresholds of a model, as its schema lets them through.
fn rows(source: &dyn Source, columns: &[BundleColumn], count: usize) -> Vec<Vec<f32>> {
    let mut rng = Pcg32::new(SEED, 1);
    let near = super::mutate::Near::of(source);
    // A default stands for what is missing where the schema says so.
    let guarded = |row: Vec<f32>| row.iter().zip(columns).map(|(x, column)| column.column.guarded(*x)).collect();
    (0..count).map(|_| guarded(row_near(source, &near, &mut rng))).collect()
}

/// Largest deviation of a bundle's scores from the model's own evaluator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Checked {
    /// Rows compared.
    pub rows: usize,
    /// Largest deviation, in log-odds.
    pub worst: f64,
    /// The same as a share of what the rounding of sums explains; above 1 only where weights were quantised.
    pub share: f64,
}

/// Compares the scores of a bundle, before anything is learned, with the model's own evaluator.
#[must_use]
pub fn check(imported: &Imported, opened: &Opened, columns: &[BundleColumn]) -> Checked {
    let source = imported.source();
    let mut checked = Checked::default();
    for row in rows(source, columns, CHECKED) {
        let evaluation = source.evaluate(&row);
        if evaluation.in_range {
            let deviation = (score(opened, &row) - evaluation.margin).abs();
            let deviation = if deviation.is_nan() { f64::INFINITY } else { deviation };
            checked.rows += 1;
            checked.worst = checked.worst.max(deviation);
            checked.share = checked.share.max(deviation / evaluation.allowed());
        }
    }
    checked
}

/// The score that a device with this bundle gives a row of columns before anything is learned.
#[must_use]
pub fn score(opened: &Opened, row: &[f32]) -> f64 {
    let schema = opened.bundle.schema();
    let mut full = vec![0.0; schema.stride()];
    full[0] = 1.0;
    for (to, from) in full.iter_mut().skip(1).zip(row) {
        *to = *from;
    }
    schema.guard(&mut full);
    opened.bundle.model().score(&full)
}
