//! CSV files of any layout, by a mapping file.

use std::collections::BTreeMap;
use std::path::Path;

use ::csv::{ReaderBuilder, StringRecord};
use serde::Deserialize;

use super::Imported;
use crate::error::LabError;
use crate::logs::parquet::Writer;
use crate::logs::{CONTEXT, Decision, EXPECTED, Header, NUMBER, PREDICTED, TARGET};

/// Which column of the source is which: a JSON file. `propensity`, `action` and `reward` are needed for CSV; for dsjson only `words` and `numbers`
/// count, and name JSON pointers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Column of the decision's id.
    decision: Option<String>,
    /// Column of the logging policy, or else its name.
    policy: Option<String>,
    policy_name: Option<String>,
    shelf_position: Option<String>,
    position: Option<String>,
    /// The position of the first place in the source.
    first_position: i32,
    action: Option<String>,
    propensity: Option<String>,
    reward: Option<String>,
    /// By our name, `ctx_...`.
    words: BTreeMap<String, String>,
    /// By our name, `x_...`, `predicted`, `target_...`, `expected_...`.
    numbers: BTreeMap<String, String>,
    separator: Option<char>,
}

impl Mapping {
    /// Reads a mapping.
    ///
    /// # Errors
    /// When it cannot be read, or names a column that no log has.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, "a readable mapping", error))?;
        let mapping: Self = serde_json::from_str(&text).map_err(|error| LabError::file(path, "a mapping", error))?;
        if let Some(wrong) = mapping.words.keys().find(|name| !name.starts_with(CONTEXT)) {
            return Err(LabError::file(path, &format!("words named {CONTEXT}..."), wrong));
        }
        let number = |name: &str| name == PREDICTED || [NUMBER, TARGET, EXPECTED].iter().any(|prefix| name.starts_with(prefix));
        if let Some(wrong) = mapping.numbers.keys().find(|name| !number(name)) {
            return Err(LabError::file(
                path,
                &format!("numbers named {NUMBER}..., {PREDICTED}, {TARGET}... or {EXPECTED}..."),
                wrong,
            ));
        }
        Ok(mapping)
    }

    /// The columns that a log gets from it.
    pub(super) fn header(&self) -> Header {
        Header { words: self.words.keys().cloned().collect(), numbers: self.numbers.keys().cloned().collect() }
    }

    /// Where words and numbers come from, in the order of the header.
    pub(super) fn sources(&self) -> (Vec<&str>, Vec<&str>) {
        (self.words.values().map(String::as_str).collect(), self.numbers.values().map(String::as_str).collect())
    }

    pub(super) fn policy_name(&self) -> &str {
        self.policy_name.as_deref().unwrap_or("logging")
    }
}

pub(super) fn import(input: &Path, mapping: &Mapping, output: &Path) -> Result<Imported, LabError> {
    let separator = mapping.separator.unwrap_or(',');
    let separator =
        u8::try_from(separator).map_err(|_| LabError::unreadable(format!("expected an ASCII separator, got {separator}")))?;
    let mut reader = ReaderBuilder::new().delimiter(separator).from_reader(super::open(input)?);
    let broken = |error: ::csv::Error| LabError::file(input, "a table with as many fields in each line as in the first", error);
    let header = reader.headers().map_err(broken)?.clone();
    let find = |name: &str| {
        let at = header.iter().position(|column| column.trim() == name);
        at.ok_or_else(|| LabError::file(input, &format!("a column {name}"), header.iter().collect::<Vec<_>>().join(",")))
    };
    let needed = |what: &str, name: &Option<String>| {
        let name =
            name.as_deref().ok_or_else(|| LabError::unreadable(format!("expected \"{what}\" in the mapping, found none")))?;
        find(name)
    };
    let optional = |name: &Option<String>| name.as_deref().map(find).transpose();
    let (action, propensity, reward) =
        (needed("action", &mapping.action)?, needed("propensity", &mapping.propensity)?, needed("reward", &mapping.reward)?);
    let (id, policy) = (optional(&mapping.decision)?, optional(&mapping.policy)?);
    let (shelf, position) = (optional(&mapping.shelf_position)?, optional(&mapping.position)?);
    let (words, numbers) = mapping.sources();
    let words: Vec<usize> = words.into_iter().map(find).collect::<Result<_, _>>()?;
    let numbers: Vec<usize> = numbers.into_iter().map(find).collect::<Result<_, _>>()?;
    let mut writer = Writer::create(output, mapping.header(), false)?;
    let mut imported = Imported::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let line = record.position().map_or(0, ::csv::Position::line);
        let text = |at: usize| record.get(at).unwrap_or_default().trim();
        let refused =
            |at: usize, what: &str| LabError::file(input, &format!("{what} in column {} of line {line}", &header[at]), text(at));
        let whole = |at: usize| text(at).parse::<i32>().map_err(|_| refused(at, "a whole number"));
        // Empty and NA mean missing; anything else has to be a number.
        let number = |at: usize| match text(at) {
            "" | "NA" | "null" => Ok(None),
            text => text.parse::<f64>().map(Some).map_err(|_| refused(at, "a number")),
        };
        let decision = Decision {
            decision: id.map(|at| text(at).to_owned()).filter(|id| !id.is_empty()),
            policy: policy.map_or_else(|| mapping.policy_name().to_owned(), |at| text(at).to_owned()),
            shelf_position: shelf.map_or(Ok(0), whole)?,
            position: position.map_or(Ok(mapping.first_position), whole)? - mapping.first_position,
            action: whole(action)?,
            propensity: number(propensity)?.unwrap_or(f64::NAN),
            reward: number(reward)?,
            candidates: Vec::new(),
            probabilities: Vec::new(),
            words: words.iter().map(|at| text(*at).to_owned()).collect(),
            numbers: numbers.iter().map(|at| number(*at)).collect::<Result<_, _>>()?,
        };
        imported.write(&mut writer, decision, input, line)?;
    }
    writer.finish()?;
    Ok(imported)
}
