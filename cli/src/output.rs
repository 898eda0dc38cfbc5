//! Everything that is printed: results, notes, errors, as text or as JSON.

use std::io::{self, IsTerminal as _, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::args::Common;
use crate::error::{Class, CliError};
use crate::progress;

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const CYAN: &str = "\x1b[1;36m";
const PLAIN: &str = "\x1b[0m";

/// How talkative the command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Errors only.
    Quiet,
    /// Errors, warnings, notes, and the summary of many files.
    Normal,
    /// What was done to each file as well.
    Verbose,
}

/// What a progress bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Files,
    Tree,
    Bytes,
    Stream,
}

/// The one way to standard output and standard error.
///
/// Every line is written in one piece, so lines of several threads do not mix.
#[derive(Debug)]
pub(crate) struct Console {
    volume: Volume,
    json: bool,
    stdout_is_data: OnceLock<()>,
    progress: OnceLock<(Unit, ProgressBar)>,
    /// Bytes of the files of a tree that are done.
    tree_bytes: AtomicU64,
}

impl Console {
    /// Makes the console of a command.
    pub(crate) fn new(volume: Volume, json: bool) -> Self {
        Self { volume, json, stdout_is_data: OnceLock::new(), progress: OnceLock::new(), tree_bytes: AtomicU64::new(0) }
    }

    /// Makes the console that the options ask for.
    pub(crate) fn for_common(common: &Common) -> Self {
        let volume = match (common.quiet, common.verbose) {
            (true, _) => Volume::Quiet,
            (_, true) => Volume::Verbose,
            _ => Volume::Normal,
        };
        Self::new(volume, common.json)
    }

    /// Says that standard output carries data from now on: JSON goes to standard error.
    pub(crate) fn stdout_carries_data(&self) {
        self.stdout_is_data.get_or_init(|| ());
    }

    /// Draws a bar that counts the files of a batch.
    pub(crate) fn draw_files(&self, count: usize) {
        self.draw(Unit::Files, || progress::files(count));
    }

    /// Draws a bar that counts bytes up to a total, unless files are counted.
    pub(crate) fn draw_bytes(&self, total: u64) {
        self.draw(Unit::Bytes, || progress::bytes(total));
    }

    /// Draws how many bytes of a stream there have been, unless something else is drawn already.
    pub(crate) fn draw_stream(&self, so_far: u64) {
        self.draw(Unit::Stream, progress::stream);
        if let Some((_, bar)) = self.progress.get().filter(|(counted, _)| *counted == Unit::Stream) {
            bar.set_position(so_far);
        }
    }

    /// Draws how many files of a tree there have been, and how many bytes.
    pub(crate) fn draw_tree(&self) {
        self.draw(Unit::Tree, progress::tree);
    }

    /// Says how many files there are in the tree, now that all have been found.
    pub(crate) fn know_files(&self, count: usize) {
        if let Some((Unit::Tree, bar)) = self.progress.get() {
            progress::know_files(bar, count);
        }
    }

    /// Counts one file as done, with so many bytes of plaintext.
    pub(crate) fn advance_files(&self, bytes: u64) {
        self.advance(Unit::Files, 1);
        if let Some((Unit::Tree, bar)) = self.progress.get() {
            let so_far = self.tree_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
            progress::advance_tree(bar, so_far);
        }
    }

    /// Counts bytes as done.
    pub(crate) fn advance_bytes(&self, count: u64) {
        self.advance(Unit::Bytes, count);
    }

    /// Draws a bar if there is a terminal to draw it on. The first one stays.
    fn draw(&self, unit: Unit, make: impl FnOnce() -> ProgressBar) {
        if !self.json && self.volume > Volume::Quiet && io::stderr().is_terminal() {
            self.progress.get_or_init(|| (unit, make()));
        }
    }

    fn advance(&self, unit: Unit, count: u64) {
        if let Some((_, bar)) = self.progress.get().filter(|(counted, _)| *counted == unit) {
            bar.inc(count);
        }
    }

    /// Takes the bar away.
    pub(crate) fn stop_drawing(&self) {
        if let Some((_, bar)) = self.progress.get() {
            bar.finish_and_clear();
        }
    }

    /// Prints what a command was asked for: its text to standard output unless told to be quiet, or its JSON.
    pub(crate) fn result(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), CliError> {
        match (self.json, self.volume) {
            (true, _) => self.json_line(&json()),
            (false, Volume::Quiet) => Ok(()),
            (false, _) => self.to_stdout(&text()),
        }
    }

    /// Prints what can be had this once only, or is all that the command is for: its text however quiet it is to be.
    pub(crate) fn answer(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), CliError> {
        if self.json {
            return self.json_line(&json());
        }
        let text = text();
        if text.is_empty() { Ok(()) } else { self.to_stdout(&text) }
    }

    /// Prints what was done to a file: text only when asked to be verbose, JSON always.
    pub(crate) fn done(&self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> Result<(), CliError> {
        if self.json {
            return self.json_line(&json());
        }
        if self.volume >= Volume::Verbose {
            self.to_stderr(&text());
        }
        Ok(())
    }

    /// Prints more than most want to know, when asked to be verbose. JSON says it elsewhere.
    pub(crate) fn detail(&self, text: &str) {
        if !self.json && self.volume >= Volume::Verbose {
            self.to_stderr(text);
        }
    }

    /// Prints an error.
    pub(crate) fn error(&self, error: &CliError) {
        // Nobody reads any more, or each failure has been printed already.
        if matches!(error.class(), Class::ClosedPipe | Class::Partial) {
            return;
        }
        if self.json {
            // Whoever stopped reading the JSON does not want this line either.
            self.json_line(&error.json()).ok();
            return;
        }
        let (text, hint) = error.text();
        if error.is_verbatim() {
            self.to_stderr(&format!("\n{text}{}", hint_line(hint)));
        } else {
            self.to_stderr(&with_hint("error", RED, &text, hint));
        }
    }

    /// Prints a warning: the command goes on.
    pub(crate) fn warning(&self, text: &str, hint: Option<&str>) {
        self.message("warning", YELLOW, text, hint);
    }

    /// Prints something worth knowing.
    pub(crate) fn note(&self, text: &str, hint: Option<&str>) {
        self.message("note", CYAN, text, hint);
    }

    /// Prints the last line about many files.
    pub(crate) fn summary(&self, text: &str, json: Value) {
        if self.json {
            self.json_to_stderr(&json);
        } else if self.volume >= Volume::Normal {
            self.to_stderr(text);
        }
    }

    fn message(&self, kind: &str, color: &str, text: &str, hint: Option<&str>) {
        if self.json {
            self.json_to_stderr(&json!({"v": 1, "status": kind, "message": text, "hint": hint}));
        } else if self.volume >= Volume::Normal {
            self.to_stderr(&with_hint(kind, color, text, hint));
        }
    }

    fn json_line(&self, value: &Value) -> Result<(), CliError> {
        if self.stdout_is_data.get().is_some() {
            self.json_to_stderr(value);
            return Ok(());
        }
        self.to_stdout(&value.to_string())
    }

    fn json_to_stderr(&self, value: &Value) {
        self.to_stderr(&value.to_string());
    }

    fn to_stdout(&self, text: &str) -> Result<(), CliError> {
        let line = format!("{text}\n");
        let write = || {
            let mut stdout = anstream::stdout().lock();
            stdout.write_all(line.as_bytes())?;
            stdout.flush()
        };
        self.aside(write)
            .map_err(|error| CliError::system(Class::Output, "cannot be written", &error).stream("standard output"))
    }

    fn to_stderr(&self, text: &str) {
        let line = format!("{text}\n");
        // There is nowhere left to complain to.
        self.aside(|| anstream::stderr().lock().write_all(line.as_bytes())).ok();
    }

    fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match self.progress.get() {
            Some((_, bar)) => bar.suspend(write),
            None => write(),
        }
    }
}

fn with_hint(kind: &str, color: &str, text: &str, hint: Option<&str>) -> String {
    format!("{color}{kind}{PLAIN}: {text}{}", hint_line(hint))
}

fn hint_line(hint: Option<&str>) -> String {
    hint.map(|hint| format!("\n{CYAN}hint{PLAIN}: {hint}")).unwrap_or_default()
}
