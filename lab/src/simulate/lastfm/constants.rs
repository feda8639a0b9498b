//! Every number of the Last.fm Home world, each with its reason. Committed before any policy ran in this world; none was changed
//! after a result was seen. "Common sense" marks a number that no source gives.

use ears_only::clock::{DAY_MS, HOUR_MS};

// The page.

/// Cards on a shelf.
pub const CARDS: usize = 12;
/// Shelves that are visible without scrolling.
pub const VISIBLE_SHELVES: usize = 2;
/// Cards of a shelf that are visible without scrolling.
pub const VISIBLE_CARDS: usize = 3;
/// Chance that the listener goes on to the next shelf.
pub const NEXT_SHELF: f64 = 0.85;
/// Chance that the listener goes on to the next card of a shelf.
pub const NEXT_CARD: f64 = 0.7;
/// Shelves "More like X".
pub const MORE_LIKE: usize = 3;
/// Artists that "More like X" draws from: the nearest ones to X. Common sense: four times what is shown.
pub const MORE_LIKE_POOL: usize = 48;
/// Artists that "Recommended for you" draws from: the nearest ones to the history. Common sense: a retrieval stage hands on a few
/// hundred.
pub const RECOMMENDED_POOL: usize = 200;
/// Artists that "Popular" draws from: the best-known ones.
pub const POPULAR_POOL: usize = 100;
/// Artists that a mix stands for: the best-known ones of its genre.
pub const MIX_ARTISTS: usize = 10;
/// Genres, clusters of artists played by the same people.
pub const GENRES: usize = 40;

// Time.

/// The first day: Monday 2 March 2026, 00:00 UTC. Any day does.
pub const FIRST_DAY_MS: i64 = 1_772_409_600_000;
/// Days of a run, unless asked otherwise.
pub const DAYS: u32 = 60;
/// Listeners for each seed, unless asked otherwise.
pub const LISTENERS: u32 = 200;
/// Earliest time of the two visits of a day: on the way to work, and after it.
pub const VISIT_FROM_MS: [i64; 2] = [7 * HOUR_MS, 18 * HOUR_MS];
/// A visit falls anywhere within this time after its earliest.
pub const VISIT_SPREAD_MS: i64 = 3 * HOUR_MS;
/// Time between two cards looked at.
pub const LOOK_MS: i64 = 1_500;

// Who is there.

/// Share of listeners who are new: nobody knows anything about them.
pub const NEW_LISTENERS: f64 = 0.2;
/// New listeners come for the first time on a day drawn from the first so many, so that policies that learn from everybody have
/// had time to learn before they meet them.
pub const NEW_ARRIVE_DAYS: u32 = 30;
/// Impressions that count as a new listener's first ones.
pub const FIRST_IMPRESSIONS: usize = 20;
/// Artists with fewer listeners (known halves only) than this have no card: too few to place them anywhere.
pub const MIN_LISTENERS: u32 = 3;
/// Days before the first visit over which the known half of the plays is spread.
pub const HISTORY_DAYS: i64 = 60;
/// Most plays that stand for one artist in the imported history: n plays become 1 + log2(n), at most this.
pub const HISTORY_MOST: u32 = 8;
/// Length of a play of the imported history: a song.
pub const HISTORY_PLAY_MS: u32 = 180_000;

// What listeners like. The policy never sees any of it.

/// Rank of the truth: implicit matrix factorisation of everybody's plays, hidden halves included.
pub const TRUTH_RANK: usize = 32;
/// Rounds of alternating least squares.
pub const TRUTH_ROUNDS: usize = 8;
/// Confidence of n plays is 1 + this x ln(1 + n) (Hu, Koren, Volinsky 2008, "Collaborative filtering for implicit feedback
/// datasets", equation after (2), the logarithmic form). The size is common sense: a thousand plays weigh about 70 times a zero.
pub const TRUTH_CONFIDENCE: f64 = 10.0;
/// Ridge of both factors. Common sense.
pub const TRUTH_RIDGE: f64 = 10.0;
/// Affinity z is the normal score of the factors' product among this many pairs of listener and artist: mean 0, sd 1, no outliers.
pub const AFFINITY_SAMPLE: usize = 200_000;
/// Chance that a card is played when seen, on a uniformly drawn page of the first day. The base log-odds follow from it.
pub const BASE_RATE: f64 = 0.04;
/// Values of `a` in the grid: log-odds for each standard deviation of affinity. The middle one is the main result.
pub const AFFINITY: [f64; 3] = [0.5, 1.0, 1.5];
/// Values of the boost in the grid: log-odds added for an artist of the hidden half.
pub const BOOST: [f64; 3] = [0.5, 1.0, 1.5];
/// Share of the preferences that drifts daily. The factors move as an autoregression of coefficient 1 - this towards the factors of
/// another listener drawn each day, with the variance kept; each artist of the hidden half gives way to another with this chance.
pub const DRIFT: f64 = 0.02;
/// Log-odds taken off for each recent time a card was seen and not played (Ma et al. 2016, "User fatigue in online news
/// recommendation": the click rate falls with every repeated display). The size is common sense.
pub const FATIGUE: f64 = 0.25;
/// Most recent showings that count.
pub const FATIGUE_MOST: f64 = 4.0;
/// Time in which half of the fatigue goes.
pub const FATIGUE_HALF_LIFE_MS: f64 = 3.0 * DAY_MS as f64;

/// Log-odds of a kind of shelf. Common sense: people open what they know a little more readily than what is new to them.
pub const SHELF_LOGIT: [(&str, f64); 8] = [
    ("recently_played", 0.3),
    ("heavy_rotation", 0.3),
    ("new_from_artists", 0.0),
    ("more_like", 0.0),
    ("recommended", 0.0),
    ("made_for_you", 0.1),
    ("popular", 0.0),
    ("fresh", -0.3),
];

// Opponents.

/// Share of random pages of learned popularity.
pub const POPULARITY_EXPLORATION: f64 = 0.05;
/// Streams and failures that every arm is taken to have had: pessimistic, Beta(1, 99) (Bendada et al. 2020).
pub const PESSIMISTIC: (f64, f64) = (1.0, 99.0);
/// Segments: clusters of listeners by the mean embedding of their known half; new listeners are a segment of their own.
pub const SEGMENTS: usize = 8;
/// Chance of a uniform page when exploring around the core's scores with epsilon on the page.
pub const EPSILON: f64 = 0.05;
