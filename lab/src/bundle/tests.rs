use super::example::{NAMES, example};
use super::*;

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/golden/bundles/{name}.bundle"))
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

/// What the header's schema uses of JSON Schema, and nothing else.
fn conforms(value: &serde_json::Value, schema: &serde_json::Value, path: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("{path}: {what}"));
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.trunc() == number),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    };
    let number = |name: &str| schema[name].as_f64();
    for (keyword, wanted) in schema.as_object().into_iter().flatten() {
        let size = value.as_array().map(Vec::len).or(value.as_str().map(str::len)).unwrap_or(0) as f64;
        let good = match keyword.as_str() {
            "type" => wanted.as_str().map_or_else(|| wanted.as_array().unwrap().iter().any(|k| is(k.as_str().unwrap())), is),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|v| v >= number("minimum").unwrap()),
            "maximum" => value.as_f64().is_none_or(|v| v <= number("maximum").unwrap()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|v| v > number("exclusiveMinimum").unwrap()),
            "minItems" | "minLength" => size >= number(keyword).unwrap(),
            "maxItems" | "maxLength" => size <= number(keyword).unwrap(),
            "required" => wanted.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "pattern" => value.as_str().is_none_or(|text| text.len() == 64),
            "properties" | "additionalProperties" | "items" | "$schema" | "title" => true,
            other => panic!("the schema uses {other}, which this test does not know"),
        };
        if !good {
            fault(format!("{keyword} {wanted}, got {value}"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let known = schema.get("properties").and_then(|properties| properties.get(name));
        match (known, schema.get("additionalProperties")) {
            (Some(schema), _) => faults.extend(conforms(field, schema, &format!("{path}.{name}"))),
            (None, Some(serde_json::Value::Bool(false))) => faults.push(format!("{path}: unknown field {name}")),
            (None, Some(schema)) => faults.extend(conforms(field, schema, &format!("{path}.{name}"))),
            (None, None) => {}
        }
    }
    for (index, entry) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = schema.get("items") {
            faults.extend(conforms(entry, schema, &format!("{path}[{index}]")));
        }
    }
    faults
}

#[test]
fn headers_are_as_their_json_schema_says() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../docs/bundle.schema.json")).unwrap();
    for name in NAMES {
        let header = read(&example(name).unwrap().write().unwrap()).unwrap().header;
        assert_eq!(conforms(&header, &schema, name), Vec::<String>::new());
        // Every field that the writer knows is in the schema.
        for field in header.as_object().unwrap().keys() {
            assert!(schema["properties"].get(field).is_some(), "{field}");
        }
    }
    let mut header = read(&example("network").unwrap().write().unwrap()).unwrap().header;
    header["schema"]["columns"][1]["scale"] = json!(0);
    header["body"]["layers"][0]["activation"] = json!("swish");
    header["sections"]["bias0"]["type"] = json!("i64");
    assert_eq!(conforms(&header, &schema, "").len(), 3);
}
