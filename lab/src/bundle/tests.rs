use super::example::{NAMES, example};
use super::*;

fn golden(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/golden/bundles/{name}.bundle"))
}

/// The bytes of a format never change; `EARS_BLESS=1` writes them anew while the format is not yet released.
#[test]
fn every_body_is_written_as_it_always_was_and_read_back() {
    for name in NAMES {
        let draft = example(name).unwrap();
        let bytes = draft.write().unwrap();
        assert_eq!(bytes, draft.write().unwrap());
        if std::env::var_os("EARS_BLESS").is_some() {
            std::fs::write(golden(name), &bytes).unwrap();
        }
        assert!(bytes == std::fs::read(golden(name)).unwrap(), "{name}: the bytes have changed");
        let opened = read(&bytes).unwrap();
        let (model, shipping) = (opened.bundle.model(), opened.bundle.shipping().unwrap());
        if draft.quantisation == Quantisation::None {
            assert_eq!(*model.body(), draft.body);
        }
        assert_eq!((shipping.sequence, shipping.name.as_str()), (1, "example"));
        assert_eq!(opened.address(), hex(&Sha256::digest(&bytes)));
        let columns: Vec<Column> = draft.columns.iter().map(|column| column.column.clone()).collect();
        assert_eq!(opened.bundle.schema().columns(), columns);
        assert_eq!(opened.bundle.version(), format!("example-{name}"));
    }
}

#[test]
fn before_learning_the_score_is_the_margin_and_then_it_moves() {
    for name in NAMES.into_iter().filter(|name| *name != "plain") {
        let mut draft = example(name).unwrap();
        draft.starts = vec![Start { mean: None, ..draft.starts[0].clone() }];
        let mut model = read(&draft.write().unwrap()).unwrap().bundle.model().clone();
        let rows: Vec<Vec<f32>> = (0..200)
            .map(|i| {
                vec![
                    1.0,
                    (i % 7) as f32 / 7.0,
                    60.0 + (i * 13 % 180) as f32,
                    (i % 5) as f32 / 5.0,
                    (i % 3) as f32 / 3.0,
                    (i % 7) as f32,
                ]
            })
            .collect();
        for row in &rows {
            assert_eq!(model.score(row).to_bits(), model.margin(row).to_bits(), "{name}");
            assert!(model.margin(row).abs() > 1e-3 && model.score_sd(row) > 0.1, "{name}");
        }
        let before = (model.score(&rows[3]), model.score_sd(&rows[3]));
        for _ in 0..10 {
            model.learn(&rows[3], 1.0, 1.0);
        }
        assert!(model.score(&rows[3]) > before.0 + 0.5 && model.score_sd(&rows[3]) < before.1, "{name}");
        assert_eq!(model.margin(&rows[3]), before.0);
    }
}

#[test]
fn quantised_weights_lose_little_and_take_less() {
    let mut draft = example("network").unwrap();
    let exact = read(&draft.write().unwrap()).unwrap();
    let (mut sizes, mut losses) = (Vec::new(), Vec::new());
    for quantisation in [Quantisation::Float16, Quantisation::Int8] {
        draft.quantisation = quantisation;
        let bytes = draft.write().unwrap();
        let model = read(&bytes).unwrap().bundle.model().clone();
        let loss = (0..100).map(|i| {
            let row = [1.0, i as f32 / 100.0, 60.0 + i as f32, 0.5, 0.25, (i % 7) as f32];
            (model.margin(&row) - exact.bundle.model().margin(&row)).abs()
        });
        losses.push(loss.fold(0.0, f64::max));
        sizes.push(bytes.len());
    }
    assert!(losses[0] > 0.0 && losses[0] < 2e-3 && losses[1] > losses[0] && losses[1] < 0.05, "{losses:?}");
    assert!(sizes[0] < exact.header.to_string().len() + 2_000, "{sizes:?}");
    draft.body = Body::Network(
        ears_only::model::body::Network::new(vec![ears_only::model::body::Dense {
            inputs: 5,
            outputs: 1,
            weights: vec![1e5; 5],
            bias: vec![0.0],
            activation: ears_only::model::body::Activation::Identity,
        }])
        .unwrap(),
    );
    draft.quantisation = Quantisation::Float16;
    assert!(draft.write().unwrap_err().to_string().contains("65504"));
}

#[test]
fn a_draft_that_no_device_takes_is_refused() {
    let code = |change: &dyn Fn(&mut Draft)| {
        let mut draft = example("linear").unwrap();
        change(&mut draft);
        draft.write().unwrap_err().to_string()
    };
    for (change, want) in [
        (&(|d: &mut Draft| d.name.clear()) as &dyn Fn(&mut Draft), "bad_bundle"),
        (&|d: &mut Draft| d.version.clear(), "bad_version"),
        (&|d: &mut Draft| d.sequence = 0, "bad_bundle"),
        (&|d: &mut Draft| d.columns.truncate(4), "bad_schema"),
        (&|d: &mut Draft| d.starts.clear(), "at least one start"),
        (&|d: &mut Draft| d.starts[0].mean = Some(vec![0.0; 3]), "bad_prior"),
        (&|d: &mut Draft| d.golden.clear(), "bundle_corrupt"),
        (&|d: &mut Draft| d.golden[0].truncate(2), "golden row"),
        (&|d: &mut Draft| d.policy = json!({"kind": "magic"}), "bad_policy"),
        (&|d: &mut Draft| d.feedback = json!({"examination": 2}), "bad_feedback"),
        (&|d: &mut Draft| d.privacy_manifest = Some("00".into()), "bad_bundle"),
        (&|d: &mut Draft| d.limits.cards = 20_000, "bad_bundle"),
        (&|d: &mut Draft| d.half_life_days = 0.0, "bad_prior"),
        (&|d: &mut Draft| d.columns[0].column.keeps_missing = true, "bad_schema"),
    ] {
        let got = code(change);
        assert!(got.contains(want), "{want}: {got}");
    }
}

#[test]
fn a_bundle_in_words() {
    let bytes = example("trees").unwrap().write().unwrap();
    let text = inspect(&bytes, &read(&bytes).unwrap());
    for want in [
        "trees: 3 trees, 18 leaves",
        "version          example-trees",
        "tempo: default 120.0, max 300.0, min 0.0, missing keep, source given, unit beats a minute",
        "golden           5 vectors, reproduced bit for bit",
        "leaves: 18 f64 at ",
    ] {
        assert!(text.contains(want), "{want}: {text}");
    }
}
