//! Opening the database: for writing where possible, for reading where only that is, and only if it is a store's.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::log_index::{Header, LogIndex};
use super::schema;
use crate::error::StoreError;
use crate::files;

/// Longest wait for another process's transaction, which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may be done with an open database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everything.
    ReadWrite,
    /// Reading, beside processes that write.
    ReadOnly,
    /// Reading a database that nobody has open for writing: no log can be made beside it here.
    Still,
    /// Reading a database of an older schema version, which could not be brought up to date. Another process may do so.
    Outdated,
}

/// An open database.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) access: Access,
}

/// A state of the database; another one means that something changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// The header of the log's index.
    Index(Header),
    /// SQLite's count of the changes by other connections.
    Version(i64),
    /// The file's own marks, and whether a log has appeared beside it.
    File { inode: u64, len: u64, modified: (i64, i64), logged: bool },
}

/// Opens the database of the store in `directory`.
pub(super) fn open(directory: &Path, database: &Path) -> Result<Opened, StoreError> {
    if !files::is_there(database) {
        return Err(StoreError::NotThere { path: directory.to_owned() });
    }
    files::check_directory(directory)?;
    let (mut connection, mut access) = connect(database)?;
    if schema::check(&connection, database)? < schema::VERSION {
        access = bring_up_to_date(&mut connection, access, database)?;
    }
    Ok(Opened { connection, access })
}

/// As [`open`], and opens the index of its log, where that tells its changes.
pub(super) fn open_to_stay(directory: &Path, database: &Path) -> Result<(Opened, Option<LogIndex>), StoreError> {
    let before = identity(database);
    let opened = open(directory, database)?;
    // Who only reads may have an index of its own in memory. A database without a log says nothing there, and may lie beside the
    // index that another one has left; one with a log keeps it as long as it is open.
    let tells = opened.access == Access::ReadWrite && has_log_mode(&opened.connection, database)?;
    let index = if tells { LogIndex::open(database) } else { None };
    // If the database was replaced meanwhile, the index may be that of the other one.
    Ok((opened, index.filter(|_| before.is_some() && before == identity(database))))
}

/// Whether changes go to a log: all stores are made so, but a copy that a tool of SQLite has made need not be.
fn has_log_mode(connection: &Connection, database: &Path) -> Result<bool, StoreError> {
    let mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    mode.map(|mode| mode == "wal").map_err(|error| StoreError::database(database, error))
}

/// Which file it is, if it is one: the index of what a link leads to is elsewhere.
fn identity(database: &Path) -> Option<(u64, u64)> {
    let meta = fs::symlink_metadata(database).ok()?;
    meta.is_file().then(|| (meta.dev(), meta.ino()))
}

/// Brings a database of an older schema version up to date, or lets it be read where it cannot be written.
fn bring_up_to_date(connection: &mut Connection, access: Access, database: &Path) -> Result<Access, StoreError> {
    if access == Access::ReadWrite {
        match schema::upgrade(connection).map_err(|error| StoreError::database(database, error)) {
            // Keys have to open on a full disk too.
            Err(StoreError::Full { .. } | StoreError::ReadOnly { .. }) => {}
            upgraded => return upgraded.map(|()| access),
        }
    }
    schema::pretend(connection).map_err(|error| StoreError::database(database, error))?;
    Ok(if access == Access::Still { Access::Still } else { Access::Outdated })
}

/// Opens a database as its users will, and closes it again.
pub(super) fn try_out(database: &Path) -> Result<(), StoreError> {
    let error = |error| StoreError::database(database, error);
    let (connection, _) = connect_shared(database).map_err(error)?;
    schema::check(&connection, database)?;
    connection.close().map_err(|(_, failure)| error(failure))
}

fn connect(database: &Path) -> Result<(Connection, Access), StoreError> {
    match connect_shared(database) {
        Err(error) if needs_a_log(&error) => connect_still(database).map(|connection| (connection, Access::Still)),
        connected => connected.map_err(|error| StoreError::database(database, error)),
    }
}

fn connect_shared(database: &Path) -> rusqlite::Result<(Connection, Access)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags)?;
    configure(&connection)?;
    // The first read is what finds out whether the log can be used.
    connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    let access = if connection.is_readonly("main")? { Access::ReadOnly } else { Access::ReadWrite };
    Ok((connection, access))
}

/// Whether opening failed because the log and its index can neither be found nor made beside the database.
fn needs_a_log(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly))
}

/// Opens a database that stands still: SQLite takes no locks and looks for no log. So there must be none.
fn connect_still(database: &Path) -> Result<Connection, StoreError> {
    if has_log(database) {
        return Err(StoreError::ReadOnly {
            path: database.to_owned(),
            why: "there is a log of changes beside it that cannot be read without writing here",
        });
    }
    // Tells apart a database that may not be read at all. Opening and closing it would take away all locks of this process on it.
    rustix::fs::access(database, rustix::fs::Access::READ_OK)
        .map_err(|error| StoreError::io(database, "open the database")(error.into()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connected = Connection::open_with_flags(still_uri(database), flags).and_then(|connection| {
        configure(&connection)?;
        Ok(connection)
    });
    connected.map_err(|error| StoreError::database(database, error))
}

/// The SQLite URI of a file that does not change while it is open.
fn still_uri(database: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file:");
    for byte in database.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}

/// Sets up a connection: durable commits, waiting for others, and no trust in what a hostile schema could define.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;",
    )
}

impl Opened {
    /// The state of the database now.
    pub(super) fn stamp(&self, database: &Path) -> Result<Stamp, StoreError> {
        if self.access == Access::Still {
            return file_stamp(database);
        }
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        version.map(Stamp::Version).map_err(|error| StoreError::database(database, error))
    }
}

impl Access {
    /// Whether a change is seen by a new connection only.
    pub(super) fn must_reopen(self) -> bool {
        matches!(self, Self::Still | Self::Outdated)
    }

    pub(super) fn check_writable(self, database: &Path) -> Result<(), StoreError> {
        match self {
            Self::ReadWrite => Ok(()),
            Self::ReadOnly | Self::Still | Self::Outdated => {
                Err(StoreError::ReadOnly { path: database.to_owned(), why: "it cannot be changed" })
            }
        }
    }
}

fn file_stamp(database: &Path) -> Result<Stamp, StoreError> {
    let meta = fs::metadata(database).map_err(StoreError::io(database, "look at the database"))?;
    Ok(Stamp::File {
        inode: meta.ino(),
        len: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        logged: has_log(database),
    })
}

fn has_log(database: &Path) -> bool {
    fs::metadata(beside(database, "-wal")).is_ok_and(|meta| meta.len() > 0)
}

/// The name of a file that SQLite keeps beside a database.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_escapes_what_has_a_meaning_in_it() {
        assert_eq!(still_uri(Path::new("/a b/ü?x#%/kms.db")), "file:/a%20b/%c3%bc%3fx%23%25/kms.db?immutable=1");
    }
}
