//! A configuration that others could exchange is not read.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::configure;
use crate::support::{Run, World};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn refused(run: Run, directory: &Path) {
    let directory = directory.display();
    let run = run.fails_with(2).says("config.toml: could be exchanged by others, who could add a key of theirs");
    run.says(&format!(": {directory} may be written by others\nhint: chmod go-w {directory}, or keep"));
}

#[test]
fn no_directory_on_the_way_to_it_may_be_written_by_others() {
    let world = World::new();
    world.write("f", "x");
    let config = world.dir().canonicalize().unwrap().join("etc");
    fs::create_dir_all(config.join("waxseal")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        command.env_remove("WAXSEAL_HOME").env("XDG_CONFIG_HOME", &config);
        Run::from(command.env("XDG_DATA_HOME", world.path("none")).output().unwrap())
    };
    // Where there is no configuration nobody asks who could make one: it would not belong to the user.
    mode(&config, 0o777);
    run(&["config", "show"]).succeeds_silently();
    fs::write(config.join("waxseal/config.toml"), "").unwrap();
    mode(&config.join("waxseal/config.toml"), 0o644);
    for arguments in [&["config", "show"][..], &["encrypt", "f"], &["verify", "f"], &["cat", "f"]] {
        refused(run(arguments), &config);
    }
    assert!(!world.path("f.wax").exists() && !world.path("none").exists());
    for bits in [0o1777, 0o755, 0o750, 0o700] {
        mode(&config, bits);
        run(&["config", "show"]).succeeds_silently();
    }
    mode(&config.join("waxseal"), 0o775);
    refused(run(&["config", "show"]), &config.join("waxseal"));
}

#[test]
fn neither_may_one_that_a_link_leads_through() {
    let world = World::with_store();
    configure(&world, "key = \"alias/default\"\n");
    let file = world.home().join("config.toml");
    fs::create_dir_all(world.path("dotfiles/sub")).unwrap();
    fs::rename(&file, world.path("dotfiles/sub/waxseal.toml")).unwrap();
    symlink(world.path("dotfiles/sub/waxseal.toml"), &file).unwrap();
    world.run(["config", "show"]).succeeds_silently();
    mode(&world.path("dotfiles"), 0o777);
    refused(world.run(["config", "show"]), &world.dir().canonicalize().unwrap().join("dotfiles"));
    mode(&world.path("dotfiles"), 0o755);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::lchown(&file, Some(1234), None).unwrap();
        let run = world.run(["config", "show"]).fails_with(2);
        run.says("config.toml belongs to somebody else\nhint: let ").says("belong to you or to root");
    }
}
