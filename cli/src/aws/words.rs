//! The command line, read by the table of the service model: `[OPTIONS] kms [OPTIONS] OPERATION [OPTIONS]`.
//!
//! It is read as the AWS CLI reads it: options may stand before `kms`, may be shortened, take their value in the next word
//! or behind an equals sign, and lists go on until the next option.

use waxseal_kms_local::model::{self, Member, Operation, Shape};

use super::globals::{self, GLOBALS, Global, Takes, Whose};
use super::option_value::Given;
use crate::error::CliError;
use crate::shown::shown;

/// A command line that was read.
pub(super) struct Words {
    /// The operation.
    pub(super) operation: &'static Operation,
    /// Its members that have options of their own on the command line.
    pub(super) given: Vec<(&'static Member, Given)>,
    /// The options that hold for every operation, and those that are no members; the last of each name is there.
    pub(super) others: Vec<(&'static str, Option<String>)>,
    /// Whether help was asked for instead.
    pub(super) help: bool,
}

impl Words {
    /// Whether an option without a value was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.others.iter().any(|(known, _)| *known == name)
    }

    /// The value of an option.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.as_deref())
    }
}

/// The words that are no options and no values of options before the operation, and where they stand: the command and
/// the operation, as far as they are there.
pub(super) fn positions(words: &[String]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < words.len() && found.len() < 2 {
        let word = &words[index];
        if !is_option(word) {
            found.push(index);
        } else if takes_next(word) {
            index += 1;
        }
        index += 1;
    }
    found
}

/// Whether the next word is the value of this option.
fn takes_next(word: &str) -> bool {
    let Some(name) = word.strip_prefix("--").filter(|name| !name.contains('=')) else { return false };
    let exact = globals::global(name);
    let mut shortened = GLOBALS.iter().filter(|global| global.whose == Whose::Aws && global.name.starts_with(name));
    let found = exact.or_else(|| shortened.next().filter(|_| shortened.next().is_none()));
    found.is_some_and(|global| global.takes != Takes::Nothing)
}

/// Reads the words after the program's name. `operation` is the place of the operation's name among them.
///
/// # Errors
/// An operation or option is unknown, a value is missing or not one of those there are, or a needed option is missing.
pub(super) fn read(words: &[String], service: usize, operation: usize) -> Result<Words, CliError> {
    let name = &words[operation];
    let Some(found) = model::operations().iter().find(|known| kebab(known.name) == *name) else {
        return Err(unknown_operation(name));
    };
    let mut reader = Reader {
        words: Words { operation: found, given: Vec::new(), others: Vec::new(), help: false },
        unknown: vec![],
    };
    let before = words[..operation].iter().enumerate().filter(|(index, _)| *index != service);
    let before: Vec<&str> = before.map(|(_, word)| word.as_str()).collect();
    reader.read(&before, &[])?;
    let after: Vec<&str> = words[operation + 1..].iter().map(String::as_str).collect();
    if after == ["help"] {
        reader.words.help = true;
    } else {
        reader.read(&after, found.input)?;
    }
    if reader.words.help || reader.words.has("version") {
        return Ok(reader.words);
    }
    let missing = missing(&reader.words);
    if !missing.is_empty() {
        return Err(wrong(found, format!("the following arguments are required: {}", missing.join(", "))));
    }
    if !reader.unknown.is_empty() {
        return Err(wrong(found, format!("Unknown options: {}", shown(&reader.unknown.join(", ")))));
    }
    Ok(reader.words)
}

/// The options that have to be there and are not.
fn missing(words: &Words) -> Vec<String> {
    let skeleton = words.has(globals::SKELETON) && words.value(globals::SKELETON) != Some("output");
    if skeleton || words.has(globals::INPUT_JSON) {
        return Vec::new();
    }
    let is_given = |member: &Member| words.given.iter().any(|(given, _)| given.name == member.name);
    let needed = words.operation.input.iter().filter(|member| member.required && !is_given(member));
    needed.map(|member| format!("--{}", kebab(member.name))).collect()
}

struct Reader {
    words: Words,
    unknown: Vec<String>,
}

/// What an option was found to be.
#[derive(Clone, Copy)]
enum Found {
    Member(&'static Member),
    /// A boolean member, set to false.
    Negated(&'static Member),
    Global(&'static Global),
    Extra(&'static str),
}

impl Reader {
    fn read(&mut self, words: &[&str], members: &'static [Member]) -> Result<(), CliError> {
        let mut rest = words.iter().copied().peekable();
        while let Some(word) = rest.next() {
            match word {
                "--help" | "-h" => self.words.help = true,
                "-q" => self.set("quiet", None),
                "-v" => self.set("verbose", None),
                _ if !is_option(word) || !word.starts_with("--") => self.unknown.push(word.to_owned()),
                _ => {
                    let (name, inline) = match word[2..].split_once('=') {
                        Some((name, value)) => (name, Some(value)),
                        None => (&word[2..], None),
                    };
                    if let Some((refused, instead)) = globals::REFUSED.iter().find(|(refused, _)| *refused == name) {
                        return Err(CliError::usage(format!("--{refused} is not here")).hint(*instead));
                    }
                    match self.find(name, members)? {
                        Some(found) => self.take(found, inline, &mut rest)?,
                        None => self.unknown.push(word.to_owned()),
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds the option of this name, or the only one that begins like it.
    fn find(&self, name: &str, members: &'static [Member]) -> Result<Option<Found>, CliError> {
        let mut known: Vec<(String, Found)> = Vec::new();
        for member in members {
            known.push((kebab(member.name), Found::Member(member)));
            if matches!(member.shape, Shape::Boolean) {
                known.push((format!("no-{}", kebab(member.name)), Found::Negated(member)));
            }
        }
        if !members.is_empty() {
            known.extend(self.extras().into_iter().map(|extra| (extra.to_owned(), Found::Extra(extra))));
        }
        known.extend(GLOBALS.iter().map(|global| (global.name.to_owned(), Found::Global(global))));
        if let Some((_, found)) = known.iter().find(|(known, _)| known == name) {
            return Ok(Some(*found));
        }
        let is_ours = |found: &Found| matches!(found, Found::Global(global) if global.whose == Whose::Ours);
        known.retain(|(known, found)| known.starts_with(name) && !is_ours(found));
        match known.as_slice() {
            [] => Ok(None),
            [(_, only)] => Ok(Some(*only)),
            several => {
                let names: Vec<String> = several.iter().map(|(name, _)| format!("--{name}")).collect();
                let text = format!("ambiguous option: --{} could match {}", shown(name), names.join(", "));
                Err(wrong(self.words.operation, text))
            }
        }
    }

    /// The options of this operation that are no members.
    fn extras(&self) -> Vec<&'static str> {
        let mut extras = vec![globals::INPUT_JSON, globals::SKELETON];
        if self.words.operation.pages.is_some() {
            extras.extend([globals::STARTING_TOKEN, globals::PAGE_SIZE, globals::MAX_ITEMS]);
        }
        extras
    }

    /// Takes an option with what follows it.
    fn take<'a>(
        &mut self,
        found: Found,
        inline: Option<&'a str>,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Result<(), CliError> {
        let operation = self.words.operation;
        let mut value = |name: &str| match inline.or_else(|| rest.next_if(|word| !is_option(word))) {
            Some(value) => Ok(value.to_owned()),
            None => Err(wrong(operation, format!("argument --{name}: expected one argument"))),
        };
        let nothing = |name: &str| match inline {
            Some(_) => Err(wrong(operation, format!("argument --{name}: takes no value"))),
            None => Ok(()),
        };
        match found {
            Found::Member(member) => {
                let name = kebab(member.name);
                let given = match member.shape {
                    Shape::Boolean => {
                        nothing(&name)?;
                        Given::Flag(true)
                    }
                    Shape::List { .. } => {
                        let mut values: Vec<String> = inline.iter().map(|value| (*value).to_owned()).collect();
                        while let Some(word) = rest.next_if(|word| inline.is_none() && !is_option(word)) {
                            values.push(word.to_owned());
                        }
                        Given::Many(values)
                    }
                    _ => Given::One(value(&name)?),
                };
                self.give(member, given);
            }
            Found::Negated(member) => {
                nothing(&format!("no-{}", kebab(member.name)))?;
                self.give(member, Given::Flag(false));
            }
            Found::Extra(globals::SKELETON) => {
                let value = inline.or_else(|| rest.next_if(|word| !is_option(word)));
                let value = value.unwrap_or("input").to_owned();
                choice(operation, globals::SKELETON, &value, &["input", "output"])?;
                self.set(globals::SKELETON, Some(value));
            }
            Found::Extra(name) => {
                let value = value(name)?;
                self.set(name, Some(value));
            }
            Found::Global(Global { name, takes: Takes::Nothing, .. }) => {
                nothing(name)?;
                self.set(name, None);
            }
            Found::Global(Global { name, takes, .. }) => {
                let value = value(name)?;
                if let Takes::OneOf(choices) = takes {
                    choice(operation, name, &value, choices)?;
                }
                self.set(name, Some(value));
            }
        }
        Ok(())
    }

    /// The last one wins.
    fn give(&mut self, member: &'static Member, given: Given) {
        self.words.given.retain(|(known, _)| known.name != member.name);
        self.words.given.push((member, given));
    }

    fn set(&mut self, name: &'static str, value: Option<String>) {
        self.words.others.retain(|(known, _)| *known != name);
        self.words.others.push((name, value));
    }
}

fn choice(operation: &Operation, name: &str, value: &str, choices: &[&str]) -> Result<(), CliError> {
    if choices.contains(&value) {
        return Ok(());
    }
    let text = format!("argument --{name}: invalid choice: '{}' (choose from {})", shown(value), choices.join(", "));
    Err(wrong(operation, text))
}

/// Whether a word is an option rather than a value: negative numbers, a lone hyphen and texts with blanks are values.
fn is_option(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('-') else { return false };
    let is_number = rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let name = rest.split('=').next().unwrap_or_default();
    !rest.is_empty() && !is_number && !name.contains(' ')
}

fn wrong(operation: &Operation, text: String) -> CliError {
    CliError::usage(text).hint(format!("see 'waxseal kms {} help'", kebab(operation.name)))
}

fn unknown_operation(name: &str) -> CliError {
    let alike = |known: &str| {
        let first = |text: &str| text.split('-').map(ToOwned::to_owned).collect::<Vec<_>>();
        let (one, other) = (first(known), first(name));
        one.iter().filter(|word| other.contains(word)).count() * 2 > one.len().max(other.len())
    };
    let names = model::operations().iter().map(|operation| kebab(operation.name));
    let similar: Vec<String> = names.filter(|known| alike(known)).take(3).collect();
    let error = CliError::usage(format!("'{}' is no operation of AWS KMS", shown(name)));
    if similar.is_empty() {
        error.hint("'waxseal kms --help' lists them")
    } else {
        error.hint(format!("did you mean {}?", similar.join(", ")))
    }
}

/// The AWS CLI's form of a name: `GenerateDataKey` is `generate-data-key`.
pub(super) fn kebab(name: &str) -> String {
    let mut kebab = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        if character.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    kebab
}

#[cfg(test)]
mod tests;
