//! Containers that are changed behind the mount's back: an error and a line in the log, and never a wrong byte.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use super::support::{Mounted, eventually, mountable};
use crate::support::{SUITES, World, edited, noise};

const IO: i32 = 5;
/// The bytes in the middle of the file name a chunk of the second group.
const LEN: usize = 600_000;

/// Puts `bytes` in the place of the container of `f`, as an editor or a backup program would.
fn replace(mounted: &Mounted<'_>, bytes: &[u8]) {
    let aside = mounted.container("aside").with_extension("part");
    fs::write(&aside, bytes).unwrap();
    fs::rename(&aside, mounted.container("f")).unwrap();
}

/// Reads `f` in pieces. Every byte that comes is right; says whether all came, or an error did.
#[track_caller]
fn reads_right_or_not(path: &Path, content: &[u8], what: &str) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut whole = file.metadata().unwrap().len() == content.len() as u64;
    let mut piece = vec![0; 50_000];
    for at in (0..content.len()).step_by(piece.len()) {
        match file.read_at(&mut piece, at as u64) {
            Ok(length) => {
                assert!(content[at..].starts_with(&piece[..length]), "{what}: wrong bytes at {at}");
                whole &= length == piece.len().min(content.len() - at);
            }
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(IO), "{what}: {error}");
                whole = false;
            }
        }
    }
    whole
}

/// Changes of a container of [`LEN`] bytes, with what they are called. `other` is another container of the same content.
fn changes(one: &[u8], other: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut changed = |what: String, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = one.to_vec();
        change(&mut bytes);
        all.push((what, bytes));
    };
    let page = |number: usize| number * 4096..(number + 1) * 4096;
    for at in [0, 9, 16, 48, 80, 2048, 2088, 3000, 4095, 4096, 135_167, 135_168, 139_264, one.len() - 1] {
        changed(format!("bit flip at {at}"), &|bytes| bytes[at] ^= 0x10);
    }
    for cut in [0, 8, 2048, 4096, 4097, 135_168, 139_264, 401_408, one.len() - 4096, one.len() - 1] {
        changed(format!("cut at {cut}"), &|bytes| bytes.truncate(cut));
    }
    for tail in [1, 4096] {
        changed(format!("{tail} bytes appended"), &|bytes| bytes.extend(noise(tail, 9)));
    }
    for (from, to) in [(1, 2), (2, 40), (33, 98)] {
        changed(format!("pages {from} and {to} swapped"), &|bytes| {
            bytes[page(from)].copy_from_slice(&one[page(to)]);
            bytes[page(to)].copy_from_slice(&one[page(from)]);
        });
    }
    for number in [1, 33, 34] {
        changed(format!("page {number} zeroed"), &|bytes| bytes[page(number)].fill(0));
        changed(format!("page {number} of another container"), &|bytes| {
            bytes[page(number)].copy_from_slice(&other[page(number)]);
        });
    }
    changed("another container's header".into(), &|bytes| bytes[..2048].copy_from_slice(&other[..2048]));
    changed("another container's root".into(), &|bytes| bytes[2048..4096].copy_from_slice(&other[2048..4096]));
    changed("another body salt".into(), &|bytes| bytes[48..80].copy_from_slice(&other[48..80]));
    changed("made to look prepared".into(), &|bytes| {
        bytes[9] = 0;
        bytes[16..80].fill(0);
        bytes[2048..4096].fill(0);
        bytes.truncate(4096);
    });
    all
}

/// Two containers of the same content.
fn two(world: &World, content: &[u8], suite: &str) -> (Vec<u8>, Vec<u8>) {
    world.container("f.wax", content, suite);
    world.container("other.wax", content, suite);
    (world.read("f.wax"), world.read("other.wax"))
}

#[test]
fn what_was_changed_between_mounts_is_never_read_as_something_else() {
    for suite in SUITES {
        let Some(world) = mountable() else { return };
        let content = noise(LEN, 1);
        let (one, other) = two(&world, &content, suite);
        let mounted = Mounted::new(&world, &[]);
        for (number, (what, bytes)) in changes(&one, &other).into_iter().enumerate() {
            // A name of its own each time: nothing is known of it to the mount or the kernel.
            let name = format!("f{number}");
            fs::write(mounted.container(&name), &bytes).unwrap();
            assert!(!reads_right_or_not(&mounted.path(&name), &content, &what), "{suite}: {what} was not noticed");
            eventually(&format!("{suite}: {what} is in the log"), || mounted.log().contains(&format!("{name}.wax")));
            assert_eq!(fs::read(mounted.container(&name)).unwrap(), bytes, "{what}: a damaged container was changed");
        }
        mounted.unmount();
    }
}

#[test]
fn what_is_changed_while_it_is_open_and_cached_gives_the_right_bytes_and_then_errors() {
    let Some(world) = mountable() else { return };
    let content = noise(LEN, 1);
    let (one, other) = two(&world, &content, SUITES[0]);
    let mounted = Mounted::new(&world, &[]);
    for (what, bytes) in changes(&one, &other) {
        replace(&mounted, &one);
        eventually("the good container is read again", || reads_right_or_not(&mounted.path("f"), &content, &what));
        let kept_open = File::open(mounted.path("f")).unwrap();
        kept_open.read_at(&mut [0; 100_000], 0).unwrap();
        // A change in the same tick of the clock of file times leaves nothing to tell it by, and verified pages stay cached.
        std::thread::sleep(Duration::from_millis(20));
        // In place: the file that is open changes.
        let file = File::options().write(true).open(mounted.container("f")).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        drop(file);
        let mut piece = vec![0; 10_000];
        if let Ok(length) = kept_open.read_at(&mut piece, 300_000) {
            assert!(content[300_000..].starts_with(&piece[..length]), "{what}: wrong bytes through what was open");
        }
        drop(kept_open);
        eventually(&format!("{what} is noticed"), || !reads_right_or_not(&mounted.path("f"), &content, &what));
    }
    mounted.unmount();
}

#[test]
fn parts_put_back_to_an_older_version_are_errors() {
    let Some(world) = mountable() else { return };
    let mut content = noise(LEN, 1);
    world.container("vault/f.wax", &content, SUITES[0]);
    let old = world.read("vault/f.wax");
    let mut editor = edited(&world, "vault/f.wax");
    for at in [10, 300_000, 590_000] {
        editor.write_at(&noise(5000, 2), at).unwrap();
        content[usize::try_from(at).unwrap()..][..5000].copy_from_slice(&noise(5000, 2));
    }
    editor.settle().unwrap();
    drop(editor);
    let new = world.read("vault/f.wax");
    let mounted = Mounted::new(&world, &[]);
    assert!(reads_right_or_not(&mounted.path("f"), &content, "as it is"));
    let changed = (0..new.len() / 4096).filter(|page| old[page * 4096..][..4096] != new[page * 4096..][..4096]);
    for page in changed {
        let mut bytes = new.clone();
        bytes[page * 4096..][..4096].copy_from_slice(&old[page * 4096..][..4096]);
        let name = format!("page{page}");
        fs::write(mounted.container(&name), &bytes).unwrap();
        assert!(!reads_right_or_not(&mounted.path(&name), &content, &name), "{name} put back was not noticed");
    }
    mounted.unmount();
}

#[test]
fn a_container_that_another_process_has_replaced_is_seen_within_seconds() {
    let Some(world) = mountable() else { return };
    let mounted = Mounted::new(&world, &[]);
    fs::write(mounted.path("f"), "the first").unwrap();
    assert_eq!(fs::read(mounted.path("f")).unwrap(), b"the first");
    world.pipe(["encrypt", "-f", "-o", "vault/f.wax"], b"the second, longer").succeeds();
    eventually("the new content is read", || fs::read(mounted.path("f")).unwrap() == b"the second, longer");
    world.container("vault/new.wax", b"new", SUITES[0]);
    eventually("a new file is listed", || fs::read(mounted.path("new")).is_ok_and(|content| content == b"new"));
    fs::remove_file(mounted.container("f")).unwrap();
    eventually("a removed file is gone", || !mounted.path("f").exists());
    mounted.unmount();
}

#[test]
fn damage_in_one_chunk_leaves_the_others_readable_and_writable() {
    let Some(world) = mountable() else { return };
    let content = noise(LEN, 1);
    world.container("vault/f.wax", &content, SUITES[0]);
    let mut bytes = world.read("vault/f.wax");
    // Chunk 2: bytes 8192 to 12287.
    bytes[3 * 4096 + 7] ^= 1;
    world.write("vault/f.wax", bytes);
    let mounted = Mounted::new(&world, &[]);
    let file = File::options().read(true).write(true).open(mounted.path("f")).unwrap();
    let read = |at: usize, length: usize| {
        let mut piece = vec![0; length];
        file.read_exact_at(&mut piece, at as u64).map(|()| piece)
    };
    assert_eq!(read(8192, 4096).unwrap_err().raw_os_error(), Some(IO));
    assert!(read(300_000, 5000).unwrap() == content[300_000..305_000]);
    // What is overwritten as a whole need not be read before.
    file.write_all_at(&[7; 4096], 8192).unwrap();
    file.sync_all().unwrap();
    assert!(read(8192, 4096).unwrap() == [7; 4096]);
    drop(file);
    mounted.unmount();
    world.run(["verify", "-q", "vault/f.wax"]).succeeds_silently();
}
