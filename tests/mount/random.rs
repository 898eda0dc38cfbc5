//! Random operations on the mount and on a plain directory: every answer is the same, and so are the two trees.

pub(super) mod operation;
mod pair;
mod tree;

use self::operation::{Operation, Random};
use self::pair::{Pair, Step};
use super::support::{mountable, scale};
use crate::support::SUITES;

/// Operations between two comparisons of the whole trees.
const OPERATIONS: u64 = 400;
/// How often the trees are compared.
const ROUNDS: u64 = 3;

#[test]
fn a_mount_answers_like_a_plain_directory() {
    for seed in 1..=4 * scale() {
        run(seed, &[Step::Compare]);
    }
}

#[test]
fn a_mount_answers_like_a_plain_directory_with_remounts_between() {
    for seed in 101..=100 + 4 * scale() {
        run(seed, &[Step::Compare, Step::Remount, Step::Compare]);
    }
}

/// Carries out random operations, with `between` after each round of them.
fn run(seed: u64, between: &[Step]) {
    let suite = SUITES[usize::from(seed.is_multiple_of(2))];
    let Some(world) = mountable() else { return };
    let mut pair = Pair::new(&world, suite);
    let mut random = Random::new(seed);
    let mut steps = Vec::new();
    for round in 0..ROUNDS {
        let operations = (0..OPERATIONS).map(|_| Step::Do(Operation::random(&mut random)));
        let ends = std::iter::once(Step::SetAllTimes(round)).chain(between.iter().cloned());
        for step in operations.collect::<Vec<_>>().into_iter().chain(ends) {
            steps.push(step.clone());
            if let Err(difference) = pair.apply(&step) {
                drop(pair);
                panic!("seed {seed}, step {}: {difference}\n{}", steps.len(), shrunk(steps, suite));
            }
        }
    }
    pair.end();
}

/// Leaves out steps as long as there is a difference still, and tells what is left.
fn shrunk(mut steps: Vec<Step>, suite: &str) -> String {
    let Some(mut difference) = difference(&steps, suite) else {
        return "the same steps once more make no difference".to_owned();
    };
    let mut piece = steps.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + piece));
            match self::difference(&fewer, suite) {
                Some(new) => (steps, difference) = (fewer, new),
                None => at += piece,
            }
        }
        piece /= 2;
    }
    let lines: String = steps.iter().map(|step| format!("{step:?}\n")).collect();
    format!("these steps are enough:\n{lines}{difference}")
}

/// The first difference that these steps make, from empty trees on.
fn difference(steps: &[Step], suite: &str) -> Option<String> {
    let world = mountable()?;
    let mut pair = Pair::new(&world, suite);
    steps.iter().find_map(|step| pair.apply(step).err())
}
