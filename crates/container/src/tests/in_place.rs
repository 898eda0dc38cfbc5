//! What a mount asks of writing in place: new containers, barriers that are known beforehand, and many that settle at once.

use std::fs::{DirEntry, File};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::editing::{Operation, contents, create, editor, operation, reopen};
use super::simulator::{Event, RecordingFile};
use super::support::*;
use crate::edit::{flush_together, settle_together};
use crate::{CHUNK_LEN, Container, ContainerError, Editor, Interrupted, Suite};

/// How often a container's own backing was waited for.
fn barriers(editor: &Editor<RecordingFile>) -> usize {
    let (_, events) = editor.backing().recorded();
    events.iter().filter(|event| matches!(event, Event::Barrier)).count()
}

#[test]
fn a_new_container_is_one_page_that_reads_as_interrupted_and_empty() {
    for suite in Suite::ALL {
        let editor = create(suite);
        let (_, events) = editor.backing().recorded();
        assert_eq!(events.iter().map(Event::shown).collect::<Vec<_>>(), ["write 4096 at 0"]);
        assert!(!editor.is_settled());
        let image = editor.into_backing().bytes();
        assert!(matches!(open_file(&image, Interrupted::Refuse), Err(ContainerError::Interrupted)));
        assert_eq!(open_file(&image, Interrupted::Recover).unwrap(), b"");

        let mut repaired = reopen(RecordingFile::new(image));
        repaired.settle().unwrap();
        assert_eq!(open_file(&repaired.into_backing().bytes(), Interrupted::Refuse).unwrap(), b"");
    }
}

#[test]
fn scattered_chunks_on_their_way_to_the_disk_hold_no_file_that_is_given_back() {
    let mut expected = plaintext(1 << 20);
    let container = seal_file(Suite::default(), &expected);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scattered.wax");
    std::fs::write(&path, &container).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let mut editor = Editor::open(unlock(&container).unwrap(), file).unwrap();
    for round in 1..=3 {
        for number in (0..256).step_by(2) {
            expected[number * CHUNK_LEN..][..CHUNK_LEN].fill(round);
            editor.write_at(&[round; CHUNK_LEN], (number * CHUNK_LEN) as u64).unwrap();
        }
        editor.flush().unwrap();
    }
    let file = editor.into_backing();
    // Locks of a file last as long as any descriptor of it.
    let of_it = |entry: std::io::Result<DirEntry>| std::fs::read_link(entry.unwrap().path()).is_ok_and(|to| to == path);
    assert_eq!(std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| of_it(entry).then_some(())).count(), 1);
    drop(file);
    assert!(open_file(&std::fs::read(&path).unwrap(), Interrupted::Recover).unwrap() == expected);
}

#[test]
fn new_chunks_of_a_new_container_wait_for_nothing_until_it_is_settled() {
    let original = plaintext(1_000_000);
    let mut editor = create(Suite::default());
    for (index, piece) in original.chunks(69_632).enumerate() {
        editor.write_at(piece, index as u64 * 69_632).unwrap();
        assert_eq!(editor.unflushed_len(), piece.len().next_multiple_of(4096) as u64);
        assert!(!editor.needs_barrier().unwrap());
        editor.flush().unwrap();
        assert_eq!((barriers(&editor), editor.unflushed_len()), (0, 0));
    }
    editor.settle().unwrap();
    assert!(editor.is_settled());
    assert!(open_file(&editor.into_backing().bytes(), Interrupted::Refuse).unwrap() == original);
}

#[test]
fn an_overwrite_and_a_tail_that_grows_are_known_to_need_a_barrier() {
    let mut editor = create(Suite::default());
    editor.write_at(&[1; 5000], 0).unwrap();
    editor.flush().unwrap();
    editor.write_at(&[2; 10], 100).unwrap();
    assert!(editor.needs_barrier().unwrap(), "stored data is overwritten");
    editor.sync().unwrap();
    editor.write_at(&[3; 10], 9000).unwrap();
    assert!(editor.needs_barrier().unwrap(), "the tail is stored in full before a chunk behind it");
    editor.sync().unwrap();
    assert!(!editor.needs_barrier().unwrap(), "there is nothing to flush");
}

#[test]
fn a_reader_becomes_a_writer_that_sees_what_was_written_in_between() {
    let container = seal_file(Suite::default(), &plaintext(300_000));
    let unlocked = unlock(&container).unwrap();
    let file = Arc::new(RecordingFile::new(container));
    let reader = Container::open(unlocked.clone(), Arc::clone(&file), Interrupted::Refuse).unwrap();
    assert!(reader.is_settled());

    let mut other = Editor::open(unlocked, Arc::clone(&file)).unwrap();
    other.write_at(b"changed", 299_990).unwrap();
    other.settle().unwrap();
    drop(other);

    let mut editor = Editor::from_container(reader).unwrap();
    let mut found = [0; 10];
    editor.read_at(&mut found, 299_990).unwrap();
    assert_eq!(&found[..7], b"changed");
    editor.write_at(b"again", 0).unwrap();
    editor.settle().unwrap();
    let (unlocked, file) = editor.into_parts();
    let reader = Container::open(unlocked, file, Interrupted::Refuse).unwrap();
    reader.read_at(&mut found, 0).unwrap();
    assert_eq!(&found[..5], b"again");
}

#[test]
fn a_reader_finds_data_and_holes_as_the_writer_does() {
    let mut editor = editor(Suite::default(), b"");
    editor.write_at(&[1; 10], 8192).unwrap();
    editor.set_len(1 << 24).unwrap();
    editor.write_at(&[2; 5000], 600_000).unwrap();
    editor.settle().unwrap();
    let bytes = editor.backing().bytes();
    let reader = Container::open(unlock(&bytes).unwrap(), &bytes[..], Interrupted::Refuse).unwrap();
    for offset in [0, 8192, 8200, 12_288, 598_015, 600_001, 606_208, (1 << 24) - 1, 1 << 24] {
        assert_eq!(reader.seek_data(offset).unwrap(), editor.seek_data(offset).unwrap(), "data from {offset}");
        assert_eq!(reader.seek_hole(offset).unwrap(), editor.seek_hole(offset).unwrap(), "hole from {offset}");
    }
    assert_eq!(reader.seek_data(12_288).unwrap(), Some(598_016));
}

/// Containers with an overwrite, an append over a short tail and a new chunk in memory, and what they will hold.
fn unflushed(count: usize) -> Vec<(Editor<RecordingFile>, Vec<u8>)> {
    (0..count)
        .map(|number| {
            let mut editor = editor(Suite::default(), &plaintext(140_000 + number));
            let mut expected = plaintext(140_000 + number);
            let operations = [
                Operation::Write { offset: 5000, length: 10_000, byte: 7 },
                Operation::Write { offset: 139_000, length: 9000, byte: 9 },
                Operation::Write { offset: 400_000, length: 100, byte: 8 },
            ];
            for operation in operations {
                operation.apply(&mut editor).unwrap();
                operation.apply_to(&mut expected);
            }
            editor.backing().record();
            (editor, expected)
        })
        .collect()
}

#[test]
fn many_containers_settle_with_the_barriers_of_one() {
    let mut counts = Vec::new();
    for count in [1, 20] {
        let mut containers = unflushed(count);
        let calls = AtomicUsize::new(0);
        let mut editors: Vec<_> = containers.iter_mut().map(|(editor, _)| editor).collect();
        let results = settle_together(&mut editors, &mut || {
            calls.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        assert!(results.iter().all(Result::is_ok));
        counts.push(calls.into_inner());
        for (editor, expected) in containers {
            assert!(editor.is_settled());
            assert_eq!(barriers(&editor), 0, "none waited by itself");
            assert!(open_file(&editor.into_backing().bytes(), Interrupted::Refuse).unwrap() == expected);
        }
    }
    assert_eq!(counts[0], counts[1]);
}

#[test]
fn many_containers_are_flushed_with_one_barrier_for_all_overwrites() {
    let mut containers = unflushed(12);
    for (editor, _) in &mut containers {
        editor.flush().unwrap();
        editor.write_at(&[1; 5000], 20_000).unwrap();
    }
    let mut calls = 0;
    let mut editors: Vec<_> = containers.iter_mut().map(|(editor, _)| editor).collect();
    let results = flush_together(&mut editors, &mut || {
        calls += 1;
        Ok(())
    });
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(calls, 1);
    assert!(containers.iter().all(|(editor, _)| editor.unflushed_len() == 0));
}

#[test]
fn a_container_that_fails_leaves_the_others_alone_and_can_be_settled_later() {
    for budget in [0, 1, 3, 5, 7] {
        let mut containers = unflushed(3);
        containers[1].0.backing().limit(Some(budget));
        let mut editors: Vec<_> = containers.iter_mut().map(|(editor, _)| editor).collect();
        let results = settle_together(&mut editors, &mut || Ok(()));
        assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true], "after {budget}");
        containers[1].0.backing().limit(None);
        containers[1].0.settle().unwrap();
        for (editor, expected) in containers {
            assert!(open_file(&editor.into_backing().bytes(), Interrupted::Refuse).unwrap() == expected);
        }
    }
}

#[test]
fn a_barrier_that_fails_is_told_to_every_container_that_waited_and_nothing_is_lost() {
    for failing in 1..=4 {
        let mut containers = unflushed(3);
        let mut calls = 0;
        let mut editors: Vec<_> = containers.iter_mut().map(|(editor, _)| editor).collect();
        let results = settle_together(&mut editors, &mut || {
            calls += 1;
            if calls == failing { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        });
        assert!(results.iter().all(Result::is_err), "barrier {failing}");
        for (mut editor, expected) in containers {
            assert!(contents(&editor) == expected);
            editor.settle().unwrap();
            assert!(open_file(&editor.into_backing().bytes(), Interrupted::Refuse).unwrap() == expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_flush_waits_where_it_was_said_to_and_nowhere_else(
        initial in prop_oneof![Just(None), (0usize..10_000).prop_map(Some), (100_000usize..500_000).prop_map(Some)],
        operations in prop::collection::vec(operation(), 1..14),
    ) {
        let mut editor = match initial {
            Some(length) => editor(Suite::default(), &plaintext(length)),
            None => create(Suite::default()),
        };
        for operation in &operations {
            operation.apply(&mut editor).unwrap();
            editor.backing().record();
            let said = editor.needs_barrier().unwrap();
            let before = contents(&editor);
            editor.flush().unwrap();
            prop_assert_eq!(barriers(&editor) > 0, said, "after {:?}", operation);
            prop_assert!(contents(&editor) == before);
            prop_assert!(!editor.needs_barrier().unwrap());
        }
    }
}

/// Writes of many sizes, large ones among them, that are not flushed between: what goes through memory, what goes straight
/// to the backing and what goes early has to come out the same.
#[test]
fn large_writes_that_go_straight_to_the_backing_mix_with_those_in_memory() {
    const SIZES: [usize; 8] = [100, 4096, 300_000, 70_000, 1 << 20, 5, 3 << 20, 262_144];
    for suite in Suite::ALL {
        let mut editor = create(suite);
        let mut expected = Vec::new();
        let mut offset = 0;
        for step in 0..60usize {
            let length = SIZES[step * 5 % SIZES.len()];
            // Mostly on at the end; sometimes back over what is there, or with a gap.
            offset = match step % 7 {
                3 => offset / 3,
                5 => expected.len() + 50_000,
                _ => expected.len(),
            };
            let byte = u8::try_from(step + 1).unwrap();
            let operation = Operation::Write { offset, length, byte };
            operation.apply(&mut editor).unwrap();
            operation.apply_to(&mut expected);
            if step % 10 == 0 {
                assert!(contents(&editor) == expected, "after step {step}");
            }
        }
        editor.settle().unwrap();
        assert!(open_file(&editor.into_backing().bytes(), Interrupted::Refuse).unwrap() == expected);
    }
}

#[test]
fn memory_is_bounded_however_much_is_written() {
    const LEN: usize = 40 << 20;
    let mut editor = editor(Suite::default(), &plaintext(LEN));
    for round in 0..2 {
        for at in (0..LEN).step_by(10_000) {
            let length = 10_000.min(LEN - at);
            editor.write_at(&vec![round; length], at as u64).unwrap();
            assert!(editor.unflushed_len() <= 16 << 20);
        }
    }
    editor.settle().unwrap();
    assert_eq!(editor.unflushed_len(), 0);
    assert!(contents(&editor) == vec![1; LEN]);
}
