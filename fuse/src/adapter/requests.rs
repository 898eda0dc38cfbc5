//! The requests, one by one.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, FileHandle, FopenFlags, INodeNo, InitFlags, KernelConfig, LockOwner, OpenFlags,
    RenameFlags as FuseRenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{OFlags, RenameFlags, XattrFlags};
use rustix::io::Errno;

use super::{Adapter, TTL, attr, caller, generation, kind, point};
use crate::filesystem::{Changes, Known, Opened};
use crate::names;

/// The largest write that the kernel sends in one request, in bytes.
const MAX_WRITE: u32 = 1 << 20;

/// Requests that the kernel sends without waiting for the answer to those before.
const MAX_BACKGROUND: u16 = 64;

/// lseek(2): the next data, the next hole.
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

thread_local! {
    /// What is read into, once for each thread.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl fuser::Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Each where the kernel has it; none is needed. FUSE_ATOMIC_O_TRUNC is not among them: with it a file is cut before the
        // kernel finds that it is being executed, and refuses.
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
        config.set_max_write(MAX_WRITE).ok();
        config.set_max_background(MAX_BACKGROUND).ok();
        // The kernel's own limit, if it is lower.
        if let Err(limit) = config.set_max_readahead(MAX_WRITE) {
            config.set_max_readahead(limit).ok();
        }
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.call(|filesystem| filesystem.lookup(parent.0, name)), reply);
    }

    fn forget(&self, _request: &Request, node: INodeNo, count: u64) {
        self.call(|filesystem| {
            filesystem.forget(node.0, count);
            Ok(())
        })
        .ok();
    }

    fn getattr(&self, _request: &Request, node: INodeNo, _handle: Option<FileHandle>, reply: ReplyAttr) {
        match self.call(|filesystem| filesystem.attributes(node.0)) {
            Ok(attributes) => reply.attr(&TTL, &attr(&attributes)),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        request: &Request,
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
        let changes = Changes { mode, uid, gid, size, accessed: accessed.map(point), modified: modified.map(point) };
        let (filesystem, caller) = (Arc::clone(&self.filesystem), caller(request));
        let handle = handle.map(|handle| handle.0);
        let set = async move { filesystem.set_attributes(node.0, handle, changes, caller).await };
        self.answer(set, move |result| match result {
            Ok(attributes) => reply.attr(&TTL, &attr(&attributes)),
            Err(error) => reply.error(error),
        });
    }

    fn readlink(&self, _request: &Request, node: INodeNo, reply: ReplyData) {
        match self.call(|filesystem| filesystem.read_link(node.0)) {
            Ok(target) => reply.data(&target),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        device: u32,
        reply: ReplyEntry,
    ) {
        let (filesystem, caller, name) = (Arc::clone(&self.filesystem), caller(request), name.to_owned());
        let make = async move { filesystem.make_node(parent.0, &name, mode, device, caller).await };
        self.answer(make, move |result| entry(result, reply));
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, _umask: u32, reply: ReplyEntry) {
        let caller = caller(request);
        entry(self.call(|filesystem| filesystem.make_directory(parent.0, name, mode, caller)), reply);
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.call(|filesystem| filesystem.unlink(parent.0, name)), reply);
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.call(|filesystem| filesystem.remove_directory(parent.0, name)), reply);
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let caller = caller(request);
        entry(self.call(|filesystem| filesystem.make_link(parent.0, name, target.as_os_str(), caller)), reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: FuseRenameFlags,
        reply: ReplyEmpty,
    ) {
        let flags = RenameFlags::from_bits_retain(flags.bits());
        empty(self.call(|filesystem| filesystem.rename((parent.0, name), (new_parent.0, new_name), flags)), reply);
    }

    fn link(&self, _request: &Request, node: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(self.call(|filesystem| filesystem.link(node.0, parent.0, name)), reply);
    }

    fn open(&self, request: &Request, node: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let (filesystem, caller, flags) = (Arc::clone(&self.filesystem), caller(request), open_flags(flags.0));
        let open = async move { filesystem.open(node.0, flags, caller).await };
        self.answer(open, move |result| match result {
            Ok(opened) => reply.opened(FileHandle(opened.handle), reply_flags(&opened)),
            Err(error) => reply.error(error),
        });
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (filesystem, caller, name) = (Arc::clone(&self.filesystem), caller(request), name.to_owned());
        let create = async move { filesystem.create(parent.0, &name, mode, open_flags(flags), caller).await };
        self.answer(create, move |result: Result<(Known, Opened), _>| match result {
            Ok((known, opened)) => {
                let handle = FileHandle(opened.handle);
                reply.created(&TTL, &attr(&known.attributes), generation(&known), handle, reply_flags(&opened));
            }
            Err(error) => reply.error(error),
        });
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
            match self.call(|filesystem| filesystem.read(handle.0, &mut buffer[..size], offset)) {
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
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let kills = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        let reply = Cell::new(Some(reply));
        let taken = || {
            if let Some(reply) = reply.take() {
                reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX));
            }
        };
        match self.call(|filesystem| filesystem.write(handle.0, data, offset, kills, &taken)) {
            Ok(()) => taken(),
            // After the answer it is the file's to tell.
            Err(error) => reply.take().into_iter().for_each(|reply| reply.error(error)),
        }
    }

    fn flush(&self, _request: &Request, _node: INodeNo, handle: FileHandle, _owner: LockOwner, reply: ReplyEmpty) {
        empty(self.call(|filesystem| filesystem.flush(handle.0)), reply);
    }

    fn release(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let released = self.call(|filesystem| {
            filesystem.release(handle.0);
            Ok(())
        });
        empty(released, reply);
    }

    fn fsync(&self, _request: &Request, _node: INodeNo, handle: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        empty(self.call(|filesystem| filesystem.sync(handle.0)), reply);
    }

    fn opendir(&self, _request: &Request, node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.call(|filesystem| filesystem.open_directory(node.0)) {
            Ok(handle) => reply.opened(FileHandle(handle), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(&self, _request: &Request, node: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.call(|filesystem| {
            filesystem.list(handle.0, offset, false, &mut |entry, _| {
                let number = INodeNo(filesystem.entry_number(entry, node.0));
                reply.add(number, entry.next, kind(entry.kind), &entry.name)
            })
        });
        match listed {
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
        let listed = self.call(|filesystem| {
            filesystem.list(handle.0, offset, true, &mut |entry, known| match known {
                Some(known) => {
                    let number = INodeNo(known.attributes.node);
                    let attributes = attr(&known.attributes);
                    reply.add(number, entry.next, &entry.name, &TTL, &attributes, generation(&known))
                }
                None => {
                    // "." and "..": the kernel takes nothing from them but the name and the number.
                    let Ok(mut attributes) = filesystem.attributes(node.0) else { return false };
                    attributes.node = filesystem.entry_number(entry, node.0);
                    let number = INodeNo(attributes.node);
                    reply.add(number, entry.next, &entry.name, &TTL, &attr(&attributes), fuser::Generation(0))
                }
            })
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn releasedir(&self, _request: &Request, _node: INodeNo, handle: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        let closed = self.call(|filesystem| {
            filesystem.close_directory(handle.0);
            Ok(())
        });
        empty(closed, reply);
    }

    fn fsyncdir(&self, _request: &Request, _node: INodeNo, handle: FileHandle, _data_only: bool, reply: ReplyEmpty) {
        empty(self.call(|filesystem| filesystem.sync_directory(handle.0)), reply);
    }

    fn statfs(&self, _request: &Request, _node: INodeNo, reply: ReplyStatfs) {
        match self.call(crate::filesystem::Filesystem::space) {
            Ok(space) => {
                let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
                let longest = u32::try_from(names::MAX_NAME_LEN).unwrap_or(u32::MAX);
                reply.statfs(
                    space.f_blocks,
                    space.f_bfree,
                    space.f_bavail,
                    space.f_files,
                    space.f_ffree,
                    narrow(space.f_bsize),
                    longest,
                    narrow(space.f_frsize),
                );
            }
            Err(error) => reply.error(error),
        }
    }

    fn setxattr(
        &self,
        _request: &Request,
        node: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let (filesystem, name, value) = (Arc::clone(&self.filesystem), name.to_owned(), value.to_vec());
        let flags = XattrFlags::from_bits_retain(flags.cast_unsigned());
        let set = async move { filesystem.set_attribute(node.0, &name, &value, flags).await };
        self.answer(set, move |result| empty(result, reply));
    }

    fn getxattr(&self, _request: &Request, node: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        let (filesystem, name) = (Arc::clone(&self.filesystem), name.to_owned());
        let get = async move { filesystem.attribute(node.0, &name).await };
        self.answer(get, move |result| sized(result, size, reply));
    }

    fn listxattr(&self, _request: &Request, node: INodeNo, size: u32, reply: ReplyXattr) {
        sized(self.call(|filesystem| filesystem.attribute_names(node.0)), size, reply);
    }

    fn removexattr(&self, _request: &Request, node: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(self.call(|filesystem| filesystem.remove_attribute(node.0, name)), reply);
    }

    fn fallocate(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let allocated = self.call(|filesystem| {
            let mode = u32::try_from(mode).map_err(|_| Errno::OPNOTSUPP)?;
            filesystem.allocate(handle.0, offset, length, mode)
        });
        empty(allocated, reply);
    }

    fn lseek(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let found = self.call(|filesystem| {
            let offset = u64::try_from(offset).map_err(|_| Errno::NXIO)?;
            let data = match whence {
                SEEK_DATA => true,
                SEEK_HOLE => false,
                _ => return Err(Errno::INVAL),
            };
            let found = filesystem.seek(handle.0, offset, data)?;
            i64::try_from(found).map_err(|_| Errno::OVERFLOW)
        });
        match found {
            Ok(offset) => reply.offset(offset),
            Err(error) => reply.error(error),
        }
    }

    fn copy_file_range(
        &self,
        _request: &Request,
        _from: INodeNo,
        from_handle: FileHandle,
        from_offset: u64,
        _to: INodeNo,
        to_handle: FileHandle,
        to_offset: u64,
        length: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let copied =
            self.call(|filesystem| filesystem.copy((from_handle.0, from_offset), (to_handle.0, to_offset), length));
        match copied {
            Ok(length) => reply.written(u32::try_from(length).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error),
        }
    }
}

fn entry(result: Result<Known, fuser::Errno>, reply: ReplyEntry) {
    match result {
        Ok(known) => reply.entry(&TTL, &attr(&known.attributes), generation(&known)),
        Err(error) => reply.error(error),
    }
}

fn empty(result: Result<(), fuser::Errno>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

/// Answers with bytes, or with how many there are if the size asked for is 0.
fn sized(result: Result<Vec<u8>, fuser::Errno>, size: u32, reply: ReplyXattr) {
    match result {
        Ok(bytes) => match u32::try_from(bytes.len()) {
            Ok(length) if size == 0 => reply.size(length),
            Ok(length) if length <= size => reply.data(&bytes),
            _ => reply.error(fuser::Errno::ERANGE),
        },
        Err(error) => reply.error(error),
    }
}

fn open_flags(flags: i32) -> OFlags {
    OFlags::from_bits_retain(flags.cast_unsigned())
}

fn reply_flags(opened: &Opened) -> FopenFlags {
    let mut flags = FopenFlags::empty();
    flags.set(FopenFlags::FOPEN_KEEP_CACHE, opened.keep_cache);
    // To close a descriptor that only reads takes one request less, and its program waits for none.
    flags.set(FopenFlags::FOPEN_NOFLUSH, !opened.may_write);
    flags
}
