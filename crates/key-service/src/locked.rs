//! Locked memory: 32-byte secrets that are never swapped out and never dumped.
//!
//! Secrets stand in slabs of a few pages. A slab is locked (`mlock`), so that it is not written to swap, and left out of
//! core dumps. Where the lock limit is used up the slab stays unlocked and everything else works the same:
//! [`memory_is_locked`] tells. A slab is never given back, its slots are used again. The lock does not pass to a forked
//! child: its copy of the slabs is unlocked.

use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// Length of a secret in bytes.
const LEN: usize = 32;
/// Secrets that one slab holds: 16 KiB, whole pages on every machine with pages of up to 16 KiB, and a quarter of the
/// smallest lock limit in use (64 KiB).
const SLOTS_IN_SLAB: usize = 512;

/// A secret of 32 bytes in locked memory.
///
/// It does not move when its owner does, is wiped when dropped, compares in constant time and shows nothing of itself;
/// [`SecretBytes::expose`] is the only way to its bytes.
pub struct SecretBytes(NonNull<[u8; LEN]>);

// SAFETY: the slot belongs to this value alone from `take_slot` to `drop`, and slabs are never unmapped, so it may be
// used and dropped on any thread.
unsafe impl Send for SecretBytes {}
// SAFETY: a shared reference gives read access only; writing needs `&mut self`.
unsafe impl Sync for SecretBytes {}

impl SecretBytes {
    /// Takes over secret bytes, and wipes what was handed in.
    #[must_use]
    pub fn take(bytes: &mut [u8; LEN]) -> Self {
        let mut secret = Self::zeroed();
        secret.expose_mut().copy_from_slice(bytes);
        bytes.zeroize();
        secret
    }

    /// Makes a secret by letting `fill` write its bytes in place, so that they never stand anywhere else.
    ///
    /// # Errors
    /// Whatever `fill` returns; the partly written bytes are wiped.
    pub fn try_fill<E>(fill: impl FnOnce(&mut [u8; LEN]) -> Result<(), E>) -> Result<Self, E> {
        let mut secret = Self::zeroed();
        fill(secret.expose_mut())?;
        Ok(secret)
    }

    /// Shows the bytes. Every use of them is found by searching for this name.
    #[must_use]
    pub fn expose(&self) -> &[u8; LEN] {
        // SAFETY: the slot is initialised, aligned for bytes, lives for ever, and is this value's own.
        unsafe { self.0.as_ref() }
    }

    fn expose_mut(&mut self) -> &mut [u8; LEN] {
        // SAFETY: as in `expose`, and `&mut self` makes this the only reference.
        unsafe { self.0.as_mut() }
    }

    /// A slot of zeros: fresh pages are zero, and a slot is wiped before it is given back.
    fn zeroed() -> Self {
        Self(slabs().take_slot())
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.expose_mut().zeroize();
        slabs().free.push(Slot(self.0));
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

impl ConstantTimeEq for SecretBytes {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.expose().as_slice().ct_eq(other.expose().as_slice())
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for SecretBytes {}

/// Tells whether every secret of this process stands in memory that is kept out of swap.
///
/// It is false as soon as one slab could not be locked, which the limit on locked memory (`ulimit -l`) decides.
#[must_use]
pub fn memory_is_locked() -> bool {
    let mut slabs = slabs();
    if slabs.free.is_empty() {
        slabs.grow();
    }
    slabs.all_locked
}

/// All slabs of the process: the slots that are free, and whether each slab was locked.
struct Slabs {
    free: Vec<Slot>,
    all_locked: bool,
}

/// A free slot.
struct Slot(NonNull<[u8; LEN]>);

// SAFETY: a free slot has no reference to it, and its memory is not tied to a thread.
unsafe impl Send for Slot {}

static SLABS: Mutex<Slabs> = Mutex::new(Slabs { free: Vec::new(), all_locked: true });

/// The slabs; a panic elsewhere cannot leave them half changed.
fn slabs() -> MutexGuard<'static, Slabs> {
    SLABS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slabs {
    fn take_slot(&mut self) -> NonNull<[u8; LEN]> {
        if self.free.is_empty() {
            self.grow();
        }
        self.free.pop().expect("grow adds slots, or aborts where the allocator does").0
    }

    fn grow(&mut self) {
        let (slab, locked) = map_slab().unwrap_or_else(|| (heap_slab(), false));
        self.all_locked &= locked;
        let slots = slab.cast::<[u8; LEN]>();
        // SAFETY: the slab holds SLOTS_IN_SLAB slots, so every offset stays inside it.
        self.free.extend((0..SLOTS_IN_SLAB).rev().map(|index| Slot(unsafe { slots.add(index) })));
    }
}

/// Maps a slab of zeros, and says whether it could be locked.
fn map_slab() -> Option<(NonNull<u8>, bool)> {
    const SLAB_LEN: usize = SLOTS_IN_SLAB * LEN;
    // SAFETY: a fresh private mapping at an address of the kernel's choice touches no memory in use.
    let slab =
        unsafe { mmap_anonymous(ptr::null_mut(), SLAB_LEN, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) };
    let slab = slab.ok()?;
    // SAFETY: the range is the mapping made above; neither call changes its content.
    let (locked, undumped) =
        unsafe { (mlock(slab, SLAB_LEN).is_ok(), madvise(slab, SLAB_LEN, Advice::LinuxDontDump).is_ok()) };
    NonNull::new(slab.cast()).map(|slab| (slab, locked && undumped))
}

/// The last resort where not even a mapping can be had: ordinary memory, which aborts like any allocation.
fn heap_slab() -> NonNull<u8> {
    NonNull::from(Box::leak(Box::new([0_u8; SLOTS_IN_SLAB * LEN]))).cast()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let shown = format!("{:?}", SecretBytes::take(&mut [0xA5; LEN])).to_lowercase();
        assert!(!shown.contains("a5") && !shown.contains("165"), "{shown}");
    }

    #[test]
    fn secrets_of_many_slabs_keep_their_values_apart() {
        let byte = |index: usize| u8::try_from(index % 251).unwrap();
        let secrets: Vec<_> = (0..SLOTS_IN_SLAB * 3).map(|index| SecretBytes::take(&mut [byte(index); LEN])).collect();
        let places: HashSet<_> = secrets.iter().map(|secret| secret.expose().as_ptr()).collect();
        assert_eq!(places.len(), secrets.len());
        assert!(secrets.iter().enumerate().all(|(index, secret)| secret.expose() == &[byte(index); LEN]));
    }

    #[test]
    fn a_slot_is_zero_when_it_is_given_out_again() {
        let all_zero = |bytes: &[u8; LEN]| if bytes == &[0; LEN] { Ok(()) } else { Err(()) };
        drop((0..SLOTS_IN_SLAB).map(|_| SecretBytes::take(&mut [0xFF; LEN])).collect::<Vec<_>>());
        let again: Result<Vec<_>, ()> =
            (0..SLOTS_IN_SLAB).map(|_| SecretBytes::try_fill(|bytes| all_zero(bytes))).collect();
        assert!(again.is_ok());
    }

    #[test]
    fn a_failed_fill_gives_the_error_and_no_secret() {
        let filled = SecretBytes::try_fill(|bytes| {
            bytes.fill(9);
            Err("no entropy")
        });
        assert_eq!(filled.unwrap_err(), "no entropy");
    }

    #[test]
    fn threads_share_the_slabs() {
        thread::scope(|scope| {
            for byte in 1..=8_u8 {
                scope.spawn(move || {
                    for _ in 0..2000 {
                        let secret = SecretBytes::take(&mut [byte; LEN]);
                        assert_eq!(secret.expose(), &[byte; LEN]);
                    }
                });
            }
        });
    }

    #[test]
    fn the_kernel_agrees_that_the_memory_is_locked() {
        let secret = SecretBytes::take(&mut [1; LEN]);
        let locked_kib: u64 = std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .lines()
            .find_map(|line| line.strip_prefix("VmLck:"))
            .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
            .unwrap();
        assert!(!memory_is_locked() || locked_kib >= 16, "{locked_kib} kB are locked");
        drop(secret);
    }
}
