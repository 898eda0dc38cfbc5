//! Keeps data keys out of core dumps.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches core dumps off for this process, and tracing by the user's other processes with them.
///
/// The limit alone is not enough: a crash handler that the kernel pipes dumps to does not heed it.
pub(crate) fn forbid_core_dumps() {
    // Both only ever take away; where the system refuses, nothing is worse than before.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).ok();
    set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
}
