//! Every refusal has its exit code and its words, and leaves nothing behind.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{World, noise};

#[test]
fn a_file_where_a_command_belongs_is_told_what_commands_are() {
    let world = World::new();
    world.write("report.pdf", "x");
    let run = world.run(["report.pdf"]).fails_with(2).writes_nothing();
    run.says("error: report.pdf is a file, and a command belongs there\nhint: for instance 'waxseal encrypt FILE'");
    let objects = world.run(["--json", "report.pdf"]).fails_with(2).json();
    assert_eq!(objects[0]["kind"], "usage");
    world.run(["./report.pdf"]).fails_with(2).says("as in 'waxseal encrypt FILE'");
    world.run(["reprot"]).fails_with(2).says("unrecognized subcommand 'reprot'");
}

#[test]
fn an_output_that_exists_is_refused_and_stays() {
    let world = World::with_store();
    world.write("f", "new");
    world.write("f.wax", "precious");
    world
        .run(["encrypt", "f"])
        .fails_with(4)
        .says_exactly("error: f.wax: exists already\nhint: replace it with --force, or name another output");
    world.run(["encrypt", "f", "-o", "f.wax"]).fails_with(4).says("f.wax: exists already");
    assert_eq!(world.read("f.wax"), b"precious");
    assert_eq!(world.names(), ["f", "f.wax"]);
    world.run(["encrypt", "--force", "f"]).succeeds_silently();
    world.run(["decrypt", "f.wax"]).fails_with(4).says("f: exists already");
    assert_eq!(world.read("f"), b"new");
}

#[test]
fn an_output_that_is_the_input_is_refused_even_by_force() {
    let world = World::with_store();
    world.write("f", "content");
    fs::hard_link(world.path("f"), world.path("hard")).unwrap();
    symlink("f", world.path("soft")).unwrap();
    for output in ["f", "./f", "hard", "soft"] {
        world.run(["encrypt", "-f", "f", "-o", output]).fails_with(4).says("is the input itself");
    }
    world.run(["encrypt", "f"]).succeeds_silently();
    world.run(["decrypt", "-f", "f.wax", "-o", "f.wax"]).fails_with(4).says("is the input itself");
    assert_eq!(world.read("f"), b"content");
    assert_eq!(world.names(), ["f", "f.wax", "hard", "soft"]);
}

#[test]
fn standard_output_that_is_the_input_is_refused() {
    let world = World::with_store();
    world.write("f", noise(5000, 1));
    let append = fs::OpenOptions::new().append(true).open(world.path("f")).unwrap();
    let status = world.command(["encrypt", "f", "-o", "-"]).stdout(append).status().unwrap();
    assert_eq!(status.code(), Some(4));
    assert_eq!(world.read("f").len(), 5000);
}

#[test]
fn a_failed_decryption_keeps_what_stood_at_the_output() {
    let world = World::with_store();
    world.write("f", noise(300_000, 1));
    world.run(["encrypt", "-c", "a=1", "f"]).succeeds_silently();
    let mut container = world.read("f.wax");
    container[200_000] ^= 1;
    world.write("bad.wax", &container);
    world.write("bad", "precious");
    world.run(["decrypt", "-f", "bad.wax"]).fails_with(6);
    assert_eq!(world.read("bad"), b"precious");
    world.run(["decrypt", "-f", "-c", "a=2", "f.wax", "-o", "bad"]).fails_with(7);
    assert_eq!(world.read("bad"), b"precious");
    assert_eq!(world.names(), ["bad", "bad.wax", "f", "f.wax"]);
}

#[test]
fn inputs_that_cannot_be_read_are_refused() {
    let world = World::with_store();
    fs::create_dir(world.path("folder")).unwrap();
    world
        .run(["encrypt", "nowhere"])
        .fails_with(3)
        .says_exactly("error: nowhere: cannot be opened: no such file or directory");
    world
        .run(["encrypt", "folder"])
        .fails_with(3)
        .says("error: folder: is a directory")
        .says("hint: add -r for everything in it");
    world.run(["encrypt", "."]).fails_with(3).says("error: .: is a directory");
    world.run(["decrypt", "nowhere.wax"]).fails_with(3).says("nowhere.wax: cannot be opened");
    world.run(["verify", "folder"]).fails_with(3).says("folder: is a directory");
    world.run(["inspect", "nowhere"]).fails_with(3);
    world.run(["cat", "nowhere"]).fails_with(3);
    assert_eq!(world.names(), ["folder"]);
}

#[test]
fn what_is_no_container_is_refused() {
    let world = World::with_store();
    for content in [&b""[..], b"x", b"plain text that is no container\n", &[0; 5000], &noise(70_000, 3)] {
        world.write("x.wax", content);
        for command in ["decrypt", "verify", "cat", "inspect"] {
            world
                .run([command, "x.wax"])
                .fails_with(5)
                .says("error: x.wax: not a Waxseal container")
                .says("hint: only what 'waxseal encrypt' wrote can be opened")
                .writes_nothing();
        }
        world.pipe(["decrypt"], content).fails_with(5).says("standard input: not a Waxseal container");
    }
    assert_eq!(world.names(), ["x.wax"]);
}

#[test]
fn a_newer_container_says_so() {
    let world = World::with_store();
    let mut container = world.pipe(["encrypt"], b"x").succeeds().stdout;
    container[8] = 2;
    world.write("x.wax", &container);
    for command in ["decrypt", "verify", "cat", "inspect"] {
        world.run([command, "x.wax"]).fails_with(5).says("version 2").says("hint: open it with a newer waxseal");
    }
}

#[test]
fn a_name_without_the_ending_needs_an_output() {
    let world = World::with_store();
    world.container("f.wax", b"x", "aes-256-gcm-siv");
    fs::rename(world.path("f.wax"), world.path("f")).unwrap();
    world.run(["decrypt", "f"]).fails_with(2).says_exactly(
        "error: f: is not named NAME.wax, so the name of its plaintext is not known\n\
             hint: say where it goes with -o OUT",
    );
    world.run(["decrypt", "f", "-o", "g"]).succeeds_silently();
    assert_eq!(world.read("g"), b"x");
}

#[test]
fn several_inputs_need_a_directory() {
    let world = World::with_store();
    world.write("a", "a");
    world.write("b", "b");
    world.run(["encrypt", "a", "b", "-o", "out"]).fails_with(2).says_exactly(
        "error: out: with several inputs -o has to be an existing directory\nhint: make it first: mkdir -p out",
    );
    world.run(["encrypt", "a", "b", "-o", "a"]).fails_with(2).says("hint: this is a file: name a directory");
    world.run(["encrypt", "a", "b", "-o", "-"]).fails_with(2).says("several inputs cannot all go to standard output");
    world.run(["encrypt", "a", "-", "b"]).fails_with(2).says("standard input (-) cannot be one of several inputs");
    world
        .run(["encrypt", "a", "-o", "out/a.wax"])
        .fails_with(4)
        .says("out/a.wax: cannot be written: no such file or directory\nhint: its directory has to be there");
    world
        .run(["encrypt", "a", "-o", "out/"])
        .fails_with(4)
        .says("out/: is not an existing directory")
        .says("mkdir -p out/");
    world.pipe(["encrypt", "-o", "."], b"x").fails_with(2).says("standard input has no name");
    assert_eq!(world.names(), ["a", "b"]);
}

#[test]
fn wrong_contexts_are_refused_before_anything_is_done() {
    let world = World::new();
    for (pair, words) in
        [("novalue", "is not of the form name=value"), ("=x", "empty name"), ("waxseal:file-id=x", "reserved")]
    {
        world.pipe(["encrypt", "-c", pair], b"x").fails_with(2).says(words).writes_nothing();
    }
    world.pipe(["encrypt", "-c", "a=1", "-c", "a=2"], b"x").fails_with(2).says("given twice");
    let long = format!("a={}", "x".repeat(600));
    world.pipe(["encrypt", "-c", &long], b"x").fails_with(2).says("512 is the limit");
    assert!(!world.home().exists(), "no store is made for a command line that cannot work");
}

#[test]
fn contexts_are_asserted_on_reading() {
    let world = World::with_store();
    world.write("f", "x");
    world.run(["encrypt", "-c", "project=apollo", "-c", "year=1969", "f"]).succeeds_silently();
    for good in [&["-c", "project"][..], &["-c", "project=apollo"], &["-c", "year=1969", "-c", "project"]] {
        for command in ["verify", "cat"] {
            world.run([command, "f.wax"].iter().chain(good)).succeeds();
        }
    }
    for (bad, words) in [
        ("project=gemini", "project=apollo"),
        ("year=", "year=1969"),
        ("month", "month"),
        ("PROJECT=apollo", "PROJECT"),
    ] {
        for command in ["verify", "cat", "decrypt"] {
            let output = if command == "decrypt" { &["-o", "g"][..] } else { &[] };
            let run = world.run([command, "f.wax", "-c", bad].iter().chain(output));
            run.fails_with(7).says("f.wax: ").says(words).writes_nothing();
        }
    }
    // No key service is needed to see a mismatch.
    fs::remove_dir_all(world.home()).unwrap();
    world.run(["cat", "-c", "project=gemini", "f.wax"]).fails_with(7);
    assert_eq!(world.names(), ["f", "f.wax"]);
}

#[test]
fn a_name_that_is_too_long_is_named() {
    let world = World::with_store();
    let name = "n".repeat(255);
    world.write(&name, "x");
    world
        .run(["encrypt", &name])
        .fails_with(4)
        .says(".wax: cannot be written: file name too long\nhint: give it a shorter name with -o OUT");
    // The temporary file's name does not grow with the output's.
    let longest = "o".repeat(255);
    world.run(["encrypt", &name, "-o", &longest]).succeeds_silently();
    world.run(["decrypt", &longest, "-o", "back"]).succeeds_silently();
    assert_eq!(world.names(), ["back".to_owned(), name, longest]);
}

#[test]
fn names_that_look_like_options_work_behind_two_dashes() {
    let world = World::with_store();
    world.write("-dash", "x");
    world.run(["encrypt", "-dash"]).fails_with(2).says("-- -d");
    world.run(["encrypt", "--", "-dash"]).succeeds_silently();
    world.run(["decrypt", "-f", "./-dash.wax"]).succeeds_silently();
    world.run(["decrypt", "-o", "out", "--", "-dash.wax"]).succeeds_silently();
    assert_eq!(world.names(), ["-dash", "-dash.wax", "out"]);
}

#[test]
fn ranges_that_are_none_are_explained() {
    let world = World::new();
    for (range, words) in [
        ("5", "not of the form OFFSET:LENGTH"),
        (":5", "there is no OFFSET before the colon"),
        ("-1:4", "\"-1\" is not a number of bytes"),
        ("18446744073709551616:1", "is not a number of bytes"),
        ("16777216T:1", "is not a number of bytes"),
    ] {
        world.run(["cat", "--range", range, "x"]).fails_with(2).says(words);
    }
}

#[test]
fn usage_errors_exit_with_2() {
    let world = World::new();
    for arguments in [
        &["frobnicate"][..],
        &["encrypt", "--suite", "rot13", "x"],
        &["encrypt", "-k", "a b", "x"],
        &["cat"],
        &["cat", "--range", "x", "y"],
        &["verify"],
        &["encrypt", "-q", "-v", "x"],
        &["encrypt", "-j", "0", "x"],
        &["kms"],
    ] {
        world.run(arguments).fails_with(2).writes_nothing();
    }
    assert!(world.names().is_empty() && !world.home().exists());
}
