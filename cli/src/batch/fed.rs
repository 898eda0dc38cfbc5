//! Work on what is found while others work on it already.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::queue::Queue;
use super::{Batch, Group, Outcome};
use crate::descriptors::OpenDirectory;
use crate::error::{Class, CliError};

/// How often it is looked whether directories have been closed.
const PAUSE: Duration = Duration::from_millis(1);

impl Batch<'_> {
    /// Lets whoever feeds the batch wait until there is room for another open directory: those of what was found are open
    /// until that is done, and then until it has its name. `own` of the open ones are his, and stay.
    pub(crate) fn wait_for_directories<T>(&self, queue: &Queue<T>, own: usize) {
        let most = OpenDirectory::most().max(own + OpenDirectory::most() / 4).max(own + 1);
        while OpenDirectory::count() >= most && !self.tally.ended() {
            if queue.is_empty() {
                // What is finished waits for more of its like, of which none may come meanwhile.
                self.publish_now();
            }
            std::thread::sleep(PAUSE);
        }
    }

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
