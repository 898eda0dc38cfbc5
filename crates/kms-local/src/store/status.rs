//! What can be told about a store without unsealing it.

use std::path::{Path, PathBuf};

use waxseal_key_service::{AliasName, KeyArn};

use super::connection::Opened;
use super::rows::Rows;
use super::{DATABASE, connection, schema};
use crate::error::StoreError;
use crate::local_kms::default_alias;
use crate::names::Name;
use crate::region::Region;
use crate::seal::SealKind;
use crate::timestamp::Timestamp;

/// What can be told about a store without unsealing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreStatus {
    /// The store's directory.
    pub directory: PathBuf,
    /// The database file.
    pub database: PathBuf,
    /// The version of the database's tables.
    pub schema_version: u32,
    /// The region of keys and aliases that are named without one.
    pub home_region: Region,
    /// How the store is sealed.
    pub seal: SealKind,
    /// The key of another key service that seals it, if one does.
    pub seal_key: Option<KeyArn>,
    /// The key of `alias/default` in the home region.
    pub default_key: Option<KeyArn>,
    /// How many keys there are, in all regions and states.
    pub keys: u64,
    /// When the store was made.
    pub created_at: Timestamp,
    /// When it was last backed up.
    pub last_backup_at: Option<Timestamp>,
    /// How many keys were made or rotated since then, so that the backup cannot open everything; all of them without one.
    pub keys_since_backup: u64,
}

/// Tells about the store in `directory`, without its key file or passphrase.
///
/// # Errors
/// There is no store, or it cannot be read.
pub fn status(directory: &Path) -> Result<StoreStatus, StoreError> {
    let database = directory.join(DATABASE);
    let Opened { connection, .. } = connection::open(directory, &database)?;
    let found = schema::check(&connection, &database)?;
    let snapshot = connection.unchecked_transaction().map_err(|error| StoreError::database(&database, error))?;
    let rows = Rows::new(&snapshot, &database);
    let meta = rows.meta()?;
    let default: AliasName = default_alias();
    let default_key = rows.key(&meta.home_region, Name::Alias(&default))?.map(|key| key.metadata.arn);
    let keys = rows.count_keys()?;
    let keys_since_backup = meta.last_backup_at.map_or(Ok(keys), |at| rows.count_keys_since(at))?;
    Ok(StoreStatus {
        directory: directory.to_owned(),
        schema_version: u32::try_from(found).expect("a version that passed its check is a small number"),
        home_region: meta.home_region.clone(),
        seal: meta.sealed.kind(),
        seal_key: meta.sealed.key_arn().cloned(),
        default_key,
        keys,
        created_at: meta.created_at,
        last_backup_at: meta.last_backup_at,
        keys_since_backup,
        database: database.clone(),
    })
}
