//! Reads the Last.fm 2K play counts (HetRec 2011).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::error::LabError;

/// Play counts of listeners, artists by dense number.
#[derive(Clone, Debug, Default)]
pub struct PlayCounts {
    /// For each listener, in order of their id: (artist, plays), artists ascending.
    pub listeners: Vec<Vec<(u32, u32)>>,
    /// Names of the artists; their numbers follow the order of their ids in the data.
    pub artists: Vec<String>,
}

/// Reads the data set found under `data`.
///
/// # Errors
/// When a file is missing, cannot be read or holds something else.
pub fn read(data: &Path) -> Result<PlayCounts, LabError> {
    let plays = find(data, "user_artists.csv.gz")?;
    let names = plays.with_file_name("artists.csv.gz");
    let mut ids: BTreeMap<u64, (u32, String)> = BTreeMap::new();
    lines(&names, "artist,name", |line| {
        let (id, name) = line.split_once(',')?;
        let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"')).map_or(name.to_owned(), |n| n.replace("\"\"", "\""));
        ids.insert(id.parse().ok()?, (0, name));
        Some(())
    })?;
    for (number, entry) in ids.values_mut().enumerate() {
        entry.0 = number as u32;
    }
    let mut listeners: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
    lines(&plays, "user,artist,plays", |line| {
        let mut fields = line.split(',');
        let user = fields.next()?.parse().ok()?;
        let artist = ids.get(&fields.next()?.parse().ok()?)?.0;
        let count = fields.next()?.parse().ok().filter(|count| *count > 0)?;
        listeners.entry(user).or_default().push((artist, count));
        fields.next().is_none().then_some(())
    })?;
    let mut listeners: Vec<Vec<(u32, u32)>> = listeners.into_values().collect();
    for plays in &mut listeners {
        plays.sort_unstable();
    }
    Ok(PlayCounts { listeners, artists: ids.into_values().map(|(_, name)| name).collect() })
}

fn lines(path: &Path, header: &str, mut take: impl FnMut(&str) -> Option<()>) -> Result<(), LabError> {
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
fn find(directory: &Path, name: &str) -> Result<PathBuf, LabError> {
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
