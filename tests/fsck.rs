//! `verify`, `verify --repair` and `verify --salvage`: containers in every state, told apart, repaired and saved.

mod damage;
mod repair;
mod salvage;

use std::fs;

use serde_json::{Value, json};

use crate::compat::{Frozen, check_plaintext, text};
use crate::support::{Run, SUITES, World, edited, noise};

/// The only object that a run with `--json` printed.
#[track_caller]
fn object(run: &Run) -> Value {
    let [object] = run.json().try_into().unwrap();
    object
}

/// The members `start`, `end` and `holds` of what `ranges` lists.
fn ranges(object: &Value) -> Vec<(u64, u64, &str)> {
    let number = |range: &Value, member: &str| range[member].as_u64().unwrap();
    let ranges = object["ranges"].as_array().unwrap().iter();
    ranges.map(|range| (number(range, "start"), number(range, "end"), range["holds"].as_str().unwrap())).collect()
}

/// A container whose writer was killed between the tables and the data: chunk 2 is old, chunk 3 is new, and of what was
/// appended the second chunk is missing. Returns what it holds.
fn interrupted(world: &World, suite: &str) -> Vec<u8> {
    let mut expected = noise(300_000, 1);
    fs::remove_file(world.path("f.wax")).ok();
    world.container("f.wax", &expected, suite);
    let before = world.read("f.wax");
    let mut editor = edited(world, "f.wax");
    editor.write_at(&noise(8192, 2), 8192).unwrap();
    editor.write_at(&noise(10_000, 3), 299_008).unwrap();
    editor.flush().unwrap();
    drop(editor);
    let mut bytes = world.read("f.wax");
    bytes[3 * 4096..4 * 4096].copy_from_slice(&before[3 * 4096..4 * 4096]);
    // Chunk 73 begins at plaintext byte 299008; what follows chunk 74 has not arrived.
    let place = (33 + 1 + 73 - 32 + 2) * 4096;
    bytes[place..].fill(0);
    world.write("f.wax", &bytes);
    expected[12_288..16_384].copy_from_slice(&noise(8192, 2)[4096..]);
    expected.truncate(299_008);
    expected.extend_from_slice(&noise(10_000, 3)[..8192]);
    expected
}

#[test]
fn frozen_containers_are_told_apart_repaired_and_saved() {
    for frozen in Frozen::all() {
        let world = frozen.world_of_the_time();
        for vector in &frozen.vectors {
            let name = text(vector, "file");
            frozen.unpack(&world, vector);
            let before = world.read(name);
            let was_interrupted = text(vector, "state") == "interrupted";
            let (state, code) = if was_interrupted { ("interrupted", 6) } else { ("clean", 0) };
            let found = object(&world.run(["verify", "--json", name]).fails_with(code));
            assert_eq!(
                (&found["state"], &found["plaintext_bytes"]),
                (&json!(state), &vector["plaintext_len"]),
                "{name}"
            );
            assert_eq!(found["problems"], json!([]), "{name}");
            assert_eq!(!ranges(&found).is_empty(), was_interrupted, "{name}: {found}");

            let saved = object(&world.run(["verify", "--json", "--salvage", "saved", name]).fails_with(code));
            assert_eq!((&saved["state"], &saved["output"]), (&json!(state), &json!("saved")), "{name}");
            check_plaintext(&world.read("saved"), name, vector);
            assert!(world.read(name) == before, "{name}: a check has changed it");

            let repaired = object(&world.run(["verify", "--json", "--repair", name]).succeeds_silently());
            let state = if was_interrupted { "repaired" } else { "clean" };
            assert_eq!((&repaired["state"], &repaired["ranges"]), (&json!(state), &found["ranges"]), "{name}");
            assert_eq!(world.read(name) == before, !was_interrupted, "{name}");
            let clean = object(&world.run(["verify", "--json", name]).succeeds_silently());
            assert_eq!((&clean["state"], &clean["ranges"]), (&json!("clean"), &json!([])), "{name}");
            world.run(["decrypt", "-o", "plain", name]).succeeds_silently();
            check_plaintext(&world.read("plain"), name, vector);
            for file in [name, "saved", "plain"] {
                fs::remove_file(world.path(file)).unwrap();
            }
        }
    }
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let world = World::with_store();
    world.container("f.wax", b"content", SUITES[0]);
    for arguments in [
        &["--repair", "--salvage", "out", "f.wax"][..],
        &["--salvage", "out", "f.wax", "f.wax"],
        &["--force", "f.wax"],
        &["--salvage", "out"],
    ] {
        world.run(["verify"].iter().chain(arguments)).fails_with(2).writes_nothing();
    }
    assert_eq!(world.names(), ["f.wax"]);
}

#[test]
fn pipes_are_checked_and_nothing_more() {
    let world = World::with_store();
    interrupted(&world, SUITES[0]);
    let bytes = world.read("f.wax");
    for options in [&["--repair"][..], &["--salvage", "out"]] {
        for name in ["-", "/dev/stdin"] {
            let run = world.pipe(["verify"].iter().chain(options).chain([&name]), &bytes);
            run.fails_with(3).says("is not named as a regular file").says("hint: ").writes_nothing();
        }
    }
    assert_eq!(world.names(), ["f.wax"]);
    let found = object(&world.pipe(["verify", "--json", "-"], &bytes).fails_with(6));
    assert_eq!((&found["state"], &found["ranges"]), (&json!("interrupted"), &json!([])));
    let found = object(&world.pipe(["verify", "--json", "--recover", "-"], &bytes).succeeds());
    assert_eq!((&found["state"], &found["plaintext_bytes"]), (&json!("interrupted"), &json!(307_200)));
    let mut damaged = bytes;
    damaged[20 * 4096] ^= 1;
    let found = object(&world.pipe(["verify", "--json", "--recover", "-"], &damaged).fails_with(6));
    assert_eq!((&found["state"], &found["problems"][0]["offset"]), (&json!("damaged"), &json!(20 * 4096)));
}
