//! The features of a decision's cards, as they lie in memory.

use std::borrow::Cow;
use std::sync::Arc;

use crate::features::FeatureSchema;

/// Rows that lie at equal distances, each longer than it or with what follows it behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    numbers: Arc<Vec<f32>>,
    start: usize,
    pitch: usize,
}

impl Rows {
    /// Rows of [`FeatureSchema::stride`] numbers, one after the other.
    pub(super) fn laid(rows: Vec<f32>, schema: &FeatureSchema) -> Self {
        Self { numbers: Arc::new(rows), start: 0, pitch: schema.stride() }
    }

    /// Columns that lie as the page gave them, `pitch` for each card. A number before the first row stands for its bias, and three at least
    /// stand behind the last; neither counts, nor do those that a row's neighbours lend it.
    pub(super) fn lent(numbers: Arc<Vec<f32>>, first: usize, pitch: usize) -> Self {
        Self { numbers, start: first - 1, pitch }
    }

    /// All rows, from one to the next [`Rows::pitch`] numbers: for what looks neither at the first number of a row nor behind its columns.
    pub(super) fn lying(&self) -> &[f32] {
        &self.numbers[self.start..]
    }

    pub(super) fn pitch(&self) -> usize {
        self.pitch
    }

    /// The columns of a card, a number before and some numbers behind that say nothing.
    pub(super) fn columns(&self, at: usize, schema: &FeatureSchema) -> &[f32] {
        let first = self.start + at * self.pitch;
        &self.numbers[first..first + schema.stride()]
    }

    /// The row of a card: [`FeatureSchema::stride`] numbers, 1 first and zeros behind the columns.
    pub(super) fn row(&self, at: usize, schema: &FeatureSchema) -> Vec<f32> {
        let mut row = self.columns(at, schema).to_vec();
        row[0] = 1.0;
        row[schema.width()..].fill(0.0);
        row
    }

    /// The rows of the first `count` cards, one after the other.
    pub(super) fn all(&self, count: usize, schema: &FeatureSchema) -> Cow<'_, [f32]> {
        if self.pitch == schema.stride() {
            return Cow::Borrowed(self.lying());
        }
        Cow::Owned((0..count).flat_map(|at| self.row(at, schema)).collect())
    }

    /// The memory, if nobody else reads it.
    pub(super) fn freed(self) -> Vec<f32> {
        Arc::into_inner(self.numbers).unwrap_or_default()
    }
}
