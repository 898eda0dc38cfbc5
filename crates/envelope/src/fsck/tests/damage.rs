//! Damage of every kind: named, never repaired, and everything else saved.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use waxseal_container::{Damage, Editor, ReadAt, SizeClaim, Suite, Survey, size_claim};

use super::support::*;
use crate::{Damaged, Finding, Repair, Salvage};

const LEN: usize = 700_000;

fn damaged(file: &File) -> Damaged {
    match check(file) {
        Finding::Damaged(damaged) => damaged,
        other => panic!("{other:?}"),
    }
}

/// Asserts that a repair leaves the file alone, and that a salvage writes all of `original` but for the losses; returns
/// what was found.
fn refused_and_salvaged(file: &File, original: &[u8], what: &str) -> Damaged {
    let found = damaged(file);
    let before = bytes(file);
    assert_eq!(fsck().repair(&unlock(file), file).unwrap(), Repair::Refused(found.clone()), "{what}");
    assert!(bytes(file) == before, "{what}: a damaged container was changed");
    let output = tempfile::tempfile().unwrap();
    let salvage = fsck().salvage(&unlock(file), file, &output).unwrap();
    assert_eq!(salvage, Salvage { finding: Finding::Damaged(found.clone()), unreadable: Vec::new() }, "{what}");
    assert!(!salvage.is_whole());
    assert_salvaged(&output, found.survey.as_ref(), original, what);
    found
}

fn assert_salvaged(output: &File, survey: Option<&Survey>, original: &[u8], what: &str) {
    let saved = bytes(output);
    let Some(survey) = survey else {
        assert!(saved.is_empty(), "{what}");
        return;
    };
    assert_eq!(saved.len() as u64, survey.plaintext_len, "{what}");
    assert_eq!(survey.good + survey.lost, survey.plaintext_len, "{what}");
    let mut expected = original[..saved.len()].to_vec();
    for loss in &survey.losses {
        let range = usize::try_from(loss.plaintext.start).unwrap()..usize::try_from(loss.plaintext.end).unwrap();
        expected[range].fill(0);
    }
    assert!(saved == expected, "{what}: salvaged bytes differ from the original outside the losses");
}

#[test]
fn flipped_bits_are_told_with_their_place_and_cost_no_more_than_their_chunk_or_group() {
    for suite in Suite::ALL {
        let original = content(LEN, 0);
        let container = bytes(&sealed(suite, &original));
        // Chunk 2, the last chunk, the table of group 1, and the root.
        for (at, lost) in [
            (12_288 + 5, Some(8192..12_288)),
            (container.len() - 1, Some(696_320..700_000)),
            (135_168 + 100, Some(131_072..393_216)),
            (2100, None),
        ] {
            let what = format!("{suite}, byte {at}");
            let mut flipped = container.clone();
            flipped[at] ^= 0x20;
            let found = refused_and_salvaged(&file_of(&flipped), &original, &what);
            let ranges = found.survey.map(|survey| survey.losses.into_iter().map(|loss| loss.plaintext).collect());
            assert_eq!(ranges, lost.map(|lost| vec![lost]), "{what}");
            assert_eq!(found.offset, if at < 4096 { 2048 } else { at as u64 / 4096 * 4096 }, "{what}");
        }
    }
}

#[test]
fn every_loss_is_listed_and_a_zeroed_chunk_is_one() {
    let original = content(LEN, 0);
    let mut container = bytes(&sealed(Suite::default(), &original));
    container[8192..12_288].fill(0);
    container[200_000] ^= 1;
    container[139_264 + 65 * 4096 + 1] ^= 1;
    let found = refused_and_salvaged(&file_of(&container), &original, "three chunks");
    assert_eq!((found.offset, &found.damage), (8192, &Damage::Chunk { chunk: 1 }));
    let survey = found.survey.unwrap();
    let offsets: Vec<u64> = survey.losses.iter().map(|loss| loss.offset).collect();
    assert_eq!(offsets, [8192, 196_608, 405_504]);
    assert_eq!(survey.lost, 3 * 4096);
}

#[test]
fn of_a_truncated_container_everything_before_the_cut_is_saved() {
    let original = content(LEN, 0);
    let container = bytes(&sealed(Suite::default(), &original));
    for cut in [4097, 10_000, 135_168, 136_000, 200_000, 401_408, container.len() - 1] {
        let what = format!("cut at {cut}");
        let found = refused_and_salvaged(&file_of(&container[..cut]), &original, &what);
        assert!(matches!(found.damage, Damage::Truncated { .. }), "{what}: {found:?}");
        let survey = found.survey.unwrap();
        let (SizeClaim::Plaintext(before) | SizeClaim::Impossible(before)) = size_claim(cut as u64);
        assert_eq!((survey.plaintext_len, survey.good), (LEN as u64, before / 4096 * 4096), "{what}: {survey:?}");
    }
    let found = refused_and_salvaged(&file_of(&container[..3000]), &original, "cut in the root");
    assert_eq!(found.survey, None);
}

#[test]
fn what_only_a_full_read_notices_is_damage_without_a_loss() {
    let original = content(LEN, 0);
    let container = sealed(Suite::default(), &original);
    let appended = file_of(&[&bytes(&container)[..], b"x"].concat());
    let found = refused_and_salvaged(&appended, &original, "appended");
    assert_eq!(
        (found.damage, found.survey.unwrap().losses),
        (Damage::Appended { expected: container.metadata().unwrap().len() }, Vec::new())
    );
    // The table and the chunk of an older version, each whole by itself, under the newer root.
    let older = bytes(&container);
    let mut editor = Editor::open(unlock(&container), container).unwrap();
    editor.write_at(&content(4096, 9), 135_168).unwrap();
    editor.settle().unwrap();
    let mut mixed = bytes(&editor.into_backing());
    mixed[135_168..401_408].copy_from_slice(&older[135_168..401_408]);
    let found = refused_and_salvaged(&file_of(&mixed), &original, "put back");
    assert_eq!((found.damage, found.survey.unwrap().losses), (Damage::RootHash, Vec::new()));
}

#[test]
fn an_interrupted_container_that_is_damaged_as_well_is_damaged() {
    for suite in Suite::ALL {
        let (file, expected) = interrupted(suite);
        let mut container = bytes(&file);
        container[20_480] ^= 1;
        let found = refused_and_salvaged(&file_of(&container), &expected, "interrupted and damaged");
        assert_eq!(found.damage, Damage::Chunk { chunk: 4 });
        assert_eq!(found.survey.unwrap().lost, 4096);
    }
}

#[test]
fn of_whole_containers_all_is_saved_and_holes_stay_holes() {
    let original = content(9000, 0);
    let file = sealed(Suite::default(), &original);
    let mut editor = Editor::open(unlock(&file), file).unwrap();
    editor.set_len(50 << 20).unwrap();
    editor.write_at(b"end", 40 << 20).unwrap();
    editor.settle().unwrap();
    let file = editor.into_backing();
    let mut expected = original;
    expected.resize(50 << 20, 0);
    expected[40 << 20..][..3].copy_from_slice(b"end");
    let output = tempfile::tempfile().unwrap();
    let salvage = fsck().salvage(&unlock(&file), &file, &output).unwrap();
    assert_eq!(salvage.finding, Finding::Clean { plaintext_len: 50 << 20 });
    assert!(salvage.is_whole() && bytes(&output) == expected);
    assert!(output.metadata().unwrap().blocks() * 512 < 1 << 20);

    let (file, expected) = interrupted(Suite::default());
    let output = tempfile::tempfile().unwrap();
    let salvage = fsck().salvage(&unlock(&file), &file, &output).unwrap();
    assert!(matches!(salvage.finding, Finding::Interrupted(_)) && !salvage.is_whole());
    assert!(bytes(&output) == expected);
}

/// A disk with bad pages.
struct BadPages<'a>(&'a File, &'a [u64]);

impl ReadAt for BadPages<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bad = |page: &u64| offset < (page + 1) * 4096 && page * 4096 < offset + buffer.len() as u64;
        match self.1.iter().any(bad) {
            true => Err(io::Error::from_raw_os_error(nix::libc::EIO)),
            false => ReadAt::read_at(self.0, buffer, offset),
        }
    }

    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
}

#[test]
fn pages_that_the_disk_does_not_give_are_passed_over() {
    for suite in Suite::ALL {
        let original = content(LEN, 0);
        let file = sealed(suite, &original);
        let last = (file.metadata().unwrap().len() - 1) / 4096;
        let output = tempfile::tempfile().unwrap();
        // Two chunks side by side, the table of group 2, and the last chunk, which is a part of a page.
        let disk = BadPages(&file, &[5, 6, 98, last]);
        let salvage = fsck().salvage_from(&unlock(&file), &disk, &output).unwrap();
        assert_eq!(salvage.unreadable, [5 * 4096..7 * 4096, 98 * 4096..99 * 4096, last * 4096..(last + 1) * 4096]);
        let Finding::Damaged(Damaged { survey: Some(survey), .. }) = &salvage.finding else { panic!("{salvage:?}") };
        let lost: Vec<_> = survey.losses.iter().map(|loss| loss.plaintext.clone()).collect();
        assert_eq!(lost, [16_384..24_576, 393_216..655_360, 696_320..700_000]);
        assert_salvaged(&output, Some(survey), &original, "bad pages");
    }
}
