//! New files, directories and everything else that can be given a name.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use waxseal_container::Editor;
use waxseal_envelope::lock_exclusive;

use super::files::access;
use super::{Caller, Filesystem, Known, Opened};
use crate::attributes::{Below, device_of};
use crate::backing::{self, path_of, pin_at, status_at};
use crate::names;
use crate::open_file::CLOCK_TICK;
use crate::open_file::{Content, Descriptor, OpenFile};
use crate::report::{errno, shown};

/// A container without a name yet.
struct Unnamed {
    file: Arc<File>,
    /// Its temporary name, where the file system has no files without one.
    temporary: Option<OsString>,
}

impl Filesystem {
    /// Makes a file and opens it.
    ///
    /// # Errors
    /// `EEXIST` if the name is taken, also by something that is not shown; `ENAMETOOLONG`; `EACCES`, `ENOKEY` or
    /// `ETIMEDOUT` if no data key can be had; what the file system below says.
    pub(crate) async fn create(
        self: &Arc<Self>,
        parent: u64,
        name: &OsStr,
        mode: u32,
        flags: OFlags,
        caller: Caller,
    ) -> Result<(Known, Opened), Errno> {
        self.writable()?;
        match self.create_new(parent, name, mode, flags, caller).await {
            // Another program may have made it just now, and this one does not mind.
            Err(Errno::EXIST) if !flags.contains(OFlags::EXCL) => {
                let known = self.lookup(parent, name).map_err(|_| Errno::EXIST)?;
                let opened = self.open(known.attributes.node, flags, caller).await;
                opened.map(|opened| (known, opened)).inspect_err(|_| self.forget(known.attributes.node, 1))
            }
            result => result,
        }
    }

    async fn create_new(
        self: &Arc<Self>,
        parent: u64,
        name: &OsStr,
        mode: u32,
        flags: OFlags,
        caller: Caller,
    ) -> Result<(Known, Opened), Errno> {
        let directory = self.backing.directory(&self.nodes, parent)?;
        names::check_new(name)?;
        // Linking does not replace a container of this name; what is stored as it is called is to be left alone too.
        self.check_stored(&directory, name, name)?;
        let stored = names::of_container(name);
        let (sealer, since) = self.keys.make().await.map_err(|error| self.reporter.envelope(&stored, &error))?;
        let unnamed = self.make_unnamed(&directory, mode, caller)?;
        let finished = (|| {
            let file = Arc::clone(&unnamed.file);
            if !lock_exclusive(&file).map_err(|error| errno(&error))? {
                return Err(Errno::BUSY);
            }
            let editor = sealer.create(Arc::clone(&file)).map_err(|error| self.reporter.container(&stored, &error))?;
            let below = backing::status(&file)?;
            if self.give(&file, &below, &directory, caller)? || u32::from(below.stat.stx_mode) & 0o7777 != mode & 0o7777
            {
                rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?;
            }
            unnamed.name(&directory, &stored).inspect_err(|error| self.explain_taken(*error, &stored, name))?;
            let below = backing::status(&file)?;
            Ok((file, editor, below))
        })();
        let (file, editor, below): (Arc<File>, Editor<Arc<File>>, Below) =
            finished.inspect_err(|_| unnamed.discard(&directory))?;
        let (node, generation) = self.nodes.remember(below.identity, parent, &stored);
        let unlocked = editor.unlocked().clone();
        let content = Content::Exclusive(Box::new(editor));
        let opened = Arc::new(OpenFile::new(
            Descriptor { file, writable: true },
            (unlocked, since),
            &stored,
            content,
            &self.unflushed,
            &self.reporter,
        ));
        self.open.insert(node, &opened);
        let access = access(flags);
        let handle = self.open.add_handle(node, opened, access);
        // It is open by now, so nobody has to look below whether it is as empty as it seems.
        let known = Known { attributes: self.shown_attributes(node, &below), generation };
        Ok((known, Opened { handle, keep_cache: false, may_write: access.write }))
    }

    /// Makes a file that is not opened, a fifo, a socket or a device (mknod(2)).
    pub(crate) async fn make_node(
        self: &Arc<Self>,
        parent: u64,
        name: &OsStr,
        mode: u32,
        device: u32,
        caller: Caller,
    ) -> Result<Known, Errno> {
        let kind = FileType::from_raw_mode(mode);
        if kind == FileType::RegularFile {
            let flags = OFlags::RDWR | OFlags::EXCL;
            let (known, opened) = self.create(parent, name, mode, flags, caller).await?;
            self.release(opened.handle);
            return Ok(known);
        }
        self.make_other(parent, name, kind, caller, |directory| {
            let mode = Mode::from_raw_mode(mode & 0o7777);
            rustix::fs::mknodat(directory, name, kind, mode, device_of(device))
        })
    }

    /// Makes a directory.
    pub(crate) fn make_directory(&self, parent: u64, name: &OsStr, mode: u32, caller: Caller) -> Result<Known, Errno> {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        self.make_other(parent, name, FileType::Directory, caller, |directory| {
            rustix::fs::mkdirat(directory, name, mode)
        })
    }

    /// Makes a symbolic link.
    pub(crate) fn make_link(&self, parent: u64, name: &OsStr, target: &OsStr, caller: Caller) -> Result<Known, Errno> {
        self.make_other(parent, name, FileType::Symlink, caller, |directory| {
            rustix::fs::symlinkat(target, directory, name)
        })
    }

    /// Makes something that is no container.
    fn make_other(
        &self,
        parent: u64,
        name: &OsStr,
        kind: FileType,
        caller: Caller,
        make: impl FnOnce(&OwnedFd) -> Result<(), Errno>,
    ) -> Result<Known, Errno> {
        self.writable()?;
        let directory = self.backing.directory(&self.nodes, parent)?;
        names::check_new(name)?;
        // The kernel has asked for a container of this name just before.
        // File systems take the time of the last tick of a clock.
        let since = SystemTime::now() - CLOCK_TICK;
        make(&directory).inspect_err(|error| self.explain_taken(*error, name, name))?;
        let made = pin_at(&directory, name)?;
        let below = backing::status(&made)?;
        let is_given = (below.stat.stx_uid, below.stat.stx_gid) != (caller.uid, caller.gid);
        if is_given && !below.is_new(kind, since) {
            // Somebody else has put another thing there by now, which is not ours to give away.
            self.reporter.warning(&format!("{}: another file has taken the place of a new one", shown(name)));
            return Err(Errno::STALE);
        }
        if let Err(error) = self.give(&made, &below, &directory, caller) {
            let flags = if below.kind == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            rustix::fs::unlinkat(&directory, name, flags).ok();
            return Err(error);
        }
        let below = backing::status(&made)?;
        Ok(self.know(parent, name, &below))
    }

    /// Gives what was made just now to who asked for it, and returns whether it was another's. In a directory with the
    /// set-group-id bit the group stays as it is.
    fn give(
        &self,
        made: &impl std::os::fd::AsFd,
        below: &Below,
        directory: &OwnedFd,
        caller: Caller,
    ) -> Result<bool, Errno> {
        let (uid, gid) = (below.stat.stx_uid, below.stat.stx_gid);
        if (uid, gid) == (caller.uid, caller.gid) {
            return Ok(false);
        }
        let inherits_group = backing::status(directory)?.stat.stx_mode & 0o2000 != 0;
        let uid = (uid != caller.uid).then(|| Uid::from_raw(caller.uid));
        let gid = (!inherits_group && gid != caller.gid).then(|| Gid::from_raw(caller.gid));
        if uid.is_none() && gid.is_none() {
            return Ok(false);
        }
        rustix::fs::chownat(made, c"", uid, gid, AtFlags::EMPTY_PATH)?;
        Ok(true)
    }

    /// A new file that has no name, or none that is shown.
    fn make_unnamed(&self, directory: &OwnedFd, mode: u32, caller: Caller) -> Result<Unnamed, Errno> {
        let own = (geteuid().as_raw(), getegid().as_raw()) == (caller.uid, caller.gid);
        // Nobody but the daemon may reach it before it is given away.
        let mode = Mode::from_raw_mode(mode & if own { 0o7777 } else { 0o700 });
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(directory, c".", flags | OFlags::TMPFILE, mode) {
            Ok(file) => return Ok(Unnamed { file: Arc::new(file.into()), temporary: None }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
            Err(error) => return Err(error),
        }
        loop {
            let mut random = [0; 16];
            getrandom::fill(&mut random).map_err(|_| Errno::IO)?;
            let name = OsString::from(format!("{}{:032x}", names::TEMPORARY_PREFIX, u128::from_le_bytes(random)));
            match rustix::fs::openat(directory, &name, flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW, mode) {
                Err(Errno::EXIST) => {}
                result => return Ok(Unnamed { file: Arc::new(result?.into()), temporary: Some(name) }),
            }
        }
    }

    /// What lies at a name, for whoever is about to change it.
    pub(super) fn entry(&self, parent: u64, name: &OsStr) -> Result<(Arc<OwnedFd>, OsString, Below), Errno> {
        self.writable()?;
        let directory = self.backing.directory(&self.nodes, parent)?;
        let (stored, below) = self.resolve(&directory, name)?;
        Ok((directory, stored, below))
    }
}

impl Unnamed {
    /// Gives it its name; what has that name already stays.
    fn name(&self, directory: &OwnedFd, stored: &OsStr) -> Result<(), Errno> {
        match &self.temporary {
            None => rustix::fs::linkat(CWD, path_of(&self.file), directory, stored, AtFlags::SYMLINK_FOLLOW),
            Some(temporary) => {
                match rustix::fs::renameat_with(directory, temporary, directory, stored, RenameFlags::NOREPLACE) {
                    // The file system has no such rename: link(2) does not replace either.
                    Err(Errno::INVAL | Errno::NOSYS) => {
                        rustix::fs::linkat(directory, temporary, directory, stored, AtFlags::empty())?;
                        rustix::fs::unlinkat(directory, temporary, AtFlags::empty())
                    }
                    result => result,
                }
            }
        }
    }

    fn discard(&self, directory: &OwnedFd) {
        if let Some(temporary) = &self.temporary
            && status_at(directory, temporary).is_ok()
        {
            rustix::fs::unlinkat(directory, temporary, AtFlags::empty()).ok();
        }
    }
}
