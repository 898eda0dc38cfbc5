//! The command line of Waxseal.

mod args;
mod atomic;
mod aws;
#[cfg(feature = "fuse")]
mod background;
mod batch;
mod commands;
mod config;
mod descriptors;
#[cfg(feature = "fuse")]
mod duration;
mod error;
mod hardening;
mod home;
mod input;
mod interrupt;
mod kms_place;
mod launch;
mod library_errors;
#[cfg(feature = "fuse")]
mod mounts;
mod origin;
mod output;
mod passphrase;
mod place;
mod progress;
mod range;
mod report;
mod session;
mod shown;
mod stream;
mod target;
mod tree;
mod version;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::{ContextKind, ContextValue};

use crate::args::Cli;
use crate::error::CliError;
use crate::launch::Called;
use crate::output::{Console, Volume};
use crate::shown::shown;

fn main() -> ExitCode {
    let launch = match launch::read(std::env::args_os()) {
        Ok(Called::Command(launch)) => launch,
        Ok(Called::Nothing) => return ExitCode::SUCCESS,
        Err(error) => return fail(&Console::new(Volume::Normal, false), &error),
    };
    if let Some(call) = aws::Call::recognise(&launch.words) {
        return call.run();
    }
    let cli = match Cli::try_parse_from(&launch.words) {
        Ok(cli) => cli,
        Err(refusal) => return explain(&refusal),
    };
    let console = Console::for_common(&cli.common);
    #[cfg(feature = "fuse")]
    if commands::goes_into_the_background(&cli) && !launch.in_background {
        return background::start(&launch).unwrap_or_else(|error| fail(&console, &error));
    }
    let result = commands::run(cli, &console);
    console.stop_drawing();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&console, &error),
    }
}

/// Prints an error, and gives its exit code.
fn fail(console: &Console, error: &CliError) -> ExitCode {
    console.error(error);
    ExitCode::from(error.class().exit_code())
}

/// Prints what clap says: help and version to standard output, a refusal as text or, if JSON was asked for, as JSON.
fn explain(refusal: &clap::Error) -> ExitCode {
    if let Some(error) = no_command(refusal) {
        let json = std::env::args_os().any(|argument| argument == "--json");
        return fail(&Console::new(Volume::Normal, json), &error);
    }
    let code = u8::try_from(refusal.exit_code()).unwrap_or(2);
    if code != 0 && std::env::args_os().any(|argument| argument == "--json") {
        Console::new(Volume::Normal, true).error(&usage_error(&refusal.render().to_string()));
    } else {
        // Help for a reader that is gone is nobody's loss.
        refusal.print().ok();
    }
    ExitCode::from(code)
}

/// The error of a file where a command belongs: whoever tries that has not met the commands yet.
fn no_command(refusal: &clap::Error) -> Option<CliError> {
    let Some(ContextValue::String(word)) = refusal.get(ContextKind::InvalidSubcommand) else { return None };
    Path::new(word).exists().then(|| {
        CliError::usage(format!("{} is a file, and a command belongs there", shown(word)))
            .hint("for instance 'waxseal encrypt FILE' or 'waxseal decrypt FILE'; 'waxseal --help' lists the commands")
    })
}

/// What clap says, in one line: its first paragraph, and its tip as the hint. The help that follows is for people.
fn usage_error(text: &str) -> CliError {
    let one_line = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n").map(str::trim);
    let message = paragraphs.next().unwrap_or_default();
    let built = CliError::usage(one_line(message.trim_start_matches("error: ")));
    match paragraphs.find_map(|paragraph| paragraph.strip_prefix("tip: ")) {
        Some(tip) => built.hint(one_line(tip)),
        None => built.hint("see --help"),
    }
}
