//! Where a setting has its value from.

use std::env;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::CliError;
use crate::shown::shown;

/// Where a setting has its value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An option was typed.
    CommandLine,
    /// A variable of this name.
    Environment(&'static str),
    /// The configuration file, in this line.
    Configuration {
        /// Counted from 1.
        line: usize,
    },
    /// Nobody has said anything.
    BuiltIn,
}

impl Origin {
    /// What a person reads; `file` is the configuration file.
    pub(crate) fn text(self, file: &Path) -> String {
        match self {
            Self::CommandLine => "command line".to_owned(),
            Self::Environment(name) => format!("${name}"),
            Self::Configuration { line } => format!("{}:{line}", shown(&file.to_string_lossy())),
            Self::BuiltIn => "built in".to_owned(),
        }
    }

    /// What a script reads.
    pub(crate) fn json(self) -> Value {
        match self {
            Self::CommandLine => json!({ "kind": "command line" }),
            Self::Environment(name) => json!({ "kind": "environment", "variable": name }),
            Self::Configuration { line } => json!({ "kind": "configuration", "line": line }),
            Self::BuiltIn => json!({ "kind": "built in" }),
        }
    }
}

/// The value of a variable; an empty one counts as not set.
pub(crate) fn variable(name: &str) -> Result<Option<String>, CliError> {
    let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    value.into_string().map(Some).map_err(|_| CliError::usage(format!("{name}: is no text")))
}
