//! The help of an operation, made from the service model.

use waxseal_kms_local::model::{self, Member, Operation, Shape};

use super::described;
use super::globals::{GLOBALS, Global, INPUT_JSON, MAX_ITEMS, PAGE_SIZE, SKELETON, STARTING_TOKEN, Takes, Whose};
use super::request::kind;
use super::words::kebab;

/// Widest line.
const WIDTH: usize = 100;
/// Where what an option does begins.
const COLUMN: usize = 10;

/// The operations, for the help of `waxseal kms`.
pub(crate) fn operations() -> String {
    let mut text = String::from("Operations of AWS KMS, with the options and the output of 'aws kms':\n");
    for operation in model::operations().iter().filter(|operation| operation.implemented) {
        text.push_str(&format!("  {:40} {}\n", kebab(operation.name), described::operation(operation.name)));
    }
    text.push_str("\n'waxseal kms OPERATION help' says more about an operation.");
    text
}

/// The help of an operation.
pub(super) fn of(operation: &Operation) -> String {
    let name = kebab(operation.name);
    let mut text = String::new();
    let about = described::operation(operation.name);
    if !about.is_empty() {
        text.push_str(about);
        text.push_str("\n\n");
    }
    if !operation.implemented {
        text.push_str("The embedded KMS does not perform this operation: UnsupportedOperationException.\n\n");
    }
    text.push_str(&format!("Usage: waxseal kms {name}"));
    for member in operation.input.iter().filter(|member| member.required) {
        text.push_str(&format!(" --{} <{}>", kebab(member.name), kind(member.shape)));
    }
    text.push_str(" [OPTIONS]\n\nOptions:\n");
    operation.input.iter().for_each(|member| of_member(member, &mut text));
    if operation.pages.is_some() {
        option(
            &format!("--{STARTING_TOKEN} <string>"),
            "Go on where the NextToken of an earlier answer says",
            &mut text,
        );
        option(&format!("--{PAGE_SIZE} <integer>"), "Ask for so many items at once", &mut text);
        option(&format!("--{MAX_ITEMS} <integer>"), "Print so many items at most", &mut text);
    }
    option(
        &format!("--{INPUT_JSON} <json>"),
        "Take the request from this JSON text, or from file://NAME; options win over it",
        &mut text,
    );
    option(
        &format!("--{SKELETON} [input|output]"),
        "Print a sample of the request (the default) or of the answer, and do nothing",
        &mut text,
    );
    text.push_str("\nFor every operation:\n");
    let (aws, ours): (Vec<_>, Vec<_>) = GLOBALS.iter().partition(|global| global.whose == Whose::Aws);
    aws.into_iter().for_each(|global| of_global(global, &mut text));
    text.push_str("\nThe key store:\n");
    ours.into_iter().for_each(|global| of_global(global, &mut text));
    text.push_str(
        "\nA value may be file://NAME (the text of a file) or fileb://NAME (its bytes; /dev/stdin is standard input).\n",
    );
    text
}

fn of_member(member: &Member, text: &mut String) {
    let name = kebab(member.name);
    let heading = match member.shape {
        Shape::Boolean => format!("--{name} | --no-{name}"),
        Shape::List { .. } => format!("--{name} <{}>...", element(member.shape)),
        shape => format!("--{name} <{}>", kind(shape)),
    };
    let mut about = vec![described::member(member.name).to_owned(), bounds(member.shape)];
    if member.required {
        about.insert(0, "Required".to_owned());
    }
    about.retain(|part| !part.is_empty());
    option(&heading, &about.join(". "), text);
}

fn element(shape: &Shape) -> &'static str {
    match shape {
        Shape::List { member, .. } => kind(member),
        shape => kind(shape),
    }
}

/// What a value may be.
fn bounds(shape: &Shape) -> String {
    match shape {
        Shape::Enum { values } => format!("One of {}", values.join(", ")),
        Shape::Integer { min, max } => format!("{min} to {max}"),
        Shape::Text { min, max, .. } if *max < usize::MAX => format!("{min} to {max} characters"),
        Shape::Blob { min, max, .. } if *max < usize::MAX => format!("{min} to {max} bytes"),
        Shape::List { member, max, .. } => {
            let many = if *max < usize::MAX { format!("At most {max}") } else { String::new() };
            let each = shorthand(member).map(|form| format!("each {form}"));
            let parts = [Some(many).filter(|many| !many.is_empty()), each];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        shape => shorthand(shape).unwrap_or_default(),
    }
}

/// How a structure or a map is written.
fn shorthand(shape: &Shape) -> Option<String> {
    match shape {
        Shape::Map { .. } => Some("name=value,name=value or JSON".to_owned()),
        Shape::Structure(members) => {
            let form: Vec<String> =
                members.iter().map(|member| format!("{}={}", member.name, kind(member.shape))).collect();
            Some(format!("{} or JSON", form.join(",")))
        }
        _ => None,
    }
}

fn of_global(global: &Global, text: &mut String) {
    let heading = match global.takes {
        Takes::Nothing => format!("--{}", global.name),
        Takes::Value(value) => format!("--{} <{value}>", global.name),
        Takes::OneOf(choices) => format!("--{} <{}>", global.name, choices.join("|")),
    };
    option(&heading, global.what, text);
}

/// Writes an option, and what it does below it.
fn option(heading: &str, about: &str, text: &mut String) {
    text.push_str(&format!("  {heading}\n"));
    let mut line = String::new();
    for word in about.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && COLUMN + line.len() + 1 + word.len() > WIDTH {
            text.push_str(&format!("{:COLUMN$}{line}\n", ""));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        text.push_str(&format!("{:COLUMN$}{line}\n", ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_that_is_there_and_each_of_its_options_is_described() {
        for operation in model::operations().iter().filter(|operation| operation.implemented) {
            assert!(!described::operation(operation.name).is_empty(), "{}", operation.name);
            let help = of(operation);
            for member in operation.input.iter().filter(|member| !member.name.contains("Xks")) {
                assert!(help.contains(&format!("--{}", kebab(member.name))), "{}: {}", operation.name, member.name);
            }
        }
    }

    #[test]
    fn no_line_is_too_long_but_for_a_heading() {
        for operation in model::operations() {
            for line in of(operation).lines().filter(|line| line.starts_with("          ")) {
                assert!(line.chars().count() <= WIDTH || !line.trim().contains(' '), "{line}");
            }
        }
    }
}
