//! A plain directory and a mounted one, to which the same is done.

use std::fs;

use super::operation::Operation;
use super::tree::{self, Tree};
use crate::mount::support::{Mounted, containers_hold, contents};
use crate::support::World;

/// What is done to both.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// One operation.
    Do(Operation),
    /// Open files are closed, and everything gets a time of its own.
    SetAllTimes(u64),
    /// All that can be seen of the two is compared.
    Compare,
    /// Open files are closed, and the mount is unmounted and mounted again: nothing is left of it but the containers.
    Remount,
}

/// The two directories.
pub(super) struct Pair<'a> {
    // Files are closed before the mount ends: fields are dropped in this order.
    plain: Tree,
    clear: Tree,
    mounted: Option<Mounted<'a>>,
    world: &'a World,
    suite: String,
}

impl<'a> Pair<'a> {
    /// Makes two empty ones in a fresh world.
    pub(super) fn new(world: &'a World, suite: &str) -> Self {
        fs::create_dir(world.path("plain")).unwrap();
        let mounted = Mounted::new(world, &["--suite", suite]);
        let (plain, clear) = (Tree::new(&world.path("plain")), Tree::new(&mounted.root()));
        Self { plain, clear, mounted: Some(mounted), world, suite: suite.to_owned() }
    }

    /// Does it to both. An error says how they differ.
    pub(super) fn apply(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Do(operation) => self.carry_out(operation)?,
            Step::SetAllTimes(round) => {
                self.close_all();
                tree::set_all_times(&self.plain.root, *round);
                tree::set_all_times(&self.clear.root, *round);
            }
            Step::Compare => self.compare()?,
            Step::Remount => {
                self.close_all();
                self.mounted.take().into_iter().for_each(Mounted::unmount);
                self.mounted = Some(Mounted::new(self.world, &["--suite", &self.suite]));
            }
        }
        Ok(())
    }

    /// Unmounts. Every container decrypts to what the plain directory has.
    pub(super) fn end(mut self) {
        self.close_all();
        self.mounted.take().into_iter().for_each(Mounted::unmount);
        containers_hold(self.world, &contents(&self.plain.root));
    }

    fn close_all(&mut self) {
        self.plain.close_all();
        self.clear.close_all();
    }

    fn carry_out(&mut self, operation: &Operation) -> Result<(), String> {
        if self.plain.is_left_out(operation) {
            return Ok(());
        }
        let (expected, found) = (self.plain.apply(operation), self.clear.apply(operation));
        let log = || self.mounted.as_ref().map(Mounted::log).unwrap_or_default();
        let told = || format!("{operation:?}\nplain: {expected:?}\nmount: {found:?}\nlog: {}", log());
        if expected == found { Ok(()) } else { Err(told()) }
    }

    fn compare(&self) -> Result<(), String> {
        let (expected, found) = (tree::entries(&self.plain.root), tree::entries(&self.clear.root));
        let differing = expected.iter().zip(&found).find(|(expected, found)| expected != found);
        if let Some((expected, found)) = differing {
            return Err(format!("plain: {expected:?}\nmount: {found:?}"));
        }
        if expected.len() == found.len() { Ok(()) } else { Err(format!("plain: {expected:?}\nmount: {found:?}")) }
    }
}
