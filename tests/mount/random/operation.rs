//! Operations on a tree, and how they are drawn.

/// Numbers that look random, the same for the same seed.
pub(in crate::mount) struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub(in crate::mount) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(in crate::mount) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    /// One of several.
    pub(in crate::mount) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// How a rename treats what is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renaming {
    /// It is replaced.
    Replace,
    /// It stays, and the rename fails.
    Refuse,
    /// The two change places.
    Exchange,
}

/// What fallocate(2) is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allocation {
    /// Space, and the size that it needs.
    Plain,
    /// Space beyond the end.
    KeepSize,
    /// A hole.
    Punch,
    /// Zeros.
    Zero,
    /// Zeros beyond the end as well, which stay out of the size.
    ZeroKeepSize,
}

/// Where a file is found.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Under a path.
    Path(String),
    /// Open already, in this slot.
    Open(usize),
}

/// How many files are kept open.
pub(super) const SLOTS: usize = 3;

/// One operation; paths are relative to the root.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Create { path: String, mode: u32 },
    Replace { path: String, length: usize, seed: u64 },
    Write { target: Target, offset: u64, length: usize, seed: u64 },
    Append { path: String, length: usize, seed: u64 },
    Truncate { target: Target, length: u64 },
    Read { target: Target, offset: u64, length: usize },
    Allocate { target: Target, how: Allocation, offset: u64, length: u64 },
    CopyRange { from: String, from_offset: u64, to: String, to_offset: u64, length: usize },
    Sync { target: Target },
    Open { path: String, slot: usize },
    Close { slot: usize },
    Rename { from: String, to: String, how: Renaming },
    Link { from: String, to: String },
    Symlink { content: String, path: String },
    MakeFifo { path: String, mode: u32 },
    Unlink { path: String },
    MakeDir { path: String, mode: u32 },
    RemoveDir { path: String },
    Chmod { path: String, mode: u32 },
    SetTimes { path: String, seconds: i64, nanoseconds: i64 },
    SetAttribute { path: String, name: String, length: usize },
    RemoveAttribute { path: String, name: String },
    Look { path: String },
    List { path: String },
}

impl Operation {
    /// What is opened for it by its path.
    pub(super) fn opens(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Replace { path, .. } | Self::Append { path, .. } | Self::Open { path, .. } => (Some(path), None),
            Self::Write { target, .. }
            | Self::Truncate { target, .. }
            | Self::Read { target, .. }
            | Self::Allocate { target, .. }
            | Self::Sync { target } => match target {
                Target::Path(path) => (Some(path), None),
                Target::Open(_) => (None, None),
            },
            Self::CopyRange { from, to, .. } => (Some(from), Some(to)),
            _ => (None, None),
        };
        first.into_iter().chain(second).map(String::as_str)
    }

    /// Draws one. Names are few, so that operations meet.
    pub(super) fn random(random: &mut Random) -> Self {
        match random.below(46) {
            0..=2 => Self::Create { path: path(random), mode: mode(random) },
            3..=4 => Self::Replace { path: path(random), length: length(random), seed: random.below(1000) },
            5..=12 => {
                let (target, offset) = (target(random), offset(random));
                Self::Write { target, offset, length: length(random), seed: random.below(1000) }
            }
            13..=15 => Self::Append { path: path(random), length: length(random), seed: random.below(1000) },
            16..=18 => Self::Truncate { target: target(random), length: offset(random) },
            19..=21 => Self::Read { target: target(random), offset: offset(random), length: length(random) },
            22..=24 => {
                use Allocation::{KeepSize, Plain, Punch, Zero, ZeroKeepSize};
                let how = random.one_of(&[Plain, KeepSize, Punch, Zero, ZeroKeepSize]);
                let length = length(random) as u64;
                Self::Allocate { target: target(random), how, offset: offset(random), length }
            }
            25 => {
                let (from, to) = (path(random), path(random));
                let (from_offset, to_offset) = (offset(random), offset(random));
                Self::CopyRange { from, from_offset, to, to_offset, length: length(random) }
            }
            26 => Self::Sync { target: target(random) },
            27..=28 => Self::Open { path: path(random), slot: slot(random) },
            29 => Self::Close { slot: slot(random) },
            30..=32 => {
                use Renaming::{Exchange, Refuse, Replace};
                let how = random.one_of(&[Replace, Replace, Refuse, Exchange]);
                Self::Rename { from: path(random), to: path(random), how }
            }
            33 => Self::Link { from: path(random), to: path(random) },
            34 => Self::Symlink { content: path(random), path: path(random) },
            35 => Self::MakeFifo { path: path(random), mode: mode(random) },
            36 => Self::Unlink { path: path(random) },
            37..=38 => Self::MakeDir { path: path(random), mode: 0o700 | mode(random) },
            39 => Self::RemoveDir { path: path(random) },
            40 => Self::Chmod { path: path(random), mode: 0o700 | mode(random) },
            41 => {
                let nanoseconds = i64::try_from(random.below(1_000_000_000)).unwrap();
                Self::SetTimes {
                    path: path(random),
                    seconds: i64::try_from(random.below(1 << 32)).unwrap(),
                    nanoseconds,
                }
            }
            42 => {
                let length = usize::try_from(random.below(300)).unwrap();
                Self::SetAttribute { path: path(random), name: attribute(random), length }
            }
            43 => Self::RemoveAttribute { path: path(random), name: attribute(random) },
            44 => Self::Look { path: path(random) },
            _ => Self::List { path: path(random) },
        }
    }
}

fn path(random: &mut Random) -> String {
    let name = |random: &mut Random| random.one_of(&["a", "b", "c", "d", "e", "ü f", "G"]);
    let mut path = name(random).to_owned();
    while path.len() < 8 && random.below(3) == 0 {
        path = format!("{path}/{}", name(random));
    }
    path
}

fn target(random: &mut Random) -> Target {
    if random.below(3) == 0 { Target::Open(slot(random)) } else { Target::Path(path(random)) }
}

fn slot(random: &mut Random) -> usize {
    usize::try_from(random.below(SLOTS as u64)).unwrap()
}

fn attribute(random: &mut Random) -> String {
    random.one_of(&["user.one", "user.two", "user.long_name_of_an_attribute"]).to_owned()
}

fn mode(random: &mut Random) -> u32 {
    random.one_of(&[0o644, 0o600, 0o755, 0o700, 0o664, 0o4755])
}

/// Mostly within a few chunks; at times in another group, or far out; and often at a border.
fn offset(random: &mut Random) -> u64 {
    let chunk = random.one_of(&[0, 1, 2, 31, 32, 33, 96, 97]);
    match random.below(8) {
        0 => 0,
        1..=3 => chunk * 4096,
        4..=6 => chunk * 4096 + random.below(4096),
        _ => random.below(5_000_000),
    }
}

fn length(random: &mut Random) -> usize {
    let length = match random.below(6) {
        0 => 0,
        1 => random.below(100),
        2 => 4096,
        3 => random.below(9000),
        4 => random.one_of(&[8192, 65_536, 131_072, 262_144]),
        _ => random.below(200_000),
    };
    usize::try_from(length).unwrap()
}
