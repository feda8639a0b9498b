//! Values as numbers of bins, four columns side by side.

use super::super::parallel::Threads;
use super::super::sample::Sample;

/// The bin of rows without a value.
pub const MISSING: u8 = 255;
/// Most bins of values.
const MOST: usize = 255;
/// Columns whose bins lie side by side: one look-up of a row serves them all.
pub const LANES: usize = 4;

/// Rows as bins.
#[derive(Debug)]
pub struct Binned {
    /// Four columns each, row by row; columns past the last are bin 0.
    pub blocks: Vec<Vec<[u8; LANES]>>,
    /// For each column: bin k holds the values below cut k and not below cut k - 1.
    pub cuts: Vec<Vec<f32>>,
    /// For each column: whether any row has no value.
    pub missing: Vec<bool>,
    /// Number of rows.
    pub rows: usize,
}

impl Binned {
    /// Bins of about equal weight; one for each value where there are few.
    #[must_use]
    pub fn new(sample: &Sample, threads: &Threads) -> Self {
        let width = sample.width;
        let mut columns: Vec<(Vec<f32>, Vec<u8>)> = vec![(Vec::new(), Vec::new()); width];
        threads.each(&mut columns, |column, (cuts, bins)| {
            let values = || (0..sample.rows()).map(|row| sample.values[row * width + column]);
            *cuts = cuts_of(values(), &sample.weight);
            *bins = values().map(|x| bin(cuts, x)).collect();
        });
        let mut blocks = vec![vec![[0; LANES]; sample.rows()]; width.div_ceil(LANES)];
        let missing = columns.iter().map(|(_, bins)| bins.contains(&MISSING)).collect();
        let mut cuts = Vec::with_capacity(width);
        for (column, (column_cuts, bins)) in columns.into_iter().enumerate() {
            for (row, bin) in blocks[column / LANES].iter_mut().zip(bins) {
                row[column % LANES] = bin;
            }
            cuts.push(column_cuts);
        }
        Self { blocks, cuts, missing, rows: sample.rows() }
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.cuts.len()
    }
}

/// The bin of a value.
fn bin(cuts: &[f32], x: f32) -> u8 {
    if x.is_nan() { MISSING } else { cuts.partition_point(|cut| *cut <= x) as u8 }
}

/// Bits whose order is that of the numbers; -0 counts as 0.
fn order(x: f32) -> u32 {
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn value(order: u32) -> f32 {
    f32::from_bits(if order >> 31 == 1 { order & !(1 << 31) } else { !order })
}

/// Cuts between values, at most [`MOST`] - 1.
fn cuts_of(values: impl Iterator<Item = f32>, weights: &[f64]) -> Vec<f32> {
    let mut sorted: Vec<u64> =
        (0u64..).zip(values).filter(|(_, x)| !x.is_nan()).map(|(row, x)| u64::from(order(x)) << 32 | row).collect();
    sorted.sort_unstable();
    // Distinct values with their weights.
    let mut distinct: Vec<(f32, f64)> = Vec::new();
    let mut last = None;
    for entry in sorted {
        let weight = weights[(entry & u64::from(u32::MAX)) as usize];
        let order = (entry >> 32) as u32;
        if last != Some(order) {
            distinct.push((value(order), 0.0));
            last = Some(order);
        }
        if let Some((_, sum)) = distinct.last_mut() {
            *sum += weight;
        }
    }
    let mut cuts = Vec::new();
    let mut left: f64 = distinct.iter().map(|(_, weight)| weight).sum();
    let mut held = 0.0;
    for (place, pair) in distinct.windows(2).enumerate() {
        held += pair[0].1;
        let bins_left = MOST - cuts.len();
        let values_left = distinct.len() - place;
        // Close the bin when it holds its share of what is left, or when every value may have a bin.
        if values_left <= bins_left || held >= left / bins_left as f64 {
            cuts.push(between(pair[0].0, pair[1].0));
            left -= held;
            held = 0.0;
            if cuts.len() == MOST - 1 {
                break;
            }
        }
    }
    cuts
}

/// A number above `low` and not above `high`, in the middle where there is room.
fn between(low: f32, high: f32) -> f32 {
    let middle = ((f64::from(low) + f64::from(high)) / 2.0) as f32;
    if middle > low && middle <= high { middle } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_bins_of_their_own() {
        let cuts = cuts_of([3.0, 1.0, f32::NAN, 1.0, -2.0, 0.0, -0.0].into_iter(), &[1.0; 7]);
        assert_eq!(cuts, [-1.0, 0.5, 2.0]);
        let bins: Vec<u8> = [-2.0, 0.0, -0.0, 1.0, 3.0, 100.0, -100.0, f32::NAN, 2.0].iter().map(|x| bin(&cuts, *x)).collect();
        assert_eq!(bins, [0, 1, 1, 2, 3, 3, 0, MISSING, 3]);
        let (a, b) = (1.0f32, 1.0f32.next_up());
        assert_eq!(between(a, b), b);
        assert!(cuts_of([f32::NAN].into_iter(), &[1.0]).is_empty() && cuts_of([5.0, 5.0].into_iter(), &[1.0; 2]).is_empty());
    }

    #[test]
    fn many_values_share_bins_of_equal_weight() {
        let values: Vec<f32> = (0..10_000).map(|i| (i * 7_919 % 10_000) as f32).collect();
        let cuts = cuts_of(values.iter().copied(), &vec![1.0; 10_000]);
        assert_eq!(cuts.len(), MOST - 1);
        let mut counts = [0; MOST];
        values.iter().for_each(|x| counts[bin(&cuts, *x) as usize] += 1);
        assert!(counts.iter().all(|count| (35..=45).contains(count)), "{counts:?}");
        // All weight on the upper half: the cuts go there.
        let weights: Vec<f64> = values.iter().map(|x| if *x >= 5_000.0 { 1.0 } else { 0.0 }).collect();
        let cuts = cuts_of(values.iter().copied(), &weights);
        assert!(cuts.iter().filter(|cut| **cut > 5_000.0).count() > 250);
    }

    #[test]
    fn the_order_of_bits_is_that_of_numbers() {
        let rising = [f32::MIN, -1.0, -1e-30, 0.0, 1e-30, 1.0, f32::MAX];
        assert!(rising.windows(2).all(|pair| order(pair[0]) < order(pair[1])));
        assert!(rising.iter().all(|x| value(order(*x)) == *x));
    }
}
