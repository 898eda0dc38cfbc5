//! Backups: the whole store in one file, sealed by a passphrase (SEMANTICS.md, "Backup file").

mod content;
mod file;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::files;
use crate::local_kms::LocalKms;
use crate::seal::root_key::MaterialPlace;
use crate::seal::{NewSeal, Passphrase, PassphraseCost, PassphraseSource};
use crate::store::Store;
use crate::store::create::{self, Making, Plan};
use crate::store::credentials;
use crate::store::rows::{NewKey, Rows};
use crate::timestamp::Timestamp;
use content::{Content, MaterialEntry, Secret};

/// What to do about a file that has the backup's name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Leave it and refuse.
    Refuse,
    /// Put the backup in its place.
    Replace,
}

/// What a backup holds.
#[derive(Debug)]
pub struct BackupReport {
    /// How many keys, in all regions and states.
    pub keys: usize,
    /// When the store was read.
    pub at: Timestamp,
    /// Why the store does not know about this backup, where it could not be told: it may be read-only. The backup itself
    /// is good.
    pub not_recorded: Option<StoreError>,
}

impl LocalKms {
    /// Writes everything that is in the store to one file, sealed by a passphrase of its own.
    ///
    /// The file is there whole or not at all, for its owner alone.
    ///
    /// # Errors
    /// The file exists, it cannot be written, or the store cannot be read.
    pub fn backup(
        &self,
        target: &Path,
        passphrase: &Passphrase,
        cost: PassphraseCost,
        overwrite: Overwrite,
    ) -> Result<BackupReport, StoreError> {
        let target = place(target, overwrite)?;
        let at = Timestamp::now();
        let content = self.store.read(|store, rows| Content::read(store, rows, at))?;
        let sealed = file::seal(&target, &content.encode(), passphrase, cost)?;
        publish(&target, &sealed, overwrite)?;
        let not_recorded = self.store.write(|rows| rows.set_last_backup(at)).err();
        Ok(BackupReport { keys: content.keys.len(), at, not_recorded })
    }
}

/// Makes a store in `directory` from a backup file, with all keys, aliases and states, and opens it.
///
/// The passphrase of the backup is asked for after everything has been checked that can be without it.
///
/// # Errors
/// There is a store already; the file is not a backup, damaged or of a newer version; the passphrase is wrong; or the store
/// cannot be made, and then nothing is left of it.
pub fn restore(
    directory: &Path,
    backup: &Path,
    passphrase: PassphraseSource<'_>,
    seal: NewSeal<'_>,
) -> Result<LocalKms, StoreError> {
    create::check_absent(directory)?;
    let (version, opened) = file::open(backup, passphrase)?;
    let content = Content::decode(version, &opened).ok_or_else(|| StoreError::BackupDamaged {
        path: backup.to_owned(),
        what: "its content breaks the rules of the format",
    })?;
    drop(opened);
    let plan = Plan { directory, home_region: &content.home_region, seal, last_backup_at: Some(content.at) };
    let root = create::create(&plan, |rows, making| write(&content, rows, making))?;
    Store::open_with(directory, |_, _| Ok(root)).map(LocalKms::of)
}

/// Writes a backup's content into a store in the making, wrapped under its root key.
fn write(content: &Content, rows: &Rows<'_>, making: &Making) -> Result<(), StoreError> {
    for entry in &content.keys {
        let (region, key) = (&entry.key.region, entry.key.id());
        rows.insert_key(
            key,
            region,
            &NewKey { metadata: &entry.key.metadata, current_version: entry.key.current_version },
        )?;
        rows.set_schedule(&entry.key, entry.key.schedule)?;
        entry.tags.iter().try_for_each(|tag| rows.set_tag(region, key, tag))?;
        for material in &entry.materials {
            let MaterialEntry { version, created_at, .. } = *material;
            let place = MaterialPlace { store: &making.id, region, key, version, material_id: &material.id };
            match &material.secret {
                Secret::Symmetric(secret) => {
                    create::insert_material(rows, &making.root, place, secret, created_at)?;
                }
                Secret::Pair(pair) => {
                    let spec = entry.key.metadata.key_spec;
                    create::insert_pair(rows, &making.root, place, spec, pair, created_at)?;
                }
            }
            if let Some(rotation) = material.rotation {
                rows.insert_rotation(region, key, version, rotation)?;
            }
        }
    }
    content.aliases.iter().try_for_each(|alias| rows.insert_alias(alias))?;
    for credential in &content.credentials {
        // The content names no credential twice, so each finds its place.
        rows.insert_credential(&credentials::seal(&making.root, &making.id, credential)?)?;
    }
    Ok(())
}

/// Where the backup is to stand: a symlink leads to its target, and only regular files are replaced.
fn place(target: &Path, overwrite: Overwrite) -> Result<PathBuf, StoreError> {
    if !files::is_there(target) {
        return Ok(target.to_owned());
    }
    if overwrite == Overwrite::Refuse {
        return Err(StoreError::TargetExists { path: target.to_owned() });
    }
    let real = fs::canonicalize(target).map_err(StoreError::io(target, "write the backup"))?;
    let meta = fs::metadata(&real).map_err(StoreError::io(&real, "write the backup"))?;
    if !meta.is_file() {
        let error = std::io::Error::other("it is not a regular file");
        return Err(StoreError::io(&real, "write the backup")(error));
    }
    Ok(real)
}

/// Writes the file beside its place, has it on disk, and gives it its name.
fn publish(target: &Path, content: &[u8], overwrite: Overwrite) -> Result<(), StoreError> {
    let temporary = temporary_beside(target)?;
    let written = files::write_new(&temporary, content).and_then(|()| match overwrite {
        Overwrite::Refuse => files::rename_new(&temporary, target),
        Overwrite::Replace => files::rename(&temporary, target),
    });
    if written.is_err() {
        // The error that ended the writing is the one to tell.
        drop(files::remove_if_there(&temporary));
    }
    written
}

fn temporary_beside(target: &Path) -> Result<PathBuf, StoreError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(StoreError::random)?;
    Ok(files::parent_of(target).join(format!(".waxseal-tmp-{:016x}", u64::from_be_bytes(random))))
}
