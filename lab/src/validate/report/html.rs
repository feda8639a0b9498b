//! The report as one page that needs nothing but itself: no script, style, font or image from elsewhere.

use std::fmt::Write;

use super::{Column, Report, Slices, Summary, digits};
use crate::validate::compare::Distance;
use crate::validate::finding::{Finding, Severity, percent, short};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Slices of a column that are drawn; the JSON report has all of them.
const DRAWN: usize = 40;

/// The page.
#[must_use]
pub fn page(report: &Report<'_>, train: &str, against: Option<&str>) -> String {
    let mut page = String::with_capacity(1 << 17);
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let verdict = verdict(errors, report.findings.len() - errors);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{verdict}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n<header>\n<div>\n<h1>{verdict}</h1>\n<p>",
        escape(train)
    );
    let _ = write!(page, "<span class=\"key train\"></span><b>train</b> {}, {} rows", escape(train), grouped(report.rows.train));
    if let (Some(name), Some(rows)) = (against, report.rows.against) {
        let _ =
            write!(page, " &nbsp; <span class=\"key against\"></span><b>against</b> {}, {} rows", escape(name), grouped(rows));
    }
    page.push_str("</p>\n</div>\n<button type=\"button\" id=\"theme\">Dark or light</button>\n</header>\n<main>\n");
    findings(&mut page, report);
    for slices in &report.slices {
        slice_table(&mut page, slices);
    }
    columns(&mut page, report);
    let _ = write!(page, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
    page
}

fn verdict(errors: usize, warnings: usize) -> String {
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "Nothing to report".to_owned(),
        (0, warnings) => count(warnings, "warning"),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

fn findings(page: &mut String, report: &Report<'_>) {
    page.push_str("<section aria-labelledby=\"findings\">\n<h2 id=\"findings\" tabindex=\"-1\">Findings</h2>\n");
    if report.findings.is_empty() {
        page.push_str("<p>The data are what they are expected to be.</p>\n");
    } else {
        page.push_str("<ol class=\"findings\">\n");
        report.findings.iter().for_each(|finding| one_finding(page, finding, report));
        page.push_str("</ol>\n");
    }
    if !report.suppressed.is_empty() {
        let _ = writeln!(page, "<details><summary>{} suppressed</summary><ol class=\"findings\">", report.suppressed.len());
        report.suppressed.iter().for_each(|finding| one_finding(page, finding, report));
        page.push_str("</ol></details>\n");
    }
    page.push_str("</section>\n");
}

fn one_finding(page: &mut String, finding: &Finding, report: &Report<'_>) {
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    let _ = write!(
        page,
        "<li class=\"{severity}\"><p><span class=\"badge\">{severity}</span> <b>{}</b> <code>{}</code></p>",
        escape(&finding.message),
        finding.code
    );
    if !finding.fix.is_empty() {
        let _ = write!(page, "<p class=\"fix\">{}</p>", escape(&finding.fix));
    }
    let place = finding.column.as_ref().and_then(|name| report.columns.iter().position(|column| column.name == *name));
    if let (Some(place), Some(name)) = (place, &finding.column) {
        let _ = write!(page, "<p><a href=\"#c{place}\">Show {}</a></p>", escape(name));
    }
    page.push_str("</li>\n");
}

fn slice_table(page: &mut String, slices: &Slices) {
    let two = slices.slices.iter().any(|slice| slice.against.is_some());
    let name = escape(&slices.column);
    let _ = write!(
        page,
        "<section>\n<h2>Slices of {name}</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Slices of {name}\">\n<table>\n<thead><tr><th scope=\"col\">{name}</th><th scope=\"col\">train</th>{}<td></td></tr></thead>\n<tbody>\n",
        if two { "<th scope=\"col\">against</th>" } else { "" }
    );
    let top = slices.slices.iter().map(|slice| slice.train.max(slice.against.unwrap_or(0.0))).fold(f64::MIN_POSITIVE, f64::max);
    for slice in slices.slices.iter().take(DRAWN) {
        // Names of pairs may break behind the star.
        let value = escape(&slice.value).replace('*', "*<wbr>");
        let _ = write!(page, "<tr><th scope=\"row\">{value}</th><td>{}</td>", percent(slice.train));
        if let Some(against) = slice.against {
            let _ = write!(page, "<td>{}</td>", percent(against));
        }
        let _ = writeln!(page, "<td class=\"wide\">{}</td></tr>", bars(slice.train, slice.against, top));
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
    if slices.slices.len() > DRAWN {
        let _ = writeln!(page, "<p>{} more are in the JSON report.</p>", slices.slices.len() - DRAWN);
    }
    page.push_str("</section>\n");
}

fn columns(page: &mut String, report: &Report<'_>) {
    page.push_str(
        "<section aria-labelledby=\"columns\">\n<h2 id=\"columns\">Columns</h2>\n<div class=\"tools\">\n\
         <label>Search <input type=\"search\" id=\"search\" aria-keyshortcuts=\"/\" placeholder=\"press /\" autocomplete=\"off\" aria-describedby=\"shown\"></label>\n\
         <label>Order <select id=\"order\"><option value=\"difference\">most different first</option><option value=\"name\">by name</option><option value=\"missing\">most missing first</option></select></label>\n\
         <output id=\"shown\" for=\"search\"></output>\n</div>\n<div id=\"cards\">\n",
    );
    for (place, column) in report.columns.iter().enumerate() {
        card(page, place, column, report);
    }
    page.push_str("</div>\n</section>\n");
}

fn card(page: &mut String, place: usize, column: &Column, report: &Report<'_>) {
    let told = report.findings.iter().find(|finding| finding.column.as_deref() == Some(column.name.as_str()));
    let missing =
        [&column.train, &column.against].into_iter().flatten().map(|side| side.missing as f64 / side.rows.max(1) as f64);
    let name = escape(&column.name);
    let _ = write!(
        page,
        "<article id=\"c{place}\" data-name=\"{name}\" data-place=\"{place}\" data-missing=\"{:.4}\" aria-labelledby=\"h{place}\">\n<h3 id=\"h{place}\">{name}",
        missing.fold(0.0, f64::max)
    );
    if let Some(finding) = told {
        let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
        let _ = write!(page, " <span class=\"badge {severity}\">{}</span>", finding.code.replace('_', " "));
    }
    page.push_str("</h3>\n");
    chart(page, column);
    numbers(page, column);
    let measures = [
        ("L-infinity", column.distances.l_infinity),
        ("Jensen-Shannon", column.distances.jensen_shannon),
        ("stability index", column.distances.stability_index),
        ("Kolmogorov-Smirnov", column.distances.kolmogorov_smirnov),
        ("Wasserstein", column.distances.wasserstein),
    ];
    let measures: Vec<(&str, Distance)> =
        measures.into_iter().filter_map(|(name, distance)| distance.map(|distance| (name, distance))).collect();
    if !measures.is_empty() {
        page.push_str("<details><summary>Distances</summary><table><thead><tr><th scope=\"col\">measure</th><th scope=\"col\">value</th><th scope=\"col\">chance stays below</th></tr></thead><tbody>");
        for (name, Distance { value, limit }) in measures {
            let mark = if value > limit { " class=\"beyond\"" } else { "" };
            let _ =
                write!(page, "<tr{mark}><th scope=\"row\">{name}</th><td>{}</td><td>{}</td></tr>", short(value), short(limit));
        }
        page.push_str("</tbody></table></details>\n");
    }
    page.push_str("</article>\n");
}

fn chart(page: &mut String, column: &Column) {
    let chart = &column.chart;
    let top = chart.train.iter().chain(&chart.against).copied().fold(0.0, f64::max);
    if top <= 0.0 {
        page.push_str("<p class=\"none\">No values to draw.</p>\n");
        return;
    }
    let Some((low, high)) = chart.range else {
        page.push_str("<table class=\"values\"><tbody>");
        for (place, value) in chart.values.iter().enumerate() {
            let (ours, theirs) = (chart.train.get(place).copied(), chart.against.get(place).copied());
            let shown = if value.is_empty() { "(empty)" } else { value };
            let _ = write!(page, "<tr><th scope=\"row\">{}</th><td class=\"wide\">", escape(shown));
            page.push_str(&bars(ours.unwrap_or(0.0), theirs, top));
            let shares: Vec<String> = [ours, theirs].into_iter().flatten().map(percent).collect();
            let _ = write!(page, "</td><td>{}</td></tr>", shares.join("<br>"));
        }
        page.push_str("</tbody></table>\n");
        return;
    };
    let (width, height) = (240.0, 72.0);
    let step = width / chart.train.len().max(chart.against.len()).max(1) as f64;
    let line = |shares: &[f64]| {
        let mut path = format!("M0 {height}");
        for (place, share) in shares.iter().enumerate() {
            let y = height - (height - 2.0) * share / top;
            let _ = write!(path, "V{y:.1}H{:.0}", step * (place + 1) as f64);
        }
        let _ = write!(path, "V{height}");
        path
    };
    let label = format!("Distribution of {} from {} to {}", column.name, short(low), short(high));
    let _ = write!(
        page,
        "<svg class=\"plot\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\">",
        escape(&label)
    );
    if !chart.train.is_empty() {
        let _ = write!(page, "<path class=\"train\" d=\"{}\"/>", line(&chart.train));
    }
    if !chart.against.is_empty() {
        let _ = write!(page, "<path class=\"against\" d=\"{}\"/>", line(&chart.against));
    }
    let _ = write!(page, "</svg>\n<p class=\"axis\"><span>{}</span><span>{}</span></p>\n", short(low), short(high));
}

/// Two bars, the upper one of train.
fn bars(train: f64, against: Option<f64>, top: f64) -> String {
    let width = |share: f64| (100.0 * share / top).clamp(0.0, 100.0);
    let mut text = format!("<span class=\"bar train\" style=\"width:{:.1}%\"></span>", width(train));
    if let Some(against) = against {
        let _ = write!(text, "<span class=\"bar against\" style=\"width:{:.1}%\"></span>", width(against));
    }
    text
}

fn numbers(page: &mut String, column: &Column) {
    let sides: Vec<(&str, &Summary)> = [("train", &column.train), ("against", &column.against)]
        .into_iter()
        .filter_map(|(name, side)| side.as_ref().map(|side| (name, side)))
        .collect();
    page.push_str("<table class=\"numbers\"><thead><tr><td></td>");
    for (name, _) in &sides {
        let _ = write!(page, "<th scope=\"col\">{name}</th>");
    }
    page.push_str("</tr></thead><tbody>");
    let mut row = |name: &str, of: &dyn Fn(&Summary) -> Option<String>| {
        let cells: Vec<Option<String>> = sides.iter().map(|(_, side)| of(side)).collect();
        if cells.iter().any(Option::is_some) {
            let _ = write!(page, "<tr><th scope=\"row\">{name}</th>");
            for cell in cells {
                let _ = write!(page, "<td>{}</td>", cell.unwrap_or_else(|| "–".to_owned()));
            }
            page.push_str("</tr>");
        }
    };
    row("type", &|side| {
        Some(format!("{}{}", format!("{:?}", side.kind).to_lowercase(), if side.list_lengths.is_some() { " list" } else { "" }))
    });
    row("missing", &|side| Some(percent(side.missing as f64 / side.rows.max(1) as f64)));
    row("distinct", &|side| Some(short(side.distinct)));
    row("mean", &|side| side.mean.map(short));
    row("deviation", &|side| side.deviation.map(short));
    row("min, median, max", &|side| match side.quantiles.as_slice() {
        [min, _, _, median, _, _, max] => Some(format!("{}, {}, {}", short(*min), short(*median), short(*max))),
        _ => None,
    });
    row("zeros", &|side| side.mean.map(|_| percent(side.zeros as f64 / side.values.max(1) as f64)));
    row("NaN, infinite", &|side| (side.nan + side.infinite > 0).then(|| format!("{}, {}", side.nan, side.infinite)));
    row("empty", &|side| (side.empty > 0).then(|| percent(side.empty as f64 / side.rows.max(1) as f64)));
    row("bytes", &|side| side.mean_bytes.map(|bytes| digits(Some(bytes))));
    row("list length", &|side| {
        side.list_lengths.map(|[min, mean, max]| format!("{}, {}, {}", short(min), short(mean), short(max)))
    });
    row("correlation with the reward", &|side| side.reward_correlation.map(|r| format!("{r:.3}")));
    page.push_str("</tbody></table>\n");
}

/// A whole number with spaces between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Text that means itself in HTML and XML. Values come from data and may be anything.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            // XML knows no other control characters.
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}
