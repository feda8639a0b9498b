//! Times in Chromium and Firefox beside others, native times of the loops, and how time and memory grow.

use super::{Units, json_of, measured, number};
use crate::process::{captured, command};
use crate::results::{Claim, Record};
use crate::{Result, bench, package, project, results};
use serde_json::Value;

/// Cards of the native loops; columns, the constant included; what a row is wide in memory.
const CARDS: f64 = 1_000.0;
const COLUMNS: f64 = 65.0;
const WIDTH: f64 = 68.0;

/// Runs all, and draws the charts.
pub fn prove(units: &Units) -> Result<Record> {
    package::build()?;
    let report = units.unit("one Chromium run", || json_of(|file| bench::harness(Some(file))))?;
    let native = units.unit("native loops", native)?;
    let mut claims = claims_of(&report)?;
    claims.extend(native_claims(&native)?);
    project::write(&results::folder().join("bench.svg"), chart(&claims))?;
    project::write(&results::folder().join("bench-growth.svg"), growth_chart(&claims)?)?;
    Ok(Record { name: "bench".to_owned(), command: "cargo xtask prove bench".to_owned(), seeds: Vec::new(), claims })
}

fn native() -> Result<Value> {
    captured(command("cargo").args(["build", "--quiet", "--release", "--package", "ears-only", "--example", "work"]))?;
    let text = captured(command(project::target().join("release/examples/work")).arg("--time"))?;
    serde_json::from_str(&text).map_err(|error| format!("examples/work --time: {error}"))
}

/// A gate, which a row must hold, and an aim beyond it.
struct Wanted {
    gate: f64,
    aim: Option<f64>,
    /// Whether less is better.
    most: bool,
}

impl Wanted {
    fn read(row: &Value) -> Option<Wanted> {
        let of = |key: &str| row.get(key).and_then(Value::as_f64);
        let (gate, most) = of("atMost").map(|gate| (gate, true)).or(of("atLeast").map(|gate| (gate, false)))?;
        Some(Wanted { gate, aim: of("aim"), most })
    }

    fn shown(&self, shown: fn(f64) -> String) -> String {
        format!("{} {}", if self.most { "at most" } else { "at least" }, shown(self.gate))
    }

    fn reaches(&self, wanted: f64, number: f64) -> bool {
        if self.most { number <= wanted } else { number >= wanted }
    }

    fn holds(&self, number: f64) -> bool {
        self.reaches(self.gate, number)
    }

    /// Gate and aim in words, for a table; judged is the row itself.
    fn verdict(&self, name: &str, number: f64) -> Claim {
        let gate = if self.holds(number) { "gate held" } else { "gate missed" };
        let aim = self.aim.map(|aim| if self.reaches(aim, number) { ", aim reached" } else { ", aim missed" });
        measured(&format!("{name}, verdict"), format!("{gate}{}", aim.unwrap_or_default()), Vec::new())
    }
}

/// One claim for each row: its best round, and the median beside it; the other way round where the row goes by its median.
/// Where something is wanted of it, its median and the verdict are claims of their own, which the tables quote.
fn claims_of(report: &Value) -> Result<Vec<Claim>> {
    let word = |key: &str| report.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let mut claims = vec![
        measured("Chromium", word("browser").unwrap_or_default(), Vec::new()),
        measured("Firefox", word("firefox").unwrap_or_default(), Vec::new()),
        measured("load before and after", loads(report), Vec::new()),
    ];
    for (key, shown) in [("times", duration as fn(f64) -> String), ("ratios", times), ("shares", percent)] {
        for (name, row) in entries(report, key)? {
            let (median, best) = (number(row, "median")?, number(row, "best")?);
            let by_median = row.get("by").and_then(Value::as_str) == Some("median");
            let (counts, by) = if by_median { (median, "median ") } else { (best, "") };
            let mut claim = measured(name, shown(counts), vec![("median".to_owned(), median), ("best".to_owned(), best)]);
            let Some(wanted) = Wanted::read(row) else {
                claims.push(claim);
                continue;
            };
            (claim.wanted, claim.pass) = (format!("{by}{}", wanted.shown(shown)), wanted.holds(counts));
            claims.push(claim);
            if key == "shares" {
                continue;
            }
            if !by_median {
                claims.push(measured(&format!("{name}, by medians"), shown(median), vec![("median".to_owned(), median)]));
            }
            claims.push(wanted.verdict(name, counts));
        }
    }
    for (name, row) in entries(report, "rates")? {
        let (median, best) = (number(row, "median")?, number(row, "best")?);
        let unit = row.get("unit").and_then(Value::as_str).unwrap_or_default();
        let value = format!("{best:.0} {unit}");
        claims.push(measured(name, value.trim_end().to_owned(), vec![("median".to_owned(), median), ("best".to_owned(), best)]));
    }
    for (name, row) in entries(report, "memory")? {
        let bytes = number(row, "bytes")?;
        let mut claim = measured(name, megabytes(bytes), vec![("bytes".to_owned(), bytes)]);
        if let Some(wanted) = Wanted::read(row) {
            (claim.wanted, claim.pass) = (wanted.shown(megabytes), wanted.holds(bytes));
            claims.push(wanted.verdict(name, bytes));
        }
        claims.push(claim);
    }
    Ok(claims)
}

fn loads(report: &Value) -> String {
    let of = |key: &str| report.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
    format!("{:.1} and {:.1} on {} cores", of("loadBefore"), of("loadAfter"), of("cores"))
}

fn entries<'a>(report: &'a Value, key: &str) -> Result<impl Iterator<Item = (&'a String, &'a Value)>> {
    Ok(report.get(key).and_then(Value::as_object).ok_or_else(|| format!("the benchmark has no \"{key}\""))?.iter())
}

/// Native times, their share of what the machine does at most, and growth, which should be linear.
fn native_claims(native: &Value) -> Result<Vec<Claim>> {
    let mut claims = Vec::new();
    for (what, key) in [("native", "kernels"), ("growth", "growth")] {
        for (name, row) in entries(native, key)? {
            let (median, best) = (number(row, "median")?, number(row, "best")?);
            let numbers = vec![("median".to_owned(), median), ("best".to_owned(), best)];
            claims.push(measured(&format!("{what}: {name}"), duration(best), numbers));
        }
    }
    let best = |key: &str, name: &str| number(&native[key][name], "best");
    // Products with an addition, for each microsecond, that never leave the registers: nothing does more of them as two instructions.
    let most = |name: &str, key: &str| -> Result<f64> { Ok(number(native, key)? / best("kernels", name)?) };
    let (narrow, wide) = (most("most products", "products")?, most("most products, 64 bits", "wide products")?);
    for (claim, most) in [("most products a microsecond", narrow), ("most products a microsecond, 64 bits", wide)] {
        claims.push(measured(claim, format!("{most:.0}"), vec![("number".to_owned(), most)]));
    }
    for (name, count, most) in [
        ("scores of rows", CARDS * WIDTH, narrow),
        ("quadratic forms", CARDS * COLUMNS * (COLUMNS + 1.0) / 2.0, wide),
        ("network", CARDS * (64.0 * 32.0 + 32.0), narrow),
        // A comparison and what keeps its outcome are two operations on lanes, as a product and its addition are.
        ("trees, oblivious", CARDS * 100.0 * 5.0, narrow),
    ] {
        let share = count / best("kernels", name)? / most;
        let mut claim =
            measured(&format!("share of the most: {name}"), percent(share), vec![("percent".to_owned(), 100.0 * share)]);
        // More than all would mean that the most is none.
        (claim.wanted, claim.pass) = ("at most 100 %".to_owned(), share <= 1.0);
        claims.push(claim);
    }
    let bytes = 2.0 * 4.0 * CARDS * WIDTH / best("kernels", "copy of a page")? / 1_000.0;
    claims.push(measured("copy of a page", format!("{bytes:.0} GB/s read and written"), vec![("gigabytes".to_owned(), bytes)]));
    for (small, large, factor) in [
        ("cards 1000", "cards 10000", 10.0),
        ("features 64", "features 256", 4.0),
        ("history 5000", "history 100000", 1.0),
        ("trees 100", "trees 1000", 10.0),
        ("shelves 50", "shelves 200", 4.0),
    ] {
        let growth = best("growth", large)? / best("growth", small)?;
        let mut claim = measured(&format!("growth from {small} to {large}"), times(growth), vec![("ratio".to_owned(), growth)]);
        // Half as much again for what leaves the caches.
        let most = 1.5 * factor;
        (claim.wanted, claim.pass) = (format!("at most {}", times(most)), growth <= most);
        claims.push(claim);
    }
    Ok(claims)
}

/// Microseconds in words.
fn duration(microseconds: f64) -> String {
    if microseconds < 0.1 {
        format!("{:.1} ns", 1_000.0 * microseconds)
    } else if microseconds < 10.0 {
        format!("{microseconds:.2} µs")
    } else if microseconds < 1_000.0 {
        format!("{microseconds:.0} µs")
    } else {
        format!("{:.1} ms", microseconds / 1_000.0)
    }
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}x")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

fn megabytes(bytes: f64) -> String {
    format!("{:.2} MB", bytes / f64::from(1 << 20))
}

/// Bars of how many times faster the package is, and where each gate stands.
fn chart(claims: &[Claim]) -> String {
    let rows: Vec<(&Claim, f64)> = claims
        .iter()
        .filter(|claim| claim.claim.contains("faster than") && !claim.claim.ends_with(", by medians"))
        .filter_map(|claim| Some((claim, claim.numbers.iter().find(|(name, _)| name == "best")?.1)))
        .collect();
    // Tenfold is 120 wide, from a tenth to a thousandfold.
    let at = |ratio: f64| 420.0 + 120.0 * (ratio.log10() + 1.0).clamp(0.0, 4.0);
    let height = 34 + 22 * rows.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 980 {height}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\" \
         aria-label=\"How many times faster than others, best rounds of one run\">\n<rect width=\"980\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for ratio in [0.1, 1.0, 10.0, 100.0, 1_000.0] {
        let x = at(ratio);
        svg.push_str(&format!(
            "<line x1=\"{x:.0}\" x2=\"{x:.0}\" y1=\"20\" y2=\"{height}\" stroke=\"#ccc\"/><text x=\"{x:.0}\" y=\"14\" text-anchor=\"middle\" fill=\"#444\">{ratio}x</text>\n"
        ));
    }
    for (index, (claim, ratio)) in rows.iter().enumerate() {
        let y = 28 + 22 * index;
        let (from, to) = (at(1.0).min(at(*ratio)), at(1.0).max(at(*ratio)));
        let name = claim.claim.replace('&', "&amp;").replace('<', "&lt;");
        let fill = if claim.pass { "#2a6f97" } else { "#b3541e" };
        svg.push_str(&format!(
            "<text x=\"412\" y=\"{}\" text-anchor=\"end\" fill=\"#222\">{name}</text><rect x=\"{from:.0}\" y=\"{y}\" width=\"{:.0}\" height=\"14\" fill=\"{fill}\"/>\
             <text x=\"{:.0}\" y=\"{}\" fill=\"#222\">{}</text>\n",
            y + 11,
            to - from,
            to + 6.0,
            y + 11,
            claim.value
        ));
        if let Some(gate) = claim.wanted.strip_prefix("at least ").and_then(|gate| gate.trim_end_matches('x').parse::<f64>().ok())
        {
            let x = at(gate);
            svg.push_str(&format!(
                "<line x1=\"{x:.0}\" x2=\"{x:.0}\" y1=\"{}\" y2=\"{}\" stroke=\"#000\" stroke-width=\"2\"/>\n",
                y - 2,
                y + 16
            ));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// What grows, and how it is called below its curves.
const AXES: [(&str, &str); 5] = [
    ("cards", "cards"),
    ("features", "features of a card"),
    ("history", "plays of history"),
    ("trees", "trees"),
    ("shelves", "shelves"),
];

/// Sizes, rising, and what was measured at each.
type Points = Vec<(f64, f64)>;

/// The points of one curve: the number behind `prefix` in a claim's name, and the number `key` of that claim, by rising size.
fn curve(claims: &[Claim], prefix: &str, key: &str) -> Result<Points> {
    let mut points: Points = claims
        .iter()
        .filter_map(|claim| {
            let size = claim.claim.strip_prefix(prefix)?.parse().ok()?;
            Some((size, claim.numbers.iter().find(|(name, _)| name == key)?.1))
        })
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    if points.len() < 2 { Err(format!("expected two claims or more \"{prefix}N\", got {}", points.len())) } else { Ok(points) }
}

/// The frame of one curve is so wide and so high.
const WIDE: f64 = 200.0;
const HIGH: f64 = 150.0;

/// One curve in its frame.
struct Panel<'a> {
    /// The corner of the frame.
    left: f64,
    up: f64,
    word: &'a str,
    points: &'a Points,
    /// Where each point is across the frame and up in it, from 0 to 1.
    across: Vec<f64>,
    high: Vec<f64>,
    shown: fn(f64) -> String,
}

impl Panel<'_> {
    fn svg(&self) -> String {
        let Panel { left, up, word, points, .. } = self;
        let at: Vec<(f64, f64)> = self
            .across
            .iter()
            .zip(&self.high)
            .map(|(across, high)| (left + 14.0 + (WIDE - 28.0) * across, up + HIGH - (HIGH - 16.0) * high))
            .collect();
        let line: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let mut svg = format!(
            "<rect x=\"{left:.0}\" y=\"{up:.0}\" width=\"{WIDE}\" height=\"{HIGH}\" fill=\"none\" stroke=\"#ccc\"/>\n\
             <polyline points=\"{}\" fill=\"none\" stroke=\"#2a6f97\" stroke-width=\"2\"/>\n",
            line.join(" ")
        );
        for (number, ((x, y), (size, value))) in at.iter().zip(points.iter()).enumerate() {
            let value = (self.shown)(*value);
            svg.push_str(&format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#2a6f97\"><title>{size} {word}: {value}</title></circle>\n"
            ));
            // The ends say what they are.
            let (anchor, x) = match number {
                0 => ("start", x - 8.0),
                _ if number + 1 == points.len() => ("end", x + 8.0),
                _ => continue,
            };
            let (above, below) = ((y - 8.0).max(up + 11.0), up + HIGH + 14.0);
            svg.push_str(&format!(
                "<text x=\"{x:.1}\" y=\"{above:.1}\" text-anchor=\"{anchor}\" font-size=\"11\" fill=\"#222\">{value}</text>\n\
                 <text x=\"{x:.1}\" y=\"{below:.1}\" text-anchor=\"{anchor}\" font-size=\"11\" fill=\"#444\">{size}</text>\n"
            ));
        }
        svg
    }
}

/// Sizes across a frame: logarithmic, a size of 0 half a tenfold left of all others.
fn across(points: &Points) -> Vec<f64> {
    let first = points.iter().find(|point| point.0 > 0.0).map_or(0.0, |point| point.0.log10());
    let at: Vec<f64> = points.iter().map(|point| if point.0 > 0.0 { point.0.log10() } else { first - 0.5 }).collect();
    let (start, end) = (at.first().copied().unwrap_or_default(), at.last().copied().unwrap_or_default());
    at.into_iter().map(|at| (at - start) / (end - start).max(1e-9)).collect()
}

/// Curves of native time, above, and of the module's memory, below: one column for each thing that grows. Times are logarithmic, memory is
/// not.
fn growth_chart(claims: &[Claim]) -> Result<String> {
    let mut columns = Vec::new();
    for (axis, word) in AXES {
        let time = curve(claims, &format!("growth: {axis} "), "best")?;
        columns.push((word, time, curve(claims, &format!("memory of the module, {axis} "), "bytes")?));
    }
    let times = || columns.iter().flat_map(|column| column.1.iter().map(|point| point.1.log10()));
    let (least, most) = (times().fold(f64::INFINITY, f64::min).floor(), times().fold(f64::NEG_INFINITY, f64::max).ceil());
    let top = 1.1 * columns.iter().flat_map(|column| column.2.iter().map(|point| point.1)).fold(0.0, f64::max);
    let (width, height) = (90.0 + 5.0 * (WIDE + 20.0), 2.0 * HIGH + 130.0);
    let (above, below) = (26.0, HIGH + 76.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\" \
         aria-label=\"Native time of a page, and memory of the module in Chromium, by cards, features, history, trees and shelves\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"16\" fill=\"#222\">time, native, best round</text>\n\
         <text x=\"8\" y=\"{:.0}\" fill=\"#222\">memory of the module after 20 pages</text>\n",
        below - 10.0
    );
    for (index, (word, time, memory)) in columns.iter().enumerate() {
        let left = 80.0 + index as f64 * (WIDE + 20.0);
        let high = time.iter().map(|point| (point.1.log10() - least) / (most - least).max(1.0)).collect();
        svg.push_str(&Panel { left, up: above, word, points: time, across: across(time), high, shown: duration }.svg());
        let high = memory.iter().map(|point| point.1 / top).collect();
        svg.push_str(&Panel { left, up: below, word, points: memory, across: across(memory), high, shown: megabytes }.svg());
        let (middle, foot) = (left + WIDE / 2.0, 2.0 * HIGH + 112.0);
        svg.push_str(&format!("<text x=\"{middle:.0}\" y=\"{foot:.0}\" text-anchor=\"middle\" fill=\"#222\">{word}</text>\n"));
    }
    let mut mark = |y: f64, text: &str| {
        svg.push_str(&format!("<text x=\"74\" y=\"{y:.0}\" text-anchor=\"end\" font-size=\"11\" fill=\"#444\">{text}</text>\n"));
    };
    for tenfold in [0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6_f64] {
        let part = (tenfold.log10() - least) / (most - least).max(1.0);
        if (0.0..=1.0).contains(&part) {
            mark(above + HIGH - (HIGH - 16.0) * part + 4.0, &duration(tenfold));
        }
    }
    mark(below + HIGH, "0 MB");
    svg.push_str("</svg>\n");
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_drawn_from_every_point() {
        let point = |name: &str, key: &str, number: f64| measured(name, String::new(), vec![(key.to_owned(), number)]);
        let mut claims = Vec::new();
        for (axis, _) in AXES {
            for (size, us) in [(0, 10.0), (100, 100.0), (1_000, 2_000.0)] {
                claims.push(point(&format!("growth: {axis} {size}"), "best", us));
                claims.push(point(&format!("memory of the module, {axis} {size}"), "bytes", 1_048_576.0 * us / 10.0));
            }
        }
        // The ratio of two points is none.
        claims.push(point("growth from cards 100 to cards 1000", "ratio", 20.0));
        let svg = growth_chart(&claims).unwrap();
        assert_eq!(svg.matches("<circle").count(), 30, "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 10);
        assert!(
            svg.contains("<title>1000 plays of history: 2.0 ms</title>") && svg.contains("<title>100 trees: 10.00 MB</title>"),
            "{svg}"
        );
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
        // Sizes rise to the right.
        assert_eq!(curve(&claims, "growth: cards ", "best").unwrap(), [(0.0, 10.0), (100.0, 100.0), (1_000.0, 2_000.0)]);
        claims.retain(|claim| {
            claim.claim != "memory of the module, trees 100" && claim.claim != "memory of the module, trees 1000"
        });
        assert!(growth_chart(&claims).unwrap_err().contains("memory of the module, trees"));
    }

    /// What `examples/work.rs --time` writes, each work at one microsecond but what `other` says.
    fn natives(other: &[(&str, f64)]) -> Value {
        let row = |us: f64| serde_json::json!({"best": us, "median": us});
        let mut native = serde_json::json!({"products": 20_000.0, "wide products": 10_000.0, "kernels": {}, "growth": {}});
        for name in
            ["most products", "most products, 64 bits", "scores of rows", "quadratic forms", "network", "trees, oblivious"]
        {
            native["kernels"][name] = row(1_000.0);
        }
        native["kernels"]["copy of a page"] = row(8.0);
        for name in [
            "cards 1000",
            "cards 10000",
            "features 64",
            "features 256",
            "history 5000",
            "history 100000",
            "trees 100",
            "trees 1000",
        ] {
            native["growth"][name] = row(1.0);
        }
        for name in ["shelves 50", "shelves 200"] {
            native["growth"][name] = row(1.0);
        }
        for (name, us) in other {
            native["kernels"][*name] = row(*us);
        }
        native
    }

    #[test]
    fn nothing_does_more_than_the_most() {
        // 20 products a microsecond at most, 10 in 64 bits.
        let claims =
            native_claims(&natives(&[("network", 104_000.0), ("scores of rows", 340.0), ("quadratic forms", 429_000.0)]))
                .unwrap();
        let of = |name: &str| claims.iter().find(|claim| claim.claim == name).map(|claim| (claim.value.as_str(), claim.pass));
        assert_eq!(of("most products a microsecond"), Some(("20", true)));
        assert_eq!(of("most products a microsecond, 64 bits"), Some(("10", true)));
        assert_eq!(of("share of the most: network"), Some(("100 %", true)));
        assert_eq!(of("share of the most: scores of rows"), Some(("1000 %", false)));
        assert_eq!(of("share of the most: quadratic forms"), Some(("50 %", true)));
        assert!(native_claims(&serde_json::json!({"kernels": {}, "growth": {}})).is_err());
    }

    #[test]
    fn rows_are_held_to_their_gates() {
        let report = serde_json::json!({
            "browser": "1.2", "firefox": "nothing was timed in it: no Firefox is here", "loadBefore": 1.0, "loadAfter": 2.0, "cores": 4,
            "times": {
                "ours": {"best": 1200.0, "median": 1300.0, "atMost": 1000.0, "aim": 500.0},
                "plain": {"best": 7.004, "median": 812.4},
                "slow: ours": {"best": 600.0, "median": 17000.0, "atMost": 16700.0, "by": "median"},
                "slower: ours": {"best": 600.0, "median": 16000.0, "atMost": 16700.0, "by": "median"},
            },
            "ratios": {
                "faster than plain": {"best": 4.0, "median": 3.0, "atLeast": 2.0, "aim": 4.5},
                "faster than other": {"best": 4.0, "median": 3.0, "atLeast": 2.0, "aim": 4.0},
                "over the bare kernel": {"best": 6.0, "median": 5.0, "atMost": 2.0},
            },
            "rates": {"most": {"best": 19876.5, "median": 17000.0, "unit": ""}, "copy": {"best": 80.2, "median": 70.0, "unit": "GB/s"}},
            "shares": {"network": {"best": 0.254, "median": 0.2, "atMost": 1.0}, "wrong": {"best": 5.57, "median": 5.0, "atMost": 1.0}},
            "memory": {"after": {"bytes": 2097152.0, "atMost": 4194304.0, "aim": 1048576.0}},
        });
        let claims = claims_of(&report).unwrap();
        let rows: Vec<(&str, &str, bool)> =
            claims.iter().map(|claim| (claim.value.as_str(), claim.wanted.as_str(), claim.pass)).collect();
        assert_eq!(
            rows,
            [
                ("1.2", "as measured", true),
                ("nothing was timed in it: no Firefox is here", "as measured", true),
                ("1.0 and 2.0 on 4 cores", "as measured", true),
                ("1.2 ms", "at most 1.0 ms", false),
                ("1.3 ms", "as measured", true),
                ("gate missed, aim missed", "as measured", true),
                ("7.00 µs", "as measured", true),
                ("17.0 ms", "median at most 16.7 ms", false),
                ("gate missed", "as measured", true),
                ("16.0 ms", "median at most 16.7 ms", true),
                ("gate held", "as measured", true),
                ("4.00x", "at least 2.00x", true),
                ("3.00x", "as measured", true),
                ("gate held, aim reached", "as measured", true),
                ("4.00x", "at least 2.00x", true),
                ("3.00x", "as measured", true),
                ("gate held, aim missed", "as measured", true),
                ("6.00x", "at most 2.00x", false),
                ("5.00x", "as measured", true),
                ("gate missed", "as measured", true),
                ("25 %", "at most 100 %", true),
                ("557 %", "at most 100 %", false),
                ("80 GB/s", "as measured", true),
                ("19876", "as measured", true),
                ("gate held, aim missed", "as measured", true),
                ("2.00 MB", "at most 4.00 MB", true),
            ]
        );
        let svg = chart(&claims);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.contains("faster than plain"), "{svg}");
    }
}
