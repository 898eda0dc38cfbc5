//! What the process allows itself: no core dumps, little memory.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::{World, noise};

/// Bytes of memory that the program may have at any file size.
const MEMORY: u64 = 48 << 20;

/// A line of a file in /proc/PID.
fn fact(process: u32, file: &str, begins: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
    let line = text.lines().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("{begins} in {text}"));
    line.trim_start_matches(begins).trim().to_owned()
}

#[test]
fn memory_is_bounded_and_core_dumps_are_off_whatever_the_size() {
    let world = World::with_store();
    let piece = noise(8 << 20, 1);
    let container = world.pipe(["encrypt"], &piece.repeat(8)).succeeds().stdout;
    for (arguments, input) in
        [(["encrypt", "-o", "/dev/null"], &piece.repeat(8)), (["decrypt", "-o", "/dev/null"], &container)]
    {
        let mut child = world.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // All but the end: the process is waiting for more, with everything it ever allocated.
        stdin.write_all(&input[..input.len() - 1]).unwrap();
        let peak: u64 = fact(child.id(), "status", "VmHWM:").trim_end_matches(" kB").parse().unwrap();
        assert!(peak * 1024 <= MEMORY, "{arguments:?}: {peak} KiB");
        let limits = fact(child.id(), "limits", "Max core file size");
        assert!(limits.starts_with("0 "), "{limits}");
        stdin.write_all(&input[input.len() - 1..]).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }
}
