//! What is done in each directory, and how it is measured.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::contenders::Mounted;
use crate::daemon::CpuTime;
use crate::noise::Noise;
use crate::scratch::{Scratch, can_drop_caches, remove};
use crate::tree::Tree;
use crate::{Options, Outcome};

/// Bytes of a sequential write or read.
const BLOCK: usize = 1 << 20;
/// Bytes of a random write or read, and of a small file.
const PAGE: usize = 4096;
/// What any contender may take of memory for itself, in bytes: buffers, page tables, small files.
const SOME_MEMORY: u64 = 256 << 20;

/// The file that is written from end to end.
const NEW: &str = "new";
/// The file that is read, and written at random.
const LARGE: &str = "large";
/// The folder of new small files.
const SMALL: &str = "small";
/// The folder that the source tree is unpacked into.
const TREE: &str = "tree";

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// A new large file, 1 MiB at a time.
    SequentialWrite,
    /// A large file that is in no cache, 1 MiB at a time.
    SequentialRead,
    /// A large file that was read just before.
    WarmRead,
    /// Reads of 4 KiB anywhere in a large file that is in no cache.
    RandomRead,
    /// Writes of 4 KiB anywhere in a large file that is in no cache.
    RandomWrite,
    /// Many new files of 4 KiB.
    Create,
    /// `tar -x` of a source tree.
    Untar,
    /// Reading every file of the source tree, with nothing in any cache.
    Cat,
    /// `ls -lR` of the source tree, with nothing in any cache.
    List,
}

/// How much a workload does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    /// Bytes, in MiB.
    Mib(u32),
    /// Calls, or files.
    Count(u32),
}

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Until the last file was closed.
    pub(crate) closed: Duration,
    /// Until what was written was on the disk.
    pub(crate) synced: Option<Duration>,
    /// CPU time of the process that serves the mount, with what it does afterwards.
    pub(crate) cpu: CpuTime,
}

/// The workloads on one medium, with what they need.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    options: &'a Options,
    scratch: &'a Scratch,
    tree: Tree,
    /// Two blocks of bytes that do not compress.
    content: Vec<u8>,
}

impl Workload {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 9] = [
        Self::SequentialWrite,
        Self::SequentialRead,
        Self::WarmRead,
        Self::RandomRead,
        Self::RandomWrite,
        Self::Create,
        Self::Untar,
        Self::Cat,
        Self::List,
    ];

    /// The name in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SequentialWrite => "sequential write",
            Self::SequentialRead => "sequential read",
            Self::WarmRead => "warm re-read",
            Self::RandomRead => "random read of 4 KiB",
            Self::RandomWrite => "random write of 4 KiB",
            Self::Create => "create files of 4 KiB",
            Self::Untar => "untar of a source tree",
            Self::Cat => "cat of a source tree",
            Self::List => "ls -lR of a source tree",
        }
    }

    /// Whether it begins with empty caches.
    fn is_cold(self) -> bool {
        matches!(self, Self::SequentialRead | Self::RandomRead | Self::RandomWrite | Self::Cat | Self::List)
    }
}

impl<'a> Work<'a> {
    /// Prepares what all workloads on a medium share.
    pub(crate) fn new(options: &'a Options, scratch: &'a Scratch) -> Outcome<Self> {
        let tree = Tree::new(scratch, options.copies)?;
        Ok(Self { options, scratch, tree, content: Noise::new(0).bytes(2 * BLOCK) })
    }

    /// The name of the medium.
    pub(crate) fn place(&self) -> &'static str {
        self.scratch.name()
    }

    /// How much a workload does.
    pub(crate) fn amount(&self, workload: Workload) -> Amount {
        let Options { size, random, files, .. } = *self.options;
        match workload {
            Workload::SequentialWrite | Workload::SequentialRead | Workload::WarmRead => Amount::Mib(size),
            Workload::RandomRead | Workload::RandomWrite => Amount::Count(random),
            Workload::Create => Amount::Count(files),
            Workload::Untar | Workload::Cat | Workload::List => {
                Amount::Count(u32::try_from(self.tree.files().len()).unwrap_or(u32::MAX))
            }
        }
    }

    /// Makes what a workload reads, unless it is there.
    pub(crate) fn prepare(&self, workload: Workload, mounted: &Mounted) -> Outcome<()> {
        let (large, tree) = (mounted.path(LARGE), mounted.path(TREE));
        match workload {
            Workload::SequentialRead | Workload::WarmRead | Workload::RandomRead | Workload::RandomWrite
                if !large.exists() =>
            {
                self.write_sequentially(&large)?;
                self.verify(&large)?;
            }
            Workload::Cat | Workload::List if !tree.exists() => self.tree.unpack(&tree)?,
            _ => {}
        }
        mounted.rest();
        Ok(())
    }

    /// Removes what no later workload reads.
    pub(crate) fn finish(&self, workload: Workload, mounted: &Mounted) -> Outcome<()> {
        let gone = match workload {
            Workload::SequentialWrite => NEW,
            Workload::RandomWrite => LARGE,
            Workload::Create => SMALL,
            Workload::List => TREE,
            _ => return Ok(()),
        };
        Ok(remove(&mounted.path(gone))?)
    }

    /// Runs a workload once. What it makes is gone before, outside of the measured time.
    pub(crate) fn run(&self, workload: Workload, mounted: &Mounted, run: u32) -> Outcome<Sample> {
        self.settle(workload, mounted)?;
        let path = |name: &str| mounted.path(name);
        let half = u64::from(self.options.size) * (BLOCK as u64) / 2 / PAGE as u64;
        let places = || {
            let mut noise = Noise::new(run + 1);
            (0..self.options.random).map(move |_| noise.next() % half * PAGE as u64)
        };

        let before = mounted.cpu_time()?;
        let began = Instant::now();
        let (closed, synced) = match workload {
            Workload::SequentialWrite => timed(began, || self.write_sequentially(&path(NEW)))?,
            Workload::RandomWrite => timed(began, || {
                let file = File::options().read(true).write(true).open(path(LARGE))?;
                places().try_for_each(|place| file.write_all_at(&self.content[..PAGE], place))?;
                close(file)
            })?,
            Workload::SequentialRead | Workload::WarmRead => {
                read_through(&path(LARGE))?;
                (began.elapsed(), None)
            }
            Workload::RandomRead => {
                let (file, mut buffer) = (File::open(path(LARGE))?, [0; PAGE]);
                places().try_for_each(|place| file.read_exact_at(&mut buffer, place))?;
                drop(file);
                (began.elapsed(), None)
            }
            Workload::Create => {
                self.create_files(&path(SMALL))?;
                self.then_synced(began)?
            }
            Workload::Untar => {
                self.tree.unpack(&path(TREE))?;
                self.then_synced(began)?
            }
            Workload::Cat => {
                let mut read = 0;
                for name in self.tree.files() {
                    read += read_through(&path(TREE).join(name))?;
                }
                if read != self.tree.len() {
                    return Err(format!("the tree has {read} bytes instead of {}", self.tree.len()).into());
                }
                (began.elapsed(), None)
            }
            Workload::List => {
                list(&path(TREE))?;
                (began.elapsed(), None)
            }
        };
        mounted.rest();
        let after = mounted.cpu_time()?;
        let cpu = CpuTime { user: after.user - before.user, system: after.system - before.system };
        Ok(Sample { closed, synced, cpu })
    }

    /// Puts the machine at rest, so that no contender pays for what another one left behind.
    fn settle(&self, workload: Workload, mounted: &Mounted) -> Outcome<()> {
        let (new, large) = (u64::from(self.options.size) << 20, mounted.path(LARGE));
        let fills = match workload {
            Workload::SequentialWrite => {
                remove(&mounted.path(NEW))?;
                3 * new
            }
            Workload::SequentialRead | Workload::WarmRead | Workload::RandomRead | Workload::RandomWrite => 2 * new,
            Workload::Create => {
                remove(&mounted.path(SMALL))?;
                0
            }
            Workload::Untar => {
                remove(&mounted.path(TREE))?;
                0
            }
            Workload::Cat | Workload::List => 0,
        };
        mounted.rest();
        if workload.is_cold() && can_drop_caches() {
            self.scratch.drop_caches()?;
        } else {
            self.scratch.sync()?;
        }
        self.scratch.take_memory(fills + SOME_MEMORY)?;
        match workload {
            Workload::WarmRead => read_through(&large).map(drop),
            // Only what it lists is cold, not the program itself.
            Workload::List => list(Path::new("/dev/null")),
            _ => Ok(()),
        }
    }

    /// Syncs the file system below after many files were closed.
    fn then_synced(&self, began: Instant) -> Outcome<(Duration, Option<Duration>)> {
        let closed = began.elapsed();
        self.scratch.sync()?;
        Ok((closed, Some(began.elapsed())))
    }

    /// Writes a new large file from its beginning to its end.
    fn write_sequentially(&self, path: &Path) -> Outcome<File> {
        let mut file = File::options().read(true).write(true).create_new(true).open(path)?;
        for block in 0..self.options.size {
            file.write_all(self.block(block))?;
        }
        close(file)
    }

    /// The content of one block of the large file: no two that are near each other are the same.
    fn block(&self, number: u32) -> &[u8] {
        let start = usize::try_from(number).unwrap_or_default() * PAGE % BLOCK;
        &self.content[start..start + BLOCK]
    }

    /// Checks that the large file holds what was written: a fast program that loses bytes has no place in a comparison.
    fn verify(&self, path: &Path) -> Outcome<()> {
        if can_drop_caches() {
            self.scratch.drop_caches()?;
        }
        let (mut file, mut buffer) = (File::open(path)?, vec![0; BLOCK]);
        for block in 0..self.options.size {
            file.read_exact(&mut buffer)?;
            if buffer != self.block(block) {
                return Err(format!("{}: block {block} is not what was written", path.display()).into());
            }
        }
        Ok(())
    }

    fn create_files(&self, folder: &Path) -> Outcome<()> {
        fs::create_dir(folder)?;
        for number in 0..self.options.files {
            let mut file = File::create_new(folder.join(format!("file-{number:05}")))?;
            file.write_all(&self.content[..PAGE])?;
        }
        Ok(())
    }
}

/// Runs something that gives back a file after closing another descriptor of it, and then syncs that file.
fn timed(began: Instant, write: impl FnOnce() -> Outcome<File>) -> Outcome<(Duration, Option<Duration>)> {
    let file = write()?;
    let closed = began.elapsed();
    file.sync_all()?;
    Ok((closed, Some(began.elapsed())))
}

/// Closes one descriptor of a file, as a program does when it has written, and gives another one back.
fn close(file: File) -> Outcome<File> {
    let other = file.try_clone()?;
    drop(file);
    Ok(other)
}

/// Reads a file from its beginning to its end, and returns how many bytes there were.
fn read_through(path: &Path) -> Outcome<u64> {
    let (mut file, mut buffer, mut read) = (File::open(path)?, vec![0; BLOCK], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(read),
            length => read += length as u64,
        }
    }
}

/// Lists a folder and all below, with everything that stat(2) tells.
pub(crate) fn list(folder: &Path) -> Outcome<()> {
    let status = Command::new("ls").arg("-lR").arg(folder).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(format!("ls failed with {status}").into()) }
}
