//! `waxseal kms OPERATION`: the operations of AWS KMS, with the names, the options and the output of the AWS CLI.
//!
//! clap does not know these commands. Their options come from the service model, and how they are written is the AWS
//! CLI's affair: version 2's, where the versions differ (docs/kms.md says where).

mod answer;
mod data;
mod described;
mod files;
mod globals;
mod help;
mod option_value;
mod pages;
mod print;
mod query;
mod request;
mod service;
mod shorthand;
mod skeleton;
mod time;
mod typed;
mod words;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use self::data::Data;
pub(crate) use self::help::operations as help_for_operations;
use self::pages::Pages;
use self::print::Format;
use self::query::Query;
use self::request::BinaryFormat;
use self::service::Service;
pub(crate) use self::typed::with_operations;
use self::words::Words;
use crate::args::Cli;
use crate::commands;
use crate::error::{Class, CliError};
use crate::output::{Console, Volume};

/// The name of a link to this program by which it takes the place of the AWS CLI.
const AWS: &str = "aws";
/// The service whose operations these are.
pub(crate) const SERVICE: &str = "kms";

/// As whom the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CalledAs {
    /// As itself.
    Waxseal,
    /// As the AWS CLI, whose exit codes it gives then.
    Aws,
}

/// A command line that is read here and not by clap.
#[derive(Debug)]
pub(crate) struct Call {
    called_as: CalledAs,
    /// The words after the program's name.
    words: Vec<String>,
    /// Where the service and the operation stand among them, as far as they are there.
    positions: Vec<usize>,
}

impl Call {
    /// Recognises a command line of ours: `kms` with a word behind it that is none of clap's commands, or any at all if the
    /// program is called `aws`.
    pub(crate) fn recognise(words: &[OsString]) -> Option<Self> {
        let (program, rest) = words.split_first()?;
        let called_as = match Path::new(program).file_name().and_then(OsStr::to_str) {
            Some(AWS) => CalledAs::Aws,
            _ => CalledAs::Waxseal,
        };
        // What is not UTF-8 is the name of a file in some other command, or found to be no value here.
        let words: Vec<String> = rest.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let positions = words::positions(&words);
        let is_ours = match positions[..] {
            [service, operation] => words[service] == SERVICE && !is_of_clap(&words[operation]),
            _ => false,
        };
        (is_ours || called_as == CalledAs::Aws).then_some(Self { called_as, words, positions })
    }

    /// Carries it out.
    pub(crate) fn run(self) -> ExitCode {
        let is = |option: &str| self.words.iter().any(|word| word == option);
        let volume = if is("-q") || is("--quiet") { Volume::Quiet } else { Volume::Normal };
        let console = Console::new(volume, is("--json"));
        match self.carry_out(&console) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                console.error(&error);
                ExitCode::from(self.exit_code(&error))
            }
        }
    }

    fn carry_out(&self, console: &Console) -> Result<(), CliError> {
        match self.positions[..] {
            [service, operation] if self.words[service] == SERVICE && self.words[operation] != "help" => {
                let words = words::read(&self.words, service, operation)?;
                commands::guarded(|| perform(&words, console))
            }
            [service, ..] if self.words[service] == SERVICE => print::to_stdout(&help_of_kms()),
            _ if self.words.iter().any(|word| word == "--version") => version(),
            _ => Err(CliError::usage("only the service kms is here: aws [OPTIONS] kms OPERATION [OPTIONS]")
                .hint("this is waxseal under the name aws: for other services call the AWS CLI by its own path")),
        }
    }

    fn exit_code(&self, error: &CliError) -> u8 {
        match self.called_as {
            CalledAs::Waxseal => error.class().exit_code(),
            CalledAs::Aws => aws_exit_code(error),
        }
    }
}

/// The AWS CLI's exit code (<https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-returncodes.html>).
fn aws_exit_code(error: &CliError) -> u8 {
    match error.class() {
        Class::ClosedPipe => 0,
        Class::Usage => 252,
        // The service has answered.
        _ if error.is_verbatim() => 254,
        // There is no key store, or it cannot be used.
        Class::KeyRefused | Class::KeyUnavailable => 253,
        _ => 255,
    }
}

/// Whether a word behind `kms` is a command of clap's.
fn is_of_clap(word: &str) -> bool {
    let command = Cli::command();
    command.find_subcommand(SERVICE).is_some_and(|kms| kms.get_subcommands().any(|known| known.get_name() == word))
}

fn help_of_kms() -> String {
    let mut command = Cli::command();
    command.build();
    command.find_subcommand_mut(SERVICE).map(|kms| kms.render_help().to_string()).unwrap_or_default()
}

fn version() -> Result<(), CliError> {
    print::to_stdout(&format!("waxseal {}\n", env!("CARGO_PKG_VERSION")))
}

/// Performs an operation and prints its answer.
fn perform(words: &Words, console: &Console) -> Result<(), CliError> {
    let operation = words.operation;
    if words.help {
        return print::to_stdout(&help::of(operation));
    }
    if words.has("version") {
        return version();
    }
    let format = Format::named(&output_format(words))?;
    let query = words.value("query").map(|text| Query::new(text, operation.output)).transpose()?;
    if words.value(globals::SKELETON) == Some("input") {
        let sample = skeleton::sample(operation.input, skeleton::Sample::Request);
        return print::answer(sample, Format::Json, None);
    }
    let params = params(words)?;
    let binary = match words.value("cli-binary-format") {
        Some("raw-in-base64-out") => BinaryFormat::Raw,
        _ => BinaryFormat::Base64,
    };
    let pages = Pages::of(operation, words, &params)?;
    // Whatever is wrong with the request is said before a key store is opened, or even made.
    let body = request::body(operation.input, &params, binary)?;
    if words.has(globals::SKELETON) {
        let sample = skeleton::sample(operation.output, skeleton::Sample::Answer);
        return print::answer(sample, format, query.as_ref());
    }
    let service = Service::choose(words, &params, console)?;
    let Some(pages) = pages else {
        let answer = answer::read(operation.output, &service.call(operation, body)?)?;
        return print::answer(answer, format, query.as_ref());
    };
    let ask = |params: &[(String, Data)]| {
        let body = request::body(operation.input, params, binary)?;
        answer::read(operation.output, &service.call(operation, body)?)
    };
    if format == Format::Text {
        // Text is printed page by page, and so is what a query finds in it.
        let token =
            pages.go_through(&params, ask, |items| print::answer(pages.merged(items, None), format, query.as_ref()))?;
        let token = token.map(|token| pages::token_alone(&token));
        return token.map_or(Ok(()), |token| print::answer(token, format, query.as_ref()));
    }
    let mut all = Vec::new();
    let token = pages.go_through(&params, ask, |items| {
        all.extend(items);
        Ok(())
    })?;
    print::answer(pages.merged(all, token), format, query.as_ref())
}

/// The format of the answer: the option's, else the environment's.
fn output_format(words: &Words) -> String {
    let variable = || std::env::var("AWS_DEFAULT_OUTPUT").ok().filter(|value| !value.is_empty());
    words.value("output").map(ToOwned::to_owned).or_else(variable).unwrap_or_else(|| "json".to_owned())
}

/// The parameters of the request: those of the command line, then those of `--cli-input-json` that it does not have.
fn params(words: &Words) -> Result<Vec<(String, Data)>, CliError> {
    let mut params = Vec::with_capacity(words.given.len());
    for (member, given) in &words.given {
        let value = option_value::read(member.shape, given.clone())
            .map_err(|error| error.within(&format!("Error parsing parameter '--{}': ", words::kebab(member.name))))?;
        params.push((member.name.to_owned(), value));
    }
    if let Some(text) = words.value(globals::INPUT_JSON) {
        let within = |error: CliError| error.within("Error parsing parameter '--cli-input-json': ");
        let file = files::read(text).map_err(within)?;
        let json = match &file {
            Some(Data::Text(text)) => text.as_str(),
            Some(_) => return Err(within(CliError::usage("JSON is text").hint("name the file with file://"))),
            None => text,
        };
        let Data::Map(pairs) = option_value::json(json).map_err(within)? else {
            return Err(within(CliError::usage("a JSON object is expected")));
        };
        for (name, value) in pairs {
            if !params.iter().any(|(known, _)| *known == name) {
                params.push((name, value));
            }
        }
    }
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(line: &str) -> bool {
        Call::recognise(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).is_some()
    }

    #[test]
    fn only_operations_are_taken_from_clap() {
        for line in [
            "waxseal kms list-keys",
            "waxseal kms nonsense",
            "waxseal kms help",
            "waxseal --region x kms describe-key --key-id kms",
            "waxseal --home d kms --output text list-keys",
            "/usr/local/bin/aws s3 ls",
            "aws kms init",
            "aws",
        ] {
            assert!(recognised(line), "{line}");
        }
        for line in [
            "waxseal",
            "waxseal kms",
            "waxseal kms --help",
            "waxseal kms init",
            "waxseal --home d kms backup kms",
            "waxseal encrypt kms list-keys",
            "waxseal --home kms status list-keys",
        ] {
            assert!(!recognised(line), "{line}");
        }
    }
}
