//! The words of `waxseal completions` and `waxseal man`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum as _, ValueHint};
use clap_complete::Shell;

/// The shells that there are completions for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// `waxseal completions`.
#[derive(Debug, Args)]
#[command(after_help = "The shell reads the script when it starts; a new shell completes commands, options and files.

Examples:
  waxseal completions bash > ~/.local/share/bash-completion/completions/waxseal
  waxseal completions zsh > ~/.zfunc/_waxseal       with fpath+=~/.zfunc before compinit in ~/.zshrc
  waxseal completions fish > ~/.config/fish/completions/waxseal.fish")]
pub(crate) struct Completions {
    /// Shell that is to complete
    #[arg(value_name = "SHELL", value_parser = shell_parser())]
    pub(crate) shell: Shell,
}

/// `waxseal man`.
#[derive(Debug, Args)]
#[command(
    after_help = "Pages that are there are replaced. DIR is made if it is missing. man(1) looks beside the directories
of programs: for one in ~/.cargo/bin, in ~/.cargo/share/man.

Example:
  waxseal man ~/.cargo/share/man/man1     then 'man waxseal-encrypt' finds it"
)]
pub(crate) struct Man {
    /// Directory to write the pages into
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
}

/// Parses one of [`SHELLS`]. The library knows more of them, which nobody here has tried.
fn shell_parser() -> impl TypedValueParser<Value = Shell> {
    let names = SHELLS.iter().filter_map(|shell| shell.to_possible_value());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Shell>())
}
