//! Tables that verify and break one rule each: all readers refuse them.

use std::collections::HashSet;

use crate::geometry::{CHUNK_LEN, GroupIndex};
use crate::table::{Entry, STREAM, Table, UndoItem};
use crate::tests::crafted::{Craft, damage, filled};
use crate::tests::editing::reopen;
use crate::tests::simulator::RecordingFile;
use crate::tests::support::*;
use crate::{Damage, Interrupted, Suite};

/// A settled container of groups 0 and 1, with one rule broken.
fn broken(len: u64, change: impl FnOnce(&mut Craft)) -> Vec<u8> {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.table(0).next = 1;
    craft.chunk(1, 0, &filled(2, CHUNK_LEN));
    craft.settle(len);
    change(&mut craft);
    craft.finish(len)
}

/// What a full read finds, from a file and from a stream.
fn found(container: &[u8]) -> Damage {
    assert!(open_stream(container, Interrupted::Refuse).0.is_err(), "from a stream");
    damage(open_file(container, Interrupted::Refuse).unwrap_err())
}

const LEN: u64 = 131_072 + 4096;

#[test]
fn the_container_that_the_rules_are_broken_in_is_whole() {
    assert!(open_file(&broken(LEN, |_| ()), Interrupted::Refuse).is_ok());
}

#[test]
fn a_settled_container_holds_no_undo() {
    for group in [0, 1] {
        let undo = broken(LEN, |craft| {
            craft.table(group).undo.push(UndoItem { chunk: 0, length: 4096, entry: Entry::HOLE });
        });
        assert!(matches!(found(&undo), Damage::TableContent { .. }), "an undo item in group {group}");
        assert!(read_at_whole(&undo, Interrupted::Refuse).is_err());
        let link = broken(LEN, |craft| craft.table(group).undo_next = Some(0));
        assert!(matches!(found(&link), Damage::TableContent { .. }), "an undo link in group {group}");
        assert!(read_at_whole(&link, Interrupted::Refuse).is_err());
    }
}

#[test]
fn a_settled_container_has_no_group_behind_its_end() {
    let mut craft = Craft::new(Suite::default());
    craft.chunk(0, 0, &filled(1, CHUNK_LEN));
    craft.table(0).next = 1;
    craft.table(1);
    craft.settle(131_072);
    let mut container = craft.finish(131_073);
    container.truncate(135_168 + 4096);
    assert!(matches!(found(&container), Damage::TableContent { .. } | Damage::Appended { .. }));
}

#[test]
fn a_link_does_not_lead_beyond_the_largest_container() {
    let last = GroupIndex::of_plaintext(crate::MAX_PLAINTEXT_LEN).0;
    for link in [last + 1, u64::MAX] {
        let container = broken(LEN, |craft| craft.table(1).next = link);
        assert!(matches!(found(&container), Damage::TableContent { group: 1, .. }), "{link}");
    }
}

#[test]
fn a_stream_has_no_gap() {
    let stream = |next: u64, full: bool| {
        let mut craft = Craft::new(Suite::default());
        for index in 0..if full { 32 } else { 31 } {
            craft.chunk(0, index, &filled(1, CHUNK_LEN));
        }
        craft.table(0).next = next;
        craft.chunk(next, 0, &filled(2, 50));
        craft.freshness(next, 0, 0, 0);
        craft.root(|root| (root.settled, root.len, root.floor, root.high) = (true, STREAM, STREAM, STREAM));
        craft.finish(GroupIndex(next).plaintext_start() + 50)
    };
    assert!(open_file(&stream(1, true), Interrupted::Refuse).is_ok());
    found(&stream(1, false));
    found(&stream(2, true));
}

#[test]
fn a_stream_has_no_generation_and_no_commitment() {
    for generation in [false, true] {
        let mut craft = Craft::new(Suite::default());
        craft.chunk(0, 0, &filled(1, CHUNK_LEN));
        craft.root(|root| {
            (root.settled, root.len, root.floor, root.high) = (true, STREAM, STREAM, STREAM);
            if generation { root.generation = 1 } else { root.hash[3] = 1 }
        });
        let container = craft.finish(4096);
        assert!(matches!(found(&container), Damage::TableContent { group: 0, .. }));
        assert!(read_at_whole(&container, Interrupted::Refuse).is_err());
    }
}

#[test]
fn a_positional_read_refuses_nonzero_bytes_that_no_chunk_covers() {
    // Within the covered group but behind its end, and in a hole among its chunks.
    let container = broken(131_072 + 3 * 4096, |craft| {
        craft.chunk(0, 2, &filled(3, CHUNK_LEN));
    });
    for (at, start) in [(4096 + 4096, 4096), (4096 + 5 * 4096, 5 * 4096), (139_264 + 4096, 131_072 + 4096)] {
        let read = |container: &[u8]| {
            let container = crate::Container::open(unlock(container).unwrap(), container, Interrupted::Refuse).unwrap();
            container.read_at(&mut [0; 10], start)
        };
        assert!(read(&container).is_ok());
        let mut forged = container.clone();
        forged[at + 4095] = 1;
        assert!(matches!(damage(read(&forged).unwrap_err()), Damage::NotZero), "byte {at}");
    }
}

#[test]
fn no_nonce_is_used_twice_for_chunks_or_tables() {
    for suite in Suite::ALL {
        let (mut tables, mut chunks) = (HashSet::new(), HashSet::new());
        let mut collect = |container: &[u8]| {
            let unlocked = unlock(container).unwrap();
            for group in (0..4).map(GroupIndex) {
                let start = usize::try_from(group.table_offset()).unwrap();
                let page = &mut container[start..start + group.table_len()].to_vec();
                assert!(tables.insert(page[..12].to_vec()), "{suite}: a table nonce again");
                let table = Table::open(&unlocked.keys, group, page).unwrap().unwrap();
                for entry in table.entries.iter().filter(|entry| !entry.is_hole()) {
                    let (nonce, is_new) = (entry.nonce, chunks.insert(entry.nonce));
                    assert!(nonce != [0; 12] && is_new, "{suite}: a chunk nonce again");
                }
            }
        };
        let bytes = plaintext(700_000);
        let (file, stream) = (seal_file(suite, &bytes), seal_stream(suite, &bytes));
        collect(&file);
        collect(&stream);
        let mut editor = reopen(RecordingFile::new(file));
        for _ in 0..3 {
            editor.write_at(&bytes, 0).unwrap();
            editor.settle().unwrap();
            collect(&editor.backing().bytes());
        }
    }
}
