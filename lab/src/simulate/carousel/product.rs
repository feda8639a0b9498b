//! Scores of one user for all playlists at once.

/// Playlists side by side in one tile.
const TILE: usize = 32;

/// Weights of all playlists, column by column within tiles of playlists.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    count: usize,
    width: usize,
    tiles: Vec<[f32; TILE]>,
}

impl Weights {
    /// `count` rows of `width` weights; `weight(row, column)`.
    pub(super) fn new(count: usize, width: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let tiles = (0..count.div_ceil(TILE))
            .flat_map(|tile| (0..width).map(move |column| (tile, column)))
            .map(|(tile, column)| {
                std::array::from_fn(|lane| {
                    let row = tile * TILE + lane;
                    if row < count { weight(row, column) } else { 0.0 }
                })
            })
            .collect();
        Self { count, width, tiles }
    }

    /// Dot products of `row` with every row of weights, each summed in order of columns.
    pub(super) fn scores(&self, row: &[f32], scores: &mut [f32]) {
        debug_assert_eq!((row.len(), scores.len()), (self.width, self.count));
        for (tile, scores) in self.tiles.chunks_exact(self.width).zip(scores.chunks_mut(TILE)) {
            let mut sums = [0.0f32; TILE];
            for (x, weights) in row.iter().zip(tile) {
                for lane in 0..TILE {
                    sums[lane] += x * weights[lane];
                }
            }
            scores.copy_from_slice(&sums[..scores.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_dot_products() {
        let weights = Weights::new(70, 3, |row, column| (row * 3 + column) as f32);
        let mut scores = vec![0.0; 70];
        weights.scores(&[1.0, -2.0, 0.5], &mut scores);
        for (row, score) in scores.iter().enumerate() {
            let first = 3.0 * row as f32;
            assert_eq!(*score, first - 2.0 * (first + 1.0) + 0.5 * (first + 2.0));
        }
    }
}
