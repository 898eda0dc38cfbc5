//! The index of SQLite's log, as far as it tells whether the database has changed.
//!
//! Every commit of every process changes the index's header, and comparing it is how SQLite itself finds out whether what it
//! has in memory still holds (<https://www.sqlite.org/walformat.html#the_wal_index_header>). A query does this under two
//! locks of the file system; reading the header costs one short call, which needs no connection and keeps nobody waiting.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::beside;

/// Length of the header in bytes. Two copies of it stand at the beginning of the file.
const LEN: usize = 48;
/// The version of the format, in the first four bytes.
const VERSION: u32 = 3_007_000;
/// Where it says that the index is in use.
const IS_INIT: usize = 12;

/// The indexes that this process has opened. Closing a file takes away all locks that the process holds on it (fcntl(2)),
/// SQLite's among them, and another connection may hold some. So one that was opened stays open until it has no name any
/// more: then nobody has a connection to its database, and nobody can get one.
static OPEN: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());

/// The index of a database's log.
#[derive(Debug)]
pub(super) struct LogIndex(Arc<File>);

/// The index's header: another one means that something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header([u8; LEN]);

impl LogIndex {
    /// Opens the index of a database that this process has a connection to; none if it has no index that can be read.
    pub(super) fn open(database: &Path) -> Option<Self> {
        let path = beside(database, "-shm");
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|file| !file.metadata().is_ok_and(|meta| meta.nlink() == 0));
        let wanted = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let is_wanted = |file: &&Arc<File>| {
            file.metadata().is_ok_and(|meta| (meta.dev(), meta.ino()) == (wanted.dev(), wanted.ino()))
        };
        if let Some(known) = open.iter().find(is_wanted) {
            return Some(Self(Arc::clone(known)));
        }
        let file = Arc::new(File::open(&path).ok()?);
        open.push(Arc::clone(&file));
        Some(Self(file))
    }

    /// The header as it is now; none while somebody changes it, or if it is none.
    pub(super) fn header(&self) -> Option<Header> {
        let mut copies = [[0; LEN]; 2];
        self.0.read_exact_at(copies.as_flattened_mut(), 0).ok()?;
        let [one, two] = copies;
        let version = u32::from_ne_bytes(*one.first_chunk()?);
        (one == two && version == VERSION && one[IS_INIT] != 0).then_some(Header(one))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rusqlite::Connection;

    use super::*;
    use crate::local_kms::{CreateOptions, LocalKms};
    use crate::store::DATABASE;
    use crate::store::connection::open_to_stay;

    fn bytes(index: &LogIndex) -> [u8; LEN] {
        index.header().unwrap().0
    }

    #[test]
    fn every_commit_of_whomever_changes_the_header_and_reading_does_not() {
        let scratch = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&scratch.path().join("kms"), &CreateOptions::default()).unwrap();
        let database = kms.directory().join(DATABASE);
        let index = LogIndex::open(&database).unwrap();
        let mut seen = HashSet::from([bytes(&index)]);
        let other = Connection::open(&database).unwrap();
        for number in 0..200 {
            let changed = match number % 4 {
                0 => kms.create_credential(&number.to_string()).is_ok(),
                1 => other.execute("UPDATE keys SET description = ?1", [number]) == Ok(1),
                2 => other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).is_ok(),
                _ => other.execute("DELETE FROM credentials WHERE name = ?1", [(number - 3).to_string()]) == Ok(1),
            };
            assert!(changed, "{number}");
            let header = bytes(&index);
            assert!(seen.insert(header) || number % 4 == 2, "{number}");
            other.query_row("SELECT count(*) FROM keys", [], |_| Ok(())).unwrap();
            kms.default_key().unwrap().unwrap();
            assert_eq!(bytes(&index), header);
        }
    }

    #[test]
    fn regression_an_index_that_was_left_beside_a_database_without_a_log_is_not_believed() {
        let scratch = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&scratch.path().join("kms"), &CreateOptions::default()).unwrap();
        let (directory, database) = (kms.directory().to_owned(), kms.directory().join(DATABASE));
        assert!(open_to_stay(&directory, &database).unwrap().1.is_some());
        let left = bytes(&LogIndex::open(&database).unwrap());
        drop(kms);
        // As a server that was killed, and a copy by VACUUM INTO in the place of its database.
        let copy = Connection::open(&database).unwrap();
        copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
        let mut index = vec![0; 32 << 10];
        index[..2 * LEN].copy_from_slice([left, left].as_flattened());
        fs::write(beside(&database, "-shm"), index).unwrap();
        assert!(open_to_stay(&directory, &database).unwrap().1.is_none());
    }

    #[test]
    fn what_is_not_committed_changes_nothing_and_half_a_header_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        let kms = LocalKms::create(&scratch.path().join("kms"), &CreateOptions::default()).unwrap();
        let database = kms.directory().join(DATABASE);
        let index = LogIndex::open(&database).unwrap();
        let before = bytes(&index);
        let other = Connection::open(&database).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; UPDATE keys SET description = 'x'").unwrap();
        assert_eq!(bytes(&index), before);
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(bytes(&index), before);
        // A copy is looked at: this process must not open the index itself for writing and close it.
        let copy = scratch.path().join("copy");
        let whole = [before, before].concat();
        let mut torn = whole.clone();
        torn[8] ^= 1;
        for (content, is_header) in [(&whole[..], true), (&torn, false), (&whole[..95], false), (&[0; 96], false)] {
            fs::write(&copy, content).unwrap();
            assert_eq!(LogIndex(Arc::new(File::open(&copy).unwrap())).header().is_some(), is_header);
        }
    }
}
