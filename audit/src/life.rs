//! A device's weeks through the real ranker: what is sent, when.

use crate::fixture::{ALL_CARDS, arm_card, bundle, page, roomy_ledger};
use crate::subject::{Made, Person, Sent, Subject, Words};
use ears_only::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use ears_only::error::Error;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{CardHandle, Page};
use ears_only::privacy::Manifest;
use ears_only::random::Seed;
use ears_only::ranker::{Consent, ContributionState, RankedPage, Ranker};
use ears_world::chance::Key;

/// What two twins have in common, and nothing else.
#[derive(Clone, Debug)]
pub struct Shared<'a> {
    /// The manifest in force.
    pub manifest: &'a Manifest,
    /// When Home is opened.
    pub opens: Vec<Timestamp>,
    /// Seed of the coin's bytes.
    pub coin: u64,
    /// Seed of the flip's bytes.
    pub flip: u64,
}

/// The history that a person brings: up to 40 events on cards of their own choice, artists excluded, cards hidden.
fn bring_history(ranker: &mut Ranker, cards: &[CardHandle], person: Person, before: Timestamp) -> Result<(), Error> {
    let key = person.key(10);
    for i in 0..key.below(41) as u64 {
        let key = key.with(i);
        let card = cards[key.with(1).below(cards.len())];
        let kind =
            [EventKind::Finish, EventKind::Skip, EventKind::Like, EventKind::Play, EventKind::Follow][key.with(2).below(5)];
        let at = before.plus_ms(-(i as i64 + 1) * 7 * HOUR_MS);
        let ms_played = Some(key.with(3).below(400_000) as u32);
        ranker.observe(&ListeningEvent { kind, decision: None, shelf: None, card, ms_played, at }, before)?;
    }
    for (number, &card) in cards.iter().enumerate() {
        if person.hides(number) {
            let event = ListeningEvent { kind: EventKind::Hide, decision: None, shelf: None, card, ms_played: None, at: before };
            ranker.observe(&event, before)?;
        }
    }
    Ok(())
}

/// What they do with a page: look at it, play what they like for as long as they like, hide now and then. Whether the probe's card
/// was played for half a minute.
fn listen(
    ranker: &mut Ranker,
    ranked: &RankedPage,
    person: Person,
    visit: Key,
    now: Timestamp,
) -> Result<Vec<CardHandle>, Error> {
    let mut played = Vec::new();
    let mut at = now;
    for shelf in ranked.shelves.iter().take(2) {
        for placed in ranked.cards[shelf.cards.clone()].iter().take(4) {
            let card = placed.card;
            at = at.plus_ms(1_000);
            let number = card.index() as usize;
            let key = visit.with(number as u64);
            let mut tell = |kind, ms_played, at| {
                ranker.observe(&ListeningEvent { kind, decision: Some(ranked.id), shelf: None, card, ms_played, at }, at)
            };
            tell(EventKind::Impression, None, at)?;
            if person.likes(number) && key.below(3) == 0 {
                let ms = key.with(1).below(240_000) as u32;
                tell(EventKind::Play, None, at)?;
                at = at.plus_ms(i64::from(ms));
                tell(if ms > 30_000 { EventKind::Finish } else { EventKind::Skip }, Some(ms), at)?;
                if ms >= 30_000 {
                    played.push(card);
                }
            } else if key.with(2).below(40) == 0 {
                tell(EventKind::Hide, None, at)?;
            }
        }
    }
    Ok(played)
}

/// Lives through the visits; everything that is sent.
///
/// # Errors
/// As the core's: an error ends the life, and the twins with it.
pub fn live(subject: &dyn Subject, shared: &Shared<'_>, person: Person) -> Result<Vec<Sent>, Error> {
    let (coin, flip) = subject.sources(person, shared.manifest, Words::new(shared.coin), Words::new(shared.flip));
    let ranking = Seed::from_number(person.0 ^ 0x9e37_79b9);
    let mut ranker = Ranker::new(bundle()?, ranking, coin, flip)?;
    let page = page(&mut ranker)?;
    let cards: Vec<CardHandle> = page.cards().iter().map(|place| place.card).collect();
    let Some(&first) = shared.opens.first() else { return Ok(Vec::new()) };
    ranker.restore_ledger(&roomy_ledger().to_bytes())?;
    ranker.set_manifest(shared.manifest.clone());
    bring_history(&mut ranker, &cards, person, first.plus_ms(-DAY_MS))?;
    let mut life = Life { ranker, page, sent: Vec::new(), answer: 0, propensity: 0.0 };
    for (visit, &now) in shared.opens.iter().enumerate() {
        life.make(subject, shared, person, now)?;
        let contribute = subject.takes_part(person, visit);
        life.ranker.set_consent(Consent { personalize: true, contribute });
        life.visit(shared, person, visit, now)?;
        life.make(subject, shared, person, now.plus_ms(45 * MINUTE_MS))?;
    }
    if let Some(&last) = shared.opens.last() {
        life.make(subject, shared, person, last.plus_ms(8 * DAY_MS))?;
    }
    Ok(life.sent)
}

struct Life {
    ranker: Ranker,
    page: Page,
    sent: Vec<Sent>,
    answer: u8,
    propensity: f64,
}

impl Life {
    fn visit(&mut self, shared: &Shared<'_>, person: Person, visit: usize, now: Timestamp) -> Result<(), Error> {
        let ranked = self.ranker.rank(&self.page, now)?;
        if ranked.probe {
            self.answer = 0;
        } else if let Some(first) = self.ranker.marginals(ranked.id)?.first() {
            self.propensity = *first;
        }
        let played = listen(&mut self.ranker, &ranked, person, person.key(20).with(visit as u64), now.plus_ms(1_000))?;
        if ranked.probe {
            let arms = (0..16).filter_map(|arm| arm_card(shared.manifest, 0, arm));
            let cards: Vec<u32> = arms.filter(|card| *card < ALL_CARDS).map(|card| card as u32).collect();
            self.answer = u8::from(played.iter().any(|card| cards.contains(&self.number_of(*card))));
        }
        self.ranker.end_session(now.plus_ms(40 * MINUTE_MS));
        Ok(())
    }

    fn number_of(&self, card: CardHandle) -> u32 {
        let id = &self.ranker.catalogue().card(card).id;
        id.strip_prefix("card-").and_then(|number| number.parse().ok()).unwrap_or(u32::MAX)
    }

    /// The package's steps: once a record is ready, debit, save, make, and note when it may leave.
    fn make(&mut self, subject: &dyn Subject, shared: &Shared<'_>, person: Person, now: Timestamp) -> Result<(), Error> {
        let stands = self.ranker.contribution(now);
        if stands.state != ContributionState::Ready {
            return Ok(());
        }
        let Some(send_after) = stands.send_after else { return Ok(()) };
        if self.ranker.debit(now)?.is_some() {
            let record = self.ranker.make_record()?.bytes();
            let made =
                Made { person, manifest: shared.manifest, answer: self.answer, propensity: self.propensity, record, send_after };
            self.sent.extend(subject.send(&made));
        }
        Ok(())
    }
}
