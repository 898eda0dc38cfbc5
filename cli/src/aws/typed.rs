//! The operations as commands of clap, so that shells complete them. Nothing is parsed with them.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};
use waxseal_kms_local::model::{self, Member, Operation, Shape};

use super::described;
use super::globals::{GLOBALS, Takes};
use super::words::kebab;

/// The options for every operation that are worth completing: the others change nothing, or are every command's.
const COMPLETED: &[&str] = &["output", "query", "region", "endpoint-url", "profile", "provider", "kms"];

/// Adds the operations to the command `waxseal kms`.
pub(crate) fn with_operations(kms: Command) -> Command {
    kms.subcommands(model::operations().iter().filter(|operation| operation.implemented).map(of))
}

fn of(operation: &Operation) -> Command {
    let globals = GLOBALS.iter().filter(|global| COMPLETED.contains(&global.name)).map(|global| {
        let option = Arg::new(global.name).long(global.name).help(global.what);
        match global.takes {
            Takes::Nothing => option.action(ArgAction::SetTrue),
            Takes::Value(name) => option.value_name(name),
            Takes::OneOf(values) => option.value_parser(PossibleValuesParser::new(values)),
        }
    });
    let members = operation.input.iter().flat_map(of_member);
    Command::new(kebab(operation.name)).about(described::operation(operation.name)).args(members).args(globals)
}

fn of_member(member: &Member) -> Vec<Arg> {
    let name = kebab(member.name);
    let option = |name: String| Arg::new(name.clone()).long(name).help(described::member(member.name));
    match member.shape {
        Shape::Boolean => {
            let options = [option(name.clone()), option(format!("no-{name}"))];
            options.map(|option| option.action(ArgAction::SetTrue)).into()
        }
        Shape::Enum { values } => vec![option(name).value_parser(PossibleValuesParser::new(*values))],
        Shape::List { .. } => vec![option(name).num_args(1..)],
        _ => vec![option(name)],
    }
}
