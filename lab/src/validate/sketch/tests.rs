use super::*;

/// Numbers of very different sizes, ties and both signs.
fn numbers(count: u64) -> Vec<f64> {
    (0..count)
        .map(|i| {
            let random = mix(i);
            let unit = (random >> 11) as f64 / (1_u64 << 53) as f64;
            match i % 5 {
                0 => unit,
                1 => -1000.0 * unit,
                2 => (random % 7) as f64,
                3 => 1.6e12 + 6e8 * unit,
                _ => 1.0 / (unit + 1e-9),
            }
        })
        .collect()
}

#[test]
fn bins_of_64_parts_in_any_order_equal_one_pass() {
    let numbers = numbers(50_000);
    let mut whole = Bins::new(512);
    let mut parts = vec![Bins::new(512); 64];
    for (i, number) in numbers.iter().enumerate() {
        whole.add(*number, 1);
        parts[(mix(i as u64 + 7) % 64) as usize].add(*number, 1);
    }
    let mut forward = Bins::new(512);
    parts.iter().for_each(|part| forward.merge(part));
    let mut backward = Bins::new(512);
    parts.iter().rev().for_each(|part| backward.merge(part));
    assert_eq!(whole, forward);
    assert_eq!(whole, backward);
    assert_eq!(whole.total(), 50_000);
    assert_eq!(whole.bins().iter().map(|bin| bin.count).sum::<u64>(), 50_000);
    assert!(whole.bins().len() <= 512 && whole.bins().len() > 128);
    assert!(whole.bins().windows(2).all(|pair| pair[0].high < pair[1].low));
}

#[test]
fn few_numbers_are_kept_apart_and_quantiles_are_exact() {
    let mut bins = Bins::new(64);
    for number in [3.0, 1.0, 2.0, -0.0, 0.0, 1.0] {
        bins.add(number, 1);
    }
    assert_eq!(bins.shift(), 0);
    assert_eq!(bins.resolution(), 0.0);
    assert_eq!(bins.quantiles(&[0.0, 0.5, 1.0]), [0.0, 1.0, 3.0]);
    assert_eq!(bins.bins()[0], Bin { low: 0.0, high: 0.0, count: 2 });
    assert!(Bins::new(8).quantiles(&[0.5]).is_empty());
}

#[test]
fn quantiles_lie_within_the_resolution() {
    let mut bins = Bins::new(1024);
    (0..100_000).for_each(|i| bins.add(f64::from(i).sqrt() + 5.0, 1));
    let found = bins.quantiles(&[0.01, 0.25, 0.5, 0.9, 0.999]);
    for (share, number) in [0.01, 0.25, 0.5, 0.9, 0.999].iter().zip(found) {
        let rank = (number - 5.0) * (number - 5.0) / 100_000.0;
        assert!((rank - share).abs() <= bins.resolution() + 1e-4, "{share}: rank {rank}");
    }
    assert!(bins.resolution() < 0.02);
}

#[test]
fn infinities_are_numbers_like_others() {
    let mut bins = Bins::new(2);
    for number in [f64::NEG_INFINITY, -1.0, 0.0, 1.0, f64::INFINITY] {
        bins.add(number, 1);
    }
    assert!(bins.bins().iter().all(|bin| !bin.low.is_nan() && !bin.high.is_nan()));
    assert_eq!(bins.bins().iter().map(|bin| bin.count).sum::<u64>(), 5);
}

#[test]
fn aligned_bins_hold_what_both_hold() {
    let (mut fine, mut coarse) = (Bins::new(1024), Bins::new(16));
    for number in numbers(1000) {
        fine.add(number, 1);
        coarse.add(number + 1.0, 2);
    }
    let both = aligned(&fine, &coarse);
    assert_eq!(both.iter().map(|(_, a, _)| a).sum::<u64>(), 1000);
    assert_eq!(both.iter().map(|(_, _, b)| b).sum::<u64>(), 2000);
    assert!(both.windows(2).all(|pair| pair[0].0.low < pair[1].0.low));
}

#[test]
fn distinct_counts_are_within_their_error_and_merge_exactly() {
    // The standard error is 1.6 %; 6.5 % is four of them. Hashes are fixed, so that this cannot change by chance.
    for size in [0_u64, 1, 10, 1000, 10_000, 300_000] {
        let mut whole = Distinct::new();
        let mut parts = vec![Distinct::new(); 64];
        for i in 0..size {
            whole.add(mix(i));
            parts[(i % 64) as usize].add(mix(i));
        }
        let mut merged = Distinct::new();
        parts.iter().for_each(|part| merged.merge(part));
        assert_eq!(whole, merged);
        assert!((whole.estimate() - size as f64).abs() <= 0.065 * size as f64, "{size}: {}", whole.estimate());
    }
}

#[test]
fn values_are_exact_while_there_is_room_and_bounded_beyond() {
    let mut whole = TopValues::new(100);
    let mut parts = vec![TopValues::new(100); 64];
    for i in 0..20_000_u64 {
        // One in four is "often"; the rest are all different.
        let text = if i % 4 == 0 { "often".to_owned() } else { format!("rare {i}") };
        whole.add_text(text.as_bytes());
        parts[(i % 64) as usize].add_text(text.as_bytes());
    }
    let mut merged = TopValues::new(100);
    parts.iter().for_each(|part| merged.merge(part));
    for held in [&whole, &merged] {
        let first = &held.sorted()[0];
        assert_eq!(first.value.to_string(), "often");
        assert!(first.count <= 5000 && first.count + held.error() >= 5000);
        assert!(held.error() <= 2 * 20_000 / 100, "{}", held.error());
        assert_eq!(held.distinct(), None);
    }

    let (mut few, mut again) = (TopValues::new(100), TopValues::new(100));
    for i in 0..1000 {
        few.add_int(i % 50);
        again.add_int((999 - i) % 50);
    }
    assert_eq!(few, again);
    assert_eq!((few.distinct(), few.error()), (Some(50), 0));
}

#[test]
fn repeats_do_not_depend_on_order_and_find_the_share_of_copies() {
    let (mut whole, mut parts) = (Repeats::default(), vec![Repeats::default(); 64]);
    for i in 0..100_000_u64 {
        // Every tenth row repeats the one before.
        let hash = mix(if i % 10 == 9 { i - 1 } else { i });
        whole.add(hash);
        parts[(mix(i ^ 5) % 64) as usize].add(hash);
    }
    let mut merged = Repeats::default();
    parts.iter().rev().for_each(|part| merged.merge(part));
    assert_eq!(whole, merged);
    let (all, different) = whole.followed();
    let copies = 1.0 - different as f64 / all as f64;
    // About 6,000 followed: four standard errors are 0.016.
    assert!((copies - 0.1).abs() < 0.016, "{copies}");
    assert!(!whole.is_exact());
}

#[test]
fn moments_keep_the_digits_of_large_numbers_and_add_up() {
    let (mut whole, mut parts) = (Moments::new(), vec![Moments::new(); 64]);
    for i in 0..64_000_u64 {
        let number = 1.6e12 + (i % 1000) as f64;
        whole.add(number);
        parts[(i % 64) as usize].add(number);
    }
    let mut merged = Moments::new();
    parts.iter().for_each(|part| merged.merge(part));
    for moments in [whole, merged] {
        assert_eq!(moments.count(), 64_000);
        assert!((moments.mean() - 1.6e12 - 499.5).abs() < 1e-3);
        assert!((moments.variance() - (1000.0 * 1000.0 - 1.0) / 12.0).abs() < 1e-2);
        assert_eq!((moments.min(), moments.max()), (Some(1.6e12), Some(1.6e12 + 999.0)));
    }
}

#[test]
fn correlations_add_up() {
    let (mut whole, mut left, mut right) = (Joint::default(), Joint::default(), Joint::default());
    for i in 0..1000 {
        let (x, y) = (f64::from(i), f64::from(2 * i + (i * 7919) % 100));
        whole.add(x, y);
        if i % 3 == 0 { left.add(x, y) } else { right.add(x, y) }
    }
    left.merge(&right);
    let (one, other) = (whole.correlation().unwrap(), left.correlation().unwrap());
    assert!((one - other).abs() < 1e-12);
    assert!(one > 0.99 && one < 1.0);
    assert_eq!(Joint::default().correlation(), None);
}
