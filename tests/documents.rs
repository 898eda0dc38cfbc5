//! What the program tells of itself: its version, completions for shells, and manual pages.

use std::process::Command;

use crate::support::{Run, World, needed};

#[test]
fn the_long_version_has_the_facts_of_the_build() {
    let world = World::new();
    let run = world.run(["--version"]).succeeds_silently();
    let mut lines = run.text().lines();
    assert_eq!(lines.next(), Some(format!("waxseal {}", env!("CARGO_PKG_VERSION")).as_str()));
    let facts: Vec<(&str, &str)> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    let fact = |name| facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.trim()).unwrap();
    assert!(fact("target").contains("linux"), "{facts:?}");
    assert_eq!(fact("features").contains("fuse"), cfg!(feature = "fuse"), "{facts:?}");
    assert_eq!(fact("suites"), "aes-256-gcm-siv, xchacha20-poly1305");
    assert!(fact("rustc").starts_with("1."), "{facts:?}");
    assert!(!fact("commit").is_empty(), "{facts:?}");
    assert_eq!(facts.len(), 5, "no times, no places, nothing that two builds of one source differ in: {facts:?}");
}

#[test]
fn bash_completes_commands_operations_options_and_their_values() {
    let Some(bash) = needed("bash") else { return };
    let world = with_script("bash");
    checked(&world, Command::new(&bash).args(["-n", "script"]));
    for (words, expected) in [
        ("waxseal enc", "encrypt"),
        ("waxseal kms create-k", "create-key"),
        ("waxseal kms create-key --key-sp", "--key-spec"),
        ("waxseal kms create-key --key-spec ECC_NIST_P5", "ECC_NIST_P521"),
        ("waxseal encrypt --suite x", "xchacha20-poly1305"),
        ("waxseal decrypt -r --incl", "--include"),
        ("waxseal completions z", "zsh"),
    ] {
        let last = words.rsplit(' ').next().unwrap();
        let previous = words.rsplit(' ').nth(1).unwrap();
        let ask = format!(
            ". ./script; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _waxseal waxseal '{last}' '{previous}'; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let run = checked(&world, Command::new(&bash).args(["--norc", "-c", &ask]));
        assert_eq!(run.text().trim(), expected, "{words}");
    }
}

#[test]
fn zsh_loads_its_completions() {
    let Some(zsh) = needed("zsh") else { return };
    let world = with_script("zsh");
    checked(&world, Command::new(&zsh).args(["-f", "-n", "script"]));
    let load = "autoload -Uz compinit; compinit -D -u; . ./script; whence -w _waxseal; print $_comps[waxseal]";
    let run = checked(&world, Command::new(&zsh).args(["-f", "-c", load]));
    assert_eq!(run.text(), "_waxseal: function\n_waxseal\n");
}

#[test]
fn fish_completes_commands_and_operations() {
    let Some(fish) = needed("fish") else { return };
    let world = with_script("fish");
    checked(&world, Command::new(&fish).args(["--no-config", "-n", "script"]));
    for (words, expected) in [("waxseal enc", "encrypt\t"), ("waxseal kms create-k", "create-key\t")] {
        let ask = format!("source script; complete -C '{words}'");
        let run = checked(&world, Command::new(&fish).args(["--no-config", "-c", &ask]));
        assert!(run.text().starts_with(expected), "{run:?}");
    }
}

#[test]
fn completions_for_an_unknown_shell_name_those_that_there_are() {
    World::new().run(["completions", "tcsh"]).fails_with(2).writes_nothing().says("bash, zsh, fish");
}

#[test]
fn completions_are_one_object_with_json() {
    let run = World::new().run(["completions", "fish", "--json"]).succeeds_silently();
    let object = run.json_text();
    assert_eq!((&object["operation"], &object["shell"]), (&"completions".into(), &"fish".into()));
    assert!(object["script"].as_str().unwrap().contains("complete -c waxseal"));
}

#[test]
fn every_command_has_a_manual_page_that_man_has_nothing_to_say_about() {
    let world = World::new();
    world.run(["man", "new/pages"]).succeeds_silently();
    let written = world.run(["man", "--json", "new/pages"]).succeeds_silently().json();
    let pages: Vec<&str> = written[0]["pages"].as_array().unwrap().iter().map(|page| page.as_str().unwrap()).collect();
    for page in ["waxseal.1", "waxseal-encrypt.1", "waxseal-kms.1", "waxseal-kms-credentials-create.1"] {
        assert!(pages.contains(&page), "{pages:?}");
    }
    let mut names = crate::support::names_in(&world.path("new/pages"));
    names.retain(|name| !pages.contains(&name.as_str()));
    assert_eq!(names, [""; 0], "pages that were not told of");

    let text = String::from_utf8(world.read("new/pages/waxseal-encrypt.1")).unwrap();
    let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
    assert_eq!(sections[..3], ["NAME", "SYNOPSIS", "DESCRIPTION"]);
    assert_eq!(sections.last(), Some(&"EXAMPLES"));
    assert!(text.contains(".SH SYNOPSIS\nwaxseal encrypt [OPTIONS] [INPUT]..."), "{text}");
    assert!(!text.contains("Examples:"), "the heading is there once");

    let Some(man) = needed("man") else { return };
    for page in pages {
        let mut command = Command::new(&man);
        let run = checked(&world, command.args(["--warnings=w", "-E", "UTF-8", "-l"]).arg(format!("new/pages/{page}")));
        assert_eq!(run.stderr, "", "{page}");
        assert!(run.text().contains("NAME\n       waxseal"), "{}", run.text());
    }
}

#[test]
fn manual_pages_that_cannot_be_written_are_an_error() {
    let world = World::new();
    world.write("file", "");
    world.run(["man", "file"]).fails_with(4).says("file");
    world.run(["man", "file/pages"]).fails_with(4).says("file/pages");
}

/// A world with the completions for a shell in the file `script`.
fn with_script(shell: &str) -> World {
    let world = World::new();
    let run = world.run(["completions", shell]).succeeds_silently();
    world.write("script", &run.stdout);
    world
}

/// Runs a program in the world, which has to succeed.
fn checked(world: &World, command: &mut Command) -> Run {
    command.current_dir(world.dir()).env("HOME", world.dir()).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "100");
    Run::from(command.output().unwrap()).succeeds()
}
