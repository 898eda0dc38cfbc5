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
/// A hole in the second group: chunks 40 to 49, whose pages are 42 to 51.
const HOLE: std::ops::Range<usize> = 40 * 4096..50 * 4096;

/// What the file holds.
fn content() -> Vec<u8> {
    let mut content = noise(LEN, 1);
    content[HOLE].fill(0);
    content
}

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
    for (from, to) in [(1, 2), (35, 1), (60, 61), (35, 42)] {
        changed(format!("page {from} copied over page {to}"), &|bytes| {
            bytes[page(to)].copy_from_slice(&one[page(from)])
        });
    }
    changed("a hole filled".into(), &|bytes| bytes[page(43)].copy_from_slice(&noise(4096, 3)));
    changed("one byte in a hole".into(), &|bytes| bytes[44 * 4096 + 5] = 1);
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

/// Two containers of the same content, with a hole in it.
fn two(world: &World, content: &[u8], suite: &str) -> (Vec<u8>, Vec<u8>) {
    let [one, other] = ["f.wax", "other.wax"].map(|name| {
        world.container(name, content, suite);
        let mut editor = edited(world, name);
        editor.punch_hole(HOLE.start as u64, HOLE.len() as u64).unwrap();
        editor.settle().unwrap();
        world.read(name)
    });
    assert!(one[43 * 4096..][..4096] == [0; 4096], "there is no hole");
    (one, other)
}

#[test]
fn what_was_changed_between_mounts_is_never_read_as_something_else() {
    for suite in SUITES {
        let Some(world) = mountable() else { return };
        let content = content();
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
    let content = content();
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
fn every_byte_counts_and_so_does_every_length() {
    for suite in SUITES {
        let Some(world) = mountable() else { return };
        let content = noise(9000, 1);
        let command = ["encrypt", "--suite", suite, "-c", "team=a", "-c", "year=1", "-o", "f.wax"];
        world.pipe(command, &content).succeeds();
        let one = world.read("f.wax");
        // Preamble, salt and core, with suite, file id and context, byte by byte; the rest here and there.
        let core_end = one[80..2048].windows(4).position(|bytes| bytes == b"year").unwrap() + 80 + 6;
        let mounted = Mounted::new(&world, &[]);
        let attempt = |name: String, bytes: &[u8]| {
            fs::write(mounted.container(&name), bytes).unwrap();
            let whole = reads_right_or_not(&mounted.path(&name), &content, &format!("{suite}: {name}"));
            fs::remove_file(mounted.path(&name)).unwrap();
            whole
        };
        assert!(attempt("unchanged".into(), &one));
        for at in (0..core_end).chain((core_end..one.len()).step_by(113)) {
            let mut bytes = one.clone();
            bytes[at] ^= 1 << (at % 8);
            let whole = attempt(format!("flipped at {at}"), &bytes);
            // Key slots authenticate themselves: one that opens at all opens the right bytes.
            assert!(!whole || (core_end..2048).contains(&at), "{suite}: a flip at {at} was not noticed");
        }
        for length in (0..one.len()).step_by(97).chain([4095, 4097, 8191, 8193, one.len() - 1]) {
            assert!(!attempt(format!("cut to {length}"), &one[..length]), "{suite}: a cut to {length} was not noticed");
        }
        mounted.unmount();
    }
}

#[test]
fn an_older_length_is_an_error() {
    let Some(world) = mountable() else { return };
    for (old_length, new_length) in [(9000, 50_000), (4096, 200_000), (150_000, 600_000), (0, 5000)] {
        let content = noise(new_length, 1);
        world.container("f.wax", &content[..old_length], SUITES[0]);
        let mut editor = edited(&world, "f.wax");
        editor.settle().unwrap();
        let old = world.read("f.wax");
        editor.write_at(&content[old_length..], old_length as u64).unwrap();
        editor.settle().unwrap();
        drop(editor);
        let new = world.read("f.wax");
        let mounted = Mounted::new(&world, &[]);
        let mixtures = [
            ("the new one cut", new[..old.len()].to_vec()),
            ("the old root", [&old[..4096.min(old.len())], &new[4096..]].concat()),
            ("the old beginning", [&old[..], &new[old.len()..]].concat()),
            ("the new root", [&new[..4096], &old[4096..]].concat()),
        ];
        for (number, (what, bytes)) in mixtures.into_iter().enumerate() {
            let name = format!("f{old_length} {number}");
            fs::write(mounted.container(&name), &bytes).unwrap();
            let noticed = !reads_right_or_not(&mounted.path(&name), &content, what);
            assert!(noticed || bytes == new, "{old_length} to {new_length}: {what} was not noticed");
        }
        mounted.unmount();
        fs::remove_file(world.path("f.wax")).unwrap();
    }
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
