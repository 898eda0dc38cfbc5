//! A backup file with any change, and one whose author knows its passphrase: refused, or a store with exactly its content.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use support::{STORE, cheap, masked, passphrase, place, with_checksum};
use waxseal_kms_local::fuzzing::{backup_content, content_of, seal_backup};
use waxseal_kms_local::{NewSeal, restore};

static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| content_of(&STORE).unwrap());
static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| seal_backup(&CONTENT, &passphrase(), cheap()).unwrap());

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (way, mask) = input;
    let content = if way & 4 == 0 { masked(&CONTENT, &mask) } else { mask.clone() };
    let file = match way & 3 {
        0 => masked(&VALID, &mask),
        1 => with_checksum(masked(&VALID, &mask)),
        _ => seal_backup(&content, &passphrase(), cheap()).unwrap(),
    };
    let decoded = backup_content(&content);
    assert!(decoded.as_ref().is_none_or(|again| *again == content));
    fs::write(place("backup"), &file).unwrap();
    // Only the costs of a genuine header are paid here: others take seconds.
    let affordable = file[..69.min(file.len())] == VALID[..69] || way & 3 > 1;
    let mut source = || if affordable { Ok(passphrase()) } else { Err("too dear".into()) };
    let restored = restore(&place("restored"), &place("backup"), &mut source, NewSeal::KeyFile);
    if let Ok(kms) = &restored {
        let expected = if way & 3 > 1 { &content } else { &*CONTENT };
        assert_eq!(content_of(kms).unwrap()[8..], expected[8..]);
    }
    assert!(restored.is_ok() == (way & 3 > 1 && decoded.is_some() || file == *VALID), "{:?}", restored.err());
    drop(restored);
    fs::remove_dir_all(place("restored")).ok();
});
