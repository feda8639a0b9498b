use super::*;
use crate::validate::roles::Roles;
use crate::validate::sketch::mix;
use crate::validate::source::Cell;

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
