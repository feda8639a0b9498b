//! Data sets in gzipped tables.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::error::LabError;

/// Reads the gzipped table at `path` line by line, without its header; `take` returns nothing for a line it cannot read.
///
/// # Errors
/// When the file cannot be read, has another header, or a line is refused.
pub fn lines(path: &Path, header: &str, mut take: impl FnMut(&str) -> Option<()>) -> Result<(), LabError> {
    let file = File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    for (number, line) in BufReader::new(GzDecoder::new(file)).lines().enumerate() {
        let line = line.map_err(|error| LabError::file(path, "gzipped text", error))?;
        if number == 0 {
            if line.trim() != header {
                return Err(LabError::file(path, &format!("the columns {header}"), line));
            }
        } else if take(line.trim()).is_none() {
            return Err(LabError::file(path, &format!("{header} in line {}", number + 1), line));
        }
    }
    Ok(())
}

/// The first file called `name` under `directory`, in order of path.
///
/// # Errors
/// When a directory cannot be read or there is no such file.
pub fn find(directory: &Path, name: &str) -> Result<PathBuf, LabError> {
    let mut open = vec![directory.to_path_buf()];
    while let Some(folder) = open.pop() {
        let unreadable = |error| LabError::file(&folder, "a readable directory", error);
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            inside.push(entry.map_err(unreadable)?.path());
        }
        inside.sort();
        if let Some(found) = inside.iter().find(|path| path.is_file() && path.ends_with(name)) {
            return Ok(found.clone());
        }
        open.extend(inside.into_iter().rev().filter(|path| path.is_dir()));
    }
    Err(LabError::file(directory, &format!("a file {name}"), "none"))
}

/// Reads the named columns of the gzipped table at `path`, in the order asked for; `take` returns nothing for a line it cannot read.
///
/// # Errors
/// When the file cannot be read, lacks a column, or a line is short or refused.
pub fn columns(path: &Path, names: &[&str], mut take: impl FnMut(&[&str]) -> Option<()>) -> Result<(), LabError> {
    let file = File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    let mut places: Vec<usize> = Vec::new();
    for (number, line) in BufReader::new(GzDecoder::new(file)).lines().enumerate() {
        let line = line.map_err(|error| LabError::file(path, "gzipped text", error))?;
        let fields: Vec<&str> = line.trim_end().split(',').collect();
        if number == 0 {
            for name in names {
                let place = fields.iter().position(|field| field == name);
                places.push(place.ok_or_else(|| LabError::file(path, &format!("a column {name}"), &line))?);
            }
            continue;
        }
        let wanted: Option<Vec<&str>> = places.iter().map(|place| fields.get(*place).copied()).collect();
        if wanted.and_then(|wanted| take(&wanted)).is_none() {
            return Err(LabError::file(path, &format!("{} in line {}", names.join(","), number + 1), line));
        }
    }
    if places.is_empty() && !names.is_empty() {
        return Err(LabError::file(path, &format!("the columns {}", names.join(",")), "an empty file"));
    }
    Ok(())
}
