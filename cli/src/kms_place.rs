//! Where the embedded KMS is, when it is not the key store of this user: a Unix socket, or a URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::CliError;
use crate::shown::shown;

/// The variable that says it for every command.
const VARIABLE: &str = "WAXSEAL_KMS";
/// What stands before the path of a Unix socket.
const UNIX: &str = "unix:";

/// Where the embedded KMS is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KmsPlace {
    /// At a Unix socket of one's own. The path is absolute.
    Unix(PathBuf),
    /// At a URL, where requests are signed as for AWS.
    Url(String),
}

impl KmsPlace {
    /// The region at a URL where neither a key nor the environment names one: the home of most stores.
    pub(crate) const REGION: &str = "us-east-1";

    /// The place that an option names, else the environment; none is the key store of this user.
    ///
    /// # Errors
    /// The variable names no place.
    pub(crate) fn choose(option: Option<&Self>) -> Result<Option<Self>, CliError> {
        // An empty variable is one that is not set.
        let variable = || std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
        match (option, variable()) {
            (Some(place), _) => Ok(Some(place.clone())),
            (None, None) => Ok(None),
            (None, Some(text)) => match text.parse() {
                Ok(place) => Ok(Some(place)),
                Err(error) => Err(CliError::usage(format!("{VARIABLE}: {}", shown(&error)))),
            },
        }
    }

    /// Refuses a command that works on the key store of this user, if the environment says that another one is used. A
    /// backup of the wrong store is worse than none.
    ///
    /// # Errors
    /// The variable names a place, or something else.
    pub(crate) fn refuse(command: &str, directory: &Path) -> Result<(), CliError> {
        let Some(place) = Self::choose(None)? else { return Ok(()) };
        let place = shown(&place.to_string());
        let text = format!(
            "'waxseal kms {command}' works on a key store itself, and {VARIABLE} says that yours is served at {place}"
        );
        Err(CliError::usage(text).hint(format!(
            "run it where that store is; if it is the one in {}, unset {VARIABLE} for this command",
            shown(&directory.to_string_lossy())
        )))
    }
}

impl FromStr for KmsPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix(UNIX).filter(|path| !path.is_empty()) {
            // A mount goes on in the background, from another directory.
            return std::path::absolute(path).map(Self::Unix).map_err(|error| error.to_string());
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Url(text.to_owned()));
        }
        Err(format!("{text:?} is no place of a served KMS: unix:PATH, https://HOST or http://127.0.0.1:PORT"))
    }
}

impl fmt::Display for KmsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_sockets_and_urls() {
        for text in ["unix:/run/kms.sock", "http://127.0.0.1:8181", "https://kms.example.com"] {
            assert_eq!(text.parse::<KmsPlace>().unwrap().to_string(), text);
        }
        assert!(matches!("unix:kms.sock".parse(), Ok(KmsPlace::Unix(path)) if path.is_absolute()));
        for text in ["", "unix:", "/run/kms.sock", "127.0.0.1:8181", "ftp://x"] {
            assert!(text.parse::<KmsPlace>().is_err(), "{text}");
        }
    }
}
