//! Tags of keys.

use rusqlite::params;

use super::Rows;
use crate::error::StoreError;
use crate::key::{Key, KeyUuid};
use crate::region::Region;

/// Longest name of a tag in characters.
const MAX_KEY: usize = 128;
/// Longest value of a tag in characters.
const MAX_VALUE: usize = 256;

/// A tag: what it is called, and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Tag {
    /// Puts one together; `None` means that a part is too short or too long (`Tag` in the service model).
    pub(crate) fn new(key: String, value: String) -> Option<Self> {
        let valid = (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE;
        valid.then_some(Self { key, value })
    }
}

impl Rows<'_> {
    /// At most `limit` tags of a key whose names come after `after`, in order of their names.
    pub(crate) fn tags(&self, key: &Key, after: &str, limit: usize) -> Result<Vec<Tag>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.list(
            "SELECT tag_key, tag_value FROM tags WHERE region = ? AND key_id = ? AND tag_key > ? \
             ORDER BY tag_key LIMIT ?",
            params![key.region.as_str(), key.metadata.arn.key_id(), after, limit],
            |cells| cells.require(Tag::new(cells.text(0)?, cells.text(1)?), "tag"),
        )
    }

    /// Sets a tag, in place of an older one of the same name.
    pub(crate) fn set_tag(&self, region: &Region, key: KeyUuid, tag: &Tag) -> Result<(), StoreError> {
        self.execute(
            "INSERT OR REPLACE INTO tags (region, key_id, tag_key, tag_value) VALUES (?, ?, ?, ?)",
            params![region.as_str(), key.text(), tag.key, tag.value],
        )
    }

    /// Removes a tag, if it is there.
    pub(crate) fn remove_tag(&self, key: &Key, tag_key: &str) -> Result<(), StoreError> {
        self.execute(
            "DELETE FROM tags WHERE region = ? AND key_id = ? AND tag_key = ?",
            params![key.region.as_str(), key.metadata.arn.key_id(), tag_key],
        )
    }
}
