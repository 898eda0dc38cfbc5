//! The encryption context: additional authenticated data in the form of names and values.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

/// Non-secret name-value pairs that a key service binds to an encrypted data key: the same pairs have to be presented to
/// decrypt it.
///
/// Names are unique; order does not matter, and iteration is in byte order of the names. Key services log contexts in
/// the clear, so nothing secret belongs here.
/// See <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncryptionContext(BTreeMap<String, String>);

/// A pair that an encryption context cannot take.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContextError {
    /// The text is not of the form `name=value`.
    #[error("encryption context {0:?} is not of the form name=value")]
    NotAPair(String),
    /// A pair without a name.
    #[error("an encryption context pair has an empty name")]
    EmptyName,
    /// The same name twice.
    #[error("encryption context name {0:?} is given twice")]
    Duplicate(String),
}

impl EncryptionContext {
    /// Makes an empty context.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses pairs of the form `name=value`; a value may contain further `=` signs and may be empty.
    ///
    /// # Errors
    /// A text without `=`, an empty name, or a name that appears twice.
    pub fn from_pairs<I, S>(pairs: I) -> Result<Self, ContextError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut context = Self::new();
        for pair in pairs {
            let pair = pair.as_ref();
            let (name, value) = pair.split_once('=').ok_or_else(|| ContextError::NotAPair(pair.to_owned()))?;
            context.insert(name, value)?;
        }
        Ok(context)
    }

    /// Adds one pair.
    ///
    /// # Errors
    /// An empty name, or a name that is already there.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) -> Result<(), ContextError> {
        let name = name.into();
        if name.is_empty() {
            return Err(ContextError::EmptyName);
        }
        if self.0.contains_key(&name) {
            return Err(ContextError::Duplicate(name));
        }
        self.0.insert(name, value.into());
        Ok(())
    }

    /// The value under `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Iterates over the pairs in byte order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no pair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for EncryptionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_be_empty_and_may_hold_equals_signs() {
        let context = EncryptionContext::from_pairs(["a=", "b=x=y"]).unwrap();
        assert_eq!(context.get("a"), Some(""));
        assert_eq!(context.get("b"), Some("x=y"));
        assert_eq!(context.to_string(), "a=, b=x=y");
    }

    #[test]
    fn duplicates_nameless_pairs_and_non_pairs_are_refused() {
        assert_eq!(EncryptionContext::from_pairs(["a=1", "a=1"]), Err(ContextError::Duplicate("a".into())));
        assert_eq!(EncryptionContext::from_pairs(["=1"]), Err(ContextError::EmptyName));
        assert_eq!(EncryptionContext::from_pairs(["a"]), Err(ContextError::NotAPair("a".into())));
    }
}
