//! `waxseal man`: a manual page for each command, made from its help.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use serde_json::json;

use crate::args::{self, Cli};
use crate::atomic::cannot_write;
use crate::error::{Class, CliError};
use crate::output::Console;
use crate::shown::shown;

/// The section of the manual: commands.
const SECTION: &str = "1";

/// Runs the command.
pub(crate) fn run(args: &args::Man, console: &Console) -> Result<(), CliError> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let directory = &args.directory;
    fs::create_dir_all(directory).map_err(|error| cannot_write(directory, error))?;
    let mut names = Vec::new();
    write_pages(&root, directory, &mut names)?;
    let place = directory.to_string_lossy();
    console.done(
        || format!("wrote {} pages into {}", names.len(), shown(&place)),
        || json!({"v": 1, "status": "ok", "operation": "man", "directory": place, "pages": names}),
    )
}

/// Writes the page of a command, and those of the commands below it.
fn write_pages(command: &Command, directory: &Path, names: &mut Vec<String>) -> Result<(), CliError> {
    let (name, text) = page(command).map_err(|error| CliError::system(Class::Other, "cannot make a page", &error))?;
    let path = directory.join(&name);
    fs::write(&path, text).map_err(|error| cannot_write(&path, error))?;
    names.push(name);
    command.get_subcommands().try_for_each(|below| write_pages(below, directory, names))
}

/// The page of a command: its file's name, and its text.
fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let version = format!("waxseal {}", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command.clone()).section(SECTION).source(version).manual("Waxseal");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    let usage = command.clone().render_usage().to_string();
    let mut synopsis = Roff::default();
    synopsis.control("SH", ["SYNOPSIS"]).text([roman(usage.trim_start_matches("Usage: "))]).to_writer(&mut text)?;
    page.render_description_section(&mut text)?;
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, said): (Vec<&str>, Vec<&str>) = more.split("\n\n").partition(|part| part.starts_with("Example"));
    render_paragraphs(&said, &mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    if !examples.is_empty() {
        Roff::default().control("SH", ["EXAMPLES"]).to_writer(&mut text)?;
        let lines: Vec<&str> =
            examples.iter().filter_map(|part| part.split_once('\n')).map(|(_, lines)| lines).collect();
        render_paragraphs(&lines, &mut text)?;
    }
    Ok((page.get_filename(), text))
}

/// Renders paragraphs of the help: lines flow, but those that are indented stay as they are.
fn render_paragraphs(paragraphs: &[&str], text: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::default();
    for paragraph in paragraphs {
        let (verbatim, flowing): (Vec<&str>, Vec<&str>) = paragraph.lines().partition(|line| line.starts_with("  "));
        if !flowing.is_empty() {
            roff.control("PP", []).text([roman(flowing.join("\n"))]);
        }
        if !verbatim.is_empty() {
            roff.control("PP", []).control("nf", []).text([roman(verbatim.join("\n"))]).control("fi", []);
        }
    }
    roff.to_writer(text)
}
