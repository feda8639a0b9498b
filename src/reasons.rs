//! Why a shelf or a card stands where it stands. Reasons come from the score itself: the feature that adds most.

use crate::features::{Column, FeatureSchema, Source};
use crate::math::falling;
use crate::page::CardHandle;

/// Why something stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum ReasonCode {
    /// The server's order was kept.
    ServerOrder = 0,
    /// Sponsored or pinned by the app.
    Fixed = 1,
    /// Drawn although another candidate scored higher.
    Exploring = 2,
    /// "Because you played X"; the argument is X.
    BecauseYouPlayed = 3,
    /// The artist was played here; the argument is this card.
    PlayedArtist = 4,
    /// The genre or topic is played here; the argument is this card.
    PlayedFamily = 5,
    /// Close to what was played, in the app's embedding space.
    LikeYourTaste = 6,
    /// Popular with all listeners.
    Popular = 7,
    /// From an artist never played here.
    NewToYou = 8,
    /// Played not long ago.
    RecentlyPlayed = 9,
    /// Played often.
    HeavyRotation = 10,
    /// A podcast followed or played here.
    YourShows = 11,
    /// Liked, or by a followed artist.
    Liked = 12,
    /// What is usually played at this part of the day.
    TimeOfDay = 13,
    /// Shelves of this kind are often acted on.
    YouOpenThisShelf = 14,
    /// A feature given by the app; the argument is its column among the given ones.
    Model = 15,
    /// Hidden by the listener.
    HiddenByYou = 17,
    /// Placed by the weekly public draw.
    Probe = 18,
    /// Nothing stands out.
    General = 19,
}

/// A reason with what it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The sentence.
    pub code: ReasonCode,
    /// A card handle or column index, as the code says.
    pub argument: Option<u32>,
}

impl Reason {
    /// A reason that speaks of nothing in particular.
    #[must_use]
    pub fn plain(code: ReasonCode) -> Self {
        Self { code, argument: None }
    }

    /// A reason about a card.
    #[must_use]
    pub fn of_card(code: ReasonCode, card: CardHandle) -> Self {
        Self { code, argument: Some(card.0) }
    }
}

/// What one column adds to a score.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// Column name.
    pub feature: String,
    /// Its value.
    pub value: f64,
    /// What it adds for each unit: the head's weight; beside a body, the contribution over the distance from the column's default.
    pub weight: f64,
    /// What it adds to the score, in log-odds: value times weight; beside a body, what the score loses when the column alone is set to
    /// its default.
    pub contribution: f64,
}

/// The `limit` columns that move the score of `row` most, largest first; the bias is left out.
///
/// - `additions`: what each column adds.
/// - `from`: the value at which a column adds nothing.
pub(crate) fn contributions(
    schema: &FeatureSchema,
    additions: &[f64],
    row: &[f32],
    limit: usize,
    from: fn(&Column) -> f32,
) -> Vec<Contribution> {
    let sizes: Vec<(f64, u32)> =
        additions.iter().zip(0..).map(|(adds, index)| (adds.abs(), index)).filter(|size| size.0 > 0.0).collect();
    falling(sizes)
        .into_iter()
        .take(limit)
        .map(|index| {
            let index = index as usize;
            let column = &schema.columns()[index];
            let value = f64::from(row[index + 1]);
            let contribution = additions[index];
            let away = value - f64::from(from(column));
            let weight = if away.is_nan() { 0.0 } else { contribution / away };
            Contribution { feature: column.name.clone(), value, weight, contribution }
        })
        .collect()
}

/// Least contribution, in log-odds, that a reason may rest on.
pub(crate) const LEAST: f32 = 0.05;

/// The reason a card's score gives: the column that adds most.
///
/// - `additions`: one for each column, in log-odds.
pub(crate) fn of_score(schema: &FeatureSchema, additions: &[f64], card: CardHandle) -> Reason {
    let mut best = (f64::from(LEAST), None);
    for (index, adds) in additions.iter().enumerate() {
        if *adds > best.0 {
            best = (*adds, Some(index));
        }
    }
    of_column(schema, best.1, card)
}

/// The reason that a column gives.
pub(crate) fn of_column(schema: &FeatureSchema, column: Option<usize>, card: CardHandle) -> Reason {
    let Some(index) = column else { return Reason::plain(ReasonCode::General) };
    let code = match schema.columns()[index].source {
        Source::ArtistAffinity | Source::SkipRate => return Reason::of_card(ReasonCode::PlayedArtist, card),
        Source::FamilyAffinity => return Reason::of_card(ReasonCode::PlayedFamily, card),
        Source::Given => {
            let given = schema.given_columns().partition_point(|given| *given < index);
            return Reason { code: ReasonCode::Model, argument: Some(given as u32) };
        }
        Source::CardAffinity => ReasonCode::HeavyRotation,
        Source::Recency => ReasonCode::RecentlyPlayed,
        Source::TasteShort | Source::TasteLong => ReasonCode::LikeYourTaste,
        Source::Popularity => ReasonCode::Popular,
        Source::NewArtist => ReasonCode::NewToYou,
        Source::TimeOfDay => ReasonCode::TimeOfDay,
        Source::Willingness => ReasonCode::YouOpenThisShelf,
        Source::Liked => ReasonCode::Liked,
        Source::Context | Source::Fatigue | Source::IsPodcast | Source::IsPlaylist | Source::Duration => ReasonCode::General,
    };
    Reason::plain(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Body, HeadPrior, RewardModel};

    /// What the columns add under a plain model with these weights.
    fn additions(weights: &[f64], row: &[f32]) -> Vec<f64> {
        let prior = HeadPrior::new(weights.to_vec(), &vec![1.0; weights.len()], 1.0).unwrap();
        let model = RewardModel::new(&schema(), Body::Plain, prior).unwrap();
        let mut additions = Vec::new();
        model.additions(&schema(), weights, row, &mut additions);
        additions
    }

    fn schema() -> FeatureSchema {
        let column = |name: &str, source| Column::new(name, source);
        FeatureSchema::new(vec![
            column("popularity", Source::Popularity),
            column("artist", Source::ArtistAffinity),
            column("tempo", Source::Given),
            column("mood", Source::Given),
        ])
        .unwrap()
    }

    #[test]
    fn the_largest_addition_is_the_reason() {
        let card = CardHandle(7);
        let reason = |row: &[f32]| of_score(&schema(), &additions(&[-3.0, 1.0, 2.0, 0.5, 0.5], row), card);
        assert_eq!(reason(&[1.0, 0.9, 0.1, 0.0, 0.0]), Reason::plain(ReasonCode::Popular));
        assert_eq!(reason(&[1.0, 0.9, 0.6, 0.0, 0.0]), Reason::of_card(ReasonCode::PlayedArtist, card));
        assert_eq!(reason(&[1.0, 0.0, 0.0, 0.0, 4.0]), Reason { code: ReasonCode::Model, argument: Some(1) });
        assert_eq!(reason(&[1.0, 0.0, 0.0, -9.0, 0.0]), Reason::plain(ReasonCode::General));
    }

    #[test]
    fn contributions_are_sorted_by_size_and_add_up() {
        let row = [1.0, 0.5, 0.1, 2.0, 0.0];
        let list = contributions(&schema(), &additions(&[-3.0, 1.0, 2.0, -0.5, 0.5], &row), &row, 5, |_| 0.0);
        assert_eq!(list.iter().map(|c| c.feature.as_str()).collect::<Vec<_>>(), ["tempo", "popularity", "artist"]);
        let sum: f64 = list.iter().map(|c| c.contribution).sum();
        assert!((sum - (0.5 + 0.2 - 1.0)).abs() < 1e-6);
    }
}
