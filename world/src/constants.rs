//! Every number of the demo world, each with its reason. Fixed before any result was recorded; none was chosen by looking at how
//! a policy fares. "Common sense" marks a number that no source gives.

use ears_only::clock::{DAY_MS, HOUR_MS};

// The page.

/// Shelves on a page. Common sense: a Home page of a streaming app has a dozen or two.
pub const SHELVES: usize = 16;
/// Cards on a shelf: the usual length of a shelf before "show all".
pub const CARDS: usize = 12;
/// Shelves that are visible without scrolling, on a phone.
pub const VISIBLE_SHELVES: usize = 3;
/// Cards of a shelf that are visible without scrolling, on a large phone or a tablet.
pub const VISIBLE_CARDS: usize = 4;
/// Chance that the listener goes on to the next shelf. Examination of a cascade (Craswell et al. 2008), 0.85 for shelves.
pub const NEXT_SHELF: f64 = 0.85;
/// Chance that the listener goes on to the next card of a shelf: sideways scrolling is rarer than downwards.
pub const NEXT_CARD: f64 = 0.7;

// Time.

/// The first day: Monday 2 March 2026, 00:00 UTC. Any day does.
pub const FIRST_DAY_MS: i64 = 1_772_409_600_000;
/// Days of a run, unless asked otherwise.
pub const DAYS: u32 = 30;
/// Listeners for each seed, unless asked otherwise.
pub const LISTENERS: u32 = 200;
/// Earliest time of the two visits of a day. Common sense: on the way to work, and after it.
pub const VISIT_FROM_MS: [i64; 2] = [7 * HOUR_MS, 18 * HOUR_MS];
/// A visit falls anywhere within this time after its earliest.
pub const VISIT_SPREAD_MS: i64 = 3 * HOUR_MS;

// The catalogue as everybody sees it.

/// Dimensions of the embedding that cards carry.
pub const EMBEDDING: usize = 16;
/// Size of an artist's own direction in the embedding, beside its family's direction of size 1. Common sense: genres are the
/// first thing that embeddings of artists show, artists differ within them.
pub const ARTIST_DIRECTION: f64 = 0.6;
/// Size of a card's own direction, beside its artist's.
pub const CARD_DIRECTION: f64 = 0.2;
/// Popularity falls as rank^-this. Zipf-like; exponents of 0.6 to 1 are reported for media catalogues (Breslau et al. 1999, "Web
/// caching and Zipf-like distributions"); the low end, since the catalogue holds well-known names only.
pub const POPULARITY_EXPONENT: f64 = 0.6;
/// Popularity of the best-known card: share of listeners who play it.
pub const POPULARITY_TOP: f64 = 0.5;

// What listeners like. The policy never sees any of it.

/// Concentration of the Dirichlet draw of family preferences. At 0.2 over 21 families about three hold most of the mass: few strong
/// genres, as listening data show (Anderson et al. 2020, "Algorithmic effects on the diversity of consumption on Spotify": most
/// listeners are specialists).
pub const FAMILY_CONCENTRATION: f64 = 0.2;
/// Weight of ln(preference / uniform preference) in the log-odds of playing.
pub const FAMILY_WEIGHT: f64 = 0.7;
/// Preference floor, in units of the uniform preference, so that nothing is impossible.
pub const FAMILY_FLOOR: f64 = 0.15;
/// Share of the preferences that drifts to a fresh draw every day: 2 %.
pub const DRIFT: f64 = 0.02;
/// Dimensions of the hidden factors of artists and listeners; other numbers than the embedding's.
pub const FACTORS: usize = 6;
/// Standard deviation of the log-odds that the hidden factors give an artist for a listener.
pub const FACTOR_SD: f64 = 0.5;
/// Standard deviation of a listener's own opinion of an artist.
pub const ARTIST_SD: f64 = 0.5;
/// Standard deviation of a listener's own opinion of a card.
pub const CARD_SD: f64 = 0.3;
/// Standard deviation of how good a card is for everybody, beyond what its popularity tells.
pub const QUALITY_SD: f64 = 0.3;
/// Mean over listeners of the weight of ln(popularity), centred. Common sense: most like what is well known, a little.
pub const POPULARITY_TASTE: f64 = 0.35;
/// Its standard deviation over listeners: some avoid what everybody plays.
pub const POPULARITY_TASTE_SD: f64 = 0.25;
/// Mean over listeners of the log-odds of podcasts against music; fewer people play podcasts than music.
pub const PODCAST_APPETITE: f64 = -0.5;
/// Its standard deviation: there are podcast people.
pub const PODCAST_APPETITE_SD: f64 = 0.8;
/// Log-odds added for podcasts in the morning, taken off in the evening: spoken word belongs to the way to work.
pub const PODCAST_MORNING: f64 = 0.4;
/// Standard deviation over listeners of that difference.
pub const PODCAST_MORNING_SD: f64 = 0.4;
/// Standard deviation of a listener's log-odds for a kind of card (album, artist, mix).
pub const KIND_SD: f64 = 0.3;
/// Artists that a listener would love and that nothing in the catalogue gives away ("hidden taste").
pub const FAVOURITES: usize = 10;
/// Log-odds added for them.
pub const FAVOURITE_BOOST: f64 = 1.5;
/// Log-odds taken off for each recent time a card was seen and not played: repeated showing wears out (Ma et al. 2016, "User
/// fatigue in online news recommendation": the click rate falls with every repeated display).
pub const FATIGUE: f64 = 0.3;
/// Most recent showings that count.
pub const FATIGUE_MOST: f64 = 5.0;
/// Time in which half of the fatigue goes.
pub const FATIGUE_HALF_LIFE_MS: f64 = 4.0 * DAY_MS as f64;
/// Log-odds of playing a card about which all of the above says nothing. Set so that a uniformly drawn page is played at about
/// 4 % of the cards seen (a test holds it there).
pub const BASE_LOGIT: f64 = -3.4;

// What a play is.

/// Chances that a play ends within 5 s, within 30 s and before the end (P. Lamere 2014, "The Skip", musicmachinery.com, from
/// billions of plays).
pub const SKIP_WITHIN: [f64; 3] = [0.2414, 0.3505, 0.486];
/// Length of a play to the end, in milliseconds: a song, or the part of an album or mix that people stay for.
pub const MUSIC_PLAY_MS: u32 = 220_000;
/// The same for an episode of a podcast.
pub const PODCAST_PLAY_MS: u32 = 1_800_000;

// Who has a history already.

/// Share of listeners who come with an imported history; the others start with nothing.
pub const WITH_HISTORY: f64 = 0.5;
/// Fewest and most plays of an imported history: short.
pub const HISTORY_PLAYS: [u32; 2] = [15, 60];
/// Days before the first visit over which it is spread.
pub const HISTORY_DAYS: i64 = 45;
