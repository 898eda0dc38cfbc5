//! Values of the configuration file, and the lines they stand in.

use toml::Spanned;

/// A value, and the line that it begins in, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lined<T> {
    /// The value.
    pub(crate) value: T,
    /// The line.
    pub(crate) line: usize,
}

impl<T> Lined<T> {
    /// A value of the text that it was read from.
    pub(super) fn of(text: &str, spanned: Spanned<T>) -> Self {
        let line = line_at(text, spanned.span().start);
        Self { value: spanned.into_inner(), line }
    }

    /// The same line with what `map` makes of the value.
    pub(super) fn map<U, E>(self, map: impl FnOnce(T, usize) -> Result<U, E>) -> Result<Lined<U>, E> {
        let Self { value, line } = self;
        Ok(Lined { value: map(value, line)?, line })
    }
}

/// The line of a byte of a text, counted from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
