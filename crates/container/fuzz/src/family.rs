//! Containers to damage: every version that a container ever had, and the edits of somebody who kept them all.

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use waxseal_container::fuzzing::{data_key, encrypted_data_key};
use waxseal_container::{Core, Editor, Sealer, Sink, Source, Suite, WriteAt};

use crate::disk::Disk;
use crate::reading::unlock;

/// A version of a container, and what it holds.
pub struct Version {
    pub disk: Disk,
    pub plaintext: Vec<u8>,
    pub settled: bool,
}

/// The versions of one container, under one header.
pub struct Family(pub Vec<Version>);

/// Small, streamed, and large with a hole; in both suites.
pub static FAMILIES: LazyLock<Vec<Family>> =
    LazyLock::new(|| Suite::ALL.into_iter().flat_map(|suite| [small(suite), streamed(suite), large(suite)]).collect());

impl Family {
    fn seal(suite: Suite, plaintext: Vec<u8>, stream: bool) -> Self {
        let disk = Disk::default();
        let sealer = Sealer::new(
            Core::new(suite, Default::default(), Some(1_700_000_000)).unwrap(),
            &[encrypted_data_key()],
            &data_key(),
        )
        .unwrap();
        let input = Disk::default();
        input.write_all_at(&plaintext, 0).unwrap();
        if stream {
            let mut output = Vec::new();
            sealer.seal(Source::Stream(&mut input.stream()), Sink::Stream(&mut output), NonZeroUsize::MIN).unwrap();
            disk.write_all_at(&output, 0).unwrap();
        } else {
            sealer.seal(Source::File(&input), Sink::File(&disk), NonZeroUsize::MIN).unwrap();
        }
        Self(vec![Version { disk, plaintext, settled: true }])
    }

    /// Goes on from the newest version; each step leaves one that was interrupted, and one that is settled.
    fn edit(mut self, step: impl FnOnce(&mut Editor<Disk>)) -> Self {
        let disk = self.0.last().unwrap().disk.clone();
        let mut editor = Editor::open(unlock(&disk).unwrap(), disk).unwrap();
        step(&mut editor);
        editor.flush().unwrap();
        self.keep(&editor, false);
        editor.settle().unwrap();
        self.keep(&editor, true);
        self
    }

    fn keep(&mut self, editor: &Editor<Disk>, settled: bool) {
        let mut plaintext = vec![0; usize::try_from(editor.len()).unwrap()];
        editor.read_at(&mut plaintext, 0).unwrap();
        self.0.push(Version { disk: editor.backing().clone(), plaintext, settled });
    }

    /// Whether a settled version holds exactly this.
    pub fn was_settled(&self, plaintext: &[u8]) -> bool {
        self.0.iter().any(|version| version.settled && version.plaintext == plaintext)
    }

    /// Whether each chunk of this stood there in some version, all of it or its beginning.
    pub fn has_chunks(&self, plaintext: &[u8]) -> bool {
        plaintext.chunks(4096).enumerate().all(|(number, chunk)| {
            self.0.iter().any(|version| {
                let known = version.plaintext.get(number * 4096..).unwrap_or_default();
                let known = &known[..known.len().min(chunk.len())];
                chunk.starts_with(known) && chunk[known.len()..].iter().all(|byte| *byte == 0)
            })
        })
    }
}

fn plaintext(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 4096 * 7 + at * 31 + at / 256).to_le_bytes()[0] | 1).collect()
}

fn small(suite: Suite) -> Family {
    Family::seal(suite, plaintext(5000), false)
        .edit(|editor| {
            editor.write_at(&[2; 200], 4000).unwrap();
            editor.write_at(&[3; 3000], 5000).unwrap();
        })
        .edit(|editor| editor.set_len(4500).unwrap())
}

fn streamed(suite: Suite) -> Family {
    Family::seal(suite, plaintext(140_000), true).edit(|editor| editor.write_at(&[4; 5000], 130_000).unwrap())
}

fn large(suite: Suite) -> Family {
    Family::seal(suite, plaintext(150_000), false)
        .edit(|editor| editor.write_at(&[5; 5000], 400_000).unwrap())
        .edit(|editor| {
            editor.write_at(&[6; 9000], 1000).unwrap();
            editor.write_at(&[7; 9000], 131_000).unwrap();
            editor.write_at(&[8; 3000], 404_000).unwrap();
        })
        .edit(|editor| editor.punch_hole(131_072, 20_000).unwrap())
}

/// What somebody does who can write the storage and has kept every version of everything.
#[derive(Arbitrary, Debug)]
pub struct Attack {
    family: u8,
    version: u8,
    edits: Vec<Edit>,
}

/// Blocks are of 2048 bytes, so that header and root are two.
#[derive(Arbitrary, Debug)]
enum Edit {
    Flip {
        at: u32,
        bit: u8,
    },
    Put {
        at: u32,
        bytes: [u8; 8],
    },
    Cut {
        size: u32,
    },
    Append {
        count: u16,
        byte: u8,
    },
    Zero {
        block: u8,
        count: u8,
    },
    Swap {
        block: u8,
        other: u8,
    },
    /// Puts back blocks of another version.
    PutBack {
        version: u8,
        block: u8,
        count: u8,
    },
    /// Puts a group back to another version: its table, and its chunks.
    PutBackGroup {
        version: u8,
        group: u8,
    },
    /// Copies blocks from any container to anywhere.
    Transplant {
        family: u8,
        version: u8,
        from: u8,
        to: u8,
        count: u8,
    },
}

impl Attack {
    /// The container after the attack, and whose it is: two whole files may be exchanged, so the header says that.
    pub fn carry_out(&self) -> (&'static Family, Disk) {
        let family = &FAMILIES[usize::from(self.family) % FAMILIES.len()];
        let disk = version(family, self.version).disk.clone();
        self.edits.iter().take(12).for_each(|edit| edit.apply(family, &disk));
        let header = disk.piece(0, 128);
        let owner = FAMILIES.iter().find(|family| family.0[0].disk.piece(0, 128) == header);
        (owner.unwrap_or(family), disk)
    }
}

impl Edit {
    fn apply(&self, family: &Family, disk: &Disk) {
        let block = |number: u8| u64::from(number) * 2048;
        let blocks = |count: u8| (usize::from(count) + 1) * 2048;
        let inside = |at: u32| u64::from(at) % disk.len().max(1);
        match *self {
            Self::Flip { at, bit } => disk.put(&[disk.piece(inside(at), 1)[0] ^ (1 << (bit % 8))], inside(at)),
            Self::Put { at, bytes } => disk.put(&bytes, inside(at)),
            Self::Cut { size } => disk.set_len(inside(size)).unwrap(),
            Self::Append { count, byte } => disk.write_all_at(&vec![byte; usize::from(count)], disk.len()).unwrap(),
            Self::Zero { block: at, count } => disk.put(&vec![0; blocks(count)], block(at)),
            Self::Swap { block: one, other } => {
                let (first, second) = (disk.piece(block(one), 2048), disk.piece(block(other), 2048));
                disk.put(&second, block(one));
                disk.put(&first, block(other));
            }
            Self::PutBack { version: number, block: at, count } => {
                disk.put(&version(family, number).disk.piece(block(at), blocks(count)), block(at));
            }
            Self::PutBackGroup { version: number, group } => {
                let (start, length) = match group % 3 {
                    0 => (2048, 133_120),
                    group => (135_168 + 266_240 * (u64::from(group) - 1), 266_240),
                };
                disk.put(&version(family, number).disk.piece(start, length), start);
            }
            Self::Transplant { family: other, version: number, from, to, count } => {
                let other = &FAMILIES[usize::from(other) % FAMILIES.len()];
                disk.put(&version(other, number).disk.piece(block(from), blocks(count)), block(to));
            }
        }
    }
}

fn version(family: &Family, number: u8) -> &Version {
    &family.0[usize::from(number) % family.0.len()]
}
