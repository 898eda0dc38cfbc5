//! Work on what is found while others work on it already.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::queue::Queue;
use super::{Batch, Group, Outcome};
use crate::error::{Class, CliError};

impl Batch<'_> {
    /// Works on everything that `feed` finds, on up to `jobs` threads beside it; `label` names an item in errors. Then
    /// `finish` does what has to wait until all outputs have their names. The result is as of several inputs.
    pub(crate) fn run_fed<T: Send>(
        &self,
        jobs: NonZeroUsize,
        feed: impl FnOnce(&Queue<T>),
        label: impl Fn(&T) -> PathBuf + Sync,
        work: impl Fn(T) -> Result<Outcome, CliError> + Sync,
        finish: impl FnOnce(),
    ) -> Result<(), CliError> {
        self.console.draw_tree();
        *self.group() = Group::with_room(self.group_files);
        let queue = Queue::new();
        let worker = || {
            let _release_the_feeder = queue.closed_on_panic();
            while let Some(item) = queue.take() {
                if self.tally.ended() {
                    queue.close();
                    break;
                }
                let label = label(&item);
                self.take(work(item), &label);
            }
        };
        std::thread::scope(|scope| {
            let started = (0..jobs.get()).filter(|_| std::thread::Builder::new().spawn_scoped(scope, worker).is_ok());
            if started.count() == 0 {
                self.tally.end(CliError::new(Class::Other, "the system gives no thread to work on"));
                return;
            }
            let _release_the_workers = queue.closed_on_panic();
            feed(&queue);
            queue.end();
            self.console.know_files(queue.count());
        });
        self.publish_rest();
        if !self.tally.ended() {
            finish();
        }
        self.tell_late();
        self.conclude()
    }
}
