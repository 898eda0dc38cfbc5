//! A scratch folder with a plain file and a container of the same content.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;
use waxseal_container::{Core, Header, Sealer, Sink, Source, Suite, Unlocked};
use waxseal_key_service::{DataKey, EncryptedDataKey, EncryptionContext, Provider};

use crate::Outcome;

const KEY: [u8; 32] = [0x5a; 32];

/// A scratch folder on one file system.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    /// What the files hold; it does not compress.
    pub(crate) content: Vec<u8>,
}

impl Scratch {
    /// Makes a scratch folder in `parent`, and in it a plain file and a container of `len` bytes.
    pub(crate) fn new(parent: &Path, len: usize) -> Outcome<Self> {
        let folder = TempDir::with_prefix_in("waxseal-bench-", parent)
            .map_err(|error| format!("cannot work in {}: {error}", parent.display()))?;
        let mut noise = Noise::new(1);
        let content = (0..len / 8).flat_map(|_| noise.next().to_le_bytes()).collect();
        let scratch = Self { folder, content };
        fs::write(scratch.plain(), &scratch.content)?;
        scratch.seal_into(&File::create(scratch.container())?)?;
        Ok(scratch)
    }

    /// The plain file.
    pub(crate) fn plain(&self) -> PathBuf {
        self.folder.path().join("plain")
    }

    /// The container.
    pub(crate) fn container(&self) -> PathBuf {
        self.folder.path().join("container")
    }

    /// A file that does not exist yet.
    pub(crate) fn new_file(&self) -> io::Result<File> {
        let path = self.folder.path().join("new");
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Seals the content in one pass, on all cores.
    pub(crate) fn seal_into(&self, file: &File) -> Outcome<()> {
        let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        sealer()?.seal(Source::File(&&self.content[..]), Sink::File(file), threads)?;
        Ok(())
    }

    /// Opens a file for reading and writing, with nothing of it in the page cache.
    pub(crate) fn open_cold(&self, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        rustix::fs::syncfs(&file)?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
        Ok(file)
    }

    /// Fills as much memory as a run takes and frees it at once, so that the run gets pages that are there.
    ///
    /// A virtual machine gives memory that has been free for a while back to its host, and whoever takes it again pays.
    pub(crate) fn take_memory(&self, memory_dir: &Path) -> io::Result<()> {
        let mut file = tempfile::tempfile_in(memory_dir)?;
        file.write_all(&self.content)?;
        file.write_all(&self.content)
    }

    /// The type of the file system, such as ext4 or tmpfs.
    pub(crate) fn file_system(&self) -> io::Result<String> {
        let path = self.folder.path().canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let fields = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        });
        let longest = fields.filter(|(place, _)| path.starts_with(place)).max_by_key(|(place, _)| place.len());
        Ok(longest.map_or("unknown", |(_, kind)| kind).to_owned())
    }
}

/// A new container.
pub(crate) fn sealer() -> Outcome<Sealer> {
    let core = Core::new(Suite::default(), EncryptionContext::new(), None)?;
    let key = EncryptedDataKey {
        provider: Provider::Local,
        key_arn: "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse()?,
        ciphertext_blob: vec![0xc1; 90],
    };
    Ok(Sealer::new(core, &[key], &data_key())?)
}

/// The header of a container, with its keys.
pub(crate) fn unlock(file: &mut File) -> Outcome<Unlocked> {
    Ok(Header::read_from(file)?.unlock(&data_key())?)
}

fn data_key() -> DataKey {
    DataKey::take(&mut KEY.clone())
}

/// A xorshift generator: not random enough for anything but filling files and choosing places in them.
#[derive(Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    /// The same seed gives the same numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
