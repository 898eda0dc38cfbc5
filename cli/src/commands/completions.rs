//! `waxseal completions`.

use clap::CommandFactory as _;
use serde_json::json;

use crate::args::{Cli, Completions};
use crate::aws;
use crate::error::{Class, CliError};
use crate::output::Console;

/// Runs the command.
pub(crate) fn run(args: &Completions, console: &Console) -> Result<(), CliError> {
    let mut command = Cli::command().mut_subcommand(aws::SERVICE, aws::with_operations);
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "waxseal", &mut script);
    let script = String::from_utf8(script)
        .map_err(|_| CliError::new(Class::Other, format!("the script for {} is not text", args.shell)))?;
    let script = script.trim_end();
    console.answer(
        || script.to_owned(),
        || json!({"v": 1, "status": "ok", "operation": "completions", "shell": args.shell.to_string(), "script": script}),
    )
}
