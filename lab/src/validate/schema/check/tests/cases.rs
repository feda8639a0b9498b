//! Data that have each kind of anomaly, and data that have not.

use super::*;

pub fn value_cases() -> Vec<Case> {
    let (int, float, text) = ("type = \"int\"\n", "type = \"float\"\n", "type = \"text\"\n");
    let f = |kind: &str, rest: &str| format!("{kind}{rest}");
    vec![
        case("bool_type_big_int", &f(int, "truth = {}"), &["0", "2"], &["0", "1"]),
        case("bool_type_small_int", &f(int, "truth = {}"), &["-1", "1"], &["0", "1"]),
        case(
            "bool_type_unexpected_string",
            &f(text, "truth = { true = \"yes\", false = \"no\" }"),
            &["\"yes\"", "\"si\""],
            &["\"yes\"", "\"no\""],
        ),
        case("bool_type_unexpected_float", &f(float, "truth = {}"), &["0.5", "1.0"], &["0.0", "1.0"]),
        case("enum_type_unexpected_string_values", &f(text, "values = [\"a\", \"b\"]"), &["\"a\"", "\"c\""], &["\"a\"", "\"b\""]),
        case(
            "enum_type_unexpected_string_values",
            &f(text, "values = [\"a\"]\nmin_domain_mass = 0.6"),
            &["\"a\"", "\"c\""],
            &["\"a\"", "\"a\"", "\"c\""],
        ),
        case("feature_type_high_number_values", &f(int, "value_count = [{ max = 2 }]"), &["[1,2,3]"], &["[1,2]"]),
        case("feature_type_low_number_values", &f(int, "value_count = [{ min = 2 }]"), &["[1]"], &["[1,2]"]),
        case("feature_type_low_fraction_present", &f(int, "min_fraction = 0.9"), &["1", "null"], &["1", "1"]),
        case("feature_type_low_fraction_present", &f(int, "min_fraction = 1.0"), &["1", "null"], &["1", "1"]),
        case("feature_type_low_number_present", &f(int, "min_count = 2"), &["1", "null"], &["1", "1"]),
        case("feature_type_not_present", &f(int, "min_count = 1"), &["null"], &["1"]),
        case("feature_type_high_unique", &f(text, "unique = { max = 2 }"), &["\"a\"", "\"b\"", "\"c\""], &["\"a\"", "\"b\""]),
        case("feature_type_low_unique", &f(text, "unique = { min = 2 }"), &["\"a\""], &["\"a\"", "\"b\""]),
        case("feature_type_no_unique", &f("", "type = \"float\"\nunique = { max = 2 }"), &["0.5"], &["null"]),
        case("float_type_big_float", &f(float, "float_range = { max = 1.0 }"), &["1.5"], &["1.0"]),
        case("float_type_big_float", &f(text, "float_range = { max = 1.0 }"), &["\"1.5\""], &["\"1.0\""]),
        case("float_type_small_float", &f(float, "float_range = { min = 0.0 }"), &["-0.5"], &["0.0"]),
        case("float_type_string_not_float", &f(text, "float_range = {}"), &["\"1.5\"", "\"N/A\""], &["\"1.5\"", "\"2\""]),
        case("int_type_big_int", &f(int, "int_range = { max = 5 }"), &["6"], &["5"]),
        case("int_type_small_int", &f(int, "int_range = { min = 0 }"), &["-1"], &["0"]),
        case("int_type_not_int_string", &f(text, "int_range = {}"), &["\"1\"", "\"one\""], &["\"1\"", "\"2\""]),
        case("value_nestedness_mismatch", &f(int, "value_count = [{}]"), &["[[1],[2]]"], &["[1,2]"]),
        case("value_nestedness_mismatch", &f(int, "value_count = [{}, {}]"), &["[1,2]"], &["[[1],[2]]"]),
        case("unexpected_data_type", int, &["\"a\""], &["1"]),
        case("unexpected_data_type", int, &["0.5"], &["1"]),
        case("unexpected_data_type", float, &["\"a\""], &["1"]),
        case("unexpected_data_type", text, &["1"], &["\"1\""]),
        case("invalid_feature_shape", &f(float, "shape = [2]"), &["[1,2,3]"], &["[1,2]"]),
        case("invalid_feature_shape", &f(float, "shape = [2]"), &["[1,2]", "[1]"], &["[1,2]"]),
        case("invalid_feature_shape", &f(float, "shape = [2, 2]"), &["[1,2,3,4]", "null"], &["[1,2,3,4]"]),
        case(
            "feature_coverage_too_short_avg_token_length",
            &f(text, "language = { min_token_length = 2.0 }"),
            &["[\"a\",\"b\"]"],
            &["[\"abc\"]"],
        ),
        case(
            "sequence_value_too_few_occurrences",
            &f(text, "language = { token = [{ value = \"s\", min_per_row = 1 }] }"),
            &["[\"s\"]", "[\"t\"]"],
            &["[\"s\",\"t\"]"],
        ),
        case(
            "sequence_value_too_many_occurrences",
            &f(int, "language = { token = [{ value = \"7\", max_per_row = 1 }] }"),
            &["[7,1,7]"],
            &["[7,1]"],
        ),
        case(
            "sequence_value_too_small_fraction",
            &f(text, "language = { token = [{ value = \"s\", min_fraction = 0.6 }] }"),
            &["[\"s\"]", "[\"t\"]"],
            &["[\"s\"]", "[\"s\"]"],
        ),
        case(
            "sequence_value_too_large_fraction",
            &f(text, "language = { token = [{ value = \"s\", max_fraction = 0.4 }] }"),
            &["[\"s\"]", "[\"t\"]"],
            &["[\"t\"]"],
        ),
        case(
            "low_supported_image_fraction",
            &f(text, "image = { min_supported = 0.5 }"),
            &["\"GIF89a...\"", "\"x\"", "\"y\""],
            &["\"GIF89a...\"", "\"x\""],
        ),
        case("max_image_byte_size_exceeded", &f(text, "image = { max_bytes = 10 }"), &["\"GIF89a.......\""], &["\"GIF89a...\""]),
        case("semantic_domain_update", text, &["\"GIF89a...\""], &["\"GIF\""]),
    ]
}

pub fn data_set_cases() -> Vec<Case> {
    let text = "type = \"text\"\n";
    let (even, odd) = (["\"a\"", "\"b\"", "\"a\"", "\"b\""], ["\"a\"", "\"a\"", "\"a\"", "\"b\""]);
    let drift = |rule: &str| format!("{text}drift = {{ {rule} }}");
    let both = |code, kind: &str, columns: &str, bad: &str, good: &str| Case {
        code,
        schema: format!("[[{kind}]]\nname = \"z\"\n{columns}\n"),
        bad: bad.to_owned(),
        good: good.to_owned(),
        against: None,
    };
    let (sparse, weighted) = ("index = [\"i\"]\nvalue = \"v\"", "feature = \"v\"\nweight = \"w\"");
    let mut cases = vec![
        Case {
            code: "schema_missing_column",
            schema: x("type = \"int\"\nmin_count = 1"),
            bad: "{}\n".into(),
            good: rows(&["1"]),
            against: None,
        },
        Case {
            code: "schema_new_column",
            schema: x("type = \"int\""),
            bad: "{\"x\":1,\"y\":2}\n".into(),
            good: rows(&["1"]),
            against: None,
        },
        beside("comparator_l_infty_high", &drift("infinity_norm = 0.1"), &odd, &even, &even),
        beside("comparator_l_infty_high", &format!("{text}skew = {{ infinity_norm = 0.1 }}"), &odd, &even, &even),
        beside("comparator_normalized_absolute_difference_high", &drift("normalized_difference = 0.1"), &odd, &even, &even),
        beside("comparator_jensen_shannon_divergence_high", &drift("jensen_shannon = 0.01"), &odd, &even, &even),
        beside(
            "comparator_jensen_shannon_divergence_high",
            "type = \"float\"\ndrift = { jensen_shannon = 0.1 }",
            &["0.1", "0.2", "0.3", "9.5"],
            &["0.1", "0.2", "9.3", "9.5"],
            &["0.1", "9.7", "9.3", "9.5"],
        ),
        beside("comparator_control_data_missing", &drift("infinity_norm = 0.1"), &even, &[], &["null"]),
        Case {
            code: "comparator_low_num_examples",
            schema: format!("{}[dataset]\ndrift = {{ min = 0.5 }}\n", x("type = \"int\"")),
            bad: rows(&["1"]),
            good: rows(&["1", "1"]),
            against: Some(rows(&["1"; 4])),
        },
        Case {
            code: "comparator_high_num_examples",
            schema: format!("{}[dataset]\nversion = {{ max = 2.0 }}\n", x("type = \"int\"")),
            bad: rows(&["1"; 5]),
            good: rows(&["1"; 4]),
            against: Some(rows(&["1", "1"])),
        },
        Case {
            code: "dataset_low_num_examples",
            schema: format!("{}[dataset]\nmin_rows = 2\n", x("type = \"int\"")),
            bad: rows(&["1"]),
            good: rows(&["1", "1"]),
            against: None,
        },
        Case {
            code: "dataset_high_num_examples",
            schema: format!("{}[dataset]\nmax_rows = 1\n", x("type = \"int\"")),
            bad: rows(&["1", "1"]),
            good: rows(&["1"]),
            against: None,
        },
        both("sparse_feature_missing_value", "sparse", sparse, "{\"i\":[1]}\n", "{\"i\":[1],\"v\":[2]}\n"),
        both("sparse_feature_missing_index", "sparse", sparse, "{\"v\":[1]}\n", "{\"i\":[1],\"v\":[2]}\n"),
        both("sparse_feature_length_mismatch", "sparse", sparse, "{\"i\":[1,2],\"v\":[1]}\n", "{\"i\":[1],\"v\":[2]}\n"),
        both("weighted_feature_missing_value", "weighted", weighted, "{\"w\":[1]}\n", "{\"w\":[1],\"v\":[2]}\n"),
        both("weighted_feature_missing_weight", "weighted", weighted, "{\"v\":[1]}\n", "{\"w\":[1],\"v\":[2]}\n"),
        both("weighted_feature_length_mismatch", "weighted", weighted, "{\"w\":[1,2],\"v\":[1]}\n", "{\"w\":[1],\"v\":[2]}\n"),
        Case {
            code: "feature_coverage_too_low",
            schema: format!(
                "{}[[domain]]\nname = \"words\"\nvalues = [\"a\", \"b\"]\n",
                x("type = \"text\"\nlanguage = { vocabulary = \"words\", min_coverage = 0.7 }")
            ),
            bad: rows(&["[\"a\",\"c\"]"]),
            good: rows(&["[\"a\",\"b\",\"a\",\"c\"]"]),
            against: None,
        },
        beside(
            "stats_not_available",
            "type = \"float\"\ndrift = { infinity_norm = 0.1 }",
            &["0.5", "0.7"],
            &["1", "1"],
            &["1", "1"],
        ),
    ];
    // JSON has no such texts and numbers.
    cases.push(Case {
        code: "enum_type_invalid_utf8",
        schema: x(text),
        bad: "x\ncaf\u{fffd}\n".into(),
        good: "x\ncafé\n".into(),
        against: None,
    });
    cases.push(Case {
        code: "float_type_has_nan",
        schema: x("type = \"float\"\nfloat_range = { no_nan = true }"),
        bad: "x\nnan\n1.5\n".into(),
        good: "x\n1.5\n".into(),
        against: None,
    });
    cases.push(Case {
        code: "float_type_has_inf",
        schema: x("type = \"float\"\nfloat_range = { no_infinite = true }"),
        bad: "x\n-inf\n1.5\n".into(),
        good: "x\n1.5\n".into(),
        against: None,
    });
    cases
}

pub fn schema_cases() -> Vec<Case> {
    let int = "type = \"int\"\n";
    let text = "type = \"text\"\n";
    let pairs: Vec<(&'static str, String, String, &[&str])> = vec![
        ("bool_type_invalid_config", x(&format!("{int}truth = {{ true = \"yes\" }}")), x(&format!("{int}truth = {{}}")), &["1"]),
        (
            "domain_invalid_for_type",
            x(&format!("{int}float_range = {{ min = 0.0 }}")),
            x(&format!("{int}int_range = {{ min = 0 }}")),
            &["1"],
        ),
        (
            "domain_invalid_for_type",
            x("type = \"float\"\nint_range = { min = 0 }"),
            x("type = \"float\"\nfloat_range = { min = 0.0 }"),
            &["1"],
        ),
        (
            "feature_missing_name",
            "[[feature]]\ntype = \"int\"\n[[feature]]\nname = \"x\"\ntype = \"int\"\n".into(),
            x(int),
            &["1"],
        ),
        ("feature_missing_type", x(""), x(int), &["1"]),
        ("invalid_schema_specification", x(&format!("{int}min_fraction = -0.5")), x(&format!("{int}min_fraction = 1.0")), &["1"]),
        (
            "invalid_schema_specification",
            x(&format!("{int}value_count = [{{ min = -1, max = 2 }}]")),
            x(&format!("{int}value_count = [{{ min = 1, max = 2 }}]")),
            &["[1]"],
        ),
        (
            "invalid_schema_specification",
            x(&format!("{text}min_domain_mass = 0.5")),
            x(&format!("{text}values = [\"a\"]\nmin_domain_mass = 0.5")),
            &["\"a\""],
        ),
        ("invalid_domain_specification", x(&format!("{text}domain = \"gone\"")), x(text), &["\"a\""]),
        (
            "invalid_domain_specification",
            x(&format!("{text}truth = {{ true = \"a\", false = \"a\" }}")),
            x(&format!("{text}truth = {{ true = \"a\", false = \"b\" }}")),
            &["\"a\""],
        ),
        (
            "invalid_domain_specification",
            x(&format!("{text}values = [\"a\", \"a\"]")),
            x(&format!("{text}values = [\"a\"]")),
            &["\"a\""],
        ),
        (
            "sparse_feature_name_collision",
            format!("{}[[sparse]]\nname = \"x\"\nindex = [\"i\"]\nvalue = \"v\"\n", x(int)),
            format!("{}[[sparse]]\nname = \"z\"\nindex = [\"i\"]\nvalue = \"v\"\n", x(int)),
            &["1"],
        ),
        (
            "weighted_feature_name_collision",
            format!("{}[[weighted]]\nname = \"x\"\nfeature = \"v\"\nweight = \"w\"\n", x(int)),
            format!("{}[[weighted]]\nname = \"z\"\nfeature = \"v\"\nweight = \"w\"\n", x(int)),
            &["1"],
        ),
        (
            "derived_feature_bad_lifecycle",
            format!("{}[[feature]]\nname = \"y\"\ntype = \"int\"\nderived = {{ by = \"sum\", from = [\"x\"] }}\n", x(int)),
            format!(
                "{}[[feature]]\nname = \"y\"\ntype = \"int\"\nstage = \"validation_derived\"\nderived = {{ by = \"sum\", from = [\"x\"] }}\n",
                x(int)
            ),
            &["1"],
        ),
        (
            "derived_feature_invalid_source",
            format!(
                "{}[[feature]]\nname = \"y\"\ntype = \"int\"\nstage = \"validation_derived\"\nderived = {{ by = \"sum\", from = [\"gone\"] }}\n",
                x(int)
            ),
            format!(
                "{}[[feature]]\nname = \"y\"\ntype = \"int\"\nstage = \"validation_derived\"\nderived = {{ by = \"sum\", from = [\"x\"] }}\n",
                x(int)
            ),
            &["1"],
        ),
    ];
    pairs.into_iter().flat_map(|(code, bad, good, data)| wrong_schema(code, &bad, &good, data)).collect()
}
