//! The tables of a store, and how they are told from those of anything else (SEMANTICS.md, "The database").

use std::path::Path;

use rusqlite::Connection;

use crate::error::StoreError;

/// "WxKm": what `file` and SQLite call the application id.
const APPLICATION_ID: i64 = 0x5778_4B6D;
/// The only schema version so far.
pub(super) const VERSION: i64 = 1;

/// Every object of the schema: its name, and the statement that makes it, which SQLite keeps letter by letter.
const OBJECTS: [(&str, &str); 7] = [
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
    (
        "credentials",
        "CREATE TABLE credentials (
    access_key_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT",
    ),
    ("aliases_by_key", "CREATE INDEX aliases_by_key ON aliases (region, key_id)"),
    (
        "keys_by_deletion_date",
        "CREATE INDEX keys_by_deletion_date ON keys (deletion_date) WHERE deletion_date IS NOT NULL",
    ),
];

/// Makes the tables in an empty database.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    for (_, statement) in OBJECTS {
        connection.execute_batch(statement)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)
}

/// Refuses a database that is not a store's, is of a newer version, or has other tables than its version has.
pub(super) fn check(connection: &Connection, database: &Path) -> Result<(), StoreError> {
    let number = |pragma| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(|error| StoreError::database(database, error))
    };
    if number("application_id")? != APPLICATION_ID {
        return Err(StoreError::NotAStore { path: database.to_owned() });
    }
    let found = number("user_version")?;
    if found > VERSION {
        return Err(StoreError::NewerSchema { path: database.to_owned(), found, supported: VERSION });
    }
    let as_made = found == VERSION
        && objects(connection).map_err(|error| StoreError::database(database, error))?.iter().eq(expected().iter());
    if !as_made {
        return Err(StoreError::damaged(database, "its tables are not those of its schema version"));
    }
    Ok(())
}

fn objects(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name LIMIT 100")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn expected() -> Vec<(String, String)> {
    let mut expected = OBJECTS.map(|(name, statement)| (name.to_owned(), statement.to_owned())).to_vec();
    expected.sort();
    expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_schema_passes_its_own_check() {
        let connection = Connection::open_in_memory().unwrap();
        create(&connection).unwrap();
        check(&connection, Path::new("x")).unwrap();
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
        assert!(matches!(newer, StoreError::NewerSchema { found: 7, supported: 1, .. }), "{newer}");
        assert!(matches!(refused("PRAGMA application_id = 1"), StoreError::NotAStore { .. }));
        assert!(matches!(refused("PRAGMA user_version = 0"), StoreError::Damaged { .. }));
        assert!(matches!(refused("DROP TABLE aliases"), StoreError::Damaged { .. }));
        assert!(matches!(refused("CREATE VIEW v AS SELECT 1"), StoreError::Damaged { .. }));
        assert!(matches!(refused("ALTER TABLE keys ADD COLUMN x TEXT"), StoreError::Damaged { .. }));
    }
}
