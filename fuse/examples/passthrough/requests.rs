//! The requests: each is the system call of its name.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid};

use crate::passing::Passthrough;
use crate::tree::{attributes, status, told};

/// How long the kernel believes what it was told, as in Waxseal.
const TTL: Duration = Duration::from_secs(1);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Filesystem for Passthrough {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for wanted in [
            InitFlags::FUSE_HANDLE_KILLPRIV_V2,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_AUTO_INVAL_DATA,
            InitFlags::FUSE_CACHE_SYMLINKS,
            InitFlags::FUSE_ASYNC_DIO,
        ] {
            config.add_capabilities(wanted).ok();
        }
        config.set_max_write(1 << 20).ok();
        config.set_max_background(64).ok();
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.tree.lookup(parent, name), reply);
    }

    fn forget(&self, _request: &Request, node: INodeNo, count: u64) {
        self.tree.forget(node, count);
    }

    fn getattr(&self, _request: &Request, node: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(node, handle) {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _request: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _changed: Option<SystemTime>,
        handle: Option<FileHandle>,
        _created: Option<SystemTime>,
        _change_time: Option<SystemTime>,
        _backed_up: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = || {
            if let Some(size) = size {
                self.truncate(node, handle, size)?;
            }
            let (directory, name) = self.tree.find(node)?;
            if uid.is_some() || gid.is_some() {
                let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
                rustix::fs::chownat(&*directory, &name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(told)?;
            }
            if let Some(mode) = mode {
                let mode = Mode::from_raw_mode(mode & 0o7777);
                rustix::fs::chmodat(&*directory, &name, mode, AtFlags::empty()).map_err(told)?;
            }
            if accessed.is_some() || modified.is_some() {
                let times = Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) };
                rustix::fs::utimensat(&*directory, &name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(told)?;
            }
            self.attributes(node, handle)
        };
        match set() {
            Ok(attributes) => reply.attr(&TTL, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _request: &Request, node: INodeNo, reply: ReplyData) {
        let read = || {
            let (directory, name) = self.tree.find(node)?;
            rustix::fs::readlinkat(&*directory, &name, Vec::new()).map_err(told)
        };
        match read() {
            Ok(target) => reply.data(target.as_bytes()),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        device: u32,
        reply: ReplyEntry,
    ) {
        let kind = rustix::fs::FileType::from_raw_mode(mode);
        let mode = Mode::from_raw_mode(mode & 0o7777);
        entry(self.named(parent, name, |at| rustix::fs::mknodat(at, name, kind, mode, device.into())), reply);
    }

    fn mkdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _umask: u32, reply: ReplyEntry) {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        entry(self.named(parent, name, |at| rustix::fs::mkdirat(at, name, mode)), reply);
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let unlink = |at: Arc<OwnedFd>| rustix::fs::unlinkat(&*at, name, AtFlags::empty()).map_err(told);
        empty(self.tree.directory(parent).and_then(unlink), reply);
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let remove = |at: Arc<OwnedFd>| rustix::fs::unlinkat(&*at, name, AtFlags::REMOVEDIR).map_err(told);
        empty(self.tree.directory(parent).and_then(remove), reply);
    }

    fn symlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        entry(self.named(parent, name, |at| rustix::fs::symlinkat(target, at, name)), reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let rename = || {
            let (from, to) = (self.tree.directory(parent)?, self.tree.directory(new_parent)?);
            let flags = rustix::fs::RenameFlags::from_bits_retain(flags.bits());
            rustix::fs::renameat_with(&*from, name, &*to, new_name, flags).map_err(told)?;
            self.tree.moved(new_parent, new_name);
            if flags.contains(rustix::fs::RenameFlags::EXCHANGE) {
                self.tree.moved(parent, name);
            }
            Ok(())
        };
        empty(rename(), reply);
    }

    fn link(&self, _request: &Request, node: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let linked = self.tree.find(node).and_then(|(directory, old)| {
            self.named(parent, name, |at| rustix::fs::linkat(&*directory, &old, at, name, AtFlags::empty()))
        });
        entry(linked, reply);
    }

    fn open(&self, _request: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let open = || {
            let (directory, name) = self.tree.find(node)?;
            rustix::fs::openat(&*directory, &name, below(flags.0) | OFlags::NOFOLLOW, Mode::empty()).map_err(told)
        };
        match open() {
            Ok(file) => {
                let handle = self.add(file);
                let unchanged = self.file(handle).is_ok_and(|file| self.tree.is_unchanged(node, &file));
                let mut told = FopenFlags::empty();
                told.set(FopenFlags::FOPEN_KEEP_CACHE, unchanged);
                told.set(FopenFlags::FOPEN_NOFLUSH, below(flags.0) & OFlags::RWMODE == OFlags::RDONLY);
                reply.opened(handle, told);
            }
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let create = || {
            let directory = self.tree.directory(parent)?;
            let flags = below(flags) | OFlags::CREATE | OFlags::NOFOLLOW;
            let mode = Mode::from_raw_mode(mode & 0o7777);
            let file = rustix::fs::openat(&*directory, name, flags, mode).map_err(told)?;
            let found = status(&file, OsStr::new(""))?;
            Ok::<_, Errno>((file, self.tree.know(parent, name, &found)))
        };
        match create() {
            Ok((file, (attributes, generation))) => {
                reply.created(&TTL, &attributes, generation, self.add(file), FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(buffer.len().max(size), 0);
            let read = |file: Arc<File>| Ok(file.read_at(&mut buffer[..size], offset)?);
            match self.file(handle).and_then(read) {
                Ok(length) => reply.data(&buffer[..length]),
                Err(error) => reply.error(error),
            }
        });
    }

    fn write(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write(handle, data, offset) {
            Ok(length) => reply.written(u32::try_from(length).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _request: &Request, _node: INodeNo, _handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        // Nothing was kept back.
        reply.ok();
    }

    fn release(
        &self,
        _request: &Request,
        node: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        if let Some(file) = self.remove(handle) {
            self.tree.close(node, &file);
        }
        reply.ok();
    }

    fn fsync(&self, _request: &Request, _node: INodeNo, handle: FileHandle, data_only: bool, reply: ReplyEmpty) {
        empty(self.sync(handle, data_only), reply);
    }

    fn opendir(&self, _request: &Request, node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.begin_listing(node) {
            Ok(handle) => reply.opened(handle, FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(&self, _request: &Request, _node: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        match self.list(handle, offset, |_, entry| reply.add(entry.number, entry.next, entry.kind, &entry.name)) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn readdirplus(
        &self,
        _request: &Request,
        node: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let listed = self.list(handle, offset, |listing, entry| {
            let Ok(found) = status(&listing.directory, &entry.name) else { return false };
            if entry.name == "." || entry.name == ".." {
                // The kernel takes nothing from these but the name and the number, and does not count them.
                let shown = attributes(entry.number, &found);
                return reply.add(entry.number, entry.next, &entry.name, &TTL, &shown, Generation(0));
            }
            let (shown, generation) = self.tree.know(node, &entry.name, &found);
            let full = reply.add(shown.ino, entry.next, &entry.name, &TTL, &shown, generation);
            if full {
                self.tree.forget(shown.ino, 1);
            }
            full
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn releasedir(&self, _request: &Request, _node: INodeNo, handle: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        self.end_listing(handle);
        reply.ok();
    }

    fn fsyncdir(&self, _request: &Request, node: INodeNo, _handle: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let sync = |at: Arc<OwnedFd>| {
            rustix::fs::fsync(rustix::fs::openat(&*at, c".", flags, Mode::empty()).map_err(told)?).map_err(told)
        };
        empty(self.tree.directory(node).and_then(sync), reply);
    }

    fn statfs(&self, _request: &Request, _node: INodeNo, reply: ReplyStatfs) {
        match self.tree.directory(INodeNo::ROOT).and_then(|root| rustix::fs::fstatvfs(&*root).map_err(told)) {
            Ok(space) => {
                let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
                let (blocks, files) = ((space.f_blocks, space.f_bfree, space.f_bavail), (space.f_files, space.f_ffree));
                let (size, longest) = (narrow(space.f_bsize), narrow(space.f_namemax));
                reply.statfs(blocks.0, blocks.1, blocks.2, files.0, files.1, size, longest, narrow(space.f_frsize));
            }
            Err(error) => reply.error(error),
        }
    }

    fn getxattr(&self, _request: &Request, node: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        // Waxseal has no others, and says so: programs then stop asking for those of every file.
        let name_space = name.as_encoded_bytes().split(|byte| *byte == b'.').next();
        if !matches!(name_space, Some(b"user" | b"trusted")) {
            return reply.error(Errno::EOPNOTSUPP);
        }
        let mut value = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let get = |path: OsString| rustix::fs::lgetxattr(&path, name, &mut value[..]).map_err(told);
        let found = self.path(node).and_then(get);
        sized(found, &value, reply);
    }

    fn listxattr(&self, _request: &Request, node: INodeNo, size: u32, reply: ReplyXattr) {
        let mut names = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let list = |path: OsString| rustix::fs::llistxattr(&path, &mut names[..]).map_err(told);
        let found = self.path(node).and_then(list);
        sized(found, &names, reply);
    }
}

fn entry(result: Result<(FileAttr, Generation), Errno>, reply: ReplyEntry) {
    match result {
        Ok((attributes, generation)) => reply.entry(&TTL, &attributes, generation),
        Err(error) => reply.error(error),
    }
}

fn empty(result: Result<(), Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn sized(found: Result<usize, Errno>, bytes: &[u8], reply: ReplyXattr) {
    match found {
        Ok(length) if bytes.is_empty() => reply.size(u32::try_from(length).unwrap_or(u32::MAX)),
        Ok(length) => reply.data(&bytes[..length]),
        Err(error) => reply.error(error),
    }
}

/// The flags that the file below is opened with: the kernel reads through descriptors that may only write.
fn below(flags: i32) -> OFlags {
    let flags = OFlags::from_bits_retain(flags.cast_unsigned()) | OFlags::CLOEXEC;
    let flags = flags - OFlags::APPEND - OFlags::DIRECT;
    if flags & OFlags::RWMODE == OFlags::WRONLY { (flags - OFlags::WRONLY) | OFlags::RDWR } else { flags }
}

fn timespec(time: Option<TimeOrNow>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(TimeOrNow::Now) => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        Some(TimeOrNow::SpecificTime(time)) => {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
            Timespec { tv_sec: seconds, tv_nsec: since.subsec_nanos().into() }
        }
    }
}
