//! A file system to measure on, with a scratch folder that goes away at the end.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Options, Outcome};

/// What a file system is kept on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Memory: no disk decides how fast it is.
    Memory,
    /// A disk: a comparison is fair only if everybody's outputs have reached it.
    Disk,
}

/// A scratch folder on one file system.
#[derive(Debug)]
pub(crate) struct Place {
    medium: Medium,
    scratch: TempDir,
    folder: File,
    memory: PathBuf,
    cold: bool,
}

impl Place {
    /// Makes a scratch folder in `parent`.
    pub(crate) fn new(medium: Medium, parent: &Path, options: &Options) -> Outcome<Self> {
        let scratch = TempDir::with_prefix_in("waxseal-bench-", parent)
            .map_err(|error| format!("cannot work in {}: {error}", parent.display()))?;
        let folder = File::open(scratch.path())?;
        Ok(Self { medium, scratch, folder, memory: options.memory_dir.clone(), cold: options.cold })
    }

    /// The name in the report.
    pub(crate) fn name(&self) -> &'static str {
        match self.medium {
            Medium::Memory => "memory",
            Medium::Disk => "disk",
        }
    }

    /// Whether what is written here has to reach a disk.
    pub(crate) fn is_disk(&self) -> bool {
        self.medium == Medium::Disk
    }

    /// A path in the scratch folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Writes everything of this file system out.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.folder)?)
    }

    /// Puts the machine at rest before a run, so that no contender pays for what another one left behind.
    pub(crate) fn settle(&self, inputs: &[PathBuf], fills: u64) -> io::Result<()> {
        self.sync()?;
        if self.cold {
            fs::write("/proc/sys/vm/drop_caches", "3")?;
        } else {
            // The system may have dropped what only some of the contenders read.
            inputs.iter().try_for_each(|input| read_through(input))?;
        }
        self.take_memory(fills)
    }

    /// Fills some memory and frees it at once, so that the next run gets pages that are there.
    ///
    /// A virtual machine gives memory that has been free for a while back to its host. Taking it again costs whoever
    /// comes first: without this, one and the same `cp` takes between 0.2 and 2 seconds.
    fn take_memory(&self, bytes: u64) -> io::Result<()> {
        let mut file = tempfile::tempfile_in(&self.memory)?;
        io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
        Ok(())
    }

    /// The type of the file system, such as ext4 or tmpfs.
    pub(crate) fn file_system(&self) -> io::Result<String> {
        let path = self.scratch.path().canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let longest = mounts
            .lines()
            .filter_map(|line| {
                let mut fields = line.split(' ').skip(1);
                Some((fields.next()?, fields.next()?))
            })
            .filter(|(mounted_at, _)| path.starts_with(mounted_at))
            .max_by_key(|(mounted_at, _)| mounted_at.len());
        Ok(longest.map_or("unknown", |(_, kind)| kind).to_owned())
    }

    /// Writes a file of `len` bytes that do not compress. The same seed gives the same bytes.
    pub(crate) fn random_file(&self, path: &Path, len: u64, seed: u64) -> io::Result<()> {
        let noise = Noise(seed.wrapping_mul(2).wrapping_add(1));
        let mut file = File::create_new(path)?;
        io::copy(&mut BufReader::with_capacity(1 << 16, noise).take(len), &mut file)?;
        file.flush()
    }
}

/// Reads a file for no other purpose than to have it in the page cache.
fn read_through(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 17];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Checks that two files hold the same bytes: a fast program that decrypts wrongly has no place in a comparison.
pub(crate) fn assert_same(one: &Path, other: &Path) -> Outcome<()> {
    let (mut left, mut right) = (BufReader::new(File::open(one)?), File::open(other)?);
    let mut buffers = (vec![0; 1 << 16], vec![0; 1 << 16]);
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Err(format!("{} and {} differ in length", one.display(), other.display()).into());
    }
    loop {
        let count = left.read(&mut buffers.0)?;
        if count == 0 {
            return Ok(());
        }
        right.read_exact(&mut buffers.1[..count])?;
        if buffers.0[..count] != buffers.1[..count] {
            return Err(format!("{} and {} differ", one.display(), other.display()).into());
        }
    }
}

/// A xorshift generator: not random enough for anything but filling files.
struct Noise(u64);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for word in buffer.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            word.copy_from_slice(&self.0.to_le_bytes()[..word.len()]);
        }
        Ok(buffer.len())
    }
}
