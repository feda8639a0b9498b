//! The policies that are judged.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::LabError;
use crate::logs::{CONTEXT, EXPECTED, TARGET};

/// A policy to judge, named as written and read: `logging`, `uniform`, `scored:NAME`, `table:FILE`.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The logging policy itself: weights of 1, the plain mean.
    Logging,
    /// Every candidate alike; needs the candidates in the log.
    Uniform,
    /// Scored beforehand: the log's columns `target_NAME` and, where a model predicted, `expected_NAME`.
    Scored(String),
    /// Probabilities from a table.
    Table(Table),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logging => f.write_str("logging"),
            Self::Uniform => f.write_str("uniform"),
            Self::Scored(name) => write!(f, "scored:{name}"),
            Self::Table(table) => write!(f, "table:{}", table.path.display()),
        }
    }
}

impl FromStr for Target {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        match text.split_once(':') {
            None if text == "logging" => Ok(Self::Logging),
            None if text == "uniform" => Ok(Self::Uniform),
            Some(("scored", name)) if !name.is_empty() => Ok(Self::Scored(name.to_owned())),
            Some(("table", path)) => Table::read(Path::new(path)).map(Self::Table),
            _ => Err(LabError::unreadable(format!("expected logging, uniform, scored:NAME or table:FILE, got {text}"))),
        }
    }
}

impl Target {
    /// Column of P(logged action), for scored policies.
    #[must_use]
    pub fn column(&self) -> Option<String> {
        if let Self::Scored(name) = self { Some(format!("{TARGET}{name}")) } else { None }
    }

    /// Column of what the log's model expects, for scored policies.
    #[must_use]
    pub fn expected_column(&self) -> Option<String> {
        if let Self::Scored(name) = self { Some(format!("{EXPECTED}{name}")) } else { None }
    }
}

/// P(action | position, context) from a CSV file with the columns `action`, `probability` and, where it depends on them, `position` and any
/// `ctx_...`. Actions that are not listed have probability 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    path: PathBuf,
    /// Columns of context it depends on.
    pub context: Vec<String>,
    by_position: bool,
    /// By context, position (-1 for any) and action; looked up, never walked.
    probabilities: HashMap<(Vec<String>, i32, i32), f64>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// When the file cannot be read, lacks a column, or holds something else than probabilities.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable table", error))?;
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let header: Vec<&str> = lines.next().map(|(_, line)| line.split(',').map(str::trim).collect()).unwrap_or_default();
        let find = |name: &str| header.iter().position(|column| *column == name);
        let need = |name: &str| find(name).ok_or_else(|| LabError::file(path, &format!("a column {name}"), header.join(",")));
        let (action, probability, position) = (need("action")?, need("probability")?, find("position"));
        let context: Vec<usize> = (0..header.len()).filter(|i| header[*i].starts_with(CONTEXT)).collect();
        let mut probabilities = HashMap::new();
        for (number, line) in lines {
            let wrong = || LabError::file(path, &format!("{} in line {}", header.join(","), number + 1), line);
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let field = |i: usize| fields.get(i).copied().ok_or_else(wrong);
            let whole = |i: usize| field(i)?.parse::<i32>().map_err(|_| wrong());
            let p: f64 = field(probability)?.parse().map_err(|_| wrong())?;
            if !(0.0..=1.0).contains(&p) {
                return Err(LabError::file(path, &format!("a probability in [0, 1] in line {}", number + 1), p));
            }
            let at = position.map_or(Ok(-1), whole)?;
            let words: Vec<String> = context.iter().map(|i| field(*i).map(str::to_owned)).collect::<Result<_, _>>()?;
            if probabilities.insert((words, at, whole(action)?), p).is_some() {
                return Err(LabError::file(
                    path,
                    "each action once for each position and context",
                    format!("line {}", number + 1),
                ));
            }
        }
        let context = context.into_iter().map(|i| header[i].to_owned()).collect();
        Ok(Self { path: path.to_path_buf(), context, by_position: position.is_some(), probabilities })
    }

    /// P(action) at a position, with the values of the table's columns of context.
    #[must_use]
    pub fn of(&self, context: &[String], position: i32, action: i32) -> f64 {
        let position = if self.by_position { position } else { -1 };
        // The borrowed form of a tuple key does not exist; the context is short.
        self.probabilities.get(&(context.to_vec(), position, action)).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Table, LabError> {
        let path = std::env::temp_dir().join(format!("ears-lab-table-{}-{:x}.csv", std::process::id(), text.len()));
        std::fs::write(&path, text).unwrap();
        let read = Table::read(&path);
        std::fs::remove_file(&path).unwrap();
        read
    }

    #[test]
    fn tables_depend_on_what_they_name() {
        let plain = table("action,probability\n3,0.25\n4,0.75\n").unwrap();
        assert_eq!((plain.of(&[], 0, 3), plain.of(&[], 9, 4), plain.of(&[], 0, 5)), (0.25, 0.75, 0.0));
        let whole = table("ctx_tier,position,action,probability\nfree,0,1,1\npaid,0,1,0.5\n").unwrap();
        assert_eq!(whole.context, ["ctx_tier"]);
        assert_eq!((whole.of(&["paid".into()], 0, 1), whole.of(&["paid".into()], 1, 1)), (0.5, 0.0));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("", "a column action"),
            ("action,p\n", "a column probability"),
            ("action,probability\n1,1.5\n", "a probability in [0, 1] in line 2"),
            ("action,probability\nx,0.5\n", "action,probability in line 2"),
            ("action,probability\n1,0.5\n1,0.5\n", "each action once"),
        ] {
            let error = table(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!("best".parse::<Target>().unwrap_err().to_string().contains("expected logging, uniform"));
        assert_eq!("scored:new".parse::<Target>().unwrap().column().as_deref(), Some("target_new"));
    }
}
