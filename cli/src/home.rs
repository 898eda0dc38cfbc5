//! Where state lives.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The directories that hold Waxseal's state and configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    data: PathBuf,
    config: PathBuf,
}

/// What the environment says about directories.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    data: Option<OsString>,
    config: Option<OsString>,
    home: Option<OsString>,
    is_root: bool,
}

impl Home {
    /// Finds them: what was asked for, else `$WAXSEAL_HOME`, for both; else `$XDG_DATA_HOME/waxseal` and
    /// `$XDG_CONFIG_HOME/waxseal`, else `~/.local/share/waxseal` and `~/.config/waxseal`, else, for root without a home,
    /// `/var/lib/waxseal`.
    pub(crate) fn find(asked: Option<&Path>) -> Result<Self, CliError> {
        let own = env::var_os("WAXSEAL_HOME").map(PathBuf::from);
        let surroundings = Surroundings {
            data: env::var_os("XDG_DATA_HOME"),
            config: env::var_os("XDG_CONFIG_HOME"),
            home: env::var_os("HOME"),
            is_root: rustix::process::geteuid().is_root(),
        };
        // Messages name the place in full: what is relative now means nothing tomorrow.
        let full = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let found = choose(asked.or(own.as_deref()), surroundings);
        found.map(|found| Self { data: full(found.data), config: full(found.config) }).ok_or_else(|| {
            CliError::usage("there is no home directory to keep the keys in: HOME is not set")
                .hint("say where with --home DIR or WAXSEAL_HOME")
        })
    }

    /// The directory of the embedded KMS's store.
    pub(crate) fn kms(&self) -> PathBuf {
        self.data.join("kms")
    }

    /// The directory of the configuration.
    pub(crate) fn config(&self) -> &Path {
        &self.config
    }
}

fn choose(asked: Option<&Path>, surroundings: Surroundings) -> Option<Home> {
    // The XDG specification says to ignore relative paths; a relative HOME would scatter keys over directories.
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    // An empty variable is one that is not set.
    if let Some(asked) = asked.filter(|path| !path.as_os_str().is_empty()) {
        return Some(Home { data: asked.to_owned(), config: asked.to_owned() });
    }
    let Surroundings { data, config, home, is_root } = surroundings;
    let home = absolute(home);
    let place = |own: Option<OsString>, below: &str| {
        let own = absolute(own).or_else(|| home.as_ref().map(|home| home.join(below)));
        own.map(|own| own.join("waxseal")).or_else(|| is_root.then(|| PathBuf::from("/var/lib/waxseal")))
    };
    let data = place(data, ".local/share")?;
    // Keys that are somewhere are used, also where no configuration can be.
    let config = place(config, ".config").unwrap_or_else(|| data.clone());
    Some(Home { data, config })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(asked: &str, xdg: (&str, &str), home: &str, is_root: bool) -> Option<(String, String)> {
        let value = |text: &str| (!text.is_empty()).then(|| OsString::from(text));
        let surroundings = Surroundings { data: value(xdg.0), config: value(xdg.1), home: value(home), is_root };
        let found = choose(Some(Path::new(asked)), surroundings)?;
        Some((found.data.to_str().unwrap().to_owned(), found.config.to_str().unwrap().to_owned()))
    }

    #[test]
    fn what_was_asked_for_wins_then_xdg_then_home_then_root() {
        let both = |data: &str, config: &str| Some((data.to_owned(), config.to_owned()));
        let (own, state) = ("/h/.config/waxseal", "/h/.local/share/waxseal");
        assert_eq!(chosen("w", ("/d", "/c"), "/h", true), both("w", "w"));
        assert_eq!(chosen("", ("/d", "/c"), "/h", true), both("/d/waxseal", "/c/waxseal"));
        assert_eq!(chosen("", ("/d", ""), "/h", true), both("/d/waxseal", own));
        assert_eq!(chosen("", ("relative", "relative"), "/h", true), both(state, own));
        assert_eq!(chosen("", ("", ""), "", true), both("/var/lib/waxseal", "/var/lib/waxseal"));
        assert_eq!(chosen("", ("/d", ""), "", false), both("/d/waxseal", "/d/waxseal"));
        assert_eq!(chosen("", ("", ""), "", false), None);
    }
}
