//! What the kernel knows: which number stands for which file below, and by which names it is found there.

mod names;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::names::NameAt;
use self::table::Table;
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

/// A file that the kernel knows. There may be millions of them, so it is small.
#[derive(Debug)]
struct Node {
    /// The number that it is shown under, which tells device and inode as well.
    number: u64,
    /// The time of its birth.
    born_seconds: i64,
    born_nanoseconds: u32,
    /// Tells the kernel that a number stands for another file than before.
    generation: u32,
    /// How many times the kernel was told of it and has not forgotten.
    lookups: u64,
    /// Where it was found last. Files with several names are few: where they were found before stands beside all nodes.
    placed: Option<Placed>,
}

/// Where a file was found last.
#[derive(Clone, Copy, Debug)]
struct Placed {
    parent: NonZeroU64,
    name: NameAt,
}

/// The files that the kernel knows. No descriptor is held for them.
#[derive(Debug)]
pub(crate) struct Nodes {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: Identity,
    table: Table,
    /// Where files were found before they were found where they are now, the oldest place first.
    earlier: HashMap<u64, Vec<Place>>,
    /// The numbers that were given out, by device and inode, and the other way.
    given: HashMap<(u64, u64), u64>,
    taken: Vec<(u64, u64)>,
}

impl Nodes {
    /// Begins with the root directory, which is never forgotten.
    pub(crate) fn new(root: Identity) -> Self {
        let inner =
            Inner { root, table: Table::default(), earlier: HashMap::new(), given: HashMap::new(), taken: Vec::new() };
        Self { inner: Mutex::new(inner) }
    }

    /// The number that a file is shown under.
    pub(crate) fn number(&self, identity: Identity) -> u64 {
        self.lock().number(identity)
    }

    /// The number that an inode of the root's device is shown under, as far as a listing needs it.
    pub(crate) fn number_of_inode(&self, inode: u64) -> u64 {
        if self.lock().root.inode == inode { ROOT } else { inode }
    }

    /// Notes that the kernel is told of a file once more, that it was found in the directory `parent` under a stored name.
    /// Returns its number and generation.
    pub(crate) fn remember(&self, identity: Identity, parent: u64, name: &OsStr) -> (u64, u64) {
        let mut inner = self.lock();
        let number = inner.number(identity);
        if number == ROOT {
            return (ROOT, 0);
        }
        match inner.identity(number) {
            Some(known) if known == identity => {}
            Some(_) => inner.replace(number, identity),
            None => inner.table.add(Node::new(number, identity)),
        }
        inner.place(number, parent, name);
        let (node, _) = inner.table.get_mut(number).expect("it is there by now");
        node.lookups += 1;
        (number, node.generation.into())
    }

    /// Notes that the kernel has forgotten `count` of the times that it was told of a file. Returns whether it does not
    /// know it any more.
    pub(crate) fn forget(&self, number: u64, count: u64) -> bool {
        let mut inner = self.lock();
        let Some((node, _)) = inner.table.get_mut(number) else { return false };
        node.lookups = node.lookups.saturating_sub(count);
        if node.lookups > 0 {
            return false;
        }
        // A number that was given out stays given: the file may be open still.
        inner.table.remove(number);
        inner.earlier.remove(&number);
        true
    }

    /// Which file a number stands for.
    pub(crate) fn identity(&self, number: u64) -> Option<Identity> {
        self.lock().identity(number)
    }

    /// Where a file was found last.
    pub(crate) fn latest_place(&self, number: u64) -> Option<Place> {
        self.lock().latest_place(number)
    }

    /// Where a file was found, the latest place first.
    pub(crate) fn places(&self, number: u64) -> Vec<Place> {
        let inner = self.lock();
        let earlier = inner.earlier.get(&number).into_iter().flat_map(|places| places.iter().rev().cloned());
        inner.latest_place(number).into_iter().chain(earlier).collect()
    }

    /// Notes that a file has another name, if the kernel knows it.
    pub(crate) fn add_place(&self, identity: Identity, parent: u64, name: &OsStr) {
        let mut inner = self.lock();
        let number = inner.number(identity);
        if inner.identity(number) == Some(identity) {
            inner.place(number, parent, name);
        }
    }

    /// Notes that a file has lost a name.
    pub(crate) fn remove_place(&self, identity: Identity, parent: u64, name: &OsStr) {
        let mut inner = self.lock();
        let number = inner.number(identity);
        if inner.identity(number) == Some(identity) {
            inner.displace(number, parent, name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    fn new(number: u64, identity: Identity) -> Self {
        let (born_seconds, born_nanoseconds) = identity.born;
        Self { number, born_seconds, born_nanoseconds, generation: 0, lookups: 0, placed: None }
    }
}

impl Inner {
    fn number(&mut self, identity: Identity) -> u64 {
        let Identity { device, inode, .. } = identity;
        if (device, inode) == (self.root.device, self.root.inode) {
            return ROOT;
        }
        if device == self.root.device && inode > ROOT && inode < FIRST_GIVEN {
            return inode;
        }
        let taken = &mut self.taken;
        *self.given.entry((device, inode)).or_insert_with(|| {
            taken.push((device, inode));
            FIRST_GIVEN + taken.len() as u64
        })
    }

    fn identity(&self, number: u64) -> Option<Identity> {
        if number == ROOT {
            return Some(self.root);
        }
        let node = self.table.get(number)?;
        let (device, inode) = match number.checked_sub(FIRST_GIVEN + 1) {
            None => (self.root.device, number),
            Some(given) => *self.taken.get(usize::try_from(given).ok()?)?,
        };
        Some(Identity { device, inode, born: (node.born_seconds, node.born_nanoseconds) })
    }

    /// A number stands for another file from now on, that was found nowhere yet.
    fn replace(&mut self, number: u64, identity: Identity) {
        self.earlier.remove(&number);
        let Some((node, names)) = self.table.get_mut(number) else { return };
        let (generation, lookups) = (node.generation.wrapping_add(1), node.lookups);
        if let Some(Placed { name, .. }) = node.placed {
            names.remove(name);
        }
        *node = Node { generation, lookups, ..Node::new(number, identity) };
    }

    /// Notes that a file was found at a place: the latest one.
    fn place(&mut self, number: u64, parent: u64, name: &OsStr) {
        let Some((node, names)) = self.table.get_mut(number) else { return };
        let Some(parent) = NonZeroU64::new(parent) else { return };
        if let Some(known) = node.placed {
            if known.parent == parent && names.get(known.name) == name {
                return;
            }
            let before = Place { parent: known.parent.get(), name: names.get(known.name).to_owned() };
            names.remove(known.name);
            let earlier = self.earlier.entry(number).or_default();
            earlier.retain(|place| place.parent != parent.get() || place.name != name);
            earlier.push(before);
        }
        node.placed = Some(Placed { parent, name: names.add(name) });
        self.table.tidy();
    }

    /// Notes that a file is not at a place any more.
    fn displace(&mut self, number: u64, parent: u64, name: &OsStr) {
        let Some((node, names)) = self.table.get_mut(number) else { return };
        let latest = node.placed.filter(|known| known.parent.get() == parent && names.get(known.name) == name);
        let earlier = self.earlier.get_mut(&number);
        if let Some(known) = latest {
            names.remove(known.name);
            let before = earlier.and_then(Vec::pop);
            node.placed = before.and_then(|Place { parent, name }| {
                Some(Placed { parent: NonZeroU64::new(parent)?, name: names.add(&name) })
            });
        } else if let Some(earlier) = earlier {
            earlier.retain(|place| place.parent != parent || place.name != name);
        }
        if self.earlier.get(&number).is_some_and(Vec::is_empty) {
            self.earlier.remove(&number);
        }
        self.table.tidy();
    }

    fn latest_place(&self, number: u64) -> Option<Place> {
        let Placed { parent, name } = self.table.get(number)?.placed?;
        Some(Place { parent: parent.get(), name: self.table.names.get(name).to_owned() })
    }
}
