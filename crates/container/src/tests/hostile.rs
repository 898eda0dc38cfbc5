//! Everything at once, at random: whatever whoever can write the storage makes of a container, a reader gives the right
//! bytes or an error.

mod defects;
mod headers;
mod history;
mod independent;
mod rules;

use std::sync::LazyLock;

use proptest::prelude::*;

use super::crafted::sparse;
use super::support::*;
use crate::{Container, Interrupted, Sink, Source, Suite};

/// One thing that is done to a container's bytes. Places are fractions of the length, in 65536ths.
#[derive(Clone, Debug)]
enum Change {
    Flip { at: u16, bit: u8 },
    Cut { at: u16, pages: bool },
    Append { length: usize, byte: u8 },
    Zero { at: u16, pages: usize },
    Move { from: u16, to: u16, pages: usize },
    Splice { donor: usize, at: u16, pages: usize },
    Drop { at: u16, pages: usize },
    FlipInPageZero { at: usize, bit: u8 },
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, donors: &[Sample]) {
        let place = |at: u16, bytes: &[u8]| bytes.len() * usize::from(at) / 65536;
        let page = |at: u16, bytes: &[u8]| place(at, bytes) / 2048 * 2048;
        if bytes.is_empty() {
            return;
        }
        match *self {
            Self::Flip { at, bit } => {
                let at = place(at, bytes);
                bytes[at] ^= 1 << bit;
            }
            Self::FlipInPageZero { at, bit } => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Cut { at, pages } => bytes.truncate(if pages { page(at, bytes) } else { place(at, bytes) }),
            Self::Append { length, byte } => bytes.resize(bytes.len() + length, byte),
            Self::Zero { at, pages } => {
                let start = page(at, bytes);
                let end = (start + pages * 2048).min(bytes.len());
                bytes[start..end].fill(0);
            }
            Self::Move { from, to, pages } => {
                let (from, to) = (page(from, bytes), page(to, bytes));
                let length = (pages * 2048).min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + length, to);
            }
            Self::Splice { donor, at, pages } => {
                let donor = &donors[donor % donors.len()].container;
                let start = page(at, bytes);
                let end = (start + pages * 2048).min(bytes.len()).min(donor.len());
                if start < end {
                    bytes[start..end].copy_from_slice(&donor[start..end]);
                }
            }
            Self::Drop { at, pages } => {
                let start = page(at, bytes);
                drop(bytes.drain(start..(start + pages * 2048).min(bytes.len())));
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let pages = || prop_oneof![Just(1usize), Just(2), Just(130), 1usize..200];
    prop_oneof![
        3 => (any::<u16>(), 0u8..8).prop_map(|(at, bit)| Change::Flip { at, bit }),
        2 => (0usize..4200, 0u8..8).prop_map(|(at, bit)| Change::FlipInPageZero { at, bit }),
        2 => (any::<u16>(), any::<bool>()).prop_map(|(at, pages)| Change::Cut { at, pages }),
        1 => (1usize..300_000, prop_oneof![Just(0), any::<u8>()]).prop_map(|(length, byte)| Change::Append { length, byte }),
        2 => (any::<u16>(), pages()).prop_map(|(at, pages)| Change::Zero { at, pages }),
        2 => (any::<u16>(), any::<u16>(), pages()).prop_map(|(from, to, pages)| Change::Move { from, to, pages }),
        3 => (0usize..32, any::<u16>(), pages()).prop_map(|(donor, at, pages)| Change::Splice { donor, at, pages }),
        1 => (any::<u16>(), pages()).prop_map(|(at, pages)| Change::Drop { at, pages }),
    ]
}

struct Sample {
    container: Vec<u8>,
    plaintext: Vec<u8>,
}

/// Containers of every form, all under one data key; each is a donor to the others.
static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let mut samples = Vec::new();
    for suite in Suite::ALL {
        for length in [0, 1, 5000, 131_072, 140_000, 393_217, 700_000] {
            let plaintext = plaintext(length);
            samples.push(Sample { container: seal_file(suite, &plaintext), plaintext: plaintext.clone() });
            samples.push(Sample { container: seal_stream(suite, &plaintext), plaintext });
        }
        let (craft, plaintext) = sparse(suite);
        samples.push(Sample { container: craft.finish(plaintext.len() as u64), plaintext });
    }
    samples
});

/// What a container is to hold by its header's tag and salt: a file may be exchanged for another as a whole.
fn claimed(container: &[u8]) -> Option<&'static [u8]> {
    let header = container.get(..80)?;
    SAMPLES.iter().find(|sample| sample.container[..80] == *header).map(|sample| &sample.plaintext[..])
}

/// Reads in every way; each has to fail or to give the original, and the ways have to agree about which.
fn error_or_right(container: &[u8], original: &[u8], interrupted: Interrupted) -> Result<(), TestCaseError> {
    let original = claimed(container).unwrap_or(original);
    let (result, released) = open_stream(container, interrupted);
    prop_assert!(original.starts_with(&released), "wrong bytes from a stream");
    prop_assert!(result.is_err() || released == original, "a stream ended early without an error");
    let file = open_file(container, interrupted);
    prop_assert!(file.as_ref().is_err() || file.as_ref().unwrap() == original, "wrong bytes from a file");
    prop_assert_eq!(result.is_err(), file.is_err(), "stream and file disagree");
    let verified = unlock(container)
        .and_then(|unlocked| unlocked.open(Source::File(&container), Sink::Discard, interrupted, threads(3)));
    prop_assert_eq!(verified.is_err(), file.is_err(), "verifying and reading disagree");
    let random = read_at_whole(container, interrupted);
    prop_assert!(random.as_ref().is_err() || random.as_ref().unwrap() == original, "wrong bytes from read_at");
    prop_assert!(file.is_err() || random.is_ok(), "read_at refuses what is whole");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_changes_to_a_settled_container_give_an_error_or_the_right_bytes(
        sample in 0usize..30,
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let sample = &SAMPLES[sample % SAMPLES.len()];
        let mut container = sample.container.clone();
        changes.iter().for_each(|change| change.apply(&mut container, &SAMPLES));
        error_or_right(&container, &sample.plaintext, Interrupted::Refuse)?;
        error_or_right(&container, &sample.plaintext, Interrupted::Recover)?;
    }

    #[test]
    fn any_single_piece_read_from_a_changed_container_is_right_or_an_error(
        sample in 0usize..30,
        changes in prop::collection::vec(change(), 1..4),
        start in any::<u16>(),
        length in prop_oneof![1usize..100, 1usize..300_000],
    ) {
        let sample = &SAMPLES[sample % SAMPLES.len()];
        let mut container = sample.container.clone();
        changes.iter().for_each(|change| change.apply(&mut container, &SAMPLES));
        let Ok(unlocked) = unlock(&container) else { return Ok(()) };
        let Ok(reader) = Container::open(unlocked, &container[..], Interrupted::Refuse) else { return Ok(()) };
        let original = claimed(&container).unwrap_or(&sample.plaintext);
        prop_assert_eq!(reader.len(), original.len() as u64);
        let start = original.len() * usize::from(start) / 65536;
        let mut buffer = vec![0xee; length];
        if let Ok(read) = reader.read_at(&mut buffer, start as u64) {
            prop_assert!(buffer[..read] == original[start..original.len().min(start + length)]);
        }
    }
}
