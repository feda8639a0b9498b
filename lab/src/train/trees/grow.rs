//! Grows one general tree after the other over the same binned rows.

use std::collections::VecDeque;
use std::ops::Range;

use super::super::parallel::Threads;
use super::bins::{Binned, LANES, MISSING};
use super::histogram::{BlockSums, Cut, Sums, Wanted, best, empty, fill, subtract};
use super::{Leaf, Node, Settings, Shape, Slope, Split, Tree};

/// Additions to histograms below which one thread is faster than several.
const SMALL: usize = 32_768;
/// Gains below this are rounding.
const ROUNDING: f64 = 1e-10;

/// What stays from tree to tree.
pub struct Grower<'a> {
    pub(super) binned: &'a Binned,
    pub(super) settings: &'a Settings,
    pub(super) threads: &'a Threads,
    /// Rows, those of a node side by side in rising order.
    pub(super) rows: Vec<u32>,
    scratch: Vec<u32>,
    gathered: Vec<Slope>,
    spare: Vec<Vec<BlockSums>>,
    /// Rows and value of each leaf of the last tree.
    pub(super) leaves: Vec<(Range<usize>, f64)>,
}

/// A node that may still be split.
struct Open {
    number: usize,
    rows: Range<usize>,
    depth: usize,
    sums: Sums,
    histograms: Vec<BlockSums>,
    cut: Option<Cut>,
}

/// The work of one block of columns on a split: `all` becomes the larger side.
struct Job<'b> {
    block: usize,
    all: &'b mut BlockSums,
    part: &'b mut BlockSums,
    of_part: Option<Cut>,
    of_rest: Option<Cut>,
}

impl<'a> Grower<'a> {
    /// Over these rows.
    #[must_use]
    pub fn new(binned: &'a Binned, settings: &'a Settings, threads: &'a Threads) -> Self {
        Self {
            binned,
            settings,
            threads,
            rows: Vec::new(),
            scratch: Vec::new(),
            gathered: Vec::new(),
            spare: Vec::new(),
            leaves: Vec::new(),
        }
    }

    pub(super) fn wanted(&self) -> Wanted {
        let Settings { ridge, least_gain, least_curvature, .. } = *self.settings;
        Wanted { ridge, gain: least_gain.max(ROUNDING), curvature: least_curvature }
    }

    pub(super) fn histograms(&mut self) -> Vec<BlockSums> {
        self.spare.pop().unwrap_or_else(|| (0..self.binned.blocks.len()).map(|_| empty()).collect())
    }

    pub(super) fn give_back(&mut self, histograms: Vec<BlockSums>) {
        if !histograms.is_empty() {
            self.spare.push(histograms);
        }
    }

    /// All rows in order.
    pub(super) fn restart(&mut self) {
        self.rows.clear();
        self.rows.extend(0..self.binned.rows as u32);
        self.leaves.clear();
    }

    /// Runs `work` on each item, on one thread when there are few rows.
    pub(super) fn spread<T: Send>(&self, rows: usize, items: &mut [T], work: impl Fn(usize, &mut T) + Sync + Send) {
        if rows * self.binned.width() < SMALL {
            items.iter_mut().enumerate().for_each(|(index, item)| work(index, item));
        } else {
            self.threads.each(items, work);
        }
    }

    /// Slopes of the rows of a node, in their order.
    pub(super) fn gather(&mut self, rows: Range<usize>, slopes: &[Slope]) {
        self.gathered.clear();
        self.gathered.extend(self.rows[rows].iter().map(|&row| slopes[row as usize]));
    }

    /// Histograms of the rows gathered last.
    pub(super) fn fill(&self, histograms: &mut [BlockSums], rows: Range<usize>) {
        let count = rows.len();
        self.spread(count, histograms, |block, sums| {
            fill(sums, &self.binned.blocks[block], &self.rows[rows.clone()], &self.gathered)
        });
    }

    /// Grows one tree.
    pub fn grow(&mut self, slopes: &[Slope]) -> Tree {
        self.restart();
        let all = 0..self.binned.rows;
        let sums = total(slopes);
        let mut histograms = self.histograms();
        self.gather(all.clone(), slopes);
        self.fill(&mut histograms, all.clone());
        let cut = self.best_of(&histograms, sums);
        let mut nodes = vec![self.leaf(sums)];
        let mut open = VecDeque::from([Open { number: 0, rows: all, depth: 0, sums, histograms, cut }]);
        let mut leaves = 1;
        while let Some(node) = self.next(&mut open, leaves) {
            let Some(cut) = node.cut else {
                self.close(node);
                continue;
            };
            leaves += 1;
            for child in self.split(node, cut, &mut nodes, slopes) {
                open.push_back(child);
            }
        }
        for node in open {
            self.close(node);
        }
        Tree::General(nodes)
    }

    /// The node to split next.
    fn next(&self, open: &mut VecDeque<Open>, leaves: usize) -> Option<Open> {
        if self.settings.shape == Shape::Levels {
            return open.pop_front();
        }
        if leaves >= self.settings.leaves {
            return None;
        }
        let gain = |node: &Open| node.cut.map_or(f64::NEG_INFINITY, |cut| cut.gain);
        // The first of equals: `max_by` would take the last.
        let most = (0..open.len()).rev().max_by(|a, b| gain(&open[*a]).total_cmp(&gain(&open[*b])))?;
        open.remove(most)
    }

    fn close(&mut self, node: Open) {
        self.leaves.push((node.rows, self.leaf_value(node.sums)));
        self.give_back(node.histograms);
    }

    pub(super) fn leaf_value(&self, sums: Sums) -> f64 {
        let curvature = sums.h + self.settings.ridge;
        if curvature > 0.0 { -sums.g / curvature * self.settings.rate } else { 0.0 }
    }

    fn leaf(&self, sums: Sums) -> Node {
        Node::Leaf(Leaf { value: self.leaf_value(sums), curvature: sums.h.max(0.0) })
    }

    fn best_of(&self, histograms: &[BlockSums], sums: Sums) -> Option<Cut> {
        first_best((0..histograms.len()).map(|block| best(&histograms[block], self.binned, block, sums, self.wanted())))
    }

    /// Divides the rows of a node; gives the end of the left part.
    pub(super) fn partition(&mut self, rows: Range<usize>, column: usize, bin: u8, missing_left: bool) -> usize {
        let block = &self.binned.blocks[column / LANES];
        let lane = column % LANES;
        self.scratch.clear();
        let mut left = rows.start;
        for at in rows.clone() {
            let row = self.rows[at];
            let found = block[row as usize][lane];
            if if found == MISSING { missing_left } else { found <= bin } {
                self.rows[left] = row;
                left += 1;
            } else {
                self.scratch.push(row);
            }
        }
        self.rows[left..rows.end].copy_from_slice(&self.scratch);
        left
    }

    /// Splits a node in two; their histograms are made only when they may be split again.
    fn split(&mut self, node: Open, cut: Cut, nodes: &mut Vec<Node>, slopes: &[Slope]) -> [Open; 2] {
        let middle = self.partition(node.rows.clone(), cut.column, cut.bin, cut.missing_left);
        let numbers = [nodes.len(), nodes.len() + 1];
        let split = self.named(&cut);
        nodes[node.number] = Node::Split(split, numbers[0] as u32, numbers[1] as u32);
        let sums = [cut.left, node.sums.without(cut.left)];
        nodes.extend(sums.map(|sums| self.leaf(sums)));
        let rows = [node.rows.start..middle, middle..node.rows.end];
        let depth = node.depth + 1;
        let child = |side: usize, histograms, cut| Open {
            number: numbers[side],
            rows: rows[side].clone(),
            depth,
            sums: sums[side],
            histograms,
            cut,
        };
        if depth >= self.settings.depth {
            self.give_back(node.histograms);
            return [child(0, Vec::new(), None), child(1, Vec::new(), None)];
        }
        // Sum over the smaller side; the larger one is what is left.
        let small = usize::from(rows[1].len() < rows[0].len());
        let large = 1 - small;
        let mut part = self.histograms();
        let mut rest = node.histograms;
        self.gather(rows[small].clone(), slopes);
        let mut jobs: Vec<Job<'_>> = rest
            .iter_mut()
            .zip(&mut part)
            .enumerate()
            .map(|(block, (all, part))| Job { block, all, part, of_part: None, of_rest: None })
            .collect();
        let (binned, wanted) = (self.binned, self.wanted());
        self.spread(rows[small].len(), &mut jobs, |_, job| {
            fill(job.part, &binned.blocks[job.block], &self.rows[rows[small].clone()], &self.gathered);
            subtract(job.all, job.part);
            job.of_part = best(job.part, binned, job.block, sums[small], wanted);
            job.of_rest = best(job.all, binned, job.block, sums[large], wanted);
        });
        let cuts = [first_best(jobs.iter().map(|job| job.of_part)), first_best(jobs.iter().map(|job| job.of_rest))];
        let (of_part, of_rest) = (child(small, part, cuts[0]), child(large, rest, cuts[1]));
        if small == 0 { [of_part, of_rest] } else { [of_rest, of_part] }
    }

    pub(super) fn named(&self, cut: &Cut) -> Split {
        Split { column: cut.column as u16, below: self.binned.cuts[cut.column][cut.bin as usize], missing_left: cut.missing_left }
    }

    /// Adds the last tree to the margins of the rows.
    pub fn add_to(&self, margins: &mut [f64]) {
        for (rows, value) in &self.leaves {
            for &row in &self.rows[rows.clone()] {
                margins[row as usize] += value;
            }
        }
    }
}

/// Sums of all rows, in their order.
pub(super) fn total(slopes: &[Slope]) -> Sums {
    slopes.iter().fold(Sums::default(), |sums, (g, h)| Sums { g: sums.g + f64::from(*g), h: sums.h + f64::from(*h) })
}

/// The largest gain, the first of equals.
fn first_best(cuts: impl Iterator<Item = Option<Cut>>) -> Option<Cut> {
    cuts.flatten().fold(None, |best: Option<Cut>, cut| match best {
        Some(best) if best.gain >= cut.gain => Some(best),
        _ => Some(cut),
    })
}
