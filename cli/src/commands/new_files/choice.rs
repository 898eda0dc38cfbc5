//! Where new files have their keys and their context from (docs/config.md): the command line, the environment, the first
//! rule that is of their path, the configuration's defaults, and the key that there is without all of these.
//!
//! Keys and context are chosen each by itself, and taken whole from the first place that has them.

use std::path::{Path, PathBuf};

use serde_json::Map;
use waxseal_container::{Core, Suite};
use waxseal_key_service::{EncryptionContext, KeyReference};

use crate::commands::keys::{DEFAULT_KEY, KEY_VARIABLE, of_environment, parse_key};
use crate::config::{Config, Lined, Patterns, Rule};
use crate::error::CliError;
use crate::library_errors;
use crate::origin::{Origin, variable};
use crate::report::Details;
use crate::session::Session;

/// The variable that has the context of new files: pairs, separated by commas.
const CONTEXT_VARIABLE: &str = "WAXSEAL_CONTEXT";

/// A value, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Sourced<T> {
    pub(in crate::commands) value: T,
    pub(in crate::commands) origin: Origin,
}

/// What there is to choose from.
#[derive(Debug)]
pub(in crate::commands) struct Choice {
    /// What was said for this command or this session, and goes before all rules.
    keys: Option<Sourced<Vec<KeyReference>>>,
    context: Option<Sourced<EncryptionContext>>,
    config: Config,
    /// None where no rule can change anything.
    patterns: Option<Patterns>,
}

/// What new files are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Chosen {
    pub(in crate::commands) keys: Sourced<Vec<KeyReference>>,
    /// The keys that the configuration wants in every file beside these.
    always: Vec<Sourced<KeyReference>>,
    pub(in crate::commands) context: Sourced<EncryptionContext>,
    /// The configuration, of which errors speak.
    file: PathBuf,
}

impl Choice {
    /// Reads what was typed, and the environment. A context that no file can hold is refused.
    pub(in crate::commands) fn new(keys: &[String], context: &[String], config: Config) -> Result<Self, CliError> {
        let keys = match keys {
            [] => of_environment()?.map(|keys| Sourced::environment(keys, KEY_VARIABLE)),
            typed => Some(Sourced::typed(typed.iter().map(|key| parse_key(key)).collect::<Result<_, _>>()?)),
        };
        let context = match context {
            [] => context_of_environment()?,
            typed => Some(Sourced::typed(context_of(typed)?)),
        };
        let mut choice = Self { keys, context, config, patterns: None };
        if !choice.is_decided() && !choice.rules().is_empty() {
            choice.patterns = Some(Patterns::of(choice.rules())?);
        }
        Ok(choice)
    }

    /// Whether it matters where a file is.
    pub(in crate::commands) fn looks_at_paths(&self) -> bool {
        self.patterns.is_some()
    }

    /// Whether no rule can change anything, because all is said for this command or this session.
    pub(in crate::commands) fn is_decided(&self) -> bool {
        self.keys.is_some() && self.context.is_some()
    }

    /// All rules, in their order.
    pub(in crate::commands) fn rules(&self) -> &[Rule] {
        &self.config.rules
    }

    /// The rule that a file at a real path falls under, or everything in a directory.
    pub(in crate::commands) fn rule_of(&self, path: &Path) -> Option<usize> {
        self.patterns.as_ref().and_then(|patterns| patterns.first_of(path))
    }

    /// The rules that something in a directory may fall under, where the directory itself falls under another one or none.
    pub(in crate::commands) fn rules_within(&self, directory: &Path) -> Vec<usize> {
        let Some(patterns) = &self.patterns else { return Vec::new() };
        let whole = patterns.first_of(directory).unwrap_or(usize::MAX);
        patterns.within(directory).into_iter().filter(|rule| *rule < whole).collect()
    }

    /// What files get that fall under a rule, or under none.
    pub(in crate::commands) fn chosen(&self, rule: Option<usize>) -> Chosen {
        let rule = rule.and_then(|index| self.config.rules.get(index));
        let keys = self.keys.clone();
        let keys = keys
            .or_else(|| rule.and_then(|rule| rule.key.as_ref()).map(Sourced::file))
            .or_else(|| self.config.key.as_ref().map(Sourced::file));
        let keys = keys.unwrap_or_else(|| {
            let default = DEFAULT_KEY.parse().expect("the default key is an alias");
            Sourced { value: vec![default], origin: Origin::BuiltIn }
        });
        let always = self.config.always_keys.iter().map(Sourced::file).collect();
        let context = self.context.clone();
        let context = context
            .or_else(|| rule.and_then(|rule| rule.context.as_ref()).map(Sourced::file))
            .or_else(|| self.config.context.as_ref().map(Sourced::file));
        let nothing = || Sourced { value: EncryptionContext::new(), origin: Origin::BuiltIn };
        Chosen { keys, always, context: context.unwrap_or_else(nothing), file: self.config.file.clone() }
    }
}

impl Chosen {
    /// All keys that are to open the files. The first one generates the data keys.
    pub(in crate::commands) fn all_keys(&self) -> impl Iterator<Item = &KeyReference> {
        self.named().map(|(key, _)| key)
    }

    /// All of them, with where each was named.
    fn named(&self) -> impl Iterator<Item = (&KeyReference, Origin)> {
        let always = self.always.iter().map(|key| (&key.value, key.origin));
        self.keys.value.iter().map(|key| (key, self.keys.origin)).chain(always)
    }

    /// Finds all of them by their ARNs. One that is named twice is found once.
    pub(in crate::commands) fn find(&self, session: &Session<'_>) -> Result<Vec<Sourced<KeyReference>>, CliError> {
        let mut all: Vec<Sourced<KeyReference>> = Vec::new();
        for (key, origin) in self.named() {
            let value = session.find(key).map_err(|error| self.tell_origin(error, origin))?;
            if all.iter().all(|other| other.value != value) {
                all.push(Sourced { value, origin });
            }
        }
        Ok(all)
    }

    /// Adds to an error about a key where that was named, unless it was typed.
    pub(super) fn tell_origin(&self, error: CliError, origin: Origin) -> CliError {
        match origin {
            Origin::CommandLine | Origin::BuiltIn => error,
            Origin::Environment(_) | Origin::Configuration { .. } => {
                let lines = vec![format!("the key is named in {}", origin.text(&self.file))];
                let members = Map::from_iter([("key_named_in".to_owned(), origin.json())]);
                error.details(Details { lines, members })
            }
        }
    }
}

impl<T> Sourced<T> {
    fn typed(value: T) -> Self {
        Self { value, origin: Origin::CommandLine }
    }

    fn environment(value: T, name: &'static str) -> Self {
        Self { value, origin: Origin::Environment(name) }
    }
}

impl<T: Clone> Sourced<T> {
    fn file(lined: &Lined<T>) -> Self {
        Self { value: lined.value.clone(), origin: Origin::Configuration { line: lined.line } }
    }
}

fn context_of_environment() -> Result<Option<Sourced<EncryptionContext>>, CliError> {
    let Some(text) = variable(CONTEXT_VARIABLE)? else { return Ok(None) };
    let pairs: Vec<String> = text.split(',').map(|pair| pair.trim().to_owned()).collect();
    let context = context_of(&pairs).map_err(|error| error.within(&format!("{CONTEXT_VARIABLE}: ")))?;
    Ok(Some(Sourced::environment(context, CONTEXT_VARIABLE)))
}

/// The context that pairs make up, if a file can hold it.
fn context_of(pairs: &[String]) -> Result<EncryptionContext, CliError> {
    let context = EncryptionContext::from_pairs(pairs).map_err(|error| library_errors::pairs(&error))?;
    Core::new(Suite::default(), context.clone(), None).map_err(|error| library_errors::context(&error))?;
    Ok(context)
}
