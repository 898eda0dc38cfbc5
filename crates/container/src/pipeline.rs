//! An ordered pipeline: jobs are produced one after another, worked on side by side, and consumed in order.
//!
//! Each thread holds one job and takes it through all three steps, so that memory is bounded by the number of threads,
//! and no job is handed from thread to thread.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// Whether a producer made a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Produced {
    /// The job is filled.
    Job,
    /// There are no more.
    End,
}

/// Runs jobs until `produce` ends or a step fails, on `threads` threads, one of which is the caller's.
///
/// `produce` and `consume` run one at a time and in the same order; `work` runs beside everything. When a step fails, all
/// jobs before it have been consumed and none behind it.
///
/// # Errors
/// The first failure, in the order of the jobs.
pub(crate) fn run<J, E>(
    threads: NonZeroUsize,
    new_job: impl Fn() -> J + Sync,
    produce: impl FnMut(&mut J) -> Result<Produced, E> + Send,
    work: impl Fn(&mut J) -> Result<(), E> + Sync,
    consume: impl FnMut(&mut J) -> Result<(), E> + Send,
) -> Result<(), E>
where
    E: Send,
{
    let input = Mutex::new(Input { produce, next: 0, ended: false });
    let output = Mutex::new(Output { consume, turn: 0, failure: None, panicked: false });
    let turn_changed = Condvar::new();

    let run_thread = || {
        let _release_the_others = OnPanic(|| {
            output.lock().unwrap_or_else(PoisonError::into_inner).panicked = true;
            turn_changed.notify_all();
        });
        let mut job = new_job();
        loop {
            let (number, produced) = {
                let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
                if input.ended {
                    return;
                }
                let produced = (input.produce)(&mut job);
                input.ended = !matches!(produced, Ok(Produced::Job));
                input.next += 1;
                (input.next - 1, produced)
            };
            let worked = match produced {
                Ok(Produced::End) => return,
                Ok(Produced::Job) => work(&mut job),
                Err(error) => Err(error),
            };
            let output = output.lock().unwrap_or_else(PoisonError::into_inner);
            let mut output = turn_changed
                .wait_while(output, |output| output.turn != number && !output.is_over())
                .unwrap_or_else(PoisonError::into_inner);
            if output.is_over() {
                return;
            }
            let consumed = worked.and_then(|()| (output.consume)(&mut job));
            output.turn += 1;
            if let Err(error) = consumed {
                output.failure = Some(error);
                drop(output);
                turn_changed.notify_all();
                input.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
                return;
            }
            drop(output);
            turn_changed.notify_all();
        }
    };

    thread::scope(|scope| {
        for _ in 1..threads.get() {
            // Where the system gives no more threads, those that there are do the work.
            if thread::Builder::new().spawn_scoped(scope, run_thread).is_err() {
                break;
            }
        }
        run_thread();
    });
    let output = output.into_inner().unwrap_or_else(PoisonError::into_inner);
    output.failure.map_or(Ok(()), Err)
}

struct Input<P> {
    produce: P,
    next: u64,
    ended: bool,
}

struct Output<C, E> {
    consume: C,
    turn: u64,
    failure: Option<E>,
    panicked: bool,
}

impl<C, E> Output<C, E> {
    fn is_over(&self) -> bool {
        self.failure.is_some() || self.panicked
    }
}

/// Calls its function when its thread panics, so that nobody waits for that thread's turn for ever.
struct OnPanic<F: Fn()>(F);

impl<F: Fn()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_numbers(threads: usize, count: u64, fail_at: Option<u64>) -> (Result<(), u64>, Vec<u64>) {
        let (mut next, mut consumed) = (0, Vec::new());
        let result = run(
            NonZeroUsize::new(threads).unwrap(),
            || 0,
            |job| {
                if next == count {
                    return Ok(Produced::End);
                }
                *job = next;
                next += 1;
                Ok(Produced::Job)
            },
            |job| {
                if job.is_multiple_of(7) {
                    thread::yield_now();
                }
                if fail_at.is_some_and(|at| *job >= at) { Err(*job) } else { Ok(()) }
            },
            |job| {
                consumed.push(*job);
                Ok(())
            },
        );
        (result, consumed)
    }

    #[test]
    fn jobs_are_consumed_in_order_by_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let (result, consumed) = run_numbers(threads, 1000, None);
            assert_eq!(result, Ok(()));
            assert!(consumed.into_iter().eq(0..1000));
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_ends_the_pipeline_instead_of_hanging_it() {
        let next = std::sync::atomic::AtomicU64::new(0);
        let caller = thread::current().id();
        let result = run::<u64, ()>(
            NonZeroUsize::new(3).unwrap(),
            || 0,
            |job| {
                *job = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(Produced::Job)
            },
            |_| if thread::current().id() == caller { Ok(()) } else { panic!("a bug") },
            |_| Ok(()),
        );
        assert!(result.is_err(), "only a failure ends it, and there is none");
    }

    #[test]
    fn the_first_failure_is_reported_and_everything_before_it_consumed() {
        for threads in [1, 2, 3, 8] {
            let (result, consumed) = run_numbers(threads, 1000, Some(333));
            assert_eq!(result, Err(333));
            assert!(consumed.into_iter().eq(0..333));
        }
    }
}
