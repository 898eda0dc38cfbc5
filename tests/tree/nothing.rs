//! Trees in which there is nothing to do, which may be a backup that is lost.

use std::fs;

use crate::support::{World, json_lines};

#[test]
fn a_check_that_finds_no_container_fails() {
    let world = World::with_store();
    fs::create_dir_all(world.path("empty/d")).unwrap();
    fs::create_dir(world.path("other")).unwrap();
    world.write("other/notes", "no container");
    for tree in ["empty", "other"] {
        let run = world.run(["verify", "-r", tree, "--report", "report"]).fails_with(3);
        run.says(&format!("{tree}: no container was found in it")).says("is its file system mounted");
        let report = String::from_utf8(world.read("report")).unwrap();
        assert!(report.contains("no container was found") && !report.contains("\"summary\""), "{report}");
        fs::remove_file(world.path("report")).unwrap();
    }
    world.write("f", "content");
    world.run(["encrypt", "-q", "f", "-o", "other/"]).succeeds_silently();
    world.run(["verify", "-r", "other"]).succeeds().says("1 file verified");
    world.run(["verify", "-r", "other", "--include", "nope"]).fails_with(3).says("no container was found in it");
    let run = world.run(["verify", "-r", "other", "empty"]).fails_with(10);
    run.says("empty: no container was found in it").says("1 file verified").says("; 1 failed");
}

#[test]
fn a_sample_of_few_files_has_one_of_each_input_at_least() {
    let world = World::with_store();
    for folder in ["one/d", "two"] {
        fs::create_dir_all(world.path(folder)).unwrap();
    }
    for name in ["one/a", "one/d/b", "one/d/c", "two/a"] {
        world.write(name, name);
        world.run(["encrypt", "-q", name]).succeeds_silently();
    }
    let run = world.run(["verify", "-r", "one", "two", "--sample", "0.0001", "--json"]).succeeds();
    let summary = json_lines(&run.stderr).pop().unwrap();
    // That more than one in a million is drawn happens once in a hundred thousand runs.
    let [verified, rest] = ["succeeded", "not_drawn"].map(|member| summary[member].as_u64().unwrap());
    assert!(verified >= 2 && verified + rest == 4, "{summary}");
    world.run(["verify", "-r", "one", "--sample", "0.0001"]).succeeds().says(" not in the sample");
    world.write("two/a.wax", "damaged");
    world.run(["verify", "-r", "two", "--sample", "0.0001"]).fails_with(10).says("not a Waxseal container");
    fs::remove_file(world.path("two/a.wax")).unwrap();
    world.run(["verify", "-r", "two", "--sample", "50"]).fails_with(3).says("no container was found in it");
}

#[test]
fn other_commands_warn_of_a_tree_in_which_there_is_nothing_to_do() {
    let world = World::with_store();
    fs::create_dir(world.path("empty")).unwrap();
    let run = world.run(["encrypt", "-r", "empty", "-o", "out"]).succeeds();
    run.says("warning: empty: no file was found").says("hint: ");
    let run = world.run(["decrypt", "-r", "empty", "-o", "out"]).succeeds();
    run.says("warning: empty: no container was found");
    let run = world.run(["rewrap", "-r", "--to", "alias/default", "empty"]).succeeds();
    run.says("warning: empty: no container was found in it");
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/f", "content");
    let run = world.run(["encrypt", "-r", "src", "-o", "out", "--include", "nope"]).succeeds();
    run.says("warning: src: no file was found");
}
