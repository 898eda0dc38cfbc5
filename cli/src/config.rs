//! The configuration file (docs/config.md): the keys and the context of new files, and the keys that are trusted.

mod file;
mod lines;
mod rules;
mod safe;
mod written;

use std::path::PathBuf;

use waxseal_key_service::{EncryptionContext, KeyId, KeyReference};

pub(crate) use self::lines::Lined;
pub(crate) use self::rules::{Patterns, Rule};
use crate::error::CliError;
use crate::home::Home;

/// What the configuration says; without a file, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// The file; empty if there is none.
    pub(crate) file: PathBuf,
    /// Keys of AWS KMS that may open files without being named.
    pub(crate) trusted_keys: Vec<Lined<KeyId>>,
    /// Keys that are to open every new file, beside those that are chosen.
    pub(crate) always_keys: Vec<Lined<KeyReference>>,
    /// Keys of new files for which no rule names any.
    pub(crate) key: Option<Lined<Vec<KeyReference>>>,
    /// Context of new files for which no rule has one.
    pub(crate) context: Option<Lined<EncryptionContext>>,
    /// What new files get by their paths; the first one that is of a file counts.
    pub(crate) rules: Vec<Rule>,
}

impl Config {
    /// Where the file is, or would be.
    pub(crate) fn path(home: &Home) -> PathBuf {
        home.config().join("config.toml")
    }

    /// The keys that new files are made under, by default or by a rule.
    pub(crate) fn chosen_keys(&self) -> impl Iterator<Item = &KeyReference> {
        let of_rules = self.rules.iter().filter_map(|rule| rule.key.as_ref());
        self.key.iter().chain(of_rules).flat_map(|keys| &keys.value)
    }

    /// Reads the file, if there is one.
    pub(crate) fn load(home: &Home) -> Result<Self, CliError> {
        let path = Self::path(home);
        match file::read(&path)? {
            Some(text) => match written::parse(&text) {
                Ok(config) => Ok(Self { file: path, ..config }),
                Err(error) => Err(error.file(&path)),
            },
            None => Ok(Self::default()),
        }
    }
}
