//! Backups for the fuzz targets.

use super::content::{Content, Version};
use super::file;
use crate::error::StoreError;
use crate::local_kms::LocalKms;
use crate::seal::{Passphrase, PassphraseCost};
use crate::timestamp::Timestamp;

/// Decodes the content of a backup, and encodes it again.
#[must_use]
pub fn backup_content(bytes: &[u8]) -> Option<Vec<u8>> {
    Content::decode(Version::Second, bytes).map(|content| content.encode().to_vec())
}

/// The content of a store, as a backup made in 1970 has it: no key is gone by then.
///
/// # Errors
/// The store cannot be read.
pub fn content_of(kms: &LocalKms) -> Result<Vec<u8>, StoreError> {
    let at = Timestamp::from_millis(0).expect("it is a time");
    kms.store.read(|store, rows| Content::read(store, rows, at)).map(|content| content.encode().to_vec())
}

/// Seals any bytes as the content of a backup.
///
/// # Errors
/// There are too many of them.
pub fn seal_backup(content: &[u8], passphrase: &Passphrase, cost: PassphraseCost) -> Result<Vec<u8>, StoreError> {
    file::seal("backup".as_ref(), content, passphrase, cost)
}
