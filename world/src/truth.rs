//! What is true of cards and listeners, and what no policy is told.
//!
//! The log-odds that a listener plays a card when seeing it are a sum:
//!
//! | part | drawn |
//! |---|---|
//! | base | constant |
//! | family: weight x ln(preference / uniform preference) | Dirichlet for each listener, drifting daily |
//! | hidden factors of artist and listener | normal, scalar product |
//! | the listener's own opinion of artist and card | normal |
//! | quality: how good a card is for everybody | normal |
//! | popularity taste x centred ln(popularity) | normal for each listener |
//! | podcasts: appetite, more in the morning than in the evening | normal for each listener |
//! | kind of card | normal for each listener |
//! | hidden favourites | a few artists for each listener, likelier from the families liked |
//! | fatigue: recent showings without a play | grows with what was shown |
//!
//! Sizes and sources: [`crate::constants`]. The shape is the semi-synthetic world of listening research: a logistic choice with
//! base rate, affinity, boost and fatigue, seen through a cascade (Craswell et al. 2008). The embedding that cards carry takes no
//! part in it; only the family is common to both.

use ears_only::clock::Timestamp;
use ears_only::history::hour_bucket;
use ears_only::math::{decay, exp, ln, sigmoid};
use ears_only::page::CardKind;

use crate::catalogue::DemoCatalogue;
use crate::chance::{Draw, Key};
use crate::constants::{
    ARTIST_SD, BASE_LOGIT, CARD_SD, DRIFT, FACTOR_SD, FACTORS, FAMILY_CONCENTRATION, FAMILY_FLOOR, FAMILY_WEIGHT, FATIGUE,
    FATIGUE_HALF_LIFE_MS, FATIGUE_MOST, FAVOURITE_BOOST, FAVOURITES, KIND_SD, PODCAST_APPETITE, PODCAST_APPETITE_SD,
    PODCAST_MORNING, PODCAST_MORNING_SD, POPULARITY_TASTE, POPULARITY_TASTE_SD, QUALITY_SD,
};

/// Truths about cards that hold for all listeners.
#[derive(Clone, Debug)]
pub struct Truth {
    seed: u64,
    /// Factors of each artist.
    factors: Vec<[f64; FACTORS]>,
    /// Quality of each item.
    quality: Vec<f64>,
    /// ln(popularity) of each item, centred.
    known: Vec<f64>,
}

impl Truth {
    /// Draws the truth of a world.
    #[must_use]
    pub fn new(catalogue: &DemoCatalogue, seed: u64) -> Self {
        let key = Key::new(seed, Draw::Truth);
        let factors = (0..u64::from(catalogue.artists())).map(|artist| factors(key.with(1).with(artist))).collect();
        let quality = (0..catalogue.items().len() as u64).map(|item| QUALITY_SD * key.with(2).with(item).normal()).collect();
        let mut known: Vec<f64> =
            catalogue.items().iter().map(|item| ln(f64::from(item.card.popularity.unwrap_or(1e-3)).max(1e-3))).collect();
        let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
        for value in &mut known {
            *value -= mean;
        }
        Self { seed, factors, quality, known }
    }
}

fn factors(key: Key) -> [f64; FACTORS] {
    std::array::from_fn(|factor| key.with(factor as u64).normal())
}

/// What one listener likes today.
#[derive(Clone, Debug)]
pub struct Taste {
    key: Key,
    day: u32,
    /// Log-odds of each item, without family, hour and fatigue.
    items: Vec<f64>,
    /// Shares of the music families and of the topics; each kind sums to 1.
    preferences: Vec<f64>,
    /// Log-odds of each family, from the preferences.
    families: Vec<f64>,
    podcast_morning: f64,
    /// Artists that nothing gives away.
    favourites: Vec<u32>,
    /// Recent showings of each item without a play, and when that was so.
    shown: Vec<(f64, i64)>,
}

impl Taste {
    /// The taste of listener `listener` of run `seed`, on day 0.
    #[must_use]
    pub fn new(catalogue: &DemoCatalogue, truth: &Truth, seed: u64, listener: u32) -> Self {
        let key = Key::new(seed ^ truth.seed.rotate_left(32), Draw::Taste).with(u64::from(listener));
        let preferences = fresh_preferences(catalogue, key.with(1));
        let own_factors = factors(key.with(2));
        let popularity_taste = POPULARITY_TASTE + POPULARITY_TASTE_SD * key.with(3).normal();
        let appetite = PODCAST_APPETITE + PODCAST_APPETITE_SD * key.with(4).normal();
        let kinds: [f64; 3] = std::array::from_fn(|kind| KIND_SD * key.with(5).with(kind as u64).normal());
        let favourites = favourites(catalogue, &preferences, key.with(6));
        let scale = FACTOR_SD / (FACTORS as f64).sqrt();
        let of_artist: Vec<f64> = (0u32..)
            .zip(&truth.factors)
            .map(|(artist, factors)| {
                let along: f64 = factors.iter().zip(&own_factors).map(|(a, b)| a * b).sum();
                let boost = if favourites.contains(&artist) { FAVOURITE_BOOST } else { 0.0 };
                scale * along + ARTIST_SD * key.with(7).with(u64::from(artist)).normal() + boost
            })
            .collect();
        let items = (0u64..)
            .zip(catalogue.items())
            .map(|(number, item)| {
                let kind = match item.card.kind {
                    CardKind::Podcast => appetite,
                    CardKind::Artist => kinds[0],
                    CardKind::Playlist => kinds[1],
                    _ => kinds[2],
                };
                BASE_LOGIT
                    + kind
                    + truth.quality[number as usize]
                    + popularity_taste * truth.known[number as usize]
                    + CARD_SD * key.with(8).with(number).normal()
                    + item.artist.map_or(0.0, |artist| of_artist[artist as usize])
            })
            .collect();
        let mut taste = Self {
            key,
            day: 0,
            items,
            preferences,
            families: Vec::new(),
            podcast_morning: PODCAST_MORNING + PODCAST_MORNING_SD * key.with(9).normal(),
            favourites,
            shown: vec![(0.0, 0); catalogue.items().len()],
        };
        taste.weigh_families(catalogue);
        taste
    }

    /// Moves on to `day`: every day a small share of the preferences drifts to a fresh draw.
    pub fn drift_to(&mut self, catalogue: &DemoCatalogue, day: u32) {
        while self.day < day {
            self.day += 1;
            let fresh = fresh_preferences(catalogue, self.key.with(10).with(u64::from(self.day)));
            for (share, new) in self.preferences.iter_mut().zip(fresh) {
                *share = (1.0 - DRIFT) * *share + DRIFT * new;
            }
        }
        self.weigh_families(catalogue);
    }

    fn weigh_families(&mut self, catalogue: &DemoCatalogue) {
        let count = |podcast: bool| catalogue.families().iter().filter(|family| family.podcast == podcast).count() as f64;
        let (topics, genres) = (count(true), count(false));
        self.families = catalogue
            .families()
            .iter()
            .zip(&self.preferences)
            .map(|(family, share)| FAMILY_WEIGHT * ln(share * if family.podcast { topics } else { genres } + FAMILY_FLOOR))
            .collect();
    }

    /// Chance that the listener plays `item` when seeing it at `at`.
    #[must_use]
    pub fn chance(&self, catalogue: &DemoCatalogue, item: u32, at: Timestamp) -> f64 {
        let known = &catalogue.items()[item as usize];
        let hour = if known.card.kind != CardKind::Podcast {
            0.0
        } else if hour_bucket(at.local_hour(0)) <= 1 {
            self.podcast_morning
        } else {
            -self.podcast_morning
        };
        let tired = FATIGUE * self.shown_lately(item, at).min(FATIGUE_MOST);
        sigmoid(self.items[item as usize] + self.families[known.family as usize] + hour - tired)
    }

    /// Notes that `item` was seen and not played.
    pub fn tire(&mut self, item: u32, at: Timestamp) {
        self.shown[item as usize] = (self.shown_lately(item, at) + 1.0, at.ms());
    }

    fn shown_lately(&self, item: u32, at: Timestamp) -> f64 {
        let (count, since) = self.shown[item as usize];
        if count == 0.0 { 0.0 } else { count * decay((at.ms() - since) as f64, FATIGUE_HALF_LIFE_MS) }
    }

    /// Artists that nothing gives away.
    #[must_use]
    pub fn favourites(&self) -> &[u32] {
        &self.favourites
    }
}

fn fresh_preferences(catalogue: &DemoCatalogue, key: Key) -> Vec<f64> {
    let of = |podcast: bool| {
        let count = catalogue.families().iter().filter(|family| family.podcast == podcast).count();
        key.with(u64::from(podcast)).dirichlet(FAMILY_CONCENTRATION, count)
    };
    let (mut topics, mut genres) = (of(true).into_iter(), of(false).into_iter());
    let next = |podcast: bool| if podcast { topics.next() } else { genres.next() };
    catalogue.families().iter().map(|family| family.podcast).map(next).map(|share| share.unwrap_or(0.0)).collect()
}

/// Artists without replacement, each with chance in proportion to its family's preference: the first of exponential clocks
/// (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir").
fn favourites(catalogue: &DemoCatalogue, preferences: &[f64], key: Key) -> Vec<u32> {
    let mut clocks: Vec<(f64, u32)> = catalogue
        .items()
        .iter()
        .filter(|item| item.card.kind == CardKind::Artist)
        .filter_map(|item| item.artist.map(|artist| (artist, preferences[item.family as usize])))
        .map(|(artist, weight)| (-ln(key.with(u64::from(artist)).unit()) / weight.max(exp(-30.0)), artist))
        .collect();
    clocks.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    clocks.into_iter().take(FAVOURITES).map(|(_, artist)| artist).collect()
}
