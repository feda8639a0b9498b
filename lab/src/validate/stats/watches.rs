//! What must be counted row by row because a schema asks for it: columns that belong together, and single tokens.

use super::super::schema::Schema;
use super::super::source::Cell;
use super::slices::label;

/// Two columns that must have values in the same rows, and as many.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairWatch {
    /// The first column, of values.
    pub first: String,
    /// The second, of indices or weights.
    pub second: String,
    /// Rows where only the second has a value.
    pub first_missing: u64,
    /// Rows where only the first has.
    pub second_missing: u64,
    /// Rows where both have lists of different lengths.
    pub different_length: u64,
    places: [Option<usize>; 2],
}

/// A token and how often it stands in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenWatch {
    /// The column.
    pub column: String,
    /// The token.
    pub token: String,
    /// Rows with a value.
    pub rows: u64,
    /// Rows with the token.
    pub rows_with: u64,
    /// The fewest in one row.
    pub fewest: Option<u64>,
    /// The most in one row.
    pub most: u64,
    place: Option<usize>,
}

/// All that is watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watches {
    /// Columns that belong together.
    pub pairs: Vec<PairWatch>,
    /// Single tokens.
    pub tokens: Vec<TokenWatch>,
}

impl Watches {
    /// What a schema asks for.
    #[must_use]
    pub fn of(schema: &Schema) -> Self {
        let pair =
            |first: &str, second: &str| PairWatch { first: first.to_owned(), second: second.to_owned(), ..PairWatch::default() };
        let sparse = schema.sparse.iter().flat_map(|sparse| sparse.index.iter().map(|index| pair(&sparse.value, index)));
        let weighted = schema.weighted.iter().map(|weighted| pair(&weighted.feature, &weighted.weight));
        let tokens = schema.feature.iter().flat_map(|feature| {
            let rules = feature.language.iter().flat_map(|language| &language.token);
            rules.map(|rule| TokenWatch { column: feature.name.clone(), token: rule.value.clone(), ..TokenWatch::default() })
        });
        Self { pairs: sparse.chain(weighted).collect(), tokens: tokens.collect() }
    }

    /// Whether nothing is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.tokens.is_empty()
    }

    pub(super) fn meet(&mut self, names: &[String]) {
        let place = |name: &str| names.iter().position(|known| known == name);
        for pair in &mut self.pairs {
            pair.places = [place(&pair.first), place(&pair.second)];
        }
        for token in &mut self.tokens {
            token.place = place(&token.column);
        }
    }

    pub(super) fn add(&mut self, cells: &[Cell<'_>]) {
        let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).unwrap_or(&Cell::Missing);
        for pair in &mut self.pairs {
            match pair.places.map(|place| length(cell(place))) {
                [None, Some(_)] => pair.first_missing += 1,
                [Some(_), None] => pair.second_missing += 1,
                [Some(one), Some(other)] => pair.different_length += u64::from(one != other),
                [None, None] => {}
            }
        }
        for watch in &mut self.tokens {
            let cell = cell(watch.place);
            if *cell == Cell::Missing {
                continue;
            }
            let is = |cell: &Cell<'_>| {
                let mut text = String::new();
                label(cell, &mut text);
                u64::from(text == watch.token)
            };
            let count = match cell {
                Cell::List { items, .. } => items.iter().map(is).sum(),
                one => is(one),
            };
            watch.rows += 1;
            watch.rows_with += u64::from(count > 0);
            watch.fewest = Some(watch.fewest.map_or(count, |fewest| fewest.min(count)));
            watch.most = watch.most.max(count);
        }
    }

    pub(super) fn merge(&mut self, other: &Watches) {
        for (pair, more) in self.pairs.iter_mut().zip(&other.pairs) {
            pair.first_missing += more.first_missing;
            pair.second_missing += more.second_missing;
            pair.different_length += more.different_length;
        }
        for (token, more) in self.tokens.iter_mut().zip(&other.tokens) {
            token.rows += more.rows;
            token.rows_with += more.rows_with;
            token.fewest = token.fewest.into_iter().chain(more.fewest).min();
            token.most = token.most.max(more.most);
        }
    }
}

/// How many values a cell has; nothing when it has none.
fn length(cell: &Cell<'_>) -> Option<usize> {
    match cell {
        Cell::Missing => None,
        Cell::List { items, .. } => Some(items.len()),
        _ => Some(1),
    }
}
