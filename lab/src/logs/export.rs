//! Our logs for other systems.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::parquet::LogFile;
use super::{CONTEXT, Decision, EXPECTED, Header, NUMBER, PREDICTED, Place, TARGET};
use crate::error::LabError;
use crate::logs::parquet::Wanted;

/// For whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Vowpal Wabbit's dsjson; decisions of several rows that stand together become one event with `_outcomes`.
    Vowpal,
    /// The Open Bandit Pipeline's `bandit_feedback` as JSON.
    BanditPipeline,
    /// CSV with our column names.
    Csv,
}

/// The columns of a file beyond those that every log has.
#[must_use]
pub fn header(file: &LogFile) -> Header {
    let (words, others): (Vec<&str>, Vec<&str>) = file.with_prefix(CONTEXT).partition(|name| file.is_words(name));
    let mut numbers = others;
    for prefix in [NUMBER, TARGET, EXPECTED] {
        numbers.extend(file.with_prefix(prefix).filter(|name| !file.is_words(name)));
    }
    numbers.extend(file.with_prefix(PREDICTED).filter(|name| *name == PREDICTED));
    Header { words: words.into_iter().map(str::to_owned).collect(), numbers: numbers.into_iter().map(str::to_owned).collect() }
}

/// Calls `take` with every row of a file, in order.
///
/// # Errors
/// When it cannot be read, or `take` refuses.
pub fn rows(
    file: &LogFile,
    header: &Header,
    take: &mut dyn FnMut(Decision, Place) -> Result<(), LabError>,
) -> Result<(), LabError> {
    let own = ["propensity", "reward", "action", "position", "shelf_position"];
    let id = file.has("decision");
    let names = std::iter::once("policy").chain(id.then_some("decision"));
    let wanted = Wanted {
        numbers: own.iter().map(|name| (*name).to_owned()).chain(header.numbers.iter().cloned()).collect(),
        words: names.map(str::to_owned).chain(header.words.iter().cloned()).collect(),
        candidates: file.has_candidates(),
        lent: Vec::new(),
    };
    for group in 0..file.groups() {
        file.read(group, &wanted, &mut |batch| {
            for row in 0..batch.rows {
                let number = |i: usize| batch.numbers[i].values[row];
                let present = |i: usize| (!batch.numbers[i].is_missing(row)).then(|| number(i));
                let word = |i: usize| batch.words[i].of(row).map(|word| String::from_utf8_lossy(word).into_owned());
                let first = 1 + usize::from(id);
                let decision = Decision {
                    decision: if id { word(1) } else { None },
                    policy: word(0).unwrap_or_default(),
                    shelf_position: number(4) as i32,
                    position: number(3) as i32,
                    action: number(2) as i32,
                    propensity: number(0),
                    reward: present(1),
                    candidates: if wanted.candidates {
                        batch.candidates.of(row).iter().map(|c| *c as i32).collect()
                    } else {
                        Vec::new()
                    },
                    probabilities: if wanted.candidates { batch.probabilities.of(row).to_vec() } else { Vec::new() },
                    words: (0..header.words.len()).map(|i| word(first + i).unwrap_or_default()).collect(),
                    numbers: (0..header.numbers.len()).map(|i| present(own.len() + i)).collect(),
                };
                take(decision, batch.place(row))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Writes `input` as `target` to `output`: the number of rows.
///
/// # Errors
/// When a file cannot be read or written.
pub fn export(input: &Path, target: Target, output: &Path) -> Result<u64, LabError> {
    let file = LogFile::open(input)?;
    let header = header(&file);
    let unwritable = |error| LabError::file(output, "a file that can be written", error);
    let mut out = BufWriter::new(File::create(output).map_err(unwritable)?);
    let mut count = 0;
    match target {
        Target::Csv => {
            let lists = file.has_candidates();
            let mut columns = vec!["decision", "policy", "shelf_position", "position", "action", "propensity", "reward"];
            if lists {
                columns.extend(["candidates", "probs"]);
            }
            columns.extend(header.words.iter().chain(&header.numbers).map(String::as_str));
            let mut table = csv::Writer::from_writer(out);
            let broken = |error: csv::Error| LabError::file(output, "a file that can be written", error);
            table.write_record(&columns).map_err(broken)?;
            rows(&file, &header, &mut |row, _| {
                count += 1;
                table.write_record(fields(&row, lists)).map_err(broken)
            })?;
            table.flush().map_err(unwritable)?;
        }
        Target::Vowpal => {
            let mut together: Vec<Decision> = Vec::new();
            rows(&file, &header, &mut |row, _| {
                count += 1;
                let same = row.decision.is_some() && together.last().is_some_and(|last| last.decision == row.decision);
                if !same && !together.is_empty() {
                    writeln!(out, "{}", event(&together, &header)).map_err(unwritable)?;
                    together.clear();
                }
                together.push(row);
                Ok(())
            })?;
            if !together.is_empty() {
                writeln!(out, "{}", event(&together, &header)).map_err(unwritable)?;
            }
            out.flush().map_err(unwritable)?;
        }
        Target::BanditPipeline => {
            count = file.rows();
            feedback(&file, &header, &mut out).map_err(|error| match error {
                Failed::Log(error) => error,
                Failed::Output(error) => unwritable(error),
            })?;
        }
    }
    Ok(count)
}

fn fields(row: &Decision, lists: bool) -> Vec<String> {
    let mut fields = vec![
        row.decision.clone().unwrap_or_default(),
        row.policy.clone(),
        row.shelf_position.to_string(),
        row.position.to_string(),
        row.action.to_string(),
        row.propensity.to_string(),
        row.reward.map_or_else(String::new, |reward| reward.to_string()),
    ];
    if lists {
        fields.push(row.candidates.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        fields.push(row.probabilities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    }
    fields.extend(row.words.iter().cloned());
    fields.extend(row.numbers.iter().map(|number| number.map_or_else(String::new, |number| number.to_string())));
    fields
}

/// One dsjson event: a single row, or the slots of a decision.
fn event(rows: &[Decision], header: &Header) -> Value {
    let first = &rows[0];
    let mut context: serde_json::Map<String, Value> =
        header.words.iter().cloned().zip(first.words.iter().map(|word| Value::from(word.as_str()))).collect();
    context.extend(header.numbers.iter().cloned().zip(first.numbers.iter().map(|number| json!(number))));
    let lists = |row: &Decision| {
        if row.candidates.is_empty() { (vec![row.action], vec![row.propensity]) } else { ranked(row) }
    };
    let cost = |row: &Decision| row.reward.map(|reward| if reward == 0.0 { 0.0 } else { -reward });
    if let [row] = rows {
        let (a, p) = lists(row);
        let a: Vec<i32> = a.iter().map(|action| action + 1).collect();
        return json!({
            "_label_cost": cost(row), "_label_probability": row.propensity, "_label_Action": row.action + 1, "_labelIndex": row.action,
            "EventId": row.decision, "a": a, "p": p, "c": context, "Version": "1",
        });
    }
    let outcomes: Vec<Value> = rows
        .iter()
        .map(|row| {
            let (a, p) = lists(row);
            json!({"_label_cost": cost(row), "_id": format!("{}", row.position), "_a": a, "_p": p})
        })
        .collect();
    json!({"EventId": first.decision, "_outcomes": outcomes, "c": context, "Version": "1"})
}

/// Candidates and probabilities with the logged action first, as dsjson has them.
fn ranked(row: &Decision) -> (Vec<i32>, Vec<f64>) {
    let mut pairs: Vec<(i32, f64)> = row.candidates.iter().copied().zip(row.probabilities.iter().copied()).collect();
    if let Some(at) = pairs.iter().position(|(action, _)| *action == row.action) {
        let logged = pairs.remove(at);
        pairs.insert(0, logged);
    }
    pairs.into_iter().unzip()
}

enum Failed {
    Log(LabError),
    Output(std::io::Error),
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

/// The dictionary, a column at a time: the file is read once for each.
fn feedback(file: &LogFile, header: &Header, out: &mut impl Write) -> Result<(), Failed> {
    let (mut actions, mut rounds) = (0, 0u64);
    rows(file, header, &mut |row, _| {
        actions = row.candidates.iter().copied().chain([row.action]).fold(actions, |most, action| most.max(action + 1));
        rounds += 1;
        Ok(())
    })
    .map_err(Failed::Log)?;
    write!(out, "{{\"n_rounds\":{rounds},\"n_actions\":{actions}")?;
    let mut column = |name: &str, value: &dyn Fn(&Decision) -> Value| -> Result<(), Failed> {
        write!(out, ",\"{name}\":[")?;
        let (mut first, mut failed) = (true, None);
        rows(file, header, &mut |row, _| {
            let comma = if std::mem::take(&mut first) { "" } else { "," };
            if failed.is_none() {
                failed = write!(out, "{comma}{}", value(&row)).err();
            }
            Ok(())
        })
        .map_err(Failed::Log)?;
        failed.map_or(Ok(()), |error| Err(Failed::Output(error)))?;
        write!(out, "]")?;
        Ok(())
    };
    column("action", &|row| json!(row.action))?;
    column("position", &|row| json!(row.position))?;
    column("reward", &|row| json!(row.reward))?;
    column("pscore", &|row| json!(row.propensity))?;
    let numbers: Vec<usize> = (0..header.numbers.len()).filter(|i| header.numbers[*i].starts_with(NUMBER)).collect();
    if !numbers.is_empty() {
        column("context", &|row| json!(numbers.iter().map(|i| row.numbers[*i]).collect::<Vec<_>>()))?;
    }
    writeln!(out, "}}")?;
    Ok(())
}
