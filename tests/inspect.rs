//! `inspect` needs neither key nor store.

use std::fs;

use crate::support::{SUITES, World, noise};

#[test]
fn inspect_shows_the_header_without_any_key() {
    let world = World::with_store();
    for suite in SUITES {
        world.write("f", noise(12_345, 1));
        world.run(["encrypt", "-f", "--suite", suite, "-c", "b=2", "-c", "a=1 x", "f"]).succeeds_silently();
        let home = world.home();
        let hidden = home.with_extension("hidden");
        fs::rename(&home, &hidden).unwrap();
        let run = world.run(["inspect", "f.wax"]).succeeds_silently();
        let lines: Vec<&str> = run.text().lines().collect();
        assert_eq!(lines[0], "f.wax");
        assert_eq!(lines[1], format!("  suite       {suite}"));
        assert_eq!(lines[2], "  state       filled");
        assert_eq!(lines[3], "  size        12345 bytes of plaintext");
        assert!(lines[4].starts_with("  created     2") && lines[4].ends_with('Z'), "{}", lines[4]);
        assert!(lines[5].starts_with("  file id     ") && lines[5].len() == 14 + 64, "{}", lines[5]);
        assert_eq!(lines[6..8], ["  context     a=1 x", "  context     b=2"]);
        assert_eq!(lines[8], "  slots       generation 1");
        assert!(lines[9].starts_with("  key         local arn:aws:kms:us-east-1:000000000000:key/"), "{}", lines[9]);
        assert_eq!(lines.len(), 10);
        let keys = world.run(["inspect", "--keys", "f.wax", "f.wax"]).succeeds_silently();
        assert_eq!(keys.text().lines().count(), 2);
        assert!(keys.text().starts_with("local arn:aws:kms:"));
        assert!(!home.exists(), "inspect makes no store");
        fs::rename(&hidden, &home).unwrap();
    }
}

#[test]
fn a_context_cannot_steer_the_terminal() {
    let world = World::with_store();
    world.write("f", "x");
    world.run(["encrypt", "-c", "a=\u{1b}[2J\nkey\u{202e}", "f"]).succeeds_silently();
    let run = world.run(["inspect", "f.wax"]).succeeds();
    assert!(run.text().contains("  context     a=\\u{1b}[2J\\nkey\\u{202e}\n"), "{}", run.text());
}

#[test]
fn inspect_goes_on_after_a_file_that_is_none() {
    let world = World::with_store();
    world.container("f.wax", b"x", SUITES[0]);
    world.write("g", "none");
    let run = world.run(["inspect", "g", "f.wax"]).fails_with(10);
    assert!(run.text().contains("f.wax\n  suite"));
    run.says("error: g: not a Waxseal container");
}
