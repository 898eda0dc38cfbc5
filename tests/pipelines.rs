//! The pipelines of `docs/pipelines.md`: each block is run by a script of `tests/full/pipelines/`, and the cheap ones are
//! run here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Run, needed};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The words behind `word` in the scripts' lines.
fn named_in_scripts(words: &[&str]) -> BTreeSet<String> {
    let scripts = fs::read_dir(project().join("tests/full/pipelines")).unwrap();
    let scripts = scripts.map(|script| script.unwrap().path()).filter(|path| path.extension().is_some());
    let texts = scripts.map(|script| fs::read_to_string(script).unwrap());
    let mut names = BTreeSet::new();
    for text in texts {
        let separates = |c: char| c.is_whitespace() || "();".contains(c);
        let tokens: Vec<&str> = text.split(separates).filter(|token| !token.is_empty()).collect();
        let named = tokens.windows(2).filter(|pair| words.contains(&pair[0])).map(|pair| pair[1]);
        names.extend(named.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).map(str::to_owned));
    }
    names
}

#[test]
fn every_block_of_the_documentation_is_run_by_a_script_and_no_other() {
    let text = fs::read_to_string(project().join("docs/pipelines.md")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut blocks = BTreeSet::new();
    let mut fences = lines.iter().enumerate().filter(|(_, line)| line.starts_with("```"));
    while let Some((index, _)) = fences.next() {
        fences.next().expect("a block has an end");
        let mark = lines[index - 1];
        let name = mark.strip_prefix("<!-- block: ").and_then(|rest| rest.strip_suffix(" -->"));
        let name = name.unwrap_or_else(|| panic!("the block in line {} has no name: {mark}", index + 1));
        assert!(blocks.insert(name.to_owned()), "two blocks are called {name}");
    }
    assert_eq!(named_in_scripts(&["documented", "block", "unchanged"]), blocks);
}

#[test]
fn tar_and_zstd_end_with_codes_that_pipefail_sees() {
    run("tar", &["zstd", "rsync"]);
}

#[test]
fn what_one_machine_encrypted_another_restores_with_the_backup_of_the_keys() {
    run("drill", &["rsync"]);
}

/// Runs the script of a pipeline, if what it needs is here.
fn run(name: &str, needs: &[&str]) {
    if needs.iter().any(|program| needed(program).is_none()) {
        return;
    }
    let script = project().join(format!("tests/full/pipelines/{name}.sh"));
    let output = Command::new("bash").arg(script).env("WAXSEAL_PROGRAM", env!("CARGO_BIN_EXE_waxseal")).output();
    let run = Run::from(output.unwrap());
    assert_eq!(run.code, Some(0), "{}\n{}", run.text(), run.stderr);
}
