//! Work in fixed pieces whose results are put together in their order: the same bits whatever the number of threads.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::LabError;

/// Rows of one piece. A sum over rows is a sum over pieces, each summed in row order.
pub const PIECE: usize = 2_048;
/// Pieces made before they are put together; bounds the memory.
const WAVE: usize = 64;

/// A fixed number of threads.
#[derive(Debug)]
pub struct Threads(ThreadPool);

impl Threads {
    /// `count` threads, at least one.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(count: usize) -> Result<Self, LabError> {
        let pool = ThreadPoolBuilder::new().num_threads(count.max(1)).build();
        pool.map(Self).map_err(|error| LabError::failed(format!("expected {count} threads, found {error}")))
    }

    /// Number of threads.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.current_num_threads()
    }

    /// Makes one value for each piece of `rows` rows and hands them to `fold` in the order of the pieces.
    pub fn pieces<T: Send>(
        &self,
        rows: usize,
        make: impl Fn(std::ops::Range<usize>) -> T + Sync + Send,
        mut fold: impl FnMut(T),
    ) {
        let pieces = rows.div_ceil(PIECE);
        let range = |piece: usize| piece * PIECE..rows.min((piece + 1) * PIECE);
        if self.count() == 1 {
            (0..pieces).for_each(|piece| fold(make(range(piece))));
            return;
        }
        for wave in (0..pieces).step_by(WAVE) {
            let until = pieces.min(wave + WAVE);
            let made: Vec<T> = self.0.install(|| (wave..until).into_par_iter().map(|piece| make(range(piece))).collect());
            made.into_iter().for_each(&mut fold);
        }
    }

    /// Runs `work` on each item, in any order; what is done to one item must not depend on the others.
    pub fn each<T: Send>(&self, items: &mut [T], work: impl Fn(usize, &mut T) + Sync + Send) {
        if self.count() == 1 {
            items.iter_mut().enumerate().for_each(|(index, item)| work(index, item));
        } else {
            self.0.install(|| items.par_iter_mut().enumerate().for_each(|(index, item)| work(index, item)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_has_the_same_bits_on_any_number_of_threads() {
        let values: Vec<f64> = (0..300_000).map(|i| libm::sin(f64::from(i) * 0.7)).collect();
        let sum = |threads: usize| {
            let mut total = 0.0f64;
            let threads = Threads::new(threads).unwrap();
            threads.pieces(values.len(), |rows| values[rows].iter().sum::<f64>(), |part| total += part);
            total.to_bits()
        };
        assert_eq!(sum(1), sum(2));
        assert_eq!(sum(1), sum(5));
    }
}
