//! Writing in place against a reference: a plain vector of bytes.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::simulator::RecordingFile;
use super::support::*;
use crate::{Editor, Interrupted, ReadyWrite, Suite, file_size};

/// One operation on a file.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Write {
        offset: usize,
        length: usize,
        byte: u8,
    },
    /// Written after it was encrypted.
    WriteReady {
        offset: usize,
        length: usize,
        byte: u8,
    },
    SetLen(usize),
    Punch {
        offset: usize,
        length: usize,
    },
    ZeroRange {
        offset: usize,
        length: usize,
    },
    Flush,
    Sync,
    Settle,
    Reopen,
}

impl Operation {
    /// Does to a vector what the operation does to a file.
    pub(super) fn apply_to(&self, reference: &mut Vec<u8>) {
        match *self {
            Self::Write { offset, length, byte } | Self::WriteReady { offset, length, byte } => {
                if length > 0 && reference.len() < offset + length {
                    reference.resize(offset + length, 0);
                }
                reference[offset.min(offset + length)..][..length].fill(byte);
            }
            Self::SetLen(length) => reference.resize(length, 0),
            Self::Punch { offset, length } => zero(reference, offset, length),
            Self::ZeroRange { offset, length } => {
                reference.resize(reference.len().max(offset + length), 0);
                zero(reference, offset, length);
            }
            Self::Flush | Self::Sync | Self::Settle | Self::Reopen => {}
        }
    }

    /// Does it to a container; an operation that reopens leaves the editor to the caller.
    pub(super) fn apply(&self, editor: &mut Editor<RecordingFile>) -> Result<(), crate::ContainerError> {
        match *self {
            Self::Write { offset, length, byte } => editor.write_at(&vec![byte; length], offset as u64),
            Self::WriteReady { offset, length, byte } => {
                let bytes = vec![byte; length];
                let write = ReadyWrite::sealed(&editor.unlocked().clone(), &bytes, offset as u64);
                editor.write_ready(&write)
            }
            Self::SetLen(length) => editor.set_len(length as u64),
            Self::Punch { offset, length } => editor.punch_hole(offset as u64, length as u64),
            Self::ZeroRange { offset, length } => editor.zero_range(offset as u64, length as u64),
            Self::Flush => editor.flush(),
            Self::Sync => editor.sync(),
            Self::Settle => editor.settle(),
            Self::Reopen => editor.flush(),
        }
    }
}

fn zero(reference: &mut [u8], offset: usize, length: usize) {
    let end = (offset + length).min(reference.len());
    if offset < end {
        reference[offset..end].fill(0);
    }
}

/// Offsets near the borders of chunks and groups, and anywhere.
fn offset() -> impl Strategy<Value = usize> {
    let near = |border: usize| (0..3usize).prop_map(move |delta| (border + delta).saturating_sub(1));
    prop_oneof![
        0usize..20_000,
        (0usize..8).prop_flat_map(move |chunk| near(chunk * 4096)),
        prop_oneof![Just(131_072usize), Just(393_216), Just(655_360)].prop_flat_map(near),
        120_000usize..150_000,
        0usize..900_000,
    ]
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..100, 1usize..10_000, Just(4096usize), Just(8192), 1usize..150_000]
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => (offset(), length(), any::<u8>()).prop_map(|(offset, length, byte)| Operation::Write { offset, length, byte }),
        1 => (offset(), 250_000usize..700_000, any::<u8>(), any::<bool>()).prop_map(|(offset, length, byte, is_whole)| {
            let offset = if is_whole { offset / 4096 * 4096 } else { offset };
            Operation::WriteReady { offset, length, byte }
        }),
        3 => offset().prop_map(Operation::SetLen),
        2 => (offset(), length()).prop_map(|(offset, length)| Operation::Punch { offset, length }),
        1 => (offset(), length()).prop_map(|(offset, length)| Operation::ZeroRange { offset, length }),
        3 => Just(Operation::Flush),
        3 => Just(Operation::Sync),
        2 => Just(Operation::Settle),
        1 => Just(Operation::Reopen),
    ]
}

/// Opens a new container for writing, made from `plaintext`.
pub(super) fn editor(suite: Suite, plaintext: &[u8]) -> Editor<RecordingFile> {
    reopen(RecordingFile::new(seal_file(suite, plaintext)))
}

/// Makes a new container that is written in place from its beginning, and records how.
pub(super) fn create(suite: Suite) -> Editor<RecordingFile> {
    let file = RecordingFile::new(Vec::new());
    file.record();
    sealer(suite).create(file).unwrap()
}

pub(super) fn reopen(file: RecordingFile) -> Editor<RecordingFile> {
    let unlocked = unlock(&file.bytes()).unwrap();
    Editor::open(unlocked, file).unwrap()
}

pub(super) fn contents(editor: &Editor<RecordingFile>) -> Vec<u8> {
    let mut plaintext = vec![0xee; usize::try_from(editor.len()).unwrap()];
    assert_eq!(editor.read_at(&mut plaintext, 0).unwrap(), plaintext.len());
    plaintext
}

fn assert_same(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    if let Some(at) = (0..found.len()).find(|at| found[*at] != expected[*at]) {
        panic!("{what}: byte {at} is {} and not {}", found[at], expected[at]);
    }
}

fn run(suite: Suite, initial: &[u8], operations: &[Operation]) {
    let mut reference = initial.to_vec();
    let mut editor = editor(suite, initial);
    for (step, operation) in operations.iter().enumerate() {
        operation.apply(&mut editor).unwrap();
        operation.apply_to(&mut reference);
        let what = format!("after step {step} {operation:?}");
        if let Operation::Reopen = operation {
            editor = reopen(editor.into_backing());
        }
        assert_same(&contents(&editor), &reference, &what);
    }
    editor.settle().unwrap();
    let bytes = editor.into_backing().bytes();
    assert_eq!(bytes.len() as u64, file_size(reference.len() as u64));
    let (result, streamed) = open_stream(&bytes, Interrupted::Refuse);
    result.unwrap();
    assert_same(&streamed, &reference, "settled, as a stream");
    assert_same(&read_at_whole(&bytes, Interrupted::Refuse).unwrap(), &reference, "settled, by read_at");
}

#[test]
fn any_operations_leave_what_they_leave_in_a_vector() {
    let initial = prop_oneof![Just(0usize), 0usize..10_000, 100_000usize..500_000];
    let cases = (initial, prop::collection::vec(operation(), 1..14), any::<bool>());
    let states = AtomicU64::new(0);
    hold(
        "any operations leave what they leave in a vector",
        96,
        cases,
        &states,
        |(initial, operations, second_suite)| {
            states.fetch_add(operations.len() as u64, Ordering::Relaxed);
            run(Suite::ALL[usize::from(second_suite)], &plaintext(initial), &operations);
            Ok(())
        },
    );
}

#[test]
fn a_container_that_came_through_a_pipe_can_be_written() {
    let original = plaintext(400_000);
    let mut editor = reopen(RecordingFile::new(seal_stream(Suite::default(), &original)));
    let mut expected = original;
    editor.write_at(b"changed", 300_000).unwrap();
    expected[300_000..300_007].copy_from_slice(b"changed");
    editor.write_at(b"behind the end", 400_000).unwrap();
    expected.extend_from_slice(b"behind the end");
    editor.settle().unwrap();
    assert_same(&contents(&editor), &expected, "open");
    let bytes = editor.into_backing().bytes();
    assert_same(&open_file(&bytes, Interrupted::Refuse).unwrap(), &expected, "settled");
}

#[test]
fn data_and_holes_are_found() {
    let mut editor = editor(Suite::default(), b"");
    editor.write_at(&[1; 10], 8192).unwrap();
    editor.set_len(1 << 30).unwrap();
    editor.write_at(&[2; 5000], 600_000).unwrap();
    for flushed in [false, true] {
        if flushed {
            editor.sync().unwrap();
        }
        assert_eq!(editor.seek_data(0).unwrap(), Some(8192));
        assert_eq!(editor.seek_hole(8192).unwrap(), Some(12_288));
        assert_eq!(editor.seek_data(12_288).unwrap(), Some(598_016));
        assert_eq!(editor.seek_data(600_001).unwrap(), Some(600_001));
        assert_eq!(editor.seek_hole(600_001).unwrap(), Some(606_208));
        assert_eq!(editor.seek_data(606_208).unwrap(), None);
        assert_eq!(editor.seek_hole(1 << 30).unwrap(), None);
    }
    editor.punch_hole(8192, 4096).unwrap();
    assert_eq!(editor.seek_data(0).unwrap(), Some(598_016));
}

#[test]
fn a_settled_container_that_is_opened_and_settled_again_is_not_written() {
    let file = RecordingFile::new(seal_file(Suite::default(), &plaintext(300_000)));
    let before = file.bytes();
    let mut editor = reopen(file);
    editor.settle().unwrap();
    assert!(editor.into_backing().bytes() == before);
}

#[test]
fn regression_a_hole_at_the_end_counts_after_a_kill() {
    let write = Operation::Write { offset: 131_071, length: 1, byte: 0 };
    run(Suite::default(), b"", &[write, Operation::Punch { offset: 120_000, length: 11_072 }, Operation::Reopen]);
}

/// What was encrypted for one container is never written to another one: there it is encrypted anew.
#[test]
fn bytes_encrypted_for_another_container_are_encrypted_again() {
    let (mut one, other) = (create(Suite::Aes256GcmSiv), create(Suite::Aes256GcmSiv));
    let bytes = plaintext(700_000);
    let write = ReadyWrite::sealed(other.unlocked(), &bytes, 0);
    one.write_ready(&write).unwrap();
    one.settle().unwrap();
    assert_same(&open_file(&one.backing().bytes(), Interrupted::Refuse).unwrap(), &bytes, "after settling");
}

/// What is ready goes to its place as it is: the same bytes under another nonce would be another file.
#[test]
fn bytes_that_are_ready_are_not_encrypted_again() {
    let mut editor = create(Suite::Aes256GcmSiv);
    let bytes = plaintext(131_072 + 2 * 262_144);
    let write = ReadyWrite::sealed(&editor.unlocked().clone(), &bytes, 0);
    let sealed: Vec<u8> = write.ready().expect("they are long enough").pieces().flatten().copied().collect();
    editor.write_ready(&write).unwrap();
    editor.flush().unwrap();
    let file = editor.backing().bytes();
    let stored =
        [(4096, 131_072), (4096 * 34, 262_144), (4096 * 99, 262_144)].map(|(at, length)| &file[at..at + length]);
    assert!(stored.concat() == sealed, "what is stored is what was ready");
}
