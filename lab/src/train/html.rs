//! The report of a training as one HTML page that fetches nothing: no scripts, no fonts, no addresses.

use std::fmt::Write;

use super::Report;
use super::sample::{Calibrated, Quality};
use crate::evaluate::report::html::{begin, escaped};

/// Width and height of a drawing, and where its axes stand.
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 600.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 210.0;

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut html = begin("A trained reward model");
    // Writing to a string cannot fail.
    let _ = writeln!(
        html,
        "<p>{} ({}), objective {}, seed {}.</p>\n<p>{} of {} rows count, worth {:.0}; largest weight {:.1} times the mean.</p>",
        escaped(&report.body),
        escaped(&report.size),
        escaped(&report.objective),
        report.seed,
        report.counted,
        report.rows,
        report.effective_size,
        report.largest_weight
    );
    if let Some(ranking) = &report.ranking {
        let _ = writeln!(
            html,
            "<p>The ranking earns {:.5} (standard error {:.5}) a decision of listeners by whom nothing was chosen, that of the \
             regression {:.5} ({:.5}); penalty {}, {} passes.</p>",
            ranking.end.normalised,
            ranking.end.error,
            ranking.start.normalised,
            ranking.start.error,
            ranking.penalty,
            ranking.passes
        );
    }
    html.push_str("<h2>How good</h2>\n");
    slices(&mut html, report);
    html.push_str("<h2>Learning curve</h2>\n");
    curve(&mut html, report);
    html.push_str("<h2>Calibration</h2>\n");
    calibration(&mut html, &report.calibration);
    html.push_str("</body></html>\n");
    html
}

/// Learned from, judged by, and each slice of the latter.
fn slices(html: &mut String, report: &Report) {
    html.push_str(
        "<table><tr><th>rows of</th><th>count</th><th>log-loss</th><th>of a mean</th><th>predicted</th><th>observed</th>\
         <th>calibration error</th></tr>\n",
    );
    let mut line = |name: &str, quality: &Quality| {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{:.5}</td><td>{:.5}</td><td>{:.4}</td><td>{:.4}</td><td>{:.4}</td></tr>",
            escaped(name),
            quality.rows,
            quality.log_loss,
            quality.log_loss_of_mean,
            quality.predicted,
            quality.observed,
            quality.calibration_error
        );
    };
    line("listeners learned from", &report.learned);
    line("other listeners", &report.judged);
    for group in &report.groups {
        line(&format!("{} {}", group.slice, group.group), &group.quality);
    }
    html.push_str("</table>\n");
}

/// A value on a scale from `low` to `high`, on an axis of the drawing.
fn along(value: f64, (low, high): (f64, f64), (from, to): (f64, f64)) -> f64 {
    let share = if high > low { (value - low) / (high - low) } else { 0.5 };
    from + (to - from) * share
}

/// The least and the largest of some numbers.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.filter(|value| value.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
}

/// What the judging rows say after each pass or tree.
fn curve(html: &mut String, report: &Report) {
    if report.curve.is_empty() {
        html.push_str("<p>The logistic regression is fitted at once: there are no passes to show.</p>\n");
        return;
    }
    let what = if report.ranking.is_some() {
        "what the ranking earns a decision, by the listeners it is chosen by"
    } else {
        "log-loss of the judging listeners"
    };
    let ends = range(report.curve.iter().copied());
    let last = report.curve.len() as f64;
    let points: Vec<String> = report
        .curve
        .iter()
        .enumerate()
        .filter(|(_, value)| value.is_finite())
        .map(|(at, value)| {
            let x = along((at + 1) as f64, (1.0, last), (LEFT, RIGHT));
            format!("{x:.1},{:.1}", along(*value, ends, (BOTTOM, TOP)))
        })
        .collect();
    let _ = writeln!(
        html,
        "<p>After each pass or tree: {what}.</p>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{what}\">\
         <polyline fill=\"none\" stroke=\"currentColor\" points=\"{}\"/>\
         <text x=\"0\" y=\"{}\">{:.5}</text><text x=\"0\" y=\"{BOTTOM}\">{:.5}</text>\
         <text x=\"{LEFT}\" y=\"{HEIGHT}\">1</text><text x=\"{}\" y=\"{HEIGHT}\">{last}</text></svg>",
        points.join(" "),
        TOP + 8.0,
        ends.1,
        ends.0,
        RIGHT - 30.0
    );
}

/// Predicted against observed chances.
fn calibration(html: &mut String, parts: &[Calibrated]) {
    let (low, high) = range(parts.iter().flat_map(|part| [part.predicted, part.observed]));
    if low > high {
        html.push_str("<p>No rows judge.</p>\n");
        return;
    }
    let (x, y) = ((LEFT, RIGHT), (BOTTOM, TOP));
    let _ = write!(
        html,
        "<p>Judging rows in tenths by prediction; on the line, what was predicted is what came.</p>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"observed against predicted chances\">\
         <line x1=\"{LEFT}\" y1=\"{BOTTOM}\" x2=\"{RIGHT}\" y2=\"{TOP}\"/>"
    );
    for part in parts {
        let _ = write!(
            html,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
            along(part.predicted, (low, high), x),
            along(part.observed, (low, high), y)
        );
    }
    let _ = writeln!(
        html,
        "<text x=\"0\" y=\"{}\">{high:.4}</text><text x=\"0\" y=\"{BOTTOM}\">{low:.4}</text>\
         <text x=\"{LEFT}\" y=\"{HEIGHT}\">{low:.4}</text><text x=\"{}\" y=\"{HEIGHT}\">{high:.4}</text></svg>",
        TOP + 8.0,
        RIGHT - 30.0
    );
    html.push_str("<table><tr><th>share of the rows</th><th>predicted</th><th>observed</th></tr>\n");
    for part in parts {
        let _ = writeln!(
            html,
            "<tr><td>{:.1} %</td><td>{:.4}</td><td>{:.4}</td></tr>",
            100.0 * part.share,
            part.predicted,
            part.observed
        );
    }
    html.push_str("</table>\n");
}
