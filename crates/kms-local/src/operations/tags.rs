//! Tags in requests, and what makes them valid.

use std::collections::BTreeSet;

use waxseal_key_service::KeyServiceError;

use crate::key::Key;
use crate::protocol::{Arguments, Value};
use crate::refusals;
use crate::store::rows::{Rows, Tag};

/// Most tags of one key.
const MAX_TAGS: usize = 50;

/// Reads the tags of a request.
pub(super) fn of(arguments: &Arguments<'_>) -> Result<Vec<Tag>, KeyServiceError> {
    let tags = arguments.list("Tags").iter().filter_map(|value| match value {
        Value::Structure(tag) => {
            Some(Tag { key: tag.required_text("TagKey").to_owned(), value: tag.required_text("TagValue").to_owned() })
        }
        _ => None,
    });
    let tags: Vec<Tag> = tags.collect();
    let names: BTreeSet<&str> = tags.iter().map(|tag| tag.key.as_str()).collect();
    names.iter().try_for_each(|name| check_not_reserved(name))?;
    if names.len() < tags.len() {
        return Err(refusals::tags("Duplicate tag keys"));
    }
    if tags.len() > MAX_TAGS {
        return Err(refusals::tags("Too many tags"));
    }
    Ok(tags)
}

/// Refuses names that only the service itself gives.
pub(super) fn check_not_reserved(name: &str) -> Result<(), KeyServiceError> {
    let reserved = name.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"));
    if reserved { Err(refusals::tags("Tags beginning with aws: are reserved")) } else { Ok(()) }
}

/// Sets tags of a key, which has to have room for them.
pub(super) fn set(rows: &Rows<'_>, key: &Key, tags: &[Tag]) -> Result<(), KeyServiceError> {
    tags.iter().try_for_each(|tag| rows.set_tag(&key.region, key.id(), tag))?;
    if rows.tags(key, "", MAX_TAGS + 1)?.len() > MAX_TAGS {
        return Err(refusals::tags("Too many tags"));
    }
    Ok(())
}
