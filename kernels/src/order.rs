//! The one sort of the core.

/// The numbers of `pairs` by falling value; equal values by rising number.
#[must_use]
#[inline(never)]
pub fn falling(pairs: &[(f64, u32)]) -> Vec<u32> {
    // Order-preserving bits (flip all of a negative number, the sign of a positive one), inverted to make the order fall.
    let key = |value: f64| {
        let bits = value.to_bits();
        !(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
    };
    let mut from: Vec<(u64, u32)> = pairs.iter().map(|(value, number)| (key(*value), *number)).collect();
    let mut to = from.clone();
    // Bottom-up merge sort: the standard library's sort is five times the machine code.
    let mut width = 1;
    while width < from.len() {
        for start in (0..from.len()).step_by(2 * width) {
            let (middle, end) = ((start + width).min(from.len()), (start + 2 * width).min(from.len()));
            let (mut left, mut right) = (start, middle);
            for place in &mut to[start..end] {
                if right >= end || (left < middle && from[left] <= from[right]) {
                    *place = from[left];
                    left += 1;
                } else {
                    *place = from[right];
                    right += 1;
                }
            }
        }
        std::mem::swap(&mut from, &mut to);
        width *= 2;
    }
    from.into_iter().map(|(_, number)| number).collect()
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
        for n in [0u32, 1, 2, 47, 48, 49, 300, 1_000] {
            let numbered: [fn(u32, u32) -> u32; 2] = [|i, _| i, |i, n| i * 7_919 % n];
            // Many ties; all equal; equal upper halves; signs; all different.
            let values: [fn(u32) -> f64; 5] = [
                |i| f64::from(i * 7_919 % 1_000 / 3),
                |_| 0.25,
                |i| 1.0 + f64::from(i * 7_919 % 1_000) * f64::EPSILON,
                |i| f64::from(i * 7_919 % 1_000) - 500.0,
                |i| 1.0 / f64::from(i * 7_919 % 10_007 + 1),
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
