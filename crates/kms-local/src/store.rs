//! The store: a SQLite database in a directory, and the keys of it that are in memory.
//!
//! What was read stays in memory until anybody changes the store, which every call looks for first: a key that was disabled
//! elsewhere is disabled for the very next call (SEMANTICS.md, "Many processes"). What is not in memory is read with one
//! connection for all threads, under one lock that is held for a query, never for the cryptography of a request, and never
//! while somebody waits for another process: changes have a connection of their own.
//!
//! Locks are taken in this order: of the connection, and then of the memory. Only who has both changes what is in memory, so
//! that nothing older than its stamp gets there.

mod cache;
mod connection;
pub(crate) mod create;
pub(crate) mod credentials;
mod log_index;
mod memory;
mod reseal;
pub(crate) mod rows;
mod schema;
pub(crate) mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::{Connection, TransactionBehavior};
use waxseal_key_service::{AliasName, KeyServiceError};

use crate::error::StoreError;
use crate::key::{FIRST_VERSION, Key, KeySpec, KeyUuid, Material};
use crate::key_pair::KeyPair;
use crate::names::Name;
use crate::region::Region;
use crate::seal::Secrets;
use crate::seal::root_key::{MaterialPlace, RootKey, StoreId};
use crate::timestamp::Timestamp;
use cache::Cache;
use connection::Opened;
use memory::Memory;
use rows::{MaterialRow, Rows};

/// The database's name in the store's directory.
const DATABASE: &str = "kms.db";
/// The name of the lock under which a store is made. The file stays, so that there is only ever one.
const LOCK: &str = "lock";

/// An open, unsealed store.
pub(crate) struct Store {
    directory: PathBuf,
    database: PathBuf,
    id: StoreId,
    home_region: Region,
    root: RootKey,
    /// The connection that reads.
    reader: Mutex<Opened>,
    memory: RwLock<Memory>,
    /// The connection that changes are made with, once there was one. It may wait for another process for seconds.
    writer: Mutex<Option<Connection>>,
}

/// Which version of a key's material is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// The one that encrypts now.
    Current,
    /// The one that made a ciphertext.
    Version(u32),
}

/// A key that may be used, with the wanted material where the key has that version.
pub(crate) struct Usable {
    pub(crate) key: Arc<Key>,
    pub(crate) material: Option<Arc<Material>>,
}

impl Store {
    /// Opens the store in `directory` and unseals it.
    pub(crate) fn open(directory: &Path, secrets: Secrets<'_>) -> Result<Self, StoreError> {
        Self::open_with(directory, |meta, database| meta.sealed.unseal(&meta.id, directory, database, secrets))
    }

    /// Opens the store in `directory` with the root key that `unseal` finds for it.
    pub(crate) fn open_with(
        directory: &Path,
        unseal: impl FnOnce(&rows::Meta, &Path) -> Result<RootKey, StoreError>,
    ) -> Result<Self, StoreError> {
        let database = directory.join(DATABASE);
        let (reader, index) = connection::open_to_stay(directory, &database)?;
        let meta = Rows::new(&reader.connection, &database).meta()?;
        let root = unseal(&meta, &database)?;
        let memory = Memory::new(index);
        let store = Self {
            directory: directory.to_owned(),
            database,
            id: meta.id,
            home_region: meta.home_region,
            root,
            reader: Mutex::new(reader),
            memory: RwLock::new(memory),
            writer: Mutex::new(None),
        };
        // A store that cannot be changed now must open all the same: what is due is not found in any case, and the next
        // opening tries again.
        drop(store.destroy_what_is_due());
        Ok(store)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn home_region(&self) -> &Region {
        &self.home_region
    }

    /// Finds a key; `None` means that the name names nothing.
    pub(crate) fn find(&self, region: &Region, name: Name<'_>) -> Result<Option<Arc<Key>>, StoreError> {
        let known = |cache: &Cache| cache.key(region, name);
        if let Some(key) = self.memory().now(known) {
            return Ok(Some(key));
        }
        let reader = self.fresh()?;
        // Another thread may have been faster.
        if let Some(key) = self.memory().last(known) {
            return Ok(Some(key));
        }
        let found = Rows::new(&reader.connection, &self.database).key(region, name)?;
        Ok(found.map(|key| self.memory_mut().cache().insert(region, name, key)))
    }

    /// Finds a key that may be used for an operation, and the wanted version of its material.
    pub(crate) fn find_usable(
        &self,
        region: &Region,
        name: Name<'_>,
        wanted: Wanted,
        operation: &str,
    ) -> Result<Usable, KeyServiceError> {
        let known = |cache: &Cache| cache.usable(region, name, wanted, operation);
        if let Some(found) = self.memory().now(known) {
            return found;
        }
        let reader = self.fresh()?;
        if let Some(found) = self.memory().last(known) {
            return found;
        }
        self.load_usable(&reader.connection, region, name, wanted, operation)
    }

    /// As [`Store::find_usable`], from the database: key and material are of one snapshot.
    fn load_usable(
        &self,
        connection: &Connection,
        region: &Region,
        name: Name<'_>,
        wanted: Wanted,
        operation: &str,
    ) -> Result<Usable, KeyServiceError> {
        let snapshot = connection.unchecked_transaction().map_err(|error| self.database_error(error))?;
        let rows = Rows::new(&snapshot, &self.database);
        let key = rows.key(region, name)?.ok_or_else(|| name.not_found(region))?;
        let key = self.memory_mut().cache().insert(region, name, key);
        key.check_encrypts(operation)?;
        key.check_usable()?;
        let Some(row) = rows.material(&key.region, key.id(), wanted.of(&key))? else {
            return Ok(Usable { key, material: None });
        };
        let material = self.unwrap_material(&key, &row)?;
        let material = self.memory_mut().cache().insert_material(&key, material);
        Ok(Usable { key, material: Some(material) })
    }

    /// Unwraps one version of a symmetric key's material.
    pub(crate) fn unwrap_material(&self, key: &Key, row: &MaterialRow) -> Result<Material, StoreError> {
        let secret = self.root.unwrap(self.place(key, row), &row.wrapped);
        let secret = secret.ok_or_else(|| self.not_authentic(key))?;
        Ok(Material { version: row.version, id: Arc::clone(&row.material_id), secret })
    }

    /// Unwraps the material of an asymmetric key.
    pub(crate) fn unwrap_pair(&self, key: &Key, row: &MaterialRow) -> Result<KeyPair, StoreError> {
        let pair = self.root.unwrap_pair(self.place(key, row), key.metadata.key_spec, &row.wrapped);
        pair.ok_or_else(|| self.not_authentic(key))
    }

    /// Where the material of a row belongs.
    fn place<'a>(&'a self, key: &'a Key, row: &'a MaterialRow) -> MaterialPlace<'a> {
        MaterialPlace {
            store: &self.id,
            region: &key.region,
            key: key.id(),
            version: row.version,
            material_id: &row.material_id,
        }
    }

    fn not_authentic(&self, key: &Key) -> StoreError {
        self.damaged(&format!("the material of {} does not authenticate", key.metadata.arn))
    }

    /// Runs `read` on the database, in one snapshot.
    pub(crate) fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Self, &Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let reader = self.fresh()?;
        let snapshot = reader.connection.unchecked_transaction().map_err(|error| self.database_error(error))?;
        read(self, &Rows::new(&snapshot, &self.database))
    }

    /// Runs `change` in a transaction that is on disk when this returns, or not at all. Keys whose deletion date has come go
    /// with it.
    pub(crate) fn write<T, E: From<StoreError>>(&self, change: impl FnOnce(&Rows<'_>) -> Result<T, E>) -> Result<T, E> {
        let now = Timestamp::now();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match &mut *writer {
            Some(connection) => connection,
            none => none.insert(self.open_for_writing()?),
        };
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.database_error(error))?;
        let rows = Rows::new(&transaction, &self.database);
        let due = rows.has_due(now)?;
        if due {
            rows.delete_due(now)?;
        }
        let done = change(&rows)?;
        // Whoever reads next finds that the database has changed, as if another process had done it.
        transaction.commit().map_err(|error| self.database_error(error))?;
        if due {
            // What was deleted must not stay readable in the log either. A reader may hold it open a little longer: then the
            // next one that empties it does.
            drop(empty_log(connection));
        }
        Ok(done)
    }

    fn open_for_writing(&self) -> Result<Connection, StoreError> {
        let opened = connection::open(&self.directory, &self.database)?;
        opened.access.check_writable(&self.database)?;
        Ok(opened.connection)
    }

    /// Makes and wraps a new material, and writes it as a version of the key.
    pub(crate) fn insert_new_material(
        &self,
        rows: &Rows<'_>,
        region: &Region,
        key: KeyUuid,
        version: u32,
    ) -> Result<(), StoreError> {
        create::insert_new_material(rows, &self.root, &self.id, region, key, version)
    }

    /// Wraps a key pair, and writes it as the material of the key.
    pub(crate) fn insert_pair(
        &self,
        rows: &Rows<'_>,
        region: &Region,
        key: KeyUuid,
        spec: KeySpec,
        pair: &KeyPair,
    ) -> Result<(), StoreError> {
        let material_id = &create::random_material_id()?;
        let place = MaterialPlace { store: &self.id, region, key, version: FIRST_VERSION, material_id };
        create::insert_pair(rows, &self.root, place, spec, pair, Timestamp::now())
    }

    pub(crate) fn regions_with_alias(&self, name: &AliasName) -> Result<Vec<Region>, StoreError> {
        self.read(|_, rows| rows.regions_with_alias(name))
    }

    /// Destroys the material of keys whose deletion date has come.
    fn destroy_what_is_due(&self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        if !self.read(|_, rows| rows.has_due(now))? {
            return Ok(());
        }
        self.write(|_| Ok(()))
    }

    /// Empties the log; another reader may hold it open a little longer.
    fn empty_the_log(&self) -> Result<(), StoreError> {
        empty_log(&self.reader().connection).map_err(|error| self.database_error(error))
    }

    /// The error of a store that breaks its own rules.
    pub(crate) fn damaged(&self, what: &str) -> StoreError {
        StoreError::damaged(&self.database, what)
    }

    fn database_error(&self, error: rusqlite::Error) -> StoreError {
        StoreError::database(&self.database, error)
    }
}

/// Moves what is in the log to the database, and cuts the log off.
fn empty_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

impl Wanted {
    fn of(self, key: &Key) -> u32 {
        match self {
            Self::Current => key.current_version,
            Self::Version(version) => version,
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("directory", &self.directory).finish_non_exhaustive()
    }
}
