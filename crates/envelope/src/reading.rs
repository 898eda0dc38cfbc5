//! What a reader demands of a container before any key service is asked.

use waxseal_key_service::{ContextError, EncryptionContext};

use crate::{AllowedKeys, EnvelopeError};

/// The reader's demands: which keys may open the container, and what its context has to be.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The keys that may open it.
    pub keys: AllowedKeys,
    /// What its encryption context has to say.
    pub context: Vec<ContextAssertion>,
}

/// One demand on the encryption context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextAssertion {
    name: String,
    value: Option<String>,
}

impl ContextAssertion {
    /// Parses `name` (it has to be there) or `name=value` (it has to have this value).
    ///
    /// # Errors
    /// The name is empty.
    pub fn parse(text: &str) -> Result<Self, ContextError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(ContextError::EmptyName);
        }
        Ok(Self { name: name.to_owned(), value })
    }

    pub(crate) fn check(&self, context: &EncryptionContext) -> Result<(), EnvelopeError> {
        let Some(found) = context.get(&self.name) else {
            return Err(EnvelopeError::ContextName { name: self.name.clone() });
        };
        match &self.value {
            Some(expected) if expected != found => Err(EnvelopeError::ContextValue {
                name: self.name.clone(),
                expected: expected.clone(),
                found: found.to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_asserts_presence_and_a_pair_the_value() {
        let context = EncryptionContext::from_pairs(["a=1", "b="]).unwrap();
        let check = |text: &str| ContextAssertion::parse(text).unwrap().check(&context);
        assert!(check("a").is_ok() && check("a=1").is_ok() && check("b=").is_ok());
        assert!(matches!(check("a=2"), Err(EnvelopeError::ContextValue { .. })));
        assert!(matches!(check("c"), Err(EnvelopeError::ContextName { .. })));
        assert!(matches!(check("c="), Err(EnvelopeError::ContextName { .. })));
        assert!(ContextAssertion::parse("=1").is_err());
    }
}
