//! Shipped bundles of every body: scores, pages and what is learned, written down. Native and browser tests compare it with the same golden
//! file, bit for bit.

use std::fmt::Write as _;

use ears_only::bundle::{Bundle, header};
use ears_only::clock::{HOUR_MS, MINUTE_MS, Timestamp};
use ears_only::error::Error;
use ears_only::feedback::{EventKind, ListeningEvent};
use ears_only::page::{Card, CardHandle, Page, Visible};
use ears_only::random::Seed;
use ears_only::ranker::{RankedPage, Ranker};
use ears_only::settings::Value;

/// What the transcript compares itself with.
pub const GOLDEN: &str = include_str!("golden/bundles/transcript.txt");

/// One small bundle of each body; the lab wrote them, and holds them to their bytes.
pub const BUNDLES: [(&str, &[u8]); 6] = [
    ("plain", include_bytes!("golden/bundles/plain.bundle")),
    ("linear", include_bytes!("golden/bundles/linear.bundle")),
    ("factorization", include_bytes!("golden/bundles/factorization.bundle")),
    ("trees", include_bytes!("golden/bundles/trees.bundle")),
    ("network", include_bytes!("golden/bundles/network.bundle")),
    ("network-int8", include_bytes!("golden/bundles/network-int8.bundle")),
];

const SHELVES: usize = 3;
const CARDS: usize = 6;

/// Opens a bundle as a host does.
pub fn open(bytes: &[u8]) -> Result<Bundle, Error> {
    let value: Value = serde_json::from_slice(header(bytes)?).unwrap_or_default();
    Bundle::from_bytes(bytes, &value)
}

pub fn hour(hour: i64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000.0).unwrap_or_default().plus_ms(hour * HOUR_MS)
}

pub fn ranker(bundle: Bundle) -> Result<Ranker, Error> {
    Ranker::seeded(bundle, Seed::from_number(77))
}

/// A page of three shelves; where the model keeps what is missing, every fourth card has no energy.
pub fn page(ranker: &mut Ranker) -> Result<Page, Error> {
    let keeps = ranker.bundle().schema().given().any(|column| column.keeps_missing);
    let mut builder = Page::builder(Visible { shelves: 2, cards: 3 });
    let mut features = Vec::new();
    for s in 0..SHELVES {
        builder.shelf(ranker.catalogue_mut().register_shelf(&format!("shelf-{s}"), "popular", "")?, false);
        for c in 0..CARDS {
            let i = s * CARDS + c;
            let card = Card {
                id: format!("card-{i}"),
                artist: format!("Artist {}", i % 5),
                family: "jazz".into(),
                popularity: Some((i * 29 % 100) as f32 / 100.0),
                ..Card::default()
            };
            builder.card(ranker.catalogue_mut().register(card)?, false);
            let energy = if keeps && i % 4 == 3 { f32::NAN } else { (i * 7 % 10) as f32 / 10.0 };
            features.extend([70.0 + (i * 31 % 140) as f32, energy]);
        }
    }
    builder.features(2, features).with_context(vec![4.0]).build()
}

/// Sees the visible cards and plays every card of one artist.
pub fn listen(ranker: &mut Ranker, ranked: &RankedPage, visit: i64) -> Result<(), Error> {
    let mut at = hour(24 * visit).plus_ms(MINUTE_MS);
    let shown: Vec<CardHandle> =
        ranked.shelves.iter().take(2).flat_map(|s| &ranked.cards[s.cards.clone()][..3]).map(|c| c.card).collect();
    for card in shown {
        let of = |kind, ms_played, at| ListeningEvent { kind, decision: Some(ranked.id), shelf: None, card, ms_played, at };
        ranker.observe(&of(EventKind::Impression, None, at), at)?;
        if (i64::from(card.index()) + visit) % 5 < 2 {
            at = at.plus_ms(MINUTE_MS);
            ranker.observe(&of(EventKind::Finish, Some(60_000), at), at)?;
        }
    }
    ranker.end_session(at.plus_ms(MINUTE_MS));
    Ok(())
}

/// Rows of every size within and around the limits, with missing values where the model takes them.
pub fn rows(bundle: &Bundle) -> Vec<Vec<f32>> {
    let schema = bundle.schema();
    let keeps = schema.columns()[1].keeps_missing;
    let mut rows = Vec::new();
    for i in 0..60usize {
        let missing = keeps && i % 7 == 3;
        let mut row = vec![0.0; schema.stride()];
        row[..6].copy_from_slice(&[
            1.0,
            (i * 13 % 60) as f32 / 60.0,
            if missing { f32::NAN } else { -20.0 + (i * 37 % 360) as f32 },
            (i * 11 % 23) as f32 / 22.0,
            (i % 9) as f32 / 12.0,
            (i % 8) as f32,
        ]);
        schema.guard(&mut row);
        rows.push(row);
    }
    rows
}

/// Scores before learning, then four visits, and what was learned.
pub fn transcript() -> Result<String, Error> {
    let mut out = String::new();
    for (name, bytes) in BUNDLES {
        let bundle = open(bytes)?;
        let rows = rows(&bundle);
        let _ = write!(out, "{name} scores");
        for row in &rows {
            let _ = write!(out, " {:016x}", bundle.model().score(row).to_bits());
        }
        let mut ranker = ranker(bundle)?;
        let page = page(&mut ranker)?;
        for visit in 0..4 {
            let ranked = ranker.rank(&page, hour(24 * visit))?;
            let _ = write!(out, "\n{name} page {visit} {}", ranked.id);
            for card in &ranked.cards {
                let _ = write!(
                    out,
                    " {}:{:016x}:{:016x}:{:?}",
                    card.card.index(),
                    card.score.to_bits(),
                    card.propensity.to_bits(),
                    card.reason.code
                );
            }
            listen(&mut ranker, &ranked, visit)?;
        }
        let _ = write!(out, "\n{name} learned");
        for mean in ranker.weights() {
            let _ = write!(out, " {:016x}", mean.to_bits());
        }
        let bytes = ranker.snapshot();
        let mut next = self::ranker(open(BUNDLES.iter().find(|b| b.0 == name).map_or(&[][..], |b| b.1))?)?;
        let _ = self::page(&mut next)?;
        let restored = next.restore(&bytes)?;
        let _ = writeln!(out, "\n{name} restored {restored:?}, again equal {}", next.snapshot() == bytes);
    }
    Ok(out)
}
