//! The configuration file: keys that are trusted, and keys that every new file is made for.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use waxseal_key_service::{KeyId, KeyReference, Provider};

use crate::error::{Class, CliError};
use crate::home::Home;
use crate::shown::shown;

/// Longest configuration that is read, in bytes: thousands of keys.
const MAX_LEN: u64 = 1 << 20;

/// What the configuration says; without a file, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// Keys of AWS KMS that may open files without being named.
    pub(crate) trusted_keys: Vec<KeyId>,
    /// Keys that are to open every new file, beside those that are named.
    pub(crate) always_keys: Vec<KeyReference>,
}

/// The file as it is written. What it does not know is a mistake, never nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    trusted_keys: Vec<String>,
    always_keys: Vec<String>,
}

impl Config {
    /// Where the file is, or would be.
    pub(crate) fn path(home: &Home) -> PathBuf {
        home.config().join("config.toml")
    }

    /// Reads the file, if there is one.
    pub(crate) fn load(home: &Home) -> Result<Self, CliError> {
        let path = Self::path(home);
        match read(&path)? {
            Some(text) => Self::parse(&text).map_err(|error| error.file(&path)),
            None => Ok(Self::default()),
        }
    }

    fn parse(text: &str) -> Result<Self, CliError> {
        let written: Written = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            CliError::usage(format!("line {line}: {}", shown(error.message())))
                .hint("it knows trusted-keys and always-keys, which are lists of key ARNs")
        })?;
        Ok(Self {
            trusted_keys: written.trusted_keys.iter().map(|key| trusted(key)).collect::<Result<_, _>>()?,
            always_keys: written.always_keys.iter().map(|key| always(key)).collect::<Result<_, _>>()?,
        })
    }
}

/// A trusted key is named by its ARN: what an alias stands for is for others to change.
fn trusted(text: &str) -> Result<KeyId, CliError> {
    match text.parse() {
        Ok(KeyReference { provider: Provider::Aws, key: key @ KeyId::Arn(_) }) => Ok(key),
        _ => Err(CliError::usage(format!("trusted-keys: {:?} is not the ARN of a key of AWS KMS", shown(text)))
            .hint("it looks like arn:aws:kms:REGION:ACCOUNT:key/ID; keys of the embedded KMS need no trust")),
    }
}

fn always(text: &str) -> Result<KeyReference, CliError> {
    text.parse().map_err(|error: waxseal_key_service::KeyIdError| {
        CliError::usage(format!("always-keys: {}", shown(&error.to_string())))
    })
}

/// Reads a file that nobody else may write: who can add a key to it can open every file that is made from then on.
fn read(path: &Path) -> Result<Option<String>, CliError> {
    let cannot = |error: &std::io::Error| CliError::system(Class::Usage, "cannot be read", error).file(path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(cannot(&error)),
    };
    let metadata = file.metadata().map_err(|error| cannot(&error))?;
    if !metadata.is_file() {
        return Err(CliError::usage("is not a file").file(path));
    }
    let user = rustix::process::geteuid().as_raw();
    if metadata.mode() & 0o022 != 0 || (metadata.uid() != user && metadata.uid() != 0) {
        return Err(CliError::usage("could be changed by others, who could add a key of theirs to every new file")
            .file(path)
            .hint("chmod go-w it, and let it belong to you or to root"));
    }
    let mut text = String::new();
    file.take(MAX_LEN + 1).read_to_string(&mut text).map_err(|error| cannot(&error))?;
    if text.len() as u64 > MAX_LEN {
        return Err(CliError::usage("is too long for a configuration").file(path));
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn keys_are_read_and_nothing_is_allowed() {
        assert_eq!(Config::parse("# nothing\n").unwrap(), Config::default());
        let config =
            Config::parse(&format!("trusted-keys = [\"{ARN}\"]\nalways-keys = [\"alias/x\", \"{ARN}\"]")).unwrap();
        assert_eq!(config.trusted_keys, [ARN.parse().unwrap()]);
        assert_eq!(config.always_keys.len(), 2);
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_line() {
        for text in ["\ntrusted-key = []", "\ntrusted-keys = 1", "\n[trust]\nkeys = []", "\n=", "\nalways-keys = [1]"] {
            let error = Config::parse(text).unwrap_err();
            assert!(error.text().0.contains("line 2"), "{text:?}: {error}");
        }
    }

    #[test]
    fn only_a_key_arn_of_aws_is_trusted() {
        let local = ARN.replace("111122223333", "000000000000");
        for key in ["alias/x", "aws:alias/x", &ARN[ARN.len() - 36..], &local, "x"] {
            assert!(Config::parse(&format!("trusted-keys = [{key:?}]")).is_err(), "{key}");
        }
        assert!(Config::parse(&format!("trusted-keys = [\"aws:{local}\"]")).is_ok());
        assert!(Config::parse("always-keys = [\"x\"]").is_err());
    }
}
