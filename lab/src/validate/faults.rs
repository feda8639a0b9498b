//! Faults planted in real data, to count how many are found.
//!
//! A data set is cut at random into two halves that are alike; one is broken in one way. A fault counts as found when a finding names the
//! column that was broken or the file is refused; for faults of rows and files, when there is any finding.

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::Serialize;

use super::sketch::mix;
use super::{Settings, run};
use crate::data::find;
use crate::error::LabError;

/// What was planted and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Faults {
    /// Kinds of faults.
    pub kinds: usize,
    /// Faults planted.
    pub planted: usize,
    /// Faults found.
    pub found: usize,
    /// Findings in the halves as they were.
    pub clean_findings: usize,
    /// What was not found.
    pub missed: Vec<String>,
}

/// A table of texts.
#[derive(Clone, Debug)]
struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A real data set and the columns that faults are planted in.
struct Source {
    name: &'static str,
    table: Table,
    number: usize,
    category: usize,
    time: usize,
    reward: usize,
}

/// Where a fault is planted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Number,
    Category,
    Time,
    Reward,
    Rows,
}

/// Breaks a table; the number is the column.
type Break = fn(&mut Table, usize) -> Option<Vec<u8>>;

/// Plants every fault in every data set under `data`.
///
/// # Errors
/// When the data are not there.
pub fn plant(data: &Path) -> Result<Faults, LabError> {
    let kinds = kinds();
    let mut all = Faults { kinds: kinds.len(), ..Faults::default() };
    let folder = std::env::temp_dir().join(format!("ears-faults-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| LabError::file(&folder, "a folder to write to", error))?;
    let (train, against) = (folder.join("train.csv"), folder.join("against.csv"));
    let settings = Settings { train: train.clone(), against: Some(against.clone()), ..Settings::default() };
    let write =
        |path: &Path, bytes: &[u8]| std::fs::write(path, bytes).map_err(|error| LabError::file(path, "a writable file", error));
    for source in sources(data)? {
        let half = |side: u64| {
            let rows = source
                .table
                .rows
                .iter()
                .zip(0_u64..)
                .filter(|(_, row)| mix(row ^ 0x5eed) % 2 == side)
                .map(|(row, _)| row.clone());
            Table { names: source.table.names.clone(), rows: rows.collect() }
        };
        write(&against, &half(0).bytes())?;
        write(&train, &half(1).bytes())?;
        all.clean_findings += run(&settings)?.findings.len();
        for (name, target, fault) in &kinds {
            let column = match target {
                Target::Number => source.number,
                Target::Category => source.category,
                Target::Time => source.time,
                Target::Reward => source.reward,
                Target::Rows => usize::MAX,
            };
            let mut table = half(1);
            let bytes = fault(&mut table, column).unwrap_or_else(|| table.bytes());
            write(&train, &bytes)?;
            let found = match run(&settings) {
                Err(_) => true,
                Ok(outcome) => outcome.findings.iter().any(|finding| {
                    *target == Target::Rows || finding.column.as_ref().is_some_and(|named| *named == source.table.names[column])
                }),
            };
            all.planted += 1;
            all.found += usize::from(found);
            if !found {
                all.missed.push(format!("{}: {name}", source.name));
            }
        }
    }
    // Nothing is lost when the folder stays.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(all)
}

fn sources(data: &Path) -> Result<Vec<Source>, LabError> {
    let place = |table: &Table, name: &str| table.names.iter().position(|known| known == name).unwrap_or(0);
    let source = |name, table: Table, [number, category, time, reward]: [&str; 4]| Source {
        name,
        number: place(&table, number),
        category: place(&table, category),
        time: place(&table, time),
        reward: place(&table, reward),
        table,
    };
    let open_bandit = Table::read(&find(data, "bts_all.csv.gz")?)?;
    let impressions = Table::read(&find(data, "events.csv.gz")?)?;
    let mut ratings = Table::read(&find(data, "ratings.csv.gz")?)?;
    // The first genre of each title is the category that ratings lack themselves; the last 30,000 ratings by title are enough.
    let genres: std::collections::BTreeMap<String, String> = Table::read(&find(data, "movies.csv.gz")?)?
        .rows
        .into_iter()
        .filter_map(|row| Some((row.first()?.clone(), row.last()?.split('|').next()?.to_owned())))
        .collect();
    ratings.names.push("genre".to_owned());
    let unknown = || "unknown".to_owned();
    ratings.rows.iter_mut().for_each(|row| row.push(genres.get(&row[1]).cloned().unwrap_or_else(unknown)));
    Ok(vec![
        source("Open Bandit", open_bandit, ["pscore", "uf1", "t_ms", "click"]),
        source("KuaiRand", impressions, ["play_time_ms", "is_click", "t_ms", "long_view"]),
        source("MovieLens", ratings, ["rating", "genre", "t", "rating"]),
    ])
}

impl Table {
    fn read(path: &Path) -> Result<Self, LabError> {
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
        GzDecoder::new(file).read_to_string(&mut text).map_err(|error| LabError::file(path, "gzipped text", error))?;
        let mut lines = text.lines().map(cut);
        let names = lines.next().unwrap_or_default();
        Ok(Self { names, rows: lines.collect() })
    }

    fn bytes(&self) -> Vec<u8> {
        let line = |fields: &[String]| {
            let fields: Vec<String> =
                fields
                    .iter()
                    .map(|field| {
                        if field.contains([',', '"', '\n']) {
                            format!("\"{}\"", field.replace('"', "\"\""))
                        } else {
                            field.clone()
                        }
                    })
                    .collect();
            fields.join(",") + "\n"
        };
        let mut text = line(&self.names);
        self.rows.iter().for_each(|row| text.push_str(&line(row)));
        text.into_bytes()
    }

    /// Changes the field of a share of the rows, in thousandths.
    fn change(&mut self, column: usize, thousandths: u64, to: impl Fn(&str) -> String) -> Option<Vec<u8>> {
        for (row, number) in self.rows.iter_mut().zip(0_u64..) {
            if mix(number ^ 0xfa17) % 1000 < thousandths {
                row[column] = to(&row[column]);
            }
        }
        None
    }

    /// Changes numbers of a share of the rows.
    fn number(&mut self, column: usize, thousandths: u64, to: impl Fn(f64) -> f64) -> Option<Vec<u8>> {
        self.change(column, thousandths, |text| {
            text.parse().map_or_else(|_| text.to_owned(), |number: f64| to(number).to_string())
        })
    }

    /// The `rank`th most frequent value.
    fn value(&self, column: usize, rank: usize) -> String {
        let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
        self.rows.iter().for_each(|row| *counts.entry(row[column].as_str()).or_default() += 1);
        let mut counts: Vec<(usize, &str)> = counts.into_iter().map(|(value, count)| (count, value)).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.get(rank).map_or_else(String::new, |(_, value)| (*value).to_owned())
    }

    /// The number below which a share of the column lies.
    fn quantile(&self, column: usize, share: f64) -> f64 {
        let mut numbers: Vec<f64> = self.rows.iter().filter_map(|row| row[column].parse().ok()).collect();
        numbers.sort_unstable_by(f64::total_cmp);
        let place = (share * numbers.len().saturating_sub(1) as f64) as usize;
        numbers.get(place).copied().unwrap_or(0.0)
    }

    fn keep(&mut self, keep: impl Fn(u64, &[String]) -> bool) -> Option<Vec<u8>> {
        let mut number = 0;
        self.rows.retain(|row| {
            number += 1;
            keep(number, row)
        });
        None
    }
}

/// A line of CSV without line breaks in quotes.
fn cut(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for character in line.trim_end_matches('\r').chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.iter_mut().last().into_iter().for_each(|field| field.push(other)),
        }
    }
    fields
}

/// The kinds of faults.
fn kinds() -> Vec<(&'static str, Target, Break)> {
    use Target::{Category, Number, Reward, Rows, Time};
    vec![
        ("3 % of a number missing", Number, |t, c| t.change(c, 30, |_| String::new())),
        ("all of a number missing", Number, |t, c| t.change(c, 1000, |_| String::new())),
        ("2 % are 0", Number, |t, c| t.number(c, 20, |_| 0.0)),
        ("2 % are -999", Number, |t, c| t.number(c, 20, |_| -999.0)),
        ("1 % are -1", Number, |t, c| t.number(c, 10, |_| -1.0)),
        ("1 % are 2147483647", Number, |t, c| t.number(c, 10, |_| 2_147_483_647.0)),
        ("a constant", Number, |t, c| t.number(c, 1000, |_| 3.0)),
        ("all times 1,000", Number, |t, c| t.number(c, 1000, |x| x * 1000.0)),
        ("2 % times 1,000", Number, |t, c| t.number(c, 20, |x| x * 1000.0 + 1.0)),
        ("all over 1,000", Number, |t, c| t.number(c, 1000, |x| x / 1000.0)),
        ("all twice as large", Number, |t, c| t.number(c, 1000, |x| 2.0 * x)),
        ("a tenth more", Number, |t, c| t.number(c, 1000, |x| 1.1 * x)),
        ("the sign of 5 % turned", Number, |t, c| t.number(c, 50, |x| -x - 1e-3)),
        ("all plus 10", Number, |t, c| t.number(c, 1000, |x| x + 10.0)),
        ("cut to a coarser unit", Number, |t, c| {
            // Whole numbers are cut to thousands.
            let fractions = t.rows.iter().any(|row| row[c].contains('.'));
            t.number(c, 1000, if fractions { f64::trunc } else { |x: f64| (x / 1000.0).trunc() * 1000.0 })
        }),
        ("rounded to tens", Number, |t, c| t.number(c, 1000, |x| (x / 10.0).round() * 10.0)),
        ("cut at the upper quarter", Number, |t, c| {
            let limit = t.quantile(c, 0.75);
            t.number(c, 1000, |x| if x >= limit { 0.9 * limit } else { x })
        }),
        ("the upper tenth dropped", Number, |t, c| {
            let limit = t.quantile(c, 0.9);
            t.keep(|_, row| row[c].parse::<f64>().map_or(true, |x| x < limit))
        }),
        ("square roots", Number, |t, c| t.number(c, 1000, |x| x.max(0.0).sqrt())),
        ("logarithms", Number, |t, c| t.number(c, 1000, |x| libm::log(x.abs() + 1.0))),
        ("ranks in place of numbers", Number, |t, c| {
            t.rows.iter_mut().zip(0_u32..).for_each(|(row, rank)| row[c] = rank.to_string());
            None
        }),
        ("1 % NaN", Number, |t, c| t.change(c, 10, |_| "nan".to_owned())),
        ("1 % infinite", Number, |t, c| t.change(c, 10, |_| "inf".to_owned())),
        ("1 % N/A", Number, |t, c| t.change(c, 10, |_| "N/A".to_owned())),
        ("a unit behind every number", Number, |t, c| t.change(c, 1000, |text| format!("{text}ms"))),
        ("a comma for the point", Number, |t, c| {
            t.change(c, 1000, |text| if text.contains('.') { text.replace('.', ",") } else { format!("{text},0") })
        }),
        ("quotes inside numbers", Number, |t, c| t.change(c, 50, |text| format!("'{text}'"))),
        ("a value missing", Category, |t, c| {
            let value = t.value(c, 1);
            t.keep(|_, row| row[c] != value)
        }),
        ("the most frequent value missing", Category, |t, c| {
            let value = t.value(c, 0);
            t.keep(|_, row| row[c] != value)
        }),
        ("a value collapsed to a fifth", Category, |t, c| {
            let value = t.value(c, 1);
            t.keep(|row, fields| fields[c] != value || mix(row).is_multiple_of(5))
        }),
        ("a value half as frequent", Category, |t, c| {
            let value = t.value(c, 0);
            t.keep(|row, fields| fields[c] != value || mix(row).is_multiple_of(2))
        }),
        ("a value with another name", Category, |t, c| {
            let value = t.value(c, 1);
            t.change(c, 1000, |text| if text == value { "renamed".to_owned() } else { text.to_owned() })
        }),
        ("two values made one", Category, |t, c| {
            let (from, to) = (t.value(c, 1), t.value(c, 0));
            t.change(c, 1000, |text| if text == from { to.clone() } else { text.to_owned() })
        }),
        ("two values exchanged", Category, |t, c| {
            let (one, other) = (t.value(c, 0), t.value(c, 1));
            t.change(c, 1000, |text| {
                if text == one {
                    other.clone()
                } else if text == other {
                    one.clone()
                } else {
                    text.to_owned()
                }
            })
        }),
        ("a blank behind 2 %", Category, |t, c| t.change(c, 20, |text| format!("{text} "))),
        ("an underscore before all", Category, |t, c| t.change(c, 1000, |text| format!("_{text}"))),
        ("2 % unknown", Category, |t, c| t.change(c, 20, |_| "unknown-value".to_owned())),
        ("2 % null as a word", Category, |t, c| t.change(c, 20, |_| "null".to_owned())),
        ("3 % of a category missing", Category, |t, c| t.change(c, 30, |_| String::new())),
        ("wrong letters in 2 %", Category, |t, c| t.change(c, 20, |text| format!("{text}\u{c3}\u{bc}"))),
        ("one value only", Category, |t, c| {
            let value = t.value(c, 0);
            t.change(c, 1000, |_| value.clone())
        }),
        ("all values different", Category, |t, c| {
            t.rows.iter_mut().zip(0_u32..).for_each(|(row, place)| row[c] = format!("v{place}"));
            None
        }),
        ("the identity of the row in a category", Category, |t, c| t.change(c, 30, |text| format!("{text}-0017"))),
        ("times as words", Time, |t, c| t.change(c, 1000, |_| "yesterday".to_owned())),
        ("3 % of the times missing", Time, |t, c| t.change(c, 30, |_| String::new())),
        ("1 % of the times as words", Time, |t, c| t.change(c, 10, |_| "soon".to_owned())),
        ("no rewards", Reward, |t, c| t.change(c, 1000, |_| "0".to_owned())),
        ("rewards everywhere", Reward, |t, c| t.change(c, 1000, |_| "1".to_owned())),
        ("rewards turned round", Reward, |t, c| {
            t.change(c, 1000, |text| if text == "0" { "1".to_owned() } else { "0".to_owned() })
        }),
        ("rewards missing in a tenth", Reward, |t, c| t.change(c, 100, |_| String::new())),
        ("rewards as words", Reward, |t, c| {
            t.change(c, 1000, |text| if text == "0" { "no".to_owned() } else { "yes".to_owned() })
        }),
        ("a tenth of the rows twice", Rows, |t, _| {
            let copies: Vec<Vec<String>> = t.rows.iter().step_by(10).cloned().collect();
            t.rows.extend(copies);
            None
        }),
        ("a column missing", Rows, |t, _| {
            t.names.remove(1);
            t.rows.iter_mut().for_each(|row| drop(row.remove(1)));
            None
        }),
        ("a column with another name", Rows, |t, _| {
            t.names[1] = "renamed".to_owned();
            None
        }),
        ("a new column", Rows, |t, _| {
            t.names.push("more".to_owned());
            t.rows.iter_mut().for_each(|row| row.push("1".to_owned()));
            None
        }),
        ("no rows", Rows, |t, _| t.keep(|_, _| false)),
        ("the fields of 2 % of the rows shifted", Rows, |t, _| {
            t.rows.iter_mut().step_by(50).for_each(|row| row.rotate_right(1));
            None
        }),
        ("a field too few in one row", Rows, |t, _| {
            t.rows.iter_mut().skip(7).take(1).for_each(|row| drop(row.pop()));
            None
        }),
        ("no header", Rows, |t, _| {
            let bytes = t.bytes();
            let start = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            Some(bytes[start..].to_vec())
        }),
        ("a byte that is not UTF-8", Rows, |t, c| {
            let _ = c;
            let mut bytes = t.bytes();
            let end = bytes.len() - 1;
            bytes.splice(end..end, [b'x', 0xe9]);
            Some(bytes)
        }),
        ("a quote left open", Rows, |t, _| {
            let mut bytes = t.bytes();
            let middle = bytes.len() / 2;
            let at = bytes[middle..].iter().position(|byte| *byte == b'\n').map_or(middle, |at| middle + at + 1);
            bytes.insert(at, b'"');
            Some(bytes)
        }),
        ("written as UTF-16", Rows, |t, _| {
            let text = String::from_utf8_lossy(&t.bytes()).into_owned();
            Some([0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect())
        }),
    ]
}
