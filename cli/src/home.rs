//! Where state lives.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::origin::Origin;

/// The directories that hold Waxseal's state and configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    data: PathBuf,
    config: PathBuf,
    /// Where these two are from.
    origins: (Origin, Origin),
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
        let found = found.map(|found| Self { data: full(found.data), config: full(found.config), ..found });
        let is_own = asked.is_none() && own.is_some_and(|own| !own.as_os_str().is_empty());
        let named = if is_own { Origin::Environment("WAXSEAL_HOME") } else { Origin::CommandLine };
        let named = |origin| if origin == Origin::CommandLine { named } else { origin };
        let found = found.map(|found| Self { origins: (named(found.origins.0), named(found.origins.1)), ..found });
        found.ok_or_else(|| {
            CliError::usage("there is no home directory to keep the keys in: HOME is not set")
                .hint("say where with --home DIR or WAXSEAL_HOME")
        })
    }

    /// The directory of the embedded KMS's store.
    pub(crate) fn kms(&self) -> PathBuf {
        self.data.join("kms")
    }

    /// The directory of the data, and where it is from.
    pub(crate) fn data(&self) -> (&Path, Origin) {
        (&self.data, self.origins.0)
    }

    /// Where the directory of the configuration is from.
    pub(crate) fn config_origin(&self) -> Origin {
        self.origins.1
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
        let origins = (Origin::CommandLine, Origin::CommandLine);
        return Some(Home { data: asked.to_owned(), config: asked.to_owned(), origins });
    }
    let Surroundings { data, config, home, is_root } = surroundings;
    let home = absolute(home);
    let place = |own: Option<OsString>, name: &'static str, below: &str| {
        let own = absolute(own).map(|own| (own, Origin::Environment(name)));
        let own = own.or_else(|| home.as_ref().map(|home| (home.join(below), Origin::Environment("HOME"))));
        let own = own.map(|(own, origin)| (own.join("waxseal"), origin));
        own.or_else(|| is_root.then(|| (PathBuf::from("/var/lib/waxseal"), Origin::BuiltIn)))
    };
    let (data, data_origin) = place(data, "XDG_DATA_HOME", ".local/share")?;
    // Keys that are somewhere are used, also where no configuration can be.
    let (config, config_origin) =
        place(config, "XDG_CONFIG_HOME", ".config").unwrap_or_else(|| (data.clone(), data_origin));
    Some(Home { data, config, origins: (data_origin, config_origin) })
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
