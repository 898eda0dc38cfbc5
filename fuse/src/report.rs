//! Errors, as programs see them and as the log tells them (SEMANTICS.md, "Errors").

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use rustix::io::Errno;
use waxseal_container::ContainerError;
use waxseal_envelope::EnvelopeError;
use waxseal_key_service::ErrorCode;

use crate::options::{Level, Log};

/// Tells programs an error number, and the log what it cannot say.
#[derive(Clone)]
pub(crate) struct Reporter(Arc<dyn Log>);

impl Reporter {
    pub(crate) fn new(log: Arc<dyn Log>) -> Self {
        Self(log)
    }

    pub(crate) fn info(&self, text: &str) {
        self.0.line(Level::Info, text);
    }

    pub(crate) fn warning(&self, text: &str) {
        self.0.line(Level::Warning, text);
    }

    pub(crate) fn error(&self, text: &str) {
        self.0.line(Level::Error, text);
    }

    /// What went wrong with a container.
    pub(crate) fn container(&self, name: &OsStr, error: &ContainerError) -> Errno {
        let errno = match error {
            ContainerError::Read(source) | ContainerError::Write(source) => match errno(source) {
                // The caller learns what to do from these; nothing is wrong with the file.
                errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::ROFS) => return errno,
                errno => errno,
            },
            ContainerError::TooLong => return Errno::FBIG,
            ContainerError::Prepared => Errno::NODATA,
            _ => Errno::IO,
        };
        self.error(&format!("{}: {}", shown(name), chain(error)));
        errno
    }

    /// What went wrong with a data key.
    pub(crate) fn envelope(&self, name: &OsStr, error: &EnvelopeError) -> Errno {
        let errno = match error {
            EnvelopeError::Container(error) => return self.container(name, error),
            EnvelopeError::KeyService { source, .. } => match source.code() {
                ErrorCode::NotFound => Errno::NOKEY,
                code if code.is_transient() => Errno::TIMEDOUT,
                _ => Errno::ACCESS,
            },
            EnvelopeError::DataKeyRefused { .. } => Errno::IO,
            EnvelopeError::NoUsableKey { .. } => Errno::NOKEY,
            _ => Errno::ACCESS,
        };
        self.error(&format!("{}: {}", shown(name), chain(error)));
        errno
    }
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

/// The error number of an error of the system.
pub(crate) fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// A name that is fit to be printed.
pub(crate) fn shown(name: &OsStr) -> String {
    waxseal_key_service::shown(&name.to_string_lossy())
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let source_text = source.to_string();
        if !text.ends_with(&source_text) {
            write!(text, ": {source_text}").ok();
        }
        cause = source.source();
    }
    text
}
