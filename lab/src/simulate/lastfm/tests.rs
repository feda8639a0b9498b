use super::device::Device;
use super::*;

/// Two circles of listeners who share no artist; everybody plays sixteen.
fn data() -> Data {
    let listeners = (0..80u32)
        .map(|u| (0..40u32).filter(|a| (a * 7 + u * 3) % 5 < 2).map(|a| (a + 40 * (u % 2), 1 + (a * u) % 90)).collect())
        .collect();
    let counts = PlayCounts { listeners, artists: (0..80).map(|a| format!("Artist {a}")).collect() };
    let play_times = PlayTimes::new((1..100).map(|second| second * 1_000).collect());
    Data { counts, play_times }
}

fn settings(threads: usize) -> Settings {
    let pilot = pilot::Size { listeners: 12, days: 3 };
    Settings { seeds: vec![3, 4], listeners: 30, days: 8, model: BundleSettings::default(), grid: None, pilot, threads }
}

fn nothing(_: u64, _: u64) {}

#[test]
fn a_run_repeats_itself_on_any_number_of_threads_and_when_taken_up_again() {
    let data = data();
    // As text: a relative difference from no stream at all is no number, and equal to nothing.
    let text = |report: &Report| serde_json::to_string(report).unwrap();
    let one = run(&data, &settings(1), &Units::nowhere(), &nothing).unwrap();
    let streams = |name: &str| one.policies[name].streams.iter().sum::<u64>();
    assert!(streams("oracle") > streams("random"), "{:?}", one.policies);
    assert!(one.policies["ears"].first_looks.iter().sum::<u64>() > 0);
    assert_eq!((one.grid.len(), one.grid[0].streams.len(), one.comparisons.len()), (1, POLICIES.len(), POLICIES.len() - 1));

    let file = std::env::temp_dir().join(format!("ears-lab-lastfm-{}.jsonl", std::process::id()));
    let kept = Units::open(&file, false).unwrap();
    assert_eq!(text(&one), text(&run(&data, &settings(2), &kept, &nothing).unwrap()));
    let lines = std::fs::read_to_string(&file).unwrap();
    assert_eq!(lines.lines().count(), 2);
    // One of the two units was lost.
    std::fs::write(&file, lines.lines().take(1).collect::<String>()).unwrap();
    let kept = Units::open(&file, true).unwrap();
    assert_eq!(text(&one), text(&run(&data, &settings(2), &kept, &nothing).unwrap()));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn the_grid_has_nine_cells_and_the_middle_comes_first() {
    let settings = Settings { seeds: vec![3], days: 1, grid: Some(9), ..settings(1) };
    let report = run(&data(), &settings, &Units::nowhere(), &nothing).unwrap();
    assert_eq!(report.grid.len(), 9);
    assert_eq!((report.grid[0].affinity, report.grid[0].boost, report.grid[0].streams.len()), (1.0, 1.0, POLICIES.len()));
    assert!(report.grid[1..].iter().all(|cell| cell.streams.len() == GRID_POLICIES.len()));
    let mut cells: Vec<(u64, u64)> = report.grid.iter().map(|cell| (cell.affinity.to_bits(), cell.boost.to_bits())).collect();
    cells.sort_unstable();
    cells.dedup();
    assert_eq!(cells.len(), 9);
}

#[test]
fn nothing_of_the_truth_reaches_a_policy() {
    let data = data();
    let truth = Truth::new(&data.counts, 1);
    let world = World::new(&data, &truth, 12, 5);

    // Other hidden halves, another truth: everything given to a policy is made again from what is known.
    let mut halves = world.halves.clone();
    halves.hidden.rotate_left(7);
    let counts = PlayCounts {
        listeners: halves
            .known
            .iter()
            .zip(&halves.hidden)
            .map(|(known, hidden)| known.iter().chain(hidden).copied().collect())
            .collect(),
        artists: data.counts.artists.clone(),
    };
    assert_ne!(counts.listeners, data.counts.listeners);
    let other_truth = Truth::new(&counts, 2);
    let home = Home::new(&halves.known, &halves.run, counts.artists.len(), 5);
    assert_eq!(home, world.home);

    let scale = Scale::new(&other_truth, &home.artists, 5);
    let other = World { seed: 5, counts: &counts, play_times: &data.play_times, halves, home, truth: &other_truth, scale };
    let cell = Cell { affinity: 1.0, boost: 1.0 };
    let mut truths_differ = false;
    for number in 0..12 {
        assert_eq!(world.home.history(number), other.home.history(number));
        let mut placed = Vec::new();
        for world in [&world, &other] {
            let listener = Listener::new(world, cell, base_logit(world, cell), number);
            let page = world.home.page(number, 0);
            let visit = listener.visit(0, 0);
            let mut device = Device::new(&world.home, BundleSettings::default(), 5, number, visit.at).unwrap();
            let chances: Vec<f64> = page[0].cards.iter().map(|card| listener.true_chance(0, *card, visit.at)).collect();
            placed.push((page.clone(), visit, device.rank(&page, visit.at).unwrap(), chances));
        }
        assert_eq!((&placed[0].0, placed[0].1, &placed[0].2), (&placed[1].0, placed[1].1, &placed[1].2));
        truths_differ |= placed[0].3 != placed[1].3;
    }
    assert!(truths_differ);
}

#[test]
fn new_listeners_come_without_history_and_within_the_first_month() {
    let data = data();
    let truth = Truth::new(&data.counts, 1);
    let world = World::new(&data, &truth, 60, 5);
    let cell = Cell { affinity: 1.0, boost: 1.0 };
    let mut new = 0;
    for number in 0..60 {
        let listener = Listener::new(&world, cell, 0.0, number);
        assert_eq!(world.home.history(number).is_empty(), listener.is_new());
        let page = world.home.page(number, listener.first_day());
        let mut cards: Vec<u32> = page.iter().flat_map(|shelf| shelf.cards.clone()).collect();
        cards.sort_unstable();
        assert!(
            cards.windows(2).all(|pair| pair[0] < pair[1]) && cards.last().is_some_and(|c| (*c as usize) < world.home.cards())
        );
        if listener.is_new() {
            new += 1;
            assert!(listener.first_day() < constants::NEW_ARRIVE_DAYS);
            assert!(page.iter().all(|shelf| !matches!(shelf.id.as_str(), "recent" | "heavy" | "new")));
        } else {
            assert_eq!((listener.first_day(), page[0].id.as_str()), (0, "recent"));
        }
    }
    assert!((2..30).contains(&new), "{new}");
}

#[test]
fn uniform_pages_are_played_at_the_base_rate() {
    let data = data();
    let truth = Truth::new(&data.counts, 1);
    let world = World::new(&data, &truth, 60, 5);
    let cell = Cell { affinity: 1.5, boost: 1.5 };
    let base = base_logit(&world, cell);
    let (mut looks, mut plays) = (0.0, 0.0);
    for number in 0..60 {
        let page = world.home.page(number, 0);
        for draw in 0..40 {
            let mut listener = Listener::new(&world, cell, base, number);
            // Days beyond the first serve as further draws of luck for the page and the taste of the first.
            let visit = listener.visit(draw, 0);
            let moment = Moment { listener: &listener, visit, page: &page };
            let placed = Random { seed: 5 }.place(&moment).unwrap();
            let seen = listener.browse(visit, &page, &placed);
            looks += seen.len() as f64;
            plays += seen.iter().filter(|look| look.played_ms.is_some()).count() as f64;
        }
    }
    // Streams end a visit, so looks are not quite independent; five standard errors of as many independent ones, and a tenth.
    let rate = plays / looks;
    let bound = 5.0 * (0.04f64 * 0.96 / looks).sqrt() + 0.004;
    assert!((rate - constants::BASE_RATE).abs() < bound, "{rate} of {looks}");
}

#[test]
fn nothing_to_run_is_said() {
    let data = data();
    for wrong in [
        Settings { seeds: Vec::new(), ..settings(1) },
        Settings { days: 0, ..settings(1) },
        Settings { listeners: 81, ..settings(1) },
        Settings { grid: Some(0), ..settings(1) },
        Settings { listeners: 80, ..settings(1) },
    ] {
        assert!(run(&data, &wrong, &Units::nowhere(), &nothing).is_err());
    }
}
