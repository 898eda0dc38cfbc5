//! What the tests share: containers in files, storage that fails, and readers.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use waxseal_container::{
    Backing, Core, Editor, Header, Interrupted, ReadAt, Sealer, Sink, Source, Suite, Unlocked, WriteAt,
};
use waxseal_key_service::{DataKey, EncryptedDataKey, EncryptionContext, Provider};

use crate::{Finding, Fsck};

pub(super) const THREADS: NonZeroUsize = NonZeroUsize::MIN;

fn data_key() -> DataKey {
    DataKey::take(&mut [0x5a; 32])
}

/// Bytes of which no two chunks are alike, and none is zero.
pub(super) fn content(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 4096 * 7 + at * 31 + at / 256 + seed).to_le_bytes()[0] | 1).collect()
}

/// A container in a file without a name.
pub(super) fn sealed(suite: Suite, plaintext: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    sealer(suite).seal(Source::File(&plaintext), Sink::File(&file), THREADS).unwrap();
    file
}

pub(super) fn sealer(suite: Suite) -> Sealer {
    let core = Core::new(suite, EncryptionContext::new(), None).unwrap();
    let key = EncryptedDataKey {
        provider: Provider::Local,
        key_arn: "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
        ciphertext_blob: vec![0xc1; 90],
    };
    Sealer::new(core, &[key], &data_key()).unwrap()
}

/// The same bytes in another file.
pub(super) fn copy(file: &File) -> File {
    file_of(&bytes(file))
}

pub(super) fn file_of(bytes: &[u8]) -> File {
    let file = tempfile::tempfile().unwrap();
    FileExt::write_all_at(&file, bytes, 0).unwrap();
    file
}

pub(super) fn bytes(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// Another open file description of the same file.
pub(super) fn reopened(file: &File) -> File {
    use std::os::fd::AsRawFd as _;
    File::options().read(true).write(true).open(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap()
}

pub(super) fn unlock(file: &File) -> Unlocked {
    let mut header = [0; 2048];
    file.read_exact_at(&mut header, 0).unwrap();
    Header::parse(&header).unwrap().unlock(&data_key()).unwrap()
}

/// All that a recovering reader sees.
pub(super) fn recovered(file: &File) -> Vec<u8> {
    let mut plaintext = Vec::new();
    unlock(file).open(Source::File(file), Sink::Stream(&mut plaintext), Interrupted::Recover, THREADS).unwrap();
    plaintext
}

pub(super) fn fsck() -> Fsck<'static> {
    Fsck { threads: THREADS, progress: &|_| {} }
}

/// Checks a container through an open file description of its own.
pub(super) fn check(file: &File) -> Finding {
    fsck().check(&unlock(file), &reopened(file)).unwrap()
}

/// A file that fails with everything that would change it from the operation of this number on, as if its writer had been
/// killed there.
pub(super) struct Cut<'a> {
    pub(super) file: &'a File,
    pub(super) left: AtomicU64,
}

impl<'a> Cut<'a> {
    pub(super) fn after(operations: u64, file: &'a File) -> Self {
        Self { file, left: AtomicU64::new(operations) }
    }

    fn step(&self, operation: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let counted = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        counted.map_err(|_| io::Error::other("cut off")).and_then(|_| operation())
    }
}

impl ReadAt for Cut<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        ReadAt::read_at(self.file, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}

impl WriteAt for Cut<'_> {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.step(|| WriteAt::write_all_at(self.file, bytes, offset))
    }

    fn set_len(&self, size: u64) -> io::Result<()> {
        self.step(|| WriteAt::set_len(self.file, size))
    }
}

impl Backing for Cut<'_> {
    fn zero(&self, offset: u64, length: u64) -> io::Result<()> {
        self.step(|| self.file.zero(offset, length))
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A container whose writer ended after its last flush: overwritten in the middle and at the end, and appended to.
pub(super) fn interrupted(suite: Suite) -> (File, Vec<u8>) {
    let mut expected = content(300_000, 0);
    let file = sealed(suite, &expected);
    let patch = content(20_000, 100);
    let mut editor = Editor::open(unlock(&file), file).unwrap();
    for offset in [200_000, 290_000] {
        editor.write_at(&patch, offset as u64).unwrap();
        editor.flush().unwrap();
        expected.resize(expected.len().max(offset + patch.len()), 0);
        expected[offset..offset + patch.len()].copy_from_slice(&patch);
    }
    (editor.into_backing(), expected)
}
