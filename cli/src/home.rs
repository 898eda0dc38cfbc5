//! Where state lives.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The directory that holds Waxseal's state.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// Finds it: what was asked for, else `$WAXSEAL_HOME`, else `$XDG_DATA_HOME/waxseal`, else
    /// `~/.local/share/waxseal`, else, for root without a home, `/var/lib/waxseal`.
    pub(crate) fn find(asked: Option<&Path>) -> Result<Self, CliError> {
        let root = rustix::process::geteuid().is_root();
        let own = env::var_os("WAXSEAL_HOME").map(PathBuf::from);
        let found = choose(asked.or(own.as_deref()), env::var_os("XDG_DATA_HOME"), env::var_os("HOME"), root);
        // Messages name the place in full: what is relative now means nothing tomorrow.
        found.map(|path| Self(std::path::absolute(&path).unwrap_or(path))).ok_or_else(|| {
            CliError::usage("there is no home directory to keep the keys in: HOME is not set")
                .hint("say where with --home DIR or WAXSEAL_HOME")
        })
    }

    /// The directory of the embedded KMS's store.
    pub(crate) fn kms(&self) -> PathBuf {
        self.0.join("kms")
    }
}

fn choose(asked: Option<&Path>, data: Option<OsString>, home: Option<OsString>, root: bool) -> Option<PathBuf> {
    // The XDG specification says to ignore relative paths; a relative HOME would scatter keys over directories.
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    // An empty variable is one that is not set.
    asked
        .filter(|path| !path.as_os_str().is_empty())
        .map(Path::to_path_buf)
        .or_else(|| absolute(data).map(|data| data.join("waxseal")))
        .or_else(|| absolute(home).map(|home| home.join(".local/share/waxseal")))
        .or_else(|| root.then(|| PathBuf::from("/var/lib/waxseal")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(asked: &str, data: &str, home: &str, root: bool) -> Option<String> {
        let value = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
        let path = choose(Some(Path::new(asked)), value(data), value(home), root)?;
        Some(path.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_was_asked_for_wins_then_xdg_then_home_then_root() {
        assert_eq!(chosen("w", "/d", "/h", true).as_deref(), Some("w"));
        assert_eq!(chosen("", "/d", "/h", true).as_deref(), Some("/d/waxseal"));
        assert_eq!(chosen("", "relative", "/h", true).as_deref(), Some("/h/.local/share/waxseal"));
        assert_eq!(chosen("", "", "", true).as_deref(), Some("/var/lib/waxseal"));
        assert_eq!(chosen("", "", "", false), None);
    }
}
