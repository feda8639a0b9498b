use super::*;
use crate::clock::DAY_MS;
use crate::math::sigmoid;
use crate::model::MAX_FULL_COVARIANCE;
use crate::random::{Purpose, Seed, unit};

fn head(width: usize, half_life_ms: f64) -> Head {
    Head::new(HeadPrior::new(vec![0.0; width], &vec![1.0; width], half_life_ms).unwrap(), width.next_multiple_of(4))
}

#[test]
fn refuses_bad_priors() {
    let code = |mean: Vec<f64>, sd: &[f64], half: f64| HeadPrior::new(mean, sd, half).unwrap_err().code();
    assert_eq!(code(vec![], &[], 1.0), "bad_prior");
    assert_eq!(code(vec![0.0], &[1.0, 1.0], 1.0), "bad_prior");
    assert_eq!(code(vec![f64::NAN], &[1.0], 1.0), "bad_prior");
    assert_eq!(code(vec![0.0], &[0.0], 1.0), "bad_prior");
    assert_eq!(code(vec![0.0], &[1.0], 0.0), "bad_prior");
}

#[test]
fn one_weight_update_is_the_mode_found_by_search() {
    for (reward, x, weight) in
        [(1.0, 1.0, 1.0), (0.0, 2.0, 1.0), (0.3, -1.5, 1.0), (1.0, 1.0, 0.25), (0.0, 2.0, 0.6), (0.4, 3.0, 0.01)]
    {
        let mut head = head(1, f64::INFINITY);
        head.learn_weighted(&[x as f32], reward, weight);
        // The log posterior on a fine grid.
        let log_posterior = |w: f64| -0.5 * w * w + weight * (reward * w * x - ln(1.0 + exp(w * x)));
        let best = (-40_000..=40_000)
            .map(|i| f64::from(i) * 1e-4)
            .max_by(|a, b| log_posterior(*a).total_cmp(&log_posterior(*b)))
            .unwrap();
        assert!((head.mean()[0] - best).abs() < 2e-4, "{} {best}", head.mean()[0]);
        let p = sigmoid(head.mean()[0] * x);
        let curvature = 1.0 + weight * x * x * p * (1.0 - p);
        assert!((head.variance(&[1.0]) - 1.0 / curvature).abs() < 1e-9);
    }
}

#[test]
fn a_row_too_short_for_the_head_has_the_variance_of_what_it_has() {
    let mut head = head(5, f64::INFINITY);
    head.learn(&[1.0, 0.5, -1.0, 2.0, 0.25], 1.0);
    for row in [&[1.0, 0.5, -1.0][..], &[1.0], &[]] {
        let whole = [row, &[0.0; 5]].concat();
        assert_eq!(head.variance(row), head.variance(&whole[..5]));
        assert_eq!(head.variance(row) > 0.0, !row.is_empty());
    }
}

#[test]
fn weights_count_outcomes() {
    let row = [1.0, 0.5, -2.0];
    let (mut whole, mut plain, mut parts, mut none) = (head(3, 1e9), head(3, 1e9), head(3, 1e9), head(3, 1e9));
    whole.learn_weighted(&row, 1.0, 1.0);
    plain.learn(&row, 1.0);
    assert_eq!(whole.gaussians, plain.gaussians);
    // Many small steps come to the whole one, up to the Laplace approximation of each.
    for _ in 0..100 {
        parts.learn_weighted(&row, 1.0, 0.01);
    }
    assert!((parts.mean()[0] - whole.mean()[0]).abs() < 0.02, "{} {}", parts.mean()[0], whole.mean()[0]);
    none.learn_weighted(&row, 1.0, 0.0);
    assert_eq!(none.updates(), 0);
    assert_eq!(none.gaussians, head(3, 1e9).gaussians);
}

#[test]
fn learns_the_weights_of_a_simulated_listener() {
    let truth = [-1.0, 2.0, 0.0, -1.5];
    let mut rng = Seed::from_number(3).stream(Purpose::Host, 0);
    let mut head = head(4, f64::INFINITY);
    for _ in 0..4_000 {
        let row = [1.0, unit(&mut rng) as f32, unit(&mut rng) as f32, unit(&mut rng) as f32];
        let a: f64 = row.iter().zip(truth).map(|(x, w)| f64::from(*x) * w).sum();
        head.learn(&row, if unit(&mut rng) < sigmoid(a) { 1.0 } else { 0.0 });
    }
    // Posterior standard deviations are near 0.15 here; five of them.
    for (mean, truth) in head.mean().iter().zip(truth) {
        assert!((mean - truth).abs() < 0.75, "{mean} {truth}");
    }
}

#[test]
fn wide_heads_keep_a_diagonal_and_learn() {
    let width = MAX_FULL_COVARIANCE + 1;
    let mut head = head(width, f64::INFINITY);
    assert_eq!(head.gaussians[0].covariance.len(), width);
    let mut row = vec![0.0; width];
    row[5] = 1.0;
    head.learn(&row, 1.0);
    assert!(head.mean()[5] > 0.3 && head.mean()[6] == 0.0);
    assert!(head.variance(&row) < 1.0);
}

#[test]
fn forgetting_goes_back_to_the_prior() {
    for width in [3, MAX_FULL_COVARIANCE + 2] {
        let mut head = head(width, DAY_MS as f64);
        let mut row = vec![0.0; width];
        row[0] = 1.0;
        row[1] = 0.5;
        for _ in 0..20 {
            head.learn(&row, 1.0);
        }
        let (before, mean) = (head.variance(&row), head.mean()[0]);
        head.forget(DAY_MS);
        assert!(head.variance(&row) > before && head.mean()[0] < mean);
        head.forget(400 * DAY_MS);
        assert!((head.variance(&row) - 1.25).abs() < 1e-9);
        assert!(head.mean()[0].abs() < 1e-9);
    }
}

#[test]
fn state_round_trips_to_the_bit_and_refuses_nonsense() {
    for width in [5, MAX_FULL_COVARIANCE + 3] {
        let mut head = head(width, f64::INFINITY);
        let row: Vec<f32> = (0..width).map(|i| (i as f32 * 0.7).fract() - 0.4).collect();
        head.learn(&row, 1.0);
        head.learn(&row, 0.0);
        let back = head.with_state(&head.state(), None).unwrap();
        assert_eq!(back.mean, head.mean);
        assert_eq!(back.gaussians[0].covariance, head.gaussians[0].covariance);
        let mut bad = head.state();
        bad.covariance[0] = -1.0;
        assert!(head.with_state(&bad, None).is_none());
        let mut bad = head.state();
        bad.mean.pop();
        assert!(head.with_state(&bad, None).is_none());
    }
}

#[test]
fn extreme_inputs_keep_everything_finite() {
    let mut head = head(2, f64::INFINITY);
    for i in 0..200 {
        head.learn(&[1e6, -1e6], f64::from(i % 2));
    }
    assert!(head.mean().iter().all(|v| v.is_finite()));
    assert!(head.variance(&[1.0, 1.0]).is_finite());
}

/// Segments as (weight, means, standard deviation of every weight).
fn mixture(segments: &[(f64, &[f64], f64)], half_life_ms: f64) -> HeadPrior {
    let part = |(weight, mean, sd): &(f64, &[f64], f64)| {
        (*weight, HeadPrior::new(mean.to_vec(), &vec![*sd; mean.len()], half_life_ms).unwrap())
    };
    HeadPrior::mixture(segments.iter().map(part).collect()).unwrap()
}

#[test]
fn refuses_bad_mixtures() {
    let part = |width: usize| HeadPrior::new(vec![0.0; width], &vec![1.0; width], 1.0).unwrap();
    let code = |segments: Vec<(f64, HeadPrior)>| HeadPrior::mixture(segments).unwrap_err().code();
    assert_eq!(code(vec![]), "bad_prior");
    assert_eq!(code(vec![(1.0, part(2)); MAX_SEGMENTS + 1]), "bad_prior");
    assert_eq!(code(vec![(1.0, part(2)), (1.0, part(3))]), "bad_prior");
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(code(vec![(1.0, part(2)), (weight, part(2))]), "bad_prior");
    }
    assert_eq!(code(vec![(1.0, mixture(&[(1.0, &[0.0], 1.0), (1.0, &[1.0], 1.0)], 1.0)), (1.0, part(1))]), "bad_prior");
}

#[test]
fn a_mixture_of_one_is_the_plain_head_to_the_bit() {
    let (mut mixed, mut plain) = (Head::new(mixture(&[(3.0, &[0.0; 4], 1.0)], 1e9), 4), head(4, 1e9));
    for (i, reward) in [1.0, 0.0, 0.0, 1.0, 0.4].into_iter().enumerate() {
        let row = [1.0, i as f32 * 0.3, -0.5, 2.0];
        for head in [&mut mixed, &mut plain] {
            head.forget(i as i64 * 100_000_000);
            head.learn(&row, reward);
        }
    }
    assert_eq!(mixed.state(), plain.state());
    assert_eq!(mixed.weights(), plain.weights());
}

#[test]
fn evidence_is_the_likelihood_averaged_over_the_normal() {
    for (a, v, reward, weight) in
        [(-3.0, 1.0, 1.0, 1.0), (-3.0, 1.0, 0.0, 1.0), (0.5, 4.0, 1.0, 1.0), (2.0, 0.3, 0.2, 0.5), (-6.0, 4.0, 1.0, 1.0)]
    {
        let (step, sd) = (1e-3, f64::sqrt(v));
        let mut sum = 0.0;
        for i in -9_000..=9_000 {
            let u = f64::from(i) * step;
            let z = a + sd * u;
            sum += exp(-0.5 * u * u + weight * (reward * z - ln(1.0 + exp(z)))) * step;
        }
        let want = ln(sum / f64::sqrt(2.0 * std::f64::consts::PI));
        // Seven points are exact for polynomials up to degree 13; of the logistic function this is left at a standard deviation of 2.
        assert!(
            (ln_evidence(a, v, reward, weight) - want).abs() < 1e-3 * v.max(0.3),
            "{} {want}",
            ln_evidence(a, v, reward, weight)
        );
    }
    assert!(ln_evidence(1e4, 1e6, 0.0, 1.0).is_finite());
}

/// Weights of the segments, mean and variance of w . x under the exact posterior over two weights, by summing over a grid.
fn by_integration(segments: &[(f64, &[f64], f64)], seen: &[([f64; 2], f64)], x: [f64; 2]) -> (Vec<f64>, f64, f64) {
    let (mut weights, mut first, mut second) = (Vec::new(), 0.0, 0.0);
    for (share, mean, sd) in segments {
        let mut mass = 0.0;
        let at = |i: i32, m: f64| m + f64::from(i) * 0.04 * sd;
        for i in -150..=150 {
            for j in -150..=150 {
                let w = [at(i, mean[0]), at(j, mean[1])];
                let prior = -0.5 * 0.04 * 0.04 * f64::from(i * i + j * j);
                let fits: f64 =
                    seen.iter().map(|(x, r)| (w[0] * x[0] + w[1] * x[1], r)).map(|(z, r)| r * z - ln(1.0 + exp(z))).sum();
                let density = share * exp(prior + fits);
                let score = w[0] * x[0] + w[1] * x[1];
                mass += density;
                first += density * score;
                second += density * score * score;
            }
        }
        weights.push(mass);
    }
    let all: f64 = weights.iter().sum();
    let mean = first / all;
    (weights.iter().map(|w| w / all).collect(), mean, second / all - mean * mean)
}

#[test]
fn mixtures_follow_the_exact_posterior() {
    let segments: [(f64, &[f64], f64); 3] = [(0.5, &[-2.0, 0.0], 0.6), (0.3, &[-1.0, 2.0], 0.6), (0.2, &[0.5, -1.0], 0.6)];
    let seen = [([1.0, 1.0], 1.0), ([1.0, 0.0], 0.0), ([1.0, 0.5], 1.0), ([1.0, 0.0], 0.0), ([1.0, 1.0], 0.0), ([1.0, 0.2], 0.0)];
    let mut head = Head::new(mixture(&segments, f64::INFINITY), 4);
    for count in 1..=seen.len() {
        let (x, reward) = seen[count - 1];
        head.learn(&x.map(|v| v as f32), reward);
        let probe = [1.0, 0.7];
        let (weights, mean, variance) = by_integration(&segments, &seen[..count], probe.map(|v| f64::from(v as f32)));
        // What is left is the error of the Laplace approximation, of order sd^3; the largest one measured is half of each bound.
        for (got, want) in head.segment_weights().iter().zip(&weights) {
            assert!((got - want).abs() < 0.01, "{count}: {:?} {weights:?}", head.segment_weights());
        }
        let row = probe.map(|v| v as f32);
        let score = head.mean()[0] + head.mean()[1] * f64::from(row[1]);
        assert!((score - mean).abs() < 0.06, "{count}: mean {score} {mean}");
        assert!((head.variance(&row) - variance).abs() < 0.06, "{count}: variance {} {variance}", head.variance(&row));
    }
}

#[test]
fn a_mixture_becomes_one_gaussian_with_its_mean_and_covariance() {
    for width in [2, MAX_FULL_COVARIANCE + 1] {
        let mut means = [vec![0.0; width], vec![0.0; width]];
        means[0][0] = -3.0;
        means[1][1] = 1.5;
        let mut head = Head::new(mixture(&[(1.0, &means[0], 0.5), (2.0, &means[1], 0.5)], DAY_MS as f64), width);
        let mut row = vec![0.0; width];
        row[0] = 1.0;
        head.learn(&row, 1.0);
        let gaussian = Gaussian::blend(&head.gaussians, &head.segment_weights());
        for (got, want) in gaussian.mean.iter().zip(head.mean()) {
            assert!((got - want).abs() < 1e-12);
        }
        row[1] = -0.5;
        let want = if width == 2 {
            head.variance(&row)
        } else {
            // The diagonal keeps no covariance between the segments' means.
            let v = |column: usize| {
                let mut row = vec![0.0; width];
                row[column] = 1.0;
                head.variance(&row)
            };
            v(0) + 0.25 * v(1)
        };
        assert!((gaussian.score(&head.input(&row)).1 - want).abs() < 1e-9);
        // Enough of the same makes it certain, and then it forgets to that segment.
        row[1] = 1.0;
        for _ in 0..40 {
            head.learn(&row, 1.0);
        }
        assert_eq!(head.gaussians.len(), 1);
        assert_eq!(head.segment_weights(), [1.0]);
        assert!(head.ln_weights[1] > ln(SEGMENT_CERTAIN));
        head.forget(1_000 * DAY_MS);
        assert!((head.mean()[1] - 1.5).abs() < 0.02 && head.mean()[0].abs() < 0.04, "{:?}", &head.mean()[..2]);
    }
}

#[test]
fn segments_are_forgotten_too() {
    let segments: [(f64, &[f64], f64); 2] = [(0.8, &[-1.0], 0.5), (0.2, &[1.0], 0.5)];
    let mut head = Head::new(mixture(&segments, DAY_MS as f64), 4);
    for _ in 0..2 {
        head.learn(&[1.0], 1.0);
    }
    let before = head.segment_weights();
    assert!(before[1] > 0.35 && before[1] < 0.9, "{before:?}");
    head.forget(DAY_MS);
    let half = f64::sqrt(before[0] * 0.8) / (f64::sqrt(before[0] * 0.8) + f64::sqrt(before[1] * 0.2));
    assert!((head.segment_weights()[0] - half).abs() < 1e-12);
    head.forget(500 * DAY_MS);
    assert!((head.segment_weights()[0] - 0.8).abs() < 1e-12);
    assert!((head.mean()[0] + 0.6).abs() < 1e-9);
    assert!((head.variance(&[1.0]) - (0.25 + 0.8 * 0.16 + 0.2 * 2.56)).abs() < 1e-9);
}

#[test]
fn forgetting_in_steps_is_forgetting_at_once() {
    let segments: [(f64, &[f64], f64); 2] = [(0.8, &[-1.0, 0.0], 0.5), (0.2, &[1.0, 1.0], 0.5)];
    let mut steps = Head::new(mixture(&segments, DAY_MS as f64), 4);
    steps.learn(&[1.0, 2.0], 1.0);
    let mut once = steps.clone();
    for hour in [5, 11, 24] {
        steps.forget(hour * DAY_MS / 24);
    }
    once.forget(DAY_MS);
    assert!((steps.variance(&[1.0, 0.3]) - once.variance(&[1.0, 0.3])).abs() < 1e-12);
    assert!((steps.mean()[1] - once.mean()[1]).abs() < 1e-12);
    assert!((steps.segment_weights()[0] - once.segment_weights()[0]).abs() < 1e-12);
}

#[test]
fn mixed_state_round_trips_and_meets_other_segments() {
    let three: [(f64, &[f64], f64); 3] = [(0.5, &[-1.0, 0.0], 0.5), (0.2, &[0.5, 1.0], 0.5), (0.3, &[0.0, 0.3], 0.5)];
    let mut head = Head::new(mixture(&three, DAY_MS as f64), 4);
    for reward in [0.0, 1.0, 1.0] {
        head.learn(&[1.0, 0.5], reward);
    }
    let mut tape = Tape::default();
    head.state().save(&mut tape);
    let bytes = Tape::seal(crate::store::Kind::Snapshot, &[tape]);
    let mut reader = TapeReader::open(crate::store::Kind::Snapshot, &bytes).unwrap();
    let state = HeadState::load(&mut reader, 2);
    reader.end().unwrap();
    assert_eq!(state, head.state());
    let back = Head::new(mixture(&three, DAY_MS as f64), 4).with_state(&state, None).unwrap();
    assert_eq!(back.state(), head.state());
    assert_eq!(back.mean(), head.mean());
    // Two other segments, or none: one Gaussian with the same mean and variance.
    for other in [mixture(&three[..2], DAY_MS as f64), HeadPrior::new(vec![0.0; 2], &[1.0; 2], 1e9).unwrap()] {
        let next = Head::new(other, 4).with_state(&state, None).unwrap();
        assert_eq!(next.gaussians.len(), 1);
        assert!((next.mean()[1] - head.mean()[1]).abs() < 1e-12);
        assert!((next.variance(&[1.0, 0.2]) - head.variance(&[1.0, 0.2])).abs() < 1e-12);
    }
    // A plain state under a prior with segments keeps what was learned and forgets to the middle of the segments.
    let mut plain = self::head(2, DAY_MS as f64);
    plain.learn(&[1.0, 0.5], 1.0);
    let mut next = head.with_state(&plain.state(), None).unwrap();
    assert_eq!(next.mean(), plain.mean());
    next.forget(1_000 * DAY_MS);
    assert!((next.mean()[0] + 0.4).abs() < 1e-9);
    let mut bad = state.clone();
    bad.ln_weights[0] = f64::NAN;
    assert!(head.with_state(&bad, None).is_none());
    let mut bad = state;
    bad.ln_weights.pop();
    assert!(head.with_state(&bad, None).is_none());
}

#[test]
fn the_working_head_leaves_the_head_alone() {
    let mut base = head(2, DAY_MS as f64);
    let row = [1.0f32, 0.5];
    base.learn(&row, 1.0);
    base.forget(DAY_MS);
    let before = base.state();
    assert!(matches!(base.working(DAY_MS, &[]), Cow::Borrowed(_)));
    let waiting = base.working(3 * DAY_MS, &[(base.input(&row), 0.6, 0.5), (base.input(&row), 0.2, 1.0)]);
    let mut want = base.clone();
    want.forget(3 * DAY_MS);
    want.learn_weighted(&row, 0.6, 0.5);
    want.learn_weighted(&row, 0.2, 1.0);
    assert_eq!(waiting.state(), want.state());
    assert_eq!(base.state(), before);
}

/// Four segments of listeners who differ in four of six weights; (weights of a listener, rows) follow from the seed.
const COLD_SEGMENTS: [(f64, &[f64], f64); 4] = [
    (0.4, &[-2.5, 2.0, -1.0, 0.0, 0.0, 0.5], 0.5),
    (0.3, &[-2.5, -1.0, 2.0, 0.0, 0.0, 0.5], 0.5),
    (0.2, &[-2.5, 0.0, 0.0, 2.0, -1.0, 0.5], 0.5),
    (0.1, &[-2.5, 0.0, 0.0, -1.0, 2.0, 0.5], 0.5),
];

fn normal(rng: &mut rand_pcg::Pcg32) -> f64 {
    // Twelve uniforms: variance 1.
    (0..12).map(|_| unit(rng)).sum::<f64>() - 6.0
}

/// Log-loss of `heads` over the outcomes `from..to` of one simulated listener.
fn cold_start(heads: &mut [Head], listener: u64, from: usize, to: usize) -> Vec<f64> {
    let mut rng = Seed::from_number(77).stream(Purpose::Host, listener);
    let mut pick = unit(&mut rng);
    let segment = COLD_SEGMENTS
        .iter()
        .find(|segment| {
            pick -= segment.0;
            pick < 0.0
        })
        .unwrap_or(&COLD_SEGMENTS[3]);
    let truth: Vec<f64> = segment.1.iter().map(|mean| mean + segment.2 * normal(&mut rng)).collect();
    let mut losses = vec![0.0; heads.len()];
    for outcome in 0..to {
        let row: Vec<f32> = (0..6).map(|i| if i == 0 { 1.0 } else { unit(&mut rng) as f32 * 1.5 }).collect();
        let score: f64 = row.iter().zip(&truth).map(|(x, w)| f64::from(*x) * w).sum();
        let reward = if unit(&mut rng) < sigmoid(score) { 1.0 } else { 0.0 };
        for (head, loss) in heads.iter_mut().zip(&mut losses) {
            let mean: f64 = row.iter().zip(head.mean()).map(|(x, w)| f64::from(*x) * w).sum();
            if outcome >= from {
                *loss += ln(1.0 + exp(if reward > 0.5 { -mean } else { mean }));
            }
            head.learn(&row, reward);
        }
    }
    losses
}

#[test]
fn segments_learn_a_new_listener_faster() {
    let prior = mixture(&COLD_SEGMENTS, f64::INFINITY);
    let blended = prior.blended(&prior.ln_shares());
    let single = HeadPrior { starts: vec![blended], shares: vec![1.0], half_life_ms: f64::INFINITY };
    let count = 200;
    let gains: Vec<f64> = (0..count)
        .map(|listener| {
            let losses = cold_start(&mut [Head::new(prior.clone(), 8), Head::new(single.clone(), 8)], listener, 0, 20);
            (losses[1] - losses[0]) / 20.0
        })
        .collect();
    let n = count as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let error = f64::sqrt(gains.iter().map(|gain| (gain - mean) * (gain - mean)).sum::<f64>() / (n - 1.0) / n);
    // Listeners are independent, so the mean gain is normal with this standard error; 3.29 of them hold 99.9 %.
    assert!(mean - 3.29 * error > 0.0, "{mean} +- {error}");
}
