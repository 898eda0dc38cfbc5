//! Credentials in the store: sealed under its root key, each bound to its own row.

use std::path::Path;
use std::sync::Arc;

use rusqlite::TransactionBehavior;
use zeroize::Zeroizing;

use super::cache::Cache;
use super::connection::Opened;
use super::rows::Rows;
use super::{DATABASE, Store, connection};
use crate::aead;
use crate::credentials::{Credential, CredentialInfo, SECRET_LEN, is_secret};
use crate::encoding::Fields;
use crate::error::StoreError;
use crate::seal::root_key::{RootKey, StoreId};

/// Length of a sealed secret in bytes.
pub(crate) const SEALED_LEN: usize = aead::OVERHEAD + SECRET_LEN;

/// A credential as the store keeps it.
pub(crate) struct CredentialRow {
    pub(crate) about: CredentialInfo,
    pub(crate) sealed: [u8; SEALED_LEN],
}

impl Store {
    /// Finds a credential.
    pub(crate) fn find_credential(&self, access_key_id: &str) -> Result<Option<Arc<Credential>>, StoreError> {
        let known = |cache: &Cache| cache.credential(access_key_id);
        if let Some(credential) = self.memory().now(known) {
            return Ok(Some(credential));
        }
        let reader = self.fresh()?;
        // Another thread may have been faster.
        if let Some(credential) = self.memory().last(known) {
            return Ok(Some(credential));
        }
        let found = Rows::new(&reader.connection, &self.database).credential(access_key_id)?;
        let Some(row) = found else { return Ok(None) };
        let credential = Arc::new(self.unseal_credential(row)?);
        self.memory_mut().cache().insert_credential(&credential);
        Ok(Some(credential))
    }

    /// Seals and keeps a credential, unless another one has its name.
    pub(crate) fn insert_credential(&self, credential: &Credential) -> Result<bool, StoreError> {
        let row = seal(&self.root, &self.id, credential)?;
        self.write(|rows| rows.insert_credential(&row))
    }

    pub(crate) fn unseal_credential(&self, row: CredentialRow) -> Result<Credential, StoreError> {
        let mut secret = Zeroizing::new(vec![0; SECRET_LEN]);
        let opened =
            aead::open(self.root.expose(), associated(&self.id, &row.about).as_bytes(), &row.sealed, &mut secret);
        if opened.is_err() || !is_secret(&secret) {
            return Err(self.damaged(&format!("the secret of {} does not authenticate", row.about.access_key_id)));
        }
        let secret = String::from_utf8(std::mem::take(&mut *secret)).expect("a secret is of ASCII characters");
        Ok(Credential::new(row.about, Zeroizing::new(secret)))
    }
}

/// Seals a credential for its row in a store.
pub(crate) fn seal(root: &RootKey, store: &StoreId, credential: &Credential) -> Result<CredentialRow, StoreError> {
    let associated = associated(store, credential.about());
    let mut sealed = Vec::with_capacity(SEALED_LEN);
    let secret = credential.expose_secret().as_bytes();
    aead::seal(root.expose(), associated.as_bytes(), secret, &mut sealed).map_err(StoreError::random)?;
    let sealed = sealed.try_into().expect("a secret has one length, and so has what it is sealed to");
    Ok(CredentialRow { about: credential.about().clone(), sealed })
}

/// Lists the credentials of the store in `directory`, by name.
pub(crate) fn list(directory: &Path) -> Result<Vec<CredentialInfo>, StoreError> {
    let database = directory.join(DATABASE);
    let Opened { connection, .. } = connection::open(directory, &database)?;
    let rows = Rows::new(&connection, &database).credentials()?;
    Ok(rows.into_iter().map(|row| row.about).collect())
}

/// Deletes a credential of the store in `directory`; says whether there was one.
pub(crate) fn delete(directory: &Path, access_key_id: &str) -> Result<bool, StoreError> {
    let database = directory.join(DATABASE);
    let Opened { mut connection, access } = connection::open(directory, &database)?;
    access.check_writable(&database)?;
    let error = |error| StoreError::database(&database, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(error)?;
    let deleted = Rows::new(&transaction, &database).delete_credential(access_key_id)?;
    transaction.commit().map_err(error)?;
    Ok(deleted)
}

fn associated(store: &StoreId, about: &CredentialInfo) -> Fields {
    Fields::new("waxseal kms 1: credential")
        .with(store.as_bytes())
        .with(about.access_key_id.as_bytes())
        .with(about.name.as_bytes())
}
