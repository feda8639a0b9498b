use super::world::tests::small;
use super::*;

fn settings(threads: usize, policies: &[&str]) -> Settings {
    Settings {
        seeds: vec![3, 4],
        rounds: 12,
        visitors: 150,
        policies: policies.iter().map(|p| (*p).to_owned()).collect(),
        threads,
    }
}

fn report(threads: usize, policies: &[&str]) -> Report {
    run(&small(), &settings(threads, policies), &Units::nowhere(), &|_, _| ()).unwrap()
}

#[test]
fn every_policy_fills_pages_and_the_report_is_the_same_on_any_number_of_threads() {
    let one = report(1, &[]);
    assert_eq!(one, report(3, &[]));
    assert_eq!(one.policies.len(), ALL.len());
    for row in &one.policies {
        assert_eq!((row.regret.len(), row.curve.len()), (2, one.marks.len()), "{}", row.policy);
        assert!(row.regret.iter().all(|regret| *regret >= 0.0), "{}", row.policy);
        assert!((row.exposure.by_size.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{}", row.policy);
        assert!(one.table().contains(&row.policy));
    }
}

#[test]
fn policies_that_learn_beat_chance_and_none_beats_the_truth() {
    let found = report(2, &[]);
    let regret = |name: &str| found.policies.iter().find(|row| row.policy == name).unwrap().regret.iter().sum::<f64>();
    for row in &found.policies {
        if row.policy != "segment-oracle" {
            assert!(regret("segment-oracle") < regret(&row.policy), "{}", row.policy);
        }
    }
    for name in ["ts-seg-pessimistic", "epsilon-0.1", "popularity-oracle", "ts-lin-naive", "etc-seg-exploit"] {
        assert!(regret(name) < 0.95 * regret("random"), "{name}");
    }
}

#[test]
fn slates_hold_twelve_different_playlists() {
    let world = small();
    for named in ALL {
        let mut policy = named.start(&world, 1);
        for round in 0..4 {
            let visitors = world.visitors(1, round, 40);
            let slates = policy.show(&visitors);
            assert_eq!(slates.len(), 40);
            for slate in &slates {
                let mut sorted = *slate;
                sorted.sort_unstable();
                assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]) && sorted[11] < 30, "{} {slate:?}", named.name);
            }
            let streams: Vec<Option<usize>> = (0..40).map(|visitor| (visitor % 3 == 0).then_some(visitor % 12)).collect();
            policy.learn(&visitors, &slates, &streams);
        }
    }
}

#[test]
fn the_strongest_reference_policy_is_the_one_with_least_regret() {
    let found = report(2, &["random", "popularity", "ts-seg-pessimistic", "ts-seg-naive", "segment-oracle"]);
    let total = |name: &str| found.policies.iter().find(|row| row.policy == name).unwrap().regret.iter().sum::<f64>();
    let strongest = found.strongest.clone().unwrap();
    assert!(["popularity", "ts-seg-pessimistic", "ts-seg-naive"].iter().all(|name| total(&strongest) <= total(name)));
    assert_eq!(found.comparisons.len(), 4);
}

#[test]
fn bad_settings_are_refused() {
    let run = |settings: &Settings| run(&small(), settings, &Units::nowhere(), &|_, _| ());
    assert!(run(&Settings { seeds: Vec::new(), ..settings(1, &[]) }).is_err());
    assert!(run(&Settings { rounds: 0, ..settings(1, &[]) }).is_err());
    assert!(run(&settings(1, &["best"])).unwrap_err().to_string().contains("got best"));
}

#[test]
fn marks_are_the_first_round_and_the_tenths() {
    assert_eq!(Settings { rounds: 100, ..settings(1, &[]) }.marks(), [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert_eq!(Settings { rounds: 3, ..settings(1, &[]) }.marks(), [1, 2, 3]);
}
