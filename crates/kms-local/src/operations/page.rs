//! Answers that come in pages.

use base64ct::{Base64, Encoding};
use waxseal_key_service::KeyServiceError;

use crate::protocol::{Arguments, Object};
use crate::refusals;

/// The page that a request asks for.
pub(super) struct Page {
    /// Most entries.
    limit: usize,
    /// What the entries come after; empty on the first page.
    pub(super) after: String,
}

/// What an answer says about the page after it: the marker, if there is one.
pub(super) struct Next(Option<String>);

impl Page {
    /// Reads a request's `Limit` and `Marker`. The service model has one bound for all operations; each has its own beside it.
    pub(super) fn of(arguments: &Arguments<'_>, default: i32, most: i32) -> Result<Self, KeyServiceError> {
        let limit = arguments.integer("Limit").unwrap_or(default);
        if let Some(error) = refusals::out_of_range("limit", limit.into(), 1, most.into()) {
            return Err(error);
        }
        let after = arguments.text("Marker").map(decode).transpose()?.unwrap_or_default();
        Ok(Self { limit: usize::try_from(limit).expect("it is at least 1"), after })
    }

    /// How many entries to look for: one more than are shown tells whether there is another page.
    pub(super) fn wanted(&self) -> usize {
        self.limit + 1
    }

    /// Cuts off what is not on this page. `mark` gives what the next page comes after.
    pub(super) fn cut<T>(&self, entries: &mut Vec<T>, mark: impl Fn(&T) -> String) -> Next {
        if entries.len() <= self.limit {
            return Next(None);
        }
        entries.truncate(self.limit);
        Next(entries.last().map(|last| Base64::encode_string(mark(last).as_bytes())))
    }
}

impl Next {
    pub(super) fn write(&self, answer: &mut Object<'_>) {
        answer.optional_text("NextMarker", self.0.as_deref());
        answer.flag("Truncated", self.0.is_some());
    }
}

/// A marker is the base64 of what the page before ended with: names may have letters that no marker has.
fn decode(marker: &str) -> Result<String, KeyServiceError> {
    let bytes = Base64::decode_vec(marker).map_err(|_| refusals::invalid_marker())?;
    let text = String::from_utf8(bytes).map_err(|_| refusals::invalid_marker())?;
    if text.is_empty() { Err(refusals::invalid_marker()) } else { Ok(text) }
}
