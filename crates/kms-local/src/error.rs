//! What can go wrong with a store or a backup file.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode as Sqlite;
use thiserror::Error;
use waxseal_key_service::{ErrorCode, KeyServiceError};

/// A cause that is kept as it came.
type Cause = Box<dyn Error + Send + Sync>;

/// An error of a store, its key file, its passphrase or a backup of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory holds no store.
    #[error("{}: there is no key store here", path.display())]
    NotThere {
        /// The store's directory.
        path: PathBuf,
    },
    /// The directory holds a store already.
    #[error("{}: there is a key store here already", path.display())]
    AlreadyThere {
        /// The store's directory.
        path: PathBuf,
    },
    /// A newer version of the program made the store.
    #[error("{}: the key store has schema version {found}, this program knows up to {supported}", path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The version in the store.
        found: i64,
        /// The newest version this program reads.
        supported: i64,
    },
    /// The file is not the database of a store.
    #[error("{}: this is not the database of a key store", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The store breaks its own rules, or its content does not authenticate.
    #[error("{}: the key store is damaged: {what}", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The store is sealed by a key file that is not there.
    #[error("{}: the key file of the key store is missing", path.display())]
    KeyFileMissing {
        /// Where the key file has to be.
        path: PathBuf,
    },
    /// Others than the owner may read the key file.
    #[error("{}: the key file has mode {mode:04o}, others than its owner may read it", path.display())]
    KeyFileUnsafe {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file is not one, is damaged, or belongs to another store.
    #[error("{}: {why}", path.display())]
    KeyFileWrong {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Others than the owner may write to the store's directory, and so could put their own store there.
    #[error("{}: the directory has mode {mode:04o}, others than its owner may write to it", path.display())]
    DirectoryUnsafe {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The passphrase is not the one that seals the store or the backup.
    #[error("{}: the passphrase is wrong", path.display())]
    WrongPassphrase {
        /// The database or the backup file.
        path: PathBuf,
    },
    /// A passphrase was needed and could not be had.
    #[error("{}: a passphrase is needed", path.display())]
    Passphrase {
        /// The database or the backup file.
        path: PathBuf,
        /// Why it could not be had.
        source: Cause,
    },
    /// The key service whose key seals the store refuses or cannot be asked.
    #[error("{}: the key that seals the key store cannot be used", path.display())]
    KeyService {
        /// The database file.
        path: PathBuf,
        /// What the key service says.
        source: Cause,
    },
    /// A passphrase that is empty or too long to be one.
    #[error("a passphrase has 1 to {max} bytes, this one has {len}")]
    PassphraseLength {
        /// The length given.
        len: usize,
        /// The longest allowed.
        max: usize,
    },
    /// There is not enough memory to derive a key from the passphrase.
    #[error("{}: deriving the key from the passphrase needs {memory_kib} KiB of memory", path.display())]
    OutOfMemory {
        /// The database or the backup file.
        path: PathBuf,
        /// The memory that the derivation takes.
        memory_kib: u32,
    },
    /// The file is not a backup of a store.
    #[error("{}: this is not a backup of a key store", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of the program made the backup.
    #[error("{}: the backup has version {found}, this program knows up to {supported}", path.display())]
    NewerBackup {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u8,
        /// The newest version this program reads.
        supported: u8,
    },
    /// The backup ends too early.
    #[error("{}: ends at byte {found}, {expected} expected: truncated", path.display())]
    BackupTruncated {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// The length it has to have.
        expected: u64,
    },
    /// The backup's bytes are not those that were written.
    #[error("{}: the backup is damaged: {what}", path.display())]
    BackupDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The store holds more than a backup file can.
    #[error("{}: the content of the key store is too large for a backup file", path.display())]
    BackupTooLarge {
        /// The backup file.
        path: PathBuf,
    },
    /// The file to write exists.
    #[error("{}: the file exists", path.display())]
    TargetExists {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the store for longer than this one waits.
    #[error("{}: the key store is busy in another process", path.display())]
    Busy {
        /// The database or the lock file.
        path: PathBuf,
    },
    /// The store cannot be changed, or not be read without changing it.
    #[error("{}: the key store is read-only: {why}", path.display())]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// What cannot be done because of that.
        why: &'static str,
    },
    /// The file system is full, or a quota is used up.
    #[error("{}: no space left", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: cannot {doing}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was attempted.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The database refused in a way that has no name here.
    #[error("{}: the database failed", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// The database's answer.
        source: Cause,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random(#[source] Cause),
}

impl StoreError {
    /// Makes a closure for `map_err` that keeps the system's answer, with the file and what was attempted.
    pub(crate) fn io<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
                io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, why: "its file system is mounted so" },
                _ => Self::Io { path, doing, source },
            }
        }
    }

    /// Names the database's answer.
    pub(crate) fn database(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        // The index of the log could not be given its size.
        if extended_code(&error) == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full { path };
        }
        match error.sqlite_error_code() {
            Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked | Sqlite::FileLockingProtocolFailed) => {
                Self::Busy { path }
            }
            Some(Sqlite::DiskFull) => Self::Full { path },
            Some(Sqlite::NotADatabase) => Self::NotAStore { path },
            Some(Sqlite::ReadOnly) => Self::ReadOnly { path, why: "it cannot be changed" },
            // `Unknown` is SQLITE_ERROR: a statement that does not fit the tables that are there.
            Some(Sqlite::DatabaseCorrupt | Sqlite::ConstraintViolation | Sqlite::TypeMismatch | Sqlite::Unknown) => {
                Self::Damaged { path, what: error.to_string() }
            }
            None if is_conversion(&error) => Self::Damaged { path, what: error.to_string() },
            _ => Self::Database { path, source: error.into() },
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    pub(crate) fn random(error: getrandom::Error) -> Self {
        Self::Random(error.to_string().into())
    }
}

fn extended_code(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

fn is_conversion(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | QueryReturnedNoRows
    )
}

/// How a failure of the store looks to who asked for a key: as AWS KMS shows failures of its own.
impl From<StoreError> for KeyServiceError {
    fn from(error: StoreError) -> Self {
        let (code, message) = match &error {
            StoreError::Busy { .. } => (ErrorCode::DependencyTimeout, "The key store did not answer in time."),
            StoreError::NotThere { .. }
            | StoreError::KeyFileMissing { .. }
            | StoreError::KeyFileUnsafe { .. }
            | StoreError::KeyFileWrong { .. }
            | StoreError::DirectoryUnsafe { .. }
            | StoreError::WrongPassphrase { .. }
            | StoreError::Passphrase { .. }
            | StoreError::KeyService { .. }
            | StoreError::PassphraseLength { .. }
            | StoreError::OutOfMemory { .. } => (ErrorCode::KeyUnavailable, "The key store is locked."),
            StoreError::AlreadyThere { .. }
            | StoreError::NewerSchema { .. }
            | StoreError::NotAStore { .. }
            | StoreError::Damaged { .. }
            | StoreError::NotABackup { .. }
            | StoreError::NewerBackup { .. }
            | StoreError::BackupTruncated { .. }
            | StoreError::BackupDamaged { .. }
            | StoreError::BackupTooLarge { .. }
            | StoreError::TargetExists { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Full { .. }
            | StoreError::Io { .. }
            | StoreError::Database { .. }
            | StoreError::Random(_) => (ErrorCode::Internal, "The key store failed."),
        };
        Self::new(code, message).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_store_is_worth_a_retry_and_keeps_its_cause() {
        let error = KeyServiceError::from(StoreError::Busy { path: "/x/kms.db".into() });
        assert_eq!(error.code(), ErrorCode::DependencyTimeout);
        assert!(error.source().unwrap().to_string().contains("/x/kms.db"));
    }

    #[test]
    fn the_system_s_answers_get_their_names() {
        let make = |kind: io::ErrorKind| StoreError::io(Path::new("/x"), "write")(kind.into());
        assert!(matches!(make(io::ErrorKind::StorageFull), StoreError::Full { .. }));
        assert!(matches!(make(io::ErrorKind::ReadOnlyFilesystem), StoreError::ReadOnly { .. }));
        assert!(matches!(make(io::ErrorKind::PermissionDenied), StoreError::Io { doing: "write", .. }));
    }
}
