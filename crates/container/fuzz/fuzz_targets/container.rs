//! A valid container, changed by somebody who has kept all its versions: an error, or what a version held.
#![no_main]

use libfuzzer_sys::fuzz_target;
use support::family::Attack;
use support::reading::{Read, Readings};
use waxseal_container::Interrupted;

fuzz_target!(|attack: Attack| {
    let (family, disk) = attack.carry_out();
    let refusing = Readings::of(&disk, Interrupted::Refuse);
    assert!(family.has_chunks(&refusing.released), "released bytes of no version");
    if let Read::Bytes(bytes) = &refusing.file {
        assert!(family.was_settled(bytes), "read a state that never was");
    }
    for read in [refusing.positional, Readings::of(&disk, Interrupted::Recover).file] {
        assert!(!matches!(read, Read::Bytes(bytes) if !family.has_chunks(&bytes)), "read bytes of no version");
    }
});
