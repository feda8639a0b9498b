//! Logs as tables of text, one row for each card of a decision.
//!
//! | column | holds |
//! |---|---|
//! | `reward` | what came of the card, in [0, 1]; empty for a candidate that was not shown |
//! | `propensity` | chance in (0, 1] with which the logging policy showed it; 1 where the column is missing |
//! | `decision_propensity` | chance in (0, 1] with which the decision came about, the same in all its rows, for example of the shelf at its place; 1 where the column is missing |
//! | `weight` | how much the row counts, 0 or more; 1 where the column is missing |
//! | `listener` | whose decision it was, any text; rows of one listener stay together. Without it every row stands alone |
//! | `decision` | which decision, any text; needed where candidates of a decision are counted |
//! | `slice:NAME` | a group of rows that the report shows apart, any text |
//! | anything else | a feature, a number or empty for missing: `NAME`, or `NAME@SOURCE` to say where the device takes it from |
//!
//! A feature without a source that is named as one of the device's own columns is that column; any other is given by the app.

use std::collections::BTreeMap;
use std::path::Path;

use ears_only::features::{Column, Source};

use super::sample::MAX_COLUMNS;
use crate::error::LabError;

/// Groups of rows that a report shows apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Slices {
    /// What divides the rows.
    pub name: String,
    /// The groups' names.
    pub labels: Vec<String>,
    /// Group of each row.
    pub of: Vec<u32>,
}

/// A log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// The features.
    pub columns: Vec<Column>,
    /// Row by row; NaN is missing.
    pub values: Vec<f32>,
    /// Reward of each row; NaN for a candidate that was not shown.
    pub reward: Vec<f64>,
    /// Propensity of each row, given its decision.
    pub propensity: Vec<f64>,
    /// Propensity of each row's decision.
    pub decision_propensity: Vec<f64>,
    /// Weight of each row.
    pub weight: Vec<f64>,
    /// Listener of each row, numbered in order of appearance.
    pub listener: Vec<u32>,
    /// Decision of each row, numbered in order of appearance; empty when the log names none.
    pub decision: Vec<u32>,
    /// Groups for the report.
    pub slices: Vec<Slices>,
}

/// What a column of the table holds.
enum Holds {
    Reward,
    Propensity,
    DecisionPropensity,
    Weight,
    Listener,
    Decision,
    Slice(usize),
    Feature,
}

/// Bad rows that a message shows; the rest are counted.
const SHOWN: usize = 3;

impl Log {
    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.reward.len()
    }

    /// Chance with which a row was shown: its decision's and its own.
    #[must_use]
    pub fn chance(&self, row: usize) -> f64 {
        self.propensity[row] * self.decision_propensity[row]
    }

    /// Reads a log.
    ///
    /// # Errors
    /// When the file cannot be read, its header is not as above, or rows are wrong: the first ones with their line, and how many there
    /// are. Nothing is left out silently.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let file = std::fs::File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
        Self::parse(std::io::BufReader::new(file), path)
    }

    /// Reads a log from text; `path` names it in messages.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn parse(text: impl std::io::Read, path: &Path) -> Result<Self, LabError> {
        let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(text);
        let header = table.headers().map_err(|error| LabError::file(path, "a table with a header", error))?.clone();
        let mut log = Self::default();
        let holds = log.read_header(&header, path)?;
        let (mut listeners, mut decisions) = (BTreeMap::new(), BTreeMap::new());
        let mut labels: Vec<BTreeMap<String, u32>> = vec![BTreeMap::new(); log.slices.len()];
        let (mut wrong, mut shown) = (0usize, Vec::new());
        let mut record = csv::StringRecord::new();
        loop {
            match table.read_record(&mut record) {
                Ok(true) => (),
                Ok(false) => break,
                Err(error) => return Err(LabError::file(path, "rows of text in UTF-8", error)),
            }
            let line = record.position().map_or(0, csv::Position::line);
            let row = log.rows();
            if let Err(what) = log.read_row(&record, &holds) {
                log.shorten(row);
                wrong += 1;
                if shown.len() < SHOWN {
                    shown.push(format!("line {line}: {what}"));
                }
                continue;
            }
            let mut named = [None, None];
            for (cell, holds) in record.iter().zip(&holds) {
                match holds {
                    Holds::Listener => named[0] = Some(number(&mut listeners, cell)),
                    Holds::Decision => named[1] = Some(number(&mut decisions, cell)),
                    Holds::Slice(slice) => log.slices[*slice].of.push(number(&mut labels[*slice], cell)),
                    _ => (),
                }
            }
            log.listener.push(named[0].unwrap_or(row as u32));
            log.decision.extend(named[1]);
        }
        if wrong > 0 {
            return Err(LabError::file(path, "rows as the header says", format!("{wrong} others: {}", shown.join("; "))));
        }
        if log.rows() == 0 {
            return Err(LabError::file(path, "at least one row", "none"));
        }
        for (slices, labels) in log.slices.iter_mut().zip(labels) {
            let mut ordered: Vec<(u32, String)> = labels.into_iter().map(|(label, number)| (number, label)).collect();
            ordered.sort_unstable();
            slices.labels = ordered.into_iter().map(|(_, label)| label).collect();
        }
        Ok(log)
    }

    /// Writes the log so that [`Log::read`] gives it back.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LabError> {
        let cannot = |error: csv::Error| LabError::file(path, "a writable file", error);
        let mut table = csv::Writer::from_path(path).map_err(cannot)?;
        let mut cells: Vec<String> = vec!["listener".into()];
        if !self.decision.is_empty() {
            cells.push("decision".into());
        }
        cells.extend(self.slices.iter().map(|slices| format!("slice:{}", slices.name)));
        cells.extend(self.columns.iter().map(header_of));
        let of_decisions = self.decision_propensity.iter().any(|propensity| *propensity != 1.0);
        cells.extend(["reward", "propensity", "weight"].map(str::to_owned));
        cells.extend(of_decisions.then(|| "decision_propensity".to_owned()));
        table.write_record(&cells).map_err(cannot)?;
        // The shortest text that reads as the same number; nothing for a missing one.
        let text = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
        for row in 0..self.rows() {
            cells.clear();
            cells.push(self.listener[row].to_string());
            cells.extend(self.decision.get(row).map(u32::to_string));
            cells.extend(self.slices.iter().map(|slices| slices.labels[slices.of[row] as usize].clone()));
            let values = &self.values[row * self.columns.len()..(row + 1) * self.columns.len()];
            cells.extend(values.iter().map(|x| if x.is_nan() { String::new() } else { x.to_string() }));
            cells.extend([self.reward[row], self.propensity[row], self.weight[row]].map(text));
            cells.extend(of_decisions.then(|| text(self.decision_propensity[row])));
            table.write_record(&cells).map_err(cannot)?;
        }
        table.flush().map_err(|error| LabError::file(path, "a writable file", error))
    }

    fn read_header(&mut self, header: &csv::StringRecord, path: &Path) -> Result<Vec<Holds>, LabError> {
        let mut holds = Vec::with_capacity(header.len());
        for (at, name) in header.iter().enumerate() {
            if header.iter().take(at).any(|other| other == name) || name.is_empty() {
                return Err(LabError::file(path, "columns with names of their own", format!("\"{name}\" as column {}", at + 1)));
            }
            holds.push(match name {
                "reward" => Holds::Reward,
                "propensity" => Holds::Propensity,
                "decision_propensity" => Holds::DecisionPropensity,
                "weight" => Holds::Weight,
                "listener" => Holds::Listener,
                "decision" => Holds::Decision,
                _ => match name.strip_prefix("slice:") {
                    Some(slice) => {
                        self.slices.push(Slices { name: slice.to_owned(), labels: Vec::new(), of: Vec::new() });
                        Holds::Slice(self.slices.len() - 1)
                    }
                    None => {
                        self.columns.push(column(name).map_err(|error| LabError::file(path, "a source of the device", error))?);
                        Holds::Feature
                    }
                },
            });
        }
        if !holds.iter().any(|holds| matches!(holds, Holds::Reward)) {
            return Err(LabError::file(path, "a column reward", header.iter().collect::<Vec<_>>().join(", ")));
        }
        if self.columns.is_empty() || self.columns.len() > MAX_COLUMNS {
            return Err(LabError::file(path, &format!("1 to {MAX_COLUMNS} features"), self.columns.len()));
        }
        Ok(holds)
    }

    /// Takes the numbers of a row, or says what is wrong with it.
    fn read_row(&mut self, record: &csv::StringRecord, holds: &[Holds]) -> Result<(), String> {
        if record.len() != holds.len() {
            return Err(format!("expected {} cells, found {}", holds.len(), record.len()));
        }
        let (mut reward, mut propensity, mut of_decision, mut weight) = (f64::NAN, 1.0, 1.0, 1.0);
        for (cell, holds) in record.iter().zip(holds) {
            let number = |expected: &str, fits: &dyn Fn(f64) -> bool| -> Result<f64, String> {
                let found = cell.trim().parse::<f64>().ok().filter(|value| fits(*value));
                found.ok_or_else(|| format!("expected {expected}, found \"{}\"", shorten(cell)))
            };
            match holds {
                Holds::Reward if cell.trim().is_empty() => (),
                Holds::Reward => reward = number("a reward in [0, 1] or nothing", &|value| (0.0..=1.0).contains(&value))?,
                Holds::Propensity | Holds::DecisionPropensity => {
                    let found = number("a propensity in (0, 1]", &|value| value > 0.0 && value <= 1.0)?;
                    *if matches!(holds, Holds::Propensity) { &mut propensity } else { &mut of_decision } = found;
                }
                Holds::Weight => weight = number("a weight of 0 or more", &|value| value >= 0.0 && value.is_finite())?,
                Holds::Feature if cell.trim().is_empty() => self.values.push(f32::NAN),
                Holds::Feature => self.values.push(number("a number or nothing", &|value| (value as f32).is_finite())? as f32),
                Holds::Listener | Holds::Decision | Holds::Slice(_) => (),
            }
        }
        self.reward.push(reward);
        self.propensity.push(propensity);
        self.decision_propensity.push(of_decision);
        self.weight.push(weight);
        Ok(())
    }

    /// Takes back the numbers of a row that broke off.
    fn shorten(&mut self, rows: usize) {
        self.values.truncate(rows * self.columns.len());
        self.reward.truncate(rows);
        self.propensity.truncate(rows);
        self.decision_propensity.truncate(rows);
        self.weight.truncate(rows);
    }
}

fn number(names: &mut BTreeMap<String, u32>, name: &str) -> u32 {
    let next = names.len() as u32;
    if let Some(known) = names.get(name) {
        return *known;
    }
    names.insert(name.to_owned(), next);
    next
}

/// A cell as a message shows it.
fn shorten(cell: &str) -> String {
    cell.chars().take(40).collect()
}

/// The column that a header names.
///
/// # Errors
/// For a source that does not exist.
pub fn column(header: &str) -> Result<Column, ears_only::error::Error> {
    let (name, source) = match header.split_once('@') {
        Some((name, source)) => (name, Source::from_name(source)?),
        None => (header, Source::from_name(header).unwrap_or(Source::Given)),
    };
    Ok(Column::new(name, source))
}

/// The header that [`column`] reads as this column.
fn header_of(column: &Column) -> String {
    let source = column.source.name();
    if Source::from_name(&column.name).unwrap_or(Source::Given) == column.source {
        column.name.clone()
    } else {
        format!("{}@{source}", column.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Log, String> {
        Log::parse(text.as_bytes(), Path::new("log.csv")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_log_is_read_with_everything_it_says() {
        let log = parse(
            "listener,decision,popularity,tempo,mood@context,reward,propensity,weight,slice:kind\n\
             ann,d1,0.5,,2,1,0.25,2,shelf\nbob,d2,0.25,3,1,0,0.5,1,\"more, like\"\nann,d1,0,1,1,,0.5,1,shelf\n",
        )
        .unwrap();
        let sources: Vec<(&str, Source)> = log.columns.iter().map(|column| (column.name.as_str(), column.source)).collect();
        assert_eq!(sources, [("popularity", Source::Popularity), ("tempo", Source::Given), ("mood", Source::Context)]);
        assert!(log.values[1].is_nan() && log.values[4] == 3.0 && log.reward[2].is_nan());
        assert_eq!((log.listener.as_slice(), log.decision.as_slice()), (&[0, 1, 0][..], &[0, 1, 0][..]));
        assert_eq!((log.propensity[0], log.weight[0]), (0.25, 2.0));
        assert_eq!(log.slices[0].labels, ["shelf", "more, like"]);
        assert_eq!(log.slices[0].of, [0, 1, 0]);
    }

    #[test]
    fn a_log_that_was_written_is_read_back() {
        let log = parse(
            "decision,popularity@given,tempo,listener,reward,propensity,weight,slice:kind\n\
             a,0.1,,x,1,0.3,2,\"one, two\"\nb,0.25,3,y,,0.5,1,three\n",
        )
        .unwrap();
        let file = std::env::temp_dir().join(format!("ears-lab-log-{}.csv", std::process::id()));
        log.write(&file).unwrap();
        let back = Log::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same(&log.values, &back.values) && back.reward[1].is_nan());
        assert_eq!((log.columns, log.slices, log.propensity), (back.columns, back.slices, back.propensity));
    }

    #[test]
    fn what_is_missing_has_its_default() {
        let log = parse("x,reward\n1,0\n2,1\n").unwrap();
        assert_eq!(
            (log.propensity.as_slice(), log.weight.as_slice(), log.listener.as_slice()),
            (&[1.0; 2][..], &[1.0; 2][..], &[0, 1][..])
        );
        assert!(log.decision.is_empty() && log.slices.is_empty());
    }

    #[test]
    fn wrong_rows_are_counted_and_located() {
        let rows = |cells: &[&str]| parse(&format!("x,reward,propensity,weight\n1,0,0.5,1\n{}\n", cells.join("\n"))).unwrap_err();
        assert!(rows(&["1,0,0,1"]).contains("line 3: expected a propensity in (0, 1], found \"0\""));
        assert!(rows(&["1,0,1.5,1"]).contains("propensity"));
        assert!(rows(&["1,NaN,0.5,1"]).contains("expected a reward in [0, 1] or nothing, found \"NaN\""));
        assert!(rows(&["1,2,0.5,1"]).contains("reward"));
        assert!(rows(&["1,0,0.5,-1"]).contains("weight"));
        assert!(rows(&["inf,0,0.5,1"]).contains("a number or nothing"));
        assert!(rows(&["1,0,0.5"]).contains("expected 4 cells, found 3"));
        let many = rows(&["1,2,1,1", "1,0,1,1", "1,3,1,1", "1,4,1,1", "1,5,1,1"]);
        assert!(
            many.contains("4 others: line 3") && many.contains("line 5") && many.contains("line 6") && !many.contains("line 7"),
            "{many}"
        );
    }

    #[test]
    fn wrong_headers_and_files_are_refused() {
        assert!(parse("x,y\n1,2\n").unwrap_err().contains("a column reward"));
        assert!(parse("reward\n1\n").unwrap_err().contains("1 to 256 features"));
        assert!(parse("x,x,reward\n1,1,1\n").unwrap_err().contains("names of their own"));
        assert!(parse("x@nowhere,reward\n1,1\n").unwrap_err().contains("source"));
        assert!(parse("x,reward\n").unwrap_err().contains("at least one row"));
        assert!(parse("").is_err());
        assert!(Log::parse(&b"x,reward\n\xff,1\n"[..], Path::new("log.csv")).is_err());
        assert!(Log::read(Path::new("no/such/log.csv")).is_err());
    }
}
