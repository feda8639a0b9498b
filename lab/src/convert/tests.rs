//! Bad input by format, and faults planted to see that they are noticed. The models are those of `tests/golden/models`.

use std::path::PathBuf;

use rand_pcg::Pcg32;

use super::mutate::{self, Tally};
use super::{Converted, Format, Imported, draft};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models").join(name)).unwrap()
}

/// The file with the first `from` replaced.
fn changed(name: &str, from: &str, to: &str) -> Vec<u8> {
    let bytes = fixture(name);
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("{name} has no {from}"));
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// What importing and converting says.
fn refusal(bytes: &[u8]) -> String {
    let converted = Format::of(bytes)
        .and_then(|format| Imported::read(format, bytes, None))
        .and_then(|imported| Converted::new(imported.source()));
    converted.map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn refuses_xgboost_by_name() {
    for (from, to, expected) in [
        (
            "binary:logistic",
            "multi:softmax",
            "objective multi:softmax is not supported: expected binary:logistic, binary:logitraw",
        ),
        ("binary:logistic", "rank:pairwise", "objective rank:pairwise is not supported"),
        ("\"name\":\"gbtree\"", "\"name\":\"gblinear\"", "booster gblinear is not supported: expected gbtree or dart"),
        ("\"num_target\":\"1\"", "\"num_target\":\"3\"", "num_target 3 is not supported"),
        ("\"num_class\":\"0\"", "\"num_class\":\"4\"", "num_class 4 is not supported"),
        (
            "\"num_feature\":\"5\",\"num_target",
            "\"num_feature\":\"900\",\"num_target",
            "num_feature: expected 1 to 256 columns, found 900",
        ),
        ("\"num_feature\":\"5\",\"num_target", "\"num_feature\":\"4\",\"num_target", "feature_names: expected 4 names, found 5"),
        ("\"size_leaf_vector\":\"1\"", "\"size_leaf_vector\":\"2\"", "tree 0, a vector of values in each leaf is not supported"),
        ("\"base_score\":\"[", "\"base_score\":\"[7", "base_score: expected a probability between 0 and 1"),
        ("\"left_children\":[1,", "\"left_children\":[0,", "tree 0, node 0: expected one parent for each node, found two"),
        ("\"left_children\":[1,", "\"left_children\":[99,", "tree 0, node 99: expected a node below 15, found none"),
        ("\"right_children\":[2,", "\"right_children\":[-7,", "tree 0, node 0: expected a child node, found -7"),
        ("\"split_indices\":[", "\"split_indices\":[8", "expected a column below 5"),
        ("\"split_type\":[", "\"split_type\":[7,", "tree 0, split_type: expected 15 entries or none, found 16"),
        ("\"categories_sizes\":[", "\"categories_sizes\":[9", "tree 0, categories: expected a segment for each node"),
        ("\"tree_info\":[0,", "\"tree_info\":[1,", "a tree of another class is not supported"),
        ("\"trees\":[", "\"trees\":{", "JSON: expected an XGBoost model, found"),
    ] {
        let error = refusal(&changed("xgb_trees.json", from, to));
        assert!(error.contains(expected), "{to}: {error}");
    }
    let ubj = fixture("xgb_dart.ubj");
    assert!(refusal(&ubj[..ubj.len() - 1]).contains("UBJ: expected an XGBoost model, found byte"));
    let no_trees = refusal(&changed("xgb_dart.json", "\"weight_drop\":[", "\"weight_drop\":[1,"));
    assert!(no_trees.contains("weight_drop: expected 4 weights, found 5"), "{no_trees}");
}

#[test]
fn reads_the_ways_in_which_versions_of_xgboost_write() {
    let now = Imported::read(Format::XgboostJson, &fixture("xgb_trees.json"), None).unwrap();
    let body = Converted::new(now.source()).unwrap().body;
    let mut text = String::from_utf8(fixture("xgb_trees.json")).unwrap();
    for (from, to) in [
        // Before 3.1 a number in quotes; before 3.0 flags as booleans, and NaN as the threshold of categories.
        ("\"base_score\":\"[5.1233333E-1]\"", "\"base_score\":\"5.1233333E-1\""),
        ("\"default_left\":[1,1,0", "\"default_left\":[true,1,false"),
        ("\"feature_names\":[\"f0\"", "\"feature_names\":[\"say \\\"NaN\\\" \\\\\""),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let at = text.find("\"split_conditions\":[").unwrap() + "\"split_conditions\":[".len();
    let end = at + text[at..].find(',').unwrap();
    text.replace_range(at..end, "NaN");
    let old = Imported::read(Format::XgboostJson, text.as_bytes(), None).unwrap();
    assert_eq!(Converted::new(old.source()).unwrap().body, body);
    assert_eq!(old.source().names()[0], "say \"NaN\" \\");
    // Such a threshold is one of numbers when the split is not categorical.
    let numeric = text.replacen("\"split_type\":[1", "\"split_type\":[0", 1);
    assert!(refusal(numeric.as_bytes()).contains("tree 0, node 0: expected a threshold, found NaN"));
    // The margin of logitraw is its base score.
    let raw = Imported::read(Format::XgboostJson, &changed("xgb_dart.json", "binary:logistic", "binary:logitraw"), None).unwrap();
    let logistic = Imported::read(Format::XgboostJson, &fixture("xgb_dart.json"), None).unwrap();
    let (raw, logistic) = (raw.source().evaluate(&[0.0; 5]).margin, logistic.source().evaluate(&[0.0; 5]).margin);
    let score = 0.512_333_33_f64;
    assert!((raw - logistic - (score - ears_only::math::logit(score))).abs() < 1e-6, "{raw} {logistic}");
}

#[test]
fn refuses_lightgbm_by_name() {
    for (from, to, expected) in [
        ("version=v4", "version=v2", "line 2: version v2 is not supported: expected v3 or v4"),
        ("num_class=1", "num_class=3", "num_class 3 is not supported"),
        ("objective=binary", "objective=regression", "objective regression sigmoid:1 is not supported"),
        ("sigmoid:1", "sigmoid:-1", "objective binary sigmoid:-1 is not supported"),
        ("is_linear=0", "is_linear=1", "tree 0: is_linear, a tree with linear leaves is not supported"),
        ("shrinkage=", "momentum=", "momentum is not supported"),
        ("feature_names=f0", "feature_names=", "feature_names: expected 5 values, found 4"),
        ("num_leaves=7", "num_leaves=8", "leaf_value: expected 8 values, found 7"),
        ("decision_type=", "decision_type=32 ", "decision_type: expected 6 values, found 7"),
        ("left_child=", "left_child=9 ", "left_child: expected 6 values, found 7"),
        ("Tree=1", "Tree=5", "expected Tree=1, found Tree=5"),
        ("end of trees", "end of tree", "end of tree is not supported"),
        ("max_feature_idx=4", "max_feature_idx=400", "max_feature_idx: expected at most 256 columns, found 401"),
    ] {
        let error = refusal(&changed("lgb_categories.txt", from, to));
        assert!(error.contains(expected), "{to}: {error}");
    }
}

#[test]
fn refuses_onnx_by_name() {
    for (name, from, to, expected) in [
        ("torch_gelu.onnx", "\"\u{4}Gemm", "\"\u{4}Conv", "operator Conv is not supported"),
        ("torch_gelu.onnx", "\"\u{4}Tanh", "\"\u{4}Sinh", "operator Sinh is not supported"),
        ("torch_gelu.onnx", "transB", "transC", "with attribute transC is not supported"),
        ("torch_gelu.onnx", "\"\u{3}Erf", "\"\u{3}Exp", "operator Exp is not supported"),
        ("skl_mlp.onnx", "\"\u{6}MatMul", "\"\u{6}MatPow", "operator MatPow is not supported"),
        ("skl_mlp.onnx", "ai.onnx.ml", "ai.onnx.mx", "operator ai.onnx.mx."),
        ("skl_logistic.onnx", "LOGISTIC", "SOFTPLUS", "post_transform SOFTPLUS"),
        ("skl_boosting.onnx", "BRANCH_LEQ", "BRANCH_NEQ", "mode BRANCH_NEQ is not supported"),
        ("skl_boosting.onnx", "LOGISTIC", "SOFTPLUS", "post_transform SOFTPLUS, whose sums are no log-odds, is not supported"),
    ] {
        let error = refusal(&changed(name, from, to));
        assert!(error.contains(expected), "{to}: {error}");
    }
    assert!(refusal(&[0x08, 0x07]).contains("ONNX: expected a graph, found none"));
}

#[test]
fn refuses_other_files_by_name() {
    for (name, from, to, expected) in [
        ("tensors.safetensors", "\"F32\"", "\"I32\"", "of I32 is not supported: expected F32, F16 or BF16"),
        ("tensors.safetensors", "Linear(2)", "Linear(4)", "expected a tensor 4.weight"),
        ("tensors.safetensors", "ReLU", "ELU_", "activation elu_ is not supported: expected identity, relu, tanh, sigmoid, gelu"),
        ("tensors.safetensors", "arch", "note", "expected an architecture (--arch FILE, or arch in the metadata), found none"),
        ("logistic.json", "\"weights\"", "\"weight\"", "unknown field `weight`"),
        ("logistic.json", "\"f1\",", "", "columns: expected 5 entries, as weights has, or none, found 4"),
        ("logistic.json", "\"bias\": -0", "\"bias\": -2000000", "the device's body refuses it"),
    ] {
        let error = refusal(&changed(name, from, to));
        assert!(error.contains(expected), "{to}: {error}");
    }
    assert!(refusal(b"PK\x03\x04").contains("model: expected one of xgboost-json"));
    let large = vec![b' '; super::MAX_BINARY_BYTES + 1];
    assert!(Imported::read(Format::Onnx, &large, None).unwrap_err().to_string().contains("at most 16777216 bytes"));
}

#[test]
fn an_architecture_in_json_says_the_same_as_the_metadata() {
    let bytes = fixture("tensors.safetensors");
    let json = r#"{"format": 1, "layers": [{"linear": "0", "activation": "relu"}, {"linear": "2", "activation": "sigmoid"}]}"#;
    let given = super::architecture::Architecture::read(json).unwrap();
    let with = Imported::read(Format::Safetensors, &bytes, Some(&given)).unwrap();
    let without = Imported::read(Format::Safetensors, &bytes, None).unwrap();
    assert_eq!(Converted::new(with.source()).unwrap().body, Converted::new(without.source()).unwrap().body);
    let scaled = json.replace("\"format\": 1,", "\"format\": 1, \"mean\": [1, 2, 3, 4, 5], \"scale\": [2, 2, 2, 2, -4],");
    let given = super::architecture::Architecture::read(&scaled).unwrap();
    let scaled = Imported::read(Format::Safetensors, &bytes, Some(&given)).unwrap();
    // A negative scale moves its sign into the weights.
    let converted = Converted::new(scaled.source()).unwrap();
    assert_eq!(converted.scaling, Some(vec![(1.0, 2.0), (2.0, 2.0), (3.0, 2.0), (4.0, 2.0), (5.0, 4.0)]));
    let row = [0.5, -1.0, 2.0, 7.0, 9.0];
    let same = [-0.25, -1.5, -0.5, 1.5, -1.0];
    assert!((converted.margin(&row) - without.source().evaluate(&same).margin).abs() < 1e-6);
}

/// A comparison that could not fail would show nothing: here the body is that of another model.
#[test]
fn a_body_that_says_something_else_is_noticed() {
    for (name, planted) in [
        ("xgb_trees.json", changed("xgb_trees.json", "\"default_left\":[0", "\"default_left\":[1")),
        ("lgb_categories.txt", changed("lgb_categories.txt", "leaf_value=-0", "leaf_value=-1")),
        ("logistic.json", changed("logistic.json", "\"bias\": -0", "\"bias\": -1")),
        ("torch_gelu.onnx", fixture("skl_mlp.onnx")),
    ] {
        let read = |bytes: &[u8]| Imported::read(Format::of(bytes).unwrap(), bytes, None).unwrap();
        let (right, wrong) = (read(&fixture(name)), read(&planted));
        let mut rng = Pcg32::new(1, 1);
        let (mut good, mut bad) = (Tally::default(), Tally::default());
        for _ in 0..50 {
            mutate::compare(right.source(), &Converted::new(right.source()).unwrap(), &mut rng, &mut good);
            mutate::compare(right.source(), &Converted::new(wrong.source()).unwrap(), &mut rng, &mut bad);
        }
        assert_eq!((good.rows, good.different), (600, 0), "{name}");
        assert!(bad.different > 0, "{name}");
    }
}

#[test]
fn damaged_files_are_refused_or_agree() {
    for (name, format) in [
        ("xgb_trees.json", Format::XgboostJson),
        ("xgb_dart.ubj", Format::XgboostUbj),
        ("lgb_categories.txt", Format::LightGbm),
        ("lgb_zero.txt", Format::LightGbm),
        ("skl_mlp.onnx", Format::Onnx),
        ("skl_boosting.onnx", Format::Onnx),
        ("torch_gelu.onnx", Format::Onnx),
        ("tensors.safetensors", Format::Safetensors),
        ("logistic.json", Format::Logistic),
    ] {
        let tally = mutate::run(format, &fixture(name), None, 400, 20_261_124);
        assert_eq!((tally.mutated, tally.different, tally.panics), (400, 0, 0), "{name}: {tally:?}");
        // Both happen, or the damage is too weak or too strong to show anything.
        assert!(tally.refused > 40 && tally.other > 0, "{name}: {tally:?}");
    }
}

#[test]
fn a_schema_names_guards_and_scales_columns() {
    let imported = Imported::read(Format::LightGbm, &fixture("lgb_zero.txt"), None).unwrap();
    let column = |name: &str, more: &str| format!("{{\"name\": \"{name}\", \"source\": \"given\"{more}}}");
    let schema = |first: &str| {
        let rest = ["f1", "f2", "f3", "f4"].map(|name| column(name, ", \"missing\": \"keep\""));
        format!("{{\"columns\": [{first}, {}]}}", rest.join(", "))
    };
    let columns = draft::columns(&schema(&column("f0", ", \"default\": 2, \"unit\": \"genre\", \"max\": 4"))).unwrap();
    assert_eq!((columns[0].unit.as_deref(), columns[0].column.max, columns[1].column.keeps_missing), (Some("genre"), 4.0, true));
    let made = draft::draft(&imported, "zero", "7", Some(columns)).unwrap();
    let opened = crate::bundle::read(&made.write().unwrap()).unwrap();
    let (missing, default) = ([f32::NAN, 1.0, 0.5, f32::NAN, 0.0], [2.0, 1.0, 0.5, f32::NAN, 0.0]);
    assert!((draft::score(&opened, &missing) - imported.source().evaluate(&default).margin).abs() < 1e-14);
    let wrong = draft::columns(&schema(&column("hour", ""))).unwrap();
    let error = draft::draft(&imported, "zero", "7", Some(wrong)).unwrap_err().to_string();
    assert_eq!(error, "schema, column 0: expected the model's name f0, found hour");
    let short = draft::columns(&format!("{{\"columns\": [{}]}}", column("f0", ""))).unwrap();
    let error = draft::draft(&imported, "zero", "7", Some(short)).unwrap_err().to_string();
    assert_eq!(error, "schema: expected 5 columns, as the model has, found 1");
    assert!(
        draft::columns("{\"columns\": [{\"name\": \"a\", \"source\": \"thin air\"}]}")
            .unwrap_err()
            .to_string()
            .contains("source")
    );
}
