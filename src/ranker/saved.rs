//! Snapshot and restore: everything that outlives a visit, as one sealed run of bytes.

use serde::{Deserialize, Serialize};

use super::Ranker;
use super::contribute::Watch;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::feedback::OpenPlay;
use crate::history::{ArtistStats, CardStats, FamilyStats, History, Listen, MAX_AGGREGATES, MAX_EVENTS, Taste, Willingness};
use crate::log::{DecisionId, DecisionLog, DecisionRecord, Impression, LoggedCard, LoggedShelf, MAX_DECISIONS};
use crate::math::falling;
use crate::model::HeadState;
use crate::page::{Card, CardHandle, CardKind, ShelfHandle};
use crate::privacy::Coin;
use crate::store::{Kind, MAX_SNAPSHOT_BYTES, open, seal};

/// What a restored snapshot could not bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// Everything is as it was.
    Whole,
    /// The schema has changed: the history is there, the head starts from its prior.
    HeadRestarted,
}

#[derive(Serialize, Deserialize)]
struct SavedCard {
    id: String,
    title: String,
    artist: String,
    family: String,
    kind: CardKind,
    duration_ms: Option<u32>,
    popularity: Option<f32>,
}

#[derive(Serialize, Deserialize)]
struct SavedShelf {
    id: String,
    kind: String,
    title: String,
}

#[derive(Serialize, Deserialize)]
struct SavedListen {
    card: u32,
    ms: u32,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct SavedImpression {
    shelf: u32,
    card: u32,
    seen_at: Timestamp,
    features: Vec<f32>,
    reward: Option<f32>,
}

#[derive(Serialize, Deserialize)]
struct SavedLoggedShelf {
    shelf: u32,
    propensity: f64,
    cards: Vec<(u32, f64, f32)>,
}

#[derive(Serialize, Deserialize)]
struct SavedDecision {
    id: u64,
    at: Timestamp,
    randomized: bool,
    model_version: String,
    shelves: Vec<SavedLoggedShelf>,
    impressions: Vec<SavedImpression>,
    viewport: bool,
    closed: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedPlay {
    card: u32,
    decision: Option<u64>,
    shelf: Option<u32>,
    started_at: Timestamp,
    reported_ms: u32,
}

#[derive(Serialize, Deserialize)]
struct SavedWatch {
    coin: Coin,
    decision: u64,
    card: Option<u32>,
    started_at: Timestamp,
    ready_at: Timestamp,
    played: bool,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    columns: Vec<String>,
    head: HeadState,
    decisions: u64,
    last_event_at: Timestamp,
    utc_offset_minutes: i32,
    cards: Vec<SavedCard>,
    shelves: Vec<SavedShelf>,
    events: Vec<SavedListen>,
    card_stats: Vec<(u32, CardStats)>,
    artist_stats: Vec<(String, ArtistStats)>,
    family_stats: Vec<(String, FamilyStats)>,
    total: FamilyStats,
    short_taste: Taste,
    long_taste: Taste,
    willingness: Vec<(String, Willingness)>,
    last_listen: Option<SavedListen>,
    log: Vec<SavedDecision>,
    open_play: Option<SavedPlay>,
    watch: Option<SavedWatch>,
}

/// Numbers what a snapshot speaks of, in order of first mention.
#[derive(Default)]
struct Mentions {
    cards: Numbering,
    shelves: Numbering,
}

/// Handle to place in the snapshot's table, and back.
#[derive(Default)]
struct Numbering {
    places: Vec<u32>,
    handles: Vec<u32>,
}

impl Numbering {
    fn place(&mut self, handle: u32) -> u32 {
        let at = handle as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, u32::MAX);
        }
        if self.places[at] == u32::MAX {
            self.places[at] = self.handles.len() as u32;
            self.handles.push(handle);
        }
        self.places[at]
    }
}

impl Mentions {
    fn card(&mut self, card: CardHandle) -> u32 {
        self.cards.place(card.0)
    }

    fn shelf(&mut self, shelf: ShelfHandle) -> u32 {
        self.shelves.place(shelf.0)
    }

    fn listen(&mut self, listen: &Listen) -> SavedListen {
        SavedListen { card: self.card(listen.card), ms: listen.ms, at: listen.at }
    }
}

impl Ranker {
    /// Everything that outlives a visit, at most [`MAX_SNAPSHOT_BYTES`].
    ///
    /// When it would be larger, the oldest half of events and decisions is left out, again and again.
    ///
    /// # Errors
    /// `snapshot_corrupt` when the state cannot be written.
    pub fn snapshot(&self) -> Result<Vec<u8>, Error> {
        let mut halvings = 0;
        loop {
            let bytes = seal(Kind::Snapshot, &self.saved(halvings))?;
            if bytes.len() <= MAX_SNAPSHOT_BYTES || halvings >= 12 {
                return Ok(bytes);
            }
            halvings += 1;
        }
    }

    fn saved(&self, halvings: u32) -> Saved {
        let mut mentions = Mentions::default();
        let history = &self.history;
        let events: Vec<SavedListen> =
            history.events.iter().rev().take(MAX_EVENTS >> halvings).map(|listen| mentions.listen(listen)).collect();
        let ages: Vec<(f64, u32)> = history
            .cards
            .iter()
            .map(|(card, s)| (if s.liked || s.hidden { f64::INFINITY } else { s.touched as f64 }, card))
            .collect();
        let kept = falling(&ages).into_iter().take((2 * MAX_AGGREGATES) >> halvings);
        let card_stats =
            kept.filter_map(|card| history.cards.get(card).map(|stats| (mentions.card(CardHandle(card)), *stats))).collect();
        let log: Vec<SavedDecision> = self
            .log
            .records
            .iter()
            .rev()
            .take(MAX_DECISIONS >> halvings)
            .map(|record| SavedDecision {
                id: record.id.0,
                at: record.at,
                randomized: record.randomized,
                model_version: record.model_version.clone(),
                shelves: record
                    .shelves
                    .iter()
                    .map(|shelf| SavedLoggedShelf {
                        shelf: mentions.shelf(shelf.shelf),
                        propensity: shelf.propensity,
                        cards: shelf.cards.iter().map(|c| (mentions.card(c.card), c.propensity, c.score)).collect(),
                    })
                    .collect(),
                impressions: record
                    .impressions
                    .iter()
                    .map(|i| SavedImpression {
                        shelf: mentions.shelf(i.shelf),
                        card: mentions.card(i.card),
                        seen_at: i.seen_at,
                        features: i.features.clone(),
                        reward: i.reward,
                    })
                    .collect(),
                viewport: record.viewport,
                closed: record.closed,
            })
            .collect();
        let open_play = self.open_play.map(|play| SavedPlay {
            card: mentions.card(play.card),
            decision: play.decision.map(|id| id.0),
            shelf: play.shelf.map(|shelf| mentions.shelf(shelf)),
            started_at: play.started_at,
            reported_ms: play.reported_ms,
        });
        let watch = self.contribution.watch.as_ref().map(|watch| SavedWatch {
            coin: watch.coin,
            decision: watch.decision.0,
            card: watch.card.map(|card| mentions.card(card)),
            started_at: watch.started_at,
            ready_at: watch.ready_at,
            played: watch.played,
        });
        let last_listen = history.last_listen.as_ref().map(|listen| mentions.listen(listen));
        let catalogue = &self.catalogue;
        Saved {
            columns: self.bundle.schema.columns().iter().map(|column| column.name.clone()).collect(),
            head: self.bundle.model.head().state(),
            decisions: self.decisions,
            last_event_at: self.last_event_at,
            utc_offset_minutes: self.utc_offset_minutes,
            cards: mentions
                .cards
                .handles
                .iter()
                .map(|&handle| {
                    let card = catalogue.card(CardHandle(handle));
                    SavedCard {
                        id: card.id.clone(),
                        title: card.title.clone(),
                        artist: card.artist.clone(),
                        family: card.family.clone(),
                        kind: card.kind,
                        duration_ms: card.duration_ms,
                        popularity: card.popularity,
                    }
                })
                .collect(),
            shelves: mentions
                .shelves
                .handles
                .iter()
                .map(|&handle| {
                    let shelf = catalogue.shelf(ShelfHandle(handle));
                    SavedShelf {
                        id: shelf.id.clone(),
                        kind: catalogue.shelf_kind(shelf.kind).to_owned(),
                        title: shelf.title.clone(),
                    }
                })
                .collect(),
            events,
            card_stats,
            artist_stats: history.artists.iter().map(|(n, s)| (catalogue.artists.name(n).to_owned(), *s)).collect(),
            family_stats: history.families.iter().map(|(n, s)| (catalogue.families.name(n).to_owned(), *s)).collect(),
            total: history.total,
            short_taste: history.short_taste.clone(),
            long_taste: history.long_taste.clone(),
            willingness: history.willingness.iter().map(|(n, s)| (catalogue.shelf_kind(n).to_owned(), *s)).collect(),
            last_listen,
            log,
            open_play,
            watch,
        }
    }

    /// Takes back a snapshot. Cards already registered keep their handles and what the app says of them.
    ///
    /// # Errors
    /// `snapshot_corrupt` or `snapshot_newer`; nothing has changed then.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Restored, Error> {
        let saved: Saved = open(Kind::Snapshot, bytes)?;
        let mut catalogue = self.catalogue.clone();
        let mut cards = Vec::with_capacity(saved.cards.len());
        for card in saved.cards {
            cards.push(match catalogue.find(&card.id) {
                Some(handle) => handle,
                None => catalogue.register(Card {
                    id: card.id,
                    title: card.title,
                    artist: card.artist,
                    family: card.family,
                    kind: card.kind,
                    duration_ms: card.duration_ms,
                    popularity: card.popularity,
                    embedding: Vec::new(),
                })?,
            });
        }
        let mut shelves = Vec::with_capacity(saved.shelves.len());
        for shelf in saved.shelves {
            shelves.push(match catalogue.find_shelf(&shelf.id) {
                Some(handle) => handle,
                None => catalogue.register_shelf(&shelf.id, &shelf.kind, &shelf.title)?,
            });
        }
        let broken = || Error::snapshot("snapshot_corrupt", "expected references to saved cards and shelves, got others");
        let card_of = |index: u32| cards.get(index as usize).copied().ok_or_else(broken);
        let shelf_of = |index: u32| shelves.get(index as usize).copied().ok_or_else(broken);
        let listen_of = |saved: &SavedListen| -> Result<Listen, Error> {
            Ok(Listen { card: card_of(saved.card)?, ms: saved.ms, at: saved.at })
        };

        let mut history = History {
            total: saved.total,
            short_taste: saved.short_taste,
            long_taste: saved.long_taste,
            last_listen: saved.last_listen.as_ref().map(listen_of).transpose()?,
            ..History::default()
        };
        for event in saved.events.iter().rev() {
            history.events.push_back(listen_of(event)?);
        }
        for (card, stats) in saved.card_stats {
            *history.cards.entry(card_of(card)?.0) = stats;
        }
        for (name, stats) in saved.artist_stats {
            *history.artists.entry(catalogue.artists.number(&name)) = stats;
        }
        for (name, stats) in saved.family_stats {
            *history.families.entry(catalogue.families.number(&name)) = stats;
        }
        for (name, stats) in saved.willingness {
            *history.willingness.entry(catalogue.shelf_kinds.number(&name)) = stats;
        }
        let mut log = DecisionLog::default();
        for record in saved.log.into_iter().rev() {
            log.push(DecisionRecord {
                id: DecisionId(record.id),
                at: record.at,
                randomized: record.randomized,
                model_version: record.model_version,
                shelves: record
                    .shelves
                    .into_iter()
                    .map(|shelf| {
                        Ok(LoggedShelf {
                            shelf: shelf_of(shelf.shelf)?,
                            propensity: shelf.propensity,
                            cards: shelf
                                .cards
                                .into_iter()
                                .map(|(card, propensity, score)| Ok(LoggedCard { card: card_of(card)?, propensity, score }))
                                .collect::<Result<_, Error>>()?,
                        })
                    })
                    .collect::<Result<_, Error>>()?,
                impressions: record
                    .impressions
                    .into_iter()
                    .map(|i| {
                        Ok(Impression {
                            shelf: shelf_of(i.shelf)?,
                            card: card_of(i.card)?,
                            seen_at: i.seen_at,
                            features: i.features,
                            reward: i.reward,
                        })
                    })
                    .collect::<Result<_, Error>>()?,
                viewport: record.viewport,
                closed: record.closed,
            });
        }
        let open_play = match saved.open_play {
            Some(play) => Some(OpenPlay {
                card: card_of(play.card)?,
                decision: play.decision.map(DecisionId),
                shelf: play.shelf.map(shelf_of).transpose()?,
                started_at: play.started_at,
                reported_ms: play.reported_ms,
            }),
            None => None,
        };
        let watch = match saved.watch {
            Some(watch) => Some(Watch {
                coin: watch.coin,
                decision: DecisionId(watch.decision),
                card: watch.card.map(card_of).transpose()?,
                started_at: watch.started_at,
                ready_at: watch.ready_at,
                played: watch.played,
            }),
            None => None,
        };
        let columns = self.bundle.schema.columns();
        let same =
            saved.columns.len() == columns.len() && saved.columns.iter().zip(columns).all(|(name, column)| *name == column.name);
        let head = if same { self.bundle.model.head().with_state(saved.head) } else { None };

        // Everything was read: from here on nothing can fail.
        let restored = match head {
            Some(head) => {
                *self.bundle.model.head_mut() = head;
                Restored::Whole
            }
            None => {
                self.bundle.model.head_mut().restart();
                let width = self.bundle.schema.width();
                for impression in log.records.iter_mut().flat_map(|record| &mut record.impressions) {
                    if impression.features.len() != width.next_multiple_of(4) || !same {
                        impression.features.clear();
                    }
                }
                Restored::HeadRestarted
            }
        };
        self.catalogue = catalogue;
        self.history = history;
        self.log = log;
        self.open.clear();
        self.open_play = open_play;
        self.decisions = saved.decisions;
        self.last_event_at = saved.last_event_at;
        self.utc_offset_minutes = saved.utc_offset_minutes;
        self.contribution.watch = watch.filter(|_| self.consent.contribute);
        Ok(restored)
    }

    /// Forgets the listener: history, log, everything learned, a running probe. The ledger keeps its dates.
    ///
    /// The cards the app registered stay known until the end of the visit; none is saved any more.
    pub fn reset(&mut self) {
        self.history = History::default();
        self.log = DecisionLog::default();
        self.open.clear();
        self.open_play = None;
        self.last_event_at = Timestamp::default();
        self.decisions = 0;
        self.bundle.model.head_mut().restart();
        self.contribution.watch = None;
    }
}
