use super::*;

/// A schema with everything in it.
const FULL: &str = r#"
format = 1
version = 7
environments = ["TRAINING", "SERVING"]

[dataset]
min_rows = 10
max_rows = 1000
drift = { min = 0.5, max = 2.0 }
version = { min = 0.9 }

[[slice]]
column = "tier"
value = "premium, or so"
min_share = 0.2
usual_share = 0.4

[[feature]]
name = "tier"
type = "text"
unit = "none"
min_fraction = 1.0
min_count = 1
values = ["free", "premium", "\"odd\" \\ \n"]
min_domain_mass = 0.99
in_environments = ["TRAINING"]
not_in_environments = ["SERVING"]
skew = { infinity_norm = 0.01 }
drift = { infinity_norm = 0.02, jensen_shannon = 0.1, normalized_difference = 0.3 }

[[feature]]
name = "country"
type = "text"
domain = "countries"
unique = { min = 2, max = 5 }
stage = "beta"

[[feature]]
name = "minutes"
type = "float"
float_range = { min = 0.0, max = 1440.5, no_nan = true, no_infinite = true }

[[feature]]
name = "plays"
type = "int"
int_range = { min = 0 }
value_count = [{ min = 1, max = 3 }]

[[feature]]
name = "nested"
type = "int"
value_count = [{ min = 1 }, { max = 2 }]

[[feature]]
name = "embedding"
type = "float"
shape = [4, 8]

[[feature]]
name = "explore"
type = "text"
truth = { true = "yes", false = "no" }

[[feature]]
name = "title"
type = "text"
language = { vocabulary = "countries", min_coverage = 0.5, min_token_length = 2.0, token = [{ value = "[CLS]", min_per_row = 1, max_per_row = 1 }, { value = "7", min_fraction = 0.1, max_fraction = 0.9 }] }

[[feature]]
name = "cover"
type = "text"
image = { min_supported = 0.9, max_bytes = 1000 }

[[feature]]
name = "ratio"
type = "float"
stage = "validation_derived"
derived = { by = "division", from = ["minutes", "plays"] }

[[domain]]
name = "countries"
values = ["SE", "DE"]

[[sparse]]
name = "history"
index = ["history_x", "history_y"]
value = "history_v"

[[weighted]]
name = "tags"
stage = "production"
feature = "tag"
weight = "tag_weight"
"#;

#[test]
fn toml_and_text_format_carry_everything_both_ways() {
    let schema = toml::read(FULL).unwrap();
    assert_eq!(toml::read(&toml::write(&schema, &[])).unwrap(), schema);
    let text = tfdv::write(&schema);
    let again = tfdv::read(&text).unwrap();
    assert_eq!(again, schema, "{text}");
    assert_eq!(tfdv::write(&again), text);
    assert!(diff::diff(&schema, &again).is_empty());
}

#[test]
fn a_tensorflow_schema_is_read_and_what_is_unknown_is_kept() {
    let text = r#"
        # made by hand
        feature {
          name: "payment_type" value_count { min: 1 max: 1 } type: BYTES
          domain: "payment_type"
          presence { min_fraction: 1.0 min_count: 1 }
          skew_comparator < infinity_norm { threshold: 0.01 } >
        }
        feature: { name: 'fare' type: FLOAT shape { dim { size: 1 } } float_domain { is_embedding: true min: 0 }
          presence { min_count: 1 } annotation { tag: "money" comment: "in " "dollars\041" } custom_field { deep [1, 2] } };
        feature { name: "tips" type: FLOAT not_in_environment: ["SERVING", "TEST"] drift_comparator { jensen_shannon_divergence { threshold: 1e-3f } } }
        string_domain { name: "payment_type" value: "Cash" value: "Credit Card" }
        default_environment: "TRAINING"
        default_environment: "SERVING"
        tensor_representation_group { key: "" value { } }
    "#;
    // `deep [1, 2]` lacks the colon that a list of values needs.
    assert!(tfdv::read(text).is_ok());
    let schema = tfdv::read(text).unwrap();
    let fare = schema.feature("fare").unwrap();
    assert_eq!((fare.kind, fare.shape.clone(), fare.min_count), (Some(Type::Float), Some(vec![1]), Some(1)));
    assert!(
        fare.tfdv.contains("comment: \"in dollars!\"")
            && fare.tfdv.contains("is_embedding: true")
            && fare.tfdv.contains("deep: 1")
    );
    assert_eq!(schema.feature("tips").unwrap().not_in_environments, ["SERVING", "TEST"]);
    assert_eq!(schema.feature("tips").unwrap().drift.unwrap().jensen_shannon, Some(1e-3));
    assert_eq!(schema.feature("payment_type").unwrap().skew.unwrap().infinity_norm, Some(0.01));
    assert!(schema.tfdv.contains("tensor_representation_group"));
    let written = tfdv::write(&schema);
    assert_eq!(tfdv::read(&written).unwrap(), schema, "{written}");
    assert_eq!(toml::read(&toml::write(&schema, &[])).unwrap(), schema);
}

#[test]
fn what_is_wrong_is_named_with_line_and_column() {
    for (text, message) in [
        ("feature { name: \"x\"", "the end where a closing } should stand (line 1, column 20)"),
        ("feature {\n  name \"x\" }", "\" where a colon or a message should stand (line 2, column 8)"),
        ("feature { name: \"x\n\" }", "where a closing quote should stand (line 1, column 19)"),
        ("feature { name: 3 }", "no text in the field name"),
        ("feature { type: MOOD }", "MOOD where INT, FLOAT, BYTES or STRUCT should stand"),
        ("feature { presence { min_count: many } }", "many where the number min_count should stand"),
        ("feature: 3", "a value where the message feature should stand"),
        ("}", "} where the name of a field should stand (line 1, column 1)"),
        ("feature { name: \"\\q\" }", "a known escape"),
        (&"a{".repeat(80), "at most 64 messages in each other"),
    ] {
        let error = tfdv::read(text).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
    for (text, message) in [
        ("format = 1\n[[feature]]\nname = \"x\"\ncolour = 3\n", "(line 4, column 1)"),
        ("format = 1\n[[feature]]\nname = 3\n", "(line 3, column 8)"),
        ("format = 1\n[[feature]]\ntype = \"mood\"\n", "(line 3, column 8)"),
        ("format = 1\nfeature = [\n", "(line "),
    ] {
        let error = toml::read(text).unwrap_err();
        assert!(error.contains(message), "{text}: {error}");
    }
    let path = std::env::temp_dir().join(format!("ears-schema-{}.toml", std::process::id()));
    std::fs::write(&path, "format = 9\n").unwrap();
    let error = Schema::read(&path).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(error.to_string().contains("expected format = 1, found 9"), "{error}");
    assert_eq!(error.exit(), 64);
}

#[test]
fn changes_are_said_one_by_one() {
    let old = toml::read(FULL).unwrap();
    let mut new = old.clone();
    new.version = 8;
    new.feature.remove(1);
    new.feature[0].values = Some(vec!["free".to_owned(), "gold".to_owned()]);
    new.feature[0].min_fraction = None;
    new.slice.clear();
    new.feature.push(Feature { name: "new".to_owned(), ..Feature::default() });
    assert_eq!(
        diff::diff(&old, &new),
        [
            "version: 7 -> 8",
            "- feature tier: value premium",
            "- feature tier: value \"odd\" \\ \n",
            "+ feature tier: value gold",
            "feature tier: min_fraction 1 -> none",
            "- feature country",
            "+ feature new",
            "- slice tier=premium, or so of at least 0.2",
        ]
    );
}
