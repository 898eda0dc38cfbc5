//! Authentic containers of a hostile key holder: whatever they say, no panic, no hang, no unbounded memory, and readers
//! that agree. An editor works on them or refuses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use support::forgery::{Forgery, Step};
use support::reading::{Readings, unlock};
use waxseal_container::{Editor, Interrupted};

fuzz_target!(|input: (Forgery, Vec<Step>)| {
    let disk = input.0.make();
    Readings::of(&disk, Interrupted::Refuse);
    Readings::of(&disk, Interrupted::Recover);
    let Ok(mut editor) = unlock(&disk).and_then(|unlocked| Editor::open(unlocked, disk)) else { return };
    for step in input.1.into_iter().take(8) {
        let read = editor.read_at(&mut [0; 5000], editor.len() / 2);
        if read.is_err() || step.take(&mut editor).is_err() {
            return;
        }
    }
});
