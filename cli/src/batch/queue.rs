//! What was found and is to be worked on: bounded, so that a tree of millions of files takes no more memory than a small one.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Items that may wait.
const ROOM: usize = 1024;

/// A queue between the one who finds and those who work.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    not_empty: Condvar,
    not_full: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// How many were put in so far.
    put: usize,
    /// Threads that wait for an item, those included that have been woken and do not run yet.
    takers: usize,
    /// Threads that wait for room, likewise.
    putters: usize,
    /// Nothing more is put in.
    ended: bool,
    /// Nothing more is taken out either.
    closed: bool,
}

impl<T> Queue<T> {
    /// Makes an empty one.
    pub(super) fn new() -> Self {
        let items = VecDeque::with_capacity(ROOM);
        let state = State { items, put: 0, takers: 0, putters: 0, ended: false, closed: false };
        Self { state: Mutex::new(state), not_empty: Condvar::new(), not_full: Condvar::new() }
    }

    /// Puts an item in, and waits for room. Once the queue is closed the item is dropped.
    pub(crate) fn put(&self, item: T) {
        let mut state = self.state();
        if state.items.len() >= ROOM && !state.closed {
            // Half of it has to be empty: else the one who finds would be woken, and sleep again, for each item.
            let is_crowded = |state: &mut State<T>| state.items.len() > ROOM / 2 && !state.closed;
            state.putters += 1;
            state = self.not_full.wait_while(state, is_crowded).unwrap_or_else(PoisonError::into_inner);
            state.putters -= 1;
        }
        if !state.closed {
            state.items.push_back(item);
            state.put += 1;
            let is_awaited = state.takers > 0;
            drop(state);
            if is_awaited {
                self.not_empty.notify_one();
            }
        }
    }

    /// Takes an item out, and waits for one; none comes after the end.
    pub(super) fn take(&self) -> Option<T> {
        let has_to_wait = |state: &mut State<T>| state.items.is_empty() && !state.ended && !state.closed;
        let mut state = self.state();
        if has_to_wait(&mut state) {
            state.takers += 1;
            state = self.not_empty.wait_while(state, has_to_wait).unwrap_or_else(PoisonError::into_inner);
            state.takers -= 1;
        }
        let item = if state.closed { None } else { state.items.pop_front() };
        let is_awaited = state.putters > 0 && state.items.len() <= ROOM / 2;
        drop(state);
        if is_awaited {
            self.not_full.notify_one();
        }
        item
    }

    /// Says that nothing more comes.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.not_empty.notify_all();
    }

    /// Ends it at once: what waits is dropped, and nobody waits any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.items.clear();
        drop(state);
        self.not_empty.notify_all();
        self.not_full.notify_all();
    }

    /// How many items were put in.
    pub(crate) fn count(&self) -> usize {
        self.state().put
    }

    /// Closes the queue when the calling thread panics, so that nobody waits for it for ever.
    pub(super) fn closed_on_panic(&self) -> impl Drop + '_ {
        ClosedOnPanic(self)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ClosedOnPanic<'a, T>(&'a Queue<T>);

impl<T> Drop for ClosedOnPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn everything_that_is_put_in_comes_out_and_then_nothing() {
        let queue = Queue::new();
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Some(item) = queue.take() {
                        sum.fetch_add(item, Ordering::Relaxed);
                    }
                });
            }
            (0..5 * ROOM).for_each(|item| queue.put(item));
            queue.end();
        });
        assert_eq!(sum.into_inner(), (0..5 * ROOM).sum::<usize>());
    }

    #[test]
    fn whoever_finds_is_not_woken_for_each_item() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            (0..ROOM).for_each(|item| queue.put(item));
            scope.spawn(|| queue.put(ROOM));
            while queue.state().putters == 0 {
                std::thread::yield_now();
            }
            for item in 0..ROOM / 2 - 1 {
                assert_eq!(queue.take(), Some(item));
            }
            assert_eq!((queue.count(), queue.state().putters), (ROOM, 1));
            queue.take();
        });
        assert_eq!((queue.count(), queue.state().putters), (ROOM + 1, 0));
    }

    #[test]
    fn nobody_waits_for_room_in_a_closed_queue() {
        let queue = Queue::new();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..3 * ROOM).for_each(|item| queue.put(item)));
            assert_eq!(queue.take(), Some(0));
            queue.close();
        });
        assert_eq!(queue.take(), None);
    }
}
