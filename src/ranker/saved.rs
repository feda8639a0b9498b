//! Snapshot and restore: everything that outlives a visit, as one sealed run of bytes.

use super::Ranker;
use super::contribute::MAX_OVER;
use crate::bundle::Bundle;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::feedback::OpenPlay;
use crate::history::{Fact, FamilyStats, History, Listen, MAX_AGGREGATES, Stats, Table, Taste, hour_bucket};
use crate::log::{DecisionId, DecisionLog, DecisionRecord, Impression, LoggedCard, LoggedShelf, MAX_DECISIONS};
use crate::math::falling;
use crate::model::{HeadState, Kept};
use crate::page::{Card, CardHandle, CardKind, Catalogue, Names, ShelfHandle};
use crate::safety::Safety;
use crate::store::{Kind, MAX_SNAPSHOT_BYTES, Tape, TapeReader};

mod journal;
mod watch;

/// What a restored snapshot could not bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// Everything is as it was.
    Whole,
    /// The model has changed: the history is there, the head goes on where its inputs mean the same and starts from its prior elsewhere.
    HeadCarried,
    /// The model has changed: the history is there, the head starts from its prior.
    HeadRestarted,
}

impl From<Kept> for Restored {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::Whole => Self::Whole,
            Kept::Some => Self::HeadCarried,
            Kept::Nothing => Self::HeadRestarted,
        }
    }
}

impl Restored {
    /// A note for the host: empty, `head_carried` or `head_restarted`.
    #[must_use]
    pub fn note(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::HeadCarried => "head_carried",
            Self::HeadRestarted => "head_restarted",
        }
    }
}

/// Places of the tables of names: artists, families, shelf kinds.
const ARTISTS: usize = 0;
const FAMILIES: usize = 1;
const KINDS: usize = 2;

/// Numbers what a snapshot speaks of, in order of first mention.
#[derive(Default)]
struct Mentions {
    cards: Numbering,
    shelves: Numbering,
    names: [Numbering; 3],
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

    fn name(&mut self, table: usize, number: u32) -> u64 {
        self.names[table].place(number)
    }

    fn listen(&mut self, tape: &mut Tape, listen: &Listen) {
        tape.whole(self.card(listen.card));
        tape.whole(listen.ms.into());
        tape.time(listen.at);
    }
}

/// The tables of a snapshot on its way back.
#[derive(Default)]
struct Known {
    /// Handles.
    cards: Vec<u32>,
    shelves: Vec<u32>,
    /// Catalogue numbers.
    names: [Vec<u32>; 3],
}

/// The entry of a table whose place stands on the tape.
fn placed(tape: &mut TapeReader, table: &[u32]) -> u32 {
    let place = tape.number();
    handle(tape, table.get(place as usize).copied())
}

impl Known {
    fn card(&self, tape: &mut TapeReader) -> CardHandle {
        CardHandle(placed(tape, &self.cards))
    }

    fn shelf(&self, tape: &mut TapeReader) -> ShelfHandle {
        ShelfHandle(placed(tape, &self.shelves))
    }

    /// The catalogue number of a name. Format 1 spells each name out, format 2 keeps tables.
    fn name(&self, tape: &mut TapeReader, catalogue: &mut Catalogue, table: usize) -> u32 {
        if tape.version() < 2 { names(catalogue, table).number(&tape.text()) } else { placed(tape, &self.names[table]) }
    }

    fn listen(&self, tape: &mut TapeReader) -> Listen {
        Listen { card: self.card(tape), ms: tape.number(), at: tape.time() }
    }

    fn entries<T: Stats>(&self, tape: &mut TapeReader, catalogue: &mut Catalogue, of: usize) -> Table<T> {
        let mut table = Table::default();
        for _ in 0..tape.count() {
            let number = self.name(tape, catalogue, of);
            *table.entry(number) = T::load(tape);
        }
        table
    }
}

fn names(catalogue: &mut Catalogue, table: usize) -> &mut Names {
    match table {
        ARTISTS => &mut catalogue.artists,
        FAMILIES => &mut catalogue.families,
        _ => &mut catalogue.shelf_kinds,
    }
}

fn save_row(tape: &mut Tape, row: &[f32]) {
    tape.count(row.len());
    for value in row {
        tape.whole(value.to_bits().into());
    }
}

fn real(tape: &mut TapeReader) -> f32 {
    f32::from_bits(tape.number())
}

fn load_row(tape: &mut TapeReader) -> Vec<f32> {
    tape.list(real)
}

impl Ranker {
    /// Everything that outlives a visit, at most [`MAX_SNAPSHOT_BYTES`].
    ///
    /// When it would be larger, the oldest half of events and decisions is left out, again and again.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut halvings = 0;
        loop {
            let bytes = Tape::seal(Kind::Snapshot, &self.tapes(halvings));
            if bytes.len() <= MAX_SNAPSHOT_BYTES || halvings >= 12 {
                return bytes;
            }
            halvings += 1;
        }
    }

    fn tapes(&self, halvings: u32) -> [Tape; 3] {
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
        // Twice the probes that are over, and one more for one that runs.
        let (over, running) = (&self.contribution.over, &self.contribution.watch);
        body.count(2 * over.len() + usize::from(running.is_some()));
        for watch in running.iter().chain(over) {
            watch::save(&mut body, &mut mentions, watch);
        }
        body.count(self.controls.artists.len());
        for artist in &self.controls.artists {
            body.whole(mentions.name(ARTISTS, *artist));
        }
        body.count(self.controls.cards.len());
        for card in &self.controls.cards {
            body.whole(mentions.card(*card));
        }
        body.text(&self.bundle.version);
        self.safety.save(&mut body);
        let mut tables = Tape::default();
        self.save_tables(&mut tables, &mut mentions);
        let mut tape = Tape::default();
        let columns = self.bundle.schema.columns();
        tape.count(columns.len());
        for column in columns {
            tape.text(&column.name);
        }
        self.bundle.model.state().save(&mut tape);
        tape.whole(self.decisions);
        tape.time(self.last_event_at);
        tape.signed(self.utc_offset_minutes.into());
        let Catalogue { artists, families, shelf_kinds, .. } = &self.catalogue;
        for (numbering, names) in mentions.names.iter().zip([artists, families, shelf_kinds]) {
            tape.count(numbering.handles.len());
            for &number in &numbering.handles {
                tape.text(names.name(number));
            }
        }
        [tape, tables, body]
    }

    fn save_tables(&self, tape: &mut Tape, mentions: &mut Mentions) {
        tape.count(mentions.cards.handles.len());
        for at in 0..mentions.cards.handles.len() {
            let known = self.catalogue.registered(CardHandle(mentions.cards.handles[at]));
            let card = &known.card;
            tape.text(&card.id);
            tape.text(&card.title);
            tape.whole(mentions.name(ARTISTS, known.artist));
            tape.whole(mentions.name(FAMILIES, known.family));
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
        journal::save_facts(tape, mentions, &history.facts, halvings);
        let age = |liked_or_hidden: bool, touched: i64| if liked_or_hidden { f64::INFINITY } else { touched as f64 };
        let ages: Vec<(f64, u32)> = history.cards.iter().map(|(card, s)| (age(s.liked || s.hidden, s.touched), card)).collect();
        let latest = falling(ages);
        let most = (2 * MAX_AGGREGATES) >> halvings;
        let kept = latest.len().min(most);
        tape.count(kept);
        for card in &latest[..kept] {
            tape.whole(mentions.card(CardHandle(*card)));
            history.cards.get(*card).copied().unwrap_or_default().save(tape);
        }
        save_entries(tape, &mut mentions.names[ARTISTS], &history.artists, most, |s| age(s.followed, s.touched));
        save_entries(tape, &mut mentions.names[FAMILIES], &history.families, most, |s| s.plays.last());
        save_entries(tape, &mut mentions.names[KINDS], &history.willingness, most, |s| s.seen.last());
        history.total.save(tape);
        history.short_taste.save(tape);
        history.long_taste.save(tape);
        tape.maybe(history.last_listen.as_ref(), |tape, listen| mentions.listen(tape, listen));
        journal::save_lessons(tape, mentions, &history.lessons, halvings);
    }

    fn save_log(&self, tape: &mut Tape, mentions: &mut Mentions, halvings: u32) {
        let records = &self.log.records;
        let first = records.len() - records.len().min(MAX_DECISIONS >> halvings);
        tape.count(records.len() - first);
        for record in records.iter().skip(first) {
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
                save_row(tape, &impression.features);
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
        let columns = tape.list(TapeReader::text);
        let head = HeadState::load(&mut tape, columns.len() + 1);
        let decisions = tape.whole();
        let last_event_at = tape.time();
        let utc_offset_minutes = tape.signed() as i32;
        let mut known = Known::default();
        if tape.version() >= 2 {
            for (table, numbers) in known.names.iter_mut().enumerate() {
                *numbers = tape.list(|tape| names(catalogue, table).number(&tape.text()));
            }
        }
        known.cards = tape.list(|tape| load_card(tape, &known, catalogue));
        known.shelves = tape.list(|tape| {
            let (id, kind, title) = (tape.text(), tape.text(), tape.text());
            let shelf = catalogue.find_shelf(&id).or_else(|| catalogue.register_shelf(&id, &kind, &title).ok());
            handle(tape, shelf.map(|shelf| shelf.0))
        });
        let mut history = load_history(&mut tape, &known, catalogue, utc_offset_minutes);
        let mut log = DecisionLog::default();
        for record in tape.list(|tape| load_decision(tape, &known)) {
            log.push(record);
        }
        let open_play = tape.maybe(|tape| OpenPlay {
            card: known.card(tape),
            decision: tape.maybe(|tape| DecisionId(tape.whole())),
            shelf: tape.maybe(|tape| known.shelf(tape)),
            started_at: tape.time(),
            reported_ms: tape.number(),
        });
        let probes = tape.whole();
        let watch = (probes & 1 == 1).then(|| watch::load(&mut tape, &known));
        if probes > 2 * MAX_OVER as u64 + 1 {
            tape.fail();
        }
        let over = (0..(probes / 2).min(MAX_OVER as u64)).map(|_| watch::load(&mut tape, &known)).collect();
        let mut excluded = (Vec::new(), Vec::new());
        if tape.version() >= 2 {
            excluded = (tape.list(|tape| placed(tape, &known.names[ARTISTS])), tape.list(|tape| known.card(tape)));
        }
        let mut safety = Safety::default();
        if tape.version() >= 2 {
            let of_this_model = tape.text() == self.bundle.version;
            let saved = Safety::load(&mut tape);
            if of_this_model {
                safety = saved;
            }
        }
        tape.end()?;

        // Everything was read: from here on nothing can fail.
        let schema = &self.bundle.schema;
        if !self.bundle.model.reads_rows_of(&head, &columns, schema) {
            rows(&mut log, &mut history).for_each(Vec::clear);
        }
        let restored = self.bundle.model.take_state(&head, &columns, schema).into();
        // A row of another length can teach nothing.
        let stride = self.bundle.schema.stride();
        for row in rows(&mut log, &mut history).filter(|row| row.len() != stride) {
            row.clear();
        }
        self.history = history;
        self.log = log;
        self.open.clear();
        self.open_play = open_play;
        self.safety = safety;
        (self.controls.artists, self.controls.cards) = excluded;
        self.controls.last = None;
        self.decisions = self.decisions.max(decisions);
        self.last_event_at = last_event_at;
        self.utc_offset_minutes = utc_offset_minutes;
        // Kept whatever the consent says just now: the host may not have told it yet, and a debit asks again.
        (self.contribution.watch, self.contribution.over) = (watch, over);
        self.contribution.void();
        Ok(restored)
    }

    /// Goes on with another bundle. What was learned is kept as far as the models' inputs mean the same; outcomes on pages that were
    /// ranked before still count, unless the columns are others.
    pub fn set_bundle(&mut self, bundle: Bundle) -> Restored {
        let old = std::mem::replace(&mut self.bundle, bundle);
        let names: Vec<String> = old.schema.columns().iter().map(|column| column.name.clone()).collect();
        if old.version != self.bundle.version {
            self.safety = Safety::default();
        }
        let schema = &self.bundle.schema;
        let state = old.model.state();
        if !self.bundle.model.reads_rows_of(&state, &names, schema) {
            rows(&mut self.log, &mut self.history).for_each(Vec::clear);
            self.open.clear();
        }
        self.bundle.model.take_state(&state, &names, schema).into()
    }

    /// Forgets the listener: history, log, everything learned, what is excluded, a running probe. The ledger keeps its dates.
    /// Private listening goes on if it is on.
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
        self.controls.forget();
        self.safety = Safety::default();
        self.bundle.model.restart();
        self.contribution.forget();
    }
}

/// All feature rows of a state.
fn rows<'a>(log: &'a mut DecisionLog, history: &'a mut History) -> impl Iterator<Item = &'a mut Vec<f32>> {
    let pending = log.records.iter_mut().flat_map(|record| &mut record.impressions).map(|impression| &mut impression.features);
    pending.chain(history.lessons.iter_mut().map(|lesson| &mut lesson.row))
}

/// The `most` entries with the largest `age`.
fn save_entries<T: Stats>(tape: &mut Tape, names: &mut Numbering, table: &Table<T>, most: usize, age: impl Fn(&T) -> f64) {
    let ages: Vec<(f64, u32)> = table.iter().map(|(number, stats)| (age(stats), number)).collect();
    let latest = falling(ages);
    let kept = latest.len().min(most);
    tape.count(kept);
    for number in &latest[..kept] {
        tape.whole(names.place(*number));
        table.get(*number).copied().unwrap_or_default().save(tape);
    }
}

fn load_card(tape: &mut TapeReader, known: &Known, catalogue: &mut Catalogue) -> u32 {
    let (id, title) = (tape.text(), tape.text());
    let artist = known.name(tape, catalogue, ARTISTS);
    let family = known.name(tape, catalogue, FAMILIES);
    let card = Card {
        id,
        title,
        artist: catalogue.artists.name(artist).to_owned(),
        family: catalogue.families.name(family).to_owned(),
        kind: CardKind::from_name(&tape.text()),
        duration_ms: tape.maybe(TapeReader::number),
        popularity: tape.maybe(TapeReader::fraction).map(|popularity| popularity as f32),
        embedding: Vec::new(),
    };
    let card = catalogue.find(&card.id).or_else(|| catalogue.register(card).ok());
    handle(tape, card.map(|card| card.0))
}

/// A handle or number; 0 and a failure where there is none.
fn handle(tape: &mut TapeReader, handle: Option<u32>) -> u32 {
    if handle.is_none() {
        tape.fail();
    }
    handle.unwrap_or_default()
}

fn load_history(tape: &mut TapeReader, known: &Known, catalogue: &mut Catalogue, utc_offset_minutes: i32) -> History {
    let mut history = History::default();
    let mut last = Vec::new();
    for _ in 0..tape.count() {
        history.facts.push(if tape.version() < 2 {
            // What format 1 does not say is taken from the card and the clock of now.
            let Listen { card, ms, at } = known.listen(tape);
            if tape.has_failed() {
                break;
            }
            let (artist, family) = (catalogue.registered(card).artist, catalogue.registered(card).family);
            let bucket = hour_bucket(at.local_hour(utc_offset_minutes));
            Fact { card, at, ms: Some(ms), artist, family, bucket, skipped: false, direction: Vec::new() }
        } else {
            journal::load_fact(tape, known, &mut last)
        });
    }
    for _ in 0..tape.count() {
        let card = known.card(tape);
        *history.cards.entry(card.0) = Stats::load(tape);
    }
    history.artists = known.entries(tape, catalogue, ARTISTS);
    history.families = known.entries(tape, catalogue, FAMILIES);
    history.willingness = known.entries(tape, catalogue, KINDS);
    history.total = FamilyStats::load(tape);
    history.short_taste = Taste::load(tape);
    history.long_taste = Taste::load(tape);
    history.last_listen = tape.maybe(|tape| known.listen(tape));
    if tape.version() >= 2 {
        history.lessons = tape.list(|tape| journal::load_lesson(tape, known));
    }
    history
}

fn load_decision(tape: &mut TapeReader, known: &Known) -> DecisionRecord {
    let id = DecisionId(tape.whole());
    let at = tape.time();
    let (randomized, probe, viewport, closed) = (tape.flag(), tape.flag(), tape.flag(), tape.flag());
    DecisionRecord {
        id,
        at,
        randomized,
        probe,
        viewport,
        closed,
        model_version: tape.text(),
        shelves: tape.list(|tape| LoggedShelf {
            shelf: known.shelf(tape),
            propensity: tape.fraction(),
            cards: tape.list(|tape| LoggedCard { card: known.card(tape), propensity: tape.fraction(), score: real(tape) }),
        }),
        impressions: tape.list(|tape| Impression {
            shelf: known.shelf(tape),
            card: known.card(tape),
            seen_at: tape.time(),
            reward: tape.maybe(real),
            features: load_row(tape),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::PolicySettings;
    use crate::clock::{DAY_MS, WEEK_MS};
    use crate::feedback::{EventKind, ListeningEvent};
    use crate::page::{Page, Visible};
    use crate::privacy::{
        Action, Arm, BUDGET_PERIOD_MS, Block, Candidate, Coin, FIRST_EPOCH, Manifest, ManifestSettings, Place, Probe, ProbeKind,
        Question, epoch_of,
    };
    use crate::random::Seed;
    use crate::ranker::contribute::Target;
    use crate::ranker::{Consent, Exclusion};
    use crate::store::with_number;

    fn ranker() -> (Ranker, Page) {
        let mut ranker = Ranker::seeded(Bundle::built_in().unwrap(), Seed::from_number(1)).unwrap();
        let shelf = ranker.catalogue.register_shelf("s", "popular", "Popular").unwrap();
        let mut builder = Page::builder(Visible::default());
        builder.shelf(shelf, false);
        for i in 0..6 {
            let card = Card {
                id: format!("c{i}"),
                artist: format!("artist {}", i % 2),
                family: "jazz".into(),
                embedding: vec![1.0, i as f32],
                ..Card::default()
            };
            builder.card(ranker.catalogue.register(card).unwrap(), false);
        }
        (ranker, builder.build().unwrap())
    }

    /// Bytes with a good checksum and a wrong number, as a faulty writer makes them: refused whole, or taken and usable.
    #[test]
    fn any_wrong_number_is_refused_or_harmless() {
        let (mut heard, page) = ranker();
        let now = Timestamp::clamped(1_000_000_000);
        let ranked = heard.rank(&page, now).unwrap();
        let kinds =
            [EventKind::Impression, EventKind::Play, EventKind::Finish, EventKind::Skip, EventKind::Like, EventKind::Hide];
        for (place, kind) in page.cards().iter().zip(kinds) {
            let ms_played = (kind == EventKind::Finish).then_some(60_000);
            let event = ListeningEvent { kind, decision: Some(ranked.id), shelf: None, card: place.card, ms_played, at: now };
            heard.observe(&event, now).unwrap();
        }
        heard.exclude(&Exclusion::Card(page.cards()[5].card)).unwrap();
        let bytes = heard.snapshot();
        let (mut refused, mut taken) = (0, 0);
        for at in 0.. {
            if with_number(Kind::Snapshot, &bytes, at, 0).is_none() {
                break;
            }
            for value in [0, 1, 3, 1_000, u64::from(u32::MAX), 1 << 40] {
                let changed = with_number(Kind::Snapshot, &bytes, at, value).unwrap();
                let (mut other, page) = ranker();
                let before = other.snapshot();
                match other.restore(&changed) {
                    Err(error) => {
                        refused += 1;
                        assert_eq!(error.code(), "snapshot_corrupt");
                        assert!(other.snapshot() == before);
                    }
                    Ok(_) => {
                        taken += 1;
                        other.rank(&page, now).unwrap();
                        other.exclude(&Exclusion::Artist("artist 0".into())).unwrap();
                        other.rank(&page, now).unwrap();
                    }
                }
            }
        }
        assert!(refused > 100 && taken > 100, "{refused} {taken}");
    }

    /// A listener who contributes, to a card probe or a vote.
    fn contributing() -> (Ranker, Page) {
        let (mut ranker, page) = ranker();
        let arm = |action| Arm { weight: 32_768, action };
        let vote = |name: &str| {
            let policy = PolicySettings { temperature: 1.0, ..PolicySettings::default() };
            arm(Action::Vote(Candidate { name: name.into(), policy, weights: Vec::new() }, Block::Cards("s".into())))
        };
        let card = ProbeKind::Card { shelf: "s".into(), place: Place { shelf_position: 0, card_position: 1 } };
        let cards = ["c1", "c2"].map(|card| arm(Action::Card(card.into())));
        let settings = ManifestSettings {
            format: 2,
            epochs: [0, 100],
            model_version: "built-in-1".into(),
            epsilon_index: 2,
            window_ms: 1_800_000,
            probes: vec![
                Probe { kind: card, questions: vec![Question::HowLong], arms: cards.into() },
                Probe { kind: ProbeKind::Vote { clip: 0.5 }, questions: vec![Question::Vote], arms: vec![vote("a"), vote("b")] },
            ],
        };
        ranker.set_consent(Consent { personalize: true, contribute: true });
        ranker.set_manifest(Manifest::new(b"{}", settings).unwrap());
        (ranker, page)
    }

    /// The same for what a vote and a waiting probe keep: taken or refused, whatever then is paid for makes a record or none.
    #[test]
    fn any_wrong_number_of_a_probe_is_refused_or_harmless() {
        let (mut heard, page) = contributing();
        let monday = FIRST_EPOCH.plus_ms(40 * WEEK_MS);
        heard.start_ledger(monday.plus_ms(-BUDGET_PERIOD_MS));
        let listen = |heard: &mut Ranker, slot: u8, now: Timestamp| {
            let manifest = heard.manifest().unwrap().id().0;
            let epoch = epoch_of(now).unwrap();
            let coin = Coin { epoch, manifest, due_at: now, slot, arm: 0, question: 0, delay_ms: DAY_MS };
            heard.contribution.ledger.as_mut().unwrap().set_coin(coin);
            let ranked = heard.rank(&page, now).unwrap();
            for (placed, kind) in ranked.cards.iter().zip([EventKind::Finish, EventKind::Finish, EventKind::Play]) {
                let ms_played = (kind == EventKind::Finish).then_some(60_000);
                let event =
                    ListeningEvent { kind, decision: Some(ranked.id), shelf: None, card: placed.card, ms_played, at: now };
                heard.observe(&event, now).unwrap();
            }
        };
        listen(&mut heard, 0, monday.plus_ms(DAY_MS));
        let now = monday.plus_ms(WEEK_MS + DAY_MS);
        listen(&mut heard, 1, now);
        assert!(matches!(&heard.contribution.watch.as_ref().unwrap().target, Target::Vote(ballots) if ballots.len() == 1));
        assert!(heard.contribution.over.len() == 1 && !heard.contribution.over[0].heard.is_empty());
        let (bytes, ledger) = (heard.snapshot(), heard.ledger().unwrap());
        let (mut refused, mut taken, mut made) = (0, 0, 0);
        for at in 0.. {
            if with_number(Kind::Snapshot, &bytes, at, 0).is_none() {
                break;
            }
            for value in [0, 1, 5, 1_000, u64::from(u32::MAX), 1 << 40] {
                let changed = with_number(Kind::Snapshot, &bytes, at, value).unwrap();
                let (mut other, page) = contributing();
                other.restore_ledger(&ledger).unwrap();
                let before = other.snapshot();
                if let Err(error) = other.restore(&changed) {
                    refused += 1;
                    assert_eq!(error.code(), "snapshot_corrupt");
                    assert!(other.snapshot() == before);
                    continue;
                }
                taken += 1;
                let again = other.snapshot();
                other.restore(&again).unwrap();
                other.rank(&page, now.plus_ms(DAY_MS)).unwrap();
                for _ in 0..=MAX_OVER {
                    if let Ok(Some(_)) = other.debit(now.plus_ms(WEEK_MS)) {
                        made += usize::from(other.make_record().is_ok());
                    }
                }
                other.rank(&page, now.plus_ms(WEEK_MS)).unwrap();
            }
        }
        assert!(refused > 100 && taken > 100 && made > 100, "{refused} {taken} {made}");
    }
}
