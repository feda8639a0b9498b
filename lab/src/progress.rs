//! A progress bar on the terminal; nothing where there is none.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that counts `what`.
#[must_use]
pub fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos} of {len} {msg}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// Moves `bar` to `done` of `all`.
pub fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}
