//! The configuration file as it is written: TOML, in which what is not known is a mistake, never nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use waxseal_container::{Core, Suite};
use waxseal_key_service::{EncryptionContext, KeyId, KeyReference, Provider};

use super::lines::{Lined, Lines};
use super::rules::MAX_RULES;
use super::{Config, Rule};
use crate::error::CliError;
use crate::shown::shown;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    trusted_keys: Vec<Spanned<String>>,
    always_keys: Vec<Spanned<String>>,
    key: Option<Spanned<OneOrMore>>,
    context: Option<Spanned<BTreeMap<String, String>>>,
    rules: Vec<Spanned<WrittenRule>>,
}

/// One `[[rules]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenRule {
    path: Spanned<String>,
    key: Option<Spanned<OneOrMore>>,
    context: Option<Spanned<BTreeMap<String, String>>>,
}

/// One text, or a list of texts.
#[derive(Debug)]
struct OneOrMore(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key, or a list of keys")
            }

            fn visit_str<E>(self, one: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![one.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut more: A) -> Result<OneOrMore, A::Error> {
                let mut all = Vec::new();
                while let Some(one) = more.next_element()? {
                    all.push(one);
                }
                Ok(OneOrMore(all))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Reads the text of a configuration file. Errors name the line.
pub(super) fn parse(text: &str) -> Result<Config, CliError> {
    let lines = &Lines::of(text);
    let written: Written = toml::from_str(text).map_err(|error| {
        let line = lines.at(error.span().map_or(0, |span| span.start));
        at_line(line, error.message()).hint(
            "it knows key, context, trusted-keys and always-keys, and [[rules]] with path, key and context: docs/config.md",
        )
    })?;
    if let Some(extra) = written.rules.get(MAX_RULES) {
        return Err(at_line(
            lines.at(extra.span().start),
            &format!("there are {} rules, and {MAX_RULES} is the most", written.rules.len()),
        )
        .hint("one pattern can be of several places: /srv/{hr,it}/**, /srv/*/private"));
    }
    let each = |keys: Vec<Spanned<String>>| keys.into_iter().map(|key| Lined::of(lines, key));
    Ok(Config {
        file: PathBuf::new(),
        trusted_keys: each(written.trusted_keys)
            .map(|key| key.map(|key, line| trusted(&key, line)))
            .collect::<Result<_, _>>()?,
        always_keys: each(written.always_keys)
            .map(|key| key.map(|name, line| one_key("always-keys", &name, line)))
            .collect::<Result<_, _>>()?,
        key: keys(lines, written.key)?,
        context: context(lines, written.context)?,
        rules: written.rules.into_iter().map(|written| rule(lines, written)).collect::<Result<_, _>>()?,
    })
}

fn rule(lines: &Lines, written: Spanned<WrittenRule>) -> Result<Rule, CliError> {
    let Lined { value: written, line } = Lined::of(lines, written);
    let path = Lined::of(lines, written.path);
    let rule = Rule { path, key: keys(lines, written.key)?, context: context(lines, written.context)? };
    if rule.key.is_none() && rule.context.is_none() {
        return Err(
            at_line(line, "the rule says nothing of the files that it is of").hint("give it a key, a context, or both")
        );
    }
    rule.check().map_err(|(problem, hint)| at_line(rule.path.line, &problem).hint(hint))?;
    Ok(rule)
}

fn keys(lines: &Lines, written: Option<Spanned<OneOrMore>>) -> Result<Option<Lined<Vec<KeyReference>>>, CliError> {
    let Some(written) = written else { return Ok(None) };
    let named = |OneOrMore(names): OneOrMore, line| {
        if names.is_empty() {
            return Err(at_line(line, "key: no key is named").hint("leave it out to have the default"));
        }
        names.iter().map(|name| one_key("key", name, line)).collect()
    };
    Lined::of(lines, written).map(named).map(Some)
}

fn one_key(member: &str, name: &str, line: usize) -> Result<KeyReference, CliError> {
    name.parse().map_err(|error: waxseal_key_service::KeyIdError| at_line(line, &format!("{member}: {error}")))
}

/// A trusted key is named by its ARN: what an alias stands for is for others to change.
fn trusted(name: &str, line: usize) -> Result<KeyId, CliError> {
    match name.parse() {
        Ok(KeyReference { provider: Provider::Aws, key: key @ KeyId::Arn(_) }) => Ok(key),
        _ => Err(at_line(line, &format!("trusted-keys: {:?} is not the ARN of a key of AWS KMS", shown(name)))
            .hint("it looks like arn:aws:kms:REGION:ACCOUNT:key/ID; keys of the embedded KMS need no trust")),
    }
}

fn context(
    lines: &Lines,
    written: Option<Spanned<BTreeMap<String, String>>>,
) -> Result<Option<Lined<EncryptionContext>>, CliError> {
    let Some(written) = written else { return Ok(None) };
    let made = |pairs: BTreeMap<String, String>, line| {
        let wrong = |problem: &dyn fmt::Display| at_line(line, &format!("context: {problem}"));
        let mut context = EncryptionContext::new();
        for (name, value) in pairs {
            context.insert(name, value).map_err(|error| wrong(&error))?;
        }
        // No file could hold it, so nobody waits for one to find out.
        Core::new(Suite::default(), context.clone(), None).map_err(|error| wrong(&error))?;
        Ok(context)
    };
    Lined::of(lines, written).map(made).map(Some)
}

fn at_line(line: usize, problem: &str) -> CliError {
    CliError::usage(format!("line {line}: {}", shown(problem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn line_of_mistake(text: &str) -> String {
        let error = parse(text).unwrap_err();
        error.text().0.to_owned()
    }

    #[test]
    fn keys_are_read_and_nothing_is_allowed() {
        assert_eq!(parse("# nothing\n").unwrap(), Config::default());
        let config = parse(&format!("trusted-keys = [\"{ARN}\"]\nalways-keys = [\"alias/x\",\n \"{ARN}\"]")).unwrap();
        assert_eq!(config.trusted_keys, [Lined { value: ARN.parse().unwrap(), line: 1 }]);
        assert_eq!(config.always_keys.iter().map(|key| key.line).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn defaults_and_rules_are_read_with_their_lines() {
        let config = parse(
            "key = \"alias/a\"\ncontext = { project = \"apollo\" }\n\n[[rules]]\npath = \"/srv/hr/**\"\n\
             key = [\"alias/b\", \"alias/c\"]\n\n[[rules]]\npath = \"~/x\"\n[rules.context]\na = \"b\"\n",
        )
        .unwrap();
        assert_eq!(config.key, Some(Lined { value: vec!["alias/a".parse().unwrap()], line: 1 }));
        let context = config.context.unwrap();
        assert_eq!((context.value.get("project"), context.line), (Some("apollo"), 2));
        let [first, second] = &config.rules[..] else { panic!("{:?}", config.rules) };
        assert_eq!((first.path.value.as_str(), first.path.line), ("/srv/hr/**", 5));
        assert_eq!(first.key.as_ref().map(|key| (key.value.len(), key.line)), Some((2, 6)));
        assert_eq!((first.context.as_ref(), second.key.as_ref()), (None, None));
        assert_eq!(second.context.as_ref().map(|context| context.line), Some(10));
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_line() {
        for text in [
            "\ntrusted-key = []",
            "\ntrusted-keys = 1",
            "\n[trust]\nkeys = []",
            "\n=",
            "\nalways-keys = [1]",
            "\nkey = 1",
            "\nkey = []",
            "\nkey = [\n1]",
            "\nkey = \"x\"",
            "\ncontext = { a = 1 }",
            "\ncontext = { \"waxseal:a\" = \"1\" }",
            "\ncontext = { \"\" = \"1\" }",
            "\n[[rules]]\nkey = \"alias/a\"",
            "\n[[rules]]\npath = \"/x\"",
        ] {
            let message = line_of_mistake(text);
            assert!(message.contains("line 2: ") || text.contains("[\n1") && message.contains("line 3: "), "{message}");
        }
        for (text, line) in [
            ("[[rules]]\npath = \"x\"\nkey = \"alias/a\"", 2),
            ("[[rules]]\npath = \"/[\"\nkey = \"alias/a\"", 2),
            ("[[rules]]\npath = \"/x\"\nkeys = \"alias/a\"", 3),
            ("[[rules]]\npath = \"/x\"\nkey = \"a b\"", 3),
            ("always-keys = [\n  \"alias/a\",\n  \"x\"]", 3),
        ] {
            assert!(line_of_mistake(text).contains(&format!("line {line}: ")), "{}", line_of_mistake(text));
        }
        let rules = |count| "[[rules]]\npath = \"/x\"\nkey = \"alias/a\"\n".repeat(count);
        assert_eq!(parse(&rules(1000)).unwrap().rules.len(), 1000);
        assert!(line_of_mistake(&rules(1001)).starts_with("line 3001: there are 1001 rules, and 1000 is the most"));
        let long = "x".repeat(600);
        assert!(line_of_mistake(&format!("context = {{ a = \"{long}\" }}")).contains("line 1: context: "));
    }

    #[test]
    fn only_a_key_arn_of_aws_is_trusted() {
        let local = ARN.replace("111122223333", "000000000000");
        for key in ["alias/x", "aws:alias/x", &ARN[ARN.len() - 36..], &local, "x"] {
            assert!(parse(&format!("trusted-keys = [{key:?}]")).is_err(), "{key}");
        }
        assert!(parse(&format!("trusted-keys = [\"aws:{local}\"]")).is_ok());
        assert!(parse("always-keys = [\"x\"]").is_err());
    }
}
