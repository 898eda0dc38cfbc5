//! `waxseal doctor`: what works here, what does not, and what to do about it.

mod keys;
mod system;

use serde_json::{Value, json};

use crate::args::{Common, Doctor};
use crate::config::Config;
use crate::error::{Class, CliError};
use crate::home::Home;
use crate::output::Console;
use crate::shown::shown;

/// Runs the command.
pub(crate) fn run(common: &Common, args: &Doctor, console: &Console) -> Result<(), CliError> {
    let home = Home::find(common.home.as_deref())?;
    let config = Config::load(&home);
    let mut findings = vec![of_configuration(&home, &config)];
    match args.aws.kms_place()? {
        // What it has for its store, only its owner knows; whether it answers, its default key shows.
        Some(place) => findings
            .push(Finding::good("key store", format!("the one that is served at {}", shown(&place.to_string())))),
        None => findings.extend(system::store(&home)),
    }
    findings.push(system::memory());
    findings.push(system::mount());
    findings.extend(keys::check(args, &home, &config.unwrap_or_default(), console)?);
    console.result(|| text(&findings), || report(&findings))?;
    match findings.iter().filter(|finding| finding.state == State::Problem).count() {
        0 => Ok(()),
        1 => Err(CliError::new(Class::Other, "there is a problem")),
        count => Err(CliError::new(Class::Other, format!("there are {count} problems"))),
    }
}

/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It works.
    Good,
    /// It works, or is not asked for, but somebody should know.
    Notice,
    /// It does not work.
    Problem,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    /// What was looked at, a word or two.
    subject: &'static str,
    state: State,
    /// How it was found, fit to be shown.
    message: String,
    /// What to do about it.
    hint: Option<String>,
    /// What only scripts are told.
    members: Value,
}

impl Finding {
    fn new(subject: &'static str, state: State, message: impl Into<String>) -> Self {
        Self { subject, state, message: message.into(), hint: None, members: json!({}) }
    }

    fn good(subject: &'static str, message: impl Into<String>) -> Self {
        Self::new(subject, State::Good, message)
    }

    /// What an error says, as a finding.
    fn failed(subject: &'static str, error: &CliError) -> Self {
        let (message, hint) = error.text();
        let finding = Self::new(subject, State::Problem, message.replace('\n', ";"));
        match hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn members(mut self, members: Value) -> Self {
        self.members = members;
        self
    }
}

fn of_configuration(home: &Home, config: &Result<Config, CliError>) -> Finding {
    let path = Config::path(home);
    let place = shown(&path.to_string_lossy());
    let finding = match config {
        Err(error) => Finding::failed("configuration", error),
        Ok(_) if !path.exists() => Finding::good("configuration", format!("none in {place}")),
        Ok(config) => {
            let (trusted, always, rules) = (config.trusted_keys.len(), config.always_keys.len(), config.rules.len());
            let counts = format!("{trusted} trusted keys, {always} always keys, {rules} rules");
            Finding::good("configuration", format!("{place}: {counts}"))
        }
    };
    finding.members(json!({ "file": path.to_string_lossy() }))
}

fn text(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        lines.push(format!("{:<8} {:<13}  {}", finding.state.word(), finding.subject, finding.message));
        lines.extend(finding.hint.iter().map(|hint| format!("{:24}hint: {hint}", "")));
    }
    lines.join("\n")
}

fn report(findings: &[Finding]) -> Value {
    let finding = |finding: &Finding| {
        let mut object = json!({
            "subject": finding.subject, "state": finding.state.word(), "message": finding.message,
            "hint": finding.hint,
        });
        if let (Some(object), Some(members)) = (object.as_object_mut(), finding.members.as_object()) {
            object.extend(members.clone());
        }
        object
    };
    json!({"v": 1, "status": "ok", "operation": "doctor", "findings": findings.iter().map(finding).collect::<Vec<_>>()})
}
