//! The tables of a store, and how they are told from those of anything else (SEMANTICS.md, "The database").

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StoreError;

/// "WxKm": what `file` and SQLite call the application id.
const APPLICATION_ID: i64 = 0x5778_4B6D;
/// The newest schema version. A version adds to the tables of the one before and leaves them as they are, so that a store is
/// brought up to date in place, and an older program that has it open goes on.
pub(super) const VERSION: i64 = 2;

/// An object of the schema: its name, and the statement that makes it, which SQLite keeps letter by letter.
type Object = (&'static str, &'static str);

/// What version 1 consists of.
const FIRST: [Object; 6] = [
    (
        "meta",
        "CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    store_id BLOB NOT NULL CHECK (length(store_id) = 16),
    home_region TEXT NOT NULL,
    seal BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    last_backup_at INTEGER
) STRICT",
    ),
    (
        "keys",
        "CREATE TABLE keys (
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    description TEXT NOT NULL,
    key_spec TEXT NOT NULL,
    key_usage TEXT NOT NULL,
    origin TEXT NOT NULL,
    key_state TEXT NOT NULL,
    deletion_date INTEGER,
    created_at INTEGER NOT NULL,
    current_version INTEGER NOT NULL,
    PRIMARY KEY (region, key_id)
) STRICT, WITHOUT ROWID",
    ),
    (
        "key_materials",
        "CREATE TABLE key_materials (
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version BETWEEN 1 AND 4294967295),
    material_id TEXT NOT NULL CHECK (length(material_id) = 64),
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (region, key_id, version),
    FOREIGN KEY (region, key_id) REFERENCES keys (region, key_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID",
    ),
    (
        "aliases",
        "CREATE TABLE aliases (
    name TEXT NOT NULL,
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (name, region),
    FOREIGN KEY (region, key_id) REFERENCES keys (region, key_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID",
    ),
    ("aliases_by_key", "CREATE INDEX aliases_by_key ON aliases (region, key_id)"),
    (
        "keys_by_deletion_date",
        "CREATE INDEX keys_by_deletion_date ON keys (deletion_date) WHERE deletion_date IS NOT NULL",
    ),
];

/// What version 2 adds: tags, rotation, and the credentials of a served store.
const SECOND: [Object; 4] = [
    (
        "tags",
        "CREATE TABLE tags (
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (region, key_id, tag_key),
    FOREIGN KEY (region, key_id) REFERENCES keys (region, key_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID",
    ),
    (
        "rotation_schedules",
        "CREATE TABLE rotation_schedules (
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    period_in_days INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    PRIMARY KEY (region, key_id),
    FOREIGN KEY (region, key_id) REFERENCES keys (region, key_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID",
    ),
    (
        "rotations",
        "CREATE TABLE rotations (
    region TEXT NOT NULL,
    key_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    rotation_type TEXT NOT NULL,
    PRIMARY KEY (region, key_id, version),
    FOREIGN KEY (region, key_id, version) REFERENCES key_materials (region, key_id, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID",
    ),
    (
        "credentials",
        "CREATE TABLE credentials (
    access_key_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT",
    ),
];

/// Makes the tables in an empty database.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    make(connection, &FIRST)?;
    make(connection, &SECOND)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)
}

/// Adds what an older version lacks, in one transaction: whenever it is cut short, the store is of the one version or the
/// other. Does nothing if another process was faster.
pub(super) fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if number(&transaction, "user_version")? < VERSION {
        make(&transaction, &SECOND)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

/// Lets a connection see what an older version lacks as empty tables of its own, in memory: nothing is written.
pub(super) fn pretend(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA temp_store = MEMORY")?;
    for (_, statement) in SECOND {
        connection.execute_batch(&statement.replacen("CREATE TABLE", "CREATE TEMP TABLE", 1))?;
    }
    Ok(())
}

/// Gives the version of a database; refuses one that is not a store's, is of a newer version, or has other tables than its
/// version has.
pub(super) fn check(connection: &Connection, database: &Path) -> Result<i64, StoreError> {
    let error = |error| StoreError::database(database, error);
    if number(connection, "application_id").map_err(error)? != APPLICATION_ID {
        return Err(StoreError::NotAStore { path: database.to_owned() });
    }
    // Both in one snapshot: another process may be bringing the store up to date.
    let snapshot = connection.unchecked_transaction().map_err(error)?;
    let found = number(&snapshot, "user_version").map_err(error)?;
    if found > VERSION {
        return Err(StoreError::NewerSchema { path: database.to_owned(), found, supported: VERSION });
    }
    if expected(found) != Some(objects(&snapshot).map_err(error)?) {
        return Err(StoreError::damaged(database, "its tables are not those of its schema version"));
    }
    Ok(found)
}

fn make(connection: &Connection, objects: &[Object]) -> rusqlite::Result<()> {
    objects.iter().try_for_each(|(_, statement)| connection.execute_batch(statement))
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

fn objects(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name LIMIT 100")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// The objects of a version in the order of their names; `None` means that there is no such version.
fn expected(version: i64) -> Option<Vec<(String, String)>> {
    let added: &[Object] = match version {
        1 => &[],
        VERSION => &SECOND,
        _ => return None,
    };
    let objects = FIRST.iter().chain(added);
    let mut expected: Vec<_> = objects.map(|(name, statement)| ((*name).to_owned(), (*statement).to_owned())).collect();
    expected.sort();
    Some(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_schema_passes_its_own_check() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        assert_eq!(check(&connection, Path::new("x")).unwrap(), VERSION);
    }

    /// A database of version 1.
    fn first() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        make(&connection, &FIRST).unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
    }

    #[test]
    fn a_database_of_version_1_becomes_one_of_version_2_and_is_the_same_as_a_fresh_one() {
        let mut connection = first();
        assert_eq!(check(&connection, Path::new("x")).unwrap(), 1);
        for _ in 0..2 {
            upgrade(&mut connection).unwrap();
            assert_eq!(check(&connection, Path::new("x")).unwrap(), 2);
        }
    }

    #[test]
    fn an_older_database_that_is_only_read_seems_to_have_the_newer_tables() {
        let connection = first();
        pretend(&connection).unwrap();
        let tags: i64 = connection.query_row("SELECT count(*) FROM tags", [], |row| row.get(0)).unwrap();
        assert_eq!(tags, 0);
        assert_eq!(check(&connection, Path::new("x")).unwrap(), 1);
    }

    #[test]
    fn newer_foreign_and_altered_databases_are_told_apart() {
        let refused = |statement: &str| {
            let connection = Connection::open_in_memory().unwrap();
            create(&connection).unwrap();
            connection.execute_batch(statement).unwrap();
            check(&connection, Path::new("x")).unwrap_err()
        };
        let newer = refused("PRAGMA user_version = 7");
        assert!(matches!(newer, StoreError::NewerSchema { found: 7, supported: VERSION, .. }), "{newer}");
        assert!(matches!(refused("PRAGMA application_id = 1"), StoreError::NotAStore { .. }));
        assert!(matches!(refused("PRAGMA user_version = 0"), StoreError::Damaged { .. }));
        assert!(matches!(refused("PRAGMA user_version = 1"), StoreError::Damaged { .. }));
        assert!(matches!(refused("DROP TABLE aliases"), StoreError::Damaged { .. }));
        assert!(matches!(refused("DROP TABLE tags"), StoreError::Damaged { .. }));
        assert!(matches!(refused("CREATE VIEW v AS SELECT 1"), StoreError::Damaged { .. }));
        assert!(matches!(refused("ALTER TABLE keys ADD COLUMN x TEXT"), StoreError::Damaged { .. }));
    }
}
