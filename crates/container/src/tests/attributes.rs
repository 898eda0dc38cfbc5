//! Extended attributes: what was encrypted for another name or file, or was changed, is not given out.

use super::support::{seal_file, unlock};
use crate::{ContainerError, MAX_ATTRIBUTE_LEN, Suite, UnauthenticAttribute};

#[test]
fn a_value_opens_under_its_name_and_in_its_file_only() {
    for suite in Suite::ALL {
        let (mine, others) = (unlock(&seal_file(suite, b"a")).unwrap(), unlock(&seal_file(suite, b"a")).unwrap());
        for value in [&b""[..], b"text/plain", &[0xa5; 5000]] {
            let stored = mine.seal_attribute(b"user.mime", value).unwrap();
            assert_eq!(mine.open_attribute(b"user.mime", &stored).unwrap(), value);
            assert_eq!(mine.open_attribute(b"user.mimf", &stored), Err(UnauthenticAttribute));
            assert_eq!(others.open_attribute(b"user.mime", &stored), Err(UnauthenticAttribute));
            assert_ne!(stored, mine.seal_attribute(b"user.mime", value).unwrap(), "nonces are fresh");
        }
    }
}

#[test]
fn any_change_of_a_stored_value_is_seen() {
    for suite in Suite::ALL {
        let unlocked = unlock(&seal_file(suite, b"a")).unwrap();
        let stored = unlocked.seal_attribute(b"user.a", b"value").unwrap();
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert_eq!(unlocked.open_attribute(b"user.a", &changed), Err(UnauthenticAttribute));
            assert_eq!(unlocked.open_attribute(b"user.a", &stored[..at]), Err(UnauthenticAttribute));
        }
    }
}

#[test]
fn a_value_that_would_not_fit_is_refused() {
    let unlocked = unlock(&seal_file(Suite::XChaCha20Poly1305, b"")).unwrap();
    let longest = unlocked.seal_attribute(b"user.a", &vec![1; MAX_ATTRIBUTE_LEN]).unwrap();
    assert_eq!(longest.len(), 65536);
    let longer = unlocked.seal_attribute(b"user.a", &vec![1; MAX_ATTRIBUTE_LEN + 1]);
    assert!(matches!(longer, Err(ContainerError::TooLong)));
}
