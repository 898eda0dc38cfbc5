//! Kills and power cuts at every moment, second ones during the recovery of the first, and a full disk.

mod created;

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::editing::{Operation, contents, create, editor, operation, reopen};
use super::simulator::{Choices, Event, RecordingFile, apply, has_page_zero};
use super::support::*;
use crate::edit::Rule;
use crate::{CHUNK_LEN, Interrupted, Suite};

/// Every content that a container may have after a cut: what was last synced, and every one since.
#[derive(Clone, Copy, Debug)]
struct Allowed<'a>(&'a [Vec<u8>]);

impl Allowed<'_> {
    /// Checks what was read after a cut: its length lies between those allowed, and each chunk is that of one of them.
    fn check(&self, found: &[u8]) -> Result<(), String> {
        let lengths = self.0.iter().map(Vec::len);
        let (shortest, longest) = (lengths.clone().min().unwrap(), lengths.max().unwrap());
        if !(shortest..=longest).contains(&found.len()) {
            return Err(format!("length {} lies not between {shortest} and {longest}", found.len()));
        }
        for (number, chunk) in found.chunks(CHUNK_LEN).enumerate() {
            let start = number * CHUNK_LEN;
            let is_of = |content: &Vec<u8>| {
                let known = content.get(start..content.len().min(start + chunk.len())).unwrap_or_default();
                chunk.starts_with(known) && chunk[known.len()..].iter().all(|byte| *byte == 0)
            };
            if !self.0.iter().any(is_of) {
                let values: Vec<_> = self.0.iter().map(|content| content.get(start)).collect();
                return Err(format!("chunk {number} begins with {} and is none of {values:?}", chunk[0]));
            }
        }
        Ok(())
    }
}

/// A history: what was on disk at its beginning, what happened, and what the content was meant to be at each step.
struct History {
    base: Vec<u8>,
    events: Vec<Event>,
    contents: Vec<Vec<u8>>,
}

/// How a container comes to be written.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// It was written in one pass, with so many bytes, and is on disk.
    Sealed(usize),
    /// It is made when the history begins.
    Created,
}

/// Runs operations on a container whose storage records them, with a rule taken out or with none.
fn history(suite: Suite, start: Start, operations: &[Operation], without: Option<Rule>) -> History {
    let (initial, mut editor) = match start {
        Start::Sealed(length) => {
            let initial = plaintext(length);
            let editor = editor(suite, &initial);
            editor.backing().record();
            (initial, editor)
        }
        Start::Created => (Vec::new(), create(suite)),
    };
    without.into_iter().for_each(|rule| editor.take_out(rule));
    let mut contents = vec![initial];
    for operation in operations {
        let mut content = contents.last().unwrap().clone();
        operation.apply_to(&mut content);
        contents.push(content);
        editor.backing().push(Event::Began(contents.len() - 1));
        operation.apply(&mut editor).unwrap();
        editor.backing().push(match operation {
            Operation::SetLen(_) | Operation::Flush | Operation::Reopen => Event::Flushed(contents.len() - 1),
            Operation::Sync | Operation::Settle => Event::Synced(contents.len() - 1),
            _ => Event::Buffered,
        });
        if matches!(operation, Operation::Reopen) {
            let file = editor.into_backing();
            editor = reopen(file);
            without.into_iter().for_each(|rule| editor.take_out(rule));
        }
    }
    let (base, events) = editor.backing().recorded();
    History { base, events, contents }
}

/// Reads an image in every way after a cut; all have to agree.
fn recovered(image: &[u8]) -> Result<Vec<u8>, String> {
    let (result, streamed) = open_stream(image, Interrupted::Recover);
    result.map_err(|error| format!("as a stream: {error}"))?;
    let file = open_file(image, Interrupted::Recover).map_err(|error| format!("as a file: {error}"))?;
    let random = read_at_whole(image, Interrupted::Recover).map_err(|error| format!("by read_at: {error}"))?;
    if streamed != file || streamed != random {
        return Err(format!("readers disagree: {} {} {}", streamed.len(), file.len(), random.len()));
    }
    Ok(streamed)
}

/// Opens an image for writing after a cut, goes on working, and settles.
fn resumed(image: &[u8], expected: &[u8]) -> Result<(), String> {
    let mut editor = reopen(RecordingFile::new(image.to_vec()));
    if contents(&editor) != expected {
        return Err("the repaired container reads otherwise".to_owned());
    }
    let mut expected = expected.to_vec();
    for operation in [
        Operation::Write { offset: expected.len() / 2, length: 5000, byte: 0x77 },
        Operation::Write { offset: expected.len() + 9000, length: 300, byte: 0x78 },
    ] {
        operation.apply(&mut editor).map_err(|error| error.to_string())?;
        operation.apply_to(&mut expected);
    }
    editor.settle().map_err(|error| error.to_string())?;
    let image = editor.into_backing().bytes();
    let settled = open_file(&image, Interrupted::Refuse).map_err(|error| format!("after settling: {error}"))?;
    if settled != expected { Err("settled, it reads otherwise".to_owned()) } else { Ok(()) }
}

/// A second cut while the first one is being repaired leaves what the first one left.
fn second_cut(image: &[u8], expected: &[u8], rng: &mut TestRng) -> Result<(), String> {
    let file = RecordingFile::new(image.to_vec());
    file.record();
    let (base, events) = reopen(file).backing().recorded();
    let history = History { base, events, contents: vec![expected.to_vec()] };
    cut_everywhere(&history, rng, 6, &mut |image, allowed, _| allowed.check(&recovered(image)?))
}

/// What is to hold of a state that a cut may have left.
type Check<'a> = dyn FnMut(&[u8], Allowed<'_>, &mut TestRng) -> Result<(), String> + 'a;

/// Builds the states that a kill or a power cut can leave at every moment, and checks each.
///
/// A kill leaves any prefix of the events, and what was flushed survives it. A power cut leaves any choice of page versions since the last barrier: all of
/// them where they are few, and `samples` of them where they are many.
fn cut_everywhere(history: &History, rng: &mut TestRng, samples: u64, check: &mut Check<'_>) -> Result<(), String> {
    let (mut durable, mut now) = (history.base.clone(), history.base.clone());
    let (mut flushed, mut synced, mut last, mut since) = (0, 0, 0, 0);
    for (at, event) in history.events.iter().enumerate() {
        match event {
            Event::Began(content) => last = *content,
            Event::Buffered => {}
            Event::Flushed(content) => flushed = *content,
            Event::Synced(content) => (flushed, synced) = (*content, *content),
            Event::Barrier => {
                let allowed = Allowed(&history.contents[synced..=last]);
                let choices = Choices::new(&durable, &history.events[since..at]);
                let count = choices.count();
                for number in 0..count.min(samples) {
                    let state = if count <= samples {
                        choices.state(number)
                    } else {
                        choices.build(|versions| rng.random_range(0..versions))
                    };
                    if !has_page_zero(&state) && durable.is_empty() {
                        // A file of which nothing was waited for may be gone.
                        continue;
                    }
                    check(&state, allowed, rng).map_err(|why| format!("power cut before event {at}: {why}"))?;
                }
                (durable, since) = (now.clone(), at);
            }
            Event::Write { .. } | Event::Size(_) => {
                apply(&mut now, event);
                let allowed = Allowed(&history.contents[flushed..=last]);
                check(&now, allowed, rng).map_err(|why| format!("kill after event {at} {}: {why}", event.shown()))?;
            }
        }
    }
    let allowed = Allowed(&history.contents[synced..=last]);
    let choices = Choices::new(&durable, &history.events[since..]);
    for _ in 0..samples {
        let state = choices.build(|versions| rng.random_range(0..versions));
        if !has_page_zero(&state) && durable.is_empty() {
            continue;
        }
        check(&state, allowed, rng).map_err(|why| format!("power cut at the end: {why}"))?;
    }
    Ok(())
}

/// All that has to hold after one cut.
fn survives(image: &[u8], allowed: Allowed<'_>, rng: &mut TestRng) -> Result<(), String> {
    let found = recovered(image)?;
    allowed.check(&found)?;
    if rng.random_range(0..4) == 0 {
        resumed(image, &found)?;
    }
    if rng.random_range(0..16) == 0 {
        second_cut(image, &found, rng)?;
    }
    Ok(())
}

fn small_offset() -> impl Strategy<Value = usize> {
    prop_oneof![0usize..14_000, 126_000usize..140_000, 390_000usize..398_000]
}

/// Operations on few chunks around the first groups' borders, so that most choices of a power cut are tried.
fn small_operation() -> impl Strategy<Value = Operation> {
    let length = || prop_oneof![1usize..300, Just(4096usize), 1usize..9000];
    prop_oneof![
        9 => (small_offset(), length(), 1u8..).prop_map(|(offset, length, byte)| Operation::Write { offset, length, byte }),
        4 => small_offset().prop_map(Operation::SetLen),
        2 => (small_offset(), length()).prop_map(|(offset, length)| Operation::Punch { offset, length }),
        1 => (small_offset(), length()).prop_map(|(offset, length)| Operation::ZeroRange { offset, length }),
        4 => Just(Operation::Flush),
        4 => Just(Operation::Sync),
        2 => Just(Operation::Settle),
        1 => Just(Operation::Reopen),
    ]
}

fn start() -> impl Strategy<Value = Start> {
    prop_oneof![
        1 => Just(Start::Sealed(0)),
        1 => (0usize..9000).prop_map(Start::Sealed),
        1 => (130_000usize..136_000).prop_map(Start::Sealed),
        2 => Just(Start::Created),
    ]
}

#[test]
fn every_chunk_is_old_or_new_after_any_cut() {
    let cases = (start(), prop::collection::vec(small_operation(), 1..9), any::<[u8; 32]>(), any::<bool>());
    let states = AtomicU64::new(0);
    hold("every chunk is old or new after any cut", 32, cases, &states, |(start, operations, seed, second_suite)| {
        let history = history(Suite::ALL[usize::from(second_suite)], start, &operations, None);
        let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let result = cut_everywhere(&history, &mut rng, 24, &mut |image, allowed, rng| {
            states.fetch_add(1, Ordering::Relaxed);
            survives(image, allowed, rng)
        });
        result.map_err(TestCaseError::fail)
    });
}

#[test]
fn a_full_disk_at_any_step_loses_nothing_and_work_goes_on() {
    let initial = prop_oneof![Just(0usize), 0usize..9000, 130_000usize..136_000];
    let cases = (initial, prop::collection::vec(operation(), 1..8), 0usize..60);
    let states = AtomicU64::new(0);
    hold("a full disk at any step loses nothing", 32, cases, &states, |(initial, operations, budget)| {
        let initial = plaintext(initial);
        let mut editor = editor(Suite::default(), &initial);
        let mut expected = initial;
        editor.backing().limit(Some(budget));
        for operation in &operations {
            states.fetch_add(1, Ordering::Relaxed);
            if operation.apply(&mut editor).is_err() {
                editor.backing().limit(None);
                // The same again, now that there is space, has the effect it would have had.
                operation.apply(&mut editor).unwrap();
            }
            operation.apply_to(&mut expected);
            prop_assert!(contents(&editor) == expected, "after {operation:?}");
        }
        editor.backing().limit(None);
        editor.settle().unwrap();
        prop_assert!(open_file(&editor.into_backing().bytes(), Interrupted::Refuse).unwrap() == expected);
        Ok(())
    });
}

/// Operations that break without a rule, each with the length of the container that they begin with.
fn why_needed(rule: Rule) -> (usize, Vec<Operation>) {
    use Operation::{Flush, Punch, SetLen, Settle, Sync};
    let write = |offset, length, byte| Operation::Write { offset, length, byte };
    match rule {
        Rule::TableBeforeOverwrite => (9000, vec![write(0, 100, 1), Flush]),
        Rule::LinkBeforeLink => {
            (0, vec![SetLen(900_000), Sync, write(660_000, 10, 1), Flush, write(200_000, 10, 2), Flush])
        }
        Rule::FlightBeforeGap => (0, vec![write(11_020, 4096, 1), Flush, write(1100, 189, 2), Flush]),
        Rule::FlightBeforeFloor => (0, vec![write(9000, 200, 1), Flush, SetLen(20_000)]),
        Rule::RootBeforeTableCut => (150_000, vec![SetLen(139_264)]),
        Rule::TableBeforeTail | Rule::TailBeforeCut => (131_072, vec![SetLen(5985)]),
        Rule::CutBeforeGrowth => (135_000, vec![SetLen(6658), write(136_708, 206, 1), Flush]),
        Rule::TableBeforePunch => (9000, vec![Punch { offset: 3048, length: 7618 }]),
        Rule::UnsettledBeforeChange => (0, vec![SetLen(11_285)]),
        Rule::DataBeforeCleanTables | Rule::CleanTablesBeforeCommit => (135_000, vec![write(133_000, 240, 1), Settle]),
    }
}

#[test]
fn without_any_one_of_its_ordering_rules_the_protocol_breaks() {
    for rule in Rule::ALL {
        let (initial, operations) = why_needed(rule);
        for without in [None, Some(rule)] {
            let history = history(Suite::default(), Start::Sealed(initial), &operations, without);
            let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
            let result =
                cut_everywhere(&history, &mut rng, 300, &mut |image, allowed, _| allowed.check(&recovered(image)?));
            assert_eq!(result.is_err(), without.is_some(), "without {without:?}, for {rule:?}: {result:?}");
        }
    }
}

/// Every cut of a history, with the recovery interrupted as well.
fn assert_survives(start: Start, operations: &[Operation]) {
    let history = history(Suite::default(), start, operations, None);
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let result = cut_everywhere(&history, &mut rng, 64, &mut |image, allowed, rng| {
        let found = recovered(image)?;
        allowed.check(&found)?;
        resumed(image, &found)?;
        second_cut(image, &found, rng)
    });
    result.unwrap();
}

#[test]
fn regression_a_settled_container_whose_size_grew_before_its_root_was_unsettled() {
    assert_survives(Start::Sealed(0), &[Operation::SetLen(1)]);
}

#[test]
fn regression_a_second_cut_while_a_truncation_within_a_chunk_is_repaired() {
    let write = Operation::Write { offset: 126_000, length: 5399, byte: 1 };
    assert_survives(Start::Sealed(4096), &[write, Operation::Sync, Operation::SetLen(126_000)]);
}

#[test]
fn regression_a_table_that_nothing_refers_to_is_not_taken_up_by_the_repair() {
    assert_survives(Start::Sealed(0), &[Operation::Sync, Operation::ZeroRange { offset: 131_073, length: 4096 }]);
}
