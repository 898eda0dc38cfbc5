//! `--range` reads what it says, and no more than it needs.

use crate::support::{SUITES, World, noise};

#[test]
fn a_range_is_that_part_of_the_plaintext() {
    let world = World::with_store();
    let content = noise(1_000_000, 5);
    for suite in SUITES {
        world.container(&format!("{suite}.wax"), &content, suite);
        let name = format!("{suite}.wax");
        for (offset, length) in [
            (0, 0),
            (0, 1),
            (0, 4096),
            (4095, 2),
            (131_071, 2),
            (131_072, 4096),
            (393_215, 262_146),
            (999_999, 1),
            (999_999, 100),
            (1_000_000, 5),
            (2_000_000, 5),
            (17, 999_000),
        ] {
            let end = (offset + length).min(content.len());
            let expected = &content[offset.min(end)..end];
            let range = format!("{offset}:{length}");
            assert!(world.run(["cat", "--range", &range, &name]).succeeds_silently().stdout == expected, "{range}");
            let streamed = world.pipe(["cat", "--range", &range, "-"], &world.read(&name)).succeeds_silently();
            assert!(streamed.stdout == expected, "{range} of a stream");
            world.run(["decrypt", "-f", "--range", &range, &name, "-o", "part"]).succeeds_silently();
            assert!(world.read("part") == expected, "{range} into a file");
        }
        let tail = world.run(["cat", "--range", "999_990:", &name]);
        tail.fails_with(2).says("is not a number of bytes");
        let tail = world.run(["cat", "--range", "976K:", &name]).succeeds_silently();
        assert!(tail.stdout == content[976 * 1024..]);
    }
}

#[test]
fn damage_outside_the_range_does_not_matter_and_inside_it_does() {
    let world = World::with_store();
    let content = noise(1_000_000, 5);
    world.container("f.wax", &content, SUITES[0]);
    let mut bytes = world.read("f.wax");
    bytes[600_000] ^= 1;
    world.write("f.wax", bytes);
    let whole = world.run(["cat", "--range", "0:4096", "f.wax"]).succeeds_silently();
    assert!(whole.stdout == content[..4096]);
    let bad = world.run(["cat", "--range", "500000:200000", "f.wax"]).fails_with(6);
    assert!(content[500_000..].starts_with(&bad.stdout));
}

#[test]
fn a_range_of_a_large_file_reads_a_few_pages() {
    let world = World::with_store();
    std::fs::File::create(world.path("f")).unwrap().set_len(64 << 20).unwrap();
    world.run(["encrypt", "--no-sync", "f"]).succeeds_silently();
    // The shell's own account includes those of the children that it waited for.
    let line = format!("{} cat --range 40M:4096 f.wax | wc -c; cat /proc/$$/io", env!("CARGO_BIN_EXE_waxseal"));
    let output = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(world.dir())
        .env("WAXSEAL_HOME", world.home())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("4096\n"), "{text}");
    let read: u64 = text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap();
    // Besides the container there are the key store and the programs' own libraries.
    assert!(read < 1 << 20, "{read} bytes were read");
}
