//! The order in which the content of an open file is used: whoever has a place in it knows that nobody comes before him any more.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The order.
#[derive(Debug, Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The next number that is given out.
    next: u64,
    /// The number that is served.
    served: u64,
}

/// A place in the order. Whoever drops it has waited for it, and those behind him are served.
#[derive(Debug)]
#[must_use = "nobody behind is served until it is dropped"]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
    is_served: Cell<bool>,
}

impl Turns {
    /// Gives out the last place.
    pub(super) fn take(&self) -> Turn<'_> {
        self.place(&mut self.state())
    }

    /// Gives out the last place, if nobody is before it.
    pub(super) fn try_take(&self) -> Option<Turn<'_>> {
        let mut state = self.state();
        (state.next == state.served).then(|| self.place(&mut state))
    }

    fn place(&self, state: &mut State) -> Turn<'_> {
        let number = state.next;
        state.next += 1;
        Turn { turns: self, number, is_served: Cell::new(number == state.served) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Waits until everybody before has been served.
    pub(super) fn wait(&self) {
        if !self.is_served.replace(true) {
            let is_early = |state: &mut State| state.served != self.number;
            drop(self.turns.changed.wait_while(self.turns.state(), is_early).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.wait();
        let mut state = self.turns.state();
        state.served += 1;
        let is_awaited = state.served != state.next;
        drop(state);
        if is_awaited {
            self.turns.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn everybody_is_served_in_the_order_of_the_places() {
        let (turns, served) = (Turns::default(), Mutex::new(Vec::new()));
        let places: Vec<Turn<'_>> = (0..8).map(|_| turns.take()).collect();
        assert!(turns.try_take().is_none());
        thread::scope(|scope| {
            // Those who come last begin first.
            for (number, place) in places.into_iter().enumerate().rev() {
                let served = &served;
                scope.spawn(move || {
                    place.wait();
                    served.lock().unwrap().push(number);
                });
                thread::sleep(Duration::from_millis(1));
            }
        });
        assert_eq!(*served.lock().unwrap(), (0..8).collect::<Vec<_>>());
        assert!(turns.try_take().is_some());
    }

    #[test]
    fn a_place_that_is_dropped_unused_keeps_its_turn() {
        let turns = Turns::default();
        let (first, second) = (turns.take(), turns.take());
        thread::scope(|scope| {
            let dropped = scope.spawn(move || drop(second));
            thread::sleep(Duration::from_millis(5));
            assert!(!dropped.is_finished(), "the first place is still there");
            drop(first);
        });
        assert!(turns.try_take().is_some());
    }
}
