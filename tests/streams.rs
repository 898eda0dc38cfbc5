//! Standard input and output, closed pipes, terminals.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};

use crate::support::{Run, World, noise};

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
fn a_file_that_says_it_is_empty_is_read_to_its_end() {
    let world = World::with_store();
    // The files of /proc have the size 0.
    world.run(["encrypt", "/proc/cpuinfo", "-o", "f.wax"]).succeeds_silently();
    let back = world.run(["cat", "f.wax"]).succeeds_silently();
    assert!(back.text().contains("processor"), "{}", back.text());
}

#[test]
fn a_file_that_grows_shrinks_or_changes_while_it_is_read_is_an_error() {
    let world = World::with_store();
    let pipe = world.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let changed = "was changed while it was read";
    let shrank = "the input shrank from 20000000 to 10000000 bytes";
    for (change, says) in [(30_000_000, changed), (20_000_000, changed), (10_000_000, shrank)] {
        world.write("f", noise(20_000_000, 1));
        let child = world.command(["encrypt", "f", "-o", "pipe"]).spawn().unwrap();
        // With its first byte the program has opened the input; the full pipe then holds it up.
        let mut reader = fs::File::open(&pipe).unwrap();
        let mut container = vec![0];
        reader.read_exact(&mut container).unwrap();
        let file = fs::File::options().write(true).open(world.path("f")).unwrap();
        file.set_len(change).unwrap();
        file.write_all_at(b"new", change - 3).unwrap();
        reader.read_to_end(&mut container).unwrap();
        let run = Run::from(child.wait_with_output().unwrap());
        run.fails_with(3).says(&format!("error: f: {says}")).says("hint: ").says("waxseal encrypt <FILE >OUT");
        if says == shrank {
            world.pipe(["verify", "-"], &container).fails_with(6);
        }
    }
    // As a stream it is what came out of it.
    let growing = fs::File::open(world.path("f")).unwrap();
    let container = Run::from(world.command(["encrypt"]).stdin(growing).output().unwrap()).succeeds().stdout;
    assert!(world.pipe(["decrypt"], &container).succeeds().stdout == world.read("f"));
}

#[test]
fn a_full_device_as_standard_output_is_named() {
    let world = World::with_store();
    world.container("f.wax", b"x", "aes-256-gcm-siv");
    for command in ["cat", "verify", "inspect"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = world.command([command, "f.wax"]).stdout(full).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{command}: {text}");
        assert!(text.starts_with("error: standard output: cannot be written: no space left on device"), "{text}");
    }
}

#[test]
fn who_types_the_input_is_told_so() {
    let world = World::with_store();
    let Some(mut command) = world.on_terminal("encrypt -o out.wax") else { return };
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = Vec::new();
    let mut byte = [0];
    while !shown.ends_with(b"reading from the terminal") {
        assert_eq!(stdout.read(&mut byte).unwrap(), 1, "no note: {}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"typed\r\x04").unwrap();
    stdout.read_to_end(&mut shown).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(world.run(["cat", "out.wax"]).succeeds_silently().text(), "typed\n");
}

#[test]
fn a_terminal_gets_no_ciphertext_unless_it_is_asked_for() {
    let world = World::with_store();
    world.write("f", "x");
    let run = |arguments: &str| {
        world.on_terminal(arguments).map(|mut command| command.stdin(Stdio::null()).output().unwrap())
    };
    let Some(refused) = run("encrypt < f") else { return };
    assert_eq!(refused.status.code(), Some(4));
    let text = String::from_utf8_lossy(&refused.stdout);
    assert!(text.contains("standard output: is a terminal"), "{text}");
    let allowed = run("encrypt f -o -").unwrap();
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
