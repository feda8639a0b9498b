//! What must hold in a decision log whatever it is compared with: probabilities, identities, time and rewards.

use libm::{log, sqrt};

use super::chance::{FAMILY, log_chance, normal_limit};
use super::finding::{Dataset, Finding, percent, short};
use super::roles::Role;
use super::sketch::Moments;
use super::stats::{Broken, DatasetStats, Hour};

/// Checks in this family that may raise an alarm by chance.
const TESTS: f64 = 10.0;

/// An hour that has rows on every other day must have so many there before its absence counts.
const BUSY: u64 = 50;

/// The last part of the time, where rewards may still be to come.
const LATE: f64 = 0.1;

/// All that is wrong in one data set by itself.
#[must_use]
pub fn check(stats: &DatasetStats, dataset: Dataset) -> Vec<Finding> {
    let mut findings = probabilities(stats, dataset);
    findings.extend(copies(stats, dataset));
    findings.extend(unreadable(stats, dataset));
    findings.extend(gap(stats, dataset));
    findings.extend(unripe(stats, dataset));
    findings.extend(replay(stats, dataset));
    findings.extend(policies(stats, dataset));
    findings
}

fn probabilities(stats: &DatasetStats, dataset: Dataset) -> Vec<Finding> {
    let held = stats.propensities();
    let column = |role: Role| stats.names().iter().find(|name| stats.roles().of(name) == Some(role)).cloned().unwrap_or_default();
    let rules: [(&'static str, Role, Broken, &str, &str); 8] = [
        (
            "propensity_missing",
            Role::Propensity,
            held.missing,
            "have no propensity",
            "log the probability of every action, also of those without exploration (1)",
        ),
        (
            "propensity_out_of_range",
            Role::Propensity,
            held.out_of_range,
            "have a propensity that is not in (0, 1]",
            "log the probability with which the action was drawn, before any rounding or logarithm",
        ),
        (
            "support_missing",
            Role::TargetPropensity,
            held.no_support,
            "have a target policy that takes what the logging policy never does",
            "judge only policies that stay where the logging policy explores",
        ),
        (
            "probability_out_of_range",
            Role::Probabilities,
            held.candidate_out_of_range,
            "have a probability that is not in [0, 1]",
            "log probabilities, not scores",
        ),
        (
            "probabilities_sum",
            Role::Probabilities,
            held.sum,
            "have probabilities that do not add up to 1",
            "log the whole distribution over the candidates",
        ),
        (
            "candidates_length",
            Role::Probabilities,
            held.length,
            "have not as many probabilities as candidates",
            "log one probability for each candidate",
        ),
        (
            "action_not_a_candidate",
            Role::Action,
            held.not_a_candidate,
            "have an action that is not among the candidates",
            "log the candidates as the policy saw them",
        ),
        (
            "propensity_mismatch",
            Role::Propensity,
            held.disagree,
            "have a propensity that is not the probability of their action",
            "log both from one draw",
        ),
    ];
    let mut findings: Vec<Finding> = rules
        .into_iter()
        .filter(|(_, _, broken, ..)| broken.rows > 0)
        .map(|(code, role, broken, what, fix)| {
            let share = percent(broken.rows as f64 / held.rows.max(1) as f64);
            let message =
                format!("{} rows of {} ({share}) {what}; the first is row {}", broken.rows, dataset.name(), broken.first);
            Finding::error(code, dataset, message).in_column(&column(role)).figures(0.0, broken.rows).fix(fix)
        })
        .collect();
    // What is out of range makes weights that say nothing more.
    if findings.is_empty() {
        let weights =
            [(&held.target, Role::TargetPropensity, "the target policy"), (&held.uniform, Role::Propensity, "a uniform policy")];
        findings.extend(weights.into_iter().filter_map(|(weights, role, policy)| mean(weights, policy, &column(role), dataset)));
        findings.extend(calibration(stats, &column(Role::Probabilities), dataset));
    }
    findings
}

/// Candidates that were taken more or less often than their probabilities say (Bernstein 1924, for sums of bounded variables).
fn calibration(stats: &DatasetStats, column: &str, dataset: Dataset) -> Option<Finding> {
    let calibration = &stats.propensities().calibration;
    let classes = calibration.classes().filter(|(_, class)| class.candidates > 0).count();
    let cost = -log(FAMILY / TESTS / classes.max(1) as f64 / 2.0);
    let worst = calibration
        .classes()
        .map(|(most, class)| {
            let limit = sqrt(2.0 * class.variance * cost) + 2.0 / 3.0 * cost;
            (most, class, (class.taken as f64 - class.expected).abs() / limit)
        })
        .filter(|(_, _, size)| *size > 1.0)
        .max_by(|a, b| a.2.total_cmp(&b.2));
    let (most, class, _) = worst?;
    let rate = |count: f64| count / class.candidates as f64;
    let message = format!(
        "candidates of {} with a probability up to {} are taken in {} of the cases where their probabilities say {}",
        dataset.name(),
        short(most),
        percent(rate(class.taken as f64)),
        percent(rate(class.expected))
    );
    Some(
        Finding::error("propensity_calibration", dataset, message)
            .in_column(column)
            .figures(rate(class.expected), rate(class.taken as f64))
            .fix("log the probabilities of the draw itself, after every floor, filter and fallback"),
    )
}

/// Propensities that are not those of the policy that is said to have drawn.
fn replay(stats: &DatasetStats, dataset: Dataset) -> Option<Finding> {
    let replay = stats.replay()?;
    let name = stats.names().iter().find(|name| stats.roles().of(name) == Some(Role::Propensity));
    let named = |finding: Finding| match name {
        Some(name) => finding.in_column(name),
        None => finding,
    };
    if replay.compared == 0 && stats.rows() > 0 {
        let message = format!("no row of {} says enough to replay {}", dataset.name(), replay.policy());
        let fix = "log what the policy reads: candidates for uniform, the context and action for a table, its column for scored";
        return Some(named(Finding::warning("replay_impossible", dataset, message).fix(fix)));
    }
    let (logged, replayed) = replay.first?;
    let share = replay.differ.rows as f64 / replay.compared as f64;
    let message = format!(
        "{} rows of {} ({}) have a propensity that is not the one of {}; the first is row {}: {} where the policy has {}",
        replay.differ.rows,
        dataset.name(),
        percent(share),
        replay.policy(),
        replay.differ.first,
        short(logged),
        short(replayed)
    );
    let fix = "find the version of the policy that drew these rows, or the step that changed their propensities";
    Some(named(Finding::error("propensity_replay", dataset, message).figures(replayed, logged).fix(fix)))
}

/// Several logging policies in one log.
fn policies(stats: &DatasetStats, dataset: Dataset) -> Option<Finding> {
    let name = stats.names().iter().find(|name| stats.roles().of(name) == Some(Role::Policy))?;
    let held = stats.column(name)?.top.sorted();
    let [first, second, ..] = held.as_slice() else { return None };
    let share = |count: u64| count as f64 / stats.rows().max(1) as f64;
    let message = format!(
        "{} was made by {} policies: {} ({}), {} ({}){}",
        dataset.name(),
        held.len(),
        first.value,
        percent(share(first.count)),
        second.value,
        percent(share(second.count)),
        if held.len() > 2 { " and others" } else { "" }
    );
    Some(
        Finding::warning("logging_policy_mixed", dataset, message)
            .in_column(name)
            .figures(1.0, held.len() as u64)
            .fix("judge the rows of each policy apart, or make sure that each row has its own propensity"),
    )
}

/// The mean weight of any policy that stays within the support is 1. The limit has room for a few large weights (Bernstein 1924).
fn mean(weights: &Moments, policy: &str, column: &str, dataset: Dataset) -> Option<Finding> {
    let count = weights.count() as f64;
    let rate = FAMILY / TESTS;
    let room = weights.max()? * -log(rate / 2.0) / count;
    let limit = normal_limit(rate) * weights.deviation() / sqrt(count) + room;
    (count >= 100.0 && (weights.mean() - 1.0).abs() > limit).then(|| {
        let message = format!(
            "the mean weight of {policy} in {} is {} where it must be 1 (up to {} by chance)",
            dataset.name(),
            short(weights.mean()),
            short(limit)
        );
        Finding::error("propensity_mean_weight", dataset, message)
            .in_column(column)
            .figures(1.0, weights.mean())
            .fix("the logged propensities are not those of the policy that drew: compare with a replay, look for rows dropped after the draw")
    })
}

fn copies(stats: &DatasetStats, dataset: Dataset) -> Option<Finding> {
    let (all, different) = stats.ids().followed();
    let name = stats.names().iter().find(|name| stats.roles().of(name) == Some(Role::Decision))?;
    (all > different).then(|| {
        let share = percent((all - different) as f64 / all as f64);
        let message = format!("{share} of the rows of {} repeat a {name}", dataset.name());
        Finding::error("duplicate_decisions", dataset, message)
            .in_column(name)
            .figures(0.0, (all - different) as f64 / all as f64)
            .fix("drop repeated uploads by their identity before anything is counted")
    })
}

fn unreadable(stats: &DatasetStats, dataset: Dataset) -> Option<Finding> {
    let timeline = stats.timeline();
    let readable: u64 = timeline.hours().values().map(|hour| hour.rows).sum();
    let name = stats.names().iter().find(|name| stats.roles().of(name) == Some(Role::Time))?;
    (timeline.unreadable > 0 && readable > timeline.unreadable).then(|| {
        let message = format!("{} times in {} cannot be read", timeline.unreadable, dataset.name());
        Finding::warning("unreadable_time", dataset, message)
            .in_column(name)
            .figures(0.0, timeline.unreadable)
            .fix("write seconds or milliseconds since 1970, or ISO 8601")
    })
}

/// A stretch without rows where other days have many.
fn gap(stats: &DatasetStats, dataset: Dataset) -> Option<Finding> {
    let timeline = stats.timeline();
    let hours = timeline.hours();
    let (first, last) = (*hours.keys().next()?, *hours.keys().next_back()?);
    let day = if timeline.width() == 1 { 24 } else { 1 };
    // Dates without hours: a day is the step.
    let step = if day == 24 && hours.keys().all(|hour| hour % 24 == 0) && hours.len() > 1 { 24 } else { 1 };
    // Where there are several days an hour is held against the same hour of other days, the first and last row's aside; else against all.
    let daily = step == 1 && day == 24 && (last - first) / day >= 3;
    let place = |hour: i64| if daily { hour.rem_euclid(24) as usize } else { 0 };
    let mut others = [(0_u64, u64::MAX); 24];
    for (hour, held) in hours.iter().filter(|(hour, _)| !daily || (**hour > first && **hour < last)) {
        let (count, least) = &mut others[place(*hour)];
        *count += 1;
        *least = held.rows.min(*least);
    }
    let busy = others.map(|(count, least)| count >= 2 && least >= BUSY);
    if !busy.contains(&true) {
        return None;
    }
    let missing: Vec<i64> = (1..(last - first) / step)
        .map(|steps| first + steps * step)
        .filter(|hour| busy[place(*hour)] && !hours.contains_key(hour))
        .collect();
    let start = *missing.first()?;
    let length = missing.iter().zip(0_i64..).take_while(|(hour, place)| **hour == start + place * step).count();
    let width = i64::from(timeline.width());
    let name = stats.names().iter().find(|name| stats.roles().of(name) == Some(Role::Time))?;
    let message = format!(
        "{} has no rows for {} hours from {}, where other times have at least {BUSY} an hour{}",
        dataset.name(),
        length as i64 * step * width,
        date(start * width),
        if missing.len() > length {
            format!("; {} such hours in all", missing.len() as i64 * step * width)
        } else {
            String::new()
        }
    );
    Some(
        Finding::error("time_gap", dataset, message)
            .in_column(name)
            .figures(0.0, (missing.len() as i64 * step * width) as f64)
            .fix("look for a file that was not read or an outage of the collector"),
    )
}

/// Rewards that are still to come: unknown, or none at all, at the end of the time.
fn unripe(stats: &DatasetStats, dataset: Dataset) -> Option<Finding> {
    let hours = stats.timeline().hours();
    let (first, last) = (*hours.keys().next()?, *hours.keys().next_back()?);
    let late = last - ((last - first) as f64 * LATE) as i64;
    let name = stats.names().iter().find(|name| stats.roles().of(name) == Some(Role::Reward))?;
    if last - first < 10 {
        return None;
    }
    let sum = |hours: &mut dyn Iterator<Item = &Hour>| {
        hours.fold(Hour::default(), |all, hour| Hour {
            rows: all.rows + hour.rows,
            unrewarded: all.unrewarded + hour.unrewarded,
            reward: all.reward + hour.reward,
        })
    };
    let early = sum(&mut hours.range(..late).map(|(_, hour)| hour));
    let end = sum(&mut hours.range(late..).map(|(_, hour)| hour));
    let limit = log(FAMILY / TESTS);
    let unknown = |part: &Hour| part.unrewarded as f64 / part.rows.max(1) as f64;
    let mean = |part: &Hour| part.reward / (part.rows - part.unrewarded).max(1) as f64;
    let (known, before) = ((end.rows - end.unrewarded) as f64, (early.rows - early.unrewarded) as f64);
    let (message, expected, found) = if unknown(&end) > 2.0 * unknown(&early)
        && log_chance(end.unrewarded as f64, end.rows as f64, early.unrewarded as f64, early.rows as f64) < limit
    {
        let message = format!(
            "{} of the rewards in the last tenth of the time of {} are not known, {} before",
            percent(unknown(&end)),
            dataset.name(),
            percent(unknown(&early))
        );
        (message, unknown(&early), unknown(&end))
    } else if mean(&early) > 0.0
        && mean(&early) <= 1.0
        && mean(&end) < 0.5 * mean(&early)
        && log_chance(end.reward, known, early.reward.min(before), before) < limit
    {
        let message = format!(
            "the mean reward in the last tenth of the time of {} is {}, {} before",
            dataset.name(),
            short(mean(&end)),
            short(mean(&early))
        );
        (message, mean(&early), mean(&end))
    } else {
        return None;
    };
    Some(
        Finding::warning("immature_rewards", dataset, message)
            .in_column(name)
            .figures(expected, found)
            .fix("leave out decisions younger than the attribution window"),
    )
}

/// An hour since 1970 as text, in UTC.
pub(super) fn date(hour: i64) -> String {
    // H. Hinnant, "chrono-compatible low-level date algorithms".
    let days = hour.div_euclid(24) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let of_era_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = of_era_year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:00", hour.rem_euclid(24))
}

#[cfg(test)]
mod tests;
