//! Grows oblivious trees: one question for a whole level.

use std::ops::Range;

use super::bins::{Binned, LANES, MISSING};
use super::grow::{Grower, total};
use super::histogram::{BlockSums, Cut, Sums, Wanted};
use super::{Leaf, Slope, Split, Tree};

/// A node of the present level.
struct Cell {
    rows: Range<usize>,
    sums: Sums,
    histograms: Vec<BlockSums>,
}

/// The best split of a level by the columns of a block.
struct Job {
    block: usize,
    best: Option<Cut>,
}

/// Grows one tree.
pub(super) fn grow(grower: &mut Grower<'_>, slopes: &[Slope]) -> Tree {
    grower.restart();
    let all = 0..grower.binned.rows;
    let mut histograms = grower.histograms();
    grower.gather(all.clone(), slopes);
    grower.fill(&mut histograms, all.clone());
    // Cell c of a level holds the rows whose answers are the bits of c, 1 for right.
    let mut level = vec![Cell { rows: all, sums: total(slopes), histograms }];
    let mut splits: Vec<Split> = Vec::new();
    while splits.len() < grower.settings.depth {
        let mut jobs: Vec<Job> = (0..grower.binned.blocks.len()).map(|block| Job { block, best: None }).collect();
        let (binned, wanted) = (grower.binned, grower.wanted());
        grower.spread(binned.rows, &mut jobs, |_, job| job.best = best(&level, binned, job.block, wanted));
        let found = jobs.iter().filter_map(|job| job.best).fold(None, |best: Option<Cut>, cut| match best {
            Some(best) if best.gain >= cut.gain => Some(best),
            _ => Some(cut),
        });
        let Some(cut) = found else { break };
        splits.push(grower.named(&cut));
        level = divide(grower, level, &cut, slopes, splits.len());
    }
    let leaves = level.iter().map(|cell| Leaf { value: grower.leaf_value(cell.sums), curvature: cell.sums.h.max(0.0) }).collect();
    for cell in level {
        grower.leaves.push((cell.rows, grower.leaf_value(cell.sums)));
        grower.give_back(cell.histograms);
    }
    Tree::Oblivious(splits, leaves)
}

/// The next level: cell c becomes c (left) and c + 2^depth (right).
fn divide(grower: &mut Grower<'_>, level: Vec<Cell>, cut: &Cut, slopes: &[Slope], depth: usize) -> Vec<Cell> {
    let last = depth == grower.settings.depth;
    let mut sides: [Vec<Cell>; 2] = [Vec::with_capacity(level.len()), Vec::with_capacity(level.len())];
    for cell in level {
        let middle = grower.partition(cell.rows.clone(), cut.column, cut.bin, cut.missing_left);
        let rows = [cell.rows.start..middle, middle..cell.rows.end];
        // An empty side has no sums, not what rounding left of them.
        let left = match (rows[0].is_empty(), rows[1].is_empty()) {
            (true, _) => Sums::default(),
            (_, true) => cell.sums,
            _ => side(&cell.histograms, cut),
        };
        let sums = [left, if rows[1].is_empty() { Sums::default() } else { cell.sums.without(left) }];
        let small = usize::from(rows[1].len() < rows[0].len());
        let (mut part, mut rest) = (Vec::new(), cell.histograms);
        if last {
            grower.give_back(std::mem::take(&mut rest));
        } else {
            part = grower.histograms();
            grower.gather(rows[small].clone(), slopes);
            grower.fill(&mut part, rows[small].clone());
            let pairs = &mut rest.iter_mut().zip(&part).collect::<Vec<_>>();
            grower.spread(binned_cells(grower.binned), pairs, |_, (all, part)| super::histogram::subtract(all, part));
        }
        let mut histograms = if small == 0 { [part, rest] } else { [rest, part] }.into_iter();
        for ((cells, rows), sums) in sides.iter_mut().zip(rows).zip(sums) {
            cells.push(Cell { rows, sums, histograms: histograms.next().unwrap_or_default() });
        }
    }
    let [mut left, right] = sides;
    left.extend(right);
    left
}

/// Rows whose sums cost as much as taking one set of histograms from another.
fn binned_cells(binned: &Binned) -> usize {
    256 * binned.width()
}

/// Sums of the left side of a cell.
fn side(histograms: &[BlockSums], cut: &Cut) -> Sums {
    let histogram = &histograms[cut.column / LANES][cut.column % LANES];
    let start = if cut.missing_left { histogram[MISSING as usize] } else { [0.0; 2] };
    let sums = histogram[..=cut.bin as usize].iter().fold(start, |sums, cell| [sums[0] + cell[0], sums[1] + cell[1]]);
    Sums { g: sums[0], h: sums[1] }
}

/// The best split of the whole level by the columns of a block; the first of equals.
fn best(level: &[Cell], binned: &Binned, block: usize, wanted: Wanted) -> Option<Cut> {
    let whole: f64 = level.iter().map(|cell| cell.sums.worth(wanted.ridge)).sum();
    let mut best = None;
    let mut floor = whole + 2.0 * wanted.gain;
    for lane in 0..LANES {
        let column = block * LANES + lane;
        let Some(cuts) = binned.cuts.get(column) else { break };
        let sides: &[bool] = if binned.missing[column] { &[true, false] } else { &[false] };
        for &missing_left in sides {
            let mut worth = [0.0; 256];
            for cell in level.iter().filter(|cell| !cell.rows.is_empty()) {
                let histogram = &cell.histograms[block][lane];
                let start = if missing_left { histogram[MISSING as usize] } else { [0.0; 2] };
                let mut left = Sums { g: start[0], h: start[1] };
                let mut now = left.worth(wanted.ridge) + cell.sums.without(left).worth(wanted.ridge);
                for (worth, sums) in worth[..cuts.len()].iter_mut().zip(histogram) {
                    if sums[1] != 0.0 || sums[0] != 0.0 {
                        left = Sums { g: left.g + sums[0], h: left.h + sums[1] };
                        now = left.worth(wanted.ridge) + cell.sums.without(left).worth(wanted.ridge);
                    }
                    *worth += now;
                }
            }
            for (bin, worth) in worth[..cuts.len()].iter().enumerate() {
                if *worth > floor {
                    floor = *worth;
                    let gain = 0.5 * (worth - whole);
                    best = Some(Cut { gain, column, bin: bin as u8, missing_left, left: Sums::default() });
                }
            }
        }
    }
    best
}
