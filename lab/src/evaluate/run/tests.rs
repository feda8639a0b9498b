use super::*;
use crate::logs::parquet::{Packing, Writer};
use crate::logs::{Decision, Header};

/// More rows than a batch, with pages that end within batches; two slices.
const ROWS: u32 = 130_000;

fn settings() -> Settings {
    Settings {
        targets: ["scored:a", "scored:b", "logging"].map(|target| target.parse().unwrap()).to_vec(),
        estimators: vec![Estimator::Ips, Estimator::Snips, Estimator::DoublyRobust, Estimator::SwitchDr(2.0)],
        embeddings: None,
        slices: vec!["ctx_slice".to_owned()],
        model: ModelChoice::Logged,
        threads: 2,
        skip_bad: true,
        mixed: false,
        blocks: false,
        slates: None,
    }
}

/// Evaluates rows as they are written in both ways; `change` spoils them. What was logged of policy b is its probabilities alone.
fn answers(name: &str, change: impl Fn(u32, &mut Decision)) -> [Answer; 2] {
    let names = ["ctx_slice", "predicted", "target_a", "expected_a", "target_b"];
    let header = Header { words: Vec::new(), numbers: names.map(str::to_owned).to_vec() };
    let folder = std::env::temp_dir().join(format!("ears-lab-run-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let of = |packing: Packing| {
        let path = folder.join("log.parquet");
        let mut writer = Writer::packed(&path, header.clone(), false, packing).unwrap();
        for i in 0..ROWS {
            let part = |k: u32| f64::from(i * k % 31) / 31.0;
            let numbers = [f64::from(i % 3), part(3), part(5), part(7), part(11)];
            let mut row = Decision {
                policy: "explore".to_owned(),
                propensity: 0.5 + part(13) / 2.0,
                reward: Some(part(17)),
                numbers: numbers.map(Some).to_vec(),
                ..Decision::default()
            };
            change(i, &mut row);
            writer.write(row).unwrap();
        }
        writer.finish().unwrap();
        evaluate(&[path], &settings(), &|_, _| {}).unwrap()
    };
    let answers = [of(Packing::Plain), of(Packing::Zstd)];
    std::fs::remove_dir_all(&folder).unwrap();
    answers
}

#[test]
fn columns_in_memory_give_the_bits_of_columns_that_were_read() {
    let [plain, packed] = answers("fine", |_, _| {});
    assert_eq!(plain, packed);
    assert_eq!((plain.rows, plain.targets.len(), plain.targets[0].slices.len()), (u64::from(ROWS), 3, 3));
    let value = plain.targets[2].all.estimators[0].estimate().value;
    let mean = (0..ROWS).map(|i| f64::from(i * 17 % 31) / 31.0).sum::<f64>() / f64::from(ROWS);
    assert!((value - mean).abs() < 1e-12, "{value} {mean}");
}

#[test]
fn a_bad_row_in_memory_is_found_and_left_out_as_one_that_was_read_is() {
    let [plain, packed] = answers("bad", |i, row| match i {
        70_000 => row.propensity = 0.0,
        70_001 => row.reward = Some(f64::NAN),
        99_999 => row.reward = None,
        129_999 => row.numbers[2] = Some(1.5),
        _ => (),
    });
    assert_eq!(plain, packed);
    assert_eq!((plain.rows, plain.pending), (u64::from(ROWS) - 4, 1));
    let first: Vec<u64> = plain.findings.summaries().iter().flat_map(|kind| kind.first.iter().map(|(_, row, _)| *row)).collect();
    assert_eq!(first, [70_001, 70_002, 130_000]);
}
