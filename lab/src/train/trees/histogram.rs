//! Sums of slopes and curvatures by bin, and the best split they give.

use super::Slope;
use super::bins::{Binned, LANES, MISSING};

/// G and H of each bin of a column.
pub type Histogram = [[f64; 2]; 256];

/// Histograms of a block of columns.
pub type BlockSums = Box<[Histogram; LANES]>;

/// No sums.
#[must_use]
pub fn empty() -> BlockSums {
    Box::new([[[0.0; 2]; 256]; LANES])
}

/// Sums over `rows` of a block, in row order; `slopes` belong to `rows`.
pub fn fill(sums: &mut BlockSums, block: &[[u8; LANES]], rows: &[u32], slopes: &[Slope]) {
    for histogram in sums.iter_mut() {
        histogram.fill([0.0; 2]);
    }
    for (&row, &(g, h)) in rows.iter().zip(slopes) {
        let (g, h) = (f64::from(g), f64::from(h));
        let bins = block[row as usize];
        for (histogram, bin) in sums.iter_mut().zip(bins) {
            let cell = &mut histogram[bin as usize];
            cell[0] += g;
            cell[1] += h;
        }
    }
}

/// Leaves in `all` what is not in `part`.
pub fn subtract(all: &mut BlockSums, part: &BlockSums) {
    for (all, part) in all.iter_mut().zip(part.iter()) {
        for (all, part) in all.iter_mut().zip(part) {
            all[0] -= part[0];
            all[1] -= part[1];
        }
    }
}

/// G and H of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Sum of slopes.
    pub g: f64,
    /// Sum of curvatures.
    pub h: f64,
}

impl Sums {
    /// What is left without `part`.
    #[must_use]
    pub fn without(self, part: Self) -> Self {
        Self { g: self.g - part.g, h: self.h - part.h }
    }

    /// Twice what a node with these sums takes from the loss.
    #[must_use]
    pub fn worth(self, ridge: f64) -> f64 {
        if self.h + ridge > 0.0 { self.g * self.g / (self.h + ridge) } else { 0.0 }
    }
}

/// A split by number of the bin: bins up to it go left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// What it takes from the loss.
    pub gain: f64,
    /// Which column.
    pub column: usize,
    /// Last bin that goes left.
    pub bin: u8,
    /// Rows without a value go left.
    pub missing_left: bool,
    /// Sums of the left side.
    pub left: Sums,
}

/// What a split must have.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Added to every H.
    pub ridge: f64,
    /// Gain must be above this.
    pub gain: f64,
    /// H of either side must reach this.
    pub curvature: f64,
}

/// The best split of a node by the columns of a block; the first of equals.
#[must_use]
pub fn best(sums: &BlockSums, binned: &Binned, block: usize, node: Sums, wanted: Wanted) -> Option<Cut> {
    let mut best: Option<Cut> = None;
    let whole = node.worth(wanted.ridge);
    let mut floor = 2.0 * wanted.gain + whole;
    for lane in 0..LANES {
        let column = block * LANES + lane;
        let Some(cuts) = binned.cuts.get(column) else { break };
        let histogram = &sums[lane];
        let missing = histogram[MISSING as usize];
        let sides: &[bool] = if binned.missing[column] { &[true, false] } else { &[false] };
        for &missing_left in sides {
            let mut left = Sums::default();
            if missing_left {
                left = Sums { g: missing[0], h: missing[1] };
            }
            for (bin, cell) in histogram[..cuts.len()].iter().enumerate() {
                if cell[1] == 0.0 && cell[0] == 0.0 {
                    continue;
                }
                left.g += cell[0];
                left.h += cell[1];
                let right = node.without(left);
                if left.h < wanted.curvature || right.h < wanted.curvature {
                    continue;
                }
                let worth = left.worth(wanted.ridge) + right.worth(wanted.ridge);
                if worth > floor {
                    floor = worth;
                    let gain = 0.5 * (worth - whole);
                    best = Some(Cut { gain, column, bin: bin as u8, missing_left, left });
                }
            }
        }
    }
    best
}
