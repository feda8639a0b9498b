//! Decision trees, for many rows at once.

use crate::rows::lanes;
use wide::f32x4;

/// Rows that go down a tree side by side, so that one waits while the others go on.
pub const ROWS: usize = 16;

/// A split; or a leaf, whose children are itself and whose threshold has the bits of its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// Where the value lies in a row.
    pub at: u32,
    /// A value below it goes to the first child.
    pub threshold: f32,
    /// Numbers of the nodes below.
    pub children: [u32; 2],
}

/// The leaves in which rows end after `depth` splits.
///
/// A value or a node that does not exist ends all rows at leaf 0.
fn descend(nodes: &[Node], root: u32, depth: u32, rows: &[f32], pitch: usize) -> [u32; ROWS] {
    let mut at = [root; ROWS];
    for _ in 0..depth {
        for (row, at) in at.iter_mut().enumerate() {
            let Some(node) = nodes.get(*at as usize) else { return [0; ROWS] };
            let Some(x) = rows.get(row * pitch + node.at as usize) else { return [0; ROWS] };
            *at = node.children[usize::from(*x >= node.threshold)];
        }
    }
    at.map(|at| nodes.get(at as usize).map_or(0, |node| node.threshold.to_bits()))
}

/// Writes [`ROWS`] rows as columns, a multiple of four of them: the values of one column side by side.
fn turn(rows: &[f32], pitch: usize, columns: &mut [[f32; ROWS]]) {
    let width = columns.len();
    for four in 0..ROWS / 4 {
        let row = |one: usize| rows.get((4 * four + one) * pitch..).and_then(|rows| rows.get(..width)).unwrap_or_default();
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let blocks = a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0).zip(c.as_chunks::<4>().0).zip(d.as_chunks::<4>().0);
        for (columns, (((a, b), c), d)) in columns.chunks_exact_mut(4).zip(blocks) {
            let turned = f32x4::transpose([lanes(a), lanes(b), lanes(c), lanes(d)]);
            for (column, values) in columns.iter_mut().zip(turned) {
                if let Some(place) = column.as_chunks_mut::<4>().0.get_mut(four) {
                    *place = values.to_array();
                }
            }
        }
    }
}

/// Most leaves of a tree whose leaves are bits.
pub const EXITS: usize = 32;

/// One split of a tree whose leaves are bits, the leftmost one the lowest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Where the value lies in a row.
    pub at: u32,
    /// A value below it leaves all leaves as they are.
    pub threshold: f32,
    /// Another value leaves these: all but those below the first child.
    pub keep: u32,
}

/// Bits of each row, four rows side by side; no lane is ever a number.
type Bits = [f32x4; ROWS / 4];

/// The leaves that no split has taken away; the lowest is the one in which a row ends. A column that does not exist leaves leaf 0.
///
/// # References
/// C. Lucchese et al. (2015), "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression trees", SIGIR.
#[inline(always)]
fn left_of(cuts: &[Cut], columns: &[[f32; ROWS]]) -> Bits {
    let all = f32x4::splat(f32::from_bits(u32::MAX));
    let (mut v0, mut v1, mut v2, mut v3) = (all, all, all, all);
    let first = [f32x4::splat(f32::from_bits(1)); ROWS / 4];
    for cut in cuts {
        let Some(column) = columns.get(cut.at as usize) else { return first };
        let ([x0, x1, x2, x3], _) = column.as_chunks::<4>() else { return first };
        let (threshold, keep) = (f32x4::splat(cut.threshold), f32x4::splat(f32::from_bits(cut.keep)));
        v0 &= lanes(x0).simd_lt(threshold) | keep;
        v1 &= lanes(x1).simd_lt(threshold) | keep;
        v2 &= lanes(x2).simd_lt(threshold) | keep;
        v3 &= lanes(x3).simd_lt(threshold) | keep;
    }
    [v0, v1, v2, v3]
}

/// One level of an oblivious tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Where the value lies in a row.
    pub at: u32,
    /// A value below it leaves the level's bit of the leaf at 0; the same four times.
    pub threshold: [f32; 4],
}

/// The leaf of each row: bit k is 1 where the row is not below the threshold of level k. A column that does not exist gives leaf 0.
#[inline(always)]
fn leaves_of(levels: &[Level], columns: &[[f32; ROWS]]) -> Bits {
    let zero = f32x4::splat(0.0);
    let (mut b0, mut b1, mut b2, mut b3) = (zero, zero, zero, zero);
    for (level, bit) in levels.iter().zip(0..) {
        let Some(column) = columns.get(level.at as usize) else { return [zero; ROWS / 4] };
        let ([x0, x1, x2, x3], _) = column.as_chunks::<4>() else { return [zero; ROWS / 4] };
        let (threshold, bit) = (lanes(&level.threshold), f32x4::splat(f32::from_bits(1 << bit)));
        b0 |= lanes(x0).simd_lt(threshold) & bit;
        b1 |= lanes(x1).simd_lt(threshold) & bit;
        b2 |= lanes(x2).simd_lt(threshold) & bit;
        b3 |= lanes(x3).simd_lt(threshold) & bit;
    }
    let all = f32x4::splat(f32::from_bits((1 << levels.len()) - 1));
    [b0 ^ all, b1 ^ all, b2 ^ all, b3 ^ all]
}

/// Adds to each margin the value of the leaf that its row's bits stand for, and writes the leaf's number; four rows at a time, which registers
/// can hold.
#[inline(always)]
fn add(bits: Bits, margins: &mut [f64; ROWS], active: &mut [u32; ROWS], leaf: impl Fn(u32) -> (u32, f64)) {
    let ([m0, m1, m2, m3], [a0, a1, a2, a3]) = (margins.as_chunks_mut::<4>().0, active.as_chunks_mut::<4>().0) else { return };
    let [b0, b1, b2, b3] = bits;
    for (bits, margins, active) in [(b0, m0, a0), (b1, m1, a1), (b2, m2, a2), (b3, m3, a3)] {
        // By name, since a loop would take them through memory.
        let [w, x, y, z] = bits.to_array().map(|bits| leaf(bits.to_bits()));
        *active = [w.0, x.0, y.0, z.0];
        let [a, b, c, d] = *margins;
        *margins = [a + w.1, b + x.1, c + y.1, d + z.1];
    }
}

/// One tree of a [`Forest`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tree {
    /// Splits and leaves among the nodes.
    General {
        /// Number of its first node.
        root: u32,
        /// Splits on the longest way down.
        depth: u32,
    },
    /// Splits in any order, and at most 32 leaves.
    Cut {
        /// First split, and the one behind the last.
        cuts: [u32; 2],
        /// Where the number of its leftmost leaf stands.
        exit: u32,
    },
    /// One split for each level, at most 31 of them.
    Oblivious {
        /// First level, and the one behind the last.
        levels: [u32; 2],
        /// First leaf.
        leaf: u32,
    },
}

/// Trees ready to be run on many rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forest {
    /// In the order in which their leaves are added.
    pub trees: Vec<Tree>,
    /// Of the general trees.
    pub nodes: Vec<Node>,
    /// Of the trees whose leaves are bits.
    pub cuts: Vec<Cut>,
    /// Numbers of their leaves, tree by tree, each from left to right; then [`EXITS`] more, which nobody reads.
    pub exits: Vec<u32>,
    /// Of the oblivious trees.
    pub levels: Vec<Level>,
}

impl Forest {
    /// Adds the active leaf of each tree to the margins, tree by tree, and writes which ones they are.
    ///
    /// # Shapes and ranges
    /// - `rows`: [`ROWS`] rows of `stride` values that are no NaN, from one to the next `pitch`.
    /// - `leaves`: by number; one that does not exist counts as 0.
    /// - `active`: as many entries as there are trees.
    #[inline(never)]
    pub fn run(
        &self,
        rows: &[f32],
        [pitch, stride]: [usize; 2],
        leaves: &[f64],
        margins: &mut [f64; ROWS],
        active: &mut [[u32; ROWS]],
    ) {
        let mut columns = Vec::new();
        if !self.levels.is_empty() || !self.cuts.is_empty() {
            columns.resize(stride, [0.0; ROWS]);
            turn(rows, pitch, &mut columns);
        }
        let value = |leaf: u32| leaves.get(leaf as usize).copied().unwrap_or_default();
        for (tree, active) in self.trees.iter().zip(active) {
            match *tree {
                Tree::General { root, depth } => {
                    *active = descend(&self.nodes, root, depth, rows, pitch);
                    for (margin, leaf) in margins.iter_mut().zip(active) {
                        *margin += value(*leaf);
                    }
                }
                Tree::Cut { cuts: [first, end], exit } => {
                    let cuts = self.cuts.get(first as usize..end as usize).unwrap_or_default();
                    let exits =
                        self.exits.get(exit as usize..).and_then(|exits| exits.first_chunk::<EXITS>()).unwrap_or(&[0; EXITS]);
                    add(left_of(cuts, &columns), margins, active, |left| {
                        let leaf = exits[left.trailing_zeros() as usize % EXITS];
                        (leaf, value(leaf))
                    });
                }
                Tree::Oblivious { levels: [first, end], leaf } => {
                    let levels = self.levels.get(first as usize..end as usize).unwrap_or_default();
                    let bits = leaves_of(levels, &columns);
                    let own = leaves.get(leaf as usize..).unwrap_or_default();
                    add(bits, margins, active, |bits| (leaf + bits, own.get(bits as usize).copied().unwrap_or_default()));
                }
            }
        }
    }
}

/// Adds the value of each active leaf to its row's sum, tree by tree.
#[inline(never)]
pub fn add_active(active: &[[u32; ROWS]], values: &[f64], sums: &mut [f64; ROWS]) {
    for active in active {
        for (sum, leaf) in sums.iter_mut().zip(active) {
            *sum += values.get(*leaf as usize).copied().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::tests::numbers;

    fn words(bits: Bits) -> [u32; ROWS] {
        let words: Vec<u32> = bits.iter().flat_map(|four| four.to_array()).map(f32::to_bits).collect();
        words.try_into().unwrap()
    }

    #[test]
    fn rows_go_down_as_one_by_one() {
        let stride = 8;
        let rows = numbers(ROWS * stride, 1);
        // A root, one split below it, and three leaves.
        let leaf = |number: u32| Node { at: 0, threshold: f32::from_bits(number), children: [number; 2] };
        let nodes = [
            Node { at: 3, threshold: 0.1, children: [1, 4] },
            Node { at: 5, threshold: -0.2, children: [2, 3] },
            leaf(2),
            leaf(3),
            leaf(4),
        ];
        for (row, got) in rows.chunks_exact(stride).zip(descend(&nodes, 0, 2, &rows, stride)) {
            let want = if row[3] >= 0.1 {
                4
            } else if row[5] < -0.2 {
                2
            } else {
                3
            };
            assert_eq!(got, want);
        }
        assert_eq!(descend(&nodes, 9, 1, &rows, stride), [0; ROWS]);
        assert_eq!(descend(&nodes, 0, 1, &rows[..4], stride), [0; ROWS]);
    }

    #[test]
    fn oblivious_levels_are_bits_of_the_leaf() {
        let stride = 8;
        let mut rows = numbers(ROWS * stride, 2);
        rows[2] = 0.3;
        let mut columns = [[0.0; ROWS]; 8];
        turn(&rows, stride, &mut columns);
        let levels = [(2, 0.3), (0, -0.5), (7, f32::INFINITY), (2, -0.1)]
            .map(|(column, threshold)| Level { at: column, threshold: [threshold; 4] });
        for (row, got) in rows.chunks_exact(stride).zip(words(leaves_of(&levels, &columns))) {
            let want: u32 = levels
                .iter()
                .enumerate()
                .map(|(bit, level)| u32::from(row[level.at as usize] >= level.threshold[0]) << bit)
                .sum();
            assert_eq!(got, want);
        }
        assert_eq!(words(leaves_of(&[], &columns)), [0; ROWS]);
        assert_eq!(words(leaves_of(&[Level { at: 8, ..levels[0] }], &columns)), [0; ROWS]);
    }

    #[test]
    fn the_lowest_leaf_that_is_left_is_where_a_row_ends() {
        let stride = 8;
        let rows = numbers(ROWS * stride, 3);
        let mut columns = [[0.0; ROWS]; 8];
        turn(&rows, stride, &mut columns);
        // A root, one split below each side; leaves 0 to 3 from left to right.
        let cuts = [(3, 0.1, !0b0011), (5, -0.2, !0b0001), (0, 0.3, !0b0100)].map(|(column, threshold, keep)| Cut {
            at: column,
            threshold,
            keep,
        });
        let exits_of = |cuts: &[Cut]| words(left_of(cuts, &columns)).map(u32::trailing_zeros);
        for (row, got) in rows.chunks_exact(stride).zip(exits_of(&cuts)) {
            let want = match (row[3] >= 0.1, row[5] >= -0.2, row[0] >= 0.3) {
                (false, right, _) => u32::from(right),
                (true, _, right) => 2 + u32::from(right),
            };
            assert_eq!(got, want);
        }
        assert_eq!(exits_of(&[]), [0; ROWS]);
        assert_eq!(exits_of(&[Cut { at: 8, ..cuts[0] }]), [0; ROWS]);
    }

    #[test]
    fn leaves_are_added_in_the_order_of_the_trees() {
        let stride = 4;
        let rows = numbers(ROWS * stride, 5);
        let leaf = |number: u32| Node { at: 0, threshold: f32::from_bits(number), children: [number + 1; 2] };
        let forest = Forest {
            trees: vec![
                Tree::Oblivious { levels: [0, 1], leaf: 2 },
                Tree::General { root: 0, depth: 1 },
                Tree::Cut { cuts: [0, 1], exit: 1 },
            ],
            cuts: vec![Cut { at: 3, threshold: 0.2, keep: !1 }],
            exits: [vec![9, 3, 1], vec![0; EXITS]].concat(),
            nodes: vec![Node { at: 1, threshold: 0.0, children: [1, 2] }, leaf(0), leaf(1)],
            levels: vec![Level { at: 2, threshold: [0.5; 4] }],
        };
        let leaves = [0.1, 0.7, -0.3, 1e-9];
        let (mut margins, mut active) = ([0.25; ROWS], [[0; ROWS]; 3]);
        forest.run(&rows, [stride; 2], &leaves, &mut margins, &mut active);
        let mut sums = [0.25; ROWS];
        add_active(&active, &leaves, &mut sums);
        assert_eq!(sums, margins);
        for (at, (row, margin)) in rows.chunks_exact(stride).zip(margins).enumerate() {
            let want = [2 + u32::from(row[2] >= 0.5), u32::from(row[1] >= 0.0), if row[3] >= 0.2 { 1 } else { 3 }];
            assert_eq!(active.map(|leaves| leaves[at]), want);
            assert_eq!(margin, want.iter().fold(0.25, |sum, leaf| sum + leaves[*leaf as usize]));
        }
    }
}
