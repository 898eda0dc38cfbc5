//! Standard input and output, closed pipes, terminals.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::support::{World, noise};

#[test]
fn a_closed_pipe_ends_quietly() {
    let world = World::with_store();
    world.write("f", noise(5_000_000, 1));
    world.run(["encrypt", "f"]).succeeds_silently();
    for arguments in [&["cat", "f.wax"][..], &["decrypt", "f.wax", "-o", "-"], &["encrypt", "f", "-o", "-"]] {
        let mut child = world.command(arguments).spawn().unwrap();
        let mut front = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut front).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
    }
    assert_eq!(world.names(), ["f", "f.wax"]);
}

#[test]
fn a_truncated_stream_is_an_error_after_what_was_verified() {
    let world = World::with_store();
    let content = noise(1_000_000, 1);
    let container = world.pipe(["encrypt"], &content).succeeds().stdout;
    let run = world.pipe(["decrypt"], &container[..700_000]).fails_with(6);
    assert!(run.stdout.len() < content.len() && content.starts_with(&run.stdout));
    run.says("error: standard input: ").says("truncated");
    world.pipe(["decrypt", "-o", "out"], &container[..700_000]).fails_with(6);
    assert!(world.names().is_empty(), "no partial plaintext under the final name");
}

#[test]
fn a_closed_standard_output_or_input_is_an_error_not_a_panic() {
    let world = World::with_store();
    world.write("f", "x");
    let line = format!("exec {} encrypt f -o - >&-", env!("CARGO_BIN_EXE_waxseal"));
    let output =
        Command::new("sh").args(["-c", &line]).current_dir(world.dir()).env("WAXSEAL_HOME", world.home()).output();
    let output = output.unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

#[test]
fn a_terminal_gets_no_ciphertext_unless_it_is_asked_for() {
    let world = World::with_store();
    world.write("f", "x");
    // script(1) gives the program a terminal as standard output.
    let on_terminal = |arguments: &str| {
        let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_waxseal"));
        Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(world.dir())
            .env("WAXSEAL_HOME", world.home())
            .stdin(Stdio::null())
            .output()
    };
    let Ok(refused) = on_terminal("encrypt < f") else {
        return crate::support::skipped("script(1) is not installed");
    };
    assert_eq!(refused.status.code(), Some(4));
    let text = String::from_utf8_lossy(&refused.stdout);
    assert!(text.contains("standard output is a terminal"), "{text}");
    let allowed = on_terminal("encrypt f -o -").unwrap();
    assert_eq!(allowed.status.code(), Some(0));
    assert!(allowed.stdout.len() > 4000);
    fs::remove_file(world.path("f")).unwrap();
    assert!(world.names().is_empty());
}

#[test]
fn cat_joins_files_and_stops_at_the_first_that_is_bad() {
    let world = World::with_store();
    for (name, content) in [("a.wax", "one "), ("b.wax", "two "), ("c.wax", "three")] {
        world.container(name, content.as_bytes(), "aes-256-gcm-siv");
    }
    assert_eq!(world.run(["cat", "a.wax", "b.wax", "c.wax"]).succeeds_silently().text(), "one two three");
    let mut bad = world.read("b.wax");
    *bad.last_mut().unwrap() ^= 1;
    world.write("b.wax", bad);
    let run = world.run(["cat", "a.wax", "b.wax", "c.wax"]);
    assert_eq!(run.text(), "one ", "nothing is joined over a gap");
    run.fails_with(10).says("error: b.wax: ");
    let middle = world.pipe(["cat", "a.wax", "-"], &world.read("c.wax"));
    assert_eq!(middle.succeeds().text(), "one three");
}
