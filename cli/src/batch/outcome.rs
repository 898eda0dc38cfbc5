//! What the work on one input comes to.

use std::fmt;

use crate::atomic::Temporary;
use crate::error::CliError;
use crate::report::FileReport;

/// What the work on one input came to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing is left to do.
    Complete(FileReport),
    /// Nothing had to be done.
    LeftAlone(FileReport),
    /// The output is finished but for its name; what is to be done once it has that, and is on disk if it is to be.
    Finished(Temporary, FileReport, Then),
    /// Nothing is left to do, and it was told already; so many bytes of plaintext.
    Told(u64),
    /// A link was made.
    Linked,
    /// The output is as it is to be already.
    Unchanged,
    /// It is done later, with others.
    Deferred,
}

/// What is done once an output stands under its name.
pub(crate) struct Then(Option<Box<dyn FnOnce() -> Result<(), CliError> + Send>>);

impl Then {
    /// Nothing more.
    pub(crate) fn nothing() -> Self {
        Self(None)
    }

    /// This; if the output fails it is dropped without being done.
    pub(crate) fn this(act: impl FnOnce() -> Result<(), CliError> + Send + 'static) -> Self {
        Self(Some(Box::new(act)))
    }

    /// Does it.
    pub(super) fn act(self) -> Result<(), CliError> {
        self.0.map_or(Ok(()), |act| act())
    }
}

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Then(this)" } else { "Then(nothing)" })
    }
}
