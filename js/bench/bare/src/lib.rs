//! The least that a page could cost: features in, one dot product for each card, the full order, one draw and the propensity of every card.
//! It checks nothing, keeps nothing and learns nothing, so that no ranker of such pages is faster by much. Beside it what the machine does
//! at most: products with an addition out of registers, and a call that only counts.
//!
//! As a module it imports nothing. The script writes features and weights where [`features`] and [`weights`] point, calls [`page`], and reads
//! the answer where [`order`] and [`propensities`] point.
#![allow(unsafe_code, reason = "exported names")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use wide::{f32x4, f64x2};

/// Rows scored at once, each in a register of its own: they hide the latency of the additions.
const ROWS: usize = 8;
const DIGITS: usize = 3;
const VALUES: usize = 2048;
/// Features begin in the middle of so many bytes. Some processors copy twenty times slower where the target lies less than 32 bytes behind the
/// source modulo that number, and what a script allocates for a whole page usually begins there.
const ALIAS: usize = 4096;
/// Sums at once in [`products`]: with the two factors they fill the registers of 128 bits that a processor has.
pub const SUMS: u32 = 12;
/// Sums of 32 bits in a register.
pub const LANES: u32 = 4;
/// Sums of 64 bits in a register.
pub const WIDE_LANES: u32 = 2;

struct Page {
    cards: usize,
    width: usize,
    /// From `start` on.
    features: Vec<f32>,
    start: usize,
    weights: Vec<f32>,
    keys: Vec<u64>,
    sorted: Vec<u64>,
    order: Vec<u32>,
    propensities: Vec<f64>,
}

static PAGE: Mutex<Page> = Mutex::new(Page {
    cards: 0,
    width: 0,
    features: Vec::new(),
    start: 0,
    weights: Vec::new(),
    keys: Vec::new(),
    sorted: Vec::new(),
    order: Vec::new(),
    propensities: Vec::new(),
});

/// How often [`call`] was called.
static CALLS: AtomicU32 = AtomicU32::new(0);

fn held() -> MutexGuard<'static, Page> {
    PAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes room for a page of `cards` cards, a multiple of eight, with `width` features each, a multiple of four.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn room(cards: u32, width: u32) {
    let mut page = held();
    let (cards, width) = (cards.next_multiple_of(ROWS as u32) as usize, width.next_multiple_of(4) as usize);
    let features = vec![0.0f32; cards * width + ALIAS / 4];
    let start = (features.as_ptr().align_offset(ALIAS) + ALIAS / 8) % (ALIAS / 4);
    *page = Page {
        cards,
        width,
        features,
        start,
        weights: vec![0.0; width],
        keys: vec![0; cards],
        sorted: vec![0; cards],
        order: vec![0; cards],
        propensities: vec![0.0; cards],
    };
}

/// Where the features are, row by row.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn features() -> *const f32 {
    let page = held();
    page.features.get(page.start..).unwrap_or_default().as_ptr()
}

/// Where the weights are.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn weights() -> *const f32 {
    held().weights.as_ptr()
}

/// Where the order is: numbers of cards.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn order() -> *const u32 {
    held().order.as_ptr()
}

/// Where the propensities are: of each card, to stand first.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn propensities() -> *const f64 {
    held().propensities.as_ptr()
}

/// Ranks the page: any card with chance `epsilon`, else the best one, then the others by falling score. `uniform`, from 0 up to 1, draws.
/// Returns the card that stands first.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn page(epsilon: f64, uniform: f64) -> u32 {
    let page = &mut *held();
    page.score();
    page.sort();
    page.choose(epsilon, uniform)
}

impl Page {
    /// One key for each card: its score so that falling scores are rising numbers, and the card itself below.
    fn score(&mut self) {
        if self.width == 0 {
            return;
        }
        let weights = self.weights.as_chunks::<4>().0;
        let zero = f32x4::splat(0.0);
        let rows = self.features.get(self.start..).unwrap_or_default().chunks_exact(ROWS * self.width);
        for (block, (rows, keys)) in rows.zip(self.keys.as_chunks_mut::<ROWS>().0).enumerate() {
            let mut rest = rows;
            let rows: [&[[f32; 4]]; ROWS] = std::array::from_fn(|_| {
                let (row, others) = rest.split_at(self.width);
                rest = others;
                &row.as_chunks::<4>().0[..weights.len()]
            });
            let mut sums = [zero; ROWS];
            for (at, weight) in weights.iter().enumerate() {
                let weight = f32x4::new(*weight);
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum += f32x4::new(row[at]) * weight;
                }
            }
            let [a, b, c, d, e, f, g, h] = sums;
            for (half, sums) in [[a, b, c, d], [e, f, g, h]].into_iter().enumerate() {
                let [s0, s1, s2, s3] = f32x4::transpose(sums);
                for (at, score) in ((s0 + s1) + (s2 + s3)).to_array().into_iter().enumerate() {
                    let bits = score.to_bits();
                    let rising = bits ^ (((bits as i32 >> 31) as u32) | 1 << 31);
                    let place = 4 * half + at;
                    keys[place] = u64::from(!rising) << 32 | (block * ROWS + place) as u64;
                }
            }
        }
    }

    /// The keys in rising order, digit by digit.
    fn sort(&mut self) {
        let mut starts = [[0u32; VALUES]; DIGITS];
        let digit = |key: u64, at: usize| (key >> (32 + 11 * at)) as usize % VALUES;
        for key in &self.keys {
            for (at, starts) in starts.iter_mut().enumerate() {
                starts[digit(*key, at)] += 1;
            }
        }
        for (at, starts) in starts.iter_mut().enumerate() {
            let mut next = 0;
            for start in starts.iter_mut() {
                next += std::mem::replace(start, next);
            }
            for key in &self.keys {
                let start = &mut starts[digit(*key, at)];
                if let Some(place) = self.sorted.get_mut(*start as usize) {
                    *place = *key;
                }
                *start += 1;
            }
            std::mem::swap(&mut self.keys, &mut self.sorted);
        }
        for (card, key) in self.order.iter_mut().zip(&self.keys) {
            *card = *key as u32;
        }
    }

    fn choose(&mut self, epsilon: f64, uniform: f64) -> u32 {
        self.propensities.fill(epsilon / self.cards as f64);
        if let Some(best) = self.order.first().and_then(|best| self.propensities.get_mut(*best as usize)) {
            *best += 1.0 - epsilon;
        }
        // Below `epsilon` the same draw says which card, each alike.
        let drawn = if uniform < epsilon { (uniform / epsilon * self.cards as f64) as usize } else { 0 };
        if let Some(first) = self.order.get_mut(..=drawn) {
            first.rotate_right(1);
        }
        self.order.first().copied().unwrap_or_default()
    }
}

/// A call that does next to nothing: it adds to a number in memory, since an engine makes no call at all of what only computes.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn call() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed)
}

/// `rounds` times [`SUMS`] times [`LANES`] products with an addition, in 32 bits, none of which leaves the registers. As two instructions: what
/// is fused rounds otherwise, and the core has none of it.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn products(rounds: u32, factor: f32) -> f32 {
    let (factor, more) = (f32x4::splat(factor), f32x4::splat(1.0 - factor));
    let mut sums: [f32x4; SUMS as usize] = std::array::from_fn(|at| f32x4::splat(at as f32));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = *sum * factor + more;
        }
    }
    sums.into_iter().fold(f32x4::splat(0.0), |all, sum| all + sum).reduce_add()
}

/// The same in 64 bits, [`WIDE_LANES`] at once.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn wide_products(rounds: u32, factor: f64) -> f64 {
    let (factor, more) = (f64x2::splat(factor), f64x2::splat(1.0 - factor));
    let mut sums: [f64x2; SUMS as usize] = std::array::from_fn(|at| f64x2::splat(at as f64));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = *sum * factor + more;
        }
    }
    sums.into_iter().fold(f64x2::splat(0.0), |all, sum| all + sum).reduce_add()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_scored_ordered_and_drawn() {
        let (cards, width) = (40, 8);
        room(cards, width);
        let mut held = held();
        let page = &mut *held;
        page.weights.copy_from_slice(&[1.0, -2.0, 0.5, 0.0, 3.0, -1.0, 0.25, 2.0]);
        assert_eq!(page.features[page.start..].as_ptr() as usize % ALIAS, ALIAS / 2);
        for (at, value) in page.features[page.start..].iter_mut().enumerate() {
            // Few values, so that scores repeat.
            *value = (at * 7_919 % 5) as f32 - 2.0;
        }
        let score = |card: usize| -> f32 {
            page.features[page.start + card * 8..][..8].iter().zip(&page.weights).map(|(value, weight)| value * weight).sum()
        };
        let mut want: Vec<usize> = (0..40).collect();
        want.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(a.cmp(b)));
        let want: Vec<u32> = want.into_iter().map(|card| card as u32).collect();
        page.score();
        page.sort();
        assert_eq!(page.order, want);
        assert_eq!(page.choose(0.2, 0.9), want[0]);
        assert!((page.propensities[want[0] as usize] - 0.805).abs() < 1e-12);
        assert!((page.propensities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        // The middle of what is left to chance draws the middle card, which the others follow in their order.
        assert_eq!(page.choose(0.2, 0.1), want[20]);
        let mut moved = want.clone();
        moved[..=20].rotate_right(1);
        assert_eq!(page.order, moved);
    }

    #[test]
    fn products_are_computed() {
        // Every sum goes to 1.
        assert!((products(200, 0.5) - (SUMS * LANES) as f32).abs() < 1e-3);
        assert!((wide_products(200, 0.5) - f64::from(SUMS * WIDE_LANES)).abs() < 1e-9);
        assert_ne!(products(1, 0.5), products(2, 0.5));
    }
}
