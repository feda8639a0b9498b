//! Where things are: the repository, its build folders, the reference data.

use crate::Result;
use std::path::{Path, PathBuf};

/// The repository's root folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's build folder.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Logs, stamps and tools of xtask itself; made when missing.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let folder = target().join("xtask").join(name);
    std::fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}

/// The folder of reference data that may not be redistributed, when `EARS_SHARED` names one.
///
/// With it the tests that need it are required; without it they count as not run.
///
/// # Errors
/// If `EARS_SHARED` is set to something that is not an absolute path of a folder.
pub fn reference_data() -> Result<Option<PathBuf>> {
    let Some(value) = std::env::var_os("EARS_SHARED").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let folder = PathBuf::from(value);
    if folder.is_absolute() && folder.is_dir() {
        Ok(Some(folder))
    } else {
        Err(format!("EARS_SHARED must be the absolute path of an existing folder, got {}", folder.display()))
    }
}

/// Reads a text file; the error names it.
pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// Writes a file; the error names it.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| format!("cannot make {}: {error}", parent.display()))?;
    }
    std::fs::write(path, content).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
