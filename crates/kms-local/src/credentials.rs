//! Credentials: with what a client of a served KMS signs its requests (SEMANTICS.md, "Credentials").

mod signing;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::local_kms::LocalKms;
use crate::store;
use crate::timestamp::Timestamp;
pub use signing::{SigningKey, SigningScope};

/// What every access key id begins with. AWS's own begin otherwise: nobody should take the one for the other.
const ID_PREFIX: &str = "WAXK";
/// Random characters of an access key id, 5 bits each.
const ID_RANDOM: usize = 16;
/// The alphabet of access key ids (RFC 4648, base32), as in AWS's.
const ID_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Length of a secret access key: 6 random bits a character, 240 in all, as in AWS's.
pub(crate) const SECRET_LEN: usize = 40;
/// The alphabet of secret access keys (RFC 4648, base64), as in AWS's.
const SECRET_ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Longest name of a credential, as that of an IAM user.
const MAX_NAME: usize = 64;

/// An access key: what a client signs its requests with.
pub struct Credential {
    about: CredentialInfo,
    secret: Zeroizing<String>,
    kept: signing::Kept,
}

/// A credential without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialInfo {
    /// The access key id: 20 of `A-Z` and `2-7`.
    pub access_key_id: String,
    /// The name that its maker gave it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a credential cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The name is not of the form of an IAM user's.
    #[error("{0:?} is not a name of a credential: 1 to 64 of the characters A-Z a-z 0-9 + = , . @ _ -")]
    Name(String),
    /// Another credential has the name.
    #[error("there is a credential with the name {0} already")]
    Taken(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LocalKms {
    /// Makes a credential. Its secret is sealed in the store, and this is the only time that anybody is to see it.
    ///
    /// # Errors
    /// The name is no name or is taken, or the store cannot be changed.
    pub fn create_credential(&self, name: &str) -> Result<Credential, CredentialError> {
        if !is_name(name) {
            return Err(CredentialError::Name(name.to_owned()));
        }
        let about = CredentialInfo {
            access_key_id: random_id().map_err(StoreError::random)?,
            name: name.to_owned(),
            created_at: Timestamp::now(),
        };
        let credential = Credential::new(about, random_secret().map_err(StoreError::random)?);
        if self.store.insert_credential(&credential)? {
            Ok(credential)
        } else {
            Err(CredentialError::Taken(name.to_owned()))
        }
    }

    /// The credential with this access key id, if there is one: whoever has deleted it, in whatever process, it is gone for
    /// the very next call.
    ///
    /// # Errors
    /// The store cannot be read, or the credential does not authenticate.
    pub fn credential(&self, access_key_id: &str) -> Result<Option<Arc<Credential>>, StoreError> {
        // What is not of the form costs no query.
        if is_access_key_id(access_key_id) { self.store.find_credential(access_key_id) } else { Ok(None) }
    }
}

/// Lists the credentials of the store in `directory` by name, without unsealing it.
///
/// # Errors
/// There is no store, or it cannot be read.
pub fn credentials(directory: &Path) -> Result<Vec<CredentialInfo>, StoreError> {
    store::credentials::list(directory)
}

/// Deletes a credential by its access key id, without unsealing the store; says whether there was one.
///
/// # Errors
/// There is no store, or it cannot be changed.
pub fn delete_credential(directory: &Path, access_key_id: &str) -> Result<bool, StoreError> {
    store::credentials::delete(directory, access_key_id)
}

impl Credential {
    /// Puts together what the store has unsealed.
    pub(crate) fn new(about: CredentialInfo, secret: Zeroizing<String>) -> Self {
        Self { about, secret, kept: signing::Kept::default() }
    }

    /// Everything but the secret.
    pub(crate) fn about(&self) -> &CredentialInfo {
        &self.about
    }

    /// The access key id.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.about.access_key_id
    }

    /// The name that its maker gave it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// When it was made.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.about.created_at
    }

    /// The secret access key.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("about", &self.about).finish_non_exhaustive()
    }
}

/// Whether a text is of the form of an access key id.
pub(crate) fn is_access_key_id(text: &str) -> bool {
    text.strip_prefix(ID_PREFIX)
        .is_some_and(|rest| rest.len() == ID_RANDOM && rest.bytes().all(|byte| ID_ALPHABET.contains(&byte)))
}

/// Whether a text is a name of a credential.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(allowed)
}

/// Whether a text is of the form of a secret access key.
pub(crate) fn is_secret(text: &[u8]) -> bool {
    text.len() == SECRET_LEN && text.iter().all(|byte| SECRET_ALPHABET.contains(byte))
}

fn random_id() -> Result<String, getrandom::Error> {
    let mut random = [0_u8; ID_RANDOM];
    getrandom::fill(&mut random)?;
    let characters = random.iter().map(|byte| char::from(ID_ALPHABET[usize::from(byte % 32)]));
    Ok(ID_PREFIX.chars().chain(characters).collect())
}

fn random_secret() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut random = Zeroizing::new([0_u8; SECRET_LEN]);
    getrandom::fill(random.as_mut_slice())?;
    // Its capacity is never exceeded, so no copy stays behind.
    let mut secret = Zeroizing::new(String::with_capacity(SECRET_LEN));
    secret.extend(random.iter().map(|byte| char::from(SECRET_ALPHABET[usize::from(byte % 64)])));
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_kms::CreateOptions;

    fn kms() -> (tempfile::TempDir, LocalKms) {
        let scratch = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&scratch.path().join("kms"), &CreateOptions::default()).unwrap();
        (scratch, kms)
    }

    fn open(kms: &LocalKms) -> LocalKms {
        LocalKms::open(kms.directory(), &mut || Err("no passphrase is needed".into())).unwrap()
    }

    #[test]
    fn a_credential_is_the_same_for_whoever_opens_the_store() {
        let (_scratch, kms) = kms();
        let made = kms.create_credential("build@example.com").unwrap();
        assert!(is_access_key_id(made.access_key_id()) && is_secret(made.expose_secret().as_bytes()));
        for kms in [&kms, &open(&kms)] {
            for _ in 0..2 {
                let found = kms.credential(made.access_key_id()).unwrap().unwrap();
                assert_eq!((found.about(), found.expose_secret()), (made.about(), made.expose_secret()));
            }
        }
        assert_eq!(credentials(kms.directory()).unwrap(), [made.about().clone()]);
    }

    #[test]
    fn a_deleted_credential_is_gone_for_the_next_call_of_every_process() {
        let (_scratch, kms) = kms();
        let other = open(&kms);
        let made = kms.create_credential("a").unwrap();
        assert!(other.credential(made.access_key_id()).unwrap().is_some());
        assert!(delete_credential(kms.directory(), made.access_key_id()).unwrap());
        assert!(!delete_credential(kms.directory(), made.access_key_id()).unwrap());
        assert!(kms.credential(made.access_key_id()).unwrap().is_none());
        assert!(other.credential(made.access_key_id()).unwrap().is_none());
    }

    #[test]
    fn names_are_unique_and_of_their_form() {
        let (_scratch, kms) = kms();
        kms.create_credential("a").unwrap();
        assert!(matches!(kms.create_credential("a"), Err(CredentialError::Taken(_))));
        for name in ["", "a b", "a/b", "ü", &"a".repeat(65)] {
            assert!(matches!(kms.create_credential(name), Err(CredentialError::Name(_))), "{name}");
        }
        kms.create_credential(&"a".repeat(64)).unwrap();
    }

    #[test]
    fn a_sealed_secret_opens_in_its_own_row_only() {
        let (_scratch, kms) = kms();
        let (one, two) = (kms.create_credential("one").unwrap(), kms.create_credential("two").unwrap());
        let database = rusqlite::Connection::open(kms.directory().join("kms.db")).unwrap();
        let stolen =
            "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE name = 'two') WHERE name = 'one'";
        database.execute(stolen, []).unwrap();
        assert!(matches!(kms.credential(one.access_key_id()), Err(StoreError::Damaged { .. })));
        assert!(kms.credential(two.access_key_id()).unwrap().is_some());
        database.execute("UPDATE credentials SET name = 'admin' WHERE name = 'two'", []).unwrap();
        assert!(matches!(kms.credential(two.access_key_id()), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn neither_the_database_nor_debug_shows_a_secret() {
        let (_scratch, kms) = kms();
        let made = kms.create_credential("a").unwrap();
        assert!(!format!("{made:?}").contains(made.expose_secret()));
        for entry in std::fs::read_dir(kms.directory()).unwrap() {
            let content = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!content.windows(SECRET_LEN).any(|window| window == made.expose_secret().as_bytes()));
        }
    }
}
