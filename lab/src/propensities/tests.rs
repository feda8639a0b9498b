use super::*;
use ears_only::random::{Purpose, Seed, unit};

/// Pages of three candidates drawn with chances `drawn` and logged with chances `stated`.
fn watched(drawn: [f64; 3], stated: [f64; 3], pages: usize) -> Watch {
    let mut watch = Watch::new(0.1);
    let mut rng = Seed::from_number(9).stream(Purpose::Rank, 0);
    for _ in 0..pages {
        let u = unit(&mut rng);
        let chosen = if u < drawn[0] { 0 } else { 1 + usize::from(u >= drawn[0] + drawn[1]) };
        let place = Filled { scores: vec![2.0, 1.0, 0.0], chosen, propensity: stated[chosen] };
        watch.page(&[place], &stated, chosen);
    }
    watch
}

fn evidence(watch: &Watch) -> f64 {
    watch.bets()[0].iter().map(Bets::evidence).fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn right_propensities_raise_no_alarm_and_wrong_ones_do() {
    let right = [0.7, 0.2, 0.1];
    let fine = watched(right, right, 20_000);
    let (chi, freedom) = fine.chi().statistic().unwrap();
    assert!(chi < chi_square_bound(freedom, 1e-6) && freedom == 2, "{chi}");
    // Three bets: chance of a false alarm 1e-6 in all.
    assert!(evidence(&fine) < libm::log(3e6), "{}", evidence(&fine));
    assert!((fine.bets()[0][0].mean() - 1.0).abs() < 0.05);

    // One page in ten is uniform and nobody says so.
    let drawn = right.map(|p| 0.9 * p + 0.1 / 3.0);
    let wrong = watched(drawn, right, 20_000);
    let (chi, freedom) = wrong.chi().statistic().unwrap();
    assert!(chi > chi_square_bound(freedom, 1e-6), "{chi}");
    assert!(evidence(&wrong) > libm::log(3e6), "{}", evidence(&wrong));
}

#[test]
fn bets_are_fair_by_enumeration() {
    // One page of stated chances p has expected capital 1 for every bettor.
    let p = [0.7, 0.2, 0.1];
    for target in [[1.0 / 3.0; 3], [0.1, 0.1, 0.8]] {
        let mut expected = vec![0.0; 24];
        for (stated, wanted) in p.iter().zip(target) {
            let mut bets = Bets::new(10.0);
            bets.take(wanted / stated);
            for (sum, ln) in expected.iter_mut().zip(&bets.ln_capital) {
                *sum += stated * libm::exp(*ln);
            }
        }
        assert!(expected.iter().all(|capital| (capital - 1.0).abs() < 1e-12), "{expected:?}");
    }
}

#[test]
fn pages_that_end_early_are_not_left_out() {
    // The first candidate leads to a second place, the others end the page: on every prefix the mean weight is 1.
    let stated = [0.5, 0.3, 0.2];
    let mut watch = Watch::new(0.1);
    let mut rng = Seed::from_number(4).stream(Purpose::Rank, 0);
    for _ in 0..20_000 {
        let u = unit(&mut rng);
        let chosen = if u < stated[0] { 0 } else { 1 + usize::from(u >= stated[0] + stated[1]) };
        let mut places = vec![Filled { scores: vec![2.0, 1.0, 0.0], chosen, propensity: stated[chosen] }];
        if chosen == 0 {
            let second = usize::from(unit(&mut rng) < 0.5);
            places.push(Filled { scores: vec![1.0, 0.0], chosen: second, propensity: 0.5 });
        }
        watch.page(&places, &stated, chosen);
    }
    for bets in watch.bets() {
        for bet in bets {
            // Weights reach 4 and have a variance below 2: five standard errors.
            assert!(
                (bet.mean() - 1.0).abs() < 5.0 * (2.0f64 / 20_000.0).sqrt() && bet.evidence() < libm::log(1e6),
                "{}",
                bet.mean()
            );
        }
    }
}

#[test]
fn targets_are_distributions_over_the_place() {
    let of = |chosen| Filled { scores: vec![0.3, 0.9, 0.1, 0.9], chosen, propensity: 1.0 }.targets();
    for target in 0..TARGETS.len() {
        let sum: f64 = (0..4).map(|chosen| of(chosen)[target]).sum();
        assert!((sum - 1.0).abs() < 1e-15);
    }
    // Ties go to the first.
    assert_eq!(of(1)[1], 0.625);
    assert_eq!(of(3)[1], 0.125);
    assert_eq!(of(2)[2], 0.625);
}

#[test]
fn the_bound_holds_for_known_quantiles() {
    // 1e-6 quantiles of the chi-square distribution: 23.93 for 1, 43.8 for 8.
    assert!(chi_square_bound(1, 1e-6) > 23.93 && chi_square_bound(8, 1e-6) > 43.8);
}
