//! MovieLens genres: real listeners replay their real sequence of ratings; shelves are genres.
//!
//! A listener's ratings are taken in the order of their times. The first fifth is history: titles rated at least 4 are plays of the
//! past. The rest falls into windows of ten ratings, one visit each. The page holds the titles of the coming window and, for each title
//! liked in it, as many strangers as [`STRANGERS`] of the nearest popularity that the listener never rated; a shelf for each genre,
//! cards by falling popularity, genres by name. The listener looks down the page as in a cascade that no play ends; a card seen is a
//! hit when they rate it at least 4 in the coming window. After the visit the device is told of the window's other liked titles as
//! plays from elsewhere.
//!
//! The core receives: id, first genre as family, share of other listeners who like the title, an embedding from other listeners'
//! likes, the past plays, and what was seen and played. Nobody's own later ratings have a part in any of it: listeners fall into
//! [`FOLDS`] folds, and what a fold is given comes from the other folds. (Others' ratings are taken from all times.)
//!
//! All constants were fixed before a policy ran in this world.

use std::collections::BTreeMap;
use std::path::Path;

use ears_only::bundle::{Bundle, BundleSettings};
use ears_only::clock::{HOUR_MS, Timestamp};
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{Card, CardHandle, CardKind, Page, Visible};
use ears_only::policy::{PagePolicy, Policy as _, Rule};
use ears_only::random::{Purpose, Seed};
use ears_only::ranker::{Ranker, ShelfSource};
use ears_only::slate::Candidates;
use ears_world::chance::{Draw, Key};
use serde::{Deserialize, Serialize};

use super::judge::{Judged, judge};
use super::units::{self, Units};
use crate::data::{find, lines};
use crate::error::LabError;
use crate::propensities::subjects::Told;
use crate::replay::embedding;

/// Fewest ratings of a listener: two windows and a history.
pub const MIN_RATINGS: usize = 40;
/// Ratings of a window.
pub const WINDOW: usize = 10;
/// A rating of at least this is a like.
pub const LIKED: f32 = 4.0;
/// Strangers beside each liked title.
pub const STRANGERS: usize = 5;
/// Groups of listeners; what one is given is learned from the others.
pub const FOLDS: usize = 5;
/// Shelves and cards visible without scrolling, and the chances of going on: as in the Last.fm Home world.
pub const VISIBLE: Visible = Visible { shelves: 2, cards: 3 };
/// Chance that the listener goes on to the next shelf.
pub const NEXT_SHELF: f64 = 0.85;
/// Chance that the listener goes on to the next card.
pub const NEXT_CARD: f64 = 0.7;
/// Least time between two visits: half a day. Many listeners rated for hours on end.
pub const BETWEEN_MS: i64 = 12 * HOUR_MS;
/// A title is played for as long as a film.
const PLAY_MS: u32 = 6_000_000;
/// Time between two cards looked at.
const LOOK_MS: i64 = 1_500;

/// A rating.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rating {
    /// When, in milliseconds.
    pub at: i64,
    /// Number of the title.
    pub title: u32,
    /// Stars.
    pub stars: f32,
}

/// The data of the world.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Ratings of each listener in order of time, then title.
    pub listeners: Vec<Vec<Rating>>,
    /// First genre of each title.
    pub genres: Vec<String>,
}

impl Data {
    /// Reads the data set found under `data`.
    ///
    /// # Errors
    /// When a file is missing, cannot be read or holds something else.
    pub fn read(data: &Path) -> Result<Self, LabError> {
        let movies = find(data, "movies.csv.gz")?;
        let ratings = movies.with_file_name("ratings.csv.gz");
        let mut ids: BTreeMap<u64, (u32, String)> = BTreeMap::new();
        lines(&movies, "movie,title,genres", |line| {
            // Titles may hold commas; ids and genres do not.
            let (id, rest) = line.split_once(',')?;
            let (_, genres) = rest.rsplit_once(',')?;
            ids.insert(id.parse().ok()?, (0, genres.split('|').next()?.to_owned()));
            Some(())
        })?;
        for (number, entry) in ids.values_mut().enumerate() {
            entry.0 = number as u32;
        }
        let mut listeners: BTreeMap<u64, Vec<Rating>> = BTreeMap::new();
        lines(&ratings, "user,movie,rating,t", |line| {
            let fields: Vec<&str> = line.split(',').collect();
            let [user, movie, stars, at] = fields.as_slice() else { return None };
            let title = ids.get(&movie.parse().ok()?)?.0;
            let at: i64 = at.parse().ok()?;
            let rating = Rating { at: at * 1_000, title, stars: stars.parse().ok()? };
            listeners.entry(user.parse().ok()?).or_default().push(rating);
            Some(())
        })?;
        let mut listeners: Vec<Vec<Rating>> = listeners.into_values().collect();
        for ratings in &mut listeners {
            ratings.sort_by_key(|rating| (rating.at, rating.title));
        }
        Ok(Self { listeners, genres: ids.into_values().map(|(_, genre)| genre).collect() })
    }

    /// No shelf has more cards, and no page more shelves.
    #[must_use]
    pub fn longest_list(&self) -> usize {
        WINDOW * (1 + STRANGERS)
    }
}

/// What to simulate.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Draws of how far listeners look; all listeners take part in each.
    pub seeds: Vec<u64>,
    /// Listeners, the first of those with enough ratings; `None` takes all.
    pub listeners: Option<usize>,
    /// The model that the core starts with.
    pub model: BundleSettings,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// What a fold is given, from the other folds.
struct Given {
    popularity: Vec<f64>,
    by_rank: Vec<u32>,
    rank_of: Vec<usize>,
    embeddings: Vec<f32>,
}

impl Given {
    fn learn(data: &Data, fold: usize) -> Self {
        let titles = data.genres.len();
        let mut counts = vec![0u32; titles];
        let likes: Vec<Vec<(u32, u32)>> = data
            .listeners
            .iter()
            .enumerate()
            .filter(|(listener, _)| listener % FOLDS != fold)
            .map(|(_, ratings)| {
                let mut likes: Vec<(u32, u32)> = ratings.iter().filter(|r| r.stars >= LIKED).map(|r| (r.title, 1)).collect();
                likes.sort_unstable();
                likes
            })
            .collect();
        for (title, _) in likes.iter().flatten() {
            counts[*title as usize] += 1;
        }
        let mut by_rank: Vec<u32> = (0..titles as u32).collect();
        by_rank.sort_by(|a, b| counts[*b as usize].cmp(&counts[*a as usize]).then(a.cmp(b)));
        let mut rank_of = vec![0; titles];
        for (rank, title) in by_rank.iter().enumerate() {
            rank_of[*title as usize] = rank;
        }
        let rows: Vec<&[(u32, u32)]> = likes.iter().map(Vec::as_slice).collect();
        let people = likes.len().max(1) as f64;
        Self {
            popularity: counts.iter().map(|count| f64::from(*count) / people).collect(),
            embeddings: embedding::of_artists(&rows, titles),
            by_rank,
            rank_of,
        }
    }

    fn card(&self, data: &Data, title: u32) -> Card {
        let embedding = &self.embeddings[title as usize * embedding::DIMENSIONS..][..embedding::DIMENSIONS];
        let known = embedding.iter().any(|v| *v != 0.0);
        Card {
            id: format!("title:{title}"),
            family: data.genres[title as usize].clone(),
            kind: CardKind::Other,
            popularity: Some(self.popularity[title as usize] as f32),
            embedding: if known { embedding.to_vec() } else { Vec::new() },
            ..Card::default()
        }
    }
}

/// A visit: when, what stands on the page, what is liked in the coming window.
struct Visit {
    at: Timestamp,
    shelves: Vec<(String, Vec<u32>)>,
    liked: Vec<u32>,
}

/// The history of a listener, and their visits.
fn visits(data: &Data, given: &Given, ratings: &[Rating]) -> (Vec<Rating>, Vec<Visit>) {
    let history = ratings.len() / 5;
    let mut rated: Vec<u32> = ratings.iter().map(|rating| rating.title).collect();
    rated.sort_unstable();
    let mut visits = Vec::new();
    let mut earliest = i64::MIN;
    for window in ratings[history..].chunks(WINDOW).filter(|window| window.len() == WINDOW) {
        let liked: Vec<u32> = window.iter().filter(|r| r.stars >= LIKED).map(|r| r.title).collect();
        let at = window[0].at.max(earliest);
        earliest = at + BETWEEN_MS;
        let mut page: Vec<u32> = window.iter().map(|rating| rating.title).collect();
        for title in &liked {
            let rank = given.rank_of[*title as usize];
            let near = (1..given.by_rank.len()).flat_map(|by| [rank.checked_sub(by), Some(rank + by)]).flatten();
            let strangers = near.filter_map(|rank| given.by_rank.get(rank).copied());
            let strangers: Vec<u32> =
                strangers.filter(|t| rated.binary_search(t).is_err() && !page.contains(t)).take(STRANGERS).collect();
            page.extend(strangers);
        }
        let mut shelves: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for title in page {
            shelves.entry(&data.genres[title as usize]).or_default().push(title);
        }
        let shelves = shelves.into_iter().map(|(genre, mut titles)| {
            titles.sort_by_key(|title| given.rank_of[*title as usize]);
            (genre.to_owned(), titles)
        });
        visits.push(Visit { at: Timestamp::clamped(at), shelves: shelves.collect(), liked });
    }
    (ratings[..history].to_vec(), visits)
}

/// The core on one listener's device.
struct Device<'a> {
    data: &'a Data,
    given: &'a Given,
    ranker: Ranker,
    cards: BTreeMap<u32, CardHandle>,
}

impl Device<'_> {
    fn handle(&mut self, title: u32) -> Result<CardHandle, LabError> {
        if let Some(handle) = self.cards.get(&title) {
            return Ok(*handle);
        }
        let handle = self.ranker.catalogue_mut().register(self.given.card(self.data, title))?;
        self.cards.insert(title, handle);
        Ok(handle)
    }

    fn played(&mut self, title: u32, at: Timestamp, now: Timestamp) -> Result<(), LabError> {
        let card = self.handle(title)?;
        let play = ListeningEvent { kind: EventKind::Play, decision: None, shelf: None, card, ms_played: Some(PLAY_MS), at };
        Ok(self.ranker.observe(&play, now)?)
    }

    /// Ranks the page, lets the listener look, and tells what came of it; titles seen, and whether `told` wants more.
    fn visit(&mut self, visit: &Visit, look: &Look, told: Told<'_>) -> Result<(Vec<u32>, bool), LabError> {
        let mut builder = Page::builder(VISIBLE);
        let mut shelves = Vec::new();
        for (genre, titles) in &visit.shelves {
            let shelf = self.ranker.catalogue_mut().register_shelf(genre, genre, genre)?;
            builder.shelf(shelf, false);
            shelves.push(shelf);
            for title in titles {
                builder.card(self.handle(*title)?, false);
            }
        }
        let flat: Vec<u32> = visit.shelves.iter().flat_map(|(_, titles)| titles.iter().copied()).collect();
        let ranked = self.ranker.rank(&builder.build()?, visit.at)?;
        let more = told(&self.ranker, &ranked);
        let mut placed = Vec::new();
        for shelf in &ranked.shelves {
            // No local shelves were asked for.
            let ShelfSource::Page(index) = shelf.source else { continue };
            let titles = ranked.cards[shelf.cards.clone()].iter().filter_map(|card| card.index.map(|at| flat[at]));
            placed.push((index, titles.collect::<Vec<u32>>()));
        }
        let mut at = visit.at;
        let seen = look.down(&placed);
        for &(index, title) in &seen {
            at = at.plus_ms(LOOK_MS);
            let card = self.handle(title)?;
            let place = (Some(ranked.id), Some(shelves[index]));
            let event = |kind, ms_played, at| ListeningEvent { kind, decision: place.0, shelf: place.1, card, ms_played, at };
            self.ranker.observe(&event(EventKind::Impression, None, at), at)?;
            if visit.liked.contains(&title) {
                self.ranker.observe(&event(EventKind::Finish, Some(PLAY_MS), at), at)?;
            }
        }
        self.ranker.end_session(at);
        let seen: Vec<u32> = seen.into_iter().map(|(_, title)| title).collect();
        for title in visit.liked.iter().filter(|title| !seen.contains(title)) {
            self.played(*title, at, at)?;
        }
        Ok((seen, more))
    }
}

/// How far a listener looks on one visit.
struct Look {
    shelves: usize,
    key: Key,
}

impl Look {
    fn new(seed: u64, listener: usize, visit: usize) -> Self {
        let key = Key::new(seed, Draw::Visit).with(listener as u64).with(visit as u64);
        Self { shelves: 1 + key.with(1).steps(NEXT_SHELF), key: key.with(2) }
    }

    /// Shelf and title of everything seen, in order.
    fn down(&self, placed: &[(usize, Vec<u32>)]) -> Vec<(usize, u32)> {
        let mut seen = Vec::new();
        for (position, (shelf, titles)) in placed.iter().enumerate().take(self.shelves) {
            let depth = 1 + self.key.with(position as u64).steps(NEXT_CARD);
            seen.extend(titles.iter().take(depth).map(|title| (*shelf, *title)));
        }
        seen
    }
}

/// The page in the order of `logit` for shelves and cards, or drawn uniformly.
fn ordered(visit: &Visit, rule: Rule, logit: impl Fn(u32) -> f64, seed: Seed) -> Result<Vec<(usize, Vec<u32>)>, LabError> {
    let cards: Vec<Vec<f64>> =
        visit.shelves.iter().map(|(_, titles)| titles.iter().map(|title| logit(*title)).collect()).collect();
    let value = |logits: &Vec<f64>| {
        let mut best = logits.clone();
        best.sort_by(|a, b| b.total_cmp(a));
        best.iter().zip([1.0, NEXT_CARD, NEXT_CARD * NEXT_CARD]).map(|(p, seen)| p * seen).sum::<f64>()
    };
    let shelves = cards.iter().map(value).collect();
    let longest = cards.iter().map(Vec::len).max().unwrap_or(0);
    let all = Candidates::free(shelves, &cards, Visible { shelves: cards.len(), cards: longest });
    let slate = PagePolicy::of(rule).draw(&all, &mut seed.stream(Purpose::Host, 0))?;
    let of = |shelf: &ears_only::slate::PlacedShelf| {
        let index = shelf.placed.index as usize;
        let titles = slate.cards[shelf.cards.clone()].iter().map(|card| visit.shelves[index].1[card.index as usize]);
        (index, titles.collect())
    };
    Ok(slate.shelves.iter().map(of).collect())
}

/// Hits of one listener under each policy, and how many there were to find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hits {
    /// The shipped core.
    pub ears: u64,
    /// Titles by the share of others who like them, genres by their best titles.
    pub popularity: u64,
    /// Uniform pages.
    pub random: u64,
    /// What the coming windows hold first: nobody can do better.
    pub oracle: u64,
    /// Visits.
    pub visits: u64,
}

/// The device of a listener with the history taken in, and their visits.
fn device<'a>(
    data: &'a Data,
    given: &'a Given,
    listener: usize,
    seed: u64,
    model: &BundleSettings,
) -> Result<(Device<'a>, Vec<Visit>), LabError> {
    let (history, visits) = visits(data, given, &data.listeners[listener]);
    let draw = Seed::from_number(seed << 32 | listener as u64);
    let ranker = Ranker::seeded(Bundle::new(model.clone())?, draw)?;
    let mut device = Device { data, given, ranker, cards: BTreeMap::new() };
    if let Some(first) = visits.first() {
        for rating in history.iter().filter(|rating| rating.stars >= LIKED) {
            device.played(rating.title, Timestamp::clamped(rating.at), first.at)?;
        }
    }
    Ok((device, visits))
}

/// Ranks pages of all listeners until `told` has seen enough.
///
/// # Errors
/// When nobody has enough ratings, or the core refuses something.
pub fn watched(data: &Data, model: &BundleSettings, told: Told<'_>) -> Result<(), LabError> {
    let given = Given::learn(data, 0);
    let listeners: Vec<usize> = (0..data.listeners.len()).filter(|l| data.listeners[*l].len() >= MIN_RATINGS).collect();
    if listeners.is_empty() {
        return Err(LabError::unreadable(format!("expected a listener with at least {MIN_RATINGS} ratings, got none")));
    }
    for seed in 1.. {
        for &listener in &listeners {
            let (mut device, visits) = device(data, &given, listener, seed, model)?;
            for (number, visit) in visits.iter().enumerate() {
                if !device.visit(visit, &Look::new(seed, listener, number), &mut *told)?.1 {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn replay(data: &Data, given: &Given, listener: usize, seed: u64, model: &BundleSettings) -> Result<Hits, LabError> {
    let (mut device, visits) = device(data, given, listener, seed, model)?;
    let mut hits = Hits { visits: visits.len() as u64, ..Hits::default() };
    for (number, visit) in visits.iter().enumerate() {
        let look = Look::new(seed, listener, number);
        let count = |seen: &[(usize, u32)]| seen.iter().filter(|(_, title)| visit.liked.contains(title)).count() as u64;
        let draw = Seed::from_number(seed << 44 | (listener as u64) << 20 | number as u64);
        let popularity = ordered(visit, Rule::greedy(), |title| given.popularity[title as usize], draw.clone())?;
        hits.popularity += count(&look.down(&popularity));
        hits.random += count(&look.down(&ordered(visit, Rule::uniform(), |_| 0.0, draw.clone())?));
        let liked = |title: u32| f64::from(u8::from(visit.liked.contains(&title)));
        hits.oracle += count(&look.down(&ordered(visit, Rule::greedy(), liked, draw)?));
        let (seen, _) = device.visit(visit, &look, &mut |_, _| true)?;
        hits.ears += seen.iter().filter(|title| visit.liked.contains(title)).count() as u64;
    }
    Ok(hits)
}

/// The result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// 1.
    pub format: u32,
    /// movielens.
    pub world: String,
    /// The draws.
    pub seeds: Vec<u64>,
    /// Listeners.
    pub listeners: usize,
    /// Visits of all listeners in one draw.
    pub visits: u64,
    /// Hits for each visit by policy, mean over visits and draws.
    pub hits: BTreeMap<String, f64>,
    /// The core against the others, paired by listener.
    pub comparisons: Vec<Judged>,
}

/// Runs the world; calls `progress` with the number of units done and of all.
///
/// # Errors
/// When there is nothing to run, or the core refuses something.
pub fn run(data: &Data, settings: &Settings, kept: &Units, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Report, LabError> {
    let mut listeners: Vec<usize> = (0..data.listeners.len()).filter(|l| data.listeners[*l].len() >= MIN_RATINGS).collect();
    let wanted = settings.listeners.unwrap_or(listeners.len());
    if settings.seeds.is_empty() || wanted < 1 || wanted > listeners.len() {
        return Err(LabError::unreadable(format!(
            "expected at least one seed and 1 to {} listeners (those with at least {MIN_RATINGS} ratings), got {} and {wanted}",
            listeners.len(),
            settings.seeds.len()
        )));
    }
    listeners.truncate(wanted);
    let folds: Vec<usize> = (0..FOLDS).collect();
    let done = std::sync::atomic::AtomicU64::new(0);
    let runs: Vec<Vec<Vec<Hits>>> = units::each(&folds, settings.threads, |&fold| {
        let model = settings.model.version.as_deref().unwrap_or(ears_only::bundle::BUILT_IN_VERSION);
        let given = std::cell::OnceCell::new();
        let of_seed = |&seed: &u64| {
            let hits = kept.unit(&format!("movielens, fold {fold}, seed {seed}, {wanted} listeners, model {model}"), || {
                let given = given.get_or_init(|| Given::learn(data, fold));
                listeners.iter().filter(|l| *l % FOLDS == fold).map(|l| replay(data, given, *l, seed, &settings.model)).collect()
            })?;
            progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, (FOLDS * settings.seeds.len()) as u64);
            Ok(hits)
        };
        settings.seeds.iter().map(of_seed).collect()
    })?;
    Ok(report(settings, wanted, &runs))
}

fn report(settings: &Settings, listeners: usize, runs: &[Vec<Vec<Hits>>]) -> Report {
    // Sums over draws, one number for each listener.
    let column = |value: &dyn Fn(&Hits) -> u64| -> Vec<f64> {
        runs.iter()
            .flat_map(|fold| {
                let people = fold.first().map_or(0, Vec::len);
                (0..people).map(move |person| fold.iter().map(|seed| value(&seed[person]) as f64).sum())
            })
            .collect()
    };
    let [ears, popularity, random, oracle] =
        [column(&|h| h.ears), column(&|h| h.popularity), column(&|h| h.random), column(&|h| h.oracle)];
    let visits: f64 = column(&|h| h.visits).iter().sum();
    let mean = |hits: &[f64]| hits.iter().sum::<f64>() / visits.max(1.0);
    let named = [("ears", &ears), ("popularity", &popularity), ("random", &random), ("oracle", &oracle)];
    Report {
        format: 1,
        world: "movielens".into(),
        seeds: settings.seeds.clone(),
        listeners,
        visits: visits as u64 / settings.seeds.len().max(1) as u64,
        hits: named.iter().map(|(name, hits)| ((*name).to_owned(), mean(hits))).collect(),
        comparisons: judge("ears", &ears, &[("popularity", &popularity), ("random", &random), ("oracle", &oracle)]),
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} listeners, {} visits, {} draws of how far they look\n\nliked titles seen on a visit, mean\n",
            self.listeners,
            self.visits,
            self.seeds.len()
        );
        for (name, hits) in &self.hits {
            text.push_str(&format!("  {name:<12} {hits:>8.3}\n"));
        }
        text.push_str("\nrelative difference, paired 95 % interval over listeners\n");
        for judged in &self.comparisons {
            text.push_str(&format!("  {}\n", judged.line(self.listeners)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two circles with a genre each: every listener likes half of their circle's titles and rates a few of the other's low.
    fn data() -> Data {
        let listeners = (0..30u32).map(|u| {
            let own = (0..60u32).filter(move |t| (t * 7 + u / 2 * 3) % 5 < 3);
            let rate = move |(i, t): (usize, u32)| {
                let liked = i % 5 != 0;
                let title = if liked { t + 60 * (u % 2) } else { t + 60 * (1 - u % 2) };
                Rating { at: 1_000_000_000_000 + i as i64 * 60_000, title, stars: if liked { 4.5 } else { 2.0 } }
            };
            own.enumerate().map(rate).chain((0..6).map(|i| rate((36 + i, (i as u32 * 11 + u) % 60)))).collect()
        });
        let genres = (0..120).map(|t| if t < 60 { "Drama" } else { "Western" }.to_owned());
        Data { listeners: listeners.collect(), genres: genres.collect() }
    }

    #[test]
    fn the_core_finds_the_circle_of_a_listener_and_repeats_itself() {
        let settings = |threads| Settings { seeds: vec![1, 2], listeners: Some(15), model: BundleSettings::default(), threads };
        let report = run(&data(), &settings(1), &Units::nowhere(), &|_, _| ()).unwrap();
        assert_eq!(report, run(&data(), &settings(3), &Units::nowhere(), &|_, _| ()).unwrap());
        assert!(report.hits["ears"] > report.hits["random"] && report.hits["oracle"] > report.hits["ears"], "{:?}", report.hits);
        let none = Settings { listeners: Some(31), ..settings(1) };
        assert!(run(&data(), &none, &Units::nowhere(), &|_, _| ()).is_err());
    }

    #[test]
    fn what_a_fold_is_given_does_not_hold_its_own_ratings() {
        let all = data();
        let mut changed = all.clone();
        for listener in (0..30).filter(|listener| listener % FOLDS == 2) {
            changed.listeners[listener].iter_mut().for_each(|rating| rating.stars = 5.0);
        }
        let (before, after) = (Given::learn(&all, 2), Given::learn(&changed, 2));
        assert_eq!((before.popularity, before.embeddings), (after.popularity, after.embeddings));
        assert_ne!(Given::learn(&all, 1).popularity, Given::learn(&changed, 1).popularity);
    }

    #[test]
    fn pages_hold_the_coming_window_among_strangers_of_equal_popularity() {
        let data = data();
        let given = Given::learn(&data, 0);
        let ratings = &data.listeners[0];
        let (history, visits) = visits(&data, &given, ratings);
        assert_eq!((history.len(), visits.len()), (ratings.len() / 5, (ratings.len() - ratings.len() / 5) / WINDOW));
        for (number, visit) in visits.iter().enumerate() {
            let window = &ratings[history.len() + number * WINDOW..][..WINDOW];
            let mut page: Vec<u32> = visit.shelves.iter().flat_map(|(_, titles)| titles.clone()).collect();
            assert!(window.iter().all(|rating| page.contains(&rating.title)));
            page.sort_unstable();
            let all = page.len();
            page.dedup();
            assert_eq!(page.len(), all);
            let later = |title: &u32| ratings.iter().any(|r| r.title == *title) && !window.iter().any(|r| r.title == *title);
            assert!(!page.iter().any(later), "no stranger was ever rated");
        }
        assert!(visits.windows(2).all(|pair| pair[1].at.ms() - pair[0].at.ms() >= BETWEEN_MS));
    }
}
