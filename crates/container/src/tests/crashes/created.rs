//! Containers that are written in place from their beginning.

use std::io::ErrorKind;

use proptest::test_runner::{RngAlgorithm, TestRng};

use super::super::editing::Operation;
use super::super::simulator::RecordingFile;
use super::super::support::sealer;
use super::{Start, assert_survives, cut_everywhere, history, recovered, resumed, second_cut};
use crate::{ContainerError, Suite};

#[test]
fn a_container_just_made_is_empty_or_not_there_after_a_cut() {
    assert_survives(Start::Created, &[]);
}

#[test]
fn a_container_is_made_in_no_file_that_holds_something() {
    let file = RecordingFile::new(b"somebody's".to_vec());
    file.record();
    let result = sealer(Suite::default()).create(&file);
    assert!(matches!(result, Err(ContainerError::Write(error)) if error.kind() == ErrorKind::AlreadyExists));
    assert!(file.recorded().1.is_empty() && file.bytes() == b"somebody's");
}

#[test]
fn a_new_container_survives_cuts_while_it_grows_without_a_barrier() {
    let write = |offset, length, byte| Operation::Write { offset, length, byte };
    let operations = [write(0, 4096, 1), Operation::Flush, write(4096, 5000, 2), Operation::Flush, Operation::Settle];
    assert_survives(Start::Created, &operations);
    let into_the_next_group = [write(122_880, 12_288, 1), Operation::Flush, write(135_168, 8192, 2), Operation::Settle];
    assert_survives(Start::Created, &into_the_next_group);
}

#[test]
fn a_new_container_survives_cuts_while_whole_groups_of_it_are_written_at_once() {
    let write = |offset, length, byte| Operation::Write { offset, length, byte };
    let operations = [write(0, 9000, 1), write(8192, 400_000, 2), write(500_000, 700_000, 3), Operation::Settle];
    let history = history(Suite::default(), Start::Created, &operations, None);
    let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let mut number = 0;
    let result = cut_everywhere(&history, &mut rng, 200, &mut |image, allowed, rng| {
        number += 1;
        let found = recovered(image)?;
        allowed.check(&found)?;
        // Resuming takes long for so much; some of the states tell.
        if number % 16 == 0 { resumed(image, &found) } else { Ok(()) }?;
        if number % 64 == 0 { second_cut(image, &found, rng) } else { Ok(()) }
    });
    result.unwrap();
}
