//! A kill at any moment: what lies below is taken as it is, and a new daemon goes on with it.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::fs::OFlags;

use super::support::Vault;

const PAGE: usize = 4096;

/// A small generator of numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What a chunk may be after a kill: what it was when it was known to be below, and everything since.
#[derive(Default)]
struct History {
    chunks: BTreeMap<usize, Vec<Vec<u8>>>,
    lengths: Vec<usize>,
}

impl History {
    fn note(&mut self, content: &[u8]) {
        for number in 0..content.len().div_ceil(PAGE).max(self.chunks.keys().last().map_or(0, |last| last + 1)) {
            let start = content.len().min(number * PAGE);
            let chunk = content[start..content.len().min(start + PAGE)].to_vec();
            let known = self.chunks.entry(number).or_default();
            if known.last() != Some(&chunk) {
                known.push(chunk);
            }
        }
        if self.lengths.last() != Some(&content.len()) {
            self.lengths.push(content.len());
        }
    }

    fn forget_all_but(&mut self, content: &[u8]) {
        *self = Self::default();
        self.note(content);
    }

    fn allows(&self, content: &[u8]) {
        assert!(
            content.len() <= *self.lengths.iter().max().unwrap()
                && content.len() >= *self.lengths.iter().min().unwrap(),
            "length {} of {:?}",
            content.len(),
            self.lengths
        );
        for (number, chunk) in content.chunks(PAGE).enumerate() {
            let is_version = |version: &Vec<u8>| {
                // Where the length is another than when it was written, zeros follow or a part is cut off.
                let common = version.len().min(chunk.len());
                version[..common] == chunk[..common] && chunk[common..].iter().all(|byte| *byte == 0)
            };
            let is_hole = chunk.iter().all(|byte| *byte == 0) && self.lengths.len() > 1;
            assert!(self.chunks[&number].iter().any(is_version) || is_hole, "chunk {number} was never like this");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn after_a_kill_every_chunk_is_old_or_new_and_what_was_synced_is_there() {
    for seed in 0..24 {
        let mut numbers = Numbers(seed);
        let vault = Vault::new();
        let handle = vault.create("f").unwrap();
        let (mut content, mut history) = (Vec::new(), History::default());
        history.note(&content);
        for step in 0..40 {
            match numbers.below(10) {
                0..6 => {
                    let offset = usize::try_from(numbers.below(60) * 1024 + numbers.below(3) * 700).unwrap();
                    let length = usize::try_from(1 + numbers.below(30_000)).unwrap();
                    let byte = u8::try_from(1 + step).unwrap();
                    content.resize(content.len().max(offset + length), 0);
                    content[offset..offset + length].fill(byte);
                    vault
                        .filesystem
                        .write(handle, &content[offset..offset + length], offset as u64, false, &|| ())
                        .unwrap();
                }
                6 => {
                    let length = usize::try_from(numbers.below(90_000)).unwrap();
                    content.resize(length, 0);
                    let file = vault.filesystem.open.handle(handle).unwrap();
                    vault.filesystem.set_len(&file.file, length as u64, super::support::caller()).unwrap();
                }
                7 => vault.filesystem.flush(handle).unwrap(),
                8 => {
                    vault.filesystem.sync(handle).unwrap();
                    history.forget_all_but(&content);
                }
                _ => vault.filesystem.tidy(),
            }
            history.note(&content);
            if step % 5 == 0 {
                let left = tempfile::TempDir::new().unwrap();
                copy(&vault.below, left.path());
                let next = vault.elsewhere(left.path());
                let found = next.get("f").unwrap();
                history.allows(&found);
                // The next daemon goes on with it, and leaves it in order.
                let handle = next.open("f", OFlags::RDWR).unwrap().handle;
                next.filesystem.write(handle, b"onward", 0, false, &|| ()).unwrap();
                next.filesystem.release(handle);
                next.filesystem.finish().unwrap();
                let expected = [b"onward", found.get(6..).unwrap_or_default()].concat();
                assert_eq!(next.elsewhere(left.path()).get("f").unwrap(), expected);
            }
        }
        vault.filesystem.release(handle);
        vault.filesystem.finish().unwrap();
        assert_eq!(vault.elsewhere(&vault.below).content_of_settled("f"), content);
    }
}

#[test]
fn a_new_file_is_a_whole_container_from_its_first_moment() {
    let vault = Vault::new();
    let handle = vault.create("f").unwrap();
    let left = tempfile::TempDir::new().unwrap();
    copy(&vault.below, left.path());
    assert_eq!(vault.elsewhere(left.path()).get("f").unwrap(), b"");
    vault.filesystem.write(handle, &[3; 9000], 0, false, &|| ()).unwrap();
    vault.filesystem.flush(handle).unwrap();
    copy(&vault.below, left.path());
    assert_eq!(vault.elsewhere(left.path()).get("f").unwrap(), [3; 9000], "closing gave it to the file below");
}
