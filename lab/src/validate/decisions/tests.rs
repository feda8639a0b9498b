use super::*;
use crate::validate::roles::Roles;
use crate::validate::sketch::mix;
use crate::validate::source::Cell;
use crate::validate::stats::Replay;

fn codes(names: &[&str], rows: impl Iterator<Item = Vec<Cell<'static>>>) -> Vec<&'static str> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut stats = DatasetStats::new(Roles::default(), &[]);
    rows.for_each(|row| stats.add(&names, &row));
    check(&stats, Dataset::Train).iter().map(|finding| finding.code).collect()
}

fn unit(i: u64) -> f64 {
    (mix(i) >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn probabilities_of_a_log_must_fit_each_other() {
    const SIX: [Cell<'static>; 3] = [Cell::Int(4), Cell::Int(5), Cell::Int(6)];
    const EVEN: [Cell<'static>; 3] = [Cell::Float(0.5), Cell::Float(0.25), Cell::Float(0.25)];
    const LONG: [Cell<'static>; 2] = [Cell::Float(0.5), Cell::Float(0.5)];
    const MORE: [Cell<'static>; 3] = [Cell::Float(0.5), Cell::Float(0.5), Cell::Float(0.5)];
    const SCORE: [Cell<'static>; 3] = [Cell::Float(-2.0), Cell::Float(2.5), Cell::Float(0.5)];
    let list = |items: &'static [Cell<'static>]| Cell::List { items, depth: 1 };
    let names = ["action", "propensity", "candidates", "probs"];
    let row = |action: i64, propensity: Cell<'static>, probs: &'static [Cell<'static>]| {
        vec![Cell::Int(action), propensity, list(&SIX), list(probs)]
    };
    let good = row(4, Cell::Float(0.5), &EVEN);
    for (bad, code) in [
        (row(4, Cell::Float(0.0), &EVEN), "propensity_out_of_range"),
        (row(4, Cell::Float(1.5), &EVEN), "propensity_out_of_range"),
        (row(4, Cell::Float(f64::NAN), &EVEN), "propensity_missing"),
        (row(4, Cell::Missing, &EVEN), "propensity_missing"),
        (row(5, Cell::Float(0.5), &EVEN), "propensity_mismatch"),
        (row(9, Cell::Float(0.5), &EVEN), "action_not_a_candidate"),
        (row(4, Cell::Float(0.5), &LONG), "candidates_length"),
        (row(4, Cell::Float(0.5), &MORE), "probabilities_sum"),
        (row(6, Cell::Float(0.5), &SCORE), "probability_out_of_range"),
    ] {
        assert_eq!(codes(&names, [good.clone(), bad.clone()].into_iter()), [code], "{bad:?}");
    }
    assert!(codes(&names, [good.clone(), good].into_iter()).is_empty());
    let support = [vec![Cell::Float(0.0), Cell::Float(0.5)]];
    assert_eq!(codes(&["propensity", "target_propensity"], support.into_iter()), ["propensity_out_of_range", "support_missing"]);
}

#[test]
fn weights_have_the_mean_1_when_propensities_are_true() {
    // Three actions with probabilities 0.6, 0.3 and 0.1; the target policy takes each with 1/3.
    let draw = |i: u64, logged: fn(f64) -> f64| {
        let p = if unit(i) < 0.6 {
            0.6
        } else if unit(i) < 0.9 {
            0.3
        } else {
            0.1
        };
        vec![Cell::Float(logged(p)), Cell::Float(1.0 / 3.0)]
    };
    let names = ["propensity", "target_propensity"];
    assert!(codes(&names, (0..20_000).map(|i| draw(i, |p| p))).is_empty());
    assert_eq!(codes(&names, (0..20_000).map(|i| draw(i, f64::sqrt))), ["propensity_mean_weight"]);
}

#[test]
fn identities_gaps_and_rewards_to_come_are_found() {
    let hour = 3_600_000_i64;
    let start = 1_700_000_000_000 / hour * hour;
    // Ten days; nights have few rows, and rewards come at 20 %.
    let row = |i: u64| {
        let at = (unit(2 * i) * 240.0) as i64;
        let night = (at % 24) < 6 && !i.is_multiple_of(20);
        (!night).then(|| (at, Cell::Int(start + at * hour), Cell::Int((unit(2 * i + 1) < 0.2).into())))
    };
    let rows = || (0..40_000_u64).filter_map(row);
    let names = ["t_ms", "reward"];
    assert!(codes(&names, rows().map(|(_, time, reward)| vec![time, reward])).is_empty());
    let with_gap = rows().filter(|(at, ..)| !(100..104).contains(at)).map(|(_, time, reward)| vec![time, reward]);
    assert_eq!(codes(&names, with_gap), ["time_gap"]);
    let unknown = rows().map(|(at, time, reward)| vec![time, if at > 230 { Cell::Missing } else { reward }]);
    assert_eq!(codes(&names, unknown), ["immature_rewards"]);
    let none = rows().map(|(at, time, reward)| vec![time, if at > 225 { Cell::Int(0) } else { reward }]);
    assert_eq!(codes(&names, none), ["immature_rewards"]);
    let odd = rows().enumerate().map(|(i, (_, time, reward))| vec![if i == 7 { Cell::Text(b"soon") } else { time }, reward]);
    assert_eq!(codes(&names, odd), ["unreadable_time"]);

    let ids = |copy: bool| (0..500_i64).map(move |i| vec![Cell::Int(if copy && i == 9 { 8 } else { i / 2 }), Cell::Int(i % 2)]);
    // Two places of one page share its name; the same place twice does not.
    assert!(codes(&["decision", "position"], ids(false)).is_empty());
    assert_eq!(codes(&["decision", "position"], ids(true)), ["duplicate_decisions"]);
    assert_eq!(date(0), "1970-01-01 00:00");
    assert_eq!(date(11_016 * 24 + 7), "2000-02-29 07:00");
}

#[test]
fn rows_that_lie_thin_over_many_years_have_no_gaps_and_take_no_time() {
    let rows = (0..15_000_i64).map(|i| vec![Cell::Int(800_000_000 + i * 13 * 3600)]);
    assert!(codes(&["t"], rows).is_empty());
    // Every day at noon, five hundred rows; one day is missing.
    let daily = (0..400 * 500_i64).map(|i| i / 500).filter(|day| *day != 300);
    assert_eq!(codes(&["t"], daily.map(|day| vec![Cell::Int(800_000_000 + day * 24 * 3600)])), ["time_gap"]);
}

#[test]
fn actions_are_taken_as_often_as_their_probabilities_say() {
    const THREE: [Cell<'static>; 3] = [Cell::Int(4), Cell::Int(5), Cell::Int(6)];
    const PROBS: [Cell<'static>; 3] = [Cell::Float(0.6), Cell::Float(0.3), Cell::Float(0.1)];
    let names = ["action", "candidates", "probs"];
    let log = |drawn: [f64; 2]| {
        (0..5000).map(move |i| {
            let at = unit(i);
            let action = 4 + i64::from(at >= drawn[0]) + i64::from(at >= drawn[1]);
            vec![Cell::Int(action), Cell::List { items: &THREE, depth: 1 }, Cell::List { items: &PROBS, depth: 1 }]
        })
    };
    assert!(codes(&names, log([0.6, 0.9])).is_empty());
    // A floor that was applied after the probabilities were written.
    assert_eq!(codes(&names, log([0.5, 0.8])), ["propensity_calibration"]);
}

#[test]
fn a_replay_tells_the_first_row_that_another_policy_drew() {
    const TWO: [Cell<'static>; 2] = [Cell::Int(4), Cell::Int(5)];
    let path = std::env::temp_dir().join(format!("ears-replay-{}.csv", std::process::id()));
    std::fs::write(&path, "ctx_tier,action,probability\nfree,4,0.25\nfree,5,0.75\npaid,4,1\n").unwrap();
    let table = format!("table:{}", path.display());
    let names: Vec<String> = ["ctx_tier", "action", "propensity", "candidates", "target_old"].map(str::to_owned).to_vec();
    let check = |policy: &str, propensities: &[f64]| {
        let replay = Replay::new(std::sync::Arc::new(policy.parse().unwrap()));
        let part = |some: &[f64]| {
            let mut stats = DatasetStats::new(Roles::default(), &[]).replaying(Some(replay.clone()));
            for p in some {
                let candidates = Cell::List { items: &TWO, depth: 1 };
                stats.add(&names, &[Cell::Text(b"free"), Cell::Int(4), Cell::Float(*p), candidates, Cell::Float(0.25)]);
            }
            stats
        };
        // In two parts, so that rows are counted over both.
        let (mut stats, more) = (part(&propensities[..1]), part(&propensities[1..]));
        stats.merge(&more);
        super::replay(&stats, Dataset::Train)
    };
    assert_eq!(check(&table, &[0.25, 0.25]), None);
    assert_eq!(check("scored:old", &[0.25, 0.250_000_1]), None);
    assert_eq!(check("uniform", &[0.5, 0.5]), None);
    assert_eq!(check("logging", &[0.5, 0.5]).unwrap().code, "replay_impossible");
    assert_eq!(check("scored:new", &[0.5, 0.5]).unwrap().code, "replay_impossible");
    for (policy, right) in [(table.as_str(), 0.25), ("scored:old", 0.25), ("uniform", 0.5)] {
        let finding = check(policy, &[right, right, 0.3]).unwrap();
        assert_eq!((finding.code, finding.column.as_deref()), ("propensity_replay", Some("propensity")));
        assert!(finding.message.contains("the first is row 3: 0.3 where the policy has"), "{}", finding.message);
    }
    std::fs::remove_file(path).unwrap();
}

#[test]
fn several_logging_policies_are_told() {
    let rows = |policies: &'static [&'static str]| {
        (0..10).map(move |i| vec![Cell::Text(policies[i % policies.len()].as_bytes()), Cell::Float(0.5)])
    };
    assert!(codes(&["policy", "propensity"], rows(&["a"])).is_empty());
    assert_eq!(codes(&["policy", "propensity"], rows(&["a", "b"])), ["logging_policy_mixed"]);
}
