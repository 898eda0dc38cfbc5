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

/// Where the lines of a text end.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    /// Finds them.
    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset).collect())
    }

    /// The line of a byte of the text, counted from 1.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

impl<T> Lined<T> {
    /// A value of the text that has these lines.
    pub(super) fn of(lines: &Lines, spanned: Spanned<T>) -> Self {
        let line = lines.at(spanned.span().start);
        Self { value: spanned.into_inner(), line }
    }

    /// The same line with what `map` makes of the value.
    pub(super) fn map<U, E>(self, map: impl FnOnce(T, usize) -> Result<U, E>) -> Result<Lined<U>, E> {
        let Self { value, line } = self;
        Ok(Lined { value: map(value, line)?, line })
    }
}
