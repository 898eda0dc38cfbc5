//! The progress bar: drawn on standard error when that is a terminal.

use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressStyle};

/// Counts files.
pub(crate) fn files(count: usize) -> ProgressBar {
    drawn(ProgressBar::new(count as u64), "{bar:32} {pos} of {len} files, {eta} left")
}

/// Counts files of a tree; how many there are is not known yet.
pub(crate) fn tree() -> ProgressBar {
    drawn(ProgressBar::no_length(), "{spinner} {pos} files, {msg}, {elapsed}")
}

/// Says how many files there are in a tree: from now on the time that is left can be told.
pub(crate) fn know_files(bar: &ProgressBar, count: usize) {
    bar.set_style(style("{bar:32} {pos} of {len} files, {msg}, {eta} left"));
    bar.set_length(count as u64);
}

/// Counts one more file of a tree, in which so many bytes have been done by now.
pub(crate) fn advance_tree(bar: &ProgressBar, bytes: u64) {
    let seconds = bar.elapsed().as_secs().max(1);
    bar.set_message(format!("{}, {}/s", BinaryBytes(bytes), BinaryBytes(bytes / seconds)));
    bar.inc(1);
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
    bar.set_style(style(template));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
