//! The one sort of the core.

/// Up to so many values are put in order one by one.
const FEW: usize = 40;
/// Bits of a digit.
const DIGIT: u32 = 9;
const DIGITS: usize = 1 << DIGIT;

/// The numbers of `pairs` by falling value; equal values by rising number.
#[must_use]
#[inline(never)]
pub fn falling(pairs: &[(f64, u32)]) -> Vec<u32> {
    // Order-preserving bits (flip all of a negative number, the sign of a positive one), inverted to make the order fall.
    let key = |value: f64| {
        let bits = value.to_bits();
        !(bits ^ ((bits as i64 >> 63) as u64 | 1 << 63))
    };
    let mut from: Vec<(u64, u64)> = pairs.iter().map(|(value, number)| (key(*value), u64::from(*number))).collect();
    if from.len() <= FEW {
        for end in 1..from.len() {
            let one = from[end];
            let mut at = end;
            while at > 0 && from[at - 1] > one {
                from[at] = from[at - 1];
                at -= 1;
            }
            from[at] = one;
        }
    } else {
        // By number, then by value: equal ones keep their order.
        for _ in 0..2 {
            for pair in &mut from {
                *pair = (pair.1, pair.0);
            }
            by_digits(&mut from);
        }
    }
    from.into_iter().map(|pair| pair.1 as u32).collect()
}

/// Puts in rising order of the first number, digit by digit from the lowest bit in which any two differ; equal ones stay in order.
#[inline(never)]
fn by_digits(from: &mut Vec<(u64, u64)>) {
    if from.is_sorted_by_key(|pair| pair.0) {
        return;
    }
    let first = from.first().map_or(0, |pair| pair.0);
    let differ = from.iter().fold(0, |differ, pair| differ | (pair.0 ^ first));
    let mut to = from.clone();
    let mut low = differ.trailing_zeros();
    while low < 64 && differ >> low != 0 {
        let mut starts = [0u32; DIGITS];
        for pair in from.iter() {
            starts[(pair.0 >> low) as usize % DIGITS] += 1;
        }
        let mut next = 0;
        for start in &mut starts {
            next += std::mem::replace(start, next);
        }
        for pair in from.iter() {
            let start = &mut starts[(pair.0 >> low) as usize % DIGITS];
            if let Some(place) = to.get_mut(*start as usize) {
                *place = *pair;
            }
            *start += 1;
        }
        std::mem::swap(from, &mut to);
        low += DIGIT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_value_then_number() {
        let pairs = [(1.0, 4), (f64::INFINITY, 9), (-2.0, 1), (1.0, 2), (0.0, 3), (f64::NEG_INFINITY, 0)];
        assert_eq!(falling(&pairs), [9, 2, 4, 3, 1, 0]);
        assert!(falling(&[]).is_empty());
    }

    #[test]
    fn every_size_and_kind_of_tie_agrees_with_the_standard_sort() {
        for n in [0u32, 1, 2, 39, 40, 41, 300, 1_000] {
            let numbered: [fn(u32, u32) -> u32; 2] = [|i, _| i, |i, n| i * 7_919 % n];
            // Many ties; all equal; equal upper halves; signs; all different; every bit differs.
            let values: [fn(u32) -> f64; 6] = [
                |i| f64::from(i * 7_919 % 1_000 / 3),
                |_| 0.25,
                |i| 1.0 + f64::from(i * 7_919 % 1_000) * f64::EPSILON,
                |i| f64::from(i * 7_919 % 1_000) - 500.0,
                |i| 1.0 / f64::from(i * 7_919 % 10_007 + 1),
                |i| if i % 3 == 0 { -1e300 / f64::from(i + 1) } else { f64::from_bits(u64::from(i) * 7_919) },
            ];
            for number in numbered {
                for value in values {
                    let pairs: Vec<(f64, u32)> = (0..n).map(|i| (value(i), number(i, n))).collect();
                    let mut want = pairs.clone();
                    want.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                    assert_eq!(falling(&pairs), want.iter().map(|pair| pair.1).collect::<Vec<u32>>());
                }
            }
        }
    }
}
