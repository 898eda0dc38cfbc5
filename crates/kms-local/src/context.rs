//! The encryption context as associated data (SEMANTICS.md, "Encryption context").

use waxseal_key_service::{EncryptionContext, KeyServiceError};

use crate::encoding::Fields;
use crate::refusals;

/// Longest context in its canonical encoding, in bytes. AWS bounds the text of a request; this bounds the work.
const MAX_ENCODED: usize = 8192;

/// Refuses a context that is too large to bind.
pub(crate) fn check_size(context: &EncryptionContext) -> Result<(), KeyServiceError> {
    let encoded = context.iter().fold(4, |sum: usize, (name, value)| sum + 8 + name.len() + value.len());
    if encoded > MAX_ENCODED {
        return Err(refusals::too_long("encryptionContext", MAX_ENCODED));
    }
    Ok(())
}

/// Appends the context to the associated data: how many pairs, then name and value of each, in byte order of the names.
pub(crate) fn bind(context: &EncryptionContext, fields: &mut Fields) {
    fields.push_count(context.len());
    for (name, value) in context.iter() {
        fields.push(name.as_bytes());
        fields.push(value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(context: &EncryptionContext) -> Vec<u8> {
        let mut fields = Fields::new("p");
        bind(context, &mut fields);
        fields.as_bytes().to_vec()
    }

    fn context_of(pairs: &[(String, String)]) -> EncryptionContext {
        let mut context = EncryptionContext::new();
        for (name, value) in pairs {
            // A name that comes twice keeps its first value.
            drop(context.insert(name, value));
        }
        context
    }

    #[test]
    fn a_context_of_two_letters_is_not_one_of_one() {
        let split_early = EncryptionContext::from_pairs(["a=bc"]).unwrap();
        let split_late = EncryptionContext::from_pairs(["ab=c"]).unwrap();
        assert_ne!(encode(&split_early), encode(&split_late));
        assert_eq!(&encode(&split_early)[5..], b"\0\0\0\x01\0\0\0\x01a\0\0\0\x02bc");
    }

    #[test]
    fn a_context_of_the_largest_size_is_taken_and_a_larger_one_is_not() {
        let largest = |extra: usize| {
            let mut context = EncryptionContext::new();
            context.insert("n", "x".repeat(MAX_ENCODED - 4 - 8 - 1 + extra)).unwrap();
            context
        };
        assert!(check_size(&largest(0)).is_ok());
        assert!(check_size(&largest(1)).is_err());
    }

    proptest! {
        #[test]
        fn contexts_encode_alike_only_when_they_are_equal(
            one in prop::collection::vec(("[ab]{1,3}", "[ab]{0,3}"), 0..4),
            other in prop::collection::vec(("[ab]{1,3}", "[ab]{0,3}"), 0..4),
        ) {
            let (one, other) = (context_of(&one), context_of(&other));
            prop_assert_eq!(encode(&one) == encode(&other), one == other);
        }
    }
}
