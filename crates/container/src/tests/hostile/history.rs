//! Every version of every page at the attacker's hand: a container is edited over several sessions, all states that its
//! file ever had are kept, and parts of them are put together anew.

use proptest::prelude::*;

use crate::tests::editing::{Operation, contents, editor, operation, reopen};
use crate::tests::simulator::RecordingFile;
use crate::tests::support::*;
use crate::{Container, Editor, Interrupted, Suite};

/// A state of the file, and the plaintext that it stood for when its editor had flushed.
struct State {
    bytes: Vec<u8>,
    plaintext: Vec<u8>,
    settled: bool,
}

fn history(suite: Suite, length: usize, operations: &[Operation]) -> Vec<State> {
    let mut editor = editor(suite, &plaintext(length));
    let mut states = Vec::new();
    let mut keep = |editor: &Editor<RecordingFile>, settled| {
        states.push(State { bytes: editor.backing().bytes(), plaintext: contents(editor), settled });
    };
    editor.settle().unwrap();
    keep(&editor, true);
    for operation in operations {
        operation.apply(&mut editor).unwrap();
        if let Operation::Reopen = operation {
            editor = reopen(editor.into_backing());
        }
        editor.flush().unwrap();
        keep(&editor, matches!(operation, Operation::Settle));
    }
    editor.settle().unwrap();
    keep(&editor, true);
    states
}

/// Puts parts of other states into one: the halves of page 0, pages, whole groups, or the size.
fn mix(states: &[State], base: usize, parts: &[(usize, u8, u16)]) -> Vec<u8> {
    let mut bytes = states[base % states.len()].bytes.clone();
    for (state, kind, at) in parts {
        let other = &states[state % states.len()].bytes;
        let scaled = |length: usize| length * usize::from(*at) / 65536;
        let (start, end) = match kind % 6 {
            0 => (2048, 4096),
            1 => (scaled(bytes.len()) / 4096 * 4096, scaled(bytes.len()) / 4096 * 4096 + 4096),
            2 => (2048, 135_168),
            3 | 4 => {
                let group = scaled(4);
                (135_168 + group * 266_240, 135_168 + (group + 1) * 266_240)
            }
            _ => {
                bytes.resize(other.len(), 0);
                continue;
            }
        };
        let (from, to) = (start.min(other.len()), end.min(other.len()));
        if bytes.len() < to {
            bytes.resize(to, 0);
        }
        bytes[from..to].copy_from_slice(&other[from..to]);
        // What the other state did not have is zeros.
        let (from, to) = (to.max(start).min(bytes.len()), end.min(bytes.len()));
        bytes[from..to].fill(0);
    }
    bytes
}

/// Whether every chunk is one that stood at its place in some state, cut or extended with zeros.
fn made_of_history(read: &[u8], states: &[State]) -> bool {
    read.chunks(4096).enumerate().all(|(number, piece)| {
        piece.iter().all(|byte| *byte == 0)
            || states.iter().any(|state| {
                let there = state.plaintext.get(number * 4096..).unwrap_or_default();
                let common = there.len().min(piece.len());
                piece[..common] == there[..common] && piece[common..].iter().all(|byte| *byte == 0)
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_mixture_of_versions_passes_a_full_read_and_none_shows_foreign_bytes(
        length in prop_oneof![0usize..20_000, 0usize..900_000],
        operations in prop::collection::vec(operation(), 1..14),
        mixtures in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::collection::vec((0usize..64, any::<u8>(), any::<u16>()), 1..5)),
            1..12,
        ),
        second_suite in any::<bool>(),
    ) {
        let states = history(Suite::ALL[usize::from(second_suite)], length, &operations);
        for (base, parts) in mixtures {
            let mixed = mix(&states, base.index(states.len()), &parts);
            let settled = |read: &[u8]| states.iter().any(|state| state.settled && state.plaintext == read);
            if let Ok(read) = open_file(&mixed, Interrupted::Refuse) {
                prop_assert!(settled(&read), "a full read takes a mixture");
            }
            let (result, released) = open_stream(&mixed, Interrupted::Refuse);
            prop_assert!(result.is_err() || settled(&released), "a full read takes a mixture from a stream");
            prop_assert!(made_of_history(&released, &states), "a stream shows foreign bytes");
            if let Ok(read) = read_at_whole(&mixed, Interrupted::Refuse) {
                prop_assert!(made_of_history(&read, &states), "read_at shows foreign bytes");
            }
            let whole = open_file(&mixed, Interrupted::Recover);
            let positional = unlock(&mixed)
                .and_then(|unlocked| Container::open(unlocked, &mixed[..], Interrupted::Recover))
                .and_then(|_| read_at_whole(&mixed, Interrupted::Recover));
            if let Ok(read) = &whole {
                prop_assert!(made_of_history(read, &states), "recovery shows foreign bytes");
                prop_assert!(positional.is_ok(), "read_at fails where a full recovery does not: {:?}", positional);
            }
            if let Ok(read) = &positional {
                prop_assert!(made_of_history(read, &states), "read_at after recovery shows foreign bytes");
                prop_assert!(whole.as_ref().map_or(true, |whole| whole == read), "recoveries differ");
            }
            let Ok(unlocked) = unlock(&mixed) else { continue };
            let Ok(mut editor) = Editor::open(unlocked, RecordingFile::new(mixed)) else { continue };
            drop(editor.write_at(b"new", 140_000).and_then(|()| editor.set_len(100_000)).and_then(|()| editor.settle()));
        }
    }
}
