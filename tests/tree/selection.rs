//! Parts of trees: patterns and lists.

use std::fs;

use crate::support::{World, feed};

fn tree(world: &World) {
    for folder in ["src/a/b", "src/cache/x", "src/c/cache"] {
        fs::create_dir_all(world.path(folder)).unwrap();
    }
    for name in
        ["top.txt", "top.log", "a/one.txt", "a/b/two.log", "a/b/three.txt", "cache/x/four.txt", "c/cache/five.txt"]
    {
        world.write(&format!("src/{name}"), name);
    }
}

/// What `encrypt -r` with these arguments makes of the tree: directories end in a slash, the ending of names is left out.
fn made(world: &World, arguments: &[&str]) -> Vec<String> {
    fs::remove_dir_all(world.path("vault")).ok();
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"].iter().chain(arguments)).succeeds_silently();
    taken(world)
}

fn taken(world: &World) -> Vec<String> {
    let mut find = std::process::Command::new("find");
    find.arg(world.path("vault")).args(["-mindepth", "1", "(", "-type", "d", "-printf", "%P/\\n", ")"]);
    let output = find.args(["-o", "-printf", "%P\\n"]).output().unwrap();
    let mut names: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(|name| name.replace(".wax", "")).collect();
    names.sort();
    fs::remove_dir_all(world.path("vault")).unwrap();
    names
}

#[test]
fn excluded_names_are_left_out_with_everything_in_them() {
    let world = World::with_store();
    tree(&world);
    let all = ["a/", "a/b/", "a/b/three.txt", "a/one.txt", "c/", "top.txt"];
    assert_eq!(made(&world, &["--exclude", "cache/", "--exclude", "*.log"]), all);
    let anchored = made(&world, &["--exclude", "/cache", "--exclude", "a/b/*.txt"]);
    assert!(anchored.contains(&"c/cache/five.txt".into()) && !anchored.iter().any(|name| name.starts_with("cache/")));
    assert!(anchored.contains(&"a/b/two.log".into()) && !anchored.contains(&"a/b/three.txt".into()));
}

#[test]
fn only_what_is_included_is_taken_and_the_directories_on_the_way() {
    let world = World::with_store();
    tree(&world);
    assert_eq!(made(&world, &["--include", "*.log"]), ["a/", "a/b/", "a/b/two.log", "top.log"]);
    assert_eq!(made(&world, &["--include", "a/b"]), ["a/", "a/b/", "a/b/three.txt", "a/b/two.log"]);
    assert_eq!(
        made(&world, &["--include", "a/**", "--exclude", "*.log"]),
        ["a/", "a/b/", "a/b/three.txt", "a/one.txt"]
    );
}

#[test]
fn patterns_are_the_same_for_containers_and_their_files() {
    let world = World::with_store();
    tree(&world);
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back", "--include", "a/b/*.txt"]).succeeds_silently();
    assert_eq!(crate::support::names_in(&world.path("back/a/b")), ["three.txt"]);
    assert_eq!(crate::support::names_in(&world.path("back")), ["a"]);
    let run = world.run(["verify", "-r", "vault", "--exclude", "*.txt"]).succeeds();
    assert!(run.stderr.starts_with("2 files verified"), "{}", run.stderr);
}

#[test]
fn listed_names_are_taken_with_the_directories_above_them() {
    let world = World::with_store();
    tree(&world);
    world.write("list", "./a/b/two.log\n\na//one.txt\ncache\n");
    let listed = ["a/", "a/b/", "a/b/two.log", "a/one.txt", "cache/", "cache/x/", "cache/x/four.txt"];
    assert_eq!(made(&world, &["--files-from", "list"]), listed);
    let mut command = world.command(["encrypt", "-q", "-r", "src", "-o", "vault", "--files-from", "-", "--from0"]);
    feed(command.stdin(std::process::Stdio::piped()), b"top.txt\0c/cache/five.txt\0").succeeds_silently();
    assert_eq!(taken(&world), ["c/", "c/cache/", "c/cache/five.txt", "top.txt"]);
    world.write("list", "../secret\n/etc/passwd\nmissing\na/missing/x\n.\ntop.txt\n");
    world.write("secret", "outside");
    let run = world.run(["encrypt", "-r", "src", "-o", "vault", "--files-from", "list"]).fails_with(10);
    let run = run.says("../secret: does not lie within the input").says("/etc/passwd: does not lie within the input");
    run.says("src/missing: cannot be looked at: no such file").says("1 file encrypted").says("; 5 failed");
}

#[test]
fn words_for_trees_need_a_tree() {
    let world = World::with_store();
    world.write("f", "x");
    world.run(["encrypt", "--exclude", "*", "f"]).fails_with(2);
    world.run(["encrypt", "-r", "--files-from", "list", "f"]).fails_with(2).says("--files-from takes one INPUT");
    fs::create_dir(world.path("d")).unwrap();
    let run = world.run(["encrypt", "-r", "--exclude", "[", "d", "-o", "v"]).fails_with(2);
    run.says("the pattern \"[\" cannot be read");
}

#[test]
fn a_file_that_is_encrypted_has_no_other_name_than_its_own() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    for name in ["n.tmp", "n.tmp.wax", "m.tmp.wax"] {
        world.write(&format!("src/{name}"), name);
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault", "--exclude", "*.tmp"]).succeeds_silently();
    assert_eq!(crate::support::names_in(&world.path("vault")), ["m.tmp.wax.wax", "n.tmp.wax.wax"]);
    world.run(["encrypt", "-q", "-r", "src", "-o", "other", "--include", "*.tmp"]).succeeds_silently();
    assert_eq!(crate::support::names_in(&world.path("other")), ["n.tmp.wax"]);
}

#[test]
fn a_list_that_cannot_be_read_ends_the_run_before_it_begins() {
    let world = World::with_store();
    tree(&world);
    std::os::unix::fs::symlink("nowhere", world.path("dangling")).unwrap();
    for (list, why) in [("missing", "no such file"), ("dangling", "no such file"), ("src", "is a directory")] {
        let run = world.run(["encrypt", "-r", "src", "-o", "vault", "--files-from", list]).fails_with(3);
        run.says(&format!("error: {list}: the list cannot be read: ")).says(why);
        world.run(["verify", "-r", "src", "--files-from", list]).fails_with(3);
    }
    assert!(!world.path("vault").exists());
    world.write("list", "top.txt\n");
    let two = world.run(["verify", "-r", "src/a", "src/c", "--files-from", "list"]).fails_with(2);
    two.says("--files-from takes one INPUT");
}

#[test]
fn a_listed_name_that_leads_through_something_else_than_directories_says_so() {
    let world = World::with_store();
    tree(&world);
    std::os::unix::fs::symlink("a/b", world.path("src/link")).unwrap();
    world.write("list", "link/two.log\ntop.txt/x\nlink\n");
    let run = world.run(["encrypt", "-r", "src", "-o", "vault", "--files-from", "list"]).fails_with(10);
    let run = run.says("src/link: is a link, and is not followed\nhint: follow links with -L, or name the directory");
    run.says("src/top.txt: is no directory, so nothing lies in it").says(", 1 link; 2 failed");
    world.write("list", "link/two.log\n");
    assert_eq!(made(&world, &["-L", "--files-from", "list"]), ["link/", "link/two.log"]);
}
