//! `ears-lab import` and `ears-lab export`, as they are called.

use std::path::Path;
use std::process::ExitCode;

use super::export::{self, Target};
use super::import::{self, Mapping, Source};
use crate::error::LabError;

/// Imports and says what came of it.
///
/// # Errors
/// When an argument is wrong, a file cannot be read or written, or rows are bad.
pub fn import(from: &str, input: &Path, mapping: Option<&Path>, output: &Path, skip_bad: bool) -> Result<ExitCode, LabError> {
    let read = || mapping.map_or_else(|| Ok(Mapping::default()), Mapping::read);
    let source = match from {
        "vw" => Source::Vowpal { mapping: read()? },
        "obp" if mapping.is_none() => Source::BanditPipeline,
        "obp" => return Err(LabError::unreadable("expected no --mapping for obp")),
        "csv" if mapping.is_some() => Source::Csv { mapping: read()? },
        "csv" => return Err(LabError::unreadable("expected --mapping FILE for csv, got none")),
        _ => return Err(LabError::unreadable(format!("expected --from vw, obp or csv, got {from}"))),
    };
    let imported = import::import(input, &source, output, skip_bad)?;
    println!("{}: {} rows", output.display(), imported.rows);
    for (reason, count) in &imported.left_out {
        println!("left out: {count} lines: {reason}");
    }
    print!("{}", imported.findings.text());
    Ok(ExitCode::SUCCESS)
}

/// Exports and says how much.
///
/// # Errors
/// When an argument is wrong or a file cannot be read or written.
pub fn export(to: &str, input: &Path, output: &Path) -> Result<ExitCode, LabError> {
    let target = match to {
        "vw" => Target::Vowpal,
        "obp" => Target::BanditPipeline,
        "csv" => Target::Csv,
        _ => return Err(LabError::unreadable(format!("expected --to vw, obp or csv, got {to}"))),
    };
    let rows = export::export(input, target, output)?;
    println!("{}: {rows} rows", output.display());
    Ok(ExitCode::SUCCESS)
}
