//! Several inputs: names, directories, errors in between, the summary.

use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use crate::serve::support::Served;
use crate::support::{World, noise};

#[test]
fn many_files_go_into_a_directory_and_come_back() {
    let world = World::with_store();
    for folder in ["in", "vault", "back"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    let names: Vec<String> = (0..1200).map(|number| format!("in/{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        world.write(name, noise(number * 7, number as u64));
    }
    let run = world.run(["encrypt", "-o", "vault"].into_iter().chain(names.iter().map(String::as_str))).succeeds();
    assert!(run.stderr.starts_with("1200 files encrypted, "), "{}", run.stderr);
    let containers: Vec<String> = (0..1200).map(|number| format!("vault/{number}.wax")).collect();
    let arguments = ["decrypt", "-q", "-j", "3", "--no-sync", "-o", "back"].into_iter();
    world.run(arguments.chain(containers.iter().map(String::as_str))).succeeds_silently();
    world.run(["verify", "-q"].into_iter().chain(containers.iter().map(String::as_str))).succeeds();
    for (number, name) in names.iter().enumerate() {
        assert!(world.read(name) == world.read(&format!("back/{number}")), "{name}");
    }
    for folder in ["in", "vault", "back"] {
        assert_eq!(crate::support::names_in(&world.path(folder)).len(), 1200, "{folder}");
    }
}

#[test]
fn the_others_go_on_when_one_fails() {
    let world = World::with_store();
    for name in ["a", "b", "d"] {
        world.write(name, name);
    }
    world.write("b.wax", "in the way");
    let run = world.run(["encrypt", "a", "b", "c", "d"]).fails_with(10);
    for words in ["error: b.wax: exists already", "error: c: cannot be opened", "2 files encrypted, 2 bytes; 2 failed"]
    {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    assert_eq!(world.names(), ["a", "a.wax", "b", "b.wax", "d", "d.wax"]);
    assert_eq!(world.read("b.wax"), b"in the way");
    let run = world.run(["decrypt", "-f", "a.wax", "b.wax", "d.wax"]).fails_with(10);
    run.says("error: b.wax: not a Waxseal container").says("2 files decrypted");
    assert_eq!(world.names(), ["a", "a.wax", "b", "b.wax", "d", "d.wax"]);
}

#[test]
fn two_inputs_for_one_output_are_refused_even_by_force() {
    let world = World::with_store();
    for folder in ["x", "y", "out"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    world.write("x/f", "from x");
    world.write("y/f", "from y");
    let run = world.run(["encrypt", "-f", "-o", "out", "x/f", "y/f"]).fails_with(10);
    run.says("error: out/f.wax: is the output of two inputs");
    let run = world.run(["encrypt", "x/f", "x/f"]).fails_with(10);
    run.says("error: x/f.wax: is the output of two inputs\nhint: name each input once");
}

#[test]
fn what_was_done_is_said_when_asked() {
    let world = World::with_store();
    world.write("f", "12345");
    let run = world.run(["encrypt", "-v", "-c", "a=b", "f"]).succeeds();
    assert!(run.stderr.starts_with("f -> f.wax: encrypted, 5 bytes, key arn:aws:kms:us-east-1:000000000000:key/"));
    assert!(run.stderr.trim_end().ends_with(", a=b"), "{}", run.stderr);
    let run = world.run(["decrypt", "-v", "f.wax", "-o", "g"]).succeeds();
    assert!(run.stderr.starts_with("f.wax -> g: decrypted, 5 bytes, key arn:"), "{}", run.stderr);
    let run = world.run(["verify", "f.wax"]).succeeds();
    assert!(run.text().starts_with("f.wax: verified, 5 bytes, key arn:") && run.stderr.is_empty(), "{run:?}");
}

#[test]
fn another_process_is_asked_once_for_inputs_that_share_a_data_key_and_the_store_each_time() {
    let world = World::with_store();
    for name in ["a", "b"] {
        world.write(name, name);
        world.run(["encrypt", name]).succeeds_silently();
    }
    let again = ["a.wax", "b.wax", "a.wax", "a.wax"];
    let run = world.run([&["verify", "-v"], &again[..]].concat()).succeeds();
    assert!(run.stderr.contains("data keys: 4 decrypted by the key service, 0 taken from memory"), "{run:?}");
    let _served = Served::listening(&world, "unix:kms.sock", &[]);
    let place = format!("unix:{}", world.path("kms.sock").display());
    let run = world.run([&["verify", "-v", "--kms", &place], &again[..]].concat()).succeeds();
    assert!(run.stderr.contains("data keys: 2 decrypted by the key service, 2 taken from memory"), "{run:?}");
    let run = world.run([&["verify", "--json", "--kms", &place], &again[..]].concat()).succeeds();
    assert!(run.stderr.contains("\"data_keys\":{\"decrypted\":2,\"recalled\":2}"), "{run:?}");
}

#[test]
fn a_report_takes_the_place_of_nothing_but_a_report() {
    let world = World::with_store();
    fs::create_dir(world.path("src")).unwrap();
    world.write("src/f", "a source");
    world.run(["encrypt", "src/f", "-o", "q.wax"]).succeeds_silently();
    let container = world.read("q.wax");
    let refused = "is there already, and is no report of an earlier run";
    world.run(["verify", "--report", "q.wax", "q.wax"]).fails_with(4).says(refused);
    assert!(world.read("q.wax") == container);
    world.run(["encrypt", "-r", "--report", "src/f", "src", "-o", "vault"]).fails_with(4).says(refused);
    assert_eq!(world.read("src/f"), b"a source");
    world.write("json", "{\"v\":1,\"status\":\"theirs\"}\n");
    std::os::unix::fs::symlink("empty", world.path("link")).unwrap();
    world.write("empty", "");
    for name in ["json", "link", "src", "/dev/null"] {
        world.run(["verify", "--report", name, "q.wax"]).fails_with(4).says(refused);
    }
    assert_eq!(world.read("json"), b"{\"v\":1,\"status\":\"theirs\"}\n");
    // An earlier report is replaced, be its first line that of a failure or the summary; and so is an empty file.
    for report in ["empty", "new"] {
        world.run(["verify", "--report", report, "missing.wax"]).fails_with(3);
        assert_eq!(crate::support::json_lines(&String::from_utf8(world.read(report)).unwrap()).len(), 2);
        for _ in 0..2 {
            world.run(["verify", "--report", report, "q.wax"]).succeeds();
            assert_eq!(crate::support::json_lines(&String::from_utf8(world.read(report)).unwrap()).len(), 1);
        }
    }
}

#[test]
fn what_is_done_has_its_name_while_the_rest_takes_its_time() {
    let world = World::with_store();
    fs::create_dir(world.path("vault")).unwrap();
    world.write("a", "done");
    for name in ["slow", "slower"] {
        assert!(Command::new("mkfifo").arg(world.path(name)).status().unwrap().success());
    }
    let mut child = world.command(["encrypt", "-q", "-j", "1", "-o", "vault", "a", "slow", "slower"]).spawn().unwrap();
    // Whoever opens a pipe for writing waits until it is read, and the first file is done by then.
    let slow = File::options().write(true).open(world.path("slow")).unwrap();
    // A group of outputs is named when its first one is five seconds old.
    std::thread::sleep(Duration::from_secs(6));
    drop(slow);
    let _slower = File::options().write(true).open(world.path("slower")).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    for (container, content) in [("vault/a.wax", "done"), ("vault/slow.wax", "")] {
        assert_eq!(world.run(["cat", container]).succeeds_silently().text(), content);
    }
}
