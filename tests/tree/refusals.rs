//! What is never done: nothing outside the output is written, nothing outside the input is read.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{World, names_in};

#[test]
fn nothing_is_written_through_a_link_in_the_output() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/d")).unwrap();
    world.write("src/d/f", "secret");
    world.write("src/g", "plain");
    fs::create_dir(world.path("elsewhere")).unwrap();
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    for command in [["decrypt", "vault"], ["encrypt", "src"]] {
        for force in [&[][..], &["-f"], &["--update"]] {
            fs::create_dir(world.path("out")).unwrap();
            symlink("../elsewhere", world.path("out/d")).unwrap();
            let run = world.run([command[0], "-r", command[1], "-o", "out"].iter().chain(force)).fails_with(10);
            run.says("out/d: is to be a directory, and is something else");
            assert!(names_in(&world.path("elsewhere")).is_empty());
            assert!(fs::symlink_metadata(world.path("out/d")).unwrap().is_symlink());
            fs::remove_dir_all(world.path("out")).unwrap();
        }
    }
}

#[test]
fn a_link_at_the_name_of_an_output_is_replaced_and_not_followed() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src")).unwrap();
    world.write("src/f", "content");
    world.write("precious", "precious");
    fs::create_dir(world.path("out")).unwrap();
    symlink("../precious", world.path("out/f.wax")).unwrap();
    world.run(["encrypt", "-r", "src", "-o", "out"]).fails_with(10).says("out/f.wax: exists already");
    world.run(["encrypt", "-q", "-f", "-r", "src", "-o", "out"]).succeeds_silently();
    assert_eq!(world.read("precious"), b"precious");
    assert!(fs::symlink_metadata(world.path("out/f.wax")).unwrap().is_file());
}

#[test]
fn an_output_within_an_input_is_refused_before_anything_is_made() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/d")).unwrap();
    world.write("src/d/f", "content");
    symlink("src/d", world.path("link")).unwrap();
    for output in ["src", "src/new", "src/d", "src/d/new", "link", "link/new", "./src/../src"] {
        let run = world.run(["encrypt", "-r", "src", "-o", output]).fails_with(2);
        run.says(": lies within the input");
    }
    assert_eq!((names_in(&world.path("src")), names_in(&world.path("src/d"))), (vec!["d".into()], vec!["f".into()]));
}

#[test]
fn an_output_above_the_input_does_not_reach_into_it() {
    let world = World::with_store();
    fs::create_dir_all(world.path("d/d")).unwrap();
    world.write("d/d/f", "content");
    let run = world.run(["encrypt", "-f", "-r", "d", "-o", "."]).fails_with(10);
    run.says("d: is the input itself");
    assert_eq!(names_in(&world.path("d/d")), ["f"]);
}

#[test]
fn names_that_would_be_one_in_the_output_are_refused() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/x.wax")).unwrap();
    world.write("src/x", "content");
    world.write("src/y", "content");
    symlink("x", world.path("src/y.wax")).unwrap();
    let run = world.run(["encrypt", "-f", "-r", "src", "-o", "vault"]).fails_with(10);
    let run =
        run.says("src/x.wax: has the name of the container of x").says("src/y.wax: has the name of the container of y");
    assert!(run.stderr.contains("2 files encrypted"), "{}", run.stderr);
    world.run(["verify", "-q", "vault/x.wax", "vault/y.wax"]).succeeds_silently();
    // A container hides what has its file's name, as it does in a mount.
    fs::create_dir(world.path("vault/x")).unwrap();
    let run = world.run(["decrypt", "-r", "vault", "-o", "back"]).succeeds();
    run.says("vault/x: left out: x.wax beside it is the container of a file of this name");
    assert_eq!(world.read("back/x"), b"content");
}

#[test]
fn a_directory_is_never_replaced_by_a_file() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src")).unwrap();
    world.write("src/f", "content");
    fs::create_dir_all(world.path("out/f.wax")).unwrap();
    world.run(["encrypt", "-f", "-r", "src", "-o", "out"]).fails_with(10).says("out/f.wax: is a directory");
    fs::write(world.path("src/d"), "file").unwrap();
    fs::create_dir_all(world.path("other/d")).unwrap();
    fs::write(world.path("out/d"), "in the way").unwrap();
    world.run(["encrypt", "-f", "-r", "other", "-o", "out"]).fails_with(10).says("out/d: is to be a directory");
    assert_eq!(world.read("out/d"), b"in the way");
}

#[test]
fn values_of_attributes_that_were_changed_fail_their_file() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/f", "content");
    let set = |name: &str, attribute: &str, value: &[u8]| {
        rustix::fs::setxattr(world.path(name), attribute, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    set("src/f", "user.a", b"value");
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    set("vault/f.wax", "user.of another program", b"kept below only");
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    let mut list = [0; 256];
    let length = rustix::fs::listxattr(world.path("back/f"), &mut list).unwrap();
    assert_eq!(&list[..length], b"user.a\0");
    set("vault/f.wax", "user.waxseal.a", &[7; 40]);
    let run = world.run(["decrypt", "-r", "vault", "-o", "again"]).fails_with(10);
    run.says("vault/f.wax: user.a: the value of this extended attribute does not verify");
    assert!(names_in(&world.path("again")).is_empty());
    world.run(["decrypt", "-q", "-r", "--no-xattrs", "vault", "-o", "again"]).succeeds_silently();
    assert_eq!(world.read("again/f"), b"content");
}

#[test]
fn an_output_that_is_no_directory_is_refused_with_what_to_do() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/f", "content");
    world.write("file", "precious");
    symlink("nowhere", world.path("dangling")).unwrap();
    let run = world.run(["encrypt", "-r", "-f", "src", "-o", "file"]).fails_with(4);
    run.says("file: is to be a directory, and is something else").says("a tree goes into a directory");
    assert_eq!(world.read("file"), b"precious");
    let run = world.run(["encrypt", "-r", "-f", "src", "-o", "dangling"]).fails_with(4);
    run.says("dangling: is a link that leads to no directory");
    assert!(!world.path("nowhere").exists());
}

#[test]
fn what_is_named_like_an_ending_only_is_left_out() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    for name in [".wax", "..wax", "...wax"] {
        world.write(&format!("src/{name}"), "content");
    }
    let run = world.run(["decrypt", "-r", "src", "-o", "out"]).succeeds();
    for name in [".wax", "..wax", "...wax"] {
        let run = &run.stderr;
        assert!(run.contains(&format!("src/{name}: left out: it is no container: its name is not NAME.wax")), "{run}");
    }
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    world.run(["decrypt", "-q", "-r", "vault", "-o", "back"]).succeeds_silently();
    assert_eq!(names_in(&world.path("back")), ["...wax", "..wax", ".wax"]);
}

#[test]
fn names_that_would_be_one_where_links_are_followed_are_refused_too() {
    let world = World::with_store();
    fs::create_dir_all(world.path("src/x.wax")).unwrap();
    world.write("target", "content");
    for (target, link) in [("../target", "src/x"), ("../nowhere", "src/y")] {
        symlink(target, world.path(link)).unwrap();
    }
    world.write("src/x.wax/in", "content");
    let run = world.run(["encrypt", "-r", "-L", "src", "-o", "vault"]).fails_with(10);
    run.says("src/x.wax: has the name of the container of x").says("1 file encrypted");
    assert_eq!(world.run(["cat", "vault/x.wax"]).succeeds().text(), "content");
    // Links that are kept have their own names.
    fs::remove_dir_all(world.path("vault")).unwrap();
    world.run(["encrypt", "-q", "-r", "src", "-o", "vault"]).succeeds_silently();
    assert_eq!(names_in(&world.path("vault")), ["x", "x.wax", "y"]);
    // A container that a link leads to hides a directory as well.
    fs::remove_dir_all(world.path("vault")).unwrap();
    fs::create_dir_all(world.path("vault/z")).unwrap();
    world.write("vault/z/left", "out");
    world.run(["encrypt", "-q", "target"]).succeeds_silently();
    symlink("../target.wax", world.path("vault/z.wax")).unwrap();
    let run = world.run(["decrypt", "-r", "-L", "vault", "-o", "back"]).succeeds();
    run.says("vault/z: left out: z.wax beside it is the container of a file of this name");
    assert_eq!(world.read("back/z"), b"content");
}
