//! (context, card) -> feature vector, by a schema with a fixed column order.

use std::cell::Cell;

use crate::clock::DAY_MS;
use crate::context::Context;
use crate::error::{Error, shown};
use crate::history::History;
use crate::math::{decay, dot, ln_1p};
use crate::page::{CardHandle, CardKind, Catalogue, MAX_COLUMNS};
use ears_kernels::lay_row;

/// Where a column's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The app gives it with each card or shelf.
    Given,
    /// The app gives it with each visit.
    Context,
    /// The card's popularity, 0 to 1; 0 when unknown.
    Popularity,
    /// Decayed plays p of the card's artist, as p / (p + 3).
    ArtistAffinity,
    /// Share of the card's family in all decayed plays, shrunk by 5 plays.
    FamilyAffinity,
    /// Decayed plays p of this card, as p / (p + 2).
    CardAffinity,
    /// Product of the card's embedding and the mean taste of the last weeks, -1 to 1; near 0 when that taste is thin or mixed.
    TasteShort,
    /// The same with the taste of the last months.
    TasteLong,
    /// 1 when there is a history and the card's artist was never played in it.
    NewArtist,
    /// 2^(-days since the last play of this card / 7); 0 when never played.
    Recency,
    /// Skips of the artist among its plays and skips, shrunk by 2.
    SkipRate,
    /// Share of the family at this part of the day minus its share over the whole day.
    TimeOfDay,
    /// Posterior mean of "acted on when seen" for the shelf's kind, minus its prior, times 5.
    Willingness,
    /// 1 when the card is liked or its artist followed.
    Liked,
    /// Decayed times s the card was seen and not played, as s / (s + 3).
    Fatigue,
    /// 1 for podcasts and episodes.
    IsPodcast,
    /// 1 for playlists.
    IsPlaylist,
    /// ln(1 + minutes) / 5; 0 when the length is unknown.
    Duration,
}

/// Every source with its name in settings.
const SOURCES: [(&str, Source); 18] = [
    ("given", Source::Given),
    ("context", Source::Context),
    ("popularity", Source::Popularity),
    ("artist_affinity", Source::ArtistAffinity),
    ("family_affinity", Source::FamilyAffinity),
    ("card_affinity", Source::CardAffinity),
    ("taste_short", Source::TasteShort),
    ("taste_long", Source::TasteLong),
    ("new_artist", Source::NewArtist),
    ("recency", Source::Recency),
    ("skip_rate", Source::SkipRate),
    ("time_of_day", Source::TimeOfDay),
    ("willingness", Source::Willingness),
    ("liked", Source::Liked),
    ("fatigue", Source::Fatigue),
    ("is_podcast", Source::IsPodcast),
    ("is_playlist", Source::IsPlaylist),
    ("duration", Source::Duration),
];

impl Source {
    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        SOURCES.iter().find(|(_, source)| *source == self).map_or("", |(name, _)| name)
    }

    /// The source called `name`.
    ///
    /// # Errors
    /// `bad_schema` for any other name.
    pub fn from_name(name: &str) -> Result<Self, Error> {
        SOURCES.iter().find(|(known, _)| *known == name).map(|(_, source)| *source).ok_or_else(|| {
            let known: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
            Error::settings("bad_schema", format!("source must be one of {}, got \"{name}\"", known.join(", ")))
        })
    }
}

/// One column of the feature vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name; distinct within the schema.
    pub name: String,
    /// Where its value comes from.
    pub source: Source,
    /// Value when the app gives none. Default 0.
    pub default: f32,
    /// Whether a value that is missing stays so, as NaN, in place of the default. Only trees take it. Default no.
    pub keeps_missing: bool,
    /// Smallest value; one below it counts as this. Default minus infinity.
    pub min: f32,
    /// Largest value; one above it counts as this. Default infinity.
    pub max: f32,
    /// What the model's body subtracts first. Default 0.
    pub mean: f32,
    /// What the model's body then divides by. Default 1.
    pub scale: f32,
}

impl Column {
    /// A column without limits that the model takes as it is, 0 when nothing is given.
    #[must_use]
    pub fn new(name: &str, source: Source) -> Self {
        Self {
            name: name.to_owned(),
            source,
            default: 0.0,
            keeps_missing: false,
            min: f32::NEG_INFINITY,
            max: f32::INFINITY,
            mean: 0.0,
            scale: 1.0,
        }
    }

    /// What a value of this column counts as: the default when it is missing, and never outside the limits.
    #[must_use]
    pub fn guarded(&self, value: f32) -> f32 {
        let value = if value.is_nan() && !self.keeps_missing { self.default } else { value };
        // Written out to keep NaN.
        if value < self.min {
            self.min
        } else if value > self.max {
            self.max
        } else {
            value
        }
    }

    /// The value when nothing is given.
    #[must_use]
    pub fn absent(&self) -> f32 {
        if self.keeps_missing { f32::NAN } else { self.default }
    }

    fn is_sound(&self) -> bool {
        self.default.is_finite()
            && self.mean.is_finite()
            && self.scale.is_finite()
            && self.scale > 0.0
            // Also false for NaN.
            && self.min <= self.default
            && self.default <= self.max
    }
}

/// The columns in their order. A constant 1 (the bias) always stands before them.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSchema {
    columns: Vec<Column>,
    given: Vec<usize>,
    context: Vec<usize>,
    /// How many given columns stand before the first other one.
    leading_given: usize,
    /// Whether any column has limits or keeps what is missing.
    guards: bool,
}

impl FeatureSchema {
    /// Checks the columns.
    ///
    /// # Errors
    /// `bad_schema` for no columns, more than [`MAX_COLUMNS`], an empty or repeated name, a default that is not finite or outside the
    /// limits, or a mean and scale that are not finite or not > 0.
    pub fn new(columns: Vec<Column>) -> Result<Self, Error> {
        if columns.is_empty() || columns.len() > MAX_COLUMNS {
            return Err(Error::settings("bad_schema", format!("expected 1 to {MAX_COLUMNS} columns, got {}", columns.len())));
        }
        for (index, column) in columns.iter().enumerate() {
            if column.name.is_empty() || columns[..index].iter().any(|other| other.name == column.name) {
                return Err(Error::settings(
                    "bad_schema",
                    format!("column {index} needs a name of its own, got \"{}\"", column.name),
                ));
            }
            if !column.is_sound() {
                return Err(Error::settings(
                    "bad_schema",
                    format!(
                        "column {index} needs a finite default within its limits, a finite mean and a scale > 0, got default {}",
                        shown(column.default.into())
                    ),
                ));
            }
        }
        let of = |source: Source| (0..columns.len()).filter(|&i| columns[i].source == source).collect();
        let (given, context): (Vec<usize>, Vec<usize>) = (of(Source::Given), of(Source::Context));
        let leading_given = given.iter().enumerate().take_while(|(place, column)| place == *column).count();
        let guards = columns.iter().any(|c| c.keeps_missing || c.min > f32::NEG_INFINITY || c.max < f32::INFINITY);
        Ok(Self { columns, given, context, leading_given, guards })
    }

    /// The columns, without the bias.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Length of a feature vector: the bias and the columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len() + 1
    }

    /// Row length in memory: [`FeatureSchema::width`] rounded up to whole SIMD lanes of four.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.width().next_multiple_of(4)
    }

    /// Applies missing-value rules and limits to a row as it was given: [`Column::guarded`] for each column.
    pub fn guard(&self, row: &mut [f32]) {
        for (value, column) in row.iter_mut().skip(1).zip(&self.columns) {
            *value = column.guarded(*value);
        }
    }

    /// Whether a row is what the app gives with its card, as it is.
    pub(crate) fn is_given(&self) -> bool {
        self.leading_given == self.columns.len() && !self.guards
    }

    /// Indices of the columns that the app gives with each card.
    pub(crate) fn given_columns(&self) -> &[usize] {
        &self.given
    }

    /// Indices of the columns that the app gives with each visit.
    pub(crate) fn context_columns(&self) -> &[usize] {
        &self.context
    }

    /// The columns that the app gives with each card, in order.
    pub fn given(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.given.iter().map(|&index| &self.columns[index])
    }

    /// The columns that the app gives with each visit, in order.
    pub fn context(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.context.iter().map(|&index| &self.columns[index])
    }
}

/// Makes feature vectors for one decision; holds what is the same for all its cards.
pub struct FeatureMaker<'a> {
    schema: &'a FeatureSchema,
    history: &'a History,
    catalogue: &'a Catalogue,
    context: &'a Context,
    short_taste: Vec<f32>,
    long_taste: Vec<f32>,
    total_plays: f64,
    bucket_plays: f64,
    /// Decayed numbers of artists and families, by their place in the history: made when a card first asks for them.
    artists: Memo,
    families: Memo,
}

/// Pairs that are computed once; NaN before.
struct Memo(Vec<Cell<(f64, f64)>>);

impl Memo {
    fn of(len: usize) -> Self {
        Self(vec![Cell::new((f64::NAN, 0.0)); len])
    }

    /// The pair of a place; (0, 0) without one.
    fn get(&self, place: Option<usize>, make: impl Fn() -> (f64, f64)) -> (f64, f64) {
        let Some(cell) = place.and_then(|place| self.0.get(place)) else { return (0.0, 0.0) };
        if cell.get().0.is_nan() {
            cell.set(make());
        }
        cell.get()
    }
}

impl<'a> FeatureMaker<'a> {
    /// Prepares for one decision.
    #[must_use]
    pub fn new(schema: &'a FeatureSchema, history: &'a History, catalogue: &'a Catalogue, context: &'a Context) -> Self {
        // A taste learned in another embedding space says nothing here.
        let fitting = |taste: Vec<f32>| if taste.len() == catalogue.dimensions() { taste } else { Vec::new() };
        let [short_taste, long_taste] = history.tastes(context.now).map(fitting);
        let (total_plays, bucket_plays) = history.family_plays(0, context.hour_bucket, context.now);
        let (artists, families) = (Memo::of(history.artists.len()), Memo::of(history.families.len()));
        Self { schema, history, catalogue, context, short_taste, long_taste, total_plays, bucket_plays, artists, families }
    }

    /// Writes the feature vector of `card` on a shelf of `shelf_kind` into `row`.
    ///
    /// # Shapes and ranges
    /// - `given`: one value for each given column, in schema order; short or empty takes the defaults.
    /// - `row`: [`FeatureSchema::stride`] values; what lies past the width is set to 0.
    pub fn write(&self, card: CardHandle, shelf_kind: u32, given: &[f32], row: &mut [f32]) {
        // Given columns that stand first are copied as they lie.
        let leading = self.schema.leading_given.min(given.len());
        lay_row(&given[..leading], row);
        let mut next_given = leading;
        let mut next_context = 0;
        for (value, column) in row[1..].iter_mut().zip(&self.schema.columns).skip(leading) {
            *value = match column.source {
                Source::Given => {
                    next_given += 1;
                    given.get(next_given - 1).copied().unwrap_or(column.absent())
                }
                Source::Context => {
                    next_context += 1;
                    self.context.values.get(next_context - 1).copied().unwrap_or(column.absent())
                }
                derived => self.derived(derived, card, shelf_kind) as f32,
            };
        }
        if self.schema.guards {
            self.schema.guard(row);
        }
    }

    fn derived(&self, source: Source, card: CardHandle, shelf_kind: u32) -> f64 {
        let now = self.context.now;
        let known = self.catalogue.registered(card);
        let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
        match source {
            Source::Given | Source::Context => 0.0,
            Source::Popularity => f64::from(known.card.popularity.unwrap_or(0.0)),
            Source::ArtistAffinity => {
                let (plays, _) = self.artist_plays(known.artist);
                plays / (plays + 3.0)
            }
            Source::FamilyAffinity => self.family_share(known.family).0,
            Source::CardAffinity => {
                let plays = self.history.card_plays(card, now);
                plays / (plays + 2.0)
            }
            Source::TasteShort => f64::from(dot(&self.short_taste, self.catalogue.unit(card))),
            Source::TasteLong => f64::from(dot(&self.long_taste, self.catalogue.unit(card))),
            Source::NewArtist => flag(self.total_plays > 0.0 && known.artist != 0 && self.artist_plays(known.artist).0 == 0.0),
            Source::Recency => self
                .history
                .cards
                .get(card.0)
                .filter(|stats| stats.last_played > 0)
                .map_or(0.0, |stats| decay((now.ms() - stats.last_played) as f64, 7.0 * DAY_MS as f64)),
            Source::SkipRate => {
                let (plays, skips) = self.artist_plays(known.artist);
                skips / (plays + skips + 2.0)
            }
            Source::TimeOfDay => {
                let (all, bucket) = self.family_share(known.family);
                bucket - all
            }
            Source::Willingness => 5.0 * (self.history.willingness(shelf_kind, now) - 0.1),
            Source::Liked => flag(
                self.history.cards.get(card.0).is_some_and(|stats| stats.liked)
                    || self.history.artists.get(known.artist).is_some_and(|stats| stats.followed),
            ),
            Source::Fatigue => {
                let seen = self.history.fatigue(card, now);
                seen / (seen + 3.0)
            }
            Source::IsPodcast => flag(known.card.kind.is_show()),
            Source::IsPlaylist => flag(known.card.kind == CardKind::Playlist),
            Source::Duration => ln_1p(f64::from(known.card.duration_ms.unwrap_or(0)) / 60_000.0) / 5.0,
        }
    }

    /// Decayed plays and skips of an artist.
    fn artist_plays(&self, artist: u32) -> (f64, f64) {
        self.artists.get(self.history.artists.place(artist), || self.history.artist_plays(artist, self.context.now))
    }

    /// Share of a family in all plays, and in the plays of this part of the day.
    fn family_share(&self, family: u32) -> (f64, f64) {
        if family == 0 {
            return (0.0, 0.0);
        }
        let make = || self.history.family_plays(family, self.context.hour_bucket, self.context.now);
        let (all, bucket) = self.families.get(self.history.families.place(family), make);
        (all / (self.total_plays + 5.0), bucket / (self.bucket_plays + 5.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::history::{LISTEN_MS, Listen};
    use crate::page::Card;

    fn column(name: &str, source: Source) -> Column {
        Column::new(name, source)
    }

    #[test]
    fn refuses_bad_schemas() {
        let code = |columns: Vec<Column>| FeatureSchema::new(columns).unwrap_err().code();
        assert_eq!(code(Vec::new()), "bad_schema");
        assert_eq!(code(vec![column("", Source::Given)]), "bad_schema");
        assert_eq!(code(vec![column("a", Source::Given), column("a", Source::Popularity)]), "bad_schema");
        assert_eq!(code(vec![Column { default: f32::NAN, ..column("a", Source::Given) }]), "bad_schema");
        for bad in [
            Column { min: 1.0, ..column("a", Source::Given) },
            Column { max: f32::NAN, ..column("a", Source::Given) },
            Column { scale: 0.0, ..column("a", Source::Given) },
            Column { mean: f32::INFINITY, ..column("a", Source::Given) },
        ] {
            assert_eq!(code(vec![bad]), "bad_schema");
        }
        assert_eq!(code((0..257).map(|i| column(&format!("c{i}"), Source::Given)).collect()), "bad_schema");
    }

    #[test]
    fn a_row_holds_bias_given_context_and_derived_values_in_order() {
        let schema = FeatureSchema::new(vec![
            column("tempo", Source::Given),
            column("weekend", Source::Context),
            column("artist", Source::ArtistAffinity),
            Column { default: 0.5, ..column("mood", Source::Given) },
            column("taste", Source::TasteLong),
        ])
        .unwrap();
        let mut catalogue = Catalogue::default();
        let card = catalogue
            .register(Card { id: "a".into(), artist: "Can".into(), embedding: vec![0.0, 2.0], ..Card::default() })
            .unwrap();
        let now = Timestamp::clamped(DAY_MS);
        let mut history = History::default();
        history.listen(Listen { card, ms: LISTEN_MS, at: now }, false, 0, &catalogue);
        let context = Context::new(now, 0, vec![1.0]);
        let mut row = vec![9.0; schema.stride()];
        FeatureMaker::new(&schema, &history, &catalogue, &context).write(card, 0, &[0.25], &mut row);
        assert_eq!(row, [1.0, 0.25, 1.0, 0.25, 0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn missing_values_and_limits_guard_a_row() {
        let schema = FeatureSchema::new(vec![
            Column { default: 0.5, min: 0.0, max: 1.0, ..column("share", Source::Given) },
            Column { keeps_missing: true, max: 9.0, ..column("age", Source::Given) },
            Column { keeps_missing: true, ..column("rain", Source::Context) },
        ])
        .unwrap();
        let mut row = [1.0, f32::NAN, f32::NAN, 2.0, 7.0];
        schema.guard(&mut row);
        assert!(row[2].is_nan());
        assert_eq!([row[0], row[1], row[3], row[4]], [1.0, 0.5, 2.0, 7.0]);
        let mut catalogue = Catalogue::default();
        let card = catalogue.register(Card { id: "a".into(), ..Card::default() }).unwrap();
        let (history, context) = (History::default(), Context::new(Timestamp::clamped(0), 0, Vec::new()));
        let maker = FeatureMaker::new(&schema, &history, &catalogue, &context);
        let mut row = [0.0; 4];
        maker.write(card, 0, &[-3.0, 40.0], &mut row);
        assert_eq!(row[..3], [1.0, 0.0, 9.0]);
        assert!(row[3].is_nan());
        maker.write(card, 0, &[], &mut row);
        assert_eq!(row[1], 0.5);
        assert!(row[2].is_nan());
    }

    #[test]
    fn derived_values_stay_in_their_range_with_and_without_history() {
        let all = [
            Source::Popularity,
            Source::ArtistAffinity,
            Source::FamilyAffinity,
            Source::CardAffinity,
            Source::TasteShort,
            Source::TasteLong,
            Source::NewArtist,
            Source::Recency,
            Source::SkipRate,
            Source::TimeOfDay,
            Source::Willingness,
            Source::Liked,
            Source::Fatigue,
            Source::IsPodcast,
            Source::IsPlaylist,
            Source::Duration,
        ];
        let columns = all.iter().enumerate().map(|(i, &source)| column(&format!("c{i}"), source)).collect();
        let schema = FeatureSchema::new(columns).unwrap();
        let mut catalogue = Catalogue::default();
        let card = catalogue
            .register(Card {
                id: "a".into(),
                artist: "Can".into(),
                family: "krautrock".into(),
                duration_ms: Some(3_600_000),
                popularity: Some(1.0),
                ..Card::default()
            })
            .unwrap();
        let mut history = History::default();
        let mut row = vec![0.0; schema.stride()];
        for day in 0..200 {
            let now = Timestamp::clamped(day * DAY_MS);
            let context = Context::new(now, 0, Vec::new());
            FeatureMaker::new(&schema, &history, &catalogue, &context).write(card, 0, &[], &mut row);
            assert!(row.iter().all(|v| v.is_finite() && (-1.0..=4.5).contains(v)), "{row:?}");
            history.listen(Listen { card, ms: if day % 3 == 0 { 0 } else { LISTEN_MS }, at: now }, false, 0, &catalogue);
            history.see(card, now);
            history.shelf_seen(0, true, now);
        }
    }
}
