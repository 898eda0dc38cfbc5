//! Making a store so that it is there whole or not at all, whenever the making is cut short (SEMANTICS.md, "Creation").

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use waxseal_key_service::SecretBytes;

use super::connection::{beside, configure, try_out};
use super::rows::{MaterialRow, Meta, Rows};
use super::{DATABASE, LOCK, schema};
use crate::error::StoreError;
use crate::files::{self, FileLock};
use crate::key::{KeySpec, KeyUuid};
use crate::key_pair::KeyPair;
use crate::region::Region;
use crate::seal::root_key::{MaterialPlace, RootKey, StoreId, random_secret};
use crate::seal::{Lock, NewSeal, Sealed, key_file, outer_lock};
use crate::timestamp::Timestamp;

/// What SQLite may leave beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// What a new store begins with.
pub(crate) struct Plan<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) home_region: &'a Region,
    pub(crate) seal: NewSeal<'a>,
    pub(crate) last_backup_at: Option<Timestamp>,
}

/// The secrets of a store in the making, with which its first rows are written.
pub(crate) struct Making {
    pub(crate) root: RootKey,
    pub(crate) id: StoreId,
}

/// Makes a store with the rows that `fill` writes, and gives its root key.
pub(crate) fn create(
    plan: &Plan<'_>,
    fill: impl FnOnce(&Rows<'_>, &Making) -> Result<(), StoreError>,
) -> Result<RootKey, StoreError> {
    let database = plan.directory.join(DATABASE);
    check_absent(plan.directory)?;
    files::make_directory(plan.directory)?;
    files::check_directory(plan.directory)?;
    let making = Making { root: RootKey::random()?, id: StoreId::random()? };
    // What takes long comes before the lock: others need not wait for it.
    let outer = outer_lock(&database, &plan.seal, &making.id)?;
    let _lock = FileLock::take(plan.directory.join(LOCK))?;
    check_absent(plan.directory)?;
    let workplace = Workplace::clear(plan.directory, &database)?;
    let sealed = match outer {
        Some((lock, key)) => Sealed::new(lock, &key, &making.id, &making.root)?,
        None => workplace.seal_by_key_file(&making)?,
    };
    let meta = Meta {
        id: making.id,
        home_region: plan.home_region.clone(),
        sealed,
        created_at: Timestamp::now(),
        last_backup_at: plan.last_backup_at,
    };
    workplace.build(|rows| {
        rows.insert_meta(&meta)?;
        fill(rows, &making)
    })?;
    workplace.publish()?;
    Ok(making.root)
}

/// Makes and wraps a new material, and writes it as a version of the key.
pub(crate) fn insert_new_material(
    rows: &Rows<'_>,
    root: &RootKey,
    store: &StoreId,
    region: &Region,
    key: KeyUuid,
    version: u32,
) -> Result<(), StoreError> {
    let material_id = random_material_id()?;
    let place = MaterialPlace { store, region, key, version, material_id: &material_id };
    insert_material(rows, root, place, &random_secret()?, Timestamp::now())
}

/// Wraps a material and writes it as a version of its key.
pub(crate) fn insert_material(
    rows: &Rows<'_>,
    root: &RootKey,
    place: MaterialPlace<'_>,
    material: &SecretBytes,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    insert_wrapped(rows, place, root.wrap(place, material)?, created_at)
}

/// Wraps a key pair and writes it as the material of its key.
pub(crate) fn insert_pair(
    rows: &Rows<'_>,
    root: &RootKey,
    place: MaterialPlace<'_>,
    spec: KeySpec,
    pair: &KeyPair,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    insert_wrapped(rows, place, root.wrap_pair(place, spec, pair)?, created_at)
}

fn insert_wrapped(
    rows: &Rows<'_>,
    place: MaterialPlace<'_>,
    wrapped: Vec<u8>,
    created_at: Timestamp,
) -> Result<(), StoreError> {
    let material_id = Arc::from(place.material_id);
    rows.insert_material(
        place.region,
        place.key,
        &MaterialRow { version: place.version, material_id, wrapped, created_at },
    )
}

/// Makes the id of a new material: 64 hexadecimal digits.
pub(crate) fn random_material_id() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(StoreError::random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Refuses a directory that holds a store, or what is left of one.
pub(crate) fn check_absent(directory: &Path) -> Result<(), StoreError> {
    let database = directory.join(DATABASE);
    if files::is_there(&database) {
        return Err(StoreError::AlreadyThere { path: directory.to_owned() });
    }
    // A log without its database is what is left of a store; a new database would take it for its own.
    if COMPANIONS.iter().any(|suffix| files::is_there(&beside(&database, suffix))) {
        return Err(StoreError::damaged(&database, "the database is missing, but there is a log of its changes"));
    }
    Ok(())
}

/// The files of a store in the making, under the lock. Whatever is not published is removed when this is dropped.
struct Workplace {
    database: PathBuf,
    temporary: PathBuf,
    key_file: PathBuf,
    temporary_key_file: PathBuf,
    /// Set once a key file stands under its name that this making has put there.
    made_key_file: std::cell::Cell<bool>,
    published: std::cell::Cell<bool>,
}

impl Workplace {
    /// Removes what a making that was cut short has left.
    fn clear(directory: &Path, database: &Path) -> Result<Self, StoreError> {
        let key_file = key_file::path(directory);
        let workplace = Self {
            temporary: beside(database, ".new"),
            temporary_key_file: beside(&key_file, ".new"),
            database: database.to_owned(),
            key_file,
            made_key_file: false.into(),
            published: false.into(),
        };
        workplace.temporaries().iter().try_for_each(|path| files::remove_if_there(path))?;
        Ok(workplace)
    }

    /// Seals the root key by the key file, which comes first: a key file without a database opens nothing, and is used
    /// again by the next making. It is never replaced, it may belong to a database that was moved away.
    fn seal_by_key_file(&self, making: &Making) -> Result<Sealed, StoreError> {
        let file = match key_file::load(&self.key_file)? {
            Some(file) => file,
            None => {
                let file = key_file::create(&self.temporary_key_file)?;
                files::rename(&self.temporary_key_file, &self.key_file)?;
                self.made_key_file.set(true);
                file
            }
        };
        Sealed::new(Lock::KeyFile(file.id), &file.key, &making.id, &making.root)
    }

    /// Builds the database under its temporary name, and has it on disk.
    fn build(&self, fill: impl FnOnce(&Rows<'_>) -> Result<(), StoreError>) -> Result<(), StoreError> {
        // SQLite would make the file readable for others.
        drop(files::open_new(&self.temporary)?);
        let error = |error| StoreError::database(&self.database, error);
        let connection = Connection::open(&self.temporary).map_err(error)?;
        configure(&connection).map_err(error)?;
        // Nobody sees the file before it is complete and synced as a whole: it needs no journal on disk.
        connection.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; BEGIN").map_err(error)?;
        schema::create(&connection).map_err(error)?;
        fill(&Rows::new(&connection, &self.database))?;
        connection.execute_batch("COMMIT; PRAGMA journal_mode = WAL").map_err(error)?;
        connection.close().map_err(|(_, failure)| error(failure))?;
        // Using it takes some space beside it. A disk that is full has to show here, not once the store exists.
        try_out(&self.temporary)?;
        files::sync_file(&self.temporary)
    }

    /// Gives the database its name: from here on the store exists.
    fn publish(&self) -> Result<(), StoreError> {
        // Set first: once the name is given the store must stay, even if syncing the directory fails.
        self.published.set(true);
        files::rename(&self.temporary, &self.database)
    }

    fn temporaries(&self) -> Vec<PathBuf> {
        let companions = COMPANIONS.iter().map(|suffix| beside(&self.temporary, suffix));
        [self.temporary.clone(), self.temporary_key_file.clone()].into_iter().chain(companions).collect()
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // The error that ends the making is the one to tell; what cannot be removed now, the next making removes.
        for path in self.temporaries() {
            drop(files::remove_if_there(&path));
        }
        if self.made_key_file.get() && !self.published.get() {
            drop(files::remove_if_there(&self.key_file));
        }
    }
}
