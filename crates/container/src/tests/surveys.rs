//! What is left of a damaged container.

use super::support::*;
use crate::{Damage, Suite, Survey};

fn survey(container: &[u8]) -> (Survey, Vec<u8>) {
    let output = MemoryFile::default();
    let survey = unlock(container).unwrap().survey(&container, Some(&output)).unwrap();
    (survey, output.bytes())
}

#[test]
fn a_whole_container_has_no_losses() {
    for suite in Suite::ALL {
        let original = plaintext(700_000);
        for container in [seal_file(suite, &original), seal_stream(suite, &original)] {
            let (survey, salvaged) = survey(&container);
            assert_eq!(survey, Survey { plaintext_len: 700_000, good: 700_000, lost: 0, losses: Vec::new() });
            assert!(salvaged == original);
        }
    }
}

#[test]
fn damaged_chunks_and_tables_are_named_and_everything_else_is_kept() {
    let original = plaintext(700_000);
    for container in [seal_file(Suite::default(), &original), seal_stream(Suite::default(), &original)] {
        let mut damaged = container.clone();
        damaged[4096 + 2 * 4096 + 5] ^= 1;
        damaged[4096 + 3 * 4096 + 5] ^= 1;
        damaged[135_168 + 100] ^= 1;
        let (survey, salvaged) = survey(&damaged);
        let lost: Vec<_> = survey.losses.iter().map(|loss| loss.plaintext.clone()).collect();
        assert_eq!(lost, [8192..16_384, 131_072..393_216]);
        assert_eq!(survey.losses[0].damage, Damage::Chunk { chunk: 2 });
        assert_eq!(survey.losses[0].offset, 12_288);
        assert_eq!(survey.losses[1].damage, Damage::Table { group: 1 });
        assert_eq!((survey.good, survey.lost), (700_000 - 8192 - 262_144, 8192 + 262_144));
        let mut expected = original.clone();
        lost.iter().for_each(|range| {
            expected[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].fill(0);
        });
        assert!(salvaged == expected);
    }
}

#[test]
fn of_a_cut_container_everything_before_the_cut_is_kept() {
    let original = plaintext(700_000);
    for container in [seal_file(Suite::default(), &original), seal_stream(Suite::default(), &original)] {
        for cut in [10_000, 135_168, 136_000, 200_000, 401_408] {
            let (survey, salvaged) = survey(&container[..cut]);
            let good = usize::try_from(survey.good).unwrap();
            assert!(good + 4096 >= cut.saturating_sub(3 * 4096) && good < cut, "cut at {cut}: {good} bytes");
            assert!(salvaged[..good] == original[..good]);
            assert!(salvaged[good..].iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn a_long_stretch_of_missing_tables_takes_time_in_proportion() {
    let original = plaintext(262_144 * 300);
    let mut container = seal_file(Suite::default(), &original);
    let end = container.len() - 4096;
    container[200_000..end].fill(0);
    let (survey, _) = survey(&container);
    assert!(survey.good > 0 && survey.losses.len() < 10, "{:?}", survey.losses);
    assert_eq!(survey.good + survey.lost, original.len() as u64);
}
