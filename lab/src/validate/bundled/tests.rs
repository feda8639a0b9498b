use super::*;
use crate::validate::roles::Roles;
use crate::validate::source::Cell;

fn columns() -> Columns {
    let mut tempo = Column::new("tempo", Source::Given);
    (tempo.min, tempo.max, tempo.default) = (0.0, 200.0, 120.0);
    let mut rare = Column::new("rare", Source::Context);
    rare.keeps_missing = true;
    Columns { version: "v7".to_owned(), columns: vec![tempo, Column::new("popularity", Source::Popularity), rare] }
}

fn told(names: &[&str], row: impl Fn(u32) -> Vec<Cell<'static>>) -> Vec<(Option<String>, String)> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut stats = DatasetStats::new(Roles::default(), &[]);
    (0..100).for_each(|i| stats.add(&names, &row(i)));
    let findings = columns().check(&stats, Dataset::Train);
    assert!(findings.iter().all(|finding| finding.code == "bundle_schema_mismatch" && !finding.fix.is_empty()));
    findings.into_iter().map(|finding| (finding.column, finding.message)).collect()
}

#[test]
fn data_that_a_device_takes_as_they_are_have_no_findings() {
    let row = |i: u32| {
        let rare = if i.is_multiple_of(3) { Cell::Missing } else { Cell::Int(1) };
        vec![Cell::Float(f64::from(i)), Cell::Float(0.5), rare, Cell::Int(0), Cell::Text(b"ann"), Cell::Text(b"shelf")]
    };
    let names = ["tempo", "popularity", "rare@context", "reward", "listener", "slice:kind"];
    assert_eq!(told(&names, row), []);
    assert_eq!(told(&["x_tempo", "x_popularity", "x_rare", "ctx_tier"], row), []);
}

#[test]
fn what_a_device_would_refuse_or_change_is_told() {
    let one = |place: usize, cell: Cell<'static>| {
        let names = ["tempo", "popularity", "rare"];
        let mut found = told(&names, |i| {
            let mut row = vec![Cell::Float(100.0), Cell::Float(0.5), Cell::Int(1)];
            if i < 10 {
                row[place] = cell;
            }
            row
        });
        assert_eq!(found.len(), 1, "{found:?}");
        let (column, message) = found.remove(0);
        assert_eq!(column.as_deref(), Some(names[place]));
        message
    };
    assert_eq!(
        one(0, Cell::Float(250.5)),
        "column tempo: about 10 % of train lie outside 0 to 200, up to 250.5; a device takes the nearest limit"
    );
    assert_eq!(one(0, Cell::Missing), "column tempo: 10 % of train are missing, which a device takes for 120");
    assert_eq!(one(1, Cell::Float(f64::NAN)), "column popularity: 10 % of train are missing, which a device takes for 0");
    assert_eq!(one(1, Cell::Text(b"high")), "column popularity: 10 % of train are no numbers, which a device refuses");
    assert_eq!(one(2, Cell::Float(f64::INFINITY)), "column rare: 10 values of train are infinite, which a device refuses");
}

#[test]
fn columns_that_differ_are_told() {
    let names = ["tempo", "popularity@given", "reward", "mood"];
    let found = told(&names, |_| vec![Cell::Int(100), Cell::Float(0.5), Cell::Int(1), Cell::Int(2)]);
    let messages: Vec<&str> = found.iter().map(|(_, message)| message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "column popularity of train comes from given, in the bundle from popularity",
            "column rare of the bundle v7 is missing from train",
            "column mood of train is not in the bundle v7",
        ]
    );
}
