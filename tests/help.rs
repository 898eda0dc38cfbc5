//! The help texts, word for word. `UPDATE_SNAPSHOTS=1 cargo test help` writes them anew.

use std::fs;
use std::path::Path;

use crate::support::World;

const COMMANDS: [&[&str]; 28] = [
    &[],
    &["encrypt"],
    &["decrypt"],
    &["cat"],
    &["verify"],
    &["inspect"],
    &["prepare"],
    &["rewrap"],
    &["mount"],
    &["umount"],
    &["status"],
    &["doctor"],
    &["config"],
    &["config", "show"],
    &["kms"],
    &["kms", "init"],
    &["kms", "backup"],
    &["kms", "restore"],
    &["kms", "seal"],
    &["kms", "serve"],
    &["kms", "credentials"],
    &["kms", "credentials", "create"],
    &["kms", "credentials", "list"],
    &["kms", "credentials", "delete"],
    &["kms", "lock"],
    &["kms", "unlock"],
    &["completions"],
    &["man"],
];

#[test]
fn help_says_what_it_said() {
    let world = World::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/help");
    for command in COMMANDS {
        let run = world.run(command.iter().copied().chain(["--help"])).succeeds_silently();
        let name = if command.is_empty() { "waxseal".to_owned() } else { command.join("-") };
        let snapshot = folder.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&snapshot, &run.stdout).unwrap();
        }
        let expected = fs::read_to_string(&snapshot).unwrap_or_default();
        assert_eq!(run.text(), expected, "{}", snapshot.display());
    }
}

#[test]
fn no_arguments_show_the_help_and_version_the_version() {
    let world = World::new();
    world.run([] as [&str; 0]).fails_with(2).says("Usage: waxseal");
    assert_eq!(world.run(["-V"]).succeeds().text(), format!("waxseal {}\n", env!("CARGO_PKG_VERSION")));
}
