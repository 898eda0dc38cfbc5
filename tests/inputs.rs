//! Inputs that are no files at rest: containers that are being written, and block devices.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::{World, edited, needed, noise, skipped};

#[test]
fn a_container_that_is_being_written_is_named_and_the_others_are_read() {
    let world = World::with_store();
    fs::create_dir(world.path("vault")).unwrap();
    for name in ["one", "two"] {
        world.container(&format!("vault/{name}.wax"), &noise(300_000, 1), "aes-256-gcm-siv");
    }
    let mut editor = edited(&world, "vault/one.wax");
    editor.write_at(b"new", 200_000).unwrap();
    editor.flush().unwrap();
    for command in ["cat", "verify"] {
        world.run([command, "vault/one.wax"]).fails_with(6).says("hint: wait if it is still being written");
    }
    let run = world.run(["decrypt", "-r", "vault", "-o", "back"]).fails_with(10);
    run.says("vault/one.wax: ").says("hint: wait if it is still being written").says("1 file decrypted");
    assert!(!world.path("back/one").exists() && world.read("back/two") == noise(300_000, 1));
    editor.settle().unwrap();
    drop(editor);
    world.run(["decrypt", "-q", "-r", "--update", "vault", "-o", "back"]).succeeds_silently();
    assert_eq!(&world.read("back/one")[200_000..200_003], b"new");
}

/// A block device on a file; it is gone when dropped.
struct Loop(PathBuf);

impl Loop {
    fn on(world: &World, content: &[u8]) -> Option<Self> {
        world.write("image", content);
        let output = Command::new(needed("losetup")?).args(["-f", "--show"]).arg(world.path("image")).output().unwrap();
        if !output.status.success() {
            skipped("no block device can be made here");
            return None;
        }
        Some(Self(String::from_utf8(output.stdout).unwrap().trim().into()))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let gone = Command::new("losetup").arg("-d").arg(&self.0).status();
        assert!(gone.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn a_block_device_is_encrypted_whole() {
    let world = World::with_store();
    let content = noise(3 << 20, 1);
    let Some(device) = Loop::on(&world, &content) else { return };
    world.run(["encrypt", device.path(), "-o", "disk.wax"]).succeeds_silently();
    assert!(world.run(["cat", "disk.wax"]).succeeds_silently().stdout == content);
    world.run(["decrypt", "-f", "disk.wax", "-o", device.path()]).succeeds_silently();
    // Without a name to give the output, or leave to write over it, nothing is done.
    world.run(["decrypt", "disk.wax", "-o", device.path()]).fails_with(4).says("is a block device");
}

#[test]
fn a_container_on_a_block_device_ends_before_the_device_and_the_hint_says_so() {
    let world = World::with_store();
    let content = noise(1_000_000, 2);
    world.write("f", &content);
    world.run(["encrypt", "f"]).succeeds_silently();
    let size = world.read("f.wax").len();
    for before in [noise(3 << 20, 1), vec![0; 3 << 20]] {
        let Some(device) = Loop::on(&world, &before) else { return };
        world.run(["encrypt", "-f", "f", "-o", device.path()]).succeeds_silently();
        for command in [&["decrypt", "-o", "back"][..], &["verify"], &["cat"]] {
            let run = world.run([command, &[device.path()]].concat()).fails_with(6);
            run.says("hint: a device is read to its end").says(&format!(" {} | waxseal decrypt", device.path()));
        }
        assert!(!world.path("back").exists());
        let begin = fs::read(device.path()).unwrap();
        assert!(world.pipe(["decrypt"], &begin[..size]).succeeds_silently().stdout == content);
    }
}
