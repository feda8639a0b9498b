//! Reads the Last.fm 2K play counts (HetRec 2011).

use std::collections::BTreeMap;
use std::path::Path;

use crate::data::{find, lines};
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
