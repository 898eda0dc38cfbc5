//! An attacker who keeps every version of every page, and mixes them freely.
//!
//! What version 1 permits: putting back a whole settled state; and while the container is unsettled, choosing for each
//! chunk among its versions since it was last settled, and a length between floor and len. Nothing else opens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::editing::{Operation, contents, editor, operation};
use super::simulator::{Event, apply, page_len, page_of, put};
use super::support::*;
use crate::read::open_root;
use crate::{CHUNK_LEN, Interrupted, Suite};

/// Everything that the storage has ever held.
struct Archive {
    /// Of each page, every version, the newest last.
    pages: BTreeMap<u64, Vec<Vec<u8>>>,
    sizes: Vec<usize>,
    newest: Vec<u8>,
    /// Of each root generation: the content when it was settled, and all contents until the next time.
    eras: BTreeMap<u64, Vec<Vec<u8>>>,
}

/// Runs operations with a settling after each few, and keeps everything.
fn archive(suite: Suite, initial: &[u8], operations: &[Operation]) -> Archive {
    let mut editor = editor(suite, initial);
    let mut eras = BTreeMap::from([(0, vec![initial.to_vec()])]);
    let mut image = editor.backing().bytes();
    let mut pages: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    for at in (0..image.len()).step_by(4096) {
        remember(&mut pages, &image, at as u64);
    }
    remember(&mut pages, &image, 2048);
    let mut sizes = vec![image.len()];
    let mut generation = 0;
    for operation in operations {
        editor.backing().record();
        operation.apply(&mut editor).unwrap();
        editor.flush().unwrap();
        let now = contents(&editor);
        eras.entry(generation).or_default().push(now.clone());
        let (_, events) = editor.backing().recorded();
        for event in &events {
            apply(&mut image, event);
            match event {
                Event::Write { offset, .. } => remember(&mut pages, &image, page_of(*offset)),
                Event::Size(_) => sizes.push(image.len()),
                _ => {}
            }
        }
        let newest = settled_generation(&image);
        if newest > generation {
            generation = newest;
            eras.insert(generation, vec![now]);
        }
    }
    Archive { pages, sizes, newest: image, eras }
}

fn remember(pages: &mut BTreeMap<u64, Vec<Vec<u8>>>, image: &[u8], page: u64) {
    let start = usize::try_from(page).unwrap();
    let end = (start + page_len(page)).min(image.len());
    let mut version = image[start.min(end)..end].to_vec();
    version.resize(page_len(page), 0);
    let versions = pages.entry(page).or_default();
    if versions.last() != Some(&version) {
        versions.push(version);
    }
}

fn settled_generation(image: &[u8]) -> u64 {
    let unlocked = unlock(image).unwrap();
    open_root(&unlocked.keys, Interrupted::Recover, &mut image[2048..4096].to_vec()).unwrap().1.generation
}

impl Archive {
    /// A mix: mostly the newest pages, some of any age.
    fn mix(&self, rng: &mut TestRng) -> Vec<u8> {
        let mut image = self.newest.clone();
        let few = rng.random_range(1..6);
        let any_size = rng.random_range(0..3) == 0;
        let size = if any_size { self.sizes[rng.random_range(0..self.sizes.len())] } else { image.len() };
        for (page, versions) in &self.pages {
            // Page 0 and whole groups are what is worth putting back.
            let likely = *page == 2048 || (*page >= 135_168 && (page - 135_168).is_multiple_of(266_240));
            if rng.random_range(0..if likely { 2 } else { 8 }) < few / 2 {
                put(&mut image, *page, &versions[rng.random_range(0..versions.len())]);
            }
        }
        image.resize(size.max(4096), 0);
        image
    }

    fn check(&self, image: &[u8]) -> Result<(), String> {
        let (streamed, content) = open_stream(image, Interrupted::Refuse);
        let opened = [streamed.ok().map(|_| content), open_file(image, Interrupted::Refuse).ok()];
        for content in opened.into_iter().flatten() {
            if !self.eras.values().any(|era| era[0] == content) {
                return Err(format!("{} bytes opened that were never settled", content.len()));
            }
        }
        let (recovered, content) = open_stream(image, Interrupted::Recover);
        if recovered.is_err() {
            return Ok(());
        }
        let era = &self.eras[&settled_generation(image)];
        for (number, chunk) in content.chunks(CHUNK_LEN).enumerate() {
            let start = number * CHUNK_LEN;
            let known = era.iter().any(|content| {
                let same = content.get(start..content.len().min(start + chunk.len())).unwrap_or_default();
                chunk.starts_with(same) && chunk[same.len()..].iter().all(|byte| *byte == 0)
            });
            if !known && chunk.iter().any(|byte| *byte != 0) {
                return Err(format!("chunk {number} of {} bytes is of no version of its time", content.len()));
            }
        }
        Ok(())
    }
}

fn with_settlings() -> impl Strategy<Value = Vec<Operation>> {
    let step = prop_oneof![3 => operation(), 1 => Just(Operation::Settle)];
    prop::collection::vec(step, 3..9).prop_map(|mut operations| {
        operations.retain(|operation| !matches!(operation, Operation::Reopen));
        operations.push(Operation::Settle);
        operations
    })
}

#[test]
fn mixed_versions_open_only_as_a_state_that_was() {
    let initial = prop_oneof![Just(0usize), 0usize..9000, 130_000usize..420_000];
    let cases = (initial, with_settlings(), any::<[u8; 32]>(), any::<bool>());
    let states = AtomicU64::new(0);
    hold(
        "mixed versions open only as a state that was",
        24,
        cases,
        &states,
        |(initial, operations, seed, second_suite)| {
            let archive = archive(Suite::ALL[usize::from(second_suite)], &plaintext(initial), &operations);
            let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
            for _ in 0..40 {
                states.fetch_add(1, Ordering::Relaxed);
                archive.check(&archive.mix(&mut rng)).map_err(TestCaseError::fail)?;
            }
            Ok(())
        },
    );
}
