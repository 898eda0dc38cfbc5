//! Prepared containers: what they are to readers, how they are filled, and what every cut of that leaves.

use waxseal_key_service::EncryptionContext;

use super::simulator::{RecordingFile, cuts};
use super::support::*;
use crate::io::Backing as _;
use crate::{
    CHUNK_LEN, ContainerError, Core, Damage, Header, Interrupted, Source, State, Suite, WriteAt as _, file_size,
};

fn prepared(suite: Suite) -> Vec<u8> {
    let context = EncryptionContext::from_pairs(["project=x"]).unwrap();
    let core = Core::new(suite, context, Some(1_700_000_000)).unwrap();
    Header::prepare(&core, &[encrypted_key()]).unwrap().to_vec()
}

fn header(container: &[u8]) -> Header {
    Header::parse(&container[..2048]).unwrap()
}

fn fill(file: &RecordingFile, plaintext: &[u8]) -> Result<(), ContainerError> {
    let filling = header(&file.bytes()).fill(&data_key())?;
    let sealed = filling.seal(Source::File(&plaintext), file, threads(2))?;
    assert_eq!(sealed.plaintext_len, plaintext.len() as u64);
    Ok(())
}

#[test]
fn a_prepared_container_is_no_empty_file_to_any_reader() {
    for suite in Suite::ALL {
        let container = prepared(suite);
        assert_eq!(container.len() as u64, file_size(0));
        assert_eq!(header(&container).state(), State::Prepared);
        for interrupted in [Interrupted::Refuse, Interrupted::Recover] {
            assert!(
                matches!(open_stream(&container, interrupted), (Err(ContainerError::Prepared), read) if read.is_empty())
            );
            assert!(matches!(open_file(&container, interrupted), Err(ContainerError::Prepared)));
            assert!(matches!(read_at_whole(&container, interrupted), Err(ContainerError::Prepared)));
        }
    }
}

#[test]
fn a_filled_one_has_the_content_and_the_key_slots_that_it_had() {
    for suite in Suite::ALL {
        for length in [0, 1, 4096, 131_072, 131_073, 400_000] {
            let (before, content) = (prepared(suite), plaintext(length));
            let file = RecordingFile::new(before.clone());
            fill(&file, &content).unwrap();
            let filled = file.bytes();
            assert_eq!(filled.len() as u64, file_size(length as u64));
            assert!(open_file(&filled, Interrupted::Refuse).unwrap() == content, "{length}");
            assert!(open_stream(&filled, Interrupted::Refuse).1 == content, "{length}");
            let (old, new) = (header(&before), header(&filled));
            assert_eq!((old.core(), old.encrypted_data_keys()), (new.core(), new.encrypted_data_keys()));
            // The core ends where nothing but the slots is behind it.
            let slots = (80 + usize::from(u16::from_le_bytes([before[10], before[11]]))).next_multiple_of(8);
            assert_eq!(before[slots..2048], filled[slots..2048]);
        }
    }
}

#[test]
fn copies_that_are_filled_share_no_content_key() {
    let before = prepared(Suite::default());
    let salts: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let file = RecordingFile::new(before.clone());
            fill(&file, b"the same").unwrap();
            file.bytes()[48..80].to_vec()
        })
        .collect();
    assert_ne!(salts[0], salts[1]);
}

#[test]
fn nothing_is_filled_twice_and_what_is_cut_is_not_filled() {
    let file = RecordingFile::new(prepared(Suite::default()));
    fill(&file, b"once").unwrap();
    let once = file.bytes();
    assert!(matches!(fill(&file, b"twice"), Err(ContainerError::Filled)));
    assert!(file.bytes() == once);
    let short = RecordingFile::new(prepared(Suite::default())[..4000].to_vec());
    let damage = fill(&short, b"x").unwrap_err();
    assert!(matches!(damage, ContainerError::Damaged { offset: 4000, damage: Damage::Truncated { .. } }), "{damage}");
    assert_eq!(short.bytes().len(), 4000);
}

#[test]
fn every_cut_of_a_preparation_leaves_a_prepared_container_or_none() {
    for suite in Suite::ALL {
        let whole = prepared(suite);
        let file = RecordingFile::new(Vec::new());
        file.record();
        file.write_all_at(&whole, 0).unwrap();
        file.sync_data().unwrap();
        let (base, events) = file.recorded();
        let mut seen = [0; 2];
        for state in cuts(&base, &events) {
            seen[usize::from(state == whole)] += 1;
            if state != whole {
                assert!(Header::read_at(&state[..]).is_err(), "{} bytes", state.len());
                continue;
            }
            let file = RecordingFile::new(state);
            fill(&file, b"content").unwrap();
            assert_eq!(open_file(&file.bytes(), Interrupted::Refuse).unwrap(), b"content");
        }
        assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    }
}

#[test]
fn every_cut_of_a_filling_leaves_it_prepared_or_filled_and_the_next_one_completes() {
    for suite in Suite::ALL {
        for length in [0, 5000, 140_000] {
            let content = plaintext(length);
            let file = RecordingFile::new(prepared(suite));
            file.record();
            fill(&file, &content).unwrap();
            let (base, events) = file.recorded();
            let (mut left, mut done) = (0, 0);
            for state in cuts(&base, &events) {
                if header(&state).state() == State::Filled {
                    assert!(open_file(&state, Interrupted::Refuse).unwrap() == content);
                    done += 1;
                    continue;
                }
                left += 1;
                assert!(matches!(open_file(&state, Interrupted::Recover), Err(ContainerError::Prepared)));
                // Filled with something shorter, so that what was left would be seen.
                let other = plaintext(length / 2);
                let again = RecordingFile::new(state);
                again.record();
                fill(&again, &other).unwrap();
                assert!(open_file(&again.bytes(), Interrupted::Refuse).unwrap() == other);
                let (base, events) = again.recorded();
                for state in cuts(&base, &events).into_iter().step_by(7) {
                    let is_filled = header(&state).state() == State::Filled;
                    assert!(!is_filled || open_file(&state, Interrupted::Refuse).unwrap() == other);
                }
            }
            assert!(left > 3 && done > 0, "{left} {done}");
        }
    }
}

#[test]
fn one_that_is_written_in_place_is_prepared_or_empty_after_any_cut() {
    for suite in Suite::ALL {
        // As an interrupted filling left it.
        let base = [prepared(suite), vec![7; 3 * CHUNK_LEN]].concat();
        let file = RecordingFile::new(base);
        file.record();
        let filling = header(&file.bytes()).fill(&data_key()).unwrap();
        let mut editor = filling.create(file).unwrap();
        let (base, events) = editor.backing().recorded();
        for state in cuts(&base, &events) {
            match open_file(&state, Interrupted::Recover) {
                Ok(found) => assert!(found.is_empty()),
                Err(error) => assert!(matches!(error, ContainerError::Prepared), "{error}"),
            }
        }
        editor.write_at(&plaintext(10_000), 0).unwrap();
        editor.settle().unwrap();
        let settled = editor.into_backing().bytes();
        assert!(open_file(&settled, Interrupted::Refuse).unwrap() == plaintext(10_000));
    }
}

#[test]
fn a_full_disk_leaves_it_prepared() {
    let content = plaintext(140_000);
    for budget in 0..40 {
        let file = RecordingFile::new(prepared(Suite::default()));
        file.limit(Some(budget));
        if fill(&file, &content).is_ok() {
            assert!(budget > 30);
            continue;
        }
        file.limit(None);
        if header(&file.bytes()).state() == State::Prepared {
            fill(&file, &content).unwrap();
        }
        assert!(open_file(&file.bytes(), Interrupted::Refuse).unwrap() == content, "{budget}");
    }
}
