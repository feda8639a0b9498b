//! One seeded listener over six weeks, written down decision by decision. Native and browser tests run it and compare it with the
//! same golden file, bit for bit.

use std::fmt::Write as _;

use ears_only::bundle::{Bundle, BundleSettings};
#[cfg(not(target_arch = "wasm32"))]
use ears_only::bundle::{PolicyKind, PolicySettings};
use ears_only::clock::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use ears_only::error::Error;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{Card, CardHandle, CardKind, LocalShelves, Page, ShelfHandle, Visible};
use ears_only::privacy::{Action, Arm, FIRST_EPOCH, Manifest, ManifestSettings, Place, Probe, ProbeKind, Question};
use ears_only::random::Seed;
use ears_only::ranker::{Consent, RankedPage, Ranker, ShelfSource};

/// What the scenario compares itself with.
pub const GOLDEN: &str = include_str!("golden/v1/decisions.txt");

const SHELVES: usize = 6;
const CARDS: usize = 10;
const FAMILIES: [&str; 4] = ["jazz", "techno", "folk", "news"];

/// Day 0 of the scenario: a Monday.
pub fn day(day: i64) -> Timestamp {
    FIRST_EPOCH.plus_ms(30 * 7 * DAY_MS + day * DAY_MS)
}

/// A ranker with the built-in model whose every draw follows from `seed`.
pub fn ranker(seed: u64) -> Result<Ranker, Error> {
    Ranker::seeded(Bundle::new(BundleSettings::default())?, Seed::from_number(seed))
}

/// Registers the catalogue and builds the page: six shelves of ten cards, one shelf fixed, one card fixed, one card in two shelves.
pub fn page(ranker: &mut Ranker) -> Result<Page, Error> {
    let catalogue = ranker.catalogue_mut();
    let mut cards = Vec::new();
    for i in 0..SHELVES * CARDS {
        let family = i % FAMILIES.len();
        let angle = family as f32;
        cards.push(catalogue.register(Card {
            id: format!("card-{i}"),
            title: format!("Title {i}"),
            artist: format!("Artist {}", i % 17),
            family: FAMILIES[family].into(),
            kind: if family == 3 { CardKind::Podcast } else { CardKind::Album },
            duration_ms: Some(180_000 + 1_000 * i as u32),
            popularity: Some((i * 37 % 100) as f32 / 100.0),
            embedding: vec![1.0 - 0.3 * angle, 0.3 * angle, 0.01 * (i % 7) as f32, 0.5 - 0.1 * angle],
        })?);
    }
    let mut builder = Page::builder(Visible { shelves: 3, cards: 4 }).with_local(LocalShelves(15)).with_utc_offset_minutes(120);
    for s in 0..SHELVES {
        let kind = ["popular", "fresh", "editorial"][s % 3];
        let shelf = ranker.catalogue_mut().register_shelf(&format!("shelf-{s}"), kind, "")?;
        builder.shelf(shelf, s == 4);
        for c in 0..CARDS {
            builder.card(cards[s * CARDS + c], s == 2 && c == 1);
        }
    }
    builder
        .shelf(ranker.catalogue_mut().register_shelf("again", "made_for_you", "")?, false)
        .card(cards[3], false)
        .card(cards[25], false);
    builder.build()
}

/// A card probe on `shelf-0` with eight arms of unequal weight.
pub fn manifest() -> Result<Manifest, Error> {
    let weights = [16_384, 8_192, 8_192, 8_192, 8_192, 8_192, 4_096, 4_096];
    let arm = |(weight, i): (&u16, u16)| Arm { weight: *weight, action: Action::Card(format!("card-{i}")) };
    let place = Place { shelf_position: 1, card_position: 2 };
    of_probes(vec![Probe {
        kind: ProbeKind::Card { shelf: "shelf-0".into(), place },
        questions: vec![Question::Played30s],
        arms: weights.iter().zip(0..).map(arm).collect(),
    }])
}

/// A manifest with these probes, at epsilon 1.
pub fn of_probes(probes: Vec<Probe>) -> Result<Manifest, Error> {
    let settings = ManifestSettings {
        format: 2,
        epochs: [0, 4_095],
        model_version: "built-in-1".into(),
        epsilon_index: 2,
        window_ms: 1_800_000,
        probes,
    };
    Manifest::new(b"{\"scenario\":1}", settings)
}

fn event(
    kind: EventKind,
    ranked: &RankedPage,
    shelf: Option<ShelfHandle>,
    card: CardHandle,
    ms: Option<u32>,
    at: Timestamp,
) -> ListeningEvent {
    ListeningEvent { kind, decision: Some(ranked.id), shelf, card, ms_played: ms, at }
}

/// The listener sees the first three shelves, plays jazz, skips techno, likes and hides now and then.
fn listen(ranker: &mut Ranker, ranked: &RankedPage, visit: i64, now: Timestamp) -> Result<(), Error> {
    let mut at = now;
    for shelf in ranked.shelves.iter().take(3) {
        let id = match shelf.source {
            ShelfSource::Page(_) | ShelfSource::Local(_) => None,
        };
        for card in ranked.cards[shelf.cards.clone()].iter().take(4) {
            at = at.plus_ms(2_000);
            ranker.observe(&event(EventKind::Impression, ranked, id, card.card, None, at), at)?;
            let family = ranker.catalogue().card(card.card).family.clone();
            let number = i64::from(card.card.index());
            if family == "jazz" && (number + visit) % 3 == 0 {
                ranker.observe(&event(EventKind::Play, ranked, id, card.card, None, at), at)?;
                at = at.plus_ms(3 * MINUTE_MS);
                ranker.observe(&event(EventKind::Finish, ranked, id, card.card, Some(170_000), at), at)?;
            } else if family == "techno" && (number + visit) % 4 == 0 {
                ranker.observe(&event(EventKind::Play, ranked, id, card.card, None, at), at)?;
                at = at.plus_ms(5_000);
                ranker.observe(&event(EventKind::Skip, ranked, id, card.card, Some(5_000), at), at)?;
            } else if visit % 9 == 4 && family == "folk" {
                ranker.observe(&event(EventKind::Like, ranked, id, card.card, None, at), at)?;
            } else if visit % 11 == 6 && family == "news" {
                ranker.observe(&event(EventKind::Hide, ranked, id, card.card, None, at), at)?;
            }
        }
    }
    Ok(())
}

fn write_page(out: &mut String, ranker: &Ranker, ranked: &RankedPage) {
    let _ = writeln!(out, "decision {} randomized {} probe {}", ranked.id, ranked.randomized, ranked.probe);
    for shelf in &ranked.shelves {
        let name = match shelf.source {
            ShelfSource::Page(index) => format!("page {index}"),
            ShelfSource::Local(kind) => kind.name().to_owned(),
        };
        let _ = write!(out, "{name} {:016x} {:016x} {:?}:", shelf.propensity.to_bits(), shelf.value.to_bits(), shelf.reason.code);
        for card in ranked.cards[shelf.cards.clone()].iter().take(5) {
            let id = &ranker.catalogue().card(card.card).id;
            let _ = write!(out, " {id} {:016x} {:016x}", card.propensity.to_bits(), card.score.to_bits());
        }
        let _ = writeln!(out);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Runs the scenario and writes it down.
pub fn transcript() -> Result<String, Error> {
    let mut out = String::new();
    let mut ranker = ranker(20_260_105)?;
    let page = page(&mut ranker)?;
    ranker.set_consent(Consent { personalize: true, contribute: true });
    ranker.set_manifest(manifest()?);
    ranker.start_ledger(day(0));
    for visit in 0..42 {
        let now = day(visit).plus_ms((7 + visit % 13) * HOUR_MS);
        let ranked = ranker.rank(&page, now)?;
        write_page(&mut out, &ranker, &ranked);
        listen(&mut ranker, &ranked, visit, now.plus_ms(1_000))?;
        ranker.end_session(now.plus_ms(40 * MINUTE_MS));
        if ranker.debit(now.plus_ms(HOUR_MS))?.is_some() {
            let _ = writeln!(out, "record {}", hex(&ranker.make_record()?.bytes()));
        }
        if visit % 10 == 9 {
            // A visit later in the day starts from the bytes of the one before.
            let bytes = ranker.snapshot();
            let mut next = self::ranker(20_260_105)?;
            let _ = self::page(&mut next)?;
            next.set_consent(Consent { personalize: true, contribute: true });
            next.restore(&bytes)?;
            let _ = writeln!(out, "snapshot {} bytes, again equal {}", bytes.len(), next.snapshot() == bytes);
        }
    }
    let means: Vec<String> = ranker.weights().iter().map(|mean| format!("{:016x}", mean.to_bits())).collect();
    let _ = writeln!(out, "weights {}", means.join(" "));
    Ok(out)
}

/// Two weeks under each policy that needs the spread of scores, which comes from a full covariance.
#[cfg(not(target_arch = "wasm32"))]
pub fn spread() -> Result<String, Error> {
    let mut out = String::new();
    for kind in [PolicyKind::LinUcb, PolicyKind::Thompson] {
        let policy = PolicySettings { kind, ..PolicySettings::default() };
        let bundle = Bundle::new(BundleSettings { policy, ..BundleSettings::default() })?;
        let mut ranker = Ranker::seeded(bundle, Seed::from_number(20_260_105))?;
        let page = page(&mut ranker)?;
        let _ = writeln!(out, "{}", kind.name());
        for visit in 0..14 {
            let now = day(visit).plus_ms((7 + visit % 13) * HOUR_MS);
            let ranked = ranker.rank(&page, now)?;
            write_page(&mut out, &ranker, &ranked);
            let sds = ranker.explain(ranked.id)?.shelves;
            let sds = sds.iter().filter_map(|shelf| shelf.cards.first()?.sd).map(|sd| format!("{:016x}", sd.to_bits()));
            let _ = writeln!(out, "sds {}", sds.collect::<Vec<_>>().join(" "));
            listen(&mut ranker, &ranked, visit, now.plus_ms(1_000))?;
            ranker.end_session(now.plus_ms(40 * MINUTE_MS));
        }
    }
    Ok(out)
}

/// A listener of four visits, for the golden snapshots.
#[cfg(not(target_arch = "wasm32"))]
pub fn small() -> Result<(Ranker, Page), Error> {
    let mut ranker = ranker(1_958)?;
    let page = page(&mut ranker)?;
    for visit in 4..8 {
        let now = day(visit).plus_ms(8 * HOUR_MS);
        let ranked = ranker.rank(&page, now)?;
        listen(&mut ranker, &ranked, visit, now.plus_ms(1_000))?;
        ranker.end_session(now.plus_ms(40 * MINUTE_MS));
    }
    Ok((ranker, page))
}

/// What a snapshot must bring back: numbers of what is kept, and the bits of what was learned.
#[cfg(not(target_arch = "wasm32"))]
pub fn known(ranker: &Ranker) -> String {
    let summary = ranker.summary();
    let means: Vec<String> = ranker.weights().iter().map(|mean| format!("{:016x}", mean.to_bits())).collect();
    format!(
        "events {}\ncards {}\ndecisions {}\nupdates {}\nweights {}\n",
        summary.events,
        summary.cards,
        summary.decisions,
        summary.updates,
        means.join(" ")
    )
}

/// A hash over the bits of many values of the core's mathematics.
pub fn math_hash() -> u64 {
    use ears_only::math::{dot, exp, ln, sigmoid};
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut feed = |value: f64| hash = (hash ^ value.to_bits()).wrapping_mul(0x0100_0000_01b3);
    for i in 0..20_000u32 {
        let x = f64::from(i) * 0.003_7 - 37.0;
        feed(exp(x));
        feed(ln(f64::from(i + 1) * 0.77));
        feed(sigmoid(x));
    }
    let a: Vec<f32> = (0..1_003).map(|i| (i as f32 * 0.31).fract() - 0.5).collect();
    let b: Vec<f32> = (0..1_003).map(|i| (i as f32 * 0.17).fract() - 0.5).collect();
    for n in [1, 3, 4, 7, 64, 65, 1_003] {
        feed(f64::from(dot(&a[..n], &b[..n])));
    }
    hash
}
