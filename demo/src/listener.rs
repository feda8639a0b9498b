//! One listener: who they are, what their device has learned by a day, and the page that the server sends then.

use ears_only::bundle::Bundle;
use ears_only::error::Error;
use ears_only::page::CardKind;
use ears_only::ranker::{RankedPage, Ranker, ShelfSource};
use ears_world::listener::Listener;
use ears_world::run::{Life, Moment, Run};
use serde::Serialize;

use crate::month::places;

/// Families that a portrait names.
const NAMED: usize = 3;

/// Who a listener is: by the truth of the world, which no policy is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Portrait {
    /// Their number.
    pub number: u32,
    /// Titles of the families they like best on the evening of the first day, best first.
    pub likes: Vec<String>,
    /// Plays of an imported history; 0 for a new listener.
    pub history: usize,
}

/// Draws the portrait of a listener.
#[must_use]
pub fn portrait(run: &Run<'_>, number: u32) -> Portrait {
    let listener = Listener::new(run.world, run.seed, number);
    Portrait { number, likes: likes(run, &listener), history: listener.history().len() }
}

/// The families whose cards the listener plays with the highest mean chance.
fn likes(run: &Run<'_>, listener: &Listener<'_>) -> Vec<String> {
    let at = listener.visit(0, 1).at;
    let catalogue = run.world.catalogue();
    let mut sums = vec![(0.0, 0.0); catalogue.families().len()];
    for (number, item) in (0u32..).zip(catalogue.items()) {
        if let Some((sum, count)) = sums.get_mut(item.family as usize) {
            *sum += listener.true_chance(number, at);
            *count += 1.0;
        }
    }
    let mut families: Vec<(f64, &str)> = sums
        .iter()
        .zip(catalogue.families())
        .map(|((sum, count), family)| (sum / f64::max(*count, 1.0), family.title.as_str()))
        .collect();
    families.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    families.into_iter().take(NAMED).map(|(_, title)| title.to_owned()).collect()
}

/// A day of a listener with the shipped core, and of what it is compared with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Day {
    /// Streams under the shipped core.
    pub ears: u64,
    /// On uniform pages.
    pub random: u64,
    /// On the best pages by the truth.
    pub oracle: u64,
    /// Mean standard deviation of the scores of the day's last page.
    pub sd: f64,
    /// Share of visible places with something else than what scores highest.
    pub explored: f64,
}

/// A card as the server sends it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SentCard {
    id: String,
    title: String,
    artist: String,
    family: String,
    /// Title of the family.
    genre: String,
    kind: &'static str,
    popularity: f32,
    embedding: Vec<f32>,
    year: Option<u32>,
}

/// A shelf as the server sends it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SentShelf {
    id: String,
    kind: &'static str,
    title: String,
    cards: Vec<SentCard>,
}

/// A listener's days, and the page of the morning after them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Story {
    /// Who they are.
    pub portrait: Portrait,
    /// What happened.
    pub days: Vec<Day>,
    /// When they come next: milliseconds since the Unix epoch.
    pub at: i64,
    /// What the server sends then.
    pub page: Vec<SentShelf>,
    /// Ids of the shelves as this module's core puts that page in order, each with those of its cards: what the package on the page must
    /// come to as well.
    pub order: Vec<(String, Vec<String>)>,
}

/// A listener's days under way.
pub struct Biography {
    run: Run<'static>,
    life: Life<'static>,
    /// Streams by day on uniform pages, and on the best ones by the truth.
    others: [Vec<u64>; 2],
    days: Vec<Day>,
}

impl Biography {
    /// A listener before the first day.
    ///
    /// # Errors
    /// When the core refuses a card or an event.
    pub fn new(run: Run<'static>, bundle: &Bundle, number: u32) -> Result<Self, Error> {
        let others = [run.random(number)?, run.oracle(number)?];
        Ok(Self { run, life: Life::new(run, bundle, number)?, others, days: Vec::new() })
    }

    /// Days that are lived.
    #[must_use]
    pub fn day(&self) -> u32 {
        self.life.day()
    }

    /// Lives a day; whether there is more.
    ///
    /// # Errors
    /// When the core refuses a page or an event.
    pub fn step(&mut self) -> Result<bool, Error> {
        if self.day() < self.run.days {
            let (mut other, mut all, mut sd, mut problem) = (0, 0, 0.0, None);
            let day = self.day() as usize;
            let ears = self.life.live(&mut |moment| {
                if let Moment::Ranked { device, ranked, .. } = moment {
                    let (o, a) = places(ranked);
                    other += o;
                    all += a;
                    match spread(&device.ranker, ranked) {
                        Ok(spread) => sd = spread,
                        Err(error) => problem = Some(error),
                    }
                }
                true
            })?;
            if let Some(problem) = problem {
                return Err(problem);
            }
            let of = |policy: &[u64]| policy.get(day).copied().unwrap_or(0);
            let [random, oracle] = &self.others;
            self.days.push(Day {
                ears,
                random: of(random),
                oracle: of(oracle),
                sd,
                explored: other as f64 / f64::max(all as f64, 1.0),
            });
        }
        Ok(self.day() < self.run.days)
    }

    /// What the listener's device has stored.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.life.device().ranker.snapshot()
    }

    /// The days, and the morning after them, on which the device ranks once more.
    ///
    /// # Errors
    /// When the core refuses the page.
    pub fn end(mut self) -> Result<Story, Error> {
        let (run, number) = (self.run, self.life.listener().number());
        let catalogue = run.world.catalogue();
        let sent_now = run.candidates.page(run.seed, number, self.day());
        let id = |item: &u32| catalogue.items()[*item as usize].card.id.clone();
        let mut story = Story { portrait: portrait(&run, number), days: self.days, at: 0, page: Vec::new(), order: Vec::new() };
        self.life.live(&mut |moment| {
            if let Moment::Ranked { visit, ranked, shown, .. } = moment {
                story.at = visit.at.ms();
                let shelves = ranked.shelves.iter().filter_map(|shelf| match shelf.source {
                    ShelfSource::Page(index) => sent_now.get(index).map(|shelf| shelf.id.clone()),
                    ShelfSource::Local(_) => None,
                });
                let cards = shown.items.iter().map(|items| items.iter().map(id).collect());
                story.order = shelves.zip(cards).collect();
            }
            false
        })?;
        story.page = sent_now
            .into_iter()
            .map(|shelf| SentShelf {
                id: shelf.id,
                kind: shelf.kind,
                title: shelf.title,
                cards: shelf.cards.iter().map(|item| sent(catalogue, *item)).collect(),
            })
            .collect();
        Ok(story)
    }
}

/// Mean standard deviation of a page's scores.
fn spread(ranker: &Ranker, ranked: &RankedPage) -> Result<f64, Error> {
    let explained = ranker.explain(ranked.id)?;
    let sds: Vec<f64> = explained.shelves.iter().flat_map(|shelf| &shelf.cards).filter_map(|card| card.sd).collect();
    Ok(sds.iter().sum::<f64>() / f64::max(sds.len() as f64, 1.0))
}

fn sent(catalogue: &ears_world::catalogue::DemoCatalogue, item: u32) -> SentCard {
    let item = &catalogue.items()[item as usize];
    let card = &item.card;
    SentCard {
        id: card.id.clone(),
        title: card.title.clone(),
        artist: card.artist.clone(),
        family: card.family.clone(),
        genre: catalogue.families()[item.family as usize].title.clone(),
        kind: match card.kind {
            CardKind::Artist => "artist",
            CardKind::Album => "album",
            CardKind::Podcast => "podcast",
            _ => "playlist",
        },
        popularity: card.popularity.unwrap_or(0.0),
        embedding: card.embedding.clone(),
        year: item.year,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lived(run: Run<'static>, number: u32) -> Biography {
        let mut biography = Biography::new(run, &crate::bundle().unwrap(), number).unwrap();
        while biography.step().unwrap() {}
        biography
    }

    #[test]
    fn a_story_is_the_listener_s_part_of_the_run() {
        let run = crate::run(1, 3, 4);
        let bundle = crate::bundle().unwrap();
        let story = lived(run, 2).end().unwrap();
        let days: Vec<u64> = story.days.iter().map(|day| day.ears).collect();
        assert_eq!(days, run.ears(&bundle, 2, &mut |_, _| true).unwrap());
        assert_eq!(story.page.len(), 16);
        assert_eq!(story.order.len(), 16);
        assert!(story.days.iter().all(|day| day.sd > 0.0 && (0.0..1.0).contains(&day.explored)));
        assert!(story.at > ears_world::constants::FIRST_DAY_MS + 4 * 86_400_000);
        assert_eq!(story.portrait.likes.len(), 3);
    }

    #[test]
    fn a_device_restored_from_its_snapshot_draws_the_page_of_the_story() {
        let run = crate::run(1, 1, 5);
        let bundle = crate::bundle().unwrap();
        let biography = lived(run, 0);
        let bytes = biography.snapshot();
        let story = biography.end().unwrap();
        let mut device = ears_world::device::Device::new(run.world, &bundle, 1, 0).unwrap();
        device.ranker.restore(&bytes).unwrap();
        let page = run.candidates.page(1, 0, 5);
        let (shown, _) = device.rank(&page, ears_only::clock::Timestamp::clamped(story.at)).unwrap();
        let id = |item: &u32| run.world.catalogue().items()[*item as usize].card.id.clone();
        let cards: Vec<Vec<String>> = shown.items.iter().map(|items| items.iter().map(id).collect()).collect();
        assert_eq!(cards, story.order.iter().map(|(_, cards)| cards.clone()).collect::<Vec<_>>());
    }
}
