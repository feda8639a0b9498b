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
