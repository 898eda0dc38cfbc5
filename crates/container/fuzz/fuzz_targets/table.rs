//! Any authentic body of a table: refused, or it encodes to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use support::forgery::forger;

fuzz_target!(|input: (bool, u64, &[u8])| {
    let (second_suite, group, body) = input;
    let group = group % (1 << 44);
    let (_, page) = forger(second_suite).seal_table(group, body);
    if let Ok(again) = forger(second_suite).reseal_table(group, &page) {
        assert_eq!(again, Some(page));
    }
});
