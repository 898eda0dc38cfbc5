//! Attacks one by one: storage that lies about its size, versions put back while a container is edited, and tables that
//! verify but were made by a hostile holder of the data key.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::geometry::{CHUNK_LEN, GroupIndex};
use crate::header::Header;
use crate::table::{STREAM, UndoItem};
use crate::tests::crafted::{Craft, filled};
use crate::tests::editing::editor;
use crate::tests::simulator::RecordingFile;
use crate::tests::support::*;
use crate::{Container, ContainerError, Editor, Interrupted, ReadAt, Sink, Source, Suite, file_size};

/// Storage of any size whose bytes behind the stored ones are zeros, and which fails after so many reads.
struct Huge {
    stored: Vec<u8>,
    size: u64,
    reads: AtomicUsize,
}

impl Huge {
    const MOST_READS: usize = 20_000;

    fn new(stored: Vec<u8>, size: u64) -> Self {
        Self { stored, size, reads: AtomicUsize::new(0) }
    }
}

impl ReadAt for Huge {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.reads.fetch_add(1, Ordering::Relaxed) >= Self::MOST_READS {
            return Err(io::Error::other("it reads on and on"));
        }
        buffer.fill(0);
        let there = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let stored = self.stored[..].read_at(buffer, offset)?;
        Ok(there.max(stored))
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }
}

/// A container of one chunk whose writer was interrupted.
fn interrupted() -> Vec<u8> {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.interrupt(4096, 4096, 4096);
    craft.finish(4096)
}

#[test]
fn an_interrupted_container_that_was_extended_without_end_is_not_read_without_end() {
    let container = interrupted();
    let huge = Huge::new(container.clone(), 1 << 62);
    let opened = Container::open(unlock(&container).unwrap(), &huge, Interrupted::Recover).map(|_| ());
    assert!(huge.reads.into_inner() < Huge::MOST_READS, "read_at: {opened:?}");
    let huge = Huge::new(container.clone(), 1 << 62);
    let unlocked = unlock(&container).unwrap();
    let result = unlocked.open(Source::File(&huge), Sink::Discard, Interrupted::Recover, threads(2));
    assert!(huge.reads.into_inner() < Huge::MOST_READS, "a full read: {result:?}");
}

#[test]
fn one_byte_behind_the_longest_hole_is_read_at_once() {
    let len = 1 << 62;
    let mut craft = Craft::new(Suite::default());
    craft.settle(len);
    let pages = craft.finish(0);
    let unlocked = unlock(&pages).unwrap();
    let huge = Huge::new(pages, file_size(len));
    let container = Container::open(unlocked, &huge, Interrupted::Refuse).unwrap();
    let mut byte = [1];
    assert_eq!(container.read_at(&mut byte, len - 1).unwrap(), 1);
    assert_eq!(byte, [0]);
}

#[test]
fn a_stream_whose_root_covers_more_than_its_file_is_refused() {
    let mut craft = Craft::new(Suite::default());
    craft.table(0).end = 8192;
    craft.root(|root| (root.settled, root.len, root.floor, root.high) = (true, STREAM, STREAM, STREAM));
    let container = craft.finish(0);
    assert!(open_stream(&container, Interrupted::Refuse).0.is_err());
    assert!(read_at_whole(&container, Interrupted::Refuse).is_err());
    assert!(open_file(&container, Interrupted::Refuse).is_err());
}

#[test]
fn readers_agree_that_a_stream_has_no_gaps() {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.table(0).next = 1;
    craft.chunk(1, 0, &filled(2, 50));
    craft.freshness(1, 0, 0, 0);
    craft.root(|root| (root.settled, root.len, root.floor, root.high) = (true, STREAM, STREAM, STREAM));
    let container = craft.finish(131_072 + 50);
    assert!(open_file(&container, Interrupted::Refuse).is_err(), "group 0 is not full");
    assert!(read_at_whole(&container, Interrupted::Refuse).is_err(), "read_at takes what a full read refuses");
}

#[test]
fn readers_agree_about_a_chunk_whose_earlier_version_is_longer_than_its_table_covers() {
    let mut craft = Craft::new(Suite::default());
    let (old, old_bytes) = craft.version(0, 0, &filled(1, 300));
    let (new, _) = craft.version(0, 0, &filled(2, 100));
    craft.table(0).entries[0] = new;
    craft.table(0).end = 100;
    craft.table(0).undo.push(UndoItem { chunk: 0, length: 300, entry: old });
    craft.store(0, 0, &old_bytes);
    craft.interrupt(4096, 4096, 4096);
    let container = craft.finish(4096);
    // R3: what lies beyond `end` is zeros below the floor.
    let expected = [filled(1, 100), filled(0, 3996)].concat();
    assert!(open_file(&container, Interrupted::Recover).unwrap() == expected, "a full read");
    assert!(read_at_whole(&container, Interrupted::Recover).unwrap() == expected, "read_at");
    let repaired = Editor::open(unlock(&container).unwrap(), RecordingFile::new(container)).unwrap();
    let mut read = vec![0; 4096];
    repaired.read_at(&mut read, 0).unwrap();
    assert!(read == expected, "after repair");
}

#[test]
fn a_slot_with_a_damaged_mode_is_passed_over() {
    let mut container = seal_file(Suite::default(), b"x");
    let core_len = usize::from(u16::from_le_bytes([container[10], container[11]]));
    let start = (80 + core_len).next_multiple_of(8);
    let slot_len = (2048 - start) / 16 * 8;
    container.copy_within(start..start + slot_len, start + slot_len);
    assert_eq!(Header::parse(&container).unwrap().encrypted_data_keys().len(), 2);
    for mode in 0..=255 {
        if mode != 1 {
            container[start + 6] = mode;
            let header = Header::parse(&container);
            assert!(
                header.is_ok_and(|header| header.encrypted_data_keys().len() == 1),
                "A's mode is {mode}, B is whole"
            );
        }
    }
}

/// Writes, and makes it durable.
fn write(editor: &mut Editor<RecordingFile>, group: u64, byte: u8) {
    editor.write_at(&filled(byte, CHUNK_LEN), GroupIndex(group).plaintext_start()).unwrap();
    editor.sync().unwrap();
}

fn region(group: u64) -> std::ops::Range<usize> {
    let start = usize::try_from(GroupIndex(group).table_offset()).unwrap();
    start..start + GroupIndex(group).table_len() + CHUNK_LEN
}

#[test]
fn an_editor_survives_a_table_put_back_whose_link_leads_beyond_the_end() {
    let mut editor = editor(Suite::default(), b"");
    write(&mut editor, 1, 1);
    write(&mut editor, 5, 5);
    editor.settle().unwrap();
    let old = editor.backing().bytes();
    editor.set_len(GroupIndex(3).plaintext_start()).unwrap();
    editor.settle().unwrap();
    let mut stale = editor.into_backing().bytes();
    stale[region(1)].copy_from_slice(&old[region(1)]);
    assert!(open_file(&stale, Interrupted::Refuse).is_err(), "a full read sees it");
    let unlocked = unlock(&stale).unwrap();
    let mut editor = Editor::open(unlocked, RecordingFile::new(stale)).unwrap();
    // An error or none, but no panic.
    drop(editor.set_len(GroupIndex(1).plaintext_start() + 1));
}

#[test]
fn an_editor_survives_the_last_generation() {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.root(|root| root.generation = u64::MAX);
    craft.settle(4096);
    let container = craft.finish(4096);
    let Ok(mut editor) = Editor::open(unlock(&container).unwrap(), RecordingFile::new(container)) else { return };
    drop(editor.write_at(&[2], 200_000).and_then(|()| editor.settle()));
}

/// A limit, and how far it goes: not only what is in flight, but each group's every version since the last settling.
#[test]
fn until_it_is_settled_a_container_may_be_put_back_group_by_group_and_not_after() {
    let mut editor = editor(Suite::default(), b"");
    write(&mut editor, 1, 1);
    let alone = editor.backing().bytes();
    write(&mut editor, 2, 0);
    let old = editor.backing().bytes();
    write(&mut editor, 1, 2);
    write(&mut editor, 2, 3);
    let mut cut = editor.backing().bytes();
    cut[region(1)].copy_from_slice(&alone[region(1)]);
    let read = open_file(&cut, Interrupted::Recover).unwrap();
    assert_eq!(read.len(), 135_168, "group 1 of before had no group behind it, and the floor has not been raised yet");

    let mut stale = editor.backing().bytes();
    stale[region(1)].copy_from_slice(&old[region(1)]);
    assert!(matches!(open_file(&stale, Interrupted::Refuse), Err(ContainerError::Interrupted)));
    let read = open_file(&stale, Interrupted::Recover).unwrap();
    assert_eq!((read[131_072], read[393_216]), (1, 3), "group 1 of before, group 2 of now");

    editor.settle().unwrap();
    let mut stale = editor.into_backing().bytes();
    stale[region(1)].copy_from_slice(&old[region(1)]);
    assert!(open_file(&stale, Interrupted::Recover).is_err(), "the root commits to the version of now");
}

#[test]
fn an_editor_shows_nothing_of_the_plaintext_in_its_debug_output() {
    let mut editor = editor(Suite::default(), b"");
    editor.write_at(&[231; 64], 0).unwrap();
    assert!(!format!("{editor:?}").contains("231, 231, 231"));
}

/// Says whether a type is wiped on drop: the inherent method is found only where the bound holds, else the trait's.
struct Wiped<T>(std::marker::PhantomData<T>);

#[expect(dead_code, reason = "it is found only where a type is not wiped, and then the test fails")]
trait NotWiped {
    fn on_drop(&self) -> bool {
        false
    }
}

impl<T> NotWiped for Wiped<T> {}

impl<T: zeroize::ZeroizeOnDrop> Wiped<T> {
    fn on_drop(&self) -> bool {
        true
    }
}

#[test]
fn key_schedules_are_wiped_when_they_are_dropped() {
    let chacha = Wiped::<chacha20poly1305::XChaCha20Poly1305>(Default::default()).on_drop();
    let aes = Wiped::<aes_gcm_siv::aes::Aes256>(Default::default()).on_drop();
    let sha2 = Wiped::<sha2::Sha256>(Default::default()).on_drop();
    assert_eq!((chacha, aes, sha2), (true, true, true), "XChaCha20-Poly1305, AES, SHA-256");
}
