//! The progress bar: drawn on standard error when that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Counts files.
pub(crate) fn files(count: usize) -> ProgressBar {
    drawn(ProgressBar::new(count as u64), "{bar:32} {pos} of {len} files, {eta} left")
}

/// Counts bytes of a known total.
pub(crate) fn bytes(total: u64) -> ProgressBar {
    drawn(
        ProgressBar::new(total),
        "{bar:32} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
    )
}

/// Counts bytes of a stream without a known end.
pub(crate) fn stream() -> ProgressBar {
    drawn(ProgressBar::no_length(), "{binary_bytes}, {binary_bytes_per_sec}")
}

fn drawn(bar: ProgressBar, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
