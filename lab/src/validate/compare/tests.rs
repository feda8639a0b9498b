use super::*;
use crate::validate::finding::Severity;
use crate::validate::roles::Roles;
use crate::validate::simulate::{Draw, Log};

/// What comparing two draws finds, as `code column slice dataset`.
fn found(train: &Draw, against: &Draw) -> Vec<String> {
    let (a, b) = (train.stats(), against.stats());
    let findings = compare(&Pair { train: &a, against: &b }, [train, against]).unwrap();
    findings
        .iter()
        .map(|finding| {
            let of = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{} {} {} {}", finding.code, of(&finding.column), of(&finding.slice), finding.dataset.name())
        })
        .collect()
}

#[test]
fn a_tier_that_is_gone_is_one_finding_whatever_follows_from_it() {
    let log = Log { rows: 5000, ..Log::default() };
    for share in [0.4, 0.05, 0.01] {
        let log = Log { premium: share, ..log.clone() };
        let (whole, cut) = (log.draw(1, None), log.draw(2, Some("premium")));
        assert_eq!(found(&cut, &whole), ["missing_slice tier tier=premium train"], "{share}");
        assert_eq!(found(&whole, &cut), ["missing_slice tier tier=premium against"], "{share}");
    }
}

#[test]
fn equal_data_raise_no_alarm() {
    // The chance of one in these 20 pairs is at most 20 x 0.0005; the seeds are fixed.
    for seed in 0..20 {
        let log = Log { rows: 1000 + 150 * seed, ..Log::default() };
        assert!(found(&log.draw(2 * seed, None), &log.draw(2 * seed + 1, None)).is_empty(), "{seed}");
    }
}

#[test]
fn two_tiers_gone_are_two_findings() {
    let log = Log { rows: 4000, ..Log::default() };
    let (whole, mut cut) = (log.draw(1, None), log.draw(2, Some("premium")));
    cut.drop("country", "SE");
    let mut all = found(&cut, &whole);
    all.sort();
    assert_eq!(all, ["missing_slice country country=SE train", "missing_slice tier tier=premium train"]);
}

#[test]
fn a_tier_that_has_collapsed_is_one_finding() {
    let log = Log { rows: 10_000, ..Log::default() };
    let thin = Log { premium: 0.08, ..log.clone() };
    assert_eq!(found(&thin.draw(1, None), &log.draw(2, None)), ["collapsed_slice tier tier=premium train"]);
    assert_eq!(found(&log.draw(2, None), &thin.draw(1, None)), ["collapsed_slice tier tier=premium against"]);
    let less = Log { premium: 0.33, ..log.clone() };
    assert_eq!(found(&less.draw(1, None), &log.draw(2, None)), ["slice_share_drift tier tier=premium train"]);
}

#[test]
fn columns_types_and_cells_are_compared() {
    let read = |text: &str| {
        let path = std::env::temp_dir().join(format!("ears-compare-{}-{:x}.jsonl", std::process::id(), mix(text.len() as u64)));
        std::fs::write(&path, text).unwrap();
        let mut stats = DatasetStats::new(Roles::default(), &[]);
        crate::validate::source::read(&path, crate::validate::source::Reading::default(), &mut |names, cells| {
            stats.add(names, cells);
            Ok(())
        })
        .unwrap();
        std::fs::remove_file(&path).unwrap();
        stats
    };
    struct Nothing;
    impl Again for Nothing {
        fn again(&self, _: &Thinning) -> Result<DatasetStats, LabError> {
            Err(LabError::failed("nothing to read again"))
        }
    }
    let rows = |row: &dyn Fn(u32) -> String| (0..300).map(|i| row(i) + "\n").collect::<String>();
    let plain = read(&rows(&|i| {
        format!("{{\"x\":{},\"code\":{},\"list\":[1,2],\"gone\":1,\"some\":{}}}", f64::from(i) + 0.5, i, f64::from(i) / 7.0)
    }));
    let other = read(&rows(&|i| {
        let some = if i % 3 == 0 { "null".to_owned() } else { (f64::from(i) / 7.0).to_string() };
        format!("{{\"x\":{},\"code\":\"c{}\",\"list\":[[1,2]],\"more\":1,\"some\":{some}}}", f64::from(i) + 0.5, i)
    }));
    let findings = compare(&Pair { train: &other, against: &plain }, [&Nothing, &Nothing]).unwrap();
    let codes: Vec<_> =
        findings.iter().map(|finding| (finding.code, finding.column.as_deref().unwrap(), finding.severity)).collect();
    assert_eq!(
        codes,
        [
            ("type_mismatch", "code", Severity::Error),
            ("nestedness_mismatch", "list", Severity::Error),
            ("missing_column", "gone", Severity::Error),
            ("new_column", "more", Severity::Warning),
            ("missing_values", "some", Severity::Error),
        ]
    );
    let empty = read("{}\n{}\n");
    assert_eq!(compare(&Pair { train: &empty, against: &empty }, [&Nothing, &Nothing]).unwrap(), []);
    let nothing = read("");
    let findings = compare(&Pair { train: &nothing, against: &empty }, [&Nothing, &Nothing]).unwrap();
    assert_eq!(findings[0].code, "no_rows");
}

#[test]
fn thinning_keeps_the_asked_share_and_depends_on_the_row_alone() {
    let mut thinning = Thinning::default();
    thinning.add("a*b", [("x*1".to_owned(), 0.25), ("y*1".to_owned(), 0.0)].into());
    let names = ["b".to_owned(), "a".to_owned()];
    let kept = |value: &[u8]| (0..10_000).filter(|row| thinning.keeps(*row, &names, &[Cell::Int(1), Cell::Text(value)])).count();
    // Four standard errors are 0.017.
    assert!((kept(b"x") as f64 / 10_000.0 - 0.25).abs() < 0.017);
    assert_eq!((kept(b"y"), kept(b"z")), (0, 10_000));
    assert_eq!(kept(b"x"), kept(b"x"));
}

/// The findings of two data sets whose column of whole numbers and policy are as told.
fn codes(
    names: [&str; 2],
    train: impl Fn(u64) -> (i64, &'static str),
    against: impl Fn(u64) -> (i64, &'static str),
) -> Vec<String> {
    struct Nothing;
    impl Again for Nothing {
        fn again(&self, _: &Thinning) -> Result<DatasetStats, LabError> {
            Err(LabError::failed("nothing to read again"))
        }
    }
    let names = names.map(str::to_owned);
    let stats = |row: &dyn Fn(u64) -> (i64, &'static str)| {
        let mut stats = DatasetStats::new(Roles::default(), &[]);
        for i in 0..3000 {
            let (number, text) = row(i);
            stats.add(&names, &[Cell::Int(number), Cell::Text(text.as_bytes())]);
        }
        stats
    };
    let (train, against) = (stats(&train), stats(&against));
    let findings = compare(&Pair { train: &train, against: &against }, [&Nothing, &Nothing]).unwrap();
    findings.iter().map(|finding| format!("{} {}", finding.code, finding.dataset.name())).collect()
}

#[test]
fn numbers_that_were_rounded_and_columns_that_became_identities_are_found() {
    let random = |i: u64, seed: u64| (mix(i ^ (seed << 32)) % 100_000) as i64;
    let names = ["length", "tier"];
    assert!(codes(names, |i| (random(i, 1) / 50, "a"), |i| (random(i, 2) / 50, "a")).is_empty());
    assert_eq!(codes(names, |i| (random(i, 1) / 50 / 10 * 10, "a"), |i| (random(i, 2) / 50, "a")), ["resolution_drift train"]);
    assert_eq!(codes(names, |i| (random(i, 1) / 200, "a"), |i| (i as i64, "a")), ["values_became_unique against"]);
}

#[test]
fn a_change_of_the_logging_policy_is_told_and_no_slice_is_missing() {
    let names = ["x", "policy"];
    assert!(codes(names, |_| (1, "v1"), |_| (1, "v1")).is_empty());
    assert_eq!(codes(names, |_| (1, "v2"), |_| (1, "v1")), ["logging_policy_change train"]);
    let half = |i: u64| (1, if i.is_multiple_of(2) { "v1" } else { "v2" });
    assert_eq!(codes(names, |_| (1, "v1"), half), ["logging_policy_change against"]);
}
