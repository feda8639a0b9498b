//! The report as one HTML page that fetches nothing: no scripts, no fonts, no addresses.

use std::fmt::Write;

use super::{Part, Report};

const STYLE: &str = "
:root{color-scheme:light dark;--line:#8886;--mark:#2a78d6;--soft:#2a78d644}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:right;padding:.2rem .6rem;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
th:first-child,td:first-child{text-align:left}
.no{border-left:.3rem solid #c33;padding:.4rem .8rem}
svg{display:block;margin:.8rem 0}
line,rect{stroke:var(--mark);fill:var(--soft)}circle{fill:var(--mark)}text{font:12px system-ui,sans-serif;fill:currentColor}
";

/// Makes text safe between tags.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A page up to its heading.
pub(crate) fn begin(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"
    )
}

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut html = begin("Policies on logged decisions");
    // Writing to a string cannot fail.
    let pages = report.pages.as_ref().map_or_else(String::new, |pages| format!("{} pages, ", pages.pages));
    let _ = writeln!(html, "<p>{pages}{} rows of {} files, {} pending.</p>", report.rows, report.files.len(), report.pending);
    for bad in &report.bad {
        let _ = writeln!(html, "<p class=\"no\">Left out: {} rows: {}.</p>", bad.rows, escaped(bad.kind.words()));
    }
    if let Some(pages) = report.pages.as_ref().filter(|pages| pages.with_bad > 0) {
        let _ = writeln!(html, "<p class=\"no\">Left out with them: {} more rows of their pages.</p>", pages.with_bad);
    }
    if report.pages.is_some() {
        report.left_out.iter().for_each(|why| html.push_str(&format!("<p>Without {}.</p>\n", escaped(why))));
    }
    if let Some(fit) = &report.calibration {
        let _ = writeln!(
            html,
            "<p>Logged probabilities against {} actions: furthest off is action {}, taken {} times where {:.1} were expected (chance \
             {:.3}).</p>",
            fit.actions, fit.worst, fit.taken, fit.expected, fit.chance
        );
    }
    for policy in &report.policies {
        let _ = writeln!(html, "<h2>{}</h2>", escaped(&policy.name));
        part(&mut html, &policy.all);
        if !policy.slices.is_empty() {
            let named = report.policies[0].all.estimates.first().map_or("estimate", |line| line.estimator.as_str());
            let _ = writeln!(
                html,
                "<table><tr><th>slice</th><th>{}</th><th>worth</th><th>{}</th><th>95 %</th></tr>",
                policy.all.unit(),
                escaped(named)
            );
            for (values, part) in &policy.slices {
                let shown = part.estimates.first().and_then(|line| {
                    let (_, low, high) = line.intervals.first()?;
                    Some(format!("<td>{:.5}</td><td>{low:.5} to {high:.5}</td>", line.value))
                });
                let shown = shown.unwrap_or_else(|| format!("<td colspan=\"2\">{}</td>", escaped(&part.verdict)));
                let _ = writeln!(
                    html,
                    "<tr><td>{}</td><td>{}</td><td>{:.0}</td>{shown}</tr>",
                    escaped(&values.join(", ")),
                    part.rows,
                    part.effective_sample_size
                );
            }
            html.push_str("</table>\n");
        }
    }
    html.push_str("</body></html>\n");
    html
}

fn part(html: &mut String, part: &Part) {
    let class = if part.weights_answer { "" } else { " class=\"no\"" };
    let _ = writeln!(html, "<p{class}>{}.</p>", escaped(&part.verdict));
    if let Some(cards) = part.cards.as_ref().filter(|cards| !cards.answers) {
        let _ = writeln!(html, "<p class=\"no\">Of single cards: {}.</p>", escaped(&cards.verdict));
    }
    let _ = writeln!(
        html,
        "<p>{} {} worth {:.0}; weights: mean {:.4}, largest {:.1}, {:.0} % zero.</p>",
        part.rows,
        part.unit(),
        part.effective_sample_size,
        part.mean_weight,
        part.max_weight,
        100.0 * part.zero_weights
    );
    histogram(html, &part.weights);
    prefixes(html, part);
    if part.estimates.is_empty() {
        return;
    }
    intervals(html, part);
    html.push_str("<table><tr><th>estimator</th><th>value</th><th>error</th><th>interval</th><th>95 %</th></tr>\n");
    for line in &part.estimates {
        for (i, (name, low, high)) in line.intervals.iter().enumerate() {
            let error = line.error.map_or_else(String::new, |error| format!("{error:.5}"));
            let first = if i == 0 {
                let chosen = line.chosen.as_ref().map_or_else(String::new, |chosen| format!(", chosen: {}", escaped(chosen)));
                format!("<td>{}{chosen}</td><td>{:.5}</td><td>{error}</td>", escaped(&line.estimator), line.value)
            } else {
                "<td></td><td></td><td></td>".to_owned()
            };
            let _ = writeln!(html, "<tr>{first}<td>{name}</td><td>{low:.5} to {high:.5}</td></tr>");
        }
    }
    html.push_str("</table>\n");
}

/// What the pages are worth, position by position.
fn prefixes(html: &mut String, part: &Part) {
    if part.prefixes.is_empty() {
        return;
    }
    html.push_str(
        "<table><tr><th>position, with all above</th><th>pages</th><th>worth</th><th>mean weight</th><th>largest</th></tr>\n",
    );
    for (position, of) in part.prefixes.iter().enumerate() {
        let _ = writeln!(
            html,
            "<tr><td>{position}</td><td>{}</td><td>{:.0}</td><td>{:.4}</td><td>{:.1}</td></tr>",
            of.rows, of.effective_sample_size, of.mean_weight, of.max_weight
        );
    }
    html.push_str("</table>\n");
}

/// The first interval of each estimate on one scale.
fn intervals(html: &mut String, part: &Part) {
    let of = part.estimates.iter().filter_map(|line| line.intervals.first().map(|(_, low, high)| (line, *low, *high)));
    let drawn: Vec<_> = of.collect();
    let low = drawn.iter().fold(f64::INFINITY, |least, (_, low, _)| least.min(*low));
    let high = drawn.iter().fold(f64::NEG_INFINITY, |most, (_, _, high)| most.max(*high));
    let width = if high > low { high - low } else { 1.0 };
    let x = |value: f64| 110.0 + 480.0 * (value - low) / width;
    let height = 22 * drawn.len() + 20;
    let _ = writeln!(html, "<svg viewBox=\"0 0 620 {height}\" role=\"img\" aria-label=\"estimates with 95 % intervals\">");
    for (i, (line, from, to)) in drawn.iter().enumerate() {
        let y = 16 + 22 * i;
        let _ = writeln!(
            html,
            "<text x=\"0\" y=\"{}\">{}</text><line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/><circle cx=\"{:.1}\" cy=\"{y}\" r=\"4\"/>",
            y + 4,
            escaped(&line.estimator),
            x(*from),
            x(*to),
            x(line.value)
        );
    }
    let _ = writeln!(html, "<text x=\"110\" y=\"{height}\">{low:.5}</text><text x=\"540\" y=\"{height}\">{high:.5}</text></svg>");
}

/// Rows by weight.
fn histogram(html: &mut String, weights: &[u64]) {
    let most = weights.iter().copied().max().unwrap_or(0).max(1) as f64;
    let _ = writeln!(
        html,
        "<svg viewBox=\"0 0 620 120\" role=\"img\" aria-label=\"rows by importance weight, doubling from left to right\">"
    );
    for (i, rows) in weights.iter().enumerate().filter(|(_, rows)| **rows > 0) {
        let height = 90.0 * *rows as f64 / most;
        let _ = writeln!(html, "<rect x=\"{}\" y=\"{:.1}\" width=\"16\" height=\"{height:.1}\"/>", 10 + 18 * i, 95.0 - height);
    }
    // Bar 12 holds weights in (1/2, 1].
    html.push_str(
        "<text x=\"10\" y=\"115\">2^-12</text><text x=\"238\" y=\"115\">1</text><text x=\"560\" y=\"115\">2^18</text></svg>\n",
    );
}
