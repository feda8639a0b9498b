use super::*;
use crate::validate::simulate::Log;

#[test]
fn sixty_four_parts_add_up_to_one_pass() {
    let names: Vec<String> = ["a", "b", "c", "reward", "t"].map(str::to_owned).to_vec();
    let slices = ["c".to_owned(), "b*c".to_owned()];
    let mut whole = DatasetStats::new(Roles::default(), &slices);
    let mut parts = vec![DatasetStats::new(Roles::default(), &slices); 64];
    let words = ["x", "yy", "", "züri"];
    for i in 0..20_000_u64 {
        let random = mix(i);
        let items = [Cell::Int((random % 5) as i64), Cell::Missing, Cell::Float(0.5)];
        let cells = [
            Cell::Float((random % 1000) as f64 / 8.0),
            if random.is_multiple_of(7) { Cell::Missing } else { Cell::Text(words[(random % 4) as usize].as_bytes()) },
            Cell::Bool(random.is_multiple_of(3)),
            Cell::Int((random % 2) as i64),
            Cell::List { items: &items[..(random % 4) as usize], depth: 1 },
        ];
        whole.add(&names, &cells);
        // The first 300 rows of each part make whole blocks, as files do.
        parts[(i / 313) as usize % 64].add(&names, &cells);
    }
    let mut merged = DatasetStats::new(Roles::default(), &slices);
    parts.iter().for_each(|part| merged.merge(part));
    assert_eq!(merged, whole);
    assert_eq!(merged.rows(), 20_000);
}

#[test]
fn columns_that_come_late_were_missing_before() {
    let mut stats = DatasetStats::new(Roles::default(), &["b".to_owned()]);
    stats.add(&["a".to_owned()], &[Cell::Int(1)]);
    stats.add(&["a".to_owned(), "b".to_owned()], &[Cell::Missing, Cell::Text(b"x")]);
    let b = stats.column("b").unwrap();
    assert_eq!((b.missing, b.present, b.kind()), (1, 1, Kind::Text));
    let mut other = DatasetStats::new(Roles::default(), &["b".to_owned()]);
    other.add(&["b".to_owned()], &[Cell::Text(b"x")]);
    other.merge(&stats);
    assert_eq!(other.names(), ["b", "a"]);
    assert_eq!(other.column("a").unwrap().missing, 2);
    assert_eq!(other.slices()[0].slices()["x"].rows, 2);
}

#[test]
fn memory_does_not_grow_with_the_rows() {
    // A drawn log, again and again: what the statistics hold stays the same.
    let draw = Log { rows: 2000, ..Log::default() }.draw(1, None);
    let stats = draw.stats();
    let bins = |stats: &DatasetStats| stats.columns().map(|(_, column)| column.bins.bins().len()).max().unwrap();
    let mut many = stats.clone();
    (0..50).for_each(|_| many.merge(&stats));
    assert_eq!(many.rows(), 51 * 2000);
    assert!(bins(&many) <= 1024 && bins(&many) <= bins(&stats));
}
