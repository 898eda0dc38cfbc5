//! Encrypt, then decrypt, is the identity: every size of interest, both suites, files and pipes.

use proptest::prelude::*;

use crate::support::{SUITES, World, noise};

/// Sizes at the borders of chunks and groups, and within several groups.
const SIZES: [usize; 16] = [
    0, 1, 4095, 4096, 4097, 8192, 131_071, 131_072, 131_073, 135_168, 393_215, 393_216, 393_217, 655_360, 1_000_000,
    3_000_001,
];

#[test]
fn files_come_back_as_they_were() {
    let world = World::with_store();
    for suite in SUITES {
        for size in SIZES {
            let content = noise(size, size as u64);
            world.write("f", &content);
            world.run(["encrypt", "--suite", suite, "f"]).succeeds_silently().writes_nothing();
            world.run(["decrypt", "f.wax", "-o", "back"]).succeeds_silently().writes_nothing();
            assert!(world.read("back") == content, "{suite} {size}");
            assert!(world.read("f") == content, "the source stays as it is");
            assert_eq!(world.names(), ["back", "f", "f.wax"]);
            for name in ["back", "f.wax"] {
                std::fs::remove_file(world.path(name)).unwrap();
            }
        }
    }
}

#[test]
fn pipes_come_back_as_they_were() {
    let world = World::with_store();
    for suite in SUITES {
        for size in SIZES {
            let content = noise(size, size as u64);
            let container = world.pipe(["encrypt", "--suite", suite], &content).succeeds_silently().stdout;
            let back = world.pipe(["decrypt"], &container).succeeds_silently().stdout;
            assert!(back == content, "{suite} {size}");
        }
    }
    assert!(world.names().is_empty());
}

#[test]
fn what_a_pipe_wrote_a_file_reads_and_the_other_way_round() {
    let world = World::with_store();
    for suite in SUITES {
        for size in SIZES {
            let content = noise(size, size as u64);
            world.write("f", &content);
            let container = world.pipe(["encrypt", "--suite", suite, "-"], &content).succeeds_silently().stdout;
            world.write("piped.wax", &container);
            world.run(["verify", "piped.wax"]).succeeds();
            world.run(["decrypt", "-f", "piped.wax"]).succeeds_silently();
            assert!(world.read("piped") == content, "{suite} {size}: stream to file");
            world.run(["encrypt", "-f", "--suite", suite, "f"]).succeeds_silently();
            let back = world.pipe(["cat", "-"], &world.read("f.wax")).succeeds_silently().stdout;
            assert!(back == content, "{suite} {size}: file to stream");
            assert!(world.run(["cat", "f.wax"]).succeeds_silently().stdout == content, "{suite} {size}: cat");
            let out = world.run(["decrypt", "f.wax", "-o", "-"]).succeeds_silently().stdout;
            assert!(out == content, "{suite} {size}: decrypt to standard output");
        }
    }
}

#[test]
fn containers_have_the_sizes_of_the_specification() {
    let world = World::with_store();
    let sizes = [
        (0, 4096),
        (1, 4097),
        (4096, 8192),
        (131_072, 135_168),
        (131_073, 139_265),
        (393_216, 401_408),
        (1_000_000, 1_020_480),
    ];
    for suite in SUITES {
        for (plaintext, container) in sizes {
            let piped = world.pipe(["encrypt", "--suite", suite], &noise(plaintext, 1)).succeeds();
            assert_eq!(piped.stdout.len(), container, "{suite} {plaintext}");
        }
    }
}

#[test]
fn two_encryptions_of_one_file_have_nothing_in_common() {
    let world = World::with_store();
    let content = vec![0; 20_000];
    let (one, two) = (world.pipe(["encrypt"], &content).succeeds(), world.pipe(["encrypt"], &content).succeeds());
    let same = one.stdout[4096..].chunks(16).zip(two.stdout[4096..].chunks(16)).filter(|(one, two)| one == two);
    assert_eq!(same.count(), 0);
}

#[test]
fn a_container_within_a_container_is_encrypted_with_a_warning() {
    let world = World::with_store();
    world.write("f", "inner");
    world.run(["encrypt", "f"]).succeeds_silently();
    let again = world.run(["encrypt", "f.wax"]).succeeds();
    again.says("warning: f.wax: is encrypted already");
    world.run(["decrypt", "f.wax.wax", "-o", "g.wax"]).succeeds_silently();
    assert_eq!(world.read("g.wax"), world.read("f.wax"));
    world.pipe(["encrypt"], &world.read("f.wax")).succeeds().says("warning: standard input: is encrypted already");
    world.pipe(["encrypt", "-q"], &world.read("f.wax")).succeeds_silently();
}

proptest! {
    // Each case is four processes.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_come_back_through_files_and_pipes(
        size in prop_oneof![0..10_000_usize, 0..900_000_usize],
        seed: u64,
        suite in 0..2_usize,
    ) {
        let world = World::with_store();
        let content = noise(size, seed);
        world.write("f", &content);
        world.run(["encrypt", "--suite", SUITES[suite], "f"]).succeeds_silently();
        let through_pipe = world.pipe(["decrypt"], &world.read("f.wax")).succeeds_silently().stdout;
        prop_assert!(through_pipe == content);
        world.run(["decrypt", "f.wax", "-o", "back"]).succeeds_silently();
        prop_assert!(world.read("back") == content);
    }
}
