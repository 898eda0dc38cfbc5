//! Whoever can write the storage changes something: an error, or the right bytes, and never others.

use super::support::*;
use crate::{ContainerError, Damage, Interrupted, Suite, file_size};

/// Reads a container in all three ways. Each has to fail or to give the original bytes; a stream may give a part of them
/// before it fails. Returns whether any of them failed.
fn all_readers_detect(container: &[u8], original: &[u8], what: &str) -> bool {
    let (result, released) = open_stream(container, Interrupted::Refuse);
    assert!(original.starts_with(&released), "{what}: wrong bytes from a stream");
    assert!(result.is_err() || released == original, "{what}: a stream ended early without an error");
    let file = open_file(container, Interrupted::Refuse);
    assert!(file.as_ref().is_err() || file.as_ref().unwrap() == original, "{what}: wrong bytes from a file");
    assert_eq!(result.is_err(), file.is_err(), "{what}: stream and file disagree");
    let random = read_at_whole(container, Interrupted::Refuse);
    assert!(random.as_ref().is_err() || random.as_ref().unwrap() == original, "{what}: wrong bytes from read_at");
    result.is_err()
}

fn assert_detected(container: &[u8], original: &[u8], what: &str) {
    assert!(all_readers_detect(container, original, what), "{what}: not detected");
}

#[test]
fn a_flipped_bit_in_any_byte_of_page_zero_is_detected() {
    for suite in Suite::ALL {
        let original = plaintext(5000);
        let container = seal_file(suite, &original);
        for at in 0..4096 {
            let mut changed = container.clone();
            changed[at] ^= 1 << (at % 8);
            // A slot that nothing uses may lose a bit of its zeros and be unusable, while the other opens the file.
            let detected = all_readers_detect(&changed, &original, &format!("{suite}: byte {at}"));
            assert!(detected || (600..2048).contains(&at), "{suite}: byte {at} is not detected");
        }
    }
}

#[test]
fn a_flipped_bit_at_every_border_and_in_every_page_is_detected() {
    for suite in Suite::ALL {
        let original = plaintext(700_000);
        for container in [seal_file(suite, &original), seal_stream(suite, &original)] {
            for page in (0..container.len()).step_by(4096).skip(1) {
                let end = (page + 4096).min(container.len());
                for at in [page, page + (end - page) / 2, end - 1] {
                    let mut changed = container.clone();
                    changed[at] ^= 0x80;
                    assert_detected(&changed, &original, &format!("{suite}: byte {at}"));
                }
            }
        }
    }
}

#[test]
fn every_cut_of_a_small_container_is_detected() {
    for suite in Suite::ALL {
        let original = plaintext(9000);
        let container = seal_file(suite, &original);
        for length in 0..container.len() {
            assert_detected(&container[..length], &original, &format!("{suite}: cut at {length}"));
        }
    }
}

#[test]
fn a_cut_is_named_with_its_place() {
    let original = plaintext(700_000);
    for container in [seal_file(Suite::default(), &original), seal_stream(Suite::default(), &original)] {
        let whole = container.len();
        for length in [7, 2047, 2048, 4095, 4096, 70_000, 135_168, 135_169, 139_264, 139_265, 401_408, whole - 1] {
            for error in [
                open_stream(&container[..length], Interrupted::Refuse).0.unwrap_err(),
                open_file(&container[..length], Interrupted::Refuse).unwrap_err(),
                read_at_whole(&container[..length], Interrupted::Refuse).unwrap_err(),
            ] {
                let ContainerError::Damaged { offset, damage: Damage::Truncated { size, expected } } = error else {
                    panic!("cut at {length}: {error}");
                };
                assert_eq!((offset, size), (length as u64, length as u64));
                assert!(expected > size && expected <= whole as u64, "cut at {length}: at least {expected}");
            }
        }
    }
}

#[test]
fn cuts_at_every_chunk_table_and_group_are_detected() {
    for suite in Suite::ALL {
        let original = plaintext(700_000);
        for container in [seal_file(suite, &original), seal_stream(suite, &original)] {
            for page in (0..container.len()).step_by(4096) {
                for length in [page.saturating_sub(1), page, page + 1] {
                    assert_detected(&container[..length], &original, &format!("{suite}: cut at {length}"));
                }
            }
        }
    }
}

#[test]
fn appended_bytes_are_detected_and_named() {
    let original = plaintext(262_144 + 131_072);
    for (container, tail) in [
        (seal_file(Suite::default(), &original), vec![0; 1]),
        (seal_stream(Suite::default(), &original), vec![0; 1]),
        (seal_file(Suite::default(), &original), vec![1; 8192]),
        (seal_stream(Suite::default(), &original), vec![1; 8192]),
        (seal_file(Suite::default(), &original[..10]), vec![0; 1]),
        (seal_stream(Suite::default(), &original[..10]), vec![0; 300_000]),
    ] {
        let longer = [&container[..], &tail].concat();
        let expected = container.len() as u64;
        for error in [
            open_stream(&longer, Interrupted::Refuse).0.unwrap_err(),
            open_file(&longer, Interrupted::Refuse).unwrap_err(),
        ] {
            let damage = Damage::Appended { expected };
            assert!(
                matches!(&error, ContainerError::Damaged { damage: found, .. } if *found == damage),
                "{} bytes: {error}",
                tail.len()
            );
        }
        assert!(read_at_whole(&longer, Interrupted::Refuse).is_err());
    }
}

#[test]
fn chunks_swapped_zeroed_or_moved_are_detected() {
    for suite in Suite::ALL {
        let original = plaintext(700_000);
        let container = seal_file(suite, &original);
        let chunk = |number: u64| {
            let start = usize::try_from(file_size(number * 4096 + 1) - 1).unwrap();
            start..start + 4096
        };
        for number in [0, 1, 31, 32, 95, 96, 150] {
            let mut zeroed = container.clone();
            zeroed[chunk(number)].fill(0);
            assert_detected(&zeroed, &original, &format!("{suite}: chunk {number} zeroed"));
            for other in [0, 2, 33, 97] {
                if number != other {
                    let mut moved = container.clone();
                    moved.copy_within(chunk(other), chunk(number).start);
                    assert_detected(&moved, &original, &format!("{suite}: chunk {other} over {number}"));
                    moved[chunk(other)].copy_from_slice(&container[chunk(number)]);
                    assert_detected(&moved, &original, &format!("{suite}: chunks {other} and {number} swapped"));
                }
            }
        }
    }
}

#[test]
fn tables_zeroed_swapped_or_moved_with_their_groups_are_detected() {
    for suite in Suite::ALL {
        let original = plaintext(1_000_000);
        for container in [seal_file(suite, &original), seal_stream(suite, &original)] {
            let table = |group: usize| 135_168 + (group - 1) * 266_240..135_168 + (group - 1) * 266_240 + 4096;
            for group in 1..=4 {
                let mut zeroed = container.clone();
                zeroed[table(group)].fill(0);
                assert_detected(&zeroed, &original, &format!("{suite}: table {group} zeroed"));
            }
            let mut hole = container.clone();
            hole[table(2).start..table(3).start].fill(0);
            assert_detected(&hole, &original, "a whole group zeroed: a forged hole");
            let mut moved = container.clone();
            moved.copy_within(table(1).start..table(2).start, table(2).start);
            assert_detected(&moved, &original, "group 1 over group 2");
            let mut root = container.clone();
            root[2048..4096].fill(0);
            assert_detected(&root, &original, "the root zeroed");
        }
    }
}

#[test]
fn parts_of_another_container_under_the_same_data_key_are_detected() {
    for suite in Suite::ALL {
        let original = plaintext(400_000);
        let (container, other) = (seal_file(suite, &original), seal_file(suite, &original));
        let ends = [80, 2048, 4096, 8192, 135_168, 139_264, container.len()];
        for (number, window) in ends.windows(2).enumerate() {
            let mut mixed = container.clone();
            mixed[window[0]..window[1]].copy_from_slice(&other[window[0]..window[1]]);
            assert_detected(&mixed, &original, &format!("{suite}: part {number} of another"));
        }
        let mut header = container.clone();
        header[..2048].copy_from_slice(&other[..2048]);
        assert_detected(&header, &original, "the header of another");
        let mut salt = container.clone();
        salt[48..80].copy_from_slice(&other[48..80]);
        assert_detected(&salt, &original, "the body salt of another");
    }
}

#[test]
fn another_data_key_does_not_open_the_header() {
    let container = seal_file(Suite::default(), &plaintext(10));
    let header = crate::Header::parse(&container[..2048]).unwrap();
    let result = header.unlock(&waxseal_key_service::DataKey::take(&mut [1; 32]));
    assert!(matches!(result, Err(ContainerError::Damaged { offset: 16, damage: Damage::HeaderTag })));
}

#[test]
fn a_filled_container_made_to_look_prepared_or_newer_is_an_error() {
    let original = plaintext(0);
    let container = seal_file(Suite::default(), &original);
    let mut prepared = container.clone();
    prepared[9] = 0;
    assert_detected(&prepared, &original, "state alone");
    prepared[16..80].fill(0);
    assert_detected(&prepared, &original, "state, tag and salt");
    prepared[2048..].fill(0);
    assert!(matches!(open_file(&prepared, Interrupted::Refuse), Err(ContainerError::Prepared)));
    let mut newer = container;
    newer[8] = 2;
    assert!(matches!(open_file(&newer, Interrupted::Refuse), Err(ContainerError::NewerVersion(2))));
}

#[test]
fn what_is_no_container_is_called_so() {
    for bytes in [&b""[..], b"%PDF-1.7", b"\x97WAXSEAM", &[0; 4096]] {
        assert!(matches!(open_file(bytes, Interrupted::Refuse), Err(ContainerError::NotAContainer(_))), "{bytes:02x?}");
    }
}
