//! Damaged containers: never changed, and all that is whole of them is saved.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use super::{object, ranges};
use crate::support::{SUITES, World, noise};

/// One damage to a container of 600000 bytes: what it is, how it is done, and which bytes of the plaintext it costs.
type Change = (&'static str, fn(&mut Vec<u8>), &'static [(u64, u64)]);

/// Page 0 is header and table, 1 to 32 are group 0, 33 is the table of group 1, 98 that of group 2.
const DAMAGES: [Change; 8] = [
    ("a bit of chunk 1", |bytes| bytes[2 * 4096 + 9] ^= 4, &[(4096, 8192)]),
    (
        "chunks 0 and 31 zeroed",
        |bytes| [1, 32].iter().for_each(|page| zero(bytes, *page)),
        &[(0, 4096), (126_976, 131_072)],
    ),
    ("a bit of a table", |bytes| bytes[33 * 4096 + 60] ^= 1, &[(131_072, 393_216)]),
    ("a table zeroed", |bytes| zero(bytes, 33), &[(131_072, 393_216)]),
    ("a chunk of the last group swapped", |bytes| swap(bytes), &[(397_312, 405_504)]),
    ("cut in a chunk", |bytes| bytes.truncate(100 * 4096 + 10), &[(397_312, 600_000)]),
    ("cut in a table", |bytes| bytes.truncate(98 * 4096 + 10), &[(393_216, 600_000)]),
    ("appended", |bytes| bytes.extend_from_slice(b"more"), &[]),
];

fn zero(bytes: &mut [u8], page: usize) {
    bytes[page * 4096..(page + 1) * 4096].fill(0);
}

fn swap(bytes: &mut [u8]) {
    let (one, other) = bytes.split_at_mut(101 * 4096);
    one[100 * 4096..].swap_with_slice(&mut other[..4096]);
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

#[test]
fn a_damaged_container_is_never_changed_and_all_that_is_whole_is_saved() {
    let world = World::with_store();
    let content = noise(600_000, 1);
    for suite in SUITES {
        world.write("whole", &content);
        world.run(["encrypt", "-f", "--suite", suite, "whole"]).succeeds_silently();
        let container = world.read("whole.wax");
        for (what, change, lost) in DAMAGES {
            let what = format!("{suite}: {what}");
            let mut bytes = container.clone();
            change(&mut bytes);
            world.write("f.wax", &bytes);
            let found = object(&world.run(["verify", "--json", "f.wax"]).fails_with(6));
            assert_eq!((&found["state"], &found["plaintext_bytes"]), (&json!("damaged"), &json!(600_000)), "{what}");
            let expected: Vec<_> = lost.iter().map(|(start, end)| (*start, *end, "lost")).collect();
            assert_eq!(ranges(&found), expected, "{what}");
            let problems = found["problems"].as_array().unwrap();
            assert_eq!(problems[0]["offset"], found["offset"], "{what}");
            let with_a_part = problems.iter().filter(|problem| problem["start"].is_u64()).count();
            assert_eq!(with_a_part, lost.len(), "{what}: {problems:?}");
            let bytes_lost: u64 = lost.iter().map(|(start, end)| end - start).sum();
            assert_eq!(
                (&found["lost_bytes"], &found["readable_bytes"]),
                (&json!(bytes_lost), &json!(600_000 - bytes_lost))
            );

            let refused = object(&world.run(["verify", "--json", "--repair", "f.wax"]).fails_with(6));
            assert_eq!(refused, found, "{what}");
            let saved = object(&world.run(["verify", "--json", "--salvage", "saved", "f.wax"]).fails_with(6));
            assert_eq!((&saved["ranges"], &saved["output"]), (&found["ranges"], &json!("saved")), "{what}");
            assert!(world.read("f.wax") == bytes, "{what}: a damaged container was changed");
            let mut truth = content.clone();
            lost.iter().for_each(|(start, end)| truth[index(*start)..index(*end)].fill(0));
            assert!(world.read("saved") == truth, "{what}");
            assert_eq!(fs::metadata(world.path("saved")).unwrap().mode() & 0o7777, 0o600, "{what}");
            fs::remove_file(world.path("saved")).unwrap();
        }
    }
}

#[test]
fn of_a_stream_that_was_cut_what_is_there_is_saved() {
    let world = World::with_store();
    let content = noise(600_000, 1);
    let mut bytes = world.pipe(["encrypt"], &content).succeeds().stdout;
    bytes.truncate(100 * 4096);
    world.write("f.wax", &bytes);
    world.run(["verify", "--salvage", "saved", "f.wax"]).fails_with(6).says("truncated").says("hint: what is missing");
    let saved = world.read("saved");
    assert!(saved.len() > 390_000 && content.starts_with(&saved), "{} bytes", saved.len());
}

#[test]
fn without_header_or_root_nothing_is_saved() {
    let world = World::with_store();
    for (at, says) in [(20, ""), (60, ""), (2100, "nothing of it can be read")] {
        world.container("f.wax", &noise(9000, 1), SUITES[0]);
        let mut bytes = world.read("f.wax");
        bytes[at] ^= 1;
        world.write("f.wax", &bytes);
        for options in [&["verify"][..], &["verify", "--repair"], &["verify", "--salvage", "saved"]] {
            let run = world.run(options.iter().copied().chain(["f.wax"])).fails_with(6).writes_nothing();
            assert!(run.stderr.contains(says) && !run.stderr.contains("--salvage"), "byte {at}: {}", run.stderr);
            let found = object(&world.run(options.iter().copied().chain(["--json", "f.wax"])).fails_with(6));
            assert_eq!(
                (&found["state"], &found["problems"][0]["offset"]),
                (&json!("damaged"), &found["offset"]),
                "{at}"
            );
        }
        assert_eq!(world.names(), ["f.wax"], "byte {at}");
        assert!(world.read("f.wax") == bytes);
        fs::remove_file(world.path("f.wax")).unwrap();
    }
}

#[test]
fn a_salvage_says_what_is_lost_and_a_check_says_how_to_save_the_rest() {
    let world = World::with_store();
    world.container("f.wax", &noise(100_000, 1), SUITES[0]);
    let mut bytes = world.read("f.wax");
    (1..24).step_by(2).for_each(|page| bytes[page * 4096] ^= 1);
    world.write("f.wax", &bytes);
    let chunk = |number: usize| {
        format!(
            "  bytes {} to {} (chunk {number}): lost: chunk {number} does not verify: it was changed, moved or put back to \
             an older version (at byte {})\n",
            number * 4096,
            number * 4096 + 4095,
            (number + 1) * 4096
        )
    };
    let first =
        "error: f.wax: chunk 0 does not verify: it was changed, moved or put back to an older version (at byte 4096)\n";
    let some: String = (0..20).step_by(2).map(chunk).collect();
    world.run(["verify", "f.wax"]).fails_with(6).says_exactly(&format!(
        "{first}{some}  and 2 more parts, which --json lists\n  50848 of 100000 bytes are still whole\n\
         hint: use another copy of it; 'waxseal verify --salvage OUT FILE' saves what is still whole"
    ));
    let all: String = (0..24).step_by(2).map(chunk).collect();
    world.run(["verify", "--salvage", "saved", "f.wax"]).fails_with(6).says_exactly(&format!(
        "{first}{all}  50848 of 100000 bytes are still whole\n  saved holds what verified, at its place, and zeros elsewhere\n\
         hint: what is missing has to come from another copy"
    ));
    for command in ["cat", "decrypt"] {
        world.run([command, "f.wax"]).fails_with(6).says("'waxseal verify --salvage OUT FILE'");
    }
}
