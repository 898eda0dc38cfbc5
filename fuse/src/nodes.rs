//! What the kernel knows: which number stands for which file below, and by which names it is found there.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::attributes::Identity;

/// The number of the mount's root directory (FUSE_ROOT_ID).
pub(crate) const ROOT: u64 = 1;

/// Numbers from here on are given out to files whose own number cannot be shown: those on another device, and number 1.
const FIRST_GIVEN: u64 = 1 << 63;

/// Where a file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The directory's node.
    pub(crate) parent: u64,
    /// The stored name in it.
    pub(crate) name: OsString,
}

/// A file that the kernel knows.
#[derive(Debug)]
struct Node {
    identity: Identity,
    /// Tells the kernel that a number stands for another file than before.
    generation: u64,
    /// How many times the kernel was told of it and has not forgotten.
    lookups: u64,
    /// Where it was found last, and where before: one name for nearly all files.
    places: Vec<Place>,
}

/// The files that the kernel knows. No descriptor is held for them.
#[derive(Debug)]
pub(crate) struct Nodes {
    device: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    nodes: HashMap<u64, Box<Node>>,
    given: HashMap<(u64, u64), u64>,
    last_given: u64,
}

impl Nodes {
    /// Begins with the root directory.
    pub(crate) fn new(root: Identity) -> Self {
        let node = Node { identity: root, generation: 0, lookups: 1, places: Vec::new() };
        let inner = Inner { nodes: HashMap::from([(ROOT, Box::new(node))]), ..Inner::default() };
        Self { device: root.device, inner: Mutex::new(inner) }
    }

    /// The number that a file is shown under.
    pub(crate) fn number(&self, identity: Identity) -> u64 {
        self.lock().number(self.device, identity)
    }

    /// The number that an inode of the root's device is shown under, as far as a listing needs it.
    pub(crate) fn number_of_inode(&self, inode: u64) -> u64 {
        if self.lock().root().inode == inode { ROOT } else { inode }
    }

    /// Notes that the kernel is told of a file at a place, once more. Returns its number and generation.
    pub(crate) fn remember(&self, identity: Identity, place: Place) -> (u64, u64) {
        let mut inner = self.lock();
        let number = inner.number(self.device, identity);
        if number == ROOT {
            return (ROOT, 0);
        }
        let node = inner
            .nodes
            .entry(number)
            .or_insert_with(|| Box::new(Node { identity, generation: 0, lookups: 0, places: Vec::with_capacity(1) }));
        if node.identity != identity {
            node.identity = identity;
            node.generation += 1;
            node.places.clear();
        }
        node.lookups += 1;
        if node.places.last() != Some(&place) {
            node.places.retain(|known| *known != place);
            node.places.push(place);
        }
        (number, node.generation)
    }

    /// Notes that the kernel has forgotten `count` of the times that it was told of a file. Returns whether it does not
    /// know it any more.
    pub(crate) fn forget(&self, number: u64, count: u64) -> bool {
        let mut inner = self.lock();
        if number == ROOT {
            return false;
        }
        let Some(node) = inner.nodes.get_mut(&number) else { return false };
        node.lookups = node.lookups.saturating_sub(count);
        if node.lookups > 0 {
            return false;
        }
        // A number that was given out stays given: the file may be open still.
        inner.nodes.remove(&number);
        true
    }

    /// Which file a number stands for.
    pub(crate) fn identity(&self, number: u64) -> Option<Identity> {
        self.lock().nodes.get(&number).map(|node| node.identity)
    }

    /// Where a file was found, the latest place first.
    pub(crate) fn places(&self, number: u64) -> Vec<Place> {
        self.lock().nodes.get(&number).map(|node| node.places.iter().rev().cloned().collect()).unwrap_or_default()
    }

    /// Notes that a file has another name, if the kernel knows it.
    pub(crate) fn add_place(&self, identity: Identity, place: Place) {
        let mut inner = self.lock();
        let number = inner.number(self.device, identity);
        if let Some(node) = inner.nodes.get_mut(&number).filter(|node| node.identity == identity) {
            node.places.retain(|known| *known != place);
            node.places.push(place);
        }
    }

    /// Notes that a file has lost a name.
    pub(crate) fn remove_place(&self, identity: Identity, parent: u64, name: &OsStr) {
        let mut inner = self.lock();
        let number = inner.number(self.device, identity);
        if let Some(node) = inner.nodes.get_mut(&number).filter(|node| node.identity == identity) {
            node.places.retain(|known| known.parent != parent || known.name != name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn root(&self) -> Identity {
        self.nodes.get(&ROOT).expect("the root is never forgotten").identity
    }

    fn number(&mut self, device: u64, identity: Identity) -> u64 {
        let root = self.root();
        if (identity.device, identity.inode) == (root.device, root.inode) {
            return ROOT;
        }
        if identity.device == device && identity.inode != ROOT && identity.inode < FIRST_GIVEN {
            return identity.inode;
        }
        let last = &mut self.last_given;
        *self.given.entry((identity.device, identity.inode)).or_insert_with(|| {
            *last += 1;
            FIRST_GIVEN + *last
        })
    }
}
