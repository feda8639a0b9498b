use super::*;

/// A fixed stream of numbers in [0, 1).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Rows with few distinct values, missing ones among them, and a reward that depends on columns 0 and 1.
fn sample(rows: usize, width: usize, seed: u64) -> Sample {
    let mut numbers = Numbers(seed);
    let mut sample = Sample { width, ..Sample::default() };
    for row in 0..rows {
        let values: Vec<f32> =
            (0..width).map(|_| if numbers.next() < 0.1 { f32::NAN } else { (numbers.next() * 20.0).floor() as f32 }).collect();
        let high = f64::from(u8::from(values[0] > 9.0)) + f64::from(u8::from(values[1].is_nan() || values[1] < 5.0));
        let chance = sigmoid(2.0 * high - 1.5);
        sample.target.push(if numbers.next() < chance { 1.0 } else { 0.0 });
        sample.weight.push(0.5 + numbers.next());
        sample.values.extend(values);
        sample.group.push(row as u32);
    }
    sample
}

fn nothing() -> Sample {
    Sample { width: 1, ..Sample::default() }
}

fn fitted(sample: &Sample, settings: &Settings, threads: usize) -> Trees {
    fit(sample, &nothing(), settings, &Threads::new(threads).unwrap(), &mut |_, _| ()).unwrap()
}

/// The value -G / (H + ridge) and worth of some rows at margin `base`, by direct sums.
fn exact(sample: &Sample, rows: &[usize], base: f64, ridge: f64) -> (f64, f64, f64) {
    let p = sigmoid(base);
    let g: f64 = rows.iter().map(|&row| sample.weight[row] * (p - sample.target[row])).sum();
    let h: f64 = rows.iter().map(|&row| sample.weight[row] * p * (1.0 - p)).sum();
    (-g / (h + ridge), g * g / (h + ridge), h)
}

fn halves(sample: &Sample, rows: &[usize], split: &Split) -> [Vec<usize>; 2] {
    let (left, right) = rows.iter().partition(|row| split.is_left(sample.row(**row)));
    [left, right]
}

/// Every question that divides these rows, over all columns, values and sides for missing ones.
fn questions(sample: &Sample) -> Vec<Split> {
    let mut all = Vec::new();
    for column in 0..sample.width {
        let mut values: Vec<f32> = (0..sample.rows()).map(|row| sample.row(row)[column]).filter(|x| !x.is_nan()).collect();
        values.sort_by(f32::total_cmp);
        values.dedup();
        for pair in values.windows(2) {
            for missing_left in [true, false] {
                all.push(Split { column: column as u16, below: (pair[0] + pair[1]) / 2.0, missing_left });
            }
        }
    }
    all
}

/// Largest gain of any question for these rows by trying them all.
fn best_gain(sample: &Sample, rows: &[usize], base: f64, settings: &Settings) -> f64 {
    let whole = exact(sample, rows, base, settings.ridge).1;
    let gain = |split: &Split| {
        let [left, right] = halves(sample, rows, split).map(|half| exact(sample, &half, base, settings.ridge));
        let enough = left.2 >= settings.least_curvature && right.2 >= settings.least_curvature;
        if enough { 0.5 * (left.1 + right.1 - whole) } else { f64::NEG_INFINITY }
    };
    questions(sample).iter().map(gain).fold(f64::NEG_INFINITY, f64::max)
}

/// Follows a tree with its rows: every split is as good as the best of all, every leaf has the exact value.
fn check(sample: &Sample, nodes: &[Node], at: u32, rows: &[usize], depth: usize, base: f64, settings: &Settings) {
    match &nodes[at as usize] {
        Node::Leaf(leaf) => {
            let (value, _, curvature) = exact(sample, rows, base, settings.ridge);
            assert!((leaf.value - settings.rate * value).abs() < 1e-5, "{leaf:?} {value}");
            assert!((leaf.curvature - curvature).abs() < 1e-4);
            assert!(depth == settings.depth || best_gain(sample, rows, base, settings) < 1e-6);
        }
        Node::Split(split, left, right) => {
            let [a, b] = halves(sample, rows, split);
            let parts = [&a, &b].map(|part| exact(sample, part, base, settings.ridge).1);
            let gain = 0.5 * (parts[0] + parts[1] - exact(sample, rows, base, settings.ridge).1);
            let best = best_gain(sample, rows, base, settings);
            assert!((gain - best).abs() < 1e-5 * best.max(1.0), "depth {depth}: {split:?} gains {gain}, best {best}");
            check(sample, nodes, *left, &a, depth + 1, base, settings);
            check(sample, nodes, *right, &b, depth + 1, base, settings);
        }
    }
}

#[test]
fn a_tree_by_levels_makes_the_splits_that_trying_all_finds() {
    for seed in 1..6 {
        let sample = sample(150, 3, seed);
        let settings = Settings { trees: 1, depth: 3, rate: 0.7, ridge: 0.5, ..Settings::default() };
        let trees = fitted(&sample, &settings, 1);
        let Tree::General(nodes) = &trees.trees[0] else { panic!("a general tree") };
        let rows: Vec<usize> = (0..sample.rows()).collect();
        check(&sample, nodes, 0, &rows, 0, trees.intercept, &settings);
    }
}

#[test]
fn a_tree_by_leaves_splits_the_best_leaf_first_and_stops_at_their_number() {
    let sample = sample(400, 4, 9);
    let settings = Settings { shape: Shape::Leaves, trees: 1, depth: 12, leaves: 2, ..Settings::default() };
    let two = fitted(&sample, &settings, 1);
    let five = fitted(&sample, &Settings { leaves: 5, ..settings.clone() }, 1);
    let (Tree::General(two), Tree::General(five)) = (&two.trees[0], &five.trees[0]) else { panic!("general trees") };
    assert_eq!((two.len(), five.len()), (3, 9));
    // The tree of two leaves is the beginning of the tree of five.
    let (Node::Split(a, ..), Node::Split(b, ..)) = (&two[0], &five[0]) else { panic!("splits") };
    assert_eq!(a, b);
    let rows: Vec<usize> = (0..sample.rows()).collect();
    let base = base_margin(&sample);
    // Greedy: each next split is the best over the leaves that are open.
    let mut leaves = vec![rows];
    let mut gains = Vec::new();
    for _ in 0..4 {
        let of: Vec<f64> = leaves.iter().map(|rows| best_gain(&sample, rows, base, &settings)).collect();
        let at = (0..of.len()).max_by(|a, b| of[*a].total_cmp(&of[*b])).unwrap();
        gains.push(of[at]);
        let rows = leaves.remove(at);
        let split = questions(&sample)
            .into_iter()
            .max_by(|a, b| {
                let gain = |split: &Split| {
                    let halves = halves(&sample, &rows, split).map(|half| exact(&sample, &half, base, settings.ridge));
                    let enough = halves.iter().all(|half| half.2 >= settings.least_curvature);
                    if enough { halves[0].1 + halves[1].1 } else { f64::NEG_INFINITY }
                };
                gain(a).total_cmp(&gain(b))
            })
            .unwrap();
        leaves.extend(halves(&sample, &rows, &split));
    }
    let loss_taken = |nodes: &[Node]| -> f64 {
        let tree = Tree::General(nodes.to_vec());
        let mut by_leaf = std::collections::BTreeMap::<u64, Vec<usize>>::new();
        for row in 0..sample.rows() {
            by_leaf.entry(tree.leaf(sample.row(row)).value.to_bits()).or_default().push(row);
        }
        by_leaf.values().map(|rows| 0.5 * exact(&sample, rows, base, settings.ridge).1).sum()
    };
    let whole = 0.5 * exact(&sample, &(0..sample.rows()).collect::<Vec<_>>(), base, settings.ridge).1;
    let (taken, want) = (loss_taken(five) - whole, gains.iter().sum::<f64>());
    assert!((taken - want).abs() < 1e-4 * want, "{taken} {want}");
}

#[test]
fn an_oblivious_tree_asks_the_question_that_trying_all_finds() {
    for seed in 1..6 {
        let sample = sample(200, 3, seed);
        let settings = Settings { shape: Shape::Oblivious, trees: 1, depth: 3, rate: 1.0, ..Settings::default() };
        let trees = fitted(&sample, &settings, 1);
        let Tree::Oblivious(splits, leaves) = &trees.trees[0] else { panic!("an oblivious tree") };
        assert_eq!((splits.len(), leaves.len()), (3, 8));
        let mut cells: Vec<Vec<usize>> = vec![(0..sample.rows()).collect()];
        for split in splits {
            let worth = |split: &Split| -> f64 {
                let parts = cells.iter().flat_map(|rows| halves(&sample, rows, split));
                parts.map(|rows| exact(&sample, &rows, trees.intercept, settings.ridge).1).sum()
            };
            let best = questions(&sample).iter().map(worth).fold(0.0, f64::max);
            assert!((worth(split) - best).abs() < 1e-4, "{split:?}: {} of {best}", worth(split));
            let (left, right): (Vec<_>, Vec<_>) =
                cells.iter().map(|rows| halves(&sample, rows, split)).map(|[left, right]| (left, right)).unzip();
            cells = left.into_iter().chain(right).collect();
        }
        for (leaf, rows) in leaves.iter().zip(&cells) {
            assert!((leaf.value - exact(&sample, rows, trees.intercept, settings.ridge).0).abs() < 1e-5);
        }
    }
}

#[test]
fn a_rule_without_noise_is_found_exactly() {
    let mut sample = sample(2_000, 3, 4);
    for row in 0..sample.rows() {
        let (a, b) = (sample.row(row)[0], sample.row(row)[1]);
        sample.target[row] = if (a > 9.0) != (b.is_nan() || b < 5.0) { 1.0 } else { 0.0 };
    }
    for shape in [Shape::Levels, Shape::Leaves, Shape::Oblivious] {
        let settings = Settings { shape, trees: 150, depth: 3, leaves: 8, rate: 0.3, ..Settings::default() };
        let trees = fitted(&sample, &settings, 1);
        let margins = trees.margins(&sample, &Threads::new(1).unwrap());
        let quality = Quality::of(&sample, &margins);
        assert!(quality.log_loss < 0.02, "{shape:?}: {quality:?}");
    }
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let sample = sample(9_000, 9, 5);
    let (learn, judge) = sample.split(0.2, 1);
    for shape in [Shape::Levels, Shape::Leaves, Shape::Oblivious] {
        let settings = Settings { shape, trees: 5, ..Settings::default() };
        let run = |threads| fit(&learn, &judge, &settings, &Threads::new(threads).unwrap(), &mut |_, _| ()).unwrap();
        assert_eq!(run(1), run(3));
    }
}

#[test]
fn judging_rows_stop_the_growth_and_the_best_number_stays() {
    let (learn, judge) = sample(600, 5, 6).split(0.4, 2);
    let settings = Settings { trees: 400, rate: 0.5, depth: 5, patience: 8, ..Settings::default() };
    let mut losses = Vec::new();
    let trees = fit(&learn, &judge, &settings, &Threads::new(1).unwrap(), &mut |_, loss| losses.push(loss)).unwrap();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert_eq!(trees.trees.len(), best + 1);
    assert_eq!(losses.len(), best + 1 + 8);
    let margins = trees.margins(&judge, &Threads::new(1).unwrap());
    assert!((Quality::loss(&judge, &margins) - losses[best]).abs() < 1e-12);
}

#[test]
fn settings_out_of_range_are_refused() {
    let sample = sample(20, 2, 1);
    for wrong in [
        Settings { trees: 0, ..Settings::default() },
        Settings { depth: 99, ..Settings::default() },
        Settings { rate: f64::NAN, ..Settings::default() },
        Settings { ridge: -1.0, ..Settings::default() },
        Settings { leaves: 1, ..Settings::default() },
    ] {
        assert!(fit(&sample, &nothing(), &wrong, &Threads::new(1).unwrap(), &mut |_, _| ()).is_err(), "{wrong:?}");
    }
    // Nothing to tell apart: no tree, and no error.
    let constant = Sample { values: vec![1.0; 40], ..sample };
    assert!(fitted(&constant, &Settings::default(), 1).trees.is_empty());
}
