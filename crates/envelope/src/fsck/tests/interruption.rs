//! Writers and repairs that were cut off at every step.

use std::fs::File;
use std::time::{Duration, SystemTime};

use waxseal_container::{Editor, Holds, InFlight, Interruption, Suite};

use super::super::repair::mend;
use super::support::*;
use crate::{Finding, Repair};

/// Overwrites over two groups, appends, and shortens nothing; returns whether the writer came to its end.
fn write(file: &File, patch: &[u8], operations: u64) -> bool {
    let Ok(mut editor) = Editor::open(unlock(file), Cut::after(operations, file)) else { return false };
    let mut step = || {
        editor.write_at(patch, 120_000)?;
        editor.write_at(patch, 280_000)?;
        editor.flush()
    };
    step().is_ok()
}

/// Asserts that what is said to be old is old, that what is said to be new is new, and that nothing else was touched.
fn assert_parts_tell_the_truth(found: &Interruption, now: &[u8], before: &[u8], after: &[u8], what: &str) {
    let range =
        |part: &InFlight| usize::try_from(part.plaintext.start).unwrap()..usize::try_from(part.plaintext.end).unwrap();
    let mut untouched = now.to_vec();
    let (mut old, mut new) = (0, 0);
    for part in &found.parts {
        let expected = match part.holds {
            Holds::Old => before,
            Holds::New => after,
        };
        // An old last chunk may have been shorter: zeros follow it.
        let held: Vec<u8> = range(part).map(|at| expected.get(at).copied().unwrap_or(0)).collect();
        assert!(now[range(part)] == held, "{what}: {part:?}");
        untouched[range(part)].copy_from_slice(&after[range(part)]);
        let bytes = part.plaintext.end - part.plaintext.start;
        *(if part.holds == Holds::Old { &mut old } else { &mut new }) += bytes;
    }
    assert_eq!((found.old, found.new), (old, new), "{what}");
    assert!(found.parts.is_sorted_by(|one, next| one.plaintext.end <= next.plaintext.start), "{what}");
    for (at, byte) in untouched.iter().enumerate() {
        let (was, is) = (before.get(at), after[at]);
        assert!(*byte == is || was == Some(byte), "{what}: byte {at} is neither old nor new");
    }
}

#[test]
fn a_writer_cut_off_at_any_step_leaves_a_container_that_is_told_apart_and_repaired() {
    for suite in Suite::ALL {
        let before = content(300_000, 0);
        let patch = content(40_000, 100);
        let mut after = before.clone();
        after.resize(320_000, 0);
        after[120_000..160_000].copy_from_slice(&patch);
        after[280_000..320_000].copy_from_slice(&patch);
        let original = sealed(suite, &before);
        let (mut old, mut new, mut steps) = (0, 0, 0);
        loop {
            let file = copy(&original);
            let finished = write(&file, &patch, steps);
            let what = format!("{suite}, cut after {steps} operations");
            let now = recovered(&file);
            let finding = check(&file);
            match &finding {
                Finding::Clean { plaintext_len } => assert_eq!((*plaintext_len, &now), (300_000, &before), "{what}"),
                Finding::Interrupted(found) => {
                    assert_eq!(found.plaintext_len, now.len() as u64, "{what}");
                    assert!(found.durable_len <= found.plaintext_len && found.plaintext_len <= found.recorded_len);
                    assert_parts_tell_the_truth(found, &now, &before, &after, &what);
                    (old, new) = (old + found.old, new + found.new);
                }
                Finding::Damaged(damaged) => panic!("{what}: {damaged:?}"),
            }
            let repaired = fsck().repair(&unlock(&file), &file).unwrap();
            match (finding, repaired) {
                (Finding::Clean { plaintext_len: one }, Repair::NotNeeded { plaintext_len: other }) => {
                    assert_eq!(one, other);
                }
                (Finding::Interrupted(found), Repair::Done(mended)) => assert_eq!(found, mended, "{what}"),
                (finding, repaired) => panic!("{what}: {finding:?} and {repaired:?}"),
            }
            assert!(recovered(&file) == now, "{what}: a repair changes no content");
            assert_eq!(check(&file), Finding::Clean { plaintext_len: now.len() as u64 }, "{what}");
            steps += 1;
            if finished {
                break;
            }
        }
        assert!(steps > 4 && old > 0 && new > 0, "{steps} steps, {old} bytes old, {new} bytes new");
    }
}

#[test]
fn a_repair_cut_off_at_any_step_is_harmless() {
    for suite in Suite::ALL {
        let (original, expected) = interrupted(suite);
        let mut steps = 0;
        loop {
            let file = copy(&original);
            let finished = mend(&unlock(&file), Cut::after(steps, &file)).is_ok();
            let what = format!("{suite}, cut after {steps} operations");
            assert!(recovered(&file) == expected, "{what}");
            assert!(!matches!(check(&file), Finding::Damaged(_)), "{what}");
            fsck().repair(&unlock(&file), &file).unwrap();
            assert_eq!(check(&file), Finding::Clean { plaintext_len: expected.len() as u64 }, "{what}");
            assert!(recovered(&file) == expected, "{what}");
            steps += 1;
            if finished {
                break;
            }
        }
        assert!(steps > 4, "{steps} steps");
    }
}

#[test]
fn a_clean_container_is_not_touched_by_a_repair_and_a_repaired_one_keeps_its_time() {
    let past = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 7);
    let (file, expected) = interrupted(Suite::default());
    file.set_modified(past).unwrap();
    assert!(matches!(fsck().repair(&unlock(&file), &file).unwrap(), Repair::Done(_)));
    assert_eq!(file.metadata().unwrap().modified().unwrap(), past);
    let mended = bytes(&file);
    let repair = fsck().repair(&unlock(&file), &file).unwrap();
    assert_eq!(repair, Repair::NotNeeded { plaintext_len: expected.len() as u64 });
    assert!(bytes(&file) == mended);
    assert_eq!(file.metadata().unwrap().modified().unwrap(), past);
}

#[test]
fn an_append_that_did_not_arrive_is_told_by_the_lengths() {
    let (file, expected) = interrupted(Suite::default());
    let Finding::Interrupted(found) = check(&file) else { panic!("it was interrupted") };
    assert_eq!((found.recorded_len, found.plaintext_len), (310_000, 310_000));
    assert!(found.durable_len <= 300_000);
    // The appended chunks were written ahead of their table: the last one is gone.
    file.set_len(file.metadata().unwrap().len() - 2000).unwrap();
    let Finding::Interrupted(found) = check(&file) else { panic!("it was interrupted") };
    assert_eq!((found.recorded_len, found.plaintext_len), (310_000, 307_200));
    fsck().repair(&unlock(&file), &file).unwrap();
    assert_eq!(check(&file), Finding::Clean { plaintext_len: 307_200 });
    assert!(recovered(&file) == expected[..307_200]);
}

#[test]
fn a_container_of_which_only_the_beginning_was_made_is_interrupted_and_empty() {
    for suite in Suite::ALL {
        let file = tempfile::tempfile().unwrap();
        drop(sealer(suite).create(file.try_clone().unwrap()).unwrap());
        let Finding::Interrupted(found) = check(&file) else { panic!("its writer never ended") };
        assert_eq!((found.plaintext_len, found.recorded_len, found.parts), (0, 0, Vec::new()));
        fsck().repair(&unlock(&file), &file).unwrap();
        assert_eq!(check(&file), Finding::Clean { plaintext_len: 0 });
    }
}

#[test]
fn every_read_is_told_to_the_progress() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let file = sealed(Suite::default(), &content(300_000, 0));
    let told = AtomicU64::new(0);
    let progress = |bytes| {
        told.fetch_add(bytes, Ordering::Relaxed);
    };
    crate::Fsck { threads: THREADS, progress: &progress }.check(&unlock(&file), &file).unwrap();
    let size = file.metadata().unwrap().len();
    assert!(told.load(Ordering::Relaxed) >= size - 4096 && told.load(Ordering::Relaxed) < size + 4096);
}
