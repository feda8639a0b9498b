//! Golden files: the same bits today, tomorrow and in the browser.
//!
//! `EARS_BLESS=1 cargo test --test native` writes them anew; a change of theirs is value-breaking and goes into the changelog.

use ears_only::ranker::Restored;

use super::scenario;

fn compare(name: &str, got: &str, want: &str) {
    if std::env::var_os("EARS_BLESS").is_some() {
        let path = format!("{}/tests/golden/v1/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, got).expect("the golden folder can be written");
        return;
    }
    for (line, (got, want)) in got.lines().zip(want.lines()).enumerate() {
        assert_eq!(got, want, "{name}, line {}", line + 1);
    }
    assert_eq!(got.lines().count(), want.lines().count());
}

#[test]
fn seeded_decisions_and_records_are_stable() {
    let transcript = scenario::transcript().unwrap();
    assert!(transcript.contains("record "), "the scenario makes at least one record");
    assert!(!transcript.contains("again equal false"), "a restored state writes the same bytes");
    compare("decisions.txt", &transcript, scenario::GOLDEN);
}

#[test]
fn seeded_decisions_under_the_spread_of_scores_are_stable() {
    compare("spread.txt", &scenario::spread().unwrap(), include_str!("../golden/v1/spread.txt"));
}

#[test]
fn a_snapshot_of_today_keeps_its_bytes() {
    let (ranker, _) = scenario::small().unwrap();
    let (bytes, known) = (ranker.snapshot(), scenario::known(&ranker));
    if std::env::var_os("EARS_BLESS").is_some() {
        std::fs::write(format!("{}/tests/golden/v3/snapshot.bin", env!("CARGO_MANIFEST_DIR")), &bytes).unwrap();
        std::fs::write(format!("{}/tests/golden/v3/snapshot.txt", env!("CARGO_MANIFEST_DIR")), &known).unwrap();
        return;
    }
    assert!(bytes == include_bytes!("../golden/v3/snapshot.bin"), "the bytes of a snapshot have changed");
    assert_eq!(known, include_str!("../golden/v3/snapshot.txt"));
}

/// The bytes of `v1` and `v2` were written by the last releases with those formats, from [`scenario::small`] as it ran there.
#[test]
fn snapshots_of_every_format_are_readable() {
    let formats: [(&[u8], &str); 3] = [
        (include_bytes!("../golden/v1/snapshot.bin"), include_str!("../golden/v1/snapshot.txt")),
        (include_bytes!("../golden/v2/snapshot.bin"), include_str!("../golden/v2/snapshot.txt")),
        (include_bytes!("../golden/v3/snapshot.bin"), include_str!("../golden/v3/snapshot.txt")),
    ];
    for (bytes, known) in formats {
        let mut ranker = scenario::ranker(1_958).unwrap();
        let page = scenario::page(&mut ranker).unwrap();
        assert_eq!(ranker.restore(bytes).unwrap(), Restored::Whole);
        assert_eq!(scenario::known(&ranker), known);
        let again = ranker.snapshot();
        let mut other = scenario::ranker(1_958).unwrap();
        scenario::page(&mut other).unwrap();
        other.restore(&again).unwrap();
        assert!(other.snapshot() == again, "what was read is written in the format of today and read back");
        let ranked = ranker.rank(&page, scenario::day(9)).unwrap();
        assert!(ranked.cards.iter().any(|card| card.score != ranked.cards[0].score));
    }
}

#[test]
fn math_bits() {
    compare("math.txt", &format!("{:016x}\n", scenario::math_hash()), include_str!("../golden/v1/math.txt"));
}
