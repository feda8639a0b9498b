//! Looks at a data set before anything is trained on it or judged by it.
//!
//! One pass gives statistics of every column ([`stats`]), in memory that does not grow with the rows. They are compared with those of another data
//! set ([`compare`]), with a schema, and with what must hold in a decision log. Whatever is wrong is a [`finding::Finding`]; a
//! difference is one only if chance does not explain it ([`chance`]).

pub mod bundled;
pub mod chance;
pub mod command;
pub mod compare;
pub mod decisions;
pub mod faults;
pub mod finding;
pub mod gate;
pub mod report;
pub mod roles;
pub mod sample;
pub mod schema;
pub mod simulate;
pub mod sketch;
pub mod source;
pub mod stats;
pub mod suppress;
pub mod webhook;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::error::LabError;
use crate::evaluate::target::Target;
use compare::{Again, Pair, Thinning};
use finding::{Dataset, Finding, Severity};
use roles::Roles;
use schema::Schema;
use schema::check::Subject;
use source::{Reading, parts, read};
use stats::{DatasetStats, Replay, Watches};
use suppress::Suppressions;

/// What is validated, and how.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The data set that is judged: a file, or a folder of parts.
    pub train: PathBuf,
    /// Further parts of it.
    pub more: Vec<PathBuf>,
    /// The one it is compared with.
    pub against: Option<PathBuf>,
    /// What the data set is expected to be.
    pub schema: Option<PathBuf>,
    /// The environment of the schema that the data set belongs to.
    pub environment: Option<String>,
    /// Findings that are known.
    pub suppressions: Option<PathBuf>,
    /// Columns, or pairs `a*b`, whose values are slices.
    pub slices: Vec<String>,
    /// Roles of columns, `propensity=p`, beside the known names.
    pub roles: Vec<String>,
    /// The policy that is said to have made the log: its propensities are recomputed.
    pub replay: Option<Arc<Target>>,
    /// The bundle whose columns the data are to hold.
    pub bundle: Option<PathBuf>,
    /// Texts that are not UTF-8 are counted and not refused.
    pub any_bytes: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Statistics of the data set that is judged.
    pub train: DatasetStats,
    /// Statistics of the other one.
    pub against: Option<DatasetStats>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
    /// What is wrong and was suppressed.
    pub suppressed: Vec<Finding>,
}

impl Outcome {
    /// The exit code: 0 when there is nothing to report, 1 for warnings, 2 for errors.
    #[must_use]
    pub fn exit(&self) -> u8 {
        let worst = self.findings.iter().map(|finding| finding.severity).min();
        match worst {
            Some(Severity::Error) => 2,
            Some(Severity::Warning) => 1,
            None => 0,
        }
    }
}

/// Reads and judges.
///
/// # Errors
/// When a file cannot be read, or an asked column is nowhere.
pub fn run(settings: &Settings) -> Result<Outcome, LabError> {
    judge(settings, &Roles::new(&settings.roles)?)
}

/// The same, with these roles.
fn judge(settings: &Settings, roles: &Roles) -> Result<Outcome, LabError> {
    let schema = settings.schema.as_deref().map(Schema::read).transpose()?;
    let table = |path: &Path| -> Result<Table, LabError> {
        Ok(Table {
            watches: schema.as_ref().map(Watches::of).unwrap_or_default(),
            parts: parts(path)?,
            reading: Reading { any_bytes: settings.any_bytes },
            roles: roles.clone(),
            slices: settings.slices.clone(),
            replay: settings.replay.clone().map(Replay::new),
        })
    };
    let mut train_table = table(&settings.train)?;
    for path in &settings.more {
        train_table.parts.extend(parts(path)?);
    }
    let train = train_table.again(&Thinning::default())?;
    let bundle = settings.bundle.as_deref().map(bundled::Columns::read).transpose()?;
    let mut findings = decisions::check(&train, Dataset::Train);
    findings.extend(bundle.iter().flat_map(|bundle| bundle.check(&train, Dataset::Train)));
    let against = match &settings.against {
        None => None,
        Some(path) => {
            let against_table = table(path)?;
            let against = against_table.again(&Thinning::default())?;
            known_slices(settings, &[&train, &against])?;
            findings.extend(decisions::check(&against, Dataset::Against));
            findings.extend(bundle.iter().flat_map(|bundle| bundle.check(&against, Dataset::Against)));
            findings.extend(compare::compare(&Pair { train: &train, against: &against }, [&train_table, &against_table])?);
            Some(against)
        }
    };
    if against.is_none() {
        known_slices(settings, &[&train])?;
    }
    if let Some(schema) = &schema {
        let subject = Subject { train: &train, against: against.as_ref(), environment: settings.environment.as_deref() };
        let told: Vec<_> = findings.iter().map(|finding| (finding.code, finding.slice.clone(), finding.dataset)).collect();
        let more = schema::check::check(schema, &subject);
        // A slice that is missing from both the schema's and the other data set's point of view is told once.
        findings.extend(more.into_iter().filter(|finding| {
            finding.slice.is_none() || !told.contains(&(finding.code, finding.slice.clone(), finding.dataset))
        }));
    }
    sort(&mut findings);
    let known = settings.suppressions.as_deref().map(Suppressions::read).transpose()?.unwrap_or_default();
    let (findings, suppressed) = known.apply(findings, &suppress::today());
    Ok(Outcome { train, against, findings, suppressed })
}

/// Refuses a slice column that no data set has.
fn known_slices(settings: &Settings, data: &[&DatasetStats]) -> Result<(), LabError> {
    let parts = settings.slices.iter().flat_map(|slice| slice.split('*')).map(str::trim);
    for part in parts {
        if data.iter().all(|stats| stats.column(part).is_none()) {
            let names = data.first().map(|stats| stats.names().join(", ")).unwrap_or_default();
            return Err(LabError::unreadable(format!("--slice {part}: expected one of the columns {names}")));
        }
    }
    Ok(())
}

/// Missing slices first, then other errors, then warnings.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.severity, finding.code != "missing_slice"));
}

/// A file, or a folder of parts, that can be read again.
struct Table {
    parts: Vec<PathBuf>,
    reading: Reading,
    roles: Roles,
    slices: Vec<String>,
    watches: Watches,
    replay: Option<Replay>,
}

impl Table {
    fn part(&self, place: usize, thinning: &Thinning) -> Result<DatasetStats, LabError> {
        let mut stats =
            DatasetStats::new(self.roles.clone(), &self.slices).watching(self.watches.clone()).replaying(self.replay.clone());
        // Which rows are kept depends on their number; the parts have numbers far apart.
        let mut row = (place as u64) << 40;
        read(&self.parts[place], self.reading, &mut |names, cells| {
            if thinning.is_empty() || thinning.keeps(row, names, cells) {
                stats.add(names, cells);
            }
            row += 1;
            Ok(())
        })?;
        Ok(stats)
    }
}

impl Again for Table {
    fn again(&self, thinning: &Thinning) -> Result<DatasetStats, LabError> {
        let mut all = self.part(0, thinning)?;
        let places: Vec<usize> = (1..self.parts.len()).collect();
        // As many at a time as there are threads, so that memory does not grow with the parts; added in their order.
        for some in places.chunks(rayon::current_num_threads()) {
            let parts: Vec<_> = some.par_iter().map(|place| self.part(*place, thinning)).collect();
            for part in parts {
                all.merge(&part?);
            }
        }
        Ok(all)
    }
}
