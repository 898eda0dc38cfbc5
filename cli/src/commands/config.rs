//! `waxseal config show`: what the configuration and the environment come to, and where each setting is from.

use std::path::Path;

use serde_json::{Map, Value, json};
use waxseal_key_service::{EncryptionContext, KeyReference};

use super::new_files::{Choice, Chosen, Sourced, real};
use crate::args::{AwsOptions, Common, ConfigCommand, ConfigShow};
use crate::config::{Config, Rule};
use crate::error::CliError;
use crate::home::Home;
use crate::origin::Origin;
use crate::output::Console;
use crate::report::context_json;
use crate::shown::shown;

/// Runs the command.
pub(crate) fn run(common: &Common, command: &ConfigCommand, console: &Console) -> Result<(), CliError> {
    let ConfigCommand::Show(ConfigShow { path }) = command;
    let home = Home::find(common.home.as_deref())?;
    let config = Config::load(&home)?;
    let choice = Choice::new(&[], &[], config.clone())?;
    let file = Config::path(&home);
    let settings = match path {
        None => all(&home, &file, &config, &choice)?,
        Some(path) => of_path(&real(path), &config, &choice),
    };
    let text = || settings.iter().map(|setting| setting.text(&file)).collect::<Vec<_>>().join("\n");
    let object = || {
        let settings: Vec<Value> = settings.iter().map(Setting::json).collect();
        json!({
            "v": 1, "status": "ok", "operation": "config", "file": file.to_string_lossy(), "settings": settings,
        })
    };
    console.result(text, object)
}

/// One setting.
struct Setting {
    name: &'static str,
    /// What a person reads, fit to be shown.
    text: String,
    /// What a script reads.
    value: Value,
    /// None for what is no setting but an answer.
    origin: Option<Origin>,
}

impl Setting {
    fn new(name: &'static str, text: impl Into<String>, value: Value, origin: Origin) -> Self {
        Self { name, text: text.into(), value, origin: Some(origin) }
    }

    fn answer(name: &'static str, text: impl Into<String>, value: Value) -> Self {
        Self { name, text: text.into(), value, origin: None }
    }

    fn path(name: &'static str, path: &Path, origin: Origin) -> Self {
        Self::new(name, shown(&path.to_string_lossy()), json!(path.to_string_lossy()), origin)
    }

    fn keys(name: &'static str, keys: &Sourced<Vec<KeyReference>>) -> Self {
        Self::new(name, keys_text(&keys.value), keys_json(&keys.value), keys.origin)
    }

    fn context(context: &Sourced<EncryptionContext>) -> Self {
        Self::new("context", context_text(&context.value), context_json(context.value.iter()), context.origin)
    }

    fn text(&self, file: &Path) -> String {
        match self.origin {
            Some(origin) => format!("{:<13}  {}  ({})", self.name, self.text, origin.text(file)),
            None => format!("{:<13}  {}", self.name, self.text),
        }
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "value": self.value, "origin": self.origin.map(Origin::json) })
    }
}

/// Every setting that there is.
fn all(home: &Home, file: &Path, config: &Config, choice: &Choice) -> Result<Vec<Setting>, CliError> {
    let (data, origin) = home.data();
    let mut settings = vec![Setting::path("home", data, origin)];
    let mut configuration = Setting::path("configuration", file, home.config_origin());
    if !file.exists() {
        configuration.text.push_str(", which is not there");
    }
    settings.push(configuration);
    settings.push(match AwsOptions::default().kms_place()? {
        Some(place) => {
            let place = place.to_string();
            Setting::new("key store", shown(&place), json!(place), Origin::Environment("WAXSEAL_KMS"))
        }
        None => Setting::path("key store", &home.kms(), origin),
    });
    let Chosen { keys, context, .. } = choice.chosen(None);
    settings.extend([Setting::keys("key", &keys), Setting::context(&context)]);
    settings.extend(always(config));
    for key in &config.trusted_keys {
        let origin = Origin::Configuration { line: key.line };
        settings.push(Setting::new("trusted key", key.value.to_string(), json!(key.value.to_string()), origin));
    }
    settings.extend(config.rules.iter().map(|rule| of_rule("rule", rule)));
    Ok(settings)
}

/// What a file gets at a real path.
fn of_path(path: &Path, config: &Config, choice: &Choice) -> Vec<Setting> {
    let mut settings = vec![Setting::answer("path", shown(&path.to_string_lossy()), json!(path.to_string_lossy()))];
    let rule = choice.rule_of(path);
    settings.push(match rule.and_then(|rule| choice.rules().get(rule)) {
        Some(rule) => of_rule("rule", rule),
        None if choice.is_decided() => {
            Setting::answer("rule", "none counts: the environment says what all new files get", Value::Null)
        }
        None => Setting::answer("rule", "none", Value::Null),
    });
    let Chosen { keys, context, .. } = choice.chosen(rule);
    settings.extend([Setting::keys("key", &keys), Setting::context(&context)]);
    settings.extend(always(config));
    if path.is_dir() {
        let parts = choice.rules_within(path).into_iter().filter_map(|part| choice.rules().get(part));
        settings.extend(parts.map(|part| of_rule("for parts", part)));
    }
    settings
}

fn always(config: &Config) -> impl Iterator<Item = Setting> {
    config.always_keys.iter().map(|key| {
        let origin = Origin::Configuration { line: key.line };
        Setting::new("always key", key.value.to_string(), json!(key.value.to_string()), origin)
    })
}

fn of_rule(name: &'static str, rule: &Rule) -> Setting {
    let keys = rule.key.as_ref().map(|keys| format!("key {}", keys_text(&keys.value)));
    let context = rule.context.as_ref().map(|context| format!("context {}", context_text(&context.value)));
    let says = keys.into_iter().chain(context).collect::<Vec<_>>().join("; ");
    let mut value = Map::new();
    value.insert("path".into(), json!(rule.path.value));
    value.insert("key".into(), rule.key.as_ref().map_or(Value::Null, |keys| keys_json(&keys.value)));
    let context = rule.context.as_ref().map(|context| context_json(context.value.iter()));
    value.insert("context".into(), context.unwrap_or(Value::Null));
    let text = format!("{}: {says}", shown(&rule.path.value));
    Setting::new(name, text, value.into(), Origin::Configuration { line: rule.path.line })
}

fn keys_text(keys: &[KeyReference]) -> String {
    keys.iter().map(|key| shown(&key.to_string())).collect::<Vec<_>>().join(", ")
}

fn keys_json(keys: &[KeyReference]) -> Value {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

fn context_text(context: &EncryptionContext) -> String {
    let pairs: Vec<String> = context.iter().map(|(name, value)| format!("{}={}", shown(name), shown(value))).collect();
    if pairs.is_empty() { "none".to_owned() } else { pairs.join(", ") }
}
