//! Columns that are missing, and cells that are not what they were: absent, of another type, NaN, copied.

use super::{Pair, is_unique, side};
use crate::validate::chance::{FAMILY, log_chance};
use crate::validate::finding::{Dataset, Finding, percent, short};
use crate::validate::roles::Role;
use crate::validate::stats::{ColumnStats, DatasetStats, Kind};
use libm::log;

/// A faulty kind of cell: its code, what it is called, how many there are and of how many, what to do.
struct Fault {
    code: &'static str,
    cells: &'static str,
    count: Count,
    of: Count,
    fix: &'static str,
}

type Count = fn(&ColumnStats) -> u64;

const fn fault(code: &'static str, cells: &'static str, count: Count, of: Count, fix: &'static str) -> Fault {
    Fault { code, cells, count, of, fix }
}

const VALUES: Count = ColumnStats::values;
const PRESENT: Count = |column| column.present;

const FAULTS: &[Fault] = &[
    fault(
        "unexpected_type",
        "texts",
        |column| column.texts,
        VALUES,
        "look for a field that shifted, a placeholder like N/A, or a number written with a unit",
    ),
    fault("unexpected_type", "lists", |column| column.lists, PRESENT, "write either one value or a list in every row"),
    fault("unexpected_type", "true or false", |column| column.bools, VALUES, "write truths the same way on both sides"),
    fault(
        "missing_values",
        "missing",
        |column| column.missing,
        ColumnStats::rows,
        "look for a join or a default that changed; a column that may be absent needs a presence in the schema",
    ),
    fault(
        "nan_values",
        "NaN",
        |column| column.nan,
        VALUES,
        "find the division or logarithm that makes NaN, and write a missing value instead",
    ),
    fault(
        "infinite_values",
        "infinite",
        |column| column.infinite,
        VALUES,
        "find the division by zero or the overflow that makes it",
    ),
    fault("invalid_utf8", "not UTF-8", |column| column.not_utf8, VALUES, "write the texts as UTF-8"),
    fault(
        "empty_values",
        "of no length",
        |column| column.empty,
        PRESENT,
        "look for a default that is written in place of the value",
    ),
    fault(
        "null_items",
        "null items",
        |column| column.nulls,
        |column| column.values() + column.nulls,
        "leave items that are not known out of the list",
    ),
];

/// A data set without rows: nothing else can be said.
pub fn empty(pair: &Pair<'_>) -> Option<Finding> {
    [Dataset::Train, Dataset::Against].into_iter().find(|dataset| side(pair, *dataset).rows() == 0).map(|dataset| {
        Finding::error("no_rows", dataset, format!("{} has no rows", dataset.name()))
            .figures(side(pair, dataset.other()).rows(), 0.0)
            .fix("look at the step that wrote the file")
    })
}

/// Columns that only one side has, and columns of texts on one side and of numbers on the other.
pub fn columns(pair: &Pair<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let filled = |stats: &DatasetStats, name: &str| stats.column(name).is_some_and(|column| column.present > 0);
    for name in pair.against.names().iter().filter(|name| filled(pair.against, name)) {
        let Some(column) = pair.train.column(name) else {
            findings.push(
                Finding::error("missing_column", Dataset::Train, format!("column {name} is missing from train"))
                    .in_column(name)
                    .figures("a column", "none")
                    .fix("write the column, or take it out of both data sets"),
            );
            continue;
        };
        let differs =
            pair.against.column(name).and_then(|other| depth(name, column, other).or_else(|| kind(name, column, other)));
        findings.extend(differs);
    }
    for name in pair.train.names().iter().filter(|name| pair.against.column(name).is_none()) {
        findings.push(
            Finding::warning("new_column", Dataset::Train, format!("column {name} is in train and not in against"))
                .in_column(name)
                .figures("none", "a column")
                .fix("a model trained on it will not find it there: write it on both sides, or leave it out"),
        );
    }
    findings
}

/// Columns that tell the rows of one side apart and not those of the other, where a value stands many times.
pub fn became_unique(pair: &Pair<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in pair.train.names() {
        let (Some(train), Some(against)) = (pair.train.column(name), pair.against.column(name)) else { continue };
        let (dataset, one, other) = match (is_unique(train), is_unique(against)) {
            (true, false) => (Dataset::Train, train, against),
            (false, true) => (Dataset::Against, against, train),
            _ => continue,
        };
        // Fewer rows repeat less: only more different values than the other side has are no chance.
        let (many, few) = (one.distinct(), other.distinct());
        let repeats = other.values() >= 100 && few < 0.5 * other.values() as f64;
        if repeats && many > 1.5 * few && other.lists == 0 && one.lists == 0 {
            let message = format!(
                "column {name}: nearly every row of {} has a value of its own, {} has {} different values",
                dataset.name(),
                dataset.other().name(),
                short(few.round())
            );
            findings.push(
                Finding::error("values_became_unique", dataset, message)
                    .in_column(name)
                    .figures(few, many)
                    .fix("look for a column that was exchanged with an identity, a rank or a row number"),
            );
        }
    }
    findings
}

/// Logging policies that only one side has.
pub fn policies(pair: &Pair<'_>) -> Option<Finding> {
    let name = pair.train.names().iter().find(|name| pair.train.roles().of(name) == Some(Role::Policy))?;
    let names = |stats: &DatasetStats| -> Option<Vec<String>> {
        let column = stats.column(name)?;
        (column.top.error() == 0).then(|| column.top.sorted().into_iter().map(|held| held.value.to_string()).collect())
    };
    let (ours, theirs) = (names(pair.train)?, names(pair.against)?);
    let more = |one: &[String], other: &[String]| one.iter().find(|name| !other.contains(name)).cloned();
    let (dataset, policy) = match (more(&ours, &theirs), more(&theirs, &ours)) {
        (Some(policy), _) => (Dataset::Train, policy),
        (None, Some(policy)) => (Dataset::Against, policy),
        (None, None) => return None,
    };
    let (here, there) = if dataset == Dataset::Train { (&ours, &theirs) } else { (&theirs, &ours) };
    let message =
        format!("the logging policy changed: {policy} made rows of {} and none of {}", dataset.name(), dataset.other().name());
    Some(
        Finding::warning("logging_policy_change", dataset, message)
            .in_column(name)
            .figures(there.join(", "), here.join(", "))
            .fix("what depends on the policy differs as it should: weigh by the propensities, or compare logs of one policy"),
    )
}

fn kind(name: &str, train: &ColumnStats, against: &ColumnStats) -> Option<Finding> {
    let (found, expected) = (train.kind(), against.kind());
    let named = |kind: Kind| match kind {
        Kind::Text => "texts",
        Kind::Bool => "truths",
        Kind::Int | Kind::Float => "numbers",
        Kind::Empty => "nothing",
    };
    let whole = |column: &ColumnStats| column.texts == 0 || column.texts == column.values();
    let differ = named(found) != named(expected) && found != Kind::Empty && expected != Kind::Empty;
    (differ && whole(train) && whole(against)).then(|| {
        let message = format!("column {name} holds {} in train and {} in against", named(found), named(expected));
        Finding::error("type_mismatch", Dataset::Train, message)
            .in_column(name)
            .figures(named(expected), named(found))
            .fix("write the column with one type on both sides")
    })
}

fn depth(name: &str, train: &ColumnStats, against: &ColumnStats) -> Option<Finding> {
    let level = |column: &ColumnStats| if column.lists == 0 { 0 } else { column.depth };
    let named = |column: &ColumnStats| match level(column) {
        0 => "single values".to_owned(),
        1 => "lists".to_owned(),
        deep => format!("lists {deep} deep"),
    };
    let whole = |column: &ColumnStats| column.lists == 0 || column.lists == column.present;
    let differ = level(train) != level(against) && whole(train) && whole(against) && train.present > 0;
    differ.then(|| {
        let message = format!("column {name} holds {} in train and {} in against", named(train), named(against));
        Finding::error("nestedness_mismatch", Dataset::Train, message)
            .in_column(name)
            .figures(named(against), named(train))
            .fix("write the column with the same lists in lists on both sides")
    })
}

/// Faulty cells that are more frequent on one side than chance explains.
pub fn counts(pair: &Pair<'_>) -> Vec<Finding> {
    let names: Vec<&String> = pair.train.names().iter().filter(|name| pair.against.column(name).is_some()).collect();
    let limit = log(FAMILY / (names.len().max(1) * (FAULTS.len() + 1)) as f64);
    let mut findings = Vec::new();
    for name in names {
        let (Some(train), Some(against)) = (pair.train.column(name), pair.against.column(name)) else { continue };
        for fault in FAULTS {
            let share = |column: &ColumnStats| (fault.count)(column) as f64 / (fault.of)(column).max(1) as f64;
            let (found, other) = (share(train), share(against));
            // Items of one list are not drawn apart from each other: each row counts once.
            let weight = |column: &ColumnStats| (fault.of)(column).min(column.rows()) as f64;
            let chance = log_chance(found * weight(train), weight(train), other * weight(against), weight(against));
            if chance > limit {
                continue;
            }
            let (dataset, more, less) =
                if found > other { (Dataset::Train, found, other) } else { (Dataset::Against, other, found) };
            let message = format!(
                "column {name}: {} of {} {} {}, {} of {}",
                percent(more),
                dataset.name(),
                if fault.cells == "missing" || fault.cells.starts_with("not") { "is" } else { "are" },
                fault.cells,
                percent(less),
                dataset.other().name()
            );
            let finding = if less == 0.0 || more > 10.0 * less {
                Finding::error(fault.code, dataset, message)
            } else {
                Finding::warning(fault.code, dataset, message)
            };
            findings.push(finding.in_column(name).figures(less, more).fix(fault.fix));
            break;
        }
    }
    findings
}

/// Rows that are repeated as a whole, more often than in the other data set.
pub fn copies(pair: &Pair<'_>) -> Option<Finding> {
    let copied = |stats: &DatasetStats| {
        let (all, different) = stats.repeats().followed();
        ((all - different) as f64, all.max(1) as f64)
    };
    [Dataset::Train, Dataset::Against].into_iter().find_map(|dataset| {
        let (one, other) = (side(pair, dataset), side(pair, dataset.other()));
        let ((more, all), (less, of)) = (copied(one), copied(other));
        // Rows that are alike by chance become more frequent in proportion to the number of rows.
        let growth = (one.rows() as f64 / other.rows().max(1) as f64).max(1.0);
        let (found, expected) = (more / all, (less / of * growth).min(1.0));
        let rare = expected < 0.02 && found > 3.0 * expected;
        (rare && log_chance(more, all, expected * of, of) < log(FAMILY / 10.0)).then(|| {
            let message = format!(
                "{} of the rows of {} are copies of others (expected about {})",
                percent(found),
                dataset.name(),
                percent(expected)
            );
            Finding::error("duplicate_rows", dataset, message)
                .figures(expected, found)
                .fix("look for a file that was read twice or a join that matched twice")
        })
    })
}
