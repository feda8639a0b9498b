//! Unit vectors, the nearest of them, and clusters by direction.

use ears_world::chance::Key;

/// Rounds of k-means.
const ROUNDS: usize = 25;

/// Points of a space, scaled to length 1 (or 0).
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    values: Vec<f32>,
    dimensions: usize,
}

impl Space {
    /// Points after each other, each of `dimensions` values.
    #[must_use]
    pub fn new(values: Vec<f32>, dimensions: usize) -> Self {
        let mut space = Self { values, dimensions };
        space.values.chunks_exact_mut(dimensions).for_each(normalise);
        space
    }

    /// Adds a point.
    pub fn push(&mut self, point: &[f32]) {
        self.values.extend_from_slice(point);
        let start = self.values.len() - self.dimensions;
        normalise(&mut self.values[start..]);
    }

    /// A point.
    #[must_use]
    pub fn at(&self, point: u32) -> &[f32] {
        &self.values[point as usize * self.dimensions..][..self.dimensions]
    }

    /// The direction of the sum of some points.
    #[must_use]
    pub fn middle(&self, points: &[u32]) -> Vec<f32> {
        let mut sum = vec![0.0; self.dimensions];
        for point in points {
            for (s, v) in sum.iter_mut().zip(self.at(*point)) {
                *s += v;
            }
        }
        normalise(&mut sum);
        sum
    }

    /// Up to `count` of the `pool` nearest to `from` by cosine, nearest first; ties by number.
    #[must_use]
    pub fn nearest(&self, from: &[f32], pool: &[u32], count: usize, skip: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut all: Vec<(f32, u32)> =
            pool.iter().copied().filter(|point| !skip(*point)).map(|point| (dot(from, self.at(point)), point)).collect();
        let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if count < all.len() {
            all.select_nth_unstable_by(count, order);
            all.truncate(count);
        }
        all.sort_by(order);
        all.into_iter().map(|(_, point)| point).collect()
    }
}

/// Cluster of each of `points`, below `count`: spherical k-means with a spread-out start.
///
/// # References
/// I. S. Dhillon, D. S. Modha (2001), "Concept decompositions for large sparse text data using clustering", Machine Learning 42;
/// the start is that of D. Arthur, S. Vassilvitskii (2007), "k-means++", SODA, with 1 - cosine as squared distance.
#[must_use]
pub fn of(space: &Space, points: &[u32], count: usize, key: Key) -> Vec<u32> {
    let mut cluster = vec![0; points.len()];
    if points.is_empty() {
        return cluster;
    }
    let mut centres: Vec<Vec<f32>> = vec![space.at(points[key.below(points.len())]).to_vec()];
    let mut far: Vec<f64> = vec![f64::INFINITY; points.len()];
    while centres.len() < count {
        let last = &centres[centres.len() - 1];
        for (far, point) in far.iter_mut().zip(points) {
            *far = far.min((1.0 - f64::from(dot(last, space.at(*point)))).max(0.0));
        }
        let mut left = key.with(centres.len() as u64).unit() * far.iter().sum::<f64>();
        let pick = far.iter().position(|far| {
            left -= far;
            left < 0.0
        });
        centres.push(space.at(points[pick.unwrap_or(0)]).to_vec());
    }
    for _ in 0..ROUNDS {
        let mut sums = vec![vec![0.0f32; space.dimensions]; count];
        for (cluster, point) in cluster.iter_mut().zip(points) {
            let at = space.at(*point);
            let mut best = (f32::NEG_INFINITY, 0);
            for (number, centre) in (0u32..).zip(&centres) {
                let close = dot(centre, at);
                if close > best.0 {
                    best = (close, number);
                }
            }
            *cluster = best.1;
            for (s, v) in sums[best.1 as usize].iter_mut().zip(at) {
                *s += v;
            }
        }
        for (centre, mut sum) in centres.iter_mut().zip(sums) {
            // A cluster that lost all its points keeps its place.
            if sum.iter().any(|v| *v != 0.0) {
                normalise(&mut sum);
                *centre = sum;
            }
        }
    }
    cluster
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn normalise(point: &mut [f32]) {
    let length = point.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        point.iter_mut().for_each(|v| *v /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ears_world::chance::Draw;

    #[test]
    fn three_bundles_of_directions_become_three_clusters() {
        let values: Vec<f32> = (0..30)
            .flat_map(|i| (0..3).map(move |d| if d == i % 3 { 5.0 } else { ((i * 37 + d * 11) % 19) as f32 / 10.0 - 0.9 }))
            .collect();
        let space = Space::new(values, 3);
        let points: Vec<u32> = (0..30).collect();
        let found = of(&space, &points, 3, Key::new(1, Draw::Catalogue));
        assert!((0..30).all(|i| (0..30).all(|j| (found[i] == found[j]) == (i % 3 == j % 3))), "{found:?}");
        let near = space.nearest(space.at(4), &points, 9, |p| p == 4);
        assert!(near.iter().all(|p| p % 3 == 1) && near.len() == 9);
    }
}
