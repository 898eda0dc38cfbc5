//! The one error of the command line: what happened, where, and what to do about it.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::report::Details;
use crate::shown::shown;

/// The kind of a failure, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// None of the others.
    Other,
    /// The command line is wrong.
    Usage,
    /// An input cannot be read.
    Input,
    /// An output exists or cannot be written.
    Output,
    /// The input is no container, or one that this program cannot read.
    NotAContainer,
    /// The container is damaged, interrupted or tampered with.
    Damaged,
    /// The container's encryption context is not the one that was asked for.
    ContextMismatch,
    /// The key service refused, or does not know the key.
    KeyRefused,
    /// The key service cannot be reached now: worth retrying.
    KeyUnavailable,
    /// Some of several inputs failed.
    Partial,
    /// Whoever read our output stopped reading: no failure, and nothing to say.
    ClosedPipe,
}

impl Class {
    /// The exit code, as `docs/scripting.md` lists them.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::Input => 3,
            Self::Output => 4,
            Self::NotAContainer => 5,
            Self::Damaged => 6,
            Self::ContextMismatch => 7,
            Self::KeyRefused => 8,
            Self::KeyUnavailable => 9,
            Self::Partial => 10,
        }
    }

    /// The word for it in JSON.
    fn word(self) -> &'static str {
        match self {
            Self::ClosedPipe => "closed-pipe",
            Self::Other => "other",
            Self::Usage => "usage",
            Self::Input => "input",
            Self::Output => "output",
            Self::NotAContainer => "not-a-container",
            Self::Damaged => "damaged",
            Self::ContextMismatch => "context-mismatch",
            Self::KeyRefused => "key-refused",
            Self::KeyUnavailable => "key-unavailable",
            Self::Partial => "partial",
        }
    }
}

/// A failure, ready to be shown.
#[derive(Clone, Debug)]
pub(crate) struct CliError {
    class: Class,
    message: String,
    file: Option<String>,
    offset: Option<u64>,
    hint: Option<String>,
    more: Box<More>,
    fatal: bool,
}

/// What few errors have.
#[derive(Clone, Debug, Default)]
struct More {
    causes: Vec<String>,
    details: Details,
    verbatim: bool,
}

impl CliError {
    /// Makes an error that says `message`.
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            file: None,
            offset: None,
            hint: None,
            more: Box::default(),
            fatal: false,
        }
    }

    /// Makes the error of a command line that cannot be carried out.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, message)
    }

    /// Makes an error of a system call: `doing` says what for, and the system says the rest.
    pub(crate) fn system(class: Class, doing: &str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Class::ClosedPipe, "the reader closed the pipe");
        }
        let built = Self::new(class, format!("{doing}: {}", reason(error)));
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                built.hint("free some space there, or write to another place")
            }
            _ => built,
        }
    }

    /// Says which file it is about.
    pub(crate) fn file(mut self, file: &Path) -> Self {
        self.file.get_or_insert_with(|| file.to_string_lossy().into_owned());
        self
    }

    /// Says which stream it is about.
    pub(crate) fn stream(mut self, name: &str) -> Self {
        self.file.get_or_insert_with(|| name.to_owned());
        self
    }

    /// Says where in the file.
    pub(crate) fn offset(mut self, offset: Option<u64>) -> Self {
        self.offset = offset;
        self
    }

    /// Says what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what caused it, outermost first.
    pub(crate) fn caused_by(mut self, error: Option<&dyn std::error::Error>) -> Self {
        let mut next = error;
        while let Some(cause) = next {
            let text = shown(without_number(&cause.to_string()));
            // An error that repeats its source's text says nothing new.
            if !self.message.contains(&text) && self.more.causes.last() != Some(&text) {
                self.more.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Says that another error of ours caused it, whose advice it takes over.
    pub(crate) fn caused_by_own(mut self, own: &Self) -> Self {
        let (text, hint) = own.text();
        self.more.causes.push(text);
        self.hint = hint.map(ToOwned::to_owned).or(self.hint);
        self
    }

    /// Says what only one command has to say.
    pub(crate) fn details(mut self, details: Details) -> Self {
        self.more.details = details;
        self
    }

    /// Says that the message is another program's line: it stands alone, as that program prints it.
    pub(crate) fn verbatim(mut self) -> Self {
        self.more.verbatim = true;
        self
    }

    /// Whether the message is another program's line.
    pub(crate) fn is_verbatim(&self) -> bool {
        self.more.verbatim
    }

    /// Says at the beginning of the message what it was about.
    pub(crate) fn within(mut self, what: &str) -> Self {
        self.message.insert_str(0, what);
        self
    }

    /// Says that further inputs would fail in the same way, so that a batch ends here.
    pub(crate) fn fatal(mut self) -> Self {
        self.fatal = true;
        self
    }

    /// Says that further inputs need not fail in the same way.
    pub(crate) fn for_one(mut self) -> Self {
        self.fatal = false;
        self
    }

    /// Whether a batch ends here: nobody listens any more, or all further inputs would fail too.
    pub(crate) fn ends_everything(&self) -> bool {
        self.fatal || self.class == Class::ClosedPipe
    }

    /// The kind of failure.
    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// The lines a person reads, without the leading `error: `, and the hint apart.
    pub(crate) fn text(&self) -> (String, Option<&str>) {
        let mut text = String::new();
        if let Some(file) = &self.file {
            text.push_str(&shown(file));
            text.push_str(": ");
        }
        text.push_str(&self.message);
        for cause in &self.more.causes {
            write!(text, "\n  caused by: {cause}").ok();
        }
        self.more.details.append_to(&mut text);
        (text, self.hint.as_deref())
    }

    /// The object a script reads.
    pub(crate) fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("v".into(), json!(1));
        object.insert("status".into(), json!("error"));
        object.insert("code".into(), json!(self.class.exit_code()));
        object.insert("kind".into(), json!(self.class.word()));
        object.insert("message".into(), json!(self.message));
        object.insert("file".into(), json!(self.file));
        object.insert("offset".into(), json!(self.offset));
        object.insert("hint".into(), json!(self.hint));
        if !self.more.causes.is_empty() {
            object.insert("causes".into(), json!(self.more.causes));
        }
        object.extend(self.more.details.members.clone());
        Value::Object(object)
    }
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text().0)
    }
}

impl std::error::Error for CliError {}

/// The system's words for an error, without Rust's `(os error N)`.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = without_number(&text);
    let mut characters = text.chars();
    match characters.next() {
        // Only a first word in title case is lowered: an acronym stays.
        Some(first) if characters.as_str().starts_with(|next: char| !next.is_uppercase()) => {
            format!("{}{}", first.to_lowercase(), characters.as_str())
        }
        _ => text.to_owned(),
    }
}

/// Takes away what Rust adds to the system's words.
fn without_number(text: &str) -> &str {
    text.split(" (os error").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_then_what_happened_then_its_causes() {
        let io = std::io::Error::from_raw_os_error(2);
        let error = CliError::system(Class::Input, "cannot be opened", &io).file(Path::new("a.wax")).hint("look again");
        assert_eq!(error.text(), ("a.wax: cannot be opened: no such file or directory".to_owned(), Some("look again")));
        assert_eq!(error.class().exit_code(), 3);
        let json = error.json();
        assert_eq!(
            (json["code"].as_u64(), json["file"].as_str(), json["v"].as_u64()),
            (Some(3), Some("a.wax"), Some(1))
        );
    }

    #[test]
    fn control_characters_in_a_name_reach_no_terminal() {
        let error = CliError::usage("no").file(Path::new("a\u{1b}[2Jb"));
        assert_eq!(error.text().0, "a\\u{1b}[2Jb: no");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let io = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(CliError::system(Class::Output, "x", &io).class().exit_code(), 0);
    }
}
