//! The options that hold for every operation: those of the AWS CLI, and our own.

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// One word.
    Value(&'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// Whose option it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The AWS CLI's: it may be shortened as long as what is left is the beginning of one option only.
    Aws,
    /// Ours: it is written in full, so that options of AWS stay as short as they are there.
    Ours,
}

/// An option that holds for every operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Global {
    /// The name without its hyphens.
    pub(super) name: &'static str,
    /// What follows it.
    pub(super) takes: Takes,
    /// Whose it is.
    pub(super) whose: Whose,
    /// What it does, for the help.
    pub(super) what: &'static str,
}

/// The formats of `--output` that the AWS CLI knows.
const FORMATS: &[&str] = &["json", "text", "table", "yaml", "yaml-stream", "off"];

/// Options of the AWS CLI that ask for what is not here, and what to do instead.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("cli-auto-prompt", "write the options down; 'help' behind the operation lists them"),
    ("cli-input-yaml", "take --cli-input-json"),
];

/// All of them, in the order of the help.
pub(super) const GLOBALS: &[Global] = &[
    aws("output", Takes::OneOf(FORMATS), "Print json (the default) or text"),
    aws("query", Takes::Value("EXPRESSION"), "Print only what this JMESPath expression finds in the answer"),
    aws(
        "region",
        Takes::Value("REGION"),
        "Work in this region [default: $AWS_REGION, else $AWS_DEFAULT_REGION, else the key store's home]",
    ),
    aws(
        "cli-binary-format",
        Takes::OneOf(&["base64", "raw-in-base64-out"]),
        "How blobs are given: in base64 (the default), or as they are",
    ),
    aws("no-paginate", Takes::Nothing, "Make one request only, and print its answer with its marker"),
    aws("endpoint-url", Takes::Value("URL"), "Send the request there, signed, rather than to the key store"),
    aws("profile", Takes::Value("NAME"), "Send the request to AWS with this profile's credentials"),
    aws("debug", Takes::Nothing, "Changes nothing here"),
    aws("no-verify-ssl", Takes::Nothing, "Changes nothing for the key store"),
    aws("no-sign-request", Takes::Nothing, "Changes nothing for the key store"),
    aws("ca-bundle", Takes::Value("FILE"), "Changes nothing for the key store"),
    aws("cli-read-timeout", Takes::Value("SECONDS"), "Changes nothing for the key store"),
    aws("cli-connect-timeout", Takes::Value("SECONDS"), "Changes nothing for the key store"),
    aws("color", Takes::OneOf(&["on", "off", "auto"]), "Changes nothing here: answers have no colours"),
    aws("no-cli-pager", Takes::Nothing, "Changes nothing here: there is no pager"),
    aws("no-cli-auto-prompt", Takes::Nothing, "Changes nothing here: nothing is asked for"),
    aws("version", Takes::Nothing, "Print the version"),
    ours(
        "home",
        Takes::Value("DIR"),
        "Use the key store under this directory [default: $WAXSEAL_HOME, else the user's data directory]",
    ),
    ours("passphrase-file", Takes::Value("FILE"), "Read the key store's passphrase from the first line of this file"),
    ours("passphrase-command", Takes::Value("COMMAND"), "Read it from the first line that this shell command prints"),
    ours(
        "kms",
        Takes::Value("WHERE"),
        "Ask the key store that is served there: unix:PATH, or a URL [default: $WAXSEAL_KMS, else that of --home]",
    ),
    ours("provider", Takes::OneOf(&["local", "aws"]), "Ask the key store (the default), or AWS"),
    ours("json", Takes::Nothing, "Print errors as JSON, on standard output"),
    ours("quiet", Takes::Nothing, "Print errors only (also -q)"),
    ours("verbose", Takes::Nothing, "Changes nothing here (also -v)"),
];

/// What only an operation takes that makes its request from JSON, or only shows what that looks like.
pub(super) const INPUT_JSON: &str = "cli-input-json";
/// Prints a sample of the request or of the answer.
pub(super) const SKELETON: &str = "generate-cli-skeleton";
/// Where to go on in a list.
pub(super) const STARTING_TOKEN: &str = "starting-token";
/// How long a page of a list is.
pub(super) const PAGE_SIZE: &str = "page-size";
/// How much of a list is printed.
pub(super) const MAX_ITEMS: &str = "max-items";

/// The option with exactly this name.
pub(super) fn global(name: &str) -> Option<&'static Global> {
    GLOBALS.iter().find(|global| global.name == name)
}

const fn aws(name: &'static str, takes: Takes, what: &'static str) -> Global {
    Global { name, takes, whose: Whose::Aws, what }
}

const fn ours(name: &'static str, takes: Takes, what: &'static str) -> Global {
    Global { name, takes, whose: Whose::Ours, what }
}
