//! Bodies made by the product's own coin, ledger and randomiser, taken, refused, released, and lost in the middle.

use super::*;
use ears_only::clock::{DAY_MS, WEEK_MS};
use ears_only::privacy::{Answer, Coin, FIRST_EPOCH, Ledger, Private, epoch_of, epoch_start, release};
use ears_only::random::{Purpose, Seed, SeededEntropy};

pub(crate) const EPOCH: u16 = 50;

pub(crate) const MANIFEST: &str = r#"{"format": 2, "epochs": [46, 60], "modelVersion": "demo-1", "epsilonIndex": 2, "windowMs": 1800000,
  "probes": [
    {"kind": "card", "shelf": "popular", "shelfPosition": 1, "cardPosition": 2, "questions": ["played_30s", "how_long"],
     "arms": [{"card": "a", "weight": 40000}, {"card": "b", "weight": 25536}]},
    {"kind": "vote", "clip": 0.2, "questions": ["vote"],
     "arms": [{"name": "new", "policy": {}, "block": "shelves", "weight": 65535}, {"name": "rare", "policy": {}, "block": "shelves", "weight": 1}]}]}"#;

/// A folder of a test, with the manifest in it.
pub(crate) struct Desk {
    pub(crate) folder: PathBuf,
    pub(crate) manifests: Manifests,
}

impl Desk {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ears-lab-collect-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("manifest.json"), MANIFEST).unwrap();
        let manifests = Manifests::read(&[folder.join("manifest.json")]).unwrap();
        Self { folder, manifests }
    }

    pub(crate) fn open(&self) -> Collector {
        Collector::open(self.manifests.clone(), &self.folder.join("out")).unwrap()
    }

    /// A body as device `number` would send it in `epoch`, whatever the coin says; the true answer is `answer`.
    pub(crate) fn body(&self, number: u32, epoch: u16, answer: u8) -> Body {
        let manifest = &self.manifests.all()[0];
        let seed = Seed::from_number(number.into());
        let (mut coins, mut flips) = (SeededEntropy::new(seed.clone(), Purpose::Coin), SeededEntropy::new(seed, Purpose::Flip));
        let coin = Coin::toss(manifest, epoch, &mut coins).unwrap();
        let now = FIRST_EPOCH.plus_ms(i64::from(epoch) * WEEK_MS + DAY_MS);
        let mut ledger = Ledger::start(now.plus_ms(-30 * DAY_MS));
        let permit = ledger.debit(manifest.epsilon(), epoch, now, now).unwrap();
        let vote = manifest.probes()[usize::from(coin.slot)].kind.name() == "vote";
        let answer = if vote { Answer::Chance(u64::from(answer) << 31) } else { Answer::Symbol(answer) };
        let record = release(Private::new(answer), permit, manifest, &coin, &mut flips).unwrap().bytes();
        let mut nonce = [0; NONCE_BYTES];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        Body { nonce, record }
    }

    /// The first `count` bodies of one cell.
    fn of_cell(&self, slot: u8, arm: u16, question: u8, count: usize) -> Vec<Body> {
        let fits = |body: &Body| {
            let fields = self.manifests.fits(&body.record).unwrap();
            (fields.slot, fields.arm, fields.question) == (slot, arm, question)
        };
        (0..).map(|number| self.body(number, EPOCH, 1)).filter(fits).take(count).collect()
    }

    fn released(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.folder.join("out")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|ext| ext == "parquet")).collect();
        files.sort();
        files
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn take(collector: &mut Collector, body: &Body, epoch: u16) -> &'static str {
    collector.take(&body.bytes(), false, epoch).unwrap().map_or_else(Refusal::code, |()| "taken")
}

#[test]
fn a_vote_of_a_device_that_was_away_for_two_weeks_is_taken() {
    let desk = Desk::new("late");
    let vote = (0..)
        .map(|number| desk.body(number, EPOCH, 1))
        .find(|body| desk.manifests.fits(&body.record).unwrap().slot == 1)
        .unwrap();
    // Last visit in the last millisecond of the vote's week, the next two weeks later, a day until it is sent.
    let sent = epoch_start(EPOCH + 1).plus_ms(-1 + 15 * DAY_MS);
    assert_eq!(take(&mut desk.open(), &vote, epoch_of(sent).unwrap()), "taken");
}

#[test]
fn each_thing_that_is_wrong_has_its_code_and_is_counted() {
    let desk = Desk::new("codes");
    let mut collector = desk.open();
    let body = desk.of_cell(0, 0, 0, 1)[0];
    let bits = u128::from_be_bytes(body.record);
    // Fields from the top: 4, 12, 32, 4, 5, 5, 10, 6, 16, 3, 6, 25 bits.
    let nonce = body.nonce;
    let with = |xor: u128| Body { nonce, record: (bits ^ xor).to_be_bytes() };
    let wrong: Vec<(Body, &str)> = vec![
        (with(1), "bad_record"),
        (with(3 << 124), "bad_record"),
        (with(1 << 80), "unknown_manifest"),
        (with(7 << 76), "unknown_slot"),
        (with(1 << 71), "wrong_position"),
        (with(1 << 66), "wrong_position"),
        (with(2 << 56), "unknown_arm"),
        (with(2 << 50), "unknown_question"),
        (with(1 << 34), "wrong_propensity"),
        (with(3 << 31), "wrong_epsilon"),
        (with(2 << 25), "unknown_symbol"),
        (with(0x40 << 112), "epoch_not_covered"),
    ];
    let mut count = 0;
    for (body, code) in &wrong {
        assert_eq!(take(&mut collector, body, EPOCH), *code);
        count += 1;
    }
    assert_eq!(take(&mut collector, &body, EPOCH - 1), "epoch_ahead");
    assert_eq!(take(&mut collector, &body, EPOCH + LATE_EPOCHS), "taken");
    assert_eq!(take(&mut collector, &desk.body(77, EPOCH, 0), EPOCH + LATE_EPOCHS + 1), "epoch_stale");
    for (change, code) in [(0usize, "bad_format"), (40, "bad_padding"), (255, "bad_padding")] {
        let mut bytes = body.bytes();
        bytes[change] ^= 0x10;
        assert_eq!(collector.take(&bytes, false, EPOCH + 4).unwrap().unwrap_err().code(), code);
    }
    for length in [0, 33, 255, 257] {
        assert_eq!(collector.take(&vec![1; length], false, EPOCH + 4).unwrap(), Err(Refusal::Length));
    }
    let tally = collector.tally();
    assert_eq!(tally.refused.values().sum::<u64>(), count + 2 + 3 + 4);
    assert_eq!((tally.refused["bad_record"], tally.refused["bad_length"], tally.taken), (2, 4, 1));
}

#[test]
fn repetitions_count_once_and_survive_a_restart() {
    let desk = Desk::new("repeated");
    let body = desk.body(3, EPOCH, 1);
    {
        let mut collector = desk.open();
        assert_eq!(take(&mut collector, &body, EPOCH), "taken");
        assert_eq!(take(&mut collector, &body, EPOCH), "taken");
        collector.sync().unwrap();
        collector.report().unwrap();
        // Nobody else may write beside it.
        assert!(Collector::open(desk.manifests.clone(), &desk.folder.join("out")).is_err());
    }
    let mut collector = desk.open();
    assert_eq!(take(&mut collector, &body, EPOCH), "taken");
    let tally = collector.tally();
    assert_eq!((tally.taken, tally.repeated, tally.waiting), (1, 2, 1));
}

#[test]
fn cells_are_released_full_or_at_the_end_and_dropped_when_small() {
    let desk = Desk::new("cells");
    let mut collector = desk.open();
    let full = desk.of_cell(1, 0, 0, FULL_CELL + LEAST_CELL - 1);
    for body in &full[..FULL_CELL - 1] {
        assert_eq!(take(&mut collector, body, EPOCH), "taken");
    }
    // One short of full: nothing leaves, and nothing says what waits where.
    assert!(desk.released().is_empty());
    take(&mut collector, &full[FULL_CELL - 1], EPOCH);
    let files = desk.released();
    assert_eq!(files.len(), 1);
    let rows = read_released(&desk.manifests, &files).unwrap();
    assert_eq!(rows.len(), FULL_CELL);
    // In another order than they came: equal for one symbol in two by chance, and so for all of them never.
    let came: Vec<u8> = full[..FULL_CELL].iter().map(|body| desk.manifests.fits(&body.record).unwrap().symbol).collect();
    let left: Vec<u8> = rows.iter().map(|row| row.symbol).collect();
    assert_ne!(came, left);
    assert_eq!(came.iter().filter(|symbol| **symbol == 1).count(), left.iter().filter(|symbol| **symbol == 1).count());
    // The hour is that of the week's beginning.
    let modified = std::fs::metadata(&files[0]).unwrap().modified().unwrap();
    let week = epoch_start(EPOCH).ms() as u64;
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64, week);
    // Nonces of released records are forgotten.
    assert_eq!(take(&mut collector, &full[0], EPOCH), "taken");
    assert_eq!(collector.tally().repeated, 0);
    // 999 at the end of the epoch are dropped, 1,000 released.
    for body in &full[FULL_CELL..FULL_CELL + LEAST_CELL - 2] {
        take(&mut collector, body, EPOCH);
    }
    let other = desk.of_cell(0, 1, 1, LEAST_CELL);
    for body in &other {
        take(&mut collector, body, EPOCH);
    }
    assert_eq!(collector.tally().waiting, 2 * LEAST_CELL as u64 - 1);
    collector.settle(EPOCH).unwrap();
    assert_eq!(desk.released().len(), 1);
    collector.settle(EPOCH + 1).unwrap();
    let files = desk.released();
    assert_eq!(files.len(), 2);
    let rows = read_released(&desk.manifests, &files[1..]).unwrap();
    assert!(rows.len() == LEAST_CELL && rows.iter().all(|row| (row.slot, row.arm, row.question) == (0, 1, 1)));
    let tally = collector.tally().clone();
    assert_eq!((tally.released, tally.dropped, tally.released_cells, tally.dropped_cells), (11_000, 999, 2, 1));
    assert_eq!(tally.waiting, 0);
    // Released bytes hold no nonce.
    let nonce = other[7].nonce;
    let all = std::fs::read(&files[1]).unwrap();
    assert!(!all.windows(NONCE_BYTES).any(|window| window == nonce));
    drop(collector);
    let state = std::fs::read(desk.folder.join("out/state.bin")).unwrap();
    assert!(!state.windows(NONCE_BYTES).any(|window| window == nonce));
}

#[test]
fn a_crash_at_any_byte_loses_the_last_record_at_most() {
    let desk = Desk::new("crash");
    let bodies: Vec<Body> = (0..6).map(|number| desk.body(number, EPOCH, 1)).collect();
    {
        let mut collector = desk.open();
        bodies.iter().for_each(|body| assert_eq!(take(&mut collector, body, EPOCH), "taken"));
        collector.sync().unwrap();
    }
    let path = desk.folder.join("out/state.bin");
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len(), 20 + 6 * 36);
    for cut in 20..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let collector = desk.open();
        assert_eq!(collector.tally().waiting as usize, (cut - 20) / 36, "cut at {cut}");
        drop(collector);
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, 20 + (cut - 20) / 36 * 36);
    }
    // Damage in the middle is no crash: it is said, and nothing is overwritten.
    let mut damaged = whole.clone();
    damaged[60] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let message = Collector::open(desk.manifests.clone(), &desk.folder.join("out")).err().unwrap().to_string();
    assert!(message.contains("at byte 56"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), damaged);
}

#[test]
fn a_release_cut_off_happens_once_or_not_at_all() {
    let desk = Desk::new("release");
    let out = desk.folder.join("out");
    let bodies = desk.of_cell(1, 0, 0, LEAST_CELL);
    let mut collector = desk.open();
    bodies.iter().for_each(|body| assert_eq!(take(&mut collector, body, EPOCH), "taken"));
    let one = desk.of_cell(0, 0, 0, 1)[0];
    take(&mut collector, &one, EPOCH);
    collector.sync().unwrap();
    let before = std::fs::read(out.join("state.bin")).unwrap();
    collector.finish().unwrap();
    drop(collector);
    let after = std::fs::read(out.join("state.bin")).unwrap();
    let file = desk.released()[0].clone();
    // Cut off before the released file had its name: nothing was released.
    std::fs::rename(&file, file.with_extension("next")).unwrap();
    std::fs::write(out.join("state.bin"), &before).unwrap();
    std::fs::write(out.join("state.next"), &after).unwrap();
    assert_eq!(desk.open().tally().waiting as usize, LEAST_CELL + 1);
    assert!(!out.join("state.next").exists());
    // Cut off after: it was, and nothing of it waits.
    std::fs::rename(file.with_extension("next"), &file).unwrap();
    std::fs::write(out.join("state.bin"), &before).unwrap();
    std::fs::write(out.join("state.next"), &after).unwrap();
    let collector = desk.open();
    assert_eq!(collector.tally().waiting, 0);
    assert_eq!(desk.released(), [file]);
}

#[test]
fn estimates_of_released_records_find_what_was_answered() {
    let desk = Desk::new("estimates");
    let mut collector = desk.open();
    // Everybody answers 1: "under 30 s", a play, a lift of +0 (a chance of one half) in turn.
    for number in 0..12_000 {
        take(&mut collector, &desk.body(number, EPOCH, 1), EPOCH);
    }
    collector.finish().unwrap();
    drop(collector);
    let rows = read_released(&desk.manifests, &desk.released()).unwrap();
    let report = crate::noisy::probes::report(&desk.manifests, &rows).unwrap();
    assert!(report.answers());
    let value = |question: &str, what: &str, arm: usize, truth: f64| {
        let line = report.lines.iter().find(|line| line.question == question && line.what == what && line.arm == arm);
        let estimate = &line.unwrap().estimate;
        // Six standard errors: 6 numbers, false alarm below 1e-7.
        assert!((estimate.value - truth).abs() < 6.0 * estimate.standard_error, "{question} {what}: {estimate:?}");
    };
    value("played_30s", "mean", 0, 1.0);
    value("played_30s", "over the first", 1, 0.0);
    value("how_long", "under 30 s", 0, 1.0);
    value("how_long", "to the end", 1, 0.0);
    value("vote", "lift", 0, 0.0);
    assert!(report.lines.iter().all(|line| line.name != "rare"), "a cell that was dropped must not be named");
    assert!(report.table().contains("probe 1 (vote), vote"));
}

#[test]
fn rows_that_are_no_records_are_located() {
    let desk = Desk::new("rows");
    let fields = desk.manifests.fits(&desk.of_cell(0, 0, 0, 1)[0].record).unwrap();
    let file = desk.folder.join("rows.parquet");
    let read = |rows: &[RecordFields]| {
        probes::write(&file, rows).unwrap();
        read_released(&desk.manifests, std::slice::from_ref(&file)).map_err(|error| error.to_string())
    };
    assert_eq!(read(std::slice::from_ref(&fields)).unwrap(), std::slice::from_ref(&fields));
    let wrong = RecordFields { propensity_numerator: 3, ..fields.clone() };
    let message = read(&[fields.clone(), wrong]).unwrap_err();
    assert!(message.contains("in row 2") && message.contains("wrong_propensity"), "{message}");
    let wrong = RecordFields { epoch: 5_000, ..fields };
    let message = read(&[wrong]).unwrap_err();
    assert!(message.contains("0 to 4095 in row 1, column epoch") && message.contains("5000"), "{message}");
    std::fs::write(&file, "no Parquet").unwrap();
    assert!(probes::read(&file).is_err());
}
