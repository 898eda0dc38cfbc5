//! A request's members, read as the service model has them. They may be secret, so none of it can be shown.

use std::borrow::Cow;

use waxseal_key_service::{EncryptionContext, KeyId, KeyServiceError};
use zeroize::Zeroizing;

use crate::names;
use crate::refusals;

/// The value of a member.
pub(crate) enum Value<'a> {
    /// A member of a list or the value of a pair that is null. A member of a structure that is null is not there at all.
    Null,
    Bytes(Zeroizing<Vec<u8>>),
    Flag(bool),
    Integer(i64),
    Text(Cow<'a, str>),
    /// A point in time, which no operation here asks for.
    Time,
    List(Vec<Value<'a>>),
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
    Structure(Arguments<'a>),
}

/// The members of a request or of a structure in it. Those that are missing or null are not there.
pub(crate) struct Arguments<'a>(pub(super) Vec<(&'static str, Value<'a>)>);

impl<'a> Arguments<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(member, _)| *member == name).map(|(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether a list is there and not empty.
    pub(crate) fn has_any(&self, name: &str) -> bool {
        !self.list(name).is_empty()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text that the service model requires: its absence was refused before.
    pub(crate) fn required_text(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        match self.get(name)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A whole number. Those of the service model all fit.
    pub(crate) fn integer(&self, name: &str) -> Option<i32> {
        match self.get(name)? {
            Value::Integer(value) => i32::try_from(*value).ok(),
            _ => None,
        }
    }

    /// Whether a flag is there and set.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Flag(true)))
    }

    /// The members of a list; none if it is not there.
    pub(crate) fn list(&self, name: &str) -> &[Value<'a>] {
        match self.get(name) {
            Some(Value::List(members)) => members,
            _ => &[],
        }
    }

    /// The texts of a list of texts.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).iter().filter_map(|value| match value {
            Value::Text(text) => Some(&**text),
            _ => None,
        })
    }

    /// The key that a required member names.
    pub(crate) fn key(&self, name: &str) -> Result<KeyId, KeyServiceError> {
        names::parse_key_id(self.required_text(name))
    }

    /// The key that a member names, if it is there.
    pub(crate) fn optional_key(&self, name: &str) -> Result<Option<KeyId>, KeyServiceError> {
        self.text(name).map(names::parse_key_id).transpose()
    }

    /// The encryption context of that name; empty if it is not there.
    pub(crate) fn context(&self, name: &str) -> Result<EncryptionContext, KeyServiceError> {
        let mut context = EncryptionContext::new();
        let Some(Value::Map(pairs)) = self.get(name) else { return Ok(context) };
        for (key, value) in pairs {
            let Value::Text(value) = value else { continue };
            context.insert(&**key, &**value).map_err(|_| refusals::nameless_pair(name))?;
        }
        Ok(context)
    }
}
