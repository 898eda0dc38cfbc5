//! Frozen vectors: containers, a key store and a backup as released versions wrote them. They stay readable for ever.
//!
//! `cli/examples/compat_vectors` made them, once.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{World, names_in};

/// Each version of the format, with the SHA-256 of the manifest of its vectors.
const FROZEN: [(&str, &str); 1] = [("v1", "ff5d9ee44c2177103dfd030aa89aba6b92f3b3f56a71382354f58891a6a5c9cd")];

const BREAKS: &str = "this version no longer reads what a released one wrote: a change here breaks users' files. \
                      Mend the program, and leave the vectors as they are";

/// The vectors of one version of the format.
pub(crate) struct Frozen {
    directory: PathBuf,
    /// What the manifest says of each container.
    pub(crate) vectors: Vec<Value>,
    /// Of those without content.
    prepared: Vec<Value>,
}

impl Frozen {
    /// Those of every version.
    pub(crate) fn all() -> Vec<Self> {
        FROZEN.iter().map(|(version, manifest)| Self::load(version, manifest)).collect()
    }

    fn load(version: &str, expected: &str) -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/compat").join(version);
        let manifest = fs::read(directory.join("manifest.json")).unwrap();
        assert_eq!(sha256(&manifest), expected, "{version}: the manifest has changed. {BREAKS}");
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let [vectors, prepared] = ["vectors", "prepared"].map(|member| manifest[member].as_array().unwrap().clone());
        Self { directory, vectors, prepared }
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().to_owned()
    }

    /// A world whose home is the frozen one. Git keeps no modes, so they are set here.
    pub(crate) fn world_of_the_time(&self) -> World {
        let world = World::new();
        let (from, store) = (self.directory.join("home/kms"), world.home().join("kms"));
        fs::create_dir_all(&store).unwrap();
        fs::set_permissions(&store, Permissions::from_mode(0o700)).unwrap();
        for name in names_in(&from) {
            fs::write(store.join(&name), fs::read(from.join(&name)).unwrap()).unwrap();
            fs::set_permissions(store.join(&name), Permissions::from_mode(0o600)).unwrap();
        }
        world
    }

    /// Puts a container into the world's directory, with the zeros that the repository does without.
    pub(crate) fn unpack(&self, world: &World, vector: &Value) {
        let name = text(vector, "file");
        let mut bytes = fs::read(self.path(name)).unwrap();
        for run in vector["zeros_left_out"].as_array().unwrap() {
            let [offset, length] = [0, 1].map(|at| usize::try_from(run[at].as_u64().unwrap()).unwrap());
            bytes.splice(offset..offset, std::iter::repeat_n(0, length));
        }
        world.write(name, bytes);
    }

    /// Reads every container in every way.
    fn read_all(&self, world: &World) {
        for vector in &self.vectors {
            let name = text(vector, "file");
            self.unpack(world, vector);
            check_reading(world, name, vector);
            check_header(world, name, vector);
            fs::remove_file(world.path(name)).unwrap();
        }
    }
}

/// Decrypts, to a file and to a pipe, and verifies: with and without recovery.
fn check_reading(world: &World, name: &str, vector: &Value) {
    let code = |field: &str| i32::try_from(vector[field].as_i64().unwrap()).unwrap();
    for (options, expected) in [(&[][..], code("verify")), (&["--recover"], code("verify_recover"))] {
        let run = |arguments: &[&str]| world.run([arguments, options, &[name]].concat());
        let verified = run(&["verify"]);
        assert_eq!(verified.code, Some(expected), "verify {options:?} {name}: {verified:?}\n{BREAKS}");
        let decrypted = run(&["decrypt", "-o", "plain"]);
        assert_eq!(decrypted.code, Some(expected), "decrypt {options:?} {name}: {decrypted:?}\n{BREAKS}");
        let shown = run(&["cat"]);
        assert_eq!(shown.code, Some(expected), "cat {options:?} {name}\n{BREAKS}");
        if expected == 0 {
            check_plaintext(&world.read("plain"), name, vector);
            check_plaintext(&shown.stdout, name, vector);
            fs::remove_file(world.path("plain")).unwrap();
        }
    }
    let middle = world.read(name);
    let streamed = world.pipe(["cat", "--recover", "-"], &middle);
    assert_eq!(streamed.code, Some(code("verify_recover")), "cat {name} from a pipe\n{BREAKS}");
    check_plaintext(&streamed.stdout, name, vector);
}

/// Asserts that a plaintext is the one that the vector was made of.
pub(crate) fn check_plaintext(plaintext: &[u8], name: &str, vector: &Value) {
    assert_eq!(json!(plaintext.len()), vector["plaintext_len"], "{name}: {BREAKS}");
    assert_eq!(sha256(plaintext), text(vector, "plaintext_sha256"), "{name}: {BREAKS}");
}

/// What is known without any key, and that the context can be asserted.
fn check_header(world: &World, name: &str, vector: &Value) {
    let inspected = world.run(["inspect", "--json", name]).succeeds_silently().json();
    for field in ["suite", "context"] {
        assert_eq!(inspected[0][field], vector[field], "{name}: {BREAKS}");
    }
    if let Some(keys) = vector["keys"].as_array() {
        let found = inspected[0]["keys"].as_array().unwrap().iter();
        let found: Vec<Value> = found.map(|key| json!([key["provider"], key["key_arn"]])).collect();
        assert_eq!(found, *keys, "{name}: {BREAKS}");
    }
    for (key, value) in vector["context"].as_object().unwrap() {
        let pair = format!("{key}={}", value.as_str().unwrap());
        world.run(["verify", "--recover", "-c", &pair, name]).succeeds();
    }
    world.run(["verify", "--recover", "-c", "project=other", name]).fails_with(7);
}

/// A member of a vector.
pub(crate) fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_frozen_container_opens_with_the_store_that_made_it() {
    for frozen in Frozen::all() {
        frozen.read_all(&frozen.world_of_the_time());
    }
}

#[test]
fn every_frozen_container_opens_after_the_frozen_backup_is_restored() {
    for frozen in Frozen::all() {
        let world = World::new();
        let (backup, passphrase) = (frozen.path("keys.backup"), frozen.path("passphrase"));
        let run = world.run(["kms", "restore", &backup, "--passphrase-file", &passphrase]);
        assert_eq!(run.code, Some(0), "{run:?}\n{BREAKS}");
        frozen.read_all(&world);
    }
}

#[test]
fn every_frozen_prepared_container_is_no_empty_file_and_can_be_filled() {
    for frozen in Frozen::all() {
        let world = frozen.world_of_the_time();
        assert_eq!(frozen.prepared.len(), 2, "of both suites");
        for vector in &frozen.prepared {
            let name = text(vector, "file");
            world.write(name, fs::read(frozen.path(name)).unwrap());
            let inspected = world.run(["inspect", "--json", name]).succeeds_silently().json();
            for (field, expected) in
                [("suite", &vector["suite"]), ("context", &vector["context"]), ("state", &json!("prepared"))]
            {
                assert_eq!(inspected[0][field], *expected, "{name}: {BREAKS}");
            }
            for reading in ["verify", "cat", "decrypt"] {
                let run = world.run([reading, name]);
                assert_eq!(run.code, Some(5), "{reading} {name}: {run:?}\n{BREAKS}");
            }
            world.write("plain", "filled today");
            let filled = world.run(["encrypt", "--into", name, "plain"]);
            assert_eq!(filled.code, Some(0), "{name}: {filled:?}\n{BREAKS}");
            assert_eq!(world.run(["cat", name]).succeeds_silently().stdout, b"filled today");
            world.run(["encrypt", "--into", name, "plain"]).fails_with(4);
        }
    }
}

#[test]
fn the_frozen_store_goes_on_being_used() {
    for frozen in Frozen::all() {
        let world = frozen.world_of_the_time();
        world.write("new", "made today");
        world.run(["encrypt", "new"]).succeeds_silently();
        assert_eq!(world.run(["cat", "new.wax"]).succeeds_silently().stdout, b"made today");
    }
}

#[test]
fn the_manifest_names_every_frozen_file() {
    for frozen in Frozen::all() {
        let mut named: Vec<&str> =
            frozen.vectors.iter().chain(&frozen.prepared).map(|vector| text(vector, "file")).collect();
        named.extend(["home", "keys.backup", "manifest.json", "passphrase"]);
        named.sort_unstable();
        assert_eq!(names_in(&frozen.directory), named, "{BREAKS}");
    }
}
