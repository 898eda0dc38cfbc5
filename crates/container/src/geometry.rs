//! Where everything lies in a container: pure arithmetic, no I/O (SPEC.md, "Geometry").
//!
//! A container is 2048 bytes of header, then group regions back to back. A region is a sealed table followed by its
//! chunks. Group 0's region has a table of 2048 bytes and 32 chunks, every other region a table of 4096 bytes and 64
//! chunks, so that chunks and tables are aligned to pages and the plaintext length is a function of the file size alone.

/// Bytes of plaintext in a chunk, and of a page.
pub const CHUNK_LEN: usize = 4096;
/// Bytes of the header, which is the first half of page 0.
pub const HEADER_LEN: usize = 2048;
/// The largest plaintext length of a container, 2^62 bytes.
pub const MAX_PLAINTEXT_LEN: u64 = 1 << 62;

/// Chunks of group 0.
pub(crate) const FIRST_GROUP_CHUNKS: usize = 32;
/// Chunks of every other group.
pub(crate) const GROUP_CHUNKS: usize = 64;
/// Bytes of the largest group region: a table page and 64 chunks.
pub(crate) const MAX_REGION_LEN: usize = CHUNK_LEN * (1 + GROUP_CHUNKS);

const PAGE: u64 = CHUNK_LEN as u64;
const FIRST_GROUP_PLAINTEXT: u64 = PAGE * FIRST_GROUP_CHUNKS as u64;
const GROUP_PLAINTEXT: u64 = PAGE * GROUP_CHUNKS as u64;
const GROUP_PAGES: u64 = 1 + GROUP_CHUNKS as u64;

/// The number of a group: 0, then 1, 2, ... in file order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupIndex(pub(crate) u64);

impl GroupIndex {
    /// Group 0, whose table is the root of the file.
    pub(crate) const ROOT: Self = Self(0);

    /// The group that holds the plaintext byte at `offset`.
    pub(crate) fn of_plaintext(offset: u64) -> Self {
        match offset.checked_sub(FIRST_GROUP_PLAINTEXT) {
            None => Self::ROOT,
            Some(rest) => Self(1 + rest / GROUP_PLAINTEXT),
        }
    }

    /// The next group in file order.
    pub(crate) fn successor(self) -> Self {
        Self(self.0 + 1)
    }

    /// Offset of the group's first plaintext byte.
    pub(crate) fn plaintext_start(self) -> u64 {
        match self.0.checked_sub(1) {
            None => 0,
            Some(rest) => FIRST_GROUP_PLAINTEXT.saturating_add(rest.saturating_mul(GROUP_PLAINTEXT)),
        }
    }

    /// How many chunks the group has room for.
    pub(crate) fn chunks(self) -> usize {
        if self == Self::ROOT { FIRST_GROUP_CHUNKS } else { GROUP_CHUNKS }
    }

    /// How many plaintext bytes the group has room for.
    pub(crate) fn capacity(self) -> usize {
        self.chunks() * CHUNK_LEN
    }

    /// File offset of the group's table, which is also where its region begins.
    pub(crate) fn table_offset(self) -> u64 {
        match self.0.checked_sub(1) {
            None => HEADER_LEN as u64,
            Some(rest) => {
                (PAGE * (1 + FIRST_GROUP_CHUNKS as u64)).saturating_add((PAGE * GROUP_PAGES).saturating_mul(rest))
            }
        }
    }

    /// Bytes of the group's table.
    pub(crate) fn table_len(self) -> usize {
        if self == Self::ROOT { CHUNK_LEN - HEADER_LEN } else { CHUNK_LEN }
    }

    /// Bytes of the group's region: its table and the room for its chunks.
    pub(crate) fn region_len(self) -> usize {
        self.table_len() + self.capacity()
    }

    /// File offset of the group's chunk number `index`.
    pub(crate) fn chunk_offset(self, index: usize) -> u64 {
        self.table_offset() + (self.table_len() + index * CHUNK_LEN) as u64
    }

    /// The number in the whole file of the group's chunk number `index`; it goes into the chunk's nonce and associated data.
    pub(crate) fn chunk_number(self, index: usize) -> u64 {
        self.plaintext_start() / PAGE + index as u64
    }
}

/// The file size of a container that holds `plaintext_len` bytes: F in SPEC.md. Lengths above [`MAX_PLAINTEXT_LEN`] have none,
/// and give at least that of the largest.
///
/// ```
/// assert_eq!(waxseal_container::file_size(0), 4096);
/// assert_eq!(waxseal_container::file_size(1_000_000), 1_020_480);
/// ```
#[must_use]
pub fn file_size(plaintext_len: u64) -> u64 {
    let Some(last_byte) = plaintext_len.checked_sub(1) else { return PAGE };
    let group = GroupIndex::of_plaintext(last_byte);
    group.table_offset().saturating_add(group.table_len() as u64 + (plaintext_len - group.plaintext_start()))
}

/// The chunk that a plaintext offset lies in, and the place in it.
pub(crate) fn chunk_of(offset: u64) -> (u64, usize) {
    let within = usize::try_from(offset % CHUNK_LEN as u64).expect("a chunk fits memory");
    (offset / CHUNK_LEN as u64, within)
}

/// The group that a chunk lies in, and its index there.
pub(crate) fn place_of(number: u64) -> (GroupIndex, usize) {
    let offset = number * CHUNK_LEN as u64;
    let group = GroupIndex::of_plaintext(offset);
    let index = usize::try_from((offset - group.plaintext_start()) / CHUNK_LEN as u64).expect("a group has 64 chunks");
    (group, index)
}

/// What the size of a file says about the plaintext in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeClaim {
    /// A container of this size holds so many bytes of plaintext, if it opens.
    Plaintext(u64),
    /// No container has this size; it is that of one with so many bytes of plaintext, cut.
    Impossible(u64),
}

/// The plaintext length that a file of `file_size` bytes claims: the inverse of [`file_size`].
///
/// It is a claim: only opening the container proves it. Sizes that no container has are those below one page and those
/// that end within a table.
///
/// ```
/// use waxseal_container::{SizeClaim, size_claim};
/// assert_eq!(size_claim(4097), SizeClaim::Plaintext(1));
/// assert_eq!(size_claim(135_169), SizeClaim::Impossible(131_072));
/// ```
#[must_use]
pub fn size_claim(file_size: u64) -> SizeClaim {
    let Some(beyond_page_zero) = file_size.checked_sub(PAGE) else { return SizeClaim::Impossible(0) };
    let Some(rest) = beyond_page_zero.checked_sub(FIRST_GROUP_PLAINTEXT + 1) else {
        return SizeClaim::Plaintext(beyond_page_zero);
    };
    let (groups_before, in_region) = (rest / (PAGE * GROUP_PAGES), rest % (PAGE * GROUP_PAGES));
    let before = FIRST_GROUP_PLAINTEXT + groups_before * GROUP_PLAINTEXT;
    match in_region.checked_sub(PAGE) {
        None => SizeClaim::Impossible(before),
        Some(in_chunks) => SizeClaim::Plaintext(before + in_chunks + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_totals_of_the_specification() {
        for (plaintext, file) in [
            (0, 4096),
            (1, 4097),
            (4096, 8192),
            (131_072, 135_168),
            (131_073, 139_265),
            (393_216, 401_408),
            (393_217, 405_505),
            (1_000_000, 1_020_480),
        ] {
            assert_eq!(file_size(plaintext), file);
        }
    }

    #[test]
    fn sizes_grow_and_invert_for_every_length_of_four_groups() {
        let mut previous = 0;
        for plaintext in 0..=3 * GROUP_PLAINTEXT + FIRST_GROUP_PLAINTEXT + PAGE + 1 {
            let size = file_size(plaintext);
            assert!(size > previous, "{plaintext}");
            assert_eq!(size_claim(size), SizeClaim::Plaintext(plaintext));
            previous = size;
        }
    }

    #[test]
    fn every_file_size_of_four_groups_claims_its_length_or_is_impossible() {
        let (mut impossible, mut floor) = (0, 0);
        for size in 0..=file_size(3 * GROUP_PLAINTEXT + FIRST_GROUP_PLAINTEXT) + 2 * PAGE {
            match size_claim(size) {
                SizeClaim::Plaintext(length) => {
                    assert_eq!(file_size(length), size);
                    assert!(length >= floor);
                    floor = length;
                }
                SizeClaim::Impossible(length) => {
                    assert!(file_size(length) < size || size < PAGE);
                    assert_eq!(length, floor);
                    impossible += 1;
                }
            }
        }
        assert_eq!(impossible, PAGE + 4 * PAGE, "page 0, and the table pages of groups 1 to 4");
    }

    #[test]
    fn regions_lie_back_to_back_and_chunks_are_aligned() {
        for number in 0..200 {
            let group = GroupIndex(number);
            assert_eq!(group.table_offset() + group.region_len() as u64, group.successor().table_offset());
            assert_eq!(group.plaintext_start() + group.capacity() as u64, group.successor().plaintext_start());
            assert_eq!(group.chunk_offset(0) % PAGE, 0);
            assert_eq!(group.chunk_number(group.chunks()), group.successor().chunk_number(0));
            for offset in [0, 1, group.capacity() as u64 - 1] {
                assert_eq!(GroupIndex::of_plaintext(group.plaintext_start() + offset), group);
            }
            for index in 0..group.chunks() {
                let number = group.chunk_number(index);
                assert_eq!(file_size(number * PAGE + 1), group.chunk_offset(index) + 1);
            }
        }
    }

    #[test]
    fn the_largest_length_fits_a_file_offset() {
        assert!(i64::try_from(file_size(MAX_PLAINTEXT_LEN)).is_ok());
        assert_eq!(size_claim(file_size(MAX_PLAINTEXT_LEN)), SizeClaim::Plaintext(MAX_PLAINTEXT_LEN));
        assert!(matches!(size_claim(u64::MAX), SizeClaim::Plaintext(_) | SizeClaim::Impossible(_)));
    }
}
