//! Damaged containers through the commands: an error with the right code, and never a wrong byte.
//!
//! The container crate flips every bit and cuts everywhere; here are samples through the real program.

use crate::support::{SUITES, World, edited, noise};

/// Asserts that the bytes in `x.wax` do not open, whichever command tries.
#[track_caller]
fn refused(world: &World, content: &[u8], what: &str) {
    for command in ["decrypt", "verify"] {
        let run = world.run([command, "x.wax"]);
        assert!(matches!(run.code, Some(5 | 6 | 8)), "{what}: {command}: {run:?}");
        run.says("error: x.wax: ").writes_nothing();
    }
    let run = world.run(["cat", "x.wax"]);
    assert!(matches!(run.code, Some(5 | 6 | 8)), "{what}: cat");
    assert!(content.starts_with(&run.stdout), "{what}: cat released wrong bytes");
    let run = world.pipe(["decrypt"], &world.read("x.wax"));
    assert!(matches!(run.code, Some(5 | 6 | 8)), "{what}: a stream");
    assert!(content.starts_with(&run.stdout), "{what}: a stream released wrong bytes");
    assert_eq!(world.names(), ["x.wax"], "{what}");
}

/// Asserts that the bytes in `x.wax` either open to `content` or do not open: for the key slots.
#[track_caller]
fn right_or_refused(world: &World, content: &[u8], what: &str) {
    let run = world.run(["cat", "x.wax"]);
    match run.code {
        Some(0) => assert!(run.stdout == content, "{what}: wrong bytes"),
        Some(5 | 6 | 8) => assert!(content.starts_with(&run.stdout), "{what}: wrong bytes before the error"),
        _ => panic!("{what}: {run:?}"),
    }
}

#[test]
fn a_flipped_bit_is_noticed() {
    let world = World::with_store();
    for suite in SUITES {
        let content = noise(300_000, 1);
        let container = world.pipe(["encrypt", "--suite", suite], &content).succeeds().stdout;
        // Page 0 outside the key slots: preamble, tag, salt, core, table; then the borders of chunks and groups.
        let offsets = [
            0, 7, 8, 9, 10, 11, 12, 15, 16, 47, 48, 79, 80, 81, 90, 2048, 2071, 2072, 2087, 2088, 3000, 4095, 4096,
            8191, 8192, 135_167, 135_168, 135_200, 139_263, 139_264, 200_000,
        ];
        for at in offsets.into_iter().chain([container.len() - 1]) {
            let mut bytes = container.clone();
            bytes[at] ^= 0x10;
            world.write("x.wax", &bytes);
            refused(&world, &content, &format!("{suite}: bit flip at {at}"));
        }
    }
}

#[test]
fn a_flipped_bit_in_a_key_slot_gives_the_right_bytes_or_an_error() {
    let world = World::with_store();
    let content = noise(5000, 1);
    let container = world.pipe(["encrypt"], &content).succeeds().stdout;
    for at in (90..2048).step_by(37) {
        let mut bytes = container.clone();
        bytes[at] ^= 1;
        world.write("x.wax", &bytes);
        right_or_refused(&world, &content, &format!("bit flip at {at}"));
    }
}

#[test]
fn a_cut_is_noticed_and_named() {
    let world = World::with_store();
    for suite in SUITES {
        let content = noise(600_000, 1);
        let container = world.pipe(["encrypt", "--suite", suite], &content).succeeds().stdout;
        let cuts = [
            0, 1, 7, 8, 16, 80, 2047, 2048, 4095, 4096, 4097, 8191, 8192, 70_000, 135_167, 135_168, 135_169, 139_263,
            139_264, 139_265, 401_408, 401_409, 405_504, 405_505,
        ];
        for cut in cuts.into_iter().chain([container.len() - 4096, container.len() - 1]) {
            world.write("x.wax", &container[..cut]);
            refused(&world, &content, &format!("{suite}: cut at {cut}"));
            if cut >= 8 {
                world.run(["verify", "x.wax"]).fails_with(6).says("truncated");
            }
        }
    }
}

#[test]
fn appended_bytes_are_noticed() {
    let world = World::with_store();
    for size in [0, 1, 4096, 131_072, 300_000] {
        let content = noise(size, 1);
        let container = world.pipe(["encrypt"], &content).succeeds().stdout;
        for tail in [&[0_u8][..], b"x", &[0; 4096], &noise(8192, 9), &container] {
            world.write("x.wax", [&container, tail].concat());
            refused(&world, &content, &format!("{} bytes after {size}", tail.len()));
        }
    }
}

#[test]
fn chunks_and_tables_that_are_moved_zeroed_or_foreign_are_noticed() {
    let world = World::with_store();
    for suite in SUITES {
        let content = noise(600_000, 1);
        let one = world.pipe(["encrypt", "--suite", suite], &content).succeeds().stdout;
        let other = world.pipe(["encrypt", "--suite", suite], &content).succeeds().stdout;
        let page = |number: usize| number * 4096..(number + 1) * 4096;
        // Page 0 is header and table, 1 to 32 are group 0, 33 is the table of group 1, 98 that of group 2.
        let check = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = one.clone();
            change(&mut bytes);
            world.write("x.wax", &bytes);
            refused(&world, &content, &format!("{suite}: {what}"));
        };
        for (from, to) in [(1, 2), (2, 40), (33, 98), (34, 99)] {
            check(&format!("pages {from} and {to} swapped"), &|bytes| {
                let (first, second) = (bytes[page(from)].to_vec(), bytes[page(to)].to_vec());
                bytes[page(from)].copy_from_slice(&second);
                bytes[page(to)].copy_from_slice(&first);
            });
        }
        for number in [1, 32, 33, 34, 98, 99] {
            check(&format!("page {number} zeroed"), &|bytes| bytes[page(number)].fill(0));
            check(&format!("page {number} of another container"), &|bytes| {
                bytes[page(number)].copy_from_slice(&other[page(number)]);
            });
        }
        check("another container's header", &|bytes| bytes[..2048].copy_from_slice(&other[..2048]));
        check("another container's root", &|bytes| bytes[2048..4096].copy_from_slice(&other[2048..4096]));
        check("another container's body salt", &|bytes| bytes[48..80].copy_from_slice(&other[48..80]));
        check("made to look prepared", &|bytes| {
            bytes[9] = 0;
            bytes[16..80].fill(0);
            bytes[2048..4096].fill(0);
            bytes.truncate(4096);
        });
    }
}

#[test]
fn parts_put_back_to_an_older_version_are_noticed() {
    let world = World::with_store();
    for suite in SUITES {
        let mut content = noise(600_000, 1);
        world.write("x.wax", world.pipe(["encrypt", "--suite", suite], &content).succeeds().stdout);
        let old = world.read("x.wax");
        let patch = noise(5000, 2);
        let mut editor = edited(&world, "x.wax");
        for at in [10, 300_000, 599_000] {
            editor.write_at(&patch, at).unwrap();
        }
        editor.settle().unwrap();
        drop(editor);
        for at in [10, 300_000, 599_000] {
            let end = content.len().max(at + patch.len());
            content.resize(end, 0);
            content[at..at + patch.len()].copy_from_slice(&patch);
        }
        let new = world.read("x.wax");
        assert!(world.run(["cat", "x.wax"]).succeeds_silently().stdout == content);
        let pages = old.len().min(new.len()) / 4096;
        let changed: Vec<usize> =
            (0..pages).filter(|page| old[page * 4096..][..4096] != new[page * 4096..][..4096]).collect();
        assert!(changed.len() >= 7, "page 0, two more tables, and chunks: {changed:?}");
        for page in changed {
            let mut bytes = new.clone();
            bytes[page * 4096..][..4096].copy_from_slice(&old[page * 4096..][..4096]);
            world.write("x.wax", &bytes);
            refused(&world, &content, &format!("{suite}: page {page} put back"));
        }
        world.write("x.wax", &new[..old.len()]);
        refused(&world, &content, &format!("{suite}: cut to the older length"));
    }
}

#[test]
fn ten_containers_one_after_another_are_not_one() {
    let world = World::with_store();
    let container = world.pipe(["encrypt"], b"content").succeeds().stdout;
    world.write("x.wax", container.repeat(10));
    refused(&world, b"content", "ten containers");
    world
        .run(["verify", "x.wax"])
        .fails_with(6)
        .says("goes on after byte 4103, where it should end: something was appended");
}

#[test]
fn the_wording_names_place_and_remedy() {
    let world = World::with_store();
    let container = world.pipe(["encrypt"], &noise(300_000, 1)).succeeds().stdout;
    world.write("report.pdf.wax", &container[..70_000]);
    let run = world.run(["verify", "report.pdf.wax"]).fails_with(6);
    run.says("error: report.pdf.wax: ends at byte 70000, at least ")
        .says(" expected: truncated\n")
        .says("\nhint: the rest is missing: copy or download it again");
    let mut bytes = container.clone();
    bytes[8192] ^= 1;
    world.write("report.pdf.wax", &bytes);
    world
        .run(["verify", "report.pdf.wax"])
        .fails_with(6)
        .says("chunk 1 does not verify")
        .says("(at byte 8192)\n")
        .says("\nhint: use another copy of it");
}
