//! Containers whose last writer was interrupted: refused, and read as far as they are whole when that is asked for.

use crate::support::{Run, SUITES, World, edited, noise};

/// What the first writer wrote: several groups.
fn content() -> Vec<u8> {
    noise(500_000, 1)
}

/// Writes `bytes` at `offset` into the container `name` and ends there, as a writer does that is killed.
fn overwrite_and_die(world: &World, name: &str, bytes: &[u8], offset: u64) {
    let mut editor = edited(world, name);
    editor.write_at(bytes, offset).unwrap();
    editor.flush().unwrap();
}

/// A container with an interrupted overwrite in the middle and one at its end, and what it holds then.
fn interrupted(world: &World, suite: &str) -> Vec<u8> {
    let mut expected = content();
    world.container("f.wax", &expected, suite);
    let patch = noise(10_000, 2);
    overwrite_and_die(world, "f.wax", &patch, 200_000);
    expected[200_000..210_000].copy_from_slice(&patch);
    overwrite_and_die(world, "f.wax", &patch, 495_000);
    expected.truncate(495_000);
    expected.extend_from_slice(&patch);
    expected
}

#[track_caller]
fn refused(run: Run) {
    run.fails_with(6)
        .says("its last writer was interrupted, or is still writing\n")
        .says("\nhint: ")
        .says("--recover reads as far as it was certainly written")
        .writes_nothing();
}

#[test]
fn an_interrupted_container_is_refused_and_says_how_to_recover_it() {
    let world = World::with_store();
    for suite in SUITES {
        interrupted(&world, suite);
        let bytes = world.read("f.wax");
        for arguments in [
            &["decrypt", "f.wax"][..],
            &["decrypt", "--range", "0:10", "f.wax"],
            &["cat", "f.wax"],
            &["cat", "--range", "0:10", "f.wax"],
            &["verify", "f.wax"],
        ] {
            refused(world.run(arguments));
        }
        refused(world.pipe(["decrypt"], &bytes));
        refused(world.pipe(["cat", "--range", "0:10", "-"], &bytes));
        assert_eq!(world.names(), ["f.wax"]);
        assert!(world.read("f.wax") == bytes, "reading changes nothing");
        std::fs::remove_file(world.path("f.wax")).unwrap();
    }
}

#[test]
fn a_recovered_container_gives_the_right_bytes_and_a_warning() {
    let world = World::with_store();
    for suite in SUITES {
        let expected = interrupted(&world, suite);
        let bytes = world.read("f.wax");
        let warning = |name: &str| {
            format!(
                "warning: {name}: was interrupted while it was written; what is whole of it ends at byte 505000\nhint: "
            )
        };
        let check = |run: Run, name: &str, part: &[u8]| {
            let run = run.succeeds().says(&warning(name));
            assert!(run.stdout == part, "{suite}: {} bytes of {}", run.stdout.len(), part.len());
        };
        check(world.run(["cat", "--recover", "f.wax"]), "f.wax", &expected);
        check(
            world.run(["cat", "--recover", "--range", "199000:12000", "f.wax"]),
            "f.wax",
            &expected[199_000..211_000],
        );
        check(world.run(["cat", "--recover", "--range", "499999:", "f.wax"]), "f.wax", &expected[499_999..]);
        check(world.pipe(["cat", "--recover", "-"], &bytes), "standard input", &expected);
        check(
            world.pipe(["decrypt", "--recover", "--range", "204K:99"], &bytes),
            "standard input",
            &expected[204 * 1024..][..99],
        );
        check(world.run(["decrypt", "--recover", "f.wax"]), "f.wax", b"");
        assert!(world.read("f") == expected);
        world.run(["verify", "--recover", "f.wax"]).succeeds().says(&warning("f.wax"));
        world.run(["cat", "-q", "--recover", "f.wax"]).succeeds_silently();
        for name in ["f", "f.wax"] {
            std::fs::remove_file(world.path(name)).unwrap();
        }
    }
}

#[test]
fn a_damaged_container_is_not_recovered() {
    let world = World::with_store();
    let expected = interrupted(&world, SUITES[0]);
    let mut bytes = world.read("f.wax");
    bytes[20_000] ^= 1;
    world.write("f.wax", bytes);
    let run = world.run(["cat", "--recover", "f.wax"]).fails_with(6).says("does not verify");
    assert!(expected.starts_with(&run.stdout));
    world.run(["decrypt", "--recover", "f.wax"]).fails_with(6);
    assert_eq!(world.names(), ["f.wax"]);
}

#[test]
fn a_container_of_a_finished_writer_needs_no_recovery() {
    let world = World::with_store();
    world.container("f.wax", &content(), SUITES[0]);
    let run = world.run(["cat", "--recover", "f.wax"]).succeeds_silently();
    assert!(run.stdout == content());
}
