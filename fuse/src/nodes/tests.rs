//! What the kernel knows, against a plain model of it; and how much memory it takes.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use super::{FIRST_GIVEN, Node, Nodes, Place, ROOT};
use crate::attributes::Identity;

const HERE: u64 = 7;

fn identity(device: u64, inode: u64, born: u32) -> Identity {
    Identity { device, inode, born: (1_700_000_000, born) }
}

fn nodes() -> Nodes {
    Nodes::new(identity(HERE, 2, 0))
}

/// A node as the simplest code would keep it.
#[derive(Debug)]
struct Plain {
    identity: Identity,
    generation: u64,
    lookups: u64,
    /// The latest last.
    places: Vec<Place>,
}

/// Numbers without any order, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        // Knuth's MMIX generator; its upper bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn whatever_is_told_and_forgotten_in_any_order_it_is_as_in_a_plain_list() {
    for seed in 0..8 {
        let (nodes, mut plain, mut numbers) = (nodes(), HashMap::<u64, Plain>::new(), Numbers(seed));
        let inodes = if seed % 2 == 0 { 12 } else { 5000 };
        for _ in 0..20_000 {
            let inode = 3 + numbers.below(inodes);
            let device = if numbers.below(10) == 0 { HERE + 1 } else { HERE };
            // An inode number is used again now and then.
            let known = identity(device, inode, u32::from(numbers.below(20) == 0));
            let number = nodes.number(known);
            let place = Place { parent: 1 + numbers.below(3), name: format!("name-{}", numbers.below(4)).into() };
            match numbers.below(8) {
                0..4 => {
                    let told = nodes.remember(known, place.parent, &place.name);
                    let node = plain.entry(number).or_insert_with(|| Plain {
                        identity: known,
                        generation: 0,
                        lookups: 0,
                        places: Vec::new(),
                    });
                    if node.identity != known {
                        (node.identity, node.generation) = (known, node.generation + 1);
                        node.places.clear();
                    }
                    node.lookups += 1;
                    node.places.retain(|other| *other != place);
                    node.places.push(place);
                    assert_eq!(told, (number, node.generation));
                }
                4 => {
                    nodes.add_place(known, place.parent, &place.name);
                    if let Some(node) = plain.get_mut(&number).filter(|node| node.identity == known) {
                        node.places.retain(|other| *other != place);
                        node.places.push(place);
                    }
                }
                5 => {
                    nodes.remove_place(known, place.parent, &place.name);
                    if let Some(node) = plain.get_mut(&number).filter(|node| node.identity == known) {
                        node.places.retain(|other| *other != place);
                    }
                }
                _ => {
                    let count = 1 + numbers.below(3);
                    let is_gone = plain.get_mut(&number).is_some_and(|node| {
                        node.lookups = node.lookups.saturating_sub(count);
                        node.lookups == 0
                    });
                    if is_gone {
                        plain.remove(&number);
                    }
                    assert_eq!(nodes.forget(number, count), is_gone);
                }
            }
            let node = plain.get(&number);
            assert_eq!(nodes.identity(number), node.map(|node| node.identity));
            let places: Vec<Place> = node.map(|node| node.places.iter().rev().cloned().collect()).unwrap_or_default();
            assert_eq!(nodes.latest_place(number).as_ref(), places.first());
            assert_eq!(nodes.places(number), places);
        }
        for (number, node) in &plain {
            assert_eq!(nodes.identity(*number), Some(node.identity));
            assert!(nodes.places(*number).iter().eq(node.places.iter().rev()));
        }
    }
}

#[test]
fn files_elsewhere_have_numbers_of_their_own_that_stay() {
    let nodes = nodes();
    assert_eq!(nodes.number(identity(HERE, 2, 0)), ROOT);
    assert_eq!(nodes.remember(identity(HERE, 5, 0), ROOT, OsStr::new("f")).0, 5);
    let given: Vec<u64> = [(HERE + 1, 5), (HERE, ROOT), (HERE, FIRST_GIVEN), (HERE + 1, 2)]
        .into_iter()
        .map(|(device, inode)| {
            let known = identity(device, inode, 9);
            let (number, _) = nodes.remember(known, ROOT, OsStr::new("f"));
            assert_eq!(nodes.identity(number), Some(known));
            nodes.forget(number, 1);
            assert_eq!((nodes.identity(number), nodes.number(known)), (None, number));
            number
        })
        .collect();
    assert_eq!(given, (1..=4).map(|count| FIRST_GIVEN + count).collect::<Vec<_>>());
}

#[test]
fn the_root_is_never_forgotten() {
    let nodes = nodes();
    assert!(!nodes.forget(ROOT, u64::MAX));
    assert_eq!(nodes.identity(ROOT), Some(identity(HERE, 2, 0)));
    assert_eq!(nodes.places(ROOT), []);
}

/// A million files of the usual names take less than 100 MiB, at any time.
#[test]
fn a_file_that_the_kernel_knows_takes_less_than_a_hundred_bytes() {
    assert_eq!(size_of::<Node>(), 48);
    let (nodes, files) = (nodes(), 1 << 17);
    // Just before the vectors grow is the best moment, just after it the worst.
    for inode in 0..=files {
        let name = OsString::from(format!("file-{inode:010}.wax"));
        nodes.remember(identity(HERE, 3 + inode, 0), ROOT, &name);
        if inode == files - 1 {
            let memory = nodes.lock().table.memory();
            assert!(memory < 100 * usize::try_from(files).unwrap(), "{memory} bytes for {files} files");
        }
    }
    for inode in 0..files {
        nodes.forget(3 + inode, 1);
    }
    assert!(nodes.lock().table.memory() < 200_000, "what was forgotten is still paid for");
    let left = nodes.latest_place(3 + files);
    assert_eq!(left, Some(Place { parent: ROOT, name: format!("file-{files:010}.wax").into() }));
}
