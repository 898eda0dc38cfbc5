//! Names, one behind the other: a name of its own takes more memory for being one than for its bytes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Bytes of names that are not used any more, below which it does not pay to collect the others.
const MIN_UNUSED: usize = 64 << 10;

/// Bytes of the length in front of a name.
const LENGTH_LEN: usize = size_of::<u16>();

/// Many names.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Each name, with its length in front of it.
    bytes: Vec<u8>,
    /// Bytes of those that are not used any more.
    unused: usize,
}

/// Where a name stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameAt(usize);

impl Names {
    /// Adds a name.
    pub(super) fn add(&mut self, name: &OsStr) -> NameAt {
        let at = NameAt(self.bytes.len());
        let length = u16::try_from(name.len()).expect("getdents64(2) and PATH_MAX leave names far below 64 KiB");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        at
    }

    /// A name that was added.
    pub(super) fn get(&self, at: NameAt) -> &OsStr {
        let (length, rest) = self.bytes[at.0..].split_first_chunk().expect("the length of a name comes first");
        OsStr::from_bytes(&rest[..u16::from_ne_bytes(*length).into()])
    }

    /// Notes that a name is not used any more.
    pub(super) fn remove(&mut self, at: NameAt) {
        self.unused += LENGTH_LEN + self.get(at).len();
    }

    /// Whether so much is not used any more that the names should be collected.
    pub(super) fn is_wasteful(&self) -> bool {
        self.unused >= MIN_UNUSED && self.unused > self.bytes.len() / 2
    }

    /// Collects the names that are used, which `used` names all, and nothing else. Each gets its new place.
    pub(super) fn collect<'a>(&mut self, used: impl Iterator<Item = &'a mut NameAt>) {
        let mut collected = Self { bytes: Vec::with_capacity(self.bytes.len() - self.unused), unused: 0 };
        for at in used {
            *at = collected.add(self.get(*at));
        }
        *self = collected;
    }

    /// Bytes of memory that they take.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_what_they_are_when_others_are_collected() {
        let mut names = Names::default();
        let name = |number: usize| format!("{number:0width$}", width = number % 250);
        let mut used: Vec<(usize, NameAt)> = Vec::new();
        for number in 0..20_000 {
            used.push((number, names.add(OsStr::new(&name(number)))));
        }
        let all = names.memory();
        while used.len() > 7 {
            let (_, at) = used.swap_remove(used.len() / 3);
            names.remove(at);
            if names.is_wasteful() {
                names.collect(used.iter_mut().map(|(_, at)| at));
                assert!(!names.is_wasteful());
            }
        }
        assert!(used.iter().all(|(number, at)| names.get(*at) == OsStr::new(&name(*number))));
        assert!(names.memory() < all / 10, "{} bytes of {all} are kept for seven names", names.memory());
    }
}
