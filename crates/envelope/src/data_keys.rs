//! Data keys that are at hand without a call: those that a key service decrypted not long ago, and those that it generated
//! ahead.

mod cache;
mod stock;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use self::cache::{CacheCounts, CacheLimits, DataKeyCache};
pub use self::stock::{Stock, StockLimits};

/// What is behind these locks is changed in single steps, each of which leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
