//! The one sort of the core.

/// Up to so many values are put in order one by one.
const FEW: u32 = 40;

/// The numbers of `pairs` by falling value; equal values by rising number. No value may be NaN.
#[must_use]
#[inline(never)]
pub fn falling(mut pairs: Vec<(f64, u32)>) -> Vec<u32> {
    if pairs.len() > FEW as usize {
        spread(&mut pairs);
    }
    // Little is left to do.
    for end in 1..pairs.len() {
        let one = pairs[end];
        let mut at = end;
        while at > 0 && is_before(one, pairs[at - 1]) {
            pairs[at] = pairs[at - 1];
            at -= 1;
        }
        pairs[at] = one;
    }
    pairs.into_iter().map(|pair| pair.1).collect()
}

fn is_before(one: (f64, u32), other: (f64, u32)) -> bool {
    one.0 > other.0 || one.0 == other.0 && (key(one.0), other.1) > (key(other.0), one.1)
}

/// Bits that rise with a value: all of a negative number flipped, the sign of a positive one.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    bits ^ ((bits as i64 >> 63) as u64 | 1 << 63)
}

/// Moves each pair to where its value lies between the largest and the least finite one, in as many parts as there are pairs, and again
/// within a part that holds many: its range is a fortieth of this one's at most, so that it ends however they lie. Equal values stay together,
/// in the order they had.
fn spread(pairs: &mut [(f64, u32)]) {
    let (mut most, mut least) = (f64::NEG_INFINITY, f64::INFINITY);
    for (value, _) in pairs.iter() {
        most = if *value > most && *value < f64::INFINITY { *value } else { most };
        least = if *value < least && *value > f64::NEG_INFINITY { *value } else { least };
    }
    // Halves differ by a finite number where the values do not.
    let half = if most - least < f64::INFINITY { 1.0 } else { 0.5 };
    let (top, last) = (half * most, pairs.len() as u32 - 1);
    let scale = f64::from(last) / (top - half * least);
    if !(scale > 0.0 && scale < f64::INFINITY) {
        // The finite ones are the same, or hardly differ, as no scores do: what is infinite goes before them and behind them.
        let side = |value: f64| if value > most { 0 } else { 1 + u8::from(value < least) };
        let from = pairs.to_vec();
        let sides = (0..3).flat_map(|wanted| from.iter().filter(move |pair| side(pair.0) == wanted));
        for (to, pair) in pairs.iter_mut().zip(sides) {
            *to = *pair;
        }
        return;
    }
    // Falls as the value rises, rounded or not.
    let part = |value: f64| (((top - half * value) * scale) as u32).min(last) as usize;
    let mut ends = vec![0u32; pairs.len()];
    for pair in pairs.iter() {
        ends[part(pair.0)] += 1;
    }
    let mut next = 0;
    for end in &mut ends {
        next += std::mem::replace(end, next);
    }
    let from = pairs.to_vec();
    for pair in &from {
        let end = &mut ends[part(pair.0)];
        pairs[*end as usize] = *pair;
        *end += 1;
    }
    drop(from);
    let mut start = 0;
    for end in ends {
        if end > start + FEW {
            spread(&mut pairs[start as usize..end as usize]);
        }
        start = end;
    }
}

/// The place of the first of the largest values above minus infinity.
#[must_use]
#[inline(never)]
pub fn largest_at(values: &[f64]) -> Option<usize> {
    let (mut largest, mut place) = (f64::NEG_INFINITY, None);
    for (at, value) in values.iter().enumerate() {
        if *value > largest {
            (largest, place) = (*value, Some(at));
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_value_then_number() {
        let pairs = [(1.0, 4), (f64::INFINITY, 9), (-2.0, 1), (1.0, 2), (0.0, 3), (f64::NEG_INFINITY, 0)];
        assert_eq!(falling(pairs.to_vec()), [9, 2, 4, 3, 1, 0]);
        assert!(falling(Vec::new()).is_empty());
    }

    /// One by one this would take minutes.
    #[test]
    fn many_values_take_little_however_they_lie() {
        let n = 300_000;
        let values: [fn(u32) -> f64; 5] = [
            |i| if i == 7 { f64::INFINITY } else { f64::from(i * 7_919 % 1_000_003) },
            |i| if i % 2 == 0 { f64::NEG_INFINITY } else { f64::from(i) },
            |i| [f64::INFINITY, 1.0, f64::NEG_INFINITY][(i % 3) as usize],
            |i| [f64::MAX, f64::MIN, 0.0][(i % 3) as usize],
            |i| if i % 2 == 0 { 1e300 } else { f64::from(i) * 1e-200 },
        ];
        for value in values {
            let pairs: Vec<(f64, u32)> = (0..n).map(|i| (value(i), i)).collect();
            let order = falling(pairs.clone());
            assert_eq!(order.len(), n as usize);
            assert!(order.is_sorted_by(|a, b| !is_before(pairs[*b as usize], pairs[*a as usize])));
        }
    }

    #[test]
    fn the_first_of_the_largest_values_is_found() {
        assert_eq!(largest_at(&[-2.0, 3.0, 1.0, 3.0]), Some(1));
        assert_eq!(largest_at(&[f64::NEG_INFINITY, -1e300]), Some(1));
        assert_eq!((largest_at(&[]), largest_at(&[f64::NEG_INFINITY])), (None, None));
    }

    #[test]
    fn every_size_and_kind_of_tie_agrees_with_the_standard_sort() {
        for n in [0u32, 1, 2, 39, 40, 41, 300, 1_000] {
            let numbered: [fn(u32, u32) -> u32; 2] = [|i, _| i, |i, n| i * 7_919 % n];
            // Many ties; all equal; equal upper halves; signs; all different; and the last, where every bit differs.
            let values: [fn(u32) -> f64; 10] = [
                |i| f64::from(i * 7_919 % 1_000 / 3),
                |_| 0.25,
                |i| 1.0 + f64::from(i * 7_919 % 1_000) * f64::EPSILON,
                |i| f64::from(i * 7_919 % 1_000) - 500.0,
                |i| 1.0 / f64::from(i * 7_919 % 10_007 + 1),
                // One far from the others; as far apart as numbers go; signed zeros; infinities.
                |i| if i == 7 { 1e12 } else { 1.0 / f64::from(i * 7_919 % 10_007 + 1) },
                |i| f64::from_bits(u64::from(i * 7_919 % 2_000) << 52),
                |i| if i % 2 == 0 { 0.0 } else { -0.0 },
                |i| if i % 5 == 0 { f64::NEG_INFINITY } else { 1.0 / f64::from(i % 2) },
                |i| if i % 3 == 0 { -1e300 / f64::from(i + 1) } else { f64::from_bits(u64::from(i) * 7_919) },
            ];
            for number in numbered {
                for value in values {
                    let pairs: Vec<(f64, u32)> = (0..n).map(|i| (value(i), number(i, n))).collect();
                    let mut want = pairs.clone();
                    want.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                    assert_eq!(falling(pairs), want.iter().map(|pair| pair.1).collect::<Vec<u32>>());
                }
            }
        }
    }
}
