//! The work of ranking, by name, for counting instructions and for timing.
//!
//! ```text
//! work                     the names
//! work NAME REPEATS        does that work so often and prints a number that depends on it
//! work --time              times everything in turns and prints JSON
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot go on should stop")]

use std::time::Instant;

use ears_bare::{LANES, SUMS, WIDE_LANES, products, wide_products};
use ears_kernels::{Cut, Forest, Level, Tree, add_products, dense, falling, quadratic_forms, score_rows};
use ears_only::bundle::{Bundle, BundleSettings, PolicyKind};
use ears_only::clock::{DAY_MS, MINUTE_MS, Timestamp};
use ears_only::features::{Column, Source};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::model::{Head, HeadPrior};
use ears_only::page::{Card, PAGE_HEADER, Page};
use ears_only::random::Seed;
use ears_only::ranker::Ranker;

/// One kind of work: prepared, it can be done again and again.
type Work = Box<dyn FnMut() -> f64>;
/// Its name, and how it is prepared.
type Named = (&'static str, fn() -> Work);

const CARDS: usize = 1_000;
const FEATURES: usize = 64;

const WORKS: [Named; 15] = [
    ("rank, linear", || rank(CARDS, FEATURES, 1, PolicyKind::EpsilonPage, 0, true)),
    ("rank, linear, told of what was drawn", || rank(CARDS, FEATURES, 1, PolicyKind::EpsilonPage, 0, false)),
    ("rank, linear, fifty shelves, drawn with a floor", || rank(CARDS, FEATURES, 50, PolicyKind::PlackettLuce, 0, true)),
    ("rank, linear, fifty shelves, told of what was drawn", || rank(CARDS, FEATURES, 50, PolicyKind::PlackettLuce, 0, false)),
    ("rank, standard deviations", || rank(CARDS, FEATURES, 1, PolicyKind::LinUcb, 0, true)),
    ("rank, Thompson sampling, fifty shelves", || rank(CARDS, FEATURES, 50, PolicyKind::Thompson, 0, true)),
    ("rank, features of history", || rank(CARDS, 0, 50, PolicyKind::PlackettLuce, 5_000, true)),
    ("rank, features of history, told of what was drawn", || rank(CARDS, 0, 50, PolicyKind::PlackettLuce, 5_000, false)),
    ("learn, full covariance", || learn(FEATURES)),
    ("learn, diagonal", || learn(3 * FEATURES)),
    ("scores of rows", scores),
    ("order", order),
    ("network", network),
    ("trees", || forest(100, false)),
    ("trees, oblivious", || forest(100, true)),
];

fn numbers(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Ranks one page again and again; without given features the built-in model reads `plays` of history. `all` tells of every card.
fn rank(cards: usize, features: usize, shelves: usize, kind: PolicyKind, plays: usize, all: bool) -> Work {
    let mut settings = BundleSettings::default();
    settings.policy.kind = kind;
    if features > 0 {
        settings.columns = Some((0..features).map(|column| Column::new(&format!("f{column}"), Source::Given)).collect());
        for (column, weight) in numbers(features, 7).into_iter().enumerate() {
            settings.prior.mean.push((format!("f{column}"), 0.3 * f64::from(weight)));
        }
    }
    let mut ranker = Ranker::seeded(Bundle::new(settings).unwrap(), Seed::from_number(1)).unwrap();
    let mut handles = Vec::new();
    for at in 0..cards {
        let card = Card {
            id: format!("card:{at}"),
            artist: format!("Artist {}", at % 97),
            family: format!("family {}", at % 13),
            duration_ms: Some(200_000),
            popularity: Some((at % 100) as f32 / 100.0),
            embedding: numbers(32, at as u32),
            ..Card::default()
        };
        handles.push(ranker.catalogue_mut().register(card).unwrap());
    }
    let start = Timestamp::from_ms(20_000.0 * DAY_MS as f64).unwrap();
    for play in 0..plays {
        let at = start.plus_ms(play as i64 * 30 * MINUTE_MS);
        let event = ListeningEvent {
            kind: EventKind::Finish,
            decision: None,
            shelf: None,
            card: handles[play * 7_919 % cards * (play % 3 + 1) / 3],
            ms_played: Some(180_000),
            at,
        };
        ranker.observe(&event, at).unwrap();
    }
    let now = start.plus_ms(plays as i64 * 30 * MINUTE_MS);
    // As a host writes it.
    let (visible_shelves, visible_cards) = if shelves == 1 { (1, 1) } else { (3, 6) };
    let mut packed = [1, shelves, cards, features, visible_shelves, visible_cards].map(|count| count as f32).to_vec();
    packed.resize(PAGE_HEADER, 0.0);
    for (at, cards) in handles.chunks(cards.div_ceil(shelves)).enumerate() {
        let shelf = ranker.catalogue_mut().register_shelf(&format!("shelf:{at}"), "mix", "").unwrap();
        packed.extend([shelf.index() as f32, cards.len() as f32, 0.0, 0.0]);
    }
    packed.extend(handles.iter().flat_map(|card| [card.index() as f32, 0.0]));
    packed.resize(packed.len().next_multiple_of(4), 0.0);
    packed.extend(numbers(cards * features, 3));
    let page = Page::from_words(packed, ranker.catalogue()).unwrap();
    let mut words = Vec::new();
    Box::new(move || {
        ranker.rank_into(&page, now, all, &mut words).unwrap();
        words[ears_only::ranker::HEADER_WORDS]
    })
}

fn learn(features: usize) -> Work {
    let width = features + 1;
    let prior = HeadPrior::new(vec![0.0; width], &vec![1.0; width], f64::INFINITY).unwrap();
    let mut head = Head::new(prior, width.next_multiple_of(4));
    let rows: Vec<Vec<f32>> = (0..64).map(|seed| numbers(width, seed)).collect();
    let mut next = 0;
    Box::new(move || {
        next += 1;
        head.learn(&rows[next % 64], f64::from(u8::from(next % 3 == 0)));
        head.mean()[0]
    })
}

fn scores() -> Work {
    let (rows, weights) = (numbers(CARDS * 68, 1), numbers(68, 2));
    let mut scores = vec![0.0; CARDS];
    Box::new(move || {
        score_rows(&rows, 68, &weights, &mut scores);
        scores[7]
    })
}

fn order() -> Work {
    let pairs: Vec<(f64, u32)> = numbers(CARDS, 3).into_iter().zip(0..).map(|(value, at)| (f64::from(value), at)).collect();
    Box::new(move || f64::from(falling(pairs.clone())[0]))
}

fn network() -> Work {
    let (rows, weights, bias) = (numbers(CARDS * FEATURES, 1), numbers(32 * FEATURES, 2), numbers(32, 3));
    let (mut hidden, mut sums) = (vec![0.0; CARDS * 32], vec![0.0; CARDS]);
    let last: Vec<f64> = numbers(32, 4).into_iter().map(f64::from).collect();
    Box::new(move || {
        dense(&rows, FEATURES, &weights, &bias, &mut hidden);
        add_products(&hidden, &last, &mut sums);
        sums[7]
    })
}

/// Complete trees of five levels.
fn forest(trees: usize, oblivious: bool) -> Work {
    let (splits, leaves) = (31, 32);
    let thresholds = numbers(trees * splits, 5);
    let columns = numbers(trees * splits, 6);
    let column = |at: usize| ((columns[at] + 1.0) * 32.0) as u32 % 64 + 1;
    let mut forest = Forest::default();
    for tree in 0..trees {
        if oblivious {
            let start = forest.levels.len() as u32;
            forest.levels.extend(
                (0..5)
                    .map(|level| Level { at: column(tree * splits + level), threshold: [thresholds[tree * splits + level]; 4] }),
            );
            forest.trees.push(Tree::Oblivious { levels: [start, start + 5], leaf: (tree * leaves) as u32 });
            continue;
        }
        let (start, exit) = (forest.cuts.len() as u32, forest.exits.len() as u32);
        for k in 0..splits {
            // The split of a heap, its level, and the first leaf below it.
            let level = (k + 1).ilog2();
            let below = leaves >> level;
            let left = (k + 1 - (1 << level)) * below;
            let gone = ((1u64 << (below / 2)) - 1) << left;
            let at = tree * splits + k;
            forest.cuts.push(Cut { at: column(at), threshold: thresholds[at], keep: !(gone as u32) });
        }
        forest.exits.extend((0..leaves).map(|leaf| (tree * leaves + leaf) as u32));
        forest.trees.push(Tree::Cut { cuts: [start, start + splits as u32], exit });
    }
    let (rows, values) = (numbers(CARDS.next_multiple_of(16) * 68, 8), numbers(trees * leaves, 9));
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    let mut active = vec![[0; 16]; trees];
    Box::new(move || {
        let mut sum = 0.0;
        for rows in rows.chunks_exact(16 * 68) {
            let mut margins = [0.0; 16];
            forest.run(rows, [68; 2], &values, &mut margins, &mut active);
            sum += margins[3];
        }
        sum
    })
}

/// Sums for each unit of what the machine does at most.
const ROUNDS: u32 = 1_000;

/// What the machine allows: products out of registers, in 32 and in 64 bits, and copies of a page.
fn most_products() -> Work {
    Box::new(|| f64::from(products(ROUNDS, std::hint::black_box(0.75))))
}

fn most_wide_products() -> Work {
    Box::new(|| wide_products(ROUNDS, std::hint::black_box(0.75)))
}

/// Variances of a page under a full covariance, the constant included.
fn quadratic() -> Work {
    let width = FEATURES + 1;
    let (rows, matrix) = (numbers(CARDS * 68, 1), numbers(width * width, 2));
    let matrix: Vec<f64> = matrix.into_iter().map(f64::from).collect();
    let mut forms = vec![0.0; CARDS];
    Box::new(move || {
        quadratic_forms(&matrix, width, &rows, 68, &mut forms);
        forms[7]
    })
}

fn copy() -> Work {
    let from = numbers(CARDS * 68, 1);
    let mut to = vec![0.0; from.len()];
    Box::new(move || {
        to.copy_from_slice(std::hint::black_box(&from));
        f64::from(to[7])
    })
}

/// Best and median microseconds of each, in turns.
fn raced(works: Vec<(String, Work)>, rounds: usize) -> Vec<(String, f64, f64)> {
    let once = |work: &mut Work, repeats: u32| {
        let start = Instant::now();
        for _ in 0..repeats {
            std::hint::black_box(work());
        }
        start.elapsed().as_secs_f64() * 1e6 / f64::from(repeats)
    };
    let mut state: Vec<(String, Work, u32, Vec<f64>)> = Vec::new();
    for (name, mut work) in works {
        once(&mut work, 2);
        let us = once(&mut work, 3);
        state.push((name, work, (1_500.0 / us).clamp(1.0, 5_000.0) as u32, Vec::new()));
    }
    for round in 0..rounds {
        for k in 0..state.len() {
            let at = (k + round) % state.len();
            let (_, work, repeats, samples) = &mut state[at];
            samples.push(once(work, *repeats));
        }
    }
    let summed = |(name, _, _, mut samples): (String, Work, u32, Vec<f64>)| {
        samples.sort_by(f64::total_cmp);
        (name, samples[0], samples[samples.len() / 2])
    };
    state.into_iter().map(summed).collect()
}

fn time() {
    let mut works: Vec<(String, Work)> = WORKS.iter().map(|(name, make)| ((*name).to_owned(), make())).collect();
    works.push(("quadratic forms".into(), quadratic()));
    works.push(("most products".into(), most_products()));
    works.push(("most products, 64 bits".into(), most_wide_products()));
    works.push(("copy of a page".into(), copy()));
    let mut growth: Vec<(String, Work)> = Vec::new();
    for cards in [10, 100, 1_000, 10_000] {
        growth.push((format!("cards {cards}"), rank(cards, FEATURES, 1, PolicyKind::EpsilonPage, 0, true)));
    }
    for features in [8, 16, 32, 64, 128, 256] {
        growth.push((format!("features {features}"), rank(CARDS, features, 1, PolicyKind::EpsilonPage, 0, true)));
    }
    for plays in [0, 1_000, 5_000, 20_000, 100_000] {
        growth.push((format!("history {plays}"), rank(CARDS, 0, 50, PolicyKind::PlackettLuce, plays, true)));
    }
    for trees in [10, 100, 1_000] {
        growth.push((format!("trees {trees}"), forest(trees, false)));
    }
    for shelves in [1, 10, 50, 200] {
        growth.push((format!("shelves {shelves}"), rank(CARDS, FEATURES, shelves, PolicyKind::PlackettLuce, 0, true)));
    }
    let shown = |rows: Vec<(String, f64, f64)>| {
        let rows: Vec<String> = rows
            .iter()
            .map(|(name, best, median)| format!("\"{name}\": {{\"best\": {best:.3}, \"median\": {median:.3}}}"))
            .collect();
        format!("{{\n    {}\n  }}", rows.join(",\n    "))
    };
    println!(
        "{{\n  \"unit\": \"microseconds\",\n  \"products\": {},\n  \"wide products\": {},\n  \"kernels\": {},\n  \"growth\": {}\n}}",
        ROUNDS * SUMS * LANES,
        ROUNDS * SUMS * WIDE_LANES,
        shown(raced(works, 41)),
        shown(raced(growth, 21))
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--time"] => time(),
        [name, repeats] => {
            let (_, make) = WORKS.iter().find(|work| work.0 == name).expect("a name of the list");
            let mut work = make();
            let sum: f64 = (0..repeats.parse::<usize>().expect("a number")).map(|_| work()).sum();
            println!("{sum}");
        }
        _ => WORKS.iter().for_each(|(name, _)| println!("{name}")),
    }
}
