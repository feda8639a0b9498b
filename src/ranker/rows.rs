//! The features of a decision's cards, as they lie in memory.

use std::borrow::Cow;
use std::sync::Arc;

use super::Ranker;
use crate::clock::Timestamp;
use crate::context::Context;
use crate::features::{FeatureMaker, FeatureSchema};
use crate::page::{CardHandle, Page, ShelfHandle};

/// Rows that lie at equal distances, each longer than it or with what follows it behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    numbers: Arc<Vec<f32>>,
    start: usize,
    pitch: usize,
}

impl Rows {
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

impl Ranker {
    /// Rows of [`FeatureSchema::stride`] numbers, one after the other.
    ///
    /// - `shelves`, `starts`, `cards`: the candidates, the page's before those of the local shelves.
    /// - `memory`: for the rows.
    pub(super) fn laid(
        &self,
        page: &Page,
        shelves: &[ShelfHandle],
        starts: &[u32],
        cards: &[CardHandle],
        now: Timestamp,
        mut memory: Vec<f32>,
    ) -> Rows {
        let schema = &self.bundle.schema;
        let context = Context::new(now, page.utc_offset_minutes, page.context.clone());
        let maker = FeatureMaker::new(schema, &self.history, &self.catalogue, &context);
        let given = page.features();
        memory.resize(cards.len() * schema.stride(), 0.0);
        let mut rows = memory.chunks_exact_mut(schema.stride());
        for (shelf, ends) in shelves.iter().zip(starts.windows(2)) {
            let kind = self.catalogue.shelf(*shelf).kind;
            for (at, row) in (ends[0] as usize..ends[1] as usize).zip(&mut rows) {
                // What the app gave with a card elsewhere on the page holds on a local shelf too.
                let place = if at < page.cards.len() || given.is_empty() {
                    Some(at)
                } else {
                    page.cards.iter().position(|place| place.card == cards[at])
                };
                let given = place.map_or(&[][..], |at| given.get(at * page.given..(at + 1) * page.given).unwrap_or_default());
                maker.write(cards[at], kind, given, row);
            }
        }
        Rows { numbers: Arc::new(memory), start: 0, pitch: schema.stride() }
    }
}
