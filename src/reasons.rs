//! Why a shelf or a card stands where it stands. Reasons come from the score itself: the feature that adds most.

use crate::features::{FeatureSchema, Source};
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
    /// The head's weight.
    pub weight: f64,
    /// Value times weight, in log-odds.
    pub contribution: f64,
}

/// The `limit` columns that move the score of `row` most, largest first; the bias is left out.
#[must_use]
pub fn contributions(schema: &FeatureSchema, weights: &[f32], row: &[f32], limit: usize) -> Vec<Contribution> {
    let adds = |index: usize| f64::from(row[index + 1]) * f64::from(weights[index + 1]);
    let sizes: Vec<(f64, u32)> =
        (0..schema.columns().len()).map(|i| (adds(i).abs(), i as u32)).filter(|size| size.0 > 0.0).collect();
    falling(&sizes)
        .into_iter()
        .take(limit)
        .map(|index| {
            let index = index as usize;
            Contribution {
                feature: schema.columns()[index].name.clone(),
                value: f64::from(row[index + 1]),
                weight: f64::from(weights[index + 1]),
                contribution: adds(index),
            }
        })
        .collect()
}

/// Least contribution, in log-odds, that a reason may rest on.
const LEAST: f32 = 0.05;

/// The reason a card's score gives: the column that adds most.
pub(crate) fn of_score(schema: &FeatureSchema, weights: &[f32], row: &[f32], card: CardHandle) -> Reason {
    let mut best = (LEAST, None);
    for (index, (value, weight)) in row[1..=schema.columns().len()].iter().zip(&weights[1..]).enumerate() {
        let adds = value * weight;
        if adds > best.0 {
            best = (adds, Some(index));
        }
    }
    let Some(index) = best.1 else { return Reason::plain(ReasonCode::General) };
    let code = match schema.columns()[index].source {
        Source::ArtistAffinity | Source::SkipRate => return Reason::of_card(ReasonCode::PlayedArtist, card),
        Source::FamilyAffinity => return Reason::of_card(ReasonCode::PlayedFamily, card),
        Source::Given => {
            let given = schema.columns()[..index].iter().filter(|c| c.source == Source::Given).count();
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
    use crate::features::Column;

    fn schema() -> FeatureSchema {
        let column = |name: &str, source| Column { name: name.into(), source, default: 0.0 };
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
        let reason = |row: &[f32]| of_score(&schema(), &[-3.0, 1.0, 2.0, 0.5, 0.5], row, card);
        assert_eq!(reason(&[1.0, 0.9, 0.1, 0.0, 0.0]), Reason::plain(ReasonCode::Popular));
        assert_eq!(reason(&[1.0, 0.9, 0.6, 0.0, 0.0]), Reason::of_card(ReasonCode::PlayedArtist, card));
        assert_eq!(reason(&[1.0, 0.0, 0.0, 0.0, 4.0]), Reason { code: ReasonCode::Model, argument: Some(1) });
        assert_eq!(reason(&[1.0, 0.0, 0.0, -9.0, 0.0]), Reason::plain(ReasonCode::General));
    }

    #[test]
    fn contributions_are_sorted_by_size_and_add_up() {
        let list = contributions(&schema(), &[-3.0, 1.0, 2.0, -0.5, 0.5], &[1.0, 0.5, 0.1, 2.0, 0.0], 5);
        assert_eq!(list.iter().map(|c| c.feature.as_str()).collect::<Vec<_>>(), ["tempo", "popularity", "artist"]);
        let sum: f64 = list.iter().map(|c| c.contribution).sum();
        assert!((sum - (0.5 + 0.2 - 1.0)).abs() < 1e-6);
    }
}
