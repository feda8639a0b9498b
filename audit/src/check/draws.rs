//! The black-box audit: many records of listeners who differ in history and in what they did; nothing that can be seen may tell
//! them apart better than epsilon allows.
//!
//! The judge takes counts, whoever counted them: [`native`] draws from an implementation here, and the wasm module's draws come
//! from a file that a script has written.

use super::law::kept_by_table;
use crate::finding::Finding;
use crate::fixture::{ASKED_ANSWERS, answers, arm_card, manifest_of, roomy_ledger, slots, week, weights};
use crate::statistics::{at_least, at_most, goodness, normal_above};
use crate::subject::{ARM, Bytes, Made, Person, QUESTION, SLOT, SYMBOL, Subject, Words, permit};
use ears_only::clock::HOUR_MS;
use ears_only::error::Error;
use ears_only::privacy::{Coin, EPSILONS, Epsilon, Manifest, epoch_of};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Name of the check on likelihood ratios.
pub const NAME: &str = "black box";
/// Name of the check on frequencies.
pub const CHI_SQUARE: &str = "frequencies";

/// Chance that the audit accuses an implementation that keeps its promise, for one epsilon.
pub const ALPHA: f64 = 1e-6;

/// What can be seen of one draw: slot, arm, question, symbol; `None` when nothing was sent.
pub type Seen = Option<[u16; 4]>;

/// Draws of one kind of listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Who, and what they did.
    pub name: String,
    /// The true answer, for the expected frequencies; unknown where it differs among draws.
    pub answer: Option<u8>,
    /// How often each thing was seen.
    pub seen: BTreeMap<Seen, u64>,
}

/// Draws at one epsilon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draws {
    /// Index of the manifest's epsilon.
    pub epsilon: u8,
    /// Number of answers of the manifest's question.
    pub answers: u8,
    /// The groups.
    pub groups: Vec<Group>,
}

impl Draws {
    /// All draws.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.groups.iter().flat_map(|group| group.seen.values()).sum()
    }

    /// Reads what a script has counted.
    ///
    /// # Errors
    /// A sentence that names what is missing.
    pub fn read(value: &Value) -> Result<Self, String> {
        let whole = |value: &Value, what: &str| value.as_u64().ok_or_else(|| format!("expected {what}, got {value}"));
        let mut draws = Self {
            epsilon: whole(&value["epsilonIndex"], "an epsilonIndex")? as u8,
            answers: whole(&value["answers"], "a number of answers")? as u8,
            groups: Vec::new(),
        };
        for group in value["groups"].as_array().ok_or("expected a list \"groups\"")? {
            let mut counted = Group {
                name: group["name"].as_str().ok_or("expected a group's name")?.to_owned(),
                answer: group["answer"].as_u64().map(|answer| answer as u8),
                seen: BTreeMap::new(),
            };
            for row in group["seen"].as_array().ok_or("expected a list \"seen\"")? {
                let mut cell = [0; 4];
                for (at, part) in cell.iter_mut().enumerate() {
                    *part = whole(&row[at], "a number")? as u16;
                }
                *counted.seen.entry(Some(cell)).or_default() += whole(&row[4], "a count")?;
            }
            if let Some(nothing) = group["nothing"].as_u64().filter(|nothing| *nothing > 0) {
                counted.seen.insert(None, nothing);
            }
            draws.groups.push(counted);
        }
        Ok(draws)
    }

    /// The inverse of [`Draws::read`].
    #[must_use]
    pub fn json(&self) -> Value {
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|group| {
                let seen: Vec<Value> =
                    group.seen.iter().filter_map(|(cell, count)| cell.map(|c| json!([c[0], c[1], c[2], c[3], count]))).collect();
                json!({"name": group.name, "answer": group.answer, "seen": seen, "nothing": group.seen.get(&None).unwrap_or(&0)})
            })
            .collect();
        json!({"epsilonIndex": self.epsilon, "answers": self.answers, "groups": groups})
    }

    /// Adds the counts of the same groups.
    pub fn add(&mut self, groups: Vec<Group>) {
        for group in groups {
            match self.groups.iter_mut().find(|own| own.name == group.name) {
                Some(own) => group.seen.into_iter().for_each(|(cell, count)| *own.seen.entry(cell).or_default() += count),
                None => self.groups.push(group),
            }
        }
    }
}

/// Two strangers: one who has hidden none of the manifest's cards and one who has hidden one of them.
fn people(manifest: &Manifest) -> Vec<Person> {
    let hidden = |person: Person| {
        (0..weights(manifest, 0).len()).filter(|arm| arm_card(manifest, 0, *arm).is_some_and(|card| person.hides(card))).count()
    };
    (0..2).filter_map(|wanted| (10..1_000).map(Person).find(|person| hidden(*person) == wanted)).collect()
}

/// What is seen of a record.
#[must_use]
pub fn seen(record: &Bytes) -> [u16; 4] {
    [SLOT, ARM, QUESTION, SYMBOL].map(|field| field.of(record) as u16)
}

/// Draws `count` records from an implementation at one epsilon, of a question with `choices` answers.
///
/// # Errors
/// As the core's.
pub fn native(subject: &dyn Subject, epsilon_index: u8, choices: u8, count: u64) -> Result<Draws, Error> {
    let manifest = manifest_of(epsilon_index, choices)?;
    let groups: Vec<(Person, u8)> =
        people(&manifest).into_iter().flat_map(|person| (0..choices).map(move |answer| (person, answer))).collect();
    let each = count / groups.len() as u64;
    let pieces = each.div_ceil(100_000).max(1);
    let jobs: Vec<(usize, u64)> = (0..groups.len()).flat_map(|group| (0..pieces).map(move |piece| (group, piece))).collect();
    let counted: Vec<Group> = jobs
        .par_iter()
        .map(|&(group, piece)| {
            let (person, answer) = groups[group];
            let size = each / pieces + u64::from(piece < each % pieces);
            let seed = (u64::from(epsilon_index) << 48) | (u64::from(choices) << 40) | ((group as u64) << 32) | piece;
            draw_group(subject, &manifest, person, answer, size, seed)
        })
        .collect::<Result<_, _>>()?;
    let mut draws = Draws { epsilon: epsilon_index, answers: choices, groups: Vec::new() };
    for group in counted {
        draws.add(vec![group]);
    }
    Ok(draws)
}

fn draw_group(
    subject: &dyn Subject,
    manifest: &Manifest,
    person: Person,
    wanted: u8,
    count: u64,
    seed: u64,
) -> Result<Group, Error> {
    let (mut coin_words, mut flip_words) = subject.sources(person, manifest, Words::new(2 * seed), Words::new(2 * seed + 1));
    let ledger = roomy_ledger();
    let at = week(0).plus_ms(HOUR_MS);
    let epoch = epoch_of(at).unwrap_or(0);
    let mut group =
        Group { name: format!("listener {} who would answer {wanted}", person.0), answer: Some(wanted), ..Group::default() };
    for _ in 0..count {
        let coin = Coin::toss(manifest, epoch, coin_words.as_mut())?;
        let (slot, arm) = (usize::from(coin.slot), usize::from(coin.arm));
        // What cannot be shown is not played.
        let hidden = arm_card(manifest, slot, arm).is_some_and(|card| person.hides(card));
        let answer = if hidden { 0 } else { wanted };
        let permit = permit(&ledger, manifest, epoch, at)?;
        let record = subject.release(answer, permit, manifest, &coin, flip_words.as_mut())?;
        let made =
            Made { person, manifest, answer, propensity: person.propensity(), record, send_after: at.plus_ms(coin.delay_ms) };
        let sent = subject.send(&made);
        let cell = sent.first().map(|sent| seen(&sent.bytes));
        *group.seen.entry(cell).or_default() += 1;
        if hidden {
            group.answer = None;
        }
    }
    Ok(group)
}

/// A set of things that can be seen, by what it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Nothing,
    Symbol(u16),
    Arm(u16, u16),
    All([u16; 4]),
}

fn events(seen: Seen) -> Vec<Event> {
    match seen {
        None => vec![Event::Nothing],
        Some(cell @ [slot, arm, _, symbol]) => vec![Event::Symbol(symbol), Event::Arm(slot, arm), Event::All(cell)],
    }
}

/// What the draws say of epsilon.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The draws prove that the true epsilon is at least this.
    pub at_least: f64,
    /// What a perfect randomiser is expected to show at this size.
    pub expected: f64,
    /// Which event of which groups says so.
    pub by: String,
    /// Draws in all.
    pub draws: u64,
}

/// The largest epsilon that the draws prove, over all events and all pairs of groups, with Bonferroni's correction.
#[must_use]
pub fn bound(draws: &Draws) -> Bound {
    let mut counts: Vec<BTreeMap<Event, u64>> = Vec::new();
    let mut totals = Vec::new();
    for group in &draws.groups {
        let mut of_group = BTreeMap::new();
        for (cell, count) in &group.seen {
            for event in events(*cell) {
                *of_group.entry(event).or_insert(0u64) += count;
            }
        }
        totals.push(group.seen.values().sum::<u64>());
        counts.push(of_group);
    }
    let mut all: Vec<Event> = counts.iter().flat_map(|of_group| of_group.keys().copied()).collect();
    all.sort_unstable();
    all.dedup();
    let groups = draws.groups.len();
    let looks = (all.len() * groups * groups.saturating_sub(1)).max(1);
    // Two ends are used for each look.
    let alpha = ALPHA / (2 * looks) as f64;
    let mut best = (f64::NEG_INFINITY, String::new());
    for event in &all {
        let ends: Vec<(f64, f64)> = (0..groups)
            .map(|group| {
                let hits = counts[group].get(event).copied().unwrap_or(0);
                (at_least(hits, totals[group], alpha), at_most(hits, totals[group], alpha))
            })
            .collect();
        for (a, (low, _)) in ends.iter().enumerate() {
            for (b, (_, high)) in ends.iter().enumerate().filter(|(b, _)| *b != a) {
                let shown = libm::log(low / high);
                if shown > best.0 {
                    best = (shown, format!("{event:?}: {} against {}", draws.groups[a].name, draws.groups[b].name));
                }
            }
        }
    }
    // ln of a ratio of two frequencies of n draws each has variance (1 - p) / (p n) + (1 - q) / (q n); each end is z of its own
    // standard deviations away. p is the chance that an answer is kept, q that of each other.
    let epsilon = EPSILONS.get(usize::from(draws.epsilon)).copied().unwrap_or(0.0);
    let others = f64::from(draws.answers) - 1.0;
    let q = 1.0 / (others + libm::exp(epsilon));
    let p = 1.0 - others * q;
    let n = totals.iter().copied().min().unwrap_or(0) as f64;
    let z = normal_above(alpha);
    let expected = epsilon - z * (((1.0 - p) / (p * n)).sqrt() + ((1.0 - q) / (q * n)).sqrt());
    Bound { at_least: best.0, expected, by: best.1, draws: totals.iter().sum() }
}

/// Judges draws: the bound must not lie above epsilon, and must come as near as their number allows; at 1e7 draws of the default
/// epsilon, within a hundredth.
#[must_use]
pub fn judge(all: &[Draws], source: &str) -> Vec<Finding> {
    vec![judge_bounds(all, source), judge_frequencies(all, source)]
}

fn judge_bounds(all: &[Draws], source: &str) -> Finding {
    let mut problems = Vec::new();
    let (mut results, mut cases) = (String::new(), 0u32);
    let mut numbers = Vec::new();
    for draws in all {
        let Some(epsilon) = Epsilon::from_index(draws.epsilon).map(Epsilon::value) else {
            problems.push(format!("an unknown epsilon {}", draws.epsilon));
            continue;
        };
        let bound = bound(draws);
        if bound.at_least > epsilon {
            problems.push(format!("records that say epsilon {epsilon} have at least {:.3} ({})", bound.at_least, bound.by));
        }
        // As far below the expected bound as above it the end of the interval lies is more than chance gives.
        let floor = bound.expected - (epsilon - bound.expected);
        let least =
            if epsilon == 1.0 && draws.answers == 2 && bound.draws >= 9_900_000 { floor.max(0.99 * epsilon) } else { floor };
        if bound.at_least < least {
            problems.push(format!(
                "epsilon {epsilon}: the bound {:.4} is below {least:.4}: what is audited is not what is drawn",
                bound.at_least
            ));
        }
        cases += 1;
        if epsilon == 1.0 && draws.answers == 2 {
            results = format!("epsilon 1: at least {:.4} is shown by {} draws", bound.at_least, bound.draws);
        }
        for (what, number) in [("bound", bound.at_least), ("expected", bound.expected), ("draws", bound.draws as f64)] {
            numbers.push((format!("{what}, epsilon {epsilon}, {} answers", draws.answers), number));
        }
    }
    if all.is_empty() {
        problems.push("no draws".into());
    }
    Finding {
        check: NAME,
        promise: "who you are cannot be read from what is sent",
        how: format!("{source}: Clopper-Pearson bounds on every event and pair of listeners, one false alarm in a million"),
        result: problems
            .first()
            .cloned()
            .unwrap_or_else(|| format!("{source}: {results}, at most 1 allowed; none of {cases} cases above")),
        pass: problems.is_empty(),
        numbers,
    }
}

/// Chance of each of `count` remainders of 16 uniform bits.
fn remainders(count: usize) -> Vec<f64> {
    (0..count).map(|at| (0..65_536usize).filter(|word| word % count == at).count() as f64 / 65_536.0).collect()
}

/// Smallest tail chance that passes; there are fewer than a hundred tests.
const LEAST_TAIL: f64 = 1e-6;

fn judge_frequencies(all: &[Draws], source: &str) -> Finding {
    let mut smallest = (1.0f64, "nothing was compared".to_owned());
    let mut tests = 0u32;
    let mut look = |counts: &[u64], chances: &[f64], what: String| {
        tests += 1;
        let tail = goodness(counts, chances);
        if tail < smallest.0 || smallest.1.starts_with("nothing") {
            smallest = (tail, what);
        }
    };
    for draws in all {
        let Ok(manifest) = manifest_of(draws.epsilon, draws.answers) else { continue };
        for group in &draws.groups {
            let count = |keep: &dyn Fn(&[u16; 4]) -> bool| -> u64 {
                group.seen.iter().filter(|(cell, _)| cell.as_ref().is_some_and(keep)).map(|(_, count)| count).sum()
            };
            let of_slots = slots(&manifest);
            let slot_counts: Vec<u64> =
                (0..=of_slots).map(|slot| count(&|cell| usize::from(cell[0]).min(of_slots) == slot)).collect();
            let mut chances = remainders(of_slots);
            chances.push(0.0);
            look(&slot_counts, &chances, format!("slots of {}", group.name));
            for slot in 0..of_slots {
                let inside = |cell: &[u16; 4]| usize::from(cell[0]) == slot;
                let table = weights(&manifest, slot);
                let arms: Vec<u64> = (0..=table.len())
                    .map(|arm| count(&|cell| inside(cell) && usize::from(cell[1]).min(table.len()) == arm))
                    .collect();
                let mut chances: Vec<f64> = table.iter().map(|weight| f64::from(*weight) / 65_536.0).collect();
                chances.push(0.0);
                look(&arms, &chances, format!("arms of slot {slot} of {}", group.name));
                let questions = answers(&manifest, slot);
                let asked: Vec<u64> = (0..=questions.len())
                    .map(|question| count(&|cell| inside(cell) && usize::from(cell[2]).min(questions.len()) == question))
                    .collect();
                let mut chances = remainders(questions.len());
                chances.push(0.0);
                look(&asked, &chances, format!("questions of slot {slot} of {}", group.name));
                let Some(answer) = group.answer else { continue };
                for (question, &choices) in questions.iter().enumerate() {
                    let symbols: Vec<u64> = (0..=choices)
                        .map(|symbol| {
                            count(&|cell| {
                                inside(cell)
                                    && usize::from(cell[2]) == question
                                    && cell[3].min(choices.into()) == u16::from(symbol)
                            })
                        })
                        .collect();
                    let keep = kept(draws.epsilon, choices);
                    let others = f64::from(choices) - 1.0;
                    let chances: Vec<f64> = (0..=choices)
                        .map(|symbol| match symbol {
                            symbol if symbol == choices => 0.0,
                            symbol if symbol == answer => keep,
                            _ => (1.0 - keep) / others,
                        })
                        .collect();
                    if answer < choices {
                        look(&symbols, &chances, format!("answers to question {question} of slot {slot} of {}", group.name));
                    }
                }
            }
        }
    }
    let pass = smallest.0 > LEAST_TAIL && tests > 0;
    Finding {
        check: CHI_SQUARE,
        promise: "what is asked is drawn as published, for everybody alike",
        how: format!("{source}: {tests} chi-square tests of slots, arms, questions and answers against the manifest"),
        result: if pass {
            format!("{source}: smallest tail chance {:.4}", smallest.0)
        } else {
            format!("{}: tail chance {:.1e}", smallest.1, smallest.0)
        },
        pass,
        numbers: vec![("tests".into(), f64::from(tests)), ("smallest tail".into(), smallest.0)],
    }
}

/// Chance that an answer is kept, by the shipped constants.
fn kept(epsilon_index: u8, choices: u8) -> f64 {
    kept_by_table(epsilon_index, choices) as f64 / 4_294_967_296.0
}

/// Draws from an implementation here and judges them.
#[must_use]
pub fn check(subject: &dyn Subject, count: u64) -> Vec<Finding> {
    let cases = (0..EPSILONS.len() as u8).flat_map(|index| ASKED_ANSWERS.map(|choices| (index, choices)));
    let drawn: Result<Vec<Draws>, Error> = cases.map(|(index, choices)| native(subject, index, choices, count)).collect();
    match drawn {
        Ok(all) => judge(&all, "the native build"),
        Err(problem) => vec![
            Finding::broken(NAME, "who you are cannot be read from what is sent", &problem.to_string()),
            Finding::broken(CHI_SQUARE, "what is asked is drawn as published, for everybody alike", &problem.to_string()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Shipped;

    #[test]
    fn the_shipped_code_is_neither_above_nor_far_below() {
        for finding in check(&Shipped, 100_000) {
            assert!(finding.pass, "{finding:?}");
        }
    }

    #[test]
    fn counts_survive_a_file() {
        let draws = native(&Shipped, 1, 2, 1_000).unwrap();
        assert_eq!(Draws::read(&draws.json()).unwrap(), draws);
        assert!(Draws::read(&json!({})).is_err());
    }
}
