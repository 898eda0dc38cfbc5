//! Replacing the keys of a container in place: at any cut it has the old keys or the new ones, and at the end no others.

use waxseal_key_service::{EncryptedDataKey, EncryptionContext, Provider};

use super::simulator::{Event, RecordingFile, cuts};
use super::support::*;
use crate::{CHUNK_LEN, ContainerError, Core, Header, Interrupted, Sealer, Source, State, Suite};

/// Where the slots begin behind the core of the containers below.
fn slots_of(container: &[u8]) -> std::ops::Range<usize> {
    let start = (80 + usize::from(u16::from_le_bytes([container[10], container[11]]))).next_multiple_of(8);
    start..start + (2048 - start) / 16 * 16
}

/// An encrypted data key that is told from others by its number.
fn key(number: u8, blob: usize) -> EncryptedDataKey {
    EncryptedDataKey {
        provider: Provider::Local,
        key_arn: format!("arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890{number:02x}")
            .parse()
            .unwrap(),
        ciphertext_blob: vec![0x20 + number; blob],
    }
}

fn keys(numbers: std::ops::Range<u8>) -> Vec<EncryptedDataKey> {
    numbers.map(|number| key(number, 100)).collect()
}

fn header(container: &[u8]) -> Header {
    Header::parse(&container[..2048]).unwrap()
}

fn replace(file: &RecordingFile, keys: &[EncryptedDataKey]) {
    header(&file.bytes()).replace_keys(keys, None).unwrap().apply(file, || {}).unwrap();
}

/// A whole container of these keys, with content in two groups.
fn sealed(keys: &[EncryptedDataKey]) -> Vec<u8> {
    let core = Core::new(Suite::default(), EncryptionContext::new(), Some(1_700_000_000)).unwrap();
    let file = RecordingFile::new(Vec::new());
    let sealer = Sealer::new(core, keys, &data_key()).unwrap();
    sealer.seal(Source::File(&&plaintext(140_000)[..]), crate::Sink::File(&file), threads(1)).unwrap();
    file.bytes()
}

/// The same container with its only slot moved to B, as one replacement leaves it.
fn in_slot_b(keys: &[EncryptedDataKey]) -> Vec<u8> {
    let file = RecordingFile::new(sealed(&[key(200, 50)]));
    replace(&file, keys);
    file.bytes()
}

/// Containers of the old keys 0 to 3, in every state that the slots can be in, and what that state is called.
fn starts() -> Vec<(&'static str, Vec<u8>)> {
    let (in_a, in_b) = (sealed(&keys(0..3)), in_slot_b(&keys(0..3)));
    let slots = slots_of(&in_a);
    let half = slots.len() / 2;
    // What a torn write of the other slot leaves.
    let torn = |container: &[u8], slot: usize| {
        let mut torn = container.to_vec();
        torn[slots.start + slot * half..][..40].fill(0xee);
        torn
    };
    vec![
        ("in A", in_a.clone()),
        ("in B", in_b.clone()),
        ("in A, and B torn", torn(&in_a, 1)),
        ("in B, and A torn", torn(&in_b, 0)),
        ("across both", sealed(&keys(0..6))),
    ]
}

/// Whether a file holds the blob of a key, or any part of it that could be told from others.
fn holds(file: &[u8], key: &EncryptedDataKey) -> bool {
    file[..2048].windows(16).any(|window| window == &key.ciphertext_blob[..16])
        || file[..2048].windows(key.key_arn.as_str().len()).any(|window| window == key.key_arn.as_str().as_bytes())
}

#[test]
fn the_keys_are_replaced_and_nothing_else() {
    for (name, before) in starts() {
        for count in [1, 3, 6] {
            let new = keys(10..10 + count);
            let file = RecordingFile::new(before.clone());
            replace(&file, &new);
            let after = file.bytes();
            let header = header(&after);
            assert_eq!(header.current_data_keys(), new, "{name} {count}");
            assert!(header.encrypted_data_keys() == new && header.is_rewrap_complete(), "{name} {count}");
            let slots = slots_of(&before);
            assert!(after[..slots.start] == before[..slots.start] && after[slots.end..] == before[slots.end..]);
            assert!(keys(0..6).iter().all(|old| !holds(&after, old)), "{name} {count}");
            assert!(open_file(&after, Interrupted::Refuse).unwrap() == plaintext(140_000));
        }
    }
}

#[test]
fn at_every_cut_the_container_has_all_of_the_old_keys_or_all_of_the_new_ones() {
    for (name, before) in starts() {
        let old = header(&before).current_data_keys().to_vec();
        for count in [1, 3, 6] {
            let new = keys(10..10 + count);
            let file = RecordingFile::new(before.clone());
            file.record();
            replace(&file, &new);
            let (base, events) = file.recorded();
            let mut seen = [0; 2];
            for state in cuts(&base, &events) {
                let header = header(&state);
                let has = |set: &[EncryptedDataKey]| set.iter().all(|key| header.encrypted_data_keys().contains(key));
                assert!(has(&old) || has(&new), "{name} {count}: {:?}", header.encrypted_data_keys());
                assert!(has(header.current_data_keys()));
                assert!([&old, &new].iter().any(|set| header.current_data_keys() == **set), "{name} {count}");
                seen[usize::from(header.current_data_keys() == new)] += 1;
                assert!(open_file(&state, Interrupted::Refuse).unwrap() == plaintext(140_000));
                // Run again, to the same keys or to others, it comes to its end.
                for wanted in [&new, &keys(20..22)] {
                    let again = RecordingFile::new(state.clone());
                    if header.current_data_keys() == *wanted {
                        header.complete_rewrap().apply(&again, || {}).unwrap();
                    } else {
                        replace(&again, wanted);
                    }
                    let done = again.bytes();
                    assert!(self::header(&done).encrypted_data_keys() == *wanted, "{name} {count}");
                    let others: Vec<_> = keys(0..30).into_iter().filter(|key| !wanted.contains(key)).collect();
                    assert!(others.iter().all(|other| !holds(&done, other)), "{name} {count}");
                }
            }
            assert!(seen.iter().all(|times| *times > 0), "{name} {count}: {seen:?}");
        }
    }
}

#[test]
fn a_second_cut_amid_what_follows_an_interrupted_replacement_loses_nothing_either() {
    let file = RecordingFile::new(sealed(&keys(0..3)));
    file.record();
    replace(&file, &keys(10..12));
    let (base, events) = file.recorded();
    for interrupted in cuts(&base, &events) {
        let header = header(&interrupted);
        let had: Vec<_> = header.encrypted_data_keys().to_vec();
        for proven in &had {
            let again = RecordingFile::new(interrupted.clone());
            again.record();
            header.replace_keys(&keys(20..22), Some(proven)).unwrap().apply(&again, || {}).unwrap();
            let (base, events) = again.recorded();
            for state in cuts(&base, &events) {
                let now = self::header(&state);
                let has = |key: &EncryptedDataKey| now.encrypted_data_keys().contains(key);
                assert!(has(proven) || keys(20..22).iter().all(has), "{proven:?}");
            }
            assert!(self::header(&again.bytes()).encrypted_data_keys() == keys(20..22));
        }
    }
}

/// What storage leaves that tears a write within a page at every sector, which the format does not ask of it.
#[test]
fn a_torn_write_of_one_slot_leaves_the_other() {
    for before in [sealed(&keys(0..3)), in_slot_b(&keys(0..3))] {
        let file = RecordingFile::new(before.clone());
        file.record();
        replace(&file, &keys(10..13));
        let mut now = before;
        for event in file.recorded().1 {
            let Event::Write { offset, bytes } = event else { continue };
            let at = usize::try_from(offset).unwrap();
            for torn in 0..=bytes.len() {
                let mut state = now.clone();
                state[at..at + torn].copy_from_slice(&bytes[..torn]);
                let mut reversed = now.clone();
                reversed[at + torn..at + bytes.len()].copy_from_slice(&bytes[torn..]);
                for state in [state, reversed] {
                    let header = header(&state);
                    let has = |set: Vec<_>| set.iter().all(|key| header.encrypted_data_keys().contains(key));
                    assert!(has(keys(0..3)) || has(keys(10..13)), "{torn} of {} at {at}", bytes.len());
                }
            }
            now[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }
}

#[test]
fn prepared_and_unsettled_containers_and_streams_get_other_keys_as_well() {
    let core = Core::new(Suite::default(), EncryptionContext::new(), None).unwrap();
    let prepared = RecordingFile::new(Header::prepare(&core, &keys(0..1)).unwrap().to_vec());
    replace(&prepared, &keys(10..12));
    let bytes = prepared.bytes();
    assert!(header(&bytes).state() == State::Prepared && bytes.len() == CHUNK_LEN && !holds(&bytes, &key(0, 100)));
    let filling = header(&bytes).fill(&data_key()).unwrap();
    filling.seal(Source::File(&&b"content"[..]), &prepared, threads(1)).unwrap();
    assert_eq!(open_file(&prepared.bytes(), Interrupted::Refuse).unwrap(), b"content");
    assert_eq!(header(&prepared.bytes()).encrypted_data_keys(), keys(10..12));

    let mut editor = sealer(Suite::default()).create(RecordingFile::new(Vec::new())).unwrap();
    editor.write_at(&plaintext(9000), 0).unwrap();
    editor.flush().unwrap();
    // Who writes the content and who replaces the keys touch no byte of each other.
    replace(editor.backing(), &keys(10..12));
    editor.write_at(&plaintext(9000), 9000).unwrap();
    editor.settle().unwrap();
    let written = editor.into_backing().bytes();
    assert_eq!(open_file(&written, Interrupted::Refuse).unwrap(), [plaintext(9000), plaintext(9000)].concat());
    assert_eq!(header(&written).encrypted_data_keys(), keys(10..12));

    let stream = RecordingFile::new(seal_stream(Suite::default(), &plaintext(300_000)));
    replace(&stream, &keys(10..12));
    assert!(open_stream(&stream.bytes(), Interrupted::Refuse).1 == plaintext(300_000));
}

#[test]
fn generations_rise_and_begin_anew_at_their_end() {
    let file = RecordingFile::new(sealed(&keys(0..1)));
    for generation in 2..6 {
        replace(&file, &keys(generation..generation + 1));
        assert_eq!(header(&file.bytes()).slot_generation(), u32::from(generation));
    }
    // The last one there is: nothing is newer, so one write replaces both slots.
    let mut bytes = file.bytes();
    let slots = slots_of(&bytes);
    let slot = slots.start..slots.start + slots.len() / 2;
    let payload = usize::from(u16::from_le_bytes([bytes[slot.start + 4], bytes[slot.start + 5]]));
    bytes[slot.start..slot.start + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let sum = {
        use sha2::{Digest as _, Sha256};
        Sha256::new()
            .chain_update(&bytes[slot.start..slot.start + 8])
            .chain_update(&bytes[slot.start + 16..slot.start + 16 + payload])
            .finalize()
    };
    bytes[slot.start + 8..slot.start + 16].copy_from_slice(&sum[..8]);
    assert_eq!(header(&bytes).slot_generation(), u32::MAX);
    let file = RecordingFile::new(bytes);
    replace(&file, &keys(9..10));
    assert_eq!(
        (header(&file.bytes()).slot_generation(), header(&file.bytes()).encrypted_data_keys()),
        (1, &keys(9..10)[..])
    );
}

#[test]
fn keys_that_do_not_fit_and_no_keys_at_all_are_refused_before_anything_is_written() {
    let before = sealed(&keys(0..3));
    let file = RecordingFile::new(before.clone());
    let header = header(&before);
    assert!(matches!(header.replace_keys(&[], None), Err(ContainerError::NoKeys)));
    let refused = header.replace_keys(&keys(0..40), None).unwrap_err();
    assert!(matches!(refused, ContainerError::TooManyKeys { keys: 40, .. }), "{refused}");
    assert!(file.bytes() == before);
}

#[test]
fn a_disk_that_fails_leaves_the_old_keys_or_the_new_ones() {
    for (name, before) in starts() {
        for budget in 0..6 {
            let file = RecordingFile::new(before.clone());
            file.limit(Some(budget));
            let done = header(&before).replace_keys(&keys(10..12), None).unwrap().apply(&file, || {});
            file.limit(None);
            let header = header(&file.bytes());
            let current = header.current_data_keys();
            assert!(current == keys(10..12) || current == self::header(&before).current_data_keys(), "{name} {budget}");
            assert!(done.is_err() || header.is_rewrap_complete(), "{name} {budget}");
            replace(&file, &keys(10..12));
            assert!(self::header(&file.bytes()).is_rewrap_complete());
        }
    }
}
