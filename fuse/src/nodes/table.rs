//! Many nodes in little memory: the kernel may know millions of files.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::names::Names;
use super::{Node, Placed};

/// Nodes for which memory is kept once there was any.
const MIN_KEPT: usize = 1024;

/// The nodes, one behind the other, and where each of them stands.
#[derive(Debug, Default)]
pub(super) struct Table {
    nodes: Vec<Node>,
    /// Where the node of a number stands, by the number's hash alone.
    index: HashTable<u32>,
    hasher: RandomState,
    pub(super) names: Names,
}

impl Table {
    /// A node.
    pub(super) fn get(&self, number: u64) -> Option<&Node> {
        self.find(number).map(|at| &self.nodes[at])
    }

    /// A node, and the names.
    pub(super) fn get_mut(&mut self, number: u64) -> Option<(&mut Node, &mut Names)> {
        let at = self.find(number)?;
        Some((&mut self.nodes[at], &mut self.names))
    }

    /// Adds a node; there is none of its number.
    pub(super) fn add(&mut self, node: Node) {
        let at = u32::try_from(self.nodes.len()).expect("four thousand million nodes fit no memory");
        let hash = self.hasher.hash_one(node.number);
        self.nodes.push(node);
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        self.index.insert_unique(hash, at, |at| hasher.hash_one(nodes[place(*at)].number));
    }

    /// Removes a node.
    pub(super) fn remove(&mut self, number: u64) {
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        let Ok(entry) = self.index.find_entry(hasher.hash_one(number), |at| nodes[place(*at)].number == number) else {
            return;
        };
        let (gone, _) = entry.remove();
        // The last one takes its place.
        if let Some(last) = nodes.last().filter(|last| last.number != number) {
            let is_last = |at: &u32| nodes[place(*at)].number == last.number;
            *self.index.find_mut(hasher.hash_one(last.number), is_last).expect("every node is found") = gone;
        }
        if let Some(Placed { name, .. }) = self.nodes.swap_remove(place(gone)).placed {
            self.names.remove(name);
        }
        self.tidy();
    }

    /// Frees memory that is not used any more, if it is much.
    pub(super) fn tidy(&mut self) {
        if self.names.is_wasteful() {
            self.names
                .collect(self.nodes.iter_mut().filter_map(|node| node.placed.as_mut().map(|placed| &mut placed.name)));
        }
        if self.nodes.capacity() > MIN_KEPT.max(4 * self.nodes.len()) {
            let kept = MIN_KEPT.max(2 * self.nodes.len());
            self.nodes.shrink_to(kept);
            let (nodes, hasher) = (&self.nodes, &self.hasher);
            self.index.shrink_to(kept, |at| hasher.hash_one(nodes[place(*at)].number));
        }
    }

    fn find(&self, number: u64) -> Option<usize> {
        let is_it = |at: &u32| self.nodes[place(*at)].number == number;
        self.index.find(self.hasher.hash_one(number), is_it).map(|at| place(*at))
    }

    /// Bytes of memory that it takes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.index.allocation_size() + self.names.memory()
    }
}

/// A place in the vector, out of the index.
fn place(at: u32) -> usize {
    usize::try_from(at).expect("a place in memory fits")
}
