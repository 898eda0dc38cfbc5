//! The rows of credentials.

use rusqlite::params;

use super::{Cells, Rows};
use crate::credentials::{CredentialInfo, is_access_key_id, is_name};
use crate::error::StoreError;
use crate::store::credentials::CredentialRow;

const COLUMNS: &str = "access_key_id, name, created_at, sealed";

impl Rows<'_> {
    pub(crate) fn credential(&self, access_key_id: &str) -> Result<Option<CredentialRow>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM credentials WHERE access_key_id = ?");
        Ok(self.list(&query, params![access_key_id], |cells| cells.credential())?.into_iter().next())
    }

    /// All credentials, by name.
    pub(crate) fn credentials(&self) -> Result<Vec<CredentialRow>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM credentials ORDER BY name");
        self.list(&query, params![], |cells| cells.credential())
    }

    /// Keeps a credential, unless another one has its name.
    pub(crate) fn insert_credential(&self, row: &CredentialRow) -> Result<bool, StoreError> {
        let CredentialInfo { access_key_id, name, created_at } = &row.about;
        let taken = "SELECT EXISTS (SELECT 1 FROM credentials WHERE name = ?)";
        if self.query(taken, |statement| statement.query_row([name], |row| row.get(0)))? {
            return Ok(false);
        }
        let insert = format!("INSERT INTO credentials ({COLUMNS}) VALUES (?, ?, ?, ?)");
        self.execute(&insert, params![access_key_id, name, created_at.to_column(), row.sealed])?;
        Ok(true)
    }

    /// Deletes a credential; says whether there was one.
    pub(crate) fn delete_credential(&self, access_key_id: &str) -> Result<bool, StoreError> {
        let delete = "DELETE FROM credentials WHERE access_key_id = ?";
        self.query(delete, |statement| statement.execute([access_key_id])).map(|rows| rows > 0)
    }
}

impl Cells<'_> {
    fn credential(&self) -> Result<CredentialRow, StoreError> {
        let access_key_id = Some(self.text(0)?).filter(|text| is_access_key_id(text));
        let name = Some(self.text(1)?).filter(|text| is_name(text));
        Ok(CredentialRow {
            about: CredentialInfo {
                access_key_id: self.require(access_key_id, "access key id")?,
                name: self.require(name, "name of a credential")?,
                created_at: self.time(2)?,
            },
            sealed: self.get(3)?,
        })
    }
}
