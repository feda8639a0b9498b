//! The carousel world: who visits, what a page is worth, and what is seen of it.
//!
//! Policies get [`Public`]; the chances stay with [`World`].

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use ears_only::math::sigmoid;
use ears_world::chance::{Draw, Key};
use flate2::read::GzDecoder;

use crate::data::find;
use crate::error::LabError;

/// Slots of a carousel.
pub const SLOTS: usize = 12;
/// Slots visible without scrolling.
pub const INITIAL: usize = 3;

/// Playlists in the order in which they are shown.
pub type Slate = [u16; SLOTS];

/// What a policy may know: features and segments of users, and how many playlists there are. No playlist weight, no chance.
#[derive(Clone, Copy, Debug)]
pub struct Public<'a> {
    /// User features, row by row.
    pub features: &'a [f32],
    /// Length of a row.
    pub dimensions: usize,
    /// Segment of each user.
    pub segment_of: &'a [u8],
    /// Number of segments.
    pub segments: usize,
    /// Number of playlists.
    pub playlists: usize,
}

impl<'a> Public<'a> {
    /// Features of one user.
    #[must_use]
    pub fn user(&self, user: u32) -> &'a [f32] {
        &self.features[user as usize * self.dimensions..][..self.dimensions]
    }

    /// Segment of one user.
    #[must_use]
    pub fn segment(&self, user: u32) -> usize {
        usize::from(self.segment_of[user as usize])
    }
}

/// Users, playlists and the chance of each pair.
#[derive(Clone, Debug)]
pub struct World {
    features: Vec<f32>,
    dimensions: usize,
    segment_of: Vec<u8>,
    segments: usize,
    playlists: usize,
    /// Chance that a user streams a playlist when seen, user by user.
    chances: Vec<f32>,
    /// Value of the best page of each user.
    best: Vec<f64>,
    /// Playlists by falling mean chance.
    by_appeal: Vec<usize>,
}

impl World {
    /// Reads the data set found under `data`.
    ///
    /// # Errors
    /// When a file is missing, cannot be read or holds something else.
    pub fn read(data: &Path) -> Result<Self, LabError> {
        let path = find(data, "users_synth_f16.bin")?;
        let (playlists, weights) = weights(&path.with_file_name("playlist_weights.csv.gz"))?;
        let dimensions = weights.len() / playlists - 1;
        let bytes = bytes(&path)?;
        if bytes.is_empty() || bytes.len() % (2 * dimensions) != 0 {
            return Err(LabError::file(&path, &format!("rows of {dimensions} 16-bit floats"), format!("{} bytes", bytes.len())));
        }
        let features: Vec<f32> = bytes.chunks_exact(2).map(|pair| half(u16::from_le_bytes([pair[0], pair[1]]))).collect();
        let path = path.with_file_name("segments_u8.bin");
        let segment_of = self::bytes(&path)?;
        if segment_of.len() * dimensions != features.len() {
            return Err(LabError::file(&path, &format!("{} segments", features.len() / dimensions), segment_of.len()));
        }
        Self::new(features, dimensions, segment_of, &weights)
    }

    /// A world of these users and playlists.
    ///
    /// - `features`: row by row, `dimensions` a user.
    /// - `weights`: row by row, `dimensions` and a bias a playlist.
    ///
    /// # Errors
    /// When there are fewer playlists than slots, or more than a slate can number.
    pub fn new(features: Vec<f32>, dimensions: usize, segment_of: Vec<u8>, weights: &[f64]) -> Result<Self, LabError> {
        let playlists = weights.len() / (dimensions + 1);
        if playlists < SLOTS || playlists > usize::from(u16::MAX) || segment_of.is_empty() {
            return Err(LabError::unreadable(format!("expected users and {SLOTS} to 65535 playlists, got {playlists}")));
        }
        let segments = segment_of.iter().map(|s| usize::from(*s) + 1).max().unwrap_or(0);
        let mut chances = Vec::with_capacity(segment_of.len() * playlists);
        let mut best = Vec::with_capacity(segment_of.len());
        let columns: Vec<Vec<f64>> =
            (0..=dimensions).map(|column| weights.chunks_exact(dimensions + 1).map(|row| row[column]).collect()).collect();
        let mut top = Vec::new();
        for user in features.chunks_exact(dimensions) {
            // The bias first, then column after column: the sums of all playlists grow side by side.
            let mut scores = columns[dimensions].clone();
            for (x, column) in user.iter().zip(&columns) {
                for (score, weight) in scores.iter_mut().zip(column) {
                    *score += f64::from(*x) * weight;
                }
            }
            let from = chances.len();
            chances.extend(scores.iter().map(|score| sigmoid(*score) as f32));
            top.clear();
            top.extend_from_slice(&chances[from..]);
            top.select_nth_unstable_by(SLOTS - 1, |a, b| b.total_cmp(a));
            top.truncate(SLOTS);
            top.sort_unstable_by(|a: &f32, b| b.total_cmp(a));
            best.push(value(top.iter().copied()));
        }
        let mut world = Self { features, dimensions, segment_of, segments, playlists, chances, best, by_appeal: Vec::new() };
        let appeal = world.appeal();
        world.by_appeal = (0..playlists).collect();
        world.by_appeal.sort_by(|a, b| appeal[*b].total_cmp(&appeal[*a]).then(a.cmp(b)));
        Ok(world)
    }

    /// What a policy may know.
    #[must_use]
    pub fn public(&self) -> Public<'_> {
        Public {
            features: &self.features,
            dimensions: self.dimensions,
            segment_of: &self.segment_of,
            segments: self.segments,
            playlists: self.playlists,
        }
    }

    /// Number of users.
    #[must_use]
    pub fn users(&self) -> usize {
        self.best.len()
    }

    /// Chances of one user: for the judge and for policies that know everything.
    #[must_use]
    pub fn chances(&self, user: u32) -> &[f32] {
        &self.chances[user as usize * self.playlists..][..self.playlists]
    }

    /// Value of the best page of a user.
    #[must_use]
    pub fn best(&self, user: u32) -> f64 {
        self.best[user as usize]
    }

    /// Chance that a user streams something from a page.
    #[must_use]
    pub fn value(&self, user: u32, slate: &Slate) -> f64 {
        let chances = self.chances(user);
        value(slate.iter().map(|playlist| chances[usize::from(*playlist)]))
    }

    /// Playlists by falling mean chance over all users.
    #[must_use]
    pub fn by_appeal(&self) -> &[usize] {
        &self.by_appeal
    }

    /// Sum of the chances of each playlist over all users.
    fn appeal(&self) -> Vec<f64> {
        let mut appeal = vec![0.0; self.playlists];
        for chances in self.chances.chunks_exact(self.playlists) {
            for (sum, chance) in appeal.iter_mut().zip(chances) {
                *sum += f64::from(*chance);
            }
        }
        appeal
    }

    /// The users of one round, drawn with replacement: the same for every policy.
    #[must_use]
    pub fn visitors(&self, seed: u64, round: u32, count: u32) -> Vec<u32> {
        let key = Key::new(seed, Draw::Visit).with(u64::from(round));
        (0..count).map(|visitor| key.with(u64::from(visitor)).below(self.users()) as u32).collect()
    }

    /// Position of the first stream, if any: the visitor looks from left to right and leaves with the first stream.
    ///
    /// The luck belongs to seed, round, visitor and playlist, not to the policy or the position.
    #[must_use]
    pub fn first_stream(&self, luck: Key, user: u32, slate: &Slate) -> Option<usize> {
        let chances = self.chances(user);
        slate.iter().position(|&playlist| luck.with(u64::from(playlist)).unit() < f64::from(chances[usize::from(playlist)]))
    }
}

/// 1 - product of (1 - chance).
fn value(chances: impl Iterator<Item = f32>) -> f64 {
    1.0 - chances.map(|chance| 1.0 - f64::from(chance)).product::<f64>()
}

fn bytes(path: &Path) -> Result<Vec<u8>, LabError> {
    std::fs::read(path).map_err(|error| LabError::file(path, "a readable file", error))
}

/// Number of playlists, and their weights row by row with the bias last.
fn weights(path: &Path) -> Result<(usize, Vec<f64>), LabError> {
    let file = File::open(path).map_err(|error| LabError::file(path, "a readable file", error))?;
    let (mut width, mut rows, mut weights) = (0, 0, Vec::new());
    for (number, line) in BufReader::new(GzDecoder::new(file)).lines().enumerate() {
        let line = line.map_err(|error| LabError::file(path, "gzipped text", error))?;
        if number == 0 {
            width = line.split(',').count();
            continue;
        }
        let before = weights.len();
        for field in line.trim().split(',') {
            weights.push(field.parse().map_err(|_| LabError::file(path, &format!("numbers in line {}", number + 1), field))?);
        }
        if weights.len() - before != width || width < 2 {
            return Err(LabError::file(path, &format!("{width} numbers in line {}", number + 1), weights.len() - before));
        }
        rows += 1;
    }
    if rows == 0 { Err(LabError::file(path, "playlists", "none")) } else { Ok((rows, weights)) }
}

/// A 16-bit float of IEEE 754.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f32::from(bits & 0x3ff);
    match bits >> 10 & 0x1f {
        0 => sign * fraction / 16_777_216.0,
        31 => f32::from_bits(u32::from(bits >> 15) << 31 | 0x7f80_0000 | u32::from(bits & 0x3ff) << 13),
        exponent => {
            f32::from_bits(u32::from(bits >> 15) << 31 | (u32::from(exponent) + 112) << 23 | u32::from(bits & 0x3ff) << 13)
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// 60 users of 3 segments, 30 playlists, 4 features: segment s likes playlists 10 s to 10 s + 9, some more than others.
    pub(in crate::simulate::carousel) fn small() -> World {
        let key = Key::new(5, Draw::Truth);
        let mut features = Vec::new();
        let mut segment_of = Vec::new();
        for user in 0..60u64 {
            let segment = user % 3;
            segment_of.push(segment as u8);
            for column in 0..4 {
                let centre = if column == segment { 2.0 } else { 0.0 };
                features.push((centre + 0.2 * key.with(user).with(column).normal()) as f32);
            }
        }
        let mut weights = Vec::new();
        for playlist in 0..30u64 {
            for column in 0..4 {
                let liked = column == playlist / 10;
                weights.push(if liked { 0.2 * (playlist % 10) as f64 } else { -0.5 });
            }
            weights.push(-3.5);
        }
        World::new(features, 4, segment_of, &weights).unwrap()
    }

    #[test]
    fn sixteen_bit_floats_are_read() {
        for (bits, number) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x3555, 0.333_251_95), (0x7bff, 65_504.0), (0x0001, 5.960_464_5e-8)]
        {
            assert_eq!(half(bits), number);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }

    #[test]
    fn no_page_is_worth_more_than_the_best() {
        let world = small();
        for user in 0..60 {
            let mut order: Vec<u16> = (0..30).collect();
            order.sort_by(|a, b| world.chances(user)[usize::from(*b)].total_cmp(&world.chances(user)[usize::from(*a)]));
            let best: Slate = order[..SLOTS].try_into().unwrap();
            let worst: Slate = order[30 - SLOTS..].try_into().unwrap();
            assert_eq!(world.value(user, &best), world.best(user));
            assert!(world.value(user, &worst) < world.best(user));
        }
    }

    #[test]
    fn streams_come_as_often_as_the_page_is_worth() {
        let world = small();
        let slate: Slate = std::array::from_fn(|slot| slot as u16);
        let key = Key::new(1, Draw::Play);
        let pages = 20_000;
        let streams = (0..pages).filter(|page| world.first_stream(key.with(*page), 0, &slate).is_some()).count() as f64;
        let value = world.value(0, &slate);
        // Five standard errors: a false alarm once in 1.7 million.
        assert!((streams / pages as f64 - value).abs() < 5.0 * (value * (1.0 - value) / pages as f64).sqrt());
    }
}
