use super::*;
use crate::train::descent::Normals;
use crate::train::log::column;
use crate::train::network::{self, Network};
use crate::train::{self, Settings as Whole};

/// Decisions of `cards` candidates with two columns each, of which the first `shown` were shown.
fn pages(count: usize, cards: usize, shown: usize) -> Pages {
    let mut normals = Normals::new(17);
    let mut rows = Sample { width: 2, ..Sample::default() };
    let mut decisions = Vec::new();
    for number in 0..count {
        let start = rows.rows();
        for _ in 0..cards {
            rows.values.extend([normals.draw(), normals.draw()]);
            rows.target.push(0.0);
            rows.weight.push(1.0);
            rows.group.push(number as u32);
        }
        let places = (0..shown)
            .map(|place| (0.1 + 0.2 * ((number + place) % 4) as f64, f64::from(u8::from((number + 2 * place) % 3 == 0))));
        decisions.push(Decision {
            rows: start..start + cards,
            shown: places.collect(),
            weight: 0.5 + (number % 3) as f64 * 0.5,
            listener: number as u32 / 4,
        });
    }
    Pages { rows, decisions }
}

fn some_network(sample: &Sample) -> Network {
    let descent = descent::Settings { epochs: 1, seed: 5, ..descent::Settings::default() };
    let settings = network::Settings { hidden: vec![4, 3], activation: network::Activation::Tanh, descent };
    let noise: Vec<f64> = (0..sample.rows()).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
    let some = Sample { target: noise, ..sample.clone() };
    let mut network = network::fit(&some, &some, &settings, &mut |_, _| ()).unwrap();
    network.parameters.iter_mut().enumerate().for_each(|(at, p)| *p += 0.3 * libm::sinf(at as f32));
    network
}

/// Minus the value and penalty standard errors of it, or BanditNet's mean, by the plain formula.
fn plain(pages: &Pages, scores: &[f64], clip: f64, objective: Objective, penalty: f64) -> f64 {
    let mut us = Vec::new();
    let mut first = Vec::new();
    for decision in &pages.decisions {
        let scores = &scores[decision.rows.clone()];
        let (mut w, mut u) = (1.0, 0.0);
        for (place, (propensity, reward)) in decision.shown.iter().enumerate() {
            w *= exp(scores[place]) / scores[place..].iter().map(|score| exp(*score)).sum::<f64>() / propensity;
            u += w.min(clip) * reward;
            if place == 0 {
                first.push(decision.weight * w.min(clip));
            }
        }
        us.push(decision.weight * u);
    }
    let n = us.len() as f64;
    let mean = us.iter().sum::<f64>() / n;
    match objective {
        Objective::Poem => {
            let variance = us.iter().map(|u| (u - mean) * (u - mean)).sum::<f64>() / n;
            -mean + penalty * (variance / n).sqrt()
        }
        _ => -mean + penalty * first.iter().sum::<f64>() / n,
    }
}

fn check<M: Model>(model: &M, pages: &Pages, clip: f64, tolerance: f64) {
    let all: Vec<usize> = (0..pages.decisions.len()).collect();
    for (objective, penalty) in [(Objective::Poem, 0.0), (Objective::Poem, 1.5), (Objective::BanditNet, 0.7)] {
        let mut model = model.clone();
        let now = pages.value(&model.margins(&pages.rows), clip);
        let aim = Aim::new(objective, penalty, &now, &Value { normalised: 1.0, ..now });
        let mut slopes = vec![0f32; model.parameters().len()];
        back(&model, pages, &all, clip, aim, &mut slopes);
        for (parameter, got) in slopes.iter().enumerate() {
            let before = model.parameters()[parameter];
            let mut loss = |at: f32| {
                model.parameters()[parameter] = at;
                plain(pages, &model.margins(&pages.rows), clip, objective, penalty)
            };
            let step = 1e-2f32;
            let slope = (loss(before + step) - loss(before - step)) / (f64::from(before + step) - f64::from(before - step));
            loss(before);
            assert!(
                (f64::from(*got) - slope).abs() < tolerance,
                "{objective:?} {penalty}, {parameter}: {got}, by differences {slope}"
            );
        }
    }
}

#[test]
fn slopes_are_those_of_finite_differences_of_the_plain_formula() {
    let pages = pages(40, 4, 3);
    let line = Line(vec![0.2, 0.5, -0.8]);
    check(&line, &pages, f64::INFINITY, 5e-4);
    check(&some_network(&pages.rows), &pages, f64::INFINITY, 2e-3);
    // Clipped weights have no slope: away from the kink the differences say the same.
    let value = |clip| pages.value(&line.margins(&pages.rows), clip);
    assert!(value(2.0).mean < 0.9 * value(f64::INFINITY).mean);
    let far = Line(vec![0.0, 0.0, 0.0]);
    check(&far, &pages, 1e-3, 1e-9);
}

/// Which weights are clipped, decision after decision.
fn clipped(line: &Line, pages: &Pages, clip: f64) -> Vec<bool> {
    let scores = line.margins(&pages.rows);
    let mut walk = Walk::default();
    let of = |decision: &Decision| {
        walk.earned(decision, &scores[decision.rows.clone()], clip);
        walk.weights.iter().map(|(_, within)| !within).collect::<Vec<bool>>()
    };
    pages.decisions.iter().flat_map(of).collect()
}

#[test]
fn slopes_are_those_of_finite_differences_where_some_weights_are_clipped() {
    let pages = pages(8, 4, 3);
    let line = Line(vec![0.2, 0.5, -0.8]);
    for clip in [0.45, 1.3] {
        // Of the clips about this one, that which is furthest from any weight: the differences cross no kink.
        let scores = line.margins(&pages.rows);
        let mut walk = Walk::default();
        let mut weights: Vec<f64> = Vec::new();
        for decision in &pages.decisions {
            walk.earned(decision, &scores[decision.rows.clone()], f64::INFINITY);
            weights.extend(walk.weights.iter().map(|(weight, _)| ln(*weight)));
        }
        let far = |clip: f64| weights.iter().map(|weight| (weight - ln(clip)).abs()).fold(f64::INFINITY, f64::min);
        let clip =
            (0..200).map(|step| clip * (0.7 + 0.003 * f64::from(step))).fold(clip, |a, b| if far(b) > far(a) { b } else { a });
        let at = clipped(&line, &pages, clip);
        let count = at.iter().filter(|clipped| **clipped).count();
        assert!(count >= 3 && count + 3 <= at.len(), "{clip}: {count} of {}", at.len());
        // In a decision a place may be within while one above it is not, or the other way round.
        assert!(at.chunks(3).any(|places| places.contains(&true) && places.contains(&false)), "{clip}");
        for parameter in 0..3 {
            for step in [-1e-2, 1e-2] {
                let mut moved = line.clone();
                moved.0[parameter] += step;
                assert_eq!(clipped(&moved, &pages, clip), at, "{clip}, {parameter}");
            }
        }
        check(&line, &pages, clip, 5e-4);
    }
}

#[test]
fn the_error_of_a_value_is_that_of_a_ratio_over_listeners() {
    let pages = pages(40, 4, 2);
    let line = Line(vec![0.0, 0.4, -0.3]);
    let scores = line.margins(&pages.rows);
    let clip = 4.0;
    let value = pages.value(&scores, clip);
    // The plain formula: ten listeners of four decisions each.
    let mut walk = Walk::default();
    let of: Vec<(f64, f64)> =
        pages.decisions.iter().map(|decision| walk.earned(decision, &scores[decision.rows.clone()], clip)).collect();
    let (u, w): (f64, f64) = (of.iter().map(|of| of.0).sum(), of.iter().map(|of| of.1).sum());
    let squares: f64 =
        of.chunks(4).map(|own| own.iter().map(|(a, b)| a - u / w * b).sum::<f64>()).map(|residual| residual * residual).sum();
    assert!((value.normalised - u / w).abs() < 1e-12);
    assert!((value.error - (squares * 10.0 / 9.0).sqrt() / w).abs() < 1e-12, "{value:?}");
    // Every decision told four times by its listener says nothing new: the value and its error stay.
    let told = Pages {
        decisions: pages.decisions.iter().flat_map(|decision| vec![decision.clone(); 4]).collect(),
        rows: pages.rows.clone(),
    };
    let again = told.value(&scores, clip);
    assert!((again.error - value.error).abs() < 1e-12 && again.mean_error < 0.6 * value.mean_error, "{again:?} {value:?}");
    // Rewards that are all 1 are known to be 1, however the weights vary.
    let mut sure = pages.clone();
    sure.decisions.iter_mut().for_each(|decision| decision.shown = vec![(decision.shown[0].0, 1.0)]);
    let sure = sure.value(&scores, clip);
    assert!((sure.normalised - 1.0).abs() < 1e-12 && sure.error < 1e-12 && sure.mean_error > 0.01, "{sure:?}");
    let mut alone = pages;
    alone.decisions.iter_mut().for_each(|decision| decision.listener = 1);
    assert!(alone.value(&scores, clip).error.is_nan());
}

/// Rewards that are luck alone: every ranking earns 0.3. The best of many passes seems to earn more to those who chose it; the mean over
/// 160 logs of what is reported to be gained is within 3.5 standard errors of 0, a false alarm in 2,000.
#[test]
fn what_is_reported_is_not_the_luck_of_the_choice() {
    let uniform = |normals: &mut Normals| 0.5 * (1.0 + libm::erf(f64::from(normals.draw()) / std::f64::consts::SQRT_2));
    let settings = Settings {
        objective: Objective::Poem,
        clip: 100.0,
        penalties: PENALTIES.to_vec(),
        batch: BATCH,
        descent: descent::Settings { rate: 0.1, ..descent::Settings::default() },
    };
    let (mut reported, mut chosen) = (Vec::new(), Vec::new());
    for seed in 0..160 {
        let mut normals = Normals::new(100 + seed);
        let mut lot = || {
            let mut pages = Pages { rows: Sample { width: 2, ..Sample::default() }, decisions: Vec::new() };
            for listener in 0..100u32 {
                let start = pages.rows.rows();
                for _ in 0..3 {
                    pages.rows.values.extend([normals.draw(), normals.draw()]);
                    pages.rows.target.push(0.0);
                    pages.rows.weight.push(1.0);
                    pages.rows.group.push(listener);
                }
                let shown = vec![(1.0 / 3.0, f64::from(u8::from(uniform(&mut normals) < 0.3)))];
                pages.decisions.push(Decision { rows: start..start + 3, shown, weight: 1.0, listener });
            }
            pages
        };
        let (learn, choose, report) = (lot(), lot(), lot());
        let start = Line(vec![0.0, 0.3, -0.3]);
        let (_, found, curve) = climb(&start, [&learn, &choose, &report], &settings, &mut |_, _| ()).unwrap();
        reported.push(found.end.normalised - found.start.normalised);
        let before = choose.value(&start.margins(&choose.rows), 100.0).normalised;
        chosen.push(curve.into_iter().fold(before, f64::max) - before);
    }
    let tell = |values: &[f64]| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0);
        (mean, (variance / n).sqrt())
    };
    let luck: Vec<f64> = chosen.iter().zip(&reported).map(|(chosen, reported)| chosen - reported).collect();
    let ((reported, error), (luck, error_of_luck)) = (tell(&reported), tell(&luck));
    assert!(reported.abs() < 3.5 * error, "{reported} {error}");
    assert!(luck > 3.5 * error_of_luck, "{luck} {error_of_luck}");
}

#[test]
fn the_line_and_the_square_of_poem_touch_the_objective_and_lie_above_it() {
    let pages = pages(40, 4, 2);
    let at = Line(vec![0.0, 0.4, -0.3]);
    let clip = 50.0;
    let now = pages.value(&at.margins(&pages.rows), clip);
    let penalty = 2.0;
    let n = now.decisions as f64;
    // The bound over a pass, up to the constant that makes it touch.
    let bound = |line: &Line| {
        let scores = line.margins(&pages.rows);
        let mut walk = Walk::default();
        let of = |decision: &Decision| {
            let (u, _) = walk.earned(decision, &scores[decision.rows.clone()], clip);
            -u + penalty * (u - now.mean) * (u - now.mean) / (2.0 * now.mean_error * n)
        };
        pages.decisions.iter().map(of).sum::<f64>() / n + penalty * now.mean_error / 2.0
    };
    let objective = |line: &Line| plain(&pages, &line.margins(&pages.rows), clip, Objective::Poem, penalty);
    assert!((bound(&at) - objective(&at)).abs() < 1e-12);
    for step in 1..30 {
        let moved = Line(vec![0.0, 0.4 + 0.1 * libm::sinf(step as f32), -0.3 + 0.1 * step as f32]);
        assert!(bound(&moved) > objective(&moved) - 1e-12, "{step}");
    }
}

/// Three cards, two places; reward at a place depends on what stands there and above. Every slate that the logging policy may show, with its
/// chance as the decision's weight, is the expectation of a log.
#[test]
fn over_all_slates_of_a_tiny_page_the_value_is_the_truth_and_its_slope_the_truths() {
    let logging: [f64; 3] = [0.3, -0.4, 1.0];
    let reward =
        |above: Option<usize>, card: usize| [0.2, 0.5, 0.1][card] + above.map_or(0.0, |above| [0.0, 0.2, 0.35][above] * 0.5);
    let chance = |scores: &[f64; 3], taken: &[usize], card: usize| {
        exp(scores[card]) / (0..3).filter(|other| !taken.contains(other)).map(|other| exp(scores[other])).sum::<f64>()
    };
    let truth = |scores: &[f64; 3]| {
        let mut sum = 0.0;
        for a in 0..3 {
            for b in (0..3).filter(|b| *b != a) {
                sum += chance(scores, &[], a) * chance(scores, &[a], b) * (reward(None, a) + reward(Some(a), b));
            }
        }
        sum
    };
    let mut pages = Pages { rows: Sample { width: 1, ..Sample::default() }, decisions: Vec::new() };
    let mut cards = Vec::new();
    for a in 0..3 {
        for b in (0..3).filter(|b| *b != a) {
            let order = [a, b, 3 - a - b];
            let (first, second) = (chance(&logging, &[], a), chance(&logging, &[a], b));
            let start = cards.len();
            cards.extend(order);
            pages.decisions.push(Decision {
                rows: start..start + 3,
                shown: vec![(first, reward(None, a)), (second, reward(Some(a), b))],
                weight: 6.0 * first * second,
                listener: pages.decisions.len() as u32,
            });
        }
    }
    for target in [[0.0, 0.0, 0.0], [1.0, -2.0, 0.5], [-0.3, 3.0, 0.1]] {
        let scores: Vec<f64> = cards.iter().map(|card| target[*card]).collect();
        let value = pages.value(&scores, f64::INFINITY);
        assert!((value.mean - truth(&target)).abs() < 1e-12, "{} {}", value.mean, truth(&target));
        // v w_1 is 1 in expectation: the self-normalised value is the value.
        assert!((value.normalised - value.mean).abs() < 1e-12);
        let mut slope = [0.0; 3];
        let mut walk = Walk::default();
        for decision in &pages.decisions {
            let scores = &scores[decision.rows.clone()];
            walk.earned(decision, scores, f64::INFINITY);
            let mut slopes = vec![0.0; 3];
            walk.slopes(decision, scores, (1.0, 0.0), &mut slopes);
            cards[decision.rows.clone()].iter().zip(slopes).for_each(|(card, of)| slope[*card] += of / 6.0);
        }
        for card in 0..3 {
            let moved = |by: f64| {
                let mut target = target;
                target[card] += by;
                truth(&target)
            };
            let want = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope[card] - want).abs() < 1e-8, "{card}: {} {want}", slope[card]);
        }
    }
}

/// A log of a policy that shows what column 0 says, where column 1 decides.
fn log(decisions: u32) -> Log {
    let mut normals = Normals::new(23);
    let mut log = Log { columns: vec![column("a").unwrap(), column("b").unwrap()], ..Log::default() };
    for decision in 0..decisions {
        let cards: Vec<[f32; 2]> = (0..4).map(|_| [normals.draw(), normals.draw()]).collect();
        let scores: Vec<f64> = cards.iter().map(|card| f64::from(card[0])).collect();
        let total: f64 = scores.iter().map(|score| exp(*score)).sum();
        // Normal numbers through their distribution are uniform.
        let mut u = 0.5 * (1.0 + libm::erf(f64::from(normals.draw()) / std::f64::consts::SQRT_2)) * total;
        let mut shown = 0;
        while shown < 3 && u > exp(scores[shown]) {
            u -= exp(scores[shown]);
            shown += 1;
        }
        let chance = ears_only::math::sigmoid(f64::from(1.5 * cards[shown][1] - 0.5 * cards[shown][0] - 1.0));
        let luck = 0.5 * (1.0 + libm::erf(f64::from(normals.draw()) / std::f64::consts::SQRT_2));
        for (at, card) in cards.iter().enumerate() {
            log.values.extend(card);
            log.reward.push(if at == shown { f64::from(u8::from(luck < chance)) } else { f64::NAN });
            log.propensity.push(exp(scores[at]) / total);
            log.decision_propensity.push(1.0);
            log.weight.push(1.0);
            log.listener.push(decision / 5);
            log.decision.push(decision);
        }
    }
    log
}

#[test]
fn a_ranking_is_learned_ships_and_the_seed_decides_everything() {
    let log = log(4_000);
    for body in ["linear", "network"] {
        for objective in [Objective::Poem, Objective::BanditNet] {
            let settings = Whole { objective, ..Whole::new(fitted::Settings::from_name(body, 3).unwrap()) };
            let run = || train::train(&log, &settings, &mut |_, _| ()).unwrap();
            let trained = run();
            let ranking = trained.report.ranking.as_ref().unwrap();
            // By decisions of listeners who chose nothing: about half of those of the judging fifth.
            assert!(ranking.end.normalised > ranking.start.normalised - 2.0 * ranking.start.error, "{ranking:?}");
            assert!(
                (300..500).contains(&ranking.end.decisions) && ranking.start.decisions == ranking.end.decisions,
                "{ranking:?}"
            );
            assert!(ranking.end.error > 0.01 && ranking.end.error < 0.08, "{ranking:?}");
            // The logging policy earns 0.29 a decision and knows nothing of column 1; the best ranking earns 0.62.
            assert!(ranking.end.normalised > 0.5, "{body} {objective:?}: {ranking:?}");
            // Its score is log-odds again.
            assert!(trained.report.judged.calibration_error < 0.06, "{:?}", trained.report.judged);
            let bytes = trained.draft("ranking", "1").write().unwrap();
            assert_eq!(bytes, run().draft("ranking", "1").write().unwrap());
            crate::bundle::read(&bytes).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let log = log(50);
    let message = |log: &Log, body: &str, penalty| {
        let settings = Whole { objective: Objective::Poem, penalty, ..Whole::new(fitted::Settings::from_name(body, 1).unwrap()) };
        train::train(log, &settings, &mut |_, _| ()).unwrap_err().to_string()
    };
    assert!(message(&log, "trees", None).contains("found trees"));
    assert!(message(&log, "linear", Some(-1.0)).contains("penalty"));
    assert!(message(&Log { decision: Vec::new(), ..log.clone() }, "linear", None).contains("decision"));
    let mut torn = log.clone();
    torn.decision.rotate_right(2);
    assert!(message(&torn, "linear", None).contains("met before"));
    let mut alone = log.clone();
    alone.decision = (0..alone.rows() as u32).collect();
    assert!(message(&alone, "linear", None).contains("several candidates"));
}
