//! Snapshot and restore: everything that outlives a visit, as one sealed run of bytes.

use super::Ranker;
use super::contribute::Watch;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::feedback::OpenPlay;
use crate::history::{FamilyStats, History, Listen, MAX_AGGREGATES, MAX_EVENTS, Stats, Table, Taste};
use crate::log::{DecisionId, DecisionLog, DecisionRecord, Impression, LoggedCard, LoggedShelf, MAX_DECISIONS};
use crate::math::falling;
use crate::model::HeadState;
use crate::page::{Card, CardHandle, CardKind, Catalogue, Names, ShelfHandle};
use crate::privacy::Coin;
use crate::store::{Kind, MAX_SNAPSHOT_BYTES, Tape, TapeReader};

/// What a restored snapshot could not bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// Everything is as it was.
    Whole,
    /// The schema has changed: the history is there, the head starts from its prior.
    HeadRestarted,
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
    fn place(&mut self, handle: u32) -> u64 {
        let at = handle as usize;
        if self.places.len() <= at {
            self.places.resize(at + 1, u32::MAX);
        }
        if self.places[at] == u32::MAX {
            self.places[at] = self.handles.len() as u32;
            self.handles.push(handle);
        }
        self.places[at].into()
    }
}

impl Mentions {
    fn card(&mut self, card: CardHandle) -> u64 {
        self.cards.place(card.0)
    }

    fn shelf(&mut self, shelf: ShelfHandle) -> u64 {
        self.shelves.place(shelf.0)
    }

    fn listen(&mut self, tape: &mut Tape, listen: &Listen) {
        tape.whole(self.card(listen.card));
        tape.whole(listen.ms.into());
        tape.time(listen.at);
    }
}

/// The tables of a snapshot on its way back.
struct Known {
    cards: Vec<CardHandle>,
    shelves: Vec<ShelfHandle>,
}

impl Known {
    fn card(&self, tape: &mut TapeReader) -> Result<CardHandle, Error> {
        let place = tape.number()?;
        self.cards.get(place as usize).copied().ok_or_else(|| tape.broken())
    }

    fn shelf(&self, tape: &mut TapeReader) -> Result<ShelfHandle, Error> {
        let place = tape.number()?;
        self.shelves.get(place as usize).copied().ok_or_else(|| tape.broken())
    }

    fn listen(&self, tape: &mut TapeReader) -> Result<Listen, Error> {
        Ok(Listen { card: self.card(tape)?, ms: tape.number()?, at: tape.time()? })
    }
}

impl Ranker {
    /// Everything that outlives a visit, at most [`MAX_SNAPSHOT_BYTES`].
    ///
    /// When it would be larger, the oldest half of events and decisions is left out, again and again.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut halvings = 0;
        loop {
            let bytes = self.tape(halvings).seal(Kind::Snapshot);
            if bytes.len() <= MAX_SNAPSHOT_BYTES || halvings >= 12 {
                return bytes;
            }
            halvings += 1;
        }
    }

    fn tape(&self, halvings: u32) -> Tape {
        let mut mentions = Mentions::default();
        // The body first, to learn which cards and shelves it mentions; their tables then stand before it.
        let mut body = Tape::default();
        self.save_history(&mut body, &mut mentions, halvings);
        self.save_log(&mut body, &mut mentions, halvings);
        body.maybe(self.open_play, |tape, play| {
            tape.whole(mentions.card(play.card));
            tape.maybe(play.decision, |tape, id| tape.whole(id.0));
            tape.maybe(play.shelf, |tape, shelf| tape.whole(mentions.shelf(shelf)));
            tape.time(play.started_at);
            tape.whole(play.reported_ms.into());
        });
        body.maybe(self.contribution.watch.as_ref(), |tape, watch| {
            watch.coin.save(tape);
            tape.whole(watch.decision.0);
            tape.maybe(watch.card, |tape, card| tape.whole(mentions.card(card)));
            tape.time(watch.started_at);
            tape.time(watch.ready_at);
            tape.flag(watch.played);
        });
        let mut tape = Tape::default();
        self.save_tables(&mut tape, &mentions);
        tape.append(body);
        tape
    }

    fn save_tables(&self, tape: &mut Tape, mentions: &Mentions) {
        let columns = self.bundle.schema.columns();
        tape.count(columns.len());
        for column in columns {
            tape.text(&column.name);
        }
        self.bundle.model.head().state().save(tape);
        tape.whole(self.decisions);
        tape.time(self.last_event_at);
        tape.signed(self.utc_offset_minutes.into());
        tape.count(mentions.cards.handles.len());
        for &handle in &mentions.cards.handles {
            let card = self.catalogue.card(CardHandle(handle));
            for text in [&card.id, &card.title, &card.artist, &card.family] {
                tape.text(text);
            }
            tape.text(card.kind.name());
            tape.maybe(card.duration_ms, |tape, ms| tape.whole(ms.into()));
            tape.maybe(card.popularity, |tape, popularity| tape.fraction(popularity.into()));
        }
        tape.count(mentions.shelves.handles.len());
        for &handle in &mentions.shelves.handles {
            let shelf = self.catalogue.shelf(ShelfHandle(handle));
            for text in [&shelf.id, self.catalogue.shelf_kind(shelf.kind), &shelf.title] {
                tape.text(text);
            }
        }
    }

    fn save_history(&self, tape: &mut Tape, mentions: &mut Mentions, halvings: u32) {
        let history = &self.history;
        let kept = history.events.len().min(MAX_EVENTS >> halvings);
        tape.count(kept);
        for listen in history.events.iter().skip(history.events.len() - kept) {
            mentions.listen(tape, listen);
        }
        let age = |liked_or_hidden: bool, touched: i64| if liked_or_hidden { f64::INFINITY } else { touched as f64 };
        let ages: Vec<(f64, u32)> = history.cards.iter().map(|(card, s)| (age(s.liked || s.hidden, s.touched), card)).collect();
        let latest = falling(&ages);
        let kept = latest.len().min((2 * MAX_AGGREGATES) >> halvings);
        tape.count(kept);
        for card in &latest[..kept] {
            tape.whole(mentions.card(CardHandle(*card)));
            history.cards.get(*card).copied().unwrap_or_default().save(tape);
        }
        let most = (2 * MAX_AGGREGATES) >> halvings;
        save_named(tape, &self.catalogue.artists, &history.artists, most, |s| age(s.followed, s.touched));
        save_named(tape, &self.catalogue.families, &history.families, most, |s| s.plays.last());
        save_named(tape, &self.catalogue.shelf_kinds, &history.willingness, most, |s| s.seen.last());
        history.total.save(tape);
        history.short_taste.save(tape);
        history.long_taste.save(tape);
        tape.maybe(history.last_listen.as_ref(), |tape, listen| mentions.listen(tape, listen));
    }

    fn save_log(&self, tape: &mut Tape, mentions: &mut Mentions, halvings: u32) {
        let records = &self.log.records;
        let kept = records.len().min(MAX_DECISIONS >> halvings);
        tape.count(kept);
        for record in records.iter().skip(records.len() - kept) {
            tape.whole(record.id.0);
            tape.time(record.at);
            for flag in [record.randomized, record.probe, record.viewport, record.closed] {
                tape.flag(flag);
            }
            tape.text(&record.model_version);
            tape.count(record.shelves.len());
            for shelf in &record.shelves {
                tape.whole(mentions.shelf(shelf.shelf));
                tape.fraction(shelf.propensity);
                tape.count(shelf.cards.len());
                for card in &shelf.cards {
                    tape.whole(mentions.card(card.card));
                    tape.fraction(card.propensity);
                    tape.whole(card.score.to_bits().into());
                }
            }
            tape.count(record.impressions.len());
            for impression in &record.impressions {
                tape.whole(mentions.shelf(impression.shelf));
                tape.whole(mentions.card(impression.card));
                tape.time(impression.seen_at);
                tape.maybe(impression.reward, |tape, reward| tape.whole(reward.to_bits().into()));
                tape.count(impression.features.len());
                for value in &impression.features {
                    tape.whole(value.to_bits().into());
                }
            }
        }
    }

    /// Takes back a snapshot. Cards already registered keep their handles and what the app says of them.
    ///
    /// # Errors
    /// `snapshot_corrupt` or `snapshot_newer`; nothing of the listener's state has changed then.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Restored, Error> {
        let mut tape = TapeReader::open(Kind::Snapshot, bytes)?;
        // Cards that are only added to what the app has registered harm nothing if the rest cannot be read.
        let catalogue = &mut self.catalogue;
        let columns = tape.list(TapeReader::text)?;
        let head = HeadState::load(&mut tape)?;
        let decisions = tape.whole()?;
        let last_event_at = tape.time()?;
        let utc_offset_minutes = i32::try_from(tape.signed()?).map_err(|_| tape.broken())?;
        let known = Known {
            cards: tape.list(|tape| load_card(tape, catalogue))?,
            shelves: tape.list(|tape| {
                let (id, kind, title) = (tape.text()?, tape.text()?, tape.text()?);
                catalogue.find_shelf(&id).map_or_else(|| catalogue.register_shelf(&id, &kind, &title), Ok)
            })?,
        };
        let history = load_history(&mut tape, &known, catalogue)?;
        let mut log = DecisionLog::default();
        for record in tape.list(|tape| load_decision(tape, &known))? {
            log.push(record);
        }
        let open_play = tape.maybe(|tape| {
            Ok(OpenPlay {
                card: known.card(tape)?,
                decision: tape.maybe(|tape| tape.whole().map(DecisionId))?,
                shelf: tape.maybe(|tape| known.shelf(tape))?,
                started_at: tape.time()?,
                reported_ms: tape.number()?,
            })
        })?;
        let watch = tape.maybe(|tape| {
            Ok(Watch {
                coin: Coin::load(tape)?,
                decision: DecisionId(tape.whole()?),
                card: tape.maybe(|tape| known.card(tape))?,
                started_at: tape.time()?,
                ready_at: tape.time()?,
                played: tape.flag()?,
            })
        })?;
        tape.end()?;

        // Everything was read: from here on nothing can fail.
        let own = self.bundle.schema.columns();
        let same = columns.len() == own.len() && columns.iter().zip(own).all(|(name, column)| *name == column.name);
        let head = if same { self.bundle.model.head().with_state(head) } else { None };
        let restored = if let Some(head) = head {
            *self.bundle.model.head_mut() = head;
            Restored::Whole
        } else {
            self.bundle.model.head_mut().restart();
            for impression in log.records.iter_mut().flat_map(|record| &mut record.impressions) {
                impression.features.clear();
            }
            Restored::HeadRestarted
        };
        // A row of another length can teach nothing.
        let stride = self.bundle.schema.stride();
        for impression in log.records.iter_mut().flat_map(|record| &mut record.impressions) {
            if impression.features.len() != stride {
                impression.features.clear();
            }
        }
        self.history = history;
        self.log = log;
        self.open.clear();
        self.open_play = open_play;
        self.decisions = self.decisions.max(decisions);
        self.last_event_at = last_event_at;
        self.utc_offset_minutes = utc_offset_minutes;
        // Kept whatever the consent says just now: the host may not have told it yet, and a debit asks again.
        self.contribution.watch = watch;
        self.contribution.void();
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
        self.utc_offset_minutes = 0;
        self.decisions = 0;
        self.bundle.model.head_mut().restart();
        self.contribution.watch = None;
        self.contribution.void();
    }
}

/// The `most` entries with the largest `age`.
fn save_named<T: Stats>(tape: &mut Tape, names: &Names, table: &Table<T>, most: usize, age: impl Fn(&T) -> f64) {
    let ages: Vec<(f64, u32)> = table.iter().map(|(number, stats)| (age(stats), number)).collect();
    let latest = falling(&ages);
    let kept = latest.len().min(most);
    tape.count(kept);
    for number in &latest[..kept] {
        tape.text(names.name(*number));
        table.get(*number).copied().unwrap_or_default().save(tape);
    }
}

fn load_named<T: Stats>(tape: &mut TapeReader, names: &mut Names) -> Result<Table<T>, Error> {
    let mut table = Table::default();
    for _ in 0..tape.count()? {
        let number = names.number(&tape.text()?);
        *table.entry(number) = T::load(tape)?;
    }
    Ok(table)
}

fn load_card(tape: &mut TapeReader, catalogue: &mut Catalogue) -> Result<CardHandle, Error> {
    let card = Card {
        id: tape.text()?,
        title: tape.text()?,
        artist: tape.text()?,
        family: tape.text()?,
        kind: CardKind::from_name(&tape.text()?),
        duration_ms: tape.maybe(TapeReader::number)?,
        popularity: tape.maybe(TapeReader::fraction)?.map(|popularity| popularity as f32),
        embedding: Vec::new(),
    };
    catalogue.find(&card.id).map_or_else(|| catalogue.register(card), Ok)
}

fn load_history(tape: &mut TapeReader, known: &Known, catalogue: &mut Catalogue) -> Result<History, Error> {
    let mut history = History { events: tape.list(|tape| known.listen(tape))?.into(), ..History::default() };
    for _ in 0..tape.count()? {
        let card = known.card(tape)?;
        *history.cards.entry(card.0) = Stats::load(tape)?;
    }
    history.artists = load_named(tape, &mut catalogue.artists)?;
    history.families = load_named(tape, &mut catalogue.families)?;
    history.willingness = load_named(tape, &mut catalogue.shelf_kinds)?;
    history.total = FamilyStats::load(tape)?;
    history.short_taste = Taste::load(tape)?;
    history.long_taste = Taste::load(tape)?;
    history.last_listen = tape.maybe(|tape| known.listen(tape))?;
    Ok(history)
}

fn load_decision(tape: &mut TapeReader, known: &Known) -> Result<DecisionRecord, Error> {
    let real = |bits: u32| f32::from_bits(bits);
    let id = DecisionId(tape.whole()?);
    let at = tape.time()?;
    let (randomized, probe, viewport, closed) = (tape.flag()?, tape.flag()?, tape.flag()?, tape.flag()?);
    Ok(DecisionRecord {
        id,
        at,
        randomized,
        probe,
        viewport,
        closed,
        model_version: tape.text()?,
        shelves: tape.list(|tape| {
            Ok(LoggedShelf {
                shelf: known.shelf(tape)?,
                propensity: tape.fraction()?,
                cards: tape.list(|tape| {
                    Ok(LoggedCard { card: known.card(tape)?, propensity: tape.fraction()?, score: real(tape.number()?) })
                })?,
            })
        })?,
        impressions: tape.list(|tape| {
            Ok(Impression {
                shelf: known.shelf(tape)?,
                card: known.card(tape)?,
                seen_at: tape.time()?,
                reward: tape.maybe(|tape| tape.number().map(real))?,
                features: tape.list(|tape| tape.number().map(real))?,
            })
        })?,
    })
}
